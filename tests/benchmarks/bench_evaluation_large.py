"""Memory and time of `evaluate` at 10,000 queries x 1,000,000 gallery items, 512 dimensions.

    python tests/benchmarks/bench_evaluation_large.py [--queries 10000] [--gallery 1000000]
        [--threads 1] [--reference 64]

The features alone take 2 GB at that size. The reference, in the same run and on the same features:
`torch.cdist` of a few queries to the whole gallery and one `torch.sort` of each row, the plain way
to rank. Memory is the rise of the resident high-water mark; it depends on the gallery, and on the
queries only by a copy of their features. Exit 1 when `evaluate` takes 1 GB or more.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from bench_evaluation import WIDTH, high_water, search

from w3an_lite.evaluation import evaluate

BOUND_MB = 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--gallery", type=int, default=1_000_000)
    parser.add_argument("--reference", type=int, default=64, help="queries of the reference (64)")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    (query, gallery), labels = search(args.queries, args.gallery)
    size = (query.numel() + gallery.numel()) * 4 / 1e6
    print(f"{args.queries:,} x {args.gallery:,} x {WIDTH}, {args.threads} thread(s)")
    print(f"features           {size:8.0f} MB", flush=True)
    ones, twos = np.ones(len(query[:64]), int), np.ones(len(gallery[:64]), int)
    evaluate(query[:64], gallery[:64], ones, ones, twos, twos, camera_rule=False)  # first use

    few = min(args.reference, args.queries)
    before, start = high_water(reset=True), time.perf_counter()
    for rows in torch.arange(few).split(16):
        torch.cdist(query[rows], gallery).sort(dim=1)
    bare = (time.perf_counter() - start) / few
    print(f"cdist and sort     {high_water() - before:8.0f} MB  {bare * 1e3:8.1f} ms a query")

    before, start = high_water(reset=True), time.perf_counter()
    ranking = evaluate(query, gallery, *labels)
    seconds, extra = time.perf_counter() - start, high_water() - before
    ours = seconds / args.queries
    print(
        f"evaluate           {extra:8.0f} MB  {ours * 1e3:8.1f} ms a query, {seconds:.0f} s in all"
    )
    print(f"rank-1 {ranking.rank(1):.4f}  mAP {ranking.mean_ap:.4f}")
    print(f"reference / ours: {bare / ours:.1f} times the time of a query")
    return int(extra >= BOUND_MB)


if __name__ == "__main__":
    sys.exit(main())
