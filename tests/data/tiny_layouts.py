"""A few tracklets of noise, for tests that write and read the layouts of the data sets."""

from __future__ import annotations

import numpy as np

from w3an_lite.data.tracklet import ArrayFrames, Split, Tracklet


def tracklet(
    identity: int, camera: int, frames: int = 3, seed: int = 0, size: tuple[int, int] = (8, 4)
) -> Tracklet:
    """A tracklet of noise; all arguments but `size` change the noise."""
    random = np.random.default_rng((identity + 1, camera, frames, seed))
    pixels = random.integers(0, 256, (frames, 3, *size), dtype=np.uint8)
    return Tracklet(ArrayFrames(pixels), identity, camera)


def pairs(people: list[int], frames: int = 3) -> list[Tracklet]:
    """One tracklet of each person under each of the cameras 1 and 2."""
    return [tracklet(p, c, frames) for p in people for c in (1, 2)]


def two_camera_split(people: int = 6) -> Split:
    """People 1 … `people`; the first half trains, the other is query and gallery."""
    half = people // 2
    test = pairs(list(range(people - half + 1, people + 1)))
    return Split("tiny", pairs(list(range(1, people - half + 1))), list(test), test)


def same(a: Tracklet, b: Tracklet, pixels: bool = True) -> bool:
    """Whether both are of one person and camera, with the same frames in the same order."""
    if (a.identity, a.camera, len(a)) != (b.identity, b.camera, len(b)):
        return False
    every = range(len(a))
    return not pixels or np.array_equal(a.frames.read(every), b.frames.read(every))
