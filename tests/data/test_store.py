"""What is packed comes back as it was, however often packing was stopped, or an error says why."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import pickle
import random
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from w3an_lite.data import pack_part
from w3an_lite.data.attributes import NAMES
from w3an_lite.data.layout import sequence
from w3an_lite.data.pack import pack
from w3an_lite.data.pack_pieces import FRAMES
from w3an_lite.data.sampling import Batches
from w3an_lite.data.store import StoreFrames, open_store, read_together
from w3an_lite.data.tracklet import ArrayFrames, DataError, FileFrames, Size, Split, Tracklet, Truth

H, W = 6, 4


def pixels(seed: int, count: int, size: Size = (H, W)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, *size), dtype=np.uint8)


def drawn(seed: int, count: int, size: Size = (H, W)) -> Truth:
    rng = np.random.default_rng((seed, 1))
    parts = rng.integers(0, 7, (count, *size), dtype=np.uint8)
    return Truth(rng.random(count, dtype=np.float32), parts > 0, parts)


def split_of(lengths: Sequence[int], name: str = "test") -> Split:
    """One tracklet a length: the first half trains; the rest is searched, its first also asks."""
    tracklets = [
        Tracklet(ArrayFrames(pixels(i, n)), identity=i + 1, camera=i % 3, name=f"nr {i} é")
        for i, n in enumerate(lengths)
    ]
    half = (len(lengths) + 1) // 2
    return Split(name, tracklets[:half], tracklets[half : half + 1], tracklets[half:])


def quiet(split: Split, out: Path, *args: object, **more: object) -> Path:
    return pack(split, out, *args, progress=False, **{"workers": 2, **more})  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def same(a: Tracklet, b: Tracklet) -> None:
    assert (a.identity, a.camera, a.name, len(a)) == (b.identity, b.camera, b.name, len(b))
    for x, y in ((a.attributes, b.attributes), (a.truth, b.truth)):
        assert (x is None) == (y is None)
    if a.attributes is not None:
        np.testing.assert_array_equal(a.attributes, b.attributes)
    if a.truth is not None and b.truth is not None:
        for field in ("visibility", "mask", "parts"):
            x, y = getattr(a.truth, field), getattr(b.truth, field)
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


def jpeg(frame: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame.transpose(1, 2, 0)).save(out, format="JPEG", quality=95)
    return out.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Tracklets with and without labels and truth, in lists that share some."""
    tracklets = []
    for i in range(draw(st.integers(1, 6))):
        count = draw(st.integers(1, 2 * FRAMES + 2) if i == 0 else st.integers(1, 5))
        labels = np.random.default_rng(i).random(len(NAMES), dtype=np.float32)
        tracklets.append(
            Tracklet(
                ArrayFrames(pixels(i, count)),
                identity=i + 1,
                camera=draw(st.integers(0, 9)),
                name=draw(st.text(max_size=5)),
                attributes=labels if draw(st.booleans()) else None,
                truth=drawn(i, count) if draw(st.booleans()) else None,
            )
        )
    cut = draw(st.integers(0, len(tracklets)))
    test = tracklets[cut:]
    picks = st.lists(st.sampled_from(test), max_size=4) if test else st.just([])
    gallery = test if draw(st.booleans()) else draw(picks)
    query = draw(picks)
    return Split(draw(st.text(max_size=5)), tracklets[:cut], query, gallery)


