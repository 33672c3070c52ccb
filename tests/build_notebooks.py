"""Run every notebook, store its outputs, write the students' copies and the table of the course.

    python tests/build_notebooks.py [--only 04 05] [--pictures]

The committed notebooks/NN_name.ipynb are the source. A second run leaves no diff: a picture that
looks as it did, in a cell that says what it said, is kept, unless --pictures asks for new ones.
"""

from __future__ import annotations

import argparse
import base64
import copy
import os
import re
import sys
import time
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from w3an_lite.course import FOLDED, badges, setup
from w3an_lite.files import replacing

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
STUDENT = NOTEBOOKS / "student"
PINNED = {
    "OMP_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "PASSIVE",  # a thread that waits busily holds up all on a crowded machine
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "agg",
    "TQDM_DISABLE": "1",
}
"""The kernel's environment, here and under nbval."""
VIEW = "application/vnd.jupyter.widget-view+json"
CONTRAST, SPECKS = 64, 8
"""Pixels may differ by so many of 255 levels, and so many pixels by more."""


def sources(only: list[str] | None = None) -> list[Path]:
    """The notebooks in order, or those whose number is in `only`."""
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    return [path for path in found if not only or path.name[:2] in only]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def text_of(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n"


def prepare(notebook: NotebookNode, name: str) -> None:
    """Write what comes from one place: launch buttons and set-up cell; hide solutions."""
    for cell in notebook.cells:
        if "badges" in tags(cell):
            cell.source = badges(name)
        elif "setup" in tags(cell):
            cell.source = setup()
        elif "solution" in tags(cell):
            cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
            if not cell.source.startswith(FOLDED):
                cell.source = f"{FOLDED}\n{cell.source}"


def execute(notebook: NotebookNode, folder: Path) -> float:
    """Run all cells in one fresh kernel; returns its peak memory in MB."""
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=False,  # it moves what is printed below a picture above it
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel(env={**os.environ, **PINNED}):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        ask = "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        notebook.cells.append(nbformat.v4.new_code_cell(ask))
        client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
        size = float(notebook.cells.pop().outputs[0].text)
    return size / (1024 if sys.platform != "darwin" else 1024**2)


def tidy(notebook: NotebookNode) -> None:
    """Drop what differs from run to run: widget models, timing, versions of the kernel."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        for key in ("execution", "collapsed", "scrolled", "trusted"):
            cell.metadata.pop(key, None)
        if "outputs" in cell:
            cell.outputs = joined_streams(cell.outputs)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(VIEW, None)
            # nbclient keeps base64 as the kernel sent it, with or without a last line break
            png = output.get("data", {}).get("image/png")
            if png is not None:
                output["data"]["image/png"] = png.strip() + "\n"


def joined_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The same outputs; pieces of one stream that follow each other are one piece."""
    out: list[NotebookNode] = []
    for output in outputs:
        if out and output.output_type == "stream" and output.get("name") == out[-1].get("name"):
            out[-1]["text"] += output.text
        else:
            out.append(output)
    return out


def without_pictures(cell: NotebookNode) -> dict[str, Any]:
    plain: dict[str, Any] = copy.deepcopy(cell)
    for output in plain.get("outputs", []):
        if "image/png" in output.get("data", {}):
            output["data"]["image/png"] = ""
    return plain


def pictures_of(cell: NotebookNode) -> list[np.ndarray]:
    """The pixels `[H, W, 3]` of each picture that a cell has put out."""
    data = [output.get("data", {}).get("image/png") for output in cell.get("outputs", [])]
    files = [BytesIO(base64.b64decode(png)) for png in data if png]
    return [np.asarray(Image.open(file).convert("RGB"), dtype=int) for file in files]


def look_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures differ by no more than what rounding moves: a digit is more."""
    if one.shape != other.shape:
        return False
    return int((abs(one - other).max(-1) > CONTRAST).sum()) <= SPECKS


def keep_pictures(new: NotebookNode, old: NotebookNode) -> None:
    """A cell that says what it said, and shows what it showed, keeps its old picture."""
    before = {cell.id: cell for cell in old.cells}
    for cell in new.cells:
        same = before.get(cell.id)
        if same is None or without_pictures(cell) != without_pictures(same):
            continue
        if all(map(look_alike, pictures_of(cell), pictures_of(same))):
            cell.update(same)


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """Without solutions and outputs: what a student opens to work in."""
    out = copy.deepcopy(notebook)
    out.cells = [cell for cell in out.cells if "solution" not in tags(cell)]
    for cell in out.cells:
        # one folder further down
        if cell.cell_type == "markdown" and "badges" not in tags(cell):
            cell.source = re.sub(r"\]\((?=\.\./|results/|FINDINGS)", "](../", cell.source)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return out


def course_row(path: Path) -> str:
    """A notebook's line in the table of the course, from what it says of itself."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    text = "\n".join(cells)
    _, title = cells[0].removeprefix("# ").split(" · ", 1)
    (time_,) = re.findall(r"\*\*Time:\*\* (\d+) minutes, of which (\d+) are exercises", text)
    (before,) = re.findall(r"\*\*Before this:\*\* (.*)", text)
    numbers = re.findall(r"\]\((\d\d)_\w+\.ipynb\)( to )?", before)
    needs = {number for number, _ in numbers}
    for (first, to), (last, _) in pairwise(numbers):
        if to:
            needs |= {f"{number:02d}" for number in range(int(first), int(last))}
    equations = sorted({int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)})
    columns = (
        f"[{path.stem}]({path.name})",
        title.strip(),
        ", ".join(map(str, equations)),
        time_[0],
        time_[1],
        ", ".join(sorted(needs)),
    )
    return "| " + " | ".join(columns) + " |"


