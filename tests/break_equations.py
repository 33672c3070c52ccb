"""Break each numbered equation of the library in one way, and see who notices.

    python tests/break_equations.py [--only 3 14]

For every equation one line of a copy of the package is changed; the copy stands first on
PYTHONPATH, the source tree stays as it is. Then the unit tests of that room and its notebook run
until the first failure. An equation counts as noticed when both fail on a comparison, not on a
crash. Prints a table; exit 0 only if all were noticed. Takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "w3an_lite"


class Break(NamedTuple):
    """One wrong line: in `room`.py, `sound` (there exactly once) becomes `broken`."""

    room: str
    notebook: str
    what: str
    sound: str
    broken: str


BREAKS = {
    1: Break(
        "backbone",
        "02",
        "rows and columns of the cube exchanged",
        "return self.stages(self.stem(frames))\n\n\n@contextmanager",
        "return self.stages(self.stem(frames)).mT\n\n\n@contextmanager",
    ),
    2: Break("san", "04", "W_s transposed", '"btmhw,nm->btnhw"', '"btmhw,mn->btnhw"'),
    3: Break(
        "san",
        "04",
        "softmax over channels, not positions",
        "raw.flatten(-2).softmax(-1)",
        "raw.flatten(-2).softmax(-2)",
    ),
    4: Break(
        "san",
        "04",
        "mean over positions, not their sum",
        "return (alpha * cube).sum((-2, -1))",
        "return (alpha * cube).mean((-2, -1))",
    ),
    5: Break(
        "cam",
        "02",
        "maximum over positions, not their mean",
        "features = cube.mean((-2, -1)) if",
        "features = cube.amax((-2, -1)) if",
    ),
    6: Break(
        "cam",
        "02",
        "|w| for w: a channel that speaks against speaks for",
        "return (cube * weight).sum(-3)",
        "return (cube * weight.abs()).sum(-3)",
    ),
    7: Break(
        "cam",
        "05",
        "the attribute map left out",
        "maps = (identity_map + attribute_map).flatten(0, 1)",
        "maps = identity_map.flatten(0, 1)",
    ),
    8: Break(
        "san",
        "05",
        "|α - α'| for its square",
        "(alpha - alpha_prime).square()",
        "(alpha - alpha_prime).abs()",
    ),
    9: Break(
        "losses",
        "09",
        "absent and present exchanged",
        "difference = logits[..., 1] - logits[..., 0]",
        "difference = logits[..., 0] - logits[..., 1]",
    ),
    10: Break(
        "tan",
        "06",
        "softmax over frames for the sigmoid",
        "beta = torch.sigmoid(self.score(features)).squeeze(-1)",
        "beta = torch.softmax(self.score(features), 1).squeeze(-1)",
    ),
    11: Break(
        "tan", "06", "max β for min β", "(overall - beta.amin(1))", "(overall - beta.amax(1))"
    ),
    12: Break(
        "knn_graph",
        "07",
        "β along the row, not on the diagonal",
        "adjacency + torch.diag_embed(beta)",
        "adjacency + beta.unsqueeze(-1)",
    ),
    13: Break(
        "knn_graph",
        "07",
        "near for one is enough, not for each other",
        "joined = chosen & chosen.mT if",
        "joined = chosen | chosen.mT if",
    ),
    14: Break(
        "gcn",
        "08",
        "A for Ã",
        "scale.unsqueeze(-1) * weighted * scale",
        "scale.unsqueeze(-1) * adjacency * scale",
    ),
    15: Break(
        "gcn",
        "08",
        "maximum over frames, not their mean",
        "return nodes.mean(1)",
        "return nodes.amax(1)",
    ),
    16: Break(
        "losses",
        "09",
        "min for max: the nearest clip of the same person",
        "distance.masked_fill(~positive, -torch.inf).amax(1)",
        "distance.masked_fill(~positive, torch.inf).amin(1)",
    ),
    17: Break(
        "losses",
        "09",
        "γ left out",
        "[raw * weight for raw, weight in terms.values()]",
        "[raw for raw, weight in terms.values()]",
    ),
}


def broken_source(equation: int, package: Path = PACKAGE) -> str:
    """The text of the room with its one wrong line. ValueError when the line is not found once."""
    wrong = BREAKS[equation]
    path = package / f"{wrong.room}.py"
    text = path.read_text(encoding="utf-8")
    if (count := text.count(wrong.sound)) != 1:
        raise ValueError(
            f"Eq. {equation}: {path.name} holds {wrong.sound!r} {count} times, not once; "
            "give BREAKS the line as it is now"
        )
    return text.replace(wrong.sound, wrong.broken)


@contextmanager
def copied(equation: int | None) -> Iterator[Path]:
    """A folder with a copy of the package in it, broken in `equation` or sound."""
    with tempfile.TemporaryDirectory(prefix="w3an-") as folder:
        ignore = shutil.ignore_patterns("__pycache__")
        package = Path(shutil.copytree(PACKAGE, Path(folder) / PACKAGE.name, ignore=ignore))
        if equation is not None:
            text = broken_source(equation)
            (package / f"{BREAKS[equation].room}.py").write_text(text, encoding="utf-8")
        yield Path(folder)


class Failure(NamedTuple):
    """What failed first: the test's or the cell's name, its line, and whether it compared."""

    name: str
    line: str
    compared: bool


def first_failure(folder: Path, *arguments: str) -> Failure | None:
    """Run pytest on the package in `folder` until the first failure; None if all passes.

    RuntimeError when pytest could not run at all.
    """
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(ROOT), f"--junitxml={report}", *arguments]
    path = os.pathsep.join(p for p in (str(folder), os.environ.get("PYTHONPATH")) if p)
    # run from the copy: `python -m` puts the working folder before everything else
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return None
    if done.returncode != 1 or not report.is_file():
        raise RuntimeError(f"pytest could not run {arguments}:\n{done.stdout}{done.stderr}")
    for case in ElementTree.parse(report).iter("testcase"):
        for kind in ("failure", "error"):
            if (found := case.find(kind)) is not None:
                return read_failure(case.get("name", ""), found.text or "")
    raise RuntimeError(f"pytest names no failure for {arguments}:\n{done.stdout}")


def end(line: re.Match[str] | None, most: int = 60) -> str:
    """The line that differs, cut at its front where it is long."""
    text = line.group(1).strip() if line else ""
    return text if len(text) <= most else "…" + text[-most:]


def read_failure(name: str, text: str) -> Failure:
    """Find in pytest's or nbval's words the line that failed, and whether it was a comparison."""
    text = re.sub(r"\x1b\[[0-9;]*m|#x1B\[[0-9;]*m", "", text)
    if "Cell outputs differ" in text:
        told = text.partition("test_output failed:")[2]
        now, was = (re.search(rf"^ *{sign} (.*)$", told, re.MULTILINE) for sign in (r"-", r"\+"))
        return Failure(name, f"prints {end(now)!r} for {end(was)!r}", True)
    arrow = re.search(r"^(?:>|-+> *\d+) +(.*)$", text, re.MULTILINE)
    errors = re.findall(r"^(?:E +)?(\w*(?:Error|Exception))\b", text, re.MULTILINE)
    asserts = re.search(r"^E +assert ", text, re.MULTILINE) is not None
    compared = asserts if not errors else errors[-1] == "AssertionError"
    return Failure(name, arrow.group(1).strip() if arrow else text.strip()[-200:], compared)


def notebook_of(number: str) -> str:
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    return str(path)


def check_sound(equations: list[int]) -> None:
    """The tests and notebooks pass on an unbroken copy. RuntimeError names what does not."""
    rooms = sorted({BREAKS[number].room for number in equations})
    books = sorted({BREAKS[number].notebook for number in equations})
    with copied(None) as folder:
        for arguments in (
            [str(ROOT / "tests" / f"test_{room}.py") for room in rooms],
            ["--nbval", *map(notebook_of, books)],
        ):
            if failure := first_failure(folder, *arguments):
                raise RuntimeError(f"fails unbroken: {failure.name}: {failure.line}")


def try_break(equation: int) -> tuple[Failure | None, Failure | None]:
    """What the unit tests and what the notebook say of the broken equation."""
    wrong = BREAKS[equation]
    with copied(equation) as folder:
        unit = first_failure(folder, str(ROOT / "tests" / f"test_{wrong.room}.py"))
        return unit, first_failure(folder, "--nbval", notebook_of(wrong.notebook))


def say(failure: Failure | None) -> str:
    if failure is None:
        return "NOT NOTICED"
    told = f"{failure.name}: `{failure.line}`".replace("|", "\\|")
    return told if failure.compared else f"CRASHES at {told}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", type=int, choices=BREAKS, metavar="N", help="numbers of equations"
    )
    chosen = sorted(set(parser.parse_args().only or BREAKS))
    for equation in chosen:
        broken_source(equation)  # an outdated replacement is said before the long runs
    check_sound(chosen)
    print("| Eq. | break | unit test that fails | notebook cell that fails |")
    print("|---|---|---|---|", flush=True)
    noticed = 0
    for equation in chosen:
        unit, cell = try_break(equation)
        noticed += all(failure is not None and failure.compared for failure in (unit, cell))
        wrong = BREAKS[equation]
        book = f"{wrong.notebook} {say(cell)}"
        what = wrong.what.replace("|", "\\|")
        print(f"| {equation} | {wrong.room}: {what} | {say(unit)} | {book} |", flush=True)
    print(f"{noticed} of {len(chosen)}")
    return 0 if noticed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
