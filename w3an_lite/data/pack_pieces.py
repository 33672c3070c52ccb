"""What `pack` does in its threads: a few frames of a tracklet become the bytes of a store."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from w3an_lite.data.tracklet import ArrayFrames, DataError, Size, Tracklet, is_upright, read_image

FRAMES = 64
"""The most frames of a piece: few enough that a window of pieces fits in memory."""
QUALITY = 95
"""Of the JPEG bytes of frames that are not in a JPEG file of the right size already."""


class Piece(NamedTuple):
    """Frames `start` to `stop` of a tracklet."""

    tracklet: Tracklet
    start: int
    stop: int


class Packed(NamedTuple):
    """A piece as it is stored.

    frames: the decoded frames in one buffer, or one JPEG file a frame
    truth: visibility, mask and parts of a drawn tracklet, else nothing
    digest: of what the piece was made from, see `source_of`
    """

    frames: list[Any]
    truth: dict[str, NDArray[Any]]
    digest: str


def pieces_of(tracklets: Sequence[Tracklet]) -> Iterator[Piece]:
    """All frames, in order; the same cut whoever packs them, so that a resumed pack fits."""
    for tracklet in tracklets:
        for start in range(0, len(tracklet), FRAMES):
            yield Piece(tracklet, start, min(start + FRAMES, len(tracklet)))


def read_piece(
    piece: Piece,
    form: str,
    size: Size | None,
    stored: Sequence[int] | None,
    truth_size: Sequence[int] | None,
) -> Packed:
    """Read `piece`, resized to `size` if it is given, and pack it.

    `DataError` names an unreadable file, or a tracklet whose frames are not of the `stored` size.
    """
    paths = _paths(piece)
    first: NDArray[np.uint8] | None = None
    digest = "" if paths is None else source_of(piece, size)  # before reading: a change is noticed
    frames: list[Any]
    if form == "jpeg" and paths is not None:
        frames = [_jpeg_file(path, size) for path in paths]
    else:
        pixels = piece.tracklet.frames.read(range(piece.start, piece.stop), size)
        _check(piece, pixels, stored)
        first = pixels[0]
        frames = [_encode(f) for f in pixels] if form == "jpeg" else [np.ascontiguousarray(pixels)]
    truth = {} if truth_size is None else _truth(piece, size, truth_size)
    return Packed(frames, truth, digest or source_of(piece, size, first))


def source_of(piece: Piece, size: Size | None, first: NDArray[np.uint8] | None = None) -> str:
    """A digest that differs when the source of `piece` does.

    Of files: folder, name, length and time of change. Of arrays in memory: all bytes. Of anything
    else: its first frame (`first` if it is at hand), for reading all would be packing again.
    """
    digest = hashlib.blake2b(digest_size=16)
    paths, frames = _paths(piece), piece.tracklet.frames
    if paths is not None:
        for path in paths:
            try:
                stat = path.stat()
            except OSError as error:
                raise DataError(
                    f"{path} cannot be read ({error.strerror}); fetch it again"
                ) from error
            line = f"{path.parent.name}/{path.name} {stat.st_size} {stat.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    elif isinstance(frames, ArrayFrames):
        digest.update(np.ascontiguousarray(frames.array[piece.start : piece.stop]).data)
    else:
        frame = frames.read([piece.start], size)[0] if first is None else first
        digest.update(np.ascontiguousarray(frame).data)
    truth = piece.tracklet.truth
    for part in () if truth is None else (truth.visibility, truth.mask, truth.parts):
        digest.update(np.ascontiguousarray(part[piece.start : piece.stop]).data)
    return digest.hexdigest()


def _paths(piece: Piece) -> tuple[Path, ...] | None:
    """The files of the piece, if its tracklet is one of files."""
    paths = getattr(piece.tracklet.frames, "paths", None)
    return None if paths is None else tuple(paths[piece.start : piece.stop])


def _check(piece: Piece, pixels: NDArray[np.uint8], stored: Sequence[int] | None) -> None:
    want = [piece.stop - piece.start, 3, *(stored or pixels.shape[-2:])]
    if pixels.dtype != np.uint8 or list(pixels.shape) != want:
        raise DataError(
            f"tracklet {piece.tracklet.name!r}: frames {piece.start} to {piece.stop - 1} are "
            f"{pixels.dtype} {list(pixels.shape)}, not uint8 {want}; "
            "give a size to resize to, or leave it out"
        )


def _jpeg_file(path: Path, size: Size | None) -> bytes:
    """The JPEG bytes of an image file: its own if they will do, for each new encoding loses some.

    The file is decoded all the same, so that a damaged one is named now and not in training.
    """
    pixels = read_image(path, size)
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        same = image.format == "JPEG" and (image.height, image.width) == pixels.shape[1:]
        same = same and is_upright(image)  # a store shows its bytes as they are
    return data if same else _encode(pixels)


def _encode(frame: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))).save(
        out, format="JPEG", quality=QUALITY
    )
    return out.getvalue()


def _truth(piece: Piece, size: Size | None, truth_size: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Visibility, mask and parts of the piece, the last two resized to the nearest pixel."""
    truth = piece.tracklet.truth
    if truth is None:
        return {}
    part = slice(piece.start, piece.stop)
    height, width = truth.mask.shape[-2:]
    if [height, width] != list(truth_size) and size is None:
        raise DataError(
            f"tracklet {piece.tracklet.name!r}: its masks are {height}x{width}, the first "
            f"{truth_size[0]}x{truth_size[1]}; give a size to resize them to"
        )
    rows = (2 * np.arange(truth_size[0]) + 1) * height // (2 * truth_size[0])
    columns = (2 * np.arange(truth_size[1]) + 1) * width // (2 * truth_size[1])
    return {
        "visibility.npy": truth.visibility[part].astype(np.float32),
        "mask.npy": truth.mask[part][:, rows[:, None], columns].astype(np.bool_),
        "parts.npy": truth.parts[part][:, rows[:, None], columns].astype(np.uint8),
    }
