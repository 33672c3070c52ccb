"""What each command of `python -m w3an_lite` does: its arguments, and the function it calls."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from .data.mot import label_windows, read_mot, windows
from .data.tracklet import DataError, Split
from .experiments import search
from .footage import (
    draw_ranking,
    embed,
    load_embeddings,
    nearest,
    save_embeddings,
)
from .model import SHIPPED, W3AN
from .pretraining import pretrain

Parser = argparse.ArgumentParser


class Command(NamedTuple):
    """help and example for `--help`; `arguments` adds options to a parser; `run` takes them."""

    help: str
    example: str
    arguments: Callable[[Parser], None]
    run: Callable[..., None]


def say(text: str) -> None:
    """A command's result goes to standard output; progress goes to standard error."""
    sys.stdout.write(text + "\n")


def _pretrain_arguments(parser: Parser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="the .pt file to write")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (2)")


def _pretrain(out: Path, steps: int, seed: int, threads: int) -> None:
    torch.set_num_threads(threads)
    _, losses = pretrain(out, steps, seed=seed)
    tail = losses[-50:]
    say(f"attribute loss {losses[0]:.2f} at the first step, {sum(tail) / len(tail):.2f} at the end")
    say(f"wrote {out}")


def _footage_arguments(parser: Parser) -> None:
    parser.add_argument("--video", type=Path, required=True, help="video file or frame folder")
    parser.add_argument("--boxes", type=Path, required=True, help="MOTChallenge boxes (gt.txt)")
    parser.add_argument("--model", type=Path, help="a model.pt (the shipped model)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (2)")


def _embed_arguments(parser: Parser) -> None:
    _footage_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--window", type=int, help="cut tracks into windows of so many frames")


def _embed(
    video: Path, boxes: Path, model: Path | None, threads: int, out: Path, window: int | None
) -> None:
    torch.set_num_threads(threads)
    network = W3AN.from_pretrained(model or SHIPPED)
    tracklets = read_mot(video, boxes, size=network.size)
    if window:
        tracklets = [w for t in tracklets for w in windows(t, window)]
        if not tracklets:
            raise DataError(f"no track of {boxes} has {window} frames; choose a shorter window")
    save_embeddings(embed(network, tracklets, progress=True), out)
    say(f"wrote {out}: {len(tracklets)} tracklets")


def _rank_arguments(parser: Parser) -> None:
    parser.add_argument("--embeddings", type=Path, required=True, help="what `embed` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--top", type=int, default=5, help="how many to show (5)")


def _rank(embeddings: Path, out: Path, top: int) -> None:
    if top < 1:
        raise ValueError(f"top is {top}; at least 1")
    content = load_embeddings(embeddings)
    for i, found in enumerate(nearest(content, top)):
        others = ", ".join(f"{content.names[j]} ({d:.2f})" for j, d in zip(*found, strict=True))
        say(f"{content.names[i]}: {others}")
        draw_ranking(content, i, found, out)
    say(f"wrote {len(content.names)} pictures to {out}")


def _evaluate_arguments(parser: Parser) -> None:
    _footage_arguments(parser)
    parser.add_argument("--labels", type=Path, required=True, help="CSV: who each track shows")
    parser.add_argument("--window", type=int, default=10, help="frames a window (10)")
    parser.add_argument("--limit", type=int, default=12, help="windows a track at most (12)")


def _evaluate(
    video: Path,
    boxes: Path,
    model: Path | None,
    threads: int,
    labels: Path,
    window: int,
    limit: int,
) -> None:
    torch.set_num_threads(threads)
    network = W3AN.from_pretrained(model or SHIPPED)
    tracks = read_mot(video, boxes, size=network.size)
    parts = label_windows([w for t in tracks for w in windows(t, window, limit)], labels)
    split = Split(f"{boxes.stem}/windows-{window}/limit-{limit}", query=parts, gallery=parts)
    ranking = search(network, split, frames="dense")
    say(
        f"{split.name}: rank-1 {ranking.rank(1):.3f}, mAP {ranking.mean_ap:.3f} over "
        f"{len(parts) - ranking.skipped} queries of {len(parts)} windows "
        f"({ranking.skipped} have no second visit)"
    )


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
