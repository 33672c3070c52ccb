"""Exercises of notebook 09: move a clip, Eq. 9, Eq. 16, and a weight of Eq. 17."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from w3an_lite.losses import attribute_loss, identity_loss, triplet_loss

from .checker import Exercise, Mistake, Verdict, as_numbers, draw


def _loss_at(place: Any) -> float:
    """Eq. 16 with clip B1 at `place`, as in the notebook."""
    point = torch.as_tensor(place, dtype=torch.float64)
    others = torch.tensor([[0.0, 0.0], [0.2, 0.0], [1.4, 0.0]], dtype=torch.float64)
    points = torch.stack([*others, point])
    return triplet_loss(points, torch.tensor([0, 0, 1, 1])).item()


_NOTHING = 1e-6
"""A loss below this is rounding."""


def _is_zero(place: Any) -> bool | str:
    if as_numbers(place).shape != (2,):
        return "a place in the plane is a pair, (x, y)"
    loss = _loss_at(place)
    if math.isnan(loss):
        return "your place holds a value that is not a number"
    return loss < _NOTHING


def _apart(place: Any, other: tuple[float, float]) -> float:
    return math.dist(torch.as_tensor(place, dtype=torch.float32).tolist(), other)


MOVE = Exercise(
    right=(1.3, 0.0),
    praise="each clip has its partner nearer than the nearest stranger, by 0.55 and more",
    accepts=_is_zero,
    mistakes=(
        Mistake(
            (0.2, 0.0),
            "it lies on a clip of person A now; who is the nearest stranger of that clip?",
            lambda place: min(_apart(place, (0.2, 0.0)), _apart(place, (0.0, 0.0))) < 0.05,
        ),
        Mistake(
            (9.0, 0.0),
            "far from A, which is half of it; but how far is it from its own partner B2?",
            lambda place: _apart(place, (1.4, 0.0)) > 0.7 and _apart(place, (0.2, 0.0)) > 0.8,
        ),
        Mistake(
            (1.0, 0.0),
            "nearly; one anchor still pays: work out the brackets of all four",
            lambda place: _NOTHING <= _loss_at(place) < 0.05,
        ),
        Mistake(
            (0.6, 0.0),
            "it stands too near to person A; Eq. 16 wants a gap of 0.55",
            lambda place: _apart(place, (0.2, 0.0)) <= 0.8,
        ),
    ),
    otherwise="check all four anchors: 0.55 + distance to the partner − distance to a stranger",
)


def _eq9(identity_logits: Tensor, person: int, logits: Tensor, labels: Tensor) -> Tensor:
    who = identity_loss(identity_logits[None], torch.tensor([person]))
    return who + attribute_loss(logits[None], labels[None])


def _who(logits: Tensor, person: int) -> Tensor:
    """-log p of the right person in each frame, `[T]`."""
    return -logits.log_softmax(-1)[:, person]


def _picked(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p of the right answer of each attribute in each frame, `[T, A]`."""
    chance = logits.log_softmax(-1)
    right = labels.long().expand(len(logits), -1)
    return -chance.gather(-1, right.unsqueeze(-1)).squeeze(-1)


