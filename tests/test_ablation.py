"""Every repair can be put back, added, or made alone."""

from __future__ import annotations

from typing import Any

import pytest

from w3an_lite.ablation import ALIKE, GRAPH, LEFT_OUT, NEEDS, added, alone, departures, put_back
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.presets import PRESETS, REPAIRED, REPAIRS, SMALL, merged
from w3an_lite.recipe import Recipe

TINY = {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16), "clip_length": 3}


def paper() -> dict[str, dict[str, Any]]:
    """What every argument is in the paper."""
    return {
        "model": W3AN.preset("paper", 3, **TINY).config,
        "objective": vars(Objective.preset("paper")),
        "recipe": vars(Recipe.preset("paper")),
    }


@pytest.mark.parametrize("name", REPAIRED)
def test_putting_a_repair_back_gives_the_paper_its_value(name: str) -> None:
    back = put_back(name)
    for part, arguments in REPAIRS[name].items():
        for argument, value in arguments.items():
            assert PRESETS["repaired"][part][argument] == value
            assert back[part][argument] == paper()[part][argument] != value


def test_no_two_repairs_touch_one_argument() -> None:
    named = [
        (part, argument)
        for change in REPAIRS.values()
        for part, arguments in change.items()
        for argument in arguments
    ]
    assert len(named) == len(set(named))


def test_all_repairs_made_alone_are_the_preset_and_all_put_back_are_the_paper() -> None:
    assert merged(alone(*REPAIRED)) == PRESETS["repaired"]
    assert {*GRAPH} < {*REPAIRED}
    assert {*REPAIRED} | {*LEFT_OUT} == {*REPAIRS}
    for part, arguments in put_back(*REPAIRED).items():
        assert arguments.items() <= paper()[part].items()


@pytest.mark.parametrize("name", REPAIRS)
def test_a_repair_made_alone_brings_only_itself_and_what_it_needs(name: str) -> None:
    made = {(part, k) for part, values in alone(name).items() for k in values}
    own = {(part, k) for part, values in REPAIRS[name].items() for k in values}
    needed = {"β by coverage": {("recipe", "paste")}}
    needed["α off foreign pixels"] = {("recipe", "surround")}
    needed["α to the map"] = {("objective", "san_weight")}
    assert made == own | needed.get(name, set())


def test_what_a_repair_needs_is_added_only_where_it_is_not() -> None:
    order = {"objective": {"order_weight": 0.5, "order_margin": 1.0}, "recipe": {"paste": 0.25}}
    assert added("β by coverage") == alone("β by coverage") == order
    assert added("pasted occluders") == {"recipe": {"paste": 0.25}}


def test_what_cannot_be_without_a_repair_goes_with_it() -> None:
    assert NEEDS["α off foreign pixels"] == ("exchanged surroundings", "pasted occluders")
    back = put_back("exchanged surroundings")
    assert back == {"objective": {"avoid_weight": 0.0}, "recipe": {"surround": 0.0}}
    assert put_back("α off foreign pixels") == {"objective": {"avoid_weight": 0.0}}


def test_mean_pooling_trained_alike_takes_the_repaired_arguments() -> None:
    assert sum(map(len, ALIKE.values())) == 3
    for part, arguments in ALIKE.items():
        for argument, value in arguments.items():
            assert PRESETS["repaired"][part][argument] == value


def test_only_what_changes_something_is_a_departure() -> None:
    assert departures("repaired", {"model": {"neighbours": 3}}, SMALL) == {}
    assert departures("repaired", {"model": {"neighbours": 4}}, SMALL) == {
        "model": {"neighbours": 4}
    }
    assert departures("paper", {"model": {"neighbours": 4}}, {}) == {}
    assert departures("paper", {"objective": {"map_weight": 0.0}}, SMALL) == {}
    assert departures("paper", {"labels": {"without": ["shoes"]}}, SMALL) != {}
    assert departures("repaired", {"recipe": {"surround": 0.0}}, SMALL) == {
        "recipe": {"surround": 0.0}
    }


def test_a_base_stands_above_the_preset() -> None:
    (argument, own), *_ = PRESETS["repaired"]["model"].items()
    same = {"model": {argument: own}}
    assert departures("repaired", same, {}) == {}
    assert departures("repaired", same, {"model": {argument: "other"}}) == same
