"""What a writer puts on disk its reader gives back; and a writer leaves all or nothing behind."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tiny_layouts import pairs, same, tracklet, two_camera_split

from w3an_lite.data import output
from w3an_lite.data.attributes import NAMES
from w3an_lite.data.ilids_vid import read_ilids_vid
from w3an_lite.data.mars import read_mars
from w3an_lite.data.prid2011 import read_prid2011
from w3an_lite.data.rap import LEFT_OUT, read_rap
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import UNKNOWN, ArrayFrames, DataError, Size, Split, Tracklet
from w3an_lite.data.writers import LAYOUTS, write_layout

few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def all_same(a: Sequence[Tracklet], b: Sequence[Tracklet], pixels: bool = True) -> bool:
    return len(a) == len(b) and all(same(x, y, pixels) for x, y in zip(a, b, strict=True))


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place to write to; frames are written two at a time."""
    monkeypatch.setattr(output, "CHUNK", 2)
    return tmp_path


count = iter(range(10**9))


@few
@given(
    size=sizes,
    frames=st.lists(st.integers(1, 5), min_size=3, max_size=8),
    queries=st.integers(1, 2),
    inside=st.booleans(),
    data=st.data(),
)
def test_mars(
    new: Path, size: Size, frames: list[int], queries: int, inside: bool, data: st.DataObject
) -> None:
    people = [data.draw(st.sampled_from((1, 2, 9999))) for _ in frames]
    cameras = [data.draw(st.integers(1, 6)) for _ in frames]
    drawn = [
        tracklet(p, c, n, k, size)
        for k, (p, c, n) in enumerate(zip(people, cameras, frames, strict=True))
    ]
    test = [replace(t, identity=i) for t, i in zip(drawn, (7, 0, 7, -1, 8, 8, 0, 7), strict=False)]
    query = [t for t in test if t.identity > 0][:queries][::-1]
    gallery = [t for t in test if inside or not any(t is q for q in query)]
    root = new / str(next(count))
    write_layout(Split("x", drawn, query, gallery), "mars", root, progress=False)
    protocol = "mars/official" if inside else "mars/gallery-without-queries"
    split = read_mars(root, protocol, official=False, files="listed")
    searched = [t for t in gallery if inside or t.identity >= 0]
    assert all_same(split.train, drawn, pixels=False)
    assert all_same(split.query, query, pixels=False)
    assert all_same(split.gallery, searched, pixels=False)
    assert split.train[0].frames.read([0]).shape[2:] == size


def test_jpeg_is_near(new: Path) -> None:
    ramp = np.linspace(0, 255, 64 * 32, dtype=np.uint8).reshape(1, 1, 64, 32)
    drawn = Tracklet(ArrayFrames(np.repeat(ramp, 3, axis=1)), 1, 1)
    test = tracklet(2, 1)
    write_layout(Split("x", [drawn], [test], [test]), "mars", new / "m", progress=False)
    got = read_mars(new / "m", official=False).train[0].frames.read([0])
    assert np.abs(got.astype(int) - drawn.frames.read([0])).max() <= 4


@few
@given(size=sizes, frames=st.integers(1, 5), people=st.integers(2, 9), layout=st.booleans())
def test_two_camera_layouts(new: Path, size: Size, frames: int, people: int, layout: bool) -> None:
    half = people // 2
    drawn = [tracklet(p, c, frames, 0, size) for p in range(1, people + 1) for c in (1, 2)]
    test = [t for t in drawn if t.identity > people - half]
    train = [t for t in drawn if t.identity <= people - half]
    root = new / str(next(count))
    name = "ilids-vid" if layout else "prid2011"
    write_layout(Split("x", train, list(test), test), name, root, progress=False)
    read = read_ilids_vid if layout else read_prid2011
    split = read(root, official=False)
    assert all_same(split.train, train)
    assert all_same(split.query, test[::2])
    assert all_same(split.gallery, test[1::2])
    other = read(root, ("ilids-vid" if layout else "prid2011/178") + "/split-9", official=False)
    assert len({t.identity for t in other.query}) == half


