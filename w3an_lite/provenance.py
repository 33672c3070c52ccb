"""Where a number comes from: the command, the revision of the code, and who was trained on."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from .data.tracklet import Tracklet


def revision() -> str:
    """The git commit of this package, "+changes" behind it if files differ; "unknown" without git.

    A package installed elsewhere is of no revision, even inside another project's checkout.
    """
    here = Path(__file__).resolve()
    if not (here.parents[1] / ".git").exists():  # a bare Mac answers `git` with a dialog
        return "unknown"

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(here.parent), *words],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here.parent))
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def command() -> str:
    """The command line that is running, as one would type it."""
    words = sys.argv[1:]
    if Path(sys.argv[0]).parent.name == "w3an_lite":
        return shlex.join(["python", "-m", "w3an_lite", *words])
    return shlex.join([Path(sys.argv[0]).name, *words])


def digest_of(tracklets: Sequence[Tracklet]) -> str:
    """Sixteen hex digits for these tracklets: names, people, cameras, lengths, labels, and what
    hides drawn ones. The pixels are left out, so that a packed store counts as what was packed."""
    content = sha256()
    for t in tracklets:
        content.update(f"{t.name}|{t.identity}|{t.camera}|{len(t)}|".encode())
        if t.attributes is not None:
            content.update(t.attributes.tobytes())
        if t.truth is not None:
            content.update(t.truth.visibility.tobytes())
    return content.hexdigest()[:16]
