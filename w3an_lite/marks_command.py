"""The command that a lecturer reads hand-ins with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .commands import Command, Parser, say
from .data_arguments import at_least, check_out
from .files import write_rows

if TYPE_CHECKING:
    from .marks import Marks

COLUMNS = ("notebook", "page", "exercise", "passed", "remark")
WORDS = {True: "solved", False: "not yet", None: "not attempted"}


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
    parser.add_argument(
        "--out",
        type=Path,
        help="a CSV to write: notebook, page, exercise, passed (1, 0, or empty where nothing was "
        "attempted), remark",
    )


def _marks(places: list[Path], run: bool, seconds: int, out: Path | None) -> None:
    from .marks import notebooks, read_marks  # Jupyter's, and a server that trains has none

    rows: list[dict[str, object]] = []
    failed: list[str] = []
    paths, others = notebooks(places)
    if out is not None:
        check_out(out, *paths)
    for path in paths:
        try:
            marks = read_marks(path, run, seconds)
        except ValueError as error:
            failed.append(str(error))
            rows.append({"notebook": _printable(path), "remark": _printable(error)})
        else:
            say(f"{path}: {_told(marks)}")
            for exercise, passed in marks.passed.items():
                mark = "" if passed is None else int(passed)
                row = {"notebook": _printable(path), "page": marks.page, "exercise": exercise}
                rows.append({**row, "passed": mark, "remark": marks.remark})
        if out is not None:
            write_rows([dict.fromkeys(COLUMNS, "") | row for row in rows], out, "utf-8-sig")
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        say(f"left out, not notebooks: {', '.join(map(str, others[:5]))}{more}")
    if out is not None:
        say(f"wrote {out}: {len(paths) - len(failed)} of {len(paths)} notebooks could be read")
    if failed:
        raise ValueError("; ".join(failed))


def _printable(text: object) -> str:
    """`text` with ? for what no file in UTF-8 can hold, as some names of files have."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def _told(marks: Marks) -> str:
    parts = [f"{sum(p is True for p in marks.passed.values())} of {len(marks.passed)}"]
    for passed, word in WORDS.items():
        if names := [name for name, one in marks.passed.items() if one is passed]:
            parts.append(f"{word}: {', '.join(names)}")
    return "; ".join(parts) + (f" ({marks.remark})" if marks.remark else "")


MARKS_COMMANDS: dict[str, Command] = {
    "marks": Command(
        "what students have solved, by the checkers in their notebooks",
        "marks hand-ins --out marks.csv",
        _marks_arguments,
        _marks,
    ),
}
