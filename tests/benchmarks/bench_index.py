"""Opening an index of MARS's size: seconds and memory, against the usual way, in one run.

    python tests/benchmarks/bench_index.py [--repeats 3]

An index with exactly MARS's counts (20,478 tracklets, 1,191,003 frames) is drawn, name lists, .mat
files and empty folders included. Then, each in a fresh process:

- read_mars: names, rows, queries and folders checked against each other; paths built when read
- paths: the same tracklets with a `Path` for each frame, nothing checked
- strings: a joined string for each frame, nothing checked, as the well-known code bases do

Memory is the peak of the process above its peak after the imports. The ratio is to read_mars.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scipy.io

from w3an_lite.data.mars import read_mars
from w3an_lite.data.mars_index import OFFICIAL, folder_code
from w3an_lite.data.mars_writer import write_mars_index
from w3an_lite.data.tracklet import FileFrames, Tracklet


def draw_index(root: Path) -> None:
    """The index of a set with MARS's official counts, and its empty folders."""
    junk, distractors = OFFICIAL["junk tracklets"], OFFICIAL["distractor tracklets"]
    people = OFFICIAL["test tracklets"] - junk - distractors
    train_ids = np.sort(np.arange(OFFICIAL["train tracklets"]) % OFFICIAL["train identities"]) + 1
    test_ids = np.sort(np.arange(people) % OFFICIAL["test identities"]) + 626
    test_ids = np.concatenate([np.full(junk, -1), np.zeros(distractors, int), test_ids])
    parts = {"train": _rows(train_ids, OFFICIAL["train frames"]),
             "test": _rows(test_ids, OFFICIAL["test frames"])}  # fmt: skip
    query = np.arange(junk + distractors, junk + distractors + OFFICIAL["queries"])
    write_mars_index(root / "info", parts["train"], parts["test"], query.tolist())
    for part, rows in parts.items():
        for identity in np.unique(rows[:, 2]).tolist():
            (root / f"bbox_{part}" / folder_code(identity)).mkdir(parents=True)


def _rows(identities: np.ndarray, frames: int) -> np.ndarray:
    """Index rows of equal length (but for the remainder) that hold `frames` frames in all."""
    count = len(identities)
    length = np.full(count, frames // count) + (np.arange(count) < frames % count)
    end = np.cumsum(length)
    return np.column_stack([end - length + 1, end, identities, np.arange(count) % 6 + 1])


def open_usual(root: Path, frames: Callable[[str, list[str]], object]) -> Sequence[object]:
    """The tracklets by lists of names, rows and a path for each frame."""
    tracklets: list[object] = []
    for part in ("train", "test"):
        names = (root / "info" / f"{part}_name.txt").read_text().split("\n")
        mat = scipy.io.loadmat(root / "info" / f"tracks_{part}_info.mat")
        for start, end, identity, camera in mat[f"track_{part}_info"].tolist():
            paths = frames(str(root / f"bbox_{part}"), names[start - 1 : end])
            tracklets.append((paths, identity, camera))
    return tracklets


def as_paths(folder: str, names: list[str]) -> object:
    paths = tuple(Path(folder) / name[:4] / name for name in names)
    return Tracklet(FileFrames(paths), 0, 0)


def as_strings(folder: str, names: list[str]) -> object:
    return tuple(os.path.join(folder, name[:4], name) for name in names)


WAYS: dict[str, Callable[[Path], object]] = {
    "read_mars": lambda root: read_mars(root, "mars/official"),
    "paths": lambda root: open_usual(root, as_paths),
    "strings": lambda root: open_usual(root, as_strings),
}


def measure(way: str, root: Path) -> tuple[float, float]:
    """Seconds, and MiB above the imports, of opening once in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    kept = WAYS[way](root)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert kept
    return seconds, (after - before) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "ROOT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], Path(arguments.one[1]))))
        return
    results: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_index(root)
        for _ in range(arguments.repeats):
            for way in WAYS:
                command = [sys.executable, __file__, "--one", way, folder]
                run = subprocess.run(command, capture_output=True, text=True, check=True)
                results[way].append(json.loads(run.stdout))
    medians = {w: [statistics.median(c) for c in zip(*r, strict=True)] for w, r in results.items()}
    ours = medians["read_mars"]
    print(f"{'way':10} {'seconds':>8} {'ratio':>6} {'MiB':>6} {'ratio':>6}")
    for way, (seconds, memory) in medians.items():
        ratios = seconds / ours[0], memory / max(ours[1], 1)
        print(f"{way:10} {seconds:8.3f} {ratios[0]:6.1f} {memory:6.0f} {ratios[1]:6.1f}")


if __name__ == "__main__":
    main()
