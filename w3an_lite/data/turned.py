"""Walks that begin at any of their frames, so that the place of a frame in a walk tells nothing.

What hides a drawn person for more than half of a walk hides the middle of it, and a network that
knows early frames from late ones knows by the hour which to trust. Here every tracklet's frames are
turned like a wheel, by an amount of its own: the same frames in the same round, cut open elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.splits import each_changed
from w3an_lite.data.tracklet import Frames, Size, Split, Tracklet, Truth


@dataclass(frozen=True, eq=False)
class TurnedFrames:
    """`frames` from frame `first` on; after the last comes what was before `first`."""

    frames: Frames
    first: int

    def __len__(self) -> int:
        return len(self.frames)

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        """Frames `indices` of the turned walk. IndexError if there is no such frame."""
        there = np.arange(len(self))[np.asarray(indices, dtype=np.int64)]
        return self.frames.read((there + self.first) % len(self), size)


def turned(split: Split, seed: int = 0) -> Split:
    """The same split, each tracklet begun at a frame of its own, every frame as likely.

    The same seed turns alike; training and test tracklets are turned alike. Visibility, masks and
    parts go with their frames.
    """
    rng = np.random.default_rng(seed)
    return each_changed(
        split, f"{split.name}, turned", lambda t: _turned_tracklet(t, int(rng.integers(len(t))))
    )


def _turned_tracklet(tracklet: Tracklet, first: int) -> Tracklet:
    truth = tracklet.truth
    if truth is not None:
        truth = Truth(
            np.roll(truth.visibility, -first),
            np.roll(truth.mask, -first, axis=0),
            np.roll(truth.parts, -first, axis=0),
        )
    return replace(tracklet, frames=TurnedFrames(tracklet.frames, first), truth=truth)
