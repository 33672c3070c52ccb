"""Predicted attributes on disk: a CSV with a probability and a 0 or 1 for each tracklet.

The header is `tracklet`, then each name of `attributes.NAMES` with `_p` (the probability), then
each name alone (0 or 1). A tracklet is known by its name.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.attributes import NAMES
from w3an_lite.data.output import all_tracklets
from w3an_lite.data.splits import each_changed
from w3an_lite.data.tracklet import DataError, Split, Tracklet, check_names

HEADER = ("tracklet", *(f"{name}_p" for name in NAMES), *NAMES)
VALUES = ("probability", "binary")


def attribute_rows(
    tracklets: Sequence[Tracklet], probabilities: NDArray[np.floating], threshold: float = 0.5
) -> list[dict[str, str | int]]:
    """Rows for `files.write_rows`: probabilities `[N, 67]` to four digits, 1 from `threshold` on.

    `DataError` if the shapes differ, a probability leaves [0, 1], or a name is missing or repeated.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (len(tracklets), len(NAMES)) or not ((p >= 0) & (p <= 1)).all():
        raise DataError(
            f"probabilities {list(p.shape)} for {len(tracklets)} tracklets; give [N, {len(NAMES)}] "
            "between 0 and 1"
        )
    check_names(tracklets, "attributes are kept by name")
    return [
        {
            "tracklet": t.name,
            **{f"{name}_p": f"{v:.4f}" for name, v in zip(NAMES, row, strict=True)},
            **{name: int(v >= threshold) for name, v in zip(NAMES, row, strict=True)},
        }
        for t, row in zip(tracklets, p.tolist(), strict=True)
    ]


def read_attribute_file(
    path: str | Path, values: str = "probability"
) -> dict[str, NDArray[np.float32]]:
    """Attributes float32 `[67]` by tracklet name; values "probability" or "binary".

    `DataError` names the file, the line and what is wrong with it.
    """
    if values not in VALUES:
        raise DataError(f"values {values!r} is not known; use {' or '.join(VALUES)}")
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing; give the CSV that `attributes` wrote")
    start = 1 + VALUES.index(values) * len(NAMES)
    found: dict[str, NDArray[np.float32]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != HEADER:
                raise DataError(
                    f"{path} does not begin with the {len(HEADER)} columns {HEADER[0]}, "
                    f"{HEADER[1]}, …, {HEADER[-1]}; give the CSV that `attributes` wrote"
                )
            for row in reader:
                where = f"{path}: line {reader.line_num}"
                numbers = _numbers(where, row)
                if row[0] in found:
                    raise DataError(f"{where}: {row[0]} is there twice; remove one row")
                found[row[0]] = numbers[start - 1 : start - 1 + len(NAMES)].astype(np.float32)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); write it again") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV file ({error}); write it again") from error
    return found


def is_attribute_file(path: Path | None) -> bool:
    """Whether a CSV begins as those do that `attributes` wrote."""
    if path is None or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HEADER[0]) + 4).decode("utf-8-sig", "replace").startswith(HEADER[0])


def with_attributes(
    tracklets: Sequence[Tracklet],
    path: str | Path,
    values: str = "probability",
    more: bool = False,
) -> list[Tracklet]:
    """`tracklets` with the attributes of the CSV `path` in place of their own.

    more: let the CSV hold tracklets that are not among these, as when half of a set is labelled

    `DataError` if a tracklet is not in the CSV, or one in the CSV is not here.
    """
    labels = read_attribute_file(path, values)
    check_names(tracklets, "attributes are kept by name")
    names = {t.name for t in tracklets}
    lost = [name for name in names if name not in labels]
    if lost:
        raise DataError(
            f"{path} has no row for {min(lost)} ({len(lost)} of {len(names)} tracklets); it was "
            "written for another set: write it again"
        )
    extra = [name for name in labels if name not in names]
    if extra and not more:
        raise DataError(
            f"{path} has a row for {min(extra)}, which is not among the {len(names)} tracklets "
            f"({len(extra)} such); write it again, or pass more=True for a part of a set"
        )
    return [replace(t, attributes=labels[t.name]) for t in tracklets]


def label_split(
    split: Split, path: str | Path, values: str = "probability", more: bool = False
) -> Split:
    """`split` with the attributes of the CSV `path`; a query stays the gallery's own tracklet.

    more: as in `with_attributes`.
    """
    labelled = {t.name: t for t in with_attributes(all_tracklets(split), path, values, more)}
    return each_changed(split, split.name, lambda t: labelled[t.name])


def _numbers(where: str, row: list[str]) -> NDArray[np.float64]:
    """The probabilities and the zeros and ones of a row, `[2 * 67]`."""
    try:
        numbers = np.array([float(cell) for cell in row[1:]])
    except ValueError as error:
        raise DataError(f"{where}: {error}; write it again") from error
    if len(row) != len(HEADER) or not row[0]:
        raise DataError(f"{where} has {len(row)} cells, not {len(HEADER)}; write it again")
    bits = numbers[len(NAMES) :]
    if not ((numbers >= 0) & (numbers <= 1)).all() or not np.isin(bits, (0, 1)).all():
        raise DataError(f"{where} holds a value that is no probability, or no 0 or 1; correct it")
    return numbers
