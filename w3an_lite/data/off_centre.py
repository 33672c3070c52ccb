"""Crops whose person is not in the middle, as those of a careless detector.

In a tight crop people stand in the middle, and a map of the middle lies on them whatever is shown.
Here every tracklet's crop is moved by an amount of its own, so that one has to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.splits import each_changed
from w3an_lite.data.tracklet import DataError, Frames, Size, Split, Tracklet, Truth, resize

Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, eq=False)
class MovedFrames:
    """`frames` with the picture moved down and to the right by shares of its height and width
    (negative: up and to the left). What comes in repeats the edge."""

    frames: Frames
    down: float
    right: float

    def __len__(self) -> int:
        return len(self.frames)

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        """Frames `indices`, moved and then resized."""
        return resize(moved(self.frames.read(indices), self.down, self.right), size)


def off_centre(split: Split, most: tuple[float, float], seed: int = 0) -> Split:
    """The same split, each tracklet moved by its own share of height and width, at most `most`.

    The same seed moves alike; the moves of training and test tracklets are drawn alike. Masks and
    parts move along, and a frame's visibility is what is still in the picture. DataError for a
    share that is not from 0 to below 1/2.
    """
    if not all(0 <= share < 0.5 for share in most):
        raise DataError(f"most is {most}; give shares of height and width from 0 to below 1/2")
    rng = np.random.default_rng(seed)

    def move(tracklet: Tracklet) -> Tracklet:
        down, right = rng.uniform(-1, 1, 2) * most
        return _moved_tracklet(tracklet, float(down), float(right))

    return each_changed(split, f"{split.name}, off centre", move)


def _moved_tracklet(tracklet: Tracklet, down: float, right: float) -> Tracklet:
    truth = tracklet.truth
    if truth is not None:
        mask = moved(truth.mask, down, right, edge=False)
        left = mask.sum((1, 2)) / np.maximum(truth.mask.sum((1, 2)), 1)
        truth = Truth(
            (truth.visibility * left).astype(truth.visibility.dtype),
            mask,
            moved(truth.parts, down, right, edge=False),
        )
    return replace(tracklet, frames=MovedFrames(tracklet.frames, down, right), truth=truth)


def moved(pictures: NDArray[Kind], down: float, right: float, edge: bool = True) -> NDArray[Kind]:
    """Pictures `[..., H, W]` moved by whole pixels; what comes in is the edge, or 0 without it."""
    rows, columns = (
        np.arange(n) - round(share * n)
        for n, share in zip(pictures.shape[-2:], (down, right), strict=True)
    )
    tall, wide = pictures.shape[-2:]
    out = pictures[..., rows.clip(0, tall - 1)[:, None], columns.clip(0, wide - 1)]
    if not edge:
        inside = ((rows >= 0) & (rows < tall))[:, None] & ((columns >= 0) & (columns < wide))
        out = np.where(inside, out, np.zeros_like(out))
    return np.ascontiguousarray(out)
