"""Do α and β look, or do they know the place? Trained models with one of them exchanged at test.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_looking.py TRIAL ...

TRIAL is the folder of a trial, `runs/three/repaired-0` and so on, of any number of seeds. Each
model looks at the people of its own trial with its own α; with the mean of that α over all clips,
which is the same whatever is shown; with the α of another clip; and with none. Then the same with
β, whose mean over all clips is a number for each place in the clip; and with its own β of the same
frames out of order, where a place says nothing of them. All but the first are foreign to the rest
of the network, which was trained on its own. Differences are paired.
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
from w3an_lite.trials import Setting, people, shown, summary
from w3an_lite.worth import points

WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "its own": lambda own, _: own,
    "its mean over all clips": lambda own, _: own.mean(0, keepdim=True).expand_as(own),
    "that of another clip": lambda own, _: own.roll(1, 0),
    "none": lambda _, even: even,
}
"""What α or β is exchanged for, given itself and one that is the same everywhere."""
OUT_OF_ORDER = "its own, frames out of order"
OF_ALPHA = ("on the person", "maxima", "in clear frames", "in covered frames", "mAP")
OF_BETA = ("Spearman", "clear above covered", "mAP")
Found = dict[str, list[float]]
"""Measures, by the name of a way."""


@torch.no_grad()
def look(model: W3AN, split: Split, batch: int = 25) -> tuple[Found, Found]:
    """`OF_ALPHA` and `OF_BETA` of each way, on one even clip of each tracklet of the gallery."""
    cuts = [test_clips(len(t), model.clip_length, "even")[0] for t in split.gallery]
    chosen = list(zip(split.gallery, cuts, strict=True))
    truths = [(t.truth, cut) for t, cut in chosen if t.truth is not None]
    mask = torch.from_numpy(np.stack([truth.mask[cut] for truth, cut in truths])).flatten(0, 1)
    visible = torch.from_numpy(np.stack([truth.visibility[cut] for truth, cut in truths]))
    seen = visible.flatten()
    pixels = torch.from_numpy(np.stack([t.frames.read(cut) for t, cut in chosen]))

    def encode(pixels: Tensor) -> tuple[Tensor, ...]:
        parts = [model.encode(normalise(part)) for part in pixels.split(batch)]
        names = ("cube", "alpha", "beta", "embedding")
        return tuple(torch.cat([getattr(p, name) for p in parts]) for name in names)

    cube, alpha, beta, _ = encode(pixels)
    who, camera = ([getattr(t, name) for t in split.gallery] for name in ("identity", "camera"))
    asked = [i for i, t in enumerate(split.gallery) if any(t is q for q in split.query)]

    def vectors(alpha: Tensor, beta: Tensor | None = None) -> Tensor:
        features = attend(alpha, cube)
        return model.gather(features, model.tan(features)[0] if beta is None else beta)[-1]

    def mean_ap(found: Tensor) -> float:
        return evaluate(
            found[asked], found, np.array(who)[asked], np.array(camera)[asked], who, camera
        ).mean_ap

    def follows(beta: Tensor, visible: Tensor) -> list[float]:
        clear = audit.auc_clear_covered(beta, visible, clear=CLEAR, covered=COVERED).auc
        return [audit.spearman_within(beta, visible).rho, clear]

    of_alpha, of_beta = {}, {}
    for name, exchanged in WAYS.items():
        own = exchanged(alpha, uniform_scores(alpha))
        maps = own.mean(2).flatten(0, 1)
        sides = [torch.ones_like(seen, dtype=torch.bool), seen >= CLEAR, seen < COVERED]
        shares = [audit.pointing(maps[side], mask[side]).share for side in sides]
        of_alpha[name] = [audit.mass_inside(maps, mask), *shares, mean_ap(vectors(own))]
        trust = exchanged(beta, torch.full_like(beta, float(beta.mean())))
        of_beta[name] = [*follows(trust, visible), mean_ap(vectors(alpha, trust))]
    order = torch.rand(beta.shape, generator=torch.Generator().manual_seed(0)).argsort(1)
    clip = torch.arange(len(order))[:, None]
    *_, trust, found = encode(pixels[clip, order])
    of_beta[OUT_OF_ORDER] = [*follows(trust, visible[clip, order]), mean_ap(found)]
    return of_alpha, of_beta


def table(symbol: str, measures: tuple[str, ...], trials: list[Found]) -> None:
    """Print each way's mean and spread over the trials, and how far its own is above it."""
    print(f"| {symbol} | {' | '.join(measures)} |\n|---|" + "---|" * len(measures))
    first = np.array([found["its own"] for found in trials])
    for way in trials[0]:
        rows = np.array([found[way] for found in trials])
        own = [summary(list(column)) for column in rows.T]
        cells = [
            "–" if np.isnan(one["mean"]) else f"{one['mean']:.3f} ± {one['spread']:.3f}"
            for one in own
        ]
        print(f"| {way} | {' | '.join(cells)} |")
        if way != "its own":
            less = [points(interval(list(gap))) for gap in (first - rows).T]
            print(f"| its own, less this | {' | '.join(less)} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=Path, nargs="+", metavar="TRIAL")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for folder in options.trials:
        kept = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        seed = int(folder.name.rpartition("-")[2])
        split = shown(people(Setting(**kept["setting"]), seed), kept["changes"], seed)
        model = W3AN.from_pretrained(folder / "model.pt").eval()
        found.append(look(model, split))
    table("α", OF_ALPHA, [of_alpha for of_alpha, _ in found])
    print()
    table("β", OF_BETA, [of_beta for _, of_beta in found])


if __name__ == "__main__":
    main()
