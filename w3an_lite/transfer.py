"""Attribute labels carried from labelled stills to an unlabelled video set (Sec. 4.1).

A network learns attributes on the source while its pooled features are drawn towards the target's
by their maximum mean discrepancy (MMD); what it then predicts for a target tracklet, mean over its
frames, becomes the tracklet's labels. The paper leaves every number to its reference [6]; ours
are the defaults below. On SynthPed (`tests/benchmarks/bench_transfer.py`, three seeds) the target's
mean balanced accuracy and attribute mAP are 0.577 and 0.306 from the source alone, 0.591 and 0.294
when batch norm sees the target too, 0.674 and 0.414 with MMD.

Sources: Gretton et al., "A kernel two-sample test", JMLR 2012; Long et al., "Learning transferable
features with deep adaptation networks", ICML 2015; Li et al., "Multi-attribute learning for
pedestrian attribute recognition in surveillance scenarios", ACPR 2015 (weights for rare ones).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from .backbone import NarrowTrunk
from .data.attributes import NAMES
from .data.augment import Augment
from .data.sampling import even_frames
from .data.tracklet import DataError, Size, Tracklet
from .frames import normalise
from .modes import evaluating

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Bandwidths of the kernels, as multiples of the median distance."""


def mmd(source: Tensor, target: Tensor, scales: Sequence[float] = SCALES) -> Tensor:
    """Squared maximum mean discrepancy of features `[n, D]` and `[m, D]`; a scalar from 0 up.

    mean k(s, s') + mean k(t, t') - 2 mean k(s, t) with k(a, b) = Σ_c exp(-|a - b|² / 2(cσ)²), σ the
    median distance between two different rows of both samples together; no gradient through σ.
    This is the biased estimate (each row also meets itself): never negative, and 0 for identical
    samples, of which the unbiased one can say neither. ValueError for shapes that do not fit.
    """
    fits = source.ndim == target.ndim == 2 and source.shape[1] == target.shape[1]
    if not fits or min(len(source), len(target)) < 1 or not scales or min(scales) <= 0:
        raise ValueError(
            f"features {list(source.shape)} and {list(target.shape)}, scales {tuple(scales)}; give "
            "[n, D] and [m, D] with rows, and scales above 0"
        )
    both = torch.cat([source, target])
    square = (both.unsqueeze(1) - both.unsqueeze(0)).square().sum(-1)
    other = ~torch.eye(len(both), dtype=torch.bool, device=both.device)
    # of rows that are all alike it is 0; 1 / spread has to be a number, or 0 times it is nan
    spread = square.detach()[other].median().clamp_min(torch.finfo(square.dtype).tiny ** 0.5)
    kernel = torch.stack([torch.exp(-square / (2 * c * c * spread)) for c in scales]).sum(0)
    n = len(source)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def rarity_weights(labels: Tensor, rarest: float = 0.01) -> tuple[Tensor, Tensor]:
    """Weights (present, absent) `[A]` of binary cross-entropy for labels `[N, A]`, -1 unknown.

    1 / 2p for a label of 1 and 1 / 2(1 - p) for a label of 0, where p is the share of ones among
    the known, held to [rarest, 1 - rarest]: the ones of an attribute weigh as much as its zeros,
    and the mean weight is 1. Both are 1 where nothing is known.

    The milder exp(1 - p) and exp(p) of Li et al. leaves rare attributes unpredicted.
    """
    known = labels >= 0
    share = (labels * known).sum(0) / known.sum(0).clamp_min(1)
    share = share.clamp(rarest, 1 - rarest).masked_fill(~known.any(0), 0.5)
    return 1 / (2 * share), 1 / (2 * (1 - share))


def weighted_loss(logits: Tensor, labels: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    """Weighted binary cross-entropy of `[N, A]`: sum over known attributes, mean over frames."""
    known = labels >= 0
    target = labels.clamp_min(0).to(logits.dtype)
    weight = known * (present * target + absent * (1 - target))
    terms = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * terms).sum(-1).mean()