def course_page(text: str) -> str:
    """The page of the course with its table as the notebooks say."""
    rows = "\n".join(course_row(path) for path in sources())
    return re.sub(r"(?<=---\|\n)(\| \[\d\d_.*\n)+", lambda _: rows + "\n", text)


def write(path: Path, text: str) -> bool:
    """Write `text` whole or not at all; False when the file says that already."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return True


def build(path: Path, pictures: bool = False) -> tuple[float, float, bool]:
    """Build one notebook and its student copy; returns seconds, peak memory in MB, and changed."""
    old = nbformat.read(path, as_version=4)
    new = copy.deepcopy(old)
    prepare(new, path.name)
    begun = time.perf_counter()
    peak = execute(new, path.parent)
    seconds = time.perf_counter() - begun
    tidy(new)
    if not pictures:
        keep_pictures(new, old)
    nbformat.validate(new)
    changed = write(path, text_of(new))
    changed = write(STUDENT / path.name, text_of(student_copy(new))) or changed
    return seconds, peak, changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="numbers of notebooks, such as 04 07")
    parser.add_argument("--pictures", action="store_true", help="store every picture anew")
    options = parser.parse_args()
    paths = sources(options.only)
    costs = []
    for path in paths:
        seconds, peak, changed = build(path, options.pictures)
        costs.append((seconds, peak))
        state = "written" if changed else "in step"
        print(f"{path.stem:24} {seconds:6.1f} s {peak:7.0f} MB  {state}", flush=True)
    page = NOTEBOOKS / "README.md"
    if write(page, course_page(page.read_text(encoding="utf-8"))):
        print("the table of README.md is written")
    if len(costs) > 1:
        total, most = sum(seconds for seconds, _ in costs), max(peak for _, peak in costs)
        print(f"{'together, highest peak':24} {total:6.1f} s {most:7.0f} MB")
    if not options.only:
        for copy_ in set(STUDENT.glob("*.ipynb")) - {STUDENT / path.name for path in paths}:
            copy_.unlink()
            print(f"{copy_.name} has no source any more; removed")
    return 0 if paths else 1


if __name__ == "__main__":
    sys.exit(main())
