"""The breaks of `break_equations.py` still fit the library, import, and change what is computed."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from break_equations import BREAKS, PACKAGE, broken_source, read_failure
from torch import Tensor

CUBE = torch.randn(2, 3, 4, 8, 4, generator=torch.Generator().manual_seed(0))
B, T, M, H, W = CUBE.shape
BETA = torch.tensor([[0.2, 0.5, 0.6], [0.1, 0.8, 0.5]])
FRAMES = torch.zeros(B, T, 3, 16, 8)
PERSON = torch.tensor([0, 0, 0, 1, 1])

PROBES: dict[int, Callable[[ModuleType], Tensor]] = {
    1: lambda room: room.NarrowTrunk(2)(torch.arange(6144.0).view(1, 3, 64, 32)).flatten(),
    2: lambda room: room.SpatialAttention(M, T)(CUBE),
    3: lambda room: room.normalise_scores(CUBE),
    4: lambda room: room.attend(CUBE, CUBE),
    5: lambda room: room.Heads(M, 5, 2)(CUBE)[0],
    6: lambda room: room.activation_map(CUBE, CUBE[..., :1, :1]),
    7: lambda room: room.guide_frames(FRAMES, CUBE[:, :, 0], CUBE[:, :, 1]),
    8: lambda room: room.attention_consistency(CUBE, -CUBE),
    9: lambda room: room.attribute_loss(CUBE[:, :, 0, :, :2], torch.ones(B, H)),
    10: lambda room: room.TemporalAttention(M)(CUBE.mean((-2, -1)))[0],
    11: lambda room: room.temporal_spread(BETA, BETA.mean(1)),
    12: lambda room: room.add_attention(torch.zeros(B, T, T), BETA),
    13: lambda room: room.knn_adjacency(torch.tensor([0.0, 1, 3]).view(1, 3, 1), 1),
    14: lambda room: room.propagation(torch.ones(B, T, T), torch.diag_embed(BETA)),
    15: lambda room: room.readout(CUBE.mean((-2, -1)), BETA),
    16: lambda room: room.triplet_loss(torch.tensor([[0.0], [1], [5], [2], [10]]), PERSON),
    17: lambda room: room.total({"a": (torch.tensor(2.0), 0.5), "b": (torch.tensor(10.0), 0.3)}),
}


def load(path: Path, name: str) -> ModuleType:
    """The module at `path` as a room of the package, without a place in sys.modules."""
    spec = importlib.util.spec_from_file_location(f"w3an_lite.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # dataclasses look there
        spec.loader.exec_module(module)
    return module


def test_every_equation_is_broken_once() -> None:
    assert sorted(BREAKS) == list(range(1, 18)) == sorted(PROBES)
    assert len({(wrong.room, wrong.sound) for wrong in BREAKS.values()}) == 17


@pytest.mark.parametrize("equation", BREAKS)
def test_the_broken_room_imports_and_computes_something_else(equation: int, tmp_path: Path) -> None:
    name = BREAKS[equation].room
    (tmp_path / "broken.py").write_text(broken_source(equation), encoding="utf-8")
    seen = []
    for path in (PACKAGE / f"{name}.py", tmp_path / "broken.py"):
        torch.manual_seed(0)
        room = load(path, f"trial_{name}")
        seen.append((set(vars(room)), PROBES[equation](room)))
    (names, sound), (broken_names, broken) = seen
    assert broken_names == names  # so the rest of the package imports as before
    assert broken.shape == sound.shape
    assert not torch.allclose(broken, sound)


@pytest.mark.parametrize("equation", BREAKS)
def test_its_tests_and_its_notebook_are_there(equation: int) -> None:
    wrong = BREAKS[equation]
    root = PACKAGE.parent
    assert (root / "tests" / f"test_{wrong.room}.py").is_file()
    (book,) = (root / "notebooks").glob(f"{wrong.notebook}_*.ipynb")
    assert re.search(rf"w3an_lite\.{wrong.room}\b", book.read_text(encoding="utf-8"))


@pytest.mark.parametrize("times", [0, 2])
def test_a_line_that_has_changed_is_an_error(tmp_path: Path, times: int) -> None:
    (tmp_path / "gcn.py").write_text(BREAKS[15].sound * times, encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"Eq. 15: gcn\.py holds .*mean.* {times} times, not once"
    ):
        broken_source(15, tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "compared"),
    [
        (
            ">   assert f(x) == 2\nE   assert 3 == 2\n\nx.py:4: AssertionError",
            "assert f(x) == 2",
            1,
        ),
        (">   assert_close(a, b)\nE   AssertionError: not close\n", "assert_close(a, b)", 1),
        (">   f(x)\nE   RuntimeError: shapes\n", "f(x)", 0),
        ("Cell 7: caused\n----> 4 assert_close(a, b)\nAssertionError: no", "assert_close(a, b)", 1),
        ("Cell 7: caused\n----> 4 cubes[some] = x\nRuntimeError: shape", "cubes[some] = x", 0),
        ("Cell 0: caused\n----> 1 from x import y\nImportError: no y", "from x import y", 0),
    ],
)
def test_only_a_comparison_counts(text: str, line: str, compared: int) -> None:
    assert read_failure("a", text) == ("a", line, bool(compared))


def test_a_cell_that_prints_something_else() -> None:
    text = "Cell 3: Cell outputs differ\n\nInput:\na = (3\n     - 1)\nTraceback:\n"
    text += (
        "assert reference_output == test_output failed:\n\n  'one\\nF: 3.0' == 'one\\nF: 2.0'\n\n"
    )
    text += "    one\n  - F: 2.0\n  ?    ^\n  + F: 3.0\n"
    assert read_failure("a", text) == ("a", "prints 'F: 2.0' for 'F: 3.0'", True)
