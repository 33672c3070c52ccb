"""Who a drawn person is: build, hair, garments, shoes, bags, and the 67 attributes of it all.

People come in groups of four that share a wardrobe; each but the first differs from the first in
one or two things. A person depends on (seed, domain, identity) alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.attributes import INDEX, NAMES
from w3an_lite.data.draws import Draws

GROUP = 4
"""People in a confusable group."""

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "Black": (34, 34, 40),
    "White": (226, 226, 220),
    "Gray": (128, 130, 134),
    "Red": (186, 38, 44),
    "Green": (44, 122, 62),
    "Blue": (40, 74, 164),
    "Yellow": (220, 190, 48),
    "Brown": (116, 76, 46),
    "Purple": (116, 58, 140),
    "Pink": (224, 138, 164),
    "Orange": (220, 112, 36),
}
UPPER_COLOURS = tuple(COLOURS)
LOWER_COLOURS = ("Black", "White", "Gray", "Red", "Green", "Blue", "Yellow")
SHOE_COLOURS = (*LOWER_COLOURS, "Brown")
SKINS: tuple[Colour, ...] = ((236, 196, 168), (214, 164, 128), (168, 116, 82), (110, 74, 52))
HAIRS: tuple[Colour, ...] = ((26, 22, 22), (92, 58, 34), (190, 150, 80), (140, 64, 34))
GREY_HAIR: Colour = (176, 176, 176)

AGES = ("AgeLess16", "Age17-30", "Age31-45", "older")
UPPER_KINDS = ("Shirt", "Sweater", "Vest", "TShirt", "Cotton", "Jacket", "SuitUp", "Tight")
SHOE_KINDS = ("Leather", "Sport", "Boots", "Cloth", "Casual")
BAGS = tuple(name.removeprefix("attach-") for name in NAMES if name.startswith("attach-"))


@dataclass(frozen=True)
class Cloth:
    """A cloth's colour by name, a second one, and how they alternate: plain, stripes or mixture."""

    colour: str
    second: str
    pattern: str = "plain"


@dataclass(frozen=True)
class Person:
    """Everything that is drawn of a person whatever the camera."""

    female: bool
    age: str
    build: int  # -1 thin, 0 normal, 1 fat
    height: int  # thousandths of the usual
    skin: int
    hair: int  # index into HAIRS; older people's is grey
    hair_style: str  # bald, short, long
    hat: str | None  # a colour
    glasses: bool
    muffler: str | None  # a colour
    upper: str
    short_sleeves: bool
    upper_cloth: Cloth
    inner: str  # colour of what shows under a jacket, vest or suit
    lower: str
    lower_cloth: Cloth
    shoes: str
    shoe_cloth: Cloth
    bag: str | None
    bag_colour: str
    shade: tuple[int, int, int]  # offsets of the upper, lower and bag colours


def _cloth(draws: Draws, colours: tuple[str, ...], plain: int) -> Cloth:
    first, second = draws.shuffled(colours)[:2]
    pattern = draws.weighted((("plain", plain), ("stripes", 20), ("mixture", 12)))
    return Cloth(first, second, pattern)


def _random(draws: Draws) -> Person:
    female = draws.chance(50)
    upper = draws.pick(UPPER_KINDS)
    lower = draws.weighted(
        (("LongTrousers", 30), ("Jeans", 25), ("TightTrousers", 18))
        + ((("Skirt", 14), ("ShortSkirt", 16), ("Dress", 16)) if female else ())
    )
    shoes = draws.weighted(
        (("Leather", 20), ("Sport", 25), ("Casual", 20), ("Cloth", 15), ("Boots", 20))
    )
    shoe_cloth = _cloth(draws, SHOE_COLOURS, 90)
    if shoe_cloth.pattern == "stripes":
        shoe_cloth = replace(shoe_cloth, pattern="mixture")
    age = draws.weighted((("AgeLess16", 12), ("Age17-30", 42), ("Age31-45", 32), ("older", 14)))
    return Person(
        female=female,
        age=age,
        build=draws.weighted(((-1, 25), (0, 50), (1, 25))),
        height=draws.between(965, 1035),
        skin=draws.below(len(SKINS)),
        hair=draws.weighted(((0, 55), (1, 20), (2, 15), (3, 10))),
        hair_style=draws.weighted(
            (("long", 70), ("short", 30))
            if female
            else (("short", 80), ("bald", 14 if age in AGES[2:] else 0), ("long", 6))
        ),
        hat=draws.pick(UPPER_COLOURS) if draws.chance(18) else None,
        glasses=draws.chance(22),
        muffler=draws.pick(UPPER_COLOURS) if draws.chance(14) else None,
        upper=upper,
        short_sleeves=upper == "TShirt" or (upper in ("Shirt", "Tight") and draws.chance(40)),
        upper_cloth=_cloth(draws, UPPER_COLOURS, 68),
        inner=draws.pick(("White", "Gray", "Yellow", "Red", "Blue", "Black")),
        lower=lower,
        lower_cloth=_cloth(draws, LOWER_COLOURS, 80),
        shoes=shoes,
        shoe_cloth=shoe_cloth,
        bag=draws.pick(BAGS) if draws.chance(60) else None,
        bag_colour=draws.pick(UPPER_COLOURS),
        shade=(draws.between(-14, 14), draws.between(-14, 14), draws.between(-14, 14)),
    )


