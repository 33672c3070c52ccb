"""The audit of claims: what the paper says, what was measured, and whether it holds here.

A claim is one or more differences that should be above 0, taken seed by seed: the two models of a
seed saw the same people in the same order. Each difference has a 95% interval of Student's t over
the seeds. The rule:

- *holds*: every difference's interval lies above 0;
- *does not*: some difference's interval does not reach above 0, even widened for the number of
  differences looked at (Bonferroni);
- *cannot tell*: neither, or fewer than two seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import stats

from .studies import scores
from .study_rows import WHOLE
from .variants import LAYERS, NEIGHBOURS, WITHOUT

HOLDS, DOES_NOT, CANNOT_TELL = "holds", "does not", "cannot tell"
LEVEL = 0.95
Differences: TypeAlias = "dict[str, list[float]]"
"""What should be above 0, by name: one value a seed."""


class Interval(NamedTuple):
    """Mean of `seeds` values and its interval; unbounded for fewer than two."""

    mean: float
    low: float
    high: float
    seeds: int


class Claim(NamedTuple):
    """What is claimed, how it is measured, in which study, and the differences it comes down to."""

    says: str
    measure: str
    study: str
    differences: Callable[[dict[str, Any], str], Differences]


class Finding(NamedTuple):
    """A claim for one preset: its weakest difference, and the verdict over all of them."""

    says: str
    measure: str
    preset: str
    weakest: str
    interval: Interval
    verdict: str


def interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Student's t interval of the mean of `values`, one a seed."""
    count = len(values)
    mean = float(np.mean(values)) if count else math.nan
    if count < 2:
        return Interval(mean, -math.inf, math.inf, count)
    half = float(stats.t.ppf((1 + level) / 2, count - 1) * np.std(values, ddof=1) / count**0.5)
    return Interval(mean, mean - half, mean + half, count)


def verdict(differences: Differences) -> str:
    """The rule of this module, over every difference of a claim."""
    if not differences:
        return CANNOT_TELL
    if all(interval(values).low > 0 for values in differences.values()):
        return HOLDS
    wide = 1 - (1 - LEVEL) / len(differences)
    if any(interval(values, wide).high <= 0 for values in differences.values()):
        return DOES_NOT
    return CANNOT_TELL


def audit_claims(studies: Mapping[str, dict[str, Any]]) -> list[Finding]:
    """Every claim that the `studies` (results by name) can speak to, preset by preset."""
    out = []
    for claim in CLAIMS:
        content = studies.get(claim.study)
        if content is None:
            continue
        for preset in dict.fromkeys(row["preset"] for row in content["rows"]):
            differences = claim.differences(content, preset)
            if not differences or not all(differences.values()):
                continue
            found = {name: interval(values) for name, values in differences.items()}
            weakest = min(found, key=lambda name: (found[name].low, found[name].mean))
            out.append(
                Finding(
                    claim.says,
                    claim.measure,
                    preset,
                    weakest,
                    found[weakest],
                    verdict(differences),
                )
            )
    return out


def paired(
    content: dict[str, Any], preset: str, better: str, worse: str, measure: str = "mAP"
) -> list[float]:
    """`measure` of row `better` less that of row `worse`, over the seeds that have both."""
    one, two = (scores(content, preset, row, measure) for row in (better, worse))
    return [one[seed] - two[seed] for seed in sorted(one.keys() & two.keys())]


def _above(measure: str, chance: str | None = None) -> Callable[[dict[str, Any], str], Differences]:
    """A measure of the whole network above its chance level (0 if None)."""

    def differences(content: dict[str, Any], preset: str) -> Differences:
        found = scores(content, preset, WHOLE, measure)
        blind = scores(content, preset, WHOLE, chance) if chance else dict.fromkeys(found, 0.0)
        return {measure: [found[seed] - blind[seed] for seed in sorted(found.keys() & blind)]}

    return differences


def _beats(
    better: str, *others: str, measure: str = "mAP"
) -> Callable[[dict[str, Any], str], Differences]:
    """A measure of a row above that of each other."""

    def differences(content: dict[str, Any], preset: str) -> Differences:
        return {f"against {row}": paired(content, preset, better, row, measure) for row in others}

    return differences


def _worst(worst: str, *others: str) -> Callable[[dict[str, Any], str], Differences]:
    """The mAP of a row below that of each other."""

    def differences(content: dict[str, Any], preset: str) -> Differences:
        return {f"against {row}": paired(content, preset, row, worst) for row in others}

    return differences


