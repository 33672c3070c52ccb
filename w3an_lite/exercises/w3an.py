"""Exercises of notebook 10: the order of the rooms, from F to F^v, chance, and the schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from w3an_lite.gcn import GCN, propagation, readout
from w3an_lite.knn_graph import add_attention, knn_adjacency
from w3an_lite.recipe import Recipe

from .checker import Exercise, Mistake, Verdict, draw


def _before(early: int, late: int) -> Callable[[Any], bool]:
    """Whether an order of lines has `early` before `late`."""
    return lambda order: list(order).index(early) < list(order).index(late)


ORDER = Exercise(
    right=[4, 2, 6, 1, 7, 3, 5],
    praise="each line uses only what the lines before it have made",
    mistakes=(
        Mistake(
            [3, 1, 5, 0, 6, 2, 4],
            "count the lines from 1, as they are numbered",
            when=lambda order: 0 in list(order),
        ),
        Mistake(
            [4, 2, 6, 1, 7, 3],
            "each of the seven lines once, please",
            when=lambda order: sorted(int(line) for line in order) != list(range(1, 8)),
        ),
        Mistake(
            [4, 6, 2, 1, 7, 3, 5],
            "F_t is a weighted sum, and you take it before there are weights",
            when=_before(6, 2),
        ),
        Mistake(
            [4, 2, 1, 6, 7, 3, 5],
            "β stands before F_t in your order; what does Eq. 10 read?",
            when=_before(1, 6),
        ),
        Mistake(
            [4, 2, 6, 7, 1, 3, 5],
            "the graph is drawn before β is known; what lies on the diagonal of Ã?",
            when=_before(7, 1),
        ),
        Mistake(
            [4, 2, 6, 1, 7, 5, 3],
            "you read out before the graph convolution; which nodes does Eq. 15 average?",
            when=_before(5, 3),
        ),
    ),
    otherwise="write beside each line what it reads and what it makes, then chain them",
)


def _vector(features: Tensor, beta: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Eq. 12-15 by the library with the weights `[M, M]` of two layers and K = 2."""
    gcn = GCN(features.shape[-1], layers=2)
    weights = {"weights.0.weight": first.T, "weights.1.weight": second.T}
    gcn.load_state_dict(weights)
    joined = knn_adjacency(features, neighbours=2)
    with torch.no_grad():
        nodes: Tensor = gcn(features, propagation(joined, add_attention(joined, beta)))
    return readout(nodes, beta)


def _chain(
    features: Tensor,
    beta: Tensor,
    first: Tensor,
    second: Tensor,
    *,
    loops: bool = True,
    scaled: bool = True,
    relu: bool = True,
    last_relu: bool = True,
    anew: bool = False,
    layers: int = 2,
    how: str = "mean",
    degree: str = "adjacency",
) -> Tensor:
    joined = knn_adjacency(features, neighbours=2)
    graph = add_attention(joined, beta) if loops else joined
    spread = propagation(joined, graph, degree) if scaled else graph
    for step, weight in enumerate((first, second)[:layers]):
        if anew and step:
            joined = knn_adjacency(features, neighbours=2)
            spread = propagation(joined, add_attention(joined, beta))
        features = spread @ features @ weight
        features = features.relu() if relu and (last_relu or not step) else features
    return readout(features, beta, how)


_ONE = (draw(1, 5, 3), draw(1, 5, seed=1).sigmoid(), draw(3, 3, seed=2), draw(3, 3, seed=3))
_TWO = (draw(2, 6, 4, seed=4), draw(2, 6, seed=5).sigmoid(), draw(4, 4, seed=6))

VECTOR = Exercise(
    right=_vector,
    praise="graph, β on its diagonal, two convolutions, mean: from frames to one vector",
    inputs=[_ONE, (*_TWO, draw(4, 4, seed=7))],
    mistakes=(
        Mistake(
            lambda *given: _chain(*given, loops=False),
            "your vector does not depend on β; where does Eq. 13 put it?",
        ),
        Mistake(
            lambda *given: _chain(*given, scaled=False),
            "a frame with many neighbours grows here; what stands on either side of Ã in Eq. 14?",
        ),
        Mistake(
            lambda *given: _chain(*given, degree="weighted"),
            "D of Ã is the repair; as printed, D is that of A",
        ),
        Mistake(
            lambda *given: _chain(*given) * given[0].shape[1],
            "this is the sum over the frames; Eq. 15 takes their mean",
        ),
        Mistake(
            lambda *given: _chain(*given, relu=False),
            "two layers without σ between them are one linear map",
        ),
        Mistake(
            lambda *given: _chain(*given, last_relu=False),
            "one σ is missing; it is wanted after both layers, the last included",
        ),
        Mistake(
            lambda *given: _chain(*given, anew=True),
            "you draw the graph a second time between the layers; it is made once, from F",
        ),
        Mistake(
            lambda *given: _chain(*given, layers=1),
            "one layer is missing; both weight matrices are given to you",
        ),
        Mistake(
            lambda *given: _chain(*given, how="beta"),
            "you weight the readout by β, which is the repair; Eq. 15 as printed does not",
        ),
    ),
)

