"""A step that is replayed does what it did when it was recorded, on what it is given now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn

from w3an_lite.data.tracklet import Tracklet
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.recipe import Recipe
from w3an_lite.recorded import Recorded
from w3an_lite.speed import Speed
from w3an_lite.training import train

Crowd = Callable[..., list[Tracklet]]
Build = Callable[..., W3AN]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """CUDA graphs pretended on the CPU: how each was recorded, in order."""
    happened: list[str] = []

    @contextmanager
    def graph(made: object, stream: object, capture_error_mode: str) -> Iterator[None]:
        happened.append(capture_error_mode)
        yield

    fakes = {"Stream": Mock(), "current_stream": Mock(), "CUDAGraph": Mock, "graph": graph}
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    for name in ("stream", "device"):
        monkeypatch.setattr(torch.cuda, name, lambda _: nullcontext())
    return happened


def scaled(weight: nn.Parameter, seen: list[str]) -> Callable[..., tuple[list[str], Tensor]]:
    """The loss w·x, doubled if asked; its gradient is x."""

    def learn(x: Tensor, twice: bool) -> tuple[list[str], Tensor]:
        seen.append("learnt")
        weight.grad = None
        loss = (weight * x * (2 if twice else 1)).sum()
        loss.backward()
        return ["loss"], loss.detach().reshape(1)

    return learn


def made_to_replay(step: Recorded, seen: list[str]) -> None:
    """A pretended graph does again what `scaled` did, in the memory it was done in."""

    def replay(graph: Mock) -> None:
        (options, own), *_ = ((k[-1], r) for k, r in step.recordings.items() if r.graph is graph)
        factor, (x,) = 2 if options == ("twice", True) else 1, own.given
        own.gradients[0].copy_(factor * x)
        own.found[1].copy_((step.parameters[0].detach() * x * factor).sum().reshape(1))
        seen.append("replayed")

    class Graph(Mock):
        def replay(self) -> None:
            replay(self)

    torch.cuda.CUDAGraph = Graph  # type: ignore[misc]


def test_the_third_step_is_recorded_and_replayed(graphs: list[str]) -> None:
    weight, seen = nn.Parameter(torch.tensor([1.0, 2.0])), []
    step = Recorded(scaled(weight, seen), nn.ParameterList([weight]), torch.device("cpu"))
    made_to_replay(step, seen)
    kept, shown = [], [torch.tensor([1.0, 10.0**k]) for k in range(6)]
    for x in shown:
        names, values = step(x, twice=False)
        kept.append(values)
        assert names == ["loss"]
        torch.testing.assert_close(weight.grad, x)
    assert [x[1].item() for x in shown] == [10.0**k for k in range(6)]  # the caller's own stay
    assert graphs == ["thread_local"]
    assert seen == ["learnt"] * 3 + ["replayed"] * 4
    # of its own memory each: the next replay writes over what the one before has found
    torch.testing.assert_close(torch.cat(kept), 1 + 2 * 10.0 ** torch.arange(6))

    for _ in range(3):  # another option is recorded for itself, and the first is not forgotten
        step(torch.ones(2), twice=True)
        torch.testing.assert_close(weight.grad, 2 * torch.ones(2))
    step(torch.ones(2), twice=False)
    torch.testing.assert_close(weight.grad, torch.ones(2))
    assert len(graphs) == 2
    step(torch.ones(1), twice=False)  # and so is another shape
    assert len(step.recordings) == 2
    assert seen[-2:] == ["replayed", "learnt"]
    weight.data = weight.data.clone()  # as where the model went elsewhere and came back
    step(torch.ones(2), twice=False)
    assert not step.recordings
    assert seen[-1] == "learnt"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (RuntimeError("not permitted"), ValueError, r"on the GPU \(not permitted\); .*--no-record"),
        (torch.OutOfMemoryError("no room"), torch.OutOfMemoryError, "no room"),
    ],
)
@pytest.mark.parametrize("spoilt", [False, True])
def test_what_cannot_be_recorded_is_said(
    error: RuntimeError,
    kind: type[Exception],
    said: str,
    spoilt: bool,
    graphs: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason, and not what ends a recording that is spoilt says of that."""
    weight, seen = nn.Parameter(torch.ones(2)), []
    plain = torch.cuda.graph

    @contextmanager
    def ending_badly(*given: object, **options: str) -> Iterator[None]:
        with plain(*given, **options):  # type: ignore[arg-type]
            try:
                yield
            finally:
                if spoilt:
                    raise RuntimeError("capture was invalidated")

    def learn(x: Tensor) -> tuple[list[str], Tensor]:
        if graphs:
            raise error
        return scaled(weight, seen)(x, False)

    monkeypatch.setattr(torch.cuda, "graph", ending_badly)
    step = Recorded(learn, nn.ParameterList([weight]), torch.device("cpu"))
    step(torch.ones(2)), step(torch.ones(2))
    with pytest.raises(kind, match=said):
        step(torch.ones(2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("fast", "near"), [(False, 1e-3), (True, 2e-2)])
@pytest.mark.parametrize("preset", ["paper", "repaired"])
def test_a_recorded_run_learns_what_an_unrecorded_one_does(
    tiny: Build, crowd: Crowd, preset: str, fast: bool, near: float
) -> None:
    """Of two kinds of step: α is guided from the third epoch on. As exact as can be, and as a GPU
    trains by itself."""
    rows, weights = [], []
    recipe = Recipe.preset(
        preset, epochs=4, batch=8, people=4, lr=1e-3, load_size=None, crop=None, guide_after=2
    )
    all_or_none = dict.fromkeys(("autocast", "tf32", "benchmark", "compile"), fast)
    for record in (False, True):
        model, speed = tiny(preset, 8), Speed(**all_or_none, record=record)
        objective = Objective.preset(preset)
        rows.append(
            train(model, crowd(8), objective, recipe, device="cuda", progress=False, speed=speed)
        )
        weights.append(model.state_dict())
    assert [list(row) for row in rows[0]] == [list(row) for row in rows[1]]
    for a, b in zip(*rows, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=near)
    if not fast:
        for a, b in zip(*rows, strict=True):
            assert b == pytest.approx(a, rel=near, abs=1e-5)
        torch.testing.assert_close(*weights, rtol=near, atol=1e-5)
