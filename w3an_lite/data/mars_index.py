"""The index of MARS: five files that must agree with each other, and with the folders.

`tracks_*_info.mat` holds one row a tracklet, `[start, end, identity, camera]`, 1-based inclusive
into the name list `*_name.txt`; `query_IDX.mat` the test rows that ask, 1-based. A file called
`0001C2T0003F004.jpg` lies in folder `0001`: camera 2, tracklet 3, frame 4. Identity -1 (folder
`00-1`) is junk, identity 0 (folder `0000`) a distractor.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.layout import Names, entries, load_matrix, need, read_names
from w3an_lite.data.tracklet import DISTRACTOR, JUNK, DataError

log = logging.getLogger(__name__)

SOURCE = (
    "http://www.liangzheng.com.cn/Project/project_mars.html "
    "(folder info: https://github.com/liangzheng06/MARS-evaluation)"
)
LAYOUT = (
    "ROOT/bbox_train/0001/*.jpg, ROOT/bbox_test/0000/*.jpg, ROOT/info/{train_name.txt, "
    "test_name.txt, tracks_train_info.mat, tracks_test_info.mat, query_IDX.mat}"
)
OFFICIAL = {
    "train identities": 625,
    "train tracklets": 8_298,
    "train frames": 509_914,
    "test identities": 634,
    "test tracklets": 12_180,
    "test frames": 681_089,
    "junk tracklets": 870,
    "distractor tracklets": 3_248,
    "queries": 1_980,
}

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MarsIndex:
    """The official index: names of the frames, rows `[n, 4]` of the tracklets, rows that ask."""

    train_names: Names
    train: Rows
    test_names: Names
    test: Rows
    query: Rows

    def counts(self) -> dict[str, int]:
        """How much of what there is, under the keys of `OFFICIAL`."""
        who = self.test[:, 2]
        return {
            "train identities": len(np.unique(self.train[:, 2])),
            "train tracklets": len(self.train),
            "train frames": len(self.train_names),
            "test identities": len(np.unique(who[who > DISTRACTOR])),
            "test tracklets": len(self.test),
            "test frames": len(self.test_names),
            "junk tracklets": int((who == JUNK).sum()),
            "distractor tracklets": int((who == DISTRACTOR).sum()),
            "queries": len(self.query),
        }


def read_index(root: Path) -> MarsIndex:
    """The five files of `root/info`, each held to the others; `DataError` names the odd one."""
    need(root, SOURCE, LAYOUT)
    paths = [
        need(root / "info" / name, SOURCE, LAYOUT)
        for name in ("train_name.txt", "tracks_train_info.mat", "test_name.txt",
                     "tracks_test_info.mat", "query_IDX.mat")
    ]  # fmt: skip
    train_names, test_names = read_names(paths[0]), read_names(paths[2])
    train = load_matrix(paths[1], "track_train_info", 4)
    test = load_matrix(paths[3], "track_test_info", 4)
    _check_rows(paths[1], train, paths[0], train_names)
    _check_rows(paths[3], test, paths[2], test_names)
    _check_tracklets(paths[1], train, paths[0], train_names)
    _check_tracklets(paths[3], test, paths[2], test_names)
    if train[:, 2].min() <= DISTRACTOR:
        raise DataError(f"{paths[1]} has junk or distractors to train on; fetch it again")
    both = np.intersect1d(train[:, 2], test[:, 2])
    if len(both):
        raise DataError(
            f"{paths[3]}: identity {both[0]} is in both halves ({len(both)} such); "
            "train and test must not share a person"
        )
    query = load_matrix(paths[4], "query_IDX").ravel() - 1
    if query.min() < 0 or query.max() >= len(test) or len(np.unique(query)) < len(query):
        raise DataError(
            f"{paths[4]}: queries {query.min() + 1} to {query.max() + 1}, {len(np.unique(query))} "
            f"different of {len(query)}, do not fit the {len(test)} test tracklets; fetch it again"
        )
    if test[query, 2].min() <= DISTRACTOR:
        raise DataError(
            f"{paths[4]} asks for junk or a distractor, which is nobody; fetch it again"
        )
    return MarsIndex(train_names, train, test_names, test, query)


def folder_code(identity: int) -> str:
    """Folder of an identity: `0001`, and `00-1` for junk."""
    return "00-1" if identity == JUNK else f"{identity:04d}"


def _check_rows(index: Path, rows: Rows, listing: Path, names: Names) -> None:
    """Rows must tile the list; each name must be of its row's person and camera, and be sorted."""
    start, end, who, camera = rows.T
    if who.min() < JUNK or who.max() > 9999 or camera.min() < 1 or camera.max() > 9:
        raise DataError(f"{index}: identities run from -1 to 9999, cameras from 1 to 9")
    gaps = np.flatnonzero(start != np.concatenate([[1], end[:-1] + 1]))
    gaps = np.concatenate([gaps, np.flatnonzero(end < start)])
    if len(gaps):
        k = int(gaps[0])
        raise DataError(
            f"{index}: tracklet {k + 1} runs from frame {start[k]} to {end[k]} and does not follow "
            "the one before it; fetch it again"
        )
    if end[-1] != len(names):
        longer = "shorter" if len(names) < end[-1] else "longer"
        raise DataError(
            f"{listing} is {longer} than its index: {len(names):,} names, {index.name} ends at "
            f"frame {end[-1]:,}; fetch both from one release"
        )
    length = end - start + 1
    head = np.array([f"{folder_code(i)}C{c}" for i, c in rows[:, 2:].tolist()], dtype="S6")
    wrong = np.flatnonzero(names.astype("S6") != np.repeat(head, length))
    if len(wrong):
        k = int(np.searchsorted(end, wrong[0] + 1))
        raise DataError(
            f"{listing}: line {wrong[0] + 1} is {os.fsdecode(bytes(names[wrong[0]]))!r}, but "
            f"tracklet {k + 1} of {index.name} is identity {who[k]}, camera {camera[k]}; fetch both"
        )
    rises = names[1:] > names[:-1]
    if rises.all():
        return
    rises[end[:-1] - 1] = True  # between two tracklets the order is free
    unsorted = np.flatnonzero(~rises)
    if len(unsorted):
        raise DataError(
            f"{listing}: line {unsorted[0] + 2}: duplicated or unsorted frames; fetch it again"
        )
    unique, count = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        twice = os.fsdecode(bytes(unique[count > 1][0]))
        raise DataError(f"{listing}: {twice} is there twice: duplicated frames; fetch it again")


