"""Trials: a preset with changes, trained from a seed and measured; kept, resumed, side by side."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from .cores import usable_cores
from .data.datasets import load_dataset
from .data.off_centre import off_centre
from .data.splits import check_answerable
from .data.synthetic import synthped
from .data.tracklet import Split
from .data.turned import turned
from .experiments import attend, fit_variant, search
from .presets import PRESETS, SMALL, Changes, check_changes
from .provenance import command, revision
from .records import damaged, plain, read_record, write_record
from .relabel import relabelled
from .run_record import PARTS
from .speed import cpu_threads, gpus_there_are

CMC = 20
"""How many ranks of a curve are kept."""
DATA = {"labels": ("without", "carried"), "crops": ("off_centre",), "walks": ("turned",)}
"""What a trial may change of its people: see `relabel`, `data.off_centre`, `data.turned`."""
HERE: dict[str, Any] = {"device": "cpu", "stopped": False}
"""Of a worker process: where it computes, and whether it was told to stop."""


@dataclass(frozen=True)
class Setting:
    """What all trials of a study share: the people, and the size they are trained at.

    identities, test_identities: drawn people to train on and to search for (dataset "synthped").
    dataset, root, protocol, options: a real set, as `load_dataset` takes it; "{seed}" in the
        protocol's name is the trial's seed, so that ten random halves are ten seeds.
    base: what brings a preset to its size, before the changes of a trial; {} is the paper's.
    epochs: None for those of the preset or the base. threads: CPU threads of each trial, on which
        its numbers depend to the last digit.
    """

    identities: int = 256
    test_identities: int = 100
    epochs: int | None = None
    threads: int = 1
    dataset: str = "synthped"
    root: str | None = None
    protocol: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    base: Changes = field(default_factory=lambda: SMALL)

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; train for at least 1")


@dataclass(frozen=True)
class Trial:
    """One model to be trained and measured, under a name, from a seed.

    changes: to the preset, `DATA` beside. ValueError for a part that there is not.
    """

    name: str
    preset: str
    seed: int
    changes: Changes = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_changes(self.changes, DATA)


class Measured(NamedTuple):
    """What came of a trial: scores by name (nan where there is none), its CMC curve, its log.

    revision: of the code that measured it.
    """

    scores: dict[str, float]
    cmc: list[float]
    rows: list[dict[str, float]]
    revision: str


def people(setting: Setting, seed: int) -> Split:
    """The people of a trial. Of drawn ones half the training tracklets are occluded, and every
    test tracklet is; each seed draws its own."""
    if setting.dataset == "synthped":
        return _drawn(setting.identities, setting.test_identities, seed)
    protocol = setting.protocol and setting.protocol.replace("{seed}", str(seed))
    return load_dataset(setting.dataset, setting.root, protocol, **setting.options)


def shown(split: Split, changes: Changes, seed: int) -> Split:
    """The people of a trial as its changes of "crops" and "walks" show them."""
    if most := changes.get("crops", {}).get("off_centre"):
        split = off_centre(split, (most[0], most[1]), seed)
    return turned(split, seed) if changes.get("walks", {}).get("turned") else split


@lru_cache(maxsize=1)
def _drawn(identities: int, test_identities: int, seed: int) -> Split:
    return synthped(
        identities, test_identities, seed=seed, occlusion="mixed", test_occlusion="heavy"
    )


def asked_of(trial: Trial, setting: Setting, device: str = "cpu") -> dict[str, Any]:
    """All that a trial's numbers depend on but its seed and the code, as plain values."""
    return plain(
        {
            "setting": asdict(setting),
            "device": torch.device(device).type,
            "preset": PRESETS[trial.preset],
            "changes": trial.changes,
        }
    )


def fingerprint(trial: Trial, setting: Setting, device: str = "cpu") -> str:
    """A short name for what a trial is, seed included: equal names, equal trials."""
    content = [asked_of(trial, setting, device), trial.seed]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def measure(trial: Trial, out: Path, setting: Setting, device: str = "cpu") -> Measured:
    """Train, search and audit one trial in `out/NAME-SEED`, or read what is there already.

    The folder keeps `result.json` and `model.pt`. A trial that was interrupted goes on from its
    last epoch; one of other settings is cleared away and done anew.
    """
    if (kept := _kept(trial, out, setting, device)) is not None:
        return kept
    with cpu_threads(setting.threads):
        return _train_and_measure(trial, out, setting, device)


