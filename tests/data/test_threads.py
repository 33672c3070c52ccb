"""What is done on threads comes back in order; no pool is used where its threads are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from w3an_lite.data.threads import on_threads
from w3an_lite.data.tracklet import DataError, FileFrames


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def name(_: int) -> str:
    return threading.current_thread().name


def test_in_order_and_side_by_side() -> None:
    both = threading.Barrier(2, timeout=30)

    def meet(item: int) -> int:
        both.wait()  # passed only when two are here at once
        return item * item

    assert on_threads(meet, range(6)) == [0, 1, 4, 9, 16, 25]
    assert on_threads(meet, []) == []


def test_one_thread_or_one_item_needs_no_pool() -> None:
    here = threading.current_thread().name
    assert on_threads(name, [1]) == [here]
    assert here not in on_threads(name, [1, 2])
    torch.set_num_threads(1)
    assert on_threads(name, [1, 2]) == [here, here]


def test_the_first_error_is_raised(tmp_path: Path) -> None:
    paths = tuple(tmp_path / f"{i}.png" for i in range(5))
    with pytest.raises(DataError, match=r"0\.png is missing"):
        FileFrames(paths).read(range(5))


def _again(answers: object) -> None:
    answers.put(on_threads(name, [1, 2]))  # type: ignore[attr-defined]


@pytest.mark.skipif("fork" not in __import__("multiprocessing").get_all_start_methods(), reason="")
def test_a_fork_has_threads_of_its_own() -> None:
    on_threads(name, [1, 2])
    fork = get_context("fork")
    answers = fork.SimpleQueue()
    child = fork.Process(target=_again, args=(answers,), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert len(answers.get()) == 2
