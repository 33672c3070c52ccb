"""Eq. 14-15: the propagation by hand and as PyTorch Geometric has it."""

from __future__ import annotations

import pytest
import torch

from w3an_lite.gcn import ACTIVATIONS, GCN, propagation, readout
from w3an_lite.knn_graph import add_attention, knn_adjacency

PATH = torch.tensor([[0.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])[None]
"""0 - 1 - 2 in a row, and 3 alone."""
BETA = torch.tensor([[0.2, 0.4, 0.6, 0.8]])


def test_printed_degree_by_hand() -> None:
    """D = ΣA = 1, 2, 1, 0; the frame alone is cut off, its own β too."""
    spread = propagation(PATH, add_attention(PATH, BETA))[0]
    half = 0.5**0.5
    expected = torch.tensor([[0.2, half, 0, 0], [half, 0.2, half, 0], [0, half, 0.6, 0], [0.0] * 4])
    torch.testing.assert_close(spread, expected)


def test_weighted_degree_by_hand() -> None:
    """D = ΣÃ = 1.2, 2.4, 1.6, .8; the frame alone keeps itself, whatever its β."""
    spread = propagation(PATH, add_attention(PATH, BETA), "weighted")[0]
    assert spread[0, 0].item() == pytest.approx(0.2 / 1.2)
    assert spread[0, 1].item() == pytest.approx(1 / (1.2 * 2.4) ** 0.5)
    assert spread[2, 2].item() == pytest.approx(0.6 / 1.6)
    assert spread[3].tolist() == pytest.approx([0, 0, 0, 1])
    other = BETA.clone()
    other[0, 3] = 0.05
    moved = propagation(PATH, add_attention(PATH, other), "weighted")[0]
    torch.testing.assert_close(moved, spread)


def test_beta_acts_on_a_frame_with_neighbours() -> None:
    other = BETA.clone()
    other[0, 0] = 0.9
    for degree in ("adjacency", "weighted"):
        one, two = (propagation(PATH, add_attention(PATH, b), degree)[0] for b in (BETA, other))
        assert two[0, 0] > one[0, 0] + 0.1


def test_self_loops_keep_a_lonely_frame_and_let_its_beta_act() -> None:
    looped = PATH + torch.eye(4)
    spread = propagation(looped, add_attention(looped, BETA))[0]
    assert spread[3].tolist() == pytest.approx([0, 0, 0, 1.8])


@pytest.mark.parametrize("degree", ["adjacency", "weighted"])
def test_a_lonely_frame_leaves_finite_gradients(degree: str) -> None:
    beta = torch.zeros(1, 4, requires_grad=True)
    spread = propagation(PATH, add_attention(PATH, beta), degree)
    spread.sum().backward()
    assert spread.isfinite().all()
    assert beta.grad is not None
    assert beta.grad.isfinite().all()


def test_agrees_with_pytorch_geometric() -> None:
    geometric = pytest.importorskip("torch_geometric.nn")
    utils = pytest.importorskip("torch_geometric.utils")
    features, beta = torch.randn(4, 8, 6), torch.rand(4, 8)
    graph = knn_adjacency(features, 2)
    weighted = add_attention(graph, beta)
    spread = propagation(graph, weighted, "weighted")
    ours = GCN(6, layers=1)
    theirs = geometric.GCNConv(6, 6, bias=False, add_self_loops=False)
    with torch.no_grad():
        theirs.lin.weight.copy_(ours.weights[0].weight)
    for clip in range(4):
        edges, weights = utils.dense_to_sparse(weighted[clip])
        expected = theirs(features[clip], edges, weights).relu()
        torch.testing.assert_close(ours(features, spread)[clip], expected)
        edges, weights = geometric.conv.gcn_conv.gcn_norm(
            edges, weights, num_nodes=8, add_self_loops=False
        )
        dense = utils.to_dense_adj(edges, edge_attr=weights, max_num_nodes=8)[0]
        torch.testing.assert_close(spread[clip], dense)


def test_two_layers_by_hand() -> None:
    """σ(S σ(S F W_1) W_2) with relu; nn.Linear holds the transpose of W_g."""
    gcn, features, spread = GCN(5), torch.randn(2, 4, 5), torch.rand(2, 4, 4)
    one, two = (layer.weight.T for layer in gcn.weights)
    expected = (spread @ ((spread @ (features @ one)).relu() @ two)).relu()
    torch.testing.assert_close(gcn(features, spread), expected)


@pytest.mark.parametrize("residual", [False, True])
def test_no_layer_changes_nothing(residual: bool) -> None:
    features = torch.randn(2, 4, 5)
    assert torch.equal(GCN(5, layers=0, residual=residual)(features, torch.rand(2, 4, 4)), features)


def test_residual_and_a_linear_last_layer() -> None:
    features, spread = torch.randn(2, 4, 5), torch.rand(2, 4, 4)
    plain = GCN(5, layers=1, last_activation=False)
    torch.testing.assert_close(plain(features, spread), spread @ plain.weights[0](features))
    added = GCN(5, layers=1, last_activation=False, residual=True)
    added.load_state_dict(plain.state_dict())
    torch.testing.assert_close(added(features, spread), features + plain(features, spread))
    # without σ at the end the first layer keeps its own
    deep = GCN(5, layers=2, last_activation=False)
    inner = (spread @ deep.weights[0](features)).relu()
    torch.testing.assert_close(deep(features, spread), spread @ deep.weights[1](inner))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations(name: str) -> None:
    features, spread = torch.randn(2, 4, 5), torch.eye(4).expand(2, 4, 4)
    gcn = GCN(5, layers=1, activation=name)
    torch.nn.init.eye_(gcn.weights[0].weight)
    function = {
        "relu": torch.nn.functional.relu,
        "elu": torch.nn.functional.elu,
        "leaky_relu": torch.nn.functional.leaky_relu,
    }[name]
    torch.testing.assert_close(gcn(features, spread), function(features))


def test_readouts_by_hand() -> None:
    nodes = torch.tensor([[[1.0, 0.0], [3.0, 4.0]]])
    beta = torch.tensor([[0.9, 0.3]])
    assert readout(nodes, beta).tolist() == [[2, 2]]
    torch.testing.assert_close(readout(nodes, beta, "beta"), torch.tensor([[1.5, 1.0]]))
    torch.testing.assert_close(readout(nodes, beta / 3, "beta"), readout(nodes, beta, "beta"))
    assert readout(nodes, torch.zeros(1, 2), "beta").isfinite().all()


@pytest.mark.parametrize("logit", [-5.0, -20.0, -60.0])
def test_a_readout_by_weights_near_zero_is_still_an_average(logit: float) -> None:
    """Ten frames of the same small β: each counts a tenth, and gradients are finite."""
    score = torch.full((1, 10), logit, requires_grad=True)
    nodes = torch.arange(10.0).view(1, 10, 1)
    found = readout(nodes, score.sigmoid(), "beta")
    torch.testing.assert_close(found, torch.full((1, 1), 4.5))
    found.sum().backward()
    assert score.grad is not None
    assert score.grad.isfinite().all()


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="degree 'sum' is not known"):
        propagation(PATH, PATH, "sum")
    with pytest.raises(ValueError, match="activation 'gelu' is not known; choose from"):
        GCN(4, activation="gelu")
    with pytest.raises(ValueError, match="readout 'max' is not known; choose 'mean' or 'beta'"):
        readout(torch.ones(1, 2, 3), torch.ones(1, 2), "max")


def test_weights_near_zero_still_differ() -> None:
    nodes, beta = torch.tensor([[[4.0], [0.0]]]), torch.tensor([[3e-20, 1e-20]])
    assert readout(nodes, beta, "beta").item() == pytest.approx(3)
