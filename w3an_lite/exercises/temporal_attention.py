"""Exercises of notebook 06: a bias that fools Eq. 11, Eq. 10, Eq. 11, and how little it asks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w3an_lite.tan import TemporalAttention, temporal_spread

from .checker import Exercise, Mistake, Verdict, as_numbers, draw


def _fools(bias: Any) -> bool | str:
    """Whether every β is under 0.01 at zero loss, when W_f = 0 and β_overall leaves b_f out."""
    value = as_numbers(bias).float()
    if value.numel() != 1:
        return f"one number is asked for, and you give {value.numel()}"
    beta = torch.sigmoid(value.reshape(1, 1).expand(1, 6))
    loss = temporal_spread(beta, torch.tensor([0.5])).item()
    if loss > 0:
        return f"the loss is still {loss:.4f} for this b_f"
    return bool(beta.max() < 0.01)


BIAS = Exercise(
    right=-6.0,
    praise="every β is near 0, none differs from another, and Eq. 11 has nothing to say",
    accepts=_fools,
    mistakes=(
        Mistake(
            0.0,
            "every β is now exactly what β_overall is; on which side must it be for the loss to "
            "vanish?",
        ),
        Mistake(
            6.0,
            "every β is above β_overall now, and the loss only grows; on which side must they be?",
            when=lambda bias: float(bias) > 0,
        ),
        Mistake(
            -1.0,
            "the loss is gone already, but β is not near 0 yet; go on in this direction",
            when=lambda bias: -4.595 < float(bias) <= -0.33,
        ),
    ),
    otherwise="print torch.sigmoid of your number beside 0.5, which β_overall is here",
)


def _beta(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    tan = TemporalAttention(features.shape[1])
    tan.score.load_state_dict({"weight": weight[None], "bias": bias.reshape(1)})
    with torch.no_grad():
        out: Tensor = tan(features[None])[0][0]
    return out


EQ10 = Exercise(
    right=_beta,
    praise="one number a frame, between 0 and 1, and each frame judged on its own",
    inputs=[
        (draw(4, 3), draw(3, seed=1), torch.tensor(0.7)),
        (draw(6, 5, seed=2), draw(5, seed=3), torch.tensor(-1.0)),
    ],
    mistakes=(
        Mistake(
            lambda features, weight, bias: (features @ weight + bias).softmax(0),
            "your frames share a total of 1 and so compete; in Eq. 10 each stands alone",
        ),
        Mistake(
            lambda features, weight, bias: torch.sigmoid(features @ weight),
            "all is there but one term; look at what is added inside the sigmoid",
        ),
        Mistake(
            lambda features, weight, bias: features @ weight + bias,
            "this is the score; what brings it between 0 and 1?",
        ),
        Mistake(
            lambda features, weight, bias: torch.sigmoid(features.mean(0) @ weight + bias),
            "this is the score of the mean frame, which Eq. 11 calls β_overall",
        ),
        Mistake(
            lambda features, weight, bias: torch.sigmoid(features @ weight) + bias,
            "b_f goes into the sigmoid; can your β exceed 1?",
        ),
        Mistake(
            lambda features, weight, bias: torch.sigmoid(features @ weight - bias),
            "the size of b_f is right; look at its sign in Eq. 10",
        ),
    ),
    otherwise="the numbers differ; the toy has b_f = 0, so try it with another",
)

EQ11 = Exercise(
    right=temporal_spread,
    praise="zero once the least β of a clip lies m_1 below its β_overall",
    inputs=[
        (
            torch.tensor([[0.5, 0.5, 0.46], [0.9, 0.2, 0.7], [0.3, 0.31, 0.32]]),
            torch.tensor([0.49, 0.6, 0.31]),
            0.08,
        ),
        (torch.tensor([[0.8, 0.6], [0.55, 0.5]]), torch.tensor([0.7, 0.52]), 0.15),
    ],
    mistakes=(
        Mistake(
            lambda beta, overall, margin: (margin - (overall - beta.amax(1))).clamp_min(0).mean(),
            "which frame of a clip does Eq. 11 look at, the most or the least important?",
        ),
        Mistake(
            lambda beta, overall, margin: (margin - (beta.amin(1) - overall)).clamp_min(0).mean(),
            "try β_min far below β_overall: the loss should be 0 then, and yours grows",
        ),
        Mistake(
            lambda beta, overall, margin: (margin - (overall - beta.amin(1))).mean(),
            "a clip that does more than is asked earns a negative loss here; what does max do?",
        ),
        Mistake(
            lambda beta, overall, margin: (
                (margin - (beta.mean(1) - beta.amin(1))).clamp_min(0).mean()
            ),
            "you measure from the mean of β; β_overall is near it but is given to you as it is",
        ),
        Mistake(
            lambda beta, overall, margin: (margin - (overall - beta.amin())).clamp_min(0).mean(),
            "one least β for the whole batch? Each clip has its own",
        ),
        Mistake(
            lambda beta, overall, margin: (margin - (overall - beta.amin(1))).mean().clamp_min(0),
            "you average before the max; a clip that does well then pays for another",
        ),
        Mistake(
            lambda beta, overall, margin: (margin - (overall - beta.amin(1))).clamp_min(0),
            "one number a clip, and all of them right; the loss of a batch is their mean",
        ),
        Mistake(
            lambda beta, overall, margin: (margin - (overall - beta.amin(1))).clamp_min(0).sum(),
            "right for each clip; the loss of a batch is their mean, not their sum",
        ),
        Mistake(
            lambda beta, overall, margin: (beta.amin(1) - overall).clamp_min(0).mean(),
            "the least β only has to lie below β_overall here; by how much does Eq. 11 ask?",
        ),
    ),
    otherwise="the numbers differ; the toy is one clip of loss 0, so try two that have to pay",
)

ENOUGH = Exercise(
    right=0.504,
    praise="a frame a tenth below its neighbours is all that the loss asks for, whichever it is",
    tolerance=4e-4,
    mistakes=(
        Mistake(
            0.52,
            "near: the sixth frame lowers β_overall as well, since it belongs to the mean",
        ),
        Mistake(
            0.68,
            "that is above the others; β_min must lie below β_overall",
        ),
        Mistake(
            0.08,
            "that is the margin itself; how far below what must the sixth β lie?",
        ),
        Mistake(
            0.0,
            "there the loss is long zero; you are asked for the greatest β that still does it",
        ),
    ),
    otherwise="write the mean of five times 0.6 and b, subtract b, and set it equal to 0.08",
)


def check_bias(student: Any) -> Verdict:
    """A b_f that makes Eq. 11 zero with all β under 0.01, where β_overall leaves b_f out."""
    return BIAS.judge(student)


def check_eq10(student: Any) -> Verdict:
    """Eq. 10 as a function of F `[T, M]`, W_f `[M]` and b_f."""
    return EQ10.judge(student)


def check_eq11(student: Any) -> Verdict:
    """Eq. 11 as a function of β `[B, T]`, β_overall `[B]` and m_1."""
    return EQ11.judge(student)


def check_enough(student: Any) -> Verdict:
    """The greatest β of a sixth frame at which Eq. 11 is zero, five others at 0.6."""
    return ENOUGH.judge(student)


EXERCISES = {"bias": BIAS, "eq10": EQ10, "eq11": EQ11, "enough": ENOUGH}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
