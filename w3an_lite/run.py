"""A training run: what a step changes, what a checkpoint holds, and what is logged of both."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .checkpoint import (
    FORM,
    Row,
    generator_states,
    pack_rows,
    read_checkpoint,
    set_generator_states,
    unpack_rows,
)
from .distributed import Ranks
from .files import as_plain, load_weights, save_plain
from .gradients import Gradients
from .losses import Objective
from .model import W3AN
from .provenance import revision
from .reading import Batch
from .recipe import Recipe
from .recorded import Learn, Recorded
from .runlog import RunLog
from .speed import Speed, uncompiled

LAST, BEST = "last.pt", "best.pt"
SAVING = 0.05
"""Share of the time that goes to writing checkpoints where nobody says how often."""
Judge = Callable[[W3AN], "dict[str, Any]"]
"""Evaluates a model: "protocol", "mAP", "rank1" and more, as `Ranking.summary` gives them."""
OWED = ("protocol", "mAP", "rank1")
"""What a judge returns at least."""


def settings_of(model: W3AN, objective: Objective, recipe: Recipe, data: str) -> dict[str, Any]:
    """What must not change between a run and its resumption; data: the tracklets' digest."""
    schedule = {k: v for k, v in asdict(recipe).items() if k != "workers"}
    parts = {"recipe": schedule, "objective": asdict(objective), "model": model.config}
    settings: dict[str, Any] = as_plain({"data": {"tracklets": data}, **parts})
    return settings


class Pending(NamedTuple):
    """A row of the log before it is brought from the device: known values, and `[columns]`."""

    plain: Row
    columns: list[str]
    values: Tensor
    names: list[str]


