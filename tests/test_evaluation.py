from __future__ import annotations

import importlib.util
import json
import math
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from w3an_lite.evaluation import (
    _CHUNK_ROWS,
    _CHUNK_VALUES,
    distances,
    evaluate,
    evaluate_distances,
    repeat_summary,
)


def by_definition(
    distance: np.ndarray, q_id: Any, q_cam: Any, g_id: Any, g_cam: Any,
    camera_rule: bool = True, ap: str = "step", max_rank: int = 50,
) -> tuple[np.ndarray, float, list[float]]:  # fmt: skip
    """A plain walk down each query's list; the trapezoid as MARS's official script adds it up."""
    curves, precisions = [], []
    for i in range(len(q_id)):
        listed = []
        for j in sorted(range(len(g_id)), key=lambda j: (distance[i][j], j)):
            if g_id[j] == -1:
                continue
            if camera_rule and g_id[j] == q_id[i] and g_cam[j] == q_cam[i]:
                continue
            listed.append(g_id[j] == q_id[i])
        if not any(listed):
            precisions.append(math.nan)
            continue
        first = listed.index(True)
        curves.append([float(r >= first) for r in range(max_rank)])
        total, found, old_precision = 0.0, 0, 1.0
        for position, right in enumerate(listed, 1):
            found += right
            precision = found / position
            if right:
                total += precision if ap == "step" else (precision + old_precision) / 2
            old_precision = precision
        precisions.append(total / sum(listed))
    return np.mean(curves, axis=0), float(np.nanmean(precisions)), precisions


def draw(seed: int, queries: int = 12, items: int = 40, people: int = 6) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    return (
        rng.random((queries, items)),
        rng.integers(1, people + 1, queries),
        rng.integers(0, 3, queries),
        rng.integers(-1, people + 1, items),
        rng.integers(0, 3, items),
    )


@pytest.mark.parametrize("ap", ["step", "trapezoid"])
@pytest.mark.parametrize("camera_rule", [True, False])
@pytest.mark.parametrize("kind", ["float64", "float32", "tied", "negative", "whole"])
def test_matches_the_definition(ap: Any, camera_rule: bool, kind: str) -> None:
    for seed in range(6):
        distance, *labels = draw(seed)
        if kind == "tied":
            distance = np.floor(distance * 3).astype(np.float32)
        elif kind == "whole":
            distance = np.floor(distance * 3).astype(np.int64)
        elif kind == "negative":
            distance = (np.floor(distance * 5) - 2).astype(np.float32) * np.float32(0.5)
            distance[distance == 0] *= np.where(np.arange((distance == 0).sum()) % 2, -1, 1)
        else:
            distance = distance.astype(kind)
        rules: Any = {"camera_rule": camera_rule, "ap": ap}
        cmc, mean_ap, precisions = by_definition(distance, *labels, **rules)
        ours = evaluate_distances(distance, *labels, chunk=5, **rules)
        np.testing.assert_allclose(ours.cmc, cmc, atol=1e-12)
        np.testing.assert_allclose(ours.average_precision, precisions, atol=1e-12)
        assert ours.mean_ap == pytest.approx(mean_ap, abs=1e-12)
        assert ours.skipped == sum(map(math.isnan, precisions))


def test_worked_by_hand() -> None:
    # After the rules the list reads: wrong, right, right, distractor, right.
    distance = [[0.5, 0.1, 0.2, 0.25, 0.3, 0.4, 0.6]]
    gallery = [0, -1, 2, 1, 1, 1, 1]
    cameras = [1, 1, 1, 0, 1, 2, 3]  # the item at 0.25 shares the query's camera
    step = evaluate_distances(np.array(distance), [1], [0], gallery, cameras, max_rank=4)
    assert step.mean_ap == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 3)
    assert step.first_rank.tolist() == [2]
    assert step.cmc.tolist() == [0, 1, 1, 1]
    oxford = evaluate_distances(np.array(distance), [1], [0], gallery, cameras, ap="trapezoid")
    # Positions before the right ones have precision 0/1, 1/2 and 2/4.
    expected = ((0 + 1 / 2) + (1 / 2 + 2 / 3) + (2 / 4 + 3 / 5)) / 2 / 3
    assert oxford.mean_ap == pytest.approx(expected)
    everyone = evaluate_distances(np.array(distance), [1], [0], gallery, cameras, camera_rule=False)
    assert everyone.mean_ap == pytest.approx((1 / 2 + 2 / 3 + 3 / 4 + 4 / 6) / 4)


