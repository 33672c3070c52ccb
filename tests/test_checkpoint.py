"""A run that is killed goes on as if it had not been: to the same weights, bit for bit."""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import PROCESSES
from torch import Tensor, nn

from w3an_lite import checkpoint, provenance
from w3an_lite.backbone import NarrowTrunk
from w3an_lite.data.tracklet import Tracklet
from w3an_lite.files import load_plain, read_rows, save_plain
from w3an_lite.model import W3AN
from w3an_lite.training import Recipe, train

RECIPE = Recipe(
    epochs=100, batch=8, people=8, lr=0.02, schedule="cosine", load_size=None, crop=None, pad=2,
    flip=0.5, erase=0.3,
)  # fmt: skip
"""A hundred epochs of one step, each saved."""


class Forgetful(nn.Module):
    """A trunk of one's own that draws from PyTorch's global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.drop = NarrowTrunk(width=2, stride=16), nn.Dropout(0.2)
        self.channels, self.stride = self.trunk.channels, self.trunk.stride

    def forward(self, frames: Tensor) -> Tensor:
        return self.drop(self.trunk(frames))


def _model() -> W3AN:
    torch.manual_seed(0)
    return W3AN(8, backbone=Forgetful(), size=(32, 16), clip_length=2, neighbours=1)


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _work(people: list[Tracklet], folder: Path, where: str, when: int, steps: Connection) -> None:
    """Train or go on in `folder`; tell of each step; die `where` in the `when`-th write."""
    torch.set_num_threads(1)
    save, rename, writes = torch.save, os.replace, []

    def dying_save(content: Any, path: Path) -> None:
        writes.append(path)
        if len(writes) == when and where == "before":
            _die()
        save(content, path)
        if len(writes) == when and where == "half":
            os.truncate(path, path.stat().st_size // 2)
            _die()

    def dying_rename(part: Path, path: Path) -> None:
        last = path.name == "last.pt" and len(writes) == when
        if last and where == "unnamed":
            _die()
        rename(part, path)
        if last and where == "renamed":
            _die()

    torch.save, os.replace = dying_save, dying_rename
    model = _model()
    model.register_forward_hook(lambda *_: steps.send(1))
    rows = train(
        model,
        people,
        None,
        RECIPE,
        folder,
        (folder / "last.pt").exists(),
        progress=False,
        save_every=1,
    )
    save({"state": model.state_dict(), "rows": rows}, folder / "done.pt")


def _start(people: list[Tracklet], folder: Path, where: str = "", when: int = 0) -> Any:
    theirs: Connection
    mine, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_work, args=(people, folder, where, when, theirs))
    process.start()
    theirs.close()
    return process, mine


def test_killed_twenty_times(crowd: Callable[..., list[Tracklet]], tmp_path: Path) -> None:
    """Twelve times at a random moment, eight times around the write of the checkpoint."""
    people, chance = crowd(8, each=1), random.Random(0)
    whole = _model()
    torch.manual_seed(0)
    _model()
    rows = train(whole, people, None, RECIPE, progress=False)

    folder, reached = tmp_path / "run", []
    places = ["before", "half", "unnamed", "renamed"] * 2 + [""] * 12
    chance.shuffle(places)
    for where in places:
        process, steps = _start(people, folder, where, chance.randint(1, 3))
        if not where:
            for _ in range(chance.randint(1, 4)):
                steps.recv()
            time.sleep(chance.uniform(0, 0.02))
            process.kill()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        if (folder / "last.pt").exists():
            reached.append(load_plain(folder / "last.pt")["epoch"])
    assert reached == sorted(reached)
    assert len(set(reached)) > 10

    process, steps = _start(people, folder)
    process.join(60)
    assert process.exitcode == 0
    done = torch.load(folder / "done.pt")
    assert done["rows"] == rows == read_rows(folder / "log.csv")
    assert done["state"].keys() == whole.state_dict().keys()
    for name, value in whole.state_dict().items():
        assert torch.equal(done["state"][name], value), name
    assert sorted(p.name for p in folder.iterdir()) == ["done.pt", "last.pt", "log.csv"]


def test_what_a_checkpoint_holds(crowd: Callable[..., list[Tracklet]], tmp_path: Path) -> None:
    train(_model(), crowd(8), None, replace(RECIPE, epochs=1), tmp_path, progress=False)
    saved = load_plain(tmp_path / "last.pt")
    assert saved.keys() == {
        *("form", "settings", "epoch", "step", "rows", "evaluations", "model", "optimiser"),
        *("generators", "made_with"),
    }
    assert saved["generators"].keys() == {"torch", "cuda", "numpy", "python"}
    assert saved["made_with"]["revision"] == provenance.revision()
    assert saved["made_with"]["autocast"] is False
    saved["form"] = 1
    torch.save(saved, tmp_path / "last.pt")
    with pytest.raises(
        ValueError, match=r"last\.pt is a checkpoint of form 1, this .* reads form 2"
    ):
        train(_model(), crowd(8), None, replace(RECIPE, epochs=1), tmp_path, True, progress=False)


def test_every_generator_comes_back(tmp_path: Path) -> None:
    def draw() -> list[float]:
        return [torch.rand(()).item(), np.random.rand(), np.random.randn(), random.random()]  # noqa: NPY002

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    draw()  # leaves a second normal number waiting in NumPy's generator
    torch.save({"generators": checkpoint.generator_states()}, tmp_path / "states.pt")
    first = [draw(), draw()]
    checkpoint.set_generator_states(load_plain(tmp_path / "states.pt")["generators"])
    assert [draw(), draw()] == first


def test_rows_are_packed_to_the_bit() -> None:
    rows = [{"a": 1 / 3, "b": 2.0}, {"a": 1e-300}, {"c": -0.0, "a": math.pi}]
    assert checkpoint.unpack_rows(checkpoint.pack_rows(rows)) == rows
    assert checkpoint.unpack_rows(checkpoint.pack_rows([])) == []


def _kept(path: Path, **changes: Any) -> Path:
    whole = {
        "form": checkpoint.FORM, "settings": {"recipe": {"lr": 0.1, "seed": 0}}, "epoch": 1,
        "step": 0, "rows": {}, "evaluations": [{"epoch": 1, "mAP": 0.5, "more": 1}], "model": {},
        "optimiser": {}, "generators": {},
    }  # fmt: skip
    content = {k: v for k, v in {**whole, **changes}.items() if v is not None}
    save_plain(content, path)
    return path


def test_a_checkpoint_is_read_with_the_settings_it_was_written_with(tmp_path: Path) -> None:
    """Earlier ones knew nothing of the data; what a later library sets was never set before."""
    path, same = _kept(tmp_path / "last.pt"), {"recipe": {"lr": 0.1, "seed": 0}}
    assert checkpoint.read_checkpoint(path, same)["epoch"] == 1
    assert checkpoint.read_checkpoint(path, {**same, "data": {"tracklets": "ab"}})["step"] == 0
    for wanted, message in (
        ({"lr": 0.2, "seed": 0}, r"recipe lr was 0\.1, now 0\.2"),
        ({"lr": 0.1, "seed": 1}, "recipe seed was 0, now 1"),
        ({"lr": 0.1, "seed": 0, "erase": 0.3}, r"recipe erase was None, now 0\.3"),
    ):
        with pytest.raises(ValueError, match=rf"last\.pt is of another run: {message}; resume"):
            checkpoint.read_checkpoint(path, {"recipe": wanted})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": 3}, "of form 3, this library reads form 2"),
        ({"form": None}, "of form None, this library reads form 2"),
        ({"settings": {"recipe": {}, "model": 3}}, "is no checkpoint of a training run"),
        ({"step": "0"}, "its 'step' is str, not int"),
        ({"rows": None}, "its 'rows' is nothing, not dict"),
        ({"generators": []}, "its 'generators' is list, not dict"),
        ({"evaluations": [{"epoch": 1}]}, "an evaluation has no epoch or no mAP"),
        ({"evaluations": [{"mAP": 0.5}]}, "an evaluation has no epoch or no mAP"),
        ({"evaluations": [0.5]}, "an evaluation has no epoch or no mAP"),
    ],
    ids=str,
)
def test_what_is_no_checkpoint_is_said(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        checkpoint.read_checkpoint(_kept(tmp_path / "last.pt", **changes), {})


def test_each_gpu_gets_its_own_generator_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of three is here no more."""
    put: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: ["a", "b", "c"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *given: put.append(given))
    checkpoint.set_generator_states(checkpoint.generator_states())
    assert put == [("a", 0), ("b", 1)]
