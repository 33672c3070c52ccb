"""One variant, one seed: train on drawn people, search for unseen ones, audit what it attends to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import audit
from .data.tracklet import DataError, Split, Tracklet
from .evaluation import Ranking, evaluate
from .inference import embed_tracklets, observe
from .losses import Objective
from .model import W3AN
from .presets import SMALL
from .training import Recipe, train

Changes = dict[str, dict[str, Any]]
"""Departures from a preset by part: {"model": {...}, "objective": {...}, "recipe": {...}}."""


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


def search(model: W3AN, split: Split, frames: str = "even", metric: str = "euclidean") -> Ranking:
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
