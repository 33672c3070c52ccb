"""A part of one's own in place of SAN, TAN or the graph, and what stands there when one is off."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from .backbone import NarrowTrunk, ResNet18Trunk
from .gcn import readout
from .output import Encoded

Part: TypeAlias = "bool | nn.Module | Callable[[int], nn.Module]"
"""True for the paper's part, False for none, a module, or what builds one from M (a class will do).

Only a module or a builder is a part of one's own: `W3AN` then keeps "custom" in its config, and
`from_pretrained` asks for the part again.
"""
Graph: TypeAlias = "tuple[Tensor, Tensor, Tensor, Tensor]"
"""What a graph part gives: A `[B, T, T]`, Ã `[B, T, T]`, nodes F^g `[B, T, M]`, F^v `[B, M]`."""

OWN = ("backbone", "spatial", "temporal", "graph")
"""The arguments of `W3AN` that take a module of one's own."""
ROUNDING = 0.01
"""How far from its range a value of α or β may lie; bfloat16 is that coarse."""


def trunk_of(given: str | nn.Module, weights: str | None, further: dict[str, Any]) -> nn.Module:
    """The trunk that was given, or the one of that name; ValueError names those there are."""
    if isinstance(given, nn.Module):
        if weights not in (None, "stills") or {*further} - {"stride"}:  # `SMALL` has these two
            raise ValueError(
                f"weights {weights!r} and trunk {further} are of 'resnet18' and 'narrow'; leave "
                "them out with a backbone of your own, which brings its weights"
            )
        for name in ("channels", "stride"):
            own = getattr(given, name, None)
            if not isinstance(own, Integral) or int(own) < 1:
                raise ValueError(
                    f"the backbone {type(given).__name__} has no whole number {name!r} from 1 on; "
                    "set its M as channels, and as stride how many pixels a cell has"
                )
        return given
    if isinstance(given, type):
        raise ValueError(f"backbone is the class {given.__name__}; give a module, built")
    if given == "resnet18":
        return ResNet18Trunk(weights=weights, **further)
    if given == "narrow":
        return NarrowTrunk(weights=weights, **further)
    raise ValueError(f"backbone {given!r} is not known; choose 'resnet18' or 'narrow'")


def part_of(
    given: Part,
    channels: int,
    default: Callable[[], nn.Module],
    absent: Callable[[], nn.Module | None],
) -> Any:
    """The paper's part for True, what stands there without it for False, else the part given."""
    if isinstance(given, bool):
        return default() if given else absent()
    if not callable(given):
        raise ValueError(f"{given!r} is no part; give True, False, a module or a class of one")
    return given if isinstance(given, nn.Module) else given(channels)


class Glance:
    """Looks at the first α and β that parts from outside of this library give, and at no others:
    a look waits for the device."""

    def __init__(self, spatial: nn.Module | None, temporal: nn.Module | None) -> None:
        parts = {"spatial": spatial, "temporal": temporal}
        self.at = [k for k, part in parts.items() if is_foreign(part)]

    def __call__(self, path: Encoded) -> Encoded:
        """`path`, if all is in range; ValueError names the part that gives something else."""
        if "spatial" in self.at:
            sums, least = path.alpha.float().sum((-2, -1)), path.alpha.min()
            if not (least >= 0 and (sums - 1).abs().max() <= ROUNDING):
                raise ValueError(
                    f"the spatial part gave α from {least:g} on, with sums over h×w from "
                    f"{sums.min():g} to {sums.max():g}; give none below 0, and sums of 1 "
                    "(san.normalise_scores does)"
                )
        if "temporal" in self.at:
            for what, got in (("β", path.beta), ("β_overall", path.beta_overall)):
                if not -ROUNDING <= got.min() <= got.max() <= 1 + ROUNDING:
                    raise ValueError(
                        f"the temporal part gave {what} from {got.min():g} to {got.max():g}; give "
                        "values from 0 to 1, as a sigmoid does"
                    )
        self.at = []
        return path


def is_foreign(part: object) -> bool:
    """Whether `part` is there and comes from outside of this library."""
    return (
        part is not None and type(part).__module__.partition(".")[0] != __name__.partition(".")[0]
    )


class NoTemporal(nn.Module):
    """temporal=False: β and β_overall are 0, so that Ã of Eq. 12 is A alone (Table 5's W2AN)."""

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        beta = features.new_zeros(features.shape[:2])
        return beta, beta[:, 0]


class WeightedAverage(nn.Module):
    """graph=False: F^v = Σ β_t F_t / Σ β_t, no neighbours and no weights (Table 5's W3WAN)."""

    def forward(self, features: Tensor, beta: Tensor) -> Graph:
        own = torch.diag_embed(beta)
        return torch.zeros_like(own), own, features, readout(features, beta, "beta")


def on_strongest(
    graph: Callable[[Tensor, Tensor], Graph], features: Tensor, beta: Tensor, share: float
) -> Graph:
    """`graph` on the ⌈share·T⌉ frames with the highest β alone (of equals the earlier).

    Frames keep their order. What was dropped has zeros in A, Ã and F^g, and no part in F^v.
    """
    frames = features.shape[1]
    count = math.ceil(share * frames - 1e-9)  # 0.28 of 25 is 7, and not one more by rounding
    order = beta.argsort(dim=1, descending=True, stable=True)
    index = order[:, :count].sort(dim=1).values
    clip = torch.arange(len(beta), device=beta.device)[:, None]
    joined, adjacency, nodes, embedding = graph(features[clip, index], beta[clip, index])
    square = (clip[..., None], index[:, :, None], index[:, None, :])
    wide_joined, wide_adjacency = (
        part.new_zeros(len(beta), frames, frames).index_put(square, part)
        for part in (joined, adjacency)
    )
    wide_nodes = nodes.new_zeros(*features.shape[:2], nodes.shape[-1])
    return wide_joined, wide_adjacency, wide_nodes.index_put((clip, index), nodes), embedding
