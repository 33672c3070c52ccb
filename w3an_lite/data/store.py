"""A packed split: every frame once, in the order of the tracklets, found by arithmetic alone.

A store is a folder that `pack.pack` wrote. store.json says what it is and how long each file is;
the others are plain .npy arrays, readable with `numpy.load` and nothing else:

    frames.npy                 decoded: uint8 [N, 3, H, W], one after another in memory order
    frames.bin, offsets.npy    jpeg: file i is the bytes offsets[i] to offsets[i + 1]
    start.npy                  int64 [n + 1], the first frame of each tracklet
    identity.npy, camera.npy   int64 [n]
    names.npy, name_start.npy  the names in UTF-8, one after another, and where each begins
    train.npy, query.npy, gallery.npy    int64, rows of tracklets
    attributes.npy, labelled.npy         float32 [n, A], bool [n]; only if something is labelled
    truth_start.npy, visibility.npy, mask.npy, parts.npy    only if drawn tracklets are in it
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from w3an_lite.data.threads import on_threads
from w3an_lite.data.tracklet import (
    UNREADABLE,
    DataError,
    Size,
    Split,
    Tracklet,
    Truth,
    resize,
)

KIND = "w3an-lite store"
VERSION = 1
FORMS = ("decoded", "jpeg")
STATE = "store.json"
LARGE = ("frames.npy", "frames.bin", "visibility.npy", "mask.npy", "parts.npy")
"""Files with a row for each frame, whose bytes are compared only when asked for."""


@dataclass(frozen=True, eq=False)
class Store:
    """The frames of a store. Copied to another process as its path, never as its bytes.

    data: decoded frames uint8 `[N, 3, H, W]`, or JPEG bytes uint8 `[bytes]`; on disk until read
    start: int64 `[n + 1]`, the first frame of each tracklet
    offsets: int64 `[N + 1]`, the first byte of each JPEG file; None when decoded
    """

    path: Path
    data: NDArray[np.uint8]
    start: NDArray[np.int64]
    offsets: NDArray[np.int64] | None = None

    def __reduce__(self) -> tuple[Callable[[Path], Store], tuple[Path]]:
        return _reopen, (self.path,)

    def gather(
        self,
        rows: Sequence[int] | NDArray[np.integer],
        indices: Sequence[Sequence[int]] | NDArray[np.integer],
        size: Size | None = None,
    ) -> NDArray[np.uint8]:
        """Frames `indices` `[B, T]` of the tracklets `rows` `[B]`: uint8 `[B, T, 3, H, W]`.

        Decoded frames of a batch are fetched in one go. IndexError for a frame that a tracklet has
        not; indices below 0 count from its end.
        """
        which, at = np.asarray(rows, dtype=np.int64), np.asarray(indices, dtype=np.int64)
        first = self.start[which][:, None]
        length = self.start[which + 1][:, None] - first
        if np.any(at >= length) or np.any(at < -length):
            b, t = np.argwhere((at >= length) | (at < -length))[0].tolist()
            raise IndexError(
                f"frame {at[b, t]} of a tracklet of {length[b, 0]} frames (row {which[b]} of "
                f"{self.path})"
            )
        numbers = np.where(at < 0, at + length, at) + first
        if self.offsets is None:
            frames = np.take(self.data, numbers, axis=0)
            flat = frames.reshape(-1, *frames.shape[2:])
            return resize(flat, size).reshape(*at.shape, 3, *(size or frames.shape[-2:]))
        images = on_threads(lambda n: self._decode(n, size), numbers.ravel().tolist())
        if any(image.shape != images[0].shape for image in images):
            raise DataError(
                f"{self.path}: the frames read together differ in size; give a size to resize to"
            )
        shape = images[0].shape if images else (3, *(size or (0, 0)))
        return np.array(images, dtype=np.uint8).reshape(*at.shape, *shape)

    def _decode(self, number: int, size: Size | None) -> NDArray[np.uint8]:
        assert self.offsets is not None
        data = self.data[self.offsets[number] : self.offsets[number + 1]]
        try:
            with Image.open(io.BytesIO(data.tobytes()), formats=("JPEG",)) as image:
                rgb = image.convert("RGB")
        except UNREADABLE as error:
            raise DataError(
                f"{self.path / 'frames.bin'}: frame {number} is damaged ({error}); remove the "
                "store and pack it again"
            ) from error
        if size is not None and (rgb.height, rgb.width) != tuple(size):
            rgb = rgb.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(rgb).transpose(2, 0, 1)


@dataclass(frozen=True, eq=False)
class StoreFrames:
    """The frames of tracklet `row` of a store."""

    store: Store
    row: int

    def __len__(self) -> int:
        return int(self.store.start[self.row + 1] - self.store.start[self.row])

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        """Frames `indices` as uint8 `[n, 3, H, W]`; IndexError for one that is not there."""
        return self.store.gather([self.row], np.asarray(indices, np.int64)[None], size)[0]


def read_together(
    tracklets: Sequence[Tracklet],
    indices: Sequence[NDArray[np.integer]],
    size: Size | None = None,
) -> NDArray[np.uint8]:
    """Frames `indices[b]` `[T]` of each tracklet as uint8 `[B, T, 3, H, W]`.

    Those that lie in one store are fetched in one go. `DataError` names a tracklet whose frames
    have another size than the first one's.
    """
    stored = [t.frames for t in tracklets if isinstance(t.frames, StoreFrames)]
    if stored and len(stored) == len(tracklets) and len({id(f.store) for f in stored}) == 1:
        return stored[0].store.gather([f.row for f in stored], np.stack(indices), size)
    read = [t.frames.read(i, size) for t, i in zip(tracklets, indices, strict=True)]
    for tracklet, pixels in zip(tracklets, read, strict=True):
        if pixels.shape[-2:] != read[0].shape[-2:]:
            raise DataError(
                f"{tracklet.name or tracklet} is {pixels.shape[-2:]} (H, W), the first tracklet "
                f"{read[0].shape[-2:]}; give a size to resize them to (load_size of the recipe)"
            )
    return np.stack(read)


def open_store(path: str | Path, *, verify: bool = False) -> Split:
    """The split that was packed into the folder `path`, with frames that are read when asked for.

    The lengths of all files and the checksums of the index are compared with store.json;
    `verify` also compares the frames', which reads them all.

    `DataError` names what is missing, damaged, unfinished or of another version, and the remedy.
    """
    path = Path(path).absolute()
    state = read_state(path)
    if not state.get("whole"):
        raise DataError(f"{path} is not packed to its end; run the same pack again to go on")
    try:
        _check_files(path, state["files"], verify)
        return _split(path, state)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove it and pack again"
        ) from error


def read_state(path: Path) -> dict[str, Any]:
    """store.json of the folder `path`; `DataError` if it is no store of a version we can read."""
    file = path / STATE
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; give the folder that `pack` wrote")
    if not file.is_file():
        raise DataError(f"{file} is missing; give the folder that `pack` wrote, or pack again")
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file} is damaged ({error}); remove {path} and pack again") from error
    if not isinstance(state, dict) or state.get("kind") != KIND:
        raise DataError(f"{file} does not describe a store; give the folder that `pack` wrote")
    if state.get("version") != VERSION:
        raise DataError(
            f"{path} is a store of version {state.get('version')}, this library reads version "
            f"{VERSION}; pack again, or use the library that wrote it"
        )
    return state


def _check_files(path: Path, files: dict[str, dict[str, int]], verify: bool) -> None:
    for name, known in files.items():
        file = path / name
        if not file.is_file():
            raise DataError(f"{file} is missing; remove {path} and pack again")
        found = file.stat().st_size
        if found != known["bytes"]:
            raise DataError(
                f"{file} has {found:,} bytes, not {known['bytes']:,}; it is truncated or not of "
                f"this store: copy it again, or remove {path} and pack again"
            )
        if (verify or name not in LARGE) and checksum(file) != known["crc32"]:
            raise DataError(
                f"{file} is damaged (its checksum differs); copy it again, or remove {path} and "
                "pack again"
            )


def checksum(file: Path) -> int:
    """CRC-32 of a file, read 1 MiB at a time."""
    crc = 0
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc


def _load(path: Path, name: str, *, on_disk: bool = False) -> NDArray[Any]:
    array = np.load(path / f"{name}.npy", mmap_mode="r" if on_disk else None, allow_pickle=False)
    return np.asarray(array)  # a plain view: slices of `memmap` cost more


def _reopen(path: Path) -> Store:
    state = read_state(path)
    if state["form"] == "decoded":
        return Store(path, _load(path, "frames", on_disk=True), _load(path, "start"))
    data = np.asarray(np.memmap(path / "frames.bin", np.uint8, "r"))
    return Store(path, data, _load(path, "start"), _load(path, "offsets", on_disk=True))


def _split(path: Path, state: dict[str, Any]) -> Split:
    store, n = _reopen(path), int(state["tracklets"])
    start, text = _load(path, "name_start").tolist(), _load(path, "names").tobytes()
    names = [text[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(start)]
    who, cameras = _load(path, "identity").tolist(), _load(path, "camera").tolist()
    if not n == len(names) == len(who) == len(cameras) == len(store.start) - 1:
        raise DataError(f"{path}: its files disagree on the number of tracklets; pack again")
    labels: list[NDArray[np.float32] | None] = [None] * n
    if state["attributes"]:
        known = _load(path, "labelled").tolist()
        labels = [a if k else None for a, k in zip(_load(path, "attributes"), known, strict=True)]
    truths = _truths(path) if state["truth"] else [None] * n
    tracklets = [
        Tracklet(StoreFrames(store, row), *rest)
        for row, rest in enumerate(zip(who, cameras, names, labels, truths, strict=True))
    ]
    parts = [[tracklets[i] for i in _load(path, p).tolist()] for p in ("train", "query", "gallery")]
    return Split(state["split"], *parts)


def _truths(path: Path) -> list[Truth | None]:
    start = _load(path, "truth_start").tolist()
    seen, mask, parts = (_load(path, p, on_disk=True) for p in ("visibility", "mask", "parts"))
    spans = [slice(a, b) for a, b in pairwise(start)]
    return [Truth(seen[s], mask[s], parts[s]) if s.stop > s.start else None for s in spans]
