"""Writers: a drawn split on disk in the layout of MARS, iLIDS-VID, PRID2011 or RAP.

What the writer puts there the reader of that layout gives back with official=False: the same
tracklets in the same order, pixel by pixel where the layout holds PNG (MARS holds JPEG). Frames are
read and written a few at a time. Everything goes to a folder beside the target, which is renamed
when it is whole: no half of a data set is ever called by its name. After an error or Ctrl-C that
folder is removed; a process that is killed leaves it, as .NAME.part-PID, to be removed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from w3an_lite.data import ilids_vid, prid2011, rap
from w3an_lite.data.attributes import GROUPS, NAMES
from w3an_lite.data.mars_writer import write_mars
from w3an_lite.data.output import all_tracklets, cells, save_mat, whole_folder, write_frames
from w3an_lite.data.tracklet import DISTRACTOR, UNKNOWN, DataError, Split

LAYOUTS = ("mars", "ilids-vid", "prid2011", "rap")


def write_layout(
    split: Split, layout: str, root: str | Path, *, seed: int = 0, progress: bool = True
) -> Path:
    """Write `split` to the new folder `root` in one of `LAYOUTS`; returns `root`.

    seed: of the splits and partitions beside the given one, which is number 0

    iLIDS-VID (999) and PRID2011 (200) count their people from 1 if an identity is above that; a
    RAP still loses its identity, and MARS has no attributes, and numbers the tracklets of a person
    anew. What else is in the split comes back from the reader.

    `DataError` if the layout cannot hold the split, or if `root` cannot be written (it is there
    already, the disk is full, ...); then nothing is left behind.
    """
    writers: dict[str, Callable[[Split, Path, int, tqdm[None]], None]] = {
        "mars": lambda split, folder, _, bar: write_mars(split, folder, bar),
        "ilids-vid": _write_ilids_vid,
        "prid2011": _write_prid2011,
        "rap": _write_rap,
    }
    if layout not in writers:
        raise DataError(f"layout {layout!r} is unknown; one of {', '.join(LAYOUTS)}")
    root = Path(root)
    frames = sum(len(t) for t in all_tracklets(split))
    with (
        whole_folder(root) as folder,
        tqdm(total=frames, desc=f"{layout} layout", unit="frame", disable=not progress) as bar,
    ):
        writers[layout](split, folder, seed, bar)
    return root


def _write_ilids_vid(split: Split, folder: Path, seed: int, bar: tqdm[None]) -> None:
    train, test, number = _two_cameras(split, "iLIDS-VID", 999)
    if len(test) != len(number) // 2:
        raise DataError(
            f"iLIDS-VID halves its people: {len(train)} to train and {len(test)} to search do not "
            "fit; draw as many test identities as training identities"
        )
    place = {p: i + 1 for i, p in enumerate(sorted(number.values()))}
    rows = [[place[p] for p in (*test, *train)]]
    random = np.random.RandomState(seed)  # its stream never changes
    rows += [(random.permutation(len(place)) + 1).tolist() for _ in range(9)]
    splits = folder / ilids_vid.SPLITS
    splits.parent.mkdir(parents=True)
    save_mat(splits, {"ls_set": np.array(rows, dtype=np.uint16)})
    for t in all_tracklets(split):
        person = f"person{number[t.identity]:03d}"
        names = [f"cam{t.camera}_{person}_{k:05d}.png" for k in range(1, len(t) + 1)]
        write_frames(t, folder / ilids_vid.SEQUENCES / f"cam{t.camera}" / person, names, bar)


def _write_prid2011(split: Split, folder: Path, seed: int, bar: tqdm[None]) -> None:
    train, test, number = _two_cameras(split, "PRID2011", prid2011.SHARED)
    people = np.array(sorted(number.values()))
    random = np.random.RandomState(seed)  # its stream never changes
    halves = [(train, test)]
    for _ in range(9):
        order = people[random.permutation(len(people))].tolist()
        halves.append((sorted(order[len(test) :]), sorted(order[: len(test)])))
    named = [
        {"test": [f"person_{p:04d}" for p in b], "train": [f"person_{p:04d}" for p in a]}
        for a, b in halves
    ]
    text = json.dumps(named, indent=1)
    (folder / "splits_prid2011.json").write_text(text, encoding="utf-8")
    for t in all_tracklets(split):
        camera = folder / "multi_shot" / f"cam_{' ab'[t.camera]}"
        names = [f"{k:04d}.png" for k in range(1, len(t) + 1)]
        write_frames(t, camera / f"person_{number[t.identity]:04d}", names, bar)


def _two_cameras(
    split: Split, title: str, people: int
) -> tuple[list[int], list[int], dict[int, int]]:
    """Numbers that train, that are searched, and of each identity, if the layout can hold them.

    An identity is its own number, unless one is above `people`; then they are counted from 1.
    """
    tracklets = all_tracklets(split)
    seen = sorted((t.identity, t.camera) for t in tracklets)
    who = sorted({identity for identity, _ in seen})
    if seen != [(identity, camera) for identity in who for camera in (1, 2)]:
        raise DataError(
            f"{title} holds one tracklet of each person under each of the cameras 1 and 2; draw "
            "with two cameras and one tracklet a camera"
        )
    if not who or who[0] <= DISTRACTOR or len(who) > people:
        raise DataError(f"{title} holds 1 to {people} people, and no distractor; draw such")
    if max(len(t) for t in tracklets) > 9999:
        raise DataError(f"{title} holds 9,999 frames a tracklet; draw shorter ones")
    number = {p: p if who[-1] <= people else i for i, p in enumerate(who, start=1)}
    trained = {t.identity for t in split.train}
    train = [number[p] for p in who if p in trained]
    test = [number[p] for p in who if p not in trained]
    if not train or not test:
        raise DataError(f"{split!r}: {title} needs people to train and people to search; draw both")
    return train, test, number


def _rap_order() -> list[str]:
    """RAP v1's own order of its 92 names: kinds of things first, colours last."""
    colours = [n for n in NAMES if n.startswith(("up-", "low-"))] + list(GROUPS["shoes"][5:])
    kinds = [n for n in NAMES if n not in colours]
    return [*kinds[:4], *rap.LEFT_OUT[:5], *kinds[4:], *rap.LEFT_OUT[5:], *colours]


