"""The graph of a clip: which frames are neighbours, and β on its diagonal (Eq. 12-13)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .distance import Metric


def knn_adjacency(
    features: Tensor,
    neighbours: int = 4,
    mutual: bool = True,
    include_self: bool = False,
    metric: Metric = "euclidean",
) -> Tensor:
    """A of Eq. 13: frame features `[B, T, M]` -> `[B, T, T]` of 0 and 1. No gradient.

    neighbours: K, the nearest frames; all others when K exceeds T - 1. Of frames equally far the
        earlier is nearer.
    mutual: i and j are joined when each is among the other's K (as printed); otherwise one is
        enough.
    include_self: A_ii = 1.
    metric: near by Euclid's distance, or by angle ("cosine"); the paper does not say.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours is {neighbours}; at least 1 is needed")
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f"metric {metric!r} is not known; choose 'euclidean' or 'cosine'")
    frames = features.shape[1]
    points = features.detach()
    if points.dtype != torch.float64:
        points = points.float()
    if metric == "cosine":
        points = normalize(points, dim=-1)
    distance = (points.unsqueeze(2) - points.unsqueeze(1)).square().sum(-1)
    eye = torch.eye(frames, dtype=torch.bool, device=features.device)
    order = distance.masked_fill(eye, torch.nan).argsort(dim=-1, stable=True)  # nan is last of all
    nearest = order[..., : min(neighbours, frames - 1)]
    chosen = torch.zeros_like(distance, dtype=torch.bool).scatter_(-1, nearest, True)
    chosen &= ~eye
    joined = chosen & chosen.mT if mutual else chosen | chosen.mT
    return (joined | eye if include_self else joined).to(features.dtype)


def add_attention(adjacency: Tensor, beta: Tensor) -> Tensor:
    """Eq. 12-13: Ã = A + diag(β); A `[B, T, T]`, β `[B, T]`."""
    return adjacency + torch.diag_embed(beta)
