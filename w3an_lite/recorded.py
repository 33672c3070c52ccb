"""A step's work on a GPU, recorded once and launched as one: a CUDA graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

WARM = 2
"""Steps that run as they are written before one is recorded: the first ones compile and choose."""
Learn = Callable[..., "tuple[list[str], Tensor]"]
"""Tensors, and by name what else there is to know -> names `[n]` and their values `[n]`; every
parameter's gradient is new afterwards."""


class Recording(NamedTuple):
    """graph reads `given`, writes the values of `found` and every gradient, when it is replayed."""

    graph: torch.cuda.CUDAGraph
    given: list[Tensor]
    found: tuple[list[str], Tensor]
    gradients: list[Tensor | None]


class Recorded:
    """`learn`, launched as one from its third call on.

    To launch some hundred short kernels one by one takes a CPU longer than a GPU needs for them.
    `learn` must wait for nothing, read all that changes from the tensors it is given, and draw
    nothing from a generator of its own. Other shapes, or another of `options`, are recorded anew.

    RuntimeError when it cannot be recorded, and how to do without.
    """

    def __init__(
        self, learn: Learn, parameters: Sequence[nn.Parameter], device: torch.device
    ) -> None:
        self.learn, self.parameters, self.device = learn, list(parameters), device
        self.stream = torch.cuda.Stream(device)
        self.calls: Counter[Any] = Counter()
        self.recordings: dict[Any, Recording] = {}

    def __call__(self, *given: Tensor, **options: bool) -> tuple[list[str], Tensor]:
        kind = (*(tuple(x.shape) for x in given), *options.items())
        self.calls[kind] += 1
        if self.calls[kind] <= WARM:
            return self._beside(given, options)
        if kind not in self.recordings:
            self.recordings[kind] = self._record(given, options)
        recording = self.recordings[kind]
        for own, new in zip(recording.given, given, strict=True):
            own.copy_(new)
        recording.graph.replay()
        for parameter, gradient in zip(self.parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        names, values = recording.found
        return names, values.clone()  # the next replay writes over them

    def _beside(
        self, given: Sequence[Tensor], options: dict[str, bool]
    ) -> tuple[list[str], Tensor]:
        """As it is written, but where it will be recorded: what is made first stays with its
        stream."""
        here = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            found = self.learn(*given, **options)
        here.wait_stream(self.stream)
        return found

    def _record(self, given: Sequence[Tensor], options: dict[str, bool]) -> Recording:
        own = [x.clone() for x in given]
        graph = torch.cuda.CUDAGraph()
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        try:
            # "thread_local": another thread may pin memory for the next batch meanwhile
            with (
                torch.cuda.device(self.device),
                torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
            ):
                found = self.learn(*own, **options)
        except RuntimeError as error:
            raise RuntimeError(
                f"the step cannot be recorded on the GPU ({error}); train with --no-record, or "
                "Speed(record=False)"
            ) from error
        return Recording(graph, own, found, [p.grad for p in self.parameters])
