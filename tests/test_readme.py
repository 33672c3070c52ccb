"""What the README shows as Python runs, word for word; its numbers, and those of FINDINGS.md beside
the notebooks, are those of the kept results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from w3an_lite import W3AN
from w3an_lite.claims import interval, paired
from w3an_lite.data.synthetic import synthped
from w3an_lite.studies import read_study, scores
from w3an_lite.trials import summary
from w3an_lite.worth import format_readings, format_repairs, points

README = Path(__file__).parents[1] / "README.md"
RESULTS = README.parent / "notebooks" / "results"
PAGES = (README, README.parent / "notebooks" / "FINDINGS.md")


def blocks(heading: str | None = None) -> list[str]:
    """The Python blocks of the README, or of the section of that heading."""
    text = README.read_text(encoding="utf-8")
    if heading is not None:
        (text,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, str(README), "exec"), names)


def test_the_first_block_finds_people_with_the_shipped_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, Any] = {}
    run(blocks()[0], names)
    printed = capsys.readouterr().out
    assert re.search(r"rank-1 0\.\d\d, mAP 0\.\d\d", printed)
    assert names["ranking"].mean_ap > 0.2
    assert names["seen"].beta.shape == (1, 6)


def test_three_cases_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On eight people in folders of files, two cameras, tracklets of 4 to 11 frames."""
    monkeypatch.chdir(tmp_path)
    for k, tracklet in enumerate(synthped(8, 0, tracklets=1, frames=11, seed=1).train):
        folder = tmp_path / f"my-people/{tracklet.identity:02d}/camera{tracklet.camera}"
        folder.mkdir(parents=True)
        for n, frame in enumerate(tracklet.frames.read(range(4 + k % 8))):
            Image.fromarray(frame.transpose(1, 2, 0)).save(folder / f"{n:02d}.jpg")
    own, backbone, part = blocks("In your own experiment")
    names: dict[str, Any] = {"__name__": "readme"}

    run(own, names)
    assert "[16, 128]" in capsys.readouterr().out
    back = W3AN.from_pretrained("own.pt")
    assert torch.equal(back.heads.identity.weight, names["model"].heads.identity.weight)
    assert (tmp_path / "runs/own/log.csv").is_file()

    run(backbone, names)
    assert names["model"].config["backbone"] == "custom"
    assert names["model"](torch.zeros(1, 6, 3, 128, 64)).cube.shape == (1, 6, 576, 4, 2)

    run(part, names)
    assert isinstance(names["model"].tan, names["Agreement"])
    assert names["model"].tan.sharpness.item() != 4  # it was trained


def test_every_block_is_run() -> None:
    assert len(blocks()) == 1 + len(blocks("In your own experiment"))


def cell(found: dict[str, Any], spread: bool = True) -> str:
    """Mean and standard deviation as the README writes them."""
    about = f" ± {found['spread']:.3f}" if spread else ""
    return f"{found['mean']:.3f}{about}".replace("-", "−")


def table(heading: str) -> list[str]:
    """The lines of the one table whose first line begins like this, without head and rule."""
    lines = [line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines()]
    (first,) = (i for i, line in enumerate(lines) if line.startswith(heading))
    last = next(i for i in range(first, len(lines)) if not lines[i].startswith("|"))
    return lines[first + 2 : last]


def prose() -> str:
    """Both pages on one line."""
    return " ".join(" ".join(page.read_text(encoding="utf-8") for page in PAGES).split())


def of(file: str, preset: str, variant: str, measure: str) -> dict[str, Any]:
    return summary(list(scores(read_study(RESULTS / file), preset, variant, measure).values()))


