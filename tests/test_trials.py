"""A trial is trained and measured once, kept, resumed, and done anew when its settings change."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
import torch

from w3an_lite import trials
from w3an_lite.data.attributes import GROUPS
from w3an_lite.presets import SMALL
from w3an_lite.records import write_record
from w3an_lite.trials import Setting, Trial, jobs_there_are, measure, measure_all
from w3an_lite.variants import TABLE5

BASE = {
    "model": {**SMALL["model"], "weights": None, "trunk": {"width": 2}, "clip_length": 3},
    "recipe": SMALL["recipe"],
}
TINY = Setting(8, 4, epochs=1, base=BASE)


def test_a_trial_is_measured_once_and_kept(tmp_path: Path, monkeypatch: Any) -> None:
    trial = Trial("repaired-AP", "repaired", 1, TABLE5["AP-W3AN"])
    first = measure(trial, tmp_path, TINY)
    folder = tmp_path / "repaired-AP-1"
    assert sorted(p.name for p in folder.iterdir()) == ["log.csv", "model.pt", "result.json"]
    kept = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert kept["changes"]["model"] == {"spatial": "AttentionPyramid"}
    assert kept["setting"]["identities"] == 8
    assert kept["seconds"] > 0
    assert kept["revision"]
    assert kept["command"]
    assert len(first.cmc) == len(kept["cmc"]) <= 20
    assert first.cmc[0] == first.scores["rank1"]
    monkeypatch.setattr(trials, "fit_variant", None)  # whoever trained again would fail
    assert measure(trial, tmp_path, TINY) == first
    with pytest.raises(TypeError):
        measure(trial, tmp_path, replace(TINY, identities=9))


def test_an_interrupted_trial_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: Any) -> None:
    setting = replace(TINY, epochs=2)
    trial = Trial("repaired", "repaired", 0)
    whole = measure(trial, tmp_path / "whole", setting)
    calls = []
    real = trials.search

    def killed(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(trials, "search", killed)
    with pytest.raises(KeyboardInterrupt):
        measure(trial, tmp_path / "cut", setting)
    assert (tmp_path / "cut" / "repaired-0" / "last.pt").is_file()
    log = (tmp_path / "cut" / "repaired-0" / "log.csv").stat().st_mtime_ns
    assert str(measure(trial, tmp_path / "cut", setting)) == str(whole)  # nan equals nan
    assert len(whole.rows) == 2
    del calls[:]
    with pytest.raises(KeyboardInterrupt):  # other settings: begun anew, not taken up
        measure(trial, tmp_path / "cut", replace(setting, epochs=1))
    assert (tmp_path / "cut" / "repaired-0" / "log.csv").stat().st_mtime_ns != log
    assert not (tmp_path / "cut" / "repaired-0" / "model.pt").exists()  # of those before
    assert len(measure(trial, tmp_path / "cut", replace(setting, epochs=1)).rows) == 1


@pytest.mark.parametrize("part", ["scores", "cmc", "rows", "revision"])
def test_a_result_that_lacks_a_part_is_named(tmp_path: Path, monkeypatch: Any, part: str) -> None:
    monkeypatch.setattr(trials, "fit_variant", None)  # nothing is trained
    trial, done = Trial("paper", "paper", 0), tmp_path / "paper-0" / "result.json"
    whole = {"scores": {}, "cmc": [], "rows": [], "revision": "abc"}
    for content in ({k: v for k, v in whole.items() if k != part}, {**whole, part: 3}):
        write_record({**trials.asked_of(trial, TINY), **content}, done)
        with pytest.raises(
            ValueError, match=rf"result\.json is damaged \(no {part}\); remove .*-0,"
        ):
            measure(trial, tmp_path, TINY)


def test_a_part_that_there_is_not_is_named() -> None:
    for part, values, said in (
        ("objectives", {"san_weight": 7.0}, "changes have a part 'objectives'; choose from model,"),
        ("crops", {"offcentre": [0.2, 0.2]}, "changes of 'crops' name 'offcentre'; choose from"),
        ("walks", {"turn": True}, "changes of 'walks' name 'turn'; choose from"),
        ("labels", {"without": ["shoes"], "hard": True}, "changes of 'labels' name 'hard'"),
    ):
        with pytest.raises(ValueError, match=said):
            Trial("mine", "paper", 0, {part: values})


def test_threads_are_as_before(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        measure(Trial("paper", "paper", 0), tmp_path, replace(TINY, threads=1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_more_jobs_than_trials_are_not_begun(tmp_path: Path, monkeypatch: Any) -> None:
    began: list[int] = []

    class Pool:
        def __init__(self, jobs: int, *_: object) -> None:
            began.append(jobs)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, _: object, some: list[Trial]) -> list[str]:
            return [trial.name for trial in some]

    monkeypatch.setattr(trials, "ProcessPoolExecutor", Pool)
    two = [Trial(name, name, 0) for name in ("paper", "repaired")]
    found: Any = measure_all(two, tmp_path, TINY, jobs=50, progress=False)
    assert (found, began) == (["paper", "repaired"], [2])
    assert measure_all([], tmp_path, TINY, jobs=50, progress=False) == []


def test_who_cannot_be_searched_for_is_not_trained_for(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(trials, "fit_variant", None)
    with pytest.raises(ValueError, match="has nobody to search for"):
        measure(Trial("paper", "paper", 0), tmp_path, replace(TINY, test_identities=0))
    assert list(tmp_path.iterdir()) == []


def test_every_seed_has_its_split_before_the_first_trial(tmp_path: Path, monkeypatch: Any) -> None:
    """Ten splits and eleven seeds; what is done already asks for no data."""
    asked: list[str] = []

    def load(_: str, root: str, protocol: str) -> Any:
        asked.append(protocol)
        if protocol.endswith("-10"):
            raise ValueError("the number runs from 0 to 9")
        return trials._drawn(8, 4, 0)

    monkeypatch.setattr(trials, "load_dataset", load)
    monkeypatch.setattr(trials, "fit_variant", None)
    setting = replace(TINY, dataset="ilids-vid", root="there", protocol="split-{seed}")
    many = [Trial(name, name, seed) for seed in range(11) for name in ("paper", "repaired")]
    with pytest.raises(ValueError, match="from 0 to 9"):
        measure_all(many, tmp_path, setting, progress=False)
    assert asked == [f"split-{k}" for k in range(11)]
    assert list(tmp_path.iterdir()) == []
    kept = {"scores": {}, "cmc": [], "rows": [], "revision": "abc"}
    for trial in many:
        done = {**trials.asked_of(trial, setting), **kept}
        write_record(done, tmp_path / f"{trial.name}-{trial.seed}" / "result.json")
    assert len(measure_all(many, tmp_path, setting, progress=False)) == 22
    assert len(asked) == 11


def test_what_cannot_be_measured_is_nan_and_comes_back_as_nan(tmp_path: Path) -> None:
    trial = Trial("W2AN", "repaired", 0, TABLE5["W2AN"])
    for _ in range(2):
        found = measure(trial, tmp_path, TINY)
        assert math.isnan(found.scores["spearman_beta_visibility"])
        assert 0 < found.scores["person_area"] < 1


def test_groups_left_out_shrink_the_model(tmp_path: Path) -> None:
    changes = {"labels": {"without": ["shoes"]}}
    found = measure(Trial("no shoes", "paper", 0, changes), tmp_path, TINY)
    assert "map_pointing" not in found.scores  # not the whole vocabulary
    none = {
        "labels": {"without": list(GROUPS)},
        "objective": {"attribute_task": 0.0},
    }
    assert measure(Trial("none", "paper", 0, none), tmp_path, TINY).scores["rank1"] >= 0


def test_side_by_side_gives_the_same(tmp_path: Path) -> None:
    two = [Trial("repaired", "repaired", 0), Trial("mean_pool", "mean_pool", 0)]
    alone = measure_all(two, tmp_path / "alone", TINY, progress=False)
    beside = measure_all(two, tmp_path / "beside", TINY, jobs=2, progress=False)
    assert str(beside) == str(alone)  # nan equals nan
    assert jobs_there_are(1) >= jobs_there_are(1000) == 1


def test_a_worker_keeps_its_device_and_begins_nothing_after_ctrl_c(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(trials, "HERE", {"device": "cpu", "stopped": False})
    monkeypatch.setattr(trials, "end_with_parent", lambda: None)
    devices: SimpleQueue[str] = SimpleQueue()
    for device in ("cuda:0", "cuda:1"):
        devices.put(device)
    asked = []

    def stopped(*arguments: Any) -> None:
        asked.append(arguments[-1])
        if len(asked) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(trials, "measure", stopped)
    for device in ("cuda:0", "cuda:1"):
        trials.begin_worker(devices)
        assert trials.HERE["device"] == device
    trial = Trial("repaired", "repaired", 0)
    trials._measure_here(trial, tmp_path, TINY)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            trials._measure_here(trial, tmp_path, TINY)
    assert asked == ["cuda:1", "cuda:1"]


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_not_the_presets_own(epochs: int) -> None:
    with pytest.raises(ValueError, match=f"epochs is {epochs}; train for at least 1"):
        replace(TINY, epochs=epochs)


def test_workers_end_when_the_one_that_began_them_is_killed() -> None:
    code = """
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from w3an_lite.trials import end_with_parent

