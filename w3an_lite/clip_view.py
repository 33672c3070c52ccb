"""One clip of a tracklet as a model sees it, with some of its frames covered."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .cam import scale_map
from .data.sampling import even_frames
from .data.tracklet import Tracklet
from .frames import fit, normalise
from .model import W3AN
from .modes import evaluating
from .san import attend, uniform_scores

Region = tuple[float, float, float, float]
"""Top, bottom, left and right of a part of the frame, as shares of its sides."""
WHOLE: Region = (0.0, 1.0, 0.0, 1.0)
COVER = (96, 96, 96)
"""The grey that covers: no colour a garment could be known by."""


class Look(NamedTuple):
    """What the model made of a clip of T frames; tensors on the CPU.

    frames uint8 `[T, 3, H, W]` with what covers them, alpha `[T, M, h, w]`, beta `[T]`,
    joined (A of Eq. 13) `[T, T]`, embedding `[M]`, identity_map and attribute_map `[T, h, w]` of
    the predicted classes, evidence `[T, A, h, w]` for the more probable class of each attribute,
    probability `[A]` that the attribute is there, mean over frames.
    """

    frames: NDArray[np.uint8]
    alpha: Tensor
    beta: Tensor
    joined: Tensor
    embedding: Tensor
    identity_map: Tensor
    attribute_map: Tensor
    evidence: Tensor
    probability: Tensor


class ClipView:
    """An even clip of a tracklet; only the frames that something covers are computed again.

    The model must not learn meanwhile: its cube of the clear frames is kept.
    """

    def __init__(self, model: W3AN, tracklet: Tracklet) -> None:
        self.model = model
        self.indices = even_frames(len(tracklet), model.clip_length)
        self.frames = tracklet.frames.read(self.indices, model.size)
        self._clear = self._cube_of(self.frames)
        self.look = lru_cache(maxsize=16)(self._look)
        """`look(covered, region)`: the clip with `region` of the frames `covered` in grey."""

    @torch.no_grad()
    def _cube_of(self, frames: NDArray[np.uint8]) -> Tensor:
        pixels = fit(torch.from_numpy(frames).to(self.model.device), self.model.size)
        with evaluating(self.model):
            cube: Tensor = self.model.backbone(
                normalise(pixels).contiguous(memory_format=torch.channels_last)
            )
        return cube

    def _cover(self, covered: tuple[int, ...], region: Region) -> tuple[NDArray[np.uint8], Tensor]:
        """The frames with the region of some in grey, and the cube of all `[T, M, h, w]`."""
        frames, cube = self.frames.copy(), self._clear.clone()
        height, width = frames.shape[-2:]
        top, bottom = (round(share * height) for share in region[:2])
        left, right = (round(share * width) for share in region[2:])
        rows = list(covered)
        if rows:
            grey = np.array(COVER, np.uint8)[:, None, None]
            frames[rows, :, top:bottom, left:right] = grey
            cube[rows] = self._cube_of(frames[rows])
        return frames, cube

    def _look(self, covered: tuple[int, ...] = (), region: Region = WHOLE) -> Look:
        with torch.no_grad(), evaluating(self.model):
            return self._seen(covered, region)

    def _seen(self, covered: tuple[int, ...], region: Region) -> Look:
        model = self.model
        frames, cube = self._cover(covered, region)
        cube = cube[None]
        alpha = uniform_scores(cube) if model.san is None else model.san(cube)
        features = attend(alpha, cube)
        beta, _ = model.tan(features)
        joined, _, _, embedding = model.gather(features, beta)
        identity, attribute = model.heads(cube)
        identity_map, attribute_map = model.maps(cube, identity, attribute, None, None)
        probability = attribute.softmax(-1)[..., 1].mean(1)
        present = (probability > 0.5).long()[:, None].expand(-1, cube.shape[1], -1)
        evidence = scale_map(
            model.heads.attribute_maps(cube, present), positive=model.map_form == "evidence"
        )
        tensors = (
            alpha, beta, joined, embedding, identity_map, attribute_map, evidence, probability
        )  # fmt: skip
        return Look(frames, *(tensor[0].float().cpu() for tensor in tensors))
