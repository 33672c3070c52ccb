"""The attribute vocabulary: 67 names of RAP in six groups, and how MARS's fields map onto them.

An attribute vector is float32 `[67]` in the order of `NAMES`: 1 has it, 0 has it not, `UNKNOWN`
(-1) where nobody said. The groups are those a network pools over; `PARTS` are the regions of a
person that a drawn truth knows, and `PART_OF_GROUP` says where a group should be looked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.tracklet import UNKNOWN, DataError

GROUPS: dict[str, tuple[str, ...]] = {
    "gender_age": ("Female", "AgeLess16", "Age17-30", "Age31-45"),
    "head_shoulder": tuple(
        f"hs-{x}" for x in ("BaldHead", "LongHair", "BlackHair", "Hat", "Glasses", "Muffler")
    ),
    "upper_body": (
        *(f"ub-{x}" for x in ("Shirt", "Sweater", "Vest", "TShirt", "Cotton", "Jacket", "SuitUp")),
        *("ub-Tight", "ub-ShortSleeve"),
        *(f"up-{x}" for x in ("Black", "White", "Gray", "Red", "Green", "Blue", "Yellow", "Brown")),
        *("up-Purple", "up-Pink", "up-Orange", "up-Mixture"),
    ),
    "lower_body": tuple(
        f"lb-{x}"
        for x in ("LongTrousers", "Skirt", "ShortSkirt", "Dress", "Jeans", "TightTrousers")
    )
    + tuple(
        f"low-{x}" for x in ("Black", "White", "Gray", "Red", "Green", "Blue", "Yellow", "Mixture")
    ),
    "shoes": tuple(f"shoes-{x}" for x in ("Leather", "Sport", "Boots", "Cloth", "Casual"))
    + tuple(
        f"shoes-{x}"
        for x in ("Black", "White", "Gray", "Red", "Green", "Blue", "Yellow", "Brown", "Mixture")
    ),
    "attachments": (
        *(f"attach-{x}" for x in ("Backpack", "SingleShoulderBag", "HandBag", "Box", "PlasticBag")),
        *("attach-PaperBag", "attach-HandTrunk", "attach-Other"),
    ),
}
"""The six groups and the attributes of each, in RAP's order within a group."""

NAMES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
"""All 67 names, group after group: the order of every attribute vector."""

INDEX: dict[str, int] = {name: index for index, name in enumerate(NAMES)}
"""Place of a name in the vector."""

PARTS: tuple[str, ...] = ("background", "head", "upper", "lower", "shoes", "attachment")
"""What a pixel of `Truth.parts` can be."""

PART_OF_GROUP: dict[str, str | None] = {
    "gender_age": None,
    "head_shoulder": "head",
    "upper_body": "upper",
    "lower_body": "lower",
    "shoes": "shoes",
    "attachments": "attachment",
}
"""Where a group shows; gender and age show nowhere in particular."""

_MARS_UP = ("Black", "Purple", "Green", "Blue", "Gray", "White", "Yellow", "Red", "Mixture")
# None: a colour that RAP's eight names for the lower body do not hold.
_MARS_LOW = ("White", None, "Black", "Green", "Gray", None, "Yellow", "Blue", None, "Mixture")
_MARS_AGE = ("AgeLess16", "Age17-30", "Age31-45", None)
_MARS_CODES = {
    "Tops.c": len(_MARS_UP),
    "Bottoms.c": len(_MARS_LOW),
    "Age": len(_MARS_AGE),
    "Tops.l": 2,
    "Bottoms.l": 2,
    "shoulder bag": 2,
    "backpack": 2,
    "hat": 2,
    "handbag": 2,
    "hair": 2,
    "gender": 2,
    "Bottoms.t": 2,
}
MARS_FIELDS: tuple[str, ...] = tuple(_MARS_CODES)
"""The twelve fields `from_mars` reads, named as in the header of `mars_attributes.csv`."""


