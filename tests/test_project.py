"""The project's own files agree with each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {
    "torch": "pytorch-cpu",
    "matplotlib": "matplotlib-base",
    "opencv-python-headless": "opencv",
}


def _parts(line: str) -> tuple[str, str]:
    found = re.fullmatch(r"([A-Za-z0-9_-]+)\s*(.*)", line.split("#")[0].strip())
    assert found, line
    return found[1], found[2].replace(" ", "")


def test_conda_and_pip_install_the_same_ranges() -> None:
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = dict(_parts(line) for line in project["dependencies"])
    listed = dict(
        _parts(line.strip()[2:])
        for line in (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
        if line.startswith("  - ") and "conda-forge" not in line
    )
    assert listed.pop("pip") == ""
    assert listed.pop("python") == project["requires-python"]
    assert {CONDA_NAMES.get(name, name): span for name, span in asked.items()} == listed


def test_modules_fit_a_reader() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "w3an_lite").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert long == {}


@pytest.mark.parametrize("equation", range(1, 18))
def test_every_equation_is_named_where_it_is_written(equation: int) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "w3an_lite").glob("*.py"))
    numbers = set()
    for first, last in re.findall(r"Eq\. (\d+)(?:-(\d+))?", text):
        numbers |= set(range(int(first), int(last or first) + 1))
    assert equation in numbers


def test_the_readme_names_files_and_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / target).exists(), target
    known = (ROOT / "w3an_lite" / "commands.py").read_text(encoding="utf-8")
    known += (ROOT / "w3an_lite" / "data_commands.py").read_text(encoding="utf-8")
    for command in re.findall(r"python -m w3an_lite ([a-z]+)", text):
        assert f'"{command}": Command(' in known, command
