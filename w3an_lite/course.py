"""What every notebook of the course begins with: a repeatable start, and figures one can read."""

from __future__ import annotations

import io
import math
import os
import random
import textwrap
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from .picture import to_png

REPOSITORY = "w3an-lite/w3an-lite"
"""owner/name on GitHub: the one place that launch buttons and install lines take it from."""
BRANCH = "main"
FOLDED = "# a solution, folded away"
"""The first line of a solution cell: JupyterLab shows that line of a folded cell."""
NEEDED = {"torch": (2, 5), "numpy": (1, 26), "matplotlib": (3, 8), "ipywidgets": (8, 1)}
"""The oldest release of each package the course was written for."""


def start(seed: int = 0, threads: int = 2) -> None:
    """Pin threads and seeds, so that the numbers printed here are the numbers you get.

    Checks the versions of `NEEDED` and names each package that is missing or too old.
    """
    old = [name for name, least in NEEDED.items() if _release(name) < least]
    torch.set_num_threads(threads)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 -- for a student who draws from the global generator
    torch.manual_seed(seed)
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars cannot be compared
    np.set_printoptions(precision=3, suppress=True, linewidth=90)
    torch.set_printoptions(precision=3, sci_mode=False, linewidth=90)
    for name in old:
        least = ".".join(map(str, NEEDED[name]))
        print(f"{name} is missing or older than {least}: pip install -U {name}")
    if not old:
        print(f"w3an_lite is ready: seed {seed}, {threads} threads")


def _release(name: str) -> tuple[int, ...]:
    try:
        numbers = version(name).split("+")[0].split(".")[:2]
        return tuple(int(number) for number in numbers)
    except (PackageNotFoundError, ValueError):
        return (0,)


def show(figure: Figure, alt: str, digits: int = 2, **arrays: Any) -> None:
    """Show a figure with its description, and a line of numbers for each array it was drawn from.

    alt says in a sentence what is to be seen; it is printed below the figure, so a screen reader
    and a page without pictures have it too. The numbers stand for the picture when a notebook is
    tested: see `digest`, which takes `digits` (1 for what was trained).
    """
    if len(alt.split()) < 4:
        raise ValueError(f"alt is {alt!r}; describe in a sentence what the figure shows")
    bundle = {"image/png": compact(to_png(figure, dpi=80)), "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}})
    print(textwrap.fill(f"Figure: {alt}", 88))  # a page would break it inside a word
    for name, array in arrays.items():
        print(f"  {name} {digest(array, digits)}")


def compact(png: bytes) -> bytes:
    """The same picture in at most 256 colours, which is smaller, to be kept on a page."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def digest(array: Any, digits: int = 2) -> str:
    """Shape, mean, spread and range of an array, rounded to what repeats across machines.

    All four are rounded to the place of the last of `digits` digits of the greatest magnitude, or
    to units where that is a greater place.
    """
    values = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
    numbers = values.astype(np.float64)
    if numbers.size == 0:
        return f"{list(numbers.shape)} empty"
    most = float(np.abs(numbers).max())
    if not np.isfinite(most):
        return f"{list(numbers.shape)} not all finite"
    places = max(0, digits - 1 - math.floor(math.log10(most))) if most else 0
    mean, spread, low, high = (
        f"{round(float(x), places) + 0.0:.{places}f}"
        for x in (numbers.mean(), numbers.std(), numbers.min(), numbers.max())
    )
    return f"{list(numbers.shape)} mean {mean}, spread {spread}, from {low} to {high}"


def badges(notebook: str) -> str:
    """The launch buttons of `notebook` (a file name in notebooks/), as one line of Markdown."""
    page = f"https://github.com/{REPOSITORY}/blob/{BRANCH}/notebooks/{notebook}"
    binder = (
        f"https://mybinder.org/v2/gh/{REPOSITORY}/{BRANCH}?urlpath=lab/tree/notebooks/{notebook}"
    )
    colab = (
        f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/notebooks/{notebook}"
    )
    return " ".join(
        (
            f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})",
            f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})",
            f"[![View on GitHub](https://img.shields.io/badge/view-GitHub-24292f)]({page})",
        )
    )


def setup() -> str:
    """The first code cell of every notebook: install the package where it is missing, and start."""
    return (
        "import importlib.util\n"
        'if importlib.util.find_spec("w3an_lite") is None:  # on Colab\n'
        f"    %pip install -q https://github.com/{REPOSITORY}/archive/{BRANCH}.zip\n"
        "from w3an_lite.course import show, start\n"
        "start()"
    )
