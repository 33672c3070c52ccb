"""Crop, flip, erase and paste whole batches of clips, on the device they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Augmented(NamedTuple):
    """frames uint8 `[B, T, 3, H, W]`, and what is no longer theirs, bool `[B, T, H, W]`.

    covered: pixels pasted over the person; foreign: these and the exchanged surroundings.
    """

    frames: Tensor
    covered: Tensor
    foreign: Tensor


@dataclass(frozen=True)
class Augment:
    """Random crop, flip, erasing and pasting.

    crop: (H, W) cut out of the frames at random; None keeps them whole.
    pad: pixels by which a crop may leave the frame (the edge is repeated).
    flip: the chance of mirroring a clip.
    per_frame: each frame has a crop and a flip of its own; without it a clip has one of each.
    colour: how far each channel of a clip is brightened or darkened at most, as a share: cameras
        differ in light and cast.
    erase: the chance that a box of a frame becomes the frame's mean colour.
    paste: the share of frames that something is pasted over: a bar, a box or another person of
        the batch. The network is not told which, the loss may be (`tan.covered_order`).

    surround: the share of frames that get the surroundings of another frame, outside an ellipse
        about the middle of the crop, where the person is.

    The paper names the crop alone: frames of 288×144 (H×W), a crop of 256×128.
    """

    crop: tuple[int, int] | None = None
    pad: int = 0
    flip: float = 0.0
    colour: float = 0.0
    erase: float = 0.0
    paste: float = 0.0
    surround: float = 0.0
    per_frame: bool = False

    def __post_init__(self) -> None:
        for name in ("flip", "colour", "erase", "paste", "surround"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a chance, from 0 to 1")

    def __call__(self, frames: Tensor, generator: torch.Generator) -> Augmented:
        """frames uint8 `[B, T, 3, H, W]`; the generator lives on the same device."""
        batch, length = frames.shape[:2]
        if self.per_frame:
            frames = self._window(frames.flatten(0, 1).unsqueeze(1), generator)
            frames = frames.squeeze(1).unflatten(0, (batch, length))
        else:
            frames = self._window(frames, generator)
        height, width = frames.shape[-2:]
        covered = torch.zeros(batch, length, height, width, dtype=torch.bool, device=frames.device)
        if self.colour:
            frames = recolour(frames, self.colour, generator)
        if self.erase:
            box = random_boxes(frames, self.erase, generator, low=0.1, high=0.4)
            mean = frames.float().mean((-2, -1), keepdim=True).to(torch.uint8)
            frames = torch.where(box.unsqueeze(2), mean, frames)
        foreign = covered
        if self.surround:
            frames, foreign = exchange_surroundings(frames, self.surround, generator)
        if self.paste:
            frames, covered = paste(frames, self.paste, generator)
        return Augmented(frames, covered, foreign | covered)

    def _window(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """The random crop and flip, as one gather of rows and columns."""
        batch, device = len(frames), frames.device
        height, width = frames.shape[-2:]
        rows, columns = self.crop or (height, width)
        if rows > height + 2 * self.pad or columns > width + 2 * self.pad:
            raise ValueError(
                f"a crop of {rows}×{columns} does not fit frames of {height}×{width} "
                f"with pad {self.pad}; load larger frames"
            )
        if (rows, columns) == (height, width) and not self.pad and not self.flip:
            return frames
        chance = torch.rand(3, batch, generator=generator, device=device)
        top = (chance[0] * (height + 2 * self.pad - rows + 1)).long() - self.pad
        left = (chance[1] * (width + 2 * self.pad - columns + 1)).long() - self.pad
        y = (top[:, None] + torch.arange(rows, device=device)).clamp(0, height - 1)
        x = (left[:, None] + torch.arange(columns, device=device)).clamp(0, width - 1)
        x = torch.where((chance[2] < self.flip)[:, None], x.flip(1), x)
        clip = torch.arange(batch, device=device)[:, None, None]
        window = frames.permute(0, 3, 4, 1, 2)[clip, y[:, :, None], x[:, None, :]]
        return window.permute(0, 3, 4, 1, 2).contiguous()  # while a pixel is one byte


def recolour(frames: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Multiply each channel of each clip `[B, T, 3, H, W]` by a factor in 1 ± `most`."""
    u = torch.rand(len(frames), 1, 3, 1, 1, generator=generator, device=frames.device)
    gain = 1 + most * (2 * u - 1)
    return (frames * gain).round_().clamp_(0, 255).to(torch.uint8)


