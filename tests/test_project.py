"""The project's own files agree with each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from build_notebooks import PINNED

from w3an_lite.course import BRANCH, REPOSITORY, badges

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
    pinned, least = listed.pop("python"), project["requires-python"]  # =3.11 and >=3.10
    assert _release(pinned.removeprefix("=")) >= _release(least.removeprefix(">="))
    assert {CONDA_NAMES.get(name, name): span for name, span in asked.items()} == listed


def _release(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_binder_reads_our_environment_and_pins_threads() -> None:
    binder = ROOT / "binder"  # a folder of this name hides the files of the root
    assert {path.name for path in binder.iterdir()} == {"environment.yml", "postBuild", "start"}
    assert (binder / "environment.yml").resolve() == ROOT / "environment.yml"
    assert "pip install --no-deps" in (binder / "postBuild").read_text(encoding="utf-8")
    asked = [sys.executable, "-c", "import os; print(dict(os.environ))"]
    done = subprocess.run(
        [binder / "start", *asked], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    threads = {name: PINNED[name] for name in PINNED if re.search("_THREADS|_WAIT_", name)}
    assert len(threads) == 4
    assert all(f"'{name}': '{value}'" in done.stdout for name, value in threads.items())


def test_repo2docker_picks_our_files_and_python() -> None:
    """What Binder would build, printed without building it."""
    pytest.importorskip("repo2docker", reason="jupyter-repo2docker is not installed")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--no-run", "--debug", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    python = re.search(r"- python =([\d.]+)", environment)
    assert python
    assert f"Building conda environment for python={python[1]}\n" in done.stderr
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in done.stdout
    assert "RUN ./binder/postBuild" in done.stdout
    assert 'R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in done.stdout


def test_the_repository_has_one_address() -> None:
    """README and notebooks launch from `course.REPOSITORY` and nowhere else."""
    assert badges("00_start_here.ipynb") in (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [ROOT / "README.md", *sorted((ROOT / "notebooks").rglob("*.ipynb"))]
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert f"mybinder.org/v2/gh/{REPOSITORY}/{BRANCH}?" in text, page.name
        assert f"colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/" in text, page.name
        buttons = re.findall(r"(?:mybinder.org/v2/gh|colab.research.google.com/github)/(\S+)", text)
        assert all(button.startswith(f"{REPOSITORY}/") for button in buttons), page.name


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


@pytest.mark.parametrize("page", ["README.md", "notebooks/README.md", "notebooks/FINDINGS.md"])
def test_the_readme_names_files_and_commands_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target
    files = sorted((ROOT / "w3an_lite").glob("*command*.py"))
    known = "".join(file.read_text(encoding="utf-8") for file in files)
    for command in re.findall(r"python -m w3an_lite ([a-z]+)", text):
        assert f'"{command}": Command(' in known, command
