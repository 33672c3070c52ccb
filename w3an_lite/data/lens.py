"""From labels to pictures: a camera's light, blur, compression, noise; and the truth of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.draws import Draws, noise_table
from w3an_lite.data.figure import HEIGHT, SUB, WIDTH
from w3an_lite.data.labels import PART_OF_LABEL
from w3an_lite.data.scene import Camera, pack, quads, response, unpack
from w3an_lite.data.tracklet import Truth


def photograph(
    label: NDArray[np.uint8],
    colours: NDArray[np.int64],
    scene: NDArray[np.uint32],
    window: tuple[NDArray[np.int64], NDArray[np.int64]],
    eye: Camera,
    light: int,
    draws: Draws,
) -> NDArray[np.uint8]:
    """What the camera makes of labels `[n, 2H, 2W]` before its scene: uint8 `[n, 3, H, W]`."""
    n, height, width = len(label), label.shape[1] // SUB, label.shape[2] // SUB
    front = quads(pack(colours)[label])
    holes = 4 - quads((label != 0).view(np.uint8).astype(np.uint32))
    behind = np.empty((n, height, width), dtype=np.uint32)
    left = window[0] * width // WIDTH
    top = (window[1] * height // HEIGHT + height // 8).clip(0, scene.shape[0] - height)
    for k in range(n):
        behind[k] = scene[top[k] : top[k] + height, left[k] : left[k] + width]
    front += holes * behind
    table = response(eye, light)
    images = np.stack([table[c][unpack(front, c)] for c in range(3)], 1).astype(np.int16)
    images = _soften(images, eye, max(1, height // 64))
    noise = noise_table() * np.int16(eye.noise) >> 8
    count = images.size // n
    for k in range(n):
        start = draws.below(1 << 17)
        grain = noise[start : start + count]
        grain = grain if len(grain) == count else np.resize(noise[start:], count)
        images[k] += grain.reshape(images.shape[1:])
    return images.clip(0, 255).astype(np.uint8)


def _soften(images: NDArray[np.int16], eye: Camera, scale: int) -> NDArray[np.int16]:
    """Blur of the optics, and hues shared by blocks of pixels as compression leaves them."""
    for _ in range(eye.blur * scale):
        for axis in (2, 3):
            middle = [slice(None)] * 4
            before, after = middle.copy(), middle.copy()
            middle[axis], before[axis], after[axis] = slice(1, -1), slice(None, -2), slice(2, None)
            old = images.copy()
            images[tuple(middle)] = (
                old[tuple(before)] + 2 * old[tuple(middle)] + old[tuple(after)] + 2
            ) >> 2
    side = eye.blocks * scale
    n, _, height, width = images.shape
    if height % side or width % side:
        return images
    grey = (images[:, 0] + 2 * images[:, 1] + images[:, 2]) >> 2
    for c in range(3):
        hue = (images[:, c] - grey).reshape(n, height // side, side, width // side, side)
        mean = hue.sum((2, 4), dtype=np.int32) // (side * side)
        images[:, c] = grey + mean.astype(np.int16).repeat(side, 1).repeat(side, 2)
    return images


def truth(label: NDArray[np.uint8], own: NDArray[np.int64]) -> Truth:
    """Truth of labels `[n, 2H, 2W]`, given how many sub-pixels each person has in all."""
    part = PART_OF_LABEL[label]
    count = np.count_nonzero(part, axis=(1, 2))
    mask = quads((part != 0).view(np.uint8)) >= SUB
    rows = np.maximum(part[:, 0::SUB], part[:, 1::SUB])
    parts = np.maximum(rows[..., 0::SUB], rows[..., 1::SUB]) * mask
    return Truth((count / np.maximum(own, 1)).astype(np.float32), mask, parts.astype(np.uint8))
