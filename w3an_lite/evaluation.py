"""How well are people found again: CMC and mean average precision.

Every right gallery item has a rank: one plus the kept items that stand before it. CMC and AP follow
from those ranks alone, so nothing else is ordered by name, and queries go through in chunks.

The rules: an item with the query's identity *and* camera is dropped (`camera_rule`), junk
(identity -1) is dropped for every query, a distractor (identity 0) stays and is never right. A
query with no right item left is skipped and counted. Equal distances rank in gallery order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from w3an_lite.data.tracklet import DISTRACTOR, JUNK
from w3an_lite.distance import Array, Metric, check_finite, distances, features, matrix, measure

__all__ = ["Ranking", "distances", "evaluate", "evaluate_distances", "repeat_summary"]

Labels: TypeAlias = "Tensor | NDArray[Any] | Sequence[int]"
APForm = Literal["step", "trapezoid"]

SUMMARY_RANKS = (1, 5, 10, 20)
_CHUNK_VALUES = 2_000_000  # distances held at once
_CHUNK_ROWS = 16  # fewer queries than this would read a huge gallery again and again
_LABEL_NAMES = ("query_identity", "query_camera", "gallery_identity", "gallery_camera")


@dataclass(frozen=True, eq=False)
class Ranking:
    """The outcome of one search.

    cmc: float64 `[max_rank]`, share of valid queries whose first right item has rank <= r
    mean_ap: mean of `average_precision` over the valid queries
    average_precision: float64 `[Q]`, nan for a skipped query
    first_rank: int64 `[Q]`, rank of the first right item from 1, 0 for a skipped query
    valid: bool `[Q]`; skipped: how many are not
    protocol, metric, ap, camera_rule: under which rules, so that no two are mixed unseen
    """

    cmc: NDArray[np.float64]
    mean_ap: float
    average_precision: NDArray[np.float64]
    first_rank: NDArray[np.int64]
    valid: NDArray[np.bool_]
    skipped: int
    protocol: str
    metric: str
    ap: str
    camera_rule: bool

    def rank(self, r: int) -> float:
        """Rank-`r` accuracy in [0, 1]; `ValueError` beyond `max_rank`."""
        if not 1 <= r <= len(self.cmc):
            raise ValueError(f"rank {r} was not computed; ask for 1 to {len(self.cmc)}")
        return float(self.cmc[r - 1])

    def summary(self) -> dict[str, Any]:
        """The headline numbers and the rules they were counted under, ready for JSON."""
        ranks = {f"rank{r}": self.rank(r) for r in SUMMARY_RANKS if r <= len(self.cmc)}
        return {
            "protocol": self.protocol, "metric": self.metric, "ap": self.ap,
            "camera_rule": self.camera_rule, "mAP": self.mean_ap, **ranks,
            "queries": len(self.valid), "skipped": self.skipped,
        }  # fmt: skip


def evaluate(
    query_features: Array,
    gallery_features: Array,
    query_identity: Labels,
    query_camera: Labels,
    gallery_identity: Labels,
    gallery_camera: Labels,
    *,
    metric: Metric = "euclidean",
    camera_rule: bool = True,
    ap: APForm = "step",
    max_rank: int = 50,
    protocol: str = "unnamed",
    chunk: int | None = None,
) -> Ranking:
    """Search the gallery `[G, D]` for each query `[Q, D]`; labels are integers `[Q]` and `[G]`.

    `ap="step"` is the mean of the precision at each right item; `"trapezoid"` joins each to the
    position before it, as in MARS's official evaluation. `chunk` queries are held at once (the
    default bounds memory, see tests/benchmarks/bench_evaluation.py). The gallery is copied only if
    it is neither float32 nor float64, of another type than the queries, or an array that does not
    lie row by row. Distances are rounded floats: copies of one feature tie only
    if the rounding agrees.
    """
    query = features(query_features, "query_features")
    gallery = features(gallery_features, "gallery_features")
    labels = (query_identity, query_camera, gallery_identity, gallery_camera)
    return _search(
        measure(query, gallery, metric), (len(query), len(gallery)), labels, query.device,
        metric=metric, camera_rule=camera_rule, ap=ap, max_rank=max_rank, protocol=protocol,
        chunk=chunk,
    )  # fmt: skip


def evaluate_distances(
    distance: Array,
    query_identity: Labels,
    query_camera: Labels,
    gallery_identity: Labels,
    gallery_camera: Labels,
    *,
    camera_rule: bool = True,
    ap: APForm = "step",
    max_rank: int = 50,
    protocol: str = "unnamed",
    chunk: int | None = None,
) -> Ranking:
    """As `evaluate`, from distances `[Q, G]` (smaller is closer) that somebody else measured."""
    given = matrix(distance, "distance")
    labels = (query_identity, query_camera, gallery_identity, gallery_camera)
    return _search(
        lambda rows: given[rows].clone(), (given.shape[0], given.shape[1]), labels, given.device,
        metric="given", camera_rule=camera_rule, ap=ap, max_rank=max_rank, protocol=protocol,
        chunk=chunk,
    )  # fmt: skip


def repeat_summary(rankings: Sequence[Ranking]) -> dict[str, Any]:
    """Mean and spread (standard deviation, n - 1) over repeats, such as ten random halves.

    `ValueError` if there are fewer than two, or if they were counted under different rules.
    """
    if len(rankings) < 2:
        raise ValueError(f"a spread needs two rankings or more, got {len(rankings)}")
    rules = {(r.protocol, r.metric, r.ap, r.camera_rule) for r in rankings}
    if len(rules) > 1:
        raise ValueError(f"rankings under different rules do not average: {sorted(rules)}")
    rows = [r.summary() for r in rankings]
    names = [
        k for k in rows[0] if k == "mAP" or (k.startswith("rank") and all(k in r for r in rows))
    ]
    out = {k: rows[0][k] for k in ("protocol", "metric", "ap", "camera_rule")}
    for name in names:
        values = np.array([row[name] for row in rows])
        out[name] = {"mean": float(values.mean()), "sd": float(values.std(ddof=1))}
    return {**out, "repeats": len(rows), "skipped": [row["skipped"] for row in rows]}


def _search(
    apart: Callable[[slice], Tensor],
    shape: tuple[int, int],
    labels: tuple[Labels, Labels, Labels, Labels],
    device: torch.device,
    *,
    metric: str,
    camera_rule: bool,
    ap: APForm,
    max_rank: int,
    protocol: str,
    chunk: int | None,
) -> Ranking:
    """The core of both doors: `apart(rows)` gives a fresh `[rows, G]` of distances."""
    queries, items = shape
    if queries == 0 or items == 0:
        raise ValueError(f"{queries} queries and {items} gallery items; give at least one of each")
    if ap not in ("step", "trapezoid"):
        raise ValueError(f"ap={ap!r}; choose 'step' or 'trapezoid'")
    if max_rank < 1 or (chunk is not None and chunk < 1):
        raise ValueError(f"max_rank={max_rank} and chunk={chunk}; both must be at least 1")
    q_id, q_cam, g_id, g_cam = (
        _labels(label, n, name, device)
        for label, n, name in zip(
            labels, (queries, queries, items, items), _LABEL_NAMES, strict=True
        )
    )
    nobody = (q_id <= DISTRACTOR).nonzero()
    if len(nobody):
        i = int(nobody[0])
        raise ValueError(
            f"query_identity[{i}] is {int(q_id[i])}, junk or a distractor ({len(nobody)} such); "
            "only a person can be asked for: drop these queries, or count identities from 1"
        )

    # Gallery sorted by identity: the items of one person are a run, in gallery order.
    by_person = torch.argsort(g_id, stable=True)
    people = g_id[by_person]
    start, end = torch.searchsorted(people, q_id), torch.searchsorted(people, q_id, right=True)
    junk = (g_id == JUNK).nonzero()[:, 0]
    step = chunk or max(_CHUNK_ROWS, _CHUNK_VALUES // items)
    parts = []
    for rows in (slice(at, min(at + step, queries)) for at in range(0, queries, step)):
        first, last = start[rows, None], end[rows, None]
        run = first + torch.arange(max(int((last - first).max()), 1), device=device)
        member = by_person[run.clamp(max=items - 1)]
        mate = run < last
        dropped = mate & (g_cam[member] == q_cam[rows, None]) & camera_rule
        distance = apart(rows)
        check_finite(distance, rows.start)
        row, column = dropped.nonzero(as_tuple=True)
        distance[row, member[row, column]] = torch.inf
        distance[:, junk] = torch.inf
        parts.append(_average_precision(_ranks(distance, member, mate & ~dropped), ap))

    precision = torch.cat([p for p, _ in parts]).cpu().numpy()
    first_rank = torch.cat([r for _, r in parts]).cpu().numpy()
    valid = first_rank > 0
    if not valid.any():
        raise ValueError(
            f"none of the {queries} queries has a right item left in the gallery; check identities "
            "and cameras (person and visit in a file of labels); in Python, camera_rule=False is "
            "for a set with one camera"
        )
    hits = np.bincount(np.minimum(first_rank[valid], max_rank + 1), minlength=max_rank + 2)
    return Ranking(
        cmc=hits[1 : max_rank + 1].cumsum() / valid.sum(),
        mean_ap=float(precision[valid].mean()),
        average_precision=precision,
        first_rank=first_rank,
        valid=valid,
        skipped=int((~valid).sum()),
        protocol=protocol,
        metric=metric,
        ap=ap,
        camera_rule=camera_rule,
    )


def _ranks(distance: Tensor, member: Tensor, right: Tensor) -> Tensor:
    """Ranks from 1 of the right items `member[right]`, sorted, `[q, P]`; 0 pads on the right.

    distance `[q, G]`, overwritten, with inf at what is dropped; member, right `[q, P]`.
    """
    place = torch.arange(distance.shape[1], device=distance.device)
    if distance.dtype == torch.float32:
        # One whole number holds both the distance and, below it, the place in the gallery, so a
        # plain sort is a stable one. Flipping the low bits of negatives makes bits sort as floats.
        bits = distance.add_(0.0).view(torch.int32)  # + 0 turns -0 into 0
        bits ^= (bits >> 31) & 0x7FFFFFFF
        key = bits.long().mul_(1 << 32).add_(place)
        own = key.gather(1, member)
        if key.device.type == "cpu":
            key.numpy().sort(axis=1)  # NumPy's vectorised sort, much faster than torch's
        else:
            key = key.sort(dim=1).values
        rank = torch.searchsorted(key, own) + 1
    else:
        order = distance.argsort(dim=1, stable=True)
        rank = torch.empty_like(order).scatter_(1, order, place.expand_as(order) + 1)
        rank = rank.gather(1, member)
    last = distance.shape[1] + 1
    rank = rank.masked_fill(~right, last).sort(dim=1).values
    return rank.masked_fill(rank == last, 0)


def _average_precision(rank: Tensor, ap: str) -> tuple[Tensor, Tensor]:
    """AP `[q]` (nan without a right item) and the first rank `[q]`, from sorted ranks `[q, P]`."""
    hit = torch.arange(1, rank.shape[1] + 1, device=rank.device, dtype=torch.float64)
    precision = hit / rank
    if ap == "trapezoid":
        before = torch.where(rank > 1, (hit - 1) / (rank - 1), 1.0)
        precision = (precision + before) / 2
    right = rank > 0
    total = precision.masked_fill(~right, 0.0).sum(dim=1)
    return total / right.sum(dim=1), rank[:, 0]


def _labels(values: Labels, count: int, name: str, device: torch.device) -> Tensor:
    """Whole numbers `[count]` as int64 on `device`."""
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} is {array.dtype} {list(array.shape)}; give {count} whole numbers, one each"
        )
    return torch.from_numpy(array.astype(np.int64)).to(device)
