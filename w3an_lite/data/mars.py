"""MARS (Zheng et al., ECCV 2016): the reader of its official layout, and its protocols by name.

The index and what is checked of it is in `mars_index.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.layout import ListedFrames, Names, hold_to
from w3an_lite.data.mars_attributes import read_attributes
from w3an_lite.data.mars_index import OFFICIAL, SOURCE, Rows, check_files, folder_code, read_index
from w3an_lite.data.splits import protocol_number, random_half
from w3an_lite.data.tracklet import JUNK, DataError, Split, Tracklet

PROTOCOLS = (
    "mars/gallery-without-queries",
    "mars/gallery-with-queries",
    "mars/official",
    *(f"mars/random-half-{i}" for i in range(10)),
)
"""The searched tracklets: 9,330, 11,310, all 12,180 with junk (ranking leaves it out), halves."""


def read_mars(
    root: str | Path,
    protocol: str = "mars/gallery-without-queries",
    *,
    attributes: str | Path | None = None,
    official: bool = True,
    files: str = "folders",
) -> Split:
    """MARS under one of `PROTOCOLS`. Frames are read only when a tracklet is.

    attributes: the CSV of tracklet attributes, joined with the index; else they are unlabelled
    official: hold the counts to `OFFICIAL`; False reads a set of any size in this layout, and the
        split's name then ends in "(unofficial)"
    files: "folders" looks for each person's folder, "listed" compares all 1.2 million names with
        the folders' contents (minutes on a network disk), "unchecked" looks at nothing

    `DataError` names what is missing, damaged or miscounted, and the remedy.
    """
    root = Path(root)
    half = protocol_number(protocol, "mars/random-half-")
    if half is None and protocol not in PROTOCOLS:
        raise DataError(f"protocol {protocol!r} is unknown; one of {', '.join(PROTOCOLS)}")
    index = read_index(root)
    if official:
        hold_to(index.counts(), OFFICIAL, root, SOURCE)
    check_files(root, index, files)
    labels: list[NDArray[np.float32] | None] = [None] * (len(index.train) + len(index.test))
    if attributes is not None:
        labels = read_attributes(Path(attributes), np.concatenate([index.train, index.test]))
    n = len(index.train)
    train = _tracklets(root / "bbox_train", index.train_names, index.train, labels[:n])
    test = _tracklets(root / "bbox_test", index.test_names, index.test, labels[n:])
    name = "mars" if official else "mars(unofficial)"
    if half is not None:
        return random_half(train + test, half, name=name)
    query = [test[i] for i in index.query.tolist()]
    asks = set(index.query.tolist())
    if protocol == "mars/official":
        gallery = test
    else:
        without = protocol == "mars/gallery-without-queries"
        gallery = [
            t for i, t in enumerate(test) if t.identity != JUNK and not (without and i in asks)
        ]
    return Split(protocol.replace("mars", name, 1), train, query, gallery)


def _tracklets(
    folder: Path, names: Names, rows: Rows, labels: list[NDArray[np.float32] | None]
) -> list[Tracklet]:
    folders = {i: str(folder / folder_code(i)) for i in np.unique(rows[:, 2]).tolist()}
    return [
        Tracklet(
            ListedFrames(folders[who], names[start - 1 : end]),
            who,
            camera,
            name=os.fsdecode(bytes(names[start - 1][:11])),
            attributes=label,
        )
        for (start, end, who, camera), label in zip(rows.tolist(), labels, strict=True)
    ]
