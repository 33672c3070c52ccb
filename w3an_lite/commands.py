"""What each command of `python -m w3an_lite` does: its arguments, and the function it calls."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from .adapt import adapted
from .data.mot import label_windows, read_mot, windows
from .data.tracklet import DataError, Tracklet
from .data.visible import read_visibility, visibility_of
from .data_arguments import THREADS, at_least, check_out
from .distance import Metric
from .footage import (
    draw_ranking,
    embed,
    judge,
    load_embeddings,
    nearest,
    save_embeddings,
)
from .model import SHIPPED, W3AN
from .pretraining import pretrain
from .self_taught import self_taught
from .trials import summary

Parser = argparse.ArgumentParser


class Command(NamedTuple):
    """help and example for `--help`; `arguments` adds options to a parser; `run` takes them."""

    help: str
    example: str
    arguments: Callable[[Parser], None]
    run: Callable[..., None]


def say(text: str) -> None:
    """A command's result goes to standard output, if it is open; progress to standard error."""
    if sys.stdout is not None:
        sys.stdout.write(text + "\n")


def _pretrain_arguments(parser: Parser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="the .pt file to write")
    parser.add_argument("--steps", type=at_least(1), default=3000)
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--threads", type=at_least(1, THREADS), default=2, help="CPU threads (2)")


def _pretrain(out: Path, steps: int, seed: int, threads: int) -> None:
    check_out(out)
    torch.set_num_threads(threads)
    _, losses = pretrain(out, steps, seed=seed)
    tail = losses[-50:]
    say(f"attribute loss {losses[0]:.2f} at the first step, {sum(tail) / len(tail):.2f} at the end")
    say(f"wrote {out}")


def _footage_arguments(parser: Parser, several: bool = False) -> None:
    parser.add_argument("--video", type=Path, required=True, help="video file or frame folder")
    parser.add_argument("--boxes", type=Path, required=True, help="MOTChallenge boxes (gt.txt)")
    many: dict[str, Any] = {"nargs": "+", "default": [None]} if several else {}
    parser.add_argument("--model", type=Path, help="a model.pt (the shipped model)", **many)
    parser.add_argument(
        "--adapt",
        action="store_true",
        help="take batch norm's statistics from this footage first, without labels",
    )
    parser.add_argument(
        "--self-teach",
        type=at_least(0),
        default=0,
        metavar="STEPS",
        help="let the network learn from these tracks first, without labels: a track is one "
        "person, tracks seen at once are two (with --adapt, after it; 200 is a fair number)",
    )
    parser.add_argument("--seed", type=at_least(0), help="of --self-teach (0)")
    parser.add_argument("--threads", type=at_least(1, THREADS), default=2, help="CPU threads (2)")


def _taught(
    network: W3AN, tracks: list[Tracklet], adapt: bool, self_teach: int, seed: int | None
) -> W3AN:
    """The network, adapted and taught by the street if asked for."""
    if seed is not None and not self_teach:
        raise ValueError(f"--seed {seed} is of no use without --self-teach")
    if adapt:
        network = adapted(network, tracks)
    if self_teach:
        network = self_taught(network, tracks, self_teach, seed=seed or 0, progress=True)
    return network


def _windows(
    tracks: list[Tracklet], boxes: Path, length: int, limit: int | None = None
) -> list[Tracklet]:
    """The windows of all tracks; DataError when there are none."""
    cut = [w for t in tracks for w in windows(t, length, limit)]
    if not cut:
        raise DataError(f"no track of {boxes} has {length} frames; choose a shorter window")
    return cut


def _embed_arguments(parser: Parser) -> None:
    _footage_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument(
        "--window", type=at_least(1), help="cut tracks into windows of so many frames"
    )


def _embed(
    video: Path,
    boxes: Path,
    model: Path | None,
    out: Path,
    window: int | None,
    threads: int,
    **teaching: Any,
) -> None:
    torch.set_num_threads(threads)
    check_out(out, video, boxes, model)
    network = W3AN.from_pretrained(model or SHIPPED)
    tracks = read_mot(video, boxes, size=network.size)
    tracklets = _windows(tracks, boxes, window) if window else tracks
    network = _taught(network, tracks, **teaching)
    save_embeddings(embed(network, tracklets, progress=True), out)
    say(f"wrote {out}: {len(tracklets)} tracklets")


def _rank_arguments(parser: Parser) -> None:
    parser.add_argument("--embeddings", type=Path, required=True, help="what `embed` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--top", type=at_least(1), default=5, help="how many to show (5)")


