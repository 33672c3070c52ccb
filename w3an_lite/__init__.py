"""W3AN-lite: the What-Where-When Attention Network for video person re-identification.

>>> from w3an_lite import W3AN, synthped, search
>>> model = W3AN.shipped()
>>> split = synthped(identities=8, test_identities=8, occlusion="heavy")
>>> search(model, split).rank(1)  # doctest: +SKIP
"""

from .data.synthetic import synthped
from .data.tracklet import ArrayFrames, DataError, FileFrames, Split, Tracklet
from .evaluation import evaluate
from .experiments import attend, fit_variant, search
from .inference import embed_tracklets, observe
from .losses import Objective
from .model import W3AN, W3ANOutput
from .presets import PRESETS, SMALL
from .training import Recipe, train

__all__ = [
    "PRESETS",
    "SMALL",
    "W3AN",
    "ArrayFrames",
    "DataError",
    "FileFrames",
    "Objective",
    "Recipe",
    "Split",
    "Tracklet",
    "W3ANOutput",
    "attend",
    "embed_tracklets",
    "evaluate",
    "fit_variant",
    "observe",
    "search",
    "synthped",
    "train",
]
