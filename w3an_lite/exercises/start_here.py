"""Exercises of notebook 00: the rank of the right answer, a covered clip, and a share of β."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w3an_lite.gcn import readout

from .checker import Exercise, Mistake, Verdict

RANK = Exercise(
    right=lambda distance, right: (distance < distance[right]).sum() + 1,
    praise="one more than the number of items that stand closer",
    inputs=[
        (torch.tensor([0.9, 0.2, 0.7, 0.4, 0.5]), 2),
        (torch.tensor([0.3, 0.8, 0.6]), 0),
        (torch.tensor([5.0, 1.0, 4.0, 3.0, 2.0, 6.0]), 5),
    ],
    mistakes=(
        Mistake(
            lambda distance, right: distance.argmin(),
            "this is where the closest item stands; who stands before the right one?",
        ),
        Mistake(
            lambda distance, right: distance.argmin() + 1,
            "this counts from 1, but to where the closest item stands; who comes before the "
            "right one?",
        ),
        Mistake(
            lambda distance, right: distance.argsort()[right] + 1,
            "argsort()[k] says who has place k, and 1 more does not change that; you want the "
            "place of a known item",
        ),
        Mistake(
            lambda distance, right: (distance < distance[right]).sum(),
            "the best place is called rank 1, not rank 0",
        ),
        Mistake(
            lambda distance, right: (distance > distance[right]).sum() + 1,
            "you count from the far end; a small distance is a good one",
        ),
        Mistake(
            lambda distance, right: distance.argsort()[right],
            "argsort()[k] says who has place k; you want the place of a known item",
        ),
    ),
    otherwise="count the items whose distance is smaller than that of the right one",
)


def _draw(*shape: int, seed: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed)).byte()


def _cover(clip: Tensor, other: Tensor, mask: Tensor, frames: list[int]) -> Tensor:
    out = clip.clone()
    out[frames] = torch.where(mask[frames].unsqueeze(1), other[frames], clip[frames])
    return out


def _everywhere(clip: Tensor, other: Tensor, mask: Tensor, frames: list[int]) -> Tensor:
    return torch.where(mask.unsqueeze(1), other, clip)


def _whole(clip: Tensor, other: Tensor, mask: Tensor, frames: list[int]) -> Tensor:
    out = clip.clone()
    out[frames] = other[frames]
    return out


COVER = Exercise(
    right=_cover,
    praise="the other person stands in front in these frames, and nothing else has changed",
    inputs=[
        (_draw(4, 3, 6, 4, seed=1), _draw(4, 3, 6, 4, seed=2), _draw(4, 6, 4, seed=3) > 120, [1]),
        (_draw(3, 3, 2, 5, seed=4), _draw(3, 3, 2, 5, seed=5), _draw(3, 2, 5, seed=6) > 90, [0, 2]),
    ],
    mistakes=(
        Mistake(_everywhere, "every frame is covered; only the frames in the list should be"),
        Mistake(
            _whole,
            "the other person's surroundings came along; the mask says which pixels are the person",
        ),
        Mistake(
            lambda clip, other, mask, frames: _cover(clip, other, ~mask, frames),
            "person and surroundings are swapped; which of the two does True stand for?",
        ),
        Mistake(
            lambda clip, other, mask, frames: clip,
            "nothing has changed; put the result back into the frames of a copy, and return it",
        ),
    ),
    otherwise="in each listed frame: the other's pixel where the mask is True, else the clip's own",
)

_BETA = torch.tensor([[0.9, 0.9, 0.9, 0.9, 0.3, 0.3]])
_LAST_TWO = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0, 1.0]]).unsqueeze(-1)

SHARE = Exercise(
    right=readout(_LAST_TWO, _BETA, "beta").item(),
    praise="0.6 of 4.2: a seventh, where the mean would give a third",
    tolerance=5e-3,
    mistakes=(
        Mistake(
            100 / 7,
            "right, in per cent; give it as a share from 0 to 1",
            when=lambda share: 14 < float(share) < 14.5,
        ),
        Mistake(1 / 3, "that is their share of the plain mean, where β plays no part"),
        Mistake(0.6, "that is the sum of their β; a share of what?"),
        Mistake(0.3, "that is one frame's β; the weights of all six must add up to 1"),
        Mistake(1 / 14, "that is the share of one of them; two are hidden"),
        Mistake(0.1, "0.6 of 6 would do if every β were 1; what is Σβ here?"),
    ),
    otherwise="divide the β of the hidden frames by the β of all frames",
)


def check_rank(student: Any) -> Verdict:
    """The rank of item `right` in a row of distances `[G]`."""
    return RANK.judge(student)


def check_cover(student: Any) -> Verdict:
    """A clip `[T, 3, H, W]` with another person pasted over the listed frames."""
    return COVER.judge(student)


def check_share(student: Any) -> Verdict:
    """The share of two frames of β 0.3 in a readout with four of β 0.9."""
    return SHARE.judge(student)


EXERCISES = {"rank": RANK, "cover": COVER, "share": SHARE}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
