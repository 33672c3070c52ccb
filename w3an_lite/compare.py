"""The run viewer: curves, CMC and tables of training runs side by side."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .charts import cmc_curves, training_curves
from .data.synthetic import synthped
from .data.tracklet import Split
from .experiments import search
from .live import Live, Table
from .model import W3AN
from .picture import LINES
from .run_record import MODELS, Places, RunRecord, find_runs
from .tick_boxes import TickBoxes

MEASURES = {
    "rank1": "rank-1",
    "mAP": "mAP",
    "spearman_beta_visibility": "Spearman(β, visibility)",
    "auc_beta_occlusion": "clear against covered",
    "alpha_inside": "α on the person",
    "alpha_pointing": "maximum on the person",
}
"""The measures of the table, in its order, and what it calls them."""
MOST = len(LINES)
"""Runs that one chart can tell apart without colour."""
_RANKS = 20


def compare(runs: Places, people: Split | None = None) -> Live:
    """Training runs side by side: a term of their logs, their CMC, and a table of their scores.

    runs: folders as `train --out`, `demo` and `experiment` write them, a folder of such, or
        name -> folder. people: who is searched for the CMC, the same for all; left out, 40 drawn
        people under heavy occlusion. A CMC is computed when it is first asked for.

    A folder that is empty or gone, and the model of another program, are named in the widget;
    nothing is raised. The controls: show, term, and runs (a box to tick for each).
    """
    viewer = Viewer(runs, people)
    names = [run.name for run in viewer.runs]
    terms = list(dict.fromkeys(term for run in viewer.runs for term in run.curves))
    options: dict[str, Any] = {"style": {"description_width": "5em"}}
    live = Live(
        viewer.draw,
        "Training runs side by side",
        show=ipywidgets.Dropdown(options=["curves", "CMC"], description="show", **options),
        term=ipywidgets.Dropdown(
            options=terms or ["none"], value="loss" if "loss" in terms else (terms or ["none"])[0],
            description="term", **options,
        ),
        runs=TickBoxes(names, names[:MOST], "runs"),
    )  # fmt: skip
    return live


class Viewer:
    """What `compare` draws; a run is searched once."""

    def __init__(self, runs: Places, people: Split | None) -> None:
        self.runs: list[RunRecord] = []
        self.wrong: list[str] = []
        self.people = people
        self.cmc = lru_cache(maxsize=None)(self._cmc)
        try:
            self.runs, self.wrong = find_runs(runs)
        except Exception as error:
            self.wrong = [str(error) or type(error).__name__]
        if not self.runs and not self.wrong:
            self.wrong = ["no runs; give the folders of some"]

    def draw(self, show: str, term: str, runs: tuple[str, ...]) -> tuple[Figure, str, Table]:
        """The chart, what it shows, and the table of the chosen runs; see `compare`."""
        chosen = [run for run in self.runs if run.name in runs]
        if not self.runs:
            raise ValueError("; ".join(self.wrong))
        if not chosen:
            raise ValueError("no run is ticked; tick one or several")
        if len(chosen) > MOST:
            raise ValueError(f"{len(chosen)} runs; tick {MOST} at most, to tell them apart")
        wrong = list(self.wrong)
        figure, text = (
            self._curves(chosen, term) if show == "curves" else self._search(chosen, wrong)
        )
        text += "".join(f" ⚠ {sentence}." for sentence in wrong)
        return figure, text, table(chosen)

    def _curves(self, chosen: list[RunRecord], term: str) -> tuple[Figure, str]:
        logs = {run.name: {term: run.curves[term]} for run in chosen if term in run.curves}
        if not logs:
            raise ValueError(f"none of the chosen runs has a log of {term!r}")
        figure = training_curves(logs)
        figure.set_size_inches(6.4, 3.6)
        last = {
            name: [v for v in log[term] if not math.isnan(v)][-1:] for name, log in logs.items()
        }
        ends = ", ".join(f"{name} {value[0]:.3g}" for name, value in last.items() if value)
        silent = [run.name for run in chosen if run.name not in logs]
        text = f"{term}, mean of each epoch; in the last: {ends}."
        return figure, text + (f" Without it: {', '.join(silent)}." if silent else "")

    def _search(self, chosen: list[RunRecord], wrong: list[str]) -> tuple[Figure, str]:
        curves: dict[str, NDArray[np.float64]] = {}
        for run in chosen:
            if run.model is None:
                wrong.append(f"{run.name} keeps no {' or '.join(MODELS)} to search with")
                continue
            try:
                curves[run.name] = self.cmc(run.model)
            except (OSError, ValueError, RuntimeError) as error:
                wrong.append(str(error))
        if not curves:
            raise ValueError("; ".join(wrong))
        assert self.people is not None
        best = {run.name for run in chosen if run.model and run.model.name != MODELS[0]}
        firsts = ", ".join(
            f"{name} {cmc[0]:.3f}" + (f" (of {MODELS[1]})" if name in best else "")
            for name, cmc in curves.items()
        )
        queries = f"{len(self.people.query)} queries"
        return cmc_curves(curves), f"CMC on {self.people.name}, {queries}; rank-1: {firsts}."

    def _cmc(self, model: Path) -> NDArray[np.float64]:
        if self.people is None:
            self.people = synthped(1, 40, occlusion="heavy")
        return search(W3AN.from_pretrained(model), self.people).cmc[:_RANKS]


def table(runs: list[RunRecord]) -> Table:
    """One row a run: epochs, and the measures that any of them has."""
    shown = [name for name in MEASURES if any(name in run.scores for run in runs)]
    rows = [["run", "epochs", *(MEASURES[name] for name in shown)]]
    for run in runs:
        epochs = max((len(values) for values in run.curves.values()), default=0)
        cells = [f"{run.scores[name]:.3f}" if name in run.scores else "–" for name in shown]
        rows.append([run.name, str(epochs) if epochs else "–", *cells])
    return rows
