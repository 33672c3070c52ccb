"""The demonstration: three models, some seeds, unseen people; numbers, a log and a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .data.tracklet import Split, Tracklet
from .files import replacing, write_rows
from .inference import observe
from .model import W3AN
from .plots import attention_grid, save
from .trials import Setting, Trial, measure_all, people, summary

VARIANTS = ("repaired", "paper", "mean_pool")
MEASURES = (
    "rank1",
    "mAP",
    "spearman_beta_visibility",
    "auc_beta_occlusion",
    "alpha_inside",
    "alpha_pointing",
    "person_area",
    "cam_pointing",
)


def demo(
    out: str | Path = "runs/demo",
    seeds: int = 1,
    setting: Setting | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Train `repaired`, `paper` and `mean_pool` on SynthPed, search under heavy occlusion, compare.

    Half the tracklets they train on are occluded, every one they are tested on is. Seed s draws
    its own people and trains from its own weights; the three models of a seed see the same. Writes
    `metrics.json`, `log.csv`, `attention.png` and each model to `out`; what a killed demo had
    finished is not done again. jobs: how many models are trained at a time, each with its own
    threads. Returns what `metrics.json` holds.
    """
    if min(seeds, jobs) < 1:
        raise ValueError(f"seeds is {seeds} and jobs is {jobs}; at least 1 of each")
    out, setting = Path(out), setting or Setting()
    runs = [Trial(name, name, seed) for seed in range(seeds) for name in VARIANTS]
    measured = measure_all(runs, out, setting, jobs, progress)
    models = {name: _model(out / f"{name}-0") for name in VARIANTS[:2]}
    first = people(replace(setting, identities=1), 0)
    metrics: dict[str, Any] = {
        "protocol": first.name,
        "seeds": list(range(seeds)),
        "settings": {
            name: getattr(setting, name)
            for name in ("identities", "test_identities", "epochs", "threads")
        },
    }
    for name in VARIANTS:
        own = [m.scores for run, m in zip(runs, measured, strict=True) if run.name == name]
        metrics[name] = {measure: summary([s[measure] for s in own]) for measure in MEASURES}
    with replacing(out / "metrics.json") as part:
        part.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_rows(
        [
            {"variant": run.name, "seed": run.seed, **row}
            for run, m in zip(runs, measured, strict=True)
            for row in m.rows
        ],
        out / "log.csv",
    )
    save(attention_picture(models, first), out / "attention.png")
    return metrics


def _model(folder: Path) -> W3AN:
    """The model that a trial kept; ValueError if it is not there any more, or damaged."""
    try:
        return W3AN.from_pretrained(folder / "model.pt")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder / 'model.pt'} is missing or damaged; remove {folder}, and that trial is run "
            "again"
        ) from error


def attention_picture(models: dict[str, W3AN], split: Split, people: int = 2) -> Any:
    """After Figure 8: α over the frames and β as borders, for each model on the same tracklets.

    The tracklets are those of the gallery whose visibility varies most, one a person.
    """
    varied = sorted(
        (t for t in split.gallery if t.truth is not None),
        key=lambda t: -float(np.std(t.truth.visibility)) if t.truth is not None else 0.0,
    )
    of_each: dict[int, Tracklet] = {}
    for tracklet in varied:
        of_each.setdefault(tracklet.identity, tracklet)
    chosen = list(of_each.values())[:people]
    rows = []
    for tracklet in chosen:
        for name, model in models.items():
            seen = observe(model, [tracklet])
            frames = tracklet.frames.read(seen.indices[0], model.size)
            rows.append((name, frames, seen.alpha[0].numpy(), seen.beta[0].numpy()))
    return attention_grid(rows, title="α laid over the frames, β as borders")


def table(metrics: dict[str, Any]) -> str:
    """The measures as plain text, one column a model."""
    lines = ["".join([f"{'':26}", *[f"{name:>18}" for name in VARIANTS]])]
    for measure in MEASURES:
        cells = [
            f"{metrics[v][measure]['mean']:.3f} ± {metrics[v][measure]['spread']:.3f}"
            for v in VARIANTS
        ]
        lines.append("".join([f"{measure:26}", *[f"{cell:>18}" for cell in cells]]))
    return "\n".join(lines)
