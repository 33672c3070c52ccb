"""The run viewer shows what the folders hold, and names what it cannot show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from w3an_lite.compare import Viewer
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import Split
from w3an_lite.experiments import search
from w3an_lite.files import write_rows
from w3an_lite.live import Live
from w3an_lite.model import W3AN
from w3an_lite.widgets import compare


@pytest.fixture(scope="module")
def people() -> Split:
    return synthped(1, 6, frames=3, size=(32, 16), occlusion="none")


def run(folder: Path, seed: int, model: bool = True) -> Path:
    torch.manual_seed(seed)
    options = {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16), "clip_length": 3}
    folder.mkdir(parents=True)
    if model:
        W3AN.preset("repaired", 3, **options).save_pretrained(folder / "model.pt")
    rows = [{"epoch": e, "loss": (seed + 2.0) / (e + 1), "tan": 0.5} for e in (0, 1)]
    content = {"scores": {"rank1": seed / 10, "mAP": 0.25}, "rows": rows}
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def live(tmp_path: Path, people: Split) -> Live:
    return compare([run(tmp_path / f"run{seed}", seed) for seed in (1, 2)], people)


def test_curves_and_table_hold_the_numbers_of_the_logs(live: Live) -> None:
    assert live.text == "loss, mean of each epoch; in the last: run1 1.5, run2 2."
    assert live.set(term="tan").endswith("run1 0.5, run2 0.5.")
    assert '<th scope="row">run2</th><td>2</td><td>0.200</td><td>0.250</td>' in live.table.value
    before = bytes(live.picture.value)
    assert "run1" not in live.set(runs=("run2",))
    assert live.picture.value != before
    assert "run1" not in live.table.value


def test_the_cmc_is_that_of_a_search_and_made_once(
    live: Live, people: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = live.set(show="CMC")
    for name in ("run1", "run2"):
        cmc = search(W3AN.from_pretrained(tmp_path / name / "model.pt"), people).cmc
        assert f"{name} {cmc[0]:.3f}" in said
    assert f"{len(people.query)} queries" in said
    monkeypatch.setattr("w3an_lite.compare.search", None)
    live.set(show="curves")
    assert live.set(show="CMC") == said


def test_a_removed_file_and_another_model_are_named_beside_the_good(
    live: Live, people: Split, tmp_path: Path
) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "run1" / "model.pt")
    said = live.set(show="CMC")
    assert not live.failed
    assert "⚠ " in said
    assert "run1/model.pt is no W3AN model" in said.replace("\\", "/")
    assert "run2 0." in said
    (tmp_path / "run2" / "model.pt").unlink()
    alone = compare(tmp_path / "run2")
    assert not alone.failed
    said = alone.set(show="CMC")
    assert said.startswith("This cannot be drawn: run2 keeps no model.pt or best.pt to search with")
    assert alone.set(show="curves").startswith("loss")
    (tmp_path / "run3").mkdir()
    (run(tmp_path / "other", 3) / "model.pt").rename(tmp_path / "run3" / "best.pt")
    said = compare(tmp_path / "run3", people).set(show="CMC")
    assert re.search(r"rank-1: run3 \d\.\d{3} \(of best\.pt\)\.$", said)


def test_what_is_wrong_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for places, said in (
        (tmp_path / "gone", "gone does not exist"),
        (tmp_path / "empty", "empty holds no run"),
        ([], "no runs; give the folders of some"),
        (3, "not iterable"),
    ):
        live = compare(places)  # type: ignore[arg-type]
        assert live.failed
        assert said in live.text
        assert "Traceback" not in live.caption.value
        assert live.set(show="CMC") == live.text


def test_more_runs_than_line_styles_are_refused_and_none_too(tmp_path: Path) -> None:
    many = compare([run(tmp_path / f"run{k}", k, model=False) for k in range(8)])
    assert len(many.values["runs"]) == 6
    said = many.set(runs=tuple(f"run{k}" for k in range(8)))
    assert said.startswith("This cannot be drawn: 8 runs; tick 6 at most")
    assert many.set(runs=()).startswith("This cannot be drawn: no run is ticked")
    assert not many.set(runs=("run7",)).startswith("This")
    assert many.set(runs=("run8",)).startswith("runs cannot be ('run8',): 'run8' is none of run0")
    assert many.values["runs"] == ("run7",)


def test_a_term_that_begins_late_is_drawn_where_it_begins(tmp_path: Path) -> None:
    """As in curves.png of the same log."""
    rows = [{"epoch": k, "loss": 1.0} | ({"map": 0.5 - k / 10} if k > 1 else {}) for k in range(4)]
    write_rows(rows, tmp_path / "late" / "log.csv")
    viewer = Viewer(tmp_path / "late", None)
    figure, text, _ = viewer.draw("curves", "map", ("late",))
    (line,) = figure.axes[0].get_lines()
    np.testing.assert_allclose(line.get_ydata(), [np.nan, np.nan, 0.3, 0.2])
    assert "in the last: late 0.2." in text