def test_ties_rank_in_gallery_order() -> None:
    tied = torch.zeros(1, 3)
    assert evaluate_distances(tied, [1], [0], [2, 1, 3], [1, 1, 1]).first_rank.tolist() == [2]
    assert evaluate_distances(tied, [1], [0], [1, 2, 3], [1, 1, 1]).first_rank.tolist() == [1]


def test_small_gallery_continues_flat() -> None:
    ranking = evaluate_distances(
        np.array([[0.2, 0.1], [0.1, 0.2]]), [1, 1], [0, 0], [1, 2], [1, 1], max_rank=20
    )
    assert ranking.cmc.tolist() == [0.5] + [1.0] * 19
    assert ranking.rank(20) == 1.0
    with pytest.raises(ValueError, match="rank 21"):
        ranking.rank(21)


def test_query_without_a_mate_is_skipped_and_counted() -> None:
    ranking = evaluate_distances(
        np.array([[0.1, 0.2, 0.3]] * 3), [1, 2, 9], [0, 0, 0], [1, 2, 3], [1, 0, 0]
    )
    assert ranking.skipped == 2
    assert ranking.valid.tolist() == [True, False, False]
    assert np.isnan(ranking.average_precision).tolist() == [False, True, True]
    assert ranking.mean_ap == 1.0
    assert ranking.rank(1) == 1.0
    assert ranking.summary()["skipped"] == 2


@pytest.mark.parametrize("gallery", [[-1, -1], [0, 0], [2, 3]])
def test_nobody_to_find_is_an_error(gallery: list[int]) -> None:
    with pytest.raises(ValueError, match=r"none of the 1 queries .*in Python, camera_rule=False"):
        evaluate_distances(np.ones((1, 2)), [1], [0], gallery, [1, 1])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["step", "trapezoid"]))
def test_laws(seed: int, ap: Any) -> None:
    distance, q_id, q_cam, g_id, g_cam = draw(seed)
    g_id[:6], g_cam[:6], q_cam[:] = np.arange(1, 7), 9, q_cam  # everybody has a mate
    ranking = evaluate_distances(distance, q_id, q_cam, g_id, g_cam, ap=ap)
    assert 0 <= ranking.mean_ap <= 1
    assert (np.diff(ranking.cmc) >= 0).all()
    assert ranking.cmc[-1] == 1
    rng = np.random.default_rng(seed)

    order = rng.permutation(len(g_id))
    moved = evaluate_distances(distance[:, order], q_id, q_cam, g_id[order], g_cam[order], ap=ap)
    np.testing.assert_array_equal(moved.average_precision, ranking.average_precision)

    bent = evaluate_distances(np.exp(3 * distance) - 5, q_id, q_cam, g_id, g_cam, ap=ap)
    np.testing.assert_array_equal(bent.average_precision, ranking.average_precision)

    def with_more(identity: int) -> Any:
        more = np.concatenate([distance, rng.random((len(q_id), 7))], axis=1)
        people = np.concatenate([g_id, np.full(7, identity)])
        return evaluate_distances(more, q_id, q_cam, people, np.append(g_cam, [5] * 7), ap=ap)

    assert with_more(0).mean_ap <= ranking.mean_ap + 1e-12
    assert with_more(-1).mean_ap == ranking.mean_ap


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_features_and_distances_agree(metric: Any, kind: Any) -> None:
    rng = np.random.default_rng(3)
    _, *labels = draw(3)
    query = rng.standard_normal((12, 16)).astype(kind)
    gallery = rng.standard_normal((40, 16)).astype(kind)
    whole = evaluate(query, gallery, *labels, metric=metric)
    apart = evaluate_distances(distances(query, gallery, metric), *labels)
    np.testing.assert_array_equal(whole.average_precision, apart.average_precision)
    pieces = evaluate(torch.tensor(query), torch.tensor(gallery), *labels, metric=metric, chunk=1)
    np.testing.assert_array_equal(pieces.average_precision, whole.average_precision)
    assert (whole.metric, apart.metric) == (metric, "given")


def test_leaves_its_inputs_alone() -> None:
    distance, *labels = draw(1)
    for kind in (np.float32, np.float64):
        given_distance = distance.astype(kind)
        given_distance.flags.writeable = False
        before = given_distance.copy()
        evaluate_distances(given_distance, *labels)
        np.testing.assert_array_equal(given_distance, before)


