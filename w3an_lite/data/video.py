"""Frames of a film, one pass and one frame at a time: a video file or a folder of images."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.tracklet import DataError, Size, read_image, resize

logger = logging.getLogger(__name__)

LOOK_ON = 1000
"""Frames behind the last one wanted that are decoded too, to see whether the film holds them."""
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of the files that count as frames of a folder."""
TEXTS = frozenset({".txt", ".csv"})
"""Endings of files that OpenCV would show as a film of their letters."""


def frames_of(video: str | Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield `(number, frame)` for the frames `wanted` (ascending, from 1): RGB uint8 `[H, W, 3]`.

    `video` is a video file or a folder of images, taken in the order of their names; numbers in the
    names count as numbers, and must follow one another from 0 or 1. Raises `DataError` naming the
    file if it is missing or unreadable, is out of place in the folder, or ends before a frame that
    is wanted; a warning says when a film holds fewer frames than it claims.
    """
    video = Path(video)
    return _folder_frames(video, wanted) if video.is_dir() else _video_frames(video, wanted)


def crop(frame: NDArray[np.uint8], box: Sequence[float], size: Size) -> NDArray[np.uint8] | None:
    """Cut `box` (left, top, width, height) out of `frame` `[H, W, 3]` as `[3, *size]`, antialiased.

    Corners are rounded to whole pixels. None if no pixel of the box lies in the frame.
    """
    height, width = frame.shape[:2]
    left, top = round(box[0]), round(box[1])
    right = max(round(box[0] + box[2]), left + 1)
    bottom = max(round(box[1] + box[3]), top + 1)
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return None
    if right - left > 10 * width or bottom - top > 10 * height:
        raise DataError(
            f"a box of {right - left} x {bottom - top} pixels in a picture of {width} x {height}; "
            "check that the boxes are in pixels of this video"
        )
    rows = np.arange(top, bottom).clip(0, height - 1)
    columns = np.arange(left, right).clip(0, width - 1)
    patch = frame[rows[:, None], columns].transpose(2, 0, 1)
    out: NDArray[np.uint8] = resize(np.ascontiguousarray(patch)[None], size)[0]
    return out


def _beyond(video: Path, frame: int, length: int) -> DataError:
    return DataError(
        f"{video} has {length} frames, but a box names frame {frame}; "
        "give the video these boxes were made for, or fetch it again if it is cut short"
    )


def _video_frames(video: Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    import cv2  # slow to import, and needed for video files only

    if not video.is_file():
        raise DataError(f"{video} is missing; give a video file or a folder of frames")
    if video.suffix.lower() in TEXTS:
        raise DataError(f"{video} is no video but a text; are video and boxes swapped?")
    capture = cv2.VideoCapture(str(video))
    try:
        if not capture.isOpened():
            raise DataError(f"{video} is not a readable video; fetch it again or convert it to MP4")
        number, claimed = 0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        for target in wanted:
            while number < target:
                # The length a file claims is not to be trusted: count what can be decoded.
                if not capture.grab():
                    raise _beyond(video, target, number)
                number += 1
            good, bgr = capture.retrieve()
            if not good:
                raise DataError(f"{video}: frame {target} cannot be decoded; fetch the video again")
            yield target, np.asarray(bgr, dtype=np.uint8)[..., ::-1]
        if number < claimed <= number + LOOK_ON:
            while capture.grab():
                number += 1
            if number < claimed:
                text = "%s claims %d frames, and %d can be decoded; if any is lost before the end, "
                text += "boxes after it are cut out of other frames: fetch the video again"
                logger.warning(text, video, claimed, number)
    finally:
        capture.release()


def _folder_frames(folder: Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGES and p.is_file()]
    files = [p for p in files if not p.name.startswith(".")]  # a Mac leaves such beside the frames
    if not files:
        raise DataError(f"{folder} holds no images; give a folder of frames or a video file")
    files.sort(key=lambda p: p.name)
    files.sort(key=lambda p: [(int(s or 0), t) for s, t in re.findall(r"(\d*)(\D*)", p.name)])
    _check_numbers(folder, [p.name for p in files])
    late = [number for number in wanted if number > len(files)]
    if late:
        raise _beyond(folder, late[0], len(files))
    for number in wanted:
        yield number, read_image(files[number - 1]).transpose(1, 2, 0)


def _check_numbers(folder: Path, names: list[str]) -> None:
    """`DataError` if numbers in the sorted `names` say that a frame lacks or is there twice.

    Frame n is the n-th file, so that each one after a gap or a copy would be taken for another.
    """
    stems = [name.rpartition(".")[0] for name in names]
    shapes = [re.sub(r"\d+", "#", stem) for stem in stems]
    usual, count = Counter(shapes).most_common(1)[0]
    if "#" not in usual or 2 * count <= len(names):
        return  # the names do not count
    odd = [name for name, shape in zip(names, shapes, strict=True) if shape != usual]
    if odd:
        raise DataError(
            f"{folder} holds {odd[0]} among frames with names such as "
            f"{names[shapes.index(usual)]}; move away what is no frame of its own"
        )
    numbers = [[int(n) for n in re.findall(r"\d+", stem)] for stem in stems]
    columns = [k for k, column in enumerate(zip(*numbers, strict=True)) if len(set(column)) > 1]
    if not columns and len(names) > 1:
        raise DataError(f"{folder}: {names[0]} and {names[1]} have one number; keep one of them")
    steps = np.diff(np.array(numbers, dtype=np.float64), axis=0)
    counting = [k for k in columns if (steps[:, k] == 1).all()]
    if len(columns) > 1 and not counting and not (steps[:, columns] == 0).any():
        uneven = int(np.argmax(steps[:, columns[0]] != 1))
        raise DataError(
            f"{folder}: {names[uneven]} and {names[uneven + 1]} do not follow one another by any "
            "of their numbers; fetch what lies between, or number the frames anew"
        )
    columns = counting[:1] or columns
    for i in range(1, len(names)):
        before, after = numbers[i - 1], numbers[i]
        step = after[columns[-1]] - before[columns[-1]]
        if step != 1 and all(before[k] == after[k] for k in columns[:-1]):
            how = (
                "have one number; keep one of them"
                if step == 0
                else (
                    "do not follow one another; fetch what lies between, or number the frames anew"
                )
            )
            raise DataError(f"{folder}: {names[i - 1]} and {names[i]} {how}")
    if len(columns) == 1 and numbers[0][columns[0]] > 1:
        raise DataError(
            f"{folder} begins at {names[0]}, and boxes count from frame 1; fetch what lies before, "
            "or number the frames anew, from 1"
        )
