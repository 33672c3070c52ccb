"""Frames of a film, one pass and one frame at a time: a video file or a folder of images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.tracklet import DataError, Size, read_image, resize

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of the files that count as frames of a folder."""


def frames_of(video: str | Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield `(number, frame)` for the frames `wanted` (ascending, from 1): RGB uint8 `[H, W, 3]`.

    `video` is a video file or a folder of images, taken in the order of their names; numbers in the
    names count as numbers. Raises `DataError` naming the file if it is missing or unreadable, or
    ends before a frame that is wanted.
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
    capture = cv2.VideoCapture(str(video))
    try:
        if not capture.isOpened():
            raise DataError(f"{video} is not a readable video; fetch it again or convert it to MP4")
        number = 0
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
    finally:
        capture.release()


def _folder_frames(folder: Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGES and p.is_file()]
    files = [p for p in files if not p.name.startswith(".")]  # a Mac leaves such beside the frames
    if not files:
        raise DataError(f"{folder} holds no images; give a folder of frames or a video file")
    files.sort(key=lambda p: [(int(s or 0), t) for s, t in re.findall(r"(\d*)(\D*)", p.name)])
    late = [number for number in wanted if number > len(files)]
    if late:
        raise _beyond(folder, late[0], len(files))
    for number in wanted:
        yield number, read_image(files[number - 1]).transpose(1, 2, 0)