def test_clear_errors() -> None:
    distance, *labels = draw(0)
    q_id, q_cam, g_id, g_cam = labels
    spoilt = np.zeros((12, 4), np.float32)
    spoilt[7, 2] = np.nan
    good = np.ones((40, 4), np.float32)
    with pytest.raises(ValueError, match=r"query_features: row 7 is not finite \(1 such\)"):
        evaluate(spoilt, good, *labels)
    with pytest.raises(ValueError, match="gallery_features: row 7"):
        evaluate(good, spoilt, g_id, g_cam, q_id, q_cam)
    holed = distance.copy()
    holed[9, 33] = np.nan
    with pytest.raises(ValueError, match="query 9 and gallery item 33 are nan apart"):
        evaluate_distances(holed, *labels, chunk=4)
    for nobody in (0, -1):
        with pytest.raises(ValueError, match=rf"query_identity\[2\] is {nobody}"):
            evaluate_distances(distance, [*q_id[:2], nobody, *q_id[3:]], *labels[1:])
    with pytest.raises(ValueError, match=r"gallery_camera is .* give 40 whole numbers"):
        evaluate_distances(distance, q_id, q_cam, g_id, g_cam[:-1])
    with pytest.raises(ValueError, match="query_identity is float64"):
        evaluate_distances(distance, q_id / 1, q_cam, g_id, g_cam)
    with pytest.raises(ValueError, match="ap='area'"):
        evaluate_distances(distance, *labels, ap="area")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one of each"):
        evaluate_distances(np.ones((1, 0)), [1], [0], [], [])
    with pytest.raises(ValueError, match="max_rank=0"):
        evaluate_distances(distance, *labels, max_rank=0)


