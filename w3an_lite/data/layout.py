"""What the readers of image folders share: frames by name, folders, name lists and .mat files.

Every function here says which file is wrong, what it holds and what to do about it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.tracklet import DataError, FileFrames, Size
from w3an_lite.data.video import IMAGES

Names = NDArray[np.bytes_]
"""File names of one width, as they are on disk: bytes `[n]`."""


@dataclass(frozen=True, eq=False)
class ListedFrames:
    """Frames of one folder by name. Paths are built when they are read.

    A slice of a shared array of names costs little; a `Path` for each of
    MARS's 1.2 million frames would cost hundreds of megabytes and seconds.
    """

    folder: str
    names: Names

    def __post_init__(self) -> None:
        if len(self.names) == 0:
            raise DataError(f"a tracklet without frames in {self.folder}; leave it out of the list")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def paths(self) -> tuple[Path, ...]:
        return self._paths(range(len(self.names)))

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        """Frames `indices` as uint8 `[n, 3, H, W]`; `DataError` names an unreadable file."""
        return FileFrames(self._paths(indices)).read(range(len(indices)), size)

    def _paths(self, indices: Iterable[int]) -> tuple[Path, ...]:
        return tuple(Path(self.folder, os.fsdecode(bytes(self.names[int(i)]))) for i in indices)


def need(path: Path, source: str, layout: str) -> Path:
    """`path` if it is there, else a `DataError` with where to get it and how to lay it out."""
    if not path.exists():
        raise DataError(f"{path} is missing; get it from {source} and lay it out as {layout}")
    return path


def load_variable(path: Path, variable: str) -> Any:
    """Variable `variable` of the .mat file `path`, structs as objects with attributes."""
    import scipy.io  # imported late: it is slow, and few commands read .mat files

    try:
        content = scipy.io.loadmat(path, struct_as_record=False)
    except Exception as error:  # a damaged .mat file can make SciPy raise nearly anything
        raise DataError(
            f"{path} is not a readable .mat file ({type(error).__name__}: {error}); fetch it again"
        ) from error
    if variable not in content:
        found = ", ".join(sorted(k for k in content if not k.startswith("__"))) or "nothing"
        raise DataError(f"{path} holds {found} and no {variable}; fetch the official file again")
    return content[variable]


def load_matrix(path: Path, variable: str, columns: int | None = None) -> NDArray[np.int64]:
    """Variable `variable` of `path` as whole numbers `[n, columns]`, n at least 1."""
    value = load_variable(path, variable)
    wanted = "[n, any]" if columns is None else f"[n, {columns}]"
    right = isinstance(value, np.ndarray) and value.ndim == 2 and value.size > 0
    if not right or (columns is not None and value.shape[1] != columns):
        shape = list(getattr(value, "shape", []))
        raise DataError(f"{path}: {variable} has the shape {shape}, not {wanted}; fetch it again")
    whole = value.dtype.kind in "iu" or (
        value.dtype.kind == "f" and bool(np.all(np.isfinite(value) & (value == np.round(value))))
    )
    if not whole:
        raise DataError(
            f"{path}: {variable} holds {value.dtype}, not whole numbers; fetch it again"
        )
    return np.asarray(value, dtype=np.int64)


def read_names(path: Path) -> Names:
    """One file name a line, as bytes `[n]`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); give a list of names, or fetch it again"
        ) from error
    names = _equal_lines(data)
    if names is None:
        names = np.array([line.strip() for line in data.splitlines()], dtype=np.bytes_)
    if len(names) == 0:
        raise DataError(f"{path} lists no names; fetch it again")
    if (blank := np.flatnonzero(names == b"")).size:
        raise DataError(f"{path}: line {blank[0] + 1} is empty; fetch it again")
    refuse_paths(names, str(path))
    return names


def _equal_lines(data: bytes) -> Names | None:
    """The lines of `data` when all have one width and no odd ends: no string is made for a line."""
    stride = data.find(b"\n") + 1
    if stride < 2 or len(data) % stride or b"\r" in data[:stride] or b" " in data[:stride]:
        return None
    table = np.frombuffer(data, dtype=np.uint8).reshape(-1, stride)
    if np.any(table[:, -1] != 10) or np.any(table[:, :-1] <= 32):
        return None
    return np.ascontiguousarray(table[:, :-1]).view(f"S{stride - 1}").ravel()


def refuse_paths(names: Names, source: str) -> None:
    """`DataError` if a name holds a slash, so that no list can point out of its folder."""
    letters = np.ascontiguousarray(names).view(np.uint8).reshape(len(names), -1)
    bad = np.flatnonzero(((letters == ord("/")) | (letters == ord("\\"))).any(axis=1))
    if len(bad):
        name = os.fsdecode(bytes(names[bad[0]]))
        raise DataError(
            f"{source}: entry {bad[0] + 1} is {name!r}, a path that may leave the data folder; "
            "a list holds bare file names"
        )


