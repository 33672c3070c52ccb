from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from w3an_lite.data.attributes import (
    GROUPS,
    INDEX,
    MARS_FIELDS,
    NAMES,
    PART_OF_GROUP,
    PARTS,
    from_mars,
    group_indices,
)
from w3an_lite.data.tracklet import UNKNOWN, DataError

ROW: dict[str, str | int] = dict.fromkeys(MARS_FIELDS, 0)


def value(row: dict[str, str | int], name: str) -> float:
    return float(from_mars(row)[INDEX[name]])


def test_the_groups_have_the_sizes_of_the_vocabulary() -> None:
    assert [len(names) for names in GROUPS.values()] == [4, 6, 21, 14, 14, 8]
    assert len(set(NAMES)) == len(NAMES) == 67
    assert [NAMES[i] for i in group_indices("shoes")] == list(GROUPS["shoes"])
    assert sorted(i for g in GROUPS for i in group_indices(g)) == list(range(67))


def test_every_group_has_a_part_or_none() -> None:
    assert set(PART_OF_GROUP) == set(GROUPS)
    assert PART_OF_GROUP["gender_age"] is None
    assert {p for p in PART_OF_GROUP.values() if p} == set(PARTS) - {"background"}


def test_an_unknown_group_is_an_error() -> None:
    with pytest.raises(DataError, match="'sleeves'"):
        group_indices("sleeves")


def test_mars_colours_and_what_rap_cannot_say() -> None:
    assert value(ROW | {"Tops.c": 7}, "up-Red") == 1
    assert value(ROW | {"Tops.c": 7}, "up-Brown") == 0
    assert value(ROW | {"Tops.c": 8}, "up-Mixture") == 1
    assert value(ROW | {"Bottoms.c": 7}, "low-Blue") == 1
    pink = from_mars(ROW | {"Bottoms.c": 5})
    assert all(pink[i] == 0 for i in group_indices("lower_body") if NAMES[i].startswith("low-"))


def test_mars_codes_of_gender_hair_sleeves_and_trousers() -> None:
    assert value(ROW | {"gender": 1}, "Female") == 1
    assert value(ROW | {"hair": 1}, "hs-BaldHead") == 0
    assert value(ROW | {"hair": 0}, "hs-BaldHead") == UNKNOWN
    assert value(ROW | {"Tops.l": 1}, "ub-ShortSleeve") == 1
    trousers = ROW | {"Bottoms.t": 1}
    assert value(trousers, "lb-Dress") == 0
    assert value(trousers, "lb-Jeans") == UNKNOWN
    assert value(trousers | {"Bottoms.l": 1}, "lb-LongTrousers") == 0
    assert value(ROW | {"Bottoms.t": 0}, "lb-Jeans") == 0
    assert value(ROW | {"Bottoms.t": 0, "Bottoms.l": 0}, "lb-ShortSkirt") == 0


@pytest.mark.parametrize(("code", "age"), [(0, "AgeLess16"), (1, "Age17-30"), (2, "Age31-45")])
def test_mars_ages(code: int, age: str) -> None:
    ages = [n for n in GROUPS["gender_age"] if n.startswith("Age")]
    assert [n for n in ages if value(ROW | {"Age": code}, n) == 1] == [age]
    assert all(value(ROW | {"Age": 3}, n) == 0 for n in ages)


def test_mars_says_nothing_of_shoes() -> None:
    out = from_mars(ROW)
    assert out.dtype == np.float32
    assert (out[group_indices("shoes")] == UNKNOWN).all()
    assert (out != UNKNOWN).sum() > 30


@pytest.mark.parametrize("bad", ["9", "x", -1])
def test_a_wrong_code_is_named(bad: str | int) -> None:
    with pytest.raises(DataError, match=r"'gender' is .*; the codes are 0 to 1"):
        from_mars(ROW | {"gender": bad})


def test_a_missing_field_is_named() -> None:
    with pytest.raises(DataError, match="'hat'"):
        from_mars({k: v for k, v in ROW.items() if k != "hat"})


def test_the_real_table_reads_and_long_hair_is_mostly_female() -> None:
    root = os.environ.get("W3AN_SHARED_DATA")
    path = Path(root or ".") / "mars_attributes" / "mars_attributes.csv"
    if not root or not path.exists():
        pytest.skip("W3AN_SHARED_DATA does not point at a folder with mars_attributes")
    with path.open(newline="") as file:
        table = np.stack([from_mars(row) for row in csv.DictReader(file)])
    assert table.shape == (16360, 67)
    female, long = table[:, INDEX["Female"]], table[:, INDEX["hs-LongHair"]]
    assert female[long == 1].mean() > 0.95
    assert female[table[:, INDEX["lb-Jeans"]] == 0].min() == 1  # only women wear dresses


@pytest.mark.parametrize(
    ("field", "prefix", "colours"),
    [
        ("Tops.c", "up", "Black Purple Green Blue Gray White Yellow Red Mixture"),
        ("Bottoms.c", "low", "White - Black Green Gray - Yellow Blue - Mixture"),
    ],
)
def test_every_colour_of_mars_is_the_one_it_names(field: str, prefix: str, colours: str) -> None:
    own = [name for name in NAMES if name.startswith(f"{prefix}-")]
    for code, colour in enumerate(colours.split()):
        there = [name for name in own if value({**ROW, field: code}, name) == 1]
        assert there == ([f"{prefix}-{colour}"] if colour != "-" else [])


@pytest.mark.parametrize(
    ("trousers", "short", "long_trousers", "jeans", "short_skirt"),
    [(1, 0, -1, -1, 0), (1, 1, 0, -1, 0), (0, 0, 0, 0, 0), (0, 1, 0, 0, -1)],
)
def test_of_garments_only_what_is_certain_is_set(
    trousers: int, short: int, long_trousers: int, jeans: int, short_skirt: int
) -> None:
    row = {**ROW, "Bottoms.t": trousers, "Bottoms.l": short}
    names = ("lb-LongTrousers", "lb-Jeans", "lb-ShortSkirt")
    assert [value(row, name) for name in names] == [long_trousers, jeans, short_skirt]