def test_the_demonstration_is_the_one_that_is_kept() -> None:
    found = json.loads((RESULTS / "three_seeds.json").read_text(encoding="utf-8"))
    measures = {
        "rank-1": "rank1",
        "mAP": "mAP",
        "Spearman of β with visibility": "spearman_beta_visibility",
        "area under the curve, clear against covered frames": "auc_beta_occlusion",
        "share of α on the person": "alpha_inside",
        "maximum of α on the person": "alpha_pointing",
    }
    lines = table("| | repaired | paper | mean pooling |")
    assert len(lines) == len(measures)
    for line, (said, measure) in zip(lines, measures.items(), strict=True):
        assert line.startswith(f"| {said}")
        own = [cell(found[name][measure]) for name in ("repaired", "paper", "mean_pool")]
        assert line.endswith(" | " + " | ".join(own) + " |")
    assert f"({cell(found['repaired']['person_area'], False)} of the picture)" in lines[4]


ONE_V = (("table5", "W3AN"), ("repairs", "with one v for all frames"))
"""With the clock and without it, beside a network without its spatial part."""

LONG = {
    "repaired": ("medium/table5.json", "repaired", "W3AN"),
    "without the spatial part": ("medium/table5.json", "repaired", "WAN"),
    "with one v for all frames": ("medium/repairs.json", "repaired", "with one v for all frames"),
    "with an α that is the same for every clip": (
        "medium/table5.json",
        "repaired",
        "place-alone",
    ),
    "with an average weighted by β in place of the graph": (
        "medium/table5.json",
        "repaired",
        "W3WAN",
    ),
    "mean pooling, trained alike": (
        "medium/baselines.json",
        "repaired",
        "mean pooling trained alike",
    ),
    "paper": ("medium/alone.json", "paper", "W3AN"),
    "paper, the three repairs of its graph made": (
        "medium/alone.json",
        "paper",
        "with all of the graph",
    ),
    "paper, these three and the identity of the clip": (
        "medium/alone.json",
        "paper",
        "with all of the graph and clip identity",
    ),
    "paper, these four and a gradient through α′": (
        "medium/alone.json",
        "paper",
        "with these four, gradient through α′",
    ),
    "paper, an average weighted by β in place of the graph": (
        "medium/alone.json",
        "paper",
        "W3WAN",
    ),
}

FOUR = "with all of the graph and clip identity"
LEARNING = "with these four, gradient through α′"
ALIKE = "mean pooling trained alike"
TURNED = {
    "repaired": ("W3AN", "table5", "repaired", "W3AN"),
    "an α that cannot look": ("place-alone", "table5", "repaired", "place-alone"),
    "an average weighted by β in place of the graph": ("W3WAN", "table5", "repaired", "W3WAN"),
    "paper": ("paper", "alone", "paper", "W3AN"),
    "paper, its graph mended": ("paper with all of the graph", "alone", "paper",
                                "with all of the graph"),
    "paper, an average weighted by β in place of the graph": ("paper W3WAN", "alone", "paper",
                                                              "W3WAN"),
    "paper with four repairs": ("paper with four repairs", "alone", "paper", FOUR),
    "paper with these four and a gradient through α′": (
        "paper with four repairs, gradient through α′", "alone", "paper", LEARNING,
    ),
    "one v for all frames": ("with one v for all frames", "repairs", "repaired",
                             "with one v for all frames"),
    "no spatial part": ("WAN", "table5", "repaired", "WAN"),
    "attention pyramid": ("AP-W3AN", "table5", "repaired", "AP-W3AN"),
    "attention LSTM": ("AL-W3AN", "table5", "repaired", "AL-W3AN"),
    "mean pooling, trained alike": (ALIKE, "baselines", "repaired", ALIKE),
}  # fmt: skip
"""The rows of walks that begin anywhere, and the same where they begin as drawn."""