def _second(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of label 1's logit alone, `[T, A]`."""
    return -functional.logsigmoid(logits[..., 1] * (2 * labels - 1))


EQ9 = Exercise(
    right=_eq9,
    praise="one term for who it is and one for each attribute, added up, averaged over frames",
    inputs=[
        (draw(3, 4, seed=2), 2, draw(3, 5, 2), torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0])),
        (draw(2, 6, seed=3), 0, draw(2, 4, 2, seed=1) * 3, torch.tensor([0.0, 1.0, 1.0, 1.0])),
    ],
    mistakes=(
        Mistake(
            lambda w, p, a, y: _picked(a, y).sum(-1).mean(),
            "the attributes alone; the first term of Eq. 9 asks who it is",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).mean(),
            "the identity alone; the Σ of Eq. 9 asks for each attribute as well",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).mean() + _picked(a, y).mean(),
            "this takes the mean over attributes; the Σ of Eq. 9 has no division behind it",
        ),
        Mistake(
            lambda w, p, a, y: torch.cat([_who(w, p)[:, None], _picked(a, y)], -1).mean(),
            "this takes the mean over all tasks; the + and the Σ of Eq. 9 have no division",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).sum() + _picked(a, y).sum(),
            "tasks are added up, frames are not; a longer clip should not cost more",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).mean() + _picked(a, y).sum(),
            "the identity is averaged over frames here, the attributes are added up over them",
        ),
        Mistake(
            lambda w, p, a, y: (_who(w, p)[:, None] + _picked(a, y)).sum(-1).mean(),
            "the identity is counted once for each attribute; it is one task of its own",
        ),
        Mistake(
            lambda w, p, a, y: _picked(a, y).sum(-1).mean() - _who(w, p).mean(),
            "a wrong answer to who it is lowers your loss, even below 0: mind the sign of a log",
        ),
        Mistake(
            lambda w, p, a, y: -(_who(w, p) + _picked(a, y).sum(-1)).mean(),
            "your loss is below 0, and worse answers lower it: mind the sign of a log",
        ),
        Mistake(
            lambda w, p, a, y: _picked(a, y).sum(-1).mean() - w[:, p].mean(),
            "a logit is no chance yet; the other persons' logits count as well, by the softmax",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).mean() + _picked(a, 1 - y).sum(-1).mean(),
            "a right answer about an attribute costs much here; which logit belongs to label 1?",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).mean() + _second(a, y).sum(-1).mean(),
            "one logit decides about an attribute here; the softmax compares it with the other",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).mean() + (_picked(a, y) * y).sum(-1).mean(),
            "only attributes that are present count here; an absent hat is an answer too",
        ),
        Mistake(
            lambda w, p, a, y: _eq9(w.softmax(-1), p, a, y),
            "the identity had two softmaxes; `cross_entropy` and `log_softmax` bring their own",
        ),
        Mistake(
            lambda w, p, a, y: _who(w, p).mean() + _second(a.softmax(-1), y).sum(-1).mean(),
            "a chance went where a logit is wanted: `..._with_logits` does the sigmoid itself",
        ),
        Mistake(
            lambda w, p, a, y: _eq9(w.mean(0, keepdim=True), p, a.mean(0, keepdim=True), y),
            "frames become one before they are judged; each frame answers, and then comes the mean",
        ),
    ),
)


def _hinges(
    embedding: Tensor, identity: Tensor, hardest: bool = True, square: bool = False
) -> Tensor:
    """margin + positive - negative for each anchor, before the hinge."""
    distance = torch.cdist(embedding, embedding, compute_mode="donot_use_mm_for_euclid_dist")
    distance = distance.square() if square else distance
    same = identity[:, None] == identity[None]
    other = same & ~torch.eye(len(identity), dtype=torch.bool)
    if hardest:
        near = distance.masked_fill(same, torch.inf).amin(1)
        return 0.55 + distance.masked_fill(~other, -torch.inf).amax(1) - near
    far = distance.masked_fill(same, -torch.inf).amax(1)
    return 0.55 + distance.masked_fill(~other, torch.inf).amin(1) - far


def _soft_mean(embedding: Tensor, identity: Tensor) -> Tensor:
    distance = torch.cdist(embedding, embedding, compute_mode="donot_use_mm_for_euclid_dist")
    same = (identity[:, None] == identity[None]).float()
    other = same - torch.eye(len(identity))
    apart = (distance * (1 - same)).sum(1) / (1 - same).sum(1)
    return (0.55 + (distance * other).sum(1) / other.sum(1) - apart).clamp_min(0).mean()


def _own_is_near(embedding: Tensor, identity: Tensor) -> Tensor:
    """Eq. 16 with a mask by multiplication, which leaves a 0 where the minimum is sought."""
    distance = torch.cdist(embedding, embedding, compute_mode="donot_use_mm_for_euclid_dist")
    same = identity[:, None] == identity[None]
    return (0.55 + (distance * same).amax(1) - (distance * ~same).amin(1)).clamp_min(0).mean()