def group_indices(group: str) -> list[int]:
    """Places of a group's attributes in the vector; `DataError` for a group that does not exist."""
    if group not in GROUPS:
        raise DataError(f"no attribute group {group!r}; the groups are {', '.join(GROUPS)}")
    return [INDEX[name] for name in GROUPS[group]]


def unknown() -> NDArray[np.float32]:
    """A vector `[67]` of which nothing is known."""
    return np.full(len(NAMES), UNKNOWN, dtype=np.float32)


def from_mars(row: Mapping[str, str | int]) -> NDArray[np.float32]:
    """MARS's twelve fields (`MARS_FIELDS`) as a vector `[67]`; what they do not say is `UNKNOWN`.

    The codes are those of the attribute annotation of Market-1501 and MARS, less one:
    gender 0 man, 1 woman; hair 0 short, 1 long; Tops.l 0 long sleeves, 1 short; Bottoms.l 0 long,
    1 short; Bottoms.t 0 dress or skirt, 1 trousers; bags and hat 0 no, 1 yes; age 0 young,
    1 teenager, 2 adult, 3 old.

    Assumed here:

    - young, teenager, adult stand for RAP's AgeLess16, Age17-30, Age31-45, and old for none of them
      (teenager is the great majority of what is a university campus);
    - of garments, only what is certain is set: trousers are no skirt and no dress, but may be jeans
      or tight ones (unless short, when they are no long trousers); a dress-like garment is no kind
      of trousers, and if it is long it is no short skirt, the rest unknown;
    - the lower body's purple, pink and brown have no name in RAP: its eight colours are all 0;
    - `complex` colours are Mixture; no MARS code stands for brown, pink or orange tops, so those
      are 0 (an annotator who saw one had to choose another code);
    - short hair does not tell a bald head, and hair has no colour: both unknown.

    `DataError` names a missing field or a value that is no code.
    """
    codes = {field: _code(row, field, count) for field, count in _MARS_CODES.items()}
    out = unknown()

    def put(name: str, value: int) -> None:
        out[INDEX[name]] = value

    put("Female", codes["gender"])
    for code, age in enumerate(_MARS_AGE):
        if age is not None:
            put(age, int(codes["Age"] == code))
    put("hs-LongHair", codes["hair"])
    if codes["hair"]:
        put("hs-BaldHead", 0)
    put("hs-Hat", codes["hat"])
    put("ub-ShortSleeve", codes["Tops.l"])
    _one_colour(out, "up-", _MARS_UP[codes["Tops.c"]])
    _one_colour(out, "low-", _MARS_LOW[codes["Bottoms.c"]])
    trousers, short = codes["Bottoms.t"] == 1, codes["Bottoms.l"] == 1
    for name in ("lb-Skirt", "lb-ShortSkirt", "lb-Dress"):
        if trousers:
            put(name, 0)
    for name in ("lb-LongTrousers", "lb-Jeans", "lb-TightTrousers"):
        if not trousers or (short and name == "lb-LongTrousers"):
            put(name, 0)
    if not trousers and not short:
        put("lb-ShortSkirt", 0)
    put("attach-Backpack", codes["backpack"])
    put("attach-SingleShoulderBag", codes["shoulder bag"])
    put("attach-HandBag", codes["handbag"])
    return out


def _one_colour(out: NDArray[np.float32], prefix: str, colour: str | None) -> None:
    """Set the one colour of a body part and clear the others; None clears them all."""
    for name, index in INDEX.items():
        if name.startswith(prefix):
            out[index] = float(name == f"{prefix}{colour}")


def _code(row: Mapping[str, str | int], field: str, count: int) -> int:
    if field not in row:
        raise DataError(f"MARS attributes without the field {field!r}; found {', '.join(row)}")
    try:
        code = int(row[field])
    except ValueError:
        code = -1
    if not 0 <= code < count:
        raise DataError(
            f"MARS attribute {field!r} is {row[field]!r}; the codes are 0 to {count - 1}"
        )
    return code
