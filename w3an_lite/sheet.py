"""Pictures drawn by Pillow: less fine than those of `plots`, and quick enough to follow a slider.

The same signs: the clearer a frame by its β, the thicker its border, and the level stands below it;
right and wrong are told by a sign and by a whole or broken border.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .picture import INK, LEVELS, RIGHT, WRONG, colours, thirds
from .plots import Ranked

PAPER = "#ffffff"
BORDERS = (2, 5, 9)
"""Pixels of the border of each level, low β first."""
_FINE = 2  # the graph is drawn this many times larger, so that its lines are smooth


def to_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along: it has β, α, ✓ and ✗."""
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )


def page(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), PAPER)
    return image, ImageDraw.Draw(image)


def write(
    pen: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int = 13, anchor: str = "mm"
) -> None:
    """Text with its middle (or another Pillow anchor) at (x, y)."""
    pen.text((x, y), text, fill=INK, font=font(size), anchor=anchor)


def photo(frame: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """A frame `[3, H, W]` as an image of (width, height)."""
    image = Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))
    return image.resize(size, Image.Resampling.BICUBIC)


def border(
    pen: ImageDraw.ImageDraw, box: Sequence[float], colour: str, width: int, dashed: bool = False
) -> None:
    """A border of `width` pixels round (left, top, right, bottom), covering none of it."""
    left, top, right, bottom = (
        edge + width * side for edge, side in zip(box, (-1, -1, 1, 1), strict=True)
    )
    if not dashed:
        outer = (left - 1, top - 1, right, bottom)  # a thin rim: yellow shows on white
        pen.rectangle(outer, outline=INK, width=1)
        pen.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=width)
        return
    for at in range(int(left), int(right), 12):
        end = min(at + 7, right)
        pen.rectangle((at, top, end, top + width - 1), fill=colour)
        pen.rectangle((at, bottom - width, end, bottom - 1), fill=colour)
    for at in range(int(top), int(bottom), 12):
        end = min(at + 7, bottom)
        pen.rectangle((left, at, left + width - 1, end), fill=colour)
        pen.rectangle((right - width, at, right - 1, end), fill=colour)


def strip(
    frames: NDArray[np.uint8],
    beta: NDArray[np.float64],
    width: int,
    chosen: int,
    covered: Collection[int] = (),
    palette: str = "paper",
) -> Image.Image:
    """Frames uint8 `[T, 3, H, W]` in a row, bordered by thirds of β `[T]`; ▼ above the chosen.

    Wider than `width` where the frames of a long clip would be too narrow to see.
    """
    count, (tall, wide) = len(frames), frames.shape[2:]
    width = max(width, 64 * count)  # of which a note in the smaller font takes 60
    step = width / count
    cell = int(min(110, step - 2 * max(BORDERS) - 4))
    height = round(cell * tall / wide)
    image, pen = page(width, height + 74)
    inks, levels = colours(palette), thirds(beta)
    size = 13 if step > 90 else 10
    for t, (frame, level) in enumerate(zip(frames, levels, strict=True)):
        middle, top = (t + 0.5) * step, 32
        left = round(middle - cell / 2)
        write(pen, middle, 10, f"▼ {t}" if t == chosen else str(t), 15 if t == chosen else 13)
        image.paste(photo(frame, (cell, height)), (left, top))
        border(pen, (left, top, left + cell, top + height), inks[level], BORDERS[level])
        note = f"{LEVELS[level]} {beta[t]:.2f}"
        write(pen, middle, top + height + 19, note, size)
        if t in covered:
            write(pen, middle, top + height + 34, "covered", size)
    return image


def graph(
    joined: NDArray[np.float64],
    beta: NDArray[np.float64],
    side: int,
    chosen: int,
    palette: str = "paper",
) -> Image.Image:
    """The frames of a clip on a circle, clockwise from the top, joined where A `[T, T]` is 1.

    A disc's size is β `[T]`, its colour and rim the third; the chosen frame has a ring. Frame, β
    and, if it is joined to none, "alone" stand outside; of more than 12 frames, the frame only.
    """
    count, s = len(beta), _FINE
    image, pen = page(side * s, side * s)
    inks, levels = colours(palette), thirds(beta)
    angles = -np.pi / 2 + 2 * np.pi * np.arange(count) / count
    ring, gap = 6, 4
    most = 20 if count < 3 else min(20.0, 0.2 * side * float(np.sin(np.pi / count)))
    room = 42 if count <= 12 else 18  # of a label, either way
    circle = side / 2 - most - ring - gap - room
    across, down = (side / 2 + circle * f(angles) for f in (np.cos, np.sin))
    for i, j in np.argwhere(np.triu(joined, 1)):
        ends = (across[i] * s, down[i] * s, across[j] * s, down[j] * s)
        pen.line(ends, fill="#777777", width=2 * s)
    radii = most * (0.35 + 0.65 * np.clip(beta, 0, 1))
    for t, level in enumerate(levels):
        x, y, radius = across[t] * s, down[t] * s, radii[t] * s
        if t == chosen:
            around = radius + (ring - 1) * s
            pen.ellipse((x - around, y - around, x + around, y + around), outline=INK, width=2 * s)
        pen.ellipse(
            (x - radius, y - radius, x + radius, y + radius),
            fill=inks[level], outline=INK, width=s * (1 + int(level)),
        )  # fmt: skip
    small = image.reduce(s)
    pen = ImageDraw.Draw(small)
    for t in range(count):
        lines = [(str(t), 13)]
        if count <= 12:
            lines += [(f"β {beta[t]:.2f}", 11)] + [("alone", 11)] * (not joined[t].any())
        wide, high = max(font(size).getlength(text) for text, size in lines), 13 * len(lines)
        c, d = float(np.cos(angles[t])), float(np.sin(angles[t]))
        # as far out as a box of this size must be to lie wholly beyond the disc and its ring
        reach = radii[t] + ring + gap + (abs(c) * wide + abs(d) * high) / 2
        x, y = across[t] + reach * c, down[t] + reach * d
        for line, (text, size) in enumerate(lines):
            write(pen, x, y + 13 * (line - (len(lines) - 1) / 2), text, size)
    return small


def gallery(items: Sequence[Ranked], width: int, height: int, foot: int = 48) -> Image.Image:
    """What was found, best first; ✓ and a whole border is right, ✗ and a broken one wrong.

    Each `Ranked` has its picture uint8 `[3, H, W]` as `frames`; `label` may have two lines.
    """
    image, pen = page(width, height)
    step = width / max(len(items), 1)
    for place, item in enumerate(items, start=1):
        tall, wide = item.frames.shape[-2:]
        high = min(height - 30 - foot, round((step - 16) * tall / wide))
        cell = round(high * wide / tall)
        middle = (place - 0.5) * step
        left, top = round(middle - cell / 2), 30
        sign = {True: " ✓", False: " ✗", None: ""}[item.right]
        write(pen, middle, 10, f"{place}{sign}", 15)
        image.paste(photo(item.frames, (cell, high)), (left, top))
        if item.right is not None:
            box = (left, top, left + cell, top + high)
            border(pen, box, RIGHT if item.right else WRONG, 4 if item.right else 3, not item.right)
        for line, text in enumerate([*item.label.splitlines(), f"d {item.distance:.3f}"]):
            write(pen, middle, top + high + 14 + 14 * line, text, 10)
    return image
