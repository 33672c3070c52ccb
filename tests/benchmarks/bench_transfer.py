"""Attributes carried from drawn stills to drawn video, with and without MMD, three seeds.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_transfer.py [--seeds 3] [--mmd-weight 30]

A seed draws both domains anew (3,000 labelled stills; 160 people, two tracklets of eight frames
each) and trains each arm for 300 steps from the shipped trunk. The scores are on the target's
tracklets, whose labels training never sees.
"""

from __future__ import annotations

import argparse
import time

import torch

from w3an_lite.transfer import TransferRecipe
from w3an_lite.transfer_study import (
    ARMS,
    TransferRow,
    compare,
    drawn_source,
    drawn_target,
    format_study,
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=TransferRecipe.steps)
    parser.add_argument("--mmd-weight", type=float, default=TransferRecipe.mmd_weight)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[TransferRow] = []
    for seed in range(options.seeds):
        source, target = drawn_source(seed=seed), drawn_target(seed=seed)
        recipe = TransferRecipe(steps=options.steps, mmd_weight=options.mmd_weight, seed=seed)
        start = time.process_time()
        rows += compare(source, target, recipe, progress=False)[0]
        seconds = (time.process_time() - start) / len(ARMS)
        print(f"seed {seed}: {seconds:.0f} s of one core a training", flush=True)
    print(format_study(rows))


if __name__ == "__main__":
    main()
