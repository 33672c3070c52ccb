"""Exercises of notebook 08: the matrix of Eq. 14, one layer, and what β takes from a frame."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w3an_lite.gcn import propagation
from w3an_lite.knn_graph import add_attention, knn_adjacency

from .checker import Exercise, Mistake, Verdict, draw


def _graph(features: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    joined = knn_adjacency(features[None], neighbours)
    beta = torch.linspace(0.1, 0.8, features.shape[0])[None]
    return joined[0], add_attention(joined, beta)[0]


_LONELY = torch.tensor([[0.0], [1.0], [3.0], [10.0]])
_GRAPHS = [_graph(_LONELY, 2), _graph(draw(7, 3), 3), _graph(draw(5, 2, seed=1), 2)]


def _printed(joined: Tensor, adjacency: Tensor) -> Tensor:
    scale = joined.sum(-1).pow(-0.5)
    return scale[:, None] * adjacency * scale[None]


def _has_nan(answer: Any) -> bool:
    """Right wherever it is a number, and somewhere it is none."""
    outs = [torch.as_tensor(answer(*graph)).double() for graph in _GRAPHS]
    right = [_right(*graph).double() for graph in _GRAPHS]
    finite = [out.nan_to_num(0.0, 0.0, 0.0) for out in outs]
    broken = not all(bool(out.isfinite().all()) for out in outs)
    return broken and all(map(torch.allclose, finite, right))


def _right(joined: Tensor, adjacency: Tensor) -> Tensor:
    return propagation(joined[None], adjacency[None])[0]


def _rows(joined: Tensor, adjacency: Tensor) -> Tensor:
    degree = joined.sum(-1, keepdim=True)
    return torch.where(degree > 0, adjacency / degree, torch.zeros_like(adjacency))


def _powers(joined: Tensor, adjacency: Tensor, power: float, least: float = 0.0) -> Tensor:
    """D to another power on both sides, of a frame alone 0, or that of `least`."""
    degree = joined.sum(-1).clamp_min(least)
    scale = torch.where(degree > 0, degree.pow(power), torch.zeros_like(degree))
    return scale[:, None] * adjacency * scale[None]


PROPAGATION = Exercise(
    right=_right,
    praise="symmetric, and a lonely frame has a row and a column of zeros",
    inputs=_GRAPHS,
    mistakes=(
        Mistake(
            _printed,
            "right until a frame is alone: 1/√0 is infinite, and infinity times 0 is not a number",
            _has_nan,
        ),
        Mistake(
            lambda joined, adjacency: propagation(joined[None], adjacency[None], "weighted")[0],
            "this is the other reading: you sum the rows of Ã; which matrix does the paper sum?",
        ),
        Mistake(
            _rows,
            "each row is divided by its degree, which is not symmetric; D stands on both sides",
        ),
        Mistake(
            lambda joined, adjacency: propagation(joined[None], joined[None])[0],
            "β is missing: which of your two inputs stands between the two D?",
        ),
        Mistake(
            lambda joined, adjacency: _powers(joined, adjacency, -1.0),
            "each D has the power −1/2: a degree of 4 divides by 2 on each side",
        ),
        Mistake(
            lambda joined, adjacency: _powers(joined, adjacency, -0.5, least=1.0),
            "no nan, but the lonely frame still hears itself; a row and a column of zeros are "
            "asked for",
        ),
        Mistake(
            lambda joined, adjacency: adjacency,
            "this is Ã itself; a frame with many neighbours would grow with every layer",
        ),
    ),
)


def _spread(frames: int, seed: int = 0) -> Tensor:
    joined, adjacency = _graph(draw(frames, 3, seed=seed), 2)
    return propagation(joined[None], adjacency[None])[0]


LAYER = Exercise(
    right=lambda spread, features, weight: torch.relu(spread @ features @ weight),
    praise="linear layer, neighbours, σ: one step of Eq. 14",
    inputs=[
        (_spread(6), draw(6, 4, seed=2), draw(4, 4, seed=3)),
        (_spread(5, 1), draw(5, 3, seed=4), draw(3, 3, seed=5)),
    ],
    mistakes=(
        Mistake(
            lambda spread, features, weight: spread @ features @ weight,
            "linear so far; what does σ do to negative values?",
        ),
        Mistake(
            lambda spread, features, weight: spread @ torch.relu(features @ weight),
            "σ comes too early: it stands around the whole product",
        ),
        Mistake(
            lambda spread, features, weight: torch.relu(spread @ features @ weight.T),
            "the weight is turned over; nn.Linear keeps it so, Eq. 14 does not",
        ),
        Mistake(
            lambda spread, features, weight: torch.relu(features @ weight),
            "every frame stays by itself; who brings the neighbours in?",
        ),
        Mistake(
            lambda spread, features, weight: torch.relu(spread @ features),
            "the neighbours are there; where is W_g?",
        ),
        Mistake(
            lambda spread, features, weight: torch.relu(spread @ features) @ weight,
            "σ comes before W_g here; it stands around the whole product",
        ),
        Mistake(
            lambda spread, features, weight: features + torch.relu(spread @ features @ weight),
            "the frame itself is added, which is a repair; Eq. 14 as printed has no such term",
        ),
    ),
    otherwise="the numbers differ; the toy has W = 1 and nothing negative, so try a 2×2 weight "
    "with a minus in it",
)

RATIO = Exercise(
    right=0.9,
    praise="β = 0 costs the frame one entry of ten; its neighbours carry the other nine on",
    tolerance=1e-3,
    mistakes=(
        Mistake(
            0.0,
            "its diagonal entry is 0, but add up the rest of its column",
        ),
        Mistake(
            0.1,
            "that is near what it loses; which share is left?",
        ),
        Mistake(
            1.0,
            "β does a little: compare the diagonal entries of the two columns",
        ),
        Mistake(
            1 / 0.9,
            "you divided the other way round",
        ),
    ),
    otherwise="add up two columns of P with D from A, every degree 9, and divide them",
)


def check_propagation(student: Any) -> Verdict:
    """D^(-1/2) Ã D^(-1/2) from A and Ã `[T, T]`, with D from A and 1/√0 := 0."""
    return PROPAGATION.judge(student)


def check_layer(student: Any) -> Verdict:
    """One step of Eq. 14 from P `[T, T]`, F `[T, M]` and W `[M, M]`, with ReLU."""
    return LAYER.judge(student)


def check_ratio(student: Any) -> Verdict:
    """The share of the frame with β = 0, divided by that of another."""
    return RATIO.judge(student)


EXERCISES = {"propagation": PROPAGATION, "layer": LAYER, "ratio": RATIO}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
