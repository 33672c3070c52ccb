"""Exercises of notebook 03: the attribute loss, weights for rare ones, MMD, and log-odds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from w3an_lite.losses import attribute_loss
from w3an_lite.transfer import mmd, rarity_weights

from .checker import Exercise, Mistake, Verdict, draw


def _terms(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy `[B, T, A]`, unknown labels read as 0."""
    target = labels.clamp_min(0).unsqueeze(1).expand(-1, logits.shape[1], -1)
    difference = logits[..., 1] - logits[..., 0]
    return functional.binary_cross_entropy_with_logits(difference, target, reduction="none")


def _known(logits: Tensor, labels: Tensor) -> Tensor:
    return (labels >= 0).unsqueeze(1).expand(-1, logits.shape[1], -1)


LOSS = Exercise(
    right=attribute_loss,
    praise="each frame sums over what is known of it, and frames are averaged",
    inputs=[
        (draw(2, 3, 4, 2), torch.tensor([[1.0, 0.0, -1.0, 1.0], [0.0, -1.0, -1.0, 1.0]])),
        (draw(1, 2, 5, 2, seed=1), torch.tensor([[-1.0, 1.0, 0.0, 0.0, 1.0]])),
    ],
    mistakes=(
        Mistake(
            lambda logits, labels: _terms(logits, labels).sum(-1).mean(),
            "a label of −1 was charged as if it said 'absent'; what should it add?",
        ),
        Mistake(
            lambda logits, labels: attribute_loss(logits, labels, "mean"),
            "you divide by the number of known attributes; Eq. 9 does not",
        ),
        Mistake(
            lambda logits, labels: (_terms(logits, labels) * _known(logits, labels)).mean(),
            "your mean runs over attributes as well; Eq. 9 adds those up",
        ),
        Mistake(
            lambda logits, labels: _terms(logits, labels)[_known(logits, labels)].mean(),
            "you average over all that is known; a frame costs a sum, and frames are averaged",
        ),
        Mistake(
            lambda logits, labels: (_terms(logits, labels) * _known(logits, labels)).sum(),
            "the sum runs over frames and clips as well; those are averaged here",
        ),
        Mistake(
            lambda logits, labels: attribute_loss(
                torch.stack([0 * logits[..., 0], logits[..., 1]], -1), labels
            ),
            "you read the logit of 'present' alone; what does the softmax compare it with?",
        ),
        Mistake(
            lambda logits, labels: (
                (_terms(logits, labels) * _known(logits, labels)).sum((-1, -2)).mean()
            ),
            "the frames of a clip are added up; over what is the mean?",
        ),
        Mistake(
            lambda logits, labels: (
                (_terms(logits, labels) * (labels > 0).unsqueeze(1)).sum(-1).mean()
            ),
            "a label of 0 is known, too; only −1 adds nothing",
        ),
        Mistake(
            lambda logits, labels: attribute_loss(logits.flip(-1), labels),
            "it punishes right answers; which of the two logits stands for 'present'?",
        ),
    ),
)


def _present(labels: Tensor) -> Tensor:
    return rarity_weights(labels)[0]


def _share(labels: Tensor) -> Tensor:
    known = labels >= 0
    return (labels * known).sum(0) / known.sum(0)


