"""`Live`: its controls draw, its sentences follow, and nothing a hand does raises."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import pytest

from w3an_lite.live import Live, control
from w3an_lite.picture import Picture


def draw(frame: int, size: float, dark: bool, name: str) -> tuple[Any, str]:
    if frame == 3:
        raise ValueError("frame 3 is <missing>")
    if frame == 4:
        raise RuntimeError
    picture = Picture(figsize=(1 + size, 1), facecolor="black" if dark else "white")
    return picture, f"{name} {frame} at {size:.1f}"


@pytest.fixture
def live() -> Live:
    return Live(
        draw, "a test card", frame=(0, 5), size=(0.0, 1.0, 0.5), dark=False, name=["a", "b"]
    )


def test_controls_take_the_form_of_what_they_choose(live: Live) -> None:
    kinds = [type(widget) for widget in live.controls.values()]
    assert kinds == [
        ipywidgets.IntSlider,
        ipywidgets.FloatSlider,
        ipywidgets.Checkbox,
        ipywidgets.Dropdown,
    ]
    assert live.values == {"frame": 0, "size": 0.0, "dark": False, "name": "a"}
    assert isinstance(live, ipywidgets.VBox)
    assert not any(isinstance(child, ipywidgets.Output) for child in live.children)


def test_moving_a_control_changes_picture_and_sentence(live: Live) -> None:
    before = bytes(live.picture.value)
    live.controls["frame"].value = 2
    assert live.text == "a 2 at 0.0"
    assert live.picture.value == before  # this picture does not show the frame
    assert live.set(dark=True, name="b") == "b 2 at 0.0"
    assert live.picture.value != before
    assert bytes(live.picture.value).startswith(b"\x89PNG")
    assert "b 2 at 0.0" in live.caption.value


def test_an_error_is_a_sentence_and_the_picture_stays(live: Live) -> None:
    before = bytes(live.picture.value)
    assert live.set(frame=3) == "This cannot be drawn: frame 3 is <missing>."
    assert live.failed
    assert "&lt;missing&gt;" in live.caption.value
    assert live.picture.value == before
    assert live.set(frame=4) == "This cannot be drawn: RuntimeError."
    assert live.set(frame=1) == "a 1 at 0.0"
    assert not live.failed


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"frames": 1}, "There is no control 'frames'; there are frame, size, dark, name."),
        ({"frame": 9}, "frame cannot be 9: the nearest is 5, and nothing was moved."),
        ({"frame": "two"}, "frame cannot be 'two'"),
        ({"name": "c"}, "name cannot be 'c'"),
        ({"frame": 2, "dark": True, "name": "c"}, "name cannot be 'c'"),
    ],
)
def test_a_value_that_cannot_be_is_a_sentence_and_moves_nothing(
    live: Live, wish: dict[str, Any], said: str
) -> None:
    assert live.set(**wish).startswith(said)
    assert live.values == {"frame": 0, "size": 0.0, "dark": False, "name": "a"}


def test_several_values_set_at_once_are_drawn_once_and_a_refusal_is_taken_back() -> None:
    drawn: list[tuple[int, int]] = []

    def count(one: int, two: int) -> tuple[bytes, str]:
        drawn.append((one, two))
        return b"png", f"{one} {two}"

    live = Live(count, "numbers", one=(0, 5), two=(0, 5))
    assert live.set(one=2, two=3) == "2 3"
    assert drawn == [(0, 0), (2, 3)]
    assert live.set(one=2) == "2 3"
    assert len(drawn) == 2
    live.set(one=9)
    assert live.failed
    assert live.set(one=2) == "2 3"
    assert not live.failed


def test_the_text_form_repeats_and_the_page_keeps_a_picture(live: Live) -> None:
    bundle = live._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == repr(live)
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert repr(live) == ("a test card [frame=0, size=0.0, dark=False, name='a']\na 0 at 0.0")
    assert live.alt in live.caption.value
    assert live.picture.tooltip is None  # with one, JupyterLab shows an error in its place


def test_a_draw_that_fails_at_once_has_no_picture_and_a_sentence() -> None:
    def broken(frame: int) -> tuple[bytes, str]:
        raise ValueError("no boxes")

    live = Live(broken, "nothing to see", frame=(0, 1))
    assert "image/png" not in live._repr_mimebundle_()
    assert live.text == "This cannot be drawn: no boxes."


def test_a_finished_png_is_taken_as_it_is() -> None:
    live = Live(lambda frame: (b"\x89PNG...", "as it is"), "a card", frame=(0, 1))
    assert live.picture.value == b"\x89PNG..."


@pytest.mark.parametrize("given", [(1, 0), "text", [], 3, (1,)])
def test_a_control_without_a_form_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="frame is"):
        control("frame", given)
    with pytest.raises(ValueError, match="no controls"):
        Live(lambda: (b"", ""), "empty")


def test_a_table_names_its_rows_and_goes_when_there_is_none() -> None:
    def numbers(frame: int) -> tuple[Any, ...]:
        rows = [["frame", "β"], [str(frame), "<0.5>"]]
        return (b"png", "said", rows) if frame else (b"png", "said")

    live = Live(numbers, "numbers of a frame", frame=(0, 1))
    assert live.table.value == ""
    live.set(frame=1)
    assert '<th scope="row">1</th><td>&lt;0.5&gt;</td>' in live.table.value


def test_every_part_can_be_found_by_its_class(live: Live) -> None:
    parts = [*live.controls.values(), live.picture, live.caption, live.table]
    found = [name for part in parts for name in part._dom_classes]
    names = [f"w3an-control-{name}" for name in ("frame", "size", "dark", "name")]
    assert found == [*names, "w3an-picture", "w3an-caption", "w3an-table"]


def test_numbers_of_numpy_are_numbers_and_words_are_none() -> None:
    whole = control("a", (0, np.int64(9)))
    assert isinstance(whole, ipywidgets.IntSlider)
    with pytest.raises(ValueError, match=r"a is \('a', 'b'\); give a widget"):
        control("a", ("a", "b"))
