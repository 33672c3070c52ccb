"""Every checker knows its solution, its stub and each of its wrong tries."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import w3an_lite.exercises
from w3an_lite.claims import interval, verdict
from w3an_lite.exercises import (
    backbone_and_cam,
    does_it_attend,
    gcn,
    guided_attention,
    losses,
    spatial_attention,
)
from w3an_lite.exercises.checker import Exercise, Verdict

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
        ("w3an", "half", 0.000998, True, ""),
        ("w3an", "half", 0.001, False, "the rate at epoch 150"),
        ("w3an", "half", 0.00099919, False, "beside the first;"),
        ("w3an", "order", [4, 7, 2, 6, 1, 3, 5], False, "before β is known"),
        ("w3an", "order", [1, 2, 3], False, "each of the seven lines"),
        ("w3an", "half", 0.00111, False, "the sum over the second half"),
        ("w3an", "half", 0.00098, False, "all 150 epochs"),
        ("w3an", "chance", torch.tensor([2 / 94]), True, ""),
        ("w3an", "chance", 0.0213, True, ""),
        ("w3an", "chance", 0.021, False, "the fraction itself"),
        ("w3an", "chance", 2 / 95, False, "the query is left out"),
        ("temporal_attention", "enough", 0.505, False, ""),
        ("temporal_attention", "bias", 0.5, False, "above β_overall"),
        ("temporal_attention", "bias", "-6", False, "leave the quotes out"),
        ("temporal_attention", "bias", (-6, -7), False, "one number"),
        ("losses", "move", "1.3, 0", False, "leave the quotes out"),
        ("start_here", "share", 14.3, False, "in per cent"),
        ("tracklets", "trapezoid", 12.5, False, "in per cent"),
        ("backbone_and_cam", "weights", 15_680_625, False, "a bias is no weight"),
        ("backbone_and_cam", "weights", 15_681_000, False, ""),
        ("losses", "move", (0.0, 0.0), False, "on a clip of person A"),
        ("losses", "move", (-0.5, 0.0), False, "too near to person A"),
        ("full_training", "processes", [8, 4, 2], False, "rising order"),
        ("full_training", "processes", [2, 8], False, "no process may share"),
        ("does_it_attend", "rows", "f, d, e, b", True, ""),
        ("does_it_attend", "rows", ["f", "d", "e", "b"], True, ""),
        ("does_it_attend", "seeds", "12", False, "leave the quotes out"),
        ("spatial_attention", "uniform", torch.full((4, 4), 1e-7), False, "very near"),
        ("spatial_attention", "uniform", torch.zeros(4, 4), True, "raw score is 0"),
        ("temporal_attention", "bias", -0.32, False, "the loss is still 0.00"),
        ("full_training", "processes", {2, 4, 8}, False, "give a list in square brackets"),
    ],
)
def test_answers_that_lie_near_the_right_one(
    module: str, name: str, answer: Any, passed: bool, says: str
) -> None:
    verdict = judge(importlib.import_module(f"w3an_lite.exercises.{module}"), name, answer)
    assert verdict.passed is passed
    assert says in verdict.message


@pytest.mark.parametrize(
    "rule",
    [
        lambda v, m, at: (at(v, 0.95), at(v, 0.99)),
        lambda v, m, at: (at(v, 0.95), at(v, 0.975)),
        lambda v, m, at: (at(v, 0.95), at(v, 1 - 0.025 / m)),
        lambda v, m, at: (at(v, 0.95), at(v, 1 - 0.05 / len(v))),
        lambda v, m, at: (at(v, 1 - 0.05 / m), at(v, 1 - 0.05 / m)),
    ],
    ids=["99%", "97.5%", "half", "by seeds", "both wide"],
)
def test_a_rule_of_the_wrong_width_is_no_verdict(rule: Any) -> None:
    def answer(differences: dict[str, list[float]]) -> str:
        ends = [rule(v, len(differences), interval) for v in differences.values()]
        if all(first.low > 0 for first, _ in ends):
            return "holds"
        return "does not" if any(second.high <= 0 for _, second in ends) else "cannot tell"

    assert does_it_attend.check_verdict(answer).passed is False


def test_the_last_difference_does_not_decide_alone() -> None:
    def last(differences: dict[str, list[float]]) -> str:
        return verdict({"": [*differences.values()][-1]})

    assert does_it_attend.check_verdict(last).passed is False


def test_weights_of_grad_cam_are_of_each_picture() -> None:
    def shared(cube: torch.Tensor, score: Any) -> torch.Tensor:
        leaf = cube.clone().requires_grad_()
        (slope,) = torch.autograd.grad(score(leaf).sum(), leaf)
        return (slope.mean((0, 2, 3), keepdim=True) * cube).sum(1)

    assert backbone_and_cam.check_gradcam(shared).passed is False

    def one_by_one(cube: torch.Tensor, score: Any) -> list[torch.Tensor]:
        leaf = cube.clone().requires_grad_()
        (slope,) = torch.autograd.grad(score(leaf).sum(), leaf)
        return [(s.mean((1, 2), keepdim=True) * c).sum(0) for s, c in zip(slope, leaf, strict=True)]

    assert backbone_and_cam.check_gradcam(one_by_one).passed is True


def test_the_hint_for_a_lonely_frame_or_a_flat_map_is_for_what_is_else_right() -> None:
    def rows(joined: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        return adjacency / joined.sum(1, keepdim=True)

    assert "until a frame is alone" not in gcn.check_propagation(rows).message

    def axis(maps: torch.Tensor) -> torch.Tensor:
        low, high = maps.amin(-1, keepdim=True), maps.amax(-1, keepdim=True)
        return (maps - low) / (high - low)

    assert "until a map is flat" not in guided_attention.check_scale(axis).message


def test_right_answers_in_another_form_are_right() -> None:
    """Lists of lists of tensors with a gradient, NumPy's words and truths, the end of a range."""
    grad = torch.ones(2, requires_grad=True)
    same = Exercise(lambda: torch.ones(2, 2), "", (), [()])
    assert same.judge(lambda: [[grad[0], 1], [np.float64(1), grad[1]]]).passed
    assert Exercise(lambda: "holds", "", (), [()]).judge(lambda: np.array(["holds"])[0]).passed
    assert Exercise(lambda: True, "", (), [()]).judge(lambda: np.bool_(True)).passed
    assert spatial_attention.check_uniform([torch.zeros(4)] * 4).passed
    assert losses.check_move((1.4, 0.65)).passed
    assert losses.check_move((2.05, 0)).passed


def test_a_fixed_or_a_wrong_widening_is_no_rule() -> None:
    for level in (lambda m: 0.99, lambda m: 1 - 0.05 / max(1, m - 1), lambda m: 1 - 0.05 / m**0.5):
        rule = does_it_attend._judged(all, any, level)
        assert does_it_attend.check_verdict(rule).passed is False
