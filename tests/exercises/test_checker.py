"""The checker never raises, never praises nonsense, and leaves the random numbers alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w3an_lite.exercises.checker import Exercise, Mistake

DOUBLE = Exercise(
    right=lambda x: 2 * x,
    praise="twice",
    inputs=[(torch.tensor([1.0, 2.0]),), (torch.tensor([[3.0]]),)],
    mistakes=(
        Mistake(lambda x: x + 2, "that adds"),
        Mistake(lambda x: x**2, "that squares"),
        Mistake(lambda x: x.sum(), "that sums"),
    ),
)
SEVEN = Exercise(
    right=7.0,
    praise="seven",
    mistakes=(Mistake(8.0, "less"), Mistake(6.0, "more"), Mistake(-7.0, "sign")),
    accepts=None,
)


def _exit(x: Any) -> None:
    sys.exit(1)


def _in_place(x: torch.Tensor) -> torch.Tensor:
    return x.mul_(2)


def _draws(x: torch.Tensor) -> torch.Tensor:
    return 2 * x + 0 * torch.rand(1)


def test_right_answers_pass_however_they_are_written() -> None:
    for answer in (lambda x: x + x, _in_place, _draws, lambda x: (2 * x).double()):
        verdict = DOUBLE.judge(answer)
        assert verdict.passed is True, verdict
        assert repr(verdict) == "✓ correct: twice"
    assert SEVEN.judge(7).passed
    assert SEVEN.judge(torch.tensor(7.00001)).passed


def _stub(x: Any) -> Any: ...


def _not_implemented(x: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("stub", [None, ..., _stub, lambda x: ..., _not_implemented])
def test_a_stub_is_not_attempted(stub: Any) -> None:
    assert DOUBLE.judge(stub).passed is None
    assert repr(DOUBLE.judge(stub)).startswith("○ not attempted: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x: x + 2, "that adds"),
        (lambda x: 2 * x[..., :1], r"shape [1], and [2] is wanted"),
        (lambda x: 2 * x + 1, "the numbers differ"),
        (lambda: 1, "stopped with TypeError"),
        (lambda x: 1 / 0, "stopped with ZeroDivisionError: division by zero, given a tensor [2]"),
        (_exit, "stopped with SystemExit"),
        (lambda x: "two", "returns a str, a text"),
        (lambda x: float("nan") * x, "the numbers differ"),
        (torch.tensor(3.0), "without brackets"),
    ],
)
def test_a_wrong_function_gets_a_sentence(answer: Callable[..., Any], hint: str) -> None:
    verdict = DOUBLE.judge(answer)
    assert verdict.passed is False
    assert hint in verdict.message
    assert "\n" not in repr(verdict)


def test_a_wrong_value_gets_its_hint() -> None:
    assert SEVEN.judge(8).message == "less"
    assert SEVEN.judge(-7.0).message == "sign"
    assert SEVEN.judge(True).passed is False
    assert "leave the quotes out" in SEVEN.judge("7").message
    assert "[2], and a single number is wanted" in SEVEN.judge([7.0, 7.0]).message


def test_one_number_in_brackets_is_a_number() -> None:
    for seven in (7, [7], torch.tensor([[7.0]]), torch.tensor(7), [torch.tensor(7.0)]):
        assert SEVEN.judge(seven).passed is True
    total = Exercise(lambda x: x.sum(), "a sum", (), [(torch.ones(3),)])
    assert total.judge(lambda x: x.sum(0, keepdim=True)).passed is True


def test_whoever_forgot_to_return_is_told() -> None:
    assert "`return`" in DOUBLE.judge(lambda x: None).message
    assert "`return`" not in SEVEN.judge(None).message


def test_the_generator_is_left_where_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    DOUBLE.judge(_draws)
    assert torch.equal(torch.rand(2), expected)


@given(
    st.one_of(
        st.integers().filter(lambda n: n != 7),
        st.text(),
        st.binary(),
        st.lists(st.floats()).filter(lambda x: len(x) != 1),
        st.dictionaries(st.text(), st.integers()),
        st.just(object()),
        st.just(int),
    )
)
def test_nonsense_never_raises_and_never_passes(nonsense: Any) -> None:
    for exercise in (DOUBLE, SEVEN):
        assert exercise.judge(nonsense).passed is not True
        assert DOUBLE.judge(lambda x: nonsense).passed is not True
