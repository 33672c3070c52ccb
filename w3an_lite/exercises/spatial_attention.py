"""Exercises of notebook 04: uniform α, Eq. 3, Eq. 4, and how high a score must be."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from w3an_lite.san import attend, normalise_scores

from .checker import Exercise, Mistake, Verdict, as_numbers, draw


def _raw_of(v: Any) -> Tensor:
    """Eq. 2 of a small SAN whose v is the student's; W_s and b_s are drawn, as in the notebook."""
    cube, mix, bias = draw(4, 3, 2), draw(4, 4, seed=1), draw(4, seed=2)
    hidden = torch.tanh(torch.einsum("mhw,nm->nhw", cube, mix) + bias[:, None, None])
    weight = as_numbers(v).float()
    if weight.shape != (4, 4):
        raise ValueError(f"v has the shape {list(weight.shape)}, not [4, 4]")
    return torch.einsum("nm,mhw->nhw", weight, hidden)


def _is_uniform(v: Any) -> bool | str:
    raw = _raw_of(v)
    if torch.isnan(raw).any():
        return "your v holds values that are not numbers, so α does too"
    return bool((raw == raw[:, :1, :1]).all())


def _nearly(v: Any) -> bool:
    return float((normalise_scores(_raw_of(v)) - 1 / 6).abs().max()) < 0.02


def _same_in_each_row(v: Any) -> bool:
    weight = as_numbers(v)
    return weight.shape == (4, 4) and bool((weight == weight[0, 0]).all())


UNIFORM = Exercise(
    right=torch.zeros(4, 4),
    praise="every raw score is 0 whatever the frame shows, so no position is preferred",
    accepts=_is_uniform,
    mistakes=(
        Mistake(
            torch.full((4, 4), 1e-3),
            "very near; which v makes the raw score of Eq. 2 the same at every position, exactly?",
            _nearly,
        ),
        Mistake(
            torch.ones(4, 4),
            "equal entries add the hidden channels up; their sum still differs from place to place",
            _same_in_each_row,
        ),
        Mistake(
            torch.eye(4),
            "each channel is scored by its own hidden channel; which score would not depend on "
            "the hidden channels at all?",
        ),
    ),
    otherwise="α still differs between positions; make the raw score of Eq. 2 the same for all k",
)


def _share_of_raw(raw: Tensor) -> Tensor:
    return raw / raw.sum((-2, -1), keepdim=True)


EQ3 = Exercise(
    right=normalise_scores,
    praise="for every frame and channel, the weights of all positions add up to 1",
    inputs=[(draw(2, 3, 4, 2),), (draw(1, 5, 2, 3, seed=3) * 3,)],
    mistakes=(
        Mistake(
            lambda raw: raw.softmax(-1),
            "each row adds up to 1 now; Eq. 3 sums over every position, not over one axis of the "
            "picture",
        ),
        Mistake(
            lambda raw: raw.softmax(-2),
            "each column adds up to 1 now; how many of your axes are positions?",
        ),
        Mistake(
            lambda raw: raw.softmax(1),
            "the channels compete with each other here; in Eq. 3, who competes with whom?",
        ),
        Mistake(
            lambda raw: raw.exp() / raw.exp().sum(),
            "all weights of the clip together add up to 1; every frame and channel should have a "
            "1 of its own",
        ),
        Mistake(
            lambda raw: raw.softmax(-1).softmax(-2),
            "two softmaxes are not one: the second takes the exponential of weights; join the two "
            "axes first",
        ),
        Mistake(
            lambda raw: raw.softmax(-2).softmax(-1),
            "two softmaxes are not one, in either order: the second takes the exponential of "
            "weights; join the two axes first",
        ),
        Mistake(
            lambda raw: raw.softmax(-1) * raw.softmax(-2),
            "a product of a row's and a column's share is no softmax over all; join the two axes "
            "first",
        ),
        Mistake(
            lambda raw: raw.softmax(0),
            "the frames compete with each other here; who competes in Eq. 3?",
        ),
        Mistake(
            lambda raw: raw.flatten(1).softmax(-1).view_as(raw),
            "one frame's weights add up to 1 over channels and positions together; each channel "
            "should have a 1 of its own",
        ),
        Mistake(
            torch.sigmoid,
            "each weight lies between 0 and 1, but what do they add up to?",
        ),
        Mistake(
            _share_of_raw,
            "you divide by the sum, which is right; but a raw score may be negative. What does "
            "Eq. 3 do to it first?",
        ),
    ),
)

EQ4 = Exercise(
    right=attend,
    praise="a weighted mean over positions, with weights of its own for each channel",
    inputs=[
        (normalise_scores(draw(2, 3, 4, 2)), draw(2, 3, 4, 2, seed=4)),
        (normalise_scores(draw(1, 5, 2, 3, seed=5)), draw(1, 5, 2, 3, seed=6)),
    ],
    mistakes=(
        Mistake(
            lambda alpha, cube: (alpha * cube).mean((-2, -1)),
            "right up to a factor: α adds up to 1 already, so what does dividing once more do?",
        ),
        Mistake(
            lambda alpha, cube: cube.mean((-2, -1)),
            "this pools without looking at α",
        ),
        Mistake(
            lambda alpha, cube: (alpha * cube).sum(1),
            "the channels are gone and the positions are left; which should F keep?",
        ),
        Mistake(
            lambda alpha, cube: alpha * cube,
            "the product of Eq. 4 is there; what does the Σ before it do to the positions?",
        ),
    ),
)

HALF = Exercise(
    right=math.log(31),
    praise="31 positions share the other half, so the raw score must outweigh 31 of them",
    tolerance=5e-3,
    mistakes=(
        Mistake(
            math.log(32),
            "near: count the positions that share the other half",
        ),
        Mistake(
            0.5,
            "that is the weight asked for; which raw score turns into it?",
        ),
        Mistake(
            31.0,
            "that is how many times heavier it must be after Eq. 3 has taken the exponential",
        ),
        Mistake(
            math.log(2),
            "with two positions this would be too much and with 32 it is too little; write Eq. 3 "
            "out with 31 zeros",
        ),
    ),
    otherwise="write Eq. 3 for this one position, with 31 others of raw score 0, and solve for it",
)


def check_uniform(student: Any) -> Verdict:
    """A v `[4, 4]` for which α prefers no position, whatever the frame shows."""
    return UNIFORM.judge(student)


def check_eq3(student: Any) -> Verdict:
    """Eq. 3 as a function of raw scores `[T, M, h, w]`."""
    return EQ3.judge(student)


def check_eq4(student: Any) -> Verdict:
    """Eq. 4 as a function of α and the cube, both `[T, M, h, w]`."""
    return EQ4.judge(student)


def check_half(student: Any) -> Verdict:
    """The raw score that gives one of 32 positions half of the weight, the others at 0."""
    return HALF.judge(student)


EXERCISES = {"uniform": UNIFORM, "eq3": EQ3, "eq4": EQ4, "half": HALF}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