with ProcessPoolExecutor(2, get_context("spawn"), end_with_parent) as pool:
    print(*pool.map(abs, [-1, -2]), flush=True)
    pool.submit(time.sleep, 600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"1 2\n"
    parent.kill()
    parent.communicate(timeout=30)  # the workers write to the same pipe, and must have let go


def test_a_set_that_is_not_there_begins_no_trial(tmp_path: Path) -> None:
    setting = replace(TINY, dataset="ilids-vid", root="nowhere", protocol="ilids-vid/split-{foo}")
    with pytest.raises(ValueError, match=r"protocol 'ilids-vid/split-\{foo\}': the number"):
        measure(Trial("paper", "paper", 0), tmp_path, setting)
    setting = replace(setting, protocol="ilids-vid/split-{seed}")
    with pytest.raises(ValueError, match="nowhere is missing"):
        measure(Trial("paper", "paper", 0), tmp_path, setting)
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_numpy_are_numbers_in_json() -> None:
    content = {"a": np.int64(3), "b": (np.float32(0.5), np.float64("nan")), "c": np.arange(2)}
    assert trials.plain(content) == {"a": 3, "b": [0.5, None], "c": [0, 1]}


def test_people_are_shown_as_a_trial_says(tmp_path: Path, monkeypatch: Any) -> None:
    seen = []
    real = trials.search

    def search(model: Any, split: Any) -> Any:
        seen.append(split)
        return real(model, split)

    monkeypatch.setattr(trials, "search", search)
    for name, changes in (("as they are", {}), ("turned", {"walks": {"turned": True}})):
        measure(Trial(name, "mean_pool", 3, changes), tmp_path, TINY)
    plain, shown = seen
    assert shown.name == f"{plain.name}, turned"
    assert [t.name for t in shown.train] == [t.name for t in plain.train]
    assert {type(t.frames).__name__ for t in [*shown.train, *shown.gallery]} == {"TurnedFrames"}
    kept = json.loads((tmp_path / "turned-3" / "result.json").read_text(encoding="utf-8"))
    assert kept["protocol"].endswith("-3, turned")
    assert kept["changes"]["walks"] == {"turned": True}
