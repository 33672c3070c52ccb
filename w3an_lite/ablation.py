"""Repairs made and unmade: one put back in `repaired`, added to it, or made alone in `paper`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from .losses import Objective
from .model import W3AN
from .presets import REPAIRED, REPAIRS, Changes, merged
from .recipe import Recipe

NEEDS: dict[str, tuple[str, ...]] = {
    "β by coverage": ("pasted occluders",),
    "α off foreign pixels": ("exchanged surroundings", "pasted occluders"),
    "α to the map": ("α free of Eq. 8",),
}
"""The repairs that have nothing to work on without one of these, or stand in place of Eq. 8."""

GRAPH = ("degree from Ã", "linear last layer", "residual graph", "β-weighted readout")
"""The repairs of Eq. 12-15."""

LEFT_OUT = tuple(name for name in REPAIRS if name not in REPAIRED)
"""The repairs that were tried and are not in `repaired`."""

ALIKE = merged(REPAIRS["clip identity"], REPAIRS["exchanged surroundings"])
"""Mean pooling with everything of `repaired` that is no attention and no graph."""


def put_back(*names: str) -> Changes:
    """What takes these repairs out of `repaired`, with those that cannot be without them."""
    left = [name for name in REPAIRED if name not in names]
    idle = [name for name in left if name in NEEDS and not {*NEEDS[name]} & {*left}]
    return _short(
        {
            part: {argument: _printed(part, argument) for argument in arguments}
            for part, arguments in merged(*(REPAIRS[n] for n in [*names, *idle])).items()
        }
    )


def added(*names: str) -> Changes:
    """What makes these repairs in `repaired`; the first of its `NEEDS` beside each."""
    return _made(names, REPAIRED)


def alone(*names: str) -> Changes:
    """What makes these repairs, and no other, in `paper`; the first of its `NEEDS` beside each."""
    return _made(names, ())


def _made(names: Iterable[str], there: Iterable[str]) -> Changes:
    have = {*names, *there}
    needed = [NEEDS[name][0] for name in names if name in NEEDS and not {*NEEDS[name]} & have]
    return _short(merged(*(REPAIRS[name] for name in [*names, *needed])))


def _printed(part: str, argument: str) -> object:
    """An argument of `W3AN`, `Objective` or `Recipe` in the paper, which is its default."""
    owner = {"model": W3AN, "objective": Objective, "recipe": Recipe}[part]
    return inspect.signature(owner).parameters[argument].default


def _short(changes: Changes) -> Changes:
    return {part: arguments for part, arguments in changes.items() if arguments}
