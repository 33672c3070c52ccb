"""Exercises of notebook 02: Eq. 6, the evidence of a two-way head, Grad-CAM, and a big head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from w3an_lite.cam import activation_map

from .checker import Exercise, Mistake, Verdict, draw

CAM = Exercise(
    right=lambda cube, weight: activation_map(cube, weight[:, None, None]),
    praise="every position gets the score that it alone would earn",
    inputs=[
        (draw(2, 3, 4, 2), draw(3, seed=1)),
        (draw(1, 5, 2, 3, seed=2), draw(5, seed=3)),
    ],
    mistakes=(
        Mistake(
            lambda cube, weight: cube.mean((-2, -1)) @ weight,
            "that is the score of Eq. 5; which of its sums does Eq. 6 leave out?",
        ),
        Mistake(
            lambda cube, weight: cube * weight[:, None, None],
            "the products are right, one for each channel; what does Σ over k do to them?",
        ),
        Mistake(
            lambda cube, weight: (cube * weight[:, None, None]).mean(1),
            "the shares of the channels are averaged; Eq. 6 adds them up",
        ),
        Mistake(
            lambda cube, weight: activation_map(cube, weight[:, None, None]).relu(),
            "evidence against the class is gone; Eq. 6 has no ReLU, so a map may be negative",
        ),
        Mistake(
            lambda cube, weight: cube.mean(1) * weight.sum(),
            "all channels are mixed before they are weighed; each has a weight of its own",
        ),
    ),
)

EVIDENCE = Exercise(
    right=lambda weight: weight[1::2] - weight[0::2],
    praise="a two-way softmax sees only how much 'present' is ahead of 'absent'",
    inputs=[(draw(6, 4),), (draw(10, 3, seed=1),)],
    mistakes=(
        Mistake(
            lambda weight: weight[1::2],
            "these are the rows of 'present' alone; a feature that raises both rows alike is no "
            "evidence",
        ),
        Mistake(
            lambda weight: weight[0::2] - weight[1::2],
            "the difference is there, but is it evidence for the attribute or against it?",
        ),
        Mistake(
            lambda weight: weight[len(weight) // 2 :] - weight[: len(weight) // 2],
            "you take the rows as all 'absent' first, then all 'present'; read in the text how "
            "they alternate",
        ),
        Mistake(
            lambda weight: weight[0::2] + weight[1::2],
            "a softmax does not change when both logits rise together; does your answer?",
        ),
    ),
    otherwise="how much is the logit of 'present' ahead of that of 'absent', for each feature?",
)


def _slope(cube: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    leaf = cube.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(score(leaf).sum(), leaf)
    return slope


def _grad_cam(cube: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    return activation_map(cube, _slope(cube, score).mean((-2, -1), keepdim=True))


def _linear(cube: Tensor) -> Tensor:
    return cube.mean((-2, -1)) @ torch.linspace(-1, 2, cube.shape[1])


def _curved(cube: Tensor) -> Tensor:
    return cube.square().mean((-2, -1)) @ torch.linspace(1, -2, cube.shape[1])


GRADCAM = Exercise(
    right=_grad_cam,
    praise="a weight for each channel: how much the score would gain, averaged over positions",
    inputs=[(draw(2, 3, 4, 2), _linear), (draw(2, 4, 2, 3, seed=5), _curved)],
    mistakes=(
        Mistake(
            lambda cube, score: (_slope(cube, score) * cube).sum(1),
            "gradient times activation, place by place; Grad-CAM first averages the gradient "
            "of a channel over something",
        ),
        Mistake(
            lambda cube, score: activation_map(
                cube, _slope(cube, score).sum((-2, -1), keepdim=True)
            ),
            "right up to a factor: is the weight of a channel the sum of its gradient?",
        ),
        Mistake(
            lambda cube, score: _grad_cam(cube, score) / len(cube),
            "right for a single picture; a mean over the pictures makes each gradient smaller",
        ),
        Mistake(
            lambda cube, score: _grad_cam(cube, score).relu(),
            "asked for is the map before the ReLU",
        ),
        Mistake(
            lambda cube, score: _slope(cube, score).sum(1),
            "this is the gradient alone; where do the features themselves come in?",
        ),
        Mistake(
            lambda cube, score: activation_map(cube, _slope(cube, score).mean(1, keepdim=True)),
            "your weight is the same for all channels and differs between places; Grad-CAM's is "
            "the other way round",
        ),
    ),
    otherwise="the numbers differ; three steps: the gradient, one weight a channel, weigh the cube",
)

WEIGHTS = Exercise(
    right=625 * 512 * 7 * 7,
    praise="49 times the pooled head, because each of the 49 positions has weights of its own",
    mistakes=(
        Mistake(
            625 * 512, "that is the pooled head; what does flattening keep that pooling drops?"
        ),
        Mistake(
            625 * 512 * 224 * 224,
            "the head sees the cube, not the picture; how many positions does the cube have?",
        ),
        Mistake(512 * 7 * 7, "so many numbers go into each class; how many classes are there?"),
        Mistake(625 * 7 * 7, "right but for one axis of the cube; print its shape"),
        Mistake(625 * (512 * 7 * 7 + 1), "one a class too many: a bias is no weight of the cube"),
    ),
    tolerance=1e-9,
    otherwise="print the shape of the cube, then multiply everything that one class weighs",
)


def check_cam(student: Any) -> Verdict:
    """Eq. 6 as a function of a cube `[N, M, h, w]` and weights `[M]`: `[N, h, w]`."""
    return CAM.judge(student)


def check_evidence(student: Any) -> Verdict:
    """Weights `[2A, M]` of two-way heads, absent and present by turns, to evidence `[A, M]`."""
    return EVIDENCE.judge(student)


def check_gradcam(student: Any) -> Verdict:
    """Grad-CAM before its ReLU: cube `[N, M, h, w]` and a score function to `[N, h, w]`."""
    return GRADCAM.judge(student)


def check_weights(student: Any) -> Verdict:
    """How many weights the flattened identity head has at the paper's scale."""
    return WEIGHTS.judge(student)


EXERCISES = {"cam": CAM, "evidence": EVIDENCE, "gradcam": GRADCAM, "weights": WEIGHTS}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
