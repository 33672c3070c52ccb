"""MARS: the real index if it is there, a tiny one in the same layout, and all that can break."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from tiny_layouts import same, tracklet

from w3an_lite.data import mars_index
from w3an_lite.data.layout import ListedFrames, load_matrix
from w3an_lite.data.mars import PROTOCOLS, read_mars
from w3an_lite.data.mars_writer import mars_names, write_mars_index
from w3an_lite.data.splits import without_mate
from w3an_lite.data.tracklet import DISTRACTOR, JUNK, DataError, Split
from w3an_lite.data.writers import write_layout

SHARED = os.environ.get("W3AN_SHARED_DATA")
needs_index = pytest.mark.skipif(
    not SHARED or not (Path(SHARED) / "mars_info").is_dir(),
    reason="W3AN_SHARED_DATA names no folder with MARS's official index (mars_info)",
)


def tiny() -> Split:
    """Junk, distractors, people 1 and 4 to train and 2 and 7 to ask for, two tracklets a camera."""
    train = [tracklet(p, c, 2 + k, k) for p in (1, 4) for c in (1, 3) for k in (0, 1)]
    test = [tracklet(JUNK, 2, 2), tracklet(DISTRACTOR, 1, 3), tracklet(DISTRACTOR, 2, 1)]
    test += [tracklet(p, c, 2 + k, k) for p in (2, 7) for c in (1, 3) for k in (0, 1)]
    return Split("tiny", train, [t for t in test if t.identity > 0][::2], test)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_layout(tiny(), "mars", tmp_path_factory.mktemp("m") / "mars", progress=False)


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    """A copy of the tiny set, to break."""
    return Path(shutil.copytree(written, tmp_path / "mars"))


def opened(root: Path, protocol: str = PROTOCOLS[0], files: str = "listed") -> Split:
    return read_mars(root, protocol, official=False, files=files)


def test_the_galleries_of_the_three_protocols(written: Path) -> None:
    drawn = tiny()
    everybody = [t for t in drawn.gallery if t.identity != JUNK]
    asked = {id(t) for t in drawn.query}
    for protocol, gallery in (
        ("mars/official", drawn.gallery),
        ("mars/gallery-with-queries", everybody),
        ("mars/gallery-without-queries", [t for t in everybody if id(t) not in asked]),
    ):
        split = opened(written, protocol)
        assert split.name == protocol.replace("mars", "mars(unofficial)")
        for got, wanted in (
            (split.train, drawn.train),
            (split.query, drawn.query),
            (split.gallery, gallery),
        ):
            assert len(got) == len(wanted)
            assert all(same(a, b, pixels=False) for a, b in zip(got, wanted, strict=True))


def test_names_folders_and_pixels(written: Path) -> None:
    split = opened(written, "mars/official")
    first, junk = split.train[1], split.gallery[0]
    assert first.name == "0001C1T0002"
    assert isinstance(first.frames, ListedFrames)
    assert first.frames.paths[2] == written / "bbox_train" / "0001" / "0001C1T0002F003.jpg"
    assert isinstance(junk.frames, ListedFrames)
    assert junk.frames.paths[0] == written / "bbox_test" / "00-1" / "00-1C2T0001F001.jpg"
    assert first.frames.read([0, 2], (16, 8)).shape == (2, 3, 16, 8)


def test_a_random_half_mixes_both_parts_and_keeps_distractors(written: Path) -> None:
    split = opened(written, "mars/random-half-4")
    assert split.name == "mars(unofficial)/random-half-4"
    people = {t.identity for t in split.train} | {t.identity for t in split.query}
    assert people == {1, 2, 4, 7}
    assert len({t.identity for t in split.train}) == 2
    assert sum(t.identity == DISTRACTOR for t in split.gallery) == 2
    assert all(t.identity != JUNK for t in split.gallery + split.train)


def test_official_counts_are_demanded_unless_waived(written: Path) -> None:
    with pytest.raises(DataError, match=r"train identities: found 2, the official set has 625"):
        read_mars(written)


def _drop(path: str) -> Callable[[Path], object]:
    return lambda root: (root / path).unlink()


def _lines(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], object]:
    def apply(root: Path) -> None:
        path = root / "info" / f"{name}_name.txt"
        path.write_text("\n".join(change(path.read_text().split())) + "\n")

    return apply


def _mat(name: str, variable: str, change: Callable[[np.ndarray], object]) -> Callable[..., object]:
    def apply(root: Path) -> None:
        path = root / "info" / f"{name}.mat"
        scipy.io.savemat(path, {variable: change(load_matrix(path, variable))})

    return apply


def _set(row: int, column: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def apply(rows: np.ndarray) -> np.ndarray:
        rows[row, column] = value
        return rows

    return apply


def _train(change: Callable[[np.ndarray], object]) -> Callable[..., object]:
    return _mat("tracks_train_info", "track_train_info", change)


def _test(change: Callable[[np.ndarray], object]) -> Callable[..., object]:
    return _mat("tracks_test_info", "track_test_info", change)


def _query(change: Callable[[np.ndarray], object]) -> Callable[..., object]:
    return _mat("query_IDX", "query_IDX", change)


DAMAGE = {
    "missing list": (_drop("info/train_name.txt"), r"train_name\.txt is missing; get it from http"),
    "missing mat": (_drop("info/query_IDX.mat"), r"query_IDX\.mat is missing; get it from http"),
    "missing folder": (lambda r: shutil.rmtree(r / "bbox_test"), r"bbox_test is missing; get it"),
    "missing person": (
        lambda r: shutil.rmtree(r / "bbox_train" / "0004"), r"0004 is missing \(1 folders"),
    "list longer than folder": (
        _drop("bbox_train/0001/0001C1T0001F001.jpg"),
        r"0001: the list is longer than the folder: 1 listed .* \(first 0001C1T0001F001\.jpg\)"),
    "list shorter than folder": (
        lambda r: (r / "bbox_test" / "0007" / "0007C1T0009F001.jpg").touch(),
        r"0007: the list is shorter than the folder: 0 listed frames are missing, 1 are not"),
    "list longer than index": (
        _lines("train", lambda n: [*n, "0004C3T0004F004.jpg"]), "longer than its index: 21 names"),
    "list shorter than index": (_lines("test", lambda n: n[:-1]), "shorter than its index: 25"),
    "duplicated frame": (
        _lines("train", lambda n: [n[0], n[0], *n[2:]]), "line 2: duplicated or unsorted frames"),
    "unsorted frames": (
        _lines("train", lambda n: [n[1], n[0], *n[2:]]), "line 2: duplicated or unsorted frames"),
    "duplicate far apart": (
        _lines("train", lambda n: [*n[:2], *n[:2], *n[4:]]),
        r"0001C1T0001F001\.jpg is there twice: duplicated frames"),
    "leaves the root": (
        _lines("test", lambda n: [n[0], "../../../../secret.jpg", *n[2:]]), "may leave the data"),
    "name of another person": (
        _lines("test", lambda n: [*n[:-1], "0009C3T0004F003.jpg"]),
        r"line 26 is '0009C3T0004F003\.jpg', but tracklet 11 .* is identity 7, camera 3"),
    "wrong shape": (_train(lambda a: a[:, :3]), r"has the shape \[8, 3\], not \[n, 4\]"),
    "empty": (_train(lambda a: a[:0]), r"has the shape \[0, \d\]"),
    "overlap": (_train(_set(1, 0, 2)), "tracklet 2 runs from frame 2 to 5 and does not follow"),
    "backwards": (_train(lambda a: a[[1, 0, *range(2, 8)]]), "tracklet 1 runs from frame 3 to 5"),
    "identity out of range": (_test(_set(0, 2, -2)), "identities run from -1 to 9999"),
    "camera out of range": (_test(_set(0, 3, 10)), "cameras from 1 to 9"),
    "query too far": (_query(lambda a: a + 8), "do not fit the 11 test tracklets"),
    "query zero": (_query(lambda a: a * 0), "do not fit the 11 test tracklets"),
    "query twice": (_query(lambda a: a[:, [0, 0, 1, 2]]), "3 different of 4"),
    "query junk": (_query(lambda a: a * 0 + np.arange(1, 5)), "asks for junk or a distractor"),
    "query nobody": (_query(lambda a: a[:, :0]), r"query_IDX has the shape \[\d, 0\]"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_has_its_own_error(root: Path, damage: str) -> None:
    do, message = DAMAGE[damage]
    opened(root)
    do(root)
    with pytest.raises(DataError, match=message):
        opened(root)


def test_a_row_of_two_tracklets_by_their_names_is_told(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened(root)
    assert not caplog.records
    _train(lambda a: _set(1, 0, 2)(_set(0, 1, 1)(a)))(root)
    opened(root)
    assert (
        "tracklet 2 runs from frame 2 to 5, but these are '0001C1T0001F002.jpg' and "
        "'0001C1T0002F003.jpg' of train_name.txt, of two tracklets by their names (1 such)"
    ) in caplog.text


def test_a_folder_that_is_a_file_is_named(root: Path) -> None:
    shutil.rmtree(root / "bbox_test")
    (root / "bbox_test").touch()
    with pytest.raises(DataError, match=r"bbox_test cannot be listed \(Not a directory\); unpack"):
        opened(root)


def test_a_missing_variable_is_named(root: Path) -> None:
    scipy.io.savemat(root / "info" / "query_IDX.mat", {"other": [[1]]})
    with pytest.raises(DataError, match=r"query_IDX\.mat holds other and no query_IDX"):
        opened(root)


def test_nothing_at_the_root(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is missing; get it from http"):
        opened(tmp_path / "nowhere")


def test_an_identity_in_both_halves_and_junk_to_train_on(tmp_path: Path) -> None:
    rows = np.array([[1, 2, 3, 1], [3, 3, 3, 2]])
    write_mars_index(tmp_path / "info", rows, rows, [0])
    with pytest.raises(DataError, match="identity 3 is in both halves"):
        opened(tmp_path)
    write_mars_index(tmp_path / "info", np.array([[1, 2, 0, 1]]), rows, [0])
    with pytest.raises(DataError, match="junk or distractors to train on"):
        opened(tmp_path)


def test_what_is_looked_at_is_chosen(root: Path) -> None:
    (root / "bbox_train" / "0001" / "0001C1T0001F001.jpg").unlink()
    opened(root, files="folders")
    shutil.rmtree(root / "bbox_train")
    split = opened(root, files="unchecked")
    with pytest.raises(DataError, match=r"0001C1T0001F001\.jpg is missing"):
        split.train[0].frames.read([0])
    with pytest.raises(DataError, match="one of 'unchecked', 'folders', 'listed'"):
        opened(root, files="all")


def test_unknown_protocols(written: Path) -> None:
    for protocol in ("mars", "mars/gallery", "mars/random-half-x", "prid2011/178/split-0"):
        with pytest.raises(DataError, match=f"protocol '{protocol}'"):
            opened(written, protocol)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official .mat files with name lists and empty folders made to fit them."""
    root = tmp_path_factory.mktemp("real")
    (root / "info").mkdir()
    for part in ("train", "test"):
        mat = Path(SHARED or "") / "mars_info" / f"tracks_{part}_info.mat"
        (root / "info" / mat.name).symlink_to(mat)
        rows = load_matrix(mat, f"track_{part}_info", 4)
        with (root / "info" / f"{part}_name.txt").open("w") as file:
            file.writelines("\n".join(names) + "\n" for names in mars_names(rows))
        for identity in np.unique(rows[:, 2]).tolist():
            (root / f"bbox_{part}" / mars_index.folder_code(identity)).mkdir(parents=True)
    query = Path(SHARED or "") / "mars_info" / "query_IDX.mat"
    (root / "info" / query.name).symlink_to(query)
    return root