class Run:
    """One run's state."""

    def __init__(
        self,
        model: W3AN,
        optimiser: torch.optim.Optimizer,
        objective: Objective,
        recipe: Recipe,
        out: Path | None,
        ranks: Ranks,
        speed: Speed,
        log: RunLog,
        data: str = "",
    ) -> None:
        self.model, self.optimiser = model, optimiser
        self.objective, self.recipe, self.out = objective, recipe, out
        self.ranks, self.log, self.data = ranks, log, data
        self.epoch = self.first_step = 0
        self.rows: list[Row] = []
        self.evaluations: list[dict[str, Any]] = []
        self.pending: list[Pending] = []
        self.revision = revision() if out else None
        self.saved_at, self.save_took = -math.inf, 0.0
        self.gradients = Gradients(model, objective, ranks, speed)
        self.learn: Learn = self.gradients
        record = speed.record
        if record is None:
            alone = model.device.type == "cuda" and ranks.size == 1
            record = alone and self.gradients.recordable
        self.speed = replace(speed, record=record)
        if record:
            self.learn = Recorded(self.gradients, model, model.device)

    @property
    def settings(self) -> dict[str, Any]:
        """What must not change between a run and its resumption, as plain values."""
        return settings_of(self.model, self.objective, self.recipe, self.data)

    @property
    def kept(self) -> str:
        """The end of an error's sentence: where the last good state is."""
        if self.out is None or not (self.out / LAST).exists():
            return ""
        return f"; {self.out / LAST} holds the last good state"

    def step(self, epoch: int, step: int, steps: int, batch: Batch) -> None:
        """One step of gradient descent. Nothing here waits for the device, except that the control
        of `guide_by="noise"` reads its seed from the frames, that PyTorch's batch norm over many
        GPUs waits in each layer, and that the step which is recorded waits once."""
        device, clips = self.model.device, batch.clips
        rate = self.recipe.rate(epoch, step / steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # one seed a step: what is drawn does not depend on where training was taken up again,
        # nor, since every process draws for the whole batch, on how many there are
        seed = (int(self.recipe.seed) * 1_000_003 + epoch) * 1_000_003 + step
        generator = torch.Generator(device).manual_seed(seed % 2**63)
        whole = self.recipe.augment(self.ranks.gather(clips.frames.to(device)), generator)
        frames, covered, foreign = (self.ranks.share(x) for x in whole)
        identity, attributes = clips.identity.to(device), clips.attributes.to(device)
        guided = self.objective.needs_maps and epoch >= self.recipe.guide_after
        columns, values = self.learn(frames, covered, foreign, identity, attributes, guided=guided)
        self.optimiser.step()
        plain = {"epoch": float(epoch), "step": float(step), "lr": rate}
        self.pending.append(Pending(plain, columns, values, batch.names))

    def collect(self) -> None:
        """Bring rows from the device, all at once, and stop at a loss that is not finite."""
        if not self.pending:
            return
        values = self.ranks.mean(torch.cat([p.values for p in self.pending])).tolist()
        first = len(self.rows)
        for plain, columns, own, names in self.pending:
            row = {**plain, **dict(zip(columns, values, strict=False))}
            values = values[len(own) :]
            bad = [k for k, v in row.items() if not math.isfinite(v)]
            if bad:
                raise FloatingPointError(
                    f"{bad[0]} is {row[bad[0]]} at epoch {row['epoch']:.0f}, step "
                    f"{row['step']:.0f} (batch: {', '.join(names)}); lower the learning "
                    f"rate {row['lr']:.2g} or look at these tracklets{self.kept}"
                )
            self.rows.append(row)
        self.pending.clear()
        self.log.steps(self.rows[first:], first)

    def evaluate(self, judge: Judge, epoch: int) -> None:
        """Judge the model after `epoch` epochs, in the first process; keep it if it is the best."""
        if self.ranks.first:
            best = max((scores["mAP"] for scores in self.evaluations), default=-1.0)
            self.model.eval()
            with uncompiled(*self.gradients.pieces):
                scores = {"epoch": epoch, **_checked(judge(self.model))}
            self.evaluations.append(scores)
            self.log.evaluated(scores, len(self.rows))
            if self.out is not None and scores["mAP"] > best:
                self.model.save_pretrained(self.out / BEST)
        self.model.train()

    def save(self, epoch: int, step: int) -> None:
        """Write `last.pt` and the log: `step` of `epoch` comes next."""
        if self.out is None or not self.ranks.first:
            return
        began = time.monotonic()
        weights = self.model.state_dict()
        if not bool(torch.stack([v.isfinite().all() for v in weights.values()]).all()):
            raise FloatingPointError(
                f"a weight is not finite after step {len(self.rows)} (epoch {epoch}, step {step} "
                f"would be next); lower the learning rate; {self.out / LAST} was not touched"
            )
        checkpoint = {
            "form": FORM,
            "settings": self.settings,
            "epoch": epoch,
            "step": step,
            "rows": pack_rows(self.rows),
            "evaluations": self.evaluations,
            "model": weights,
            "optimiser": self.optimiser.state_dict(),
            "generators": generator_states(),
            "made_with": {
                "revision": self.revision,
                "torch": torch.__version__.split("+")[0],
                "processes": self.ranks.size,
                **asdict(self.speed),
            },
        }
        save_plain(checkpoint, self.out / LAST)
        self.log.write(self.rows, self.evaluations)
        self.saved_at = time.monotonic()
        self.save_took = self.saved_at - began

    def may_save(self) -> bool:
        """Whether saving now, at the price of the last time, takes `SAVING` of the time at most."""
        return time.monotonic() - self.saved_at >= self.save_took / SAVING

    def load(self) -> None:
        """Go on from `last.pt`; see `read_checkpoint` for what is refused."""
        if self.out is None:
            raise ValueError("resume needs the folder of the run; give out")
        path = self.out / LAST
        checkpoint = read_checkpoint(path, self.settings)
        load_weights(self.model, checkpoint["model"], path)
        try:
            groups = zip(
                checkpoint["optimiser"]["param_groups"], self.optimiser.param_groups, strict=True
            )
            for saved, own in groups:
                saved["fused"] = own["fused"]  # as asked for now; it is no part of the recipe
            self.optimiser.load_state_dict(checkpoint["optimiser"])
            self.rows = unpack_rows(checkpoint["rows"])
            set_generator_states(checkpoint["generators"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ValueError(
                f"{path} is damaged ({type(error).__name__}: {error}); begin anew in another folder"
            ) from error
        self.epoch, self.first_step = checkpoint["epoch"], checkpoint["step"]
        self.evaluations = checkpoint["evaluations"]


def _checked(scores: object) -> dict[str, Any]:
    """What a judge has returned, as plain values; ValueError says which of them it still owes."""
    if not isinstance(scores, dict):
        raise ValueError(f"the judge returned {scores!r}; it owes a dict with {', '.join(OWED)}")
    plain: dict[str, Any] = as_plain(scores)
    for name in OWED:
        if name not in plain:
            raise ValueError(f"the judge returned no {name!r}; it owes {', '.join(OWED)}")
        if name != "protocol" and not isinstance(plain[name], (int, float)):
            raise ValueError(f"the judge returned {name} {plain[name]!r}; it owes a number")
    return plain
