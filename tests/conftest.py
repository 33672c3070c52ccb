"""One thread, one seed, and a handful of small people for the tests of every room."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import settings

from w3an_lite.data.attributes import NAMES
from w3an_lite.data.tracklet import ArrayFrames, Tracklet, Truth
from w3an_lite.model import W3AN


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="let the tests see the GPUs there are")


def pytest_configure(config: pytest.Config) -> None:
    """Without --gpu a machine with a GPU runs what any other runs: most tests compare bits."""
    if not config.getoption("--gpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    """The same numbers on every machine: one thread, and the one seed that weights start from."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def crowd() -> Callable[..., list[Tracklet]]:
    """`crowd(people, each, frames, size, seed)`: tracklets of noise over a colour of one's own."""

    def make(
        people: int = 4,
        each: int = 2,
        frames: int | list[int] = 5,
        size: tuple[int, int] = (32, 16),
        seed: int = 0,
        truth: bool = False,
    ) -> list[Tracklet]:
        rng = np.random.default_rng(seed)
        out = []
        for person in range(people):
            colour = rng.integers(40, 216, (3, 1, 1))
            attributes = rng.integers(0, 2, len(NAMES)).astype(np.float32)
            for k in range(each):
                count = frames if isinstance(frames, int) else frames[k % len(frames)]
                pixels = colour + rng.integers(-40, 40, (count, 3, *size))
                known = None
                if truth:
                    mask = rng.random((count, *size)) < 0.5
                    visibility = rng.random(count, np.float32)
                    known = Truth(visibility, mask, mask.astype(np.uint8))
                out.append(
                    Tracklet(
                        ArrayFrames(pixels.astype(np.uint8)),
                        identity=10 + person,
                        camera=k % 2,
                        name=f"p{person}k{k}",
                        attributes=attributes,
                        truth=known,
                    )
                )
        return out

    return make


@pytest.fixture
def tiny() -> Callable[..., W3AN]:
    """`tiny(**changes)`: the printed model on a trunk of 16 channels, frames 32×16, T = 3."""

    def make(preset: str = "paper", identities: int = 4, seed: int = 0, **changes: object) -> W3AN:
        torch.manual_seed(seed)
        small: dict[str, object] = {
            "backbone": "narrow",
            "trunk": {"width": 2},
            "size": (32, 16),
            "clip_length": 3,
            "neighbours": 1,
        }
        return W3AN.preset(preset, identities, **{**small, **changes})

    return make
