"""Eq. 2-4 and 8: scores that sum to one, and a loss that any constant α satisfies."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from w3an_lite.san import (
    SpatialAttention,
    attend,
    attention_consistency,
    attention_to_map,
    avoid_foreign,
    normalise_scores,
    place_code,
    uniform_scores,
)

B, T, M, H, W = 2, 3, 5, 4, 2


@pytest.fixture
def cube() -> Tensor:
    return torch.randn(B, T, M, H, W)


@pytest.mark.parametrize("slots", [None, T])
@pytest.mark.parametrize("scores", ["channel", "shared"])
def test_scores_sum_to_one_over_positions(cube: Tensor, slots: int | None, scores: str) -> None:
    alpha = SpatialAttention(M, slots, scores)(cube * 20)
    assert alpha.shape == cube.shape
    assert (alpha >= 0).all()
    torch.testing.assert_close(alpha.sum((-2, -1)), torch.ones(B, T, M))
    assert torch.allclose(alpha[:, :, 0], alpha[:, :, 1]) == (scores == "shared")


def test_scores_follow_eq_2_and_3_to_the_letter(cube: Tensor) -> None:
    """A plain loop over clips, frames and positions with W_s, b_s and v_t."""
    san = SpatialAttention(M, T)
    mix, bias, v = san.mix.weight, san.mix.bias, san.v
    raw = torch.empty_like(cube)
    for b in range(B):
        for t in range(T):
            for y in range(H):
                for x in range(W):
                    raw[b, t, :, y, x] = v[t] @ torch.tanh(mix @ cube[b, t, :, y, x] + bias)
    e = raw.exp()
    torch.testing.assert_close(san(cube), e / e.sum((-2, -1), keepdim=True))


def test_the_softmax_by_hand() -> None:
    raw = torch.log(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    torch.testing.assert_close(
        normalise_scores(raw), torch.tensor([[0.1, 0.2], [0.3, 0.4]]), rtol=1e-6, atol=1e-7
    )


def test_uniform_scores_are_global_average_pooling(cube: Tensor) -> None:
    torch.testing.assert_close(attend(uniform_scores(cube), cube), cube.mean((-2, -1)))
    # in numbers a float holds exactly (8 positions, whole values), equal to the last bit
    whole = torch.randint(-99, 99, cube.shape).float()
    assert torch.equal(attend(uniform_scores(whole), whole), whole.mean((-2, -1)))
    # a score that ignores its input is uniform too
    san = SpatialAttention(M, T)
    torch.nn.init.zeros_(san.v)
    torch.testing.assert_close(attend(san(cube), cube), cube.mean((-2, -1)))


def test_attending_to_one_position_reads_it(cube: Tensor) -> None:
    alpha = torch.zeros_like(cube)
    alpha[..., 2, 1] = 1
    assert torch.equal(attend(alpha, cube), cube[..., 2, 1])


def test_each_slot_has_a_v_of_its_own(cube: Tensor) -> None:
    swapped = torch.tensor([1, 0, 2])
    slotted, shared = SpatialAttention(M, T), SpatialAttention(M, None)
    assert not torch.allclose(slotted(cube)[:, swapped], slotted(cube[:, swapped]))
    torch.testing.assert_close(shared(cube)[:, swapped], shared(cube[:, swapped]))


def test_slots_ask_for_exactly_t_frames(cube: Tensor) -> None:
    with pytest.raises(ValueError, match=r"2 frames, v_t was made for 3; .*slots=None"):
        SpatialAttention(M, T)(cube[:, :2])
    assert SpatialAttention(M, None)(cube[:, :2]).shape == (B, 2, M, H, W)


def test_unknown_scores() -> None:
    with pytest.raises(ValueError, match="scores 'both' is not known; choose 'channel' or"):
        SpatialAttention(M, scores="both")


def test_an_alpha_of_place_is_the_same_whatever_is_shown(cube: Tensor) -> None:
    san = SpatialAttention(cube.shape[2], cube.shape[1], reads="place")
    alpha = san(cube)
    assert alpha.shape == cube.shape
    torch.testing.assert_close(alpha.sum((-2, -1)), torch.ones(cube.shape[:3]))
    assert torch.equal(san(torch.rand_like(cube)), alpha)
    assert torch.equal(alpha[:1].expand_as(alpha), alpha)
    assert alpha.std() > 0
    assert len(SpatialAttention(cube.shape[2], None, reads="place")(cube)) == len(cube)
    alpha.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in san.parameters())
    with pytest.raises(ValueError, match="reads 'depth' is not known; choose 'cube' or 'place'"):
        SpatialAttention(4, 2, reads="depth")


@pytest.mark.parametrize(
    ("channels", "high", "wide"), [(6, 3, 2), (9, 3, 2), (4, 3, 2), (49, 7, 7)]
)
def test_a_code_of_place_can_make_every_map(channels: int, high: int, wide: int) -> None:
    code = place_code(torch.rand(2, 3, channels, high, wide))
    assert code.shape == (1, 3, channels, high, wide)
    assert torch.equal(code[:, :1].expand_as(code), code)
    assert torch.linalg.matrix_rank(code[0, 0].flatten(1)) == min(channels, high * wide)
    assert code[0, 0, 0].std() == 0  # the first says nothing of the place
    assert (code[0, 0, high * wide :] == 0).all()


def test_consistency_by_hand() -> None:
    alpha, other = torch.zeros(2, 1, 1, 1, 2), torch.zeros(2, 1, 1, 1, 2)
    alpha[0, ..., 0], other[0, ..., 1] = 1, 1  # 1² + 1² in the first clip, 0 in the second
    assert attention_consistency(alpha, other).item() == 1
    # a sum over frames and channels, not a mean
    assert attention_consistency(alpha.expand(2, 3, 5, 1, 2), other).item() == 15
    # differences are squared: (1/2)² + (1/2)² in the first clip
    assert attention_consistency(alpha / 2, other / 2).item() == 0.25


def test_consistency_is_zero_for_an_alpha_that_ignores_its_input(cube: Tensor) -> None:
    san = SpatialAttention(M, T)
    torch.nn.init.zeros_(san.mix.weight)  # the bias and v stay: any α will do
    fixed = torch.softmax(torch.randn(H * W), 0).view(H, W).expand_as(cube)
    assert attention_consistency(san(cube), san(torch.randn_like(cube))).item() == 0
    assert attention_consistency(fixed, fixed).item() == 0
    torch.nn.init.normal_(san.mix.weight)
    assert attention_consistency(san(cube), san(torch.randn_like(cube))).item() > 0


def test_alpha_to_map_is_zero_only_at_the_map() -> None:
    target = torch.rand(B, T, H, W) + 0.1
    alpha = (target / target.sum((-2, -1), keepdim=True)).unsqueeze(2).expand(B, T, M, H, W)
    assert attention_to_map(alpha, target).item() == pytest.approx(0, abs=1e-6)
    assert attention_to_map(alpha, 7 * target).item() == pytest.approx(0, abs=1e-6)
    assert attention_to_map(uniform_scores(alpha), target).item() > 0.01


def test_alpha_to_map_by_hand() -> None:
    """KL((1, 0) || (1/4, 3/4)) = log 4; a frame whose map is flat 0 adds nothing."""
    alpha = torch.tensor([0.25, 0.75]).view(1, 1, 1, 1, 2).expand(1, 2, 1, 1, 2)
    target = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).view(1, 2, 1, 2)
    expected = torch.log(torch.tensor(4.0)) / 2
    torch.testing.assert_close(attention_to_map(alpha, target), expected)


def test_alpha_to_map_pulls_alpha_towards_the_map() -> None:
    raw = torch.zeros(1, 1, 1, 1, 2, requires_grad=True)
    target = torch.tensor([0.9, 0.1]).view(1, 1, 1, 2)
    attention_to_map(normalise_scores(raw), target).backward()
    assert raw.grad is not None
    assert raw.grad.flatten()[0] < 0 < raw.grad.flatten()[1]


def test_avoid_foreign() -> None:
    alpha = torch.tensor([0.25, 0.75]).view(1, 1, 1, 1, 2)
    covered = torch.zeros(1, 1, 4, 8, dtype=torch.bool)  # four pixels a side to a position
    assert avoid_foreign(alpha, covered).item() == 0
    covered[..., 4:] = True
    assert avoid_foreign(alpha, covered).item() == pytest.approx(-torch.tensor(0.25).log().item())
    covered[..., :2, 4:] = False  # the right position is half covered
    assert avoid_foreign(alpha, covered).item() == pytest.approx(-torch.tensor(0.625).log().item())
    assert avoid_foreign(alpha, torch.ones_like(covered)).isfinite()


def test_an_alpha_of_0_costs_a_finite_amount() -> None:
    alpha = torch.zeros(1, 1, 1, 1, 2)
    alpha[..., 0] = 1
    assert attention_to_map(alpha, torch.ones(1, 1, 1, 2)).isfinite()