def entries(folder: Path, suffix: str) -> Names:
    """Names of the visible files of `folder` that end in `suffix`, sorted, as bytes.

    `DataError` names an image that ends otherwise, and a folder that cannot be listed.
    """
    end = suffix.encode()
    with _listed(folder) as found:
        visible = [e.name for e in found if e.name[:1] != b"."]
    names = sorted(name for name in visible if name.endswith(end))
    if len(names) < len(visible):
        others = (os.fsdecode(name) for name in visible if not name.endswith(end))
        odd = sorted(name for name in others if Path(name).suffix.lower() in IMAGES)
        if odd:
            raise DataError(
                f"{folder / odd[0]} does not end in {suffix}, as this layout's frames do "
                f"({len(odd)} such); rename or convert it, or move it away"
            )
    return np.array(names, dtype=np.bytes_)


@contextmanager
def _listed(folder: Path) -> Iterator[Iterator[os.DirEntry[bytes]]]:
    """What `folder` holds; `DataError` if that cannot be told."""
    try:
        with os.scandir(os.fsencode(folder)) as found:
            yield found
    except OSError as error:
        raise DataError(
            f"{folder} cannot be listed ({error.strerror}); give a folder that you may read, or "
            "fetch it again"
        ) from error


def sequence(folder: Path, suffix: str = ".png") -> ListedFrames:
    """The frames of `folder` in the order of their names, which must be their order in time.

    A name that tells a camera and a person, as `cam1_person001_00317.png`, must tell its folder's.
    """
    names = entries(folder, suffix)
    if len(names) == 0:
        raise DataError(f"{folder} holds no {suffix} frame; fetch it again or remove the folder")
    numbers = [re.search(rb"(\d+)\.\w+$", bytes(name)) for name in names]
    if any(number is None for number in numbers):
        raise DataError(
            f"{folder}: a frame's name does not end in its number; name them 0001.png …"
        )
    count = [int(number.group(1)) for number in numbers if number]
    heads = {bytes(name[: n.start()]): name for name, n in zip(names, numbers, strict=True) if n}
    for head, name in heads.items():
        _check_home(folder, os.fsdecode(head), os.fsdecode(bytes(name)))
    odd = [i for i in range(1, len(count)) if count[i] <= count[i - 1]]
    if odd:
        before, after = (os.fsdecode(bytes(names[i])) for i in (odd[0] - 1, odd[0]))
        raise DataError(
            f"{folder}: {before} and {after} are duplicated or unsorted frames "
            f"(numbers {count[odd[0] - 1]}, {count[odd[0]]}); keep one of each, padded to one width"
        )
    return ListedFrames(str(folder), names)


def _check_home(folder: Path, head: str, name: str) -> None:
    """`DataError` if `head`, the begin of a frame's name, tells another camera or person."""
    for word, own in (("cam", folder.parent.name), ("person", folder.name)):
        pattern = rf"{word}_?0*([a-z]|\d+)(?![a-z\d])"
        told, mine = re.search(pattern, head), re.fullmatch(pattern, own)
        if told and mine and told[1] != mine[1]:
            raise DataError(
                f"{folder} holds {name}, a frame of {told[0]}; move it where it belongs, or fetch "
                "the folder again"
            )


def gap(frames: ListedFrames) -> str:
    """Which frames of a `sequence` have a gap between their numbers, the first of them; or ""."""
    names = [os.fsdecode(bytes(frames.names[k])) for k in (0, -1)]
    first, last = map(_number, names)
    if last - first + 1 == len(frames):  # they rise
        return ""
    names = [os.fsdecode(bytes(name)) for name in frames.names]
    at = next(k for k in range(1, len(names)) if _number(names[k]) != first + k)
    lost = last - first + 1 - len(frames)
    return f"{frames.folder}: no frame between {names[at - 1]} and {names[at]}; {lost} in all"


def _number(name: str) -> int:
    found = re.search(r"(\d+)\.\w+$", name)
    assert found is not None, name
    return int(found[1])


def numbered(parent: Path, stem: str, digits: int) -> dict[int, Path]:
    """Folders of `parent` called `stem` and a number of `digits` digits, by number, sorted.

    `DataError` names a folder called nearly so, whose frames would be left out.
    """
    found: dict[int, Path] = {}
    with _listed(parent) as listing:
        for entry in listing:
            name = os.fsdecode(entry.name)
            match = re.fullmatch(rf"{stem}(\d{{{digits}}})", name)
            if match and entry.is_dir():
                found[int(match.group(1))] = parent / name
            elif re.match(r"person[ _-]?\d", name, re.IGNORECASE) and entry.is_dir():
                raise DataError(
                    f"{parent / name} is not called as this layout's folders, such as "
                    f"{stem}{1:0{digits}}; rename it, or move it away"
                )
    return dict(sorted(found.items()))


def hold_to(found: Mapping[str, int], official: Mapping[str, int], root: Path, source: str) -> None:
    """`DataError` naming the first count of `found` that differs from the official one."""
    for what, expected in official.items():
        if found.get(what) != expected:
            raise DataError(
                f"{root}: {what}: found {found.get(what, 0):,}, the official set has {expected:,}; "
                f"get the rest from {source}, or accept a set of another size: official=False "
                "(--unofficial)"
            )
