"""The shipped trunk: `NarrowTrunk` trained on the attributes of drawn stills.

It stands in for ImageNet's weights where nothing can be downloaded. From random weights the
paper's recipe learns nothing in eight epochs (study `readings`).
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .backbone import NarrowTrunk
from .cam import Heads
from .data.augment import Augment
from .data.synthetic import stills
from .files import save_plain
from .frames import normalise
from .losses import attribute_loss


def pretrain(
    out: str | Path | None = None,
    steps: int = 3000,
    batch: int = 64,
    images: int = 6000,
    width: int = 16,
    stride: int = 4,
    size: tuple[int, int] = (64, 32),
    lr: float = 5e-3,
    seed: int = 0,
    progress: bool = True,
) -> tuple[NarrowTrunk, list[float]]:
    """Train a trunk on `images` drawn stills by their attributes; returns it and the losses.

    AdamW with a cosine schedule. out: where to write the trunk's weights.
    """
    if min(steps, batch, images) < 1:
        raise ValueError(f"steps {steps}, batch {batch}, images {images}: at least 1 of each")
    torch.manual_seed(seed)
    drawn = stills(images, size=size, seed=seed)
    frames, labels = torch.from_numpy(drawn.frames), torch.from_numpy(drawn.attributes)
    trunk = NarrowTrunk(width, stride).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    heads = Heads(trunk.channels, 1, labels.shape[1])
    parameters = [*trunk.parameters(), *heads.attribute.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr, weight_decay=0.05)
    augment = Augment(pad=4, flip=0.5)
    generator = torch.Generator().manual_seed(seed)
    losses: list[Tensor] = []
    for step in tqdm(range(steps), desc="trunk", unit="step", disable=not progress):
        for group in optimiser.param_groups:
            warm = min((step + 1) / 50, 1.0)
            group["lr"] = warm * lr * (1 + math.cos(math.pi * step / steps)) / 2
        pick = torch.randint(len(frames), (batch,), generator=generator)
        images_now = augment(frames[pick].unsqueeze(1), generator).frames
        pixels = normalise(images_now[:, 0]).contiguous(memory_format=torch.channels_last)
        cube = trunk(pixels).unsqueeze(1)
        _, logits = heads(cube)
        loss = attribute_loss(logits, labels[pick])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    trunk.eval()
    if out is not None:
        save_plain(trunk.state_dict(), out)
    return trunk, [float(x) for x in losses]
