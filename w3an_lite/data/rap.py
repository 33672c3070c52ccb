"""RAP v1 (Li et al., 2016): 41,585 stills with 92 attributes, the source of attribute transfer.

RAP v1 names no persons, so every still is a tracklet of one frame with the identity `DISTRACTOR`.
Of the 92 attributes the 67 of `attributes.NAMES` are kept, found by their names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.attributes import NAMES
from w3an_lite.data.layout import (
    ListedFrames,
    Names,
    entries,
    hold_to,
    load_variable,
    need,
    refuse_paths,
)
from w3an_lite.data.tracklet import DISTRACTOR, UNKNOWN, DataError, Tracklet

SOURCE = "http://www.rapdataset.com (on request to the authors)"
LAYOUT = "ROOT/RAP_dataset/*.png and ROOT/RAP_annotation/RAP_annotation.mat"
ANNOTATION = Path("RAP_annotation") / "RAP_annotation.mat"
OFFICIAL = {"images": 41_585, "attributes": 92, "partitions": 5}
LEFT_OUT = (
    "BodyFat", "BodyNormal", "BodyThin", "Customer", "Clerk", "action-Calling", "action-Talking",
    "action-Gathering", "action-Holding", "action-Pusing", "action-Pulling", "action-CarrybyArm",
    "action-CarrybyHand", "faceFront", "faceBack", "faceLeft", "faceRight", "occlusionLeft",
    "occlusionRight", "occlusionUp", "occlusionDown", "occlusion-Environment",
    "occlusion-Attachment", "occlusion-Person", "occlusion-Other",
)  # fmt: skip
"""The 25 attributes of RAP v1 that belong to none of the paper's six groups."""


def read_rap(
    root: str | Path, *, part: str = "all", partition: int = 0, official: bool = True
) -> list[Tracklet]:
    """The stills of RAP v1 in the order of the annotation; an image is read when its tracklet is.

    part: "all", or the "train" or "test" images of random partition `partition`, 0 to 4
    official: hold the counts to `OFFICIAL`; False reads a set of any size in this layout

    Labels 0 and 1 stay; 2, "uncertain", becomes `UNKNOWN`. `DataError` names what is missing,
    damaged or miscounted, and the remedy.
    """
    root = Path(root)
    names, labels, attributes, parts = _annotation(root)
    if official:
        hold_to(counts(root), OFFICIAL, root, SOURCE)
    _check_images(root, names)
    lacking = [name for name in NAMES if name not in attributes]
    if lacking:
        raise DataError(
            f"{root / ANNOTATION}: attribute {lacking[0]} is not among its {len(attributes)} names "
            f"({len(lacking)} such); RAP v1 is needed, not v2"
        )
    kept = labels[:, [attributes.index(name) for name in NAMES]].astype(np.float32)
    kept[kept == 2] = UNKNOWN
    kept.flags.writeable = False
    chosen = _part(root, parts, part, partition, len(names))
    folder = str(root / "RAP_dataset")
    return [
        Tracklet(
            ListedFrames(folder, names[i : i + 1]),
            DISTRACTOR,
            _camera(name := os.fsdecode(bytes(names[i]))),
            name=name,
            attributes=kept[i],
        )
        for i in chosen
    ]


def check_partitions(root: Path) -> None:
    """`DataError` names the first partition whose halves are not of the images, each once."""
    names, _, _, parts = _annotation(root)
    for number in range(len(parts)):
        _part(root, parts, "train", number, len(names))


def counts(root: Path) -> dict[str, int]:
    """How much of what there is, under the keys of `OFFICIAL`."""
    names, _, attributes, parts = _annotation(root)
    return {"images": len(names), "attributes": len(attributes), "partitions": len(parts)}


