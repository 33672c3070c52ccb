"""The repairs of `repaired` by name: each put back alone, or made alone in the paper."""

from __future__ import annotations

from .presets import PRESETS, Changes

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
    "α to the map": {"objective": {"san_weight": 0.3, "map_weight": 0.0, "map_power": 1.0}},
    "α off foreign pixels": {"objective": {"avoid_weight": 0.0}},
    "β by coverage": {"objective": {"order_weight": 0.0, "order_margin": 0.5}},
    "pasted occluders": {"recipe": {"paste": 0.0}},
    "exchanged surroundings": {"recipe": {"surround": 0.0}},
    "balance of the terms": {"objective": {"cam_weight": 0.15, "triplet_weight": 0.35}},
}
"""Each repair by name, and what its arguments are in the paper."""

NEEDS: dict[str, tuple[str, ...]] = {
    "β by coverage": ("pasted occluders",),
    "α off foreign pixels": ("exchanged surroundings", "pasted occluders"),
}
"""The repairs that have nothing to work on without one of these."""

GRAPH = ("degree from Ã", "linear last layer", "residual graph", "β-weighted readout")
"""The repairs of Eq. 12-15."""


def put_back(*names: str) -> Changes:
    """What takes these repairs out of `repaired`, with those that cannot be without them."""
    idle = [name for name, needs in NEEDS.items() if set(needs) <= set(names)]
    return _merged(*(REPAIRS[name] for name in dict.fromkeys([*names, *idle])))


def alone(*names: str) -> Changes:
    """What makes these repairs, and no other, in `paper`; the first of its `NEEDS` beside each."""
    needed = [NEEDS[name][0] for name in names if name in NEEDS and not set(NEEDS[name]) & {*names}]
    return {
        part: {argument: PRESETS["repaired"][part][argument] for argument in arguments}
        for part, arguments in _merged(*(REPAIRS[name] for name in [*names, *needed])).items()
    }


def _merged(*some: Changes) -> Changes:
    out: Changes = {}
    for changes in some:
        for part, arguments in changes.items():
            out[part] = {**out.get(part, {}), **arguments}
    return out


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
