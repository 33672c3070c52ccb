"""The gallery of a live search: features once, an order for every new query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from .data.tracklet import DISTRACTOR, JUNK, Tracklet
from .distance import distances
from .inference import embed_tracklets
from .model import W3AN
from .plots import Ranked


class Order(NamedTuple):
    """Rows of the gallery and their distances, nearest first."""

    rows: list[int]
    distance: list[float]


class Shelf:
    """A gallery embedded once by one even clip of each tracklet; its pictures are middle frames."""

    def __init__(self, model: W3AN, tracklets: Sequence[Tracklet]) -> None:
        self.tracklets = list(tracklets)
        self.features = embed_tracklets(model, self.tracklets)
        self.pictures = [t.frames.read([len(t) // 2], model.size)[0] for t in self.tracklets]

    def order(self, query: Tracklet, embedding: Tensor) -> Order:
        """Who looks most like `embedding` `[M]`.

        Left out are junk, the query itself, and others of its person under its camera.
        """
        kept = [
            row
            for row, t in enumerate(self.tracklets)
            if t is not query
            and t.identity != JUNK
            and (t.identity, t.camera) != (query.identity, query.camera)
        ]
        if not kept:
            return Order([], [])
        far = distances(embedding[None], self.features[kept])[0].numpy()
        order = np.argsort(far, kind="stable")
        return Order([kept[i] for i in order], [float(far[i]) for i in order])

    def right(self, query: Tracklet, order: Order) -> list[bool] | list[None]:
        """Is each in `order` the person asked for? None for all if nobody there is."""
        same = [self.tracklets[row].identity == query.identity for row in order.rows]
        if query.identity in (DISTRACTOR, JUNK) or not any(same):
            return [None] * len(same)
        return same

    def ranked(
        self, query: Tracklet, order: Order, before: Order, top: int
    ) -> tuple[list[Ranked], list[str]]:
        """The `top` first to be drawn, each with the place it had `before`, and all as text."""
        places = {row: place for place, row in enumerate(before.rows, start=1)}
        items, texts = [], []
        marks = self.right(query, order)
        for place, (row, far, right) in enumerate(
            zip(order.rows[:top], order.distance, marks, strict=False), start=1
        ):
            name = self.tracklets[row].name or f"tracklet {row}"
            moved = "" if places[row] == place else f"\nwas {places[row]}"
            items.append(Ranked(self.pictures[row], far, right, f"{short(name)}{moved}"))
            verdict = {True: " (right)", False: " (wrong)", None: ""}[right]
            texts.append(f"{place}. {name}{verdict}")
        return items, texts


def short(name: str, length: int = 14) -> str:
    """A name as it fits below a picture: "A visit 2, track 7" is "A 2, track 7"."""
    name = name.replace(" visit ", " ")
    return name if len(name) <= length else name[: length - 1] + "…"
