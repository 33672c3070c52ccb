"""Every repair can be put back alone."""

from __future__ import annotations

import pytest

from w3an_lite.ablation import ALIKE, REPAIRS
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.presets import PRESETS
from w3an_lite.recipe import Recipe

TINY = {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16), "clip_length": 3}


@pytest.mark.parametrize("name", sorted(REPAIRS))
def test_putting_a_repair_back_gives_the_paper_its_value(name: str) -> None:
    paper = {
        "model": W3AN.preset("paper", 3, **TINY).config,
        "objective": vars(Objective.preset("paper")),
        "recipe": vars(Recipe.preset("paper")),
    }
    for part, arguments in REPAIRS[name].items():
        for argument, value in arguments.items():
            assert PRESETS["repaired"][part][argument] != value
            assert paper[part][argument] == value


def test_the_repairs_are_all_of_the_preset_but_what_belongs_to_another() -> None:
    put_back = {
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
    # Eq. 8 gives way to the map; margins and powers say how strong a repair is
    assert named - put_back == {
        ("objective", "san_weight"),
        ("objective", "map_power"),
        ("objective", "order_margin"),
    }


def test_mean_pooling_trained_alike_takes_the_repaired_arguments() -> None:
    for part, arguments in ALIKE.items():
        for argument, value in arguments.items():
            assert PRESETS["repaired"][part][argument] == value
