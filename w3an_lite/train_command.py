"""The command `train`: any data set, any preset, one split or all ten, one process or many."""

from __future__ import annotations

import argparse
import json
import logging
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .checkpoint import read_checkpoint
from .commands import Command, Parser, say
from .data.splits import check_answerable
from .data.tracklet import Split
from .data_arguments import THREADS, at_least, check_out, set_arguments
from .distributed import Ranks, process_group
from .dry_run import dry_run, format_lines
from .experiments import search
from .files import replacing, write_rows
from .model import W3AN
from .presets import PRESETS
from .provenance import digest_of
from .run import LAST, OWED, settings_of
from .run_record import check_new
from .runlog import LOG, draw_curves
from .speed import Speed, gpus_there_are
from .train_plan import Plan, splits_of, workers_for
from .training import train

log = logging.getLogger(__name__)

RESULT = "result.json"


def _train_arguments(parser: Parser) -> None:
    parser.add_argument("--preset", choices=sorted(PRESETS), default="repaired")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--root", type=Path, help="the data set's folder")
    parser.add_argument("--protocol", help="a protocol of the data set (its first)")
    parser.add_argument(
        "--split", type=int, metavar="K", help="one of the ten splits (all in turn)"
    )
    parser.add_argument("--store", type=Path, help="take the frames from this packed store")
    parser.add_argument("--scale", choices=("small", "paper"),
                        help="sizes and schedule (small for synthped, else paper)")  # fmt: skip
    parser.add_argument("--weights", help="imagenet, none, or a path (imagenet); when small "
                        "stills, none, or a path (stills)")  # fmt: skip
    parser.add_argument("--epochs", type=at_least(1), help="epochs (the preset's)")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    parser.add_argument("--evaluate-every", type=at_least(0), default=0, metavar="N",
                        help="epochs between evaluations (at the end alone)")  # fmt: skip
    parser.add_argument("--save-every", type=at_least(1), metavar="N",
                        help="epochs between checkpoints (1, if they cost little)")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="try one step, say what all costs")
    parser.add_argument("--device", help="cpu, cuda or cuda:N (cuda if there is one)")
    parser.add_argument(
        "--workers", type=at_least(0), help="processes that read ahead (a core each but one, to 8)"
    )
    parser.add_argument(
        "--threads",
        type=at_least(1, THREADS),
        help="CPU threads (2; beside a GPU one a core, to 8)",
    )
    parser.add_argument("--tensorboard", action=argparse.BooleanOptionalAction, default=True)
    speed = parser.add_argument_group("speed (on with a GPU)")
    for field in fields(Speed):
        speed.add_argument(f"--{field.name}", action=argparse.BooleanOptionalAction)
    set_arguments(parser, required=False)
    parser.set_defaults(dataset="synthped")


def _train(
    preset: str,
    out: Path,
    root: Path | None,
    protocol: str | None,
    split: int | None,
    store: Path | None,
    scale: str | None,
    weights: str | None,
    epochs: int | None,
    resume: bool,
    evaluate_every: int,
    save_every: int | None,
    dry_run: bool,
    device: str | None,
    workers: int | None,
    threads: int | None,
    tensorboard: bool,
    dataset: str,
    **options: Any,
) -> None:
    chosen = _device(device)
    beside_gpu = workers_for(None, False) + 1
    torch.set_num_threads(threads or (2 if chosen.type == "cpu" else beside_gpu))
    speed = Speed(**{field.name: options.pop(field.name) for field in fields(Speed)})
    seed = options.pop("seed") or 0
    drawn = dataset == "synthped" and store is None
    scale = scale or ("small" if drawn else "paper")
    plan = Plan(preset, scale, seed, epochs, weights, workers_for(workers, drawn), not drawn)
    loads = splits_of(dataset, root, protocol, split, store, {**options, "seed": seed})
    for name in loads:
        check_out(out / name / LAST)
    for name, load in loads.items() if len(loads) > 1 else ():  # all of them before the first
        _ready(plan, load(), out / name, resume, len(loads))
    run = _try if dry_run else _fit
    with process_group(chosen) as own:
        found = []
        for name, load in loads.items():
            scores = run(
                plan, load(), out / name, own, speed, resume=resume, repeats=len(loads),
                evaluate_every=evaluate_every, save_every=save_every, tensorboard=tensorboard,
            )  # fmt: skip
            if dry_run:
                return
            found.append(scores)
        if loads.keys() != {""} and Ranks.now().first:
            _say_splits(found, out)


def _device(asked: str | None) -> torch.device:
    """The device to train on, a GPU if none is named and there is one; ValueError without it."""
    gpus = gpus_there_are()
    chosen = asked or ("cuda" if gpus else "cpu")
    if chosen.startswith("cuda") and not gpus:
        raise ValueError("there is no CUDA device here; leave --device out, or give cpu")
    if chosen not in ("cpu", "cuda", *(f"cuda:{number}" for number in range(gpus))):
        raise ValueError(
            f"device is {chosen!r}; give cpu, cuda or cuda:N (GPUs here: {gpus}, counted from 0)"
        )
    return torch.device(chosen)