@settings(max_examples=25, deadline=None)
@given(split=splits(), form=st.sampled_from(["decoded", "jpeg"]), workers=st.integers(1, 3))
def test_round_trip(split: Split, form: str, workers: int) -> None:
    every = split.train + split.query + split.gallery
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "store")
        if not every:
            with pytest.raises(DataError, match="holds no tracklet"):
                quiet(split, out)
            return
        quiet(split, out, form=form, workers=workers)
        back = open_store(out, verify=True)
        assert back.name == split.name
        again = back.train + back.query + back.gallery
        counts = [len(split.train), len(split.query), len(split.gallery)]
        assert [len(back.train), len(back.query), len(back.gallery)] == counts
        for a, b in zip(every, again, strict=True):
            same(a, b)
            frames = a.frames.read(range(len(a)))
            if form == "jpeg":
                frames = np.stack([decoded(jpeg(f)) for f in frames])
            np.testing.assert_array_equal(b.frames.read(range(len(b))), frames)
        # A tracklet in two lists is one tracklet still, and is stored once.
        index = {id(t): i for i, t in enumerate(every)}
        first = [index[id(t)] for t in every]
        index = {id(t): i for i, t in enumerate(again)}
        assert [index[id(t)] for t in again] == first
        state = json.loads((out / "store.json").read_text())
        assert state["frames"] == sum(len(t) for t in {id(t): t for t in every}.values())
        assert sorted(entry.name for entry in Path(name).iterdir()) == ["store"]


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_any_frames_of_any_tracklets(
    form: str, data: st.DataObject, stores: dict[str, Split]
) -> None:
    tracklets = stores[form].train + stores[form].gallery
    chosen = data.draw(st.lists(st.sampled_from(tracklets), min_size=1, max_size=5))
    clip = data.draw(st.integers(0, 4))
    at = [
        data.draw(
            st.lists(st.integers(-len(t), len(t) - 1), min_size=clip, max_size=clip).map(
                lambda x: np.array(x, dtype=np.int64)
            )
        )
        for t in chosen
    ]
    whole = [t.frames.read(range(len(t))) for t in chosen]
    frames = [t.frames for t in chosen]
    got = read_together(chosen, at)
    if clip or form == "decoded":
        np.testing.assert_array_equal(got, np.stack([w[i] for w, i in zip(whole, at, strict=True)]))
    assert got.dtype == np.uint8
    assert got.flags["C_CONTIGUOUS"]
    small = read_together(chosen, at, (3, 2))
    assert small.shape == (len(chosen), clip, 3, 3, 2)
    for b, (f, i) in enumerate(zip(frames, at, strict=True)):
        np.testing.assert_array_equal(small[b], f.read(i, (3, 2)))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Split]:
    folder = tmp_path_factory.mktemp("stores")
    split = split_of([3, 1, 7, 2])
    return {f: open_store(quiet(split, folder / f, form=f)) for f in ("decoded", "jpeg")}


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
@pytest.mark.parametrize("index", [3, -4, 10**9])
def test_a_tracklet_never_shows_its_neighbours_frames(
    stores: dict[str, Split], form: str, index: int
) -> None:
    with pytest.raises(IndexError, match=f"frame {index} of a tracklet of 3 frames"):
        stores[form].train[0].frames.read([0, index])


def test_mixed_frames_are_read_one_by_one(stores: dict[str, Split]) -> None:
    array = ArrayFrames(pixels(9, 3))
    mixed = [Tracklet(array, 1, 1), stores["decoded"].train[0]]
    got = read_together(mixed, [np.array([2]), np.array([0])])
    np.testing.assert_array_equal(got[0], array.array[[2]])
    np.testing.assert_array_equal(got[1], pixels(0, 3)[[0]])


def test_frames_of_two_stores(tmp_path: Path) -> None:
    others = [Tracklet(ArrayFrames(pixels(seed, 2)), 1, 1) for seed in (7, 8)]
    stored = [
        open_store(quiet(Split("s", [t]), tmp_path / str(i))).train[0] for i, t in enumerate(others)
    ]
    got = read_together(stored, [np.array([1])] * 2)
    np.testing.assert_array_equal(got[:, 0], [pixels(7, 2)[1], pixels(8, 2)[1]])


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
def test_pickled_by_path(stores: dict[str, Split], form: str, tmp_path: Path) -> None:
    tracklets = stores[form].train
    data = pickle.dumps(tracklets)
    back = pickle.loads(data)
    for a, b in zip(tracklets, back, strict=True):
        same(a, b)
        np.testing.assert_array_equal(a.frames.read([0]), b.frames.read([0]))
    assert isinstance(back[0].frames, StoreFrames)
    assert back[0].frames.store is back[1].frames.store
    assert len(data) < 2000


