"""What passes before a person: a pole, a box, another pedestrian; when, and how much it hides.

An occluder is drawn once on a canvas three crops wide. Where it stands in a frame is chosen from
the share it would hide there, so that a passage hides what was asked for, rising and falling
smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.clothes import draw_person
from w3an_lite.data.draws import Draws
from w3an_lite.data.figure import HEIGHT, SUB, Canvas, Ints, sine
from w3an_lite.data.labels import L, mixed, palette, shifted
from w3an_lite.data.pose import VIEWS, Placing, Pose
from w3an_lite.data.wardrobe import COLOURS, person

OCCLUSIONS = ("none", "mixed", "heavy")
"""What is covered: nothing; half of the tracklets for 20-50% of their frames; all for 45-80%."""
KINDS = ("pole", "box", "pedestrian")


@dataclass(frozen=True)
class Passage:
    """Frames start .. start + length - 1 are covered, each for `targets` per cent of the person."""

    kind: str
    start: int
    length: int
    targets: tuple[int, ...]


def passage(draws: Draws, frames: int, occlusion: str) -> Passage | None:
    """When something passes in a tracklet of that many frames, or None if nothing does."""
    if occlusion == "none" or (occlusion == "mixed" and not draws.chance(50)):
        return None
    low, high = (45, 80) if occlusion == "heavy" else (20, 50)
    least = max(1, -(-low * frames // 100))
    length = draws.between(least, max(least, high * frames // 100))
    start = draws.between(0, frames - length)
    peak = draws.between(62, 84)
    angle = (2 * np.arange(length, dtype=np.int64) + 1) * 256 // length  # half a turn
    targets = 38 + (peak - 38) * sine(angle) // 4096
    return Passage(draws.pick(KINDS), start, length, tuple(int(t) for t in targets))


def cover(
    label: NDArray[np.uint8],
    colours: NDArray[np.int64],
    plan: Passage,
    draws: Draws,
    placing: Placing,
    who: tuple[int, str, int],
    size: tuple[int, int],
    margin: tuple[int, int],
) -> None:
    """Paint the occluder of `plan` over a person's labels and its colours into `colours`, in place.

    label: uint8 `[n, rows, columns]` with the margin; who: (seed, domain, identity) of the person.
    """
    first, last = max(plan.start - 2, 0), min(plan.start + plan.length + 2, len(label))
    frames = np.arange(first, last)
    canvas = Canvas(len(frames), size, margin=(margin[0], margin[1] + size[1]))
    here = Placing(placing.x[frames], placing.ground[frames], placing.scale, placing.shear,
                   placing.phase[frames])  # fmt: skip
    if plan.kind == "pedestrian":
        _pedestrian(canvas, colours, draws, here, who)
    else:
        _thing(canvas, colours, draws, here, plan.kind)
    columns = label.shape[2]
    away = _places(label[frames], canvas.label, plan, frames, max(1, SUB * size[0] // 64))
    centre = SUB * size[1]
    for k, frame in enumerate(frames):
        start = min(max(centre - int(away[k]), 0), canvas.label.shape[2] - columns)
        piece = canvas.label[k, :, start : start + columns]
        np.copyto(label[frame], piece, where=piece > 0)


def _places(
    seen: NDArray[np.uint8], thing: NDArray[np.uint8], plan: Passage, frames: Ints, step: int
) -> list[int]:
    """How far, in sub-pixels to the right, the thing stands from the person in each frame.

    Shares are counted on every `step`-th column and row; the counts are whole numbers
    below 2^24, which float32 products hold exactly.
    """
    a = (seen[:, ::step, ::step] > 0).astype(np.float32)
    b = (thing[:, ::step, ::step] > 0).astype(np.float32)
    wide = a.shape[2]
    shifts = b.shape[2] - wide + 1
    both = np.matmul(a.transpose(0, 2, 1), b)  # [n, wide, b's columns]
    hidden = _diagonals(both, shifts)
    own = np.maximum(a.sum((1, 2)), 1)
    share = (hidden.astype(np.int64) * 1000) // own.astype(np.int64)[:, None]  # per mille
    middle = (shifts - 1) // 2
    away = []
    for k, frame in enumerate(frames):
        at = int(frame) - plan.start
        right = (
            2 * at + 1 > plan.length
        )  # first it comes from the left, then it leaves to the right
        # candidates from the middle outwards; index i of `share` is a shift of (middle - i) columns
        side = share[k, middle::-1] if right else share[k, middle:]
        if 0 <= at < plan.length:
            out = int(np.argmin(np.abs(side - 10 * plan.targets[at])))
        else:
            gone = np.flatnonzero(side > 0)
            out = (int(gone[-1]) + 3 if len(gone) else 0) + 4 * max(-at - 1, at - plan.length)
        out = min(out, len(side) - 1)
        away.append((out if right else -out) * step)
    return away


def _diagonals(both: NDArray[np.float32], shifts: int) -> NDArray[np.float32]:
    """Sums over x of `both[n, x, x + s]` for s in 0 .. shifts - 1: `[n, shifts]`."""
    n, wide, _ = both.shape
    s0, s1, s2 = both.strides
    view = np.lib.stride_tricks.as_strided(both, (n, shifts, wide), (s0, s2, s1 + s2))
    return np.asarray(view.sum(2))


def _thing(
    canvas: Canvas, colours: NDArray[np.int64], draws: Draws, at: Placing, kind: str
) -> None:
    """A pole or pillar of full height, or something low: a car, a sign, a fence."""
    first, second = draws.shuffled(tuple(COLOURS.values()))[:2]
    grey = draws.between(0, 45)
    colours[L.THING] = mixed(first, (128, 126, 122), grey)
    colours[L.THING2] = mixed(second, (128, 126, 122), grey)
    colours[L.THING3] = shifted(first, -46)
    x = at.x
    if kind == "pole":
        half = draws.between(230, 360)
        painted = canvas.box(x - half, -HEIGHT, x + half, 2 * HEIGHT, L.THING)
        canvas.box(x + half // 2, -HEIGHT, x + half, 2 * HEIGHT, L.THING3)
        pitch = draws.between(240, 460)
        canvas.pattern(painted, draws.pick(("stripes", "mixture", "plain")), L.THING2, pitch, 0, x)
        return
    half = draws.between(520, 800)
    top = at.ground - at.scale * draws.between(70, 84) // 100
    bottom = at.ground + HEIGHT
    canvas.box(x - half, top, x + half, bottom, L.THING)
    look = draws.below(3)
    if look == 0:  # a car or van: a window, a line, a wheel
        canvas.box(x - half + 90, top + 110, x + half - 90, top + 620, L.THING3)
        canvas.box(x - half, top + 900, x + half, top + 980, L.THING2)
        canvas.ellipse(x + half // 2, at.ground - 150, 280, 280, L.THING3)
    elif look == 1:  # a sign
        canvas.box(x - half + 80, top + 100, x + half - 80, top + 1000, L.THING2)
        canvas.box(x - half + 200, top + 300, x + half - 200, top + 420, L.THING)
        canvas.box(x - half + 200, top + 600, x + half - 300, top + 720, L.THING)
    else:  # planks
        for k in range(-half, half, 260):
            canvas.box(x + k, top, x + k + 50, bottom, L.THING3)
        canvas.box(x - half, top + 300, x + half, top + 460, L.THING2)


def _pedestrian(
    canvas: Canvas, colours: NDArray[np.int64], draws: Draws, at: Placing, who: tuple[int, str, int]
) -> None:
    """Somebody nearer the camera, dressed like one of the first people of the person's half."""
    seed, domain, identity = who
    first = (identity - 1) // 5000 * 5000
    other = first + 1 + (identity - first - 1 + 4 * draws.between(1, 15)) % 64
    someone = person(seed, domain, other)
    near = Placing(
        at.x,
        at.ground + draws.between(60, 240),
        at.scale * draws.between(104, 122) // 100,
        at.shear,
        at.phase + draws.below(1024),
    )
    dyes = palette(someone, base=L.OTHER)
    used = slice(L.OTHER, 2 * L.OTHER)
    colours[used] = dyes[used]
    draw_person(canvas, Pose(someone, draws.pick(VIEWS), near), base=L.OTHER)
