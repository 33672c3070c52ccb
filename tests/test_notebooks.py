"""The notebooks keep the rules of the course; what their cells compute is nbval's to compare."""

from __future__ import annotations

import base64
import re
import statistics
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
from build_notebooks import (
    FOLDED,
    NOTEBOOKS,
    STUDENT,
    VIEW,
    course_page,
    joined_streams,
    keep_pictures,
    sources,
    student_copy,
    tags,
    text_of,
    tidy,
)
from nbclient import NotebookClient
from nbformat import NotebookNode, v4
from PIL import Image

from w3an_lite.course import badges, digest, setup, show
from w3an_lite.picture import Picture

PLANNED = {f"{number:02d}" for number in range(14)}
SECTIONS = ("predict", "equation", "toy", "exercise", "library", "the moment", "leaves open")
SECTIONS += ("quiz", "summary")
EACH = pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)


@cache
def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    cells = [c for c in read(path).cells if c.cell_type == "markdown" and "badges" not in tags(c)]
    return "\n\n".join(cell.source for cell in cells)


def compared_text(cell: NotebookNode) -> str:
    """What nbval compares of a cell: its streams and the text of what it shows."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts.append(output.get("data", {}).get("text/plain", ""))
    return "".join(parts)


def ignored(cell: NotebookNode) -> bool:
    marks = ("nbval-ignore-output", "nbval-skip")
    return "NBVAL_" in cell.source or any(mark in tags(cell) for mark in marks)


def count_words(text: str) -> int:
    plain = re.sub(r"<[^>]+>|\]\([^)]*\)", " ", text)
    return sum(1 for word in plain.split() if re.search(r"\w", word))


@EACH
def test_every_code_cell_was_run_in_order_without_error(path: Path) -> None:
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert not any(output.get("name") == "stderr" for cell in cells for output in cell.outputs)


@EACH
def test_most_cells_have_text_to_compare(path: Path) -> None:
    cells = code_cells(path)
    compared = [cell for cell in cells if compared_text(cell).strip() and not ignored(cell)]
    assert len(compared) >= 0.8 * len(cells)
    assert sum(map(ignored, cells)) <= 0.1 * len(cells)


@EACH
def test_code_cells_are_short(path: Path) -> None:
    lengths = [
        sum(1 for line in cell.source.splitlines() if line.strip()) for cell in code_cells(path)
    ]
    assert statistics.median(lengths) <= 8
    assert max(lengths) <= 30


@EACH
def test_a_notebook_is_of_a_length_one_can_read(path: Path) -> None:
    assert 1200 <= count_words(prose(path)) <= 2000
    assert path.stat().st_size < 1_000_000
    assert max(len(line) for cell in code_cells(path) for line in cell.source.splitlines()) <= 100


@EACH
def test_the_sections_are_there(path: Path) -> None:
    headings = " ".join(re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)).lower()
    missing = [section for section in SECTIONS if section not in headings]
    if path.name[:2] in ("00", "01"):  # they build no numbered equation
        missing = [name for name in missing if name not in ("equation", "toy", "library")]
    assert not missing
    head = prose(path)[:900]
    assert "**You will**" in head
    assert re.search(r"\*\*Time:\*\* \d+ minutes", head)
    assert "**Before this:**" in head
    assert "<details>" in prose(path)


@EACH
def test_the_first_cells_come_from_one_place(path: Path) -> None:
    cells = read(path).cells
    marked = {tag: cell.source for cell in cells for tag in tags(cell)}
    assert marked["badges"] == badges(path.name)
    assert marked["setup"] == setup()
    assert cells[0].source.startswith(f"# {path.name[:2]} · ")


@EACH
def test_figures_have_a_description_and_a_digest(path: Path) -> None:
    for cell in code_cells(path):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert len(output.data["text/plain"].split()) >= 4
                assert "Figure(" not in output.data["text/plain"]
                assert "<" not in output.data["text/plain"]
                # a figure is shown by `show`, a widget by itself; both say what they show
                assert "Figure: " in compared_text(cell) or "[" in output.data["text/plain"]
        if "Figure: " in compared_text(cell):
            assert re.search(r"^  \S+ \[[\d, ]*\] ", compared_text(cell), re.MULTILINE)
    for alt in re.findall(r"!\[([^\]]*)\]", prose(path)):
        assert len(alt.split()) >= 3
    assert "<img" not in prose(path).replace("<img alt=", "")


@EACH
def test_there_is_a_widget_and_the_next_cell_moves_it(path: Path) -> None:
    cells = code_cells(path)
    driven = [
        (cell, after)
        for cell, after in pairwise(cells)
        if re.search(r"\b(?:Live|explore|compare)\(", cell.source) and ".set(" in after.source
    ]
    assert driven
    for cell, after in driven:
        assert "print(" in after.source
        # whoever runs all cells finds the widget showing a picture, not a refusal
        left = compared_text(after).strip().splitlines()[-1]
        assert not re.search(r" cannot be |^There is no control", left), left
        # GitHub and nbviewer have no kernel: they show what is stored
        stored = [output.data for output in cell.outputs if "image/png" in output.get("data", {})]
        assert stored
        assert all(len(data["text/plain"].split()) > 4 for data in stored)
    assert not any(VIEW in output.get("data", {}) for cell in cells for output in cell.outputs)


@EACH
def test_exercises_have_a_stub_and_a_solution(path: Path) -> None:
    cells = code_cells(path)
    stubs = [cell for cell in cells if "exercise" in tags(cell)]
    solutions = [cell for cell in cells if "solution" in tags(cell)]
    assert len(stubs) >= 2
    assert len(stubs) == len(solutions)
    for stub, solution in zip(stubs, solutions, strict=True):
        asked = re.findall(r"check_\w+(?=\()", stub.source)
        assert asked
        assert asked == re.findall(r"check_\w+(?=\()", solution.source)
        assert "○ not attempted: " in compared_text(stub)
        assert "✓ correct: " in compared_text(solution)
        # the first line of a folded cell is shown, and its output may tell the answer
        assert solution.metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}
        assert solution.source.startswith(FOLDED)
    assert f"w3an_lite.exercises.{path.stem[3:]}" in "".join(cell.source for cell in cells)


@EACH
def test_nothing_in_the_code_is_of_one_run_only(path: Path) -> None:
    for cell in code_cells(path):
        assert not re.search(r";\s*$", cell.source, re.MULTILINE)
        text = compared_text(cell)
        assert not re.search(r" at 0x|object at|Warning|\d it/s|\d+%\|", text)
    metadata = read(path).metadata
    assert set(metadata) == {"kernelspec", "language_info"}
    assert metadata.language_info == {"name": "python"}


@EACH
@pytest.mark.parametrize("folder", [NOTEBOOKS, STUDENT], ids=["notebooks", "student"])
def test_local_links_lead_somewhere(path: Path, folder: Path) -> None:
    text = "\n".join(c.source for c in read(folder / path.name).cells if c.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|#", link):
            continue
        target = folder / link.split("#")[0]
        planned = target.suffix == ".ipynb" and target.name[:2] in PLANNED
        assert target.exists() or planned, link


@EACH
def test_the_student_copy_is_in_step(path: Path) -> None:
    copy = STUDENT / path.name
    assert copy.read_text(encoding="utf-8") == text_of(student_copy(read(path)))
    assert "solution_" not in copy.read_text(encoding="utf-8")


@EACH
def test_later_cells_do_not_lean_on_answers(path: Path) -> None:
    """The student's copy has no solutions, and its stubs hold nothing."""
    for cell in code_cells(path):
        used = re.findall(r"\b(?:my|solution)_\w+", cell.source)
        assert not used or {"exercise", "solution"} & set(tags(cell)), used


