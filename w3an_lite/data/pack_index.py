"""What a store holds beside the frames: who is where, and the description it is known by."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.store import KIND, VERSION
from w3an_lite.data.tracklet import DataError, Size, Split, Tracklet


def settings_of(
    split: Split, tracklets: list[Tracklet], form: str, size: Size | None
) -> dict[str, Any]:
    """What must be the same for an interrupted pack to go on, in the words of store.json."""
    widths = {len(t.attributes) for t in tracklets if t.attributes is not None}
    if len(widths) > 1:
        raise DataError(
            f"split {split.name!r}: its tracklets have {min(widths)} and {max(widths)} attributes; "
            "label them all in one vocabulary"
        )
    masks = [t.truth.mask.shape[-2:] for t in tracklets if t.truth is not None]
    digest = hashlib.sha256()
    for array in _labels(split, tracklets).values():
        digest.update(array.tobytes())
    for t in tracklets:
        digest.update(b"-" if t.attributes is None else np.asarray(t.attributes, "<f4").tobytes())
    return {
        "kind": KIND,
        "version": VERSION,
        "form": form,
        "size": None if size is None else [int(x) for x in size],
        "split": split.name,
        "tracklets": len(tracklets),
        "frames": sum(map(len, tracklets)),
        "train": len(split.train),
        "query": len(split.query),
        "gallery": len(split.gallery),
        "attributes": max(widths, default=0),
        "truth": [int(x) for x in (size or masks[0])] if masks else None,
        "drawn": sum(len(t) for t in tracklets if t.truth is not None),
        "labels": digest.hexdigest(),
    }


def _labels(split: Split, tracklets: list[Tracklet]) -> dict[str, NDArray[Any]]:
    """Who is where, and in which list."""
    row = {id(t): i for i, t in enumerate(tracklets)}
    names = [t.name.encode("utf-8", "surrogatepass") for t in tracklets]
    lists = {"train": split.train, "query": split.query, "gallery": split.gallery}
    return {
        "start.npy": _starts([len(t) for t in tracklets]),
        "identity.npy": np.array([t.identity for t in tracklets], "<i8"),
        "camera.npy": np.array([t.camera for t in tracklets], "<i8"),
        "names.npy": np.frombuffer(b"".join(names), np.uint8),
        "name_start.npy": _starts([len(name) for name in names]),
        **{f"{k}.npy": np.array([row[id(t)] for t in part], "<i8") for k, part in lists.items()},
    }


def index_of(
    split: Split, tracklets: list[Tracklet], settings: dict[str, Any]
) -> dict[str, NDArray[Any]]:
    """Every file of the store that has a row for each tracklet."""
    arrays = _labels(split, tracklets)
    if settings["attributes"]:
        none = np.zeros(settings["attributes"], "<f4")
        rows = [none if t.attributes is None else t.attributes for t in tracklets]
        arrays["attributes.npy"] = np.array(rows, "<f4")
        arrays["labelled.npy"] = np.array([t.attributes is not None for t in tracklets])
    if settings["truth"] is not None:
        arrays["truth_start.npy"] = _starts([len(t) if t.truth else 0 for t in tracklets])
    return arrays


def headers_of(settings: dict[str, Any]) -> dict[str, bytes]:
    """The files that grow with the frames, and what each begins with: all lengths are known."""
    n, drawn, size = settings["frames"], settings["drawn"], settings["size"]
    files: dict[str, bytes]
    if settings["form"] == "decoded":
        files = {"frames.npy": _header("|u1", n, 3, *size)}
    else:
        files = {"frames.bin": b"", "offsets.npy": _header("<i8", n + 1) + bytes(8)}
    if settings["truth"] is not None:
        files["visibility.npy"] = _header("<f4", drawn)
        files["mask.npy"] = _header("|b1", drawn, *settings["truth"])
        files["parts.npy"] = _header("|u1", drawn, *settings["truth"])
    return files


def _header(kind: str, *shape: int) -> bytes:
    out = io.BytesIO()
    content = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, content)
    return out.getvalue()


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype="<i8")]).astype("<i8")
