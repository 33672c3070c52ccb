"""A folder that grows by appending only, survives a kill, and appears whole or not at all.

While it grows it is called OUT.part. Its store.json holds the length that each file had after the
last piece known to be on disk; whatever lies beyond is cut off when the work is taken up again. So
the bytes of an interrupted pack are those of one that ran through.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.store import STATE, checksum, read_state
from w3an_lite.data.tracklet import DataError
from w3an_lite.files import put_in_place

COMMIT_BYTES = 256 << 20
"""Bytes between two records of how far the work has got: what a kill may cost."""
_STATE_NEW = f"{STATE}.new"


class Part:
    """The growing folder.

    settings: what is packed and how; a folder begun with others is refused
    headers: the files that grow, and the bytes each begins with
    """

    def __init__(self, folder: Path, settings: dict[str, Any], headers: Mapping[str, bytes]):
        self.folder, self.settings = folder, settings
        self.whole = False
        self._files: dict[str, BinaryIO] = {}
        self._crc: dict[str, int] = {}
        self._pending = 0
        if (folder / STATE).is_file():
            self._take_up(headers)
            return
        strange = sorted({entry.name for entry in folder.iterdir()} - {_STATE_NEW, *headers})
        if strange:
            raise DataError(
                f"{folder} holds {strange[0]!r}, which no pack wrote; remove the folder"
            )
        for name, header in headers.items():
            self._files[name] = open(folder / name, "wb")  # noqa: SIM115 (closed in `close`)
            self._crc[name] = 0
            self.append(name, header)
        self._mark = (0, "", self._now())
        self.commit()

    @property
    def done(self) -> int:
        """Pieces that are in it; all of them lie before those that are not."""
        return self._mark[0]

    @property
    def source(self) -> str:
        """A digest of what these pieces came from."""
        return self._mark[1]

    def _take_up(self, headers: Mapping[str, bytes]) -> None:
        state = read_state(self.folder)
        refuse_other(self.folder, state, self.settings)
        try:
            known = state["files"]
            self._mark = (int(state["pieces"]), str(state["source"]), known)
            lengths = {name: int(known[name]["bytes"]) for name in headers}
            self._crc = {name: int(known[name]["crc32"]) for name in headers}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.folder / STATE} is damaged; remove {self.folder}") from error
        self.whole = bool(state.get("whole"))
        for name, length in lengths.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_size < length:
                raise DataError(f"{path} is shorter than was recorded; remove {self.folder}")
            if self.whole:
                continue
            file = self._files[name] = open(path, "r+b")  # noqa: SIM115
            file.truncate(length)
            file.seek(length)

    def append(self, name: str, data: Any) -> None:
        """Append bytes, or an array's, to a file; they count from the next `end_piece` on."""
        data = data if isinstance(data, bytes) else np.ascontiguousarray(data).data.cast("B")
        self._files[name].write(data)
        self._crc[name] = zlib.crc32(data, self._crc[name])
        self._pending += len(data)

    def length(self, name: str) -> int:
        """Bytes in a file so far."""
        return self._files[name].tell()

    def end_piece(self, source: str) -> None:
        """A piece is complete; `source` is the digest of all sources up to here."""
        self._mark = (self.done + 1, source, self._now())
        if self._pending >= COMMIT_BYTES:
            self.commit()

    def commit(self) -> None:
        """Record the pieces so far, after their bytes have reached the disk."""
        if self.whole:
            return
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        self._write_state(self._mark[2])
        self._pending = 0

    def finish(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add the index and mark the folder whole."""
        self.commit()
        self.close()
        files = dict(self._mark[2])
        for name, array in arrays.items():
            path = self.folder / name
            with open(path, "wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            files[name] = {"bytes": path.stat().st_size, "crc32": checksum(path)}
        self.whole = True
        self._write_state(files)

    def close(self) -> None:
        """Close the files; a buffer that a full disk refuses is of no recorded piece."""
        while self._files:
            with contextlib.suppress(OSError):
                self._files.popitem()[1].close()

    def _now(self) -> dict[str, dict[str, int]]:
        return {n: {"bytes": f.tell(), "crc32": self._crc[n]} for n, f in self._files.items()}

    def _write_state(self, files: dict[str, dict[str, int]]) -> None:
        progress = {"pieces": self.done, "source": self.source, "whole": self.whole}
        state = {**self.settings, **progress, "files": files}
        new = self.folder / _STATE_NEW
        with open(new, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(new, self.folder / STATE)


@contextlib.contextmanager
def growing(out: Path, settings: dict[str, Any], headers: Mapping[str, bytes]) -> Iterator[Part]:
    """OUT.part, new or taken up again; renamed to `out` at the end if it is marked whole.

    Whatever stops the work, the pieces so far are kept. `OSError` says so when the disk is full or
    cannot be written; `DataError` if another pack is at work on it, or other settings began it.
    """
    folder = out.with_name(f"{out.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            part = Part(folder, settings, headers)
            try:
                yield part
            except BaseException:
                with contextlib.suppress(OSError):
                    part.commit()
                raise
            finally:
                part.close()
            if part.whole:
                put_in_place(folder, out)
    except OSError as error:
        kept = f"what was packed is kept in {folder}: " if folder.is_dir() else ""
        raise OSError(
            f"cannot write {out}: {error.strerror or error}; {kept}free space or mend the folder "
            "and run the same pack again, or choose another place"
        ) from error


def refuse_other(folder: Path, state: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """`DataError` naming the first setting that `folder` was not packed with."""
    for key, value in settings.items():
        if state.get(key) != value:
            found = "other tracklets or labels" if key == "labels" else f"{key} {state.get(key)!r}"
            asked = "these" if key == "labels" else repr(value)
            raise DataError(
                f"{folder} was packed with {found}, not {asked}; remove it, choose another "
                "folder, or ask for the same again"
            )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against a second pack; the system lets go of it when the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two packs at once are the user's to avoid
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"another pack is at work on {folder}; wait for its end") from error
        yield
    finally:
        os.close(handle)
