"""Check a student's answer: right, not attempted, or a hint. Never an exception.

An exercise holds the right answer and the wrong tries that are typical. A function is judged by
what it returns for some inputs; whoever returns what a typical wrong try returns gets its hint.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

SIGNS = {True: "✓ correct", False: "✗ not yet", None: "○ not attempted"}


@dataclass(frozen=True)
class Verdict:
    """What the checker says: `passed` is True, False, or None where nothing was tried."""

    passed: bool | None
    message: str

    def __repr__(self) -> str:
        return f"{SIGNS[self.passed]}: {self.message}"


@dataclass(frozen=True)
class Mistake:
    """A typical wrong try and the hint for it, which points without telling.

    when: says of any answer whether it makes this mistake; without it, an answer does if it
        returns what `example` returns.
    """

    example: Any
    hint: str
    when: Callable[[Any], bool] | None = None


class _Wrong(Exception):
    """Carries a hint out of a trial."""


class _NotAttempted(Exception):
    pass


STUB_HINT = "replace the ... with your answer, run the cell, then run this check again"
NOTHING_HINT = STUB_HINT + "; if it is written, does it `return` something in every case?"
LIST = "give a list in square brackets, such as [3, 1, 2]; this is a {kind}"
QUOTED = "give a number; this is a str, a text: leave the quotes out"
TEXT = "your function returns a str, a text; numbers are wanted, such as a tensor of them"
SHAPES = (
    "your answer has the shape {got}, and {wanted} is wanted; "
    "write the shape of each step beside its line"
)


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    right: the solution, a function or a value.
    praise: what a right answer shows, in a sentence.
    mistakes: at least three, see `Mistake`; the first that fits speaks.
    inputs: argument tuples for a function; vary shapes and values, so that luck does not pass.
    otherwise: the hint for an answer that is wrong in another way.
    accepts: judges answers of which many are right; gets the answer, may return a hint.
    tolerance: how far a number may be from the right one, relative and absolute.
    """

    right: Any
    praise: str
    mistakes: tuple[Mistake, ...]
    inputs: Sequence[tuple[Any, ...]] = ()
    otherwise: str = "the numbers differ; try the toy of this section by hand, then in your code"
    accepts: Callable[[Any], bool | str] | None = None
    tolerance: float = 1e-4

    @property
    def wrong(self) -> tuple[Any, ...]:
        """The wrong tries, for the tests."""
        return tuple(mistake.example for mistake in self.mistakes)

    def judge(self, student: Any) -> Verdict:
        """Right, not attempted, or the hint that fits; whatever `student` is or does."""
        random = torch.random.get_rng_state()
        try:
            if self._try(student):
                return Verdict(True, self.praise)
            return Verdict(False, self.otherwise)
        except _NotAttempted:
            return Verdict(None, NOTHING_HINT if self.inputs else STUB_HINT)
        except _Wrong as hint:
            return Verdict(False, str(hint))
        except (Exception, SystemExit) as error:
            return Verdict(False, f"the check could not use your answer ({_sentence(error)})")
        finally:
            torch.random.set_rng_state(random)

    def _try(self, student: Any) -> bool:
        if student is None or student is ...:
            raise _NotAttempted
        if self.inputs:
            given = [self._run(student, arguments) for arguments in self.inputs]
            if any(out is None or out is ... for out in given):
                raise _NotAttempted
        else:
            given = [student]
            if isinstance(self.right, list) and isinstance(student, (str, set, dict)):
                raise _Wrong(LIST.format(kind=type(student).__name__))
        if self.accepts is not None:
            said = self.accepts(student)
            if said is True:
                return True
        elif all(self._same(a, b) for a, b in zip(given, self._outputs(self.right), strict=True)):
            return True
        else:
            said = False
        for mistake in self.mistakes:
            if self._makes(mistake, student, given):
                raise _Wrong(mistake.hint)
        if isinstance(said, str):
            raise _Wrong(said)
        if self.accepts is None and (self.inputs or np.ndim(self.right) == 0):
            self._compare_shapes(given)
        return False

    def _makes(self, mistake: Mistake, student: Any, given: list[Any]) -> bool:
        try:
            if mistake.when is not None:
                return bool(mistake.when(student))
            example = self._outputs(mistake.example)
            return all(self._same(a, b) for a, b in zip(given, example, strict=True))
        except Exception:  # an answer that a question does not fit does not make this mistake
            return False

    def _outputs(self, answer: Any) -> list[Any]:
        if not self.inputs:
            return [answer]
        return [answer(*copy.deepcopy(arguments)) for arguments in self.inputs]

    def _run(self, student: Any, arguments: tuple[Any, ...]) -> Any:
        if not callable(student):
            raise _Wrong(
                f"give the function itself, without brackets behind its name; this is a "
                f"{type(student).__name__}"
            )
        try:
            return student(*copy.deepcopy(arguments))
        except NotImplementedError:
            raise _NotAttempted from None
        except (Exception, SystemExit) as error:
            shapes = ", ".join(_describe(argument) for argument in arguments)
            raise _Wrong(f"your function stopped with {_sentence(error)}, given {shapes}") from None

    def _same(self, a: Any, b: Any) -> bool:
        if isinstance(b, str):
            return isinstance(a, str) and a == b
        if isinstance(b, bool) or isinstance(a, (bool, np.bool_)):
            return isinstance(a, (bool, np.bool_)) and isinstance(b, bool) and bool(a) == b
        if self.inputs and isinstance(a, str):
            raise _Wrong(TEXT)
        first, second = as_numbers(a), as_numbers(b)
        if second.ndim == 0 and first.numel() == 1:  # one number in brackets is a number
            first = first.reshape(())
        return first.shape == second.shape and torch.allclose(
            first, second, rtol=self.tolerance, atol=self.tolerance
        )

    def _compare_shapes(self, given: list[Any]) -> None:
        for mine, wanted in zip(given, self._outputs(self.right), strict=True):
            if isinstance(wanted, (bool, str)):
                continue
            got, shape = list(as_numbers(mine).shape), list(as_numbers(wanted).shape)
            if got != shape and (shape or as_numbers(mine).numel() != 1):
                raise _Wrong(SHAPES.format(got=got, wanted=shape or "a single number"))


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Numbers to try an answer on, always the same."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def as_numbers(value: Any) -> Tensor:
    """An answer as a float64 tensor, whether it is one, an array, a number, or lists of any of
    these; a hint otherwise."""
    if isinstance(value, Tensor):
        return value.detach().cpu().double()
    if isinstance(value, str):
        raise _Wrong(QUOTED)
    try:
        return torch.from_numpy(np.array(_bare(value), dtype=np.float64))
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise _Wrong(f"give a number or a tensor; this is a {kind}") from None


def _bare(value: Any) -> Any:
    """The same with every tensor within lists as an array."""
    if isinstance(value, (list, tuple)):
        return [_bare(v) for v in value]
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value


def _describe(value: Any) -> str:
    if callable(value):
        return "a function"
    return f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else repr(value)[:40]


def _sentence(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:160].rstrip(": ")
