"""Labels go out as CSV and come back as `Tracklet.attributes`, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_layouts import tracklet, two_camera_split

from w3an_lite.data.attribute_file import (
    HEADER,
    attribute_rows,
    label_split,
    read_attribute_file,
    with_attributes,
)
from w3an_lite.data.attributes import NAMES
from w3an_lite.data.tracklet import DataError, Split, Tracklet
from w3an_lite.files import write_rows


def named(count: int) -> list[Tracklet]:
    return [Tracklet(tracklet(1, 1).frames, 1, 1, f"t{k}") for k in range(count)]


def some(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, len(NAMES))).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "labels.csv"
    write_rows(attribute_rows(named(3), some(3)), file)
    return file


@given(st.integers(1, 4), st.integers(0, 99))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, n: int, seed: int
) -> None:
    path, p = tmp_path_factory.mktemp("csv") / "a.csv", some(n, seed)
    write_rows(attribute_rows(named(n), p), path)
    labelled = with_attributes(named(n), path)
    np.testing.assert_allclose([t.attributes for t in labelled], p, atol=6e-5)
    bits = with_attributes(named(n), path, "binary")
    assert np.array_equal([t.attributes for t in bits], p >= 0.5)


def test_the_layout_is_the_promised_one(path: Path) -> None:
    head, first, *_ = path.read_text().splitlines()
    assert head == ",".join(HEADER)
    assert head.startswith("tracklet,Female_p,AgeLess16_p,")
    assert head.endswith("attach-HandTrunk,attach-Other")
    assert first.split(",")[0] == "t0"
    assert len(first.split(",")) == 1 + 2 * 67


def test_the_rest_of_a_tracklet_stays(path: Path) -> None:
    before = named(3)
    after = with_attributes(before, path)
    assert [(t.name, t.identity, t.camera) for t in after] == [
        (t.name, t.identity, t.camera) for t in before
    ]
    assert all(a.frames is b.frames for a, b in zip(after, before, strict=True))
    assert all(a.attributes is not None and a.attributes.dtype == np.float32 for a in after)
    assert before[0].attributes is None


def test_missing_and_unknown_tracklets_are_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"no row for t3 \(1 of 4"):
        with_attributes(named(4), path)
    with pytest.raises(DataError, match="t2, which is not among the 2"):
        with_attributes(named(2), path)
    assert len(with_attributes(named(2), path, more=True)) == 2


def test_a_split_keeps_its_queries_in_its_gallery(tmp_path: Path) -> None:
    made = two_camera_split(6)
    tracklets = made.train + made.gallery
    named = {
        id(t): Tracklet(t.frames, t.identity, t.camera, f"n{k}") for k, t in enumerate(tracklets)
    }
    train, query, gallery = ([named[id(t)] for t in half] for half in (
        made.train, made.query, made.gallery))  # fmt: skip
    split = Split("tiny", train, query, gallery)
    write_rows(attribute_rows(train + gallery, some(len(tracklets))), tmp_path / "a.csv")
    labelled = label_split(split, tmp_path / "a.csv", "binary")
    assert labelled.name == "tiny"
    assert {id(t) for t in labelled.query} <= {id(t) for t in labelled.gallery}
    assert [t.name for t in labelled.gallery] == [t.name for t in gallery]
    assert all(t.attributes is not None for t in labelled.train + labelled.gallery)


def test_names_must_tell_the_tracklets_apart(path: Path) -> None:
    with pytest.raises(DataError, match="'t0' twice"):
        attribute_rows([*named(1), *named(1)], some(2))
    with pytest.raises(DataError, match="have no name"):
        with_attributes([tracklet(1, 1)], path, more=True)


@pytest.mark.parametrize("p", [np.zeros((1, 3)), np.full((1, 67), 1.5), np.full((1, 67), np.nan)])
def test_what_is_no_probability_is_not_written(p: np.ndarray) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        attribute_rows(named(1), p)


def test_values_are_one_of_two(path: Path) -> None:
    with pytest.raises(DataError, match="probability or binary"):
        read_attribute_file(path, "odds")


def _line(path: Path, number: int, change: tuple[int, str]) -> None:
    lines = path.read_text().splitlines()
    cells = lines[number].split(",")
    cells[change[0]] = change[1]
    lines[number] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (0, (0, "name"), "does not begin with the 135 columns"),
        (2, (1, "x"), "line 3: could not convert"),
        (2, (1, "1.5"), "line 3 holds a value"),
        (2, (1, "nan"), "line 3 holds a value"),
        (2, (100, "0.5"), "line 3 holds a value"),
        (2, (0, "t0"), "line 3: t0 is there twice"),
        (2, (0, ""), "line 3 has 135 cells"),
        (2, (134, "1,1"), "line 3 has 136 cells"),
    ],
)
def test_damage_is_named(path: Path, line: int, change: tuple[int, str], message: str) -> None:
    _line(path, line, change)
    with pytest.raises(DataError, match=message) as error:
        read_attribute_file(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_attribute_file(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a CSV"):
        read_attribute_file(tmp_path / "bytes.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(DataError, match="does not begin"):
        read_attribute_file(tmp_path / "empty.csv")


def test_a_file_that_cannot_be_read_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(DataError, match=r"labels\.csv cannot be read \(Permission denied\); write"):
        read_attribute_file(path)
