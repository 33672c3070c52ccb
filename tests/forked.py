"""Processes for tests: each a fork of one that has imported torch and started nothing else."""

from __future__ import annotations

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    # the compiler is imported by the first step of any optimiser, and takes seconds
    ["torch.distributed", "torch._dynamo", "pytest", "w3an_lite.__main__"]
)