def _annotation(
    root: Path,
) -> tuple[Names, NDArray[np.int64], list[str], list[tuple[NDArray[Any], NDArray[Any]]]]:
    """Image names, labels `[n, a]`, the a attribute names, (train, test) rows of each partition."""
    path = need(need(root, SOURCE, LAYOUT) / ANNOTATION, SOURCE, LAYOUT)
    value = load_variable(path, "RAP_annotation")
    try:
        struct = value.item()
        images = [str(cell.item()) for cell in struct.imagesname.ravel()]
        attributes = [str(cell.item()) for cell in struct.attribute_eng.ravel()]
        labels = np.asarray(struct.label)
        parts = []
        for cell in struct.partion.ravel():
            fields = cell.item()
            parts.append((fields.train_index.ravel(), fields.test_index.ravel()))
    except (AttributeError, ValueError, TypeError, IndexError) as error:
        raise DataError(
            f"{path}: RAP_annotation is not the struct of RAP v1 ({error}); fetch the official file"
        ) from error
    if labels.shape != (len(images), len(attributes)) or not images:
        raise DataError(
            f"{path}: label has the shape {list(labels.shape)} for {len(images)} images and "
            f"{len(attributes)} attributes; fetch the official file again"
        )
    if not np.isin(labels, (0, 1, 2)).all():
        raise DataError(f"{path}: label holds values besides 0, 1 and 2; fetch it again")
    if len(set(attributes)) < len(attributes):
        twice = next(name for k, name in enumerate(attributes) if name in attributes[:k])
        raise DataError(f"{path}: attribute {twice} is there twice; fetch the official file again")
    for number, halves in enumerate(parts):
        for rows in halves:
            if rows.dtype.kind not in "iuf" or not np.all(np.mod(rows, 1) == 0):
                odd = next((r for r in rows if rows.dtype.kind == "f" and r % 1 != 0), rows.dtype)
                raise DataError(
                    f"{path}: partition {number} names image {odd}, which is no whole number; "
                    "fetch it again"
                )
    names = np.array([os.fsencode(image) for image in images], dtype=np.bytes_)
    refuse_paths(names, str(path))
    unique, first = np.unique(names, return_index=True)
    if len(unique) < len(names):
        twice = images[int(np.setdiff1d(np.arange(len(names)), first)[0])]
        raise DataError(f"{path}: image {twice} is there twice; fetch the official file again")
    return names, labels.astype(np.int64), attributes, parts


def _check_images(root: Path, names: Names) -> None:
    folder = need(root / "RAP_dataset", SOURCE, LAYOUT)
    present = entries(folder, ".png")
    lacking = np.setdiff1d(names, present)
    if len(lacking):
        raise DataError(
            f"{folder / os.fsdecode(bytes(lacking[0]))} is missing: the list is longer than the "
            f"folder by {len(lacking):,} of {len(names):,} images; get them from {SOURCE}"
        )
    if len(present) > len(names):
        extra = os.fsdecode(bytes(np.setdiff1d(present, names)[0]))
        raise DataError(
            f"{folder / extra} is not in the annotation: the list is shorter than the folder by "
            f"{len(present) - len(names):,} images; move them away"
        )


def _part(
    root: Path, parts: list[tuple[NDArray[Any], NDArray[Any]]], part: str, number: int, count: int
) -> list[int]:
    if part not in ("all", "train", "test"):
        raise DataError(f"part={part!r}: one of 'all', 'train', 'test'")
    if part == "all":
        return list(range(count))
    if not 0 <= number < len(parts):
        raise DataError(f"partition={number}: {root / ANNOTATION} holds {len(parts)}, from 0")
    train, test = (np.asarray(rows, dtype=np.int64) - 1 for rows in parts[number])
    both = np.concatenate([train, test])
    if len(train) == 0 or len(test) == 0:
        raise DataError(f"{root / ANNOTATION}: partition {number} names nobody for one half")
    if both.min() < 0 or both.max() >= count or len(np.unique(both)) < len(both):
        raise DataError(
            f"{root / ANNOTATION}: partition {number} names an image twice or one that is not there"
        )
    return [int(i) for i in (train if part == "train" else test)]


def _camera(name: str) -> int:
    """The camera in a name such as `CAM01_2014-02-15_…`, 0 where it names none."""
    match = re.match(r"CAM(\d+)", name)
    return int(match.group(1)) if match else 0
