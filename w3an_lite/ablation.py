"""Repairs put back in `repaired`, added to it, made alone in `paper`; what of a change counts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .losses import Objective
from .model import W3AN
from .presets import PRESETS, REPAIRED, REPAIRS, Changes, merged
from .recipe import Recipe

NEEDS: dict[str, tuple[str, ...]] = {
    "β by coverage": ("pasted occluders",),
    "α off foreign pixels": ("exchanged surroundings", "pasted occluders"),
    "α to the map": ("α free of Eq. 8",),
}
"""One of these must be there for a repair: covered frames to order β by, foreign pixels to keep α
off, the place of Eq. 8 for the map to take."""

GRAPH = ("degree from Ã", "residual graph", "β-weighted readout")
"""The repairs of Eq. 12-15."""

LEFT_OUT = tuple(name for name in REPAIRS if name not in REPAIRED)
"""The repairs that were tried and are not in `repaired`."""

ALIKE = merged(REPAIRS["clip identity"], REPAIRS["exchanged surroundings"])
"""Mean pooling with everything of `repaired` that is no attention and no graph."""


def defaults(part: str) -> dict[str, Any]:
    """The arguments of `W3AN`, `Objective` or `Recipe` in the paper, which are their defaults; the
    data ("labels", "crops", "walks") have none."""
    owners: dict[str, Callable[..., Any]] = {"model": W3AN, "objective": Objective}
    owners["recipe"] = Recipe
    known = inspect.signature(owners[part]).parameters if part in owners else {}
    return {name: parameter.default for name, parameter in known.items()}


def departures(preset: str, changes: Changes, base: Changes) -> Changes:
    """Those of `changes` that change anything, given what the preset and the base already say."""
    out: Changes = {}
    for part, values in changes.items():
        now = {**defaults(part), **PRESETS[preset].get(part, {}), **base.get(part, {})}
        out[part] = {k: v for k, v in values.items() if k not in now or now[k] != v}
    return _short(out)


def put_back(*names: str) -> Changes:
    """What takes these repairs out of `repaired`, with those that cannot be without them."""
    left = [name for name in REPAIRED if name not in names]
    idle = [name for name in left if name in NEEDS and not {*NEEDS[name]} & {*left}]
    return _short(
        {
            part: {argument: defaults(part)[argument] for argument in arguments}
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


def _short(changes: Changes) -> Changes:
    return {part: arguments for part, arguments in changes.items() if arguments}
