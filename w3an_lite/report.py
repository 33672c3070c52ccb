"""Results of studies as Markdown tables, the audit of claims, and pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from . import printed
from .claims import audit_claims, interval, paired
from .files import replacing
from .plots import bars_with_error, cmc_curves, save
from .studies import read_study, scores
from .study_rows import STUDIES, WHOLE
from .trials import summary
from .worth import (
    MEASURES,
    beside,
    format_readings,
    format_repairs,
    points,
    rows_of,
    table_line,
)


def format_study(content: dict[str, Any]) -> str:
    """One Markdown table a preset: mean ± standard deviation over the seeds, a row a variant.

    The last measured column is the difference of mAP from the whole network, in points, with its
    95% interval, paired by seed. What the paper printed stands apart, and says so.
    """
    mars = printed.TABLE5_MARS if content["study"] == "table5" else {}
    parts = []
    for preset, variants in rows_of(content).items():
        known = [m for m in MEASURES if any(scores(content, preset, v, m) for v in variants)]
        head = [f"`{preset}`", "seeds", *(MEASURES[m] for m in known), "mAP points from W3AN"]
        head += [f"rank-1 / mAP on MARS, *{printed.SOURCE}*"] * bool(mars)
        lines = [table_line(head), "|---" * len(head) + "|"]
        for variant in variants:
            seeds = len(scores(content, preset, variant, "mAP"))
            cells = [variant, str(seeds)]
            cells += [_mean(list(scores(content, preset, variant, m).values())) for m in known]
            worth = interval(paired(content, preset, variant, beside(variant)))
            cells.append("–" if variant == WHOLE else points(worth))
            if mars:
                row = mars.get(variant)
                cells.append(f"{row['rank1']:.1f} / {row['mAP']:.1f} %" if row else "–")
            lines.append(table_line(cells))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def format_claims(studies: Mapping[str, dict[str, Any]]) -> str:
    """The audit of claims as one Markdown table; empty when no study speaks to any."""
    findings = audit_claims(studies)
    if not findings:
        return ""
    head = [
        "claim",
        "measure",
        "preset",
        "seeds",
        "difference of the lowest lower end, 95% interval",
        "verdict",
    ]
    lines = [table_line(head), "|---" * len(head) + "|"]
    for found in findings:
        against = f" ({found.weakest})" if found.weakest.startswith("against") else ""
        cells = [found.says, found.measure, f"`{found.preset}`", str(found.interval.seeds)]
        lines.append(
            table_line([*cells, points(found.interval, 1) + against, f"**{found.verdict}**"])
        )
    return "\n".join(lines)


def pictures(content: dict[str, Any], which: str = "") -> dict[str, tuple[Figure, str]]:
    """Figures of a study by file name, each with a sentence that says what is drawn.

    which: of several results of one study, as "short"; it goes into the titles.
    """
    also = f", {which}" if which else ""
    out: dict[str, tuple[Figure, str]] = {}
    name = content["study"]
    for preset, variants in rows_of(content).items():
        if name == "baselines":
            curves = {v: _curve(content, preset, v) for v in variants}
            curves = {preset if v == WHOLE else v: curve for v, curve in curves.items()}
            says = f"CMC curves of {preset} and of mean pooling{also}, mean over the seeds."
            figure = cmc_curves(curves, f"people found again, {preset}{also}")
            out[f"{name}-{preset}.png"] = figure, says
            continue
        others = [v for v in variants if v != WHOLE]
        against = {v: interval(paired(content, preset, v, beside(v))) for v in others}
        known = {v: f for v, f in against.items() if np.isfinite(f.mean)}  # no seed has both
        others, found = list(known), list(known.values())
        if not others:
            continue
        half = [100 * (f.high - f.mean) if np.isfinite(f.high) else np.nan for f in found]
        spread = "; ±: 95% interval" if np.isfinite(half).any() else ""
        figure = bars_with_error(
            others,
            [100 * f.mean for f in found],
            half,
            title=f"{STUDIES[name].about}, {preset}{also}",
            label=f"points of mAP from {_against(others)}{spread}",
        )
        says = f"{STUDIES[name].about}, {preset}{also}: points of mAP above or below W3AN."
        out[f"{name}-{preset}.png"] = figure, says
    return out


def _against(variants: Sequence[str]) -> str:
    others = any(beside(v) != WHOLE for v in variants)
    return f"{WHOLE} (Eq. 8, …: from Eq. 8)" if others else WHOLE


def files_of(results: Sequence[str | Path]) -> list[Path]:
    """The results in files and folders, in the order given; a file that is not there as well."""
    files: list[Path] = []
    for path in map(Path, results):
        here = [path / f"{name}.json" for name in STUDIES] if path.is_dir() else [path]
        files += [file for file in here if file.is_file() or not path.is_dir()]
    return files


def gather(results: Sequence[str | Path]) -> list[dict[str, dict[str, Any]]]:
    """Studies by name from files and folders, those of one setting together.

    ValueError if there is none, or one twice in the same setting.
    """
    files = files_of(results)
    groups: list[dict[str, dict[str, Any]]] = []
    for file in files:
        content = read_study(file)
        alike = [g for g in groups if _setting(next(iter(g.values()))) == _setting(content)]
        group = alike[0] if alike else {}
        if content["study"] in group:
            raise ValueError(f"{file} is a second result of {content['study']}; give one of each")
        group[content["study"]] = content
        if not alike:
            groups.append(group)
    if not groups:
        raise ValueError(f"no result in {', '.join(map(str, results))}; run an experiment first")
    return [{name: group[name] for name in STUDIES if name in group} for group in groups]


def _setting(content: dict[str, Any]) -> dict[str, Any]:
    """What all trials shared, the epochs in one place."""
    setting = content["setting"]
    base = setting.get("base", {})
    epochs = setting.get("epochs") or base.get("recipe", {}).get("epochs")
    recipe = {k: v for k, v in base.get("recipe", {}).items() if k != "epochs"}
    return {**setting, "base": {**base, "recipe": recipe}, "epochs": epochs}


def told(content: dict[str, Any]) -> str:
    """The setting of a study in a few words."""
    setting = _setting(content)
    model = setting["base"].get("model", {})
    drawn, searched = (setting.get(name, "?") for name in ("identities", "test_identities"))
    people = f"{drawn} drawn people to learn from, {searched} to find"
    words = [people if setting.get("dataset", "synthped") == "synthped" else setting["dataset"]]
    if size := model.get("size"):
        words.append(f"{size[0]}×{size[1]} pixels")
    if stride := (model.get("trunk") or {}).get("stride"):
        words.append(f"cells of {stride}×{stride}")
    words.append(f"{setting['epochs']} epochs" if setting["epochs"] else "the paper's 300 epochs")
    return ", ".join(words)


def write_report(
    results: Sequence[str | Path], out: str | Path, folder: str | Path | None = None
) -> list[Path]:
    """Write Markdown to `out` and a picture a study and preset to `folder` (beside it if None).

    Results of different settings stand one after the other, each with an audit of its own.
    """
    out = Path(out)
    folder = out.parent if folder is None else Path(folder)
    groups = gather(results)
    text = ["# What was measured", "", _INTRODUCTION]
    written = []
    untold = {"rule": _RULE, "repairs": _REPAIRS, "readings": _READINGS}

    def once(name: str) -> list[str]:
        """An explanation, above the first table it is about."""
        return [untold.pop(name), ""] if name in untold else []

    for number, studies in enumerate(groups, start=1):
        mark, also = ("", "") if number == 1 else (f"-{number}", f" ({number})")
        if len(groups) > 1:
            text += ["", f"# {number}. {told(next(iter(studies.values())))}"]
        if claims := format_claims(studies):
            text += ["", f"## What holds{also}", "", *once("rule"), claims]
        if repairs := format_repairs(studies):
            text += ["", f"## What each repair is worth{also}", "", *once("repairs"), repairs]
        if "readings" in studies:
            text += ["", f"## What another reading is worth{also}", "", *once("readings")]
            text += [format_readings(studies["readings"])]
        for name, content in studies.items():
            text += ["", f"## {STUDIES[name].about}{also}", "", format_study(content)]
            text += ["", _NOTES[name]] if name in _NOTES else []
            which = told(content) if len(groups) > 1 else ""
            for file, (figure, says) in pictures(content, which.rpartition(", ")[2]).items():
                path = folder / file.replace(".png", f"{mark}.png")
                save(figure, path)
                written.append(path)
                link = Path(os.path.relpath(path, out.parent)).as_posix()
                text += ["", f"![{says}{also}]({link})"]
            revisions = ", ".join(r[:12] for r in content["revision"].split(", "))
            text += ["", f"`{content['command']}`, revision {revisions}."]
    with replacing(out) as part:
        part.write_text("\n".join(text) + "\n", encoding="utf-8")
    return [out, *written]


_INTRODUCTION = (
    "Mean ± standard deviation over the seeds. Differences are paired by seed: both models saw the "
    "same people in the same order. Nothing here is taken from the paper but what stands in a "
    "column that says so."
)
_RULE = (
    "A claim comes down to differences that should be above 0, in points. It *holds* when every "
    "difference's 95% interval (Student's t over the seeds) lies above 0; it *does not* when some "
    "interval, widened for the number of differences, does not reach above 0; else one *cannot "
    "tell*."
)

_REPAIRS = (
    "In points, with 95% intervals: in `repaired`, the preset less what is left of it when the one "
    "repair is put back, or what one that was left out would add to it; in `paper`, what the one "
    "repair alone adds to the printed network. Some cannot be by themselves: with exchanged "
    "surroundings goes the loss on them (α off foreign pixels), β by coverage comes with pasted "
    "occluders, and in `paper` α off foreign pixels with exchanged surroundings, α to the map "
    "without Eq. 8."
)

_READINGS = (
    "In points, with 95% intervals: a preset with the reading, less the preset without it. What is "
    "read of Eq. 6-8 in `repaired` is compared with `repaired` with Eq. 8 put back."
)

_NOTES = {
    "graph": "At the small sizes the rows of K see clips of ten frames, and W3AN of six: they are "
    "to be compared with each other.",
    "looking": "All rows here see the moved crops; W3AN of other tables does not. The last two "
    "begin at `paper`.",
    "clock": "All rows here see walks that begin at any of their frames; W3AN of other tables does "
    "not. Rows that are named after `paper` or mean pooling begin there.",
    "readings": "In `repaired`, which has no Eq. 8, it is put back for the last rows: their points "
    "are from the row *Eq. 8*.",
    "table5": "*place-alone* is a control of ours: with the same losses an α that is the same for "
    "every clip, and cannot look. WAN, AP-W3AN and AL-W3AN have no v for each place in the clip "
    "either: what that alone is worth, *one v for all frames* says among the repairs, and walks "
    "that begin at any frame.",
}
"""What a reader of a study's table has to know."""


def _curve(content: dict[str, Any], preset: str, variant: str) -> list[float]:
    own = [r["cmc"] for r in content["rows"] if (r["preset"], r["variant"]) == (preset, variant)]
    shortest = min(map(len, own))
    return np.mean([curve[:shortest] for curve in own], axis=0).tolist()


def _mean(values: list[float]) -> str:
    if not values:
        return "–"
    found = summary(values)
    spread = f" ± {found['spread']:.3f}" if len(values) > 1 else ""
    return f"{found['mean']:.3f}{spread}".replace("-", "−")
