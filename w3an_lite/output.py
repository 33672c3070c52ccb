"""What a clip leaves on its way through the network."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class W3ANOutput(NamedTuple):
    """Everything a clip leaves on its way; B clips, T frames, M channels, h×w positions.

    clip_logits is None without `clip_identity`; alpha_prime is None unless asked for; the
    looked logits, read through α, are None but in training with `heads_on="both"`.
    """

    cube: Tensor  # C_t          [B, T, M, h, w]
    alpha: Tensor  # α_t          [B, T, M, h, w], sums to 1 over h×w
    frame_features: Tensor  # F_t          [B, T, M]
    beta: Tensor  # β_t          [B, T]
    beta_overall: Tensor  # β_overall    [B]
    neighbours: Tensor  # A            [B, T, T]
    adjacency: Tensor  # Ã            [B, T, T]
    nodes: Tensor  # F_t^g        [B, T, M]
    embedding: Tensor  # F^v          [B, M]
    identity_logits: Tensor  # [B, T, I]
    attribute_logits: Tensor  # [B, T, A, 2]
    identity_map: Tensor  # m_i in [0,1] [B, T, h, w]
    attribute_map: Tensor  # m_a in [0,1] [B, T, h, w]
    clip_logits: Tensor | None = None  # [B, I]
    alpha_prime: Tensor | None = None  # α'_t         [B, T, M, h, w]
    looked_identity_logits: Tensor | None = None  # [B, T, I]
    looked_attribute_logits: Tensor | None = None  # [B, T, A, 2]


class Encoded(NamedTuple):
    """The path from frames to the embedding, without maps."""

    cube: Tensor
    alpha: Tensor
    frame_features: Tensor
    beta: Tensor
    beta_overall: Tensor
    neighbours: Tensor
    adjacency: Tensor
    nodes: Tensor
    embedding: Tensor
