"""Intervals and verdicts worked by hand; every claim finds its rows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.claims import (
    CANNOT_TELL,
    CLAIMS,
    DOES_NOT,
    HOLDS,
    audit_claims,
    interval,
    paired,
    verdict,
)
from w3an_lite.studies import lines_of
from w3an_lite.study_rows import STUDIES, WHOLE


def study(rows: dict[str, list[float]], preset: str = "paper", **scores: float) -> dict[str, Any]:
    """A result with the mAP of each row by seed."""
    return {
        "study": "table5",
        "rows": [
            {
                "variant": name,
                "preset": preset,
                "seed": seed,
                "mAP": value,
                "rank1": value,
                **scores,
            }
            for name, values in rows.items()
            for seed, value in enumerate(values)
        ],
    }


def test_an_interval_by_hand() -> None:
    # 1, 2, 3: mean 2, deviation 1, standard error 1/√3; t of 2 degrees at 97.5% is 4.3027
    found = interval([1, 2, 3])
    assert found.mean == 2
    assert found.seeds == 3
    assert found.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-5)
    assert found.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-5)
    assert interval([0.5]) == (0.5, -math.inf, math.inf, 1)
    assert math.isnan(interval([]).mean)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ({"a": [0.10, 0.11, 0.12]}, HOLDS),
        ({"a": [-0.10, -0.11, -0.12]}, DOES_NOT),
        ({"a": [0.10, -0.11, 0.12]}, CANNOT_TELL),
        ({"a": [0.5]}, CANNOT_TELL),  # one seed says nothing, however large
        ({"a": [0.5, 0.5], "b": [0.5]}, CANNOT_TELL),
        ({}, CANNOT_TELL),
        ({"a": [0.0, 0.0, 0.0]}, DOES_NOT),  # exactly as good is not better
        ({"a": [0.10, 0.11, 0.12], "b": [0.2, -0.2, 0.1]}, CANNOT_TELL),
        ({"a": [0.10, 0.11, 0.12], "b": [-0.10, -0.11, -0.12]}, DOES_NOT),
    ],
)
def test_the_rule_by_hand(differences: dict[str, list[float]], expected: str) -> None:
    assert verdict(differences) == expected


def test_many_differences_widen_what_refutes() -> None:
    low = [-1.2, -2.0, -2.8]  # mean -2, deviation 0.8: t = 4.33, just beyond 4.30
    assert verdict({"a": low}) == DOES_NOT
    assert verdict({"a": low, "b": [1.0, 1.1, 1.2]}) == CANNOT_TELL  # 97.5% asks for 6.21


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=6),
    st.floats(0.01, 10),
)
def test_a_verdict_does_not_depend_on_the_unit_and_turns_with_the_sign(
    values: list[float], unit: float
) -> None:
    one = verdict({"a": [round(v, 3) for v in values]})
    assert verdict({"a": [round(v, 3) * 2.0**4 for v in values]}) == one
    turned = verdict({"a": [-round(v, 3) for v in values]})
    assert (one, turned) in {
        (HOLDS, DOES_NOT), (DOES_NOT, HOLDS), (CANNOT_TELL, CANNOT_TELL), (DOES_NOT, DOES_NOT)
    }  # fmt: skip


def test_pairs_are_of_one_seed() -> None:
    content = study({WHOLE: [0.5, 0.6, 0.7], "WAN": [0.4, 0.4]})
    assert paired(content, "paper", WHOLE, "WAN") == pytest.approx([0.1, 0.2])
    content["rows"].reverse()
    assert paired(content, "paper", WHOLE, "WAN") == pytest.approx([0.1, 0.2])
    assert paired(content, "repaired", WHOLE, "WAN") == []
    # between the seeds the rows vary more than they differ: unpaired nothing could be told
    far = study({WHOLE: [0.1, 0.5, 0.9], "WAN": [0.05, 0.44, 0.85]})
    assert verdict({"a": paired(far, "paper", WHOLE, "WAN")}) == HOLDS


def test_the_audit_by_hand() -> None:
    content = study(
        {WHOLE: [0.50, 0.61, 0.70], "W3WAN": [0.40, 0.50, 0.61], "half-dropped": [0.6, 0.7, 0.8]},
        alpha_inside=0.3,
        person_area=0.2,
        spearman_beta_visibility=math.nan,
    )
    found = {f.says: f for f in audit_claims({"table5": content})}
    assert found.keys() == {
        "spatial attention lies on the person",
        "the graph beats weighted averaging",
        "occluded frames are worth keeping",
    }
    assert found["spatial attention lies on the person"].interval.mean == pytest.approx(0.1)
    assert found["spatial attention lies on the person"].verdict == HOLDS
    assert found["the graph beats weighted averaging"].verdict == HOLDS
    assert found["occluded frames are worth keeping"].verdict == DOES_NOT
    assert audit_claims({}) == []


def test_the_weakest_rival_is_named() -> None:
    rows = {f"K{k}": [0.5 - 0.01 * abs(k - 4), 0.52 - 0.01 * abs(k - 4)] for k in range(1, 6)}
    rows["K5"] = [0.55, 0.57]
    (found,) = audit_claims({"graph": study(rows)})
    assert found.weakest == "against K5"
    assert found.interval.mean == pytest.approx(-0.05)
    assert found.verdict == DOES_NOT


def test_the_most_telling_group_is_the_one_that_is_missed_most() -> None:
    rows = {line.variant: [0.5, 0.51] for line in lines_of("groups", ["paper"])}
    rows["without-upper_body"] = [0.40, 0.41]
    rows["without-attributes"] = [0.30, 0.31]
    found = {f.says: f.verdict for f in audit_claims({"groups": study(rows)})}
    assert found == {
        "attributes help": HOLDS,
        "the upper body's attributes help most": HOLDS,
    }


def test_which_way_a_comparison_of_two_rows_goes() -> None:
    content = study(
        {WHOLE: [0.6, 0.7], "W2AN": [0.50, 0.61], "WAN": [0.40, 0.50], "random-maps": [0.30, 0.41]},
        cam_pointing=0.4,
        pointing_chance=0.2,
    )
    found = {f.says: f for f in audit_claims({"table5": content})}
    for says, mean in (
        ("spatial attention helps more than temporal", 0.105),
        ("random maps are worse than no α", 0.095),
        ("class maps lie on the person", 0.2),
    ):
        assert found[says].interval.mean == pytest.approx(mean)


def test_every_claim_asks_for_rows_that_exist() -> None:
    for claim in CLAIMS:
        names = {line.variant for line in lines_of(claim.study, ["paper"])}
        assert claim.study in STUDIES
        full = study(
            {name: [0.5, 0.5] for name in names},
            alpha_inside=1, person_area=1, map_pointing=1, map_chance=1,
            cam_pointing=1, pointing_chance=1, spearman_beta_visibility=1,
        )  # fmt: skip
        differences = claim.differences(full, "paper")
        assert differences
        assert all(len(values) == 2 for values in differences.values())


def test_one_row_of_one_seed_does_not_save_a_claim_that_another_ends() -> None:
    assert verdict({"a": [0.05], "b": [-0.02, -0.03, -0.02, -0.03]}) == DOES_NOT
    assert verdict({"a": [0.05], "b": [0.02, 0.03, 0.02, 0.03]}) == CANNOT_TELL
    assert verdict({}) == CANNOT_TELL


def test_the_weakest_is_that_of_the_lowest_end() -> None:
    rows = {"W3AN": [0.5, 0.5, 0.5], "AP-W3AN": [0.49, 0.49, 0.49], "AL-W3AN": [0.1, 0.4, 0.7]}
    found = {f.says: f for f in audit_claims({"table5": study(rows)})}
    assert found["guided attention beats what finds its regions alone"].weakest == "against AL-W3AN"


def test_a_claim_lacking_a_rival_is_not_spoken_to() -> None:
    rows = {"W3AN": [0.5, 0.51], "AP-W3AN": [0.4, 0.41]}
    assert audit_claims({"table5": study(rows)}) == []


def test_what_each_claim_compares() -> None:
    names = ["W3AN", "place-alone", "AP-W3AN", "AL-W3AN", *(f"layers{n}" for n in range(1, 6))]
    content = study(
        {name: [0.1 * k] for k, name in enumerate(names)},
        alpha_inside=0.9, map_pointing=0.8, map_chance=0.5, pointing_chance=0.25,
    )  # fmt: skip
    found = {(c.says, c.study): c.differences(content, "paper") for c in CLAIMS}
    assert found["the maps of attributes lie where the attribute is", "table5"] == {
        "map_pointing": [pytest.approx(0.3)]
    }
    assert found["guided attention beats what finds its regions alone", "table5"].keys() == {
        "against AP-W3AN", "against AL-W3AN"
    }  # fmt: skip
    off = "off centre, spatial attention finds the person where one that cannot look does not"
    assert found[off, "looking"] == {"against place-alone": [0.0]}  # of α, not of mAP
    layers = found["two layers are the best of 1 to 5", "graph"]
    assert layers.keys() == {f"against layers{n}" for n in (1, 3, 4, 5)}
