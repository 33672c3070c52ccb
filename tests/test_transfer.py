"""MMD by hand and by law, the weights, and the network that carries labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite import transfer as module
from w3an_lite.backbone import NarrowTrunk
from w3an_lite.data.attributes import NAMES
from w3an_lite.data.augment import Augment
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import ArrayFrames, DataError, Tracklet
from w3an_lite.transfer import (
    AttributeNetwork,
    TransferRecipe,
    mmd,
    predict,
    rarity_weights,
    transfer,
    weighted_loss,
)

SHORT = TransferRecipe(steps=3, batch=4, size=(32, 16))
sizes = st.integers(2, 6)


def sample(n: int, seed: int, width: int = 3) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def stills(count: int, value: int = 128, ones: float = 1.0) -> list[Tracklet]:
    frames = np.full((1, 3, 32, 16), value, np.uint8)
    labels = np.full(len(NAMES), ones, np.float32)
    return [Tracklet(ArrayFrames(frames), 0, 0, f"s{i}", labels) for i in range(count)]


def test_mmd_by_hand() -> None:
    """Rows 0, 2 against 4: distances 2, 2, 4 have the median 2, so σ² = 4."""
    got = mmd(torch.tensor([[0.0], [2.0]]), torch.tensor([[4.0]]), scales=(1.0,))
    near, far = math.exp(-4 / 8), math.exp(-16 / 8)
    expected = (2 + 2 * near) / 4 + 1 - 2 * (far + near) / 2
    assert got.item() == pytest.approx(expected, abs=1e-6)


def test_kernels_add_up() -> None:
    a, b = sample(4, 0), sample(5, 1)
    parts = [mmd(a, b, (c,)).item() for c in (0.5, 2.0)]
    assert mmd(a, b, (0.5, 2.0)).item() == pytest.approx(sum(parts), abs=1e-6)


@given(sizes, sizes, st.integers(0, 50))
def test_mmd_is_symmetric_and_never_negative(n: int, m: int, seed: int) -> None:
    a, b = sample(n, seed), sample(m, seed + 100)
    assert mmd(a, b).item() == pytest.approx(mmd(b, a).item(), abs=1e-5)
    assert mmd(a, b).item() > -1e-5


@given(sizes, st.integers(0, 50))
def test_mmd_of_identical_samples_is_zero(n: int, seed: int) -> None:
    a = sample(n, seed)
    assert mmd(a, a.flip(0)).item() == pytest.approx(0, abs=1e-6)


@given(st.floats(0.01, 100), st.integers(0, 20))
def test_mmd_does_not_know_the_unit_or_the_origin(scale: float, seed: int) -> None:
    a, b = sample(4, seed).double(), sample(4, seed + 1).double()
    moved = mmd(a * scale + 3, b * scale + 3).item()
    assert moved == pytest.approx(mmd(a, b).item(), abs=1e-6)


def test_mmd_grows_with_the_shift() -> None:
    a, b = sample(40, 0), sample(40, 1)
    values = [mmd(a, b + shift).item() for shift in (0, 0.5, 1, 2, 4)]
    assert values == sorted(values)
    assert values[-1] > 10 * values[0]


def test_rows_that_are_all_one_point_give_a_finite_zero_and_gradient() -> None:
    a = torch.zeros(3, 2, requires_grad=True)
    value = mmd(a, torch.zeros(3, 2))
    value.backward()
    assert value.item() == 0
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()


def test_the_gradient_draws_the_samples_together() -> None:
    a = sample(20, 0).requires_grad_()
    b = sample(20, 1) + 3
    mmd(a, b).backward()
    assert a.grad is not None
    assert (a.grad.mean(0) < 0).all()  # a step down the gradient moves a up, towards b


@pytest.mark.parametrize(
    ("a", "b", "scales"),
    [((3, 2), (3, 3), (1.0,)), ((0, 2), (3, 2), (1.0,)), ((2,), (2,), (1.0,)), ((2, 2), (2, 2), ()),
     ((2, 2), (2, 2), (0.0,))],
)  # fmt: skip
def test_what_mmd_refuses(a: tuple, b: tuple, scales: tuple) -> None:
    with pytest.raises(ValueError, match=r"give \[n, D\]"):
        mmd(torch.zeros(a), torch.zeros(b), scales)


def test_the_ones_of_an_attribute_weigh_as_much_as_its_zeros() -> None:
    labels = torch.tensor([[1.0, 1, -1], [0, 1, -1], [0, 1, -1], [0, -1, -1]])
    present, absent = rarity_weights(labels)
    assert present[0].item() == pytest.approx(2)
    assert absent[0].item() == pytest.approx(2 / 3)
    assert present[1].item() == pytest.approx(1 / (2 * 0.99))  # always there: held to 0.99
    assert (present[2].item(), absent[2].item()) == (1, 1)  # nobody knows


def test_weighted_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0, 9.0]])
    labels = torch.tensor([[1.0, 0.0, -1.0]])
    got = weighted_loss(logits, labels, torch.tensor([3.0, 5, 7]), torch.tensor([1.0, 2, 4]))
    assert got.item() == pytest.approx(3 * math.log(2) + 2 * math.log(1 + math.exp(2)), rel=1e-5)


def test_training_learns_and_repeats() -> None:
    source = synthped(6, 0, 1, 1, size=(32, 16), domain="stills").train
    target = synthped(3, 0, 1, 1, 4, (32, 16)).train
    recipe = TransferRecipe(0.0, steps=30, batch=12, size=(32, 16), adapt=False)
    first, again = (transfer(source, target, recipe, progress=False) for _ in range(2))
    assert torch.equal(first.head.weight, again.head.weight)
    truth = torch.from_numpy(np.stack([t.attributes for t in source if t.attributes is not None]))
    weights = rarity_weights(truth)

    def loss(network: AttributeNetwork) -> float:
        p = torch.from_numpy(predict(network, source, (32, 16), progress=False))
        return weighted_loss(torch.logit(p, 1e-6), truth, *weights).item()

    assert loss(first) < 0.7 * loss(AttributeNetwork().eval())


def test_mmd_draws_the_features_of_the_domains_together() -> None:
    source, target = stills(8, 40), stills(8, 220)

    def gap(weight: float) -> float:
        recipe = TransferRecipe(weight, steps=15, batch=8, size=(32, 16))
        network = transfer(source, target, recipe, progress=False)
        pixels = [torch.from_numpy(t[0].frames.read([0])).float() / 255 for t in (source, target)]
        with torch.no_grad():
            a, b = (network(p)[0] for p in pixels)
        return float((a - b).norm() / (a.norm() + b.norm()))

    assert gap(30.0) < gap(0.0)


def test_mmd_needs_both_in_one_batch() -> None:
    with pytest.raises(ValueError, match=r"adapt is False and mmd_weight 30\.0; MMD sends both"):
        TransferRecipe(adapt=False)


def test_the_trunk_that_was_given_stays_as_it_was() -> None:
    source = synthped(4, 0, 1, 1, size=(32, 16), domain="stills").train
    trunk = NarrowTrunk()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    network = transfer(source, source, SHORT, trunk, progress=False)
    assert not torch.equal(network.trunk.state_dict()["stem.0.weight"], before["stem.0.weight"])
    for name, value in trunk.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_labels_of_the_target_are_never_looked_at() -> None:
    source = synthped(4, 0, 1, 1, size=(32, 16), domain="stills").train
    target = synthped(2, 0, 1, 1, 3, (32, 16)).train
    bare = [Tracklet(t.frames, t.identity, t.camera) for t in target]
    weights = [transfer(source, t, SHORT, progress=False).head.weight for t in (target, bare)]
    assert torch.equal(*weights)


def test_predictions_are_means_over_frames(crowd: Callable[..., list[Tracklet]]) -> None:
    torch.manual_seed(0)
    network = AttributeNetwork(NarrowTrunk(2)).eval()
    tracklets = crowd(people=2, each=2, frames=[5, 3])
    whole = predict(network, tracklets, (32, 16), progress=False)
    assert whole.shape == (4, len(NAMES))
    assert whole.dtype == np.float32
    for batch in (1, 2, 7):
        again = predict(network, tracklets, (32, 16), batch=batch, progress=False)
        np.testing.assert_allclose(again, whole, atol=1e-6)
    singles = [
        predict(network, [Tracklet(ArrayFrames(tracklets[0].frames.read([k])), 1, 1)], (32, 16),
                progress=False)[0]
        for k in range(5)
    ]  # fmt: skip
    np.testing.assert_allclose(np.mean(singles, axis=0), whole[0], atol=1e-6)
    middle = predict(network, tracklets[:1], (32, 16), frames=1, progress=False)[0]
    np.testing.assert_allclose(middle, singles[2], atol=1e-6)


def test_what_cannot_be_transferred() -> None:
    bare = [Tracklet(t.frames, 1, 1) for t in stills(1)]
    with pytest.raises(DataError, match="1 of 3 source tracklets have no attributes"):
        transfer([*stills(2), *bare], stills(1), SHORT)
    with pytest.raises(DataError, match="no target"):
        transfer(stills(2), [], SHORT)
    with pytest.raises(DataError, match="0 of 0 source"):
        transfer([], stills(1), SHORT)
    with pytest.raises(DataError, match="at least 1"):
        predict(AttributeNetwork(NarrowTrunk(2)), [])


@pytest.mark.parametrize("change", [{"steps": 0}, {"batch": 1}, {"lr": 0.0}, {"lr": math.inf},
                                    {"mmd_weight": -1.0}, {"mmd_weight": math.nan},
                                    {"size": (0, 16)}])  # fmt: skip
def test_recipes_that_make_no_sense(change: dict) -> None:
    with pytest.raises(ValueError, match="mmd_weight is" if "mmd_weight" in change else "steps"):
        TransferRecipe(**change)


def test_a_scale_of_the_kernel_is_squared() -> None:
    a, b = torch.randn(4, 3), torch.randn(5, 3)
    both = torch.cat([a, b])
    square = torch.cdist(both, both).square()
    sigma = square[~torch.eye(9, dtype=torch.bool)].median()
    k = torch.exp(-square / (2 * 0.5**2 * sigma))
    expected = k[:4, :4].mean() + k[4:, 4:].mean() - 2 * k[:4, 4:].mean()
    torch.testing.assert_close(mmd(a, b, (0.5,)), expected, atol=1e-5, rtol=1e-4)


def test_features_are_means_over_places() -> None:
    network, frames = AttributeNetwork(NarrowTrunk(2)).eval(), torch.rand(2, 3, 32, 16)
    features, logits = network(frames)
    torch.testing.assert_close(features, network.trunk(frames).mean((2, 3)))
    torch.testing.assert_close(logits, network.head(features))


def test_predicting_rests_the_norms_and_gives_chances(crowd: Any) -> None:
    network, people = AttributeNetwork(NarrowTrunk(2)).train(), crowd(2)
    found = predict(network, people, (32, 16), progress=False)
    assert network.training
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_array_equal(predict(network.eval(), people, (32, 16), progress=False), found)


def test_no_gradient_flows_through_the_spread() -> None:
    a, b = sample(4, 0).requires_grad_(), sample(5, 1).requires_grad_()
    mmd(a, b, (1.0,)).backward()
    both = torch.cat([a, b]).detach()
    spread = torch.cdist(both, both).square()[~torch.eye(9, dtype=torch.bool)].median().item()
    c, d = (x.detach().clone().requires_grad_() for x in (a, b))

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.exp(-(x[:, None] - y[None]).square().sum(-1) / (2 * spread)).mean()

    (kernel(c, c) + kernel(d, d) - 2 * kernel(c, d)).backward()
    torch.testing.assert_close(a.grad, c.grad, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(b.grad, d.grad, rtol=1e-3, atol=1e-5)


def test_rows_that_are_all_alike_have_no_discrepancy() -> None:
    a = torch.ones(2, 2, requires_grad=True)
    found = mmd(a, torch.ones(2, 2))
    (TransferRecipe().mmd_weight * found).backward()
    assert found.item() == 0
    assert a.grad is not None
    assert not a.grad.any()


@pytest.mark.parametrize(
    ("source", "target", "scales"),
    [
        ((2, 3), (2, 4), (1.0,)),
        ((2, 3, 1), (2, 3, 1), (1.0,)),
        ((0, 3), (2, 3), (1.0,)),
        ((2, 3), (0, 3), (1.0,)),
        ((2, 3), (2, 3), ()),
        ((2, 3), (2, 3), (1.0, 0.0)),
    ],
)
def test_features_that_do_not_fit_are_refused(
    source: tuple[int, ...], target: tuple[int, ...], scales: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match=r"with rows, and scales above 0"):
        mmd(torch.ones(source), torch.ones(target), scales)


def test_a_rare_zero_weighs_no_more_than_a_rare_one() -> None:
    labels = torch.zeros(1000, 2)
    labels[:, 1] = 1
    present, absent = rarity_weights(labels)
    assert present.tolist() == pytest.approx([50, 1 / 1.98])
    assert absent.tolist() == pytest.approx([1 / 1.98, 50])


def test_the_rate_rises_and_falls_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a sixth of the steps, along a cosine; each step has the gradient of its own loss."""
    rates: list[float] = []

    class Noting(torch.optim.AdamW):
        def step(self, *given: Any) -> Any:
            (group,) = self.param_groups
            assert group["weight_decay"] == 0.25
            rates.append(group["lr"])
            assert all(p.grad is not None for p in group["params"])
            return super().step(*given)

        def zero_grad(self, *given: Any, **more: Any) -> None:
            super().zero_grad(*given, **more)
            cleared.append(all(p.grad is None for p in self.param_groups[0]["params"]))

    cleared: list[bool] = []
    monkeypatch.setattr(torch.optim, "AdamW", Noting)
    recipe = TransferRecipe(steps=12, batch=2, size=(32, 16), lr=0.01, weight_decay=0.25)
    transfer(stills(2), stills(2), recipe, NarrowTrunk(2), progress=False)
    warm = [0.5, *[1.0] * 11]
    wanted = [0.005 * w * (1 + math.cos(math.pi * k / 12)) for k, w in enumerate(warm)]
    assert rates == pytest.approx(wanted)
    assert cleared == [True] * 12


