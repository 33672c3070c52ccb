"""What every picture shares: the figure itself, how it is saved, and the three levels of β."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from .files import replacing

TITLE, TEXT, SMALL = 11, 9, 8
"""Font sizes in points."""
TITLE_INCHES = 0.1
"""Width of a letter of a title."""
INK = "#333333"
RIGHT, WRONG = "#00734f", "#d55e00"
"""Colours of a right and a wrong place of a ranking."""
LEVELS = ("low", "middle", "high")
"""The thirds of β, lowest first. Fig. 8 calls frames of its three colours heavily occluded,
slightly occluded and clear; whether they are is what has to be measured."""
WIDTHS = (1.5, 3.5, 6.0)
"""Border widths of the levels in points: the higher, the thicker."""
HATCHES = ("xxx", "///", "")
PALETTES = {
    "paper": ("#f5d000", "#1f9e3a", "#d7191c"),  # yellow, green, red, as the paper prints them
    "safe": ("#f0e442", "#56b4e9", "#00446b"),  # told apart by lightness alone
}
LINES = (
    ("#0072b2", "-", "o"), ("#d55e00", "--", "s"), ("#009e73", "-.", "^"), ("#000000", ":", "D"),
    ("#cc79a7", (0, (5, 1, 1, 1, 1, 1)), "v"), ("#7a5c00", (0, (1, 1)), "P"),
)  # fmt: skip
"""Colour, dashes and marker of the curves of one chart, in turn."""


class Picture(Figure):
    """A Matplotlib figure that pyplot never holds, and that a notebook shows all the same."""

    def _repr_png_(self) -> bytes:
        return to_png(self)


def to_png(figure: Figure, dpi: float = 100, compression: int = 6) -> bytes:
    """The figure as PNG. Without date and version inside: equal pictures are equal bytes.

    `compression` 1 is quickest (for a widget), 9 smallest.
    """
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=dpi, metadata={"Software": None},
        pil_kwargs={"compress_level": compression},
    )  # fmt: skip
    return buffer.getvalue()


def save(figure: Figure, path: str | Path, dpi: float = 150) -> Path:
    """Write the figure as PNG; `path` holds the old file or the whole new one, never a part.

    Its folder is made if it is missing. Raises `ValueError` if `path` does not end in .png,
    `OSError` if it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path} does not end in .png; pictures are saved as PNG")
    data = to_png(figure, dpi)
    with replacing(path) as part:
        part.write_bytes(data)
    return path


def thirds(beta: ArrayLike, absolute: bool = False) -> NDArray[np.int64]:
    """Level of each β `[T]`: 0 low, 1 middle, 2 high (indices into `LEVELS`).

    Three equal ranges, as in Fig. 8, which does not say of what: between the least and the greatest
    β of the clip; with `absolute`, of [0, 1]. A clip whose β are all equal has no ranges and takes
    the absolute ones.
    """
    values = vector("beta", beta)
    low, high = 0.0, 1.0
    if not (absolute or _even(values)):
        low, high = float(values.min()), float(values.max())
    # 1e-9: a β that lies on a border belongs to the upper range, rounding or not.
    return np.floor((values - low) / (high - low) * 3 + 1e-9).clip(0, 2).astype(np.int64)


def thirds_of(beta: ArrayLike, absolute: bool = False) -> str:
    """What range `thirds` divides, in words."""
    whole = absolute or _even(vector("beta", beta))
    return "thirds of [0, 1]" if whole else "thirds of the clip's range"


def _even(values: NDArray[np.float64]) -> bool:
    return bool(values.max() - values.min() < 1e-6)


def vector(name: str, values: ArrayLike, length: int | None = None) -> NDArray[np.float64]:
    """`values` as finite float64 `[length]`; `ValueError` names its shape if it is none."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or (length is not None and len(array) != length):
        raise ValueError(f"{name} is {list(array.shape)}; give [{length or 'T'}]")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}[{int(np.argmin(np.isfinite(array)))}] is not a finite number")
    return array


def colours(palette: str) -> tuple[str, str, str]:
    """Colours of the levels, lowest first; `ValueError` names a palette that does not exist."""
    if palette not in PALETTES:
        raise ValueError(f"palette {palette!r} is unknown; choose one of {', '.join(PALETTES)}")
    return PALETTES[palette]


def plain_axes(figure: Figure, *place: Any, **options: Any) -> Axes:
    """An axes for a chart: no box, a light grid below, the fonts of the house."""
    axes: Axes = figure.add_subplot(*place, **options)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=INK)
    axes.grid(True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def head(figure: Figure, title: str) -> None:
    """The title above all of a figure, in as many lines as its width asks for."""
    if title:
        width = max(12, int(figure.get_size_inches()[0] / TITLE_INCHES))
        figure.suptitle(textwrap.fill(title, width), fontsize=TITLE, color=INK)


def name_axes(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """The name of one chart of several, and of its axes, in the fonts of the house."""
    axes.set_title(title, fontsize=TITLE, color=INK)
    axes.set_xlabel(x, fontsize=TEXT, color=INK)
    axes.set_ylabel(y, fontsize=TEXT, color=INK)


def shape_error(name: str, shape: Sequence[int], wanted: str) -> ValueError:
    return ValueError(f"{name} is {list(shape)}; give {wanted}")
