"""Time from a control of the explorer to its new picture, beside drawing everything anew.

    python tests/benchmarks/bench_widgets.py [--threads 2] [--repeats 15]

The reference runs the whole clip and the gallery's order again and draws the same three parts with
Matplotlib (`plots.attention_grid`, `knn_graph`, `ranked_gallery`). Medians; a control that covers
takes another region each time, so that nothing it shows was computed before.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from w3an_lite import W3AN, synthped
from w3an_lite.clip_view import ClipView
from w3an_lite.picture import to_png
from w3an_lite.plots import attention_grid, knn_graph, ranked_gallery
from w3an_lite.shelf import Shelf
from w3an_lite.widgets import explore


def median_ms(act: Callable[[int], Any], repeats: int) -> float:
    act(0)
    seconds = []
    for k in range(1, repeats + 1):
        start = time.perf_counter()
        act(k)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = W3AN.shipped()
    people = synthped(1, 40, occlusion="heavy")
    query, gallery = people.query[0], people.gallery
    live = explore(model, people.query[:8], gallery)
    shelf = Shelf(model, gallery)

    def anew(k: int) -> None:
        look = ClipView(model, query).look((k % 6,), (0.0, 0.5, 0.0, 1.0))
        beta = look.beta.numpy()
        order = shelf.order(query, look.embedding)
        items, _ = shelf.ranked(query, order, order, 5)
        found = [item._replace(frames=item.frames[None]) for item in items]
        for figure in (
            attention_grid([("", look.frames, look.alpha.mean(1), beta)]),
            knn_graph(look.joined, beta),
            ranked_gallery(look.frames[:1], found, shown=1),
        ):
            to_png(figure, 80, compression=1)

    names = [layer for layer in live.controls["layer"].options if layer != "nothing"]
    moves: dict[str, Callable[[int], Any]] = {
        "frame": lambda k: live.set(frame=k % 6),
        "opacity": lambda k: live.set(opacity=0.05 * (k % 20)),
        "layer": lambda k: live.set(layer=names[k % len(names)]),
        "safe_colours": lambda k: live.set(safe_colours=bool(k % 2)),
        "tracklet": lambda k: live.set(tracklet=k % 8),
        "rows, one frame covered": lambda k: live.set(rows=(0, 5 * (k % 19) + 5)),
        "columns, five covered": lambda k: live.set(columns=(0, 5 * (k % 19) + 5)),
    }
    print(f"{args.threads} threads, medians of {args.repeats}, gallery of {len(gallery)} tracklets")
    reference = median_ms(anew, args.repeats)
    print(f"{'everything anew, Matplotlib':28} {reference:7.1f} ms")
    live.set(cover="nothing")
    for name, move in moves.items():
        if "covered" in name:
            live.set(cover="one" if "one" in name else "others")
        took = median_ms(move, args.repeats)
        assert not live.failed, live.text
        print(f"{name:28} {took:7.1f} ms  {reference / took:5.1f} times quicker")


if __name__ == "__main__":
    main()
