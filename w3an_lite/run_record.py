"""What a training run left in its folder, read for looking at: its log, scores and model."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .files import read_rows

MODELS = ("model.pt", "best.pt")
"""What a run keeps its model in, the first that is there: at the end, and by its best mAP."""
PARTS = ("log.csv", "result.json", "metrics.json", "evaluations.csv", *MODELS, "last.pt")
"""A folder that holds any of these is a run."""
WRITTEN = (*PARTS, "curves.png")
"""All that a run writes into its folder, events for TensorBoard aside."""
Places = str | Path | Sequence[str | Path] | Mapping[str, str | Path]


class RunRecord(NamedTuple):
    """curves: term -> one value an epoch; scores: measure -> value; model: None if none is kept."""

    name: str
    curves: dict[str, list[float]]
    scores: dict[str, float]
    model: Path | None


def find_runs(places: Places) -> tuple[list[RunRecord], list[str]]:
    """The runs in `places`, and a sentence for each that cannot be read.

    places: a folder, several, or name -> folder. A folder of runs gives each of them, in the order
    of their names.
    """
    given: list[tuple[str, Path]]
    if isinstance(places, Mapping):
        given = [(name, Path(place)) for name, place in places.items()]
    else:
        alone = [places] if isinstance(places, (str, Path)) else places
        given = [(Path(place).resolve().name, Path(place)) for place in alone]
    runs: list[RunRecord] = []
    wrong: list[str] = []
    for name, place in given:
        inside = _inside(place)
        if not place.is_dir():
            wrong.append(f"{place} does not exist; give the folder of a run")
        elif not inside and not _is_run(place):
            wrong.append(f"{place} holds no run (none of {', '.join(PARTS)})")
        for each in inside or ([place] if _is_run(place) else []):
            label = f"{name}/{each.name}" if inside and len(given) > 1 else each.name
            try:
                runs.append(read_run(each, label if inside else name))
            except ValueError as error:
                wrong.append(str(error))
                continue
            if [run.name for run in runs].count(runs[-1].name) > 1:
                runs[-1] = runs[-1]._replace(name=str(each))
    return runs, wrong


def check_new(folder: Path) -> None:
    """ValueError names what an earlier run has left in `folder`, if it has left anything."""
    found = [part for part in reversed(PARTS) if (folder / part).exists()]
    if found:
        more = "resume it" if found[0] == "last.pt" else "move it away"
        raise ValueError(
            f"{folder / found[0]} is of an earlier run: {more}, or choose another folder"
        )


def _is_run(folder: Path) -> bool:
    return any((folder / part).is_file() for part in PARTS)


def _inside(folder: Path) -> list[Path]:
    """The runs in a folder of runs; what an experiment sums up beside them is not read."""
    return [p for p in sorted(folder.iterdir()) if _is_run(p)] if folder.is_dir() else []


def read_run(folder: Path, name: str) -> RunRecord:
    """One run; ValueError names the file that is not what its name says."""
    rows: list[dict[str, float]] = []
    scores: dict[str, float] = {}
    file = folder
    try:
        for file in (folder / "result.json", folder / "metrics.json"):
            if file.is_file():
                content = json.loads(file.read_text(encoding="utf-8"))
                rows = content.get("rows", rows)
                scores |= _numbers(content.get("scores", content))
        file = folder / "evaluations.csv"
        if file.is_file():
            with file.open(encoding="utf-8", newline="") as table:
                for row in csv.DictReader(table):
                    scores |= _numbers(row)  # the last evaluation stands
        file = folder / "log.csv"
        if file.is_file():
            rows = read_rows(file)
        file = folder / "result.json"
        curves = curves_of(rows)
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise ValueError(f"{file} cannot be read as part of a run ({error})") from error
    kept = [path for path in map(folder.joinpath, MODELS) if path.is_file()]
    return RunRecord(name, curves, scores, kept[0] if kept else None)


def _numbers(content: Mapping[str, Any]) -> dict[str, float]:
    """Measures of a run: rank-k, mAP and the audit's, whichever form they are kept in."""
    out: dict[str, float] = {}
    for name, value in content.items():
        value = value.get("mean") if isinstance(value, dict) else value
        if name in ("epoch", "step", "seed", "queries", "skipped") or isinstance(value, bool):
            continue
        try:
            out[name] = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue  # a name, a setting, an empty cell
    return out


def curves_of(
    rows: Sequence[Mapping[str, float]], by: str | None = "epoch"
) -> dict[str, list[float]]:
    """Term -> its mean in each epoch of the log, nan in one that has none of it.

    A row a step, a row an epoch, both will do. by: the column that numbers epochs; None for a value
    a row.
    """
    places = [row.get(by, k) if by else k for k, row in enumerate(rows)]
    there = {place: k for k, place in enumerate(sorted(set(places)))}
    terms = dict.fromkeys(t for row in rows for t in row if t not in ("epoch", "step"))
    values: dict[str, list[list[float]]] = {term: [[] for _ in there] for term in terms}
    for place, row in zip(places, rows, strict=True):
        for term in terms.keys() & row:
            values[term][there[place]].append(row[term])
    return {
        term: [float(np.mean(some)) if some else math.nan for some in found]
        for term, found in values.items()
    }
