"""The looking LSTM gives scores: a whole and some regions, each frame by itself."""

from __future__ import annotations

import pytest
import torch

from w3an_lite.attention_lstm import AttentionLSTM


@pytest.mark.parametrize("grid", [(8, 4), (5, 3), (1, 1)])
def test_scores_sum_to_one_and_channels_share_them(grid: tuple[int, int]) -> None:
    alpha = AttentionLSTM(6)(torch.randn(2, 3, 6, *grid))
    assert alpha.shape == (2, 3, 6, *grid)
    torch.testing.assert_close(alpha.sum((-2, -1)), torch.ones(2, 3, 6))
    assert torch.equal(alpha[:, :, :1].expand_as(alpha), alpha)
    assert alpha.min() >= 0.5 / (grid[0] * grid[1]) - 1e-6  # half of it is the whole frame


def test_the_window_stands_where_the_place_says() -> None:
    part = AttentionLSTM(2, looks=1, spread=0.2)
    torch.nn.init.zeros_(part.place.weight)
    part.place.bias.data = torch.atanh(torch.tensor([-0.75, 0.5]))  # left, and below the middle
    alpha = part(torch.randn(1, 1, 2, 4, 4))[0, 0, 0]
    assert divmod(int(alpha.argmax()), 4) in ((2, 0), (3, 0))
    torch.testing.assert_close(alpha[2], alpha[3])  # rows at 0.25 and 0.75 lie as far from 0.5


def test_later_looks_depend_on_what_was_seen() -> None:
    torch.manual_seed(0)
    one, three = AttentionLSTM(6, looks=1), AttentionLSTM(6, looks=3)
    three.load_state_dict(one.state_dict())
    cube = torch.randn(2, 3, 6, 8, 4)
    assert not torch.allclose(one(cube), three(cube))
    torch.testing.assert_close(three(cube)[1, 2], three(cube[1:, 2:])[0, 0])


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    part = AttentionLSTM(6, looks=2)
    cube = torch.randn(2, 3, 6, 8, 4)
    (part(cube) * cube).sum((-2, -1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())


def test_values_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="looks 0"):
        AttentionLSTM(4, looks=0)
    with pytest.raises(ValueError, match="spread 0"):
        AttentionLSTM(4, spread=0)
