"""Class activation maps of identity and attributes, and the frame they are laid on (Eq. 5-7).

A linear layer on pooled features gives S_c = Σ_k w_k^c Σ_xy f_k(x, y) (Eq. 5); leaving the sum
over positions out gives the map m_c(x, y) = Σ_k w_k^c f_k(x, y) (Eq. 6). Eq. 9 speaks of the
flattened cube instead, where every position has weights of its own; `Heads(flatten=(h, w))` is
that form, with the map m_c(x, y) = Σ_k w_k^c(x, y) f_k(x, y).

Source: Zhou et al., "Learning deep features for discriminative localization", CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Heads(nn.Module):
    """One linear classifier of identity, and one of two classes for each attribute.

    cube `[B, T, M, h, w]` -> identity logits `[B, T, I]`, attribute logits `[B, T, A, 2]`, where
    class 1 is "present".

    flatten: None pools the cube over positions (Eq. 5); (h, w) flattens it (Eq. 9 to the letter).
    """

    def __init__(
        self,
        channels: int,
        identities: int,
        attributes: int,
        flatten: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.flatten = flatten
        self.attributes = attributes
        width = channels if flatten is None else channels * flatten[0] * flatten[1]
        self.identity = nn.Linear(width, identities)
        self.attribute = nn.Linear(width, 2 * attributes)

    def forward(self, cube: Tensor, attended: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits from the cube, or from `attended` features `[B, T, M]` if they are given."""
        if self.flatten is not None and tuple(cube.shape[-2:]) != self.flatten:
            raise ValueError(
                f"the cube is {tuple(cube.shape[-2:])}, the flattened heads were made for "
                f"{self.flatten}; feed frames of the size the model was built with"
            )
        features = cube.mean((-2, -1)) if self.flatten is None else cube.flatten(-3)
        if attended is not None:
            features = attended
        attribute = self.attribute(features).unflatten(-1, (self.attributes, 2))
        return self.identity(features), attribute

    def identity_map(self, cube: Tensor, identity: Tensor, centred: bool = False) -> Tensor:
        """Eq. 6 for class `identity` `[B, T]`: `[B, T, h, w]`, not scaled.

        centred: take the mean of all classes' weights off first. A softmax sees only how classes
        differ, and what all classes have in common is no evidence for one of them.
        """
        weight = self.identity.weight
        if centred:
            weight = weight - weight.mean(0)
        return activation_map(cube, self._spread(weight[identity], cube))

    def attribute_maps(self, cube: Tensor, present: Tensor) -> Tensor:
        """Eq. 6 of every attribute for its class `present` `[B, T, A]` (0 or 1): `[B, T, A, h, w]`.

        The weights are those of the chosen class less the other's, since a two-way softmax sees
        only their difference.
        """
        both = self.attribute.weight.unflatten(0, (self.attributes, 2))
        evidence = both[:, 1] - both[:, 0]
        if self.flatten is None:
            maps = torch.einsum("btmhw,am->btahw", cube, evidence)
        else:
            spread = evidence.unflatten(-1, (cube.shape[-3], *self.flatten))
            maps = torch.einsum("btmhw,amhw->btahw", cube, spread)
        return maps * (2 * present.to(maps.dtype) - 1)[..., None, None]

    def _spread(self, weight: Tensor, cube: Tensor) -> Tensor:
        if self.flatten is None:
            return weight[..., None, None]
        return weight.unflatten(-1, (cube.shape[-3], *self.flatten))


def activation_map(cube: Tensor, weight: Tensor) -> Tensor:
    """Eq. 6: Σ_k w_k f_k(x, y) of cube `[..., M, h, w]` with weight `[..., M, 1 or h, 1 or w]`."""
    return (cube * weight).sum(-3)


def scale_map(maps: Tensor, positive: bool = False, eps: float = 1e-6) -> Tensor:
    """Each map `[..., h, w]` moved and stretched onto [0, 1]; a flat map becomes 0.

    positive: 0 stays 0 and what is below becomes 0, so only evidence for the class is left; a flat
        map above 0 becomes 1.
    """
    low = torch.zeros_like(maps[..., :1, :1]) if positive else maps.amin((-2, -1), keepdim=True)
    maps = maps.clamp_min(0) if positive else maps
    high = maps.amax((-2, -1), keepdim=True)
    return (maps - low) / (high - low).clamp_min(eps)


def fuse_attribute_maps(
    maps: Tensor, chosen: Tensor | None = None, positive: bool = False
) -> Tensor:
    """Attribute maps `[..., A, h, w]` -> one `[..., h, w]` in [0, 1].

    Each is scaled to [0, 1], they are added up (those `chosen` `[..., A]`, all if None), and the
    sum is scaled to [0, 1] again. No attribute chosen gives 0. positive: see `scale_map`.
    """
    scaled = scale_map(maps, positive)
    if chosen is not None:
        scaled = scaled * chosen.to(scaled.dtype)[..., None, None]
    return scale_map(scaled.sum(-3), positive)


def guide_frames(
    frames: Tensor, identity_map: Tensor, attribute_map: Tensor, strength: float = 1.0
) -> Tensor:
    """Eq. 7: I' = I + m_i + m_a for frames `[B, T, 3, H, W]` and maps `[B, T, h, w]`.

    The maps are enlarged to the frame (bilinear), multiplied by `strength`, and added to every
    channel of the normalised frame.
    """
    maps = (identity_map + attribute_map).flatten(0, 1).unsqueeze(1)
    large = functional.interpolate(
        maps, size=frames.shape[-2:], mode="bilinear", align_corners=False
    )
    return frames + strength * large.unflatten(0, frames.shape[:2])
