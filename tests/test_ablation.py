"""Every repair can be put back alone."""

from __future__ import annotations

from typing import Any

import pytest

from w3an_lite.ablation import ALIKE, REPAIRS, alone, put_back
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.presets import PRESETS
from w3an_lite.recipe import Recipe

TINY = {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16), "clip_length": 3}


def paper() -> dict[str, dict[str, Any]]:
    """What every argument is in the paper."""
    return {
        "model": W3AN.preset("paper", 3, **TINY).config,
        "objective": vars(Objective.preset("paper")),
        "recipe": vars(Recipe.preset("paper")),
    }


@pytest.mark.parametrize("name", sorted(REPAIRS))
def test_putting_a_repair_back_gives_the_paper_its_value(name: str) -> None:
    for part, arguments in REPAIRS[name].items():
        for argument, value in arguments.items():
            assert PRESETS["repaired"][part][argument] != value
            assert paper()[part][argument] == value


def test_the_repairs_are_all_of_the_preset() -> None:
    back = {
        (part, argument)
        for change in REPAIRS.values()
        for part, arguments in change.items()
        for argument in arguments
    }
    named = {
        (part, argument)
        for part, arguments in PRESETS["repaired"].items()
        for argument in arguments
    }
    assert named == back


def test_all_repairs_made_alone_are_the_preset_and_all_put_back_are_the_paper() -> None:
    assert alone(*REPAIRS) == PRESETS["repaired"]
    for part, arguments in put_back(*REPAIRS).items():
        assert arguments.items() <= paper()[part].items()


@pytest.mark.parametrize("name", sorted(REPAIRS))
def test_a_repair_made_alone_brings_only_itself_and_what_it_needs(name: str) -> None:
    made = {(part, k) for part, values in alone(name).items() for k in values}
    own = {(part, k) for part, values in REPAIRS[name].items() for k in values}
    needed = {"β by coverage": {("recipe", "paste")}}
    needed["α off foreign pixels"] = {("recipe", "surround")}
    assert made == own | needed.get(name, set())


def test_what_cannot_be_without_a_repair_goes_with_it() -> None:
    assert put_back("pasted occluders")["objective"] == {"order_weight": 0.0, "order_margin": 0.5}
    assert "objective" not in put_back("exchanged surroundings")  # pasted pixels are left
    both = put_back("exchanged surroundings", "pasted occluders")
    assert both["objective"]["avoid_weight"] == 0.0


def test_mean_pooling_trained_alike_takes_the_repaired_arguments() -> None:
    for part, arguments in ALIKE.items():
        for argument, value in arguments.items():
            assert PRESETS["repaired"][part][argument] == value
