"""Differences told in the text of a notebook are those of the kept results, and each has one."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from w3an_lite.claims import interval, paired
from w3an_lite.studies import read_study, scores

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
BETA = "spearman_beta_visibility"

QUOTES = [
    ("01", "readings", "paper", "frames in a row", "W3AN"),
    ("01", "readings", "repaired", "frames in a row", "W3AN"),
    ("02", "readings", "repaired", "W3AN", "heads on the flattened cube"),
    ("02", "readings", "repaired", "Eq. 8, maps of present attributes", "Eq. 8"),
    ("03", "readings", "repaired", "mean over attributes", "W3AN"),
    ("03", "baselines", "paper", "mean pooling", "mean pooling without attributes"),
    ("03", "groups", "repaired", "carried-soft", "W3AN"),
    ("03", "groups", "repaired", "W3AN", "carried-hard"),
    ("03", "groups", "repaired", "without-attributes", "carried-hard"),
    ("04", "alone", "paper", "with one v for all frames", "W3AN"),
    ("04", "repairs", "repaired", "W3AN", "with one v for all frames"),
    ("04", "repairs", "repaired", "W3AN", "with one map for all channels"),
    ("04", "medium/repairs", "repaired", "W3AN", "with one v for all frames"),
    ("04", "medium/clock", "repaired", "with one v for all frames", "W3AN"),
    ("05", "readings", "repaired", "Eq. 8", "Eq. 8, maps not brought to [0, 1]"),
    ("05", "readings", "repaired", "Eq. 8, maps of present attributes", "Eq. 8"),
    ("05", "readings", "repaired", "Eq. 8, gradient through α′", "Eq. 8"),
    ("05", "medium/readings", "repaired", "Eq. 8, gradient through α′", "Eq. 8"),
    ("05", "medium/readings", "repaired", "Eq. 8, gradient through α′", "Eq. 8", "alpha_pointing"),
    ("05", "medium/readings", "repaired", "Eq. 8, gradient through α′", "W3AN"),
    ("05", "readings", "repaired", "Eq. 8", "Eq. 8, statistics move on I′"),
    ("05", "repairs", "repaired", "without α free of Eq. 8", "W3AN"),
    ("05", "repairs", "repaired", "W3AN", "without α free of Eq. 8", "alpha_pointing"),
    ("05", "table5", "paper", "random-maps", "W3AN"),
    ("05", "alone", "paper", "with α free of Eq. 8", "W3AN"),
    ("06", "readings", "paper", "no bias in β_overall", "W3AN"),
    ("06", "readings", "repaired", "no bias in β_overall", "W3AN"),
    ("06", "readings", "repaired", "W3AN", "β the same for all frames"),
    ("06", "readings", "paper", "β the same for all frames", "W3AN"),
    ("06", "alone", "paper", "with β by coverage", "W3AN"),
    ("06", "repairs", "repaired", "W3AN", "with β by coverage"),
    ("06", "repairs", "repaired", "W3AN", "with β by coverage", BETA),
    ("06", "alone", "paper", "W3WAN", "W3AN", BETA),
    ("07", "readings", "paper", "neighbours one way", "W3AN"),
    ("07", "readings", "repaired", "neighbours one way", "W3AN"),
    ("07", "readings", "paper", "neighbours by angle", "W3AN"),
    ("07", "readings", "repaired", "neighbours by angle", "W3AN"),
    ("07", "alone", "paper", "with degree from Ã", "W3AN"),
    ("07", "repairs", "repaired", "W3AN", "without degree from Ã"),
    ("08", "graph", "paper", "layers2", "layers5"),
    ("08", "alone", "paper", "with linear last layer", "W3AN"),
    ("08", "readings", "paper", "ELU for ReLU", "W3AN"),
    ("08", "readings", "paper", "LeakyReLU for ReLU", "W3AN"),
    ("08", "alone", "paper", "W3WAN", "W3AN"),
    ("08", "alone", "paper", "with residual graph", "W3AN"),
    ("08", "alone", "paper", "W3AN", "with residual graph", BETA),
    ("08", "repairs", "repaired", "with linear last layer", "W3AN"),
    ("08", "repairs", "repaired", "W3AN", "without residual graph"),
    ("08", "repairs", "repaired", "W3AN", "linear last layer for residual graph"),
    ("08", "alone", "paper", "with degree from Ã", "W3AN"),
    ("08", "alone", "paper", "with β-weighted readout", "W3AN"),
    ("08", "repairs", "repaired", "W3AN", "without β-weighted readout"),
    ("09", "readings", "repaired", "mean over attributes", "W3AN"),
    ("09", "readings", "repaired", "what is there weighs three times", "W3AN"),
    ("09", "readings", "repaired", "one anchor a person", "W3AN"),
    ("09", "readings", "repaired", "four clips a person", "W3AN"),
    ("09", "medium/readings", "repaired", "four clips a person", "W3AN"),
    ("09", "readings", "paper", "W3AN", "four clips a person"),
    ("09", "alone", "paper", "with normalised triplet", "W3AN"),
    ("09", "repairs", "repaired", "with normalised triplet", "W3AN"),
    ("09", "repairs", "repaired", "W3AN", "without clip identity"),
    ("09", "medium/repairs", "repaired", "W3AN", "without clip identity"),
    ("10", "readings", "paper", "maps after 4 epochs", "W3AN"),
    ("10", "readings", "paper", "W3AN", "maps after 4 epochs", BETA),
    ("10", "readings", "repaired", "Eq. 8, maps after 4 epochs", "Eq. 8"),
    ("10", "baselines", "paper", "mean pooling", "W3AN"),
    ("10", "alone", "paper", "with all of the graph", "W3AN"),
    ("10", "alone", "paper", "W3WAN", "W3AN"),
    ("11", "looking", "repaired", "W3AN", "place-alone", "alpha_pointing"),
    ("11", "looking", "repaired", "W3AN", "place-alone"),
    ("11", "medium/clock", "repaired", "WAN", "W3AN"),
    ("12", "readings", "repaired", "W3AN", "SGD at 0.02"),
    ("12", "readings", "repaired", "W3AN", "SGD at 0.005"),
    ("12", "readings", "repaired", "W3AN", "SGD at 0.05"),
    ("12", "readings", "repaired", "SGD at 0.02", "SGD at 0.02 without momentum"),
    ("12", "readings", "repaired", "SGD at 0.02 without decay", "SGD at 0.02"),
    ("12", "readings", "paper", "frames as they are", "a crop of larger frames"),
    ("12", "readings", "repaired", "frames as they are", "a crop of larger frames"),
]
"""Notebook, study, preset, the row that is better, the row it is better than; mAP if not said."""

NUMBER = r"[−+]?\d+(?:\.\d)?"
QUOTE = re.compile(rf"({NUMBER})(?: points?)?(?: of mAP)? \[({NUMBER}), ({NUMBER})\]")
INTERVAL = re.compile(rf"\[(?!0, 1\]){NUMBER}, {NUMBER}\]")
CODE = re.compile(r"`[^`]*`|\$[^$]*\$|<code>.*?</code>")


def quoted(notebook: str) -> list[tuple[str, ...]]:
    """Mean and ends of every interval in the text of a notebook, in the order they stand."""
    (path,) = NOTEBOOKS.glob(f"{notebook}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    text = CODE.sub("", text)
    found = QUOTE.findall(text)
    assert len(found) == len(INTERVAL.findall(text))  # none is told in a form that is not read
    return [tuple(part.lstrip("+") for part in quote) for quote in found]


def measured(
    study: str, preset: str, better: str, worse: str, measure: str = "mAP"
) -> tuple[str, ...]:
    """The difference as a notebook tells it: points, of Spearman without decimals."""
    content = read_study(NOTEBOOKS / "results" / f"{study}.json")
    found = interval(paired(content, preset, better, worse, measure))
    digits = 1 if measure == "mAP" else 0
    return tuple(f"{100 * value:.{digits}f}".replace("-", "−") for value in found[:3])


@pytest.mark.parametrize("notebook", [f"{n:02d}" for n in range(14)])
def test_each_difference_is_one_of_the_kept_results(notebook: str) -> None:
    own = [measured(*quote[1:]) for quote in QUOTES if quote[0] == notebook]
    assert Counter(quoted(notebook)) == Counter(own)


@pytest.mark.parametrize(
    ("notebook", "preset", "row"),
    [
        ("10", "paper", "random trunk"),
        ("10", "repaired", "random trunk"),
        ("12", "paper", "random trunk, SGD at 0.02"),
    ],
)
def test_what_random_weights_come_to(notebook: str, preset: str, row: str) -> None:
    content = read_study(NOTEBOOKS / "results" / "readings.json")
    mean = np.mean(list(scores(content, preset, row, "mAP").values()))
    (path,) = NOTEBOOKS.glob(f"{notebook}_*.ipynb")
    text = path.read_text(encoding="utf-8")
    (said,) = re.findall(r"From random weights.*?results/readings\.json", text)
    numbers = re.findall(r"\d\.\d\d", said)
    assert numbers[0 if preset == "paper" else 1] == f"{mean:.2f}"
