from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w3an_lite.data.attributes import INDEX, NAMES
from w3an_lite.data.clothes import draw_person
from w3an_lite.data.figure import HEIGHT, WIDTH, Canvas
from w3an_lite.data.labels import palette
from w3an_lite.data.pose import VIEWS, Placing, Pose
from w3an_lite.data.wardrobe import attributes, differences, person

many = settings(max_examples=80, deadline=None, derandomize=True)


def on(identity: int, prefix: str, seed: int = 0) -> list[str]:
    vector = attributes(person(seed, "video", identity))
    return [n for n in NAMES if n.startswith(prefix) and vector[INDEX[n]] == 1]


@many
@given(st.integers(1, 2000), st.integers(0, 5))
def test_attributes_are_consistent(identity: int, seed: int) -> None:
    vector = attributes(person(seed, "video", identity))
    assert vector.dtype == np.float32
    assert set(np.unique(vector)) <= {0.0, 1.0}
    assert len(on(identity, "Age", seed)) <= 1
    assert len(on(identity, "lb-", seed)) == 1
    assert len([n for n in on(identity, "ub-", seed) if n != "ub-ShortSleeve"]) == 1
    assert len(on(identity, "attach-", seed)) <= 1
    for prefix in ("up-", "low-"):
        colours = on(identity, prefix, seed)
        assert len(colours) == 1 or (len(colours) == 2 and f"{prefix}Mixture" in colours)
    assert not {"hs-BaldHead", "hs-LongHair"} <= set(on(identity, "hs-", seed))


@many
@given(st.integers(0, 300), st.integers(0, 5))
def test_a_group_shares_a_wardrobe_and_nobody_is_a_twin(group: int, seed: int) -> None:
    members = [person(seed, "video", 4 * group + k) for k in range(1, 5)]
    vectors = {attributes(m).tobytes() for m in members}
    assert len(vectors) == 4
    for other in members[1:]:
        assert 1 <= len(differences(members[0], other)) <= 4


def test_every_attribute_is_worn_by_somebody() -> None:
    total = sum(attributes(person(0, "video", i)) for i in range(1, 1201))
    assert [n for n in NAMES if total[INDEX[n]] == 0] == []


def test_ages_and_sexes_are_mixed() -> None:
    ages = Counter(person(0, "video", 4 * k + 1).age for k in range(300))
    assert min(ages.values()) > 15
    female = sum(person(0, "video", 4 * k + 1).female for k in range(300))
    assert 100 < female < 200


@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_that_is_set_can_be_seen(name: str) -> None:
    """Some pair of people that differ in the attribute alone, or little more, is drawn differently.

    Two people that differ are drawn in all four views; at least one view must show it.
    """
    pair = None
    for group in range(600):
        first = person(1, "video", 4 * group + 1)
        for k in (2, 3, 4):
            other = person(1, "video", 4 * group + k)
            if attributes(first)[INDEX[name]] != attributes(other)[INDEX[name]]:
                pair = (first, other)
                break
        if pair:
            break
    if pair is None:  # sex, age, glasses, sleeves and upper kinds never tell a group apart
        pair = next(
            (person(1, "video", 4 * g + 1), person(1, "video", 4 * g + 5))
            for g in range(600)
            if attributes(person(1, "video", 4 * g + 1))[INDEX[name]]
            != attributes(person(1, "video", 4 * g + 5))[INDEX[name]]
        )
    seen = 0
    for view in VIEWS:
        images = []
        for p in pair:
            canvas = Canvas(1, (128, 64))
            at = Placing(np.array([WIDTH // 2]), np.array([HEIGHT - 200]), 3500, 0, np.array([128]))
            draw_person(canvas, Pose(p, view, at))
            images.append(palette(p)[canvas.label])
        seen = max(seen, int((images[0] != images[1]).any(-1).sum()))
    assert seen > 40
