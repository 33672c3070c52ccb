"""How much of a box can be seen, for footage where somebody has worked it out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .mot import MotFrames
from .tracklet import DataError, Tracklet


def read_visibility(path: str | Path, column: str = "visibility") -> dict[tuple[int, int], float]:
    """A CSV with columns track_id, frame and `column`, a share in [0, 1]: by (track, frame).

    DataError names the file and the line of what cannot be.
    """
    path = Path(path)
    found: dict[tuple[int, int], float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                try:
                    key, share = (int(row["track_id"]), int(row["frame"])), float(row[column])
                except (KeyError, TypeError, ValueError) as error:
                    raise DataError(
                        f"{path} line {line} is no visibility ({error!r}); give the columns "
                        f"track_id, frame and {column}"
                    ) from error
                if not 0 <= share <= 1 or key in found:
                    wrong = "was given before" if key in found else f"is {share:g}, not in [0, 1]"
                    raise DataError(
                        f"{path} line {line}: the visibility of track {key[0]}, frame {key[1]}, "
                        f"{wrong}"
                    )
                found[key] = share
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); give a CSV file") from error
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
