"""Pictures of numbers: curves, bars, and the graph of a clip. Arrays in, a figure out.

Curves differ by dashes and marker, bars by hatching, nodes by size and label: none needs colour.
Frames are numbered from 0, as in the arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Wedge
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from w3an_lite.picture import (
    HATCHES,
    INK,
    LEVELS,
    LINES,
    SMALL,
    TEXT,
    WIDTHS,
    Picture,
    colours,
    head,
    name_axes,
    plain_axes,
    shape_error,
    thirds,
    thirds_of,
    vector,
)

Curve = Sequence[float]


def training_curves(
    log: Mapping[str, Curve] | Mapping[str, Mapping[str, Curve]],
    title: str = "",
    x: str = "epoch",
) -> Figure:
    """One small chart a term, each on its own scale.

    `log` is term -> values, or run -> term -> values: then each chart has one line a run.
    """
    runs: dict[str, dict[str, Curve]] = {}
    for name, value in log.items():
        if isinstance(value, Mapping):
            runs[name] = dict(value)
        else:
            runs.setdefault("", {})[name] = value
    terms = list(dict.fromkeys(term for run in runs.values() for term in run))
    if not terms:
        raise ValueError("the log holds no terms; give {term: [values]}")
    columns = min(3, len(terms))
    lines = -(-len(terms) // columns)
    figure = Picture(figsize=(3.1 * columns, 2.2 * lines + 0.4), layout="constrained")
    for place, term in enumerate(terms, start=1):
        axes = plain_axes(figure, lines, columns, place)
        for index, (name, run) in enumerate(runs.items()):
            if term in run:
                values = np.asarray(run[term], dtype=np.float64)
                if values.ndim != 1 or len(values) == 0:
                    raise shape_error(f"log[{term!r}]", values.shape, "[steps]")
                colour, dashes, marker = LINES[index % len(LINES)]
                axes.plot(
                    np.arange(1, len(values) + 1), values, color=colour, linestyle=dashes,
                    marker=marker, markersize=4, markevery=max(1, len(values) // 8), label=name,
                )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        name_axes(axes, term, x)
    if len(runs) > 1:
        drawn = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
        key = [drawn[name] for name in runs if name in drawn]
        figure.legend(handles=key, loc="outside lower center", ncols=4, fontsize=SMALL)
    head(figure, title)
    return figure


def cmc_curves(curves: Mapping[str, ArrayLike], title: str = "") -> Figure:
    """Share of queries found within the first r places; `curves` is name -> `[R]`, rank 1 first."""
    if not curves:
        raise ValueError("no curves; give {name: cmc [R]}")
    figure = Picture(figsize=(5.2, 3.6), layout="constrained")
    axes = plain_axes(figure)
    longest = 1
    for index, (name, cmc) in enumerate(curves.items()):
        values = vector(f"curves[{name!r}]", cmc)
        colour, dashes, marker = LINES[index % len(LINES)]
        axes.plot(
            np.arange(1, len(values) + 1), values, color=colour, linestyle=dashes, marker=marker,
            markersize=5, markevery=max(1, len(values) // 10),
            label=f"{name} (rank-1 {values[0]:.3f})",
        )  # fmt: skip
        longest = max(longest, len(values))
    step = 1 if longest <= 10 else 5 if longest <= 30 else 10
    axes.set_xticks(sorted({1, *range(step, longest + 1, step)}))
    axes.set_ylim(top=1.02)
    name_axes(axes, "", "rank", "share of queries found")
    head(figure, title)
    axes.legend(fontsize=SMALL, loc="lower right", handlelength=3.5)
    return figure


def beta_bars(
    beta: ArrayLike,
    visibility: ArrayLike | None = None,
    *,
    title: str = "",
    palette: str = "paper",
    absolute: bool = False,
) -> Figure:
    """β `[T]` as bars, hatched by its third, and the true visibility `[T]` as diamonds."""
    values = vector("beta", beta)
    levels, inks = thirds(values, absolute), colours(palette)
    figure = Picture(figsize=(max(4.2, 0.52 * len(values) + 1.8), 2.9), layout="constrained")
    axes = plain_axes(figure)
    for t, (value, level) in enumerate(zip(values, levels, strict=True)):
        axes.bar(t, value, width=0.72, facecolor=inks[level], edgecolor=INK, hatch=HATCHES[level])
    key: list[Patch | Line2D] = [
        Patch(facecolor=inks[i], edgecolor=INK, hatch=HATCHES[i], label=f"{LEVELS[i]}")
        for i in (2, 1, 0)
    ]
    top = max(1.0, float(values.max()))
    if visibility is not None:
        seen = vector("visibility", visibility, len(values))
        (line,) = axes.plot(seen, color="black", linestyle=":", marker="D", markerfacecolor="white")
        line.set_label("true visibility")
        key.append(line)
    axes.set_ylim(0, 1.1 * top)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_xticks(range(len(values)), [f"{t}\n{value:.2f}" for t, value in enumerate(values)])
    name_axes(axes, "", "frame t, and its β", "β")
    head(figure, title)
    figure.legend(handles=key, loc="outside right upper", fontsize=SMALL, frameon=False)
    return figure


def bars_with_error(
    names: Sequence[str],
    means: ArrayLike,
    spreads: ArrayLike,
    *,
    title: str = "",
    label: str = "",
) -> Figure:
    """Means `[n]` as bars, a line of their spread `[n]` each way, and both as text.

    A spread that is not known is nan: no line, and the mean alone.
    """
    heights = vector("means", means, len(names))
    errors = np.asarray(spreads, dtype=np.float64)
    known = ~np.isnan(errors)
    vector("spreads", np.where(known, errors, 0), len(names))
    figure = Picture(figsize=(6.4, 0.42 * len(names) + 1.1), layout="constrained")
    axes = plain_axes(figure)
    rows = np.arange(len(names))
    axes.barh(
        rows, heights, height=0.66, color="#9cc4e4", edgecolor=INK,
    )  # fmt: skip
    axes.errorbar(
        heights[known], rows[known], xerr=errors[known], fmt="none", ecolor="black", capsize=4,
        linewidth=1.3,
    )  # fmt: skip
    digits = int(np.clip(2 - np.floor(np.log10(np.abs(heights).max() + 1e-9)), 0, 4))
    # Beyond the end of the error line, on the side to which the bar points.
    texts = []
    for row, mean, error in zip(rows, heights, errors, strict=True):
        side = -1 if mean < 0 else 1
        text = f"{mean:.{digits}f}" + ("" if np.isnan(error) else f" ± {error:.{digits}f}")
        texts.append(
            axes.annotate(
                text.replace("-", "−"), (mean + side * np.nan_to_num(error), row), (6 * side, 0),
                textcoords="offset points", ha="left" if side > 0 else "right", va="center",
                fontsize=SMALL, color=INK,
            )
        )  # fmt: skip
    axes.set_yticks(rows, list(names), fontsize=TEXT)
    axes.invert_yaxis()
    axes.axvline(0, color=INK, linewidth=1)
    if (heights - np.nan_to_num(errors) >= 0).all():  # a line that reaches below 0 is shown so
        axes.set_xlim(left=0)
    name_axes(axes)
    figure.supxlabel(label, fontsize=TEXT, color=INK)
    head(figure, title)
    _make_room(axes, texts)
    return figure


def _make_room(axes: Axes, texts: Sequence[Annotation]) -> None:
    """Widen the x axis until all `texts`, whose size it does not change, lie within it."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    for _ in range(4):  # each time the scale is a little smaller
        figure.draw_without_rendering()
        box, (low, high) = axes.get_window_extent(), axes.get_xlim()
        left = min((text.get_window_extent().x0 for text in texts), default=box.x0 + 12) - 12
        right = max((text.get_window_extent().x1 for text in texts), default=box.x1 - 4) + 4
        scale = (high - low) / box.width
        axes.set_xlim(
            low - max(0.0, box.x0 - left) * scale, high + max(0.0, right - box.x1) * scale
        )


