"""The explorer: what a model sees in a tracklet, and what it sees when a part is covered."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from . import sheet
from .clip_view import WHOLE, ClipView, Look, Region
from .data.attributes import NAMES
from .data.tracklet import DataError, Tracklet
from .live import Live, Table, control
from .model import W3AN
from .picture import LEVELS, thirds
from .plots import overlay
from .shelf import Shelf

LAYERS = ("nothing", "α, mean", "α, one channel", "identity", "attributes together")
COVERS = {"nothing": "nothing", "this frame": "one", "all other frames": "others"}
WIDTH, TOP = 900, 5
"""Pixels of the picture; how many of the gallery are shown."""
_LOWER = 300


def explore(
    model: W3AN | str | Path,
    tracklet: Tracklet | Sequence[Tracklet],
    gallery: Sequence[Tracklet] | None = None,
) -> Live:
    """Frames of a tracklet with a map laid over, its graph and its ranking, all live.

    model: or the path of a `model.pt`. tracklet: one, or several to choose from. gallery: who is
        searched; the tracklet itself, and others of its person under its camera, are left out.

    A region of the chosen frame, or of every other, can be covered: β, the graph and the ranking
    follow. Whatever is wrong with the arguments is said in the widget; nothing is raised. The
    controls: tracklet, layer, channel, opacity, cover, rows and columns (of the region, in per
    cent), safe_colours, and frame (click, or arrow keys).
    """
    scene = Explorer(model, tracklet, gallery)
    attributes = list(scene.names)
    wide: dict[str, Any] = {"style": {"description_width": "7em"}}
    part: dict[str, Any] = {**wide, "value": (0, 100), "min": 0, "max": 100, "step": 5}
    known = [(t.name or f"tracklet {i}", i) for i, t in enumerate(scene.tracklets)]
    controls: dict[str, Any] = {
        "tracklet": ipywidgets.Dropdown(
            options=known or [("none", 0)], description="tracklet", **wide
        ),
        "layer": ipywidgets.Dropdown(
            options=[*LAYERS, *attributes], value=LAYERS[1], description="layer", **wide
        ),
        "channel": _from_0("channel", scene.channels),
        "opacity": control("opacity", (0.0, 1.0, 0.05)),
        "cover": ipywidgets.Dropdown(options=COVERS, description="cover", **wide),
        "rows": ipywidgets.IntRangeSlider(description="rows %", **part),
        "columns": ipywidgets.IntRangeSlider(description="columns %", **part),
        "safe_colours": control("safe_colours", False),
        # a slider: JupyterLab takes the arrow keys away from buttons and closed lists
        "frame": _from_0("frame", scene.length),
    }  # fmt: skip
    controls["opacity"].value = 0.55
    live = Live(scene.draw, "A clip as the model sees it: frames, graph and ranking", **controls)
    *most, frame = controls.values()
    columns = ipywidgets.Box(most, layout={"flex_flow": "row wrap", "max_width": f"{WIDTH}px"})
    live.children = [columns, live.picture, frame, live.caption, live.table]
    return live


def _from_0(name: str, count: int) -> ipywidgets.Widget:
    """A slider over so many, from 0; of one it stays where it is."""
    slider = control(name, (0, max(1, count - 1)))
    slider.max = count - 1
    return slider


class Explorer:
    """What `explore` draws; made once, so that a control only has to choose from it."""

    def __init__(
        self,
        model: W3AN | str | Path,
        tracklet: Tracklet | Sequence[Tracklet],
        gallery: Sequence[Tracklet] | None,
    ) -> None:
        self.tracklets: list[Any] = []
        self.wrong = ""
        self.model: W3AN | None = None
        self.gallery = gallery
        self._shelf: Shelf | None = None
        self.view = lru_cache(maxsize=8)(self._view)
        try:
            one = model if isinstance(model, W3AN) else W3AN.from_pretrained(model)
            self.model = copy.deepcopy(one).eval()  # what it is now, whatever becomes of it
            given = [tracklet] if isinstance(tracklet, Tracklet) else list(tracklet)
            odd = [item for item in given if not isinstance(item, Tracklet)]
            if odd:
                raise TypeError(f"{odd[0]!r} is no Tracklet")
            self.tracklets = given
        except Exception as error:
            self.wrong = str(error) or type(error).__name__
        if not self.tracklets and not self.wrong:
            self.wrong = "there is no tracklet; read_mot makes them of a video and its boxes"

    @property
    def length(self) -> int:
        return self.model.clip_length if self.model else 1

    @property
    def channels(self) -> int:
        return int(self.model.backbone.channels) if self.model else 1  # type: ignore[arg-type]

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes the model tells, by name where they are the 67 of the course."""
        count = self.model.attributes if self.model else 0
        return NAMES if count == len(NAMES) else tuple(f"attribute {a}" for a in range(count))

    def _view(self, tracklet: int) -> ClipView:
        assert self.model is not None
        return ClipView(self.model, self.tracklets[tracklet])

    @property
    def shelf(self) -> Shelf | None:
        if self._shelf is None and self.gallery is not None and self.model is not None:
            if not self.gallery:
                raise DataError("the gallery is empty; give tracklets to search, or None")
            self._shelf = Shelf(self.model, self.gallery)
        return self._shelf

    def draw(
        self, tracklet: int, layer: str, channel: int, opacity: float, cover: str,
        rows: tuple[int, int], columns: tuple[int, int], safe_colours: bool, frame: int,
    ) -> tuple[bytes, str, Table]:  # fmt: skip
        """The picture, what it shows, and the frames as a table; see `explore`."""
        if self.wrong:
            raise ValueError(self.wrong)
        asked, shelf = self.tracklets[tracklet], self.shelf
        view = self.view(tracklet)
        region: Region = (rows[0] / 100, rows[1] / 100, columns[0] / 100, columns[1] / 100)
        others = tuple(t for t in range(self.length) if t != frame)
        covered = {"nothing": (), "one": (frame,), "others": others}[cover]
        if covered and (rows[0] == rows[1] or columns[0] == columns[1]):
            raise ValueError("the region has no area; move an end of rows or columns")
        clear, look = view.look(), view.look(covered, region if covered else WHOLE)
        maps, told = self._layer(look, layer, channel)
        frames = look.frames if maps is None else overlay(look.frames, maps, opacity=opacity)
        beta = look.beta.double().numpy()
        palette = "safe" if safe_colours else "paper"
        top = sheet.strip(frames, beta, WIDTH, frame, covered, palette)
        image, pen = sheet.page(top.width, top.height + _LOWER)
        image.paste(top, (0, 0))
        tall, wide = frames.shape[-2:]
        high = min(_LOWER - 56, round(140 * tall / wide))
        bare = sheet.photo(look.frames[frame], (round(high * wide / tall), high))
        image.paste(bare, (14, top.height + 20))
        sheet.write(pen, 14, top.height + 8, f"frame {frame}, no map", 13, "lm")
        joined = look.joined.double().numpy()
        graph = sheet.graph(joined, beta, _LOWER - 20, frame, palette)
        image.paste(graph, (160, top.height))
        found, judged = "", False
        if shelf is not None:
            before, now = (shelf.order(asked, x.embedding) for x in (clear, look))
            items, texts = shelf.ranked(asked, now, before, TOP)
            judged = any(item.right is not None for item in items)
            image.paste(sheet.gallery(items, WIDTH - 450, _LOWER), (450, top.height))
            found = f" Nearest: {'; '.join(texts)}." if texts else " The gallery holds nobody else."
        self._note(pen, top.height, judged)
        text = _sentence(look, clear, frame, told) + found
        if len(asked) < self.length:
            text += f" The tracklet has {len(asked)} of {self.length} frames; they repeat."
        return sheet.to_png(image), text, _table(view, look, asked, covered)

    def _layer(
        self, look: Look, layer: str, channel: int
    ) -> tuple[NDArray[np.float32] | None, str]:
        """The maps `[T, h, w]` of a layer, and what they are."""
        if layer == LAYERS[0]:
            return None, "no map"
        if layer == LAYERS[1]:
            return look.alpha.mean(1).numpy(), "α, mean over channels"
        if layer == LAYERS[2]:
            shared = bool((look.alpha == look.alpha[:, :1]).all())
            told = f"α of channel {channel}" + (", the same in every channel" if shared else "")
            return look.alpha[:, channel].numpy(), told
        if layer == LAYERS[3]:
            return look.identity_map.numpy(), "map of the identity it takes this for"
        if layer == LAYERS[4]:
            return look.attribute_map.numpy(), "maps of the attributes, together"
        which = self.names.index(layer)
        share = float(look.probability[which])
        verdict = "there" if share > 0.5 else "not there"
        return look.evidence[:, which].numpy(), f"why {layer} is {verdict} (p {share:.2f})"

    def _note(self, pen: ImageDraw.ImageDraw, top: int, judged: bool) -> None:
        note = "disc: β   line: neighbours   border and disc: thirds of β, thick = high"
        sheet.write(pen, 14, top + _LOWER - 12, note, 11, "lm")
        if judged:
            sheet.write(pen, 450, top + _LOWER - 12, "✓ whole: right   ✗ broken: wrong", 11, "lm")


