"""What drawn people, adapted statistics and the street's own lessons are each worth on real people.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_street.py --video vtest.avi --boxes gt.txt \\
         --labels tracks.csv --visibility visibility.csv [--seeds 3] [--steps 200]

Three starts (the shipped model; its trunk as it was before it saw identities, trained on the
attributes of drawn stills; a random trunk), each with adapted statistics, then taught by the
street. Then the same with half of the people left out of the lessons and only these searched for:
what is learned of the street, and not of its people.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from w3an_lite import SMALL, W3AN
from w3an_lite.adapt import adapted
from w3an_lite.data.mot import label_windows, read_mot, windows
from w3an_lite.data.tracklet import Tracklet
from w3an_lite.data.visible import read_visibility
from w3an_lite.footage import judge
from w3an_lite.self_taught import self_taught
from w3an_lite.trials import summary


def line(name: str, rows: Sequence[dict[str, float]]) -> None:
    """A row of the table: mean ± standard deviation where there are several."""
    cells = []
    for key in rows[0]:
        found = summary([row[key] for row in rows])
        cells.append(
            f"{found['mean']:.3f}" + (f" ± {found['spread']:.3f}" if len(rows) > 1 else "")
        )
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def start(name: str, seed: int) -> W3AN:
    """The shipped model, or an untrained one on a trunk of drawn stills or of nothing."""
    if name == "the shipped model":
        return W3AN.shipped()
    torch.manual_seed(seed)
    weights = {"trained on drawn stills": "stills", "random": None}[name]
    return W3AN.preset("repaired", 1, **{**SMALL["model"], "weights": weights})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("video", "boxes", "labels", "visibility"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--visibility-column", default="visibility_derived")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tracks = read_mot(options.video, options.boxes, size=W3AN.shipped().size)
    seen = read_visibility(options.visibility, options.visibility_column)

    def scored(model: W3AN, some: Sequence[Tracklet]) -> dict[str, float]:
        cut = [w for t in some for w in windows(t, 10, 12)]
        return judge(model, cut, options.labels, seen, "cosine").row()

    def taught(model: W3AN, some: Sequence[Tracklet], seed: int) -> W3AN:
        return self_taught(model, some, options.steps, seed=seed)

    seeds = range(options.seeds)
    print("| | rank-1 | mAP | Spearman(β, visibility) | clear above covered |\n|" + "---|" * 5)
    for name in ("the shipped model", "trained on drawn stills", "random"):
        models = [adapted(start(name, seed), tracks) for seed in seeds]
        before = models[:1] if name == "the shipped model" else models
        line(f"{name}, adapted", [scored(m, tracks) for m in before])
        after = [taught(m, tracks, seed) for seed, m in zip(seeds, models, strict=True)]
        line(f"{name}, taught", [scored(m, tracks) for m in after])
    people = [t.identity for t in label_windows(tracks, options.labels)]
    model = adapted(W3AN.shipped(), tracks)
    for half in (0, 1):
        told = [t for t, person in zip(tracks, people, strict=True) if person % 2 == half]
        others = [t for t, person in zip(tracks, people, strict=True) if person % 2 != half]
        name = f"people {half + 1}, {half + 3}, ... searched for"
        line(f"{name}: adapted", [scored(model, others)])
        after = [taught(model, told, seed) for seed in seeds]
        line(
            f"{name}: the others' tracks taught",
            [scored(m, others) for m in after],
        )


if __name__ == "__main__":
    main()
