"""Box files: forgiving of blanks, and each line that cannot be is named."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from w3an_lite.data.boxes import read_boxes
from w3an_lite.data.tracklet import DataError


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "gt.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_ignored_boxes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "1,1,0,0,8,8,0", "2,1,0,0,8,8,1", "3,1,0,0,8,8")
    with caplog.at_level(logging.INFO):
        assert read_boxes(path)[:, 0].tolist() == [1, 2, 3]
    assert "1 of 3 boxes have confidence 0" in caplog.text
    assert read_boxes(path, skip_ignored=True)[:, 0].tolist() == [2, 3]


def test_boxes_are_sorted_and_forgiving_of_blanks(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "\ufeff# frame track ...",
        "",
        "10 2 1 2 3 4",
        "9, 2, 1, 2, 3.5, 4",
        "9.0,1,0,0,1,1",
    )
    assert read_boxes(path).tolist() == [
        [9, 1, 0, 0, 1, 1],
        [9, 2, 1, 2, 3.5, 4],
        [10, 2, 1, 2, 3, 4],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3,4,5", r"has 5 columns; give frame, track, left"),
        ("1,2,x,4,5,6", r"left is 'x', not a number"),
        ("1,2,,4,5,6", r"left is '', not a number"),
        ("1,2,nan,4,5,6", r"left is nan; give a finite"),
        ("1,2,3,4,1e308,6", r"width is 1e308; give a number up to 1e\+15"),
        ("1,2,-1e16,4,5,6", r"left is -1e16; give a number up to 1e\+15"),
        ("1e300,2,3,4,5,6", r"frame is 1e300; give a number up to 1e\+09"),
        ("1,1e19,3,4,5,6", r"track is 1e19; give a number up to 1e\+09"),
        ("1,2,3,4,0,6", r"the box is 0 x 6 pixels; it has no area"),
        ("1,2,3,4,5,-6", r"the box is 5 x -6 pixels"),
        ("0,2,3,4,5,6", r"frame is 0, but frames count from 1; add 1"),
        ("1,0,3,4,5,6", r"track is 0, but tracks count from 1; add 1"),
        ("1,-1,3,4,5,6", r"track is -1.*run a tracker"),
        ("1.5,2,3,4,5,6", r"frame is 1\.5; give a whole number"),
        ("1,0.5,3,4,5,6", r"track is 0\.5; give a whole number"),
        ("7,1,3,4,5,6", r"frame 7 of track 1 was already given in line 1"),
    ],
)
def test_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, "7,1,0,0,8,8,1", line)
    with pytest.raises(DataError, match=rf"gt\.txt line 2:? ?.*{message}"):
        read_boxes(path)