def _rank(embeddings: Path, out: Path, top: int) -> None:
    check_out(out / "0000.png")
    earlier = sorted(p for p in out.glob("*.png") if re.fullmatch(r"\d{4,}", p.stem))
    if earlier:
        raise ValueError(
            f"{earlier[0]} is of an earlier run: move it away, or choose another folder"
        )
    content = load_embeddings(embeddings)
    for i, found in enumerate(nearest(content, top)):
        others = ", ".join(f"{content.names[j]} ({d:.2f})" for j, d in zip(*found, strict=True))
        say(f"{content.names[i]}: {others}")
        draw_ranking(content, i, found, out)
    say(f"wrote {len(content.names)} pictures to {out}")


def _evaluate_arguments(parser: Parser) -> None:
    _footage_arguments(parser, several=True)
    parser.add_argument("--labels", type=Path, required=True, help="CSV: who each track shows")
    parser.add_argument("--window", type=at_least(1), default=10, help="frames a window (10)")
    parser.add_argument(
        "--limit", type=at_least(1), default=12, help="windows a track at most (12)"
    )
    parser.add_argument("--metric", choices=("euclidean", "cosine"), default="euclidean")
    parser.add_argument(
        "--visibility",
        type=Path,
        help="CSV of track_id, frame, visibility: β is compared with it, window by window",
    )
    parser.add_argument("--visibility-column", help="its column (visibility)")


def _evaluate(
    video: Path,
    boxes: Path,
    model: list[Path | None],
    labels: Path,
    window: int,
    limit: int,
    metric: Metric,
    visibility: Path | None,
    visibility_column: str | None,
    threads: int,
    **teaching: Any,
) -> None:
    torch.set_num_threads(threads)
    if visibility_column is not None and visibility is None:
        raise ValueError(
            f"--visibility-column {visibility_column} is of no use without --visibility"
        )
    known = read_visibility(visibility, visibility_column or "visibility") if visibility else None
    rows: list[dict[str, float]] = []
    name = f"{boxes.stem}/windows-{window}/limit-{limit}"
    for network in [W3AN.from_pretrained(path or SHIPPED) for path in model]:
        tracks = read_mot(video, boxes, size=network.size)
        cut = _windows(tracks, boxes, window, limit)
        known_as = label_windows(cut, labels)  # what lacks is said before a network is taught
        visits = {(t.identity, t.camera) for t in known_as}
        if len(visits) == len({identity for identity, _ in visits}):
            raise DataError(
                f"{labels}: nobody comes by twice in the {len(cut)} windows, so that none can be "
                "found; label a second visit, or choose a shorter window"
            )
        if known is not None:
            visibility_of(cut, known)
        found = judge(_taught(network, tracks, **teaching), cut, labels, known, metric, name)
        rows.append(found.row())
        skipped = found.ranking.skipped
        say(
            f"{name}: rank-1 {found.ranking.rank(1):.3f}, mAP {found.ranking.mean_ap:.3f} over "
            f"{len(cut) - skipped} queries of {len(cut)} windows "
            f"({skipped} have no second visit)"
        )
        if found.within is not None and found.clear is not None:
            say(
                f"Spearman of β with visibility {found.within.rho:.3f} within {found.within.used} "
                f"windows ({found.within.skipped} where one of the two does not vary are left "
                f"out); a clear frame above a covered one in {found.clear.auc:.3f} of "
                f"{found.clear.pairs} pairs of a window"
            )
    if len(rows) > 1:
        columns = {key: summary([row[key] for row in rows]) for key in rows[0]}
        told = ", ".join(f"{k} {v['mean']:.3f} ± {v['spread']:.3f}" for k, v in columns.items())
        say(f"{len(rows)} models, mean ± standard deviation: {told}")


COMMANDS: dict[str, Command] = {
    "pretrain": Command(
        "train the trunk that stands in for ImageNet on the attributes of drawn stills",
        "pretrain --out runs/trunk.pt",
        _pretrain_arguments,
        _pretrain,
    ),
    "embed": Command(
        "embed the people of a video, given their boxes",
        "embed --video street.avi --boxes gt.txt --out street.npz",
        _embed_arguments,
        _embed,
    ),
    "rank": Command(
        "print and draw the most similar others of each embedded tracklet",
        "rank --embeddings street.npz --out runs/street",
        _rank_arguments,
        _rank,
    ),
    "evaluate": Command(
        "rank-1 and mAP over windows of a video's tracks, the same visit left out",
        "evaluate --video street.avi --boxes gt.txt --labels who.csv",
        _evaluate_arguments,
        _evaluate,
    ),
}
