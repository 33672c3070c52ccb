"""iLIDS-VID: folders with gaps in their numbers, the ten splits, and everything broken in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image
from tiny_layouts import pairs, two_camera_split

from w3an_lite.data.ilids_vid import SPLITS, read_ilids_vid
from w3an_lite.data.tracklet import DataError, Split
from w3an_lite.data.writers import write_layout

PEOPLE = [1, 3, 4, 8, 19, 319]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    test = pairs(PEOPLE[::2])
    split = Split("tiny", pairs(PEOPLE[1::2]), test, test)
    return write_layout(split, "ilids-vid", tmp_path_factory.mktemp("i") / "i", progress=False)


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "i"))


def opened(root: Path, protocol: str = "ilids-vid/split-0") -> Split:
    return read_ilids_vid(root, protocol, official=False)


def splits(root: Path, rows: object, variable: str = "ls_set") -> None:
    scipy.io.savemat(root / SPLITS, {variable: rows})


def test_the_first_half_of_a_row_is_searched(root: Path) -> None:
    splits(root, [[6, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]])
    first = opened(root)
    assert first.name == "ilids-vid(unofficial)/split-0"
    # Positions in the sorted list of folders, not the folders' numbers.
    assert [t.identity for t in first.query] == [1, 3, 319]
    assert [t.identity for t in first.gallery] == [1, 3, 319]
    assert [t.identity for t in first.train] == [4, 4, 8, 8, 19, 19]
    assert {t.camera for t in first.query} == {1}
    assert {t.camera for t in first.gallery} == {2}
    assert [t.camera for t in first.train] == [1, 2] * 3
    assert [t.identity for t in opened(root, "ilids-vid/split-1").query] == [1, 3, 4]


def test_an_odd_number_of_people_leaves_one_more_to_train(root: Path) -> None:
    for camera in ("cam1", "cam2"):
        shutil.rmtree(root / "i-LIDS-VID" / "sequences" / camera / "person319")
    splits(root, [[5, 4, 3, 2, 1]])
    split = opened(root)
    assert [t.identity for t in split.query] == [8, 19]
    assert len(split.train) == 6


def test_random_halves_need_no_split_file(root: Path) -> None:
    (root / SPLITS).unlink()
    split = opened(root, "ilids-vid/random-half-9")
    assert split.name == "ilids-vid(unofficial)/random-half-9"
    assert len(split.query) == 3


def test_three_hundred_people_are_demanded_unless_waived(written: Path) -> None:
    with pytest.raises(DataError, match=r"people under both cameras: found 6, .* has 300"):
        read_ilids_vid(written)


def test_the_official_size_is_accepted(tmp_path: Path) -> None:
    """300 people with one frame each; the pixels do not matter."""
    pixel = tmp_path / "pixel.png"
    Image.new("RGB", (1, 1)).save(pixel)
    for camera in (1, 2):
        for person in range(1, 301):
            folder = tmp_path / f"i-LIDS-VID/sequences/cam{camera}/person{person:03d}"
            folder.mkdir(parents=True)
            (folder / f"cam{camera}_person{person:03d}_00001.png").symlink_to(pixel)
    (tmp_path / SPLITS).parent.mkdir()
    rows = np.array([np.random.default_rng(k).permutation(300) + 1 for k in range(10)])
    splits(tmp_path, rows.astype(np.uint16))
    split = read_ilids_vid(tmp_path, "ilids-vid/split-7")
    assert split.name == "ilids-vid/split-7"
    assert {t.identity for t in split.query} == set(rows[7, :150].tolist())
    assert [len(split.train), len(split.query), len(split.gallery)] == [300, 150, 150]
    with pytest.raises(DataError, match="holds 10 splits"):
        read_ilids_vid(tmp_path, "ilids-vid/split-10")


ORDER = list(range(1, 7))
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing splits": (lambda r: (r / SPLITS).unlink(), r"ilidsvid\.mat is missing; get it from"),
    "missing camera": (
        lambda r: shutil.rmtree(r / "i-LIDS-VID/sequences/cam2"), "cam2 is missing; get it from"),
    "nobody": (
        lambda r: [shutil.rmtree(p) for p in (r / "i-LIDS-VID/sequences/cam1").iterdir()],
        "holds no folder person001"),
    "one camera only": (
        lambda r: shutil.rmtree(r / "i-LIDS-VID/sequences/cam1/person008"),
        r"person008 has a folder under one camera only \(1 such\)"),
    "no frames": (
        lambda r: [p.unlink() for p in (r / "i-LIDS-VID/sequences/cam1/person008").iterdir()],
        r"person008 holds no \.png frame"),
    "wrong shape": (lambda r: splits(r, [ORDER[:-1]]), r"shape \[1, 5\], not \[n, 6\]"),
    "missing variable": (lambda r: splits(r, [ORDER], "x"), "holds x and no ls_set"),
    "unknown person": (lambda r: splits(r, [[1, 2, 3, 4, 5, 7]]), "split 0 names person 7 where 6"),
    "in both halves": (
        lambda r: splits(r, [ORDER, [1, 2, 3, 3, 5, 6]]),
        "split 1 names person 3 where 4 .* in both halves"),
    "no shuffle": (lambda r: splits(r, [[0, 1, 2, 3, 4, 5]]), "split 0 names person 0 where 1"),
    "no mat": (lambda r: (r / SPLITS).write_text("x"), "is not a readable .mat file"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_has_its_own_error(root: Path, damage: str) -> None:
    do, message = DAMAGE[damage]
    opened(root)
    do(root)
    with pytest.raises(DataError, match=message):
        opened(root)


def test_one_person_cannot_be_halved(tmp_path: Path) -> None:
    write_layout(two_camera_split(2), "ilids-vid", tmp_path / "i", progress=False)
    for camera in ("cam1", "cam2"):
        shutil.rmtree(tmp_path / "i" / "i-LIDS-VID" / "sequences" / camera / "person002")
    splits(tmp_path / "i", [[1]])
    with pytest.raises(DataError, match="names nobody for one half"):
        opened(tmp_path / "i")


def test_unknown_protocols(written: Path) -> None:
    for protocol in ("ilids-vid", "mars/official", "ilids-vid/split-10", "ilids-vid/split-a"):
        with pytest.raises(DataError, match=f"protocol '{protocol}'"):
            opened(written, protocol)
