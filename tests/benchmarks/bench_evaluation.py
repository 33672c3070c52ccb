"""Time and extra memory of `evaluate` at MARS's size, beside a plain loop, in one run.

    python tests/benchmarks/bench_evaluation.py [--threads 2] [--gallery 11310] [--ours-only]

Each way runs in a process of its own; memory is the rise of the resident high-water mark above the
mark when the features, and torch's first use, are already in.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from w3an_lite.evaluation import evaluate

QUERIES, GALLERY, WIDTH, PEOPLE, CAMERAS = 1980, 11310, 512, 626, 6


def search(
    queries: int, gallery: int
) -> tuple[tuple[torch.Tensor, torch.Tensor], list[np.ndarray]]:
    """Features about a centre for each person, and labels; a third of the gallery distractors."""
    draw = torch.Generator().manual_seed(0)
    q_id = torch.randint(1, PEOPLE + 1, (queries,), generator=draw)
    g_id = torch.randint(1, PEOPLE + 1, (gallery,), generator=draw)
    centre = torch.randn(PEOPLE + 1, WIDTH, generator=draw)
    pair = []
    for identity in (q_id, g_id):
        noise = torch.empty(len(identity), WIDTH)
        for part, people in zip(torch.split(noise, 4096), torch.split(identity, 4096), strict=True):
            part.normal_(generator=draw).mul_(3).add_(centre[people])
        pair.append(noise)
    g_id[torch.rand(gallery, generator=draw) < 0.3] = 0
    cameras = [torch.randint(0, CAMERAS, (n,), generator=draw) for n in (queries, gallery)]
    return (pair[0], pair[1]), [x.numpy() for x in (q_id, cameras[0], g_id, cameras[1])]


def plain(
    query: torch.Tensor, gallery: torch.Tensor, q_id: np.ndarray, q_cam: np.ndarray,
    g_id: np.ndarray, g_cam: np.ndarray,
) -> tuple[float, float]:  # fmt: skip
    """The whole distance matrix, then one full sort a query: what most code bases do."""
    distance = torch.cdist(query, gallery).numpy()
    precisions, firsts = [], []
    for i in range(len(distance)):
        order = np.argsort(distance[i], kind="stable")
        person, camera = g_id[order], g_cam[order]
        kept = ~((person == q_id[i]) & (camera == q_cam[i])) & (person != -1)
        right = person[kept] == q_id[i]
        if not right.any():
            continue
        precision = right.cumsum() / np.arange(1, len(right) + 1)
        precisions.append(precision[right].mean())
        firsts.append(right[0])
    return float(np.mean(firsts)), float(np.mean(precisions))


def high_water(reset: bool = False) -> float:
    """Most memory this process has held so far (since the last reset, on Linux), MB."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1e3
    except (OSError, IndexError):
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return kilobytes / (1e6 if sys.platform == "darwin" else 1e3)


def measure(way: str, queries: int, gallery: int, repeats: int) -> dict[str, float]:
    (query, items), labels = search(queries, gallery)
    torch.cdist(query[:32], items[:32])  # torch's own first use is no part of either way
    ones, twos = np.ones(len(query[:64]), int), np.ones(len(items[:64]), int)
    evaluate(query[:64], items[:64], ones, ones, twos, twos, camera_rule=False)
    before, seconds = high_water(reset=True), []
    for _ in range(repeats):
        start = time.perf_counter()
        if way == "plain":
            rank1, mean_ap = plain(query, items, *labels)
        else:
            ranking = evaluate(query, items, *labels)
            rank1, mean_ap = ranking.rank(1), ranking.mean_ap
        seconds.append(time.perf_counter() - start)
    extra = high_water() - before
    return {"seconds": min(seconds), "extra_mb": extra, "rank1": rank1, "mAP": mean_ap}


def child(way: str, queries: int, gallery: int, threads: int) -> dict[str, float]:
    arguments = [f"--child={way}", f"--queries={queries}", f"--gallery={gallery}"]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, f"--threads={threads}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    result: dict[str, float] = json.loads(done.stdout)
    print(
        f"{way:5s} {queries:6d} x {gallery:7d}  {result['seconds']:8.3f} s  "
        f"+{result['extra_mb']:7.1f} MB  rank-1 {result['rank1']:.4f}  mAP {result['mAP']:.4f}",
        flush=True,
    )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--gallery", type=int, default=GALLERY)
    parser.add_argument("--ours-only", action="store_true", help="skip the plain loop")
    parser.add_argument("--child", choices=("plain", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.child:
        repeats = 3 if args.queries * args.gallery < 1e8 else 1
        print(json.dumps(measure(args.child, args.queries, args.gallery, repeats)))
        return
    print(f"{args.threads} threads, {WIDTH}-d float32, best of 3")
    ours = child("ours", args.queries, args.gallery, args.threads)
    if not args.ours_only:
        loop = child("plain", args.queries, args.gallery, args.threads)
        print(
            f"plain / ours: {loop['seconds'] / ours['seconds']:.1f} times the time, "
            f"{loop['extra_mb'] / max(ours['extra_mb'], 1):.1f} times the memory"
        )


if __name__ == "__main__":
    main()
