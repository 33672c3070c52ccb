"""What MMD is worth where the target's labels are known: the same training with and without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from .attribute_scores import attribute_scores
from .backbone import NarrowTrunk
from .data.attributes import NAMES
from .data.synthetic import stills, synthped
from .data.tracklet import DISTRACTOR, UNKNOWN, ArrayFrames, DataError, Size, Tracklet
from .transfer import AttributeNetwork, TransferRecipe, predict, transfer

ARMS: dict[str, dict[str, Any]] = {
    "source only": {"mmd_weight": 0.0, "adapt": False},
    "target in batch norm": {"mmd_weight": 0.0, "adapt": True},
    "MMD": {},
}
"""What the target's frames are used for: nothing, the statistics of batch norm, these and MMD."""


class TransferRow(NamedTuple):
    """Scores of one arm and seed on the target; `skipped` attributes are constant there."""

    arm: str
    seed: int
    balanced_accuracy: float
    mean_ap: float
    skipped: int


def prepared_trunk() -> nn.Module:
    """Where a transfer starts unless told otherwise: the shipped trunk, as ImageNet's elsewhere."""
    return NarrowTrunk(weights="stills")


def drawn_source(count: int = 3000, size: Size = (64, 32), seed: int = 0) -> list[Tracklet]:
    """SynthPed's stills as tracklets of one frame with labels, which stand for RAP."""
    drawn = stills(count, size, seed)
    return [
        Tracklet(ArrayFrames(drawn.frames[i : i + 1]), DISTRACTOR, 0, f"still-{i:05d}", labels)
        for i, labels in enumerate(drawn.attributes)
    ]


def drawn_target(people: int = 160, size: Size = (64, 32), seed: int = 0) -> list[Tracklet]:
    """SynthPed's video: two tracklets of eight frames a person, half of them occluded for a part.

    No person of the stills is among them: the domains draw their own.
    """
    return synthped(people, 0, tracklets=1, frames=8, size=size, seed=seed).train


def compare(
    source: Sequence[Tracklet],
    target: Sequence[Tracklet],
    recipe: TransferRecipe | None = None,
    trunk: Callable[[], nn.Module] = prepared_trunk,
    progress: bool = True,
) -> tuple[list[TransferRow], AttributeNetwork]:
    """A row for each of `ARMS`, and the network of the last, MMD.

    The target's labels are looked at for the scores only. `DataError` if they are not known.
    """
    recipe = recipe or TransferRecipe()
    truth = known_labels(target)
    rows = []
    for arm, changes in ARMS.items():
        changed = replace(recipe, **changes)
        network = transfer(source, target, changed, trunk(), progress=progress)
        probabilities = predict(network, target, recipe.size, progress=progress)
        scores = attribute_scores(probabilities, truth)
        rows.append(
            TransferRow(
                arm, recipe.seed, scores.mean_balanced_accuracy, scores.mean_ap, scores.skipped
            )
        )
    return rows, network


def known_labels(tracklets: Sequence[Tracklet]) -> NDArray[np.float32]:
    """The labels `[N, 67]` of `tracklets`; `DataError` if none is known."""
    nothing = np.full(len(NAMES), UNKNOWN, np.float32)
    labels = np.stack([nothing if t.attributes is None else t.attributes for t in tracklets])
    if not (labels >= 0).any():
        raise DataError(
            "the target has no labels to compare with; leave the truth out, or take a target that "
            "has them (SynthPed, or MARS with its attributes)"
        )
    return labels


def format_study(rows: Sequence[TransferRow]) -> str:
    """Mean and standard deviation over the seeds of each arm, and each seed's numbers."""
    seeds = sorted({row.seed for row in rows})
    lines = [
        f"{'target frames used for':22}  balanced accuracy  mAP of attributes   by seed "
        f"{', '.join(map(str, seeds))}"
    ]
    for arm in dict.fromkeys(row.arm for row in rows):
        own = [row for row in rows if row.arm == arm]
        accuracy, precision = [r.balanced_accuracy for r in own], [r.mean_ap for r in own]
        each = "  ".join(f"{a:.3f}/{p:.3f}" for a, p in zip(accuracy, precision, strict=True))
        lines.append(f"{arm:22}  {_spread(accuracy):17}  {_spread(precision):18}  {each}")
    skipped = sorted({row.skipped for row in rows})
    count = " or ".join(map(str, skipped))
    lines.append(f"{count} of {len(NAMES)} attributes are constant in the target and not scored")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")
