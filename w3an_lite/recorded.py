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
    """`learn`, which leaves gradients in `module`, launched as one from its third call on.

    To launch some hundred short kernels one by one takes a CPU longer than a GPU needs for them.
    `learn` must wait for nothing, read all that changes from the tensors it is given, and draw
    nothing from a generator of its own; its Python is not run again. Other shapes, or another of
    `options`, are recorded for themselves, and all anew if the module's weights lie elsewhere.

    ValueError when it cannot be recorded, with the reason and how to do without.
    """

    def __init__(self, learn: Learn, module: nn.Module, device: torch.device) -> None:
        self.learn, self.device = learn, device
        self.parameters = [*module.parameters()]
        self.stream = torch.cuda.Stream(device)
        self.places: list[int] = []
        self.calls: Counter[Any] = Counter()
        self.recordings: dict[Any, Recording] = {}

    def __call__(self, *given: Tensor, **options: bool) -> tuple[list[str], Tensor]:
        places = [parameter.data_ptr() for parameter in self.parameters]
        if places != self.places:
            self.places = places
            self.calls.clear()
            self.recordings.clear()
        kind = (*(tuple(x.shape) for x in given), *options.items())
        self.calls[kind] += 1
        if self.calls[kind] <= WARM:
            return self._beside(given, options)
        if kind not in self.recordings:
            self.recordings[kind] = self._record(given, options)
        recording = self.recordings[kind]
        for kept, new in zip(recording.given, given, strict=True):
            kept.copy_(new)
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
        kept = [x.clone() for x in given]
        graph = torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream(self.device)
        try:
            # "thread_local": another thread may pin memory for the next batch meanwhile
            with (
                torch.cuda.device(self.device),
                torch.cuda.stream(here),  # comes back, whatever happens
                torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
            ):
                found = self.learn(*kept, **options)
        except RuntimeError as error:
            why = error.__context__ or error  # what spoilt it, before what ending it said
            if isinstance(why, torch.OutOfMemoryError):
                raise why from None
            raise ValueError(
                f"the step cannot be recorded on the GPU ({why}); train with --no-record, or "
                "Speed(record=False)"
            ) from error
        return Recording(graph, kept, found, [p.grad for p in self.parameters])
