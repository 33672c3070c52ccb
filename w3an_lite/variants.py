"""The rows of Table 5, and the other things the paper varies: each is arguments or a swapped part.

A variant is nothing but `Changes` to a preset, so each stands beside `paper` and `repaired` alike.
What a row takes away it takes away with the losses that serve it; a weight that a preset has at 0
stays 0.
"""

from __future__ import annotations

from .attention_lstm import AttentionLSTM
from .attention_pyramid import AttentionPyramid
from .data.attributes import GROUPS
from .losses import Objective
from .presets import Changes

UNGUIDED = {"san_weight": 0.0, "map_weight": 0.0, "avoid_weight": 0.0}
"""Nothing tells α where to look, or where not."""

TABLE5: dict[str, Changes] = {
    "W3AN": {},
    "WAN": {
        "model": {"spatial": False, "heads_on": "cube"},
        "objective": {**UNGUIDED, "look_weight": 0.0},
    },
    "random-maps": {"model": {"guide_by": "noise"}},
    "W2AN": {"model": {"temporal": False}, "objective": {"tan_weight": 0.0, "order_weight": 0.0}},
    "W3WAN": {"model": {"graph": False}},
    "half-dropped": {"model": {"keep": 0.5}},
    "AP-W3AN": {"model": {"spatial": AttentionPyramid}, "objective": UNGUIDED},
    "AL-W3AN": {"model": {"spatial": AttentionLSTM}, "objective": UNGUIDED},
}
"""Table 5, first the whole network and then its seven rows in their order.

WAN has no spatial part; random-maps has a sparse random map where the class maps were
("non-IAM&AAM"); W2AN has no temporal part: a graph without edges to itself, and a readout that is a
mean; W3WAN averages by β in place of the graph; half-dropped gives the graph only the half of the
frames with the highest β ("non-occluded frame"). AP and AL have another spatial part, which finds
its regions unguided.
"""

PLACE_ALONE: dict[str, Changes] = {"place-alone": {"model": {"alpha_of": "place"}}}
"""A control of ours beside Table 5: with the same losses an α that is the same for every clip. It
can know where people stand in a crop, and cannot look."""

OFF_CENTRE: Changes = {"crops": {"off_centre": [0.125, 0.25]}}
"""Crops moved by up to these shares of height and width, in training and test."""

TURNED: Changes = {"walks": {"turned": True}}
"""Walks that begin at any of their frames, in training and test."""

NEIGHBOURS: dict[str, Changes] = {
    f"K{k}": {"model": {"clip_length": 10, "neighbours": k}} for k in range(1, 6)
}
"""Figure 10 (a): K from 1 to 5, of the paper's ten frames at any size."""

LAYERS: dict[str, Changes] = {f"layers{n}": {"model": {"layers": n}} for n in range(1, 6)}
"""Figure 10 (b): the depth of Eq. 14 from 1 to 5."""

WITHOUT: dict[str, Changes] = {
    **{f"without-{group}": {"labels": {"without": [group]}} for group in GROUPS},
    "without-attributes": {
        "model": {"maps_of": "present"},
        "objective": {"attribute_task": 0.0},
        "labels": {"without": list(GROUPS)},
    },
}
"""Figure 9: each group of attributes left out, and all of them."""

CARRIED: dict[str, Changes] = {
    f"carried-{form}": {"labels": {"carried": form}} for form in ("soft", "hard")
}
"""Sec. 4.1: labels carried from stills in place of true ones, see `relabel.carried_labels`."""

GAMMAS: dict[str, tuple[str, tuple[float, ...]]] = {
    "gamma1": ("san_weight", (0.1, 0.2, 0.3, 0.4, 0.5)),
    "gamma2": ("cam_weight", (0.05, 0.1, 0.15, 0.2, 0.25)),
    "gamma3": ("tan_weight", (0.1, 0.2, 0.3, 0.4, 0.5)),
    "gamma4": ("triplet_weight", (0.25, 0.3, 0.35, 0.4, 0.45)),
}
"""Figure 11: the weight of Eq. 17 that each γ is, and the values it takes."""


def weights(preset: str) -> dict[str, Changes]:
    """Figure 11 for a preset: one γ at a time, from 1/3 to 5/3 of its own value (γ3 from
    1/2 to 5/2, γ4 from 5/7 to 9/7).

    The paper's values are those printed; another preset's are as many times its own weight. γ1
    weighs what guides α, which in `repaired` holds it off foreign pixels and is not Eq. 8.
    """
    own = Objective.preset(preset)
    out = {}
    for name, (weight, values) in GAMMAS.items():
        printed = getattr(Objective(), weight)
        if name == "gamma1" and own.avoid_weight:
            weight = "avoid_weight"
        for value in values:
            scaled = round(value * getattr(own, weight) / printed, 4)
            out[f"{name}-{scaled:g}"] = {"objective": {weight: scaled}}
    return out


def baselines(alike: Changes) -> dict[str, Changes]:
    """Figures 5-7: what mean pooling does, as it is, without attributes, and trained `alike`."""
    return {
        "mean pooling": {},
        "mean pooling without attributes": WITHOUT["without-attributes"],
        "mean pooling trained alike": alike,
    }