def knn_graph(
    adjacency: ArrayLike,
    beta: ArrayLike,
    visibility: ArrayLike | None = None,
    *,
    title: str = "",
    palette: str = "paper",
    absolute: bool = False,
) -> Figure:
    """The frames of a clip on a circle, clockwise from the top, joined where Ã `[T, T]` is not 0.

    A disc's size is β `[T]`, its colour and rim the third of β; the dark slice is the share of the
    person that is hidden (visibility `[T]`). A line's width is the weight, the greater of the two
    directions. A frame without a neighbour has a dashed rim and is called alone. The diagonal is
    not drawn.
    """
    weights = np.asarray(adjacency, dtype=np.float64)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or weights.size == 0:
        raise shape_error("adjacency", weights.shape, "[T, T]")
    count = len(weights)
    values = vector("beta", beta, count)
    seen = None if visibility is None else vector("visibility", visibility, count)
    levels, inks = thirds(values, absolute), colours(palette)
    weights = np.maximum(np.abs(weights), np.abs(weights.T))
    np.fill_diagonal(weights, 0)
    peak = float(weights.max())

    figure = Picture(figsize=(5.6, 5.2))
    axes = figure.add_axes((0.0, 0.06, 1.0, 0.86))
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set(xlim=(-1.75, 1.75), ylim=(-1.45, 1.45))
    angles = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for i, j in zip(*np.nonzero(np.triu(weights)), strict=True):
        share = weights[i, j] / peak
        axes.plot(
            *points[[i, j]].T, color=str(0.75 - 0.5 * share), linewidth=0.6 + 4.4 * share,
            solid_capstyle="round", zorder=1,
        )  # fmt: skip
    for t, (point, value, level) in enumerate(zip(points, values, levels, strict=True)):
        alone = not weights[t].any()
        radius = (0.06 + 0.12 * min(max(value, 0.0), 1.0)) * min(1.0, 12 / count)
        axes.add_patch(
            Circle(
                tuple(point),
                radius,
                facecolor=inks[level],
                edgecolor="black",
                linewidth=WIDTHS[level] / 2,
                linestyle="--" if alone else "-",
                zorder=2,
            )
        )
        lines = [f"t={t}" + (" alone" if alone else ""), f"β {value:.2f} {LEVELS[level]}"]
        if seen is not None:
            hidden = 360 * (1 - min(max(float(seen[t]), 0.0), 1.0))
            axes.add_patch(
                Wedge(tuple(point), 0.85 * radius, 90 - hidden, 90, facecolor="#222222", zorder=3)
            )
            lines.append(f"visible {seen[t]:.2f}")
        (across, up), reach = point.tolist(), 1.06 + radius
        axes.text(
            across * reach, up * reach, "\n".join(lines), fontsize=SMALL, color=INK,
            ha="center" if abs(across) < 0.2 else "left" if across > 0 else "right",
            va="center" if abs(up) < 0.55 else "bottom" if up > 0 else "top", linespacing=1.1,
        )  # fmt: skip
    note = (
        f"disc: β   line: weight up to {peak:.2f}" if peak else "disc: β   no frame has a neighbour"
    )
    note += f"   colour: {thirds_of(values, absolute)}"
    if seen is not None:
        note += "   dark slice: hidden share"
    figure.text(0.5, 0.02, note, ha="center", fontsize=SMALL, color=INK)
    head(figure, title)
    return figure
