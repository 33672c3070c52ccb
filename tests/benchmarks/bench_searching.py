"""What the choices at test are worth: one clip or all frames, Euclid's distance or the angle.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_searching.py TRIAL ...

TRIAL is the folder of a trial, `runs/small/trials/repaired-0` and so on, of any number of seeds.
Each model searches for the people of its own trial; differences are paired over the models.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from w3an_lite import W3AN
from w3an_lite.claims import interval
from w3an_lite.distance import Metric
from w3an_lite.experiments import search
from w3an_lite.trials import Setting, people, summary
from w3an_lite.worth import points

WAYS: tuple[tuple[str, Metric], ...] = (
    ("even", "euclidean"),
    ("even", "cosine"),
    ("dense", "euclidean"),
    ("dense", "cosine"),
    ("consecutive", "euclidean"),
    ("consecutive", "cosine"),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=Path, nargs="+", metavar="TRIAL")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[str, str], list[float]] = {way: [] for way in WAYS}
    for folder in options.trials:
        setting = json.loads((folder / "result.json").read_text(encoding="utf-8"))["setting"]
        split = people(Setting(**setting), int(folder.name.rpartition("-")[2]))
        model = W3AN.from_pretrained(folder / "model.pt")
        for frames, metric in WAYS:
            found[frames, metric].append(search(model, split, frames, metric).mean_ap)
    print("| frames | distance | mAP | points from the first |\n|---|---|---|---|")
    for way, own in found.items():
        gain = interval([a - b for a, b in zip(own, found[WAYS[0]], strict=True)])
        mean = summary(own)
        print(f"| {' | '.join(way)} | {mean['mean']:.3f} ± {mean['spread']:.3f} | {points(gain)} |")


if __name__ == "__main__":
    main()
