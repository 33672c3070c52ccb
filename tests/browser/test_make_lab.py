"""`make lab` opens notebook 00 with nothing else to do."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from build_notebooks import ROOT
from jupyter_page import PATIENCE, until


def test_it_opens_the_first_notebook_on_a_free_port(
    page: Any, screenshots: Path, tmp_path: Path
) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    address = tmp_path / "address.html"
    browser = tmp_path / "browser"  # a browser that keeps the page it is sent to
    browser.write_text(
        f'#!/bin/sh\ncp "${{1#file://}}" {address}.part && mv {address}.part {address}'
    )
    browser.chmod(0o755)
    places = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "RUNTIME")}
    places |= {
        f"JUPYTERLAB_{name}_DIR": str(tmp_path / name) for name in ("SETTINGS", "WORKSPACES")
    }
    with socket.socket() as taken, (tmp_path / "log").open("w") as log:
        with suppress(OSError):  # another has it: as good
            taken.bind(("127.0.0.1", 8888))
            taken.listen()
        running = subprocess.Popen(
            ["make", "-o", ".venv/.installed", "lab", f"BIN={Path(sys.executable).parent}"],
            cwd=ROOT,
            env={**os.environ, **places, "BROWSER": str(browser)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            until(address.exists, PATIENCE, lambda: (tmp_path / "log").read_text()[-2000:])
            found = re.search(r'url=(http://[^"]+)"', address.read_text())
            assert found
            assert ":8888/" not in found[1]
            page.goto(found[1], timeout=1000 * PATIENCE)
            page.wait_for_selector(".jp-Notebook h1")
            assert "00 · " in page.locator(".jp-Notebook h1").first.inner_text()
            assert page.locator(".jp-Dialog").count() == 0
            page.screenshot(path=screenshots / "make-lab.png")
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(60)
