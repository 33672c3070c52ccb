"""Where a number comes from: a revision and a command."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from w3an_lite import provenance
from w3an_lite.data.tracklet import Tracklet


def test_the_revision_is_a_commit_or_unknown() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?|unknown", provenance.revision())


def test_without_git_the_revision_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert provenance.revision() == "unknown"


def test_outside_a_checkout_git_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Mac without git opens a dialog when it is called."""
    called = []
    monkeypatch.setattr(subprocess, "run", lambda *words, **_: called.append(words))
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "w3an_lite" / "provenance.py"))
    assert provenance.revision() == "unknown"
    assert called == []


def test_the_command_is_as_one_would_type_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/w3an_lite/__main__.py", "experiment", "--only", "a b"])
    assert provenance.command() == "python -m w3an_lite experiment --only 'a b'"
    monkeypatch.setattr(sys, "argv", ["/bin/pytest", "tests"])
    assert provenance.command() == "pytest tests"


def test_a_digest_of_tracklets_tells_who_they_are(crowd: Callable[..., list[Tracklet]]) -> None:
    people = crowd(3, truth=True)
    truth = people[0].truth
    assert truth is not None
    others = [
        people[1:],
        [replace(people[0], name="x"), *people[1:]],
        [replace(people[0], identity=99), *people[1:]],
        [replace(people[0], camera=99), *people[1:]],
        [replace(people[0], attributes=None), *people[1:]],
        [replace(people[0], truth=replace(truth, visibility=truth.visibility / 2)), *people[1:]],
        crowd(3, truth=True, frames=7),
    ]
    found = {provenance.digest_of(some) for some in others}
    assert len(found) == len(others)
    assert provenance.digest_of(people) == provenance.digest_of(crowd(3, truth=True)) not in found
