"""Where a number comes from: the command, and the revision of the code that ran."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path


def revision() -> str:
    """The git commit of this package, "+changes" behind it if files differ; "unknown" without git.

    A package installed elsewhere is of no revision, even inside another project's checkout.
    """
    here = Path(__file__).resolve()

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(here.parent), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here.parent))
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def command() -> str:
    """The command line that is running, as one would type it."""
    words = sys.argv[1:]
    if Path(sys.argv[0]).parent.name == "w3an_lite":
        return shlex.join(["python", "-m", "w3an_lite", *words])
    return shlex.join([Path(sys.argv[0]).name, *words])