def random_boxes(
    frames: Tensor, chance: float, generator: torch.Generator, low: float, high: float
) -> Tensor:
    """bool `[B, T, H, W]`: in a `chance` of frames a box, its sides `low` to `high` of theirs."""
    batch, length, _, height, width = frames.shape
    u = torch.rand(5, batch, length, 1, 1, generator=generator, device=frames.device)
    tall, wide = low + (high - low) * u[0], low + (high - low) * u[1]
    y = (torch.arange(height, device=frames.device) + 0.5)[:, None] / height
    x = (torch.arange(width, device=frames.device) + 0.5) / width
    inside = ((y - u[2]).abs() < tall / 2) & ((x - u[3]).abs() < wide / 2)
    return inside & (u[4] < chance)


def paste(frames: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paste something over a `share` of the frames; returns the frames and the covered pixels.

    One of three, with equal chance: an upright bar over the whole height, a box, or the middle
    of another frame of the batch in the outline of a person. Bars and boxes are filled with two
    colours of another frame in stripes, or with another frame's pixels.
    """
    batch, length, _, height, width = frames.shape
    device, n = frames.device, batch * length
    u = torch.rand(12, n, 1, 1, generator=generator, device=device)
    y = (torch.arange(height, device=device) + 0.5)[:, None] / height
    x = (torch.arange(width, device=device) + 0.5) / width

    kind = (3 * u[0]).long()  # 0 bar, 1 box, 2 person
    centre = u[1]
    bar = (x - centre).abs() < 0.08 + 0.22 * u[2]
    box = ((x - centre).abs() < 0.15 + 0.45 * u[2]) & ((y - u[3]).abs() < 0.15 + 0.35 * u[4])
    person = ((x - centre) / (0.2 + 0.1 * u[2])) ** 2 + ((y - 0.35 - 0.3 * u[3]) / 0.5) ** 2 < 1
    shape = torch.where(
        kind == 0, bar.expand(n, height, width), torch.where(kind == 1, box, person)
    )
    shape = shape & (u[5] < share)

    flat = frames.flatten(0, 1)
    other = flat[torch.randperm(n, generator=generator, device=device)]
    shift = ((centre - 0.5) * width).round().long().flatten()
    column = (torch.arange(width, device=device) - shift[:, None]) % width
    moved = other.gather(3, column[:, None, None, :].expand(n, 3, height, width))

    pick_y = (u[6:8] * height).long().flatten(1)
    pick_x = (u[8:10] * width).long().flatten(1)
    every = torch.arange(n, device=device)
    colours = [other[every, :, pick_y[k], pick_x[k]][..., None, None] for k in (0, 1)]
    stripes = ((y + x) * (2 + 10 * u[10])).long() % 2 == 0
    painted = torch.where(stripes.unsqueeze(1), colours[0], colours[1])
    use_pixels = (kind == 2) | (u[11] < 0.5)
    content = torch.where(use_pixels.unsqueeze(1), moved, painted)
    out = torch.where(shape.unsqueeze(1), content, flat)
    return out.unflatten(0, (batch, length)), shape.unflatten(0, (batch, length))


def exchange_surroundings(
    frames: Tensor, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Give a `share` of the frames another frame's surroundings; the frames, the exchanged pixels.

    What is kept is an ellipse about the middle of the crop, of varying width.
    """
    batch, length, _, height, width = frames.shape
    device, n = frames.device, batch * length
    u = torch.rand(2, n, 1, 1, generator=generator, device=device)
    y = (torch.arange(height, device=device) + 0.5)[:, None] / height
    x = (torch.arange(width, device=device) + 0.5) / width
    outside = ((x - 0.5) / (0.25 + 0.15 * u[0])) ** 2 + ((y - 0.5) / 0.55) ** 2 > 1
    outside = outside & (u[1] < share)
    flat = frames.flatten(0, 1)
    other = flat[torch.randperm(n, generator=generator, device=device)]
    out = torch.where(outside.unsqueeze(1), other, flat)
    return out.unflatten(0, (batch, length)), outside.unflatten(0, (batch, length))
