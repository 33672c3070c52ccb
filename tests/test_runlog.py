"""The files of a run that are for reading: tables, events, a picture."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from w3an_lite import files
from w3an_lite.data.tracklet import Tracklet
from w3an_lite.files import read_rows, write_rows
from w3an_lite.model import W3AN
from w3an_lite.recipe import Recipe
from w3an_lite.runlog import LOG, RunLog, draw_curves
from w3an_lite.training import train

Crowd = Callable[..., list[Tracklet]]
RECIPE = Recipe(epochs=4, batch=4, people=4, load_size=None, crop=None, lr=0.01)


class Judge:
    """Says what it is told, in order."""

    def __init__(self, *said: float) -> None:
        self.said = list(said)

    def __call__(self, model: W3AN) -> dict[str, Any]:
        model.eval()
        return {"protocol": "some/protocol", "mAP": self.said.pop(0), "rank1": 0.5}


def test_evaluations_and_the_best(
    crowd: Crowd, tiny: Callable[..., W3AN], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny()
    kept: list[Any] = []

    class Keeping(Judge):
        def __call__(self, model: W3AN) -> dict[str, Any]:
            kept.append({k: v.clone() for k, v in model.state_dict().items()})
            return super().__call__(model)

    with caplog.at_level(logging.INFO):
        train(
            model, crowd(4), None, RECIPE, tmp_path, progress=False, evaluate_every=1,
            judge=Keeping(0.2, 0.6, 0.4, 0.6),
        )  # fmt: skip
    assert "some/protocol, epoch 2: rank-1 0.500, mAP 0.600" in caplog.text
    lines = (tmp_path / "evaluations.csv").read_text().splitlines()
    assert lines[0] == "epoch,protocol,mAP,rank1"
    assert [line.split(",")[2] for line in lines[1:]] == ["0.2", "0.6", "0.4", "0.6"]
    best = W3AN.from_pretrained(tmp_path / "best.pt").state_dict()
    assert all((best[k] == v).all() for k, v in kept[1].items())
    assert any((best[k] != v).any() for k, v in kept[3].items())


def test_an_evaluation_that_was_missed_is_made_up_for(
    crowd: Crowd, tiny: Callable[..., W3AN], tmp_path: Path
) -> None:
    """Stopped between an epoch's end and its evaluation; saved every second epoch alone."""
    from test_training import At, interrupt

    from w3an_lite.training import Stopped

    with pytest.raises(Stopped):
        train(
            tiny(), crowd(4), At.call(2, interrupt), RECIPE, tmp_path, progress=False,
            judge=Judge(), evaluate_every=2, save_every=2,
        )  # fmt: skip
    judge = Judge(0.1, 0.2)
    train(
        tiny(), crowd(4), None, RECIPE, tmp_path, True, progress=False, judge=judge,
        evaluate_every=2,
    )  # fmt: skip
    assert judge.said == []
    lines = (tmp_path / "evaluations.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "2", "4"]


def test_tensorboard_has_what_the_table_has(
    crowd: Crowd, tiny: Callable[..., W3AN], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = train(
        tiny(), crowd(4), None, RECIPE, tmp_path, progress=False, judge=Judge(0.25),
        tensorboard=True,
    )  # fmt: skip
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    names = {f"train/{name}" for name in rows[0] if name not in ("epoch", "step")}
    assert tags == names | {"some/protocol/mAP", "some/protocol/rank1"}
    assert [e.step for e in events.Scalars("train/loss")] == [0, 1, 2, 3]
    assert [e.value for e in events.Scalars("train/loss")] == pytest.approx(
        [row["loss"] for row in rows]
    )
    assert [(e.step, e.value) for e in events.Scalars("some/protocol/mAP")] == [(4, 0.25)]


def test_without_tensorboard_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with caplog.at_level(logging.INFO):
        log = RunLog(tmp_path, tensorboard=True)
    log.steps([{"epoch": 0.0, "loss": 1.0}], 0)
    log.evaluated({"protocol": "p", "mAP": 0.5, "rank1": 0.5}, 1)
    log.write([{"epoch": 0.0, "loss": 1.0}], [])
    log.close()
    assert caplog.text.count("TensorBoard is not installed") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize("epochs", [1, 4])
def test_the_curves_are_drawn_from_the_table(
    epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A point an epoch, or a step when they are few; nan where a term was not there yet."""
    drawn: dict[str, Any] = {}

    def curves(log: Any, title: str, x: str) -> object:
        drawn.update(log, x=x, title=title)
        return "figure"

    monkeypatch.setattr("w3an_lite.plots.training_curves", curves)
    monkeypatch.setattr("w3an_lite.plots.save", lambda figure, path: path)
    rows: list[dict[str, float]] = [
        {"epoch": e, "step": s, "loss": e + s, "loss_weighted": 0.0, **({"san": 1.0} if e else {})}
        for e in range(epochs)
        for s in (0, 1)
    ]
    write_rows(rows, tmp_path / "log.csv")
    assert draw_curves(tmp_path, "name") == tmp_path / "curves.png"
    assert read_rows(tmp_path / "log.csv") == rows
    if epochs == 1:
        assert (drawn["x"], drawn["loss"]) == ("step", [0, 1])
        return
    assert set(drawn) == {"loss", "san", "x", "title"}
    assert (drawn["x"], drawn["title"]) == ("epoch", "name")
    assert drawn["loss"] == [0.5, 1.5, 2.5, 3.5]
    assert drawn["san"] == pytest.approx([float("nan"), 1, 1, 1], nan_ok=True)


def test_no_curves_without_a_table(tmp_path: Path) -> None:
    assert draw_curves(tmp_path) is None


def test_a_log_that_is_open_elsewhere_stops_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sheet on Windows holds log.csv; the next time it is whole. A full disk does stop it."""
    run = RunLog(tmp_path)
    run.write([{"epoch": 0.0, "step": 0.0}], [])

    def held(part: Path, path: Path) -> None:
        raise PermissionError(13, "The process cannot access the file")

    with monkeypatch.context() as patch:
        patch.setattr("w3an_lite.files.put_in_place", held)
        run.write([{"epoch": 0.0, "step": 0.0}, {"epoch": 0.0, "step": 1.0}], [])
    assert "log.csv could not be written" in caplog.text
    assert len(read_rows(tmp_path / LOG)) == 1
    run.write([{"epoch": 0.0, "step": 0.0}, {"epoch": 0.0, "step": 1.0}], [])
    assert len(read_rows(tmp_path / LOG)) == 2

    def full(part: Path, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("w3an_lite.files.put_in_place", full)
    with pytest.raises(OSError, match="No space left"):
        run.write([{"epoch": 0.0, "step": 0.0}], [])


@pytest.mark.parametrize(("epochs", "x"), [(2, "step"), (3, "epoch")])
def test_three_epochs_are_enough_for_a_point_an_epoch(
    epochs: int, x: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, str]] = []
    monkeypatch.setattr(
        "w3an_lite.plots.training_curves", lambda log, title, x: drawn.append((len(log["loss"]), x))
    )
    monkeypatch.setattr("w3an_lite.plots.save", lambda figure, path: path)
    rows = [{"epoch": e, "step": s, "loss": 1.0} for e in range(epochs) for s in (0, 1, 2)]
    write_rows(rows, tmp_path / "log.csv")
    draw_curves(tmp_path)
    assert drawn == [(epochs if x == "epoch" else 3 * epochs, x)]


class Writer:
    """In place of TensorBoard's: notes what it is asked for."""

    asked: ClassVar[list[Any]] = []

    def __init__(self, folder: str, purge_step: int) -> None:
        self.asked.append((folder, purge_step))

    def add_scalar(self, *given: Any) -> None:
        self.asked.append(given)

    def flush(self) -> None:
        self.asked.append("flush")

    def close(self) -> None:
        self.asked.append("close")


def test_events_of_a_run_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones of the steps it makes again do not count; each write reaches the disk."""
    monkeypatch.setattr(Writer, "asked", [])
    monkeypatch.setitem(
        sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer)
    )
    log = RunLog(tmp_path, tensorboard=True, start=7)
    rows = [{"epoch": 1.0, "step": 2.0, "loss": loss} for loss in (0.5, 0.25)]
    log.steps(rows, 7)
    log.evaluated({"protocol": "p", "epoch": 2, "mAP": 0.5, "rank1": 0.6, "rank20": 0.9}, 9)
    log.write(rows, [])
    log.close()
    assert Writer.asked == [
        (str(tmp_path / "tensorboard"), 7),
        ("train/loss", 0.5, 7),
        ("train/loss", 0.25, 8),
        ("p/mAP", 0.5, 9),
        ("p/rank1", 0.6, 9),
        ("p/rank20", 0.9, 9),
        "flush",
        "close",
    ]


def test_a_run_without_a_folder_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Writer, "asked", [])
    monkeypatch.setitem(
        sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer)
    )
    log = RunLog(None, tensorboard=True)
    log.steps([{"loss": 1.0}], 0)
    log.write([{"loss": 1.0}], [{"mAP": 0.5}])
    log.close()
    assert Writer.asked == []


def test_a_log_that_is_held_open_holds_up_no_other_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.put_in_place

    def held(part: Path, path: Path) -> None:
        if path.name == LOG:
            raise PermissionError(13, "The process cannot access the file")
        real(part, path)

    monkeypatch.setattr(files, "put_in_place", held)
    RunLog(tmp_path).write([{"epoch": 0.0}], [{"epoch": 1, "mAP": 0.5}])
    assert [p.name for p in tmp_path.iterdir()] == ["evaluations.csv"]
