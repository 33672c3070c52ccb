"""Crops are moved whole: pixels, masks, parts and what can be seen of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.data.off_centre import MovedFrames, _moved_tracklet, moved, off_centre
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import ArrayFrames, DataError, Split, Tracklet, Truth

Crowd = Callable[..., list[Tracklet]]


def test_by_hand() -> None:
    picture = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert moved(picture, 0, 0.25).tolist() == [[1, 1, 2, 3], [5, 5, 6, 7]]
    assert moved(picture, 0, -0.5, edge=False).tolist() == [[3, 4, 0, 0], [7, 8, 0, 0]]
    assert moved(picture, 0.5, 0).tolist() == [[1, 2, 3, 4], [1, 2, 3, 4]]


@given(st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
def test_what_stays_is_what_was_there(down: float, right: float) -> None:
    picture = np.arange(1, 12 * 8 + 1).reshape(12, 8)
    out = moved(picture, down, right, edge=False)
    y, x = np.nonzero(out)
    dy, dx = round(12 * down), round(8 * right)
    assert (out[y, x] == picture[y - dy, x - dx]).all()
    assert len(y) == (12 - abs(dy)) * (8 - abs(dx))
    assert set(moved(picture, down, right).flat) <= set(picture.flat)


def test_frames_move_before_they_are_resized() -> None:
    array = np.zeros((2, 3, 8, 4), np.uint8)
    array[..., 1] = 200
    frames = MovedFrames(ArrayFrames(array), 0, 0.25)
    assert len(frames) == 2
    assert (frames.read([1])[0, 0, 0] == [0, 0, 200, 0]).all()
    large = frames.read([0], (16, 8))
    assert large.shape == (1, 3, 16, 8)
    assert large[0, 0, 0].argmax() in (4, 5)


def test_a_split_moves_as_one() -> None:
    split = synthped(2, 3, frames=4, seed=0, occlusion="mixed", test_occlusion="heavy")
    out = off_centre(split, (0.125, 0.25), 7)
    assert [t.name for t in out.gallery] == [t.name for t in split.gallery]
    assert all(any(q is g for g in out.gallery) for q in out.query)
    again = off_centre(split, (0.125, 0.25), 7)
    moves = []
    for before, after, twin in zip(split.gallery, out.gallery, again.gallery, strict=True):
        frames = after.frames
        assert isinstance(frames, MovedFrames)
        moves.append((frames.down, frames.right))
        assert abs(frames.down) <= 0.125
        assert abs(frames.right) <= 0.25
        pixels = frames.read(range(4))
        assert np.array_equal(pixels, twin.frames.read(range(4)))
        assert before.truth is not None
        assert after.truth is not None
        left = after.truth.mask.sum((1, 2)) / np.maximum(before.truth.mask.sum((1, 2)), 1)
        assert after.truth.visibility == pytest.approx(before.truth.visibility * left)
        assert after.truth.visibility.dtype == np.float32
        assert (after.truth.mask == (after.truth.parts > 0)).all()
        there = np.broadcast_to(after.truth.mask[:, None], pixels.shape)
        middle = moved(before.frames.read(range(4)), frames.down, frames.right)
        assert (pixels[there] == middle[there]).all()
    assert len(set(moves)) == len(moves)


def test_tracklets_without_truth_move_too(crowd: Crowd) -> None:
    split = Split("s", train=crowd(2), gallery=[])
    out = off_centre(split, (0, 0.4))
    assert out.train[0].truth is None
    assert out.name == "s, off centre"
    with pytest.raises(DataError, match=r"most is \(0\.5, 0\); give shares of height and width"):
        off_centre(split, (0.5, 0))


def test_moves_go_both_ways_and_follow_the_seed(crowd: Any) -> None:
    people = crowd(10, truth=True)
    split = Split("s", query=people[:3], gallery=people)
    out = off_centre(split, (0.2, 0.2), 1)
    moves = np.array([(t.frames.down, t.frames.right) for t in out.gallery])
    assert (moves.min(0) < -0.05).all()
    assert (moves.max(0) > 0.05).all()
    other = off_centre(split, (0.2, 0.2), 2)
    assert other.gallery[0].frames.down != out.gallery[0].frames.down
    assert [t.name for t in out.query] == [t.name for t in split.query]


def test_a_mask_at_the_edge_is_not_smeared() -> None:
    mask = np.zeros((2, 8, 4), bool)
    mask[0, :, 0] = True  # touches the edge; nobody in the second frame
    truth = Truth(np.array([1, 0], np.float32), mask, mask.astype(np.uint8))
    t = Tracklet(ArrayFrames(np.zeros((2, 3, 8, 4), np.uint8)), 1, 1, truth=truth)
    out = _moved_tracklet(t, 0.0, 0.25).truth
    assert out.mask[0].any(0).tolist() == [False, True, False, False]
    assert out.parts[0].any(0).tolist() == [False, True, False, False]
    assert out.visibility.tolist() == [1, 0]
