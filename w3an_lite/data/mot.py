"""Your own footage: a video, or a folder of frames, with MOTChallenge boxes becomes tracklets.

What a box file holds is said in `boxes.py`.

The film is decoded once, in order, and a frame is let go as soon as its boxes are cut out. Crops
that are too many for memory lie in a temporary file, which goes when they do.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from w3an_lite.data.boxes import read_boxes
from w3an_lite.data.csv_file import csv_rows, whole
from w3an_lite.data.tracklet import ArrayFrames, DataError, Frames, Size, Tracklet, Truth
from w3an_lite.data.video import crop, frames_of

logger = logging.getLogger(__name__)

IN_MEMORY = 2**28
"""Bytes of crops that are kept in memory; more are kept in a file."""
_LABELS = ("track_id", "person", "visit", "first_frame", "last_frame")


@dataclass(frozen=True, eq=False)
class MotFrames(ArrayFrames):
    """Crops that remember where they were cut out.

    numbers: int64 `[n]`, the frame of the film, counted from 1
    boxes: float64 `[n, 4]`, left, top, width, height in pixels of the film
    """

    numbers: NDArray[np.int64]
    boxes: NDArray[np.float64]

    def __post_init__(self) -> None:
        super().__post_init__()
        n = len(self.array)
        if self.numbers.shape != (n,) or self.boxes.shape != (n, 4):
            raise DataError(
                f"{n} crops with numbers {list(self.numbers.shape)} and boxes "
                f"{list(self.boxes.shape)}; give [{n}] and [{n}, 4]"
            )


def read_mot(
    video: str | Path,
    boxes: str | Path,
    size: Size = (128, 64),
    *,
    min_frames: int = 1,
    skip_ignored: bool = False,
    progress: bool = False,
) -> list[Tracklet]:
    """One tracklet a track, in the order of track numbers: identity = track number, camera = 1.

    `video` is a video file or a folder of images, taken in the order of their names (f2 before
    f10). Crops are resized to `size` (height, width) and held as `MotFrames`: in memory, or beyond
    256 MB of them in a temporary file.

    The part of a box outside the picture is filled by repeating the picture's edge: the body keeps
    its place and scale in the crop, and no black bar is added that a network could take for
    clothing. A box wholly outside is dropped, and one warning says how many were. Tracks with fewer
    than `min_frames` crops are left out. `skip_ignored` leaves out boxes of confidence 0, which
    MOTChallenge does not score.

    Raises `DataError` naming the file if video, image or box file is missing or unreadable, if a
    line is malformed, a box has no area, a (frame, track) comes twice, no box has two pixels, or a
    box names a frame beyond the video.
    """
    if min(size) < 1 or min_frames < 1:
        raise ValueError(f"size={size} and min_frames={min_frames} must be at least 1")
    video, boxes = Path(video), Path(boxes)
    table = read_boxes(boxes, skip_ignored=skip_ignored)
    if (largest := table[:, 4:].max()) < 2:
        raise DataError(
            f"{boxes}: no box is wider or higher than {largest:g} pixels; shares of the picture "
            "are to be multiplied by its width and height"
        )
    tracks, lengths = np.unique(table[:, 1], return_counts=True)
    table = table[np.isin(table[:, 1], tracks[lengths >= min_frames])]
    crops, inside = _cut(video, table, size, progress)
    if not inside.all():
        gone = int((~inside).sum())
        text = "%s: %d of %d boxes lie wholly outside the picture and are dropped"
        logger.warning(text, boxes, gone, len(inside))
    out: list[Tracklet] = []
    for track in np.unique(table[:, 1]).astype(int).tolist():
        rows = np.flatnonzero((table[:, 1] == track) & inside)
        if len(rows) < min_frames:
            continue
        # Rows of a track lie together, so that this is a view unless a box of it was dropped.
        whole = slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] + 1 == len(rows) else rows
        frames = MotFrames(crops[whole], table[whole, 0].astype(np.int64), table[whole, 2:])
        out.append(Tracklet(frames, identity=track, camera=1, name=f"track {track}"))
    if not out:
        remedy = "lower min_frames" if min_frames > 1 else f"give the boxes of {video}"
        raise DataError(f"{boxes}: no track has {min_frames} box(es) inside the picture; {remedy}")
    return out


def _cut(
    video: Path, table: NDArray[np.float64], size: Size, progress: bool
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Crops uint8 `[n, 3, *size]` of the boxes `table` `[n, 6]`, and bool `[n]`: is it inside?"""
    crops = _room((len(table), 3, *size))
    inside = np.zeros(len(table), dtype=bool)
    rows_of: dict[int, list[int]] = {}
    for row, number in enumerate(table[:, 0].astype(int).tolist()):
        rows_of.setdefault(number, []).append(row)
    frames = frames_of(video, sorted(rows_of))
    bar = tqdm(frames, video.name, len(rows_of), unit="frame", disable=not progress)
    for number, frame in bar:
        for row in rows_of[number]:
            try:
                patch = crop(frame, table[row, 2:].tolist(), size)
            except DataError as error:
                raise DataError(f"{video}, frame {number}: {error}") from error
            if patch is not None:
                crops[row], inside[row] = patch, True
    return crops, inside


