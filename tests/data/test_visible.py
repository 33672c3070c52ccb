"""Visibility of footage: read strictly, and found by track and frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from w3an_lite.data.mot import MotFrames, windows
from w3an_lite.data.tracklet import ArrayFrames, DataError, Tracklet
from w3an_lite.data.visible import read_visibility, visibility_of


def _write(folder: Path, text: str) -> Path:
    (folder / "seen.csv").write_text(text, encoding="utf-8")
    return folder / "seen.csv"


def _track(numbers: list[int]) -> Tracklet:
    n = len(numbers)
    frames = MotFrames(
        np.zeros((n, 3, 8, 4), np.uint8), np.array(numbers), np.ones((n, 4), np.float64)
    )
    return Tracklet(frames, identity=7, camera=1, name="track 7")


def test_windows_find_their_own_frames(tmp_path: Path) -> None:
    path = _write(tmp_path, "track_id,frame,visibility\n7,3,0.5\n7,4,1\n7,9,0\n7,10,0.25\n")
    parts = windows(_track([3, 4, 9, 10]), 2)
    found = visibility_of(parts, read_visibility(path))
    assert [v.tolist() for v in found] == [[0.5, 1.0], [0.0, 0.25]]
    with pytest.raises(DataError, match="track 7, frame 11, and 0 more of track 7"):
        visibility_of([_track([10, 11])], read_visibility(path))
    still = Tracklet(ArrayFrames(np.zeros((2, 3, 8, 4), np.uint8)), 7, 1)
    with pytest.raises(DataError, match="no frame numbers"):
        visibility_of([still], {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "track_id,frame\n7,3\n",
            r"seen\.csv has no column 'visibility'; .* track_id, frame, visib",
        ),
        ("track_id,frame,visibility\n7,x,1\n", "line 2: frame is 'x', not a whole number"),
        ("track_id,frame,visibility\n7,3,high\n", "line 2: visibility is 'high', not a number"),
        ("track_id,frame,visibility\n7,3,0,1\n", "line 2 has 4 cells for 3 columns; quote"),
        ("track_id,frame,visibility\n7,3,1\n7,4,1.5\n", r"line 3: .* is 1.5, not in \[0, 1\]"),
        ("track_id,frame,visibility\n7,3,nan\n", "is nan"),
        ("track_id,frame,visibility\n7,3,1\n7,3,1\n", "line 3: .*frame 3, was given before"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_visibility(_write(tmp_path, text))
    with pytest.raises(DataError, match=r"gone\.csv is missing; give the file of visibilities"):
        read_visibility(tmp_path / "gone.csv")
