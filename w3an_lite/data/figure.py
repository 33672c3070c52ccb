"""Integer rasterisation of simple shapes into label images, many frames at once.

A crop is `HEIGHT` x `WIDTH` scene units whatever its resolution, so the same scene can be drawn at
any size. A `Canvas` holds a label (0-255) for each sub-pixel of each frame, two by two to the
pixel; a palette turns labels into colours. All geometry is whole numbers, so a drawing is the same
everywhere.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 4096, 2048
"""Scene units of a crop, top to bottom and left to right."""
SUB = 2
"""Sub-pixels along a pixel's side."""
TURN = 1024
"""Steps of a full turn in `sine`."""

Ints = NDArray[np.int64]
Where = Ints | int
Mask = NDArray[np.bool_]
Window = tuple[slice, slice, slice]
Painted = tuple[Window, Mask]
"""Where a shape was painted: a window of the label images and the mask in it."""

_SINE = np.array([round(4096 * math.sin(2 * math.pi * k / TURN)) for k in range(TURN)], np.int64)


def sine(angle: Ints) -> Ints:
    """4096 sin(2 pi angle / 1024), from a table of whole numbers."""
    return _SINE[angle % TURN]


def cosine(angle: Ints) -> Ints:
    """4096 cos(2 pi angle / 1024)."""
    return _SINE[(angle + TURN // 4) % TURN]


def root(value: Ints) -> Ints:
    """Integer square root, exact below 2^52 (IEEE square roots are correctly rounded)."""
    return np.sqrt(value.astype(np.float64)).astype(np.int64)


class Canvas:
    """Label images uint8 `[n, rows, columns]` of n frames, with a margin round each crop.

    The margin keeps what lies outside the crop, so that a person's hidden share can be counted.
    Shapes take scene units: whole numbers, or arrays `[n]` with one value a frame. `value` is the
    label painted. Each drawing method returns where it painted, as (window, mask), for `pattern`.
    """

    def __init__(
        self, frames: int, size: tuple[int, int], margin: tuple[int, int] = (0, 0)
    ) -> None:
        height, width = size
        self.margin = margin
        rows = np.arange(-SUB * margin[0], SUB * (height + margin[0]), dtype=np.int64)
        columns = np.arange(-SUB * margin[1], SUB * (width + margin[1]), dtype=np.int64)
        self.ys = ((2 * rows + 1) * HEIGHT // (2 * SUB * height)).astype(np.int32)
        self.xs = ((2 * columns + 1) * WIDTH // (2 * SUB * width)).astype(np.int32)
        self._rows, self._columns = self.ys.tolist(), self.xs.tolist()
        self._zero = np.zeros(frames, dtype=np.int64)
        self.label = np.zeros((frames, len(rows), len(columns)), dtype=np.uint8)
        self._none = ((slice(None), slice(0, 0), slice(0, 0)), np.zeros((frames, 0, 0), np.bool_))

    @property
    def inside(self) -> NDArray[np.uint8]:
        """The labels without the margin `[n, 2H, 2W]`."""
        m, k = SUB * self.margin[0], SUB * self.margin[1]
        return self.label[:, m : len(self.ys) - m, k : len(self.xs) - k]

    def wide(self, width: int) -> None:
        """Make the crop `width` scene units wide at the same scale (for a camera's whole scene)."""
        columns = len(self.xs) * width // WIDTH
        step = np.arange(columns, dtype=np.int64)
        self.xs = ((2 * step + 1) * WIDTH // (2 * len(self.xs))).astype(np.int32)
        self._columns = self.xs.tolist()
        self.label = np.zeros((len(self.label), len(self.ys), columns), dtype=np.uint8)

    def _window(
        self, left: int, right: int, top: int, bottom: int
    ) -> tuple[Window, NDArray[np.int32], NDArray[np.int32]]:
        """The sub-pixels whose centres lie in a box: as slices of `label`, rows and columns."""
        y0, y1 = bisect_left(self._rows, top), bisect_right(self._rows, bottom)
        x0, x1 = bisect_left(self._columns, left), bisect_right(self._columns, right)
        return (slice(None), slice(y0, y1), slice(x0, x1)), self.ys[y0:y1], self.xs[x0:x1]

    def _paint(self, window: Window, mask: Mask, value: int) -> None:
        np.copyto(self.label[window], np.uint8(value), where=mask)

    def polygon(self, points: list[tuple[Where, Where]], value: int) -> Painted:
        """A convex polygon, corners in either order."""
        corners = np.empty((2, len(points), len(self.label)), np.int32)
        for k, (x, y) in enumerate(points):
            corners[0, k], corners[1, k] = x, y
        (left, top), (right, bottom) = corners.min((1, 2)), corners.max((1, 2))
        window, ys, xs = self._window(left, right, top, bottom)
        if not len(ys) or not len(xs):
            return self._none
        following = corners[:, [*range(1, len(points)), 0]]
        px, py = corners
        ex, ey = following - corners
        sign = np.sign((px * following[1] - py * following[0]).sum(0, dtype=np.int32))
        ex, ey = ex * sign, ey * sign
        # inside an edge: ey * X <= ex * (Y - py) + ey * px; one comparison a sub-pixel
        across = (ey[:, :, None] * xs)[:, :, None, :]
        down = (ex[:, :, None] * (ys - py[:, :, None]) + (ey * px)[:, :, None])[..., None]
        mask: Mask = across[0] <= down[0]
        edge = np.empty_like(mask)
        for k in range(1, len(points)):
            np.less_equal(across[k], down[k], out=edge)
            mask &= edge
        self._paint(window, mask, value)
        return window, mask

    def ellipse(self, x: Where, y: Where, rx: Where, ry: Where, value: int) -> Painted:
        """An ellipse with its axes along the crop's."""
        x, y, rx, ry = (v + self._zero for v in (x, y, rx, ry))
        window, ys, xs = self._window(
            (x - rx).min(), (x + rx).max(), (y - ry).min(), (y + ry).max()
        )
        if not len(ys) or not len(xs):
            return self._none
        dy = (ys - y[:, None]).astype(np.int64)
        rx2, ry2 = (rx * rx)[:, None], np.maximum(ry * ry, 1)[:, None]
        limit = (rx2 - dy * dy * rx2 // ry2).astype(np.int32)
        dx = xs - x.astype(np.int32)[:, None]
        mask: Mask = (dx * dx)[:, None, :] <= limit[:, :, None]
        self._paint(window, mask, value)
        return window, mask

    def box(self, left: Where, top: Where, right: Where, bottom: Where, value: int) -> Painted:
        """An upright rectangle."""
        left, top, right, bottom = (v + self._zero for v in (left, top, right, bottom))
        window, ys, xs = self._window(left.min(), right.max(), top.min(), bottom.max())
        across = (xs >= left[:, None]) & (xs < right[:, None])
        down = (ys >= top[:, None]) & (ys < bottom[:, None])
        mask: Mask = across[:, None, :] & down[:, :, None]
        self._paint(window, mask, value)
        return window, mask

    def limb(
        self, ax: Where, ay: Where, ar: Where, bx: Where, by: Where, br: Where, value: int
    ) -> Painted:
        """A tapering limb from a (half-width ar) to b (br), with square ends."""
        dx: Ints = bx - ax + self._zero
        dy: Ints = by - ay + self._zero
        length = np.maximum(root(dx * dx + dy * dy), 1)
        anx, any_ = -dy * ar // length, dx * ar // length
        bnx, bny = -dy * br // length, dx * br // length
        one_side: list[tuple[Where, Where]] = [(ax + anx, ay + any_), (bx + bnx, by + bny)]
        return self.polygon([*one_side, (bx - bnx, by - bny), (ax - anx, ay - any_)], value)

    def pattern(
        self,
        painted: Painted,
        kind: str,
        value: int,
        pitch: int,
        y0: Where = 0,
        x0: Where = 0,
    ) -> None:
        """Paint stripes across (or a mixture of blocks) over what a shape painted.

        `pitch` is a stripe's height in scene units; y0, x0 fix the pattern to the cloth.
        """
        window, mask = painted
        if kind == "plain" or not mask.size:
            return
        rows = (self.ys[window[1]] - (y0 + self._zero)[:, None]) // pitch % 2 == 1
        if kind == "stripes":
            mask = mask & rows[:, :, None]
        else:
            columns = (self.xs[window[2]] - (x0 + self._zero)[:, None]) // pitch % 2 == 1
            mask = mask & (rows[:, :, None] ^ columns[:, None, :])
        self._paint(window, mask, value)
