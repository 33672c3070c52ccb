"""Pictures of people: attention laid over frames (after Fig. 8) and ranked galleries.

Arrays in, a figure out. This module is also the door to the charts and to `save`, so that
`plots.X` finds every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray

from w3an_lite.charts import bars_with_error, beta_bars, cmc_curves, knn_graph, training_curves
from w3an_lite.picture import (
    INK,
    LEVELS,
    PALETTES,
    RIGHT,
    SMALL,
    TEXT,
    TITLE,
    TITLE_INCHES,
    WIDTHS,
    WRONG,
    Picture,
    colours,
    save,
    shape_error,
    thirds,
    thirds_of,
    to_png,
    vector,
)

__all__ = [
    "LEVELS", "PALETTES", "WIDTHS", "Picture", "Ranked", "Row", "attention_grid", "attention_strip",
    "bars_with_error", "beta_bars", "cmc_curves", "knn_graph", "overlay", "ranked_gallery", "save",
    "thirds", "to_png", "training_curves",
]  # fmt: skip

Row = tuple[str, Any, Any, Any]
"""(label, frames uint8 [T, 3, H, W], maps [T, h, w] or None, beta [T] or None)."""
Place = tuple[float, float, float, float]
"""(left, bottom, width, height) in inches."""
_CELL, _GAP = 0.8, 0.24  # inches: width of a frame, space between frames


class Ranked(NamedTuple):
    """One place of a ranking: frames uint8 `[n, 3, H, W]`; `right` is None where nobody knows."""

    frames: Any
    distance: float
    right: bool | None = None
    label: str = ""


def overlay(
    frames: ArrayLike,
    maps: ArrayLike,
    *,
    opacity: float = 0.55,
    peak: float | None = None,
    colormap: str = "inferno",
) -> NDArray[np.uint8]:
    """Lay maps `[T, h, w]` over frames uint8 `[T, 3, H, W]`; returns uint8 of the frames' shape.

    Maps are resized bilinearly; 0 is drawn dark and `peak` (left out: the clip's greatest value)
    bright. One scale serves the whole clip, and it starts at 0: a flat map stays flat and is not
    stretched to look like attention. The colours grow in lightness, so they read in grey too.
    """
    pictures = _frames("frames", frames)
    values = _maps(maps, len(pictures))
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity is {opacity}; give a number from 0 to 1")
    size = (pictures.shape[2], pictures.shape[3])
    large = torch.nn.functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(values))[:, None], size, mode="bilinear"
    )
    top = float(values.max()) if peak is None else peak
    shares = (large[:, 0].numpy() / max(top, 1e-12)).clip(0, 1)
    heat = matplotlib.colormaps[colormap](shares)[..., :3].transpose(0, 3, 1, 2) * 255
    mixed: NDArray[np.uint8] = (
        ((1 - opacity) * pictures + opacity * heat).round().clip(0, 255).astype(np.uint8)
    )
    return mixed


def attention_strip(
    frames: ArrayLike,
    maps: ArrayLike | None,
    beta: ArrayLike | None,
    *,
    title: str = "",
    palette: str = "paper",
    absolute: bool = False,
    raw: bool = False,
    opacity: float = 0.55,
    peak: float | None = None,
) -> Figure:
    """After Fig. 8: the frames of one clip, the map laid over, the border by the third of β.

    frames uint8 `[T, 3, H, W]`, maps `[T, h, w]` (None: no map), beta `[T]` (None: no border);
    `raw` adds the bare frames in a row above. See `attention_grid` for the rest.
    """
    rows: list[Row] = [("", frames, None, None)] if raw else []
    rows.append(("", frames, maps, beta))
    return attention_grid(
        rows, title=title, palette=palette, absolute=absolute, opacity=opacity, peak=peak
    )


def attention_grid(
    rows: Sequence[Row],
    *,
    title: str = "",
    palette: str = "paper",
    absolute: bool = False,
    opacity: float = 0.55,
    peak: float | None = None,
) -> Figure:
    """Several strips under each other, one `Row` (label, frames, maps, beta) each.

    The higher the β of a frame, the thicker its border; level and β stand below it. Levels are the
    thirds between the least and greatest β of the row's clip, or of [0, 1] if `absolute`. `peak` is
    the map's value drawn brightest; left out, each row takes its own greatest. Numbers above the
    first row are frame indices. Raises `ValueError` naming a shape that does not fit.
    """
    if not rows:
        raise ValueError("no rows; give (label, frames, maps, beta) for each strip")
    inks = colours(palette)
    strips = [_frames("frames", row[1]) for row in rows]
    betas = [
        None if row[3] is None else vector("beta", row[3], len(strip))
        for row, strip in zip(rows, strips, strict=True)
    ]
    heights = [_CELL * s.shape[2] / s.shape[3] for s in strips]
    unders = [_GAP if b is None else 0.46 for b in betas]
    widest = max(len(line) for row in rows for line in row[0].split("\n"))
    left = 0.2 + 0.075 * widest + (0.1 if widest else 0)
    note = _note(betas, absolute)
    head, foot = (0.62 if title else 0.32), (0.16 if note else 0.02)
    count = max(len(strip) for strip in strips)
    own = left + count * (_CELL + _GAP)
    width = max(own, 0.066 * len(note) + 0.2, TITLE_INCHES * len(title) + 0.2)
    spare = (width - own) / 2
    height = head + sum(heights) + sum(unders) + foot
    axes = _canvas(width, height, title)
    axes.text(0.1, 0.12, note, va="center", fontsize=SMALL, color=INK)
    top = height - head
    for index, ((label, _, maps, _), strip, beta) in enumerate(
        zip(rows, strips, betas, strict=True)
    ):
        drawn = strip if maps is None else overlay(strip, maps, opacity=opacity, peak=peak)
        levels = None if beta is None else thirds(beta, absolute)
        bottom = top - heights[index]
        axes.text(spare + 0.12, (bottom + top) / 2, label, va="center", fontsize=TEXT, color=INK)
        for t, picture in enumerate(drawn):
            place = (spare + left + t * (_CELL + _GAP), bottom, _CELL, heights[index])
            middle = place[0] + _CELL / 2
            _picture(axes, picture, place)
            if index == 0:
                axes.text(middle, top + 0.13, str(t), ha="center", fontsize=SMALL, color=INK)
            if beta is not None and levels is not None:
                level = int(levels[t])
                _border(axes, place, inks[level], WIDTHS[level])
                text = f"{LEVELS[level]} {beta[t]:.2f}"
                axes.text(middle, bottom - 0.25, text, ha="center", fontsize=SMALL, color=INK)
        top = bottom - unders[index]
    return _figure(axes)


def ranked_gallery(
    query: ArrayLike, items: Sequence[Ranked], *, title: str = "", shown: int = 2
) -> Figure:
    """The query, then what was found, best first: `shown` frames of each under each other.

    query uint8 `[n, 3, H, W]`. A right answer has ✓ and a thick unbroken border, a wrong one ✗
    and a dashed border, one that nobody labelled neither; the distance stands below.
    """
    if shown < 1 or not items:
        raise ValueError(f"shown={shown} of {len(items)} items; give at least one of each")
    stacks = [_stack(_frames("query", query), shown)]
    stacks += [_stack(_frames(f"items[{i}].frames", x.frames), shown) for i, x in enumerate(items)]
    labels = [item.label for item in items]
    cell = max(_CELL, 0.068 * max(len(line) for x in labels for line in x.split("\n")))
    tall = max(_CELL * s.shape[1] / s.shape[2] for s in stacks)
    head, lines = (0.66 if title else 0.36), 1 + max(x.count("\n") + bool(x) for x in labels)
    foot, step = 0.2 + 0.15 * lines, cell + _GAP
    width = max(0.3 + step * len(stacks) + 0.2, TITLE_INCHES * len(title) + 0.2)
    height = head + tall + foot
    axes = _canvas(width, height, title)
    for number, stack in enumerate(stacks):
        # The query stands apart from its answers.
        left = 0.15 + number * step + (0.2 if number else 0) + (cell - _CELL) / 2
        own = _CELL * stack.shape[1] / stack.shape[2]
        place = (left, height - head - own, _CELL, own)
        _picture(axes, stack, place)
        sign, caption = "query", ""
        if number:
            item = items[number - 1]
            sign = str(number) + {True: " ✓", False: " ✗", None: ""}[item.right]
            if item.right is not None:
                colour, border = (RIGHT, 5.0) if item.right else (WRONG, 3.0)
                _border(axes, place, colour, border, dashed=not item.right)
            caption = "\n".join(x for x in (item.label, f"d {item.distance:.3f}") if x)
        text: dict[str, Any] = {"x": left + _CELL / 2, "ha": "center", "color": INK}
        axes.text(y=height - head + 0.12, s=sign, fontsize=TEXT, fontweight="bold", **text)
        axes.text(y=foot - 0.13, s=caption, va="top", fontsize=SMALL, **text)
    return _figure(axes)


def _frames(name: str, frames: ArrayLike) -> NDArray[np.uint8]:
    array = np.asarray(frames)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] != 3 or array.size == 0:
        raise shape_error(name, array.shape, f"uint8 [T, 3, H, W] (it is {array.dtype})")
    return array


def _maps(maps: ArrayLike, count: int) -> NDArray[np.float32]:
    array = np.asarray(maps, dtype=np.float32)
    if array.ndim != 3 or len(array) != count or array.size == 0:
        raise shape_error("maps", array.shape, f"[{count}, h, w]")
    if not np.isfinite(array).all():
        raise ValueError("maps hold values that are not finite numbers")
    return array


def _canvas(width: float, height: float, title: str) -> Axes:
    """One axes that covers a new figure, its units inches: quicker than an axes a frame."""
    axes: Axes = Picture(figsize=(width, height)).add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(0, height), autoscale_on=False)
    axes.text(width / 2, height - 0.2, title, ha="center", va="center", fontsize=TITLE, color=INK)
    return axes


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _picture(axes: Axes, picture: NDArray[np.uint8], place: Place) -> None:
    """An image `[3, H, W]`, with a hair line around it."""
    left, bottom, width, height = place
    axes.imshow(
        picture.transpose(1, 2, 0), interpolation="bilinear", aspect="auto",
        extent=(left, left + width, bottom, bottom + height),
    )  # fmt: skip
    axes.add_patch(
        Rectangle((left, bottom), width, height, fill=False, linewidth=0.6, edgecolor="0.6")
    )


def _border(axes: Axes, place: Place, colour: str, width: float, dashed: bool = False) -> None:
    """A border of `width` points around the image, covering none of it.

    A thin dark rim lets yellow show on white. Dashes have none: it would fill them.
    """
    half = width / 2 / 72
    left, bottom, wide, high = place
    border = Rectangle(
        (left - half, bottom - half), wide + 2 * half, high + 2 * half, fill=False,
        linewidth=width, edgecolor=colour, joinstyle="miter", gid="border",
    )  # fmt: skip
    if dashed:
        border.set_linestyle((0, (2.2, 1.2)))
    else:
        border.set_path_effects([Stroke(linewidth=width + 1.2, foreground=INK), Normal()])
    axes.add_patch(border)


def _stack(frames: NDArray[np.uint8], shown: int) -> NDArray[np.uint8]:
    """`shown` frames, evenly chosen, under each other as one image `[3, H', W]`, white between."""
    chosen = frames[np.linspace(0, len(frames) - 1, min(shown, len(frames))).round().astype(int)]
    white = max(1, frames.shape[2] // 40)
    padded = np.pad(chosen, ((0, 0), (0, 0), (0, white), (0, 0)), constant_values=255)
    return np.concatenate(list(padded), axis=1)[:, :-white]


def _note(betas: Sequence[NDArray[np.float64] | None], absolute: bool) -> str:
    kinds = dict.fromkeys(thirds_of(beta, absolute) for beta in betas if beta is not None)
    if not kinds:
        return ""
    return f"border: {' or '.join(kinds)} of the number below; thick = high, thin = low"
