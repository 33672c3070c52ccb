"""The attention pyramid gives scores; its levels, gates and gradients do what they say."""

from __future__ import annotations

import pytest
import torch

from w3an_lite.attention_pyramid import AttentionPyramid


@pytest.mark.parametrize("grid", [(8, 4), (5, 3), (1, 1), (2, 1)])
def test_scores_sum_to_one(grid: tuple[int, int]) -> None:
    alpha = AttentionPyramid(6)(torch.randn(2, 3, 6, *grid))
    assert alpha.shape == (2, 3, 6, *grid)
    torch.testing.assert_close(alpha.sum((-2, -1)), torch.ones(2, 3, 6))


def test_each_frame_is_scored_alone_and_channels_differ() -> None:
    torch.manual_seed(0)
    part = AttentionPyramid(6)
    cube = torch.randn(2, 3, 6, 8, 4)
    torch.testing.assert_close(part(cube)[1, 2], part(cube[1:, 2:])[0, 0])
    assert part(cube).std(2).max() > 0


def test_every_level_learns() -> None:
    torch.manual_seed(0)
    part = AttentionPyramid(6, levels=3)
    part(torch.randn(2, 3, 6, 8, 4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in part.score[0].parameters())
    assert all(layer.weight.grad.abs().max() > 0 for layer in [*part.lateral, *part.gate])


def test_a_bright_spot_draws_attention_when_the_scores_say_so() -> None:
    part = AttentionPyramid(1, levels=1, width=1)
    for parameter in part.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.ones_(part.lateral[0].weight)
    part.score[0].weight.data[0, 0, 1, 1] = 2  # the position itself and not its surroundings
    cube = torch.zeros(1, 1, 1, 4, 4)
    cube[..., 2, 1] = 3
    # the gate is sigmoid(0) = 1/2, so the raw score of the spot is 3, of the others 0
    expected = torch.e**3 / (torch.e**3 + 15)
    assert part(cube)[..., 2, 1].item() == pytest.approx(expected, rel=1e-5)


def test_a_pyramid_has_a_level() -> None:
    with pytest.raises(ValueError, match="levels is 0"):
        AttentionPyramid(4, levels=0)


def test_a_gate_is_averaged_with_the_gate_below() -> None:
    """Coarse scores of 4 and 0, enlarged to 4, 3, 1, 0, under gates of 1 (fine) and 0 (coarse)."""
    part = AttentionPyramid(1, levels=2, width=1)
    for parameter in part.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.ones_(part.lateral[1].weight)
    part.score[1].weight.data[0, 0, 1, 1] = 1
    for gate, bias in zip(part.gate, (50.0, -50.0), strict=True):
        torch.nn.init.constant_(gate.bias, bias)
    cube = torch.zeros(1, 1, 1, 4, 2)
    cube[..., :2, :] = 4
    rows = (torch.tensor([4.0, 3.0, 1.0, 0.0]) / 2).softmax(0) / 2
    torch.testing.assert_close(part(cube).flatten(0, 2), rows[:, None].expand(4, 2)[None])
