"""Other attribute labels for the same tracklets: without some groups, or carried from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .data.attributes import NAMES, group_indices, unknown
from .data.tracklet import Tracklet
from .transfer import TransferRecipe, predict, transfer
from .transfer_study import drawn_source, prepared_trunk


def relabelled(
    tracklets: Sequence[Tracklet],
    without: Sequence[str] = (),
    carried: str | None = None,
    seed: int = 0,
) -> list[Tracklet]:
    """The same tracklets with `carried_labels`, and `without_groups`, as far as asked for."""
    if carried is not None:
        tracklets = carried_labels(tracklets, carried, seed)
    return without_groups(tracklets, without) if without else list(tracklets)


def without_groups(tracklets: Sequence[Tracklet], groups: Sequence[str]) -> list[Tracklet]:
    """The same tracklets, their attribute vectors without those of `groups`.

    With every group gone the vector keeps its length and holds 0: nobody has anything.
    """
    gone = {index for group in groups for index in group_indices(group)}
    kept = [i for i in range(len(NAMES)) if i not in gone]
    out = []
    for tracklet in tracklets:
        labels = unknown() if tracklet.attributes is None else tracklet.attributes
        left = labels[kept] if kept else np.zeros_like(labels)
        out.append(replace(tracklet, attributes=left))
    return out


def carried_labels(
    tracklets: Sequence[Tracklet], form: str, seed: int = 0, recipe: TransferRecipe | None = None
) -> list[Tracklet]:
    """The same tracklets, labelled as Sec. 4.1 has it: by a network that learned from drawn stills.

    form: "soft" is the mean probability over the frames of a tracklet, "hard" is whether that is
        above one half. Their own labels are not looked at. seed: of the stills and the training.
    """
    if form not in ("soft", "hard"):
        raise ValueError(f"form {form!r} is not known; choose 'soft' or 'hard'")
    recipe = recipe or TransferRecipe(seed=seed)
    source = drawn_source(size=recipe.size, seed=seed)
    network = transfer(source, tracklets, recipe, prepared_trunk(), progress=False)
    labels = predict(network, tracklets, recipe.size, progress=False)
    if form == "hard":
        labels = (labels > 0.5).astype(np.float32)
    return [replace(t, attributes=own) for t, own in zip(tracklets, labels, strict=True)]
