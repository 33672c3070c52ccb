"""Table 5's rows and the paper's figures are arguments that exist, and each does what it says."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
import torch

from w3an_lite.ablation import ALIKE
from w3an_lite.losses import Objective, total
from w3an_lite.model import W3AN
from w3an_lite.presets import Changes
from w3an_lite.recipe import Recipe
from w3an_lite.relabel import relabelled
from w3an_lite.variants import (
    CARRIED,
    GAMMAS,
    LAYERS,
    NEIGHBOURS,
    PLACE_ALONE,
    TABLE5,
    WITHOUT,
    baselines,
    weights,
)

ROWS = {**TABLE5, **PLACE_ALONE}
ALL = {**ROWS, **NEIGHBOURS, **LAYERS, **WITHOUT, **CARRIED}
ALL |= {**weights("paper"), **baselines(ALIKE)}


@pytest.mark.parametrize("changes", ALL.values(), ids=ALL)
def test_every_argument_exists(changes: Changes) -> None:
    owners = {"model": W3AN, "objective": Objective, "recipe": Recipe, "labels": relabelled}
    for part, values in changes.items():
        assert values.keys() <= set(inspect.signature(owners[part]).parameters)


@pytest.mark.parametrize("preset", ["paper", "repaired"])
@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_table_5_trains_all_it_has(
    tiny: Callable[..., W3AN], preset: str, row: str
) -> None:
    """Every weight that is left learns, and the embedding is not that of the whole network."""
    changes = ROWS[row]
    model = tiny(preset, **changes.get("model", {}))
    objective = Objective.preset(preset, **changes.get("objective", {}))
    clips, identity = torch.rand(4, 3, 3, 32, 16), torch.tensor([0, 0, 1, 1])
    attributes = torch.randint(0, 2, (4, 67)).float()
    covered = torch.zeros(4, 3, 32, 16, dtype=torch.bool)
    covered[:, 1, :, 4:] = True
    out = model(clips, identity, attributes, guide=objective.san_weight > 0)
    total(objective.terms(out, identity, attributes, covered, covered)).backward()
    still = {
        name
        for name, p in model.named_parameters()
        if p.requires_grad and (p.grad is None or p.grad.abs().max() == 0)
    }
    # a 4×2 grid has no third level: 4×2, 2×1
    assert not {name for name in still if not name.startswith("san.") or ".2." not in name}
    whole = tiny(preset)
    if row not in ("W3AN", "random-maps"):
        assert not torch.allclose(model.eval()(clips).embedding, whole.eval()(clips).embedding)


def test_the_rows_take_away_what_they_name(tiny: Callable[..., W3AN]) -> None:
    def build(row: str) -> W3AN:
        return tiny("repaired", **ROWS[row].get("model", {})).eval()

    clips = torch.rand(2, 3, 3, 32, 16)
    blind = build("place-alone")
    assert torch.equal(blind(clips).alpha, blind(clips.flip(-1)).alpha)
    assert blind(clips).alpha[0].std() > 0
    assert build("WAN")(clips).alpha.std() == 0
    assert build("W2AN")(clips).beta.abs().max() == 0
    assert build("W3WAN")(clips).neighbours.abs().max() == 0
    assert (build("half-dropped")(clips).nodes.abs().amax(-1) > 0).sum(1).tolist() == [2, 2]


@pytest.mark.parametrize("preset", ["paper", "repaired"])
def test_each_gamma_is_tried_about_its_own_value(preset: str) -> None:
    tried = weights(preset)
    assert len(tried) == 20
    own = Objective.preset(preset)
    for changes in tried.values():
        ((weight, _),) = changes["objective"].items()
        assert {"objective": {weight: getattr(own, weight)}} in tried.values()
    guide = "san_weight" if preset == "paper" else "avoid_weight"
    assert sum(guide in changes["objective"] for changes in tried.values()) == 5
    if preset == "paper":  # as printed
        assert tried["gamma1-0.1"] == {"objective": {"san_weight": 0.1}}
        assert [*tried] == [f"{name}-{v:g}" for name, (_, vs) in GAMMAS.items() for v in vs]


def test_what_guides_a_row_is_what_its_name_says() -> None:
    for preset in ("paper", "repaired"):
        own = Objective.preset(preset)

        def of(row: str, preset: str = preset) -> Objective:
            return Objective.preset(preset, **TABLE5[row].get("objective", {}))

        for row in ("WAN", "AP-W3AN", "AL-W3AN"):
            asked = of(row)
            assert asked.san_weight == asked.map_weight == asked.avoid_weight == 0
            assert (asked.cam_weight, asked.tan_weight) == (own.cam_weight, own.tan_weight)
        assert of("random-maps") == of("W3WAN") == of("half-dropped") == own
        assert of("W2AN").tan_weight == of("W2AN").order_weight == 0
        assert of("W2AN").san_weight == own.san_weight
    assert TABLE5["random-maps"]["model"] == {"guide_by": "noise"}
    assert TABLE5["half-dropped"]["model"] == {"keep": 0.5}


def test_figure_11_has_the_papers_values() -> None:
    assert GAMMAS == {
        "gamma1": ("san_weight", (0.1, 0.2, 0.3, 0.4, 0.5)),
        "gamma2": ("cam_weight", (0.05, 0.1, 0.15, 0.2, 0.25)),
        "gamma3": ("tan_weight", (0.1, 0.2, 0.3, 0.4, 0.5)),
        "gamma4": ("triplet_weight", (0.25, 0.3, 0.35, 0.4, 0.45)),
    }
    assert [*NEIGHBOURS] == ["K1", "K2", "K3", "K4", "K5"]
    assert [*LAYERS] == [f"layers{n}" for n in range(1, 6)]


@pytest.mark.parametrize(
    ("row", "idle"),
    [
        ("WAN", ("san_weight", "map_weight", "avoid_weight", "look_weight")),
        ("W2AN", ("tan_weight", "order_weight")),
        ("without-attributes", ("attribute_task",)),
    ],
)
def test_no_loss_serves_what_a_row_takes_away(row: str, idle: tuple[str, ...]) -> None:
    from w3an_lite.losses import Objective
    from w3an_lite.variants import WITHOUT

    changes = {**TABLE5, **WITHOUT}[row]
    for preset in ("paper", "repaired"):
        objective = Objective.preset(preset, **changes.get("objective", {}))
        assert [getattr(objective, weight) for weight in idle] == [0] * len(idle)


def test_crops_move_less_up_and_down_than_sideways() -> None:
    from w3an_lite.variants import OFF_CENTRE

    high, wide = OFF_CENTRE["crops"]["off_centre"]
    assert (high, wide) == (1 / 8, 1 / 4)  # of height, of width
