"""Steps a second of training, beside the two bare passes of its trunk in the same run.

    python tests/benchmarks/bench_training.py [--preset paper] [--full | --small] [--steps 20]
    python tests/benchmarks/bench_training.py --switches

On a GPU at the paper's size (ResNet-18, 16 clips of 10 frames, 288x144 cropped to 256x128, scaled
to 224x224), on the CPU small; --full and --small choose. Frames lie on the device already, reading
them is not measured (`bench_store.py` and `bench_loop.py` do). The reference: the trunk alone on as
many frames, once forward and backward and once forward without gradient, in the same precision and
layout, compiled and recorded alike. The breakdown runs the step itself, cut short after one part
after another: each number is the difference of two whole loops, and the device is waited for only
around a loop. --switches times the step with each switch of `Speed` off in its turn, in place of
the breakdown. Weights are random numbers; the time does not depend on them.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import fields
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from w3an_lite.backbone import ResNet18Trunk, frozen_statistics
from w3an_lite.data.tracklet import Clips
from w3an_lite.distributed import Ranks
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.presets import PRESETS, SMALL
from w3an_lite.reading import Batch
from w3an_lite.recipe import Recipe
from w3an_lite.recorded import Learn, Recorded
from w3an_lite.run import Run
from w3an_lite.runlog import RunLog
from w3an_lite.speed import Speed

PEOPLE, STEPS, SIZE, CLIP, BATCH = 625, 23_400, (224, 224), 10, 16
"""MARS's training: identities, steps of 300 epochs, and the size of a step."""


class Cut(Exception):
    """The step ends here."""


