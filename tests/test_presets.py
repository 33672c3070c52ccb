"""The presets are arguments that exist, and what is not named is the paper's."""

from __future__ import annotations

import inspect

import pytest

from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.presets import PRESETS, SMALL, preset
from w3an_lite.training import Recipe

OWNERS = {"model": W3AN, "objective": Objective, "recipe": Recipe}


@pytest.mark.parametrize("arguments", [*PRESETS.values(), SMALL], ids=[*PRESETS, "small"])
def test_every_argument_exists_and_differs_from_the_paper(
    arguments: dict[str, dict[str, object]],
) -> None:
    assert arguments.keys() <= OWNERS.keys()
    for part, values in arguments.items():
        known = inspect.signature(OWNERS[part]).parameters
        assert values.keys() <= known.keys()
        assert not [name for name, value in values.items() if known[name].default == value]


def test_the_paper_is_the_defaults() -> None:
    assert PRESETS["paper"] == {"model": {}, "objective": {}, "recipe": {}}
    assert Objective.preset("paper") == Objective()
    assert Recipe.preset("paper") == Recipe()
    assert Recipe.preset("paper", seed=3) == Recipe(seed=3)
    assert Objective.preset("repaired", map_weight=0.9).map_weight == 0.9


def test_unknown_presets_are_named() -> None:
    with pytest.raises(ValueError, match=r"preset 'best' is not known; choose from \['mean_pool'"):
        preset("best", "model")


def test_sec_4_2_in_numbers() -> None:
    """The paper's implementation: sizes as (height, width)."""
    recipe, model = Recipe(), inspect.signature(W3AN).parameters
    assert (recipe.load_size, recipe.crop) == ((288, 144), (256, 128))
    assert (recipe.batch, recipe.people, recipe.epochs, recipe.lr) == (16, 8, 300, 0.02)
    assert recipe.optimiser == "sgd"
    asked = {"size": (224, 224), "clip_length": 10, "neighbours": 4, "layers": 2, "attributes": 67}
    assert {name: model[name].default for name in asked} == asked
    weights = Objective()
    assert (weights.san_weight, weights.cam_weight) == (0.3, 0.15)
    assert (weights.tan_weight, weights.triplet_weight) == (0.2, 0.35)
