"""Exercises of notebook 01: the batch, even frames, what is ranked, AP, and AP by trapezoids."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w3an_lite.data.sampling import even_frames
from w3an_lite.data.tracklet import JUNK
from w3an_lite.evaluation import evaluate_distances

from .checker import Exercise, Mistake, Verdict

PEOPLE = Exercise(
    right=4,
    praise="4 people × 4 tracklets: each anchor has 3 right answers and 12 wrong ones",
    mistakes=(
        Mistake(8, "8 people leave 2 tracklets each; how many of those are the anchor itself?"),
        Mistake(3, "16 is no multiple of 3; count the tracklets of one person, not the positives"),
        Mistake(16, "16 people have one tracklet each, so an anchor has nobody to be close to"),
        Mistake(12, "12 is how many clips of other people an anchor then sees; P counts people"),
    ),
    otherwise="N/P tracklets of each person, less the anchor, are its positives",
)


def _even_steps(length: int, clip: int, place: float) -> Tensor:
    """One frame of each of `clip` stretches: `place` 0 its start, 0.5 its middle, 1 its end."""
    return ((torch.arange(clip) + place) * length / clip).long().clamp(max=length - 1)


EVEN = Exercise(
    right=even_frames,
    praise="the middle of each of T equal stretches, for tracklets of any length",
    inputs=[(16, 10), (20, 10), (97, 10), (7, 10), (1, 4)],
    mistakes=(
        Mistake(
            lambda length, clip: torch.arange(clip) % length,
            "these are the first frames; a person who is hidden at the end is never seen so",
        ),
        Mistake(
            lambda length, clip: torch.linspace(0, length - 1, clip).round().long(),
            "evenly spread, but the first and the last frame stand for half a stretch each",
        ),
        Mistake(
            lambda length, clip: torch.linspace(0, length - 1, clip).long(),
            "the last frame stands for next to nothing; where is the middle of the last stretch?",
        ),
        Mistake(
            lambda length, clip: torch.arange(clip) * length // clip + length // (2 * clip),
            "start and half are each rounded; add them first, and round once",
        ),
        Mistake(
            lambda length, clip: (
                (torch.arange(clip) * length // clip + torch.arange(1, clip + 1) * length // clip)
                // 2
            ),
            "both ends are rounded before you take their middle; round once, at the end",
        ),
        Mistake(
            lambda length, clip: _even_steps(length, clip, 0.0),
            "you take the start of each stretch; where is its middle?",
        ),
        Mistake(
            lambda length, clip: _even_steps(length, clip, 1.0),
            "you take the end of each stretch; where is its middle?",
        ),
    ),
    otherwise="cut [0, length) into T equal stretches; round the middle of each down, "
    "in whole numbers: floats may fall just below one",
)

_IDENTITY = torch.tensor([7, 7, 3, 0, -1, 7, -1, 5])
_CAMERA = torch.tensor([1, 2, 1, 1, 1, 3, 2, 2])


def _kept(identity: int, camera: int, identities: Tensor, cameras: Tensor) -> Tensor:
    return ~((identities == identity) & (cameras == camera)) & (identities != JUNK)


KEPT = Exercise(
    right=_kept,
    praise="out go the person's own camera and the junk; strangers stay, and are never right",
    inputs=[(7, 1, _IDENTITY, _CAMERA), (5, 2, _IDENTITY, _CAMERA), (3, 2, _IDENTITY, _CAMERA)],
    mistakes=(
        Mistake(
            lambda identity, camera, identities, cameras: cameras != camera,
            "this drops other people of the same camera too, and so makes the search easier",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: (cameras != camera) & (identities != -1),
            "the junk is out; but other people of the query's camera should stay",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: (
                (identities != identity) & (cameras != camera)
            ),
            "this drops what has the person or the camera; look for what has both at once",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: (
                (identities != identity) & (cameras != camera) & (identities != JUNK)
            ),
            "the junk is out; but this also drops what has the person *or* the camera",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: (
                ~_kept(identity, camera, identities, cameras)
            ),
            "these are the ones that go; turn it around",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: identities != identity,
            "nobody is left to be found; which of the person's own tracklets are too easy?",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: (
                ~((identities == identity) & (cameras == camera))
            ),
            "the camera rule is right; one kind of tracklet shows no usable person at all",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: (
                _kept(identity, camera, identities, cameras) & (identities != 0)
            ),
            "distractors are people nobody asks for; may a search engine leave them out?",
        ),
        Mistake(
            lambda identity, camera, identities, cameras: (
                (identities == identity) & (cameras != camera)
            ),
            "these are the right answers; everyone who may stand before them is ranked too",
        ),
    ),
    otherwise="two conditions drop an item: same person and same camera, or junk; keep the rest",
)


def _search(ranks: Tensor, ap: Any) -> float:
    """AP of a query whose right items have these ranks, by the library."""
    items = int(ranks[-1]) + 3
    identity = torch.zeros(items, dtype=torch.int64)
    identity[ranks.long() - 1] = 1
    distance = torch.arange(items).float()[None]
    return evaluate_distances(distance, [1], [1], identity, [2] * items, ap=ap).mean_ap


AP = Exercise(
    right=lambda ranks: _search(ranks, "step"),
    praise="the precision at each right item, averaged over the right items",
    inputs=[
        (torch.tensor([1, 3, 6]),),
        (torch.tensor([4]),),
        (torch.tensor([2, 3, 5, 9]),),
        (torch.tensor([1, 2]),),
    ],
    mistakes=(
        Mistake(
            lambda ranks: 1 / ranks[0],
            "this asks for the first right item alone; AP wants all of them",
        ),
        Mistake(
            lambda ranks: (1 / ranks).mean(),
            "at the second right item, two of those seen so far are right, not one",
        ),
        Mistake(
            lambda ranks: (torch.arange(1, len(ranks) + 1) / ranks).sum() / ranks[-1],
            "the precisions are right; average over how many?",
        ),
        Mistake(
            lambda ranks: (torch.arange(1, len(ranks) + 1) / ranks).sum(),
            "the precisions are right, but added up; by what does Eq. b divide?",
        ),
        Mistake(
            lambda ranks: (torch.arange(len(ranks)) / ranks).mean(),
            "counting from 0 forgets the right item that you have just met",
        ),
        Mistake(
            lambda ranks: _search(ranks, "trapezoid"),
            "this joins the points by straight lines, MARS's form; Eq. b asks for the steps",
        ),
    ),
)

TRAPEZOID = Exercise(
    right=0.125,
    praise="(1/4 + 0/3) / 2: half of what the step form gives",
    tolerance=1e-3,
    mistakes=(
        Mistake(12.5, "right, in per cent; give it as a share from 0 to 1"),
        Mistake(0.25, "that is the step form, Eq. b; which second value does Eq. c average in?"),
        Mistake(0.625, "the 1 stands for the place before rank 1; what comes before rank 4?"),
        Mistake(0.2917, "before rank 4 nothing right has been seen yet, so i − 1 is 0"),
        Mistake(0.5, "that would be a right item at rank 2 by steps; put ρ = 4 into Eq. c"),
    ),
    otherwise="put i = 1 and ρ = 4 into Eq. c; there is one term",
)


def check_people(student: Any) -> Verdict:
    """P for batches of 16 in which each anchor has three positives."""
    return PEOPLE.judge(student)


def check_even(student: Any) -> Verdict:
    """T frame numbers of a tracklet, the middle of each of T equal stretches."""
    return EVEN.judge(student)


def check_kept(student: Any) -> Verdict:
    """Which gallery items are ranked for a query, bool `[G]`."""
    return KEPT.judge(student)


def check_ap(student: Any) -> Verdict:
    """Average precision, step form, from the ranks of the right items."""
    return AP.judge(student)


def check_trapezoid(student: Any) -> Verdict:
    """AP by trapezoids of a query whose only right item has rank 4."""
    return TRAPEZOID.judge(student)


EXERCISES = {"people": PEOPLE, "even": EVEN, "kept": KEPT, "ap": AP, "trapezoid": TRAPEZOID}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
