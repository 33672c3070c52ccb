"""How right are predicted attributes: mean balanced accuracy and mean average precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class AttributeScores:
    """balanced_accuracy, average_precision float64 `[A]`, nan for a constant attribute.

    An attribute that every known label says is there, or is not, cannot be scored: it is left out
    of the means and counted in `skipped`.
    """

    balanced_accuracy: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    skipped: int

    @property
    def mean_balanced_accuracy(self) -> float:
        """Mean over the attributes; 0.5 for guessing."""
        return float(np.nanmean(self.balanced_accuracy))

    @property
    def mean_ap(self) -> float:
        """Mean over the attributes."""
        return float(np.nanmean(self.average_precision))


def attribute_scores(
    probabilities: Floats, truth: Floats, threshold: float = 0.5
) -> AttributeScores:
    """Scores of probabilities `[N, A]` against labels `[N, A]` of 0 and 1, negative unknown.

    Balanced accuracy is the mean of the shares of ones and of zeros that are right, with an
    attribute said to be there from `threshold` on. Average precision is the mean, over the ones, of
    the precision among all that score at least as high. ValueError if shapes differ or a label is
    neither; ValueError if no attribute can be scored.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(truth, np.float64)
    if p.shape != y.shape or p.ndim != 2:
        raise ValueError(f"probabilities {list(p.shape)}, labels {list(y.shape)}; both are [N, A]")
    if not np.isfinite(p).all() or not ((y < 0) | (y == 0) | (y == 1)).all():
        raise ValueError("probabilities must be finite, and labels 0, 1 or negative (unknown)")
    accuracy, precision = np.full((2, p.shape[1]), np.nan)
    for a in range(p.shape[1]):
        known = y[:, a] >= 0
        score, there = p[known, a], y[known, a] == 1
        if there.any() and not there.all():
            said = score >= threshold
            accuracy[a] = (said[there].mean() + (~said[~there]).mean()) / 2
            precision[a] = _average_precision(score, there)
    skipped = int(np.isnan(accuracy).sum())
    if skipped == p.shape[1]:
        raise ValueError("every attribute is constant in the labels; nothing can be scored")
    return AttributeScores(accuracy, precision, skipped)


def _average_precision(score: Floats, there: NDArray[np.bool_]) -> float:
    """Equal scores share one precision, so their order does not matter."""
    ascending = np.sort(score)
    right = np.sort(score[there])
    above = len(ascending) - np.searchsorted(ascending, right)
    hits = len(right) - np.searchsorted(right, right)
    return float((hits / above).mean())
