from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from w3an_lite.audit import (
    auc_clear_covered,
    mass_inside,
    person_area,
    pointing,
    pointing_parts,
    readout_shift,
    spearman_within,
)
from w3an_lite.data.attributes import INDEX, NAMES, PARTS

SEEDS = st.integers(0, 10_000)


def tracklets(seed: int, count: int = 8) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Ragged β and visibility on a coarse grid, so that ties are common."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, count)
    beta = [np.round(rng.random(n), 1) for n in lengths]
    return beta, [rng.choice([0.0, 0.3, 0.6, 0.8, 0.95, 1.0], n) for n in lengths]


# when


def test_spearman_by_hand() -> None:
    # Ranks 1 2 3 4 against 2 1 3 4: 1 - 6 * 2 / (4 * 15) = 0.8. The second line does not vary.
    beta = np.array([[0.1, 0.2, 0.3, 0.9], [0.5, 0.5, 0.5, 0.5], [0.4, 0.3, 0.2, 0.1]])
    seen = np.array([[0.5, 0.2, 0.7, 1.0], [0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]])
    found = spearman_within(beta, seen)
    assert found.rho == pytest.approx((0.8 - 1.0) / 2)
    assert (found.used, found.skipped) == (2, 1)
    np.testing.assert_allclose(found.each, [0.8, math.nan, -1.0])


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_spearman_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    for seed in range(5):
        beta, seen = tracklets(seed)
        expected = [
            stats.spearmanr(b, v).statistic if len(b) > 1 else math.nan
            for b, v in zip(beta, seen, strict=True)
        ]
        found = spearman_within(beta, seen)
        np.testing.assert_allclose(found.each, expected, atol=1e-12)
        assert found.rho == pytest.approx(np.nanmean(expected))
        assert found.skipped == np.isnan(expected).sum()


def test_spearman_without_anything_to_say() -> None:
    found = spearman_within(torch.full((3, 4), 0.5), torch.arange(12.0).view(3, 4))
    assert math.isnan(found.rho)
    assert (found.used, found.skipped) == (0, 3)


def test_auc_by_hand() -> None:
    # Tracklet 0: clear 0.9 against covered 0.2 and 0.9: one win, one tie; 0.5 seen 0.8 is neither.
    # Tracklet 1: clear 0.1 against covered 0.4: lost. Tracklet 2 has no covered frame.
    beta = [np.array([0.9, 0.2, 0.9, 0.5]), np.array([0.1, 0.4]), np.array([0.7])]
    seen = [np.array([0.95, 0.1, 0.69, 0.8]), np.array([1.0, 0.0]), np.array([1.0])]
    found = auc_clear_covered(beta, seen)
    assert found.auc == pytest.approx(1.5 / 3)
    assert (found.pairs, found.used, found.skipped) == (3, 2, 1)
    wider = auc_clear_covered(beta, seen, clear=0.8, covered=0.8)
    assert wider.pairs == 5
    assert wider.auc == pytest.approx(2.5 / 5)


def test_auc_of_one_tracklet_is_sklearns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    beta = np.round(rng.random(50), 1)
    seen = rng.choice([0.2, 1.0], 50)
    found = auc_clear_covered(beta[None], seen[None])
    assert found.auc == pytest.approx(metrics.roc_auc_score(seen == 1, beta))


def test_auc_pools_pairs_of_all_tracklets() -> None:
    beta, seen = tracklets(4, count=30)
    wins, pairs = 0.0, 0
    for b, v in zip(beta, seen, strict=True):
        for x in b[v >= 0.95]:
            for y in b[v < 0.7]:
                wins += 1.0 if x > y else 0.5 if x == y else 0.0
                pairs += 1
    found = auc_clear_covered(beta, seen)
    assert found.pairs == pairs > 30
    assert found.auc == pytest.approx(wins / pairs)


def test_auc_without_pairs_is_nan() -> None:
    found = auc_clear_covered(np.ones((2, 3)), np.ones((2, 3)))
    assert math.isnan(found.auc)
    assert (found.pairs, found.used, found.skipped) == (0, 0, 2)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_when_sees_only_order(seed: int) -> None:
    beta, seen = tracklets(seed)
    bent = [np.exp(3 * b) - 7 for b in beta]
    turned = [-b for b in beta]
    rho, auc = spearman_within(beta, seen), auc_clear_covered(beta, seen)
    np.testing.assert_allclose(spearman_within(bent, seen).each, rho.each)
    np.testing.assert_allclose(spearman_within(turned, seen).each, -rho.each)
    np.testing.assert_allclose(auc_clear_covered(bent, seen).auc, auc.auc)
    np.testing.assert_allclose(auc_clear_covered(turned, seen).auc, 1 - auc.auc)
    assert rho.used + rho.skipped == auc.used + auc.skipped == len(beta)
    assert math.isnan(rho.rho) or -1 - 1e-12 <= rho.rho <= 1 + 1e-12