def test_trains_from_a_store(tmp_path: Path) -> None:
    split = split_of([5, 6, 7, 8, 3, 3, 3, 3])
    stored = open_store(quiet(split, tmp_path / "s"))
    args = {"batch": 4, "people": 2, "clip_length": 4, "seed": 3}
    a, names = Batches(split.train, **args)[1]
    b, again = Batches(stored.train, **args)[1]
    assert names == again
    np.testing.assert_array_equal(a.frames, b.frames)


# Files ---------------------------------------------------------------------------------------


def files_split(folder: Path, lengths: Sequence[int], suffix: str = ".jpg") -> Split:
    """Frames in files, 12x8."""
    folder.mkdir(parents=True, exist_ok=True)
    tracklets = []
    for i, count in enumerate(lengths):
        paths = tuple(folder / f"{i}F{t:03d}{suffix}" for t in range(count))
        for path, frame in zip(paths, pixels(i, count, (12, 8)), strict=True):
            Image.fromarray(frame.transpose(1, 2, 0)).save(path)
        tracklets.append(Tracklet(FileFrames(paths), i + 1, 1, name=f"t{i}"))
    return Split("files", tracklets)


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
@pytest.mark.parametrize("size", [None, (12, 8), (5, 7)])
def test_files_at_any_size(tmp_path: Path, form: str, size: Size | None) -> None:
    split = files_split(tmp_path / "in", [4, 2])
    back = open_store(quiet(split, tmp_path / "s", size, form))
    for a, b in zip(split.train, back.train, strict=True):
        frames = a.frames.read(range(len(a)), size)
        if form == "jpeg" and size == (5, 7):
            frames = np.stack([decoded(jpeg(f)) for f in frames])
        np.testing.assert_array_equal(b.frames.read(range(len(b))), frames)


@pytest.mark.parametrize("size", [None, (12, 8)])
def test_jpeg_files_of_the_right_size_are_kept_to_the_byte(
    tmp_path: Path, size: Size | None
) -> None:
    split = files_split(tmp_path / "in", [3, 2])
    out = quiet(split, tmp_path / "s", size, "jpeg")
    paths = [path for t in split.train for path in t.frames.paths]  # type: ignore[attr-defined]
    assert (out / "frames.bin").read_bytes() == b"".join(path.read_bytes() for path in paths)


def test_listed_frames_are_files_too(tmp_path: Path) -> None:
    split = files_split(tmp_path / "in", [3])
    listed = Split("l", [replace(split.train[0], frames=sequence(tmp_path / "in", ".jpg"))])
    out = quiet(listed, tmp_path / "s", None, "jpeg")
    files = quiet(split, tmp_path / "f", None, "jpeg")
    assert (out / "frames.bin").read_bytes() == (files / "frames.bin").read_bytes()
    (tmp_path / "in" / "0F001.jpg").write_bytes(b"else")
    with pytest.raises(DataError, match="other frames"):
        quiet(listed, out, None, "jpeg")


def test_other_files_are_encoded(tmp_path: Path) -> None:
    split = files_split(tmp_path / "in", [2], ".png")
    out = quiet(split, tmp_path / "s", None, "jpeg")
    expected = b"".join(jpeg(f) for f in split.train[0].frames.read([0, 1]))
    assert (out / "frames.bin").read_bytes() == expected


def test_a_jpeg_file_taken_sideways_is_encoded_upright(tmp_path: Path) -> None:
    split = files_split(tmp_path / "in", [1])
    (path,) = split.train[0].frames.paths  # type: ignore[attr-defined]
    exif = Image.Exif()
    exif[0x0112] = 3  # on its head: the size is the same
    with Image.open(path) as image:
        image.save(path, exif=exif, quality=95)
    out = quiet(split, tmp_path / "s", None, "jpeg")
    stored = open_store(out).train[0].frames.read([0]).astype(int)
    assert np.abs(stored - split.train[0].frames.read([0])).mean() < 20
    assert (out / "frames.bin").read_bytes() != path.read_bytes()


