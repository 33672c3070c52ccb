"""CSV files with a line of column names, read strictly: nothing is shifted, cut or guessed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from w3an_lite.data.tracklet import DataError


def csv_rows(path: Path, columns: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """`(line, cells by column)` of each row of the CSV file `path`, which must hold `columns`.

    what: the file, for the reader of an error. `DataError` names the file if it is missing or no
    text, a column that is missing or there twice, and the line of a row with a cell too many or too
    few. Columns that nobody asks for are passed over.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or ())
            for name in columns:
                if names.count(name) != 1:
                    wrong = f"{names.count(name)} columns" if name in names else "no column"
                    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
                        if len(names) == 1 and mark in names[0]:
                            raise DataError(
                                f"{path} has {wrong} {name!r}: its columns are parted by {word}; "
                                "save it with commas"
                            )
                    raise DataError(
                        f"{path} has {wrong} {name!r}; {what} holds {', '.join(columns)}, each once"
                    )
            for row in reader:
                if None in row or any(row[name] is None for name in columns):
                    count = sum(cell is not None for key, cell in row.items() if key is not None)
                    count += len(row.get(None) or ())  # type: ignore[call-overload]
                    raise DataError(
                        f"{path} line {reader.line_num} has {count} cells for {len(names)} "
                        "columns; quote a cell that holds a comma"
                    )
                yield reader.line_num, row
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; give {what}, a CSV") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give {what}, a CSV") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} is not a CSV file in UTF-8 ({error}); give {what}, saved as CSV"
        ) from error


def whole(text: str, name: str, where: str) -> int:
    """The whole number in a cell of column `name`; `DataError` if it is none of 1 to 15 digits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,15}", text.strip()):
        cut = text if len(text) < 40 else text[:40] + "…"
        raise DataError(f"{where}: {name} is {cut!r}, not a whole number of at most 15 digits")
    return int(text)
