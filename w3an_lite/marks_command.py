"""The command that a lecturer reads hand-ins with."""

from __future__ import annotations

from pathlib import Path

from .commands import Command, Parser, say
from .data_arguments import at_least, check_out
from .exercises.checker import SIGNS
from .files import write_rows
from .marks import Mark, notebooks, read_marks


def _marks_arguments(parser: Parser) -> None:
    parser.add_argument("places", nargs="+", type=Path, help="notebooks, or folders of them")
    parser.add_argument(
        "--run",
        action="store_true",
        help="run each notebook anew, in a fresh kernel, instead of believing its outputs; what "
        "students wrote is run, so do it where it can harm nothing",
    )
    parser.add_argument(
        "--seconds", type=at_least(1), default=300, help="for a cell at most, with --run (300)"
    )
    parser.add_argument("--out", type=Path, help="a CSV to write: notebook, exercise, passed")


def _marks(places: list[Path], run: bool, seconds: int, out: Path | None) -> None:
    if out is not None:
        check_out(out)
    rows: list[dict[str, object]] = []
    failed: list[str] = []
    paths = notebooks(places)
    width = max(len(str(path)) for path in paths)
    for path in paths:
        try:
            found = read_marks(path, run, seconds)
        except ValueError as error:
            failed.append(str(error))
            continue
        say(f"{path!s:{width}}  {_told(found)}")
        for mark in found:
            passed = "" if mark.passed is None else int(mark.passed)
            rows.append({"notebook": str(path), "exercise": mark.exercise, "passed": passed})
    if out is not None and rows:
        write_rows(rows, out)
        say(f"wrote {out}: {len(rows)} exercises of {len(paths) - len(failed)} notebooks")
    if failed:
        raise ValueError("; ".join(failed))


def _told(found: list[Mark]) -> str:
    solved = sum(mark.passed is True for mark in found)
    return "  ".join(
        [
            f"{solved} of {len(found)}",
            *(f"{mark.exercise} {SIGNS[mark.passed][0]}" for mark in found),
        ]
    )


MARKS_COMMANDS: dict[str, Command] = {
    "marks": Command(
        "what students have solved, by the checkers in their notebooks",
        "marks hand-ins --out marks.csv",
        _marks_arguments,
        _marks,
    ),
}