@needs_index
@pytest.mark.parametrize(
    ("protocol", "gallery", "mateless"),
    [
        ("mars/gallery-without-queries", 9_330, 140),
        ("mars/gallery-with-queries", 11_310, 0),
        ("mars/official", 12_180, 0),
    ],
)
def test_the_real_index(real: Path, protocol: str, gallery: int, mateless: int) -> None:
    split = read_mars(real, protocol)
    assert split.name == protocol
    assert len({t.identity for t in split.train}) == 625
    assert [len(split.train), len(split.query), len(split.gallery)] == [8_298, 1_980, gallery]
    assert sum(t.identity == DISTRACTOR for t in split.gallery) == 3_248
    junk = sum(t.identity == JUNK for t in split.gallery)
    assert junk == (870 if protocol == "mars/official" else 0)
    assert without_mate(split) == mateless


@needs_index
def test_the_real_attributes_join_exactly(real: Path) -> None:
    table = Path(SHARED or "") / "mars_attributes" / "mars_attributes.csv"
    split = read_mars(real, "mars/official", attributes=table)
    tracklets = split.train + split.gallery
    people = [t for t in tracklets if t.identity > DISTRACTOR]
    assert len(people) == 16_360
    assert all(t.attributes is not None for t in people)
    assert all(t.attributes is None for t in tracklets if t.identity <= DISTRACTOR)


