"""Exercises of notebook 05: maps in [0, 1], Eq. 7, Eq. 8, and the most Eq. 8 can charge."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from w3an_lite.cam import guide_frames, scale_map
from w3an_lite.san import attention_consistency, normalise_scores

from .checker import Exercise, Mistake, Verdict, draw


def _with_a_flat_map() -> Tensor:
    maps = draw(2, 3, 4, 2) * torch.tensor([1.0, 5.0, 0.1]).view(3, 1, 1)
    maps[1, 2] = 0.7
    return maps


def _spread(maps: Tensor) -> tuple[Tensor, Tensor]:
    return maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)


def _unguarded(maps: Tensor) -> Tensor:
    low, high = _spread(maps)
    return (maps - low) / (high - low)


def _has_nan(answer: Any) -> bool:
    """Right but for the flat map."""
    out, right = torch.as_tensor(answer(_with_a_flat_map())), scale_map(_with_a_flat_map())
    rest = torch.nan_to_num(out, 0.0, 0.0, 0.0)
    return bool(out.isnan().any()) and torch.allclose(rest.double(), right.double(), atol=1e-5)


SCALE = Exercise(
    right=scale_map,
    praise="each map by itself, and a flat map says nothing",
    inputs=[(_with_a_flat_map(),), (draw(5, 2, seed=1) - 4,)],
    mistakes=(
        Mistake(
            _unguarded,
            "right until a map is flat; then you divide 0 by 0. What could the range be at least?",
            _has_nan,
        ),
        Mistake(
            lambda maps: (maps - maps.min()) / (maps.max() - maps.min()),
            "all maps share one least and one greatest value here; each map has its own",
        ),
        Mistake(
            lambda maps: maps / maps.amax((-2, -1), keepdim=True),
            "the greatest value is 1 now, and the least? A map may also lie below 0",
        ),
        Mistake(
            torch.sigmoid,
            "between 0 and 1, but does each map reach both ends?",
        ),
    ),
    otherwise="look at the least and the greatest value of each of your maps: 0 and 1, to 1e-4? "
    "A single map [h, w] may come in, too",
)


def _enlarge(maps: Tensor, frames: Tensor, mode: str = "bilinear") -> Tensor:
    corners = None if mode == "nearest" else False
    flat = maps.flatten(0, 1).unsqueeze(1)
    large = functional.interpolate(flat, frames.shape[-2:], mode=mode, align_corners=corners)
    return large.unflatten(0, frames.shape[:2])


def _one_colour(frames: Tensor, m_i: Tensor, m_a: Tensor) -> Tensor:
    out = frames.clone()
    out[:, :, :1] += _enlarge(m_i + m_a, frames)
    return out


EQ7 = Exercise(
    right=guide_frames,
    praise="brighter in every colour where the maps are high",
    inputs=[
        (draw(2, 3, 3, 16, 8), draw(2, 3, 4, 2, seed=1), draw(2, 3, 4, 2, seed=2)),
        (draw(1, 2, 3, 12, 6, seed=3), draw(1, 2, 3, 3, seed=4), draw(1, 2, 3, 3, seed=5)),
    ],
    mistakes=(
        Mistake(
            lambda frames, m_i, m_a: frames + _enlarge(m_i, frames),
            "the identity is laid over the frame; Eq. 7 has one more term",
        ),
        Mistake(
            lambda frames, m_i, m_a: frames + _enlarge(m_a, frames),
            "the attributes are laid over the frame; Eq. 7 has one more term",
        ),
        Mistake(
            lambda frames, m_i, m_a: _enlarge(m_i + m_a, frames).expand_as(frames),
            "these are the maps alone; where is the frame?",
        ),
        Mistake(
            _one_colour,
            "only one colour changes, which tints the frame; Eq. 7 adds the maps to all three",
        ),
        Mistake(
            lambda frames, m_i, m_a: frames * _enlarge(m_i + m_a, frames),
            "a product would black the frame out where the maps are 0; look at the sign in Eq. 7",
        ),
        Mistake(
            lambda frames, m_i, m_a: frames + _enlarge(m_i + m_a, frames, "nearest"),
            "right, but in blocks: which mode of interpolate is asked for?",
        ),
        Mistake(
            lambda frames, m_i, m_a: frames + _enlarge((m_i + m_a) / 2, frames),
            "you average the two maps; Eq. 7 does something simpler",
        ),
    ),
    otherwise="the numbers differ; three terms, each once and as it came in; then look at mode and "
    "align_corners",
)

_ONE = normalise_scores(draw(2, 3, 4, 2, 2))
_OTHER = normalise_scores(draw(2, 3, 4, 2, 2, seed=1))

EQ8 = Exercise(
    right=attention_consistency,
    praise="a sum over frames, channels and positions, a mean over clips",
    tolerance=1e-5,
    inputs=[
        (_ONE, _OTHER),
        (normalise_scores(draw(3, 2, 2, 3, 2, seed=2)), normalise_scores(draw(3, 2, 2, 3, 2))),
    ],
    mistakes=(
        Mistake(
            lambda a, b: (a - b).square().mean(),
            "a mean over everything is smaller by the number of terms; where does Eq. 8 say mean?",
        ),
        Mistake(
            lambda a, b: (a - b).square().sum(),
            "the clips of the batch are added up; twice the batch should not be twice the loss",
        ),
        Mistake(
            lambda a, b: (a - b).norm(dim=2).sum((1, 2, 3)).mean(),
            "you take the norm; what does the little 2 after it say?",
        ),
        Mistake(
            lambda a, b: (a - b).flatten(1).norm(dim=1).mean(),
            "one norm for the whole clip; what does the little 2 after it say?",
        ),
        Mistake(
            lambda a, b: (a - b).abs().sum((1, 2, 3, 4)).mean(),
            "differences, yes, but not their absolute values",
        ),
        Mistake(
            lambda a, b: (a - b).square().sum((-2, -1)).mean(),
            "positions are added up, frames and channels averaged; what does Eq. 8 do with those?",
        ),
    ),
    otherwise="the numbers differ; of the five axes one is averaged, and which are added up?",
)

MOST = Exercise(
    right=2.0 * 6 * 128,
    praise="all weight at one place, and all weight at another: 2 for each frame and channel",
    mistakes=(
        Mistake(
            6.0 * 128,
            "each position that differs counts; how many positions differ when the weight moves?",
        ),
        Mistake(2.0, "true of one frame and one channel; how many of them are in the clip?"),
        Mistake(
            6.0 * 128 * 32,
            "no attention can have a weight of 1 at every position; what must its weights add up "
            "to?",
        ),
        Mistake(1.0, "a squared difference is at most 1 at one position; now add up the others"),
    ),
    otherwise="take one frame and one channel first, then count frames and channels",
)


def check_scale(student: Any) -> Verdict:
    """Maps `[..., h, w]`, each moved and stretched onto [0, 1]; a flat one becomes 0."""
    return SCALE.judge(student)


def check_eq7(student: Any) -> Verdict:
    """Eq. 7 for frames `[B, T, 3, H, W]` and two maps `[B, T, h, w]`."""
    return EQ7.judge(student)


def check_eq8(student: Any) -> Verdict:
    """Eq. 8 for two attentions `[B, T, M, h, w]`."""
    return EQ8.judge(student)


def check_most(student: Any) -> Verdict:
    """The greatest value of Eq. 8 for a clip of 6 frames and 128 channels."""
    return MOST.judge(student)


EXERCISES = {"scale": SCALE, "eq7": EQ7, "eq8": EQ8, "most": MOST}
SOLUTIONS = {name: exercise.right for name, exercise in EXERCISES.items()}
WRONG = {name: exercise.wrong for name, exercise in EXERCISES.items()}
