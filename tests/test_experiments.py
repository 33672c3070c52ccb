"""One variant, one seed: trained, searched with and audited."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import DataError, Tracklet
from w3an_lite.experiments import attend, fit_variant, search
from w3an_lite.model import W3AN
from w3an_lite.presets import Changes

TINY: Changes = {
    "model": {"weights": None, "trunk": {"width": 2}, "clip_length": 3},
    "recipe": {"epochs": 1},
}


@pytest.mark.parametrize("name", ["paper", "repaired", "mean_pool"])
def test_a_variant_is_trained_searched_with_and_audited(name: str) -> None:
    split = synthped(identities=8, test_identities=4, occlusion="heavy", frames=6)
    model, rows = fit_variant(name, split.train, changes=TINY, progress=False)
    assert len(rows) == 1
    ranking = search(model, split)
    assert ranking.protocol == split.name
    assert ranking.skipped == 0
    found = attend(model, split.gallery)
    assert 0 < found["person_area"] < 0.5
    for share in ("alpha_pointing_clear", "alpha_pointing_covered", "map_pointing", "map_chance"):
        assert 0 <= found[share] <= 1
    assert {f"map_pointing_{group}" for group in ("upper_body", "shoes")} < found.keys()
    if name == "mean_pool":  # uniform α lies on the person as often as chance has it
        assert found["alpha_inside"] == pytest.approx(found["person_area"], abs=1e-3)
        assert found["readout_shift"] == 0


def test_a_seed_gives_one_result() -> None:
    split = synthped(identities=8, test_identities=4, frames=4)
    losses = [
        fit_variant("repaired", split.train, seed, TINY, progress=False)[1] for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_audit_asks_for_the_truth(crowd: Callable[..., list[Tracklet]]) -> None:
    model = W3AN.preset("paper", 4, backbone="narrow", trunk={"width": 2}, size=(32, 16))
    with pytest.raises(DataError, match="SynthPed"):
        attend(model, crowd())
