"""The nouns every other room speaks: `Tracklet`, `Split` and `Clips`.

A *tracklet* is a run of crops of one person seen by one camera. A *clip* is T frames of a tracklet.
A *split* says which tracklets train the network, which are searched for (query) and which are
searched (gallery).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from .threads import on_threads

JUNK = -1
"""Identity of a crop that is no usable person: left out of ranking altogether (MARS)."""
DISTRACTOR = 0
"""Identity of a person nobody asks for: stays in the gallery and is never right (MARS)."""
UNKNOWN = -1.0
"""Value of an attribute that nobody labelled: adds nothing to a loss."""

Size = tuple[int, int]
"""(height, width) in pixels."""


class Frames(Protocol):
    """Frames by reference: anything with a length that can read some of its frames."""

    def __len__(self) -> int: ...

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        """Frames `indices` as uint8 `[n, 3, H, W]`, RGB; resized to `size` if it is given."""
        ...


class DataError(ValueError):
    """Something is wrong with the data; the message names the file, the value and the remedy."""


def resize(frames: NDArray[np.uint8], size: Size | None) -> NDArray[np.uint8]:
    """Resize uint8 frames `[n, 3, H, W]` to `size`, bilinear, antialiased."""
    if size is None or frames.shape[-2:] == tuple(size):
        return frames
    tensor = torch.from_numpy(np.ascontiguousarray(frames))
    out = torch.nn.functional.interpolate(
        tensor.float(), size=tuple(size), mode="bilinear", antialias=True, align_corners=False
    )
    return out.round_().clamp_(0, 255).to(torch.uint8).numpy()


@dataclass(frozen=True, eq=False)
class ArrayFrames:
    """Frames held in memory as uint8 `[n, 3, H, W]`."""

    array: NDArray[np.uint8]

    def __post_init__(self) -> None:
        a = self.array
        if not isinstance(a, np.ndarray):
            raise DataError(f"frames are a {type(a).__name__}; give a NumPy array (numpy.asarray)")
        if a.dtype != np.uint8 or a.ndim != 4 or a.shape[1] != 3 or a.size == 0:
            raise DataError(
                f"frames are {a.dtype} {list(a.shape)}; give uint8 [n, 3, H, W] with n, H and W at "
                "least 1"
            )

    def __len__(self) -> int:
        return len(self.array)

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        return resize(self.array[np.asarray(indices, dtype=np.int64)], size)


@dataclass(frozen=True, eq=False)
class FileFrames:
    """Frames as image files, one a path, in the order given; decoded when they are read.

    Without `size`, every file that is read together must have the size of the first.
    """

    paths: tuple[Path, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.paths, (tuple, list)):
            raise DataError(
                f"the paths of FileFrames are a {type(self.paths).__name__}; give a tuple of paths"
            )
        if not self.paths:
            raise DataError("FileFrames of no paths: a tracklet without frames; leave it out")
        if not isinstance(self.paths[0], Path):  # the first alone: a data set has half a million
            raise DataError(
                f"the first path of FileFrames is {self.paths[0]!r}; give a tuple of pathlib.Path"
            )

    def __len__(self) -> int:
        return len(self.paths)

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        images = on_threads(lambda i: read_image(self.paths[i], size), [int(i) for i in indices])
        odd = [i for i, image in enumerate(images) if image.shape != images[0].shape]
        if odd:
            raise DataError(
                f"{self.paths[int(indices[odd[0]])]} is {images[odd[0]].shape[1:]} (H, W), "
                f"the first frame {images[0].shape[1:]}; give a size to resize them to"
            )
        return np.stack(images)


UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises at a damaged file."""


def read_image(path: Path, size: Size | None = None) -> NDArray[np.uint8]:
    """One image file as uint8 `[3, H, W]`, upright; `DataError` names one that cannot be read."""
    try:
        with Image.open(path) as image:
            deep = image.mode[0] in "IF"
            clear = not deep and _shows_through(image)
            rgb = (image if is_upright(image) else ImageOps.exif_transpose(image)).convert("RGB")
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; check the data set with `data check`") from error
    except (*UNREADABLE, UnidentifiedImageError) as error:
        raise DataError(f"{path} is not a readable image ({error}); fetch it again") from error
    if deep:  # which of its values is white, nobody says
        raise DataError(f"{path} has more than 8 bits a pixel; convert it to 8")
    if clear:  # no viewer shows what lies under it
        raise DataError(
            f"{path} is transparent in places; lay it on a background and save it without alpha"
        )
    if size is not None and (rgb.height, rgb.width) != tuple(size):
        rgb = rgb.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))


