"""Settings of `pytest --nbval notebooks`; nothing a student needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PINNED = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
PINNED |= {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "TQDM_DISABLE": "1"}
SANITIZE = Path(__file__).parents[1] / "tests" / "nbval_sanitize.cfg"


def pytest_configure(config: pytest.Config) -> None:
    """The kernels inherit the environment. nbval takes paths from the working folder, so: whole."""
    if getattr(config.option, "nbval", False):
        os.environ.update(PINNED)
        config.option.nbval_current_env = True
        config.option.nbval_sanitize_with = str(SANITIZE)
