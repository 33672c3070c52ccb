"""Eq. 12-13: who is a neighbour of whom."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.knn_graph import add_attention, knn_adjacency

LINE = torch.tensor([0.0, 1.0, 3.0, 10.0]).view(1, 4, 1)
"""Four frames on a line; the nearest of 0 is 1, of 1 is 0, of 3 is 1, of 10 is 3."""


def test_mutual_neighbours_by_hand() -> None:
    expected = torch.zeros(4, 4)
    expected[0, 1] = expected[1, 0] = 1
    assert torch.equal(knn_adjacency(LINE, 1)[0], expected)
    one_is_enough = expected.clone()
    one_is_enough[1, 2] = one_is_enough[2, 1] = one_is_enough[2, 3] = one_is_enough[3, 2] = 1
    assert torch.equal(knn_adjacency(LINE, 1, mutual=False)[0], one_is_enough)
    with_self = knn_adjacency(LINE, 1, include_self=True)[0]
    assert torch.equal(with_self, expected + torch.eye(4))


def test_of_frames_equally_far_the_earlier_is_nearer() -> None:
    points = torch.tensor([0.0, 1.0, -1.0]).view(1, 3, 1)
    assert knn_adjacency(points, 1)[0].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    same = knn_adjacency(torch.zeros(1, 3, 2), 1)[0]
    assert same.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_near_by_angle_by_hand() -> None:
    """Lengths 1, 10, 1, 10 at 0°, 10°, 80° and 90°: by angle the pairs are (0, 1) and (2, 3); by
    Euclid's distance the two short ones are nearest to each other, and to either long one."""
    turn = torch.deg2rad(torch.tensor([0.0, 10.0, 80.0, 90.0]))
    length = torch.tensor([1.0, 10.0, 1.0, 10.0])
    points = (length * torch.stack([turn.cos(), turn.sin()])).T.unsqueeze(0)
    by_angle, by_length = torch.zeros(2, 4, 4)
    by_angle[[0, 1, 2, 3], [1, 0, 3, 2]] = 1
    by_length[[0, 2], [2, 0]] = 1
    assert torch.equal(knn_adjacency(points, 1, metric="cosine")[0], by_angle)
    assert torch.equal(knn_adjacency(points, 1)[0], by_length)


@given(st.integers(0, 10**6))
def test_the_length_of_a_vector_is_nothing_to_its_angle(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(3, 6, 5, generator=generator)
    lengths = 2.0 ** torch.randint(-3, 4, (3, 6, 1), generator=generator)
    found = (knn_adjacency(each, 2, metric="cosine") for each in (features, lengths * features))
    assert torch.equal(*found)


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 10), st.booleans())
def test_laws_of_the_graph(seed: int, frames: int, neighbours: int, mutual: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(3, frames, 5, generator=generator)
    graph = knn_adjacency(features, neighbours, mutual)
    assert torch.equal(graph, graph.mT)
    assert set(graph.unique().tolist()) <= {0.0, 1.0}
    assert graph.diagonal(dim1=1, dim2=2).sum() == 0
    if mutual:
        assert graph.sum(-1).max() <= neighbours
    else:
        assert (graph.sum(-1) >= min(neighbours, frames - 1)).all()
    if neighbours >= frames - 1:
        assert torch.equal(graph, (1 - torch.eye(frames)).expand(3, -1, -1))
    order = torch.randperm(frames, generator=generator)
    moved = knn_adjacency(features[:, order], neighbours, mutual)
    assert torch.equal(moved, graph[:, order][:, :, order])


@pytest.mark.parametrize("neighbours", [1, 2, 4])
def test_agrees_with_scikit_learn(neighbours: int) -> None:
    sklearn = pytest.importorskip("sklearn.neighbors")
    features = torch.randn(5, 10, 16)
    for clip, both, either in zip(
        features,
        knn_adjacency(features, neighbours),
        knn_adjacency(features, neighbours, mutual=False),
        strict=True,
    ):
        found = sklearn.kneighbors_graph(clip.numpy(), neighbours, include_self=False).toarray()
        chosen = torch.from_numpy(found).bool()
        assert torch.equal(both.bool(), chosen & chosen.T)
        assert torch.equal(either.bool(), chosen | chosen.T)


def test_a_clip_of_one_frame_has_no_neighbours() -> None:
    assert knn_adjacency(torch.randn(2, 1, 5), 4).tolist() == [[[0.0]], [[0.0]]]


def test_no_gradient_and_no_zero_neighbours() -> None:
    features = torch.randn(1, 4, 2, requires_grad=True)
    assert not knn_adjacency(features, 1).requires_grad
    with pytest.raises(ValueError, match="neighbours is 0; at least 1"):
        knn_adjacency(features, 0)
    with pytest.raises(ValueError, match="metric 'near' is not known; choose 'euclidean' or"):
        knn_adjacency(features, 1, metric="near")  # type: ignore[arg-type]


def test_beta_lies_on_the_diagonal() -> None:
    beta = torch.tensor([[0.1, 0.2, 0.3, 0.4]], requires_grad=True)
    graph = knn_adjacency(LINE, 1)
    weighted = add_attention(graph, beta)
    assert torch.equal(weighted[0].diagonal(), beta[0])
    assert torch.equal(weighted[0] - torch.diag(beta[0]), graph[0])
    weighted.sum().backward()
    assert beta.grad is not None
    assert beta.grad.tolist() == [[1, 1, 1, 1]]


def test_of_many_frames_equally_far_too() -> None:
    graph = knn_adjacency(torch.zeros(1, 64, 2), 1)[0]
    assert graph.nonzero().tolist() == [[0, 1], [1, 0]]


def test_float64_is_not_narrowed() -> None:
    """Far from 0 float32 cannot tell these frames from each other."""
    line = LINE.flip(1)
    far = knn_adjacency(line.double() / 1e3 + 1e6, 1)
    assert far.dtype == torch.float64
    assert torch.equal(far, knn_adjacency(line, 1).double())


@pytest.mark.parametrize("length", [1e20, torch.inf, torch.nan])
def test_no_frame_is_its_own_neighbour_however_far_all_are(length: float) -> None:
    """Squares of 1e20 are beyond float32: all distances are infinite, and so equal."""
    features = length * torch.randn(2, 5, 3)
    graph = knn_adjacency(features, 2, mutual=False)
    assert graph.diagonal(dim1=1, dim2=2).sum() == 0
    assert (knn_adjacency(features, 2, include_self=True).diagonal(dim1=1, dim2=2) == 1).all()
    if length == 1e20:
        assert torch.equal(graph, knn_adjacency(torch.zeros(2, 5, 3), 2, mutual=False))
