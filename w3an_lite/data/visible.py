"""How much of a box can be seen, for footage where somebody has worked it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .csv_file import csv_rows, whole
from .mot import MotFrames
from .tracklet import DataError, Tracklet


def read_visibility(path: str | Path, column: str = "visibility") -> dict[tuple[int, int], float]:
    """A CSV with columns track_id, frame and `column`, a share in [0, 1]: by (track, frame).

    DataError names the file and the line of what cannot be.
    """
    path = Path(path)
    found: dict[tuple[int, int], float] = {}
    for line, row in csv_rows(path, ("track_id", "frame", column), "the file of visibilities"):
        where = f"{path} line {line}"
        key = whole(row["track_id"], "track_id", where), whole(row["frame"], "frame", where)
        try:
            share = float(row[column])
        except ValueError:
            raise DataError(f"{where}: {column} is {row[column]!r}, not a number") from None
        if not 0 <= share <= 1 or key in found:
            wrong = "was given before" if key in found else f"is {share:g}, not in [0, 1]"
            raise DataError(f"{where}: the visibility of track {key[0]}, frame {key[1]}, {wrong}")
        found[key] = share
    return found


def visibility_of(
    tracklets: Sequence[Tracklet], known: dict[tuple[int, int], float]
) -> list[NDArray[np.float64]]:
    """`[n]` of each tracklet that `read_mot` or `windows` gave; DataError names what is missing."""
    out = []
    for tracklet in tracklets:
        if not isinstance(tracklet.frames, MotFrames):
            raise DataError(f"{tracklet!r} has no frame numbers; give what read_mot returned")
        keys = [(tracklet.identity, int(number)) for number in tracklet.frames.numbers]
        missing = [key for key in keys if key not in known]
        if missing:
            raise DataError(
                f"no visibility is given of track {missing[0][0]}, frame {missing[0][1]}, and "
                f"{len(missing) - 1} more of {tracklet.name}"
            )
        out.append(np.array([known[key] for key in keys]))
    return out
