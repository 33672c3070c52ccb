"""One variant, one seed: train it, search for unseen people, audit the attention."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import audit
from .data.attributes import NAMES, unknown
from .data.tracklet import DataError, Split, Tracklet, Truth
from .distance import Metric
from .evaluation import Ranking, evaluate
from .frames import fit, normalise
from .inference import Observed, embed_tracklets, observe
from .losses import Objective
from .model import W3AN
from .presets import SMALL, TRAINED, Changes, check_changes
from .training import Recipe, train

CLEAR, COVERED = 0.95, 0.7
"""A frame is clear from this visibility on, and covered below that one (as in `audit`)."""


def fit_variant(
    name: str,
    tracklets: Sequence[Tracklet],
    seed: int = 0,
    changes: Changes | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    base: Changes = SMALL,
    device: str | torch.device = "cpu",
) -> tuple[W3AN, list[dict[str, float]]]:
    """Train preset `name` with `changes`; returns the model and its log.

    base: what brings the preset to a size, `SMALL` or {} for the paper's own. ValueError for a part
    of either that is not of what is trained.
    """
    changes = changes or {}
    for some in (base, changes):
        check_changes(some)
    torch.manual_seed(seed)
    people = len({t.identity for t in tracklets})
    own = {part: {**base.get(part, {}), **changes.get(part, {})} for part in TRAINED}
    named = {len(t.attributes) for t in tracklets if t.attributes is not None}
    if len(named) == 1:  # fewer than the vocabulary when groups are left out
        own["model"] = {"attributes": named.pop(), **own["model"]}
    model = W3AN.preset(name, people, **own["model"])
    objective = Objective.preset(name, **own["objective"])
    recipe = Recipe.preset(name, seed=seed, **own["recipe"])
    rows = train(model, tracklets, objective, recipe, out, resume, device, progress)
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
    seen = observe(model, tracklets)
    known = [(t.truth, i) for t, i in zip(tracklets, seen.indices, strict=True)]
    truths = [(truth, i) for truth, i in known if truth is not None]
    if len(truths) < len(known):
        raise DataError("the audit needs drawn tracklets, which know their truth (SynthPed)")
    visibility = torch.from_numpy(np.stack([t.visibility[i] for t, i in truths]))
    mask = torch.from_numpy(np.stack([t.mask[i] for t, i in truths])).flatten(0, 1)
    alpha = seen.alpha.flatten(0, 1)
    maps = (seen.identity_map + seen.attribute_map).flatten(0, 1)
    flat = visibility.flatten()
    groups = {"clear": flat >= CLEAR, "covered": flat < COVERED}
    aimed = audit.pointing(alpha, mask)
    return {
        "spearman_beta_visibility": audit.spearman_within(seen.beta, visibility).rho,
        "auc_beta_occlusion": audit.auc_clear_covered(seen.beta, visibility).auc,
        "alpha_inside": audit.mass_inside(alpha, mask),
        "person_area": audit.person_area(mask),
        "alpha_pointing": aimed.share,
        "pointing_chance": aimed.chance,
        **{
            f"alpha_pointing_{name}": audit.pointing(alpha[frames], mask[frames]).share
            for name, frames in groups.items()
        },
        "cam_inside": audit.mass_inside(maps.clamp_min(0), mask),  # evidence for, if it is "raw"
        "cam_pointing": audit.pointing(maps, mask).share,
        **_what(model, tracklets, seen, truths),
        "readout_shift": audit.readout_shift(seen.embedding, seen.flat_embedding),
    }


@torch.no_grad()
def _what(
    model: W3AN,
    tracklets: Sequence[Tracklet],
    seen: Observed,
    truths: Sequence[tuple[Truth, np.ndarray]],
    batch: int = 32,
) -> dict[str, float]:
    """Do the maps of attributes point at their parts: by group, the mean over groups, and chance.

    Empty for a model that does not have the whole vocabulary.
    """
    if model.attributes != len(NAMES):
        return {}
    maps: list[Tensor] = []
    for at in range(0, len(tracklets), batch):
        some = list(zip(tracklets, seen.indices, strict=True))[at : at + batch]
        pixels = np.stack([t.frames.read(i, model.size) for t, i in some])
        frames = normalise(fit(torch.from_numpy(pixels).to(model.device), model.size))
        cube = model.encode(frames).cube
        present = torch.ones(*cube.shape[:2], model.attributes, device=cube.device)
        maps.append(model.heads.attribute_maps(cube, present).flatten(0, 1).cpu())
    length = seen.indices.shape[1]
    labels = [unknown() if t.attributes is None else t.attributes for t in tracklets]
    found = audit.pointing_parts(
        torch.cat(maps),
        np.concatenate([truth.parts[i] for truth, i in truths]),
        np.repeat(np.stack(labels), length, axis=0),
    )
    return {
        **{f"map_pointing_{group}": point.share for group, point in found.items()},
        "map_pointing": float(np.nanmean([point.share for point in found.values()])),
        "map_chance": float(np.nanmean([point.chance for point in found.values()])),
    }