def _try(
    plan: Plan, split: Split, out: Path, device: torch.device, speed: Speed, *,
    resume: bool, repeats: int, evaluate_every: int, **_: Any,
) -> dict[str, Any]:  # fmt: skip
    _ready(plan, split, out, resume, repeats)
    model, objective, recipe = plan.build(split, not resume)
    lines = dry_run(model, split, objective, recipe, out, device, speed, evaluate_every, repeats)
    say(format_lines(lines))
    return {}


def _ready(plan: Plan, split: Split, out: Path, resume: bool, repeats: int) -> None:
    """Before anything is trained: ValueError or OSError if `_fit` could not do its work here."""
    if resume and _finished(plan, split, out) is not None:
        return
    begun = _begun(out, resume, repeats)
    check_answerable(split)
    if begun:
        model, objective, recipe = plan.build(split, False)
        read_checkpoint(out / LAST, settings_of(model, objective, recipe, digest_of(split.train)))


def _begun(out: Path, resume: bool, repeats: int) -> bool:
    """Whether there is a run to go on with; ValueError or OSError if there should (not) be one."""
    if not resume:
        check_new(out)
        return False
    begun = (out / LAST).exists()  # of ten splits the later ones may not have begun
    if not begun and repeats == 1:
        raise FileNotFoundError(f"{out / LAST} does not exist; leave --resume out to begin")
    if not begun:
        check_new(out)
    return begun


def _finished(plan: Plan, split: Split, out: Path) -> dict[str, Any] | None:
    """The result that a run with this plan has left, if any; ValueError if it is damaged."""
    path = out / RESULT
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        whole = isinstance(kept["asked"], dict) and isinstance(kept["protocol"], str)
        if not whole or not all(isinstance(kept[k], (int, float)) for k in ("mAP", "rank1")):
            raise TypeError(f"it holds no {', '.join(OWED)} of a model that was asked for")
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove it, and --resume "
            "measures the model again"
        ) from error
    return kept if kept["asked"] == plan.asked(split) else None


def _fit(
    plan: Plan, split: Split, out: Path, device: torch.device, speed: Speed, *,
    resume: bool, repeats: int, **how: Any,
) -> dict[str, Any]:  # fmt: skip
    """Train in `out`, or read what a finished run has left there."""
    kept = _finished(plan, split, out) if resume else None
    if kept is not None:
        _say_result(kept, out)
        return kept
    begun = _begun(out, resume, repeats)
    if all(t.attributes is None for t in split.train):
        log.warning("no attribute labels (--labels): L_cam has its identity task alone")
    check_answerable(split)
    first, before = Ranks.now().first, _stamp(out / LOG)
    model, objective, recipe = plan.build(split, not begun)
    judged: list[dict[str, Any]] = []

    def judge(network: W3AN) -> dict[str, Any]:
        judged.append(search(network, split).summary())
        return judged[-1]

    try:
        train(
            model, split.train, objective, recipe, out, begun, device, speed=speed, judge=judge,
            **how,
        )  # fmt: skip
    finally:
        if first and _stamp(out / LOG) != before:  # something was trained
            _draw(out, f"{plan.preset}, {split.name}")
    if not first:
        return {}
    scores = judged[-1] if judged else judge(model)  # resumed at its end, it was not judged here
    model.save_pretrained(out / "model.pt")
    result = {"asked": plan.asked(split), **scores}
    with replacing(out / RESULT) as part:
        part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _say_result(result, out)
    return result


def _stamp(path: Path) -> tuple[int, int] | None:
    """Which file this is, None if there is none; another one after it was written anew."""
    if not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _draw(out: Path, title: str) -> None:
    """The curves, if they can be drawn: an error here would hide that of the training."""
    try:
        draw_curves(out, title)
    except (OSError, ValueError, KeyError) as error:
        log.warning("no curves were drawn (%s)", error)


def _say_result(result: dict[str, Any], out: Path) -> None:
    if Ranks.now().first:
        preset = result["asked"]["preset"]
        say(
            f"{preset}, {result['protocol']}: rank-1 {result['rank1']:.3f}, mAP "
            f"{result['mAP']:.3f}\nwrote {out / 'model.pt'}, {out / LAST}, {out / 'log.csv'} and "
            f"{out / 'curves.png'}"
        )


def _say_splits(found: list[dict[str, Any]], out: Path) -> None:
    """Mean and spread over the splits trained here, and `splits.csv`."""
    write_rows(
        [{k: v for k, v in one.items() if k != "asked"} for one in found], out / "splits.csv"
    )
    spread = {}
    for name in ("rank1", "mAP"):
        values = np.array([one[name] for one in found])
        sd = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        spread[name] = f"{values.mean():.3f}{sd}"
    count = f"{len(found)} split" + ("s" if len(found) > 1 else "")
    series = re.sub(r"-\d+$", "", found[0]["protocol"])
    say(
        f"{series} over {count}: rank-1 {spread['rank1']}, mAP {spread['mAP']}\n"
        f"wrote {out / 'splits.csv'}"
    )


TRAIN_COMMANDS: dict[str, Command] = {
    "train": Command(
        "train one model, on drawn people or a data set, and search with it",
        "train --dataset mars --root /data/mars --preset paper --out runs/mars",
        _train_arguments,
        _train,
    ),
}