def _room(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array to fill, in memory or in a nameless file. DataError if the disk has no room."""
    size = math.prod(shape)
    if size <= IN_MEMORY:
        return np.empty(shape, dtype=np.uint8)
    try:
        with tempfile.TemporaryFile(prefix="w3an-") as file:  # the array keeps it open
            if hasattr(os, "posix_fallocate"):  # else a full disk would show as a crash later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.uint8, "w+", shape=shape)
    except OSError as error:
        raise DataError(
            f"{size / 1e9:.1f} GB of crops do not fit into {tempfile.gettempdir()} ({error}); "
            "name a roomier folder in TMPDIR, or choose a smaller size"
        ) from error


def windows(tracklet: Tracklet, length: int = 10, limit: int | None = None) -> list[Tracklet]:
    """Cut a tracklet into consecutive windows of `length` frames; what is left over is dropped.

    Frames are taken as they follow in the tracklet, also across a gap in the film. With `limit`, at
    most so many windows, spread evenly. Windows of crops in memory are views: no pixel is copied.
    """
    if length < 1 or (limit is not None and limit < 1):
        raise ValueError(f"length={length} and limit={limit} must be at least 1")
    count = len(tracklet) // length
    chosen = np.arange(count)
    if limit is not None and count > limit:
        chosen = np.linspace(0, count - 1, limit).round().astype(np.int64)
    return [_part(tracklet, slice(i * length, (i + 1) * length)) for i in chosen.tolist()]


def _part(tracklet: Tracklet, part: slice) -> Tracklet:
    frames, truth = tracklet.frames, tracklet.truth
    first, last = part.start, part.stop - 1
    piece: Frames
    if isinstance(frames, MotFrames):
        first, last = int(frames.numbers[first]), int(frames.numbers[last])
        piece = MotFrames(frames.array[part], frames.numbers[part], frames.boxes[part])
    elif isinstance(frames, ArrayFrames):
        piece = ArrayFrames(frames.array[part])
    else:
        piece = ArrayFrames(frames.read(range(part.start, part.stop)))
    if truth is not None:
        truth = Truth(truth.visibility[part], truth.mask[part], truth.parts[part])
    name = f"{tracklet.name} frames {first}-{last}".strip()
    return replace(tracklet, frames=piece, truth=truth, name=name)


def label_windows(tracklets: Sequence[Tracklet], labels: str | Path) -> list[Tracklet]:
    """Give tracklets of `read_mot`, or windows of them, the people they show.

    `labels` is a CSV with columns track_id, person, visit, first_frame and last_frame. Each
    tracklet takes the row of its track whose frames hold its own: identity = the place of the
    person (from 1) in the sorted list of people in the file, camera = visit. One camera sees a
    person come by several times, so the visit stands in for the camera when a search excludes it.

    Raises `DataError` naming file and line of what cannot be, or file and tracklet if no row, or
    rows that disagree, hold its frames.
    """
    path = Path(labels)
    rows: dict[int, list[tuple[int, int, str, int]]] = {}
    for line, row in csv_rows(path, _LABELS, "the file of who each track shows"):
        where = f"{path} line {line}"
        track, visit, first, last = (
            whole(row[name], name, where)
            for name in ("track_id", "visit", "first_frame", "last_frame")
        )
        person = row["person"].strip()
        if not person:
            raise DataError(f"{where}: person is empty; name the person, or leave the line out")
        if first > last:
            raise DataError(
                f"{where}: first_frame {first} comes after last_frame {last}; exchange the two"
            )
        rows.setdefault(track, []).append((first, last, person, visit))
    people = sorted({person for known in rows.values() for _, _, person, _ in known})
    out: list[Tracklet] = []
    for tracklet in tracklets:
        if not isinstance(tracklet.frames, MotFrames):
            raise DataError(f"{tracklet!r} has no frame numbers; label what read_mot returned")
        first, last = int(tracklet.frames.numbers[0]), int(tracklet.frames.numbers[-1])
        found = {r[2:] for r in rows.get(tracklet.identity, []) if r[0] <= first and last <= r[1]}
        if len(found) != 1:
            how, remedy = f"{len(found)} different people or visits", "keep one of them"
            if not found:
                how, remedy = "no row", "add one whose first_frame to last_frame holds them all"
            raise DataError(
                f"{path} has {how} for {tracklet.name}, frames {first} to {last}; {remedy}"
            )
        person, visit = found.pop()
        name = f"{person} visit {visit}, {tracklet.name}"
        out.append(replace(tracklet, identity=people.index(person) + 1, camera=visit, name=name))
    return out
