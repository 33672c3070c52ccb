"""What the README shows as Python runs, word for word, in the order it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from w3an_lite import W3AN
from w3an_lite.data.synthetic import synthped

README = Path(__file__).parents[1] / "README.md"


def blocks(heading: str | None = None) -> list[str]:
    """The Python blocks of the README, or of the section of that heading."""
    text = README.read_text(encoding="utf-8")
    if heading is not None:
        (text,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, str(README), "exec"), names)


def test_the_first_block_finds_people_with_the_shipped_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, Any] = {}
    run(blocks()[0], names)
    printed = capsys.readouterr().out
    assert re.search(r"rank-1 0\.\d\d, mAP 0\.\d\d", printed)
    assert names["ranking"].mean_ap > 0.2
    assert names["seen"].beta.shape == (1, 6)


def test_three_cases_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On eight people in folders of files, two cameras, tracklets of 4 to 11 frames."""
    monkeypatch.chdir(tmp_path)
    for k, tracklet in enumerate(synthped(8, 0, tracklets=1, frames=11, seed=1).train):
        folder = tmp_path / f"my-people/{tracklet.identity:02d}/camera{tracklet.camera}"
        folder.mkdir(parents=True)
        for n, frame in enumerate(tracklet.frames.read(range(4 + k % 8))):
            Image.fromarray(frame.transpose(1, 2, 0)).save(folder / f"{n:02d}.jpg")
    own, backbone, part = blocks("In your own experiment")
    names: dict[str, Any] = {"__name__": "readme"}

    run(own, names)
    assert "[16, 128]" in capsys.readouterr().out
    back = W3AN.from_pretrained("own.pt")
    assert torch.equal(back.heads.identity.weight, names["model"].heads.identity.weight)
    assert (tmp_path / "runs/own/log.csv").is_file()

    run(backbone, names)
    assert names["model"].config["backbone"] == "custom"
    assert names["model"](torch.zeros(1, 6, 3, 128, 64)).cube.shape == (1, 6, 576, 4, 2)

    run(part, names)
    assert isinstance(names["model"].tan, names["Agreement"])
    assert names["model"].tan.sharpness.item() != 4  # it was trained


def test_every_block_is_run() -> None:
    assert len(blocks()) == 1 + len(blocks("In your own experiment"))
