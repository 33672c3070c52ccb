"""The repairs of `repaired` by name, each with what puts it back to the paper."""

from __future__ import annotations

from .presets import Changes

REPAIRS: dict[str, Changes] = {
    "degree from Ã": {"model": {"degree": "adjacency"}},
    "linear last layer": {"model": {"last_activation": True}},
    "residual graph": {"model": {"residual": False}},
    "normalised triplet": {"objective": {"triplet_normalise": False}},
    "β-weighted readout": {"model": {"readout": "mean"}},
    "one map for all channels": {"model": {"scores": "channel"}},
    "one v for all frames": {"model": {"slots": True}},
    "maps of evidence": {"model": {"map_form": "range", "maps_of": "all"}},
    "heads through α": {"model": {"heads_on": "cube"}, "objective": {"look_weight": 0.0}},
    "clip identity": {"model": {"clip_identity": False}, "objective": {"clip_weight": 0.0}},
    "α to the map": {"objective": {"map_weight": 0.0}},
    "α off foreign pixels": {"objective": {"avoid_weight": 0.0}},
    "β by coverage": {"objective": {"order_weight": 0.0}},
    "pasted occluders": {
        "objective": {"order_weight": 0.0},
        "recipe": {"paste": 0.0},
    },
    "exchanged surroundings": {"recipe": {"surround": 0.0}},
    "balance of the terms": {"objective": {"cam_weight": 0.15, "triplet_weight": 0.35}},
}
"""Each repair by name, and the arguments that put it back."""

ALIKE: Changes = {
    "model": {"clip_identity": True},
    "objective": {
        "cam_weight": 0.5,
        "triplet_weight": 1.0,
        "triplet_normalise": True,
        "clip_weight": 0.5,
    },
    "recipe": {"paste": 0.25, "surround": 0.4},
}
"""Mean pooling with everything of `repaired` that is no attention and no graph."""
