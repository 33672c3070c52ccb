"""Walks are turned whole: frames, visibility, masks and parts; each by its own, all as likely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import ArrayFrames, Split, Tracklet
from w3an_lite.data.turned import TurnedFrames, turned

Crowd = Callable[..., list[Tracklet]]


def numbered(n: int) -> ArrayFrames:
    """Frames whose every pixel is the frame's number."""
    return ArrayFrames(np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None],
                                       (n, 3, 4, 2)).copy())  # fmt: skip


def test_by_hand() -> None:
    frames = TurnedFrames(numbered(5), 3)
    assert len(frames) == 5
    assert frames.read(range(5))[:, 0, 0, 0].tolist() == [3, 4, 0, 1, 2]
    assert frames.read([4, 0, 4, -1])[:, 2, 3, 1].tolist() == [2, 3, 2, 2]
    assert frames.read([1], (8, 4)).shape == (1, 3, 8, 4)
    with pytest.raises(IndexError):
        frames.read([5])


@given(st.integers(1, 12), st.data())
def test_every_frame_is_there_once_and_in_its_round(n: int, data: Any) -> None:
    first = data.draw(st.integers(0, n - 1))
    found = TurnedFrames(numbered(n), first).read(range(n))[:, 0, 0, 0].astype(int)
    assert found[0] == first
    assert sorted(found) == list(range(n))
    assert ((np.diff(found) % n) == 1 % n).all()


def test_a_split_turns_as_one() -> None:
    split = synthped(2, 3, frames=5, seed=0, occlusion="mixed", test_occlusion="heavy")
    out, again, other = turned(split, 7), turned(split, 7), turned(split, 8)
    assert out.name == f"{split.name}, turned"
    assert all(any(q is g for g in out.gallery) for q in out.query)
    begun = []
    for some in ("train", "query", "gallery"):
        for before, after, twin, third in zip(
            *(getattr(one, some) for one in (split, out, again, other)), strict=True
        ):
            assert (after.name, after.identity, after.camera, after.attributes) == (
                before.name, before.identity, before.camera, before.attributes
            )  # fmt: skip
            first = after.frames.first
            order = [*range(first, 5), *range(first)]
            pixels = after.frames.read(range(5))
            assert np.array_equal(pixels, before.frames.read(order))
            assert np.array_equal(pixels, twin.frames.read(range(5)))
            for part in ("visibility", "mask", "parts"):
                own, was = getattr(after.truth, part), getattr(before.truth, part)
                assert own.dtype == was.dtype
                assert np.array_equal(own, was[order])
            begun.append((first, third.frames.first))
    assert any(a != b for a, b in begun)


def test_walks_begin_anywhere(crowd: Crowd) -> None:
    people = crowd(60)
    length = len(people[0])
    out = turned(Split("s", train=people, gallery=[]), 1)
    firsts = [t.frames.first for t in out.train]  # type: ignore[attr-defined]
    assert {*firsts} == {*range(length)}
    assert all(t.truth is None for t in out.train)


def test_what_hides_the_middle_hides_every_place_alike() -> None:
    split = synthped(2, 60, frames=12, size=(32, 16), seed=0, test_occlusion="heavy")
    seen = [
        np.stack([t.truth.visibility for t in some.gallery if t.truth is not None]).mean(0)
        for some in (split, turned(split))
    ]
    before, after = (float(s.max() - s.min()) for s in seen)
    assert before > 0.4
    assert after < before / 3