def test_what_a_step_sees_is_drawn_from_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracklets and their frames, crops and flips; and a tracklet's labels go with its frames."""
    drawn: list[torch.Tensor] = []
    crops: list[int] = []

    class Noting(Augment):
        def __call__(self, frames: torch.Tensor, generator: torch.Generator) -> Any:
            assert (self.pad, self.flip) == (2, 0.5)
            assert frames.shape == (8, 1, 3, 32, 16)  # each a clip of its own
            drawn.append(frames)
            crops.append(generator.initial_seed())
            return super().__call__(frames, generator)

    def looked(logits: torch.Tensor, labels: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        shown = drawn[-1][:4, 0, 0, 0, 0] // 20 % 2  # the frame's value tells whose it is
        assert torch.equal(labels[:, 0], shown.float())
        return weighted_loss(logits, labels, *weights)

    monkeypatch.setattr(module, "Augment", Noting)
    monkeypatch.setattr(module, "weighted_loss", looked)
    source = [stills(1, 20 * k, k % 2)[0] for k in range(8)]
    film = np.arange(40, 52, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 32, 16))
    target = [Tracklet(ArrayFrames(film.astype(np.uint8)), 0, 0)]
    for seed in (0, 1):
        recipe = TransferRecipe(steps=3, batch=4, size=(32, 16), seed=seed)
        transfer(source, target, recipe, NarrowTrunk(2), progress=False)
    assert crops == [0] * 3 + [1] * 3
    assert not torch.equal(torch.cat(drawn[:3]), torch.cat(drawn[3:]))
    sources, films = (torch.cat([d[part, 0, 0, 0, 0] for d in drawn]).unique()
                      for part in (slice(0, 4), slice(4, 8)))  # fmt: skip
    assert sources.max() == 140
    assert len(films) > 5  # frames of the film at random


