"""Every checker knows its solution, its stub and each of its wrong tries."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

import pytest
import torch

import w3an_lite.exercises
from w3an_lite.exercises.checker import Verdict

MODULES = [
    importlib.import_module(f"w3an_lite.exercises.{found.name}")
    for found in pkgutil.iter_modules(w3an_lite.exercises.__path__)
    if found.name != "checker"
]
EACH = [
    pytest.param(module, name, id=f"{module.__name__.rsplit('.', 1)[1]}-{name}")
    for module in MODULES
    for name in module.SOLUTIONS
]


def judge(module: ModuleType, name: str, answer: Any) -> Verdict:
    verdict = getattr(module, f"check_{name}")(answer)
    assert isinstance(verdict, Verdict)
    assert "\n" not in repr(verdict)
    return verdict


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_module_has_at_least_two_exercises(module: ModuleType) -> None:
    assert len(module.SOLUTIONS) >= 2
    assert module.SOLUTIONS.keys() == module.WRONG.keys()
    checks = {name.removeprefix("check_") for name in vars(module) if name.startswith("check_")}
    assert checks == module.SOLUTIONS.keys()


@pytest.mark.parametrize(("module", "name"), EACH)
def test_the_solution_passes(module: ModuleType, name: str) -> None:
    verdict = judge(module, name, module.SOLUTIONS[name])
    assert verdict.passed is True, verdict


@pytest.mark.parametrize(("module", "name"), EACH)
def test_a_stub_is_not_attempted(module: ModuleType, name: str) -> None:
    stubs: list[Any] = [None, ...]
    if callable(module.SOLUTIONS[name]):
        stubs += [lambda *_: None, lambda *_: ...]
    for stub in stubs:
        assert judge(module, name, stub).passed is None


@pytest.mark.parametrize(("module", "name"), EACH)
def test_each_wrong_try_is_caught_with_a_hint_of_its_own(module: ModuleType, name: str) -> None:
    wrong = module.WRONG[name]
    assert len(wrong) >= 3
    verdicts = [judge(module, name, answer) for answer in wrong]
    assert [verdict.passed for verdict in verdicts] == [False] * len(wrong)
    hints = [verdict.message for verdict in verdicts]
    assert hints == [mistake.hint for mistake in module.EXERCISES[name].mistakes]
    assert len(set(hints)) == len(hints)


@pytest.mark.parametrize(("module", "name"), EACH)
def test_nonsense_gets_a_sentence(module: ModuleType, name: str) -> None:
    nonsense: list[Any] = ["text", {}, object(), float("nan"), torch.empty(0), int, [[1], [2, 3]]]
    nonsense += [lambda *_: "text", lambda *_: torch.full((3, 1, 7), torch.nan), lambda *_: 1 / 0]
    for answer in nonsense:
        assert judge(module, name, answer).passed is False


@pytest.mark.parametrize(
    ("module", "name", "answer", "passed", "says"),
    [
        ("losses", "gamma", 0.007, True, ""),
        ("losses", "gamma", 0.35 / 40, False, "raw triplet loss"),
        ("losses", "move", 1.5, False, "a pair"),
        ("w3an", "half", 0.001, True, ""),
        ("w3an", "half", 0.00111, False, "the sum over the second half"),
        ("w3an", "chance", 0.0213, True, ""),
        ("w3an", "chance", 0.021, False, "the fraction itself"),
        ("w3an", "chance", 2 / 95, False, "the query is left out"),
    ],
)
def test_answers_that_lie_near_the_right_one(
    module: str, name: str, answer: float, passed: bool, says: str
) -> None:
    verdict = judge(importlib.import_module(f"w3an_lite.exercises.{module}"), name, answer)
    assert verdict.passed is passed
    assert says in verdict.message
