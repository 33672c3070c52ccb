"""Frames a second of one core's time that SynthPed draws, beside Pillow drawing the same figure.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_synthetic.py

The reference repeats frame by frame, with one Pillow call each, every polygon, ellipse and box
that the library draws for these tracklets, on a plain background of two by two sub-pixels, and
reduces it. It has no patterns, scene, occluder, camera or truth, so it has less to do.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from w3an_lite.data import figure
from w3an_lite.data.synthetic import draw

SIZE, FRAMES, PEOPLE = (64, 32), 16, 24
Shape = tuple[str, list[Any], int]


def recorded() -> list[list[Shape]]:
    """What each tracklet draws: its shapes with their corners in sub-pixels."""
    shapes: list[Shape] = []
    polygon, ellipse, box = figure.Canvas.polygon, figure.Canvas.ellipse, figure.Canvas.box

    def spy(name: str, method: Any) -> Any:
        def wrapped(self: figure.Canvas, *args: Any) -> Any:
            if len(self.label) == FRAMES:
                shapes.append((name, list(args[:-1]), int(args[-1])))
            return method(self, *args)

        return wrapped

    figure.Canvas.polygon = spy("polygon", polygon)  # type: ignore[method-assign]
    figure.Canvas.ellipse = spy("ellipse", ellipse)  # type: ignore[method-assign]
    figure.Canvas.box = spy("box", box)  # type: ignore[method-assign]
    out = []
    for identity in range(1, PEOPLE + 1):
        draw(identity, 1, 1, FRAMES, SIZE)
        out.append(shapes.copy())
        shapes.clear()
    figure.Canvas.polygon = polygon  # type: ignore[method-assign]
    figure.Canvas.ellipse = ellipse  # type: ignore[method-assign]
    figure.Canvas.box = box  # type: ignore[method-assign]
    return out


def pillow(shapes: list[Shape], background: Image.Image) -> None:
    """One tracklet drawn a frame at a time."""
    scale = 2 * SIZE[0] / figure.HEIGHT

    def at(value: Any, k: int) -> float:
        return float(np.broadcast_to(value, FRAMES)[k]) * scale

    for k in range(FRAMES):
        image = background.copy()
        pen = ImageDraw.Draw(image)
        for name, args, label in shapes:
            colour = (label * 3 % 256, label * 7 % 256, label * 11 % 256)
            if name == "polygon":
                pen.polygon([(at(x, k), at(y, k)) for x, y in args[0]], fill=colour)
                continue
            a, b, c, d = (at(v, k) for v in args)
            if name == "ellipse":
                pen.ellipse((a - c, b - d, a + c, b + d), fill=colour)
            elif c > a and d > b:
                pen.rectangle((a, b, c, d), fill=colour)
        np.asarray(image.reduce(2))


def main() -> None:
    """Print the table."""
    frames = FRAMES * PEOPLE
    recordings = recorded()
    background = Image.new("RGB", (2 * SIZE[1], 2 * SIZE[0]), (120, 130, 140))
    best = {}
    for _ in range(3):
        for name in ("none", "mixed", "heavy", "Pillow, clean figure only"):
            start = time.process_time()
            for k in range(PEOPLE):
                if name.startswith("Pillow"):
                    pillow(recordings[k], background)
                else:
                    draw(k + 1, 1, 1, FRAMES, SIZE, occlusion=name)
            best[name] = min(best.get(name, 1e9), time.process_time() - start)
    reference = best["Pillow, clean figure only"]
    for name, seconds in best.items():
        print(f"{name:28s} {frames / seconds:8.0f} frames/s  {reference / seconds:5.2f} x Pillow")


if __name__ == "__main__":
    main()
