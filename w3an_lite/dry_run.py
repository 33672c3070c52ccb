"""What a training run will cost, before it starts: data, memory, disk, one step, the total."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from .data.sampling import Batches
from .data.tracklet import DataError, Split, Tracklet
from .distributed import Ranks
from .inference import embed_tracklets
from .losses import Objective
from .model import W3AN
from .reading import Steps, check_shared, fits, held_bytes, read_ahead
from .recipe import Recipe
from .recorded import WARM
from .run import Run
from .runlog import RunLog
from .speed import Speed


class Line(NamedTuple):
    """One row of the table: what was looked at, and what was found."""

    what: str
    found: str


def dry_run(
    model: W3AN,
    split: Split,
    objective: Objective,
    recipe: Recipe,
    out: Path,
    device: torch.device,
    speed: Speed,
    evaluate_every: int = 0,
    repeats: int = 1,
) -> list[Line]:
    """Try what `train` will do, once, and say what it costs; `repeats` runs in all.

    The model has taken a step afterwards: build it anew. A GPU takes four steps, the last of which
    counts, since the first ones choose, compile and record.

    ValueError or OSError in one sentence when something cannot work.
    """
    if Ranks.now().size > 1:
        raise ValueError("a dry run measures one process; start it without torchrun")
    lines = _data(split)
    batches = recipe.batches(split.train, model.clip_length, model.attributes)
    start = time.perf_counter()
    first = Steps(batches, Ranks(), None)[0]
    reading = time.perf_counter() - start
    if isinstance(first, DataError):
        raise first
    each = recipe.batch * model.clip_length
    hold = fits(split.train, recipe.load_size, device) if speed.hold is None else speed.hold
    if not hold and recipe.workers:
        check_shared(batches, recipe.workers)
    held = held_bytes(split.train, recipe.load_size) if hold else 0
    seconds, run = _step(model, batches, objective, recipe, device, speed)
    lines.append(Line("memory", _memory(device, held)))
    loading = 0.0
    if hold:
        loading, reading = sum(map(len, split.train)) * reading / each, 0.0
        found = f"all on the device: {_size(held)}, read in {_long(loading)} or less"
        lines.append(Line("frames", found))
    elif recipe.workers:
        reading = max(0.0, reading / recipe.workers - seconds)  # what workers do not hide
    lines.append(Line("one step", f"{seconds:.3g} s and {reading:.2g} s of reading, {each} frames"))
    lines.append(Line("disk", _disk(run, out, repeats)))
    epochs = range(1, recipe.epochs + 1)
    times = sum(
        e == recipe.epochs or bool(evaluate_every and not e % evaluate_every) for e in epochs
    )
    evaluation = _evaluation(model, [*split.query, *split.gallery])
    lines.append(Line("one evaluation", f"{_long(evaluation)}, {times} in all, {split.name}"))
    steps = recipe.epochs * len(batches)
    total = repeats * (loading + steps * (seconds + reading) + times * evaluation)
    runs = f"{repeats} runs of " if repeats > 1 else ""
    lines.append(Line("total", f"{_long(total)}: {runs}{recipe.epochs} epochs, {steps:,} steps"))
    return lines


def format_lines(lines: Sequence[Line]) -> str:
    """The table as text in two columns."""
    width = max(len(line.what) for line in lines)
    return "\n".join(f"{line.what:{width}}  {line.found}" for line in lines)


def _data(split: Split) -> list[Line]:
    parts = {"train": split.train, "query": split.query, "gallery": split.gallery}
    lines = [Line("protocol", split.name)]
    for name, tracklets in parts.items():
        if not tracklets:
            raise DataError(f"{split.name}: nothing to {name}; choose a protocol that has it")
        for tracklet in (tracklets[0], tracklets[-1]):
            tracklet.frames.read([0])
        people = len({t.identity for t in tracklets})
        frames = sum(map(len, tracklets))
        lines.append(
            Line(name, f"{len(tracklets):,} tracklets of {people:,} people, {frames:,} frames")
        )
    labelled = sum(t.attributes is not None for t in split.train)
    lines.append(Line("attributes", f"{labelled:,} of {len(split.train):,} training tracklets"))
    return lines


def _step(
    model: W3AN,
    batches: Batches,
    objective: Objective,
    recipe: Recipe,
    device: torch.device,
    speed: Speed,
) -> tuple[float, Run]:
    """Seconds of one step, and the run that took it."""
    gpu = device.type == "cuda"
    count = min(WARM + 2, len(batches)) if gpu else 1
    speed = speed.on(device, Ranks())
    model.to(device).train()
    optimiser = recipe.optimise(model, fused=bool(speed.fused))
    run = Run(model, optimiser, objective, recipe, None, Ranks(), speed, RunLog(None))
    last = recipe.epochs - 1  # every term is there by then
    seconds = 0.0
    try:
        with speed.applied(*run.gradients.pieces):
            begin = last * len(batches)
            for k, batch in read_ahead(batches, range(begin, begin + count), device):
                if isinstance(batch, DataError):
                    raise batch
                start = time.perf_counter()
                run.step(last, k - begin, len(batches), batch)
                run.collect()  # waits for the device
                seconds = time.perf_counter() - start
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"one step does not fit into the memory of {torch.cuda.get_device_name(device)}; use "
            "more processes (torchrun), a smaller batch or --scale small"
        ) from error
    return seconds, run


def _memory(device: torch.device, held: int) -> str:
    """The most that a step took, and `held` bytes of frames that lie beside it."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        name = torch.cuda.get_device_name(device)
        most = torch.cuda.max_memory_reserved(device) + held
        return f"{_size(most)} of {_size(total)} of {name}"
    try:
        import resource
    except ImportError:  # Windows
        return "not measured on this system"
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{_size(most * (1 if sys.platform == 'darwin' else 1024))} at most, on the CPU"


def _disk(run: Run, out: Path, repeats: int) -> str:
    """Room for last.pt and best.pt, and for one of them being written."""
    weights = sum(v.nbytes for v in run.model.state_dict().values())
    state = run.optimiser.state_dict()["state"].values()
    moments = sum(v.nbytes for one in state for v in one.values() if isinstance(v, torch.Tensor))
    needed = repeats * (3 * weights + moments) + weights + moments
    folder = out
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{out}: checkpoints need {_size(needed)}, {_size(free)} are free; free space or "
            "choose another place"
        )
    return f"{_size(needed)} of {_size(free)} that are free"


def _evaluation(model: W3AN, tracklets: Sequence[Tracklet]) -> float:
    both = list({id(t): t for t in tracklets}.values())
    some = both[:32]
    if model.device.type == "cuda":
        embed_tracklets(model, some)  # the first time loads what the GPU computes with
    start = time.perf_counter()
    embed_tracklets(model, some)
    return (time.perf_counter() - start) * len(both) / len(some)


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _long(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
