"""Eq. 10-11: what the spread asks for, and what it does not."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.tan import TemporalAttention, covered_order, covered_share, temporal_spread


def test_beta_is_the_sigmoid_of_one_score_a_frame() -> None:
    tan = TemporalAttention(4)
    features = torch.randn(2, 3, 4)
    beta, overall = tan(features)
    score = features @ tan.score.weight[0] + tan.score.bias
    torch.testing.assert_close(beta, 1 / (1 + torch.exp(-score)))
    torch.testing.assert_close(overall, 1 / (1 + torch.exp(-score.mean(1))))


def test_overall_without_the_bias_is_satisfied_by_no_attention_at_all() -> None:
    """b_f = -6 puts out every frame; printed without b_f, β_overall does not notice."""
    features = torch.randn(4, 6, 8) * 0.1
    for overall_bias in (False, True):
        tan = TemporalAttention(8, overall_bias)
        torch.nn.init.constant_(tan.score.bias, -6)
        beta, overall = tan(features)
        assert beta.mean() < 0.01
        loss = temporal_spread(beta, overall)
        if overall_bias:
            assert loss.item() > 0.07
        else:
            assert loss.item() == 0


def test_spread_by_hand() -> None:
    beta = torch.tensor([[0.5, 0.47], [0.9, 0.1]])
    overall = torch.tensor([0.49, 0.5])
    # max(0, .08 - .02) = .06 and max(0, .08 - .4) = 0
    assert temporal_spread(beta, overall).item() == pytest.approx(0.03, abs=1e-6)
    assert temporal_spread(beta, overall, margin=0.02).item() == pytest.approx(0, abs=1e-6)


def test_spread_does_not_care_which_frame() -> None:
    beta, overall = torch.tensor([[0.5, 0.45, 0.52]]), torch.tensor([0.49])
    assert temporal_spread(beta, overall) == temporal_spread(beta[:, [1, 2, 0]], overall)


def test_covered_order_by_hand() -> None:
    beta, covered = torch.tensor([[0.8, 0.5]]), torch.tensor([[0.5, 0.0]])
    # asked: β_1 - β_0 at least .5·.5; it is -.3
    assert covered_order(beta, covered).item() == pytest.approx(0.55)
    assert covered_order(beta.flip(1), covered).item() == 0
    three = torch.tensor([[0.8, 0.5, 0.6]]), torch.tensor([[0.5, 0.0, 0.02]])
    # pairs (0, 1) and (0, 2): .55 and .5·.48 + .2; (2, 1) differs too little to count
    assert covered_order(*three).item() == pytest.approx((0.55 + 0.44) / 2)


def test_covered_order_looks_within_a_clip() -> None:
    beta, covered = torch.tensor([[0.8], [0.5]]), torch.tensor([[0.5], [0.0]])
    assert covered_order(beta, covered).item() == 0


def test_covered_order_pushes_the_covered_frame_down() -> None:
    beta = torch.tensor([[0.5, 0.5]], requires_grad=True)
    covered_order(beta, torch.tensor([[0.6, 0.0]])).backward()
    assert beta.grad is not None
    assert beta.grad[0, 0] > 0 > beta.grad[0, 1]


def test_nothing_covered_costs_nothing() -> None:
    beta = torch.rand(2, 3, requires_grad=True)
    loss = covered_order(beta, torch.zeros(2, 3))
    loss.backward()
    assert loss.item() == 0
    assert beta.grad is not None
    assert beta.grad.abs().max() == 0


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_covered_share_lies_between_0_and_1(seed: int, high: int, wide: int, much: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    covered = torch.rand(2, 3, high, wide, generator=generator) < much
    share = covered_share(covered)
    assert share.shape == (2, 3)
    assert (share >= 0).all()
    assert (share <= 1 + 1e-5).all()
    torch.testing.assert_close(covered_share(~covered), 1 - share, atol=1e-5, rtol=1e-5)


def test_the_middle_counts_more_than_the_edge() -> None:
    covered = torch.zeros(1, 2, 4, 8, dtype=torch.bool)
    covered[0, 0, :, 3:5] = True
    covered[0, 1, :, [0, 7]] = True
    share = covered_share(covered)[0]
    assert share[0] > 0.4
    assert share[1] < 0.05
    assert covered_share(torch.ones(1, 1, 4, 8, dtype=torch.bool)).item() == pytest.approx(1)
