"""Tracklets through a trained model: features to rank, and everything it looked at.

The model is in test mode meanwhile, and afterwards in the mode it was in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from .checks import check_whole
from .data.sampling import even_frames
from .data.tracklet import DataError, Tracklet
from .frames import consecutive_clips, cut_clips, fit, normalise
from .model import W3AN
from .modes import evaluating


def test_clips(length: int, clip: int, frames: str) -> NDArray[np.int64]:
    """Frame numbers `[n, clip]` that stand for a tracklet in a test.

    frames: "even" takes one clip spread over the tracklet (our reading of the paper's test);
        "dense" takes every frame, in as many clips as that needs, each spread over the tracklet;
        "consecutive" takes every frame too, clip after clip.
    """
    if frames == "even":
        return even_frames(length, clip)[None]
    if frames == "dense":
        return cut_clips(length, clip).numpy()
    if frames == "consecutive":
        return consecutive_clips(length, clip).numpy()
    raise ValueError(f"frames {frames!r} is not known; choose 'even', 'dense' or 'consecutive'")


test_clips.__test__ = False  # type: ignore[attr-defined]  # its name is the field's, not pytest's


def _batches(
    model: W3AN, tracklets: Sequence[Tracklet], frames: str, batch: int
) -> Iterator[tuple[list[int], list[NDArray[np.int64]], Tensor]]:
    """(tracklet numbers, frame numbers, clips), `batch` clips at a time.

    No more is read at once than one clip, and no more is held than one batch.
    """
    check_whole("batch", batch, 1)
    owners: list[int] = []
    cuts: list[NDArray[np.int64]] = []
    for i, tracklet in enumerate(tracklets):
        for cut in test_clips(len(tracklet), model.clip_length, frames):
            owners.append(i)
            cuts.append(cut)
            if len(owners) == batch:
                yield owners, cuts, _read(model, tracklets, owners, cuts)
                owners, cuts = [], []
    if owners:
        yield owners, cuts, _read(model, tracklets, owners, cuts)


def _read(
    model: W3AN,
    tracklets: Sequence[Tracklet],
    owners: Sequence[int],
    cuts: Sequence[NDArray[np.int64]],
) -> Tensor:
    pixels = [
        tracklets[i].frames.read(cut, model.size) for i, cut in zip(owners, cuts, strict=True)
    ]
    return fit(torch.from_numpy(np.stack(pixels)).to(model.device), model.size)


@torch.no_grad()
def embed_tracklets(
    model: W3AN,
    tracklets: Sequence[Tracklet],
    frames: str = "even",
    batch: int = 32,
    progress: bool = False,
) -> Tensor:
    """One feature a tracklet, `[N, M]` on the CPU.

    Memory beyond that result depends on `batch` alone: not on the length of a tracklet, nor on
    how many there are.
    """
    if not tracklets:
        raise DataError("no tracklets to embed; check what the reader returned")
    sums: Tensor | None = None
    counts = torch.zeros(len(tracklets), 1)
    bar = tqdm(total=len(tracklets), desc="embedding", disable=not progress)
    with bar, evaluating(model):
        for owners, _, clips in _batches(model, tracklets, frames, batch):
            part = model.encode(normalise(clips)).embedding.float().cpu()
            if sums is None:
                sums = torch.zeros(len(tracklets), part.shape[1])
            rows = torch.tensor(owners)
            sums.index_add_(0, rows, part)
            counts.index_add_(0, rows, torch.ones(len(owners), 1))
            bar.update(owners[-1] + 1 - bar.n)
    assert sums is not None
    return sums / counts


@torch.no_grad()
def frame_beta(model: W3AN, tracklets: Sequence[Tracklet], batch: int = 32) -> list[Tensor]:
    """β of every frame of each tracklet `[n]`, on the CPU: the mean over the dense clips it is in.

    A clip that repeats a frame counts it as often.
    """
    sums = [torch.zeros(len(t)) for t in tracklets]
    counts = [torch.zeros(len(t)) for t in tracklets]
    with evaluating(model):
        for owners, cuts, clips in _batches(model, tracklets, "dense", batch):
            for i, cut, beta in zip(owners, cuts, model.encode(normalise(clips)).beta, strict=True):
                places = torch.from_numpy(cut)
                sums[i].index_add_(0, places, beta.float().cpu())
                counts[i].index_add_(0, places, torch.ones(len(places)))
    return [total / count for total, count in zip(sums, counts, strict=True)]


class Observed(NamedTuple):
    """What the model did on one even clip of each of N tracklets; arrays on the CPU.

    indices int64 `[N, T]`, beta `[N, T]`, alpha `[N, T, h, w]` (mean over channels, sums to 1),
    identity_map and attribute_map `[N, T, h, w]` for the predicted classes (in [0, 1] unless the
    model's map_form is "raw"),
    embedding `[N, M]` and flat_embedding `[N, M]`, the embedding had every β been the clip's mean.
    """

    indices: NDArray[np.int64]
    beta: Tensor
    alpha: Tensor
    identity_map: Tensor
    attribute_map: Tensor
    embedding: Tensor
    flat_embedding: Tensor


@torch.no_grad()
def observe(model: W3AN, tracklets: Sequence[Tracklet], batch: int = 32) -> Observed:
    """Run one even clip of each tracklet through the model and keep what it looked at."""
    if not tracklets:
        raise DataError("no tracklets to observe; check what the reader returned")
    parts = []
    indices = []
    with evaluating(model):
        for _, cuts, clips in _batches(model, tracklets, "even", batch):
            out = model(clips)
            flat = out.beta.mean(1, keepdim=True).expand_as(out.beta)
            *_, flat_embedding = model.gather(out.frame_features, flat)
            kept = (
                out.beta,
                out.alpha.mean(2),
                out.identity_map,
                out.attribute_map,
                out.embedding,
                flat_embedding,
            )
            parts.append([part.float().cpu() for part in kept])  # off the device batch by batch
            indices += cuts
    joined = [torch.cat(column) for column in zip(*parts, strict=True)]
    return Observed(np.stack(indices), *joined)
