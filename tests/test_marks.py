"""What students have solved is what the checkers in their notebooks say."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import nbformat
import pytest
from build_notebooks import NOTEBOOKS, PINNED, sources, tags
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from w3an_lite.__main__ import main
from w3an_lite.exercises.checker import Verdict
from w3an_lite.marks import Mark, notebooks, read_marks

IMPORT = "from w3an_lite.exercises.gcn import check_layer, check_propagation, check_ratio"


def cell(source: str, *verdicts: bool | None, tag: str | None = None) -> nbformat.NotebookNode:
    """A cell that has said these; the last as a result, those before as if printed."""
    said = [repr(Verdict(passed, "for a reason")) for passed in verdicts]
    outputs = [new_output("stream", text=text + "\n") for text in said[:-1]]
    outputs += [new_output("execute_result", data={"text/plain": text}) for text in said[-1:]]
    made = new_code_cell(source, outputs=outputs)
    if tag:
        made.metadata["tags"] = [tag]
    return made


def written(folder: Path, name: str, *cells: nbformat.NotebookNode) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    head = [new_markdown_cell("# A hand-in"), new_code_cell(IMPORT)]
    nbformat.write(new_notebook(cells=[*head, *cells]), folder / name)
    return folder / name


def test_outputs_are_believed_and_the_best_counts(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "08.ipynb",
        cell("check_ratio(1)", False),
        cell("check_ratio(2)", True),
        cell("check_ratio(3)", None),
        cell("check_layer(wrong)", False),
        cell("check_propagation(solution)", True, tag="solution"),
    )
    assert read_marks(path) == [
        Mark("ratio", True),
        Mark("layer", False),
        Mark("propagation", None),
    ]


def test_several_checks_in_a_cell(tmp_path: Path) -> None:
    printed = cell("print(check_ratio(1))\ncheck_layer(f)", True, False)
    assert read_marks(written(tmp_path, "a.ipynb", printed))[:2] == [
        Mark("ratio", True),
        Mark("layer", False),
    ]
    shown = cell("check_ratio(1)\ncheck_layer(f)", True)  # a notebook shows the last alone
    assert read_marks(written(tmp_path, "b.ipynb", shown))[:2] == [
        Mark("ratio", None),
        Mark("layer", True),
    ]


def test_run_anew_nothing_is_believed_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PINNED.items():
        monkeypatch.setenv(name, value)
    path = written(
        tmp_path,
        "08.ipynb",
        cell("check_ratio(...)", True),  # an output that no run has made
        cell("1 / 0"),
        cell("check_layer(lambda *inputs: inputs[0])"),
        cell("print(check_propagation(lambda *inputs: None))", True),
    )
    before = path.read_bytes()
    assert [mark.passed for mark in read_marks(path)] == [True, None, True]
    assert read_marks(path, run=True) == [
        Mark("ratio", None),
        Mark("layer", False),
        Mark("propagation", None),
    ]
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["08.ipynb"]


def test_a_cell_that_hangs_leaves_the_rest_unattempted(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "08.ipynb",
        cell("print(check_layer(lambda *inputs: inputs[0]))"),
        cell("import time; time.sleep(60)"),
        cell("check_ratio(1)", True),
    )
    found = dict(read_marks(path, run=True, seconds=20))
    assert found == {"layer": False, "ratio": None, "propagation": None}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_each_notebook_of_the_course_has_its_exercises_and_none_solved(path: Path) -> None:
    """A solution that is folded away is nobody's answer; the student's copy says the same."""
    marks = read_marks(path)
    cells = nbformat.read(path, as_version=4).cells
    assert len(marks) == sum("exercise" in tags(cell) for cell in cells)
    assert {mark.passed for mark in marks} == {None}
    assert read_marks(NOTEBOOKS / "student" / path.name) == marks


def test_the_command_lists_all_it_can_and_names_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "in" / "anna", "08.ipynb", cell("check_ratio(2)", True))
    written(tmp_path / "in" / "anna" / ".ipynb_checkpoints", "08.ipynb")
    (tmp_path / "in" / "ben").mkdir()
    (tmp_path / "in" / "ben" / "08.ipynb").write_text("{", encoding="utf-8")
    nbformat.write(new_notebook(), tmp_path / "in" / "other.ipynb")
    out = tmp_path / "marks.csv"
    assert main(["marks", str(tmp_path / "in"), "--out", str(out)]) == 2
    told = capsys.readouterr()
    (line,) = (line for line in told.out.splitlines() if "anna" in line)
    assert line.endswith("1 of 3  ratio ✓  propagation ○  layer ○")
    assert "ben/08.ipynb cannot be read as a notebook" in told.err.replace(os.sep, "/")
    assert "other.ipynb holds no exercise of this course" in told.err
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["exercise"], row["passed"]) for row in rows] == [
        ("ratio", "1"),
        ("propagation", ""),
        ("layer", ""),
    ]


def test_places_without_a_notebook_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere is not there; give a notebook"):
        notebooks([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match=r"no notebook in .*; they end in \.ipynb"):
        notebooks([tmp_path])
    path = written(tmp_path, "a.ipynb")
    assert notebooks([tmp_path, path]) == [path]
