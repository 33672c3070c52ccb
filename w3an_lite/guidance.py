"""Which maps guide α: those of the classes (Eq. 6), or a sparse random one that says nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from .cam import Heads, fuse_attribute_maps, scale_map

NOISE = 1e-3
"""The greatest value of the random map, as printed in Sec. 4.7."""
DENSITY = 0.1
"""Share of its positions that are not 0; the paper says no more than "sparse"."""


def class_maps(
    heads: Heads,
    cube: Tensor,
    identity_logits: Tensor,
    attribute_logits: Tensor,
    identity: Tensor | None,
    attributes: Tensor | None,
    maps_of: str,
    map_form: str,
) -> tuple[Tensor, Tensor]:
    """m_i and m_a of Eq. 6, each `[B, T, h, w]`, in [0, 1] unless map_form is "raw".

    The class is that of the label, the predicted one where there is none. Arguments as in `W3AN`.
    """
    if identity is None:
        identity = identity_logits.mean(1).argmax(-1)
    identity = identity.unsqueeze(1).expand(-1, cube.shape[1])
    present = attribute_logits.argmax(-1)
    if attributes is not None:
        label = attributes.unsqueeze(1).expand(-1, cube.shape[1], -1)
        present = torch.where(label >= 0, (label > 0.5).to(present.dtype), present)
    evidence = map_form == "evidence"
    chosen = present if maps_of == "present" else None
    identity_map = heads.identity_map(cube, identity, evidence)
    attribute_maps = heads.attribute_maps(cube, present)
    if map_form == "raw":
        kept = attribute_maps if chosen is None else attribute_maps * chosen[..., None, None]
        return identity_map, kept.sum(2)
    return (
        scale_map(identity_map, evidence),
        fuse_attribute_maps(attribute_maps, chosen, evidence),
    )


def random_maps(frames: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """A sparse map in [0, 0.001] for m_i and zeros for m_a, `[B, T, h, w]` on the grid of `like`.

    Drawn anew for each batch from a seed that the frames `[B, T, 3, H, W]` themselves give, so
    that a training run taken up again draws the same.
    """
    seed = int(frames.detach().double().abs().sum() * 1e6) % 2**63
    generator = torch.Generator().manual_seed(seed)
    shape = (*frames.shape[:2], *like.shape[-2:])
    value, sparse = torch.rand((2, *shape), generator=generator)
    noise = (NOISE * value * (sparse < DENSITY)).to(like)
    return noise, torch.zeros_like(noise)