_SOME = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, -1.0]])
_MORE = torch.tensor(
    [[1.0, 0.0, 1.0], [0.0, -1.0, 1.0], [0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
)

RARITY = Exercise(
    right=_present,
    praise="the ones of an attribute weigh as much together as its zeros do",
    inputs=[(_SOME,), (_MORE,)],
    mistakes=(
        Mistake(
            lambda labels: 1 / (2 * labels.mean(0)),
            "the −1 of unknown labels went into your mean; count only what is known",
        ),
        Mistake(
            lambda labels: 1 / (2 * (labels == 1).double().mean(0)),
            "the ones are counted rightly, but the share is one of known labels, not of all",
        ),
        Mistake(
            lambda labels: 1 / _share(labels),
            "right up to a factor: what weight should an attribute get that half the people have?",
        ),
        Mistake(
            lambda labels: _share(labels) / 2,
            "you multiply by the share; a rare attribute would then count less, not more",
        ),
        Mistake(
            lambda labels: 1 / (2 * (1 - _share(labels))),
            "this is the weight of a label 0; rare attributes would count less",
        ),
    ),
    otherwise="with p the share of ones among the known labels, a one weighs 1 / 2p",
)


def _blocks(
    source: Tensor, target: Tensor, twice: Callable[[Tensor], Tensor] = lambda v: 2 * v
) -> tuple[Tensor, Tensor, Tensor]:
    """Kernel of scale 1 within the source, within the target, and across.

    twice: makes of σ² what the squared distances are divided by.
    """
    both = torch.cat([source, target])
    square = (both.unsqueeze(1) - both.unsqueeze(0)).square().sum(-1)
    other = ~torch.eye(len(both), dtype=torch.bool)
    kernel = torch.exp(-square / twice(square[other].median()))
    n = len(source)
    return kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]


def _one_cross(source: Tensor, target: Tensor) -> Tensor:
    own, its, cross = _blocks(source, target)
    return own.mean() + its.mean() - cross.mean()


def _sums(source: Tensor, target: Tensor) -> Tensor:
    own, its, cross = _blocks(source, target)
    return own.sum() + its.sum() - 2 * cross.sum()


def _without_two(source: Tensor, target: Tensor) -> Tensor:
    own, its, cross = _blocks(source, target, lambda v: v)
    return own.mean() + its.mean() - 2 * cross.mean()


def _without_brackets(source: Tensor, target: Tensor) -> Tensor:
    own, its, cross = _blocks(source, target, lambda v: 2 / v)
    return own.mean() + its.mean() - 2 * cross.mean()


def _unbiased(source: Tensor, target: Tensor) -> Tensor:
    own, its, cross = _blocks(source, target)
    first, second = ((k.sum() - len(k)) / (len(k) * (len(k) - 1)) for k in (own, its))
    return first + second - 2 * cross.mean()


def _means(source: Tensor, target: Tensor) -> Tensor:
    return (source.mean(0) - target.mean(0)).square().sum()


MMD = Exercise(
    right=lambda source, target: mmd(source, target, (1.0,)),
    praise="0 for equal samples, and it sees more of a difference than the means do",
    inputs=[
        (draw(4, 3), draw(5, 3, seed=1) + 1),
        (draw(3, 2, seed=2), 2 * draw(6, 2, seed=3)),
    ],
    mistakes=(
        Mistake(
            _one_cross,
            "identical samples should give 0; what do three equal means add up to here?",
        ),
        Mistake(
            _sums,
            "sums grow with the number of rows; each of the three terms is a mean",
        ),
        Mistake(
            _without_two,
            "the three means are right; look again at what the exponent is divided by",
        ),
        Mistake(
            _without_brackets,
            "a / 2 * b multiplies by b; put the whole divisor 2r² in brackets",
        ),
        Mistake(
            _unbiased,
            "you left out that a row meets itself; a fair estimate, but it may fall below 0, and "
            "the library keeps the diagonal",
        ),
        Mistake(
            _means,
            "this is the distance of the two means; samples of equal mean and different spread "
            "would count as equal",
        ),
        Mistake(
            lambda source, target: mmd(source, target, (1.0,)).clamp_min(0).sqrt(),
            "the squared discrepancy is asked for",
        ),
    ),
)

GAP = Exercise(
    right=math.log(9),
    praise="the sigmoid of the difference is the probability, so the difference is its log-odds",
    tolerance=5e-3,
    mistakes=(
        Mistake(9.0, "these are the odds, nine to one; a softmax takes exponentials first"),
        Mistake(0.9, "that is the probability asked for; which difference gives it?"),
        Mistake(-math.log(9), "the size is right; which of the two classes is ahead?"),
        Mistake(math.log10(9), "right but for the base: the softmax takes powers of e"),
        Mistake(math.log2(9), "right but for the base, which is not 2: softmax takes powers of e"),
        Mistake(math.log(0.9), "the probability is e to the 1 over a sum of two; write both out"),
    ),
    otherwise="write the two-way softmax with logits 0 and d, set it to 0.9 and solve for d",
)


def check_loss(student: Any) -> Verdict:
    """Attribute loss of logits `[B, T, A, 2]` and labels `[B, A]`, -1 unknown."""
    return LOSS.judge(student)


def check_rarity(student: Any) -> Verdict:
    """Weights `[A]` of the labels 1 among labels `[N, A]`, -1 unknown."""
    return RARITY.judge(student)


def check_mmd(student: Any) -> Verdict:
    """Squared MMD of features `[n, D]` and `[m, D]` with one kernel of the median width."""
    return MMD.judge(student)


def check_gap(student: Any) -> Verdict:
    """How far 'present' must be ahead for a probability of 0.9."""
    return GAP.judge(student)


EXERCISES = {"loss": LOSS, "rarity": RARITY, "mmd": MMD, "gap": GAP}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
