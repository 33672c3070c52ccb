"""One training loop: progress, a log of every term, a checkpoint every epoch, resume.

Algorithm 1 of the paper, with its schedule of Sec. 4.2 as the defaults of `Recipe`.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from .data.sampling import Batches
from .data.tracklet import Clips, Tracklet
from .files import load_plain, load_weights, save_plain, write_rows
from .frames import fit
from .losses import Objective, total
from .model import W3AN, W3ANOutput
from .recipe import Recipe

log = logging.getLogger(__name__)


class Stopped(KeyboardInterrupt):
    """Training was asked to stop and has saved its state; the message says how to go on."""


def train(
    model: W3AN,
    tracklets: Sequence[Tracklet],
    objective: Objective | None = None,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> list[dict[str, float]]:
    """Train `model` in place on `tracklets`; returns the log, one row a step.

    out: folder for `log.csv` and `last.pt`, written after each epoch under a temporary name and
        renamed; an earlier run's are never overwritten. resume: go on from `out/last.pt`; on the
        CPU to the same weights, bit for bit.

    Ctrl-C and SIGTERM finish the step, save, and raise `Stopped`. Raises FloatingPointError naming
    term, step and tracklets when a loss is not finite (what was saved stays); ValueError when the
    model has another number of identities than the tracklets, or the checkpoint is of another run.
    """
    objective, recipe = objective or Objective(), recipe or Recipe()
    batches = Batches(
        tracklets, recipe.batch, recipe.people, model.clip_length, recipe.load_size, recipe.seed
    )
    if model.identities != len(batches.identities):
        raise ValueError(
            f"the model has {model.identities} identities, the tracklets "
            f"{len(batches.identities)}; build the model with that number"
        )
    if objective.order_weight and not recipe.paste:
        raise ValueError(
            "order_weight needs pasted frames; set paste above 0, or order_weight to 0"
        )
    if objective.avoid_weight and not (recipe.paste or recipe.surround):
        raise ValueError("avoid_weight needs foreign pixels; set paste or surround above 0")
    labels = {len(t.attributes) for t in tracklets if t.attributes is not None}
    if labels - {model.attributes}:
        raise ValueError(
            f"the model has {model.attributes} attributes, the tracklets {sorted(labels)}; "
            "build the model with that number"
        )
    model.to(device).train()
    optimiser = recipe.optimise(model)
    run = _Run(model, optimiser, objective, recipe, Path(out) if out else None)
    if resume:
        run.load()
    elif out:
        if (Path(out) / "last.pt").exists():
            raise ValueError(
                f"{Path(out) / 'last.pt'} is of an earlier run: resume it, or choose another folder"
            )
        Path(out).mkdir(parents=True, exist_ok=True)

    steps, done_before = recipe.epochs * len(batches), len(run.rows)
    bar = tqdm(total=steps, initial=done_before, desc="training", unit="step", disable=not progress)
    with bar, _stop_requests() as stop:
        for epoch in range(run.epoch, recipe.epochs):
            pending: list[tuple[dict[str, Tensor | float], list[str]]] = []
            for step, (clips, names) in run.remaining(batches, epoch):
                pending.append((run.step(epoch, step, len(batches), clips), names))
                bar.update()
                done = step + 1 == len(batches)
                if done or stop.is_set() or step % 50 == 49:
                    run.collect(pending)
                    bar.set_postfix(loss=f"{run.rows[-1]['loss']:.3f}")
                    pending.clear()
                if stop.is_set():
                    run.save(epoch + done, 0 if done else step + 1)
                    raise Stopped(f"stopped at epoch {epoch}, step {step}; go on with resume")
            run.save(epoch + 1, 0)
    model.eval()
    return run.rows


class _Run:
    """A training run's state: what a checkpoint holds and what a step changes."""

    def __init__(
        self,
        model: W3AN,
        optimiser: torch.optim.Optimizer,
        objective: Objective,
        recipe: Recipe,
        out: Path | None,
    ) -> None:
        self.model, self.optimiser = model, optimiser
        self.objective, self.recipe, self.out = objective, recipe, out
        self.epoch = self.first_step = 0
        self.rows: list[dict[str, float]] = []

    @property
    def settings(self) -> dict[str, Any]:
        """What must not change between a run and its resumption, as plain values."""
        recipe = {k: v for k, v in asdict(self.recipe).items() if k != "workers"}
        return {"recipe": recipe, "objective": asdict(self.objective), "model": self.model.config}

    def remaining(
        self, batches: Batches, epoch: int
    ) -> Iterator[tuple[int, tuple[Clips, list[str]]]]:
        """(step, batch) from where this epoch was left, read ahead by the recipe's workers."""
        steps = range(self.first_step, len(batches))
        self.first_step = 0
        loader = DataLoader(
            batches.at(epoch), batch_size=None, sampler=steps, num_workers=self.recipe.workers
        )
        return zip(steps, loader, strict=True)

    def step(self, epoch: int, step: int, steps: int, clips: Clips) -> dict[str, Tensor | float]:
        """One step of gradient descent; returns the row of the log, its losses still tensors."""
        device = self.model.device
        rate = self.recipe.rate(epoch, step / steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # one seed a step: what is drawn does not depend on where training was taken up again
        seed = (self.recipe.seed * 1_000_003 + epoch) * 1_000_003 + step
        generator = torch.Generator(device).manual_seed(seed % 2**63)
        frames, covered, foreign = self.recipe.augment(clips.frames.to(device), generator)
        identity, attributes = clips.identity.to(device), clips.attributes.to(device)
        guided = self.objective.needs_maps and epoch >= self.recipe.guide_after
        output: W3ANOutput = self.model(
            fit(frames, self.model.size),
            identity,
            attributes,
            guided and self.objective.san_weight > 0,
        )
        terms = self.objective.terms(output, identity, attributes, covered, foreign)
        if not guided:
            terms.pop("map", None)
        loss = total(terms)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        row: dict[str, Tensor | float] = {"epoch": epoch, "step": step, "lr": rate}
        for name, (raw, weight) in terms.items():
            row[name] = raw.detach()
            row[f"{name}_weighted"] = raw.detach() * weight
        row["loss"] = loss.detach()
        row["beta_mean"] = output.beta.detach().mean()
        row["beta_spread"] = output.beta.detach().std()
        return row

    def collect(self, pending: list[tuple[dict[str, Tensor | float], list[str]]]) -> None:
        """Bring rows from the device, all at once, and stop at a loss that is not finite."""
        for row, names in pending:
            plain = {k: float(v) for k, v in row.items()}
            bad = [k for k, v in plain.items() if not math.isfinite(v)]
            if bad:
                kept = f"; {self.out / 'last.pt'} holds the last good state" if self.out else ""
                raise FloatingPointError(
                    f"{bad[0]} is {plain[bad[0]]} at epoch {plain['epoch']:.0f}, step "
                    f"{plain['step']:.0f} (batch: {', '.join(names)}); lower the learning "
                    f"rate {plain['lr']:.2g} or look at these tracklets{kept}"
                )
            self.rows.append(plain)

    def save(self, epoch: int, step: int) -> None:
        if self.out is None:
            return
        if not all(value.isfinite().all() for value in self.model.state_dict().values()):
            raise FloatingPointError(
                f"a weight is not finite after step {len(self.rows)} (epoch {epoch}, step {step} "
                f"would be next); lower the learning rate; {self.out / 'last.pt'} was not touched"
            )
        checkpoint = {
            "settings": self.settings,
            "epoch": epoch,
            "step": step,
            "rows": self.rows,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        save_plain(checkpoint, self.out / "last.pt")
        write_rows(self.rows, self.out / "log.csv")

    def load(self) -> None:
        if self.out is None:
            raise ValueError("resume needs the folder of the run; give out")
        checkpoint = load_plain(self.out / "last.pt")
        if "settings" not in checkpoint:
            raise ValueError(f"{self.out / 'last.pt'} is no checkpoint of a training run")
        for group, settings in self.settings.items():
            before = checkpoint["settings"][group]
            for name, value in settings.items():
                if before.get(name) != value:
                    raise ValueError(
                        f"{self.out / 'last.pt'} is of another run: {group} {name} was "
                        f"{before.get(name)!r}, now {value!r}; resume with the settings it was "
                        "started with, or choose another folder"
                    )
        load_weights(self.model, checkpoint["model"], self.out / "last.pt")
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.epoch, self.first_step = checkpoint["epoch"], checkpoint["step"]
        self.rows = checkpoint["rows"]


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; the handlers that were there come back afterwards."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        log.warning("stopping after this step")
        stop.set()

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
