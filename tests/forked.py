"""Processes for tests: each a fork of one that has imported torch and started nothing else."""

from __future__ import annotations

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["torch.distributed", "pytest", "w3an_lite.training"])
