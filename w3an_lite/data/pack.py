"""`pack`: every frame of a split decoded once and for all, into a store that `open_store` opens."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from w3an_lite.cores import usable_cores
from w3an_lite.data.output import all_tracklets
from w3an_lite.data.pack_index import headers_of, index_of, settings_of
from w3an_lite.data.pack_part import Part, growing, refuse_other
from w3an_lite.data.pack_pieces import Packed, Piece, pieces_of, read_piece, source_of
from w3an_lite.data.store import FORMS, STATE, open_store, read_state
from w3an_lite.data.tracklet import DataError, Size, Split

logger = logging.getLogger(__name__)


def pack(
    split: Split,
    out: str | Path,
    size: Size | None = None,
    form: str = "decoded",
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write every frame of `split` once into the new folder `out`; returns `out`.

    size: (height, width) of the stored frames; None keeps their own, which for the decoded form
        must be one. Masks and parts of drawn tracklets are resized along, to the nearest pixel
    form: "decoded" is read fastest and takes 3·H·W bytes a frame; "jpeg" takes far less. A
        JPEG file of the right size is copied as it is, any other frame encoded (quality 95)
    workers: threads that read, resize and encode; None: one a core

    Until it is whole the folder is called `out`.part. After a kill, a full disk or an unreadable
    image, the same call goes on from there and ends in the same bytes. When `out` is there already
    and holds just this, nothing is done.

    `DataError` if an image is unreadable, the sizes differ, `out` or its part holds anything else,
    or frames packed before the interruption have changed. `OSError` if it cannot be written.
    """
    if (
        form not in FORMS
        or (size is not None and min(size) < 1)
        or (workers is not None and workers < 1)
    ):
        raise DataError(
            f"form={form!r}, size={size}, workers={workers}: give one of {', '.join(FORMS)}, "
            "a (height, width) of at least 1, and 1 worker or more"
        )
    out, tracklets = Path(out), all_tracklets(split)
    if not tracklets:
        raise DataError(f"split {split.name!r} holds no tracklet; nothing to pack")
    stored = size
    if form == "decoded" and size is None:
        shape = tracklets[0].frames.read([0]).shape
        stored = (int(shape[2]), int(shape[3]))
    settings = settings_of(split, tracklets, form, stored)
    pieces = list(pieces_of(tracklets))
    workers = workers or usable_cores()
    with ThreadPoolExecutor(workers) as pool:
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            _already(out, settings, pieces, size, pool)
            return out
        with growing(out, settings, headers_of(settings)) as part:
            before = _source(pieces[: len(pieces) if part.whole else part.done], size, pool)
            if before != part.source:
                raise DataError(
                    f"{part.folder} was begun from other frames than these; remove it to start "
                    "afresh, or bring the old frames back"
                )
            if not part.whole:
                _write(part, pieces, settings, size, pool, 4 * workers, progress)
                part.finish(index_of(split, tracklets, settings))
    return out


def _write(
    part: Part,
    pieces: list[Piece],
    settings: dict[str, Any],
    size: Size | None,
    pool: ThreadPoolExecutor,
    window: int,
    progress: bool,
) -> None:
    """Append the pieces that are not in `part` yet, in order, with `window` of them in the pool."""
    done = sum(piece.stop - piece.start for piece in pieces[: part.done])
    if part.done:
        logger.info("%s: going on after %d of %d frames", part.folder, done, settings["frames"])
    form, stored, truth = (settings[key] for key in ("form", "size", "truth"))
    waiting = iter(pieces[part.done :])
    running: deque[tuple[Piece, Future[Packed]]] = deque()
    with tqdm(
        total=settings["frames"], initial=done, desc="pack", unit="frame", disable=not progress
    ) as bar:
        try:
            while True:
                for piece in islice(waiting, window - len(running)):
                    job = pool.submit(read_piece, piece, form, size, stored, truth)
                    running.append((piece, job))
                if not running:
                    return
                piece, job = running.popleft()
                _append(part, _result(job, piece), form)
                bar.update(piece.stop - piece.start)
        except DataError as error:
            raise DataError(
                f"{error} ({part.folder} keeps what was packed; the same pack goes on from there)"
            ) from error
        finally:
            for _, job in running:
                job.cancel()


def _result(job: Future[Packed], piece: Piece) -> Packed:
    try:
        return job.result()
    except OSError as error:  # of reading; those of writing say where the part is kept
        name = piece.tracklet.name
        raise DataError(f"tracklet {name!r} cannot be read ({error}); fetch it again") from error


def _append(part: Part, packed: Packed, form: str) -> None:
    if form == "jpeg":
        ends = part.length("frames.bin") + np.cumsum([len(f) for f in packed.frames])
        part.append("offsets.npy", ends.astype("<i8"))
    for frame in packed.frames:
        part.append("frames.npy" if form == "decoded" else "frames.bin", frame)
    for name, array in packed.truth.items():
        part.append(name, array)
    part.end_piece(_chain(part.source, packed.digest))


def _chain(before: str, digest: str) -> str:
    return hashlib.sha256(f"{before}{digest}".encode()).hexdigest()


def _source(pieces: list[Piece], size: Size | None, pool: ThreadPoolExecutor) -> str:
    """The digest of the sources of `pieces`, as they are now."""
    source = ""
    for digest in pool.map(lambda piece: source_of(piece, size), pieces):
        source = _chain(source, digest)
    return source


def _already(
    out: Path,
    settings: dict[str, Any],
    pieces: list[Piece],
    size: Size | None,
    pool: ThreadPoolExecutor,
) -> None:
    """Return if `out` holds just what is asked for, else `DataError`."""
    try:
        state = read_state(out)
    except DataError as error:
        raise DataError(
            f"{out} is there already and is no store ({error}); remove it or choose another folder"
        ) from error
    refuse_other(out, state, settings)
    open_store(out)
    if "source" not in state:
        raise DataError(
            f"{out / STATE} does not say what it was packed from; remove {out} and pack again"
        )
    if state["source"] != _source(pieces, size, pool):
        raise DataError(
            f"{out} was packed from other frames than these; remove it or choose another folder"
        )
    logger.info("%s is packed already", out)
