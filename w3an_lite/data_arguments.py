"""Arguments that commands share: which set, which drawn people, what size, what may be given."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .data.datasets import DATASETS

Parser = argparse.ArgumentParser
OCCLUSIONS = ("none", "mixed", "heavy")


MOST = 2**63 - 1
"""The largest number that PyTorch and NumPy take, for a seed as for a count."""


THREADS = 1024
"""The most threads that may be asked for; far more would end the process without a word."""


def at_least(least: int, most: int = MOST) -> Callable[[str], int]:
    """The type of an argument that is a whole number, `least` to `most`."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least {least}")
        if number > most:
            raise argparse.ArgumentTypeError(f"{text} is too large; {most} is the most")
        return number

    return read


def drawn_arguments(parser: Parser) -> None:
    drawn = parser.add_argument_group("drawn people (synthped)")
    for name, help in (
        ("identities", "people to train on"),
        ("test-identities", "people to search for"),
        ("cameras", "cameras"),
        ("tracklets", "tracklets of a person under a camera"),
        ("frames", "frames of a tracklet"),
        ("seed", "of what is drawn, and of training (0)"),
    ):
        drawn.add_argument(f"--{name}", type=at_least(0), metavar="N", help=help)
    drawn.add_argument("--occlusion", choices=OCCLUSIONS, help="what hides them (mixed)")


def set_arguments(parser: Parser, required: bool = True) -> None:
    parser.add_argument("--dataset", choices=DATASETS, required=required, help="which data set")
    parser.add_argument(
        "--labels", type=Path, help="CSV of MARS's tracklet attributes (train: or of `attributes`)"
    )
    parser.add_argument("--splits", type=Path, help="JSON of PRID2011's ten splits (in the root)")
    parser.add_argument("--unofficial", action="store_true", help="accept a set of another size")
    drawn_arguments(parser)


def size_argument(parser: Parser, help: str) -> None:
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help=help)


def given_options(labels: Path | None, unofficial: bool, **others: Any) -> dict[str, Any]:
    """Options of `load_dataset`: what was given, by the readers' names."""
    given = {"attributes": labels, "official": False if unofficial else None, **others}
    return {name: value for name, value in given.items() if value is not None}


def check_out(out: Path, *inputs: str | Path | None) -> None:
    """OSError now, and not after minutes of work, if the file `out` cannot be written.

    ValueError if it is one of the files that the command reads.
    """
    for given in inputs:
        if given is not None and out.is_file() and Path(given).exists() and out.samefile(given):
            raise ValueError(f"{out} is read by this command; write to another file")
    folder = out.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if out.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OSError(f"{out} cannot be written; give a file in a folder that can be written to")