@needs_index
def test_random_halves_of_the_real_index(real: Path) -> None:
    split = read_mars(real, "mars/random-half-0")
    people = [len({t.identity for t in part}) for part in (split.train, split.query)]
    assert sum(people) == 625 + 634
    assert abs(people[0] - people[1]) == 1


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (_query(lambda a: a + 2), "do not fit the 11 test tracklets"),
        (_query(lambda a: a * 0 + np.arange(2, 9, 2)), "asks for junk or a distractor"),
        (_train(lambda a: _set(0, 1, 0)(_set(1, 0, 1)(a))), "tracklet 1 runs from frame 1 to 0"),
        (_lines("test", lambda n: [*n[:6], "0009C1T0001F001.jpg", *n[7:]]),
         r"line 7 is '0009C1T0001F001\.jpg', but tracklet 4 .* is identity 2, camera 1"),
        (_test(_set(10, 2, 10_000)), "identities run from -1 to 9999, cameras from 1 to 9"),
        (_test(_set(10, 3, 0)), "identities run from -1 to 9999, cameras from 1 to 9"),
        (_train(_set(0, 0, 2)), "tracklet 1 runs from frame 2 to 2 and does not follow"),
    ],
    ids=["far", "distractor", "empty", "line", "identity", "camera", "start"],
)  # fmt: skip
def test_more_damage(root: Path, do: Any, message: str) -> None:
    do(root)
    with pytest.raises(DataError, match=message):
        opened(root)


