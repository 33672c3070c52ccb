"""Eq. 9, 16 and 17: by hand, as other libraries have them, and where labels are missing."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from w3an_lite.losses import Objective, attribute_loss, identity_loss, total, triplet_loss
from w3an_lite.model import W3AN, W3ANOutput
from w3an_lite.san import at_grid, attention_consistency, attention_to_map, avoid_foreign
from w3an_lite.tan import covered_order, covered_share, temporal_spread


def test_identity_loss_is_cross_entropy_frame_by_frame() -> None:
    logits, identity = torch.randn(2, 3, 5), torch.tensor([4, 1])
    each = [functional.cross_entropy(logits[b, t], identity[b]) for b in range(2) for t in range(3)]
    torch.testing.assert_close(identity_loss(logits, identity), torch.stack(each).mean())
    clip = logits[:, 0]
    torch.testing.assert_close(
        identity_loss(clip, identity), functional.cross_entropy(clip, identity)
    )


@pytest.mark.parametrize("soft", [False, True])
def test_attribute_loss_is_two_way_cross_entropy(soft: bool) -> None:
    logits, attributes = torch.randn(2, 3, 7, 2), torch.rand(2, 7)
    if not soft:
        attributes = attributes.round()
    label = torch.stack([1 - attributes, attributes], -1)[:, None].expand(2, 3, 7, 2)
    each = functional.cross_entropy(
        logits.flatten(0, 2), label.flatten(0, 2), reduction="none"
    ).view(2, 3, 7)
    torch.testing.assert_close(attribute_loss(logits, attributes), each.sum(-1).mean())
    torch.testing.assert_close(attribute_loss(logits, attributes, "mean"), each.mean())


def test_attribute_loss_by_hand() -> None:
    """Logits that say nothing cost log 2 an attribute; rare ones may count for more."""
    logits, attributes = torch.zeros(1, 4, 3, 2), torch.tensor([[1.0, 0.0, -1.0]])
    log2 = torch.log(torch.tensor(2.0)).item()
    assert attribute_loss(logits, attributes).item() == pytest.approx(2 * log2)
    assert attribute_loss(logits, attributes, "mean").item() == pytest.approx(log2)
    weight = torch.tensor([10.0, 10.0, 10.0])
    weighted = attribute_loss(logits, attributes, positive_weight=weight)
    assert weighted.item() == pytest.approx(11 * log2)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_unknown_attributes_add_nothing(reduction: str) -> None:
    logits = torch.randn(2, 3, 4, 2, requires_grad=True)
    attributes = torch.tensor([[1.0, -1, 0, -1], [-1, -1, -1, -1]])
    loss = attribute_loss(logits, attributes, reduction)
    (grad,) = torch.autograd.grad(loss, logits)
    known = attributes >= 0
    assert (grad.abs().sum((1, 3))[known] > 0).all()
    assert (grad.abs().sum((1, 3))[~known] == 0).all()
    # the same as if those attributes were not there at all
    less = attribute_loss(logits[:1, :, [0, 2]], attributes[:1, [0, 2]], reduction)
    torch.testing.assert_close(loss, less / 2)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_batch_without_any_label_costs_nothing(reduction: str) -> None:
    logits = torch.randn(2, 3, 4, 2, requires_grad=True)
    loss = attribute_loss(logits, torch.full((2, 4), -1.0), reduction)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_unknown_reduction() -> None:
    with pytest.raises(ValueError, match="reduction 'max' is not known"):
        attribute_loss(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2), "max")


POINTS = torch.tensor([[0.0, 0], [3, 0], [1, 0], [0, 4]])
PERSON = torch.tensor([7, 7, 9, 9])
"""Anchor 0: farthest own 3, nearest other 1; 1: 3, 2; 2: √17, 1; 3: √17, 4."""


def test_batch_hard_by_hand() -> None:
    far = 17**0.5
    hinges = [0.55 + 3 - 1, 0.55 + 3 - 2, 0.55 + far - 1, 0.55 + far - 4]
    assert triplet_loss(POINTS, PERSON).item() == pytest.approx(sum(hinges) / 4)
    # the worst anchor of each person
    worst = (max(hinges[:2]) + max(hinges[2:])) / 2
    assert triplet_loss(POINTS, PERSON, anchors="identity").item() == pytest.approx(worst)
    # a margin that all but the third satisfy counts zeros too
    assert triplet_loss(POINTS, PERSON, -3).item() == pytest.approx((far - 4) / 4)


def test_the_worst_anchor_of_persons_of_different_size() -> None:
    """Three clips of one, two of another, one of a third, who is nobody's anchor."""
    points = torch.tensor([[0.0], [1], [5], [2], [10], [30]])
    person = torch.tensor([0, 0, 0, 1, 1, 2])
    # anchors: 0: 5-2, 1: 4-1, 2: 5-3, 3: 8-1, 4: 8-5
    assert triplet_loss(points, person, 0).item() == pytest.approx((3 + 3 + 2 + 7 + 3) / 5)
    identity = triplet_loss(points, person, 0, "identity").item()
    assert identity == pytest.approx((3 + 7) / 2)


