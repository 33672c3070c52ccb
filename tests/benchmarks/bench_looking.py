"""Does α look, or does it know the place? Trained models with α exchanged at test.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_looking.py TRIAL ...

TRIAL is the folder of a trial, `runs/three/repaired-0` and so on, of any number of seeds. Each
model looks at the people of its own trial with its own α; with the mean of that α over all clips,
which is the same whatever is shown; with the α of another clip; and with none. All but the first
are foreign to the rest of the network, which was trained on its own. Differences are paired.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from w3an_lite import W3AN, audit
from w3an_lite.claims import interval
from w3an_lite.data.tracklet import Split
from w3an_lite.evaluation import evaluate
from w3an_lite.experiments import CLEAR, COVERED
from w3an_lite.frames import normalise
from w3an_lite.inference import test_clips
from w3an_lite.san import attend, uniform_scores
from w3an_lite.trials import Setting, people, summary
from w3an_lite.worth import points

WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "its own": lambda alpha, _: alpha,
    "its mean over all clips": lambda alpha, mean: mean.expand_as(alpha),
    "that of another clip": lambda alpha, _: alpha.roll(1, 0),
    "none": lambda alpha, _: uniform_scores(alpha),
}
MEASURES = ("on the person", "maxima", "in clear frames", "in covered frames", "mAP")


@torch.no_grad()
def look(model: W3AN, split: Split, batch: int = 25) -> dict[str, list[float]]:
    """`MEASURES` of each way, on one even clip of each tracklet of the gallery."""
    cuts = [test_clips(len(t), model.clip_length, "even")[0] for t in split.gallery]
    chosen = list(zip(split.gallery, cuts, strict=True))
    truths = [(t.truth, cut) for t, cut in chosen if t.truth is not None]
    mask = torch.from_numpy(np.stack([truth.mask[cut] for truth, cut in truths])).flatten(0, 1)
    seen = torch.from_numpy(np.stack([truth.visibility[cut] for truth, cut in truths])).flatten()
    pixels = torch.from_numpy(np.stack([t.frames.read(cut) for t, cut in chosen]))
    parts = [model.encode(normalise(part)) for part in pixels.split(batch)]
    cube, alpha = (torch.cat([getattr(p, name) for p in parts]) for name in ("cube", "alpha"))
    mean = alpha.mean(0, keepdim=True)
    who, camera = ([getattr(t, name) for t in split.gallery] for name in ("identity", "camera"))
    asked = [i for i, t in enumerate(split.gallery) if any(t is q for q in split.query)]
    out = {}
    for name, exchanged in WAYS.items():
        own = exchanged(alpha, mean)
        features = attend(own, cube)
        found = model.gather(features, model.tan(features)[0])[-1]
        maps = own.mean(2).flatten(0, 1)
        sides = [torch.ones_like(seen, dtype=torch.bool), seen >= CLEAR, seen < COVERED]
        shares = [audit.pointing(maps[side], mask[side]).share for side in sides]
        ranking = evaluate(
            found[asked], found, np.array(who)[asked], np.array(camera)[asked], who, camera
        )
        out[name] = [audit.mass_inside(maps, mask), *shares, ranking.mean_ap]
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=Path, nargs="+", metavar="TRIAL")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for folder in options.trials:
        setting = json.loads((folder / "result.json").read_text(encoding="utf-8"))["setting"]
        split = people(Setting(**setting), int(folder.name.rpartition("-")[2]))
        model = W3AN.from_pretrained(folder / "model.pt").eval()
        for way, measured in look(model, split).items():
            found[way].append(measured)
    print(f"| α | {' | '.join(MEASURES)} |\n|---|" + "---|" * len(MEASURES))
    first = np.array(found["its own"])
    for way, rows in found.items():
        own = [summary(column) for column in zip(*rows, strict=True)]
        cells = [f"{one['mean']:.3f} ± {one['spread']:.3f}" for one in own]
        print(f"| {way} | {' | '.join(cells)} |")
        if way != "its own":
            less = [points(interval(list(gap))) for gap in (first - np.array(rows)).T]
            print(f"| its own, less this | {' | '.join(less)} |")


if __name__ == "__main__":
    main()
