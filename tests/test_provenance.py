"""Where a number comes from: a revision and a command."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from w3an_lite import provenance


def test_the_revision_is_a_commit_or_unknown() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?|unknown", provenance.revision())


def test_without_git_the_revision_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert provenance.revision() == "unknown"


def test_the_command_is_as_one_would_type_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/w3an_lite/__main__.py", "experiment", "--only", "a b"])
    assert provenance.command() == "python -m w3an_lite experiment --only 'a b'"
    monkeypatch.setattr(sys, "argv", ["/bin/pytest", "tests"])
    assert provenance.command() == "pytest tests"
