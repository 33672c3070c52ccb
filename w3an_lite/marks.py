"""What students have solved: the words of the checkers in their notebooks, read or run anew."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory
from typing import NamedTuple

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from . import exercises
from .course import FOLDED
from .exercises.checker import SIGNS, Exercise

_TAUGHT = re.compile(r"from w3an_lite\.exercises\.(\w+) import")
_CHECK = re.compile(r"\bcheck_(\w+)\s*\(")
_WATCH = f"""
def _watch(judge):
    def judged(exercise, student):
        verdict = judge(exercise, student)
        with open({{path!r}}, "a", encoding="utf-8") as file:
            print(exercise.praise, verdict.passed, sep="\\t", file=file)
        return verdict
    return judged

from {Exercise.__module__} import Exercise
Exercise.judge = _watch(Exercise.judge)
"""
"""A cell before all others: each verdict of a checker, shown or not, goes to a file."""


class Marks(NamedTuple):
    """A hand-in: which page of the course it is, what became of each exercise, and a remark.

    passed: by exercise, in the order of the page: solved, tried in vain (False), or not attempted
        (None). remark: what the reader should know, or "".
    """

    page: str
    passed: dict[str, bool | None]
    remark: str


def notebooks(places: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """The notebooks at `places`, files or folders looked through to the bottom; and what else there
    is in the folders.

    ValueError for a place that is not there, or when there is no notebook at all.
    """
    found: list[Path] = []
    others: list[Path] = []
    for place in map(Path, places):
        if place.is_file():
            found.append(place)
        elif place.is_dir():
            for path in sorted(place.rglob("*")):
                hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
                if path.is_file() and not hidden:
                    (found if path.suffix.lower() == ".ipynb" else others).append(path)
        else:
            raise ValueError(f"{place} is not there; give a notebook, or a folder of them")
    if not found:
        raise ValueError(f"no notebook in {', '.join(map(str, places))}; they end in .ipynb")
    return list(dict.fromkeys(found)), others


def read_marks(path: str | Path, run: bool = False, seconds: int = 300) -> Marks:
    """What became of each exercise of a notebook of the course; the best counts.

    By its outputs, which are as old as its last run and can be written by hand: a word of praise is
    known by its text, a hint by its text or its cell, and a check whose cell ended in an error was
    tried. The course's own solutions do not count.
    run: run all cells but those first, in a fresh kernel in the folder of the file, which is not
        changed; a cell that fails is passed over, one of more than `seconds` ends the run. This
        runs what the student wrote.
    ValueError for a file that cannot be read, is no page of the course, or finds no kernel.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        notebook = nbformat.reads(text, as_version=4)
        notebook.cells = [cell for cell in notebook.cells if _own(cell)]
        source = "\n".join(cell.source for cell in notebook.cells)
        said = [_said(cell) or _stopped(cell) for cell in notebook.cells]
    except Exception as error:  # a hand-in can be broken in any way, and others wait behind it
        raise ValueError(
            f"{path} cannot be read as a notebook ({type(error).__name__}); open it in JupyterLab "
            "and save it again"
        ) from error
    pages = {module.name for module in iter_modules(exercises.__path__)} - {"checker"}
    taught = [name for name in dict.fromkeys(_TAUGHT.findall(source)) if name in pages]
    if not taught:
        raise ValueError(f"{path} holds no exercise of this course; it imports no checker of it")
    known: dict[str, Exercise] = {}
    for name in taught:
        known |= import_module(f"{exercises.__name__}.{name}").EXERCISES
    if run:
        found, remark = _run(notebook, path.parent, seconds, known)
    else:
        found = [verdict for cell in notebook.cells for verdict in _verdicts(cell, known)]
        remark = "" if any(said) else "it has no outputs: not run, or cleared"
    order = _checks(source, known)
    order += [name for name in known if name not in order]
    return Marks(", ".join(taught), {name: _best(name, found) for name in order}, remark)


