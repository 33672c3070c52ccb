"""Records of trials: plain JSON, written whole or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from .files import as_plain, replacing


def plain(content: Any) -> Any:
    """As JSON holds it: a class or a function by its name, nan as null.

    ValueError for what has no name to know it by again: a lambda, a partial, a module.
    """
    content = as_plain(content)
    if isinstance(content, dict):
        return {str(k): plain(v) for k, v in content.items()}
    if isinstance(content, (list, tuple)):
        return [plain(v) for v in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if content is None or isinstance(content, (bool, int, float, str)):
        return content
    return _named(content) if callable(content) else str(content)


def _named(made: Any) -> str:
    """The name of a class or function; of one from elsewhere, its module's before it."""
    name = getattr(made, "__qualname__", "<none>")
    if "<" in name:
        raise ValueError(
            f"{made!r} has no name to know it by again; give a class or a function that stands at "
            "the top of a module"
        )
    elsewhere = made.__module__.split(".")[0] != __package__
    return f"{made.__module__}.{name}" if elsewhere else name


def write_record(content: Any, path: Path) -> None:
    """`content` as JSON to `path`."""
    with replacing(path) as part:
        part.write_text(json.dumps(plain(content), allow_nan=False), encoding="utf-8")


def read_record(path: Path) -> dict[str, Any]:
    """What `write_record` wrote, {} if nothing; ValueError if it is damaged."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(damaged(path, error)) from error


def damaged(path: Path, why: object) -> str:
    """What to say of a record that cannot be read."""
    return f"{path} is damaged ({why}); remove {path.parent}, and that trial is run again"
