"""Statistics of the footage: those of its frames, and nothing but the trunk's norms changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from w3an_lite.adapt import adapted
from w3an_lite.data.tracklet import ArrayFrames, DataError, Tracklet
from w3an_lite.frames import IMAGENET_MEAN, normalise
from w3an_lite.model import W3AN

Build = Callable[..., W3AN]
Crowd = Callable[..., list[Tracklet]]


def test_the_first_norm_has_the_mean_of_the_frames(tiny: Build, crowd: Crowd) -> None:
    model, people = tiny().eval(), crowd(6, each=2, frames=[4] * 6)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    out = adapted(model, people, batch=1000)
    pixels = torch.cat([torch.from_numpy(t.frames.read(range(4))) for t in people])
    stem = out.backbone.stem
    found = stem[0](normalise(pixels))
    torch.testing.assert_close(stem[1].running_mean, found.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(stem[1].running_var, found.var((0, 2, 3)), atol=1e-5, rtol=1e-3)
    assert not out.training
    assert stem[1].momentum == model.backbone.stem[1].momentum
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)  # the model given stays
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(out.state_dict()[name], value, rtol=0, atol=0)
    assert any(
        "running_mean" in k and not torch.equal(v, state[k]) for k, v in out.state_dict().items()
    )


def test_the_same_frames_give_the_same_statistics(tiny: Build, crowd: Crowd) -> None:
    model, people = tiny().eval(), crowd(6, each=2, frames=[5] * 6)
    one, two = (adapted(model, people, batch=16).state_dict() for _ in range(2))
    assert all(torch.equal(one[k], two[k]) for k in one)
    few = adapted(model, people, frames=36).state_dict()
    assert not all(torch.equal(one[k], few[k]) for k in one)


def faded(pixels: np.ndarray) -> np.ndarray:
    """Half the contrast, about the mean that `normalise` takes off."""
    mean = 255 * np.array(IMAGENET_MEAN).reshape(3, 1, 1)
    return np.round(mean + 0.5 * (pixels - mean)).astype(np.uint8)


def test_contrast_that_all_the_footage_lacks_is_made_good(tiny: Build, crowd: Crowd) -> None:
    """Convolutions without bias pass a factor on, and the first norm divides it out."""
    model, people = tiny().eval(), crowd(6, each=2, frames=[5] * 6)
    pale = [replace(t, frames=ArrayFrames(faded(t.frames.read(range(5))))) for t in people]
    clear, dim = (
        torch.stack([torch.from_numpy(t.frames.read(range(3))) for t in some])
        for some in (people, pale)
    )
    with torch.no_grad():
        wanted = adapted(model, people)(clear).cube
        got = adapted(model, pale)(dim).cube
        alone, before = model(dim).cube, model(clear).cube
    assert (got - wanted).norm() < 0.1 * wanted.norm()
    assert (alone - before).norm() > 0.3 * before.norm()  # the model as it is answers otherwise


def test_few_frames_are_refused(tiny: Build, crowd: Crowd) -> None:
    with pytest.raises(DataError, match="4 frames are too few to take statistics of"):
        adapted(tiny(), crowd(2, each=1, frames=[2, 2]))


def test_no_more_frames_are_read_than_asked_for(
    tiny: Build, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = crowd(40, each=2, frames=2)
    read: list[int] = []
    kind = type(people[0].frames)
    real = kind.read

    def counted(self: object, indices: object, *size: object) -> object:
        read.append(1)
        return real(self, indices, *size)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "read", counted)
    adapted(tiny(), people, frames=50)
    assert len(read) == 50  # of 80 tracklets
    for wrong in ({"frames": 0}, {"batch": 0}):
        with pytest.raises(ValueError, match="give at least 1 of each"):
            adapted(tiny(), people, **wrong)


def test_only_batch_norm_learns_and_there_must_be_some(tiny: Build, crowd: Crowd) -> None:
    """Dropout in a trunk of one's own would draw, and change what the statistics are of."""

    class Dropping(nn.Module):
        channels, stride = 4, 8

        def __init__(self, norm: bool = True) -> None:
            super().__init__()
            self.cut, self.drop = nn.Conv2d(3, 4, 8, 8), nn.Dropout(0.5)
            self.norm = nn.BatchNorm2d(4) if norm else nn.Identity()

        def forward(self, frames: Tensor) -> Tensor:
            return self.norm(self.drop(self.cut(frames)))

    people = crowd(20, each=2)
    model = tiny(backbone=Dropping(), weights=None, trunk=None)
    means = [adapted(model, people).backbone.norm.running_mean for _ in range(2)]
    assert torch.equal(*means)
    with pytest.raises(ValueError, match="the backbone has no batch norm"):
        adapted(tiny(backbone=Dropping(False), weights=None, trunk=None), people)


def test_statistics_of_before_are_forgotten(tiny: Any, crowd: Any) -> None:
    fresh, used = tiny(), tiny()
    used(torch.rand(4, 3, 3, 32, 16))  # has seen other pictures, and counted them
    one, two = (adapted(m, crowd(20, each=2)).state_dict() for m in (fresh, used))
    for name in one:
        torch.testing.assert_close(one[name], two[name], msg=lambda m, n=name: n + m)


def test_as_many_frames_of_each_and_evenly(
    tiny: Any, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, read = ArrayFrames.read, []

    def noted(self: Any, indices: Any, *size: Any) -> Any:
        read.append((id(self), int(indices[0])))
        return plain(self, indices, *size)

    monkeypatch.setattr(ArrayFrames, "read", noted)
    people = crowd(5, each=2, frames=[10, 40])
    adapted(tiny(), people, frames=40)  # four of each, long or short
    wanted = {10: (1, 3, 6, 8), 40: (5, 15, 25, 35)}
    assert sorted(read) == sorted((id(t.frames), i) for t in people for i in wanted[len(t)])
    read.clear()
    many = crowd(40, each=2, frames=2)
    adapted(tiny(), many, frames=40)  # one of every second
    assert {key for key, _ in read} == {id(t.frames) for t in many[1::2]}


@pytest.mark.parametrize("count", [31, 32])
def test_thirty_two_frames_are_the_fewest(tiny: Build, crowd: Crowd, count: int) -> None:
    people = crowd(count, each=1, frames=1)
    if count == 32:
        assert not adapted(tiny(), people).training
        return
    with pytest.raises(DataError, match=r"31 frames are too few .*; give at least 32"):
        adapted(tiny(), people)


def test_no_footage_at_all_is_too_little(tiny: Build) -> None:
    with pytest.raises(DataError, match="0 frames are too few"):
        adapted(tiny(), [])


def test_batches_are_nearly_equal_and_mix_the_tracklets(
    tiny: Build, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, read, batches = ArrayFrames.read, [], []

    def noted(self: Any, indices: Any, *size: Any) -> Any:
        read.append(id(self))
        return plain(self, indices, *size)

    model, people = tiny(), crowd(2, each=1, frames=40)
    model.backbone.register_forward_pre_hook(lambda _, given: batches.append(len(given[0])))
    monkeypatch.setattr(ArrayFrames, "read", noted)
    adapted(model, people, batch=48)
    assert batches == [40, 40]
    assert len(set(read[:40])) == len(set(read[40:])) == 2
    one, other, again = (adapted(model, people, batch=16, seed=s).state_dict() for s in (0, 1, 0))
    assert all(torch.equal(one[k], again[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)  # other batches


def test_every_norm_rests_afterwards(tiny: Build, crowd: Crowd) -> None:
    out = adapted(tiny().train(), crowd(20, each=2))
    assert not any(module.training for module in out.modules())
