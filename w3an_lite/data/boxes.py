"""Boxes in the format of MOTChallenge, each line checked.

A box file has one box a line: frame, track, left, top, width, height, confidence, and whatever
follows is not read. Frames and tracks count from 1; left and top are in pixels as written.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.tracklet import DataError

logger = logging.getLogger(__name__)

_COLUMNS = ("frame", "track", "left", "top", "width", "height", "confidence")
_MOST = (1e9, 1e9, 1e15, 1e15, 1e15, 1e15, 1e15)
"""The largest number of each column, either sign: beyond it none is meant, and none fits."""


def read_boxes(path: str | Path, *, skip_ignored: bool = False) -> NDArray[np.float64]:
    """Boxes as `[n, 6]`: frame, track, left, top, width, height, sorted by track, then frame.

    Columns are parted by commas, or by blanks where a line has no comma; empty lines and lines that
    begin with # are passed over. Raises `DataError` naming file and line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file; are video and boxes swapped?") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give a box file") from error
    seen: dict[tuple[float, float], int] = {}
    rows: list[list[float]] = []
    ignored = 0
    for line, text in enumerate(lines, start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        row = _parse(text, f"{path} line {line}")
        key = (row[0], row[1])
        if key in seen:
            raise DataError(
                f"{path} line {line}: frame {row[0]:.0f} of track {row[1]:.0f} was already "
                f"given in line {seen[key]}; a person has one box a frame"
            )
        seen[key] = line
        ignored += row[6] == 0
        if not (skip_ignored and row[6] == 0):
            rows.append(row[:6])
    if ignored:
        what = "left out" if skip_ignored else "kept; skip_ignored=True leaves them out"
        logger.info("%s: %d of %d boxes have confidence 0: %s", path, ignored, len(seen), what)
    if not rows:
        raise DataError(f"{path} holds no boxes; give lines of {', '.join(_COLUMNS)}")
    table = np.array(rows, dtype=np.float64)
    return table[np.lexsort((table[:, 0], table[:, 1]))]


def _parse(text: str, where: str) -> list[float]:
    """Frame, track, left, top, width, height, confidence (1 if the line has none)."""
    cells = text.split(",") if "," in text else text.split()
    if len(cells) < 6:
        raise DataError(f"{where} has {len(cells)} columns; give {', '.join(_COLUMNS)}")
    row: list[float] = []
    for name, most, cell in zip(_COLUMNS, _MOST, cells, strict=False):
        try:
            row.append(float(cell))
        except ValueError:
            raise DataError(f"{where}: {name} is {cell.strip()!r}, not a number") from None
        if not math.isfinite(row[-1]):
            raise DataError(f"{where}: {name} is {cell.strip()}; give a finite number")
        if abs(row[-1]) > most:
            raise DataError(f"{where}: {name} is {cell.strip()}; give a number up to {most:g}")
    for name, value in zip(("frame", "track"), row, strict=False):
        if value != int(value):
            raise DataError(f"{where}: {name} is {value}; give a whole number")
        if value < 1:
            remedy = f"add 1 to every {name} if yours count from 0"
            if name == "track" and value == -1:
                remedy = "these are detections: run a tracker over them first"
            raise DataError(f"{where}: {name} is {value:g}, but {name}s count from 1; {remedy}")
    if row[4] <= 0 or row[5] <= 0:
        raise DataError(f"{where}: the box is {row[4]:g} x {row[5]:g} pixels; it has no area")
    return row if len(row) > 6 else [*row, 1.0]
