"""How to train: the schedule of Sec. 4.2, as the paper has it, and what two cores need instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import nn

from .checks import check_size, check_whole
from .data.augment import Augment
from .data.sampling import CLIPS, Batches
from .data.tracklet import Size, Tracklet
from .presets import preset

_FROM_1 = ("epochs", "batch", "people", "step_every")
_FROM_0 = ("guide_after", "pad", "seed", "workers")
"""Arguments that are whole numbers, from 1 and from 0 on."""


@dataclass(frozen=True)
class Recipe:
    """How to train. The defaults are the paper's; momentum and weight decay it leaves unsaid.

    optimiser: "sgd" as printed, or "adamw" (study `readings` compares them).
    schedule: "step" multiplies the rate by 0.1 every `step_every` epochs and brings it linearly
        to 0 over the `last` epochs; "cosine" falls from lr to 0 over all epochs.
    warmup: epochs over which the rate rises linearly to lr.
    guide_after: epochs before α is guided by the maps (Eq. 8 or its repair).
    frames: of a training clip, "random" in order of time, or "consecutive".
    load_size: (H, W) frames are read at, before the crop; None as they are.
    crop, pad, flip, colour, erase, paste, surround, per_frame: see `data.augment.Augment`.
    workers: processes that read batches ahead; what is read does not depend on them.
    """

    epochs: int = 300
    batch: int = 16
    people: int = 8
    optimiser: str = "sgd"
    lr: float = 2e-2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "step"
    step_every: int = 50
    last: int = 10
    warmup: int = 0
    guide_after: int = 0
    frames: str = "random"
    load_size: Size | None = (288, 144)
    crop: Size | None = (256, 128)
    pad: int = 0
    flip: float = 0.0
    colour: float = 0.0
    erase: float = 0.0
    paste: float = 0.0
    surround: float = 0.0
    per_frame: bool = False
    seed: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        if self.optimiser not in ("sgd", "adamw"):
            raise ValueError(f"optimiser {self.optimiser!r} is not known; choose 'sgd' or 'adamw'")
        if self.schedule not in ("step", "cosine"):
            raise ValueError(f"schedule {self.schedule!r} is not known; choose 'step' or 'cosine'")
        if self.frames not in CLIPS:
            raise ValueError(f"frames {self.frames!r} is not known; choose from {sorted(CLIPS)}")
        for names, least in ((_FROM_1, 1), (_FROM_0, 0)):
            for name in names:
                check_whole(name, getattr(self, name), least)
        for name in ("load_size", "crop"):
            if getattr(self, name) is not None:
                check_size(name, getattr(self, name), "two whole numbers of at least 1, or None")
        for name in ("warmup", "last", "momentum", "weight_decay"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
                raise ValueError(f"{name} is {value!r}; give a number of at least 0")
        if not isinstance(self.lr, Real) or not 0 < float(self.lr) < math.inf:
            raise ValueError(f"lr is {self.lr!r}; give a number above 0")
        for name in ("flip", "colour", "erase", "paste", "surround"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) <= 1:
                raise ValueError(f"{name} is {value!r}; it is a chance, from 0 to 1")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Recipe:
        """The recipe of a preset, with `changes` to its arguments."""
        return cls(**{**preset(name, "recipe"), **changes})

    def batches(self, tracklets: Sequence[Tracklet], clip_length: int, attributes: int) -> Batches:
        """What every epoch reads: clips of T frames with A attributes."""
        return Batches(
            tracklets, self.batch, self.people, clip_length, self.load_size, self.seed, attributes,
            self.frames,
        )  # fmt: skip

    def optimise(self, model: nn.Module, fused: bool = False) -> torch.optim.Optimizer:
        """The optimiser; fused: its step as one kernel (PyTorch chooses otherwise)."""
        options: dict[str, Any] = {"lr": self.lr, "weight_decay": self.weight_decay}
        if fused:
            options["fused"] = True
        if self.optimiser == "adamw":
            return torch.optim.AdamW(model.parameters(), **options)
        return torch.optim.SGD(model.parameters(), momentum=self.momentum, **options)

    @property
    def augment(self) -> Augment:
        return Augment(
            self.crop, self.pad, self.flip, self.colour, self.erase, self.paste, self.surround,
            self.per_frame,
        )  # fmt: skip

    def rate(self, epoch: int, share: float = 0.0) -> float:
        """The learning rate `share` of the way through `epoch` (counted from 0)."""
        now = epoch + share
        if now < self.warmup:
            return self.lr * (now + 0.01) / self.warmup
        if self.schedule == "cosine":
            done = (now - self.warmup) / max(self.epochs - self.warmup, 1)
            return self.lr * (1 + math.cos(math.pi * done)) / 2
        left = min((self.epochs - now) / self.last, 1.0) if self.last else 1.0
        return self.lr * 0.1 ** (epoch // self.step_every) * left
