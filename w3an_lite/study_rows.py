"""The rows of every study: what a table or figure of the paper varies, as changes to a preset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .ablation import ALIKE, GRAPH, LEFT_OUT, added, alone, put_back
from .losses import Objective
from .presets import REPAIRED, REPAIRS, Changes, merged
from .readings import GUIDED, readings
from .variants import (
    CARRIED,
    LAYERS,
    NEIGHBOURS,
    OFF_CENTRE,
    PLACE_ALONE,
    TABLE5,
    TURNED,
    WITHOUT,
    baselines,
    weights,
)

WHOLE = "W3AN"
"""The row of a preset as it is; every other row is compared with it."""


class Row(NamedTuple):
    """A line of a study: the preset it starts from, and what it changes."""

    preset: str
    changes: Changes


class Study(NamedTuple):
    """A table or figure. presets: those it is run for if none is named, or alone; rows of one."""

    about: str
    presets: tuple[str, ...]
    rows: Callable[[str], dict[str, Row]]
    alone: bool = False


def _rows(variants: dict[str, Changes]) -> Callable[[str], dict[str, Row]]:
    """The whole network, then its variants."""
    return lambda preset: {
        name: Row(preset, changes) for name, changes in {WHOLE: {}, **variants}.items()
    }


def _rows_by(variants: Callable[[str], dict[str, Changes]]) -> Callable[[str], dict[str, Row]]:
    """The same of variants that depend on the preset."""
    return lambda preset: _rows(variants(preset))(preset)


def _table5(preset: str) -> dict[str, Row]:
    """The rows of Table 5, and an α that cannot look; where no map guides α, none for maps that
    guide it at random."""
    rows = _rows({**TABLE5, **PLACE_ALONE})(preset)
    if not Objective.preset(preset).needs_maps:
        del rows["random-maps"]
    return rows


_FOUR = alone(*GRAPH, "clip identity")
"""The repairs of `repaired` that have nothing to do with α: Eq. 8 stays."""

_LEARNING = merged(_FOUR, GUIDED["gradient through α′"])
"""These, and α′ learns as α does."""

_EXCHANGED = merged(put_back("residual graph"), added("linear last layer"))
"""The one in place of the other: `repaired` had both, and one of them is enough."""


def _repairs(preset: str) -> dict[str, Row]:
    changes = _each("without", REPAIRED, put_back) | _each("with", LEFT_OUT, added)
    return {
        WHOLE: Row(preset, {}),
        "mean pooling trained alike": Row("mean_pool", ALIKE),
        "without all of the graph": Row(preset, put_back(*GRAPH)),
        "linear last layer for residual graph": Row(preset, _EXCHANGED),
        **{name: Row(preset, change) for name, change in changes.items()},
    }


def _looking(preset: str) -> dict[str, Row]:
    return _beside_guided(preset, {"WAN": TABLE5["WAN"], **PLACE_ALONE}, OFF_CENTRE)


def _clock(preset: str) -> dict[str, Row]:
    changes = {
        **{name: TABLE5[name] for name in ("WAN", "AP-W3AN", "AL-W3AN", "W3WAN")},
        "with one v for all frames": added("one v for all frames"),
        **PLACE_ALONE,
    }
    others = {
        "mean pooling trained alike": Row("mean_pool", ALIKE),
        "paper": Row("paper", {}),
        "paper with all of the graph": Row("paper", alone(*GRAPH)),
        "paper W3WAN": Row("paper", TABLE5["W3WAN"]),
    }
    return _beside_guided(preset, changes, TURNED, others)


def _beside_guided(
    preset: str, variants: dict[str, Changes], people: Changes, others: dict[str, Row] | None = None
) -> dict[str, Row]:
    """A preset, its variants, `others`, and the paper's network with an α that its own maps guide;
    all of them shown the same `people`."""
    rows = {
        **_rows(variants)(preset),
        **(others or {}),
        "paper with four repairs": Row("paper", _FOUR),
        "paper with four repairs, gradient through α′": Row("paper", _LEARNING),
    }
    return {name: Row(start, {**made, **people}) for name, (start, made) in rows.items()}


def _each(word: str, names: Iterable[str], change: Callable[..., Changes]) -> dict[str, Changes]:
    """A row for each repair."""
    return {f"{word} {name}": change(name) for name in names}


def _baselines(preset: str) -> dict[str, Row]:
    others = {name: Row("mean_pool", changes) for name, changes in baselines(ALIKE).items()}
    return {WHOLE: Row(preset, {}), **others}


BOTH = ("paper", "repaired")
STUDIES: dict[str, Study] = {
    "table5": Study("Table 5: each part taken away or exchanged", BOTH, _table5),
    "repairs": Study("Each repair put back, or added", ("repaired",), _repairs, alone=True),
    "alone": Study(
        "Each repair made alone",
        ("paper",),
        _rows(
            {
                "with all of the graph": alone(*GRAPH),
                "with all of the graph and clip identity": _FOUR,
                "with these four, gradient through α′": _LEARNING,
                **_each("with", REPAIRS, alone),
                "W3WAN": TABLE5["W3WAN"],
            }
        ),
        alone=True,
    ),
    "looking": Study(
        "Does α look? Crops whose person is not in the middle", ("repaired",), _looking
    ),
    "clock": Study(
        "Is the spatial part a clock? Walks that begin at any frame", ("repaired",), _clock
    ),
    "groups": Study(
        "Figure 9: attributes left out, or carried", BOTH, _rows({**WITHOUT, **CARRIED})
    ),
    "graph": Study(
        "Figure 10: K and the depth of the graph", BOTH, _rows({**NEIGHBOURS, **LAYERS})
    ),
    "weights": Study("Figure 11: the weights of the loss", BOTH, _rows_by(weights)),
    "readings": Study("Open points read another way", BOTH, _rows_by(readings)),
    "baselines": Study("Figures 5-7: CMC curves against mean pooling", BOTH, _baselines),
}
