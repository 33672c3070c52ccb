"""SynthPed: drawn pedestrians for which everything is known to the pixel.

`synthped` draws a whole split, `stills` single pictures in another look, `draw` one tracklet.
Nothing is stored: a tracklet is a function of (seed, identity, camera, number) and the options,
made of whole numbers only, so a seed gives the same bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.clothes import draw_person
from w3an_lite.data.draws import Draws
from w3an_lite.data.figure import HEIGHT, WIDTH, Canvas
from w3an_lite.data.labels import palette
from w3an_lite.data.lens import photograph, truth
from w3an_lite.data.occluders import OCCLUSIONS, cover, passage
from w3an_lite.data.pose import VIEWS, Placing, Pose
from w3an_lite.data.scene import SCENE_WIDTH, Camera, background, camera
from w3an_lite.data.tracklet import ArrayFrames, DataError, Size, Split, Tracklet, Truth, resize
from w3an_lite.data.wardrobe import GROUP, attributes, person

DOMAINS = ("video", "stills")
"""Two looks of the same people: a street on video; a shop in single pictures."""
FIRST_TEST = 5001
"""Identity of the first test person; training people count from 1."""
_SMALLEST = 16


class Stills(NamedTuple):
    """n pictures: frames uint8 `[n, 3, H, W]`, attributes float32 `[n, 67]`, truth of n frames."""

    frames: NDArray[np.uint8]
    attributes: NDArray[np.float32]
    truth: Truth


def synthped(
    identities: int = 64,
    test_identities: int = 40,
    cameras: int = 2,
    tracklets: int = 2,
    frames: int = 16,
    size: Size = (64, 32),
    seed: int = 0,
    occlusion: str = "mixed",
    test_occlusion: str | None = None,
    domain: str = "video",
    lazy: bool = False,
) -> Split:
    """A drawn split: `tracklets` of each identity under each camera, train and test people apart.

    Training identities are 1, 2, ...; test identities 5001, 5002, ...; both come in groups of four,
    each unlike the first of the group in one or two things. The queries are the first tracklet of
    each (test identity, camera), the gallery is every test tracklet. occlusion "none", "mixed"
    (half of the tracklets, for 20-50% of their frames) or "heavy" (all, 45-80%); test_occlusion
    None means the same. domain "stills" draws one frame a tracklet, whatever `frames` says. A
    tracklet does not change when more are asked for. `DataError` for an option that makes no sense.

    lazy: draw a tracklet each time it is read, as `draw_later` does, and hold none in memory
    """
    test_occlusion = occlusion if test_occlusion is None else test_occlusion
    for name, value, most in (
        ("identities", identities, FIRST_TEST - 1),
        ("test_identities", test_identities, 9999 - FIRST_TEST + 1),
        ("cameras", cameras, 9),
        ("tracklets", tracklets, 9999),
        ("frames", frames, 999),
    ):
        least = 0 if name == "test_identities" else 1
        if not least <= value <= most:
            raise DataError(f"{name} is {value}; give a whole number from {least} to {most}")
    _check(size, (occlusion, test_occlusion), domain)
    frames = 1 if domain == "stills" else frames
    make = draw_later if lazy else draw

    def people(first: int, count: int, occluded: str) -> list[Tracklet]:
        return [
            make(identity, cam, number, frames, size, seed, occluded, domain)
            for identity in range(first, first + count)
            for cam in range(1, cameras + 1)
            for number in range(1, tracklets + 1)
        ]

    gallery = people(FIRST_TEST, test_identities, test_occlusion)
    tested = "" if test_occlusion == occlusion else f"-{test_occlusion}"
    return Split(
        name=f"synthped-{domain}-{occlusion}{tested}-{seed}",
        train=people(1, identities, occlusion),
        query=gallery[::tracklets],
        gallery=gallery,
    )


def stills(n: int, size: Size = (64, 32), seed: int = 0, occlusion: str = "none") -> Stills:
    """n pictures of n people, with all attributes: the labelled stills that RAP stands for.

    No two of the people are of one group, so their attributes are independent.
    """
    if n < 1:
        raise DataError(f"n is {n}; give a whole number of pictures, at least 1")
    _check(size, (occlusion,), "stills")
    drawn = [
        draw(GROUP * k + 1, k % 4 + 1, 1, 1, size, seed, occlusion, "stills") for k in range(n)
    ]
    truths = [t.truth for t in drawn if t.truth is not None]
    return Stills(
        np.concatenate([t.frames.read([0]) for t in drawn]),
        np.stack([t.attributes for t in drawn if t.attributes is not None]),
        Truth(
            np.concatenate([t.visibility for t in truths]),
            np.concatenate([t.mask for t in truths]),
            np.concatenate([t.parts for t in truths]),
        ),
    )


def draw(
    identity: int,
    cam: int,
    number: int = 1,
    frames: int = 16,
    size: Size = (64, 32),
    seed: int = 0,
    occlusion: str = "none",
    domain: str = "video",
) -> Tracklet:
    """Tracklet `number` of a person under camera `cam`, with its truth.

    A crop shows the same box of the scene at any size: 2:1 boxes, squeezed for other shapes. The
    person, the walk and the scene do not depend on `occlusion`.
    """
    _check(size, (occlusion,), domain)
    size = (int(size[0]), int(size[1]))
    someone, eye = person(seed, domain, identity), camera(seed, domain, cam)
    draws = Draws(seed, domain, "tracklet", identity, cam, number)
    view = draws.pick(VIEWS)
    placing, window = _walk(draws, frames, eye, view)
    margin = (size[0] // 8, size[1] // 6)
    canvas = Canvas(frames, size, margin)
    draw_person(canvas, Pose(someone, view, placing))
    own = np.count_nonzero(canvas.label, axis=(1, 2))
    colours = palette(someone, faded=30 if domain == "stills" else 0)
    hide = Draws(seed, domain, "occluder", identity, cam, number)
    plan = passage(hide, frames, occlusion)
    if plan is not None:
        cover(canvas.label, colours, plan, hide, placing, (seed, domain, identity), size, margin)
    scene = background(seed, domain, cam, size)
    light = draws.between(236, 276)
    images = photograph(canvas.inside, colours, scene, window, eye, light, draws)
    return Tracklet(
        ArrayFrames(images),
        identity,
        cam,
        _name(identity, cam, number),
        attributes(someone),
        truth(canvas.inside, own),
    )


@dataclass(frozen=True, eq=False)
class DrawnFrames:
    """Frames that are drawn when they are read; the last few tracklets are remembered."""

    tracklet: tuple[int, int, int, int, Size, int, str, str]
    """The arguments of `draw`."""

    def __len__(self) -> int:
        return self.tracklet[3]

    def read(
        self, indices: Sequence[int] | NDArray[np.integer], size: Size | None = None
    ) -> NDArray[np.uint8]:
        """Frames `indices` as uint8 `[n, 3, H, W]`; IndexError for one that is not there."""
        return resize(_drawn(self.tracklet)[np.asarray(indices, dtype=np.int64)], size)


def draw_later(
    identity: int,
    cam: int,
    number: int = 1,
    frames: int = 16,
    size: Size = (64, 32),
    seed: int = 0,
    occlusion: str = "none",
    domain: str = "video",
) -> Tracklet:
    """As `draw`, the same frames and attributes, but nothing is drawn yet and there is no truth."""
    _check(size, (occlusion,), domain)
    return Tracklet(
        DrawnFrames((identity, cam, number, frames, (size[0], size[1]), seed, occlusion, domain)),
        identity,
        cam,
        _name(identity, cam, number),
        _attributes(seed, domain, identity),
    )


@lru_cache(maxsize=4)
def _drawn(tracklet: tuple[int, int, int, int, Size, int, str, str]) -> NDArray[np.uint8]:
    return draw(*tracklet).frames.read(range(tracklet[3]))


@lru_cache(maxsize=4)
def _attributes(seed: int, domain: str, identity: int) -> NDArray[np.float32]:
    out = attributes(person(seed, domain, identity))
    out.setflags(write=False)  # the tracklets of a person share it
    return out


def _name(identity: int, cam: int, number: int) -> str:
    return f"{identity:04d}C{cam}T{number:04d}"


def _walk(
    draws: Draws, frames: int, eye: Camera, view: str
) -> tuple[Placing, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Where the person is in the crop, and the crop in the scene (left, top), in each frame.

    The detector's box wavers about the person: a few units from frame to frame, never the same way.
    """
    step = np.arange(frames, dtype=np.int64)
    jitter = np.array([[draws.between(-70, 70), draws.between(-60, 60)] for _ in range(frames)])
    scale = eye.scale * draws.between(96, 103) // 100
    x = WIDTH // 2 + draws.between(-110, 110) + jitter[:, 0]
    ground = HEIGHT // 2 + scale // 2 + draws.between(-20, 100) + jitter[:, 1]
    x -= eye.shear * scale // (2 * HEIGHT)
    phase = draws.below(1024) + step * draws.between(96, 150)
    speed = {"right": 1, "left": -1}.get(view, 0) * draws.between(70, 130) + draws.between(-12, 12)
    reach = SCENE_WIDTH - WIDTH
    path = draws.below(reach) + speed * step
    period = 2 * reach  # at the end of the scene it turns round, however long the tracklet
    left = reach - np.abs(path % period - reach) - jitter[:, 0]
    top = draws.between(-HEIGHT // 10, HEIGHT // 10) - jitter[:, 1]
    return Placing(x, ground, scale, eye.shear, phase), (left.clip(0, reach), top)


def _check(size: Size, occlusions: tuple[str, ...], domain: str) -> None:
    if len(size) != 2 or any(side < _SMALLEST or side % 2 for side in size):
        raise DataError(f"size is {size}; give (height, width), even and at least {_SMALLEST}")
    for occlusion in occlusions:
        if occlusion not in OCCLUSIONS:
            raise DataError(f"occlusion {occlusion!r} is not known; use {', '.join(OCCLUSIONS)}")
    if domain not in DOMAINS:
        raise DataError(f"domain {domain!r} is not known; use {' or '.join(DOMAINS)}")
