"""Temporal attention: when to look (Eq. 10-11)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class TemporalAttention(nn.Module):
    """β_t = sigmoid(W_f F_t + b_f) (Eq. 10): `[B, T, M]` -> β `[B, T]`, β_overall `[B]`.

    overall_bias: β_overall is printed without b_f. Then a large negative b_f sends every β to 0
        and Eq. 11 is satisfied for nothing; with b_f (the default) β_overall is close to the mean
        of β, and Eq. 11 asks for a spread.
    """

    def __init__(self, channels: int, overall_bias: bool = True) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)  # W_f, b_f
        self.overall_bias = overall_bias

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        beta = torch.sigmoid(self.score(features)).squeeze(-1)
        bias = self.score.bias if self.overall_bias else None
        overall = torch.sigmoid(functional.linear(features.mean(1), self.score.weight, bias))
        return beta, overall.squeeze(-1)


def temporal_spread(beta: Tensor, overall: Tensor, margin: float = 0.08) -> Tensor:
    """Eq. 11: max(0, m_1 - (β_overall - β_min)), mean over the batch; β `[B, T]`, overall `[B]`.

    It asks that some frame be less important than the average. It does not say which.
    """
    return (margin - (overall - beta.amin(1))).clamp_min(0).mean()


def covered_order(beta: Tensor, covered: Tensor, margin: float = 0.5) -> Tensor:
    """Repair of Eq. 11: a frame covered more must have a lower β than one covered less.

    β `[B, T]`; covered `[B, T]` in [0, 1], how much of each frame was pasted over in training.
    For every pair of frames of a clip with covered_i > covered_j + 0.05 the hinge
    max(0, margin·(covered_i - covered_j) - (β_j - β_i)), averaged over such pairs of the batch.
    0 when nothing is covered.
    """
    more = covered.unsqueeze(2) - covered.unsqueeze(1)
    lower = beta.unsqueeze(1) - beta.unsqueeze(2)
    pair = (more > 0.05).to(beta.dtype)  # under a twentieth is no difference the eye could tell
    hinge = (margin * more - lower).clamp_min(0) * pair
    return hinge.sum() / pair.sum().clamp_min(1)


def covered_share(covered: Tensor) -> Tensor:
    """How much of the person is covered, guessed without a mask: `[B, T, H, W]` -> `[B, T]`.

    covered: bool, or a share of each pixel or cell.
    A crop is drawn around the person, so pixels count by a raised cosine across the width.
    """
    width = covered.shape[-1]
    place = (torch.arange(width, device=covered.device) + 0.5) / width
    weight = 1 - torch.cos(2 * torch.pi * place)
    return (covered * weight).mean((-2, -1)) / weight.mean()
