"""The paper's tables and figures as named studies: rows, presets and seeds; CSV and JSON out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .ablation import departures
from .files import replacing, write_rows
from .provenance import command
from .study_rows import STUDIES, WHOLE
from .trials import (
    Measured,
    Setting,
    Trial,
    fingerprint,
    measure_all,
    plain,
    where,
)

_SHOWN = {"crops": ", off centre", "walks": ", turned"}
"""What a trial's name says of people that are not shown as they are, by part of its changes."""


@dataclass(frozen=True)
class Line:
    """A trial's place in a study."""

    variant: str
    preset: str
    trial: Trial


def lines_of(
    name: str,
    presets: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    setting: Setting | None = None,
    only: str | None = None,
) -> list[Line]:
    """Every trial of study `name`, seed by seed.

    A row that changes nothing at this size shares the trial of the preset as it is, and rows of
    different studies share trials. only: a regular expression for the rows, beside `WHOLE`.
    ValueError for a study or a row that does not exist, or a preset that a study is not about.
    """
    if name not in STUDIES:
        raise ValueError(f"study {name!r} is not known; choose from {', '.join(STUDIES)}")
    setting = setting or Setting()
    try:
        wanted = re.compile(only or "")
    except re.error as error:
        raise ValueError(f"only is {only!r}, no regular expression: {error}") from error
    study = STUDIES[name]
    presets = presets or study.presets
    if study.alone and (others := {*presets} - {*study.presets}):
        raise ValueError(
            f"study {name!r} is of {' and '.join(study.presets)} alone; its rows are nothing to "
            f"{', '.join(sorted(others))}"
        )
    rows_of = {preset: study.rows(preset) for preset in presets}
    found = dict.fromkeys(row for rows in rows_of.values() for row in rows if row != WHOLE)
    if only and not any(wanted.search(row) for row in found):
        raise ValueError(f"no row is called {only!r}; there are {', '.join(found)}")
    lines = []
    for seed in seeds:
        for preset, rows in rows_of.items():
            for row in (row for row in rows if row == WHOLE or wanted.search(row)):
                start, changes = rows[row]
                changes = departures(start, changes, setting.base)
                own = row if start == preset else row.removeprefix("mean pooling").strip()
                trial = start
                if {*changes} - {*_SHOWN}:
                    trial += f"-{own.removeprefix(start).strip()}"
                trial += "".join(said for part, said in _SHOWN.items() if part in changes)
                lines.append(Line(row, preset, Trial(trial, start, seed, changes)))
    return lines


