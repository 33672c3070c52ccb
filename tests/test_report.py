"""Reports say what the files hold, keep what was printed apart, and draw it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w3an_lite.report import (
    format_claims,
    format_study,
    gather,
    pictures,
    write_report,
)
from w3an_lite.studies import lines_of
from w3an_lite.study_rows import STUDIES


def result(name: str, seeds: int = 3) -> dict[str, Any]:
    """A result of a study with invented numbers; the later a row stands the worse it is."""
    lines = lines_of(name, seeds=range(seeds))
    order = list(dict.fromkeys(line.variant for line in lines))
    rows = []
    for line in lines:
        value = 0.6 - 0.01 * order.index(line.variant) + 0.02 * line.trial.seed
        rows.append(
            {
                "variant": line.variant, "preset": line.preset, "seed": line.trial.seed,
                "mAP": value, "rank1": value + 0.1, "alpha_inside": 0.4, "person_area": 0.2,
                "spearman_beta_visibility": None if line.variant == "W2AN" else 0.5,
                "cmc": [value, 0.9, 1.0],
            }
        )  # fmt: skip
    return {
        "study": name, "about": "", "setting": {}, "command": "python -m w3an_lite experiment",
        "revision": "0123456789abcdef", "rows": rows,
    }  # fmt: skip


def as_read(content: dict[str, Any]) -> dict[str, Any]:
    for row in content["rows"]:
        row.update({k: math.nan for k, v in row.items() if v is None})
    return content


def test_a_table_by_hand() -> None:
    text = format_study(as_read(result("table5")))
    paper, repaired = text.split("\n\n")
    assert paper.splitlines()[0].startswith("| `paper` | seeds | rank-1 | mAP | Spearman")
    assert paper.splitlines()[0].endswith("*printed in the paper, Table 5* |")
    assert "| W3AN | 3 | 0.720 ± 0.020 | 0.620 ± 0.020 |" in paper
    # constant differences have no spread, so their interval is a point
    assert "| −1.0 [−1.0, −1.0] | 81.3 / 77.0 % |" in paper.splitlines()[3]
    assert "| W2AN | 3 | 0.690 ± 0.020 | 0.590 ± 0.020 | – |" in repaired
    assert len(paper.splitlines()) == 11
    assert "printed" not in format_study(as_read(result("graph")))
    other = as_read(result("table5"))
    for row in other["rows"]:
        row["variant"] = row["variant"].replace("W2AN", "of one's own")
    (own, *_) = [line for line in format_study(other).splitlines() if "own" in line]
    assert own.endswith("] | – |")


def test_claims_are_told_plainly() -> None:
    text = format_claims({"table5": as_read(result("table5"))})
    assert "| the graph beats weighted averaging | mAP | `paper` | 3 | +4.0" in text
    assert "**holds**" in text
    one = format_claims({"table5": as_read(result("table5", seeds=1))})
    assert "**cannot tell**" in one
    assert "**holds**" not in one
    assert format_claims({}) == ""


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_drawn(name: str) -> None:
    drawn = pictures(as_read(result(name, seeds=2)))
    assert set(drawn) == {f"{name}-{preset}.png" for preset in STUDIES[name].presets}
    for figure, says in drawn.values():
        assert figure.axes
        assert says.endswith(".")


def test_the_lines_drawn_are_the_intervals() -> None:
    content = as_read(result("graph", seeds=2))
    for row in content["rows"]:  # so that differences from it are d and d + 1
        row["mAP"] += 0.01 * (row["variant"] == "W3AN" and row["seed"] == 0)
    figure, _ = pictures(content)["graph-paper.png"]
    ends = [end[:, 0] for end in figure.axes[0].collections[0].get_segments()]
    # Student's t for one degree of freedom is 12.706, the standard error of two such 0.5
    np.testing.assert_allclose(np.diff(ends)[:, 0], 12.706, atol=1e-3)
    np.testing.assert_allclose(np.mean(ends, axis=1), [-1.5 - k for k in range(len(ends))])


def test_a_report_is_written_with_its_pictures(tmp_path: Path) -> None:
    for name in ("table5", "baselines"):
        (tmp_path / f"{name}.json").write_text(json.dumps(result(name)), encoding="utf-8")
    written = write_report([tmp_path], tmp_path / "page" / "RESULTS.md", tmp_path / "images")
    text = written[0].read_text(encoding="utf-8")
    assert len(written) == 5
    for path in written[1:]:
        assert path.stat().st_size > 1000
        assert f"](../images/{path.name})" in text
    assert text.index("## What holds") < text.index("## Table 5") < text.index("## Figures 5-7")
    assert "`python -m w3an_lite experiment`, revision 0123456789ab." in text
    assert write_report([tmp_path], tmp_path / "page" / "RESULTS.md", tmp_path / "images")
    assert written[0].read_text(encoding="utf-8") == text  # nothing in it depends on the day


def test_results_of_another_setting_stand_apart(tmp_path: Path) -> None:
    setting = {
        "identities": 8, "test_identities": 4, "dataset": "synthped", "epochs": None,
        "base": {"model": {"size": [64, 32], "trunk": {"stride": 8}}, "recipe": {"epochs": 8}},
    }  # fmt: skip
    for name, epochs in (("a", None), ("b", 30), ("c", 8)):
        study = "graph" if name == "c" else "table5"
        content = {**result(study), "setting": {**setting, "epochs": epochs}}
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    files = [tmp_path / f"{name}.json" for name in "abc"]
    assert [list(group) for group in gather(files)] == [["table5", "graph"], ["table5"]]
    written = write_report(files, tmp_path / "page.md", tmp_path / "images")
    text = written[0].read_text(encoding="utf-8")
    one, two = (
        "# 1. 8 drawn people to learn from, 4 to find, 64×32 pixels, cells of 8×8, 8 epochs",
        "# 2. 8 drawn people to learn from, 4 to find, 64×32 pixels, cells of 8×8, 30 epochs",
    )
    assert text.index(one) < text.index("## Figure 10") < text.index(two)
    assert (
        text.index(two)
        < text.index("## What holds (2)")
        < text.index("## Table 5: each part t", text.index(two))
    )
    names = [path.name for path in written[1:]]
    assert names[-2:] == ["table5-paper-2.png", "table5-repaired-2.png"]
    assert len(set(names)) == len(names) == 6


def test_results_that_are_not_there_or_twice(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no result in"):
        gather([tmp_path])
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(result("graph", 1)), encoding="utf-8")
    with pytest.raises(ValueError, match=r"b\.json is a second result of graph"):
        gather([tmp_path / "a.json", tmp_path / "b.json"])
    with pytest.raises(OSError, match=r"c\.json cannot be read .*give what `experiment` wrote"):
        gather([tmp_path / "c.json"])


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("left", ["others", "one other", "nothing"])
def test_a_result_without_the_whole_network_is_reported(
    tmp_path: Path, name: str, left: str
) -> None:
    content = result(name, 2)
    others = [row for row in content["rows"] if row["variant"] != "W3AN"]
    content["rows"] = {"others": others, "one other": others[-1:], "nothing": []}[left]
    (tmp_path / "x.json").write_text(json.dumps(content), encoding="utf-8")
    text = write_report([tmp_path / "x.json"], tmp_path / "R.md")[0].read_text(encoding="utf-8")
    assert all(row["variant"] in text for row in content["rows"])


def test_settings_that_say_nothing_of_the_people_stand_apart(tmp_path: Path) -> None:
    for name, setting in (("a", {}), ("b", {"epochs": 30})):
        content = {**result("table5", 1), "setting": setting}
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    page = write_report([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "R.md")[0]
    assert "# 2. ? drawn people to learn from, ? to find, 30 epochs" in page.read_text("utf-8")


def test_studies_stand_in_their_order_and_epochs_count_wherever_they_are_said(
    tmp_path: Path,
) -> None:
    import json

    from test_report import result

    from w3an_lite.report import gather

    for name, study_name, setting in (
        ("a", "graph", {"epochs": 8, "base": {"recipe": {"epochs": 30}}}),
        ("b", "table5", {"epochs": None, "base": {"recipe": {"epochs": 8}}}),
    ):
        content = {**result(study_name, 1), "setting": setting}
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    groups = gather([tmp_path / "a.json", tmp_path / "b.json"])
    assert [list(group) for group in groups] == [["table5", "graph"]]


def test_curves_of_unlike_length_are_drawn_as_far_as_all_go() -> None:
    from test_report import as_read, result

    from w3an_lite.report import pictures

    content = as_read(result("baselines", seeds=2))
    content["rows"][0]["cmc"] = [0.1, 0.2]
    assert pictures(content)
