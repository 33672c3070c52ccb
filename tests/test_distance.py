from __future__ import annotations

import numpy as np
import pytest
import torch

from w3an_lite.distance import distances


def test_distances_against_scipy() -> None:
    spatial = pytest.importorskip("scipy.spatial.distance")
    rng = np.random.default_rng(0)
    query, gallery = rng.standard_normal((5, 7)), rng.standard_normal((5000, 7)) + 3
    for metric in ("euclidean", "cosine"):
        expected = spatial.cdist(query, gallery, metric)
        np.testing.assert_allclose(distances(query, gallery, metric), expected, atol=1e-9)


def test_distances_keep_small_differences_far_from_the_origin() -> None:
    rng = np.random.default_rng(0)
    points = (rng.standard_normal((30, 64)) + 100).astype(np.float32)
    exact = np.linalg.norm(points[:, None].astype(float) - points[None].astype(float), axis=2)
    off_diagonal = ~np.eye(30, dtype=bool)
    ours = distances(points, points).numpy()
    np.testing.assert_allclose(ours[off_diagonal], exact[off_diagonal], rtol=2e-3)


def test_a_vector_of_zeros_is_at_cosine_distance_one() -> None:
    assert distances(np.zeros((1, 3)), np.eye(3), "cosine").tolist() == [[1.0, 1.0, 1.0]]


def test_clear_errors() -> None:
    good = np.ones((2, 4), np.float32)
    with pytest.raises(ValueError, match="metric='manhattan'"):
        distances(good, good, "manhattan")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="widths and devices must agree"):
        distances(good, good[:, :3])
    with pytest.raises(ValueError, match="gallery: row 1 is not finite"):
        distances(good, np.array([[0.0] * 4, [np.inf] * 4]))
    with pytest.raises(ValueError, match=r"query is \[4\]; give a matrix"):
        distances(good[0], good)


def test_short_vectors_have_directions_too() -> None:
    short, long = torch.tensor([[1e-16, 2e-16], [0.0, 0.0]]), torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(distances(short, long, "cosine"), torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(distances(long, short, "cosine"), torch.tensor([[0.0, 1.0]]))


def test_reversed_rows_and_mixed_types_are_taken() -> None:
    rows = np.random.default_rng(0).standard_normal((6, 4))
    np.testing.assert_array_equal(distances(rows[::-1], rows), distances(rows[::-1].copy(), rows))
    assert distances(rows.astype(np.float32), rows).dtype == torch.float64


def test_cosine_distances_are_not_negative() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 64)).astype(np.float32)
    assert distances(rows, rows, "cosine").min() >= 0
