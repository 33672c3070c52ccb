"""The writer of MARS's layout, and of its index alone at any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from w3an_lite.data.mars_index import Rows, folder_code
from w3an_lite.data.output import save_mat, write_frames
from w3an_lite.data.tracklet import JUNK, DataError, Split, Tracklet


def write_mars_index(info: Path, train: Rows, test: Rows, query: Sequence[int]) -> None:
    """Name lists and .mat files of MARS in the folder `info`, at any size, without images.

    train, test: `[n, 4]` rows `[start, end, identity, camera]`, 1-based inclusive, without gaps
    query: 0-based rows of `test`
    """
    info.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", train), ("test", test)):
        with (info / f"{part}_name.txt").open("w", encoding="ascii", newline="\n") as file:
            for names in mars_names(rows):
                file.write("\n".join(names) + "\n")
        save_mat(
            info / f"tracks_{part}_info.mat", {f"track_{part}_info": np.asarray(rows, np.int32)}
        )
    asks = np.asarray(query, dtype=np.uint16).reshape(1, -1) + np.uint16(1)
    save_mat(info / "query_IDX.mat", {"query_IDX": asks})


def mars_names(rows: Rows) -> Iterator[list[str]]:
    """Names of the frames of each index row; tracklets are numbered through a person's cameras."""
    number: dict[int, int] = {}
    for start, end, identity, camera in np.asarray(rows).tolist():
        number[identity] = number.get(identity, 0) + 1
        head = f"{folder_code(identity)}C{camera}T{number[identity]:04d}F"
        yield [f"{head}{k:03d}.jpg" for k in range(1, end - start + 2)]


def write_mars(split: Split, folder: Path, bar: tqdm[None]) -> None:
    """Images, name lists and .mat files; the queries are all in the gallery, or none is."""
    searched = {id(t) for t in split.gallery}
    if 0 < sum(id(t) in searched for t in split.query) < len(split.query):
        raise DataError("some queries are in the gallery and some are not; MARS knows all or none")
    if not (split.train and split.query):
        raise DataError(f"{split!r}: MARS needs tracklets to train and to ask with; draw some")
    test = split.gallery + [t for t in split.query if id(t) not in searched]
    place = {id(t): i for i, t in enumerate(test)}
    if len(place) < len(test) or max(place[id(t)] for t in split.query) > 65_534:
        raise DataError(f"{split!r}: a tracklet is there twice, or there are more than 65,535")
    rows = {"train": _rows(split.train), "test": _rows(test)}
    write_mars_index(
        folder / "info", rows["train"], rows["test"], [place[id(t)] for t in split.query]
    )
    for part, tracklets in (("train", split.train), ("test", test)):
        for tracklet, names in zip(tracklets, mars_names(rows[part]), strict=True):
            person = folder / f"bbox_{part}" / folder_code(tracklet.identity)
            write_frames(tracklet, person, names, bar)


def _rows(tracklets: Sequence[Tracklet]) -> Rows:
    number: dict[int, int] = {}
    for t in tracklets:
        number[t.identity] = number.get(t.identity, 0) + 1
        if not (JUNK <= t.identity <= 9999 and 1 <= t.camera <= 9 and len(t) <= 999):
            raise DataError(
                f"{t!r}: MARS holds identities -1 to 9999, cameras 1 to 9 and 999 frames a tracklet"
            )
    if max(number.values()) > 9999:
        raise DataError("MARS holds 9,999 tracklets a person")
    ends = np.cumsum([len(t) for t in tracklets])
    starts = np.concatenate([[1], ends[:-1] + 1])
    who = [(t.identity, t.camera) for t in tracklets]
    return np.column_stack([starts, ends, np.array(who)]).astype(np.int64)