def test_the_long_training_is_the_one_that_is_kept() -> None:
    lines = table("| | seeds | rank-1 | mAP | mAP, walks turned | Spearman(β, visibility) |")
    assert len(lines) == len(LONG)
    for line, (said, row) in zip(lines, LONG.items(), strict=True):
        seeds = len(of(*row, "mAP")["seeds"])
        measures = ("rank1", "mAP", "spearman_beta_visibility", "alpha_pointing")
        own = [cell(of(*row, measure)) for measure in measures]
        if said.startswith("mean pooling"):
            own[2] = "–"  # its β weighs nothing
        shown = [one for one, *plain in TURNED.values() if (*plain,) == _plain(row)]
        turned = [cell(of("medium/clock.json", "repaired", one, "mAP")) for one in shown]
        own.insert(2, *(turned or ["–"]))
        assert line.startswith(f"| {said} | {seeds} | " + " | ".join(own))
    parts = [of(*LONG["repaired"], f"alpha_pointing_{kind}") for kind in ("clear", "covered")]
    clear, covered = (cell(part, False) for part in parts)
    assert lines[0].endswith(f" (clear frames {clear}, covered {covered}) |")


def _plain(row: tuple[str, str, str]) -> tuple[str, str, str]:
    """The study, the preset and the variant of a row of the long training."""
    return row[0].removeprefix("medium/").removesuffix(".json"), row[1], row[2]


def test_turned_walks_are_those_that_are_kept() -> None:
    lines = table("| walks turned | mAP, short |")
    assert len(lines) == len(TURNED)
    for line, (said, (row, study, preset, plain)) in zip(lines, TURNED.items(), strict=True):
        own = []
        for folder, measure in (
            ("", "mAP"), ("medium/", "mAP"), ("medium/", "spearman_beta_visibility")
        ):  # fmt: skip
            new = of(f"{folder}clock.json", "repaired", row, measure)
            old = scores(read_study(RESULTS / folder / f"{study}.json"), preset, plain, measure)
            away = interval(list(np.subtract(new["seeds"], [*old.values()]))) if old else None
            own += [cell(new), points(away) if away else "–"]
        if said.startswith("mean pooling"):
            own[-2:] = ["–", "–"]  # its β weighs nothing
        assert line == f"| {said} | " + " | ".join(own) + " |"


def test_the_seeds_that_had_no_say_are_told_apart() -> None:
    rows = ("repaired", "without the spatial part", "paper, the three repairs of its graph made")
    found = [np.mean(of(*LONG[row], "mAP")["seeds"][3:]) for row in rows]
    said = re.findall(r"Seeds 3 and 4 had no say: (.*?)\n\n", README.read_text("utf-8"), re.DOTALL)
    assert re.findall(r"0\.\d{3}", said[0]) == [f"{mean:.3f}" for mean in found]


def test_table_5_is_the_one_that_is_kept() -> None:
    lines = table("| | `paper` mAP | Spearman | `repaired` mAP | Spearman |")
    study = read_study(RESULTS / "table5.json")
    variants = list(dict.fromkeys(row["variant"] for row in study["rows"]))
    assert len(lines) == len(variants)
    for line, variant in zip(lines, variants, strict=True):
        own = []
        for preset in ("paper", "repaired"):
            for measure, spread in (("mAP", True), ("spearman_beta_visibility", False)):
                found = list(scores(study, preset, variant, measure).values())
                own.append(cell(summary(found), spread) if found else "–")
        assert line.endswith(" | " + " | ".join(own) + " |")


LOOKING = ("rank1", "mAP", "spearman_beta_visibility", "alpha_inside", "alpha_pointing")


def test_people_off_the_centre_are_those_that_are_kept() -> None:
    study = read_study(RESULTS / "looking.json")
    lines = table("| people off the centre | rank-1 |")
    variants = list(dict.fromkeys(row["variant"] for row in study["rows"]))
    assert len(lines) == len(variants)
    for line, variant in zip(lines, variants, strict=True):
        own = [cell(of("looking.json", "repaired", variant, measure)) for measure in LOOKING]
        assert line.endswith(" | " + " | ".join(own) + " |")
    area = cell(of("looking.json", "repaired", "W3AN", "person_area"), False)
    assert f"α on the person ({area} of the picture)" in prose()


