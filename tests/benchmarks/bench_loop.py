"""What `train` takes for a step, beside its steps alone on one batch in the same run.

    python tests/benchmarks/bench_loop.py [--preset paper] [--full | --small] [--epochs 10]

`train` itself on noise in MARS's numbers (625 people, 8,298 tracklets of 61 frames of 288x144; on
the CPU small, like `bench_training.py`): drawing clips, reading, the step, the log, the progress
bar. No evaluation and no checkpoint. Its first quarter, in which it compiles, is left out. On a GPU
that has the room the frames lie there, 63 GB of them; --no-hold reads them as training goes on.
"""

from __future__ import annotations

import time
from unittest.mock import patch

import numpy as np
import torch
from bench_training import STEPS, Timed, made, sized

from w3an_lite.data.tracklet import ArrayFrames, Tracklet
from w3an_lite.distributed import Ranks
from w3an_lite.losses import Objective
from w3an_lite.run import Run
from w3an_lite.speed import Speed
from w3an_lite.training import train

FULL, SMALLER = (625, 8298, 61, (288, 144)), (64, 256, 24, (64, 32))
"""People, tracklets, frames of each, and their size."""


def crowd(people: int, count: int, length: int, size: tuple[int, int]) -> list[Tracklet]:
    """Tracklets that look into one array of noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (10 * length, 3, *size), dtype=np.uint8)
    starts = rng.integers(0, 9 * length, count)
    return [
        Tracklet(
            ArrayFrames(noise[start : start + length]),
            identity=1 + k % people,
            camera=k // people % 6,
            name=f"t{k}",
            attributes=rng.integers(0, 2, 67).astype(np.float32),
        )
        for k, start in enumerate(starts)
    ]


def main() -> None:
    parser = sized(__doc__)
    parser.add_argument("--epochs", type=int, default=10, help="at least 2 (10)")
    parser.add_argument("--no-hold", action="store_true", help="read the frames as they are needed")
    parser.add_argument("--workers", type=int, default=0, help="processes that read ahead (0)")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.epochs < 2:
        parser.error(
            f"--epochs is {args.epochs}; give at least 2, since the first quarter is left out"
        )
    torch.set_num_threads(1)
    device = torch.device(args.device)
    full = args.full or (device.type == "cuda" and not args.small)
    speed = Speed(hold=False if args.no_hold else None)
    timed = Timed(args.preset, full, device, speed.on(device, Ranks()))
    with timed.speed.applied(*timed.run.gradients.pieces):
        alone = timed.best(timed.step, 3, 20)
    del timed

    people, *numbers = FULL if full else SMALLER
    model, recipe = made(args.preset, full, people, epochs=args.epochs, workers=args.workers)
    times: list[tuple[float, int]] = []
    collect = Run.collect

    def timed_collect(run: Run) -> None:
        collect(run)  # waits for the device
        times.append((time.perf_counter(), len(run.rows)))

    objective = Objective.preset(args.preset)
    with patch.object(Run, "collect", timed_collect):
        train(model, crowd(people, *numbers), objective, recipe, device=device, speed=speed)
    end, steps = times[-1]
    start, done = next((at, count) for at, count in times if count >= steps / 4)
    step = (end - start) / (steps - done)
    print(f"steps {done + 1} to {steps} of train:  {step * 1e3:9.2f} ms each")
    print(f"steps alone on one batch:   {alone * 1e3:9.2f} ms each")
    print(f"speed of train against its steps alone: {alone / step:.3f}")
    print(f"{STEPS:,} steps: {STEPS * step / 60:.1f} min")


if __name__ == "__main__":
    main()