def _other(draws: Draws, items: tuple[str, ...], now: str | None) -> str:
    return draws.pick([item for item in items if item != now])


def _dyed(draws: Draws, cloth: Cloth, colours: tuple[str, ...]) -> Cloth:
    """The cloth in another colour; a mixture, whose colours have no name, becomes plain."""
    colour = _other(draws, colours, cloth.colour)
    second = cloth.colour if colour == cloth.second else cloth.second
    return Cloth(colour, second, "plain" if cloth.pattern == "mixture" else cloth.pattern)


def _change(person: Person, what: str, draws: Draws) -> Person:
    """The same person but for one thing, which is sure to differ."""
    p = person
    if what == "upper colour":
        return replace(p, upper_cloth=_dyed(draws, p.upper_cloth, UPPER_COLOURS))
    if what == "lower colour":
        return replace(p, lower_cloth=_dyed(draws, p.lower_cloth, LOWER_COLOURS))
    if what == "upper pattern":
        pattern = _other(draws, ("plain", "stripes", "mixture"), p.upper_cloth.pattern)
        return replace(p, upper_cloth=replace(p.upper_cloth, pattern=pattern))
    if what == "bag":
        return replace(p, bag=_other(draws, BAGS, p.bag))
    if what == "hat":
        return replace(p, hat=None if p.hat else draws.pick(UPPER_COLOURS))
    if what == "muffler":
        return replace(p, muffler=None if p.muffler else draws.pick(UPPER_COLOURS))
    if what == "hair":
        return replace(p, hair_style="short" if p.hair_style == "long" else "long")
    if what == "shoes":
        colour = _other(draws, SHOE_COLOURS, p.shoe_cloth.colour)
        cloth = Cloth(colour, p.shoe_cloth.colour, p.shoe_cloth.pattern)
        return replace(p, shoes=_other(draws, SHOE_KINDS, p.shoes), shoe_cloth=cloth)
    if what == "lower kind":
        long = ("LongTrousers", "Jeans", "TightTrousers")
        skirts = ("Skirt", "ShortSkirt", "Dress") if p.female else long
        return replace(p, lower=_other(draws, skirts if p.lower in long else long, p.lower))
    raise AssertionError(f"unknown change {what!r}")


_PLAIN_TO_SEE = ("upper colour", "lower colour", "upper pattern", "lower kind")
_SMALL = ("bag", "hat", "muffler", "hair", "shoes")


def person(seed: int, domain: str, identity: int) -> Person:
    """The person with this number (from 1). Numbers 4k+1 .. 4k+4 make a confusable group."""
    group, member = divmod(identity - 1, GROUP)
    base = Draws(seed, domain, "group", group)
    someone = _random(base)
    if member == 0:
        return someone
    # the three others never change the same two things
    large, small = base.shuffled(_PLAIN_TO_SEE), base.shuffled(_SMALL)
    own = Draws(seed, domain, "person", identity)
    someone = _change(someone, large[member - 1], own)
    if own.chance(75):
        someone = _change(someone, small[member - 1], own)
    return someone


def differences(a: Person, b: Person) -> list[str]:
    """Names of the fields in which two people differ."""
    return [f.name for f in fields(Person) if getattr(a, f.name) != getattr(b, f.name)]


def attributes(person: Person) -> NDArray[np.float32]:
    """The person's attributes, float32 `[67]` of 0 and 1, in the order of `NAMES`.

    A plain cloth has its colour, a striped one its ground colour and Mixture, a mixed one Mixture.
    A dress is worn over an upper garment and is the lower body's, from the chest down.
    """
    p = person
    names = [f"ub-{p.upper}", f"lb-{p.lower}", f"shoes-{p.shoes}"]
    names += _colour_names("up-", p.upper_cloth)
    names += _colour_names("low-", p.lower_cloth)
    names += _colour_names("shoes-", p.shoe_cloth)
    for name, here in (
        ("Female", p.female),
        (p.age, p.age != "older"),
        ("hs-BaldHead", p.hair_style == "bald"),
        ("hs-LongHair", p.hair_style == "long"),
        ("hs-BlackHair", p.hair == 0 and p.age != "older" and p.hair_style != "bald"),
        ("hs-Hat", p.hat is not None),
        ("hs-Glasses", p.glasses),
        ("hs-Muffler", p.muffler is not None),
        ("ub-ShortSleeve", p.short_sleeves),
        (f"attach-{p.bag}", p.bag is not None),
    ):
        if here:
            names.append(name)
    out = np.zeros(len(NAMES), dtype=np.float32)
    out[[INDEX[name] for name in names]] = 1
    return out


def _colour_names(prefix: str, cloth: Cloth) -> list[str]:
    names = [] if cloth.pattern == "mixture" else [prefix + cloth.colour]
    return names if cloth.pattern == "plain" else [*names, prefix + "Mixture"]
