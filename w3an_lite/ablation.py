"""What each repair is worth: `repaired` with one of them put back to the paper, one at a time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .experiments import Changes, Run, measure_all, summary
from .files import write_rows

REPAIRS: dict[str, Changes] = {
    "degree from Ã": {"model": {"degree": "adjacency"}},
    "linear last layer": {"model": {"last_activation": True}},
    "residual graph": {"model": {"residual": False}},
    "normalised triplet": {"objective": {"triplet_normalise": False}},
    "β-weighted readout": {"model": {"readout": "mean"}},
    "one map for all channels": {"model": {"scores": "channel"}},
    "one v for all frames": {"model": {"slots": True}},
    "maps of evidence": {"model": {"map_form": "range", "maps_of": "all"}},
    "heads on F": {"model": {"heads_on": "cube"}},
    "clip identity": {"model": {"clip_identity": False}, "objective": {"clip_weight": 0.0}},
    "α to the map": {"objective": {"map_weight": 0.0}},
    "α off foreign pixels": {"objective": {"avoid_weight": 0.0}},
    "β by coverage": {"objective": {"order_weight": 0.0}},
    "pasted occluders": {
        "objective": {"order_weight": 0.0},
        "recipe": {"paste": 0.0},
    },
    "exchanged surroundings": {"recipe": {"surround": 0.0}},
    "balance of the terms": {"objective": {"cam_weight": 0.15, "triplet_weight": 0.35}},
}
"""Each repair by name, and the arguments that put it back."""

ALIKE: Changes = {
    "model": {"clip_identity": True},
    "objective": {
        "cam_weight": 0.5,
        "triplet_weight": 1.0,
        "triplet_normalise": True,
        "clip_weight": 0.5,
    },
    "recipe": {"paste": 0.5, "surround": 0.4},
}
"""Mean pooling with everything of `repaired` that is no attention and no graph."""

MEASURES = ("rank1", "mAP", "spearman_beta_visibility", "alpha_inside", "alpha_pointing")


def ablate(
    out: str | Path = "runs/ablation",
    seeds: int = 1,
    identities: int = 256,
    test_identities: int = 100,
    epochs: int | None = None,
    jobs: int = 1,
    threads: int = 2,
    only: str | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Measure `repaired`, mean pooling trained alike, and `repaired` less each repair.

    Writes `repairs.csv`, one row a variant with mean and spread over the seeds, and each run to a
    folder of its own; what an interrupted call finished is not done again. only: a regular
    expression that a repair's name must hold, to measure no other.
    """
    out = Path(out)
    settings = {
        "identities": identities,
        "test_identities": test_identities,
        "epochs": epochs,
        "threads": threads,
    }
    chosen = {name: change for name, change in REPAIRS.items() if re.search(only or "", name)}
    if not chosen:
        raise ValueError(f"no repair is called {only!r}; there are {', '.join(REPAIRS)}")
    variants: dict[str, tuple[str, Changes]] = {
        "repaired": ("repaired", {}),
        "mean pooling trained alike": ("mean_pool", ALIKE),
        **{f"without {name}": ("repaired", change) for name, change in chosen.items()},
    }
    runs = [
        Run(name, preset, seed, change)
        for seed in range(seeds)
        for name, (preset, change) in variants.items()
    ]
    measured = measure_all(runs, out, settings, jobs, progress)
    table = []
    for name in variants:
        own = [m.scores for run, m in zip(runs, measured, strict=True) if run.name == name]
        row: dict[str, Any] = {"variant": name, "seeds": seeds}
        for measure in MEASURES:
            found = summary([s[measure] for s in own])
            row[measure], row[f"{measure}_spread"] = found["mean"], found["spread"]
        table.append(row)
    write_rows(table, out / "repairs.csv")
    return table


def format_repairs(table: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = ["| variant | " + " | ".join(MEASURES) + " |", "|---" * (1 + len(MEASURES)) + "|"]
    for row in table:
        cells = [f"{row[m]:.3f} ± {row[f'{m}_spread']:.3f}" for m in MEASURES]
        lines.append("| " + " | ".join([row["variant"], *cells]) + " |")
    return "\n".join(lines)