def _write_rap(split: Split, folder: Path, seed: int, bar: tqdm[None]) -> None:
    tracklets = all_tracklets(split)
    order = _rap_order()
    labels = np.zeros((len(tracklets), len(order)), dtype=np.uint8)
    places = [order.index(name) for name in NAMES]
    names = []
    for i, t in enumerate(tracklets):
        values = np.full(len(NAMES), UNKNOWN) if t.attributes is None else t.attributes
        if len(t) != 1 or not np.isin(values, (0, 1, UNKNOWN)).all() or not 0 <= t.camera <= 99:
            raise DataError(f"{t!r}: RAP holds single frames with attributes 0, 1 or unknown")
        labels[i, places] = np.where(values == UNKNOWN, 2, values)
        names.append(f"CAM{t.camera:02d}_{i:06d}_tarid{max(t.identity, 0)}_frame1_line1.png")
    if not names:
        raise DataError(f"{split!r} has no stills to write; draw some")
    random = np.random.RandomState(seed)  # its stream never changes
    orders = [random.permutation(len(names)) + 1 for _ in range(5)]
    cut = len(names) * 4 // 5
    parts = [{"train_index": np.sort(o[:cut]), "test_index": np.sort(o[cut:])} for o in orders]
    annotation = {
        "partion": cells(parts),
        "label": labels,
        "attribute_chinese": cells(order),
        "attribute_eng": cells(order),
        "position": np.zeros((len(names), 16), dtype=np.int32),
        "imagesname": cells(names),
        "attribute_exp": cells(order[:51]),
    }
    path = folder / rap.ANNOTATION
    path.parent.mkdir(parents=True)
    save_mat(path, {"RAP_annotation": annotation})
    for t, name in zip(tracklets, names, strict=True):
        write_frames(t, folder / "RAP_dataset", [name], bar)
