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
