"""One JupyterLab and one headless Chromium for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_page import Lab, Notebook, launch

SCREENSHOTS = Path(__file__).parent / "screenshots"
"""Pictures of the pages as the last run saw them; git ignores them."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by playwright; without either the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium on the PATH (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        running = launch(playwright, chromium)
        yield running
        running.close()


@pytest.fixture(scope="session")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server with settings of its own over a copy of the notebooks, which it may save."""
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    fresh = browser.new_page(viewport={"width": 1200, "height": 1400})
    fresh.set_default_timeout(120_000)
    yield fresh
    fresh.close()


@pytest.fixture
def opened(lab: Lab, page: Any, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """The notebook that the test is for, its kernel idle and nothing run yet."""
    notebook = Notebook(page, lab, request.param.name)
    yield notebook
    notebook.shut_down()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