def test_what_the_paper_lacks_of_repaired() -> None:
    """Differences between rows of two studies, over the seeds they have in common."""
    text = prose()
    whole = ("medium/table5.json", "repaired", "W3AN")
    four = ("medium/alone.json", "paper", "with all of the graph and clip identity")
    learning = ("medium/alone.json", "paper", "with these four, gradient through α′")
    for one, two, measure, digits in (
        (four, whole, "mAP", 1),
        (learning, whole, "mAP", 1),
        (learning, whole, "spearman_beta_visibility", 1),
        (whole, learning, "alpha_pointing", 0),
    ):
        a, b = (np.array(of(*row, measure)["seeds"]) for row in (one, two))
        mean, low, high = (f"{100 * v:.{digits}f}".replace("-", "−") for v in interval(a - b)[:3])
        assert re.search(rf"\b{mean}\b[^\[\d]*\[{low}, {high}\]", text)
    inside = [f"{of(*row, 'alpha_inside')['mean']:.3f}" for row in (learning, whole)]
    assert f"an even one ({cell(of(*learning, 'person_area'), False)})" in text
    assert re.search(rf"{inside[0]} of its α lies on the person, [^[]* beside {inside[1]} in", text)


@pytest.mark.parametrize(
    ("one", "other", "measure"),
    [
        (("medium/repairs", "with one v for all frames"), ("medium/table5", "WAN"), "mAP"),
        (("medium/repairs", "W3AN"), ("medium/repairs", "with one v for all frames"),
         "spearman_beta_visibility"),
        (("repairs", "with one v for all frames"), ("table5", "WAN"), "mAP"),
        (("repairs", "with one v for all frames"), ("table5", "AP-W3AN"), "mAP"),
        (("repairs", "with one v for all frames"), ("table5", "AL-W3AN"), "mAP"),
    ],
)  # fmt: skip
def test_what_one_v_for_all_frames_leaves(
    one: tuple[str, str], other: tuple[str, str], measure: str
) -> None:
    own = [of(f"{file}.json", "repaired", row, measure)["seeds"] for file, row in (one, other)]
    away = interval(list(np.subtract(*own)))[:3]
    mean, low, high = (f"{100 * v:.1f}".replace("-", "−") for v in away)
    assert re.search(rf"{mean}\b[^\[\d]*\[{low}, {high}\]", prose())


def test_what_one_v_for_all_frames_leaves_is_the_table() -> None:
    lines = table("| less the same network without the spatial part |")
    rows = [(folder, row) for folder in ("", "medium/") for row in ONE_V]
    for line, (folder, (file, row)) in zip(lines, rows, strict=True):
        own = []
        for measure in ("mAP", "spearman_beta_visibility", "alpha_pointing"):
            both = ((f"{folder}{file}.json", row), (f"{folder}table5.json", "WAN"))
            seeds = [of(name, "repaired", which, measure)["seeds"] for name, which in both]
            own.append(points(interval(list(np.subtract(*seeds)))))
        assert line.endswith(" | ".join(["", *own]) + " |")


def test_what_each_repair_is_worth_is_what_the_report_says() -> None:
    studies = {name: read_study(RESULTS / f"{name}.json") for name in ("repairs", "alone")}
    said = [line.split(" | ") for line in format_repairs(studies).splitlines()[2:]]
    assert table("| repair | in `repaired`: mAP |") == [
        " | ".join([*cells[:3], *cells[4:6]]) + " |" for cells in said
    ]


def test_what_was_put_back_late_is_what_the_report_says() -> None:
    late = {"repairs": read_study(RESULTS / "medium" / "repairs.json")}
    assert table("| repair put back, 30 epochs |") == format_repairs(late).splitlines()[2:]