def _check_tracklets(index: Path, rows: Rows, listing: Path, names: Names) -> None:
    """Warn where the names of a row, which are sorted, do not begin alike up to the tracklet's
    number: the index decides, but names and index may not belong together."""
    start, end = rows[:, 0], rows[:, 1]
    mixed = np.flatnonzero(names[start - 1].astype("S11") != names[end - 1].astype("S11"))
    if len(mixed):
        k = int(mixed[0])
        first, last = (os.fsdecode(bytes(names[at - 1])) for at in (start[k], end[k]))
        log.warning(
            "%s: tracklet %d runs from frame %d to %d, but these are %r and %r of %s, of two "
            "tracklets by their names (%d such); check that both files are of one release",
            index, k + 1, start[k], end[k], first, last, listing.name, len(mixed),
        )  # fmt: skip


def check_files(root: Path, index: MarsIndex, files: str = "listed") -> None:
    """Compare the folders of `root` with the name lists; `files` as in `read_mars`."""
    if files not in ("unchecked", "folders", "listed"):
        raise DataError(f"files={files!r}: one of 'unchecked', 'folders', 'listed'")
    if files == "unchecked":
        return
    for part, names, rows in (
        ("bbox_train", index.train_names, index.train),
        ("bbox_test", index.test_names, index.test),
    ):
        folder = need(root / part, SOURCE, LAYOUT)
        expected = {folder_code(i) for i in np.unique(rows[:, 2]).tolist()}
        try:
            found = set(os.listdir(folder))
        except OSError as error:
            raise DataError(
                f"{folder} cannot be listed ({error.strerror}); unpack {part} again"
            ) from error
        missing = sorted(expected - found)
        if missing:
            raise DataError(
                f"{folder / missing[0]} is missing ({len(missing)} folders in all); get {part} "
                f"from {SOURCE} and unpack it whole"
            )
        if files == "listed":
            _check_listed(folder, names)


def _check_listed(folder: Path, names: Names) -> None:
    names = np.sort(names)
    codes = names.astype("S4")
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    for code, listed in zip(codes[starts], np.split(names, starts[1:]), strict=True):
        person = folder / os.fsdecode(bytes(code))
        present = entries(person, ".jpg")
        if np.array_equal(present, listed):
            continue
        lacking, extra = np.setdiff1d(listed, present), np.setdiff1d(present, listed)
        first = os.fsdecode(bytes((lacking if len(lacking) else extra)[0]))
        raise DataError(
            f"{person}: the list is {'longer' if len(lacking) else 'shorter'} than the folder: "
            f"{len(lacking)} listed frames are missing, {len(extra)} are not in the list (first "
            f"{first}); unpack {folder.name} again"
        )
