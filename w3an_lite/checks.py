"""What `W3AN` asks of its arguments, and of the parts that are given to it."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from .parts import Graph

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


def check_values(config: dict[str, Any]) -> None:
    """ValueError names the first of `W3AN`'s arguments that cannot be."""
    identities, clip_length, keep = (config[k] for k in ("identities", "clip_length", "keep"))
    if min(identities, clip_length) < 1:
        raise ValueError(f"identities {identities}, clip_length {clip_length}: at least 1")
    size = config["size"]
    if not (isinstance(size, (tuple, list)) and len(size) == 2 and min(size) >= 1):
        raise ValueError(f"size is {size!r}; give (height, width) in pixels, at least 1 each")
    for name, least in (("attributes", 0), ("neighbours", 1), ("layers", 0)):
        if not config[name] >= least:
            raise ValueError(f"{name} is {config[name]}; give a whole number of at least {least}")
    if not math.isfinite(config["guide_strength"]):
        raise ValueError(f"guide_strength is {config['guide_strength']}; give a finite number")
    for name, known in CHOICES.items():
        if config[name] not in known:
            raise ValueError(
                f"{name} {config[name]!r} is not known; choose from {', '.join(known)}"
            )
    if config["flatten"] and config["heads_on"] == "both":
        raise ValueError("flattened heads cannot read F_t; choose flatten or heads_on='both'")
    if not 0 < keep <= 1:
        raise ValueError(f"keep is {keep}; give a share of the frames above 0 and at most 1")
    if keep < 1 and config["temporal"] is False:
        raise ValueError("keep chooses frames by β; it needs a temporal part")


def check_clips(frames: Tensor) -> tuple[int, int]:
    """B and T of clips `[B, T, 3, H, W]`; ValueError for another shape."""
    if frames.ndim != 5 or frames.shape[2] != 3 or 0 in frames.shape:
        raise ValueError(
            f"frames are {list(frames.shape)}; give clips [B, T, 3, H, W] "
            "(model.embed takes the frames of one tracklet)"
        )
    return frames.shape[0], frames.shape[1]


def check_part(name: str, what: str, got: Tensor, wanted: tuple[int, ...]) -> Tensor:
    """`got`, if it has the shape that part `name` owes; ValueError otherwise."""
    if tuple(got.shape) != tuple(wanted):
        raise ValueError(f"the {name} part gave {what} {list(got.shape)}, not {list(wanted)}")
    return got


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
    """`graph`, if A, Ã, F^g and F^v have the shapes that F `[B, T, M]` asks for."""
    check_count("graph", "A, Ã, F^g, F^v", graph)
    clips, frames, channels = features.shape
    shapes = [(clips, frames, frames)] * 2 + [tuple(features.shape), (clips, channels)]
    for what, got, wanted in zip(("A", "Ã", "F^g", "F^v"), graph, shapes, strict=True):
        check_part("graph", what, got, wanted)
    return graph
