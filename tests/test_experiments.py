"""One variant, one seed: trained, searched with and audited."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from w3an_lite import experiments
from w3an_lite.data.attributes import GROUPS, INDEX, NAMES, PART_OF_GROUP, PARTS
from w3an_lite.data.sampling import even_frames
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import DataError, Tracklet
from w3an_lite.experiments import attend, fit_variant, search
from w3an_lite.inference import Observed, observe
from w3an_lite.model import W3AN
from w3an_lite.presets import SMALL, Changes

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


def test_a_part_that_is_not_trained_is_named(crowd: Callable[..., list[Tracklet]]) -> None:
    for given in ({"changes": {"labels": {}}}, {"base": {"objectives": {}}}):
        with pytest.raises(ValueError, match=r"changes have a part '(labels|objectives)'; choose"):
            fit_variant("paper", crowd(4), **given)


def test_a_base_changes_the_objective_too(crowd: Callable[..., list[Tracklet]]) -> None:
    base = {**SMALL, "objective": {"triplet_weight": 0.0}}
    _, rows = fit_variant("paper", crowd(8), changes=TINY, base=base, progress=False)
    assert rows[0]["triplet_weighted"] == 0 < rows[0]["triplet"]


def test_raw_maps_are_audited_by_what_speaks_for_the_class() -> None:
    """m_i + m_a below 0 is no place to look at."""
    split = synthped(1, 4, seed=3, test_occlusion="heavy")
    torch.manual_seed(0)
    raw = {**SMALL["model"], "map_form": "raw", "maps_of": "present"}
    model = W3AN.preset("paper", 8, **raw)
    assert float(observe(model, split.gallery).identity_map.min()) < 0
    assert 0 <= attend(model, split.gallery)["cam_inside"] <= 1


def test_the_audit_asks_for_the_truth(crowd: Callable[..., list[Tracklet]]) -> None:
    model = W3AN.preset("paper", 4, backbone="narrow", trunk={"width": 2}, size=(32, 16))
    with pytest.raises(DataError, match="SynthPed"):
        attend(model, crowd())


class Knowing:
    """In place of a network: its maps lie on the part of each attribute that the person has."""

    def __init__(self, tracklets: list[Tracklet]) -> None:
        self.attributes, self.size, self.device = len(NAMES), (64, 32), torch.device("cpu")
        self.heads, self.tracklets = self, iter(tracklets)

    def encode(self, frames: Tensor) -> SimpleNamespace:
        return SimpleNamespace(cube=torch.zeros(frames.shape[:2]))

    def attribute_maps(self, cube: Tensor, present: Tensor) -> Tensor:
        maps = torch.zeros(*cube.shape, len(NAMES), *self.size)
        for b in range(len(cube)):
            tracklet = next(self.tracklets)
            assert tracklet.truth is not None
            assert tracklet.attributes is not None
            parts = tracklet.truth.parts[even_frames(len(tracklet), cube.shape[1])]
            for group, part in PART_OF_GROUP.items():
                for name in GROUPS[group]:
                    has = tracklet.attributes[INDEX[name]] > 0.5 and part is not None
                    where = PARTS.index(part) if has and part is not None else 0
                    maps[b, :, INDEX[name]] = torch.from_numpy(parts == where).float()
        return maps * (2 * present[..., None, None] - 1)  # on all else for what is absent


def test_who_knows_the_truth_gets_full_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """β is the visibility; α lies on the person where nothing hides it, else on all the rest."""
    people = synthped(2, 12, occlusion="heavy", frames=6, test_occlusion="mixed").gallery
    indices = np.stack([even_frames(len(t), 3) for t in people])
    truths = [t.truth for t in people if t.truth is not None]
    rows = list(zip(truths, indices, strict=True))
    beta = torch.from_numpy(np.stack([truth.visibility[i] for truth, i in rows]))
    mask = torch.from_numpy(np.stack([truth.mask[i] for truth, i in rows]))
    alpha = torch.where(beta[..., None, None] >= 0.95, mask, ~mask).float()
    alpha = alpha / alpha.sum((-2, -1), keepdim=True)
    vector = torch.eye(len(people))
    seen = Observed(indices, beta, alpha, mask.float(), torch.zeros_like(alpha), vector, vector)
    monkeypatch.setattr(experiments, "observe", lambda *_: seen)
    found = attend(Knowing(people), people)  # type: ignore[arg-type]
    for full in ("spearman_beta_visibility", "auc_beta_occlusion", "cam_inside", "cam_pointing"):
        assert found[full] == pytest.approx(1, abs=1e-6)
    assert found["alpha_pointing_clear"] == 1
    assert found["alpha_pointing_covered"] == 0
    assert 0 < found["alpha_pointing"] < 1
    assert found["readout_shift"] == 0
    groups = [group for group, part in PART_OF_GROUP.items() if part is not None]
    assert [found[f"map_pointing_{group}"] for group in groups] == [1] * len(groups)
    assert found["map_pointing"] == 1 > 3 * found["map_chance"]
