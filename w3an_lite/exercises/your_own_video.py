"""Exercises of notebook 13: a line of a box file, tracks that may be one person, a lost box."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w3an_lite.footage import could_be_same

from .checker import Exercise, Mistake, Verdict


def _line(frame: int, track: int, corners: Tensor) -> Tensor:
    left, top, right, bottom = corners
    return torch.stack([torch.tensor(frame + 1.0), torch.tensor(float(track)), left, top,
                        right - left, bottom - top])  # fmt: skip


def _changed(**cells: int) -> Any:
    """The right line with the cells at other places of a list of candidates."""

    def line(frame: int, track: int, corners: Tensor) -> Tensor:
        left, top, right, bottom = corners
        right_line = _line(frame, track, corners)
        candidates = torch.stack(
            [*right_line, torch.tensor(float(frame)), right, bottom,
             (left + right) / 2, (top + bottom) / 2, torch.tensor(track + 1.0)]
        )  # fmt: skip
        names = ("frame", "track", "left", "top", "width", "height")
        return candidates[[cells.get(name, place) for place, name in enumerate(names)]]

    return line


LINE = Exercise(
    right=_line,
    praise="frames count from 1, and a box is its left top corner, its width and its height",
    inputs=[
        (0, 3, torch.tensor([10.0, 20.0, 50.0, 100.0])),
        (41, 1, torch.tensor([7.0, 4.0, 31.0, 60.0])),
    ],
    mistakes=(
        Mistake(
            _changed(frame=6),
            "your first frame is frame 0; what does a box file call it?",
        ),
        Mistake(
            _changed(width=7, height=8),
            "columns five and six say where the box ends; what do they say in this file?",
        ),
        Mistake(
            _changed(width=5, height=4),
            "height stands before width here; the file wants across before down",
        ),
        Mistake(
            _changed(left=9, top=10),
            "this names the middle of the box; which of its corners does the file name?",
        ),
        Mistake(
            _changed(track=11),
            "the frame is counted anew, but the track is right as it comes",
        ),
        Mistake(
            _changed(frame=6, width=7, height=8),
            "neither the count of frames nor the form of the box has been changed yet",
        ),
    ),
    otherwise="six numbers in a row: frame, track, left, top, width, height",
)


def _same(first: Tensor, last: Tensor) -> Tensor:
    return torch.from_numpy(could_be_same(first, last))


SAME = Exercise(
    right=_same,
    praise="two tracks may be one person if one ends before the other begins",
    inputs=[
        (torch.tensor([1, 5, 6, 20]), torch.tensor([5, 9, 30, 25])),
        (torch.tensor([10, 1, 40]), torch.tensor([20, 9, 60])),
    ],
    mistakes=(
        Mistake(
            lambda first, last: last[:, None] < first[None, :],
            "half of the pairs are there; does it matter which of the two comes first?",
        ),
        Mistake(
            lambda first, last: (last[:, None] <= first) | (last <= first[:, None]),
            "one track ends in the frame in which the other begins; who is in that frame?",
        ),
        Mistake(
            lambda first, last: first[:, None] > last[None, :],
            "half of the pairs are there; may the first of the two not be the one that ends first?",
        ),
        Mistake(
            lambda first, last: (last[:, None] < first) & (last < first[:, None]),
            "both cannot be first: one of the two has to be over before the other begins",
        ),
        Mistake(
            lambda first, last: _same(first, last) | torch.eye(len(first), dtype=torch.bool),
            "a track is no candidate for itself; what stands on the diagonal?",
        ),
        Mistake(
            lambda first, last: ~_same(first, last),
            "this marks the pairs that are seen at once; you want the others",
        ),
        Mistake(
            lambda first, last: first[:, None] != first[None, :],
            "tracks that begin at different times may still be seen together later",
        ),
    ),
    otherwise="compare the end of each track with the beginning of each other: bool [N, N]",
)

LOST = Exercise(
    right=1,
    praise="after one lost frame the box has moved 16 pixels and IoU is 0.43; after two, 0.25",
    mistakes=(
        Mistake(
            2,
            "count again how far the person has gone when they are seen after two lost frames",
        ),
        Mistake(
            21,
            "that is how many pixels the box may move; how many frames is it?",
            when=lambda answer: not isinstance(answer, (bool, str)) and 21 <= float(answer) <= 22,
        ),
        Mistake(
            3,
            "the two boxes would then share 8 columns of 72; is that enough?",
        ),
        Mistake(
            0,
            "8 pixels on, the boxes share 32 columns of 48; the tracker would take far less",
        ),
    ),
    otherwise="write IoU for two boxes a shift apart, and try one lost frame after another",
)


def check_line(student: Any) -> Verdict:
    """A line of a box file from a frame counted from 0, a track, and corners `[4]`."""
    return LINE.judge(student)


def check_same(student: Any) -> Verdict:
    """Which tracks may be one person, from their first and last frames `[N]`: bool `[N, N]`."""
    return SAME.judge(student)


def check_lost(student: Any) -> Verdict:
    """How many frames a detector may lose a person before the tracker loses them too."""
    return LOST.judge(student)


EXERCISES = {"line": LINE, "same": SAME, "lost": LOST}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
