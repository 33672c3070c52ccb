from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.attribute_scores import attribute_scores


def test_by_hand() -> None:
    """Ones at 0.9 and 0.4, zeros at 0.6 and 0.1: half of the ones and of the zeros are right."""
    p = np.array([[0.9], [0.6], [0.4], [0.1]])
    scores = attribute_scores(p, np.array([[1], [0], [1], [0]]))
    assert scores.mean_balanced_accuracy == 0.5
    assert scores.mean_ap == pytest.approx((1 + 2 / 3) / 2)
    assert scores.skipped == 0


def test_balanced_accuracy_does_not_reward_the_commoner_answer() -> None:
    truth = np.array([[1], [0], [0], [0], [0]])
    assert attribute_scores(np.zeros((5, 1)), truth).mean_balanced_accuracy == 0.5


def test_constant_and_unknown_attributes_are_left_out_and_counted() -> None:
    p = np.array([[0.9, 0.1, 0.5, 0.2], [0.1, 0.2, 0.5, 0.2]])
    truth = np.array([[1, 1, -1, 1], [0, 1, -1, -1]])
    scores = attribute_scores(p, truth)
    assert scores.skipped == 3
    assert scores.mean_balanced_accuracy == scores.mean_ap == 1
    assert np.isnan(scores.average_precision[1:]).all()


def test_unknown_labels_change_nothing() -> None:
    p, truth = np.array([[0.9], [0.6], [0.4], [0.1]]), np.array([[1], [-1], [0], [0]])
    scores = attribute_scores(p, truth)
    assert scores.mean_ap == 1
    assert scores.mean_balanced_accuracy == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=12), st.data())
def test_order_does_not_matter_and_ties_share_a_precision(rows: list, data: st.DataObject) -> None:
    score, there = np.array([r[0] for r in rows]) / 3, np.array([r[1] for r in rows], int)
    if there.min() == there.max():
        return
    order = data.draw(st.permutations(range(len(rows))))
    one = attribute_scores(score[:, None], there[:, None])
    other = attribute_scores(score[order][:, None], there[order][:, None])
    assert one.mean_ap == pytest.approx(other.mean_ap)
    by_hand = [there[score >= s].mean() for s in score[there == 1]]
    assert one.mean_ap == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize(
    ("p", "truth", "message"),
    [
        (np.zeros((2, 1)), np.zeros((2, 2)), "both are"),
        (np.zeros((2, 1)), np.array([[0.5], [1]]), "labels 0, 1 or negative"),
        (np.array([[np.nan], [1]]), np.array([[0], [1]]), "finite"),
        (np.zeros((2, 1)), np.zeros((2, 1)), "nothing can be scored"),
    ],
)
def test_what_cannot_be_scored(p: np.ndarray, truth: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attribute_scores(p, truth)


def test_said_to_be_there_from_the_threshold_on() -> None:
    scores = attribute_scores(np.array([[0.5], [0.4]]), np.array([[1], [0]]))
    assert scores.mean_balanced_accuracy == 1


def test_any_negative_label_is_unknown() -> None:
    p = np.array([[0.9], [0.1], [0.95]])
    assert attribute_scores(p, np.array([[1], [0], [-0.5]])).mean_ap == 1