def _paying(hinges: Tensor) -> Tensor:
    return hinges[hinges > 0]


_PEOPLE = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])

EQ16 = Exercise(
    right=triplet_loss,
    praise="for each anchor its farthest own clip and its nearest stranger, and the hinge",
    inputs=[
        (draw(9, 2) + 4 * (_PEOPLE == 2)[:, None], _PEOPLE),
        (draw(9, 4, seed=5), _PEOPLE[[4, 0, 7, 2, 8, 5, 1, 3, 6]]),
    ],
    mistakes=(
        Mistake(
            _own_is_near,
            "a clip of the anchor's own person ends up as its nearest stranger; print the "
            "distances that go into your minimum",
        ),
        Mistake(
            lambda embedding, identity: _paying(_hinges(embedding, identity)).mean(),
            "your mean is over the anchors that still pay; here those that are done count as 0",
        ),
        Mistake(
            lambda embedding, identity: (
                _hinges(embedding, identity, hardest=False).clamp_min(0).mean()
            ),
            "you mine the easy ones: max and min have changed places",
        ),
        Mistake(
            lambda embedding, identity: _hinges(embedding, identity).mean(),
            "an anchor that is better than asked lowers your loss; what does [ ]₊ mean?",
        ),
        Mistake(
            lambda embedding, identity: (
                _hinges(embedding, identity, square=True).clamp_min(0).mean()
            ),
            "Eq. 16 has distances without a square",
        ),
        Mistake(
            lambda embedding, identity: (
                _hinges(embedding, identity).clamp_min(0).sum() / len(set(identity.tolist()))
            ),
            "added over all clips but divided by the number of persons; the reading asked for "
            "here is the mean over all anchors",
        ),
        Mistake(
            lambda embedding, identity: triplet_loss(embedding, identity, normalise=True),
            "you brought the embeddings to length 1; here they are taken as they are",
        ),
        Mistake(
            lambda embedding, identity: triplet_loss(embedding, identity, anchors="identity"),
            "the worst anchor of each person is the other reading; here all anchors count",
        ),
        Mistake(
            _soft_mean,
            "you average the distances; the max and the min pick one clip each",
        ),
    ),
)

GAMMA = Exercise(
    right=0.35 * 0.8 / 40,
    praise="terms of very different size need weights of very different size",
    tolerance=1e-4,
    mistakes=(
        Mistake(0.35 / 40, "the raw triplet loss is not 1; it stands beside its weight γ_4"),
        Mistake(0.15, "this is the paper's; with it, which of the two weighted terms is larger?"),
        Mistake(0.02, "0.02 · 40 is the raw triplet loss; in Eq. 17 that one has a weight as well"),
        Mistake(17.5, "the quotient stands on its head: the larger term needs the smaller weight"),
        Mistake(0.35, "equal weights make equal terms only if the raw values are equal"),
    ),
    otherwise="write γ_2 · 40 = γ_4 · 0.8 and solve it",
)


def check_move(student: Any) -> Verdict:
    """A place (x, y) for clip B1 at which Eq. 16 is zero."""
    return MOVE.judge(student)


def check_eq9(student: Any) -> Verdict:
    """Eq. 9 as a function of logits `[T, I]`, a person, logits `[T, A, 2]` and labels `[A]`."""
    return EQ9.judge(student)


def check_eq16(student: Any) -> Verdict:
    """Eq. 16 over all anchors as a function of embeddings `[B, D]` and labels `[B]`, m_2 0.55."""
    return EQ16.judge(student)


def check_gamma(student: Any) -> Verdict:
    """The γ_2 at which two terms of Eq. 17 weigh the same."""
    return GAMMA.judge(student)


EXERCISES = {"move": MOVE, "eq9": EQ9, "eq16": EQ16, "gamma": GAMMA}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
