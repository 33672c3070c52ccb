"""Distances of features to features, and the checks on both.

`measure` gives them for a slice of queries at a time without copying the gallery, so that a search
through a million items fits in memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array: TypeAlias = "Tensor | NDArray[Any]"
Metric = Literal["euclidean", "cosine"]

_SLICE = 4096  # gallery rows taken at once: bounds copies, and is faster on huge galleries


def distances(query: Array, gallery: Array, metric: Metric = "euclidean") -> Tensor:
    """Distances `[Q, G]` of features `[Q, D]` to features `[G, D]`.

    `cosine` is 1 - cos; a vector of zeros is at 1 from everything. `ValueError` for shapes that do
    not fit, an unknown metric or a row that is not finite.
    """
    return measure(features(query, "query"), features(gallery, "gallery"), metric)(slice(None))


def measure(query: Tensor, gallery: Tensor, metric: str) -> Callable[[slice], Tensor]:
    """A function from a slice of queries to their distances `[q, G]`; copies no gallery."""
    if query.shape[1] != gallery.shape[1] or query.device != gallery.device:
        raise ValueError(
            f"query is {list(query.shape)} on {query.device}, gallery {list(gallery.shape)} on "
            f"{gallery.device}; widths and devices must agree"
        )
    dtype = torch.promote_types(query.dtype, gallery.dtype)
    query, gallery = query.to(dtype), gallery.to(dtype)
    if metric == "cosine":
        query = torch.nn.functional.normalize(query, dim=1, eps=torch.finfo(dtype).tiny)
        length = torch.linalg.vector_norm(gallery, dim=1).clamp_(min=torch.finfo(dtype).tiny)

        def cosine(rows: slice) -> Tensor:
            out = gallery.new_zeros(len(query[rows]), len(gallery))
            return _add_products(out, query[rows], gallery, -1).div_(length).add_(1).clamp_(min=0)

        return cosine
    if metric != "euclidean":
        raise ValueError(f"metric={metric!r}; choose 'euclidean' or 'cosine'")
    # |q - g|^2 = |q'|^2 + |g'|^2 - 2 q'g + 2 q'c, primes centred on the gallery's mean c. Without
    # the centre, features far from the origin lose their differences to rounding.
    centre = gallery.mean(dim=0)
    query = query - centre
    q_part = query.square().sum(dim=1) + 2 * (query @ centre)
    g_part = gallery.new_empty(len(gallery))
    for at in range(0, len(gallery), _SLICE):
        part = slice(at, at + _SLICE)
        g_part[part] = (gallery[part] - centre).square_().sum(dim=1)

    def euclidean(rows: slice) -> Tensor:
        out = q_part[rows, None] + g_part
        return _add_products(out, query[rows], gallery, -2).clamp_(min=0).sqrt_()

    return euclidean


def _add_products(out: Tensor, query: Tensor, gallery: Tensor, factor: float) -> Tensor:
    """`out` `[q, G]` += `factor` times the inner products, in place."""
    for at in range(0, len(gallery), _SLICE):
        part = slice(at, at + _SLICE)
        out[:, part].addmm_(query, gallery[part].T, alpha=factor)
    return out


def matrix(values: Array, name: str) -> Tensor:
    """`values` as a detached matrix, float64 if they are so or whole numbers, else float32."""
    if isinstance(values, Tensor):
        tensor = values.detach()
    else:
        with warnings.catch_warnings():  # read-only arrays are fine: nothing here writes to them
            warnings.filterwarnings("ignore", message=".*not writable")
            tensor = torch.from_numpy(np.ascontiguousarray(values))
    if tensor.ndim != 2:
        raise ValueError(f"{name} is {list(tensor.shape)}; give a matrix, one row each")
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float() if tensor.is_floating_point() else tensor.double()
    return tensor


def features(values: Array, name: str) -> Tensor:
    """As `matrix`, and every row finite."""
    tensor = matrix(values, name)
    bad = (~torch.linalg.vector_norm(tensor, dim=1).isfinite()).nonzero()
    if len(bad):
        raise ValueError(
            f"{name}: row {int(bad[0])} is not finite ({len(bad)} such); look at the tracklets "
            "these rows come from, or lower the learning rate if all are"
        )
    return tensor


def check_finite(distance: Tensor, first_row: int) -> None:
    """`ValueError` names the first pair of `distance` `[q, G]` that is nan or infinite."""
    low, high = torch.aminmax(distance)  # passes nan on; no temporaries, unlike isfinite
    if not (low.isfinite() and high.isfinite()):
        q, g = (int(i) for i in (~distance.isfinite()).nonzero()[0])
        raise ValueError(
            f"query {first_row + q} and gallery item {g} are {float(distance[q, g])} apart; "
            "a ranking needs finite distances"
        )
