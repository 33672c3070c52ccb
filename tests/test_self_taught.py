"""A film's own lessons: which pairs teach, what they change, and that nothing else is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from w3an_lite import self_taught as module
from w3an_lite.adapt import adapted
from w3an_lite.data.augment import Augment
from w3an_lite.data.mot import MotFrames
from w3an_lite.data.tracklet import DataError, Tracklet
from w3an_lite.inference import embed_tracklets, frame_beta
from w3an_lite.model import W3AN
from w3an_lite.self_taught import _loss, known_apart, self_taught, strangeness

Build = Callable[..., W3AN]
Crowd = Callable[..., list[Tracklet]]


def at(tracklet: Tracklet, begin: int) -> Tracklet:
    """The same crops, in the film from frame `begin` on."""
    pixels = tracklet.frames.read(range(len(tracklet)))
    numbers = np.arange(begin, begin + len(pixels))
    return replace(tracklet, frames=MotFrames(pixels, numbers, np.ones((len(pixels), 4))))


@pytest.fixture
def film(crowd: Crowd) -> list[Tracklet]:
    """Four people at once, frames 1-12, then the first two again, later and at once."""
    people = crowd(4, each=2, frames=12)
    return [at(people[2 * i], 1) for i in range(4)] + [at(people[2 * i + 1], 30) for i in range(2)]


def test_only_tracks_seen_at_once_are_known_to_be_two_people(film: list[Tracklet]) -> None:
    expected = np.zeros((6, 6), bool)
    expected[:4, :4] = expected[4:, 4:] = True
    np.fill_diagonal(expected, False)
    np.testing.assert_array_equal(known_apart(film), expected)


def test_a_street_pulls_its_tracks_apart(tiny: Build, film: list[Tracklet]) -> None:
    """The distance within a track over that between two seen at once, before and after."""
    model = adapted(tiny("repaired").eval(), film)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    taught = self_taught(model, film, steps=30, lr=3e-3)

    def ratio(network: W3AN) -> float:
        halves = []
        for part in (slice(0, 6), slice(6, 12)):
            pixels = torch.stack(
                [torch.from_numpy(t.frames.read(range(12))[part]) for t in film[:4]]
            )
            with torch.no_grad():
                halves.append(torch.stack([network.embed(clip) for clip in pixels]))
        one, two = (torch.nn.functional.normalize(h, dim=-1) for h in halves)
        distance = torch.cdist(one, two)
        within = distance.diagonal().mean()
        return float(within / distance[~torch.eye(4, dtype=torch.bool)].mean())

    assert ratio(taught) < 0.7 * ratio(model)
    assert not taught.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())  # it was copied
    norms = [k for k in before if "running" in k]
    assert norms
    assert all(torch.equal(taught.state_dict()[k], before[k]) for k in norms)


def test_a_frame_unlike_its_clip_is_the_strangest() -> None:
    """By hand: three frames (1, 0), one (0, 1); the mean is (3, 1) / 4, of length √10 / 4."""
    cube = torch.zeros(2, 4, 2, 3, 2)
    cube[0, :, 0] = cube[1, :3, 0] = cube[1, 3, 1] = 1
    found = strangeness(cube)
    torch.testing.assert_close(found[0], torch.zeros(4))
    expected = torch.tensor([1 - 3 / 10**0.5] * 3 + [1 - 1 / 10**0.5])
    torch.testing.assert_close(found[1], expected)
    cube[1, 3] *= 5  # a frame of strong features does not count for more
    torch.testing.assert_close(strangeness(cube), found)


def test_beta_falls_where_a_frame_is_strange(tiny: Build, film: list[Tracklet]) -> None:
    """Every fourth frame of each track is hidden behind a board of black and white squares."""
    rng = np.random.default_rng(0)
    mixed = []
    for track in film:
        pixels = track.frames.read(range(12)).copy()
        boards = 255 * rng.integers(0, 2, (3, 1, 8, 4), dtype=np.uint8)
        pixels[::4] = boards.repeat(4, axis=2).repeat(4, axis=3)
        mixed.append(replace(track, frames=replace(track.frames, array=pixels)))
    shared = {"scores": "shared", "slots": False}  # sixteen channels are few for a map each
    model = adapted(tiny("repaired", clip_length=6, **shared).eval(), mixed)

    def gap(network: W3AN) -> float:
        beta = torch.stack(frame_beta(network, mixed))
        hidden = torch.arange(12) % 4 == 0
        return float(beta[:, ~hidden].mean() - beta[:, hidden].mean())

    told = self_taught(model, mixed, steps=60, lr=3e-3)
    untold = self_taught(model, mixed, steps=60, lr=3e-3, order_weight=0)
    assert gap(told) > 0.3 + max(gap(model), gap(untold), 0)


def test_the_same_seed_teaches_the_same(tiny: Build, film: list[Tracklet]) -> None:
    model = tiny("repaired").eval()
    one, two, other = (
        embed_tracklets(self_taught(model, film, steps=3, seed=s), film) for s in (0, 0, 1)
    )
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert not torch.equal(one, other)


def test_labels_are_never_read(tiny: Build, film: list[Tracklet]) -> None:
    model = tiny("repaired").eval()
    blind = [replace(t, identity=1, camera=1, attributes=None, truth=None) for t in film]
    one, two = (embed_tracklets(self_taught(model, f, steps=3), film) for f in (film, blind))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_a_model_without_attention_or_graph_is_taught_too(
    tiny: Build, film: list[Tracklet]
) -> None:
    model = tiny("mean_pool", temporal=False).eval()
    taught = self_taught(model, film, steps=2)
    assert not torch.equal(embed_tracklets(taught, film), embed_tracklets(model, film))


def test_a_film_that_says_nothing_is_refused(tiny: Build, film: list[Tracklet]) -> None:
    with pytest.raises(DataError, match="no two of the 2 tracks are in the film at once"):
        self_taught(tiny(), [film[0], film[4]])
    with pytest.raises(DataError, match="no two of the 0 tracks"):
        self_taught(tiny(), [])


def test_tracklets_without_frame_numbers_are_refused(tiny: Build, crowd: Crowd) -> None:
    with pytest.raises(DataError, match="has no frame numbers; give what read_mot returned"):
        self_taught(tiny(), crowd(2))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"people": 1}, {"each": 1}])
def test_lessons_of_nothing_are_refused(
    tiny: Build, film: list[Tracklet], wrong: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match="at least 1 step of 2 people, twice"):
        self_taught(tiny(), film, **wrong)


@pytest.mark.parametrize(("steps", "lr"), [(1, 1e30), (20, 1e30), (20, 1e6)])
def test_a_rate_that_is_too_high_is_named(
    tiny: Build, film: list[Tracklet], steps: int, lr: float
) -> None:
    with pytest.raises(FloatingPointError, match=r"not finite at step .* learning rate 1e\+"):
        self_taught(tiny("repaired").eval(), film, steps=steps, lr=lr)


def test_the_largest_seed_teaches_too(tiny: Build, film: list[Tracklet]) -> None:
    assert not self_taught(tiny("repaired").eval(), film, steps=1, seed=2**63 - 1).training


def test_a_track_that_was_lost_is_nowhere_in_between(film: list[Tracklet]) -> None:
    """One in frames 1-3 and 9-11, another in 5-7: they may be one person, found again."""

    def track(numbers: list[int]) -> Tracklet:
        frames = film[0].frames
        assert isinstance(frames, MotFrames)
        n = len(numbers)
        cut = MotFrames(frames.array[:n], np.array(numbers), frames.boxes[:n])
        return replace(film[0], frames=cut)

    lost, between, beside = track([1, 2, 3, 9, 10, 11]), track([5, 6, 7]), track([7, 8, 9])
    found = known_apart([lost, between, beside])
    assert found.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def _six(crowd: Any) -> list:
    out = []
    for t in crowd(6, each=1, frames=12):
        px = t.frames.read(range(12))
        out.append(replace(t, frames=MotFrames(px, np.arange(1, 13), np.ones((12, 4)))))
    return out


def test_a_step_takes_as_many_people_as_asked(
    tiny: Any, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, plain = [], module._loss

    def look(embedding: Tensor, own: Any, *rest: Any) -> Tensor:
        seen.append(own)
        return plain(embedding, own, *rest)

    monkeypatch.setattr(module, "_loss", look)
    module.self_taught(tiny("repaired").eval(), _six(crowd), steps=4, people=3, each=2)
    assert all(sorted(np.unique(own, return_counts=True)[1]) == [2, 2, 2] for own in seen)


def test_a_model_in_training_is_taught_with_resting_norms(tiny: Any, crowd: Any) -> None:
    model = tiny("repaired").train()
    taught = self_taught(model, _six(crowd), steps=2)
    assert not taught.training
    for name, value in model.state_dict().items():
        assert "running" not in name or torch.equal(taught.state_dict()[name], value)


def test_pairs_never_seen_together_teach_nothing() -> None:
    own, apart = np.array([0, 0, 1, 1]), np.zeros((2, 2), bool)
    assert _loss(torch.randn(4, 3), own, apart, 9.0).item() == 0


def test_a_step_adds_up_what_it_is_told(
    tiny: Any, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 for the pairs, 1 for the order and 10 for the spread, each by its weight; a picture of
    its own each step, and a rate that falls along a cosine."""
    rates: list[float] = []
    drawn: list[int] = []
    losses: list[float] = []

    class Noting(torch.optim.AdamW):
        def step(self, *given: Any) -> Any:
            rates.append(self.param_groups[0]["lr"])
            assert self.param_groups[0]["weight_decay"] == 1e-3
            return super().step(*given)

    class Drawn(Augment):
        def __call__(self, frames: Tensor, generator: torch.Generator) -> Any:
            assert self == Drawn(pad=1, flip=0.5, paste=0.25, surround=0.4)
            drawn.append(generator.initial_seed())
            return super().__call__(frames, generator)

    def pairs(embedding: Tensor, own: Any, apart: Any, margin: float) -> Tensor:
        assert margin == 0.7
        return 100 + 0 * embedding.sum()

    def strange(cube: Tensor) -> Tensor:
        assert not cube.requires_grad
        return torch.full(cube.shape[:2], 0.25)

    def order(beta: Tensor, strange: Tensor, margin: float) -> Tensor:
        assert strange.unique().tolist() == [1.0]  # four quarters are all of β's range
        return margin + 0 * beta.sum()

    def finite(what: str, value: Tensor, *_: Any) -> None:
        if what == "the loss":
            losses.append(value.item())

    monkeypatch.setattr(torch.optim, "AdamW", Noting)
    monkeypatch.setattr(module, "Augment", Drawn)
    monkeypatch.setattr(module, "_loss", pairs)
    monkeypatch.setattr(module, "strangeness", strange)
    monkeypatch.setattr(module, "covered_order", order)
    monkeypatch.setattr(module, "temporal_spread", lambda beta, _: 10 + 0 * beta.sum())
    monkeypatch.setattr(module, "_check_finite", finite)
    self_taught(
        tiny("repaired").eval(), _six(crowd), steps=4, lr=0.02, margin=0.7, order_weight=3.0,
        spread_weight=0.5, seed=2,
    )  # fmt: skip
    assert losses == [108.0] * 4
    assert drawn == [2 * 1_000_003 + k for k in range(4)]
    assert rates == pytest.approx([0.01 * (1 + np.cos(np.pi * k / 4)) for k in range(4)])