def _train_and_measure(trial: Trial, out: Path, setting: Setting, device: str) -> Measured:
    folder = out / f"{trial.name}-{trial.seed}"
    begun, asked = folder / "begun.json", asked_of(trial, setting, device)
    started = time.monotonic()
    split = people(setting, trial.seed)  # before a trial begins: they may not be there
    check_answerable(split)
    split = shown(split, trial.changes, trial.seed)
    train = relabelled(split.train, **trial.changes.get("labels", {}), seed=trial.seed)
    changes = {part: dict(values) for part, values in trial.changes.items() if part not in DATA}
    if setting.epochs is not None:
        changes["recipe"] = {**changes.get("recipe", {}), "epochs": setting.epochs}
    resume = read_record(begun) == asked and (folder / "last.pt").is_file()
    if not resume:
        for part in PARTS:  # of other settings
            (folder / part).unlink(missing_ok=True)
        write_record(asked, begun)
    model, rows = fit_variant(
        trial.preset, train, trial.seed, changes, folder, resume, False, setting.base, device
    )
    ranking = search(model, split)
    scores = {"mAP": ranking.mean_ap, **{f"rank{r}": ranking.rank(r) for r in (1, 5, 20)}}
    if all(t.truth is not None for t in split.gallery):
        scores |= attend(model, split.gallery)
    model.save_pretrained(folder / "model.pt")
    measured = Measured(scores, ranking.cmc[:CMC].tolist(), rows, revision())
    seconds = round(time.monotonic() - started, 1)
    origin = {"seconds": seconds, "command": command(), "protocol": split.name}
    write_record({**asked, **origin, **measured._asdict()}, folder / "result.json")
    for spent in (begun, folder / "last.pt"):
        spent.unlink(missing_ok=True)
    return measured


def _kept(trial: Trial, out: Path, setting: Setting, device: str) -> Measured | None:
    """What a trial has left, None if it was of other settings; ValueError if it is damaged."""
    done = out / f"{trial.name}-{trial.seed}" / "result.json"
    kept, asked = read_record(done), asked_of(trial, setting, device)
    if any(kept.get(key) != value for key, value in asked.items()):
        return None
    for name, kind in {"scores": dict, "cmc": list, "rows": list, "revision": str}.items():
        if not isinstance(kept.get(name), kind):
            raise ValueError(damaged(done, f"no {name}"))
    scores = {k: math.nan if v is None else v for k, v in kept["scores"].items()}
    return Measured(scores, kept["cmc"], kept["rows"], kept["revision"])


def _check_people(trials: Sequence[Trial], out: Path, setting: Setting) -> None:
    """Of a real set, and before the first trial of many: each that is left has its people."""
    if setting.dataset == "synthped":
        return
    read: set[str | None] = set()
    for trial in trials:
        name = setting.protocol and setting.protocol.replace("{seed}", str(trial.seed))
        if name not in read and _kept(trial, out, setting, where()) is None:
            check_answerable(people(setting, trial.seed))
            read.add(name)


def measure_all(
    trials: Sequence[Trial],
    out: Path,
    setting: Setting,
    jobs: int = 1,
    progress: bool = True,
) -> list[Measured]:
    """Every trial in order, `jobs` at a time, each job on a GPU of its own as long as there are
    some left; what an interrupted study finished is kept."""
    _check_people(trials, out, setting)
    jobs = min(jobs, len(trials))
    with ExitStack() as stack:
        do: Callable[..., Iterable[Measured]] = map
        one = partial(measure, out=out, setting=setting, device=where())
        if jobs > 1:
            spawn = get_context("spawn")
            devices = spawn.SimpleQueue()
            for job in range(jobs):
                devices.put(where(job))
            pool = ProcessPoolExecutor(jobs, spawn, begin_worker, (devices,))
            do = stack.enter_context(pool).map
            one = partial(_measure_here, out=out, setting=setting)
        found = do(one, trials)
        return list(tqdm(found, total=len(trials), desc="models", disable=not progress))


def begin_worker(devices: SimpleQueue[str]) -> None:
    """A worker process takes the next of these for all its trials."""
    end_with_parent()
    HERE["device"] = devices.get()


def end_with_parent() -> None:
    """For a worker process: when the process that began it is killed, end, and train no further."""
    Thread(target=_outlive, daemon=True).start()


def _outlive() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _measure_here(trial: Trial, out: Path, setting: Setting) -> Measured:
    """`measure` on the device of this worker, which does no more once Ctrl-C has reached it."""
    if HERE["stopped"]:
        raise KeyboardInterrupt
    try:
        return measure(trial, out, setting, HERE["device"])
    except KeyboardInterrupt:
        HERE["stopped"] = True
        raise


def where(turn: int = 0) -> str:
    """The device that job number `turn` runs on."""
    gpus = gpus_there_are()
    return f"cuda:{turn % gpus}" if gpus else "cpu"


def jobs_there_are(threads: int) -> int:
    """How many trials run well side by side here: one a GPU, or as many as the cores allow."""
    return gpus_there_are() or max(usable_cores() // max(threads, 1), 1)


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean, spread (standard deviation, 0 for one value) and the values themselves."""
    array = np.asarray(values, dtype=float)
    spread = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    return {"mean": float(array.mean()), "spread": spread, "seeds": array.tolist()}
