"""What a record holds is plain, and names what it cannot hold by the name it has."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from w3an_lite.attention_pyramid import AttentionPyramid
from w3an_lite.records import plain, read_record, write_record


def of_its_own(channels: int) -> nn.Module:
    return nn.Conv2d(channels, channels, 1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = {"a": [1, 2.5, None, True], 3: {"b": "c"}, "size": (64, 32), "path": Path("x")}
    write_record(content, tmp_path / "record.json")
    back = {"a": [1, 2.5, None, True], "3": {"b": "c"}, "size": [64, 32], "path": "x"}
    assert read_record(tmp_path / "record.json") == back
    assert read_record(tmp_path / "none.json") == {}
    assert plain([math.nan, torch.device("cpu")]) == [None, "cpu"]


def test_classes_and_functions_go_by_their_names() -> None:
    assert plain({"spatial": AttentionPyramid}) == {"spatial": "AttentionPyramid"}
    assert plain(of_its_own) == f"{__name__}.of_its_own"


@pytest.mark.parametrize(
    "nameless",
    [lambda channels: None, functools.partial(of_its_own, 3), nn.Conv2d(2, 2, 1)],
    ids=["lambda", "partial", "module"],
)
def test_what_has_no_name_to_know_it_by_again_is_refused(nameless: object) -> None:
    with pytest.raises(ValueError, match="has no name to know it by again; give a class or a"):
        plain({"spatial": nameless})
