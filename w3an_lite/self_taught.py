"""A street teaches itself: whoever is followed is one person, whoever are seen at once are two.

That much a tracker knows without a label, and it is what Eq. 16 asks for: two clips of one track
are to be near each other, clips of two tracks that are in the film at once far apart. Of two tracks
that are never seen together nobody knows whether they show one person. Such pairs teach nothing;
it is they that a search is about.

When, too: within a clip the person stays and what covers them does not, so that a frame which is
unlike the rest of its clip is likely covered, by a passer-by or by what was pasted over it. β is
asked to fall where the frame is stranger (`tan.covered_order`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from .data.augment import Augment
from .data.mot import MotFrames
from .data.sampling import random_frames
from .data.tracklet import DataError, Tracklet
from .frames import normalise
from .losses import triplet_loss
from .model import W3AN
from .tan import covered_order, covered_share, temporal_spread

STRETCH = 3
"""A clip is drawn from a stretch of so many clip lengths, so that clips of a track differ."""

STRANGE = 4.0
"""Strangeness is multiplied by this: a frame stranger by a quarter should lose all of β's range."""


def self_taught(
    model: W3AN,
    tracks: Sequence[Tracklet],
    steps: int = 200,
    lr: float = 1e-3,
    people: int = 4,
    each: int = 4,
    margin: float = 0.3,
    order_weight: float = 1.0,
    spread_weight: float = 0.2,
    seed: int = 0,
    progress: bool = False,
) -> W3AN:
    """A copy of `model` that has learned from the tracks of one film, in test mode.

    tracks: what `read_mot` gave, whole. A step takes `each` clips of a track and of up to
    `people` - 1 others that are in the film at the same time; crops, flips, exchanged surroundings
    and pasted occluders; AdamW with a rate that falls from `lr` to 0. Batch norm keeps the
    statistics it came with (`adapt.adapted` goes first).

    DataError when no two tracks are seen at once, or a track has no frame numbers;
    FloatingPointError when a loss is not finite or, at the end, a weight or a clip's embedding.
    """
    if min(steps, people - 1, each - 1) < 1:
        raise ValueError(
            f"steps {steps}, people {people}, each {each}: give at least 1 step of 2 people, twice"
        )
    apart = known_apart(tracks)
    starts = np.flatnonzero(apart.any(1))
    if len(starts) == 0:
        raise DataError(
            f"no two of the {len(tracks)} tracks are in the film at once, so none are known to be "
            "two people; give a longer film"
        )
    out = copy.deepcopy(model).eval()
    augment = Augment(pad=max(1, out.size[0] // 20), flip=0.5, paste=0.25, surround=0.4)
    optimiser = torch.optim.AdamW(out.parameters(), lr=lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng = np.random.default_rng(seed)
    for step in tqdm(range(steps), desc="self-teaching", unit="step", disable=not progress):
        first = rng.choice(starts)
        others = rng.permutation(np.flatnonzero(apart[first]))[: people - 1]
        own = np.repeat([first, *others], each)
        clips = torch.from_numpy(np.stack([_clip(tracks[i], out, rng) for i in own]))
        generator = torch.Generator(out.device).manual_seed((int(seed) * 1_000_003 + step) % 2**63)
        frames, *_ = augment(clips.to(out.device), generator)
        path = out.encode(normalise(frames))
        loss = _loss(path.embedding, own, apart, margin)
        strange = STRANGE * strangeness(path.cube.detach())
        loss = loss + order_weight * covered_order(path.beta, strange, margin=1.0)
        loss = loss + spread_weight * temporal_spread(path.beta, path.beta_overall)
        _check_finite("the loss", loss, step, lr)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        _check_finite("the embedding", out.encode(normalise(frames)).embedding, step, lr)
        for name, weight in out.named_parameters():
            _check_finite(f"the weight {name}", weight, step, lr)
    return out


def _check_finite(what: str, value: Tensor, step: int, lr: float) -> None:
    if not bool(value.isfinite().all()):
        raise FloatingPointError(
            f"self-teaching: {what} is not finite at step {step}; lower the learning rate {lr:.2g}"
        )


def known_apart(tracks: Sequence[Tracklet]) -> NDArray[np.bool_]:
    """Which tracks cannot show one person, being in one frame of the film: bool `[N, N]`.

    A track that was lost and found again is nowhere in between.
    """
    numbers: list[NDArray[np.int64]] = []
    for track in tracks:
        if not isinstance(track.frames, MotFrames):
            raise DataError(f"{track!r} has no frame numbers; give what read_mot returned")
        numbers.append(np.asarray(track.frames.numbers, dtype=np.int64))
    frames = np.unique(np.concatenate([np.zeros(0, np.int64), *numbers]))
    there = np.zeros((len(tracks), len(frames)), dtype=np.float32)
    for i, own in enumerate(numbers):
        there[i, np.searchsorted(frames, own)] = 1
    out: NDArray[np.bool_] = there @ there.T > 0
    np.fill_diagonal(out, False)
    return out


def strangeness(cube: Tensor) -> Tensor:
    """How unlike the rest of its clip each frame is: C `[B, T, M, h, w]` -> `[B, T]` in [0, 2].

    1 less the cosine of each cell with the clip's mean of that cell, every frame at length 1,
    averaged over the picture; cells in the middle, where the person is, count for more.
    """
    centre = functional.normalize(cube, dim=2).mean(1, keepdim=True)
    return covered_share(1 - functional.cosine_similarity(cube, centre, dim=2))


def _clip(track: Tracklet, model: W3AN, rng: np.random.Generator) -> NDArray[np.uint8]:
    """T frames of a stretch of the track: uint8 `[T, 3, H, W]`."""
    stretch = min(len(track), STRETCH * model.clip_length)
    begin = rng.integers(len(track) - stretch + 1)
    return track.frames.read(begin + random_frames(stretch, model.clip_length, rng), model.size)


def _loss(
    embedding: Tensor, own: NDArray[np.int64], apart: NDArray[np.bool_], margin: float
) -> Tensor:
    label = torch.from_numpy(own).to(embedding.device)
    two = torch.from_numpy(apart[np.ix_(own, own)]).to(embedding.device)
    return triplet_loss(embedding, label, margin, normalise=True, apart=two)
