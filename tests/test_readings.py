"""Other readings are arguments that exist and change what is trained."""

from __future__ import annotations

import pytest
import torch

from w3an_lite.ablation import defaults
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.presets import PRESETS, STUDY, Changes
from w3an_lite.readings import GUIDED, READINGS, readings
from w3an_lite.recipe import Recipe

ALL = {**READINGS, **GUIDED}


@pytest.mark.parametrize("changes", ALL.values(), ids=ALL)
def test_each_departs_from_both_presets_by_arguments_there_are(changes: Changes) -> None:
    """From what `paper` and `repaired` read at the size it is measured at."""
    for preset in ("paper", "repaired"):
        for part, values in changes.items():
            now = {**defaults(part), **PRESETS[preset].get(part, {}), **STUDY.get(part, {})}
            assert values.keys() <= defaults(part).keys()
            assert all(now[argument] != value for argument, value in values.items())


def test_what_maps_do_is_read_another_way_where_they_guide() -> None:
    assert readings("paper").keys() == ALL.keys()
    back = readings("repaired")
    assert [name for name in back if name.startswith("Eq. 8")] == [
        "Eq. 8",
        *(f"Eq. 8, {name}" for name in GUIDED),
    ]
    for name in GUIDED:
        changes = back[f"Eq. 8, {name}"]
        assert Objective.preset("repaired", **changes["objective"]).san_weight == 0.3
        for part, values in GUIDED[name].items():
            assert changes[part] == {**changes[part], **values}


def test_mean_pooling_has_no_graph_to_read_another_way() -> None:
    left = readings("mean_pool")
    assert {"heads on the flattened cube", "one anchor a person", "SGD at 0.02"} < left.keys()
    clips = torch.rand(2, 4, 3, 32, 16, generator=torch.Generator().manual_seed(0))
    for name, changes in READINGS.items():
        if name in left:
            continue
        assert PRESETS["mean_pool"]["objective"]["tan_weight"] == 0  # all that β_overall is in
        found = []
        for made in ({}, changes["model"]):
            torch.manual_seed(0)
            size = {"size": (32, 16), "clip_length": 4, "neighbours": 2}
            model = W3AN.preset("mean_pool", 3, backbone="narrow", **{**size, **made}).eval()
            found.append(model(clips).embedding)
        assert torch.equal(*found)


def test_sgd_at_002_is_the_papers_recipe() -> None:
    said = READINGS["SGD at 0.02"]["recipe"]
    assert {k: getattr(Recipe(), k) for k in said if k != "warmup"} == {
        k: v for k, v in said.items() if k != "warmup"
    }


def test_readings_without_say_so() -> None:
    still = READINGS["frames as they are"]["recipe"]
    assert (still["pad"], still["flip"]) == (0, 0)
    for lacking, word in (("momentum", "momentum"), ("weight_decay", "decay")):
        recipe = Recipe(**READINGS[f"SGD at 0.02 without {word}"]["recipe"])
        assert (getattr(recipe, lacking), recipe.lr) == (0, 0.02)


def test_a_crop_of_larger_frames_has_the_proportions_of_the_papers() -> None:
    paper = Recipe()
    for ending, size in (("", None), (", made square", (48, 48))):
        made = READINGS[f"a crop of larger frames{ending}"]
        here = Recipe(**made["recipe"])
        assert (here.pad, here.flip) == (paper.pad, paper.flip)
        for part in ("load_size", "crop"):
            assert tuple(4 * side for side in getattr(here, part)) == getattr(paper, part)
        assert made.get("model", {}).get("size") == size