def _but(names: Mapping[str, object], *left_out: str) -> list[str]:
    return [name for name in names if name not in left_out]


UPPER, NONE = "without-upper_body", "without-attributes"
CLAIMS = (
    Claim(
        "spatial attention lies on the person",
        "share of α on the person, less the person's share of the picture",
        "table5",
        _above("alpha_inside", "person_area"),
    ),
    Claim(
        "spatial attention finds the person where one that cannot look does not",
        "share of α on the person",
        "table5",
        _beats(WHOLE, "place-alone", measure="alpha_inside"),
    ),
    Claim(
        "the maps of attributes lie where the attribute is",
        "maxima on the attribute's part, less chance; mean over groups",
        "table5",
        _above("map_pointing", "map_chance"),
    ),
    Claim(
        "class maps lie on the person",
        "maxima of m_i + m_a on the person, less chance",
        "table5",
        _above("cam_pointing", "pointing_chance"),
    ),
    Claim(
        "β falls with occlusion",
        "Spearman's correlation of β with visibility within tracklets",
        "table5",
        _above("spearman_beta_visibility"),
    ),
    Claim("spatial attention helps", "mAP", "table5", _beats(WHOLE, "WAN")),
    Claim("looking helps", "mAP", "table5", _beats(WHOLE, "place-alone")),
    Claim("guidance by the class maps helps", "mAP", "table5", _beats(WHOLE, "random-maps")),
    Claim("temporal attention helps", "mAP", "table5", _beats(WHOLE, "W2AN")),
    Claim(
        "spatial attention helps more than temporal",
        "mAP without the temporal, less that without the spatial",
        "table5",
        _beats("W2AN", "WAN"),
    ),
    Claim(
        "random maps are worse than no α",
        "mAP without α, less that of random maps",
        "table5",
        _beats("WAN", "random-maps"),
    ),
    Claim("the graph beats weighted averaging", "mAP", "table5", _beats(WHOLE, "W3WAN")),
    Claim("occluded frames are worth keeping", "mAP", "table5", _beats(WHOLE, "half-dropped")),
    Claim(
        "guided attention beats what finds its regions alone",
        "mAP",
        "table5",
        _beats(WHOLE, "AP-W3AN", "AL-W3AN"),
    ),
    Claim(
        "off centre, spatial attention finds the person where one that cannot look does not",
        "share of α on the person",
        "looking",
        _beats(WHOLE, "place-alone", measure="alpha_inside"),
    ),
    Claim("off centre, spatial attention helps", "mAP", "looking", _beats(WHOLE, "WAN")),
    Claim("off centre, looking helps", "mAP", "looking", _beats(WHOLE, "place-alone")),
    Claim("where time says nothing, spatial attention helps", "mAP", "clock", _beats(WHOLE, "WAN")),
    Claim("where time says nothing, looking helps", "mAP", "clock", _beats(WHOLE, "place-alone")),
    Claim(
        "where time says nothing, guided attention beats what finds its regions alone",
        "mAP",
        "clock",
        _beats(WHOLE, "AP-W3AN", "AL-W3AN"),
    ),
    Claim("K = 4 is the best of 1 to 5", "mAP", "graph", _beats("K4", *_but(NEIGHBOURS, "K4"))),
    Claim(
        "two layers are the best of 1 to 5",
        "mAP",
        "graph",
        _beats("layers2", *_but(LAYERS, "layers2")),
    ),
    Claim("attributes help", "mAP", "groups", _beats(WHOLE, NONE)),
    Claim(
        "the upper body's attributes help most",
        "mAP without them, below that without any other group",
        "groups",
        _worst(UPPER, *_but(WITHOUT, UPPER, NONE)),
    ),
    Claim("it beats mean pooling", "mAP", "baselines", _beats(WHOLE, "mean pooling")),
    Claim(
        "it beats mean pooling trained alike",
        "mAP",
        "baselines",
        _beats(WHOLE, "mean pooling trained alike"),
    ),
)
"""What the paper claims, in our words. Mean pooling is a baseline of ours: the paper's Figures 5-7
compare with "baselines" that it does not name. Figure 8 shows class maps of identity "from SAN":
here are α, and m_i + m_a, the first of which is that of the predicted person."""
