"""Many processes under torchrun that train as one would: the same batch, loss and weights.

Each process reads and embeds whole identities of the global batch. What a loss compares across
clips is gathered with its gradient; batch norm takes its statistics over all processes; pasting
draws from the whole batch, whose frames are exchanged as bytes. So nothing depends on the number
of processes but the order of sums, and the random maps of `guide_by="noise"`, whose seed is what a
process sees.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(hours=2)
"""How long processes wait for one another: the first one evaluates and writes alone."""


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started, and leave them; yields this one's device.

    Without torchrun nothing happens. One GPU a process; the CPU otherwise, over gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    options: dict[str, Any] = {"backend": "gloo"}
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        options = {"backend": "nccl", "device_id": device}
    dist.init_process_group(timeout=PATIENCE, **options)
    try:
        yield device
    finally:
        dist.destroy_process_group()


@dataclass(frozen=True)
class Ranks:
    """This process's place among `size`; alone, every method gives back what it got."""

    rank: int = 0
    size: int = 1

    @classmethod
    def now(cls) -> Ranks:
        """Those of the process group, if there is one."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, whole: Tensor) -> Tensor:
        """This process's rows of the global batch `[B, ...]`."""
        each = len(whole) // self.size
        return whole[self.rank * each : (self.rank + 1) * each]

    def gather(self, own: Tensor) -> Tensor:
        """The rows of all processes, in order: `[B / size, ...]` -> `[B, ...]`, with gradient.

        Every process then has the whole batch's loss, and gradient for its own rows alone,
        multiplied by `size`, because DistributedDataParallel takes the mean over processes.
        """
        return own if self.size == 1 else _Gather.apply(own, self)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over processes, without gradient."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.size
        return values

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether some process says so."""
        if self.size == 1:
            return flag
        said = torch.tensor(float(flag), device=device)
        dist.all_reduce(said)
        return bool(said > 0)

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """`model` so that its gradients are the mean over processes; first, equal weights."""
        if self.size == 1:
            return model
        # the statistics are the same on every process already; the option's name has changed
        known = signature(DistributedDataParallel).parameters
        sync = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        return DistributedDataParallel(
            model,
            device_ids=[device.index] if device.type == "cuda" else None,
            **{sync: False},  # type: ignore[arg-type]
            find_unused_parameters=True,  # a weight of 0 leaves a head without gradient
        )


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        parts = [own.new_empty(own.shape) for _ in range(ranks.size)]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.share(gradients[0]) * ctx.ranks.size, None


class _Mean(torch.autograd.Function):
    """The mean over processes of what each of them used; its gradient likewise."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.mean(own)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.mean(gradients[0].contiguous()), None


class WholeBatchNorm(_BatchNorm):
    """Batch norm over the batches of all processes, on any device.

    `torch.nn.SyncBatchNorm` does the same, on a GPU alone.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm takes [B, M, ...], not {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        ranks = Ranks.now()
        if not self.training or ranks.size == 1:
            return super().forward(input)
        dims = [d for d in range(input.ndim) if d != 1]
        column = [-1] + [1] * (input.ndim - 2)
        wide = input.double()  # so that both moments can go in one message without loss
        moments = torch.stack([wide.mean(dims), wide.square().mean(dims)])
        mean, square = _Mean.apply(moments, ranks)
        variance = (square - mean.square()).clamp_min(0).to(input.dtype)
        mean = mean.to(input.dtype)
        kept, spread = self.running_mean, self.running_var
        if kept is not None and spread is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked += 1
                share = self.momentum
                if share is None:
                    share = 1 / float(self.num_batches_tracked)
                count = ranks.size * input.numel() / input.shape[1]
                kept.lerp_(mean, share)
                spread.lerp_(variance * (count / (count - 1)), share)
        out = (input - mean.view(column)) * torch.rsqrt(variance + self.eps).view(column)
        if self.weight is not None:
            out = out * self.weight.view(column)
        return out if self.bias is None else out + self.bias.view(column)


@contextmanager
def whole_batch_norms(model: nn.Module, ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Within, every batch norm of `model` takes its statistics over all processes.

    Its layers come back afterwards: weights and statistics are shared, not copied.
    """
    kind = nn.SyncBatchNorm if device.type == "cuda" else WholeBatchNorm
    replaced = [
        (parent, name, child)
        for parent in list(model.modules())
        for name, child in parent.named_children()
        if isinstance(child, _BatchNorm) and ranks.size > 1
    ]
    for parent, name, child in replaced:
        setattr(parent, name, _twin(child, kind))
    try:
        yield
    finally:
        for parent, name, child in replaced:
            child.train(parent.training)
            setattr(parent, name, child)


def _twin(norm: _BatchNorm, kind: type[_BatchNorm]) -> _BatchNorm:
    twin = kind(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    ).train(norm.training)
    twin.weight, twin.bias = norm.weight, norm.bias
    twin.running_mean, twin.running_var = norm.running_mean, norm.running_var
    twin.num_batches_tracked = norm.num_batches_tracked
    return twin
