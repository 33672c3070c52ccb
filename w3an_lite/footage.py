"""Footage from outside: a video and boxes become embeddings, rankings and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audit import Clear, Within, auc_clear_covered, spearman_within
from .data.mot import label_windows
from .data.tracklet import DataError, Split, Tracklet
from .data.visible import visibility_of
from .distance import Metric, distances
from .evaluation import Ranking
from .experiments import search
from .files import replacing
from .inference import embed_tracklets, frame_beta, observe
from .model import W3AN
from .plots import attention_grid, save

FIELDS = ("names", "identity", "camera", "embedding", "frames", "maps", "beta")

_SHAPES = {
    "names": ("U", 1), "identity": ("iu", 1), "camera": ("iu", 1), "embedding": ("f", 2),
    "frames": ("u", 5), "maps": ("f", 4), "beta": ("f", 2),
}  # fmt: skip
"""Of each of `FIELDS`: kinds of dtype, and how many axes."""


class Embeddings(NamedTuple):
    """What `embed` keeps of N tracklets: enough to rank and to draw, without the video.

    names `[N]`, identity and camera int64 `[N]`, embedding float32 `[N, M]` of all frames, and of
    one even clip of T frames: frames uint8 `[N, T, 3, H, W]`, maps float16 `[N, T, h, w]`
    (α, the mean over channels) and beta float32 `[N, T]`.
    """

    names: NDArray[np.str_]
    identity: NDArray[np.int64]
    camera: NDArray[np.int64]
    embedding: NDArray[np.float32]
    frames: NDArray[np.uint8]
    maps: NDArray[np.float16]
    beta: NDArray[np.float32]


def embed(model: W3AN, tracklets: Sequence[Tracklet], progress: bool = False) -> Embeddings:
    """Embed whole tracklets (dense clips, averaged) and observe one even clip of each.

    Memory does not grow with the length of a tracklet; what is kept of each is T frames.
    """
    features = embed_tracklets(model, tracklets, frames="dense", progress=progress)
    seen = observe(model, tracklets)
    frames = [t.frames.read(i, model.size) for t, i in zip(tracklets, seen.indices, strict=True)]
    return Embeddings(
        np.array([t.name for t in tracklets]),
        np.array([t.identity for t in tracklets]),
        np.array([t.camera for t in tracklets]),
        features.numpy(),
        np.stack(frames),
        seen.alpha.numpy().astype(np.float16),
        seen.beta.numpy(),
    )


def save_embeddings(embeddings: Embeddings, path: str | Path) -> None:
    """Write a compressed .npz, whole or not at all."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **embeddings._asdict())


def load_embeddings(path: str | Path) -> Embeddings:
    """Read what `save_embeddings` wrote; DataError names the file and what it lacks."""
    try:
        with np.load(path, allow_pickle=False) as content:
            found = Embeddings(*[content[name] for name in FIELDS])
        for name, array in found._asdict().items():
            if len(array) != len(found.names):
                raise ValueError(f"{len(found.names)} names, but {len(array)} of {name}")
            kinds, axes = _SHAPES[name]
            if array.dtype.kind not in kinds or array.ndim != axes or array.size == 0:
                raise ValueError(f"{name} is {array.dtype} {list(array.shape)}")
        clips = found.frames.shape[:2]
        if found.frames.shape[2] != 3 or found.maps.shape[:2] != clips or found.beta.shape != clips:
            shapes = (f"{n} {list(getattr(found, n).shape)}" for n in ("frames", "maps", "beta"))
            raise ValueError(f"{', '.join(shapes)} are not of the same clips")
        return found
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; make it with `embed --out {path}`") from error
    except Exception as error:  # a damaged archive fails in many ways
        raise DataError(
            f"{path} holds no embeddings ({error}); make it again with `embed`"
        ) from error


class Found(NamedTuple):
    """The `top` nearest others of a tracklet: their rows and distances, nearest first."""

    rows: NDArray[np.int64]
    distance: NDArray[np.float32]


def could_be_same(first: ArrayLike, last: ArrayLike) -> NDArray[np.bool_]:
    """Which of N tracks may show one person: bool `[N, N]`, false where two are seen at once.

    first, last: `[N]`, the first and last frame of each track in the film, both included. A track
    that was lost for a while counts as seen throughout; `self_taught.known_apart` looks closer.
    """
    begin, end = np.asarray(first), np.asarray(last)
    before: NDArray[np.bool_] = end[:, None] < begin[None, :]
    return before | before.T


def nearest(
    embeddings: Embeddings, top: int = 5, allowed: NDArray[np.bool_] | None = None
) -> list[Found]:
    """For each tracklet the most similar others, by Euclidean distance of the embeddings.

    allowed: bool `[N, N]`, whom a row may find (see `could_be_same`); left out, everybody else.
    """
    if top < 1:
        raise ValueError(f"top is {top}; at least 1")
    if len(embeddings.names) < 2:
        raise DataError("one tracklet alone cannot be ranked; embed a video with at least two")
    distance = distances(embeddings.embedding, embeddings.embedding).numpy().copy()
    np.fill_diagonal(distance, np.inf)
    if allowed is not None:
        distance[~allowed] = np.inf
    found = []
    for row in distance:
        order = np.argsort(row, kind="stable")[:top]
        order = order[np.isfinite(row[order])]
        found.append(Found(order, row[order]))
    return found


class FilmScores(NamedTuple):
    """How well a film is searched; `within` and `clear` say how β follows what can be seen."""

    ranking: Ranking
    within: Within | None = None
    clear: Clear | None = None

    def row(self) -> dict[str, float]:
        """The scores by name, as far as they were measured."""
        out = {"rank-1": self.ranking.rank(1), "mAP": self.ranking.mean_ap}
        if self.within is not None:
            out["Spearman of β with visibility"] = self.within.rho
        if self.clear is not None:
            out["clear above covered"] = self.clear.auc
        return out


def judge(
    model: W3AN,
    cut: Sequence[Tracklet],
    labels: str | Path,
    visibility: dict[tuple[int, int], float] | None = None,
    metric: Metric = "euclidean",
    name: str = "windows",
) -> FilmScores:
    """Each of the windows `cut` from a film's tracks searches the others, its own visit left out.

    labels: the CSV of who each track shows (`data.mot.label_windows`). visibility: by track and
    frame (`data.visible.read_visibility`); left out, β is not judged. name: of the protocol.
    """
    parts = label_windows(cut, labels)
    seen = None if visibility is None else visibility_of(cut, visibility)
    ranking = search(model, Split(name, query=parts, gallery=parts), "dense", metric)
    if seen is None:
        return FilmScores(ranking)
    beta = frame_beta(model, cut)
    return FilmScores(ranking, spearman_within(beta, seen), auc_clear_covered(beta, seen))


def draw_ranking(embeddings: Embeddings, row: int, found: Found, out: str | Path) -> Path:
    """Draw a tracklet and its nearest, α over the frames and β as borders; returns the file."""
    rows = [(f"{embeddings.names[row]}", row)]
    rows += [
        (f"{k}. {embeddings.names[j]}, {d:.2f}", int(j))
        for k, (j, d) in enumerate(zip(*found, strict=True), start=1)
    ]
    figure = attention_grid(
        [(label, embeddings.frames[j], embeddings.maps[j], embeddings.beta[j]) for label, j in rows]
    )
    return save(figure, Path(out) / f"{row:04d}.png")