class AttributeNetwork(nn.Module):
    """A trunk, its pooled features, and one logit an attribute.

    trunk: anything with `channels` that maps `[N, 3, H, W]` to `[N, channels, h, w]`.
    """

    def __init__(self, trunk: nn.Module | None = None, attributes: int = len(NAMES)) -> None:
        super().__init__()
        self.trunk = NarrowTrunk() if trunk is None else trunk
        self.head = nn.Linear(int(self.trunk.channels), attributes)  # type: ignore[arg-type]

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised frames `[N, 3, H, W]` -> features `[N, channels]`, logits `[N, A]`."""
        features = self.trunk(frames).mean((-2, -1))
        return features, self.head(features)


@dataclass(frozen=True)
class TransferRecipe:
    """How to train the attribute network.

    mmd_weight: of the discrepancy beside the attribute loss; 0 trains on the source alone.
    adapt: let batch norm see the target too. Then source and target go through as one batch, and
        what is remembered for the test is the statistics of both. MMD needs it, since it compares
        the two in one batch.
    """

    mmd_weight: float = 30.0
    adapt: bool = True
    steps: int = 300
    batch: int = 64
    size: Size = (64, 32)
    lr: float = 3e-3
    weight_decay: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch - 1, *self.size) < 1 or not 0 < self.lr < math.inf:
            raise ValueError(
                f"steps {self.steps}, batch {self.batch}, size {self.size}, lr {self.lr}; steps "
                "and size start at 1, batch at 2, and lr is above 0"
            )
        if not 0 <= self.mmd_weight < math.inf:
            raise ValueError(f"mmd_weight is {self.mmd_weight}; give a number from 0 up")
        if self.mmd_weight and not self.adapt:
            raise ValueError(
                f"adapt is False and mmd_weight {self.mmd_weight}; MMD sends both through as one "
                "batch: leave adapt True, or set mmd_weight to 0"
            )


def transfer(
    source: Sequence[Tracklet],
    target: Sequence[Tracklet],
    recipe: TransferRecipe | None = None,
    trunk: nn.Module | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> AttributeNetwork:
    """Train on the labels of `source` and the frames, not the labels, of `target`.

    trunk: where to start, itself left as it is; None is a `NarrowTrunk` of random weights, drawn
        from the recipe's seed.
    AdamW; the rate rises over a sixth of the steps and falls along a cosine. `DataError` if the
    source has no labels or either is empty.
    """
    recipe = recipe or TransferRecipe()
    labels = _labels(source)
    if not target:
        raise DataError("no target tracklets to carry labels to; check what the reader returned")
    torch.manual_seed(recipe.seed)
    network = AttributeNetwork(copy.deepcopy(trunk)).to(device).train()
    present, absent = (w.to(device) for w in rarity_weights(labels))
    optimiser = torch.optim.AdamW(network.parameters(), recipe.lr, weight_decay=recipe.weight_decay)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    augment = Augment(pad=recipe.size[0] // 16, flip=0.5)
    picks = np.random.default_rng(recipe.seed)
    for step in tqdm(range(recipe.steps), desc="attributes", unit="step", disable=not progress):
        warm = min(6 * (step + 1) / recipe.steps, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr * warm * (1 + math.cos(math.pi * step / recipe.steps)) / 2
        rows, frames = _some(source, recipe, picks)
        if recipe.adapt:
            frames = torch.cat([frames, _some(target, recipe, picks)[1]])
        frames = augment(frames.to(device).unsqueeze(1), generator).frames
        features, logits = network(normalise(frames[:, 0]))
        n = recipe.batch
        loss = weighted_loss(logits[:n], labels[rows].to(device), present, absent)
        if recipe.mmd_weight:
            loss = loss + recipe.mmd_weight * mmd(features[:n], features[n:])
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower lr")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return network.eval()


@torch.no_grad()
def predict(
    network: AttributeNetwork,
    tracklets: Sequence[Tracklet],
    size: Size = (64, 32),
    frames: int | None = None,
    batch: int = 256,
    progress: bool = True,
) -> NDArray[np.float32]:
    """Probabilities `[N, A]` of the attributes of each tracklet, mean over its frames.

    frames: how many frames stand for a tracklet, spread evenly; None takes all.
    """
    if not tracklets or (frames is not None and frames < 1) or batch < 1:
        raise DataError(
            f"{len(tracklets)} tracklets, frames {frames}, batch {batch}; give at least 1 of each"
        )
    device = next(network.parameters()).device
    sums = np.zeros((len(tracklets), network.head.out_features))
    counts = np.zeros((len(tracklets), 1))
    batches = _batched(tracklets, size, frames, batch)
    with evaluating(network):
        for rows, pixels in tqdm(batches, desc="predicting", disable=not progress):
            _, logits = network(normalise(torch.from_numpy(pixels).to(device)))
            np.add.at(sums, rows, logits.sigmoid().double().cpu().numpy())
            np.add.at(counts, rows, 1)
    return (sums / counts).astype(np.float32)


def _batched(
    tracklets: Sequence[Tracklet], size: Size, frames: int | None, batch: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """(tracklet numbers `[n]`, frames `[n, 3, H, W]`) with n at most `batch`."""
    rows: list[int] = []
    pixels: list[NDArray[np.uint8]] = []
    for i, tracklet in enumerate(tracklets):
        n = len(tracklet)
        wanted = np.arange(n) if frames is None or frames >= n else even_frames(n, frames)
        for start in range(0, len(wanted), batch):
            some = tracklet.frames.read(wanted[start : start + batch], size)
            if rows and len(rows) + len(some) > batch:
                yield np.array(rows), np.concatenate(pixels)
                rows, pixels = [], []
            rows += [i] * len(some)
            pixels.append(some)
    yield np.array(rows), np.concatenate(pixels)


def _labels(source: Sequence[Tracklet]) -> Tensor:
    found = [t.attributes for t in source if t.attributes is not None]
    if not found or len(found) < len(source):
        raise DataError(
            f"{len(source) - len(found)} of {len(source)} source tracklets have no attributes; "
            "labels can be carried from labelled ones only"
        )
    return torch.from_numpy(np.stack(found))


def _some(
    tracklets: Sequence[Tracklet], recipe: TransferRecipe, picks: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Numbers of random tracklets, and a random frame of each `[batch, 3, *size]`."""
    rows = picks.integers(len(tracklets), size=recipe.batch)
    frames = [
        tracklets[i].frames.read([int(picks.integers(len(tracklets[i])))], recipe.size)
        for i in rows
    ]
    return torch.from_numpy(rows), torch.from_numpy(np.concatenate(frames))
