"""iLIDS-VID (Wang et al., ECCV 2014): the reader of its official layout, and its protocols by name.

300 people, one tracklet each under two cameras. A row of `ls_set` is a shuffle of the people, as
1-based positions in the sorted list of folders (their numbers have gaps); the first half of a row
is searched, the rest trains. Camera 1 asks, camera 2 is the gallery.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.layout import hold_to, load_matrix, need, numbered, sequence
from w3an_lite.data.splits import halve, protocol_number, random_half
from w3an_lite.data.tracklet import DataError, Split, Tracklet

SOURCE = "http://www.eecs.qmul.ac.uk/~xiatian/downloads_qmul_iLIDS-VID_ReID_dataset.html"
LAYOUT = (
    "ROOT/i-LIDS-VID/sequences/cam1/person001/*.png, cam2 beside cam1, and "
    "ROOT/train-test people splits/train_test_splits_ilidsvid.mat"
)
PROTOCOLS = (
    *(f"ilids-vid/split-{i}" for i in range(10)),
    *(f"ilids-vid/random-half-{i}" for i in range(10)),
)
OFFICIAL = {"people under both cameras": 300, "people": 300, "splits": 10}
SEQUENCES = Path("i-LIDS-VID") / "sequences"
SPLITS = Path("train-test people splits") / "train_test_splits_ilidsvid.mat"


def read_ilids_vid(
    root: str | Path, protocol: str = "ilids-vid/split-0", *, official: bool = True
) -> Split:
    """iLIDS-VID under one of `PROTOCOLS`; frames are read only when a tracklet is.

    official: hold the counts to `OFFICIAL`; False reads a set of any size in this layout, and the
        split's name then ends in "(unofficial)"

    `DataError` names what is missing, damaged or miscounted, and the remedy.
    """
    root = Path(root)
    number = protocol_number(protocol, "ilids-vid/split-", None)
    half = protocol_number(protocol, "ilids-vid/random-half-")
    if number is None and half is None:
        raise DataError(f"protocol {protocol!r} is unknown; one of {', '.join(PROTOCOLS)}")
    cameras = people(root)
    if official:
        hold_to(counts(root), OFFICIAL, root, SOURCE)
    known = list(cameras[1])
    odd = sorted(cameras[1].keys() ^ cameras[2].keys())
    if odd:
        raise DataError(
            f"{root / SEQUENCES}: person{odd[0]:03d} has a folder under one camera only "
            f"({len(odd)} such); every person needs both"
        )
    tracklets = [
        Tracklet(sequence(cameras[c][p]), p, c, name=f"cam{c}/person{p:03d}")
        for p in known
        for c in (1, 2)
    ]
    name = "ilids-vid" if official else "ilids-vid(unofficial)"
    if half is not None:
        return random_half(tracklets, half, name=name)
    rows = read_splits(root, len(known))
    if number is None or number >= len(rows):
        raise DataError(f"protocol {protocol!r}: {root / SPLITS} holds {len(rows)} splits, from 0")
    test = {known[k - 1] for k in rows[number, : len(known) // 2].tolist()}
    return halve(f"{name}/split-{number}", tracklets, test)


def people(root: Path) -> dict[int, dict[int, Path]]:
    """Folders by person number, for camera 1 and camera 2."""
    need(root, SOURCE, LAYOUT)
    cameras = {
        c: numbered(need(root / SEQUENCES / f"cam{c}", SOURCE, LAYOUT), "person", 3) for c in (1, 2)
    }
    if not cameras[1]:
        raise DataError(f"{root / SEQUENCES / 'cam1'} holds no folder person001 …; fetch it again")
    return cameras


def read_splits(root: Path, count: int) -> NDArray[np.int64]:
    """`ls_set` `[splits, count]`, each row a shuffle of 1 … count."""
    path = need(root / SPLITS, SOURCE, LAYOUT)
    rows = load_matrix(path, "ls_set", count)
    if count < 2:
        raise DataError(f"{path}: a split of {count} person names nobody for one half")
    for k, row in enumerate(np.sort(rows, axis=1)):
        wrong = np.flatnonzero(row != np.arange(1, count + 1))
        if len(wrong):
            raise DataError(
                f"{path}: split {k} names person {row[wrong[0]]} where {wrong[0] + 1} was due: it "
                f"is no shuffle of 1 to {count}, so it names someone unknown or in both halves"
            )
    return rows


def counts(root: Path) -> dict[str, int]:
    """How much of what there is, under the keys of `OFFICIAL`."""
    cameras = people(root)
    path = need(root / SPLITS, SOURCE, LAYOUT)
    return {
        "people under both cameras": len(cameras[1].keys() & cameras[2].keys()),
        "people": len(cameras[1].keys() | cameras[2].keys()),
        "splits": len(load_matrix(path, "ls_set")),
    }
