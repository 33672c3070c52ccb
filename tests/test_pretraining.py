"""The stand-in for ImageNet is trained on drawn stills and loads as a trunk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from w3an_lite.backbone import SHIPPED_TRUNK, NarrowTrunk
from w3an_lite.model import SHIPPED
from w3an_lite.pretraining import pretrain


def test_the_trunk_learns_its_attributes_and_loads(tmp_path: Path) -> None:
    trunk, losses = pretrain(
        tmp_path / "trunk.pt", steps=20, batch=16, images=64, width=4, seed=0, progress=False
    )
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    again = NarrowTrunk(4, stride=4, weights=tmp_path / "trunk.pt").eval()
    frames = torch.rand(2, 3, 64, 32)
    torch.testing.assert_close(trunk(frames), again(frames))


def test_a_seed_gives_one_trunk() -> None:
    one, two = (
        pretrain(steps=2, batch=4, images=8, width=2, seed=3, progress=False)[1] for _ in range(2)
    )
    assert one == two


@pytest.mark.parametrize("none", ["steps", "batch", "images"])
def test_nothing_to_learn_from_is_refused(tmp_path: Path, none: str) -> None:
    with pytest.raises(ValueError, match=f"{none} 0.*at least 1"):
        pretrain(tmp_path / "trunk.pt", **{none: 0})
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_weights_are_small() -> None:
    together = SHIPPED_TRUNK.stat().st_size + SHIPPED.stat().st_size
    assert together <= 4 * 2**20
