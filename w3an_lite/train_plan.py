"""What the command `train` trains: the splits it goes through, and the model and recipe of each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .cores import usable_cores
from .data.attribute_file import is_attribute_file, label_split
from .data.datasets import load_dataset, protocols_of
from .data.stored import with_frames_of
from .data.tracklet import DataError, Split
from .data_arguments import given_options
from .losses import Objective
from .model import W3AN
from .presets import SMALL
from .provenance import digest_of
from .recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """What is trained in each folder, beside its split; `scale` "small" or "paper"."""

    preset: str
    scale: str
    seed: int
    epochs: int | None
    weights: str | None
    workers: int
    resize: bool  # to the network's size at the small scale; drawn people have it already

    def __post_init__(self) -> None:
        own, others = ("stills", "imagenet") if self.scale == "small" else ("imagenet", "stills")
        if self.weights == others:
            raise ValueError(
                f"--weights {others} is of another trunk; at the {self.scale} scale give {own}, "
                "none, or the path of a .pt file"
            )

    def build(self, split: Split, fresh: bool) -> tuple[W3AN, Objective, Recipe]:
        """Model, objective and recipe; `fresh` False leaves weights out that a checkpoint holds."""
        small = SMALL if self.scale == "small" else {"model": {"weights": "imagenet"}, "recipe": {}}
        shape, schedule = dict(small["model"]), dict(small["recipe"])
        if self.weights is not None:
            shape["weights"] = None if self.weights == "none" else self.weights
        if self.scale == "paper" and not fresh:
            shape["weights"] = None
        if self.scale == "small" and self.resize:
            schedule["load_size"] = shape["size"]
        if self.epochs is not None:
            schedule["epochs"] = self.epochs
        recipe = Recipe.preset(self.preset, seed=self.seed, workers=self.workers, **schedule)
        people = len({t.identity for t in split.train})
        if people < recipe.people:
            remedy = "choose a larger set" if self.resize else f"give --identities {recipe.people}"
            raise DataError(f"{people} people to train on, a batch needs {recipe.people}; {remedy}")
        torch.manual_seed(self.seed)
        return W3AN.preset(self.preset, people, **shape), Objective.preset(self.preset), recipe

    def asked(self, split: Split) -> dict[str, Any]:
        """What a finished result must have been asked for to count again."""
        names = ("preset", "scale", "seed", "epochs", "weights")
        parts = [digest_of(part) for part in (split.train, split.query, split.gallery)]
        return {**{n: getattr(self, n) for n in names}, "protocol": split.name, "tracklets": parts}


def workers_for(asked: int | None, drawn: bool) -> int:
    """Drawn people lie in memory; everything else is read by a process a core but one,
    at most 8."""
    if asked is not None:
        return asked
    here = usable_cores()
    return 0 if drawn else max(1, min(8, here // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) - 1))


def splits_of(
    dataset: str,
    root: Path | None,
    protocol: str | None,
    number: int | None,
    store: Path | None,
    options: dict[str, Any],
) -> dict[str, Callable[[], Split]]:
    """What is trained on, by the folder of its run: "" of one, "split-0" and so on of a series.

    Labels that the command `attributes` wrote are taken for any data set, by the tracklets' names.
    """
    given = given_options(**options)
    predicted = given.pop("attributes", None) if is_attribute_file(options.get("labels")) else None
    if dataset == "synthped" and store is None:
        people = {"identities": 256, "test_identities": 100, "test_occlusion": "heavy"}
        given = {**people, "occlusion": "mixed", **given}
    else:
        given.pop("seed", None)  # of training alone: nothing is drawn
    if store is not None and root is None and given:
        fair = {"seed", "labels"} if predicted else {"seed"}
        asked = (
            k for k, v in options.items() if v is not None and v is not False and k not in fair
        )
        name = next(asked).replace("_", "-")
        raise DataError(
            f"--{name} is of no use with --store alone, which holds what was packed; give the data "
            "set's --dataset and --root too"
        )

    def load(name: str | None) -> Split:
        split = _load(dataset, root, name, store, given)
        return label_split(split, predicted, more=True) if predicted else split

    held = {key: given[key] for key in ("official", "splits") if key in given}
    known = protocols_of(dataset, root, **held)
    first = protocol or (known[0] if known and (root or not store) else None)
    numbered = re.fullmatch(r"(.+)-\d+", first or "")
    base = numbered[1] if numbered and protocol is None else first
    series = [p for p in known if base and re.fullmatch(rf"{re.escape(base)}-\d+", p)]
    if not series or (store is not None and root is None):
        if number is not None:
            raise DataError(f"--split {number}: {first or dataset} has no numbered splits")
        return {"": lambda: load(protocol)}
    if number is not None and not 0 <= number < len(series):
        raise DataError(f"--split {number}: {base} has the splits 0 to {len(series) - 1}")
    return {
        f"split-{k}": lambda name=name: load(name)  # type: ignore[misc]
        for k, name in enumerate(series)
        if number in (None, k)
    }


def _load(
    dataset: str, root: Path | None, protocol: str | None, store: Path | None, given: dict[str, Any]
) -> Split:
    if store is None:
        return load_dataset(dataset, root, protocol, **given)
    stored = load_dataset("store", store, None if root else protocol)
    if root is not None:
        return with_frames_of(load_dataset(dataset, root, protocol, **given), stored)
    if dataset not in ("synthped", "store") and not stored.name.startswith(dataset):
        raise DataError(f"{store} holds {stored.name}, not {dataset}; leave --dataset out")
    return stored