def test_nine_cameras_and_people_in_any_order(tmp_path: Path) -> None:
    test = [tracklet(p, c, seed=k) for p in (7, 2) for k, c in enumerate((1, 9))]
    split = Split("x", [tracklet(4, 9), tracklet(1, 9)], test[::2], test)
    read = opened(write_layout(split, "mars", tmp_path / "m", progress=False))
    assert [(t.identity, t.camera) for t in read.train] == [(4, 9), (1, 9)]


def test_folders_are_looked_at_unless_it_is_waived(root: Path) -> None:
    shutil.rmtree(root / "bbox_train" / "0004")
    with pytest.raises(DataError, match=r"0004 is missing \(1 folders"):
        read_mars(root, official=False)


def test_what_is_counted() -> None:
    """Junk and distractors are nobody; a distractor's tracklets are no junk."""
    names = np.array([b"x"] * 5)
    train = np.array([[1, 1, 3, 1], [2, 3, 3, 2]])
    who = [JUNK, JUNK, DISTRACTOR, 1, 2, 2, 4]
    test = np.array([[k + 1, k + 1, person, 1] for k, person in enumerate(who)])
    index = mars_index.MarsIndex(names[:3], train, names, test, np.array([3, 4, 6]))
    assert index.counts() == {
        "train identities": 1, "train tracklets": 2, "train frames": 3, "test identities": 3,
        "test tracklets": 7, "test frames": 5, "junk tracklets": 2, "distractor tracklets": 1,
        "queries": 3,
    }  # fmt: skip
    assert list(index.counts()) == list(mars_index.OFFICIAL)


def test_two_tracklets_of_the_test_in_one_row_are_told_too(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened(root)
    _test(lambda a: _set(4, 0, 8)(_set(3, 1, 7)(a)))(root)
    opened(root)
    assert "tracks_test_info.mat: tracklet 5 runs from frame 8 to" in caplog.text
    assert "of two tracklets by their names (1 such)" in caplog.text


def test_a_frame_under_another_name_is_missing_first_of_all(root: Path) -> None:
    folder = root / "bbox_train" / "0001"
    (folder / "0001C1T0001F001.jpg").rename(folder / "0001C1T0000F001.jpg")
    with pytest.raises(
        DataError, match=r"1 listed .* 1 are not in the list \(first 0001C1T0001F001\.jpg\)"
    ):
        opened(root)


def test_tracklets_of_a_person_in_any_order(tmp_path: Path) -> None:
    """Camera 9 before camera 1, another person in between."""
    train = [tracklet(4, 9), tracklet(1, 1), tracklet(4, 1)]
    test = [tracklet(p, c) for p in (2, 7) for c in (1, 3)]
    root = write_layout(Split("x", train, test[::2], test), "mars", tmp_path / "m", progress=False)
    assert [(t.identity, t.camera) for t in opened(root).train] == [(4, 9), (1, 1), (4, 1)]
