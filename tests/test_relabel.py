"""Labels of tracklets are left out, or carried from drawn stills."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from w3an_lite import relabel
from w3an_lite.data.attributes import GROUPS, INDEX, NAMES, group_indices
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import ArrayFrames, Tracklet
from w3an_lite.relabel import carried_labels, relabelled, without_groups
from w3an_lite.transfer import TransferRecipe

BLANK = ArrayFrames(np.zeros((1, 3, 4, 2), np.uint8))


def test_groups_are_left_out() -> None:
    labels = np.arange(len(NAMES), dtype=np.float32) / 128  # each its own, and exact
    tracklet = Tracklet(BLANK, 1, 1, attributes=labels)
    (left,) = without_groups([tracklet], ["shoes"])
    assert left.attributes is not None
    assert len(left.attributes) == len(NAMES) - len(GROUPS["shoes"])
    assert not set(128 * left.attributes) & set(group_indices("shoes"))
    assert 128 * left.attributes[-1] == INDEX["attach-Other"]
    (none,) = without_groups([tracklet], list(GROUPS))
    assert none.attributes is not None
    assert none.attributes.tolist() == [0] * len(NAMES)
    (blank,) = without_groups([Tracklet(BLANK, 1, 1)], ["shoes"])
    assert blank.attributes is not None
    assert set(blank.attributes) == {-1}


def test_carried_labels_are_told_from_frames_alone() -> None:
    """Soft ones are shares, hard ones what is above a half; the true labels change nothing."""
    people = synthped(3, 0, frames=4, seed=2).train
    recipe = TransferRecipe(steps=2, batch=4)
    soft = carried_labels(people, "soft", recipe=recipe)
    blank = [Tracklet(t.frames, t.identity, t.camera, t.name) for t in people]
    hard = carried_labels(blank, "hard", recipe=recipe)
    assert [t.name for t in soft] == [t.name for t in hard] == [t.name for t in people]
    shares = np.stack([t.attributes for t in soft if t.attributes is not None])
    assert shares.shape == (len(people), len(NAMES))
    assert ((shares > 0) & (shares < 1)).all()
    assert len(np.unique(shares[:, 0])) > 1  # not the same for everyone
    chosen = np.stack([t.attributes for t in hard if t.attributes is not None])
    assert np.array_equal(chosen, shares > 0.5)


def test_what_is_not_asked_for_stays() -> None:
    people = synthped(2, 0, frames=4, seed=2).train
    assert relabelled(people) == people
    assert [
        len(t.attributes) for t in relabelled(people, ["shoes"]) if t.attributes is not None
    ] == ([len(NAMES) - len(GROUPS["shoes"])] * len(people))
    with pytest.raises(ValueError, match="form 'sharp' is not known; choose 'soft' or 'hard'"):
        relabelled(people, carried="sharp")


def test_groups_are_left_out_of_carried_labels_too(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [Tracklet(BLANK, 7, 3, "one")]
    labels, asked = np.arange(len(NAMES), dtype=np.float32) / 128, []

    def carried(tracklets: list[Tracklet], form: str, seed: int) -> list[Tracklet]:
        asked.append((tracklets, form, seed))
        return [replace(t, attributes=labels) for t in tracklets]

    monkeypatch.setattr(relabel, "carried_labels", carried)
    (whole,) = relabelled(people, carried="hard", seed=5)
    (left,) = relabelled(people, ["shoes"], "soft", 6)
    assert asked == [(people, "hard", 5), (people, "soft", 6)]
    assert whole.attributes is labels
    assert left.attributes is not None
    assert len(left.attributes) == len(NAMES) - len(GROUPS["shoes"])
    assert (left.identity, left.camera, left.name) == (7, 3, "one")


@pytest.mark.parametrize("recipe", [None, TransferRecipe(size=(32, 16), seed=3)])
def test_labels_are_carried_as_the_recipe_has_it(
    recipe: TransferRecipe | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stills and frames of its size, the shipped trunk, the seed of both; a half is not above."""
    people = [Tracklet(BLANK, 1, 1)]
    wanted, said = recipe or TransferRecipe(seed=9), np.full((1, len(NAMES)), 0.5, np.float32)

    def source(size: tuple[int, int], seed: int) -> str:
        assert (size, seed) == (wanted.size, 9)
        return "stills"

    def transferred(*given: Any, progress: bool) -> str:
        assert given == ("stills", people, wanted, "trunk")
        return "network"

    def predicted(*given: Any, progress: bool) -> np.ndarray:
        assert given == ("network", people, wanted.size)
        return said

    monkeypatch.setattr(relabel, "drawn_source", source)
    monkeypatch.setattr(relabel, "prepared_trunk", lambda: "trunk")
    monkeypatch.setattr(relabel, "transfer", transferred)
    monkeypatch.setattr(relabel, "predict", predicted)
    (soft,) = carried_labels(people, "soft", 9, recipe)
    (hard,) = carried_labels(people, "hard", 9, recipe)
    assert soft.attributes is not None
    assert hard.attributes is not None
    assert np.array_equal(soft.attributes, said[0])
    assert hard.attributes.dtype == np.float32
    assert not hard.attributes.any()
