"""Tables of a report: their columns and lines, and what a change is worth, in points by seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from .ablation import LEFT_OUT
from .claims import Interval, interval, paired
from .readings import EQ8, GUIDED, READINGS
from .study_rows import WHOLE

MEASURES = {
    "rank1": "rank-1",
    "mAP": "mAP",
    "spearman_beta_visibility": "Spearman(β, visibility)",
    "alpha_inside": "α on the person",
    "alpha_pointing": "maximum on the person",
    "alpha_pointing_clear": "in clear frames",
    "alpha_pointing_covered": "in covered frames",
}
"""Columns of a table, as far as they were measured."""


def format_repairs(studies: Mapping[str, dict[str, Any]]) -> str:
    """What each repair is worth in points, as one Markdown table; empty without `repairs`.

    In `repaired`: the preset less what it is with the repair put back or, for one that was left
    out, what it makes of the preset, less the preset. Alone in `paper`: what the repair makes of
    it, less the paper as printed. Of mAP, of β's Spearman, of α's maximum.
    """
    if "repairs" not in studies:
        return ""
    worth = {m: MEASURES[m] for m in ("mAP", "spearman_beta_visibility", "alpha_pointing")}
    within = _worth(studies["repairs"], "repaired", worth)
    by_itself = _worth(studies["alone"], "paper", worth) if "alone" in studies else {}
    by_itself = {repair: cells for repair, cells in by_itself.items() if repair in within}
    sides = {"`repaired`": within, **({"`paper`": by_itself} if by_itself else {})}
    head = ["repair", *(f"in {said}: {name}" for said in sides for name in worth.values())]
    lines = [table_line(head), "|---" * len(head) + "|"]
    for repair in within:
        left_out = " (left out)" if repair in LEFT_OUT else ""
        cells = (side.get(repair, ["–"] * len(worth)) for side in sides.values())
        lines.append(table_line([repair + left_out, *chain.from_iterable(cells)]))
    return "\n".join(lines)


def format_readings(content: dict[str, Any]) -> str:
    """What another reading makes of each preset, in points, as one Markdown table.

    Of mAP and of β's Spearman: with the reading, less without it. What is read of Eq. 6-8 in
    `repaired` is compared with `repaired` with Eq. 8 put back. A reading that no row speaks to is
    left out.
    """
    worth = {m: MEASURES[m] for m in ("mAP", "spearman_beta_visibility")}
    presets = rows_of(content)
    head = ["read another way", *(f"in `{p}`: {name}" for p in presets for name in worth.values())]
    lines = [table_line(head), "|---" * len(head) + "|"]
    for name in [*READINGS, *GUIDED]:
        cells = []
        for preset, variants in presets.items():
            pair = (name, WHOLE) if name in variants else (f"{EQ8}, {name}", EQ8)
            cells += [points(interval(paired(content, preset, *pair, m))) or "–" for m in worth]
        if set(cells) != {"–"}:
            lines.append(table_line([name, *cells]))
    return "\n".join(lines)


def _worth(content: dict[str, Any], preset: str, measures: Iterable[str]) -> dict[str, list[str]]:
    """By repair, the points it is worth in each measure: with it, less without it."""
    out = {}
    for variant in rows_of(content).get(preset, []):
        word, _, repair = variant.partition(" ")
        pair = {"without": (WHOLE, variant), "with": (variant, WHOLE)}.get(word)
        if pair:
            found = (interval(paired(content, preset, *pair, m)) for m in measures)
            out[repair] = [points(f) or "–" for f in found]
    return out


def points(found: Interval, digits: int = 1) -> str:
    """A difference of shares in points: `+1.2 [−0.3, +2.7]`; without interval of one seed."""
    if np.isnan(found.mean):
        return ""
    mean, low, high = (f"{100 * v:+.{digits}f}".replace("-", "−") for v in found[:3])
    return f"{mean} [{low}, {high}]" if np.isfinite(found.low) else mean


def rows_of(content: dict[str, Any]) -> dict[str, list[str]]:
    """Variants by preset, in the order they stand in."""
    out: dict[str, list[str]] = {}
    for row in content["rows"]:
        variants = out.setdefault(row["preset"], [])
        if row["variant"] not in variants:
            variants.append(row["variant"])
    return out


def beside(variant: str) -> str:
    """The row that a row of a study is compared with: `WHOLE`, or `EQ8` where it is put back."""
    return EQ8 if variant.startswith(f"{EQ8}, ") else WHOLE


def table_line(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
