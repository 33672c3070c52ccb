"""`Shelf`: who is searched, in which order, and what is known to be right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from w3an_lite.data.tracklet import ArrayFrames, Tracklet
from w3an_lite.model import W3AN
from w3an_lite.shelf import Shelf, short


def tracklet(identity: int, camera: int, name: str = "") -> Tracklet:
    pixels = np.full((2, 3, 32, 16), 20 + 10 * identity + camera, np.uint8)
    return Tracklet(ArrayFrames(pixels), identity, camera, name)


@pytest.fixture
def model() -> W3AN:
    torch.manual_seed(0)
    return W3AN.preset(
        "repaired", 3, backbone="narrow", trunk={"width": 2}, size=(32, 16), clip_length=3
    ).eval()


def shelf_of(model: W3AN, tracklets: list[Tracklet]) -> Shelf:
    shelf = Shelf(model, tracklets)
    shelf.features = torch.arange(len(tracklets), dtype=torch.float32)[:, None]
    return shelf


def test_the_order_is_by_distance_without_the_query_its_like_and_junk(model: W3AN) -> None:
    query = tracklet(1, 1)
    people = [
        tracklet(2, 1),
        query,
        tracklet(1, 1),
        tracklet(-1, 1),
        tracklet(1, 2),
        tracklet(0, 1),
    ]
    shelf = shelf_of(model, people)
    order = shelf.order(query, torch.tensor([4.4]))
    assert order.rows == [4, 5, 0]
    np.testing.assert_allclose(order.distance, [0.4, 0.6, 4.4], atol=1e-5)
    assert shelf.right(query, order) == [True, False, False]


def test_nobody_knows_right_from_wrong_when_the_person_is_not_there(model: W3AN) -> None:
    query = tracklet(1, 1)
    shelf = shelf_of(model, [tracklet(2, 1), tracklet(3, 1)])
    assert shelf.right(query, shelf.order(query, torch.zeros(1))) == [None, None]
    alone = shelf_of(model, [query])
    assert alone.order(query, torch.zeros(1)).rows == []


def test_what_is_drawn_says_where_it_stood_before(model: W3AN) -> None:
    query = tracklet(1, 1)
    shelf = shelf_of(model, [tracklet(2, 1, "two"), tracklet(1, 2, "a name far too long for it")])
    before, now = (shelf.order(query, torch.tensor([x])) for x in (0.1, 0.9))
    items, texts = shelf.ranked(query, now, before, top=5)
    assert [item.right for item in items] == [True, False]
    assert items[0].label == f"{short('a name far too long for it')}\nwas 2"
    assert texts == ["1. a name far too long for it (right)", "2. two (wrong)"]
    assert shelf.ranked(query, now, now, top=1)[0][0].label == "a name far to…"