def _own(cell: NotebookNode) -> bool:
    """Whether a cell is the student's, and none of the course's solutions."""
    solution = "solution" in (cell.metadata.get("tags") or [])
    return not solution and not cell.source.startswith(FOLDED)


def _said(cell: NotebookNode) -> str:
    """The text of all outputs of a cell."""
    texts = []
    for output in cell.get("outputs") or []:
        text = output.get("text") or (output.get("data") or {}).get("text/plain") or ""
        # a stream may come in pieces, broken anywhere
        texts.append(text if output.output_type == "stream" else f"\n{text}\n")
    return "".join(texts)


def _verdicts(cell: NotebookNode, known: dict[str, Exercise]) -> list[tuple[str, bool]]:
    """The exercises that a cell says are solved, or not yet."""
    said = _said(cell)
    checks = _checks(cell.source, known)
    solved = [name for name, e in known.items() if f"{SIGNS[True]}: {e.praise}" in said]
    hinted = [name for name, e in known.items() if any(hint in said for hint in _hints(e))]
    if checks:
        hinted = [name for name in hinted if name in checks]
        if said.count(f"{SIGNS[False]}: ") > len(hinted) or (_stopped(cell) and not hinted):
            hinted = [name for name in checks if name not in solved]
    elif len(hinted) > 1:  # a hint that several exercises have says nothing of either
        hinted = []
    return [(name, True) for name in solved] + [(name, False) for name in hinted]


def _checks(source: str, known: dict[str, Exercise]) -> list[str]:
    """The exercises that are checked in a cell, in order; what is commented out does not count."""
    code = re.sub("#.*", "", source)
    return [name for name in dict.fromkeys(_CHECK.findall(code)) if name in known]


def _hints(exercise: Exercise) -> list[str]:
    hints = [mistake.hint for mistake in exercise.mistakes] + [exercise.otherwise]
    return [f"{SIGNS[False]}: {hint}" for hint in hints]


def _stopped(cell: NotebookNode) -> bool:
    """Whether a cell ended in an error, as one with a syntax error does."""
    return any(output.output_type == "error" for output in cell.get("outputs") or [])


def _best(name: str, found: list[tuple[str, bool]]) -> bool | None:
    said = [passed for exercise, passed in found if exercise == name]
    return any(said) if said else None


def _run(
    notebook: NotebookNode, folder: Path, seconds: int, known: dict[str, Exercise]
) -> tuple[list[tuple[str, bool]], str]:
    """Every verdict of a fresh run, and where it ended if not at the end."""
    names = {exercise.praise: name for name, exercise in known.items()}
    with TemporaryDirectory() as room:
        log = Path(room, "verdicts")
        log.touch()
        watch = nbformat.v4.new_code_cell(_WATCH.format(path=str(log)))
        notebook.cells.insert(0, watch)
        client = NotebookClient(
            notebook,
            timeout=seconds,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": os.fspath(folder.resolve())}},
        )
        client.log.setLevel(logging.WARNING)
        remark = ""
        try:
            # threads that wait busily hold up all on a crowded machine
            client.execute(env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ})
        except NoSuchKernel as error:
            raise ValueError(
                f"{error}: Jupyter has none to run notebooks in; install ipykernel"
            ) from error
        except CellTimeoutError:
            remark = f"ended at a cell that took more than {seconds} s"
        except (DeadKernelError, RuntimeError) as error:
            remark = f"ended by {type(error).__name__}"
        if _stopped(watch):
            raise ValueError(
                "Jupyter's kernel python3 cannot import w3an_lite; install it where the kernel is"
            )
        lines = [line.split("\t") for line in log.read_text(encoding="utf-8").splitlines()]
    found = [
        (names[praise], passed == "True")
        for praise, passed in lines
        if praise in names and passed != "None"
    ]
    stopped = [cell for cell in notebook.cells if cell.cell_type == "code" and _stopped(cell)]
    found += [(name, False) for cell in stopped for name in _checks(cell.source, known)]
    return found, remark