def test_summaries() -> None:
    rankings = [evaluate_distances(*draw(seed), protocol="half") for seed in range(3)]
    summary = repeat_summary(rankings)
    values = [r.mean_ap for r in rankings]
    assert summary["mAP"]["mean"] == pytest.approx(np.mean(values))
    assert summary["mAP"]["sd"] == pytest.approx(np.std(values, ddof=1))
    assert summary["rank5"]["mean"] == pytest.approx(np.mean([r.rank(5) for r in rankings]))
    assert (summary["repeats"], summary["protocol"]) == (3, "half")
    assert json.loads(json.dumps(summary)) == summary
    assert json.loads(json.dumps(rankings[0].summary()))["mAP"] == rankings[0].mean_ap
    with pytest.raises(ValueError, match="different rules"):
        repeat_summary([*rankings, evaluate_distances(*draw(0), protocol="half", ap="trapezoid")])
    with pytest.raises(ValueError, match="two rankings"):
        repeat_summary(rankings[:1])


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor made within."""

    size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = out if isinstance(out, (list, tuple)) else [out]
        known = {x.untyped_storage().data_ptr() for x in args if isinstance(x, torch.Tensor)}
        for x in made:
            if isinstance(x, torch.Tensor) and x.untyped_storage().data_ptr() not in known:
                self.size = max(self.size, x.untyped_storage().nbytes())
        return out


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize(("queries", "items"), [(4000, 3000), (40, 300_000)])
def test_no_temporary_grows_with_both_sides(queries: int, items: int, metric: Any) -> None:
    """So that 10,000 queries search a million items in under 1 GB beyond the features."""
    rng = np.random.default_rng(0)
    query, gallery = (torch.from_numpy(rng.random((n, 2), np.float32)) for n in (queries, items))
    who = [rng.integers(1, 2000, n) for n in (queries, items)]
    seen = [np.full(n, k) for k, n in enumerate((queries, items))]
    with Largest() as largest:
        evaluate(query, gallery, who[0], seen[0], who[1], seen[1], metric=metric)
    at_once = max(_CHUNK_VALUES, _CHUNK_ROWS * items)  # distances
    assert 4 * min(at_once, queries * items) <= largest.size <= 8 * at_once
    # no more than four such live at once: distances, their keys, a sorted copy and its workspace
    assert 4 * 8 * max(_CHUNK_VALUES, _CHUNK_ROWS * 1_000_000) < 0.6e9


def test_step_ap_is_sklearns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    distance, q_id, _, g_id, _ = draw(5)
    g_id[:6] = np.arange(1, 7)
    g_id[g_id == -1] = 0
    ours = evaluate_distances(distance, q_id, [0] * 12, g_id, [1] * 40)
    for i in range(len(q_id)):
        outside = metrics.average_precision_score(g_id == q_id[i], -distance[i])
        assert ours.average_precision[i] == pytest.approx(outside)


def test_step_is_torchreids(monkeypatch: pytest.MonkeyPatch) -> None:
    rank = torchreid_rank(monkeypatch)
    distance, q_id, q_cam, g_id, g_cam = draw(8, queries=30, items=90)
    g_id[g_id == -1] = 0  # it knows no junk
    outside_cmc, outside_map = rank.evaluate_rank(
        distance, q_id, g_id, q_cam, g_cam, max_rank=20, use_cython=False
    )
    ours = evaluate_distances(distance, q_id, q_cam, g_id, g_cam, max_rank=20)
    np.testing.assert_allclose(ours.cmc, outside_cmc, atol=1e-6)
    assert ours.mean_ap == pytest.approx(outside_map)


def torchreid_rank(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """torchreid's ranking file alone: its package imports much that is not installed."""
    found = importlib.util.find_spec("torchreid")
    path = Path(found.origin).parent / "reid/metrics/rank.py" if found and found.origin else None
    if path is None or not path.exists():
        pytest.skip("torchreid is not installed (pip install --no-deps torchreid)")
    monkeypatch.setitem(sys.modules, "torchreid", None)  # its compiled half is then "unavailable"
    spec = importlib.util.spec_from_file_location("torchreid_rank", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.warns(UserWarning, match="Cython evaluation"):
        spec.loader.exec_module(module)
    return module


def test_mars_index_leaves_140_queries_without_a_mate() -> None:
    folder = os.environ.get("W3AN_SHARED_DATA")
    if not folder or not (Path(folder) / "mars_info").is_dir():
        pytest.skip("W3AN_SHARED_DATA does not name a folder that holds mars_info")
    io = pytest.importorskip("scipy.io")

    def load(name: str) -> Any:
        holds = io.loadmat(Path(folder) / "mars_info" / name)
        return next(v for k, v in holds.items() if not k.startswith("__")).astype(np.int64)

    people, cameras = load("tracks_test_info.mat")[:, 2:4].T
    asked = load("query_IDX.mat").ravel() - 1
    rng = np.random.default_rng(0)
    features = rng.standard_normal((len(people), 8)).astype(np.float32)

    def search(kept: np.ndarray) -> Any:
        return evaluate(
            features[asked], features[kept], people[asked], cameras[asked], people[kept],
            cameras[kept],
        )  # fmt: skip

    everyone = np.arange(len(people))
    without = np.setdiff1d(everyone, asked)
    assert len(without) - (people[without] == -1).sum() == 9330
    assert search(without).skipped == 140
    assert search(everyone).skipped < 140


def test_a_short_curve_counts_nothing_beyond_its_end() -> None:
    distance, *labels = draw(2, queries=30, items=90)
    cmc, *_ = by_definition(distance, *labels, max_rank=3)
    ours = evaluate_distances(distance, *labels, max_rank=3)
    assert cmc[-1] < 1
    np.testing.assert_allclose(ours.cmc, cmc, atol=1e-12)


def test_a_summary_counts_every_query_and_gives_ranks_up_to_the_last() -> None:
    ranking = evaluate_distances(
        np.array([[0.1, 0.2]] * 3), [1, 2, 9], [0, 0, 0], [1, 2], [1, 1], max_rank=10
    )
    summary = ranking.summary()
    assert (summary["queries"], summary["skipped"]) == (3, 1)
    assert [k for k in summary if k.startswith("rank")] == ["rank1", "rank5", "rank10"]
    with pytest.raises(ValueError, match="rank 0"):
        ranking.rank(0)


def test_repeats_of_other_rules_or_lengths() -> None:
    rankings = [evaluate_distances(*draw(seed), protocol="half") for seed in range(2)]
    free = evaluate_distances(*draw(0), protocol="half", camera_rule=False)
    with pytest.raises(ValueError, match="different rules"):
        repeat_summary([*rankings, free])
    short = evaluate_distances(*draw(3), protocol="half", max_rank=5)
    ranks = [k for k in repeat_summary([*rankings, short]) if k.startswith("rank")]
    assert ranks == ["rank1", "rank5"]


@pytest.mark.parametrize("far", [np.inf, -np.inf])
def test_an_infinite_distance_is_named(far: float) -> None:
    distance, *labels = draw(0)
    distance[3, 5] = far
    with pytest.raises(ValueError, match=f"query 3 and gallery item 5 are {far} apart"):
        evaluate_distances(distance, *labels)


def test_large_whole_numbers_keep_their_order() -> None:
    distance = np.array([[2**24 + 1, 2**24]])
    assert evaluate_distances(distance, [1], [0], [2, 1], [1, 1]).first_rank.tolist() == [1]
