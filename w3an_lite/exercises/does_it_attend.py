"""Exercises of notebook 11: a paired interval, the rule of a verdict, baselines, how many seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from w3an_lite.claims import CANNOT_TELL, DOES_NOT, HOLDS, LEVEL, interval, verdict

from .checker import Exercise, Mistake, Verdict

Values: TypeAlias = "NDArray[np.float64]"


def _around(values: Values, half: float) -> list[float]:
    mean = float(values.mean())
    return [mean, mean - half, mean + half]


def _with(quantile: Callable[[int], float], ddof: int = 1) -> Callable[[Values, Values], Any]:
    """The interval with another quantile or spread."""

    def answer(a: Values, b: Values) -> list[float]:
        d = a - b
        return _around(d, quantile(len(d)) * np.std(d, ddof=ddof) / len(d) ** 0.5)

    return answer


def _t(count: int) -> float:
    return float(stats.t.ppf(0.975, count - 1))


def _unpaired(a: Values, b: Values) -> list[float]:
    count = len(a)
    error = ((a.var(ddof=1) + b.var(ddof=1)) / count) ** 0.5
    return _around(a - b, float(stats.t.ppf(0.975, 2 * count - 2)) * error)


INTERVAL = Exercise(
    right=lambda a, b: interval(list(a - b))[:3],
    praise="the mean difference and its interval, seed against the same seed",
    inputs=[
        (np.array([0.40, 0.52, 0.47, 0.61]), np.array([0.39, 0.49, 0.45, 0.59])),
        (np.array([0.30, 0.36, 0.31]), np.array([0.33, 0.35, 0.37])),
        (np.array([0.5, 0.6, 0.4, 0.7, 0.55]), np.array([0.48, 0.61, 0.33, 0.7, 0.5])),
    ],
    tolerance=1e-3,
    mistakes=(
        Mistake(
            _with(lambda n: 1.96),
            "1.96 is the quantile for very many seeds; Eq. c asks Student for so few",
        ),
        Mistake(
            _with(_t, ddof=0),
            "look at the divisor of Eq. b: NumPy divides by n unless it is told ddof",
        ),
        Mistake(
            lambda a, b: _around(a - b, _t(len(a)) * np.std(a - b, ddof=1)),
            "this is how far one seed may lie; how does a mean of n seeds shrink it?",
        ),
        Mistake(
            _with(lambda n: float(stats.t.ppf(0.975, n))),
            "one degree of freedom is spent on the mean",
        ),
        Mistake(
            _with(lambda n: float(stats.t.ppf(0.95, n - 1))),
            "0.95 leaves 5% beyond one end; the interval has two",
        ),
        Mistake(
            _unpaired,
            "this takes the spread of a and that of b apart; take the difference first",
        ),
        Mistake(
            lambda a, b: interval(list(b - a))[:3],
            "the sign: what should be better comes first",
        ),
    ),
    otherwise="give three numbers, mean, low, high; try the toy: 0.020, 0.007, 0.033",
)


def _judged(
    holds: Callable[..., bool],
    fails: Callable[..., bool],
    widened: Callable[[int], float] = lambda m: 1 - (1 - LEVEL) / m,
    both: bool = False,
) -> Any:
    """Another rule: `holds` and `fails` are all or any, the second line's level is of m
    differences, and both lines may have it."""

    def answer(differences: dict[str, list[float]]) -> str:
        level = widened(len(differences))
        first = level if both else LEVEL
        if holds(interval(values, first).low > 0 for values in differences.values()):
            return HOLDS
        if fails(interval(values, level).high <= 0 for values in differences.values()):
            return DOES_NOT
        return CANNOT_TELL

    return answer


def _by_mean(differences: dict[str, list[float]]) -> str:
    return HOLDS if all(np.mean(v) > 0 for v in differences.values()) else DOES_NOT


def _two_words(differences: dict[str, list[float]]) -> str:
    return HOLDS if all(interval(v).low > 0 for v in differences.values()) else DOES_NOT


_CLEAR, _BELOW = [0.02, 0.03, 0.02, 0.03], [-0.02, -0.03, -0.02, -0.03]
_NOISE, _DOWN = [0.05, -0.04, 0.02, 0.01], [-0.05, 0.04, -0.02, -0.01]
_BARELY = [-0.010, -0.030, -0.020, -0.040]
"""Below 0 by its 95% interval, not by the one widened for five."""
_JUST = [-0.0132, -0.0272, -0.0212, -0.0332]
"""Below 0 by the interval widened for four, not by the one for five."""

VERDICT = Exercise(
    right=verdict,
    praise="evidence for, evidence against, and neither are three things",
    inputs=[
        ({"one": _CLEAR},),
        ({"one": _BELOW},),
        ({"one": _NOISE},),
        ({"one": _DOWN},),
        ({"one": _CLEAR, "two": _NOISE},),
        ({"one": _CLEAR, "two": _BELOW},),
        ({"one": _CLEAR, "two": _CLEAR, "three": _CLEAR, "four": _CLEAR, "five": _BARELY},),
        ({"one": _CLEAR, "two": _CLEAR, "three": _CLEAR, "four": _CLEAR, "five": _JUST},),
        ({"one": [0.05]},),
        ({"one": _BARELY},),
        (
            {
                name: [-value for value in _BARELY]
                for name in ("one", "two", "three", "four", "five")
            },
        ),
        ({"one": _BELOW, "two": _CLEAR},),
        ({"one": _NOISE, "two": _CLEAR},),
    ],
    mistakes=(
        Mistake(
            _two_words,
            "you never come to 'cannot tell'; an interval with 0 inside speaks neither for nor "
            "against",
        ),
        Mistake(_by_mean, "the mean alone decides here; what is the interval for?"),
        Mistake(
            _judged(any, any),
            "a claim to beat several rows holds when it beats every one of them",
        ),
        Mistake(
            _judged(all, any, lambda m: LEVEL),
            "who looks at five differences finds one below 0 by chance more often; widen",
        ),
        Mistake(
            _judged(all, any, lambda m: 0.99),
            "who looks at one difference need not widen; what does the level depend on?",
        ),
        Mistake(
            _judged(all, any, lambda m: 1 - (1 - LEVEL) / max(1, m - 1)),
            "m is how many differences there are, and here they are the rows looked at",
        ),
        Mistake(
            _judged(all, any, both=True),
            "the first line looks at plain 95% intervals; which line is widened?",
        ),
        Mistake(
            _judged(all, all),
            "one row that is better is enough to end a claim to be the best",
        ),
        Mistake(
            lambda differences: verdict(differences).upper(),
            'return exactly "holds", "does not" or "cannot tell"',
            when=lambda rule: any(
                rule({"one": values}) not in (HOLDS, DOES_NOT, CANNOT_TELL)
                for values in (_CLEAR, _BELOW, _NOISE)
            ),
        ),
    ),
    otherwise="say the two lines aloud: every lower end, plain 95%; some upper end, widened for m",
)


def _letter(place: int, wrong: str) -> Callable[[Any], bool]:
    return lambda answer: len(answer) == 4 and answer[place] == wrong


def _not_letter(place: int, right: str) -> Callable[[Any], bool]:
    return lambda answer: len(answer) == 4 and answer[place] != right


ROWS = Exercise(
    right="fdeb",
    praise="each row differs from W3AN in the claim, and in as little else as can be",
    mistakes=(
        Mistake("FDEB", "small letters, please", when=lambda a: a != a.lower()),
        Mistake("fde", "four letters, one a claim", when=lambda a: len(a.replace(" ", "")) != 4),
        Mistake(
            "fdea",
            "claim 4: plain mean pooling lacks the better losses and training as well, and they "
            "would be counted as attention",
            when=_letter(3, "a"),
        ),
        Mistake(
            "fdec",
            "claim 4: without α there is still β, and still a graph",
            when=_letter(3, "c"),
        ),
        Mistake(
            "fceb",
            "claim 2: without any α nothing is guided; keep α, and guide it by something else",
            when=_letter(1, "c"),
        ),
        Mistake(
            "fdgb",
            "claim 3: W2AN keeps the graph and loses β; the claim is the other way round",
            when=_letter(2, "g"),
        ),
        Mistake(
            "gdeb",
            "claim 1: W2AN sees all frames; which row is not given some of them?",
            when=_letter(0, "g"),
        ),
        Mistake(
            "bdeb",
            "claim 1: which row has fewer frames, and lacks nothing besides?",
            when=_not_letter(0, "f"),
        ),
        Mistake(
            "faeb",
            "claim 2: keep α and something that guides it; what should that not be?",
            when=_not_letter(1, "d"),
        ),
        Mistake(
            "fdab",
            "claim 3: keep all else and β; what weighs frames by it and joins none?",
            when=_not_letter(2, "e"),
        ),
        Mistake(
            "fdee",
            "claim 4: which row has the losses and the training, but no attention and no graph?",
            when=_not_letter(3, "b"),
        ),
    ),
    otherwise="say for each row what it has not; the claim should be about just that",
)

SEEDS = Exercise(
    right=12,
    praise="one more seed than eleven, and nine would have done if the spread were known",
    tolerance=1e-6,
    mistakes=(
        Mistake(9, "1.96 (or 0.95 in place of 0.975) makes it look easier; Student's t is wider"),
        Mistake(11, "with eleven, 0 is still just inside; which degrees of freedom did you take?"),
        Mistake(5, "the spread is divided by √n, not by n"),
        Mistake(38, "the half of the interval has to stay below 2, not the whole"),
    ),
    otherwise="let n grow from 2 and print t · 3 / √n beside it",
)


def check_interval(student: Any) -> Verdict:
    """Scores a, b of the same seeds -> mean of a - b, and the ends of its 95% interval."""
    return INTERVAL.judge(student)


def check_verdict(student: Any) -> Verdict:
    """Differences by name, one value a seed -> "holds", "does not" or "cannot tell"."""
    return VERDICT.judge(student)


def check_rows(student: Any) -> Verdict:
    """The row that each of four claims should be measured against; a list of letters will do."""
    if isinstance(student, (list, tuple)) and all(isinstance(letter, str) for letter in student):
        student = "".join(student)
    if isinstance(student, str):
        student = student.replace(" ", "").replace(",", "")
    return ROWS.judge(student)


def check_seeds(student: Any) -> Verdict:
    """How many seeds until an interval about 2, of differences that spread by 3, leaves 0."""
    return SEEDS.judge(student)


EXERCISES = {"interval": INTERVAL, "verdict": VERDICT, "rows": ROWS, "seeds": SEEDS}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG: dict[str, Sequence[Any]] = {name: exercise.wrong for name, exercise in EXERCISES.items()}
