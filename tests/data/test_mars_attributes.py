"""The CSV of MARS's tracklet attributes joined with the index, by order within each pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from w3an_lite.data.attributes import GROUPS, INDEX, MARS_FIELDS, group_indices
from w3an_lite.data.mars_attributes import read_attributes
from w3an_lite.data.tracklet import UNKNOWN, DataError

ROWS = np.array([[1, 1, -1, 1], [2, 2, 0, 1], [3, 3, 5, 1], [4, 4, 5, 1], [5, 5, 5, 2]])
CSV = [(5, 1, 7, 0), (5, 2, 9, 1), (5, 1, 3, 1)]  # identity, camera, tracklet, hat


def table(
    path: Path, rows: list[tuple[object, ...]], fields: tuple[str, ...] = MARS_FIELDS
) -> Path:
    """A CSV in which every field but the hat is 0."""
    lines = [",".join(("person-id", "camera", "tracklet", *fields))]
    for identity, camera, number, hat in rows:
        values = [hat if field == "hat" else 0 for field in fields]
        lines.append(",".join(map(str, (identity, camera, number, *values))))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_join_by_order_of_the_tracklet_number(tmp_path: Path) -> None:
    labels = read_attributes(table(tmp_path / "a.csv", CSV), ROWS)
    assert labels[:2] == [None, None]
    hats = [label[INDEX["hs-Hat"]] for label in labels[2:] if label is not None]
    assert hats == [1, 0, 1]  # tracklet 3 comes before 7
    assert labels[2] is labels[4]  # equal fields, one array
    with pytest.raises(ValueError, match="read-only"):
        labels[2][0] = 1  # type: ignore[index]


def test_shoes_are_unknown_wholly_and_nothing_else_is(tmp_path: Path) -> None:
    label = read_attributes(table(tmp_path / "a.csv", CSV), ROWS)[2]
    assert label is not None
    for group in GROUPS:
        known = label[group_indices(group)] != UNKNOWN
        assert known.any() == (group != "shoes"), group


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (CSV[:2], "identity 5, camera 1 has 1 rows for 2 tracklets"),
        ([*CSV, (5, 2, 10, 0)], "identity 5, camera 2 has 2 rows for 1 tracklets"),
        ([*CSV, (6, 1, 1, 0)], "identity 6, camera 1 has 1 rows for 0 tracklets"),
        ([*CSV[:2], (5, 1, 7, 0)], "line 4: tracklet 7 of identity 5, camera 1 is there twice"),
        ([*CSV[:2], (5, 1, 3, "x")], "line 4: hat is 'x', not a whole number"),
        ([*CSV[:2], (5, 1, 3, 2)], "identity 5, camera 1: MARS attribute 'hat' is 2"),
    ],
)
def test_a_csv_of_another_release(tmp_path: Path, rows: list[tuple], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_attributes(table(tmp_path / "a.csv", rows), ROWS)


def test_a_csv_that_is_missing_or_lacks_a_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.csv is missing"):
        read_attributes(tmp_path / "no.csv", ROWS)
    with pytest.raises(DataError, match=r"has no column 'Bottoms\.t'"):
        read_attributes(table(tmp_path / "a.csv", CSV, MARS_FIELDS[:-1]), ROWS)
    with pytest.raises(DataError, match=r"has 2 columns 'hat'; .* each once"):
        read_attributes(table(tmp_path / "a.csv", CSV, (*MARS_FIELDS, "hat")), ROWS)
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(DataError, match=r"b\.csv cannot be read \(Is a directory\); give the file"):
        read_attributes(tmp_path / "b.csv", ROWS)


def test_a_row_that_would_shift_is_named(tmp_path: Path) -> None:
    whole = table(tmp_path / "a.csv", CSV).read_text().splitlines()
    for row, count in ((f"{whole[2]},1", 16), (whole[2].rsplit(",", 1)[0], 14)):
        (tmp_path / "b.csv").write_text("\n".join([*whole[:2], row, *whole[3:]]))
        with pytest.raises(DataError, match=rf"b\.csv line 3 has {count} cells for 15 columns"):
            read_attributes(tmp_path / "b.csv", ROWS)


@pytest.mark.parametrize("what", ["utf-16", "binary", "long"])
def test_a_csv_of_another_kind_is_named(tmp_path: Path, what: str) -> None:
    path = table(tmp_path / "a.csv", CSV)
    text = path.read_text()
    wrong = {"utf-16": text.encode("utf-16"), "binary": b"PK\x03\x04" + bytes(range(256)),
             "long": text.replace("5,1", f"5,{'1' * 140_000}").encode()}  # fmt: skip
    path.write_bytes(wrong[what])
    with pytest.raises(DataError, match=r"a\.csv is not a CSV file in UTF-8 .*saved as CSV"):
        read_attributes(path, ROWS)
