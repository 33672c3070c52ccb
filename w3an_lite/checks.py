"""What `W3AN` asks of its arguments, and of the parts that are given to it."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from .frames import check_range
from .parts import Graph
from .speed import casts

CHOICES = {
    "maps_of": ("all", "present"),
    "map_form": ("range", "evidence", "raw"),
    "heads_on": ("cube", "both"),
    "degree": ("adjacency", "weighted"),
    "readout": ("mean", "beta"),
    "guide_by": ("classes", "noise"),
    "alpha_of": ("cube", "place"),
    "near": ("euclidean", "cosine"),
}
"""Arguments of `W3AN` that are one of a few words."""
WHOLE = {"identities": 1, "clip_length": 1, "attributes": 0, "neighbours": 1, "layers": 0}
"""Arguments of `W3AN` that are whole numbers, and the least each may be."""
SWITCHES = (
    "mutual", "include_self", "slots", "flatten", "guide_gradient", "guide_frozen", "overall_bias",
    "last_activation", "residual", "clip_identity",
)  # fmt: skip
"""Arguments of `W3AN` that are True or False."""
CAST = (torch.float32, torch.bfloat16, torch.float16)
"""What a part may give under autocast, whatever it is given."""


def check_whole(name: str, value: object, least: int) -> None:
    """ValueError unless argument `name` is a whole number from `least` on."""
    if not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{name} is {value!r}; give a whole number of at least {least}")


def check_size(name: str, value: object, wanted: str = "two whole numbers of at least 1") -> None:
    """ValueError unless argument `name` is (height, width), for which `wanted` asks."""
    sides = value if isinstance(value, (tuple, list)) else ()
    if len(sides) != 2 or not all(isinstance(s, Integral) and int(s) >= 1 for s in sides):
        raise ValueError(f"{name} is {value!r}; give (H, W), {wanted}")


def check_values(config: dict[str, Any]) -> None:
    """ValueError names the first of `W3AN`'s arguments that cannot be."""
    strength, keep = config["guide_strength"], config["keep"]
    for name, least in WHOLE.items():
        check_whole(name, config[name], least)
    check_size("size", config["size"])
    for name in SWITCHES:
        if config[name] not in (True, False):
            raise ValueError(f"{name} is {config[name]!r}; give True or False")
    if not isinstance(strength, Real) or not math.isfinite(strength):
        raise ValueError(f"guide_strength is {strength!r}; give a finite number")
    for name, known in CHOICES.items():
        if config[name] not in known:
            raise ValueError(
                f"{name} {config[name]!r} is not known; choose from {', '.join(known)}"
            )
    if config["flatten"] and config["heads_on"] == "both":
        raise ValueError("flattened heads cannot read F_t; choose flatten or heads_on='both'")
    if not isinstance(keep, Real) or not 0 < float(keep) <= 1:
        raise ValueError(f"keep is {keep!r}; give a share of the frames above 0 and at most 1")
    if keep < 1 and config["temporal"] is False:
        raise ValueError("keep chooses frames by β; it needs a temporal part")


def check_clips(frames: Tensor, training: bool) -> tuple[int, int]:
    """B and T of clips `[B, T, 3, H, W]`; ValueError for another shape, and, but in training, which
    must not wait for the device, for floats outside of [0, 1]."""
    if frames.ndim != 5 or frames.shape[2] != 3 or 0 in frames.shape:
        raise ValueError(
            f"frames are {list(frames.shape)}; give clips [B, T, 3, H, W] "
            "(model.embed takes the frames of one tracklet)"
        )
    if not training:
        check_range(frames)
    return frames.shape[0], frames.shape[1]


def check_part(
    name: str, what: str, got: Any, wanted: tuple[int | str, ...], like: Tensor
) -> Tensor:
    """`got`, if it is a tensor of the shape that part `name` owes and of the type of `like`, which
    the part was given; ValueError otherwise. Under autocast any float of up to 32 bits will do."""
    if not isinstance(got, Tensor):
        raise ValueError(f"the {name} part gave {what} as {type(got).__name__}, not as a tensor")
    if tuple(got.shape) != tuple(wanted):
        owed = ", ".join(map(str, wanted))
        raise ValueError(f"the {name} part gave {what} {list(got.shape)}, not [{owed}]")
    if got.dtype != like.dtype and not (got.dtype in CAST and casts(like.device)):
        raise ValueError(
            f"the {name} part gave {what} as {got.dtype}, not {like.dtype}; convert it to the type "
            "of what the part is given"
        )
    return got


def check_cube(backbone: Any, got: Any, frames: Tensor) -> Tensor:
    """`got`, if it is the cube `[N, M, h, w]` that `backbone` with its stride owes for `frames`
    `[N, 3, H, W]`; ValueError otherwise. A cell at the edge that is not whole may be there or not.
    """
    sides, stride = tuple(frames.shape[2:]), int(backbone.stride)
    grid = tuple(got.shape[2:]) if isinstance(got, Tensor) and got.ndim == 4 else ("h", "w")
    cube = check_part("backbone", "C", got, (len(frames), int(backbone.channels), *grid), frames)
    most = [-(-side // stride) for side in sides]
    if any(not s // stride <= n <= m for s, n, m in zip(sides, cube.shape[2:], most, strict=True)):
        raise ValueError(
            f"the backbone part gave {list(grid)} cells for frames {list(sides)}, and its stride "
            f"{stride} promises {most}; set stride to how many pixels a cell has"
        )
    return cube


def check_count(name: str, wanted: str, got: Any) -> Any:
    """`got`, if it is a tuple of as many as part `name` owes; ValueError otherwise."""
    owed = wanted.split(", ")
    if not isinstance(got, (tuple, list)) or len(got) != len(owed):
        what = (
            f"{len(got)} values" if isinstance(got, (tuple, list)) else f"one {type(got).__name__}"
        )
        raise ValueError(f"the {name} part gave {what}, not the {len(owed)} owed: {wanted}")
    return got


def check_graph(graph: Graph, features: Tensor) -> Graph:
    """`graph`, if A, Ã, F^g and F^v have the shapes and the type that F `[B, T, M]` asks for."""
    check_count("graph", "A, Ã, F^g, F^v", graph)
    clips, frames, channels = features.shape
    shapes = [(clips, frames, frames)] * 2 + [tuple(features.shape), (clips, channels)]
    for what, got, wanted in zip(("A", "Ã", "F^g", "F^v"), graph, shapes, strict=True):
        check_part("graph", what, got, wanted, features)
    return graph