def test_readout_shift() -> None:
    a = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    b = np.array([[3.0, 4.0], [1.0, 2.0], [0.0, 0.0]])
    assert readout_shift(a, b) == pytest.approx((0 + 0.5 + 0) / 3)
    assert math.isnan(readout_shift(a, b + 1))  # the third shift has no scale
    with pytest.raises(ValueError, match=r"\[3, 2\] and \[2, 2\]"):
        readout_shift(a, b[:2])


# where


def test_mass_by_hand() -> None:
    mask = np.zeros((2, 4, 4), bool)
    mask[0, :2, :3] = True  # cells 1.0 and 0.5 above, nothing below
    alpha = np.array([[[[0.4, 0.4], [0.1, 0.1]], [[0.0, 0.0], [0.0, 1.0]]]] * 2)
    # The second frame shows nobody and is left out.
    assert mass_inside(alpha, mask) == pytest.approx((0.6 + 0.0) / 2)
    assert person_area(mask) == pytest.approx(6 / 16)
    assert mass_inside(alpha[:, 0], mask) == pytest.approx(0.6)
    assert mass_inside(7 * alpha[:, 0], mask) == pytest.approx(0.6)


def test_mass_of_all_alpha_on_the_person_is_one() -> None:
    mask = np.zeros((1, 6, 4), bool)
    mask[0, 2:4, :2] = True
    alpha = np.zeros((1, 3, 2))
    alpha[0, 1, 0] = 1.0
    assert mass_inside(alpha, mask) == 1.0
    alpha = np.roll(alpha, 1, axis=2)
    assert mass_inside(alpha, mask) == 0.0


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 6), st.integers(1, 11), st.integers(1, 11))
def test_uniform_alpha_gets_exactly_the_area(seed: int, h: int, w: int, H: int, W: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((2, 3, H, W)) < 0.3
    mask[0, 0, 0, 0] = True
    flat = np.full((2, 3, 4, h, w), 1 / (h * w))
    assert mass_inside(flat, mask) == pytest.approx(person_area(mask), abs=1e-12)
    assert mass_inside(0 * flat, mask) == pytest.approx(person_area(mask), abs=1e-12)
    assert mass_inside(flat.astype(np.float32), mask) == pytest.approx(person_area(mask), abs=1e-6)
    some = rng.random(flat.shape)
    inside, outside = mass_inside(some, mask), mass_inside(some, np.ones_like(mask))
    assert 0 <= inside <= 1
    assert outside == pytest.approx(1)


def test_pointing_by_hand() -> None:
    mask = np.zeros((4, 4, 4), bool)
    mask[:3, :2, :] = True  # the upper two cells of 2 x 2
    mask[1, 0, :2] = False  # half of the upper left one is left
    maps = np.array([[[9, 0], [0, 0]], [[9, 0], [0, 0]], [[0, 5], [5, 5]], [[1, 0], [0, 0]]], float)
    found = pointing(maps, mask)
    assert found.share == pytest.approx((1 + 1 + 1 / 3) / 3)  # a third of a three-way tie
    assert found.chance == pytest.approx(0.5)
    assert (found.used, found.skipped) == (3, 1)
    strict = pointing(maps, mask, cover=0.6)
    assert strict.share == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert strict.chance == pytest.approx((0.5 + 0.25 + 0.5) / 3)


def test_pointing_without_a_person() -> None:
    found = pointing(np.ones((2, 2, 2)), np.zeros((2, 4, 4), bool))
    assert math.isnan(found.share)
    assert math.isnan(found.chance)
    assert (found.used, found.skipped) == (0, 2)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_pointing_laws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((5, 7, 5)) < 0.5
    mask[0] = True
    maps = np.round(rng.random((5, 3, 2)), 1)
    found = pointing(maps, mask)
    assert pointing(np.exp(maps) * 4 - 9, mask) == found
    blind = pointing(np.ones_like(maps), mask)
    assert blind.share == pytest.approx(blind.chance)
    assert pointing(maps, np.ones_like(mask)).share == 1.0


# what


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two frames of a hat and jeans; the head is in the top left cell, the legs at the bottom."""
    maps = np.zeros((2, len(NAMES), 4, 2))
    parts = np.zeros((2, 16, 8), np.uint8)
    parts[:, :4, :4] = PARTS.index("head")
    parts[0, 8:, :] = PARTS.index("lower")  # in frame 1 the legs are covered
    kinds = np.zeros((2, len(NAMES)))
    kinds[:, [INDEX["hs-Hat"], INDEX["lb-Jeans"]]] = 1
    kinds[:, INDEX["attach-Box"]] = -1
    maps[:, INDEX["hs-Hat"], 0, 0] = [1, 0]
    maps[1, INDEX["hs-Hat"], 3, 1] = 1
    maps[:, INDEX["lb-Jeans"], 2, 0] = 1
    return maps, parts, kinds


def test_pointing_parts_by_hand() -> None:
    found = pointing_parts(*scene())
    assert set(found) == {"head_shoulder", "upper_body", "lower_body", "shoes", "attachments"}
    assert found["head_shoulder"] == (0.5, 1 / 8, 2, 0)
    assert found["lower_body"] == (1.0, 0.5, 1, 1)
    for group in ("upper_body", "shoes", "attachments"):
        assert found[group].used == 0
        assert math.isnan(found[group].share)


def test_pointing_parts_sees_only_present_attributes() -> None:
    maps, parts, kinds = scene()
    changed = maps.copy()
    changed[:, INDEX["hs-Glasses"], 3, 0] = 5.0
    assert pointing_parts(changed, parts, kinds)["head_shoulder"].share == 0.5
    kinds[:, INDEX["hs-Glasses"]] = 1
    assert pointing_parts(changed, parts, kinds)["head_shoulder"] == (0.25, 1 / 8, 4, 0)


# mistakes


def test_clear_errors() -> None:
    ones, mask = np.ones((2, 3)), np.ones((2, 4, 4), bool)
    holed = ones.copy()
    holed[1, 2] = np.nan
    calls: list[tuple[str, Any, tuple[Any, ...]]] = [
        (r"beta\[1\] is nan at \[2\]", spearman_within, (holed, ones)),
        (r"visibility\[1\] is nan", auc_clear_covered, (ones, holed)),
        ("2 tracklets of beta, 1 of", spearman_within, (ones, ones[:1])),
        ("tracklet 0: beta is", spearman_within, (ones, ones[:, :2])),
        ("mask is torch.float64", person_area, (mask / 1,)),
        ("none of the 2 masks", person_area, (~mask,)),
        ("none of the 2 masks", mass_inside, (np.ones((2, 2, 2)), ~mask)),
        ("negative values, down to -1", mass_inside, (-np.ones((2, 2, 2)), mask)),
        (r"alpha is \[3, 2, 2\]", mass_inside, (np.ones((3, 2, 2)), mask)),
        (r"alpha is nan at \[0, 0, 0\]", mass_inside, (np.full((2, 2, 2), np.nan), mask)),
        (r"maps is \[1, 2, 2\]", pointing, (np.ones((1, 2, 2)), mask)),
        ("the vocabulary has 67", pointing_parts, (np.ones((2, 3, 2, 2)), mask, ones)),
        (r"give \[N, A, h, w\]", pointing_parts, (np.ones((2, 3, 2, 2)), mask, ones[:1])),
    ]
    for message, function, arguments in calls:
        with pytest.raises(ValueError, match=message):
            function(*arguments)
    with pytest.raises(ValueError, match=r"covered=0\.9 is above clear=0\.5"):
        auc_clear_covered(ones, ones, clear=0.5, covered=0.9)
    with pytest.raises(ValueError, match="cover=0"):
        pointing(np.ones((2, 2, 2)), mask, cover=0)


def test_tensors_half_precision_and_read_only_arrays() -> None:
    alpha = torch.arange(24.0).view(2, 3, 2, 2).requires_grad_()
    mask = np.ones((2, 4, 4), bool)
    mask.flags.writeable = False
    assert mass_inside(alpha, mask) == pytest.approx(1)
    assert mass_inside(alpha.half(), torch.tensor(mask)) == pytest.approx(1)
    beta = torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float16)
    assert spearman_within(beta, [[0.0, 0.5, 1.0]]).rho == pytest.approx(1)  # type: ignore[list-item]


def test_ranks_are_exact_for_long_tracklets() -> None:
    """In float32 a constant β correlated with what can be seen, and a share came out above 1."""
    frames = 6001
    found = spearman_within([torch.full((frames,), 0.3)], [torch.linspace(0, 1, frames)])
    assert math.isnan(found.rho)
    assert (found.used, found.skipped) == (0, 1)
    beta = torch.cat([torch.linspace(0.6, 1, 10_000), torch.linspace(0, 0.4, 10_000)])
    seen = torch.cat([torch.ones(10_000), torch.zeros(10_000)])
    assert auc_clear_covered([beta], [seen]).auc == 1


def test_a_part_of_a_quarter_cell_counts_and_an_unsure_label_does_not() -> None:
    maps, parts = np.zeros((1, len(NAMES), 2, 2)), np.zeros((1, 4, 4), np.uint8)
    parts[0, 0, 0] = PARTS.index("shoes")  # a quarter of the upper left cell
    maps[0, :, 0, 0] = 1
    kinds = np.zeros((1, len(NAMES)))
    kinds[0, INDEX["shoes-Black"]] = 1
    kinds[0, INDEX["shoes-White"]] = 0.5
    assert pointing_parts(maps, parts, kinds)["shoes"] == (1.0, 0.25, 1, 0)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_beta_is_named(value: float) -> None:
    with pytest.raises(ValueError, match=r"beta\[0\] is -?inf at \[1\]"):
        spearman_within([[0.1, value, 0.3]], [[0.1, 0.2, 0.3]])


def test_one_negative_value_is_enough() -> None:
    with pytest.raises(ValueError, match="down to -1"):
        mass_inside(np.array([[[2.0, -1.0], [0.0, 0.0]]]), np.ones((1, 4, 4), bool))


def test_clear_begins_at_95_hundredths() -> None:
    found = auc_clear_covered(np.array([[0.9, 0.95, 0.1]]), np.array([[0.95, 0.94, 0.69]]))
    assert (found.auc, found.pairs) == (1.0, 1)