def _sentence(look: Look, clear: Look, frame: int, told: str) -> str:
    beta, before = float(look.beta[frame]), float(clear.beta[frame])
    level = LEVELS[int(thirds(look.beta.numpy())[frame])]
    moved = "" if f"{beta:.2f}" == f"{before:.2f}" else f" (uncovered {before:.2f})"
    return f"Frame {frame}: β {beta:.2f}{moved}, {level}; {_joined(look, frame)}. Layer: {told}."


def _joined(look: Look, frame: int) -> str:
    with_ = [str(t) for t in look.joined[frame].nonzero()[:, 0].tolist() if t != frame]
    return f"joined to {', '.join(with_)}" if with_ else "joined to no frame"


def _table(view: ClipView, look: Look, tracklet: Tracklet, covered: tuple[int, ...]) -> Table:
    """One row a frame of the clip; the true visibility where it is known and nothing was added."""
    truth = tracklet.truth
    levels = thirds(look.beta.numpy())
    rows = [["frame", "of the tracklet", "β", "level", "neighbours", "covered"]]
    if truth is not None:
        rows[0].append("visible")
    for t, index in enumerate(view.indices.tolist()):
        cells = [str(t), str(index), f"{float(look.beta[t]):.2f}", LEVELS[levels[t]]]
        cells += [_joined(look, t).removeprefix("joined to "), "yes" if t in covered else "no"]
        if truth is not None:
            cells.append("–" if t in covered else f"{truth.visibility[index]:.2f}")
        rows.append(cells)
    return rows