def test_pairs_that_may_be_one_person_teach_nothing() -> None:
    """As above, but clip 0 and clip 2 may show one person: each loses its nearest."""
    apart = PERSON[:, None] != PERSON
    torch.testing.assert_close(
        triplet_loss(POINTS, PERSON, apart=apart), triplet_loss(POINTS, PERSON)
    )
    apart[0, 2] = apart[2, 0] = False
    distance = torch.cdist(POINTS, POINTS)
    far = 17**0.5
    near = [distance[0, 3].item(), 2, distance[2, 1].item(), 4]
    hinges = [max(0, 0.55 + f - n) for f, n in zip([3, 3, far, far], near, strict=True)]
    assert triplet_loss(POINTS, PERSON, apart=apart).item() == pytest.approx(sum(hinges) / 4)
    nobody = torch.zeros_like(apart)
    assert triplet_loss(POINTS, PERSON, apart=nobody).item() == 0


@pytest.mark.parametrize("normalise", [False, True])
def test_agrees_with_pytorch_metric_learning(normalise: bool) -> None:
    pytest.importorskip("pytorch_metric_learning")
    from pytorch_metric_learning import distances, losses, miners, reducers

    for scale in (0.05, 1.0):
        points = (torch.randn(16, 6) * scale).requires_grad_()
        person = torch.arange(16) // 2 if scale == 1 else torch.arange(16) % 3
        distance = distances.LpDistance(p=2, normalize_embeddings=normalise)
        mined = miners.BatchHardMiner(distance=distance)(points, person)
        loss = losses.TripletMarginLoss(
            margin=0.55, distance=distance, reducer=reducers.MeanReducer()
        )
        theirs = loss(points, person, mined)
        ours = triplet_loss(points, person, normalise=normalise)
        torch.testing.assert_close(ours, theirs)
        (one,), (two,) = (torch.autograd.grad(x, points) for x in (ours, theirs))
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("anchors", ["all", "identity"])
@pytest.mark.parametrize(
    ("points", "person"),
    [
        (torch.randn(4, 3), torch.zeros(4)),  # one person: nobody is near
        (torch.randn(4, 3), torch.arange(4)),  # nobody twice: nobody is far
        (torch.randn(1, 3), torch.zeros(1)),
    ],
)
def test_a_batch_without_triplets_costs_nothing(
    points: Tensor, person: Tensor, anchors: str
) -> None:
    points = points.clone().requires_grad_()
    loss = triplet_loss(points, person, anchors=anchors)
    loss.backward()
    assert loss.item() == 0
    assert points.grad is not None
    assert points.grad.abs().max() == 0


@pytest.mark.parametrize("normalise", [False, True])
def test_clips_that_fall_together_leave_finite_gradients(normalise: bool) -> None:
    points = torch.zeros(4, 3, requires_grad=True)
    loss = triplet_loss(points, torch.tensor([0, 0, 1, 1]), normalise=normalise)
    loss.backward()
    assert loss.item() == pytest.approx(0.55)
    assert points.grad is not None
    assert points.grad.isfinite().all()


@pytest.mark.parametrize(
    ("embedding", "identity"), [((4, 2), (4, 1)), ((4, 2), (1,)), ((4,), (4,)), ((4, 3, 2), (4,))]
)
def test_labels_of_another_shape_are_named(embedding: Any, identity: Any) -> None:
    got = f"embeddings are {list(embedding)}, identities {list(identity)}; give [B, D]"
    with pytest.raises(ValueError, match=re.escape(got)):
        triplet_loss(torch.rand(embedding), torch.zeros(identity, dtype=torch.int64))


def test_unknown_anchors() -> None:
    with pytest.raises(ValueError, match="anchors 'some' is not known; choose 'all' or 'identity'"):
        triplet_loss(POINTS, PERSON, anchors="some")


@pytest.fixture
def output(tiny: Callable[..., W3AN]) -> W3ANOutput:
    model = tiny(attributes=5, clip_identity=True, heads_on="both")
    return model(torch.rand(4, 3, 3, 32, 16), guide=True)


IDENTITY = torch.tensor([0, 0, 2, 2])
ATTRIBUTES = torch.tensor([[1.0, 0, -1, 1, 0]] * 4)


