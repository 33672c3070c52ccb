"""A street film of drawn people: frames, boxes in MOTChallenge form, and who walks in them.

People of SynthPed cross one scene in both directions, pass in front of each other and behind a
lamp post and a sign, and some come back later. Nothing but the seed decides, in whole numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from w3an_lite.data.clothes import draw_person
from w3an_lite.data.draws import Draws
from w3an_lite.data.figure import HEIGHT, SUB, WIDTH, Canvas
from w3an_lite.data.labels import palette
from w3an_lite.data.lens import photograph
from w3an_lite.data.output import whole_folder
from w3an_lite.data.pose import Placing, Pose
from w3an_lite.data.scene import Camera, background, camera, pack, quads, unpack
from w3an_lite.data.tracklet import DataError
from w3an_lite.data.wardrobe import attributes, person

BODY = (128, 64)
"""Pixels (height, width) of the box of the scene in which a person is drawn."""
MARGIN = (16, 16)
PEOPLE = 26
_FIRST, _APART = 5001, 2  # test people, every other one: pairs of them are alike
_GAP = 15  # frames from one person's entry to the next one's
_SPEED = (8, 10)  # pixels a frame
_POST, _SIGN = (58, 60, 64), (176, 40, 36)


class Street(NamedTuple):
    """Where the film lies, and what its people wear.

    frames: folder of images; boxes: MOTChallenge lines, the visible share of the person in the
    ninth column; labels: who each track shows, as `mot.label_windows` reads it; attributes: person
    -> float32 `[67]`.
    """

    frames: Path
    boxes: Path
    labels: Path
    attributes: dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class _Visit:
    """One walk through the scene: label images uint8 `[n, rows, columns]` and where they go."""

    track: int
    name: str
    visit: int
    first: int  # frame of the film, from 1
    labels: NDArray[np.uint8]
    left: NDArray[np.int64]
    top: int
    colours: NDArray[np.int64]


class _Seen(NamedTuple):
    """A person in a frame: the mask of all of them, and where it lies in the picture."""

    visit: _Visit
    mask: NDArray[np.bool_]
    left: int


def write_street(out: str | Path, people: int = 6, back: int = 4, seed: int = 0) -> Street:
    """Draw the film into the new folder `out`: frames/, gt.txt and who.csv, whole or not at all.

    people: how many walk by; back: how many of them (the first) do so a second time, the other way.
    Somebody enters every 15 frames or so; frames are of 160 x 448 pixels. DataError for a number
    that makes no sense, or if `out` is there already.
    """
    if not 1 <= people <= PEOPLE:
        raise DataError(f"people is {people}; give a whole number from 1 to {PEOPLE}")
    if not 0 <= back <= people:
        raise DataError(f"back is {back}; give a whole number from 0 to {people}, all who walk by")
    out = Path(out)
    eye = camera(seed, "video", 1)
    visits = [_visit(seed, number, people, eye) for number in range(people + back)]
    rows: list[str] = []
    with whole_folder(out) as part:
        (part / "frames").mkdir()
        for number, (picture, seen) in enumerate(_film(visits, seed, eye), start=1):
            image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
            image.save(part / "frames" / f"{number:06d}.png", compress_level=1)
            rows += [f"{number},{line}" for line in seen]
        (part / "gt.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
        with (part / "who.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["track_id", "person", "visit", "first_frame", "last_frame"])
            for v in visits:
                table.writerow([v.track, v.name, v.visit, v.first, v.first + len(v.left) - 1])
    worn = {v.name: attributes(person(seed, "video", _identity(v.name))) for v in visits}
    return Street(out / "frames", out / "gt.txt", out / "who.csv", worn)


def _identity(name: str) -> int:
    return _FIRST + _APART * (ord(name) - ord("A"))


def _visit(seed: int, number: int, people: int, eye: Camera) -> _Visit:
    """Visit `number`: the first `people` are everybody's first, the rest come back."""
    name = chr(ord("A") + number % people)
    again = number >= people
    draws = Draws(seed, "street", number)
    rightwards = (number % people % 2 == 0) != again  # they meet those before and after them
    wide = background(seed, "video", 1, BODY).shape[1]
    speed = draws.between(*_SPEED)
    middle = np.arange(0, wide, speed, dtype=np.int64)
    count = len(middle)
    scale = eye.scale * draws.between(97, 102) // 100
    step = np.arange(count, dtype=np.int64)
    placing = Placing(
        x=np.full(count, WIDTH // 2 - eye.shear * scale // (2 * HEIGHT)),
        ground=np.full(count, HEIGHT // 2 + scale // 2),
        scale=scale,
        shear=eye.shear,
        phase=draws.below(1024) + step * draws.between(100, 140),
    )
    canvas = Canvas(count, BODY, MARGIN)
    someone = person(seed, "video", _identity(name))
    draw_person(canvas, Pose(someone, "right" if rightwards else "left", placing))
    left = (middle if rightwards else wide - 1 - middle) - BODY[1] // 2 - MARGIN[1]
    first = 1 + _GAP * number + draws.below(5)
    top = draws.between(0, 10) + 4 - MARGIN[0]
    return _Visit(
        number + 1, name, 1 + again, first, canvas.label, left, top, palette(someone)
    )  # fmt: skip


def _film(
    visits: list[_Visit], seed: int, eye: Camera
) -> Iterator[tuple[NDArray[np.uint8], list[str]]]:
    """Frame after frame, uint8 `[3, H, W]`, and its box lines without the frame number."""
    packed = background(seed, "video", 1, BODY)
    empty = np.stack([unpack(packed, k) for k in range(3)], -1).astype(np.int64)
    draws = Draws(seed, "street", "lens")
    nothing = np.zeros((1, SUB * packed.shape[0], SUB * packed.shape[1]), dtype=np.uint8)
    none, black = np.zeros(1, dtype=np.int64), np.zeros((256, 3), dtype=np.int64)
    post = _furniture(Draws(seed, "street", "furniture"), *packed.shape)
    for number in range(1, max(v.first + len(v.left) for v in visits)):
        scene = empty.copy()
        owner = np.zeros(packed.shape, dtype=np.int64)
        seen: list[_Seen] = []
        # Who stands lower stands nearer, and hides those behind.
        for visit in sorted(visits, key=lambda v: (v.top, v.track)):
            if 0 <= number - visit.first < len(visit.left):
                seen.append(_paint(scene, owner, visit, number - visit.first))
        for (rows, columns), colour in post:
            scene[rows, columns] = colour
            owner[rows, columns] = 0
        picture = photograph(nothing, black, pack(scene), (none, none), eye, 256, draws)[0]
        lines = [_line(owner, s) for s in sorted(seen, key=lambda s: s.visit.track)]
        yield picture, lines


def _paint(scene: NDArray[np.int64], owner: NDArray[np.int64], visit: _Visit, step: int) -> _Seen:
    """Draw one person over the scene `[H, W, 3]`, and their number over `owner` `[H, W]`."""
    label, left = visit.labels[step], int(visit.left[step])
    shares = quads((label != 0).view(np.uint8).astype(np.uint32)).astype(np.int64)
    packed = quads(pack(visit.colours)[label])
    front = np.stack([unpack(packed, k) for k in range(3)], -1).astype(np.int64)
    rows, columns = np.arange(shares.shape[0]) + visit.top, np.arange(shares.shape[1]) + left
    inside = np.ix_(
        (rows >= 0) & (rows < scene.shape[0]), (columns >= 0) & (columns < scene.shape[1])
    )
    place = np.ix_(rows[inside[0].ravel()], columns[inside[1].ravel()])
    mask = shares >= SUB
    scene[place] = (front[inside] + (4 - shares[inside])[..., None] * scene[place]) // 4
    owner[place] = np.where(mask[inside], visit.track, owner[place])
    return _Seen(visit, mask, left)


def _line(owner: NDArray[np.int64], seen: _Seen) -> str:
    """track, left, top, width, height, 1, 1, visible share: a box half as wide as it is high."""
    rows, columns = np.flatnonzero(seen.mask.any(1)), np.flatnonzero(seen.mask.any(0))
    tall = int(rows[-1] - rows[0] + 1) * 112 // 100  # a detector leaves a little room
    middle = int(rows[0] + rows[-1]) // 2 + seen.visit.top, int(columns[0] + columns[-1]) // 2
    left, top = middle[1] + seen.left - tall // 4, middle[0] - tall // 2
    share = np.count_nonzero(owner == seen.visit.track) / np.count_nonzero(seen.mask)
    return f"{seen.visit.track},{left},{top},{tall // 2},{tall},1,1,{share:.3f}"


def _furniture(
    draws: Draws, tall: int, wide: int
) -> list[tuple[tuple[slice, slice], tuple[int, int, int]]]:
    """What stands in front of everybody: rectangles of the picture and their colours."""
    post = wide // 4 + draws.between(-20, 20)
    sign = wide * 3 // 4 + draws.between(-20, 20)
    return [
        ((slice(0, tall - 4), slice(post, post + 12)), _POST),
        ((slice(0, tall - 4), slice(sign + 18, sign + 24)), _POST),
        ((slice(tall // 4, tall * 3 // 4), slice(sign, sign + 42)), _SIGN),
    ]
