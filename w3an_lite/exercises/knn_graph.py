"""Exercises of notebook 07: the mutual neighbours, Eq. 12-13, and a K that leaves nobody alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w3an_lite.knn_graph import add_attention, knn_adjacency

from .checker import Exercise, Mistake, Verdict


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def _joined(features: Tensor, neighbours: int, **options: Any) -> Tensor:
    return knn_adjacency(features[None], neighbours, **options)[0]


def _names(features: Tensor, neighbours: int, self_counts: bool = False, far: bool = False) -> Any:
    distance = torch.cdist(features, features)
    if not self_counts:
        distance.fill_diagonal_(-torch.inf if far else torch.inf)
    nearest = distance.argsort(-1, descending=far)[:, :neighbours]
    return torch.zeros_like(distance).scatter_(1, nearest, 1.0)


def _farthest(features: Tensor, neighbours: int) -> Tensor:
    names = _names(features, neighbours, far=True)
    return names * names.T


def _farthest_and_self(features: Tensor, neighbours: int) -> Tensor:
    distance = torch.cdist(features, features).fill_diagonal_(torch.inf)
    names = torch.zeros_like(distance).scatter_(1, distance.topk(neighbours).indices, 1.0)
    return names * names.T


def _self_takes_a_place(features: Tensor, neighbours: int) -> Tensor:
    names = _names(features, neighbours, self_counts=True)
    return names * names.T


def _self_takes_a_place_unseen(features: Tensor, neighbours: int) -> Tensor:
    return _self_takes_a_place(features, neighbours).fill_diagonal_(0)


ADJACENCY = Exercise(
    right=_joined,
    praise="1 where both name each other, 0 elsewhere and on the diagonal",
    inputs=[(_draw(8, 5), 3), (_draw(6, 2, seed=1) * 4 - 1, 2), (_draw(4, 3, seed=2), 3)],
    mistakes=(
        Mistake(
            _names,
            "your matrix is not symmetric: i may name j without being named back. Which pairs "
            "does the paper join?",
        ),
        Mistake(
            lambda features, neighbours: _joined(features, neighbours, mutual=False),
            "one direction is enough in your graph; the paper asks for both",
        ),
        Mistake(
            _self_takes_a_place,
            "each frame is its own neighbour in your graph; what is the distance of a frame to "
            "itself?",
        ),
        Mistake(
            _self_takes_a_place_unseen,
            "the diagonal is right, but each frame has too few neighbours: who took one of the K "
            "places?",
        ),
        Mistake(
            lambda features, neighbours: _joined(features, neighbours, include_self=True),
            "the edges are right; what must stand on the diagonal?",
        ),
        Mistake(
            _farthest_and_self,
            "topk takes the largest unless told otherwise",
        ),
        Mistake(
            _farthest,
            "these are the farthest frames; in which order does your sort run?",
        ),
    ),
    otherwise="the graph differs; print the K nearest of each frame of the toy and compare",
)

_A = _joined(_draw(5, 3), 2)
_BETA = torch.tensor([0.1, 0.9, 0.5, 0.3, 0.7]).double()

ATTENTION = Exercise(
    right=lambda joined, beta: add_attention(joined[None], beta[None])[0],
    praise="β on the diagonal, the edges as they were",
    inputs=[(_A, _BETA), (_joined(_draw(4, 2, seed=1), 1), _BETA[1:])],
    mistakes=(
        Mistake(
            lambda joined, beta: joined + beta,
            "every row changed; a vector added to a matrix is added to each of its rows",
        ),
        Mistake(
            lambda joined, beta: joined * beta[:, None],
            "you weight the edges with β; Eq. 13 adds",
        ),
        Mistake(
            lambda joined, beta: joined * beta,
            "you weight the columns of A with β; Eq. 13 adds",
        ),
        Mistake(
            lambda joined, beta: beta[:, None] * joined * beta,
            "you weight the edges with β from both sides; Eq. 13 adds",
        ),
        Mistake(
            lambda joined, beta: joined + beta[:, None],
            "every column changed; β stands on the diagonal alone",
        ),
        Mistake(
            lambda joined, beta: joined,
            "this is A as it came; where is β?",
        ),
        Mistake(
            lambda joined, beta: joined + torch.eye(len(beta)),
            "a self-loop of 1 for every frame, whatever its importance; where is β?",
        ),
        Mistake(
            lambda joined, beta: torch.diag(beta),
            "β alone, without the edges; Eq. 13 has one more term",
        ),
    ),
    otherwise="compare with A, entry by entry: only the diagonal may change, and by β",
)

SURE = Exercise(
    right=9,
    praise="only when all others are named is the far one named too; then the graph is complete",
    mistakes=(
        Mistake(
            8,
            "with 8 each frame leaves just one out; could all nine leave out the same one?",
        ),
        Mistake(5, "half of the frames: try your code with nine frames near and one far away"),
        Mistake(4, "that is the paper's K, and you have seen it leave a frame alone"),
        Mistake(1, "each frame names somebody even with K = 1; but is it named back?"),
        Mistake(10, "there are only nine others to name"),
    ),
    otherwise="give the smallest whole K for which your worst clip has no lonely frame",
)


def check_adjacency(student: Any) -> Verdict:
    """A `[T, T]` from features `[T, M]` and K."""
    return ADJACENCY.judge(student)


def check_attention(student: Any) -> Verdict:
    """Ã `[T, T]` from A `[T, T]` and β `[T]`."""
    return ATTENTION.judge(student)


def check_sure(student: Any) -> Verdict:
    """The smallest K that leaves no frame alone in any clip of ten."""
    return SURE.judge(student)


EXERCISES = {"adjacency": ADJACENCY, "attention": ATTENTION, "sure": SURE}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
