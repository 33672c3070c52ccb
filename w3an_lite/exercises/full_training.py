"""Exercises of notebook 12: the schedule, how soon its way is walked, the estimate, many GPUs."""

from __future__ import annotations

from typing import Any

from w3an_lite.recipe import Recipe

from .checker import Exercise, Mistake, Verdict

_PAPER = Recipe()

RATE = Exercise(
    right=lambda epoch: _PAPER.rate(epoch),
    praise="six plateaus, and ten epochs that end the last one",
    inputs=[(epoch,) for epoch in (0, 49, 50, 149, 150, 289, 290, 295, 299)],
    mistakes=(
        Mistake(
            lambda epoch: 2e-2 * 0.1 ** (epoch // 50),
            "right until epoch 290; which factor brings the rate down to 0 at epoch 300?",
        ),
        Mistake(
            lambda epoch: 2e-2 * 0.1 ** (epoch / 50) * min(1, (300 - epoch) / 10),
            "this falls all the time; the paper lets the rate stand still for 50 epochs",
        ),
        Mistake(
            lambda epoch: 2e-2 * min(1, (300 - epoch) / 10),
            "only the end is there; what happens every 50 epochs?",
        ),
        Mistake(
            lambda epoch: 2e-2 * 0.1 ** (epoch // 50) * min(1, (299 - epoch) / 10),
            "epoch 299 is still trained; the rate is 0 when all 300 are done",
        ),
        Mistake(
            lambda epoch: 2e-2 * 0.1 ** ((epoch + 1) // 50) * min(1, (300 - epoch) / 10),
            "right at epochs 0 and 50; but at epoch 49 no more than 49 are done",
        ),
        Mistake(
            lambda epoch: 2e-2 * (1 - epoch / 300),
            "one straight line; look at the equation for ⌊ ⌋",
        ),
    ),
    otherwise="compare with the toy at epochs 0, 50 and 295",
    tolerance=1e-8,  # the last rates are that small
)

_RATES = [_PAPER.rate(epoch) for epoch in range(_PAPER.epochs)]

WAY = Exercise(
    right=next(n for n in range(301) if sum(_RATES[:n]) >= 0.95 * sum(_RATES)),
    praise="a quarter of the epochs walks nineteen twentieths of the way",
    mistakes=(
        Mistake(77, "epoch 77 counts from 0; how many are done after it?"),
        Mistake(285, "that many of the epochs, but their steps are of different lengths"),
        Mistake(50, "nine tenths of the way; the second plateau has to help"),
        Mistake(100, "by then 99% are walked; look inside the second plateau"),
    ),
    otherwise="add up the rates epoch by epoch until 95% of the sum of all 300 are reached",
)

HOURS = Exercise(
    right=lambda steps, step, evaluations, each: (steps * step + evaluations * each) / 3600,
    praise="steps and evaluations, both in hours",
    inputs=[(23_400, 0.5, 30, 60.0), (800, 9.0, 4, 450.0), (100, 36.0, 0, 10.0)],
    mistakes=(
        Mistake(
            lambda steps, step, evaluations, each: steps * step / 3600,
            "the evaluations take time too",
        ),
        Mistake(
            lambda steps, step, evaluations, each: (steps * step + evaluations * each) / 60,
            "these are minutes",
        ),
        Mistake(
            lambda steps, step, evaluations, each: steps * step + evaluations * each,
            "these are seconds",
        ),
        Mistake(
            lambda steps, step, evaluations, each: steps * step / 3600 + evaluations * each,
            "the steps are in hours; in what are the evaluations?",
        ),
        Mistake(
            lambda steps, step, evaluations, each: steps * (step + evaluations * each) / 3600,
            "an evaluation comes after some epochs, not after every step",
        ),
        Mistake(
            lambda steps, step, evaluations, each: (steps / step + evaluations / each) / 3600,
            "seconds a step, not steps a second",
        ),
    ),
    otherwise="add up the seconds of all steps and all evaluations; an hour has 3,600",
)

PROCESSES = Exercise(
    right=[2, 4, 8],
    praise="each takes the same number of whole people",
    mistakes=(
        Mistake(
            [8, 4, 2],
            "the right numbers; a list in rising order is wanted",
            when=lambda answer: sorted(answer) == [2, 4, 8],
        ),
        Mistake([2, 4, 8, 16], "16 clips divide by 16; do 8 people?"),
        Mistake([1, 2, 4, 8], "one process is no choice among many: the question begins at 2"),
        Mistake([2, 4], "one more: how few people may a process have?"),
        Mistake([8], "one person each works; so do two, or four"),
    ),
    otherwise="no process may share a person with another, and all must have as many",
)


def check_rate(student: Any) -> Verdict:
    """The paper's learning rate at the start of an epoch, counted from 0."""
    return RATE.judge(student)


def check_way(student: Any) -> Verdict:
    """After how many epochs the rates have added up to 95% of the sum of all 300."""
    return WAY.judge(student)


def check_hours(student: Any) -> Verdict:
    """Hours of a run: steps, seconds a step, evaluations, seconds an evaluation."""
    return HOURS.judge(student)


def check_processes(student: Any) -> Verdict:
    """The numbers of processes, from 2 to 16, that share P = 8 people of 16 clips evenly."""
    return PROCESSES.judge(student)


EXERCISES = {"rate": RATE, "way": WAY, "hours": HOURS, "processes": PROCESSES}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
