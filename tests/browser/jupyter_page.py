"""A notebook in JupyterLab as a reader has it: the server, the page, and what is on the page."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from build_notebooks import NOTEBOOKS, PINNED

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    # without a kernel a dialog asks for one and blocks the page; and all cells are to be looked at
    "notebook-extension/tracker": {"autoStartDefaultKernel": True, "windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
BADGES = ("mybinder.org", "colab.research.google.com", "img.shields.io")
"""The only places outside that a notebook may ask for something: pictures of launch buttons."""
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"/>'
PATIENCE = 600.0
"""Seconds that one notebook may take on a machine that does other work too."""


def launch(playwright: Any, chromium: str) -> Any:
    """A browser with a fresh profile."""
    return playwright.chromium.launch(executable_path=chromium, args=FLAGS)


def until(done: Callable[[], Any], seconds: float, what: Callable[[], str] | str) -> Any:
    """The first true value of `done`; `TimeoutError` says what was awaited."""
    end = time.monotonic() + seconds
    while not (value := done()):
        if time.monotonic() > end:
            raise TimeoutError(what if isinstance(what, str) else what())
        time.sleep(0.1)
    return value


class Lab:
    """JupyterLab on a free port of localhost, without a token, over a copy of the notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""

    def __enter__(self) -> Lab:
        root = self.folder / "root"
        shutil.copytree(NOTEBOOKS, root / "notebooks", ignore=shutil.ignore_patterns("student"))
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        own = {name: str(self.folder / place) for name, place in places.items()}
        for name, values in SETTINGS.items():
            path = self.folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"]
        command += ["--IdentityProvider.token=", "--ServerApp.port=0", "--allow-root"]
        command += [f"--ServerApp.root_dir={root}"]
        self.log = (self.folder / "log").open("w")
        self.server = subprocess.Popen(
            command, env={**os.environ, **PINNED, **own}, stdout=self.log, stderr=self.log
        )
        until(self._answers, PATIENCE, lambda: (self.folder / "log").read_text()[-2000:])
        return self

    def _answers(self) -> bool:
        for path in (self.folder / "runtime").glob("jpserver-*.json"):
            if text := path.read_text():
                self.url = json.loads(text)["url"]
        return bool(self.url)

    def __exit__(self, *error: object) -> None:
        self.server.kill()  # it was told to shut down every kernel already
        self.server.wait()
        self.log.close()


class Notebook:
    """An open notebook: run it, ask its kernel, and collect what goes wrong on the page."""

    def __init__(self, page: Any, lab: Lab, name: str) -> None:
        self.page, self.name = page, name
        self.errors: list[str] = []
        self.strangers: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.route(lambda url: urlsplit(url).hostname not in ("localhost", "127.0.0.1"), self._far)
        page.goto(f"{lab.url}doc/tree/notebooks/{name}?reset", timeout=1000 * PATIENCE)
        page.wait_for_selector(".jp-Notebook", timeout=1000 * PATIENCE)
        page.evaluate(
            "() => { window.panel = () => [...window.jupyterapp.shell.widgets('main')]"
            ".find(widget => widget.sessionContext); }"
        )
        self._idle(PATIENCE)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _far(self, route: Any) -> None:
        host = urlsplit(route.request.url).hostname or ""
        if host in BADGES:
            route.fulfill(body=BLANK, content_type="image/svg+xml")
        else:
            self.strangers.add(host)
            route.abort()

    def _idle(self, seconds: float) -> None:
        status = "() => panel()?.sessionContext.session?.kernel?.status ?? 'none'"
        until(
            lambda: self.page.evaluate(status) == "idle",
            seconds,
            lambda: f"{self.name}: the kernel is {self.page.evaluate(status)}",
        )

    def run_all(self) -> None:
        """Run the cells from top to bottom and wait for the last."""
        self.page.evaluate(
            "() => { window.done = false; window.jupyterapp.commands"
            ".execute('notebook:run-all-cells').then(() => { window.done = true; }); }"
        )
        until(lambda: self.page.evaluate("window.done"), PATIENCE, f"{self.name} runs too long")
        self._idle(PATIENCE)

    def ask(self, expression: str, before: str = "") -> Any:
        """The value of a Python expression in the kernel, through JSON."""
        reply = self.page.evaluate(
            """async ([code, expression]) => {
                const kernel = panel().sessionContext.session.kernel;
                const future = kernel.requestExecute({code, silent: true, store_history: false,
                    user_expressions: {answer: `__import__('json').dumps(${expression})`}});
                return (await future.done).content;
            }""",
            [before, expression],
        )
        answer = reply.get("user_expressions", {}).get("answer", reply)
        assert answer.get("status") == "ok", answer
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def cells(self) -> list[dict[str, Any]]:
        """Of each code cell: its place, count, kinds of output, and the widget it shows."""
        found: list[dict[str, Any]] = self.page.evaluate(
            """() => panel().content.widgets.map((cell, place) => ({cell, place}))
                .filter(({cell}) => cell.model.type === 'code').map(({cell, place}) => {
                    const outputs = cell.model.outputs.toJSON();
                    const views = outputs.map(
                        one => one.data?.['application/vnd.jupyter.widget-view+json']?.model_id);
                    return {place, source: cell.model.sharedModel.source,
                        count: cell.model.executionCount,
                        kinds: outputs.map(one => one.name ?? one.output_type),
                        widget: views.find(view => view) ?? null};
                })"""
        )
        return found

    def cell(self, place: int) -> Any:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(place)

    def photograph(self, folder: Path) -> int:
        """One picture for each screenful, top to bottom; returns how many."""
        outer = "document.querySelector('.jp-WindowedPanel-outer')"
        height, view = self.page.evaluate(f"[{outer}.scrollHeight, {outer}.clientHeight]")
        count = -(-height // view)
        for old in folder.glob(f"{self.name[:2]}-*.png"):
            old.unlink()
        for number in range(count):
            self.page.evaluate(f"{outer}.scrollTop = {number * view}")
            self.page.screenshot(path=folder / f"{self.name[:2]}-{number:02d}.png")
        return int(count)

    def shut_down(self) -> None:
        self.page.evaluate("async () => { await panel().sessionContext.shutdown(); }")
