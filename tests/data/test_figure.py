from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w3an_lite.data.draws import Draws, noise_table
from w3an_lite.data.figure import HEIGHT, WIDTH, Canvas, root, sine

some = settings(max_examples=40, deadline=None, derandomize=True)
SIZE = (32, 16)
PIXEL = HEIGHT // SIZE[0] // 2  # side of a sub-pixel in scene units


def area(canvas: Canvas) -> float:
    return float((canvas.label == 1).sum()) * PIXEL * PIXEL


def test_a_box_paints_its_area_and_nothing_else() -> None:
    canvas = Canvas(2, SIZE)
    canvas.box(np.array([0, 512]), 0, np.array([512, 1024]), 1024, 1)
    assert (canvas.label[0, :16, :8] == 1).all()
    assert (canvas.label[1, :16, 8:16] == 1).all()
    assert area(canvas) == 2 * 512 * 1024


@some
@given(st.integers(500, 1500), st.integers(800, 3000), st.integers(100, 480), st.integers(100, 800))
def test_an_ellipse_has_its_area(x: int, y: int, rx: int, ry: int) -> None:
    canvas = Canvas(1, (128, 64))
    canvas.ellipse(x, y, rx, ry, 1)
    step = HEIGHT // 256
    painted = (canvas.label == 1).sum() * step * step
    assert painted == pytest.approx(math.pi * rx * ry, rel=0.12)


@some
@given(st.permutations([0, 1, 2, 3]).filter(lambda p: p in ([0, 1, 2, 3], [3, 2, 1, 0])))
def test_corners_may_run_either_way(order: list[int]) -> None:
    corners = [(200, 300), (1500, 500), (1400, 2500), (300, 2000)]
    a, b = Canvas(1, SIZE), Canvas(1, SIZE)
    a.polygon([corners[k] for k in order], 1)
    b.polygon([corners[k] for k in reversed(order)], 1)
    assert np.array_equal(a.label, b.label)
    shoelace = abs(
        sum(
            corners[k][0] * corners[(k + 1) % 4][1] - corners[(k + 1) % 4][0] * corners[k][1]
            for k in range(4)
        )
    )
    assert area(a) == pytest.approx(shoelace / 2, rel=0.06)


def test_a_shape_outside_paints_nothing() -> None:
    canvas = Canvas(1, SIZE)
    canvas.box(WIDTH + 1, 0, WIDTH + 900, HEIGHT, 1)
    canvas.ellipse(-900, -900, 300, 300, 1)
    canvas.polygon([(0, HEIGHT + 9), (99, HEIGHT + 9), (50, HEIGHT + 99)], 1)
    assert not canvas.label.any()


def test_a_pattern_stays_on_its_cloth() -> None:
    for kind in ("stripes", "mixture"):
        canvas = Canvas(1, SIZE)
        cloth = canvas.box(512, 512, 1536, 2560, 1)
        before = canvas.label > 0
        canvas.pattern(cloth, kind, 2, 256)
        assert np.array_equal(canvas.label > 0, before)
        assert 0.4 < (canvas.label == 2).sum() / before.sum() < 0.6


def test_sines_and_roots_are_whole_numbers() -> None:
    assert sine(np.array([0, 256, 512, 768, 1024])).tolist() == [0, 4096, 0, -4096, 0]
    assert root(np.array([0, 15, 16, 10**12 - 1])).tolist() == [0, 3, 4, 999_999]


def test_draws_are_pinned_and_depend_on_the_key() -> None:
    assert [Draws(0, "x", 1).below(1000) for _ in range(2)] == [Draws(0, "x", 1).below(1000)] * 2
    assert Draws(1, 2).bits() == 1104687163992187356
    assert len({Draws(*key).bits() for key in [(0, 1), (1, 0), (0, "1"), (0, 1, 0), (-1, 1)]}) == 5


def test_draws_are_even() -> None:
    draws = Draws("even")
    counts = np.bincount([draws.below(8) for _ in range(8000)])
    assert counts.min() > 850
    picks = [draws.weighted((("a", 3), ("b", 1), ("c", 0))) for _ in range(2000)]
    assert 1350 < picks.count("a") < 1650
    assert "c" not in picks
    assert sorted(draws.shuffled(range(9))) == list(range(9))


def test_noise_is_centred() -> None:
    noise = noise_table()
    assert abs(float(noise.mean())) < 0.7
    assert 35 < float(noise.std()) < 39