def test_the_printed_objective(output: W3ANOutput) -> None:
    """Eq. 17 with γ = .3, .15, .2, .35, and each term what its own function says."""
    terms = Objective().terms(output, IDENTITY, ATTRIBUTES)
    assert {name: weight for name, (_, weight) in terms.items()} == {
        "san": 0.3,
        "cam": 0.15,
        "tan": 0.2,
        "triplet": 0.35,
    }
    assert output.alpha_prime is not None
    expected = {
        "san": attention_consistency(output.alpha, output.alpha_prime),
        "cam": identity_loss(output.identity_logits, IDENTITY)
        + attribute_loss(output.attribute_logits, ATTRIBUTES),
        "tan": temporal_spread(output.beta, output.beta_overall, 0.08),
        "triplet": triplet_loss(output.embedding, IDENTITY, 0.55),
    }
    for name, (raw, _) in terms.items():
        torch.testing.assert_close(raw, expected[name])
    weighted = sum(raw * weight for raw, weight in terms.values())
    torch.testing.assert_close(total(terms), weighted)


def test_total_by_hand() -> None:
    terms = {"a": (torch.tensor(2.0), 0.5), "b": (torch.tensor(10.0), 0.3)}
    assert total(terms).item() == pytest.approx(4)


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"identity_task": 2.0}, {"cam", "look"}),
        ({"attribute_task": 0.0}, {"cam", "look"}),
        ({"attribute_reduction": "mean"}, {"cam", "look"}),
        ({"spread_margin": 0.5}, {"tan"}),
        ({"triplet_margin": 0.1}, {"triplet"}),
        ({"triplet_anchors": "identity"}, {"triplet"}),
        ({"triplet_normalise": True}, {"triplet"}),
        ({"map_power": 3.0}, {"map"}),
        ({"order_margin": 0.1}, {"order"}),
    ],
)
def test_every_argument_changes_its_terms_alone(
    output: W3ANOutput, change: dict[str, float], touched: set[str]
) -> None:
    base = Objective(look_weight=1, map_weight=1, order_weight=1, avoid_weight=1, clip_weight=1)
    covered = torch.zeros(4, 3, 32, 16, dtype=torch.bool)
    covered[:, 1] = True
    one, two = (
        objective.terms(output, IDENTITY, ATTRIBUTES, covered, covered)
        for objective in (base, dataclasses.replace(base, **change))
    )
    repairs = {"look", "map", "order", "avoid", "clip"}
    assert set(one) == {"san", "cam", "tan", "triplet", *repairs}
    assert {name for name in one if not torch.equal(one[name][0], two[name][0])} == touched


def test_repairs_stay_out_unless_asked_for(output: W3ANOutput) -> None:
    covered = torch.ones(4, 3, 32, 16, dtype=torch.bool)
    assert not {"look", "map", "order", "avoid", "clip"} & set(
        Objective().terms(output, IDENTITY, ATTRIBUTES, covered, covered)
    )
    asked = Objective(order_weight=1, avoid_weight=1).terms(output, IDENTITY, ATTRIBUTES)
    assert not {"order", "avoid"} & set(asked)  # nothing was pasted


def test_clip_weight_asks_for_a_model_that_has_a_clip_identity(output: W3ANOutput) -> None:
    with pytest.raises(ValueError, match="clip_identity=True"):
        Objective(clip_weight=1).terms(output._replace(clip_logits=None), IDENTITY, ATTRIBUTES)


def test_look_weight_asks_for_logits_read_through_alpha(output: W3ANOutput) -> None:
    blind = output._replace(looked_identity_logits=None)
    with pytest.raises(ValueError, match="heads_on='both'"):
        Objective(look_weight=1).terms(blind, IDENTITY, ATTRIBUTES)


def test_what_is_read_through_alpha_holds_the_cube_fixed(tiny: Callable[..., W3AN]) -> None:
    model = tiny(attributes=5, heads_on="both")
    out = model(torch.rand(4, 3, 3, 32, 16))
    seen, has = out.looked_identity_logits, out.looked_attribute_logits
    assert seen is not None
    assert has is not None
    raw, weight = Objective(look_weight=0.5).terms(out, IDENTITY, ATTRIBUTES)["look"]
    assert weight == 0.5
    torch.testing.assert_close(raw, identity_loss(seen, IDENTITY) + attribute_loss(has, ATTRIBUTES))
    held = model.heads(out.cube, (out.alpha * out.cube.detach()).sum((-2, -1)))[0]
    free = model.heads(out.cube, (out.alpha * out.cube).sum((-2, -1)))[0]
    torch.testing.assert_close(seen, held)
    pull = [
        torch.autograd.grad(logits.square().sum(), out.cube, retain_graph=True)[0]
        for logits in (seen, held, free)
    ]
    torch.testing.assert_close(pull[0], pull[1])
    assert (pull[0] - pull[2]).abs().max() > 1e-6
    assert model.eval()(torch.rand(4, 3, 3, 32, 16)).looked_identity_logits is None