def test_frames_are_a_plain_npy_file(tmp_path: Path) -> None:
    split = split_of([3, 2])
    out = quiet(split, tmp_path / "s")
    frames = np.load(out / "frames.npy", allow_pickle=False)
    np.testing.assert_array_equal(frames, np.concatenate([pixels(0, 3), pixels(1, 2)]))


def test_odd_sizes(tmp_path: Path) -> None:
    odd = Tracklet(ArrayFrames(pixels(5, 2, (8, 8))), 9, 1, name="the odd one")
    split = split_of([3, 2])
    split = Split("test", [*split.train, odd], split.query, split.gallery)
    with pytest.raises(DataError, match=r"'the odd one'.*not uint8"):
        quiet(split, tmp_path / "s")
    back = open_store(quiet(split, tmp_path / "j", form="jpeg"))
    assert back.train[1].frames.read([1]).shape == (1, 3, 8, 8)
    store = back.train[0].frames.store  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="differ in size"):
        store.gather([0, 1], [[0], [0]])
    back = open_store(quiet(split, tmp_path / "sized", (4, 4)))
    assert read_together(back.train, [np.array([0])] * 2).shape[-2:] == (4, 4)


def test_truth_is_resized_to_the_nearest_pixel(tmp_path: Path) -> None:
    truth = drawn(0, 3)
    split = Split("t", [Tracklet(ArrayFrames(pixels(0, 3)), 1, 1, truth=truth)])
    got = open_store(quiet(split, tmp_path / "s", (2 * H, 2 * W))).train[0].truth
    assert got is not None
    np.testing.assert_array_equal(got.mask, truth.mask.repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(got.parts, truth.parts.repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(got.visibility, truth.visibility)
    odd = Tracklet(ArrayFrames(pixels(1, 1, (8, 8))), 2, 1, name="odd", truth=drawn(1, 1, (8, 8)))
    with pytest.raises(DataError, match="'odd': its masks are 8x8"):
        quiet(Split("t", [*split.train, odd]), tmp_path / "j", form="jpeg")


# Interruption --------------------------------------------------------------------------------


class Slow(ArrayFrames):
    """Frames that take a while, so that a kill falls in the middle."""

    def read(self, indices, size=None):  # type: ignore[no-untyped-def]
        if len(indices) > 1:
            time.sleep(0.01)
        return super().read(indices, size)


def slow_split() -> Split:
    split = split_of([3, 1, 2 * FRAMES + 5, *range(2, 40)], "slow")
    slow = {id(t): replace(t, frames=Slow(t.frames.array)) for t in split.train + split.gallery}  # type: ignore[attr-defined]
    truth = drawn(2, 2 * FRAMES + 5)
    slow[id(split.train[2])] = replace(slow[id(split.train[2])], truth=truth)
    return Split(
        "slow", *([slow[id(t)] for t in p] for p in (split.train, split.query, split.gallery))
    )


def child(target: Callable[..., None], *args: object) -> BaseProcess:
    """`target` begun in a process of its own."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    process = multiprocessing.get_context("fork").Process(target=target, args=args)
    process.start()
    return process


def pack_slowly(out: Path, form: str) -> None:
    pack_part.COMMIT_BYTES = 2000
    quiet(slow_split(), out, form=form)


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
def test_killed_again_and_again(tmp_path: Path, form: str) -> None:
    whole, out = quiet(slow_split(), tmp_path / "whole", form=form), tmp_path / "killed"
    state, rng, reached = tmp_path / "killed.part" / "store.json", random.Random(form), [-1]
    while not out.exists():
        process = child(pack_slowly, out, form)
        pieces = -1
        while process.is_alive() and pieces <= reached[-1]:  # so that every round gets further
            time.sleep(0.001)
            with contextlib.suppress(FileNotFoundError):
                pieces = json.loads(state.read_text())["pieces"]
        time.sleep(rng.uniform(0, 0.06))
        process.kill()
        process.join()
        with contextlib.suppress(FileNotFoundError):
            reached.append(json.loads(state.read_text())["pieces"])
    assert len(reached) > 3
    assert reached == sorted(set(reached))
    assert contents(out) == contents(whole)
    assert sorted(e.name for e in tmp_path.iterdir()) == ["killed", "whole"]


class Stop(Exception):
    """Stands for a kill at a chosen moment."""


class Counted:
    """Frames that note each reading, and stop the work at one of them if told to."""

    def __init__(self, array: np.ndarray, log: list[int], stop_at: int = -1) -> None:
        self.array, self.log, self.stop_at = array, log, stop_at

    def __len__(self) -> int:
        return len(self.array)

    def read(self, indices: Sequence[int], size: Size | None = None) -> np.ndarray:
        if self.stop_at in indices:
            raise Stop
        self.log += [int(i) for i in indices]
        return self.array[np.asarray(indices)]


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
@pytest.mark.parametrize("stop", [0, FRAMES, 3 * FRAMES + 1])
def test_goes_on_where_it_stopped(tmp_path: Path, form: str, stop: int) -> None:
    array, log = pixels(0, 4 * FRAMES), []
    split = Split("s", [Tracklet(Counted(array, log, stop), 1, 1)])
    more = {"form": form, "workers": 1, "size": (H, W)}
    with pytest.raises(Stop):
        quiet(split, tmp_path / "s", **more)
    assert not (tmp_path / "s").exists()
    log.clear()
    split.train[0].frames.stop_at = -1  # type: ignore[attr-defined]
    quiet(split, tmp_path / "s", **more)
    done = stop // FRAMES * FRAMES
    checked = list(range(0, done, FRAMES))  # one frame a piece, to see that the source is the same
    assert sorted(log) == sorted([*checked, *range(done, 4 * FRAMES)])
    whole = Split("s", [Tracklet(Counted(array, log), 1, 1)])
    assert contents(quiet(whole, tmp_path / "w", **more)) == contents(tmp_path / "s")


def test_a_kill_between_the_last_byte_and_the_rename(tmp_path: Path) -> None:
    split = split_of([3, 2])
    out = quiet(split, tmp_path / "s")
    before = contents(out)
    out.rename(tmp_path / "s.part")
    quiet(split, out)
    assert contents(out) == before
    out.rename(tmp_path / "s.part")
    with pytest.raises(DataError, match="other frames"):
        quiet(Split("test", [changed(split.train[0])], split.query, split.gallery), out)
    assert contents(tmp_path / "s.part") == before


def stopped(tmp_path: Path, split: Split, form: str = "decoded") -> Path:
    """A part that holds all of `split` but its last tracklet; the folder that it is to become."""
    out = tmp_path / "s"
    last = (split.train + split.gallery)[-1]
    broken = replace(last, frames=Counted(np.zeros((len(last), 3, H, W), np.uint8), [], stop_at=0))
    lists = (split.train, split.query, split.gallery)
    parts = [[broken if t is last else t for t in p] for p in lists]
    with pytest.raises(Stop):
        quiet(Split(split.name, *parts), out, form=form)
    assert (tmp_path / "s.part").is_dir()
    return out


def changed(tracklet: Tracklet) -> Tracklet:
    array = tracklet.frames.array.copy()  # type: ignore[attr-defined]
    array[-1, 2, -1, -1] ^= 1
    return replace(tracklet, frames=ArrayFrames(array))


def with_first(split: Split, tracklet: Tracklet) -> Split:
    return Split(split.name, [tracklet, *split.train[1:]], split.query, split.gallery)


@pytest.mark.parametrize(
    ("alter", "more", "message"),
    [
        (lambda s: s, {"size": (5, 5)}, r"size \[6, 4\], not \[5, 5\]"),
        (lambda s: s, {"form": "jpeg"}, "form 'decoded', not 'jpeg'"),
        (lambda s: replace(s, name="other"), {}, "split 'test', not 'other'"),
        (lambda s: replace(s, gallery=s.gallery[:-1]), {}, "tracklets 4, not 3"),
        (lambda s: with_first(s, replace(s.train[0], camera=8)), {}, "other tracklets or labels"),
        (lambda s: with_first(s, replace(s.train[0], name="x")), {}, "other tracklets or labels"),
        (lambda s: replace(s, gallery=s.gallery[::-1]), {}, "other tracklets or labels"),
        (lambda s: with_first(s, changed(s.train[0])), {}, "other frames"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_another_pack_in_its_place_is_refused(
    tmp_path: Path,
    whole: bool,
    alter: Callable[[Split], Split],
    more: dict[str, object],
    message: str,
) -> None:
    split = split_of([3, 2, 4, 5])
    out = quiet(split, tmp_path / "s") if whole else stopped(tmp_path, split)
    place = out if whole else tmp_path / "s.part"
    before = contents(place)
    with pytest.raises(DataError, match=message) as caught:
        quiet(alter(split), out, **more)
    assert str(place) in str(caught.value)
    assert contents(place) == before
    quiet(split, out)
    assert contents(out) == contents(quiet(split, tmp_path / "again"))


def test_other_attributes_are_refused(tmp_path: Path) -> None:
    first, *_ = split_of([3]).train
    one, other = (replace(first, attributes=np.full(3, v, np.float32)) for v in (0, 1))
    quiet(Split("s", [one]), tmp_path / "s")
    with pytest.raises(DataError, match="other tracklets or labels"):
        quiet(Split("s", [other]), tmp_path / "s")


def test_the_same_again_does_nothing(tmp_path: Path) -> None:
    split = split_of([3, 2])
    out = quiet(split, tmp_path / "s")
    times = [entry.stat().st_mtime_ns for entry in out.iterdir()]
    assert quiet(split, out) == out
    assert [entry.stat().st_mtime_ns for entry in out.iterdir()] == times
    (out / "frames.npy").write_bytes(b"short")
    with pytest.raises(DataError, match=r"frames\.npy has 5 bytes"):
        quiet(split, out)


def test_a_store_that_does_not_say_its_source_is_left_alone(tmp_path: Path) -> None:
    split = split_of([3, 2])
    out = quiet(split, tmp_path / "s")
    state = json.loads((out / "store.json").read_text())
    del state["source"]
    (out / "store.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match=r"store\.json does not say what it was packed from; remov"):
        quiet(split, out)


def test_a_changed_file_is_noticed_on_resuming(tmp_path: Path) -> None:
    split = files_split(tmp_path / "in", [3, 2])
    paths = [path for t in split.train for path in t.frames.paths]  # type: ignore[attr-defined]
    good = paths[-1].read_bytes()
    paths[-1].write_bytes(good[:60])
    with pytest.raises(DataError, match=r"1F001\.jpg is not a readable image.*keeps what was"):
        quiet(split, tmp_path / "s")
    paths[-1].write_bytes(good)  # a file that was not packed yet may be mended
    os.utime(paths[0], ns=(1, 1))
    with pytest.raises(DataError, match=r"s\.part was begun from other frames"):
        quiet(split, tmp_path / "s")
    paths[0].unlink()
    with pytest.raises(DataError, match=r"0F000\.jpg cannot be read"):
        quiet(split, tmp_path / "s", (12, 8))


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
@pytest.mark.parametrize("damage", ["short", "text", "missing"])
def test_a_corrupt_image_is_named_once_and_can_be_mended(
    tmp_path: Path, form: str, damage: str
) -> None:
    split = files_split(tmp_path / "in", [3, 2, 2])
    bad = tmp_path / "in" / "1F001.jpg"
    good = bad.read_bytes()
    if damage == "missing":
        bad.unlink()
    else:
        bad.write_bytes(good[: len(good) // 2] if damage == "short" else b"no picture")
    for _ in range(2):
        with pytest.raises(DataError, match=r"1F001\.jpg") as caught:
            quiet(split, tmp_path / "s", form=form)
        assert str(tmp_path / "s.part") in str(caught.value)
    assert not (tmp_path / "s").exists()
    bad.write_bytes(good)
    out = quiet(split, tmp_path / "s", form=form)
    assert contents(out) == contents(quiet(split, tmp_path / "w", form=form))


def test_a_source_that_cannot_be_read_is_no_full_disk(tmp_path: Path) -> None:
    class Broken(Counted):
        def read(self, indices: Sequence[int], size: Size | None = None) -> np.ndarray:
            raise OSError("input/output error")

    split = Split("s", [Tracklet(Broken(pixels(0, 2), []), 1, 1, name="tape 7")])
    with pytest.raises(DataError, match="'tape 7' cannot be read"):
        quiet(split, tmp_path / "s", (H, W))


def pack_to_a_full_disk(out: Path, told: Path) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    try:
        quiet(split_of([100, 300]), out)
    except OSError as error:
        told.write_text(str(error))


def test_a_disk_that_takes_no_more_keeps_the_part(tmp_path: Path) -> None:
    out, told = tmp_path / "s", tmp_path / "told"
    for _ in range(2):
        process = child(pack_to_a_full_disk, out, told)
        process.join()
        assert told.read_text().startswith(f"cannot write {out}: ")
        assert f"kept in {tmp_path / 's.part'}: free space" in told.read_text()
        told.unlink()
    assert not out.exists()
    split = split_of([100, 300])
    assert contents(quiet(split, out)) == contents(quiet(split, tmp_path / "w"))


def test_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"cannot write .*file/s: .*choose another place"):
        quiet(split_of([1]), tmp_path / "file" / "s")


@pytest.mark.parametrize("name", ["s", "s.part"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"is no store|which no pack wrote"):
        quiet(split_of([1]), tmp_path / "s")
    assert contents(tmp_path / name) == {"thesis.tex": b"years of work"}


def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("mine")
    with pytest.raises(DataError, match="is there already and is no store"):
        quiet(split_of([1]), tmp_path / "s")
    assert (tmp_path / "s").read_text() == "mine"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    assert len(open_store(quiet(split_of([1]), tmp_path / "s")).train) == 1


def test_two_packs_at_once(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    split = split_of([2, 2])

    class Again(Counted):
        def read(self, indices: Sequence[int], size: Size | None = None) -> np.ndarray:
            with pytest.raises(DataError, match="another pack is at work"):
                quiet(split, tmp_path / "s")
            return super().read(indices, size)

    log: list[int] = []
    quiet(Split("s", [Tracklet(Again(pixels(0, 2), log), 1, 1)]), tmp_path / "s", (H, W))
    assert log == [0, 1]


@pytest.mark.parametrize(
    "more", [{"form": "png"}, {"size": (0, 4)}, {"workers": 0}, {"workers": -1}]
)
def test_wrong_arguments(tmp_path: Path, more: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"form=.*size=.*workers="):
        quiet(split_of([1]), tmp_path / "s", **more)
    assert not list(tmp_path.iterdir())


def test_attributes_of_two_vocabularies(tmp_path: Path) -> None:
    a, b = split_of([1, 1, 1]).train
    labelled = [replace(t, attributes=np.ones(n, np.float32)) for t, n in ((a, 3), (b, 4))]
    with pytest.raises(DataError, match="3 and 4 attributes"):
        quiet(Split("s", labelled), tmp_path / "s")


# Damage --------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, whole_store: Path) -> Path:
    return Path(shutil.copytree(whole_store, tmp_path / "store"))


@pytest.fixture(scope="module", params=["decoded", "jpeg"])
def whole_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    split = split_of([3, 1, 7])
    labels = np.ones(len(NAMES), np.float32)
    first = replace(split.train[0], attributes=labels, truth=drawn(0, 3))
    out = tmp_path_factory.mktemp("whole") / "store"
    return quiet(with_first(split, first), out, form=request.param)


def test_every_file_is_missed_measured_and_compared(store: Path) -> None:
    names = [entry.name for entry in store.iterdir() if entry.name != "store.json"]
    assert len(names) >= 14
    for name in names:
        file = store / name
        good = file.read_bytes()
        file.unlink()
        with pytest.raises(DataError, match=rf"{name} is missing; .*pack again"):
            open_store(store)
        for length in (0, len(good) - 1, len(good) + 1):
            file.write_bytes((good + b"x")[:length])
            with pytest.raises(
                DataError, match=rf"{name} has {length:,} bytes, not {len(good):,}; "
            ):
                open_store(store)
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(DataError, match=rf"{name} is damaged \(its checksum differs\)"):
            open_store(store, verify=True)
        if not name.startswith(("frames", "mask", "parts", "visibility")):
            with pytest.raises(DataError, match=rf"{name} is damaged"):
                open_store(store)
        file.write_bytes(good)
    open_store(store, verify=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "is a store of version 2, this library reads version 1"),
        ({"kind": "else"}, "does not describe a store"),
        ({"whole": False}, "is not packed to its end; run the same pack again"),
        ({"files": None}, "is damaged"),
        ({"tracklets": 2}, "disagree on the number of tracklets"),
    ],
)
def test_a_wrong_description(store: Path, change: dict[str, object], message: str) -> None:
    state = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps({**state, **change}))
    with pytest.raises(DataError, match=message):
        open_store(store)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\xff"])
def test_a_damaged_description(store: Path, text: str) -> None:
    (store / "store.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"store\.json (is damaged|does not describe)"):
        open_store(store)


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        open_store(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"store\.json is missing"):
        open_store(tmp_path)


def test_no_pickle_is_opened(store: Path) -> None:
    """Not even one that carries the right length and checksum."""
    np.save(store / "camera.npy", np.array([{}] * 3, dtype=object), allow_pickle=True)
    data = (store / "camera.npy").read_bytes()
    state = json.loads((store / "store.json").read_text())
    state["files"]["camera.npy"] = {"bytes": len(data), "crc32": zlib.crc32(data)}
    (store / "store.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match="allow_pickle=False"):
        open_store(store)


def test_damaged_jpeg_bytes_are_named_when_read(tmp_path: Path) -> None:
    out = quiet(split_of([2, 1]), tmp_path / "s", form="jpeg")
    file = out / "frames.bin"
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(DataError, match=r"frames\.bin: frame 1 is damaged .* pack it again"):
        open_store(out).train[0].frames.read([1])


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
def test_what_lies_beyond_the_last_recorded_piece_is_cut_off(tmp_path: Path, form: str) -> None:
    split = split_of([3, 2, 4, 5])
    out = stopped(tmp_path, split, form)
    for file in (tmp_path / "s.part").glob("*.[nb]*"):
        file.write_bytes(file.read_bytes() + bytes(5000))
    assert contents(quiet(split, out, form=form)) == contents(
        quiet(split, tmp_path / "w", form=form)
    )


def test_stopped_while_the_index_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = split_of([3, 2])

    def full(source: str, target: Path) -> None:
        if json.loads(Path(source).read_text())["whole"]:
            raise OSError(28, "No space left on device")
        rename(source, target)

    rename = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match=r"No space left on device; .* is kept in"):
            quiet(split, tmp_path / "s")
    with pytest.raises(DataError, match="not packed to its end"):
        open_store(tmp_path / "s.part")
    out = quiet(split, tmp_path / "s")
    assert contents(out) == contents(quiet(split, tmp_path / "w"))


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    split = split_of([3, 2, 4])
    out = stopped(tmp_path, split)
    frames = tmp_path / "s.part" / "frames.npy"
    frames.write_bytes(frames.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"frames\.npy is shorter than was recorded; remove"):
        quiet(split, out)
    state = tmp_path / "s.part" / "store.json"
    state.write_text(
        json.dumps({k: v for k, v in json.loads(state.read_text()).items() if k != "files"})
    )
    with pytest.raises(DataError, match=r"store\.json is damaged; remove"):
        quiet(split, out)


def test_a_name_that_is_no_utf8_comes_back(tmp_path: Path) -> None:
    split = split_of([2])
    named = Split("x", [replace(split.train[0], name="\udcff.png")])
    assert open_store(quiet(named, tmp_path / "s")).train[0].name == "\udcff.png"


def test_grey_jpeg_files_come_back_in_colour(tmp_path: Path) -> None:
    path = tmp_path / "grey.jpg"
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(path)
    split = Split("x", [Tracklet(FileFrames((path,)), 1, 1, "grey")])
    out = open_store(quiet(split, tmp_path / "s", None, "jpeg")).train[0].frames.read([0])
    assert out.shape == (1, 3, 8, 8)
