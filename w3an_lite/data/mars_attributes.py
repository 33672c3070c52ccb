"""MARS's tracklet attributes (Chen et al., 2019): one row a tracklet, joined with the index.

The CSV numbers the tracklets of a person through all cameras and names no frames, so the join is by
order: the n-th row of an (identity, camera), by its `tracklet` number, is the n-th tracklet of that
pair in the index. Junk and distractors have no row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.attributes import MARS_FIELDS, from_mars
from w3an_lite.data.csv_file import csv_rows, whole
from w3an_lite.data.tracklet import DISTRACTOR, DataError

KEYS = ("person-id", "camera", "tracklet")

Pair = tuple[int, int]


def read_attributes(path: Path, rows: NDArray[np.int64]) -> list[NDArray[np.float32] | None]:
    """Attributes float32 `[A]` of each index row `[start, end, identity, camera]`, None for nobody.

    Tracklets of equal fields share one read-only array. `DataError` if the CSV and the index do not
    count the same tracklets for some identity and camera.
    """
    table = _table(path)
    wanted: dict[Pair, list[int]] = {}
    for k, (identity, camera) in enumerate(rows[:, 2:].tolist()):
        if identity > DISTRACTOR:
            wanted.setdefault((identity, camera), []).append(k)
    for pair in sorted(wanted.keys() | table.keys()):
        there, here = len(table.get(pair, ())), len(wanted.get(pair, ()))
        if there != here:
            raise DataError(
                f"{path}: identity {pair[0]}, camera {pair[1]} has {there} rows for {here} "
                "tracklets of the index; the attributes belong to another release"
            )
    labels: list[NDArray[np.float32] | None] = [None] * len(rows)
    cache: dict[tuple[int, ...], NDArray[np.float32]] = {}
    for pair, places in wanted.items():
        for k, (_, values) in zip(places, sorted(table[pair]), strict=True):
            if values not in cache:
                cache[values] = _label(path, pair, values)
            labels[k] = cache[values]
    return labels


def _label(path: Path, pair: Pair, values: tuple[int, ...]) -> NDArray[np.float32]:
    try:
        label = np.asarray(from_mars(dict(zip(MARS_FIELDS, values, strict=True))), dtype=np.float32)
    except (ValueError, KeyError, IndexError) as error:
        raise DataError(f"{path}: identity {pair[0]}, camera {pair[1]}: {error}") from error
    label.flags.writeable = False
    return label


def _table(path: Path) -> dict[Pair, list[tuple[int, tuple[int, ...]]]]:
    """Rows as (tracklet number, twelve values) by (identity, camera)."""
    table: dict[Pair, list[tuple[int, tuple[int, ...]]]] = {}
    seen: set[tuple[int, int, int]] = set()
    for line, row in csv_rows(path, (*KEYS, *MARS_FIELDS), "the file of MARS's attributes"):
        where = f"{path} line {line}"
        identity, camera, number = (whole(row[key], key, where) for key in KEYS)
        values = tuple(whole(row[field], field, where) for field in MARS_FIELDS)
        if (identity, camera, number) in seen:
            raise DataError(
                f"{where}: tracklet {number} of identity {identity}, camera {camera} is there "
                "twice; remove one row"
            )
        seen.add((identity, camera, number))
        table.setdefault((identity, camera), []).append((number, values))
    return table