@pytest.mark.parametrize("adapt", [False, True])
def test_norms_see_the_target_without_mmd_too(adapt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        module, "normalise", lambda frames: seen.append(len(frames)) or frames / 255
    )
    recipe = TransferRecipe(0.0, adapt, steps=2, batch=4, size=(32, 16))
    transfer(stills(2), stills(2), recipe, NarrowTrunk(2), progress=False)
    assert seen == [8 if adapt else 4] * 2


def test_both_domains_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def looked(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        assert source.shape == target.shape == (4, NarrowTrunk(2).channels)
        seen.append(source.requires_grad and target.requires_grad)
        return mmd(source, target)

    monkeypatch.setattr(module, "mmd", looked)
    network = transfer(stills(2), stills(2), SHORT, NarrowTrunk(2), progress=False)
    assert seen == [True] * 3
    assert not network.training


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_it(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "weighted_loss", lambda *_: torch.tensor(value))
    with pytest.raises(FloatingPointError, match=f"the loss is {value} at step 0; lower lr"):
        transfer(stills(2), stills(2), SHORT, NarrowTrunk(2), progress=False)


def test_more_frames_than_there_are_count_once(crowd: Callable[..., list[Tracklet]]) -> None:
    torch.manual_seed(0)
    network, people = AttributeNetwork(NarrowTrunk(2)).eval(), crowd(2, each=1, frames=3)
    whole = predict(network, people, (32, 16), progress=False)
    many = predict(network, people, (32, 16), frames=4, progress=False)
    np.testing.assert_array_equal(many, whole)
    for wrong in ({"frames": 0}, {"batch": 0}):
        with pytest.raises(DataError, match="give at least 1 of each"):
            predict(network, people, (32, 16), progress=False, **wrong)


def test_no_batch_is_larger_than_asked(crowd: Callable[..., list[Tracklet]]) -> None:
    people = crowd(2, each=2, frames=[5, 3])
    batches = list(module._batched(people, (32, 16), None, 4))
    assert [rows.tolist() for rows, _ in batches] == [[0] * 4, [0, 1, 1, 1], [2] * 4, [2, 3, 3, 3]]
    assert all(len(rows) == len(pixels) for rows, pixels in batches)