def cut_after(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, but the step ends after it."""

    def cut(*args: Any, **options: Any) -> Any:
        function(*args, **options)
        raise Cut

    return cut


def stop(*_: Any, **__: Any) -> Any:
    raise Cut


@contextmanager
def ended(run: Run, part: str) -> Iterator[None]:
    """Within, `run.step` ends after `part`, a name of `PARTS`; the last is its own end.

    What comes before the cut is recorded anew, if steps are.
    """
    model, gradients = run.model, run.gradients
    patches: dict[str, Callable[[], Any]] = {
        "augment": lambda: patch.object(gradients, "network", stop),
        "trunk": lambda: patch.object(model, "_cube", cut_after(model._cube)),
        "SAN, TAN, graph": lambda: patch.object(model, "_weigh", cut_after(model._weigh)),
        "heads and maps": lambda: patch.object(model, "maps", cut_after(model.maps)),
        "second pass": lambda: patch.object(gradients, "_losses", stop),
        "losses": lambda: patch.object(gradients, "_losses", cut_after(gradients._losses)),
        "backward, log row": lambda: nullcontext(),
    }

    def cut_short(*given: Tensor, **options: bool) -> tuple[list[str], Tensor]:
        with suppress(Cut):
            return gradients(*given, **options)
        return [], torch.zeros(1, device=model.device)

    with ExitStack() as stack:
        if part in patches:
            stack.enter_context(patches[part]())
            stack.enter_context(patch.object(run.optimiser, "step", stop))
            stack.enter_context(patch.object(run, "learn", recorded_as(run, cut_short)))
        yield


def recorded_as(run: Run, learn: Learn) -> Learn:
    """`learn`, recorded if the step of `run` is."""
    return Recorded(learn, run.model, run.model.device) if run.speed.record else learn


PARTS = (
    "augment", "trunk", "SAN, TAN, graph", "heads and maps", "second pass", "losses",
    "backward, log row", "optimiser",
)  # fmt: skip


def seconds(work: Callable[[], Any], steps: int, device: torch.device) -> float:
    """Seconds a call, over `steps` calls in a row.

    One CPU thread is timed by what it used, which is the same beside other work; the rest by clock.
    """
    own = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if own else time.perf_counter

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    start = clock()
    for _ in range(steps):
        work()
    wait()
    return (clock() - start) / steps


def trunk_flops(trunk: nn.Module, size: tuple[int, int]) -> float:
    """Operations of one frame's way through the trunk, counted on the meta device."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        trunk.to("meta").eval()(torch.zeros(1, 3, *size))
    return float(counter.get_total_flops())


def sized(about: str) -> argparse.ArgumentParser:
    """A parser of the preset and its size, described by the first line of `about`."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="paper")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="the paper's size")
    size.add_argument("--small", action="store_true", help="the size of two cores")
    return parser


def made(preset: str, full: bool, people: int, **changes: Any) -> tuple[W3AN, Recipe]:
    """A model and how it trains, of the paper's size or of two cores'."""
    changes["lr"] = 1e-6  # the time is the same, and nothing diverges
    if not full:
        changes |= {k: SMALL["recipe"][k] for k in ("load_size", "crop", "pad", "flip")}
    model = W3AN.preset(preset, people, **({} if full else SMALL["model"]))
    return model, Recipe.preset(preset, **changes)


def build(preset: str, full: bool, device: torch.device, speed: Speed) -> tuple[Run, Batch]:
    """A run and one batch of noise on the device."""
    torch.manual_seed(0)
    model, recipe = made(preset, full, PEOPLE if full else 64)
    batch, length = recipe.batch, model.clip_length
    identity = torch.arange(recipe.people).repeat_interleave(batch // recipe.people)
    clips = Clips(
        torch.randint(0, 256, (batch, length, 3, *(recipe.load_size or model.size))).byte(),
        identity,
        torch.zeros(batch).long(),
        torch.randint(0, 2, (batch, model.attributes)).float(),
    )
    clips = Clips(*[x.to(device) if isinstance(x, Tensor) else x for x in clips])
    model.to(device).train()
    optimiser = recipe.optimise(model, fused=bool(speed.fused))
    objective = Objective.preset(preset)
    parts = (objective, recipe, None, Ranks(), speed, RunLog(None))
    return Run(model, optimiser, *parts), Batch(clips, [""] * batch)


SWITCHES = [field.name for field in fields(Speed) if field.name != "hold"]


class Timed:
    """A run's step and its trunk's two bare passes, at the ready within `speed.applied`."""

    def __init__(self, preset: str, full: bool, device: torch.device, speed: Speed) -> None:
        self.speed, self.device = speed, device
        self.run, self.batch = build(preset, full, device, speed)
        model = self.run.model
        self.frames = self.run.recipe.batch * model.clip_length
        pixels = torch.rand(self.frames, 3, *model.size, device=device)
        self.pixels = pixels.contiguous(memory_format=torch.channels_last)
        self.passes = recorded_as(self.run, self.two_passes)

    @property
    def on(self) -> list[str]:
        """The switches that are on."""
        return [name for name in SWITCHES if getattr(self.run.speed, name)]

    def step(self) -> None:
        with suppress(Cut):
            self.run.step(self.run.recipe.guide_after, 0, 100, self.batch)

    def two_passes(self) -> tuple[list[str], Tensor]:
        trunk = self.run.model.backbone
        trunk.zero_grad(set_to_none=True)
        with self.speed.casting(self.device):
            cube = trunk(self.pixels)
        cube.sum().backward()
        with self.speed.casting(self.device), torch.no_grad(), frozen_statistics(trunk):
            trunk(self.pixels)
        return [], torch.zeros(1, device=self.device)

    def best(self, work: Callable[[], Any], rounds: int, steps: int) -> float:
        """Seconds a call, the least of `rounds` loops."""
        for _ in range(4):  # compiles, lets cuDNN choose, and records
            work()
        return min(seconds(work, steps, self.device) for _ in range(rounds))


def switched(args: argparse.Namespace, full: bool, device: torch.device) -> None:
    """The step with all switches as they are by themselves, and with each off in its turn."""
    whole = 0.0
    for name in ("", *SWITCHES):
        speed = Speed(**({name: False} if name else {})).on(device, Ranks())
        timed = Timed(args.preset, full, device, speed)
        with speed.applied(*timed.run.gradients.pieces):
            took = timed.best(timed.step, args.rounds, args.steps)
            timed.run.collect()
        whole = whole or took
        what = f"without {name}" if name else f"all on: {', '.join(timed.on) or 'nothing'}"
        print(f"{what:60} {took * 1e3:9.2f} ms a step  x {took / whole:.2f}", flush=True)


def main() -> None:
    parser = sized(__doc__)
    parser.add_argument("--steps", type=int, default=20, help="steps of a timed loop (20)")
    parser.add_argument("--rounds", type=int, default=3, help="loops, of which the best counts (3)")
    parser.add_argument("--switches", action="store_true", help="each switch off in its turn")
    for name in SWITCHES:
        parser.add_argument(f"--no-{name}", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
    full = args.full or (device.type == "cuda" and not args.small)
    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    print(f"{name}, PyTorch {torch.__version__}, {args.threads} CPU thread(s)")
    if args.switches:
        switched(args, full, device)
        return
    asked = {name: False for name in SWITCHES if getattr(args, f"no_{name}")}
    speed = Speed(**asked).on(device, Ranks())
    timed = Timed(args.preset, full, device, speed)
    run, frames, model = timed.run, timed.frames, timed.run.model
    high, wide = model.size
    print(f"preset {args.preset}, {frames} frames of {high}x{wide} a step", flush=True)
    print(f"on: {', '.join(timed.on) or 'nothing'}; best of {args.rounds} x {args.steps}")
    best = {}
    with speed.applied(*run.gradients.pieces):
        bare = timed.best(timed.passes, args.rounds, args.steps)
        for part in PARTS:
            with ended(run, part):
                best[part] = timed.best(timed.step, args.rounds, args.steps)
        bare = min(bare, timed.best(timed.passes, args.rounds, args.steps))  # before and after
        run.collect()  # stops at a loss that is not finite
    whole = best["optimiser"]
    before = 0.0
    for part in PARTS:
        own, before = best[part] - before, best[part]
        print(f"  {part:17} {own * 1e3:9.2f} ms  {own / whole:5.0%}")
    rate = f"{1 / whole:.2f} steps/s, {frames / whole:,.0f} frames/s"
    print(f"step                {whole * 1e3:9.2f} ms  {rate}")
    print(f"two bare passes     {bare * 1e3:9.2f} ms  forward and backward; forward")
    print(f"speed of the step against its two bare trunk passes: {bare / whole:.3f}")
    shape = {k: model.config[k] for k in ("backbone", "trunk", "size")}
    scale = BATCH * CLIP * trunk_flops(ResNet18Trunk(), SIZE)
    scale /= frames * trunk_flops(W3AN(1, **shape).backbone, model.size)
    minutes = STEPS * whole * scale / 60
    how = "as measured" if scale == 1 else f"scaled by the operations of the trunk, x {scale:,.0f}"
    print(f"{STEPS:,} steps of {BATCH * CLIP} frames at 224x224: {minutes:,.1f} min, {how}")


if __name__ == "__main__":
    main()
