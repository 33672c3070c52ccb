"""One variant, one seed: train on drawn people, search for unseen ones, audit the attention."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from . import audit
from .data.synthetic import synthped
from .data.tracklet import DataError, Split, Tracklet
from .distance import Metric
from .evaluation import Ranking, evaluate
from .files import replacing
from .inference import embed_tracklets, observe
from .losses import Objective
from .model import W3AN
from .presets import PRESETS, SMALL, Changes
from .training import Recipe, train


def fit_variant(
    name: str,
    tracklets: Sequence[Tracklet],
    seed: int = 0,
    changes: Changes | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> tuple[W3AN, list[dict[str, float]]]:
    """Train preset `name` at the small size, with `changes`; returns the model and its log."""
    changes = changes or {}
    torch.manual_seed(seed)
    people = len({t.identity for t in tracklets})
    model = W3AN.preset(name, people, **{**SMALL["model"], **changes.get("model", {})})
    objective = Objective.preset(name, **changes.get("objective", {}))
    recipe = Recipe.preset(name, seed=seed, **{**SMALL["recipe"], **changes.get("recipe", {})})
    rows = train(model, tracklets, objective, recipe, out, resume, progress=progress)
    return model, rows


def search(
    model: W3AN, split: Split, frames: str = "even", metric: Metric = "euclidean"
) -> Ranking:
    """Rank the gallery of `split` for each of its queries."""
    both = {id(t): t for t in [*split.query, *split.gallery]}
    features = embed_tracklets(model, list(both.values()), frames)
    row = {key: i for i, key in enumerate(both)}
    query = [row[id(t)] for t in split.query]
    gallery = [row[id(t)] for t in split.gallery]
    return evaluate(
        features[query],
        features[gallery],
        [t.identity for t in split.query],
        [t.camera for t in split.query],
        [t.identity for t in split.gallery],
        [t.camera for t in split.gallery],
        metric=metric,
        protocol=split.name,
    )


def attend(model: W3AN, tracklets: Sequence[Tracklet]) -> dict[str, float]:
    """Does it attend? Every measure of `audit` on drawn tracklets, which know the truth."""
    truths = [t.truth for t in tracklets]
    seen = observe(model, tracklets)
    indexed = [(t, i) for t, i in zip(truths, seen.indices, strict=True) if t is not None]
    if len(indexed) < len(truths):
        raise DataError("the audit needs drawn tracklets, which know their truth (SynthPed)")
    visibility = torch.from_numpy(np.stack([t.visibility[i] for t, i in indexed]))
    mask = torch.from_numpy(np.stack([t.mask[i] for t, i in indexed])).flatten(0, 1)
    alpha = seen.alpha.flatten(0, 1)
    maps = (seen.identity_map + seen.attribute_map).flatten(0, 1)
    return {
        "spearman_beta_visibility": audit.spearman_within(seen.beta, visibility).rho,
        "auc_beta_occlusion": audit.auc_clear_covered(seen.beta, visibility).auc,
        "alpha_inside": audit.mass_inside(alpha, mask),
        "alpha_pointing": audit.pointing(alpha, mask).share,
        "person_area": audit.person_area(mask),
        "cam_inside": audit.mass_inside(maps, mask),
        "cam_pointing": audit.pointing(maps, mask).share,
        "pointing_chance": audit.pointing(alpha, mask).chance,
        "readout_shift": audit.readout_shift(seen.embedding, seen.flat_embedding),
    }


@dataclass(frozen=True)
class Run:
    """One model of an experiment: a preset with changes, under a name, from a seed."""

    name: str
    preset: str
    seed: int
    changes: Changes = field(default_factory=dict)


class Measured(NamedTuple):
    """What came of a run: its scores by name, and its log, one row a step."""

    scores: dict[str, float]
    rows: list[dict[str, float]]


def drawn_people(settings: dict[str, Any], seed: int) -> Split:
    """The people of a run: half the training tracklets are occluded, every test tracklet is."""
    return synthped(
        settings["identities"],
        settings["test_identities"],
        seed=seed,
        occlusion="mixed",
        test_occlusion="heavy",
    )


def measure(run: Run, out: Path, settings: dict[str, Any]) -> Measured:
    """Train, search and audit one run in `out/NAME-SEED`, or read what is there already.

    settings: identities, test_identities, epochs (None for the preset's) and threads.
    """
    folder = out / f"{run.name}-{run.seed}"
    done = folder / "result.json"
    asked = json.loads(
        json.dumps({"settings": settings, "preset": PRESETS[run.preset], "changes": run.changes})
    )
    if done.is_file():
        kept = json.loads(done.read_text(encoding="utf-8"))
        if all(kept[key] == value for key, value in asked.items()):
            return Measured(kept["scores"], kept["rows"])
    torch.set_num_threads(settings["threads"])  # numbers repeat only with as many threads
    split = drawn_people(settings, run.seed)
    changes = dict(run.changes)
    if settings["epochs"]:
        changes["recipe"] = {**changes.get("recipe", {}), "epochs": settings["epochs"]}
    model, rows = fit_variant(run.preset, split.train, run.seed, changes, progress=False)
    ranking = search(model, split)
    scores = {"rank1": ranking.rank(1), "mAP": ranking.mean_ap, **attend(model, split.gallery)}
    model.save_pretrained(folder / "model.pt")
    with replacing(done) as part:
        part.write_text(json.dumps({**asked, "scores": scores, "rows": rows}), encoding="utf-8")
    return Measured(scores, rows)


def measure_all(
    runs: Sequence[Run], out: Path, settings: dict[str, Any], jobs: int = 1, progress: bool = True
) -> list[Measured]:
    """Every run in order, `jobs` at a time; what an interrupted experiment finished is kept."""
    with ExitStack() as stack:
        do: Callable[..., Iterable[Measured]] = map
        if jobs > 1:
            do = stack.enter_context(ProcessPoolExecutor(jobs, get_context("spawn"))).map
        one = partial(measure, out=out, settings=settings)
        return list(tqdm(do(one, runs), total=len(runs), desc="models", disable=not progress))


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean, spread (standard deviation, 0 for one value) and the values themselves."""
    array = np.asarray(values, dtype=float)
    spread = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    return {"mean": float(array.mean()), "spread": spread, "seeds": array.tolist()}
