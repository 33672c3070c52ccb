"""Files written whole or not at all, and weights read as plain tensors."""

from __future__ import annotations

import csv
import os
import re
import time
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PATIENCE = 2.0 if os.name == "nt" else 0.0
"""Seconds that a file may be held by another program; elsewhere than on Windows none can be."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to it at the end; after an error `path` is as it was.

    The folder is made if it is missing. OSError names the file when it cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            put_in_place(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error}); free space, close what has it open, or choose "
            "another place"
        ) from error


def remove_left_over(path: str | Path) -> None:
    """Remove what `replacing` of a process that was killed has left beside `path`."""
    path = Path(path)
    name = re.compile(rf"\.{re.escape(path.name)}\.\d+\.part{re.escape(path.suffix)}")
    for part in path.parent.glob(".*.part*"):
        if name.fullmatch(part.name) and part.is_file():
            part.unlink()


def put_in_place(part: Path, path: Path) -> None:
    """Rename `part`, a file or a folder, to `path`, over a file or an empty folder there.

    Windows refuses while another program looks at one of the two (a scanner does for a moment, a
    sheet until it is closed), so it is asked again for `PATIENCE` seconds; then PermissionError.
    """
    if part.is_dir() and path.is_dir():
        path.rmdir()  # Windows renames nothing onto a folder
    until = time.monotonic() + PATIENCE
    while True:
        try:
            os.replace(part, path)
            return
        except PermissionError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.05)


def as_plain(content: Any) -> Any:
    """The same with numbers, texts and arrays of NumPy as Python's own, which can be read again."""
    if isinstance(content, np.generic):
        return content.item()
    if isinstance(content, np.ndarray):
        return content.tolist()
    if isinstance(content, OrderedDict) and all(isinstance(v, Tensor) for v in content.values()):
        return content  # a module's state, which keeps the versions of its parts beside them
    if isinstance(content, Mapping):
        return {as_plain(k): as_plain(v) for k, v in content.items()}
    if isinstance(content, (list, tuple)):
        return (list if isinstance(content, list) else tuple)(map(as_plain, content))
    return content


def save_plain(content: dict[str, Any], path: str | Path) -> None:
    """`torch.save` of tensors and plain values, whole or not at all; NumPy's become Python's."""
    with replacing(path) as part:
        try:
            torch.save(as_plain(content), part)
        except RuntimeError as error:  # how torch reports a full disk
            raise OSError(str(error).splitlines()[0]) from error


def load_plain(path: str | Path) -> dict[str, Any]:
    """What `torch.save` wrote to `path`, tensors and plain values only.

    A pickle that would run code is refused, and so is a byte that has changed since it was written.
    FileNotFoundError, or ValueError naming the file.
    """
    if not Path(path).is_file():
        what = "is a folder" if Path(path).is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; give the path of a .pt file")
    try:
        if zipfile.is_zipfile(path):  # older files are none, and have no sums to check
            with zipfile.ZipFile(path) as pieces:
                if damaged := pieces.testzip():
                    raise zipfile.BadZipFile(damaged)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as plain tensors ({type(error).__name__}); "
            "it is damaged, cut short or holds code: fetch it again if it was fetched, else take "
            "another copy of it, or write it anew"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not names and tensors")
    return content


def load_weights(module: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy `state` into `module`; ValueError names `source` and what does not fit.

    A weight must be finite where the module's own is (a mask of its own may hold -inf).
    """
    own = module.state_dict()
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    odd = sorted(
        k for k in own.keys() & state.keys() if getattr(state[k], "shape", None) != own[k].shape
    )
    if missing or extra or odd:
        what = (
            f"{missing[0]!r} is missing"
            if missing
            else f"{extra[0]!r} is not expected"
            if extra
            else f"{odd[0]!r} has the shape {list(getattr(state[odd[0]], 'shape', []))}, "
            f"not {list(own[odd[0]].shape)}"
        )
        raise ValueError(
            f"{source} holds the weights of another model: {what} ({len(missing)} missing, "
            f"{len(extra)} not expected, {len(odd)} of another shape)"
        )
    for name, weight in own.items():
        given = state[name]
        if given.is_floating_point() != weight.is_floating_point():
            raise ValueError(
                f"{source} holds the weights of another model: {name!r} is {given.dtype}, not "
                f"{weight.dtype}"
            )
        if not given.isfinite().all() and weight.isfinite().all():
            raise ValueError(
                f"{source}: the weight {name!r} is not finite; take a file from before training "
                "went wrong, or train anew with a lower learning rate"
            )
    module.load_state_dict(state)


def write_rows(
    rows: Sequence[Mapping[str, Any]], path: str | Path, encoding: str = "utf-8"
) -> None:
    """Rows as CSV; the columns are all keys, in the order they first appear.

    encoding: "utf-8-sig" for what people open in a sheet, which else takes it for another.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with replacing(path) as part, open(part, "w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: str | Path) -> list[dict[str, float]]:
    """The rows of a log of numbers, as `write_rows` wrote it; empty cells are left out."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
