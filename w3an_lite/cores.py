"""How many processors there are to use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Those that this process may run on, which a container or a queue may hold below all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
