"""Settings of `pytest --nbval notebooks`; nothing a student needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / "tests"
collect_ignore_glob = ["*/*"]  # copies: the same cells without outputs, and what students wrote


def pytest_configure(config: pytest.Config) -> None:
    """Pin the kernels as the build does; they inherit the environment.

    nbval looks for its sanitizer file from the working folder, so its whole path is given.
    """
    if getattr(config.option, "nbval", False):
        sys.path.insert(0, str(TESTS))
        from build_notebooks import PINNED

        os.environ.update(PINNED)
        config.option.nbval_current_env = True
        config.option.nbval_sanitize_with = str(TESTS / "nbval_sanitize.cfg")
        config.option.nbval_cell_timeout = 300.0
