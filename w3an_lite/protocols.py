"""What the choice of protocol does to the same features: one table of all of them by name.

The literature reports MARS with and without the queries in the gallery, with its junk, and with
two forms of average precision, rarely saying which. Two-camera sets have ten splits, so a row of
theirs is a mean and a spread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .data.datasets import load_dataset, protocols_of
from .data.output import all_tracklets
from .data.prid2011 import PROTOCOLS as PRID2011_PROTOCOLS
from .data.splits import random_half, without_mate
from .data.tracklet import JUNK, DataError, Split, Tracklet, check_names
from .distance import Array, Metric
from .evaluation import evaluate

HALVES = 10
AP_FORMS = ("step", "trapezoid")


class ProtocolRow(NamedTuple):
    """One protocol and one form of AP, over `repeats` splits; rates in [0, 1].

    queries, without_mate, gallery, junk: of the first split; junk is in the gallery and not ranked.
    rank1_sd, mean_ap_sd: standard deviation (n - 1) over the splits, nan of one split
    """

    protocol: str
    ap: str
    repeats: int
    queries: int
    without_mate: int
    gallery: int
    junk: int
    rank1: float
    rank5: float
    mean_ap: float
    rank1_sd: float
    mean_ap_sd: float


def mars_protocols(split: Split, halves: int = HALVES) -> dict[str, list[Split]]:
    """MARS's protocols by name, all made from one split whose gallery holds every test tracklet.

    Give `read_mars(root, "mars/official")`, or any split whose queries are in its gallery. The
    names begin with the split's own, less "/official". `DataError` if a query is not in there.
    """
    asks = {id(t) for t in split.query}
    if not asks:
        raise DataError(f"{split!r} has no queries, so no protocol; take people to search for")
    if not asks <= {id(t) for t in split.gallery}:
        raise DataError(
            f"{split!r}: its queries are not all in its gallery; load the official protocol, "
            "which holds every test tracklet"
        )
    base = split.name.removesuffix("/official")
    people = [t for t in split.gallery if t.identity != JUNK]
    alone = [t for t in people if id(t) not in asks]
    found = {
        f"{base}/{what}": [Split(f"{base}/{what}", split.train, split.query, gallery)]
        for what, gallery in (
            ("gallery-without-queries", alone),
            ("gallery-with-queries", people),
            ("official", split.gallery),
        )
        if gallery  # where every tracklet asks, nothing is left beside the queries
    }
    if halves:
        tracklets = all_tracklets(split)
        found[f"{base}/random-half"] = [random_half(tracklets, i, name=base) for i in range(halves)]
    return found


def protocol_splits(
    name: str, root: str | Path | None = None, **options: Any
) -> dict[str, list[Split]]:
    """Every protocol of data set `name`, as `load_dataset` takes it, by the name of its results.

    A store has the one protocol it was packed with, unless its queries are in its gallery.
    """
    if name == "mars":
        return mars_protocols(load_dataset(name, root, "mars/official", **options))
    if name in ("ilids-vid", "prid2011"):
        series = {
            "ilids-vid": ("ilids-vid/split", "ilids-vid/random-half"),
            "prid2011": tuple(p.removesuffix("-0") for p in PRID2011_PROTOCOLS if p.endswith("-0")),
        }[name]
        held = {key: options[key] for key in ("official", "splits") if key in options}
        known = protocols_of(name, root, **held)
        found = {}
        for one in series:
            splits = [
                load_dataset(name, root, protocol, **options)
                for protocol in known
                if protocol.rpartition("-")[0] == one
            ]
            found[splits[0].name.removesuffix("-0")] = splits
        return found
    split = load_dataset(name, root, **options)
    if {id(t) for t in split.query} <= {id(t) for t in split.gallery}:
        return mars_protocols(split)
    return {split.name: [split]}


def all_of(protocols: Mapping[str, Sequence[Split]]) -> list[Tracklet]:
    """Every tracklet that is asked for or searched under some protocol, once for each name.

    `DataError` if one has no name, or two tracklets of one split share theirs.
    """
    named: dict[str, Tracklet] = {}
    for splits in protocols.values():
        for split in splits:
            own = list({id(t): t for t in (*split.query, *split.gallery)}.values())
            check_names(own, "features are kept by name")
            named.update((t.name, t) for t in own)
    return list(named.values())


def protocol_table(
    features: Array,
    tracklets: Sequence[Tracklet],
    protocols: Mapping[str, Sequence[Split]],
    metric: Metric = "euclidean",
) -> list[ProtocolRow]:
    """A row for each protocol and form of AP, over the same features.

    features `[N, D]` of `tracklets` `[N]`, found again by the tracklets' names, as each reading of
    a data set makes new ones; protocols as `protocol_splits` gives them.

    `DataError` if a name is repeated, or a split holds a tracklet that has no feature.
    """
    if len(features) != len(tracklets):
        raise DataError(f"{len(features)} features for {len(tracklets)} tracklets; give one each")
    rows = {t.name: i for i, t in enumerate(tracklets)}
    if len(rows) < len(tracklets):
        raise DataError(
            f"{len(tracklets)} tracklets have {len(rows)} different names; name each once"
        )
    vectors = torch.as_tensor(features)
    return [
        _row(vectors, rows, name, list(splits), ap, metric)
        for name, splits in protocols.items()
        for ap in AP_FORMS
    ]


def _row(
    vectors: Tensor, rows: dict[str, int], name: str, splits: list[Split], ap: Any, metric: Metric
) -> ProtocolRow:
    if not splits:
        raise DataError(f"protocol {name!r} has no split; give at least one")
    scores = []
    for split in splits:
        lost = [t.name for t in (*split.query, *split.gallery) if t.name not in rows]
        if lost:
            raise DataError(
                f"{split.name}: tracklet {lost[0]!r} has no feature ({len(lost)} such); embed it"
            )
        ranking = evaluate(
            vectors[[rows[t.name] for t in split.query]],
            vectors[[rows[t.name] for t in split.gallery]],
            [t.identity for t in split.query],
            [t.camera for t in split.query],
            [t.identity for t in split.gallery],
            [t.camera for t in split.gallery],
            ap=ap,
            metric=metric,
            protocol=split.name,
        )
        scores.append((ranking.rank(1), ranking.rank(5), ranking.mean_ap))
    rank1, rank5, mean_ap = np.mean(scores, axis=0).tolist()
    spread = np.std(scores, axis=0, ddof=1) if len(scores) > 1 else np.full(3, np.nan)
    first = splits[0]
    return ProtocolRow(
        name,
        ap,
        len(splits),
        len(first.query),
        without_mate(first),
        len(first.gallery),
        sum(t.identity == JUNK for t in first.gallery),
        rank1,
        rank5,
        mean_ap,
        float(spread[0]),
        float(spread[2]),
    )


def format_protocols(rows: Sequence[ProtocolRow]) -> str:
    """The rows as text in columns, rates in per cent."""

    def rate(mean: float, spread: float = float("nan")) -> str:
        return f"{100 * mean:.1f}" + ("" if np.isnan(spread) else f" ± {100 * spread:.1f}")

    table = [("protocol", "AP", "splits", "queries", "no mate", "gallery", "junk", "rank-1",
              "rank-5", "mAP")]  # fmt: skip
    table += [
        (r.protocol, r.ap, f"{r.repeats}", f"{r.queries:,}", f"{r.without_mate:,}",
         f"{r.gallery:,}", f"{r.junk:,}", rate(r.rank1, r.rank1_sd), rate(r.rank5),
         rate(r.mean_ap, r.mean_ap_sd))
        for r in rows
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(
            c.ljust(w) if i < 2 else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])
