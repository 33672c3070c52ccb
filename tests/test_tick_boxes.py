"""Boxes to tick: `value` follows a hand, the boxes follow `value`."""

from __future__ import annotations

import pytest
import traitlets

from w3an_lite.live import Live
from w3an_lite.tick_boxes import TickBoxes


@pytest.fixture
def ticks() -> TickBoxes:
    return TickBoxes(["a", "b", "c"], ["a", "b"], "letters")


def ticked(ticks: TickBoxes) -> list[str]:
    return [name for name, box in ticks.boxes.items() if box.value]


def test_a_hand_changes_the_value_once(ticks: TickBoxes) -> None:
    seen: list[tuple[str, ...]] = []
    ticks.observe(lambda change: seen.append(change.new), "value")
    ticks.boxes["c"].value = True
    ticks.boxes["a"].value = False
    assert seen == [("a", "b", "c"), ("b", "c")]


def test_the_boxes_follow_a_value_set_by_code_which_is_seen_once(ticks: TickBoxes) -> None:
    seen: list[tuple[str, ...]] = []
    ticks.observe(lambda change: seen.append(change.new), "value")
    ticks.value = ("c", "a")
    assert ticked(ticks) == ["a", "c"]
    ticks.value = ()
    assert ticked(ticks) == []
    assert seen == [("c", "a"), ()]


def test_an_unknown_name_is_refused_and_changes_nothing(ticks: TickBoxes) -> None:
    with pytest.raises(traitlets.TraitError, match="'d' is none of a, b, c"):
        ticks.value = ("a", "d")
    assert ticks.value == ("a", "b")
    assert ticked(ticks) == ["a", "b"]


def test_live_sets_it_by_a_list_too_and_says_what_cannot_be(ticks: TickBoxes) -> None:
    live = Live(lambda letters: (b"png", " ".join(letters)), "letters", letters=ticks)
    assert live.set(letters=["c"]) == "c"
    assert live.set(letters="c").startswith("letters cannot be 'c': ")
    assert live.set(letters=3).startswith("letters cannot be 3: ")
    assert ticked(ticks) == ["c"]


def test_each_box_has_its_name_beside_it_and_all_a_common_one(ticks: TickBoxes) -> None:
    label, *boxes = ticks.children
    assert label.value == ticks.description == "letters"
    assert [box.description for box in boxes] == ["a", "b", "c"]
