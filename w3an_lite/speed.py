"""What should make a step faster on a GPU, each by itself; a CPU changes nothing unless asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from .distributed import Ranks

BACKEND = "inductor"
"""What `torch.compile` compiles with."""


@dataclass(frozen=True)
class Speed:
    """Each True, False or None: on with a GPU, off without. None of them is part of the recipe.

    autocast: the forward pass in bfloat16 where PyTorch deems it safe; weights and losses stay
        float32, and bfloat16 has float32's range, so no loss is scaled.
    tf32: products and convolutions of what is left in float32 with ten bits of mantissa.
    benchmark: cuDNN times its convolutions once and keeps the fastest.
    fused: the optimiser's step as one kernel.
    compile: `torch.compile` of the trunk and of spatial attention. Of itself with one process
        only: statistics over many processes break what it can join.
    hold: all training frames on the device, if they fit; see `reading.HeldFrames`.
    """

    autocast: bool | None = None
    tf32: bool | None = None
    benchmark: bool | None = None
    fused: bool | None = None
    compile: bool | None = None
    hold: bool | None = None

    def on(self, device: torch.device, ranks: Ranks) -> Speed:
        """Every None decided; `hold` stays open, since it depends on the frames."""
        gpu = device.type == "cuda"
        settled = {
            name: gpu if getattr(self, name) is None else getattr(self, name)
            for name in ("autocast", "tf32", "benchmark", "fused")
        }
        able = gpu and ranks.size == 1 and find_spec("triton") is not None  # Windows has no Triton
        compile = able if self.compile is None else self.compile
        return replace(self, **settled, compile=compile, hold=self.hold if gpu else bool(self.hold))

    def casting(self, device: torch.device) -> AbstractContextManager[Any]:
        """The context of the forward pass."""
        if not self.autocast:
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)

    @contextmanager
    def applied(self, *parts: nn.Module | None) -> Iterator[None]:
        """Within, PyTorch is set as asked and `parts` are compiled; afterwards all is as before."""
        matrix = torch.get_float32_matmul_precision()
        benchmark = torch.backends.cudnn.benchmark
        convolutions = torch.backends.cudnn.allow_tf32
        compiled = [part for part in parts if part is not None and self.compile]
        try:
            if self.tf32:
                torch.set_float32_matmul_precision("high")
            if self.tf32 is not None:  # cuDNN's own default is on
                torch.backends.cudnn.allow_tf32 = self.tf32
            if self.benchmark:
                torch.backends.cudnn.benchmark = True
            for part in compiled:
                part.compile(backend=BACKEND, dynamic=False)
            yield
        finally:
            torch.set_float32_matmul_precision(matrix)
            torch.backends.cudnn.benchmark = benchmark
            torch.backends.cudnn.allow_tf32 = convolutions
            for part in compiled:
                part._compiled_call_impl = None  # type: ignore[assignment]


@contextmanager
def uncompiled(*parts: nn.Module | None) -> Iterator[None]:
    """Within, compiled `parts` run as they are written: other sizes would be compiled anew."""
    compiled = [(part, part._compiled_call_impl) for part in parts if part is not None]
    for part, _ in compiled:
        part._compiled_call_impl = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for part, call in compiled:
            part._compiled_call_impl = call