@pytest.mark.parametrize(
    ("file", "preset", "better", "worse", "measure"),
    [
        ("medium/table5", "repaired", "W3AN", "WAN", "mAP"),
        ("medium/table5", "repaired", "W3AN", "W3WAN", "mAP"),
        ("medium/table5", "repaired", "place-alone", "W3AN", "mAP"),
        ("table5", "repaired", "place-alone", "W3AN", "mAP"),
        ("looking", "repaired", "W3AN", "place-alone", "mAP"),
        ("looking", "repaired", "W3AN", "place-alone", "alpha_pointing"),
        ("looking", "repaired", "paper with four repairs, gradient through α′", "W3AN", "mAP"),
        ("medium/repairs", "repaired", "W3AN", "without β-weighted readout",
         "spearman_beta_visibility"),
        ("medium/table5", "repaired", "W3AN", "place-alone", "alpha_inside"),
        ("medium/repairs", "repaired", "W3AN", "without α free of Eq. 8", "alpha_inside"),
        ("medium/repairs", "repaired", "W3AN", "without α off foreign pixels", "alpha_inside"),
        ("medium/repairs", "repaired", "W3AN", "without exchanged surroundings", "alpha_inside"),
        ("medium/readings", "repaired", "four clips a person", "W3AN", "mAP"),
        ("medium/readings", "repaired", "Eq. 8, gradient through α′", "W3AN", "mAP"),
        ("table5", "repaired", "W3WAN", "W3AN", "mAP"),
        ("repairs", "repaired", "W3AN", "without α off foreign pixels", "alpha_pointing"),
        ("repairs", "repaired", "without α off foreign pixels", "without exchanged surroundings",
         "alpha_pointing"),
        ("repairs", "repaired", "without exchanged surroundings", "without α off foreign pixels",
         "mAP"),
        ("readings", "paper", "frames as they are", "W3AN", "mAP"),
        ("groups", "repaired", "carried-soft", "W3AN", "mAP"),
        ("groups", "repaired", "W3AN", "carried-hard", "mAP"),
        ("groups", "repaired", "without-attributes", "carried-hard", "mAP"),
        ("repairs", "repaired", "W3AN", "linear last layer for residual graph", "mAP"),
        ("medium/repairs", "repaired", "W3AN", "linear last layer for residual graph", "mAP"),
        ("readings", "repaired", "frames as they are", "a crop of larger frames", "mAP"),
        ("readings", "paper", "frames as they are", "a crop of larger frames", "mAP"),
        ("graph", "repaired", "layers1", "layers5", "mAP"),
        ("medium/clock", "repaired", "WAN", "W3AN", "mAP"),
        ("medium/clock", "repaired", "with one v for all frames", "W3AN", "mAP"),
        ("medium/clock", "repaired", "AP-W3AN", "W3AN", "mAP"),
        ("medium/clock", "repaired", "AL-W3AN", "W3AN", "mAP"),
        ("clock", "repaired", "WAN", "paper with four repairs", "mAP"),
        ("medium/clock", "repaired", "WAN", "paper with four repairs, gradient through α′", "mAP"),
        ("medium/clock", "repaired", "WAN", ALIKE, "mAP"),
        ("medium/clock", "repaired", "paper with all of the graph", "paper", "mAP"),
        ("medium/clock", "repaired", "W3AN", "paper with all of the graph", "mAP"),
        ("medium/clock", "repaired", "W3AN", "W3WAN", "mAP"),
    ],
)  # fmt: skip
def test_differences_in_the_text_are_those_of_the_kept_results(
    file: str, preset: str, better: str, worse: str, measure: str
) -> None:
    found = interval(paired(read_study(RESULTS / f"{file}.json"), preset, better, worse, measure))
    text = prose().replace("+", "")
    digits = 0 if measure == "alpha_pointing" and found.low > 0.1 else 1
    mean, low, high = (f"{100 * v:.{digits}f}".replace("-", "−") for v in found[:3])
    assert re.search(rf"{mean}\b[^\[\d]*\[{low}, {high}\]", text)


def test_what_another_reading_is_worth_is_what_the_report_says() -> None:
    content = read_study(RESULTS / "readings.json")
    assert table("| read another way |") == format_readings(content).splitlines()[2:]
