"""The three models by name: the paper as printed, the repaired one, and the baseline to beat.

Each is nothing but arguments: of `W3AN` ("model"), of `losses.Objective` ("objective"), of
`recipe.Recipe` ("recipe"). What is not named keeps its default, and the defaults are the
paper's. So a repair is put back by leaving its line out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Changes: TypeAlias = "dict[str, dict[str, Any]]"
"""Departures from a preset by part: {"model": {...}, "objective": {...}, "recipe": {...}}."""

REPAIRS: dict[str, Changes] = {
    "degree from Ã": {"model": {"degree": "weighted"}},
    "linear last layer": {"model": {"last_activation": False}},
    "residual graph": {"model": {"residual": True}},
    "normalised triplet": {"objective": {"triplet_normalise": True}},
    "β-weighted readout": {"model": {"readout": "beta"}},
    "one map for all channels": {"model": {"scores": "shared"}},
    "one v for all frames": {"model": {"slots": False}},
    "maps of evidence": {"model": {"map_form": "evidence", "maps_of": "present"}},
    "heads through α": {"model": {"heads_on": "both"}, "objective": {"look_weight": 0.5}},
    "clip identity": {"model": {"clip_identity": True}, "objective": {"clip_weight": 0.5}},
    "α free of Eq. 8": {"objective": {"san_weight": 0.0}},
    "α to the map": {"objective": {"map_weight": 3.0, "map_power": 3.0}},
    "α off foreign pixels": {"objective": {"avoid_weight": 2.0}},
    "β by coverage": {"objective": {"order_weight": 0.5, "order_margin": 1.0}},
    "pasted occluders": {"recipe": {"paste": 0.25}},
    "exchanged surroundings": {"recipe": {"surround": 0.4}},
    "balance of the terms": {"objective": {"cam_weight": 0.5, "triplet_weight": 1.0}},
}
"""Every repair we tried, by name: the arguments that make it."""

REPAIRED = (
    "degree from Ã",
    "residual graph",
    "β-weighted readout",
    "clip identity",
    "α free of Eq. 8",
    "α off foreign pixels",
    "exchanged surroundings",
)
"""The repairs of `repaired`: the first four are enough to find people, the last three put α on
them, and none of the three can be missed for that. What each is worth there, and what each of the
others would be, is measured by `experiment repairs`."""


TRAINED = ("model", "objective", "recipe")
"""The parts of changes that are arguments of what is trained."""


def check_changes(changes: Changes, data: Mapping[str, Sequence[str]] | None = None) -> None:
    """ValueError names a part of `changes` that is neither `TRAINED` nor in `data`, or what is in a
    part of the latter and not known there."""
    known = {**dict.fromkeys(TRAINED), **(data or {})}
    for part, values in changes.items():
        if part not in known:
            raise ValueError(f"changes have a part {part!r}; choose from {', '.join(known)}")
        there = known[part]
        wrong = [key for key in values if there is not None and key not in there]
        if wrong:
            raise ValueError(f"changes of {part!r} name {wrong[0]!r}; choose from {there}")


def merged(*some: Changes) -> Changes:
    """All of these changes at once; of two values of an argument the later one."""
    out: Changes = {"model": {}, "objective": {}, "recipe": {}}
    for changes in some:
        for part, arguments in changes.items():
            out[part] |= arguments
    return out


PRESETS: dict[str, Changes] = {
    "paper": merged(),
    "repaired": merged(*(REPAIRS[name] for name in REPAIRED)),
    "mean_pool": merged(
        {"model": {"spatial": False, "layers": 0}},
        {"objective": {"san_weight": 0.0, "tan_weight": 0.0}},
    ),
}

SMALL: dict[str, dict[str, Any]] = {
    "model": {
        "backbone": "narrow",
        "weights": "stills",
        "trunk": {"stride": 4},
        "size": (64, 32),
        "clip_length": 6,
        "neighbours": 3,
    },
    "recipe": {
        "epochs": 10,
        "optimiser": "adamw",
        "lr": 3e-3,
        "weight_decay": 1e-3,
        "schedule": "cosine",
        "warmup": 1,
        "load_size": None,
        "crop": None,
        "pad": 3,
        "flip": 0.5,
    },
}
"""What brings any preset to two cores: the shipped trunk, small frames, short clips and runs."""

STUDY: dict[str, dict[str, Any]] = {
    "model": {**SMALL["model"], "trunk": {"stride": 8}},
    "recipe": {**SMALL["recipe"], "epochs": 8},
}
"""`SMALL` for hundreds of trials: cells of twice the side and fewer epochs."""


def preset(name: str, part: str) -> dict[str, Any]:
    """The arguments of one part of a preset; ValueError names the presets there are."""
    if name not in PRESETS:
        raise ValueError(f"preset {name!r} is not known; choose from {sorted(PRESETS)}")
    return PRESETS[name][part]
