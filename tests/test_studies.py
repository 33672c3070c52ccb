"""Studies: the right rows, shared trials, results that can be read back, real sets as well."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from w3an_lite import studies
from w3an_lite.ablation import GRAPH
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.writers import write_layout
from w3an_lite.presets import REPAIRS, SMALL, merged
from w3an_lite.studies import _kept, lines_of, read_study, run_study, scores
from w3an_lite.study_rows import STUDIES, WHOLE
from w3an_lite.trials import Setting, Trial
from w3an_lite.variants import TABLE5

BASE = {
    "model": {**SMALL["model"], "weights": None, "trunk": {"width": 2}, "clip_length": 3},
    "recipe": SMALL["recipe"],
}
TINY = Setting(8, 4, epochs=1, base=BASE)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_rows(name: str) -> None:
    count = {
        "table5": 8,
        "repairs": 21,
        "alone": 22,
        "looking": 5,
        "clock": 13,
        "groups": 10,
        "graph": 11,
        "weights": 21,
        "readings": 32,
        "baselines": 4,
    }
    assert len(lines_of("table5", ["paper"])) == 9  # in which maps guide α
    assert len(lines_of("readings", ["paper"])) == 31
    assert len(lines_of("readings", ["mean_pool"])) == 18  # no α to guide, no graph to read
    preset = "paper" if name == "alone" else "repaired"
    lines = lines_of(name, [preset], range(2))
    assert len(lines) == 2 * count[name]
    assert [line.trial.seed for line in lines] == sorted(line.trial.seed for line in lines)
    assert lines[0].variant == WHOLE
    shown = {"looking": ", off centre", "clock": ", turned"}
    assert lines[0].trial.name == preset + shown.get(name, "")
    by_name = {(line.trial.name, line.trial.seed): line.trial for line in lines}
    assert all(by_name[line.trial.name, line.trial.seed] == line.trial for line in lines)


def test_trials_are_shared() -> None:
    def trial(
        study: str, row: str, preset: str = "repaired", setting: Setting | None = None
    ) -> str:
        lines = lines_of(study, [preset], setting=setting)
        return next(line.trial.name for line in lines if line.variant == row)

    assert trial("graph", "layers2") == trial("weights", "gamma3-0.2") == "repaired"
    assert trial("weights", "gamma2-0.15", "paper") == "paper"
    assert trial("weights", "gamma3-0.1") == "repaired-gamma3-0.1"
    assert trial("graph", "K4", "paper") == "paper-K4"  # two cores take clips of six
    assert trial("graph", "K4", "paper", Setting(base={})) == "paper"
    alike = "mean pooling trained alike"
    assert trial("repairs", alike) == trial("baselines", alike) == "mean_pool-trained alike"
    assert trial("baselines", "mean pooling") == "mean_pool"
    assert trial("looking", "WAN") == "repaired-WAN, off centre"
    assert trial("clock", "WAN") == "repaired-WAN, turned"
    assert trial("clock", "paper") == "paper, turned"
    assert trial("clock", "paper W3WAN") == "paper-W3WAN, turned"
    assert trial("clock", alike) == "mean_pool-trained alike, turned"
    assert trial("looking", "paper with four repairs") == "paper-with four repairs, off centre"


def test_a_study_leaves_its_table(tmp_path: Path) -> None:
    found = run_study("table5", tmp_path, ["paper"], 2, TINY, only="W2AN|half", progress=False)
    with open(tmp_path / "table5.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["variant"], r["seed"]) for r in rows] == [
        (v, s) for s in "01" for v in (WHOLE, "W2AN", "half-dropped")
    ]
    assert rows[1]["spearman_beta_visibility"] == ""
    back = read_study(tmp_path / "table5.json")
    assert str(back) == str(found)  # nan equals nan
    assert back["setting"]["identities"] == 8
    assert back["revision"]
    assert len(back["rows"][0]["cmc"]) > 3
    assert scores(back, "paper", "W2AN", "spearman_beta_visibility") == {}
    whole = scores(back, "paper", WHOLE, "mAP")
    assert whole == pytest.approx({s: float(rows[3 * s]["mAP"]) for s in (0, 1)}, abs=1e-5)
    assert sorted(p.name for p in (tmp_path / "trials").iterdir()) == [
        f"paper{row}-{seed}" for row in ("", "-W2AN", "-half-dropped") for seed in (0, 1)
    ]


def test_what_was_kept_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, out = tmp_path / "kept", tmp_path / "out"
    first = run_study("table5", kept, ["paper"], 1, TINY, only="W2AN", progress=False)
    ran: list[tuple[str, int]] = []
    real = studies.measure_all

    def counted(trials: list[Trial], *arguments: Any) -> Any:
        ran.extend((trial.name, trial.seed) for trial in trials)
        return real(trials, *arguments)

    monkeypatch.setattr(studies, "measure_all", counted)
    more = run_study("table5", out, ["paper"], 2, TINY, only="W2AN", progress=False, kept=kept)
    assert ran == [("paper", 1), ("paper-W2AN", 1)]  # the next seed alone
    assert str(more["rows"][:2]) == str(first["rows"])  # nan equals nan
    assert [row["seed"] for row in more["rows"]] == [0, 0, 1, 1]
    del ran[:]
    run_study("graph", out, ["paper"], 1, TINY, only="layers2", progress=False, kept=kept)
    assert ran == []  # another study's row of the same settings
    other = replace(TINY, test_identities=5)
    run_study("graph", out, ["paper"], 1, other, only="layers2", progress=False, kept=kept)
    assert ran == [("paper", 0)]


def test_a_real_set_takes_the_place_of_drawn_people(tmp_path: Path) -> None:
    drawn = synthped(identities=8, test_identities=4, frames=4)
    write_layout(drawn, "mars", tmp_path / "mars", progress=False)
    setting = Setting(
        epochs=1,
        dataset="mars",
        root=str(tmp_path / "mars"),
        options={"official": False},
        base={
            "model": {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16)},
            "recipe": {"load_size": (36, 18), "crop": (32, 16)},
        },
    )
    found = run_study(
        "table5", tmp_path / "out", ["paper"], 1, setting, only="^WAN", progress=False
    )
    assert [row["variant"] for row in found["rows"]] == [WHOLE, "WAN"]
    assert 0 <= found["rows"][0]["mAP"] <= 1
    assert "alpha_inside" not in found["rows"][0]
    assert found["setting"]["dataset"] == "mars"


def test_a_row_that_only_one_preset_has_can_be_asked_for() -> None:
    lines = lines_of("table5", only="random-maps")
    assert [(line.preset, line.variant) for line in lines] == [
        ("paper", WHOLE),
        ("paper", "random-maps"),
        ("repaired", WHOLE),
    ]


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="study 'magic' is not known; choose from table5"):
        lines_of("magic")
    with pytest.raises(ValueError, match="no row is called 'magic'; there are WAN, random-maps"):
        lines_of("table5", only="magic")
    with pytest.raises(ValueError, match="study 'repairs' is of repaired alone; its rows are noth"):
        lines_of("repairs", ["paper"])
    with pytest.raises(ValueError, match="seeds is 0"):
        run_study("table5", tmp_path, seeds=0)
    for folder in (tmp_path, tmp_path / "nope"):
        with pytest.raises(ValueError, match=rf"kept is {folder}, which holds no result"):
            run_study("table5", tmp_path / "out", kept=folder)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"only is '\[', no regular expression"):
        lines_of("table5", only="[")
    told = '"setting": {}, "command": "", "revision": "", '
    for text in (
        *("nothing", "[]", "{" + told + '"rows": []}', '{"study": "table5", "rows": []}'),
        *("{" + told + '"study": "table5", "rows": ' + rows for rows in ("[{}]}", "[3]}")),
        "{" + told + '"study": "magic", "rows": []}',
    ):
        (tmp_path / "x.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"x\.json is no result of an experiment"):
            read_study(tmp_path / "x.json")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"row": {name: value}} for name, value in [
            ("mAP", "0.5"), ("mAP", True), ("rank1", []), ("seed", [0]), ("seed", "0"),
            ("variant", 3), ("preset", ["paper"]), ("alpha_inside", "much"), ("cmc", None),
            ("cmc", []), ("cmc", ["x"]), ("trial", 3),
        ]),
        *({"file": {name: value}} for name, value in [
            ("command", 3), ("revision", None), ("setting", []), ("rows", {}), ("study", []),
            ("setting", {"base": []}), ("setting", {"base": {"model": 3}}),
        ]),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_of_another_kind_is_no_result(tmp_path: Path, wrong: dict[str, Any]) -> None:
    row = {"variant": WHOLE, "preset": "paper", "seed": 0, "mAP": 0.5, "rank1": None, "cmc": [0.5]}
    file = {"study": "table5", "setting": {}, "command": "c", "revision": "r", "rows": [row]}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(file), encoding="utf-8")
    assert read_study(path)["rows"][0]["mAP"] == 0.5
    file["rows"] = [{**row, **wrong.get("row", {})}]
    path.write_text(json.dumps({**file, **wrong.get("file", {})}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.json is no result of an experiment"):
        read_study(path)


def test_rows_hold_what_their_names_say() -> None:
    alone, looking = STUDIES["alone"].rows("paper"), STUDIES["looking"].rows("repaired")
    assert alone["W3WAN"].changes == TABLE5["W3WAN"]
    made = merged(*(REPAIRS[name] for name in (*GRAPH, "clip identity")))
    four = {part: values for part, values in made.items() if values}
    assert alone["with all of the graph and clip identity"].changes == four
    row = looking["paper with four repairs"]
    assert (row.preset, {k: v for k, v in row.changes.items() if k != "crops"}) == ("paper", four)
    exchanged = STUDIES["repairs"].rows("repaired")["linear last layer for residual graph"].changes
    for part, values in (
        STUDIES["repairs"].rows("repaired")["without residual graph"].changes.items()
    ):
        assert values.items() <= exchanged[part].items()


def test_only_is_looked_for_anywhere_in_a_name() -> None:
    lines = lines_of("table5", ["paper"], only="^random")
    assert [line.variant for line in lines] == ["W3AN", "random-maps"]


def test_seeds_go_round_all_presets() -> None:
    lines = lines_of("table5", ["paper", "repaired"], range(2), only="^WAN")
    seeds = [line.trial.seed for line in lines]
    assert seeds == sorted(seeds)


def test_results_before_there_were_fingerprints_keep_no_trial(tmp_path: Path) -> None:
    row = {"variant": "W3AN", "preset": "paper", "seed": 0, "mAP": 0.5, "rank1": 0.5, "cmc": [0.5]}
    file = {"study": "table5", "setting": {}, "command": "c", "revision": "r", "rows": [row]}
    (tmp_path / "table5.json").write_text(json.dumps(file), encoding="utf-8")
    assert _kept(tmp_path) == {}
