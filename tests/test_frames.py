"""Pixels before the network: scale, size, and clips that leave no frame out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.functional import normalize

from w3an_lite.frames import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    consecutive_clips,
    cut_clips,
    fit,
    normalise,
    one_tracklet,
)

Cut = Callable[[int, int], torch.Tensor]


@pytest.mark.parametrize("cut", [cut_clips, consecutive_clips])
@given(length=st.integers(1, 60), clip=st.integers(1, 12))
def test_laws_of_cutting(cut: Cut, length: int, clip: int) -> None:
    clips = cut(length, clip)
    assert clips.shape == (-(-length // clip), clip)
    counts = clips.flatten().bincount()
    assert len(counts) == length
    assert counts.min() >= 1  # each frame is used, and no other
    if length <= clip:
        assert counts.max() - counts.min() <= 1
        return
    assert counts.max() <= 2
    steps = clips.diff(dim=1)
    if cut is consecutive_clips:
        assert (steps == 1).all()
        assert (clips[:-1, -1] < clips[1:, -1]).all()
    else:
        ends = clips[:, [0, -1]]
        assert ((steps - length / clip).abs() < 1).all()  # evenly
        assert (ends.diff(dim=0) >= 0).all()
        assert ends[-1, 0] - ends[0, 0] < length / clip  # each over the whole tracklet


def test_cutting_by_hand() -> None:
    assert cut_clips(7, 3).tolist() == [[0, 2, 4], [0, 3, 5], [1, 3, 6]]
    assert cut_clips(6, 3).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert consecutive_clips(7, 3).tolist() == [[0, 1, 2], [3, 4, 5], [4, 5, 6]]
    for cut in (cut_clips, consecutive_clips):
        assert cut(2, 5).tolist() == [[0, 1, 0, 1, 0]]


@given(
    st.tuples(st.integers(4, 20), st.integers(4, 20)),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.integers(0, 255),
)
def test_laws_of_fitting(before: tuple[int, int], after: tuple[int, int], value: int) -> None:
    flat = torch.full((2, 3, 3, *before), value, dtype=torch.uint8)
    out = fit(flat, after)
    assert out.shape == (2, 3, 3, *after)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, torch.full_like(out, value / 255))


def test_fitting_keeps_the_range_and_the_pixels_of_the_right_size() -> None:
    frames = torch.randint(0, 256, (2, 3, 8, 6), dtype=torch.uint8)
    assert torch.equal(fit(frames, (8, 6)), frames.float() / 255)
    for size in ((16, 12), (4, 3), (5, 11)):
        out = fit(frames, size)
        assert out.min() >= 0
        assert out.max() <= 1
    # shrunk by two, antialiased, the middle keeps the mean of what it covers, about
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1
    small = fit(step, (4, 4))[0, 0, 0]
    assert small[0] == pytest.approx(0, abs=1e-6)
    assert small[3] == pytest.approx(1, abs=1e-6)
    assert small[0] < small[1] < small[2] < small[3]


def test_normalise_is_torchvisions() -> None:
    frames = torch.randint(0, 256, (2, 5, 3, 4, 4), dtype=torch.uint8)
    expected = normalize(frames.float() / 255, list(IMAGENET_MEAN), list(IMAGENET_STD))
    torch.testing.assert_close(normalise(frames), expected)
    torch.testing.assert_close(normalise(frames.float() / 255), expected)


@pytest.mark.parametrize("kind", [torch.int32, torch.int64, torch.bool])
def test_whole_numbers_of_another_kind_are_refused(kind: torch.dtype) -> None:
    frames = torch.ones(1, 3, 4, 4).to(kind)
    for take in (normalise, lambda x: fit(x, (2, 2))):
        with pytest.raises(ValueError, match=rf"frames are {kind}; give uint8, or float in"):
            take(frames)
    double = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    assert normalise(double).dtype == fit(double, (2, 2)).dtype == torch.float32


@pytest.mark.parametrize("frames", [torch.zeros(0, 3, 4, 4), torch.full((1, 3, 4, 4), 2.0)])
def test_frames_that_are_none_or_too_bright(frames: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"give one tracklet|run from 2 to 2"):
        one_tracklet(frames)