def run_study(
    name: str,
    out: str | Path,
    presets: Sequence[str] = (),
    seeds: int = 1,
    setting: Setting | None = None,
    jobs: int = 1,
    only: str | None = None,
    progress: bool = True,
    kept: str | Path | None = None,
) -> dict[str, Any]:
    """Run study `name`; what an interrupted call finished is not done again.

    Writes to `out`: NAME.csv, one row a (preset, variant, seed); NAME.json, the same with CMC
    curves, settings, command and revisions; trials/, a folder a trial, shared by all studies there.
    kept: a folder of results, `NAME.json` of any study; a trial of theirs with the same settings is
    taken as it stands and not run. Returns what `read_study` gives.
    """
    if min(seeds, jobs) < 1:
        raise ValueError(f"seeds is {seeds} and jobs is {jobs}; at least 1 of each")
    setting, out = setting or Setting(), Path(out)
    lines = lines_of(name, presets, range(seeds), setting, only)
    trials = {(line.trial.name, line.trial.seed): line.trial for line in lines}
    prints = {key: fingerprint(trial, setting, where()) for key, trial in trials.items()}
    known = _kept(Path(kept)) if kept is not None else {}
    measured = {key: known[prints[key]] for key in trials if prints[key] in known}
    left = {key: trial for key, trial in trials.items() if key not in measured}
    fresh = measure_all(list(left.values()), out / "trials", setting, jobs, progress)
    measured.update(zip(left, fresh, strict=True))
    rows: list[dict[str, Any]] = []
    further: list[dict[str, Any]] = []
    for line in lines:
        key = line.trial.name, line.trial.seed
        found = measured[key]
        head = {"variant": line.variant, "preset": line.preset, "seed": line.trial.seed}
        rows.append({**head, **found.scores})
        origin = {"trial": prints[key], "revision": found.revision}
        further.append({"cmc": [round(share, 5) for share in found.cmc], **origin})
    content = {
        "study": name,
        "about": STUDIES[name].about,
        "setting": asdict(setting),
        "command": command(),
        "revision": ", ".join(dict.fromkeys(row["revision"] for row in further)),
        "rows": [
            {**{k: _short(v) for k, v in row.items()}, **more}
            for row, more in zip(rows, further, strict=True)
        ],
    }
    with replacing(out / f"{name}.json") as part:
        text = json.dumps(plain(content), indent=1, allow_nan=False, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")
    write_rows(
        [{k: "" if v != v else v for k, v in row.items()} for row in rows], out / f"{name}.csv"
    )
    return read_study(out / f"{name}.json")


def read_study(path: str | Path) -> dict[str, Any]:
    """What `run_study` wrote to NAME.json, null as nan.

    OSError if it cannot be read, ValueError if it is something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["study"] not in STUDIES or not _are(content, _TOLD):
            raise KeyError("study")
        base = content["setting"].get("base", {})
        if not all(isinstance(part, dict) for part in (base, *base.values())):
            raise KeyError("setting")
        for row in content["rows"]:
            row.update({k: math.nan for k, v in row.items() if v is None})
            measures = dict.fromkeys(row.keys() - _BESIDE.keys() | {"mAP", "rank1"}, (int, float))
            kept = _BESIDE if "trial" in row else {k: _BESIDE[k] for k in _OWED}
            if not _are(row, measures) or not _are(row, kept) or not row["cmc"]:
                raise KeyError("mAP")
            if not all(isinstance(share, (int, float)) for share in row["cmc"]):
                raise KeyError("cmc")
    except OSError as error:
        raise OSError(
            f"{path} cannot be read ({error.strerror}); give what `experiment` wrote, or its folder"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no result of an experiment; run it again") from error
    return content


def scores(content: dict[str, Any], preset: str, variant: str, measure: str) -> dict[int, float]:
    """A measure of a row by seed, without what is nan."""
    return {
        row["seed"]: row[measure]
        for row in content["rows"]
        if (row["preset"], row["variant"]) == (preset, variant)
        and not math.isnan(row.get(measure, math.nan))
    }


def _kept(folder: Path) -> dict[str, Measured]:
    """Trials by fingerprint from the results in `folder`; none of those before there was one."""
    found = {}
    files = [path for name in STUDIES if (path := folder / f"{name}.json").is_file()]
    if not files:
        raise ValueError(
            f"kept is {folder}, which holds no result of an experiment; give the folder of one"
        )
    for path in files:
        for row in read_study(path)["rows"]:
            if "trial" in row:
                own = {k: v for k, v in row.items() if k not in _BESIDE}
                found[row["trial"]] = Measured(own, row["cmc"], [], row["revision"])
    return found


def _are(content: dict[str, Any], kinds: Mapping[Any, Any]) -> bool:
    """Whether all of these are there and of their kind; true and false are no numbers."""
    return all(
        isinstance(content[name], kind) and not isinstance(content[name], bool)
        for name, kind in kinds.items()
    )


_TOLD = {"setting": dict, "command": str, "revision": str, "rows": list}
"""What a result holds beside its study."""

_OWED = ("variant", "preset", "seed", "cmc")
_BESIDE = {
    "variant": str, "preset": str, "seed": int, "cmc": list, "trial": str, "revision": str
}  # fmt: skip
"""What a row holds beside its scores; the last two since results are taken over."""


def _short(value: Any) -> Any:
    return round(value, 5) if isinstance(value, float) else value
