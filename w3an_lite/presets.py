"""The three models by name: the paper as printed, the repaired one, and the baseline to beat.

Each is nothing but arguments: of `W3AN` ("model"), of `losses.Objective` ("objective"), of
`training.Recipe` ("recipe"). What is not named keeps its default, and the defaults are the
paper's. So a repair is put back by leaving its line out.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Changes: TypeAlias = "dict[str, dict[str, Any]]"
"""Departures from a preset by part: {"model": {...}, "objective": {...}, "recipe": {...}}."""

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {"model": {}, "objective": {}, "recipe": {}},
    "repaired": {
        "model": {
            "scores": "shared",
            "slots": False,
            "degree": "weighted",
            "last_activation": False,
            "residual": True,
            "readout": "beta",
            "maps_of": "present",
            "map_form": "evidence",
            "heads_on": "both",
            "clip_identity": True,
        },
        "objective": {
            "san_weight": 0.0,
            "cam_weight": 0.5,
            "look_weight": 0.5,
            "triplet_weight": 1.0,
            "triplet_normalise": True,
            "map_weight": 3.0,
            "map_power": 3.0,
            "avoid_weight": 2.0,
            "order_weight": 0.5,
            "order_margin": 1.0,
            "clip_weight": 0.5,
        },
        "recipe": {"paste": 0.25, "surround": 0.4},
    },
    "mean_pool": {
        "model": {"spatial": False, "layers": 0},
        "objective": {"san_weight": 0.0, "tan_weight": 0.0},
        "recipe": {},
    },
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
"""`SMALL` for hundreds of trials: cells of twice the side and fewer epochs, a third of the time."""


def preset(name: str, part: str) -> dict[str, Any]:
    """The arguments of one part of a preset; ValueError names the presets there are."""
    if name not in PRESETS:
        raise ValueError(f"preset {name!r} is not known; choose from {sorted(PRESETS)}")
    return PRESETS[name][part]
