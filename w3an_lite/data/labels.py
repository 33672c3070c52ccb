"""What a sub-pixel of a drawing can be, and the colours of a person's labels."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.attributes import PARTS
from w3an_lite.data.wardrobe import COLOURS, GREY_HAIR, HAIRS, SKINS, Cloth, Colour, Person


class L(IntEnum):
    """Labels of a person. `+ FAR` is the same in the shade; another person's start at `OTHER`."""

    FACE, HAIR, HAT, GLASSES, MUFFLER, EYE = 1, 2, 3, 4, 5, 6
    UPPER, UPPER2, UPPER_TRIM, INNER, ARM = 8, 9, 10, 11, 12
    LOWER, LOWER2, LOWER_TRIM, LEG = 14, 15, 16, 17
    SHOE, SHOE2, SOLE = 20, 21, 22
    BAG, BAG_TRIM = 26, 27
    FAR = 32
    OTHER = 64
    THING, THING2, THING3 = 200, 201, 202


PART_OF_LABEL: NDArray[np.uint8] = np.zeros(256, dtype=np.uint8)
"""Part (index into `PARTS`) of each label; 0 for what is no part of the person."""
for _first, _last, _part in (
    (L.FACE, L.EYE, "head"), (L.UPPER, L.ARM, "upper"), (L.LOWER, L.LEG, "lower"),
    (L.SHOE, L.SOLE, "shoes"), (L.BAG, L.BAG_TRIM, "attachment"),
):  # fmt: skip
    for _far in (0, L.FAR):
        PART_OF_LABEL[_first + _far : _last + _far + 1] = PARTS.index(_part)


def shifted(colour: Colour, by: int) -> Colour:
    """A colour lighter or darker by some levels."""
    r, g, b = (max(0, min(255, v + by)) for v in colour)
    return r, g, b


def mixed(a: Colour, b: Colour, percent: int) -> Colour:
    """`percent` of b in a."""
    r, g, bl = ((x * (100 - percent) + y * percent) // 100 for x, y in zip(a, b, strict=True))
    return r, g, bl


def _contrast(colour: Colour) -> Colour:
    """A darker shade of a colour, or a lighter one of a dark colour."""
    return mixed(colour, (255, 255, 255), 42) if sum(colour) < 230 else mixed(colour, (0, 0, 0), 46)


def palette(person: Person, faded: int = 0, base: int = 0) -> NDArray[np.int64]:
    """Colours int64 `[256, 3]` of the labels base + `L`; `faded` per cent grey in the cloths."""

    def dye(name: str, shade: int) -> Colour:
        return mixed(shifted(COLOURS[name], shade), (150, 140, 132), faded)

    def pair(cloth: Cloth, shade: int) -> tuple[Colour, Colour]:
        return dye(cloth.colour, shade), dye(cloth.second, shade)

    p, (s_upper, s_lower, s_bag) = person, person.shade
    skin = SKINS[p.skin]
    hair = GREY_HAIR if p.age == "older" else HAIRS[p.hair]
    upper, upper2 = pair(p.upper_cloth, s_upper)
    lower, lower2 = pair(p.lower_cloth, s_lower)
    shoe, shoe2 = pair(p.shoe_cloth, 0)
    bag = dye(p.bag_colour, s_bag)
    bag = {"PaperBag": (186, 142, 92), "PlasticBag": mixed((236, 238, 240), bag, 16)}.get(
        p.bag or "", bag
    )
    if p.bag == "Box":
        bag = mixed((172, 128, 82), bag, 25)
    colours: dict[L, Colour] = {
        L.FACE: skin, L.HAIR: hair, L.HAT: dye(p.hat or "Black", 0), L.GLASSES: (18, 18, 24),
        L.MUFFLER: dye(p.muffler or "Black", 8), L.EYE: (40, 30, 30),
        L.UPPER: upper, L.UPPER2: upper2, L.UPPER_TRIM: _contrast(upper),
        L.INNER: dye("White" if p.upper == "SuitUp" else p.inner, 0), L.ARM: skin,
        L.LOWER: lower, L.LOWER2: lower2, L.LOWER_TRIM: mixed(lower, _contrast(lower), 60),
        L.LEG: skin, L.SHOE: shoe, L.SHOE2: shoe2,
        L.SOLE: {"Sport": (240, 240, 240), "Casual": (206, 188, 150)}.get(p.shoes, (24, 20, 18)),
        L.BAG: bag, L.BAG_TRIM: _contrast(bag),
    }  # fmt: skip
    if p.upper == "SuitUp":
        colours[L.UPPER_TRIM] = dye(p.inner, 0) if p.inner not in ("White",) else (150, 30, 40)
    out = np.zeros((256, 3), dtype=np.int64)
    for label, colour in colours.items():
        out[base + label] = colour
        out[base + label + L.FAR] = mixed(colour, (0, 0, 0), 26)
    return out