def test_everybody_is_taught_beside_everybody(
    tiny: Any, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs of six people, each the first of some."""
    seen: list[tuple[int, ...]] = []

    def look(embedding: Tensor, own: Any, *_: Any) -> Tensor:
        seen.append(tuple(own[::3]))
        assert own.tolist() == [i for i in own[::3] for _ in range(3)]
        return 0 * embedding.sum()

    monkeypatch.setattr(module, "_loss", look)
    self_taught(tiny("repaired").eval(), _six(crowd), steps=25, people=2, each=3)
    assert {first for first, _ in seen} == set(range(6))
    assert len(set(seen)) > 12


def test_a_clip_is_cut_from_a_stretch_of_three(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From anywhere in the track, its first and its last frame included."""
    pixels = (
        np.zeros((40, 3, 32, 16), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    )
    film = MotFrames(pixels, np.arange(40), np.ones((40, 4)))
    rng, model = np.random.default_rng(0), tiny()
    clips = [module._clip(Tracklet(film, 1, 1), model, rng)[:, 0, 0, 0] for _ in range(400)]
    spans = [int(clip[-1]) - int(clip[0]) for clip in clips]
    assert {len(clip) for clip in clips} == {3}
    assert max(spans) == 8
    assert min(spans) < 5
    assert {0, 39} <= {int(k) for clip in clips for k in clip}
    short = Tracklet(MotFrames(pixels[:2], np.arange(2), np.ones((2, 4))), 1, 1)
    assert sorted({int(k) for k in module._clip(short, model, rng)[:, 0, 0, 0]}) == [0, 1]


def test_what_is_strange_in_the_middle_counts_for_more() -> None:
    cube = torch.ones(2, 4, 2, 8, 4)
    cube[0, 3, 0, 3:5, 1:3] = cube[1, 3, 0, :2, :2] = -1  # four cells each: middle and corner
    middle, corner = strangeness(cube)[:, 3]
    assert middle > 1.2 * corner > 0


def test_a_weight_that_is_no_number_is_named(
    tiny: Any, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one that no embedding of a clip asks for."""
    model = tiny("repaired").eval()
    with torch.no_grad():
        model.heads.attribute.bias[0] = float("nan")
    with pytest.raises(
        FloatingPointError, match=r"the weight heads\.attribute\.bias is not finite"
    ):
        self_taught(model, _six(crowd), steps=1)


def test_pairs_are_told_apart_by_direction_within_the_margin() -> None:
    """Clips of unit length, whatever the features' own: two tracks at a right angle."""
    own, apart = np.array([0, 0, 1, 1]), ~np.eye(2, dtype=bool)
    embedding = torch.tensor([[1.0, 0.0], [5.0, 0.0], [0.0, 1.0], [0.0, 9.0]])
    assert _loss(embedding, own, apart, 1.0).item() == pytest.approx(0, abs=1e-4)
    assert _loss(embedding, own, apart, 2.0).item() == pytest.approx(2 - 2**0.5, abs=1e-3)
