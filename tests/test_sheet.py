"""Pictures by Pillow: the signs are those of `plots`, and none is a colour alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from w3an_lite import sheet
from w3an_lite.picture import PALETTES
from w3an_lite.plots import Ranked


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), dtype=int)


def frames(count: int) -> np.ndarray:
    return np.full((count, 3, 32, 16), 128, np.uint8)


def test_the_clearer_a_frame_the_thicker_its_border() -> None:
    drawn = np.asarray(sheet.strip(frames(3), np.array([0.1, 0.5, 0.9]), 300, chosen=1))
    for t, colour in enumerate(PALETTES["paper"]):
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        middle = drawn[32 + 60, 100 * t : 100 * (t + 1)]
        assert (middle == wanted).all(-1).sum() == 2 * sheet.BORDERS[t]
    safe = np.asarray(sheet.strip(frames(3), np.array([0.1, 0.5, 0.9]), 300, 1, palette="safe"))
    assert (safe != drawn).any()


@pytest.mark.parametrize("change", [{"chosen": 2}, {"covered": (0,)}])
def test_the_chosen_and_the_covered_are_told_in_grey(change: dict[str, object]) -> None:
    plain = {"frames": frames(3), "beta": np.array([0.1, 0.5, 0.9]), "width": 300, "chosen": 1}
    before, after = (grey(sheet.strip(**options)) for options in (plain, plain | change))
    assert (before != after).any()
    assert before.shape == after.shape


@pytest.mark.parametrize("count", [1, 2, 10, 30])
def test_any_number_of_frames_is_drawn(count: int) -> None:
    beta = np.linspace(0, 1, count)
    assert sheet.strip(frames(count), beta, 600, 0).width == max(600, 64 * count)
    joined = np.ones((count, count)) - np.eye(count)
    assert sheet.graph(joined, beta, 200, 0).size == (200, 200)


@pytest.mark.parametrize("count", range(1, 13))
@pytest.mark.parametrize("beta", [0.0, 0.37, 1.0, None])
@pytest.mark.parametrize("alone", [True, False])
def test_each_label_of_the_graph_is_whole_and_covers_nothing(
    count: int, beta: float | None, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int, int, int]] = []

    def record(pen: object, x: float, y: float, text: str, size: int) -> None:
        box = sheet.font(size).getbbox(text, anchor="mm")
        written.append((*(int(x + box[0]), int(y + box[1])), *(int(x + box[2]), int(y + box[3]))))

    monkeypatch.setattr(sheet, "write", record)
    values = np.linspace(1, 0, count) if beta is None else np.full(count, beta)
    joined = np.eye(count) * 0 if alone else np.ones((count, count))
    for chosen in range(count):
        written.clear()
        bare = grey(sheet.graph(joined, values, 280, chosen))
        assert len(written) == count * (3 if alone else 2)
        free = bare == 255
        for left, top, right, bottom in written:
            assert min(left, top) >= 0
            assert max(right, bottom) <= 280
            assert free[top:bottom, left:right].all()  # neither disc, line, nor another label
            free[top:bottom, left:right] = False


def test_a_line_of_the_graph_goes_when_frames_part() -> None:
    beta = np.full(2, 0.5)
    joined = np.array([[0.0, 1.0], [1.0, 0.0]])
    middle = [grey(sheet.graph(a, beta, 200, 0))[100, 95:106].min() for a in (joined, 0 * joined)]
    assert middle[0] < 160
    assert middle[1] == 255


def test_right_and_wrong_differ_by_sign_and_by_the_form_of_the_border() -> None:
    drawn = {
        right: grey(sheet.gallery([Ranked(frames(1)[0], 0.5, right, "who")], 120, 200))
        for right in (True, False, None)
    }
    assert (drawn[True][:22] != drawn[False][:22]).any()  # the sign
    edges = {}
    for right, image in drawn.items():
        left = int(np.argmax((image[60:120] != 255).any(0)))
        edges[right] = (image[60:120, left + 2] != 255).mean()
    assert edges[True] == edges[None] == 1
    assert 0.3 < edges[False] < 0.9


def test_a_png_can_be_read_back() -> None:
    image, pen = sheet.page(40, 20)
    sheet.write(pen, 20, 10, "β ✓ ✗ α")
    with Image.open(io.BytesIO(sheet.to_png(image))) as back:
        np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
    assert (grey(image) < 200).any()
