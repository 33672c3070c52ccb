"""Pixels on their way into the network: scaled, fitted to its size, cut into clips."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Size = tuple[int, int]
"""(height, width) in pixels."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def one_tracklet(frames: Tensor | NDArray[Any]) -> Tensor:
    """Frames `[n, 3, H, W]`, uint8 or float in [0, 1], as a tensor; ValueError for others."""
    frames = torch.as_tensor(frames)
    if frames.ndim != 4 or frames.shape[1] != 3 or len(frames) == 0:
        raise ValueError(
            f"frames are {list(frames.shape)}; give one tracklet [n, 3, H, W] with n at least 1"
        )
    check_range(frames)
    return frames


def check_range(frames: Tensor) -> None:
    """ValueError for float frames outside of [0, 1]. Waits for the device."""
    if frames.is_floating_point() and not 0 <= frames.min() <= frames.max() <= 1:
        raise ValueError(
            f"frames run from {frames.min():g} to {frames.max():g}; give uint8, or float in [0, 1] "
            "that is not normalised yet"
        )


def normalise(frames: Tensor) -> Tensor:
    """uint8, or float in [0, 1], `[..., 3, H, W]` -> float by ImageNet's mean and deviation."""
    return (_unit(frames) - _channels(IMAGENET_MEAN, frames)) / _channels(IMAGENET_STD, frames)


def _channels(values: tuple[float, ...], like: Tensor) -> Tensor:
    """`[3, 1, 1]` filled on the device: a copy from the host would make it wait."""
    return torch.cat([torch.full((1, 1, 1), value, device=like.device) for value in values])


def _unit(frames: Tensor) -> Tensor:
    """uint8, or float in [0, 1] -> float32 in [0, 1]; ValueError for whole numbers of any other
    kind, of which nobody knows what is white."""
    if frames.dtype == torch.uint8:
        return frames.float() / 255
    if not frames.is_floating_point():
        raise ValueError(f"frames are {frames.dtype}; give uint8, or float in [0, 1]")
    return frames.float()


def fit(frames: Tensor, size: Size) -> Tensor:
    """Frames `[..., 3, H, W]`, uint8 or float in [0, 1] -> float in [0, 1] `[..., 3, *size]`,
    bilinear, antialiased."""
    out = _unit(frames)
    if out.shape[-2:] == tuple(size):
        return out
    lead = out.shape[:-3]
    out = functional.interpolate(
        out.reshape(-1, *out.shape[-3:]), size=tuple(size), mode="bilinear", antialias=True
    )
    return out.reshape(*lead, *out.shape[-3:]).clamp(0, 1)


def cut_clips(length: int, clip: int) -> Tensor:
    """Frame numbers of the clips that cover a tracklet of `length` frames: int64 `[n, clip]`.

    Each clip is spread over the whole tracklet, as those of training are, one frame behind the
    clip before it. A frame is in one clip or in two. A tracklet shorter than a clip is repeated
    from its start.
    """
    if length <= clip:
        return (torch.arange(clip) % length).unsqueeze(0)
    count = -(-length // clip)
    places = torch.arange(count).unsqueeze(1) + torch.arange(clip) * count
    return places * length // (count * clip)


def consecutive_clips(length: int, clip: int) -> Tensor:
    """As `cut_clips`, but one clip after another; the last is moved back to end with the tracklet.

    A clip of frames in a row may be hidden from its first to its last, and counts as much as any.
    """
    if length <= clip:
        return cut_clips(length, clip)
    starts = (torch.arange(-(-length // clip)) * clip).clamp_max(length - clip)
    return starts.unsqueeze(1) + torch.arange(clip)
