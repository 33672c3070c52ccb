"""Decoding on several threads: Pillow lets the others run while it decodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Out = TypeVar("Out")


def on_threads(do: Callable[[Item], Out], items: Sequence[Item]) -> list[Out]:
    """`[do(item) for item in items]`, on as many threads as PyTorch may use in this process.

    A worker of a DataLoader may use one, and does them in turn. The first error is raised.
    """
    threads = torch.get_num_threads()
    if min(threads, len(items)) < 2:
        return [do(item) for item in items]
    return list(_pool(os.getpid(), threads).map(do, items))


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """One for each process: the threads of a pool do not follow it into a fork."""
    return ThreadPoolExecutor(threads, "decoding")
