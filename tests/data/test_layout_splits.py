"""Drawn splits of any size, which hold no frame until it is read."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from w3an_lite.data import synthetic
from w3an_lite.data.layout_splits import full_size, layout_split, stills_split
from w3an_lite.data.mars import read_mars
from w3an_lite.data.mars_index import OFFICIAL, read_index
from w3an_lite.data.mars_writer import _rows, write_mars_index
from w3an_lite.data.rap import read_rap
from w3an_lite.data.synthetic import stills, synthped
from w3an_lite.data.tracklet import DISTRACTOR, JUNK, DataError
from w3an_lite.data.writers import LAYOUTS, write_layout


def test_lazy_people_are_the_same_people() -> None:
    options = {"identities": 2, "test_identities": 2, "frames": 3, "size": (32, 16)}
    now, later = synthped(**options), synthped(**options, lazy=True)
    assert later.name == now.name
    for a, b in zip(now.train + now.gallery, later.train + later.gallery, strict=True):
        assert (a.name, a.identity, a.camera, len(a)) == (b.name, b.identity, b.camera, len(b))
        assert np.array_equal(a.frames.read([2, 0]), b.frames.read([2, 0]))
        assert np.array_equal(a.attributes, b.attributes)
        assert b.truth is None
    copy = pickle.loads(pickle.dumps(later.train[0]))
    assert np.array_equal(copy.frames.read([1]), now.train[0].frames.read([1]))


def test_nothing_is_drawn_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic._drawn.cache_clear()
    drawn = []
    draw = synthetic.draw
    monkeypatch.setattr(synthetic, "draw", lambda *a: drawn.append(a) or draw(*a))
    split = layout_split("mars", distractors=3, junk=2, size=(32, 16))
    assert all(t.attributes is not None for t in split.train)
    assert not drawn
    for k in range(16):
        split.train[0].frames.read([k])
    assert len(drawn) == 1  # remembered while its frames are read one by one


def test_reading_many_holds_few() -> None:
    split = synthped(8, 0, frames=2, size=(32, 16), lazy=True)
    for t in split.train:
        t.frames.read([0])
    info = synthetic._drawn.cache_info()
    assert info.currsize <= (info.maxsize or 0) <= 8


def test_a_mars_with_junk_and_distractors(tmp_path: Path) -> None:
    split = layout_split("mars", 2, 2, 2, 2, 3, distractors=3, junk=2, size=(32, 16))
    read = read_mars(
        write_layout(split, "mars", tmp_path / "m", progress=False), "mars/official", official=False
    )
    who = Counter(t.identity for t in read.gallery)
    assert (who[DISTRACTOR], who[JUNK], len(read.gallery)) == (3, 2, 13)
    assert [len(t) for t in read.gallery] == [3] * 13


def test_stills_are_those_of_the_library(tmp_path: Path) -> None:
    whole, lazy = stills(3, (32, 16), 4), layout_split("rap", 3, size=(32, 16), seed=4)
    assert np.array_equal(whole.frames, np.concatenate([t.frames.read([0]) for t in lazy.train]))
    root = write_layout(lazy, "rap", tmp_path / "r", progress=False)
    back = read_rap(root, official=False)
    assert np.array_equal(whole.attributes, [t.attributes for t in back])
    assert np.array_equal(whole.frames, np.concatenate([t.frames.read([0]) for t in back]))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_takes_its_split(layout: str, tmp_path: Path) -> None:
    people = {} if layout == "rap" else {"test_identities": 2, "frames": 2}
    split = layout_split(layout, 2, **people, size=(32, 16))
    write_layout(split, layout, tmp_path / layout, progress=False)


def test_full_size_is_the_official_one(tmp_path: Path) -> None:
    split = full_size("mars")
    test = split.gallery
    place = {id(t): k for k, t in enumerate(test)}
    queries = [place[id(t)] for t in split.query]
    write_mars_index(tmp_path / "info", _rows(split.train), _rows(test), queries)
    assert read_index(tmp_path).counts() == OFFICIAL
    assert len({(t.identity, t.camera) for t in split.query}) == 1980


def test_full_size_of_two_cameras_and_stills() -> None:
    people = {layout: full_size(layout) for layout in ("ilids-vid", "prid2011")}
    assert [len({t.identity for t in s.train + s.gallery}) for s in people.values()] == [300, 200]
    assert len(full_size("rap").train) == 41_585


@pytest.mark.parametrize(
    ("layout", "options", "message"),
    [
        ("cuhk", {}, "layout 'cuhk'"),
        ("rap", {"frames": 2}, "frames has no meaning for RAP"),
        ("rap", {"identities": 0}, "0 stills"),
        ("ilids-vid", {"cameras": 3}, "cameras is 3; ilids-vid holds 2"),
        ("prid2011", {"junk": 1}, "junk is 1; prid2011 holds 0"),
        ("mars", {"junk": -1}, "junk is -1"),
        ("mars", {"cameras": 10}, "cameras is 10"),
        ("mars", {"cameras": 0, "junk": 1}, "cameras is 0"),
        ("mars", {"size": (63, 32)}, "size is"),
    ],
)
def test_senseless_options(layout: str, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        layout_split(layout, **options)
    with pytest.raises(DataError, match="layout 'x'"):
        full_size("x")
    with pytest.raises(DataError, match="41586 stills"):
        stills_split(41_586, (32, 16))
