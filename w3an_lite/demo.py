"""The demonstration: three models, some seeds, unseen people; numbers, a log and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from .data.synthetic import synthped
from .data.tracklet import Split
from .experiments import attend, fit_variant, search
from .files import replacing, write_rows
from .inference import observe
from .model import W3AN
from .plots import attention_grid, save

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
    seeds: int = 3,
    identities: int = 64,
    test_identities: int = 100,
    epochs: int | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train `repaired`, `paper` and `mean_pool` on SynthPed under heavy occlusion, and compare.

    Seed s draws its own people and trains from its own weights; the three models of a seed see
    the same. Writes `metrics.json`, `log.csv`, `attention.png` and each model to `out`; what a
    killed demo had finished is not done again. Returns what `metrics.json` holds.
    """
    out = Path(out)
    settings = {
        "seeds": seeds,
        "identities": identities,
        "test_identities": test_identities,
        "occlusion": "heavy",
        "epochs": epochs,
    }
    results: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    logs: list[dict[str, Any]] = []
    with tqdm(total=seeds * len(VARIANTS), desc="demo", disable=not progress) as bar:
        for seed in range(seeds):
            split = synthped(identities, test_identities, seed=seed, occlusion="heavy")
            for name in VARIANTS:
                bar.set_postfix_str(f"{name}, seed {seed}")
                scores, rows = _one(name, seed, split, out / f"{name}-{seed}", settings)
                results[name].append(scores)
                logs += [{"variant": name, "seed": seed, **row} for row in rows]
                bar.update()
    metrics = {"settings": settings, "protocol": split.name}
    metrics |= {name: _summary(scores) for name, scores in results.items()}
    with replacing(out / "metrics.json") as part:
        part.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_rows(logs, out / "log.csv")
    first = synthped(identities, test_identities, seed=0, occlusion="heavy")
    models = {name: W3AN.from_pretrained(out / f"{name}-0" / "model.pt") for name in VARIANTS[:2]}
    save(attention_picture(models, first), out / "attention.png")
    return metrics


def _one(
    name: str, seed: int, split: Split, folder: Path, settings: dict[str, Any]
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Train and measure one model, or read what an earlier demo with these settings left."""
    done = folder / "result.json"
    if done.is_file():
        kept = json.loads(done.read_text(encoding="utf-8"))
        if kept["settings"] == settings:
            return kept["scores"], kept["rows"]
    epochs = settings["epochs"]
    changes = {"recipe": {"epochs": epochs}} if epochs else {}
    model, rows = fit_variant(name, split.train, seed, changes, progress=False)
    ranking = search(model, split)
    found = attend(model, split.gallery)
    scores = {"rank1": ranking.rank(1), "mAP": ranking.mean_ap}
    scores |= {k: found[k] for k in MEASURES if k in found}
    model.save_pretrained(folder / "model.pt")
    with replacing(done) as part:
        kept = {"settings": settings, "scores": scores, "rows": rows}
        part.write_text(json.dumps(kept), encoding="utf-8")
    return scores, rows


def _summary(scores: list[dict[str, float]]) -> dict[str, Any]:
    """For every measure its mean, its spread (standard deviation) and each seed's value."""
    out: dict[str, Any] = {}
    for measure in MEASURES:
        values = np.array([s[measure] for s in scores], dtype=float)
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        out[measure] = {"mean": float(values.mean()), "spread": spread, "seeds": values.tolist()}
    return out


def attention_picture(models: dict[str, W3AN], split: Split, people: int = 2) -> Any:
    """Figure 8: α over the frames and β as borders, for each model on the same tracklets.

    The tracklets are those of the gallery whose visibility varies most, one a person.
    """
    varied = sorted(
        (t for t in split.gallery if t.truth is not None),
        key=lambda t: -float(np.std(t.truth.visibility)) if t.truth is not None else 0.0,
    )
    chosen = list({t.identity: t for t in reversed(varied)}.values())[::-1][:people]
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


def pin_threads(count: int = 2) -> None:
    """Numbers repeat only with the same number of threads."""
    torch.set_num_threads(count)
