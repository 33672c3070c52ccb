"""Random halves and the query and gallery of a half."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_layouts import pairs, tracklet

from w3an_lite.data.splits import each_changed, halve, protocol_number, random_half, without_mate
from w3an_lite.data.tracklet import DISTRACTOR, JUNK, DataError, Split, Tracklet


@given(people=st.integers(2, 40), index=st.integers(0, 9), seed=st.integers(0, 3))
def test_a_random_half_is_a_half(people: int, index: int, seed: int) -> None:
    tracklets = pairs(list(range(1, people + 1)), frames=1)
    split = random_half(tracklets, index, seed)
    train = {t.identity for t in split.train}
    test = {t.identity for t in split.query}
    assert len(test) == people // 2
    assert train | test == set(range(1, people + 1))
    assert not train & test
    assert {t.camera for t in split.query} == {1}
    assert {t.camera for t in split.gallery} == {2}
    assert {t.identity for t in split.gallery} == test
    again = random_half(list(reversed(tracklets)), index, seed)
    assert {t.identity for t in again.train} == train


def test_random_halves_have_names_and_differ_and_never_change() -> None:
    tracklets = pairs(list(range(1, 11)), frames=1)
    halves = [random_half(tracklets, i, name="prid2011/200") for i in range(10)]
    assert [h.name for h in halves] == [f"prid2011/200/random-half-{i}" for i in range(10)]
    assert random_half(tracklets, 1, seed=7).name == "random/random-half-1-seed-7"
    sets = [tuple(sorted({t.identity for t in h.query})) for h in halves]
    assert len(set(sets)) > 5
    # Written down once: whoever changes the halves changes every result that names them.
    assert sets[:2] == [(2, 4, 5, 7, 8), (1, 2, 5, 9, 10)]


def test_many_tracklets_a_person_first_of_each_camera_asks() -> None:
    tracklets = [tracklet(p, c, 1, k) for p in (1, 2, 3, 4) for c in (1, 2, 3) for k in (0, 1)]
    crowd = [tracklet(DISTRACTOR, 1, 1), tracklet(JUNK, 2, 1)]
    split = halve("x", tracklets + crowd, {2, 4})
    assert split.train == [t for t in tracklets if t.identity in (1, 3)]
    assert split.query == [t for t in tracklets if t.identity in (2, 4)][::2]
    assert split.gallery == [t for t in tracklets if t.identity in (2, 4)] + crowd[:1]


def test_a_split_that_names_nobody_or_somebody_unknown() -> None:
    tracklets = pairs([1, 2])
    with pytest.raises(DataError, match="names nobody for the test half"):
        halve("x", tracklets, set())
    with pytest.raises(DataError, match="names nobody for the train half"):
        halve("x", tracklets, {1, 2})
    with pytest.raises(DataError, match="person 9, who is not in the data"):
        halve("x", tracklets, {1, 9})
    with pytest.raises(DataError, match="1 people cannot be halved"):
        random_half(pairs([1]), 0)
    with pytest.raises(DataError, match="count from 0"):
        random_half(tracklets, -1)


def test_queries_without_a_mate_are_counted() -> None:
    query = [tracklet(1, 1), tracklet(2, 1), tracklet(3, 1)]
    gallery = [tracklet(1, 2), tracklet(2, 1), tracklet(DISTRACTOR, 2), tracklet(JUNK, 2)]
    assert without_mate(Split("x", [], query, gallery)) == 2


def test_protocol_numbers() -> None:
    assert protocol_number("a/split-3", "a/split-", 10) == 3
    assert protocol_number("a/half-3", "a/split-", 10) is None
    for bad in ("a/split-10", "a/split-x", "a/split-", "a/split--1"):
        with pytest.raises(DataError, match="from a/split-0 to a/split-9"):
            protocol_number(bad, "a/split-", 10)


def test_four_cameras_are_no_two() -> None:
    cameras = {1: (1, 2), 2: (3, 4), 3: (1, 2)}
    tracklets = [tracklet(p, c) for p, both in cameras.items() for c in both]
    split = halve("x", tracklets, {1, 2})
    assert split.query == split.gallery == tracklets[:4]


def test_the_second_camera_keeps_its_distractors() -> None:
    people, crowd = pairs([1, 2]), [tracklet(DISTRACTOR, 1), tracklet(DISTRACTOR, 2)]
    split = halve("x", people + crowd, {2})
    assert split.gallery == [people[3], crowd[1]]


def test_the_order_of_the_tracklets_does_not_move_a_half() -> None:
    tracklets = pairs([1, 9, 17, 25, 33, 41], frames=1)
    for i in range(10):
        halves = [random_half(some, i) for some in (tracklets, tracklets[::-1])]
        assert len({frozenset(t.identity for t in h.train) for h in halves}) == 1


def test_a_raised_two_is_no_number() -> None:
    with pytest.raises(DataError, match="from a/split-0 to a/split-9"):
        protocol_number("a/split-²", "a/split-", 10)


def test_each_is_changed_once() -> None:
    t = [tracklet(identity, camera) for identity in (1, 2) for camera in (1, 2)]
    made: list[Tracklet] = []

    def change(one: Tracklet) -> Tracklet:
        made.append(one)
        return replace(one, name=f"changed {len(made)}")

    out = each_changed(Split("s", t[:2], [t[2]], t[2:]), "otherwise", change)
    assert made == t
    assert out.name == "otherwise"
    assert [one.name for one in out.train] == ["changed 1", "changed 2"]
    assert out.query == [out.gallery[0]]
    assert out.query[0] is out.gallery[0]
