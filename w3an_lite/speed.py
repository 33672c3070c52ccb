"""What makes a step faster on a GPU, each by itself; a CPU changes nothing unless asked."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from .distributed import Ranks

Out = TypeVar("Out")
Piece = tuple[Any, str]
"""An object and the name of one of its methods: "forward" of a module."""
BACKEND = "inductor"
"""What `torch.compile` compiles with."""


@dataclass(frozen=True)
class Speed:
    """Each True, False or None: on with a GPU, off without. None of them is part of the recipe.

    autocast: the forward pass in bfloat16 where PyTorch deems it safe; weights and losses stay
        float32, and bfloat16 has float32's range, so no loss is scaled. Of itself on a GPU that
        computes in it (Ampere and later), not one that has to imitate it.
    tf32: products and convolutions of what is left in float32 with ten bits of mantissa.
    benchmark: cuDNN times its convolutions once and keeps the fastest.
    fused: the optimiser's step as one kernel.
    compile: `torch.compile` of a step's pieces (`gradients.Gradients.pieces`). Of itself with one
        process only, as statistics over many processes break what it can join, and where Triton
        finds a C compiler and Python's headers.
    record: a step's kernels recorded once and launched as one, see `recorded`; on a GPU, with one
        process. Of itself only where all parts are this library's, since one from elsewhere may
        wait for the GPU or draw by itself, and where no module has a hook, which would be called
        in the first steps alone.
    hold: all training frames on the device, if they fit; see `reading.HeldFrames`.
    """

    autocast: bool | None = None
    tf32: bool | None = None
    benchmark: bool | None = None
    fused: bool | None = None
    compile: bool | None = None
    record: bool | None = None
    hold: bool | None = None

    def on(self, device: torch.device, ranks: Ranks) -> Speed:
        """Every None decided, but for `hold`, which depends on the frames, and `record`, which
        depends on the model, on a GPU with one process."""
        gpu = device.type == "cuda"
        able = {
            "autocast": gpu and torch.cuda.is_bf16_supported(including_emulation=False),
            "compile": gpu and ranks.size == 1 and compiles(),
        }
        settled = {
            name: able.get(name, gpu) if getattr(self, name) is None else getattr(self, name)
            for name in ("autocast", "tf32", "benchmark", "fused", "compile")
        }
        record = self.record if gpu and ranks.size == 1 else False
        return replace(self, **settled, record=record, hold=self.hold if gpu else bool(self.hold))

    def casting(self, device: torch.device) -> AbstractContextManager[Any]:
        """The context of the forward pass."""
        if not self.autocast:
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)

    @contextmanager
    def applied(self, *pieces: Piece) -> Iterator[None]:
        """Within, PyTorch is set as asked, `pieces` are compiled; afterwards all is as before."""
        matrix = torch.get_float32_matmul_precision()
        benchmark = torch.backends.cudnn.benchmark
        convolutions = torch.backends.cudnn.allow_tf32
        # a method that was set on the very object stays as it is
        compiled = [(o, name) for o, name in pieces if self.compile and name not in o.__dict__]
        try:
            if self.tf32 is not None:  # cuDNN's own default is on
                torch.set_float32_matmul_precision("high" if self.tf32 else "highest")
                torch.backends.cudnn.allow_tf32 = self.tf32
            if self.benchmark is not None:
                torch.backends.cudnn.benchmark = self.benchmark
            for owner, name in compiled:
                fast = torch.compile(getattr(owner, name), backend=BACKEND, dynamic=False)
                owner.__dict__[name] = fast
            yield
        finally:
            torch.set_float32_matmul_precision(matrix)
            torch.backends.cudnn.benchmark = benchmark
            torch.backends.cudnn.allow_tf32 = convolutions
            for owner, name in compiled:
                owner.__dict__.pop(name, None)
            if compiled:  # another model's shapes would count against the same few
                torch.compiler.reset()


@contextmanager
def uncompiled(*pieces: Piece) -> Iterator[None]:
    """Within, compiled `pieces` run as they are written: other sizes would be compiled anew, and a
    copy of the model would go on to call the model it was copied from."""
    compiled = [
        (owner.__dict__, name, owner.__dict__[name])
        for owner, name in pieces
        if hasattr(owner.__dict__.get(name), "_torchdynamo_orig_callable")
    ]
    for own, name, _ in compiled:
        del own[name]
    try:
        yield
    finally:
        for own, name, fast in compiled:
            own[name] = fast


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Within, PyTorch computes on so many threads of the CPU; afterwards on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def gpus_there_are() -> int:
    """GPUs that PyTorch can use; a driver too old for it shows some, and none of them works."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def device_of(asked: str | torch.device) -> torch.device:
    """The device that was asked for, a GPU with its number; ValueError if there is none such."""
    gpus = gpus_there_are()
    known = f"give cpu, cuda or cuda:N (GPUs here: {gpus}, counted from 0)"
    try:
        device = torch.device(asked)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device is {asked!r}; {known}") from error
    if device.type != "cuda":
        return device
    if not gpus:
        raise ValueError("there is no CUDA device here; leave device out, or give cpu")
    if device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    if device.index >= gpus:
        raise ValueError(f"device is {str(device)!r}; {known}")
    return device


def compiles() -> bool:
    """Whether Triton, which compiles for a GPU, has what it needs: itself (Windows has none), a C
    compiler and Python's headers."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    headers = Path(sysconfig.get_paths()["include"], "Python.h").is_file()
    return find_spec("triton") is not None and bool(compiler) and headers


def casts(device: torch.device) -> bool:
    """Whether autocast is on for `device`."""
    kind = device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def in_float32(do: Callable[[Tensor], Out], given: Tensor) -> Out:
    """`do(given)`, outside of autocast if it is on: for what is small and has to be exact."""
    if not casts(given.device):
        return do(given)
    with torch.autocast(given.device.type, enabled=False):
        return do(given.float())
