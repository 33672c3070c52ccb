"""Time and memory of opening a MARS-sized index, and frames a second from a store and from PIL.

    python tests/benchmarks/bench_store.py [--frames 6000] [--folder F]

The index is as large as MARS's (20,478 tracklets, 1,191,003 frames) over a file of frames with a
hole in it, which takes no room. Frames are read in batches of 16 tracklets x 10 frames, all in the
page cache, on one thread: what remains is the work, not the disk. With a GPU, also how fast it
decodes the files of a whole store, as training does once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench_evaluation import high_water
from PIL import Image

from w3an_lite.data.attributes import NAMES
from w3an_lite.data.pack import pack
from w3an_lite.data.pack_index import headers_of, index_of, settings_of
from w3an_lite.data.pack_part import growing
from w3an_lite.data.store import open_store, read_together
from w3an_lite.data.tracklet import FileFrames, Split, Tracklet
from w3an_lite.reading import HeldFrames

TRACKLETS, TRAIN, QUERIES, FRAMES = 20478, 8298, 1980, 1191003
SIZE, BATCH, CLIP = (128, 64), 16, 10


class Lengths:
    """Frames that are only counted."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def read(self, indices: object, size: object = None) -> np.ndarray:
        raise NotImplementedError


def mars_sized(out: Path, form: str) -> None:
    """A store of MARS's counts whose frames are a hole."""
    lengths = np.full(TRACKLETS, FRAMES // TRACKLETS)
    lengths[: FRAMES % TRACKLETS] += 1
    label = np.ones(len(NAMES), np.float32)
    tracklets = [
        Tracklet(Lengths(n), i % 600 + 1 + 600 * (i >= TRAIN), 1 + i % 6, f"{i:04d}C1T0001F", label)
        for i, n in enumerate(lengths.tolist())
    ]
    test = tracklets[TRAIN:]
    split = Split("mars-sized", tracklets[:TRAIN], test[:QUERIES], test)
    settings = settings_of(split, split.train + split.gallery, form, SIZE)
    with growing(out, settings, headers_of(settings)) as part:
        if form == "decoded":
            with open(out.with_name(f"{out.name}.part") / "frames.npy", "r+b") as file:
                file.truncate(file.seek(0, 2) + FRAMES * 3 * SIZE[0] * SIZE[1])
        else:
            part.append("frames.bin", b"-")
            part.append("offsets.npy", np.arange(1, FRAMES + 1) * 0)
        part.end_piece("")
        part.finish(index_of(split, split.train + split.gallery, settings))
    if form == "decoded":  # the hole was made behind the writer's back
        state = json.loads((out / "store.json").read_text())
        state["files"]["frames.npy"]["bytes"] = (out / "frames.npy").stat().st_size
        (out / "store.json").write_text(json.dumps(state))


def opening(path: Path) -> None:
    """Print the first opening in this process, and the memory it takes."""
    before, start = high_water(reset=True), time.perf_counter()
    split = open_store(path)
    seconds = time.perf_counter() - start
    assert len(split.gallery) == TRACKLETS - TRAIN
    print(f"{seconds:.3f} s, +{high_water() - before:.1f} MB")


def pictures(folder: Path, count: int) -> Split:
    """`count` JPEG files of `SIZE`, smooth with some grain, 60 a tracklet."""
    rng = np.random.default_rng(0)
    tracklets = []
    for i in range(count // 60):
        paths = []
        coarse = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        person = Image.fromarray(coarse).resize(SIZE[::-1], Image.Resampling.BICUBIC)
        for t in range(60):
            noise = rng.integers(-8, 9, (*SIZE, 3))
            frame = np.clip(np.asarray(person) + noise, 0, 255).astype(np.uint8)
            paths.append(folder / f"{i:04d}F{t:03d}.jpg")
            Image.fromarray(frame).save(paths[-1], quality=90)
        tracklets.append(Tracklet(FileFrames(tuple(paths)), i + 1, 1, f"{i:04d}"))
    return Split("pictures", tracklets)


def rate(read: Callable[[list[Tracklet], list[np.ndarray]], object], split: Split) -> float:
    """Frames a second over batches of BATCH tracklets x CLIP frames; the best of three rounds."""
    rng, best = np.random.default_rng(0), 0.0
    for _ in range(3):
        done, start = 0, time.perf_counter()
        while (seconds := time.perf_counter() - start) < 0.7:
            chosen = [split.train[i] for i in rng.integers(0, len(split.train), BATCH)]
            indices = [np.sort(rng.permutation(len(t))[:CLIP]) for t in chosen]
            read(chosen, indices)
            done += BATCH * CLIP
        best = max(best, done / seconds)
    return best


def one_by_one(tracklets: list[Tracklet], indices: list[np.ndarray]) -> np.ndarray:
    return np.stack([t.frames.read(i) for t, i in zip(tracklets, indices, strict=True)])


def on_a_gpu(path: Path) -> None:
    """Print how fast a GPU decodes all files of a JPEG store, and how far from the CPU it is."""
    people, found = open_store(path).train, []
    for device in (torch.device("cuda", 0), torch.device("cpu")):
        held = HeldFrames(people[:2], None, device)  # the first time loads the decoder
        start = time.perf_counter()
        held = HeldFrames(people, None, device)
        frames = held._data.cpu().int()
        found.append((frames, len(frames) / (time.perf_counter() - start)))
    (there, fast), (here, slow) = found
    off = (there - here).abs().float()
    name = torch.cuda.get_device_name(0)
    print(f"all frames of the jpeg store to {name}: {fast:,.0f} frames/s, {fast / slow:.1f} times")
    print(f"the CPU; {off.mean():.2f} grey levels apart in the mean, {off.max():.0f} at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=6000)
    parser.add_argument("--folder", type=Path, help="where the stores are written and removed")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.child:
        opening(args.child)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        for form in ("decoded", "jpeg"):
            mars_sized(folder / form, form)
            command = [sys.executable, __file__, f"--child={folder / form}"]
            print(f"open {TRACKLETS:,} tracklets, {FRAMES:,} frames, {form}: ", end="", flush=True)
            subprocess.run(command, check=True)
        split = pictures(folder, args.frames)
        for form in ("decoded", "jpeg"):
            for workers in (1, 2):
                start = time.perf_counter()
                out = folder / f"{form}{workers}"
                pack(split, out, form=form, workers=workers, progress=False)
                speed = args.frames / (time.perf_counter() - start)
                print(f"pack {form}, {workers} thread(s): {speed:,.0f} frames/s")
        files = rate(one_by_one, split)
        print(f"read {SIZE[0]}x{SIZE[1]} JPEG files by PIL: {files:,.0f} frames/s")
        for form in ("decoded", "jpeg"):
            stored = open_store(folder / f"{form}1")
            for label, read in (
                ("one take a batch", read_together),
                ("a clip at a time", one_by_one),
            ):
                speed = rate(read, stored)
                print(
                    f"read the {form} store, {label}: {speed:,.0f} frames/s, "
                    f"{speed / files:.1f} times PIL"
                )
        if torch.cuda.is_available():
            on_a_gpu(folder / "jpeg1")


if __name__ == "__main__":
    main()