def test_maps_are_needed_by_eq_8_and_its_repair() -> None:
    assert Objective().needs_maps
    assert Objective(san_weight=0, map_weight=1).needs_maps
    assert not Objective(san_weight=0).needs_maps


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["san_weight", "triplet_margin"])
def test_weights_are_numbers_from_0_up(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*must be a number from 0 up"):
        Objective(**{name: value})


def test_no_map_draws_alpha_to_what_was_pasted_in(tiny: Callable[..., W3AN]) -> None:
    model = tiny()
    output = model(torch.rand(2, 3, 3, 32, 16))
    objective = Objective(map_weight=1, san_weight=0)
    labels = torch.zeros(2).long(), torch.zeros(2, 67)
    half = torch.zeros(2, 3, 32, 16, dtype=torch.bool)
    half[..., :16, :] = True
    plain = objective.terms(output, *labels)["map"][0]
    masked = objective.terms(output, *labels, half, half)["map"][0]
    kept = at_grid(half, output.alpha[:, :, 0]) == 0
    where = output._replace(
        identity_map=output.identity_map * kept, attribute_map=output.attribute_map * kept
    )
    torch.testing.assert_close(masked, objective.terms(where, *labels)["map"][0])
    assert not torch.isclose(masked, plain)


def test_a_clip_apart_from_nobody_is_no_anchor() -> None:
    points = torch.tensor([[0.0, 0], [3, 0], [1, 0], [0, 4], [9, 9], [9, 8]])
    person = torch.tensor([7, 7, 9, 9, 5, 5])
    apart = person[:, None] != person
    apart[4:] = apart[:, 4:] = False  # the third is seen with nobody: no anchor, and not counted
    torch.testing.assert_close(
        triplet_loss(points, person, apart=apart), triplet_loss(points[:4], person[:4])
    )


def test_the_tasks_weigh_as_asked() -> None:
    logits, few, identity = (
        torch.randn(4, 3, 5),
        torch.randn(4, 3, 5, 2),
        torch.tensor([0, 0, 2, 2]),
    )
    has = torch.tensor([[1.0, 0, -1, 1, 0]] * 4)
    found = Objective(identity_task=3, attribute_task=2, positive_weight=5).multi_task(
        logits, few, identity, has
    )
    torch.testing.assert_close(
        found, 3 * identity_loss(logits, identity) + 2 * attribute_loss(few, has, "sum", 5)
    )


def test_each_repair_is_its_own_function(tiny: Any) -> None:
    out = tiny(attributes=5, clip_identity=True)(torch.rand(4, 3, 3, 32, 16))
    identity, has = torch.tensor([0, 0, 2, 2]), torch.ones(4, 5)
    covered, foreign = torch.zeros(2, 4, 3, 32, 16, dtype=torch.bool)
    covered[:, 1, :16] = foreign[:, 1, :16] = foreign[:, :, :, :8] = True
    asked = Objective(
        map_weight=2, map_power=3, order_weight=3, order_margin=0.7, avoid_weight=4, clip_weight=5
    )
    terms = asked.terms(out, identity, has, covered, foreign)
    target = (out.identity_map + out.attribute_map) ** 3 * (1 - at_grid(foreign, out.alpha))
    for name, raw, weight in (
        ("map", attention_to_map(out.alpha, target), 2),
        ("order", covered_order(out.beta, covered_share(covered), 0.7), 3),
        ("avoid", avoid_foreign(out.alpha, foreign), 4),
        ("clip", identity_loss(out.clip_logits, identity), 5),
    ):
        torch.testing.assert_close(terms[name][0], raw)
        assert terms[name][1] == weight


def test_the_order_is_that_of_all_processes(tiny: Any) -> None:
    out = tiny(attributes=5)(torch.rand(4, 3, 3, 32, 16))
    given = (out, torch.tensor([0, 0, 2, 2]), torch.ones(4, 5), torch.rand(4, 3, 32, 16) < 0.3)
    asked = Objective(order_weight=1)
    alone = asked.terms(*given)["order"][0]
    twice = asked.terms(*given, gather=lambda own: torch.cat([own, own]))["order"][0]
    torch.testing.assert_close(alone, twice)


def test_eq_8_reaches_alpha_prime_if_asked(tiny: Any) -> None:
    model = tiny(attributes=5, guide_gradient=True)
    out = model(torch.rand(4, 3, 3, 32, 16), guide=True)
    san = Objective().terms(out, torch.tensor([0, 0, 2, 2]), torch.ones(4, 5))["san"][0]
    assert torch.autograd.grad(san, out.alpha_prime)[0].abs().max() > 0
