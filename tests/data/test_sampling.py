"""What a batch holds follows from seed, epoch and step, and every person has a turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.data.attributes import NAMES
from w3an_lite.data.sampling import (
    Batches,
    consecutive_frames,
    even_frames,
    load_clips,
    random_frames,
)
from w3an_lite.data.tracklet import ArrayFrames, Clips, DataError, Tracklet

Crowd = Callable[..., list[Tracklet]]
Draw = Callable[[int, int, np.random.Generator], np.ndarray]


@pytest.mark.parametrize("draw", [random_frames, consecutive_frames])
@given(length=st.integers(1, 40), clip=st.integers(1, 15), seed=st.integers(0, 999))
def test_laws_of_drawn_frames(draw: Draw, length: int, clip: int, seed: int) -> None:
    frames = draw(length, clip, np.random.default_rng(seed))
    assert frames.shape == (clip,)
    assert frames.min() >= 0
    assert frames.max() < length
    assert (np.diff(frames) >= 0).all()
    counts = np.bincount(frames, minlength=length)
    if length >= clip:
        assert counts.max() == 1
        assert draw is random_frames or (np.diff(frames) == 1).all()
    else:
        assert counts.max() - counts.min() <= 1
    again = draw(length, clip, np.random.default_rng(seed))
    assert (frames == again).all()


def test_random_frames_are_random() -> None:
    rng = np.random.default_rng(0)
    drawn = np.concatenate([random_frames(10, 3, rng) for _ in range(500)])
    counts = np.bincount(drawn, minlength=10)
    assert counts.min() > 110  # 150 each, and a spread of 10
    assert counts.max() < 190


def test_consecutive_frames_begin_anywhere() -> None:
    rng = np.random.default_rng(0)
    starts = np.bincount([consecutive_frames(6, 3, rng)[0] for _ in range(500)], minlength=4)
    assert starts.size == 4
    assert starts.min() > 90  # 125 each, and a spread of 10


def test_a_batch_takes_the_frames_it_is_told_to(crowd: Crowd) -> None:
    people = crowd(4, each=2, frames=9)
    build = {"batch": 4, "people": 2, "clip_length": 4}
    for frames, rows in (("random", False), ("consecutive", True)):
        plans = [Batches(people, **build, frames=frames).at(epoch).plan(0) for epoch in range(4)]
        steps = np.concatenate([np.diff(i) for plan in plans for i in plan.indices])
        assert (steps == 1).all() == rows


@given(st.integers(1, 200), st.integers(1, 15))
def test_laws_of_even_frames(length: int, clip: int) -> None:
    frames = even_frames(length, clip)
    assert frames.shape == (clip,)
    assert frames.min() >= 0
    assert frames.max() < length
    gaps = np.diff(frames)
    assert (gaps >= 0).all()
    if len(gaps):
        assert gaps.max() - gaps.min() <= 1
    if length <= clip:
        counts = np.bincount(frames, minlength=length)
        assert counts.min() >= 1
        assert counts.max() - counts.min() <= 1


def test_even_frames_by_hand() -> None:
    assert even_frames(10, 10).tolist() == list(range(10))
    assert even_frames(9, 3).tolist() == [1, 4, 7]
    assert even_frames(100, 2).tolist() == [25, 75]
    assert even_frames(2, 4).tolist() == [0, 0, 1, 1]


def equal(one: Clips, two: Clips) -> bool:
    return all(
        (a is None and b is None) or (a is not None and b is not None and torch.equal(a, b))
        for a, b in zip(one, two, strict=True)
    )


def test_a_batch_follows_from_seed_epoch_and_step(crowd: Crowd) -> None:
    people = crowd(6, each=3, frames=7)
    build = {"batch": 4, "people": 2, "clip_length": 3}
    one, two = Batches(people, **build, seed=5), Batches(people, **build, seed=5)
    _ = two.at(3)[1], two.at(0)[0]  # what was asked for before does not matter
    for epoch, step in ((0, 0), (0, 2), (3, 1)):
        clips, names = one.at(epoch)[step]
        again, same = two.at(epoch)[step]
        assert equal(clips, again)
        assert names == same
    first = one.at(0)[0]
    assert not equal(first[0], one.at(0)[1][0])
    assert not equal(first[0], one.at(1)[0][0])
    assert not equal(first[0], Batches(people, **build, seed=6).at(0)[0][0])


def test_each_person_has_one_turn_an_epoch(crowd: Crowd) -> None:
    batches = Batches(crowd(7, each=3), batch=4, people=2, clip_length=3)
    assert len(batches) == 3
    resting = set()
    for epoch in range(8):
        seen = Counter()
        for step in range(len(batches)):
            clips, names = batches.at(epoch)[step]
            assert clips.frames.shape == (4, 3, 3, 32, 16)
            assert len(set(names)) == 4  # N/P tracklets, all different where there are enough
            seen.update(clips.identity.tolist())
        assert set(seen.values()) == {2}
        assert len(seen) == 6
        resting |= set(range(7)) - seen.keys()
    assert len(resting) > 1  # not always the same one sits out


def test_a_batch_is_what_its_tracklets_say(crowd: Crowd) -> None:
    people = crowd(4, each=2, frames=5)
    by_name = {t.name: t for t in people}
    clips, names = Batches(people, batch=4, people=2, clip_length=3).at(0)[1]
    assert clips.frames.dtype == torch.uint8
    assert clips.identity.dtype == torch.int64
    for b, name in enumerate(names):
        tracklet = by_name[name]
        assert clips.identity[b] == tracklet.identity - 10  # labels are 0 .. I-1
        assert clips.camera[b] == tracklet.camera
        assert (clips.attributes[b].numpy() == tracklet.attributes).all()
        frames = list(tracklet.frames.read(range(5)))
        numbers = [
            next(k for k, known in enumerate(frames) if (known == frame).all())
            for frame in clips.frames[b].numpy()
        ]
        assert numbers == sorted(set(numbers))


def test_identities_become_labels_in_order(crowd: Crowd) -> None:
    batches = Batches(list(reversed(crowd(3))), batch=2, people=2)
    assert batches.identities == [10, 11, 12]
    assert batches.label == {10: 0, 11: 1, 12: 2}


def test_few_tracklets_and_few_frames_are_repeated(crowd: Crowd) -> None:
    batches = Batches(crowd(2, each=1, frames=2), batch=6, people=2, clip_length=5)
    clips, names = batches.at(0)[0]
    assert Counter(names) == {"p0k0": 3, "p1k0": 3}
    assert clips.frames.shape[:2] == (6, 5)


def test_frames_are_read_at_a_size(crowd: Crowd) -> None:
    clips, _ = Batches(crowd(2), batch=2, people=2, clip_length=3, size=(16, 8)).at(0)[0]
    assert clips.frames.shape[-2:] == (16, 8)


def test_unknown_labels(crowd: Crowd) -> None:
    known = crowd(1, each=1)[0]
    bare = Tracklet(ArrayFrames(np.zeros((4, 3, 32, 16), np.uint8)), identity=3, camera=1)
    clips = load_clips([known, bare], [0, 1], [np.arange(2), np.arange(2)])
    assert clips.attributes.shape == (2, len(NAMES))
    assert (clips.attributes[1] == -1).all()


def test_frames_of_different_size_are_named(crowd: Crowd) -> None:
    odd = Tracklet(ArrayFrames(np.zeros((4, 3, 20, 10), np.uint8)), 3, 1, name="small one")
    with pytest.raises(DataError, match=r"small one.*\(20, 10\).*\(32, 16\).*size"):
        load_clips([crowd(1)[0], odd], [0, 1], [np.arange(2), np.arange(2)])


@pytest.mark.parametrize(
    ("batch", "people", "message"),
    [
        (5, 2, "a batch of 5 cannot hold 2 people equally often"),
        (2, 4, "a batch of 2 cannot hold 4"),
        (4, 0, "cannot hold 0 people"),
        (8, 4, "3 people to train on, a batch needs 4; lower people of the recipe"),
    ],
)
def test_batches_that_cannot_be(crowd: Crowd, batch: int, people: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Batches(crowd(3), batch, people)


def test_tracklets_without_a_name_are_called_by_person_and_camera(crowd: Crowd) -> None:
    people = [replace(t, name="") if t.camera else t for t in crowd(2)]
    _, names = Batches(people, batch=4, people=2)[0]
    assert sorted(names) == ["identity 10 camera 1", "identity 11 camera 1", "p0k0", "p1k0"]


def test_no_step_beyond_the_last(crowd: Crowd) -> None:
    batches = Batches(crowd(4), batch=4, people=2)
    for step in (2, -1):
        with pytest.raises(IndexError):
            batches[step]


def test_a_tracklet_gives_other_frames_in_another_epoch(crowd: Crowd) -> None:
    batches = Batches(crowd(1, each=1, frames=30), batch=1, people=1, clip_length=3)
    assert not equal(batches.at(0)[0][0], batches.at(1)[0][0])


def test_steps_draw_other_frames(crowd: Any) -> None:
    batches = Batches(crowd(6, each=1, frames=40), batch=2, people=2, clip_length=3)
    plans = [batches.plan(step).indices for step in range(3)]
    assert not np.array_equal(plans[0], plans[1])
    assert not np.array_equal(plans[1], plans[2])
