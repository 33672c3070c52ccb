"""What students have solved: the words of the checkers in their notebooks, read or run anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from . import exercises
from .exercises.checker import SIGNS

_TAUGHT = re.compile(r"from w3an_lite\.exercises\.(\w+) import")
_CHECK = re.compile(r"\bcheck_(\w+)\(")


class Mark(NamedTuple):
    """An exercise of a notebook: solved, tried in vain (False), or not attempted (None)."""

    exercise: str
    passed: bool | None


def notebooks(places: Iterable[str | Path]) -> list[Path]:
    """The notebooks at `places`, which are files, or folders looked through to the bottom.

    ValueError for a place that is not there, or when there is no notebook at all.
    """
    found: list[Path] = []
    for place in map(Path, places):
        if place.is_dir():
            inside = sorted(place.rglob("*.ipynb"))
            found += [path for path in inside if ".ipynb_checkpoints" not in path.parts]
        elif place.is_file():
            found.append(place)
        else:
            raise ValueError(f"{place} is not there; give a notebook, or a folder of them")
    if not found:
        raise ValueError(f"no notebook in {', '.join(map(str, places))}; they end in .ipynb")
    return list(dict.fromkeys(found))


def read_marks(path: str | Path, run: bool = False, seconds: int = 300) -> list[Mark]:
    """A mark for each exercise of a notebook of the course, in the order they stand in.

    As its outputs say, which are as old as its last run and can be written by hand; of an exercise
    that is checked more than once the best. A cell that is gone was not attempted. run: run all
    cells first, in a fresh kernel beside the file and without changing it, each for at most
    `seconds`; a cell that fails is passed over, and after one that hangs the rest is not attempted.
    This runs what the student wrote. ValueError for a file that is no notebook of the course.
    """
    path = Path(path)
    try:
        notebook = nbformat.read(path, as_version=4)
        source = "\n".join(cell.source for cell in notebook.cells)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(f"{path} cannot be read as a notebook ({type(error).__name__})") from error
    taught = [name for name in _TAUGHT.findall(source) if name in _modules()]
    if not taught:
        raise ValueError(f"{path} holds no exercise of this course; it imports no checker of it")
    if run:
        _run(notebook, path.parent, seconds)
    known = list(dict.fromkeys(name for module in taught for name in _exercises(module)))
    found: dict[str, list[bool | None]] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "solution" not in cell.metadata.get("tags", []):
            checks, said = _CHECK.findall(cell.source), _verdicts(cell)
            for name in checks:
                found.setdefault(name, [])
            # of several checks in a cell the last are those that were shown
            for name, passed in zip(reversed(checks), reversed(said), strict=False):
                found[name].append(passed)
    order = [name for name in found if name in known]
    order += [name for name in known if name not in found]
    return [Mark(name, _best(found.get(name, []))) for name in order]


def _modules() -> set[str]:
    return {module.name for module in iter_modules(exercises.__path__)}


def _exercises(module: str) -> Iterable[str]:
    return getattr(import_module(f"{exercises.__name__}.{module}"), "EXERCISES", ())


def _best(said: Sequence[bool | None]) -> bool | None:
    return True if True in said else (False if False in said else None)


def _verdicts(cell: NotebookNode) -> list[bool | None]:
    """What the checkers say in the outputs of a cell, in order."""
    texts = []
    for output in cell.get("outputs", []):
        texts.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    lines = "\n".join(texts).splitlines()
    return [
        passed for line in lines for passed, sign in SIGNS.items() if line.startswith(f"{sign}: ")
    ]


def _run(notebook: NotebookNode, folder: Path, seconds: int) -> None:
    """Run all cells; those that were not reached are left without outputs."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError):
        return
