"""What students have solved is what the checkers in their notebooks say."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import nbformat
import pytest
from build_notebooks import NOTEBOOKS, PINNED, sources, tags
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from w3an_lite import exercises
from w3an_lite.__main__ import main
from w3an_lite.course import FOLDED
from w3an_lite.exercises import attributes
from w3an_lite.exercises.checker import STUB_HINT, Verdict
from w3an_lite.exercises.gcn import EXERCISES
from w3an_lite.marks import notebooks, read_marks

IMPORT = "from w3an_lite.exercises.gcn import check_layer, check_propagation, check_ratio"
NOTHING = {"propagation": None, "layer": None, "ratio": None}
SOLVED = {name: repr(Verdict(True, exercise.praise)) for name, exercise in EXERCISES.items()}
HINT = {name: repr(Verdict(False, e.mistakes[0].hint)) for name, e in EXERCISES.items()}
GENERIC = repr(Verdict(False, "your function stopped with ZeroDivisionError"))
OTHERWISE = repr(Verdict(False, EXERCISES["layer"].otherwise))
UNTRIED = repr(Verdict(None, STUB_HINT))


def cell(source: str, *said: str, tag: str | None = None) -> nbformat.NotebookNode:
    """A cell that has said this; the last as a result, what was before as if printed."""
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


def passed(folder: Path, *cells: nbformat.NotebookNode) -> dict[str, bool | None]:
    return read_marks(written(folder, "08.ipynb", *cells)).passed


def test_every_praise_belongs_to_one_exercise() -> None:
    """By its text alone it is told whose it is."""
    modules = {m.name for m in iter_modules(exercises.__path__)} - {"checker"}
    found = Counter(
        exercise.praise
        for name in modules
        for exercise in import_module(f"{exercises.__name__}.{name}").EXERCISES.values()
    )
    assert max(found.values()) == 1
    assert len(found) > 50


def test_outputs_are_believed_and_the_best_counts(tmp_path: Path) -> None:
    marks = read_marks(
        written(
            tmp_path,
            "renamed.ipynb",
            cell("check_ratio(1)", HINT["ratio"]),
            cell("check_ratio(2)", SOLVED["ratio"]),
            cell("check_ratio(3)", UNTRIED),
            cell("check_layer(wrong)", GENERIC),
            cell("check_propagation(solution)", SOLVED["propagation"], tag="solution"),
            cell(f"{FOLDED}\ncheck_propagation(solution)", SOLVED["propagation"]),
        )
    )
    assert marks.page == "gcn"
    assert list(marks.passed.items()) == [("ratio", True), ("layer", False), ("propagation", None)]
    assert marks.remark == ""


@pytest.mark.parametrize(
    ("source", "said", "ratio", "layer"),
    [
        ("print(check_ratio(1))\ncheck_layer(f)", [SOLVED["ratio"], GENERIC], True, False),
        ("print(check_ratio(1))\ncheck_layer(f)", [SOLVED["ratio"], HINT["layer"]], True, False),
        ("check_ratio(1)\n# check_layer(f)", [SOLVED["ratio"]], True, None),
        ("print('1:', check_ratio(1))", ["1: " + SOLVED["ratio"], ""], True, None),
        ("check_ratio(1), check_layer(f)", [f"({SOLVED['ratio']}, {HINT['layer']})"], True, False),
        ("check_ratio (1)", [GENERIC], False, None),
        ("what_it_said", [SOLVED["ratio"]], True, None),
        ("what_it_said", [HINT["ratio"]], False, None),
        ("what_it_said", [GENERIC], None, None),
        ("what_it_said", [OTHERWISE], None, False),
        ("check_layer(f)", [OTHERWISE], None, False),
        ("for x in range(2): print(check_ratio(x))", [SOLVED["ratio"], HINT["ratio"]], True, None),
    ],
)
def test_it_does_not_matter_how_a_verdict_was_shown(
    tmp_path: Path, source: str, said: list[str], ratio: bool | None, layer: bool | None
) -> None:
    found = passed(tmp_path, cell(source, *said))
    assert found == {"ratio": ratio, "layer": layer, "propagation": None}


def test_a_hint_that_two_exercises_share_says_of_neither_that_it_was_tried(tmp_path: Path) -> None:
    assert attributes.LOSS.otherwise == attributes.MMD.otherwise
    shared = repr(Verdict(False, attributes.LOSS.otherwise))
    source = "from w3an_lite.exercises.attributes import check_loss, check_mmd"
    one, two = (
        read_marks(written(tmp_path, name, new_code_cell(source), cell(shown, shared))).passed
        for name, shown in (("a.ipynb", "what_it_said"), ("b.ipynb", "check_mmd(f)"))
    )
    assert (one["loss"], one["mmd"]) == (None, None)
    assert (two["loss"], two["mmd"]) == (None, False)


def test_a_check_whose_cell_failed_was_tried(tmp_path: Path) -> None:
    error = new_output("error", ename="SyntaxError", evalue="", traceback=[])
    made = new_code_cell("check_ratio(1", outputs=[error])
    bare = new_code_cell("1 / 0", outputs=[error])
    found = read_marks(written(tmp_path, "a.ipynb", made, bare))
    assert found.passed == {**NOTHING, "ratio": False}
    assert found.remark == ""


def test_a_kernel_that_cannot_watch_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "a.ipynb", cell("check_ratio(1)"))
    monkeypatch.setattr("w3an_lite.marks._WATCH", "import there_is_no_such_package")
    with pytest.raises(ValueError, match="kernel python3 cannot import w3an_lite"):
        read_marks(path, run=True)


def test_a_stream_in_pieces_is_one_text(tmp_path: Path) -> None:
    made = new_code_cell("print(check_ratio(1))")
    made.outputs = [new_output("stream", text=SOLVED["ratio"][:3])]
    made.outputs += [new_output("stream", text=SOLVED["ratio"][3:])]
    assert passed(tmp_path, made)["ratio"] is True


def test_a_notebook_without_outputs_was_not_run(tmp_path: Path) -> None:
    marks = read_marks(written(tmp_path, "a.ipynb", cell("check_ratio(1)")))
    assert marks.passed == NOTHING
    assert marks.remark == "it has no outputs: not run, or cleared"


def test_run_anew_nothing_is_believed_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PINNED.items():
        monkeypatch.setenv(name, value)
    path = written(
        tmp_path,
        "08.ipynb",
        cell("check_ratio(...)", SOLVED["ratio"]),  # an output that no run has made
        cell("1 / 0"),
        cell("from w3an_lite.exercises.gcn import SOLUTIONS"),
        cell("check_propagation(("),
        cell("unseen = check_layer(SOLUTIONS['layer'])"),  # shown or not, it was said
        cell("for answer in (0, None):\n    print(check_propagation(lambda *_: answer))"),
        cell("check_ratio(SOLUTIONS['ratio'])", tag="solution"),
    )
    before = path.read_bytes()
    assert read_marks(path).passed == {"ratio": True, "layer": None, "propagation": None}
    marks = read_marks(path, run=True)
    assert marks.passed == {"ratio": None, "layer": True, "propagation": False}
    assert marks.remark == ""
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["08.ipynb"]


def test_a_cell_that_hangs_ends_the_run(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "08.ipynb",
        cell("print(check_layer(lambda *inputs: inputs[0]))"),
        cell("import time; time.sleep(60)"),
        cell("check_ratio(1)", SOLVED["ratio"]),
    )
    marks = read_marks(path, run=True, seconds=20)
    assert marks.passed == {"layer": False, "ratio": None, "propagation": None}
    assert marks.remark == "ended at a cell that took more than 20 s"


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_each_notebook_of_the_course_has_its_exercises_and_none_solved(path: Path) -> None:
    """A solution that is folded away is nobody's answer; the student's copy says the same."""
    marks = read_marks(path)
    assert path.stem.endswith(f"_{marks.page}")
    cells = nbformat.read(path, as_version=4).cells
    assert len(marks.passed) == sum("exercise" in tags(cell) for cell in cells)
    assert {*marks.passed.values()} == {None}
    student = read_marks(NOTEBOOKS / "student" / path.name)
    assert student.passed == marks.passed
    assert student.remark == "it has no outputs: not run, or cleared"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cells": []}',
        "[" * 100_000,
        '{"cells": null, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        "\x00",
    ],
)
def test_what_is_no_notebook_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.ipynb (cannot be read as a notebook|holds no exer)"):
        read_marks(tmp_path / "a.ipynb")


def test_tags_of_null_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.ipynb", cell("check_ratio(1)", SOLVED["ratio"]))
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"][1]["metadata"]["tags"] = None
    path.write_text(json.dumps(content), encoding="utf-8-sig")
    assert read_marks(path).passed["ratio"] is True


def test_the_command_lists_all_it_can_and_names_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = tmp_path / "in"
    written(room / "anna", "08.IPYNB", cell("check_ratio(2)", SOLVED["ratio"]))
    written(room / "anna" / ".ipynb_checkpoints", "08.ipynb")
    written(room / "anna", "._08.ipynb")
    (room / "ben").mkdir()
    (room / "ben" / "08.ipynb").write_text("{", encoding="utf-8")
    (room / "carl.zip").touch()
    nbformat.write(new_notebook(), room / "other.ipynb")
    out = tmp_path / "marks.csv"
    assert main(["marks", str(room), "--out", str(out)]) == 2
    told = capsys.readouterr()
    (line,) = (line for line in told.out.splitlines() if "anna" in line)
    assert line.endswith("08.IPYNB: 1 of 3; solved: ratio; not attempted: propagation, layer")
    assert f"left out, not notebooks: {room / 'carl.zip'}\n" in told.out
    assert f"{Path('ben', '08.ipynb')} cannot be read as a notebook" in told.err
    assert "other.ipynb holds no exercise of this course" in told.err
    with open(out, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    unread = [row for row in rows if not row["page"]]
    assert [Path(row["notebook"]).name for row in unread] == ["08.ipynb", "other.ipynb"]
    assert "cannot be read" in unread[0]["remark"]
    rows = [row for row in rows if row["page"]]
    assert [(row["page"], row["exercise"], row["passed"]) for row in rows] == [
        ("gcn", "ratio", "1"),
        ("gcn", "propagation", ""),
        ("gcn", "layer", ""),
    ]


def test_one_bad_hand_in_does_not_hold_up_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room, out = tmp_path / "in", tmp_path / "marks.csv"
    good = written(room, "z.ipynb", cell("check_ratio(2)", SOLVED["ratio"]))
    (room / "deep.ipynb").write_text('{"cells":' + "[" * 100_000 + "]" * 100_000 + "}")
    (room / "none.ipynb").write_text('{"cells": [], "metadata": {}}')
    content = json.loads(good.read_text())
    content["cells"][2]["outputs"].append({"text": "no type"})
    (room / "typeless.ipynb").write_text(json.dumps(content))
    odd = os.fsdecode(b"m\xfcller.ipynb")
    try:
        (room / odd).write_bytes(good.read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this system knows no file name that is not UTF-8")
    assert main(["marks", str(room), "--out", str(out)]) == 2
    told = capsys.readouterr()
    assert "deep.ipynb cannot be read as a notebook" in told.err
    assert "none.ipynb" in told.err
    assert "typeless.ipynb cannot be read as a notebook" in told.err
    with open(out, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    solved = {Path(row["notebook"]).name for row in rows if row["passed"] == "1"}
    assert {"z.ipynb", "m?ller.ipynb"} <= solved


def test_the_sheet_does_not_replace_a_hand_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "a.ipynb", cell("check_ratio(2)", SOLVED["ratio"]))
    before = path.read_bytes()
    assert main(["marks", str(tmp_path), "--out", str(path)]) == 2
    assert "a.ipynb is read by this command; write to another file" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_places_without_a_notebook_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere is not there; give a notebook"):
        notebooks([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match=r"no notebook in .*; they end in \.ipynb"):
        notebooks([tmp_path])
    path = written(tmp_path, "a.ipynb")
    assert notebooks([tmp_path, path]) == ([path], [])


def test_a_check_that_is_commented_out_was_not_tried(tmp_path: Path) -> None:
    error = new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])
    made = new_code_cell("# check_layer(mine) later\ncheck_ratio(1 / 0)", outputs=[error])
    assert passed(tmp_path, made) == {**NOTHING, "ratio": False}


def test_two_tries_in_one_cell_both_count(tmp_path: Path) -> None:
    hint = repr(Verdict(False, EXERCISES["ratio"].mistakes[0].hint))
    other = repr(Verdict(False, "your function stopped with ZeroDivisionError, given a function"))
    made = cell("print(check_ratio(1)); print(check_layer(mine))", hint, other)
    assert passed(tmp_path, made) == {**NOTHING, "ratio": False, "layer": False}