def test_no_student_copy_is_left_behind() -> None:
    assert {p.name for p in STUDENT.glob("*.ipynb")} == {p.name for p in sources()}


def test_a_cell_keeps_its_picture_while_it_says_and_shows_the_same() -> None:
    def png(grey: int, specks: int = 0) -> str:
        pixels = np.full((20, 20, 3), grey, dtype=np.uint8)
        pixels[0, :specks] = 0
        Image.fromarray(pixels).save(file := BytesIO(), "png")
        return base64.b64encode(file.getvalue()).decode()

    def book(text: str, png: str) -> NotebookNode:
        output = v4.new_output("display_data", {"image/png": png, "text/plain": text})
        cell = v4.new_code_cell("show()", outputs=[output], execution_count=1)
        cell["id"] = "one"
        return v4.new_notebook(cells=[cell])

    old, near, far = png(200), png(201, specks=3), png(200, specks=12)
    for text, new, kept in [("a", near, old), ("a", far, far), ("b", near, near)]:
        built = book(text, new)
        keep_pictures(built, book("a", old))
        assert built.cells[0].outputs[0].data["image/png"] == kept


def test_tidy_drops_what_differs_from_run_to_run() -> None:
    data = {"text/plain": "a picture", "image/png": "AAAA\n", VIEW: {"model_id": "x"}}
    cell = v4.new_code_cell("1", outputs=[v4.new_output("display_data", data)])
    cell.metadata["execution"] = {"iopub.execute_input": "now"}
    notebook = v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    tidy(notebook)
    assert "widgets" not in notebook.metadata
    assert notebook.cells[0].metadata == {}
    assert set(notebook.cells[0].outputs[0].data) == {"text/plain", "image/png"}