@few
@given(size=sizes, people=st.integers(1, 9), seed=st.integers(0, 99))
def test_rap(new: Path, size: Size, people: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    drawn = []
    for p in range(1, people + 1):
        values = random.choice([0, 1, UNKNOWN], len(NAMES)).astype(np.float32)
        drawn.append(replace(tracklet(p, p % 3, 1, 0, size), attributes=values))
    root = new / str(next(count))
    write_layout(Split("x", drawn), "rap", root, progress=False)
    stills = read_rap(root, official=False)
    assert all_same(stills, [replace(t, identity=0) for t in drawn])
    for a, b in zip(stills, drawn, strict=True):
        np.testing.assert_array_equal(a.attributes, b.attributes)
    if people >= 2:
        parts = [read_rap(root, part=p, partition=4, official=False) for p in ("train", "test")]
        assert sorted(t.name for p in parts for t in p) == sorted(t.name for t in stills)


def test_rap_keeps_its_own_ninety_two_names() -> None:
    from w3an_lite.data.writers import _rap_order

    order = _rap_order()
    assert len(order) == len(set(order)) == 92
    assert set(order) == {*NAMES, *LEFT_OUT}
    assert [order[k] for k in (0, 4, 9, 50, 51, 63, 91)] == [
        "Female", "BodyFat", "hs-BaldHead", "action-CarrybyHand", "faceFront", "up-Black",
        "shoes-Mixture",
    ]  # fmt: skip


def test_attributes_nobody_knows_are_written_as_uncertain(new: Path) -> None:
    write_layout(Split("x", [tracklet(1, 1, 1)]), "rap", new / "r", progress=False)
    label = read_rap(new / "r", official=False)[0].attributes
    assert label is not None
    assert (label == UNKNOWN).all()


SIX = two_camera_split(6)
ONE = tracklet(8, 1, 2)
WRONG = {
    "two a camera": ("ilids-vid", replace(SIX, train=[*SIX.train, tracklet(1, 1)]), "one track"),
    "third camera": ("prid2011", replace(SIX, train=[*SIX.train, tracklet(1, 3)]), "one tracklet"),
    "more than 200": ("prid2011", replace(SIX, train=pairs([*range(7, 205)])), "1 to 200 people"),
    "uneven halves": ("ilids-vid", replace(SIX, train=pairs([1])), "1 to train and 3 to search"),
    "nobody trains": ("prid2011", replace(SIX, train=[]), "needs people to train and people to"),
    "nobody asks": ("mars", replace(SIX, query=[], gallery=[]), "needs tracklets to train and to"),
    "some queries inside": (
        "mars", replace(SIX, gallery=SIX.gallery[1:]), "some queries are in the gallery and some"),
    "identity of five digits": ("mars", replace(SIX, train=pairs([10_000])), "identities -1 to"),
    "too long": ("mars", replace(SIX, train=[tracklet(1, 1, 1_000, 0, (1, 1))]), "999 frames"),
    "no stills": ("rap", SIX, "RAP holds single frames"),
    "soft labels": (
        "rap", Split("x", [replace(tracklet(1, 1, 1), attributes=np.full(67, 0.5, np.float32))]),
        "attributes 0, 1 or unknown"),
    "nothing": ("rap", Split("x"), "has no stills to write"),
    "unknown layout": ("market", SIX, "layout 'market' is unknown; one of mars, ilids-vid"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_split_that_the_layout_cannot_hold(new: Path, wrong: str) -> None:
    layout, split, message = WRONG[wrong]
    with pytest.raises(DataError, match=message):
        write_layout(split, layout, new / "x", progress=False)
    assert list(new.iterdir()) == []


class Breaking:
    """Frames that fail after the first two, as a corrupt source would."""

    def __len__(self) -> int:
        return 4

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        if max(indices) > 1:
            raise DataError("0003.jpg is not a readable image")
        return np.zeros((len(indices), 3, 2, 2), dtype=np.uint8)


def stills() -> Split:
    return Split("x", [tracklet(p, 1, 1) for p in range(1, 4)])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_full_disk_is_said_and_nothing_stays(
    new: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    saved: list[object] = []
    real = Image.Image.save

    def save(image: Image.Image, path: Path, **options: object) -> None:
        if len(saved) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        saved.append(path)
        real(image, path, **options)

    monkeypatch.setattr(Image.Image, "save", save)
    split = stills() if layout == "rap" else two_camera_split(4)
    with pytest.raises(DataError, match=r"cannot write .*x: No space left on device; free space"):
        write_layout(split, layout, new / "x", progress=False)
    assert len(saved) == 2
    assert list(new.iterdir()) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_nothing(
    new: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def save(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(stop):
        write_layout(two_camera_split(4), "prid2011", new / "x", progress=False)
    assert list(new.iterdir()) == []


def test_a_corrupt_source_is_named_and_nothing_stays(new: Path) -> None:
    split = Split("x", [Tracklet(Breaking(), 1, 1)], [ONE], [ONE])
    with pytest.raises(DataError, match=r"^0003\.jpg is not a readable image$"):
        write_layout(split, "mars", new / "x", progress=False)
    assert list(new.iterdir()) == []


def test_what_is_there_is_never_overwritten(new: Path) -> None:
    (new / "x").mkdir()
    write_layout(two_camera_split(4), "prid2011", new / "x", progress=False)  # empty: taken
    before = sorted(p.name for p in (new / "x").rglob("*"))
    with pytest.raises(DataError, match="is there already; remove it or write elsewhere"):
        write_layout(two_camera_split(6), "prid2011", new / "x", progress=False)
    assert sorted(p.name for p in (new / "x").rglob("*")) == before
    (new / "file").touch()
    with pytest.raises(DataError, match="is there already"):
        write_layout(stills(), "rap", new / "file", progress=False)
    with pytest.raises(DataError, match="cannot write"):
        write_layout(stills(), "rap", new / "file" / "below", progress=False)


def test_same_seed_same_files_and_progress_goes_to_stderr(
    new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_layout(two_camera_split(6), "prid2011", new / name, seed=seed)
    a, b, c = (((new / n) / "splits_prid2011.json").read_bytes() for n in "abc")
    assert a == b != c
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "36/36" in captured.err


@pytest.mark.parametrize("layout", LAYOUTS)
def test_synthped_goes_through_every_layout(new: Path, layout: str) -> None:
    still = layout == "rap"
    drawn = synthped(
        identities=3,
        test_identities=3,
        tracklets=1,
        frames=1 if still else 3,
        domain="stills" if still else "video",
    )
    root = write_layout(drawn, layout, new / "x", progress=False)
    if still:
        stills = read_rap(root, official=False)
        drawings = drawn.train + drawn.gallery
        assert len(stills) == len(drawings)
        for a, b in zip(stills, drawings, strict=True):
            np.testing.assert_array_equal(a.attributes, b.attributes)
            np.testing.assert_array_equal(a.frames.read([0]), b.frames.read([0]))
        return
    if layout == "mars":
        split = read_mars(root, "mars/gallery-with-queries", official=False)
        assert all_same(split.gallery, drawn.gallery, pixels=False)
    else:  # the test identities do not fit, so everybody is counted from 1
        split = (read_ilids_vid if layout == "ilids-vid" else read_prid2011)(root, official=False)
        number = {p: 4 + k for k, p in enumerate(sorted({t.identity for t in drawn.gallery}))}
        searched = [replace(t, identity=number[t.identity]) for t in drawn.gallery]
        assert all_same(split.query, searched[::2])
        assert all_same(split.gallery, searched[1::2])
    assert all_same(split.train, drawn.train, pixels=layout != "mars")
