"""Open points of the paper read another way: one reading a row, beside what the presets read.

What a named repair changes is measured as a repair (`presets.REPAIRS`, studies `repairs` and
`alone`); here is the rest: two readings that are both fair, and what Sec. 4.2 prints of training.
"""

from __future__ import annotations

from typing import Any

from .ablation import put_back
from .losses import Objective
from .presets import PRESETS, Changes, merged

_SGD: dict[str, Any] = {"optimiser": "sgd", "weight_decay": 5e-4, "schedule": "step", "warmup": 0}
"""The optimiser of Sec. 4.2, which the small sizes exchange for AdamW. Of its schedule eight epochs
hold only the fall to 0 over the last ten, which begins at 0.8 of the rate."""

_LARGER: dict[str, Any] = {"load_size": (72, 36), "crop": (64, 32), "pad": 0, "flip": 0.0}
"""Sec. 4.2's frames of 288x144 and crop of 256x128, at a quarter. Whoever is searched for is seen
whole, a ninth smaller than in training."""

READINGS: dict[str, Changes] = {
    "heads on the flattened cube": {"model": {"flatten": True}},
    "mean over attributes": {"objective": {"attribute_reduction": "mean"}},
    "what is there weighs three times": {"objective": {"positive_weight": 3.0}},
    "no bias in β_overall": {"model": {"overall_bias": False}},
    "neighbours by angle": {"model": {"near": "cosine"}},
    "neighbours one way": {"model": {"mutual": False}},
    "each its own neighbour": {"model": {"include_self": True}},
    "β the same for all frames": {
        "model": {"temporal": False, "include_self": True},
        "objective": {"tan_weight": 0.0},
    },
    "ELU for ReLU": {"model": {"activation": "elu"}},
    "LeakyReLU for ReLU": {"model": {"activation": "leaky_relu"}},
    "one anchor a person": {"objective": {"triplet_anchors": "identity"}},
    "four clips a person": {"recipe": {"batch": 32}},
    "frames in a row": {"recipe": {"frames": "consecutive"}},
    "a window for each frame": {"recipe": {"per_frame": True}},
    "frames as they are": {"recipe": {"pad": 0, "flip": 0.0}},
    "a crop of larger frames": {"recipe": _LARGER},
    "a crop of larger frames, made square": {"model": {"size": (48, 48)}, "recipe": _LARGER},
    "SGD at 0.02": {"recipe": {**_SGD, "lr": 2e-2}},
    "SGD at 0.02 without momentum": {"recipe": {**_SGD, "lr": 2e-2, "momentum": 0.0}},
    "SGD at 0.02 without decay": {"recipe": {**_SGD, "lr": 2e-2, "weight_decay": 0.0}},
    "SGD at 0.005": {"recipe": {**_SGD, "lr": 5e-3}},
    "SGD at 0.05": {"recipe": {**_SGD, "lr": 5e-2}},
    "random trunk": {"model": {"weights": None}},
    "random trunk, SGD at 0.02": {"model": {"weights": None}, "recipe": {**_SGD, "lr": 2e-2}},
}
"""Eq. 9 on h·w·M numbers (and not pooled); its sum divided by A, or with three times the weight on
attributes that are present, which are the rarer; Eq. 11 without b_f; neighbours of
Eq. 12 by another distance; Eq. 13 with one direction enough, or with A_ii = 1; a β of 1 and no
Eq. 11, in place of Table 5's W2AN, which has no edges of a frame to itself; σ of Eq. 14; the worst
anchor of Eq. 16; N twice as large at the same P, which gives it positives to choose from; clips as
Algorithm 1 has them; a random window (and mirror) a frame in place of one a clip, or none; the
sizes of Sec. 4.2, where a crop becomes a square, here of about as many pixels; its SGD at its own
rate, without what it leaves unsaid, and at others; no trained weights to start from."""

GUIDED: dict[str, Changes] = {
    "maps not brought to [0, 1]": {"model": {"map_form": "raw"}},
    "maps at 0.3": {"model": {"guide_strength": 0.3}},
    "maps of present attributes": {"model": {"maps_of": "present"}},
    "gradient through α′": {"model": {"guide_gradient": True}},
    "maps after 4 epochs": {"recipe": {"guide_after": 4}},
    "statistics move on I′": {"model": {"guide_frozen": False}},
}
"""Eq. 6-8, where maps guide α: m_i and m_a unbounded, or added to the frame at 0.3; m_a of the
attributes that are there alone; α′ taught as well; heads that learn before their maps guide; batch
norm learning from I′."""

EQ8 = "Eq. 8"
"""The row of a preset without Eq. 8 that has it put back."""

_GRAPHS = {"near", "mutual", "include_self", "activation", "overall_bias"}
"""Arguments of the graph and of β, which change nothing in mean pooling."""


def readings(preset: str) -> dict[str, Changes]:
    """The rows of a preset: `READINGS`, and `GUIDED` where Eq. 8 guides α.

    Where it does not, as in `repaired`, it is put back for them: they begin with `EQ8` and are to
    be compared with the row of that name. `mean_pool` has no graph and no β to read.
    """
    if Objective.preset(preset).needs_maps:
        return {**READINGS, **GUIDED}
    if not PRESETS[preset]["model"].get("layers", 1):
        idle = [name for name, made in READINGS.items() if _GRAPHS & {*made.get("model", {})}]
        return {name: made for name, made in READINGS.items() if name not in idle}
    back = put_back("α free of Eq. 8")
    put = {f"{EQ8}, {name}": merged(back, changes) for name, changes in GUIDED.items()}
    return {**READINGS, EQ8: back, **put}