def test_what_is_printed_below_a_picture_stays_there() -> None:
    def said(text: str) -> NotebookNode:
        return v4.new_output("stream", name="stdout", text=text)

    picture = v4.new_output("display_data", {"image/png": "AAAA"})
    outputs = joined_streams([said("a"), said("b\n"), picture, said("Figure: c\n")])
    assert [one.get("text") for one in outputs] == ["ab\n", None, "Figure: c\n"]


def test_the_student_copy_has_neither_solutions_nor_outputs() -> None:
    links = "[x](../README.md) [y](results/a.json) [z](FINDINGS.md) [w](05_a.ipynb)"
    cells = [v4.new_markdown_cell(links), v4.new_code_cell("1", execution_count=1)]
    cells.append(v4.new_code_cell("2", metadata={"tags": ["solution"]}))
    copy = student_copy(v4.new_notebook(cells=cells))
    assert [cell.source for cell in copy.cells] == [
        "[x](../../README.md) [y](../results/a.json) [z](../FINDINGS.md) [w](05_a.ipynb)",
        "1",
    ]
    assert copy.cells[1].execution_count is None


def test_the_page_of_the_course_says_what_the_notebooks_say() -> None:
    text = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
    assert course_page(text) == text
    assert course_page(re.sub(r"\| 70 \| 30 \|", "| 69 | 30 |", text)) == text
    rows = re.findall(r"^\| \[(\d\d)_.*\| (\d+) \| (\d+) \| [\d, ]*\|$", text, re.MULTILINE)
    minutes = {number: int(total) for number, total, _ in rows}
    assert minutes.keys() == PLANNED
    plans = re.findall(r"^\| [\w ]+ \| (\d\d(?:, \d\d)+)[^|]* \| (\d+) \|$", text, re.MULTILINE)
    assert len(plans) == 3
    for numbers, total in plans:
        assert sum(minutes[number] for number in numbers.split(", ")) == int(total)
    assert f"all, one a week | {sum(minutes.values())} |" in text


def test_digest_rounds_to_the_scale_of_the_array() -> None:
    assert digest([1e-3, 4e-7]) == "[2] mean 0.0005, spread 0.0005, from 0.0000 to 0.0010"
    assert digest([1234.5, -3.0]) == "[2] mean 616, spread 619, from -3 to 1234"
    assert digest([-1e-9, 5.0], 1) == "[2] mean 2, spread 3, from 0 to 5"
    assert digest([]) == "[0] empty"
    assert digest([[float("nan")]]) == "[1, 1] not all finite"


def test_show_prints_what_nbval_compares(capsys: pytest.CaptureFixture[str]) -> None:
    figure = Picture(figsize=(1, 1))
    show(figure, "A square of nothing.", alpha=[1.0, 3.0])
    printed = capsys.readouterr().out
    assert "Figure: A square of nothing.\n  alpha [2] mean 2.0" in printed
    with pytest.raises(ValueError, match="describe in a sentence"):
        show(figure, "a figure")


def test_the_setup_cell_runs() -> None:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(setup())])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[0].text == "w3an_lite is ready: seed 0, 2 threads\n"
