"""Batch norm's statistics, taken anew from footage without a label.

A trunk trained elsewhere normalises by the light and the contrast of where it was trained. Its
weights stay; the means and variances it normalises by become those of the pictures at hand.

Source: Li et al., "Revisiting batch normalization for practical domain adaptation", 2016.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from .data.sampling import even_frames
from .data.tracklet import DataError, Tracklet
from .frames import fit, normalise
from .model import W3AN

FEWEST = 32
"""Frames below which means and variances would be those of a few people."""


@torch.no_grad()
def adapted(
    model: W3AN,
    tracklets: Sequence[Tracklet],
    frames: int = 1000,
    batch: int = 128,
    seed: int = 0,
) -> W3AN:
    """A copy of `model` whose trunk normalises by the statistics of `tracklets`, in test mode.

    Reads up to `frames` frames, as many of each tracklet, spread evenly (of more tracklets than
    that, one of each of so many, spread evenly too), in an order that mixes the tracklets, in
    batches of nearly equal size that count alike. DataError when there are fewer than 32.
    """
    if min(frames, batch) < 1:
        raise ValueError(f"frames is {frames} and batch {batch}; give at least 1 of each")
    each = max(1, frames // max(1, len(tracklets)))
    places = [
        (tracklet, int(index))
        for tracklet in tracklets
        for index in np.unique(even_frames(len(tracklet), min(each, len(tracklet))))
    ]
    if len(places) > frames:
        places = [places[k] for k in even_frames(len(places), frames)]
    if len(places) < FEWEST:
        raise DataError(
            f"{len(places)} frames are too few to take statistics of; give at least {FEWEST}, or "
            "use the model as it is"
        )
    order = np.random.default_rng(seed).permutation(len(places))
    parts = np.array_split(order, max(1, round(len(places) / batch)))
    out = copy.deepcopy(model)
    norms = [m for m in out.backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over batches
    if not norms:
        raise ValueError("the backbone has no batch norm, so there are no statistics to take anew")
    out.eval()
    for norm in norms:  # and nothing else: dropout would change what they see
        norm.train()
    for part in parts:
        pixels = np.concatenate([places[k][0].frames.read([places[k][1]], out.size) for k in part])
        some = normalise(fit(torch.from_numpy(pixels).to(out.device), out.size))
        out.backbone(some.contiguous(memory_format=torch.channels_last))
    for norm, before in zip(norms, momenta, strict=True):
        norm.momentum = before
    return out.eval()
