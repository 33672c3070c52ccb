"""PRID2011: the 200, the 178, the standard splits, and everything broken in them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_layouts import two_camera_split

from w3an_lite.data.layout import ListedFrames
from w3an_lite.data.prid2011 import read_prid2011, read_split
from w3an_lite.data.tracklet import DataError, Split
from w3an_lite.data.writers import write_layout

SHARED = os.environ.get("W3AN_SHARED_DATA")
JSON = Path(SHARED or "") / "prid2011" / "splits_prid2011.json"
needs_splits = pytest.mark.skipif(
    not SHARED or not JSON.is_file(),
    reason="W3AN_SHARED_DATA names no folder with prid2011/splits_prid2011.json",
)
NAME = "splits_prid2011.json"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("p") / "p"
    return write_layout(two_camera_split(6), "prid2011", folder, progress=False)


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "p"))


def opened(root: Path, protocol: str = "prid2011/178/split-0") -> Split:
    return read_prid2011(root, protocol, official=False)


def people(split: Split) -> tuple[list[int], list[int]]:
    return sorted({t.identity for t in split.train}), [t.identity for t in split.query]


def everybody(split: Split) -> list[int]:
    train, query = people(split)
    return sorted(train + query)


def splits(root: Path, train: object, test: object) -> None:
    (root / NAME).write_text(json.dumps([{"train": train, "test": test}]))


def named(*numbers: int) -> list[str]:
    return [f"person_{n:04d}" for n in numbers]


def official(root: Path, few: list[int]) -> None:
    """The folders of the official size; all people have 27 frames, `few` one less under one camera.

    Only the shared people's frames are ever listed, and no pixel is read.
    """
    for camera, count in (("cam_a", 385), ("cam_b", 749)):
        for person in range(1, count + 1):
            folder = root / "multi_shot" / camera / f"person_{person:04d}"
            folder.mkdir(parents=True)
            if person <= 200:
                less = person in few and (camera == "cam_a") == bool(person % 2)
                for k in range(26 if less else 27):
                    (folder / f"{k + 1:04d}.png").touch()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("full")
    standard = read_split(JSON, 0) if JSON.is_file() and SHARED else None
    kept = standard[0] | standard[1] if standard else set(range(1, 179))
    official(root, [p for p in range(1, 201) if p not in kept])
    return root


def test_the_split_of_the_file_and_who_is_left_out(root: Path) -> None:
    assert people(opened(root)) == ([1, 2, 3], [4, 5, 6])
    splits(root, named(1, 5), named(2, 3))
    split = opened(root)
    assert split.name == "prid2011/178(unofficial)/split-0"
    assert people(split) == ([1, 5], [2, 3])
    assert [(t.identity, t.camera) for t in split.gallery] == [(2, 2), (3, 2)]
    assert {t.camera for t in split.query} == {1}
    elsewhere = (root / NAME).rename(root / "other.json")
    again = read_prid2011(root, splits=elsewhere, official=False)
    assert people(again) == ([1, 5], [2, 3])


def test_people_beyond_200_are_others_and_are_left_out(root: Path) -> None:
    for camera, number in (("cam_a", 201), ("cam_b", 201), ("cam_b", 700)):
        shutil.copytree(
            root / "multi_shot" / camera / "person_0001",
            root / "multi_shot" / camera / f"person_{number:04d}",
        )
    split = opened(root, "prid2011/200/random-half-0")
    assert everybody(split) == [1, 2, 3, 4, 5, 6]


def test_too_few_frames_leave_the_178_but_not_the_200(root: Path) -> None:
    (root / "multi_shot" / "cam_b" / "person_0002" / "0003.png").unlink()
    few = read_prid2011(root, "prid2011/178/random-half-0", official=False, min_frames=3)
    assert everybody(few) == [1, 3, 4, 5, 6]
    every = read_prid2011(root, "prid2011/200/random-half-0", official=False, min_frames=3)
    assert everybody(every) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(DataError, match=r"person_0002 is not among both .* the 5 with at least 3"):
        read_prid2011(root, official=False, min_frames=3)


def test_official_counts_are_demanded_unless_waived(written: Path) -> None:
    with pytest.raises(DataError, match=r"people under camera a: found 6, the official .* has 385"):
        read_prid2011(written)


def test_random_halves_of_the_official_size(full: Path) -> None:
    for count in (178, 200):
        split = read_prid2011(full, f"prid2011/{count}/random-half-3")
        assert split.name == f"prid2011/{count}/random-half-3"
        assert [len(split.train), len(split.query), len(split.gallery)] == [
            count, count // 2, count // 2
        ]  # fmt: skip


@needs_splits
def test_the_ten_standard_splits(full: Path) -> None:
    for number in range(10):
        split = read_prid2011(full, f"prid2011/178/split-{number}", splits=JSON)
        train, test = people(split)
        assert (len(train), len(test), set(train) & set(test)) == (89, 89, set())
        assert split.name == f"prid2011/178/split-{number}"
    with pytest.raises(DataError, match="holds a list of 10 splits and no number 10"):
        read_prid2011(full, "prid2011/178/split-10", splits=JSON)


@needs_splits
def test_splits_that_miss_one_of_the_178(full: Path, tmp_path: Path) -> None:
    content = json.loads(JSON.read_text())
    left = content[0]["train"].pop()
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"{left} is not among both"):
        read_prid2011(full, splits=tmp_path / "x.json")


def test_a_frame_too_few_leaves_177(full: Path) -> None:
    long = read_prid2011(full, "prid2011/178/random-half-0").train[0].frames
    assert isinstance(long, ListedFrames)
    long.paths[-1].unlink()
    try:
        with pytest.raises(DataError, match=r"with 27 frames .*: found 177, .* has 178"):
            read_prid2011(full, "prid2011/200/random-half-0")
    finally:
        long.paths[-1].touch()


def _write(text: str) -> Callable[[Path], object]:
    return lambda root: (root / NAME).write_text(text)


def _splits(train: object, test: object) -> Callable[[Path], object]:
    return lambda root: splits(root, train, test)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing splits": (lambda r: (r / NAME).unlink(), r"json is missing; get it from https://kai"),
    "missing camera": (
        lambda r: shutil.rmtree(r / "multi_shot/cam_b"), "cam_b is missing; get it from https"),
    "one camera only": (
        lambda r: shutil.rmtree(r / "multi_shot/cam_b/person_0002"),
        "person_0002 has one folder under one camera only"),
    "unsorted frames": (
        lambda r: (r / "multi_shot/cam_b/person_0002/2.png").touch(),
        r"0003\.png and 2\.png are duplicated or unsorted"),
    "no JSON": (_write("{"), "is not JSON"),
    "no list": (_write("{}"), "holds a list of 0 splits and no number 0"),
    "no halves": (_write("[1]"), "split 0 names nobody for train"),
    "nobody": (_splits(named(1), []), "split 0 names nobody for test"),
    "both halves": (_splits(named(1, 2), named(2, 3)), r"person_0002 is in both halves \(1 such\)"),
    "unknown person": (_splits(named(1), named(7)), r"person_0007 is not among .* \(1 such\)"),
    "twice": (_splits(named(1, 1), named(2)), "names a person twice for train"),
    "leaves the root": (_splits(["../../x"], named(2)), r"names '\.\./\.\./x', not a person"),
    "no name": (_splits([3], named(2)), "names 3, not a person"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_has_its_own_error(root: Path, damage: str) -> None:
    do, message = DAMAGE[damage]
    opened(root)
    do(root)
    with pytest.raises(DataError, match=message):
        opened(root)


def test_unknown_protocols(written: Path) -> None:
    for protocol in ("prid2011", "prid2011/200/split-0", "prid2011/178/split-x"):
        with pytest.raises(DataError, match=f"protocol '{protocol}'"):
            opened(written, protocol)


def test_a_split_file_that_lacks_one_of_the_178(tmp_path: Path) -> None:
    from test_prid2011 import official

    official(tmp_path, list(range(179, 201)))
    content = [{"train": named(*range(1, 90)), "test": named(*range(90, 178))}]
    (tmp_path / "splits_prid2011.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="person_0178 is not among both"):
        read_prid2011(tmp_path)


def test_a_split_is_found_by_its_number(tmp_path: Path) -> None:
    root = write_layout(two_camera_split(6), "prid2011", tmp_path / "p", progress=False)
    a, b = named(1, 2, 3), named(4, 5, 6)
    content = [{"train": a, "test": b}, {"train": b, "test": a}]
    (root / "splits_prid2011.json").write_text(json.dumps(content))
    split = read_prid2011(root, "prid2011/178/split-1", official=False)
    assert [t.identity for t in split.query] == [1, 2, 3]
