"""What every writer needs: a folder that appears whole or not at all, frames, .mat files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from w3an_lite.data.tracklet import DataError, Split, Tracklet
from w3an_lite.files import put_in_place

CHUNK = 64
"""Frames in memory at a time."""


@contextmanager
def whole_folder(root: Path) -> Iterator[Path]:
    """A new folder beside `root`, renamed to `root` at the end, removed after any error.

    A process that is killed cannot remove it; it is called .NAME.part-PID then.
    """
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise DataError(f"{root} is there already; remove it or write elsewhere")
    part = root.parent / f".{root.name}.part-{os.getpid()}"
    try:
        part.mkdir(parents=True)
    except FileExistsError as error:  # perhaps of another machine, whose process has the number too
        raise DataError(
            f"cannot write {root}: {part} is there already; remove it if nobody writes there"
        ) from error
    except OSError as error:
        raise _unwritable(root, error) from error
    try:
        yield part
        put_in_place(part, root)
    except OSError as error:
        raise _unwritable(root, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unwritable(root: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot write {root}: {error.strerror or error}; free space or choose another folder "
        "(nothing was left behind)"
    )


def all_tracklets(split: Split) -> list[Tracklet]:
    """Every tracklet of `split` once, in the order train, gallery, query."""
    return list({id(t): t for t in split.train + split.gallery + split.query}.values())


def write_frames(tracklet: Tracklet, folder: Path, names: Sequence[str], bar: tqdm[None]) -> None:
    """Write all frames of `tracklet` to `folder` under `names`; the suffix names the format."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        frames = tracklet.frames.read(range(start, start + len(part)))
        for frame, name in zip(frames, part, strict=True):
            image = Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))
            image.save(folder / name, quality=95)
        bar.update(len(part))


def save_mat(path: Path, content: Mapping[str, Any]) -> None:
    """Variables `content` as a compressed .mat file."""
    import scipy.io  # imported late, as in layout.py

    scipy.io.savemat(path, content, do_compression=True)


def cells(values: Sequence[object]) -> NDArray[np.object_]:
    """A MATLAB cell array `[n, 1]`."""
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    return array