CHANCE = Exercise(
    right=2 / 94,
    praise="two right tracklets among the 94 that the camera rule leaves",
    tolerance=1e-4,
    mistakes=(
        Mistake(
            2 / 96,
            "near; the query itself is in the gallery. What does the camera rule take out?",
        ),
        Mistake(
            4 / 96,
            "one person in 24, or four tracklets of 96: but two of the four share the query's "
            "camera, and what does the camera rule do with them?",
        ),
        Mistake(
            4 / 94,
            "the gallery is right; but which of the four tracklets of the person are still in it?",
        ),
        Mistake(
            2 / 95,
            "the query is left out; which other tracklet has its person and its camera?",
            when=lambda chance: abs(float(chance) - 2 / 95) < 1e-5,
        ),
        Mistake(
            0.021,
            "near, but a count that is wrong by one lies as near; give the fraction itself, a / b",
            when=lambda chance: 0.0205 <= float(chance) < 0.022,
        ),
        Mistake(1 / 94, "how many tracklets of the person does the other camera have?"),
    ),
    otherwise="count what the camera rule leaves for one query, and how many of it are right",
)


def _rates() -> tuple[float, float]:
    """The learning rates of the paper's schedule, summed over all epochs and the second half."""
    recipe = Recipe()
    rates = [recipe.rate(epoch) for epoch in range(recipe.epochs)]
    return sum(rates), sum(rates[recipe.epochs // 2 :])


def _second_half() -> float:
    whole, half = _rates()
    return half / whole


HALF = Exercise(
    right=_second_half(),
    praise="150 of 300 epochs move the weights by about a thousandth of the way",
    tolerance=5e-7,
    mistakes=(
        Mistake(
            _rates()[1],
            "this is the sum over the second half; which share of the whole sum is it?",
            when=lambda share: abs(float(share) - _rates()[1]) < 5e-6,
        ),
        Mistake(
            0.5,
            "that is the second half of the time; add up the learning rates instead",
        ),
        Mistake(
            1 - _second_half(),
            "this is the share of the first half",
        ),
        Mistake(
            0.001,
            "0.001 is the rate at epoch 150 beside the first, or a share that is rounded; give the "
            "share of the sums to five digits",
            when=lambda share: abs(float(share) - 1e-3) < 1e-7,
        ),
        Mistake(
            _rates()[1] / (_rates()[0] - _rates()[1]),
            "this is the second half beside the first; which share of the whole sum is it?",
        ),
        Mistake(
            100 * _second_half(),
            "the right share, in per cent; give it as a number from 0 to 1",
            when=lambda share: abs(float(share) - 100 * _second_half()) < 1e-4,
        ),
        Mistake(
            0.00098,
            "near: are all 150 epochs in it, and no other?",
            when=lambda share: 0.00095 < float(share) < 0.00105,
        ),
        Mistake(
            0.001 * 0.5,
            "the rate at epoch 150 is a thousandth of the first; but what share of the sum do all "
            "150 rates have?",
        ),
    ),
    otherwise="sum recipe.rate(epoch) over epochs 150 to 299, and divide by the sum over all 300",
)


def check_order(student: Any) -> Verdict:
    """The seven lines of Algorithm 1 in order, a list of numbers from 1."""
    return ORDER.judge(student)


def check_vector(student: Any) -> Verdict:
    """Eq. 12-15: F `[B, T, M]`, β `[B, T]`, two weights `[M, M]` -> F^v `[B, M]`, with K = 2."""
    return VECTOR.judge(student)


def check_chance(student: Any) -> Verdict:
    """Rank-1 of random features in this notebook's search."""
    return CHANCE.judge(student)


def check_half(student: Any) -> Verdict:
    """The share of the summed learning rate in the second half of the paper's schedule."""
    return HALF.judge(student)


EXERCISES = {"order": ORDER, "vector": VECTOR, "chance": CHANCE, "half": HALF}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