def _shows_through(image: Image.Image) -> bool:
    """Whether a pixel of an image is not fully opaque."""
    if image.mode[-1] not in "Aa" and "transparency" not in image.info:
        return False
    return bool((np.asarray(image.convert("RGBA"))[..., 3] < 255).any())


def is_upright(image: Image.Image) -> bool:
    """Whether an image is shown as it is stored; a camera that was held on its side says so."""
    return image.getexif().get(ExifTags.Base.Orientation, 1) == 1


@dataclass(frozen=True, eq=False)
class Truth:
    """What only a drawn tracklet knows of itself. Used to audit, never to train (unless said).

    visibility: float32 `[n]` in [0, 1], the share of the person's pixels that nothing covers
    mask: bool `[n, H, W]`, the person's pixels that can be seen
    parts: uint8 `[n, H, W]`, the visible pixels by part, an index into `attributes.PARTS`
    """

    visibility: NDArray[np.float32]
    mask: NDArray[np.bool_]
    parts: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Tracklet:
    """Frames of one person under one camera.

    attributes: float32 `[A]` in [0, 1] in the order of `attributes.NAMES`, `UNKNOWN` if unlabelled
    truth: ground truth of a drawn tracklet, else None
    """

    frames: Frames
    identity: int
    camera: int
    name: str = ""
    attributes: NDArray[np.float32] | None = None
    truth: Truth | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.frames, "read"):
            raise DataError(
                f"{self.name or 'a tracklet'}: its frames are a {type(self.frames).__name__}; wrap "
                "an array in ArrayFrames, paths in FileFrames"
            )
        for what in ("identity", "camera"):
            value = getattr(self, what)
            if not isinstance(value, Integral):
                raise DataError(
                    f"{self.name or 'a tracklet'}: {what} is {value!r}; number them, from 1 on"
                )
        if self.attributes is not None:
            a = self.attributes
            if not isinstance(a, np.ndarray) or a.ndim != 1 or a.dtype.kind not in "fiub":
                raise DataError(
                    f"{self.name or 'a tracklet'}: attributes are a {type(a).__name__}; give a "
                    "NumPy array of numbers [A]"
                )
            known = self.attributes[self.attributes != UNKNOWN]
            if not ((known >= 0) & (known <= 1)).all():  # nan is neither
                raise DataError(
                    f"{self.name or 'a tracklet'}: attributes run from {known.min()} to "
                    f"{known.max()}; give 0 to 1, or {UNKNOWN} where nothing is known"
                )

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return (
            f"Tracklet({self.name!r}, identity={self.identity}, camera={self.camera}, "
            f"frames={len(self)})"
        )


@dataclass(frozen=True, eq=False)
class Split:
    """Who trains, who asks and who is searched, under a protocol that has a name."""

    name: str
    train: list[Tracklet] = field(default_factory=list)
    query: list[Tracklet] = field(default_factory=list)
    gallery: list[Tracklet] = field(default_factory=list)

    def __post_init__(self) -> None:
        both = {t.identity for t in self.train} & {
            t.identity for t in self.query + self.gallery if t.identity > DISTRACTOR
        }
        if both:
            raise DataError(
                f"split {self.name!r}: identity {min(both)} is in both halves ({len(both)} such); "
                "train and test must not share a person"
            )

    def __repr__(self) -> str:
        people = len({t.identity for t in self.train})
        return (
            f"Split({self.name!r}, train={len(self.train)} of {people} people, "
            f"query={len(self.query)}, gallery={len(self.gallery)})"
        )


def check_names(tracklets: Sequence[Tracklet], why: str) -> None:
    """`DataError` if one of these has no name, or two have the same; why: what names are for."""
    count = Counter(t.name for t in tracklets)
    twice = [name for name, n in count.items() if n > 1]
    if "" in count or twice:
        what = "have no name" if "" in count else f"include {twice[0]!r} twice"
        raise DataError(f"the tracklets {what}; {why}, so name each once")


class Clips(NamedTuple):
    """A batch of clips.

    frames uint8 `[B, T, 3, H, W]`, identity int64 `[B]`, camera int64 `[B]`,
    attributes float32 `[B, A]` (`UNKNOWN` = -1 where unlabelled).
    """

    frames: Tensor
    identity: Tensor
    camera: Tensor
    attributes: Tensor
