"""Whole or not at all; weights without code; names for what is wrong."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from w3an_lite.files import (
    load_plain,
    load_weights,
    put_in_place,
    read_rows,
    remove_left_over,
    replacing,
    save_plain,
    write_rows,
)


class Hostile:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_does_not_run(tmp_path: Path, how: str) -> None:
    path, trace = tmp_path / "hostile.pt", tmp_path / "ran"
    content = {"state": Hostile(trace)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(ValueError, match=r"hostile\.pt cannot be read as plain tensors.*code"):
        load_plain(path)
    assert not trace.exists()
    if how == "torch":  # the trap is a trap: it springs where code is allowed
        torch.load(path, weights_only=False)
        assert trace.is_dir()


def test_plain_values_come_back_as_they_went(tmp_path: Path) -> None:
    content = {"t": torch.randn(3), "d": {"a": (1, 2.5), "b": [None, True, "x"]}}
    save_plain(content, tmp_path / "deep" / "er" / "x.pt")
    back = load_plain(tmp_path / "deep" / "er" / "x.pt")
    assert torch.equal(back["t"], content["t"])
    assert back["d"] == content["d"]
    assert [p.name for p in (tmp_path / "deep" / "er").iterdir()] == ["x.pt"]


def test_values_of_numpy_are_written_as_plain_ones(tmp_path: Path) -> None:
    net = nn.BatchNorm1d(2)
    content = {
        "config": {"identities": np.int64(8), "size": (np.int32(64), 32), np.str_("share"): 1.5},
        "scores": [np.mean([1.0, 2.0]), np.bool_(True), np.arange(3), {"deep": (np.float32(0.5),)}],
        "state": net.state_dict(),
    }
    save_plain(content, tmp_path / "x.pt")
    back = load_plain(tmp_path / "x.pt")
    assert back["config"] == {"identities": 8, "size": (64, 32), "share": 1.5}
    assert back["scores"] == [1.5, True, [0, 1, 2], {"deep": (0.5,)}]
    assert type(back["config"]["identities"]) is int
    assert isinstance(content["config"]["identities"], np.int64)  # what was given stays
    assert back["state"]._metadata == net.state_dict()._metadata


def test_damaged_missing_and_odd_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pt does not exist"):
        load_plain(tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} is a folder; give the path of a .pt"):
        load_plain(tmp_path)
    save_plain({"a": torch.randn(1000)}, tmp_path / "half.pt")
    whole = (tmp_path / "half.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"half\.pt cannot be read.*damaged, cut short"):
        load_plain(tmp_path / "half.pt")
    (tmp_path / "empty.pt").touch()
    with pytest.raises(ValueError, match=r"empty\.pt cannot be read"):
        load_plain(tmp_path / "empty.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match=r"list\.pt holds a list"):
        load_plain(tmp_path / "list.pt")


def test_a_file_damaged_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_plain({"a": torch.ones(1000)}, path)
    content = bytearray(path.read_bytes())
    middle = content.find(torch.ones(1000).numpy().tobytes()) + 2000
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pt cannot be read as plain tensors.*damaged"):
        load_plain(path)
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False)  # an old file
    assert load_plain(path)["a"].sum() == 3


def test_an_error_on_the_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("closed\nat")]
)
def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "a.pt"
    save_plain({"a": 1}, path)

    def full(_: object, where: Path) -> None:
        where.write_bytes(b"some")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"a\.pt could not be written .*free space") as caught:
        save_plain({"a": 2}, path)
    assert "\n" not in str(caught.value)
    assert load_plain(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file/a\.pt could not be written .*choose another place"):
        save_plain({}, tmp_path / "file" / "a.pt")


def test_weights_of_another_model_say_how_they_differ() -> None:
    net = nn.Linear(3, 2)
    state = net.state_dict()
    other = nn.Linear(3, 2)
    load_weights(other, state, "a.pt")
    assert torch.equal(other.weight, net.weight)
    with pytest.raises(ValueError, match=r"a\.pt holds .*'bias' is missing \(1 missing, 0 not"):
        load_weights(other, {"weight": state["weight"]}, "a.pt")
    with pytest.raises(ValueError, match="'more' is not expected"):
        load_weights(other, {**state, "more": torch.ones(1)}, "a.pt")
    with pytest.raises(ValueError, match=r"'weight' has the shape \[3, 2\], not \[2, 3\]"):
        load_weights(other, {**state, "weight": state["weight"].T}, "a.pt")
    with pytest.raises(ValueError, match="'weight' has the shape"):
        load_weights(other, {**state, "weight": 3}, "a.pt")
    assert torch.equal(other.weight, net.weight)


def test_weights_that_are_no_numbers_or_of_another_kind_are_named() -> None:
    net = nn.BatchNorm1d(2)
    net.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    state = net.state_dict()
    for value in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match=r"a\.pt: the weight 'bias' is not finite; take"):
            load_weights(net, {**state, "bias": torch.tensor([value, 0])}, "a.pt")
    whole = torch.tensor([1, 2])
    with pytest.raises(ValueError, match=r"'bias' is torch\.int64, not torch\.float32"):
        load_weights(net, {**state, "bias": whole}, "a.pt")
    with pytest.raises(ValueError, match=r"'num_batches_tracked' is torch\.float32, not torch\.i"):
        load_weights(net, {**state, "num_batches_tracked": torch.tensor(1.5)}, "a.pt")
    load_weights(net, {**state, "bias": whole.double()}, "a.pt")  # wider or narrower is no matter
    assert net.bias.tolist() == [1, 2]


def test_rows_of_different_columns(tmp_path: Path) -> None:
    rows = [{"epoch": 0.0, "loss": 0.1 + 0.2}, {"epoch": 1.0, "loss": 1e-30, "san": 2.0}]
    write_rows(rows, tmp_path / "log.csv")
    assert (tmp_path / "log.csv").read_text().splitlines()[0] == "epoch,loss,san"
    assert read_rows(tmp_path / "log.csv") == rows


def test_a_file_that_is_held_open_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Windows has it: the second try succeeds, or the error tells what to close."""
    real, refused = os.replace, 0

    def busy(part: Path, path: Path) -> None:
        nonlocal refused
        if refused < most:
            refused += 1
            raise PermissionError(13, "The process cannot access the file")
        real(part, path)

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr("w3an_lite.files.PATIENCE", 10.0)
    most = 2
    with replacing(tmp_path / "a") as part:
        part.write_text("a", encoding="utf-8")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "a"
    assert refused == 2
    most = 10**6
    monkeypatch.setattr("w3an_lite.files.PATIENCE", 0.0)
    with (
        pytest.raises(OSError, match="close what has it open"),
        replacing(tmp_path / "a") as part,
    ):
        part.write_text("b", encoding="utf-8")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "a"


def test_a_folder_takes_the_place_of_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "x").touch()
    (tmp_path / "whole").mkdir()
    put_in_place(tmp_path / "part", tmp_path / "whole")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["whole", "x"]
    (tmp_path / "part").mkdir()
    with pytest.raises(OSError, match="not empty"):
        put_in_place(tmp_path / "part", tmp_path / "whole")
    assert (tmp_path / "whole" / "x").is_file()


def test_rows_for_a_sheet_begin_with_its_mark(tmp_path: Path) -> None:
    write_rows([{"name": "Müller"}], tmp_path / "a.csv", "utf-8-sig")
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbfname")


def test_what_is_being_written_lies_beside_its_file_and_says_by_whom(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.pt") as part:
        assert part == tmp_path / f".a.pt.{os.getpid()}.part.pt"  # two processes may write one
        part.touch()


def test_only_what_a_killed_process_left_of_this_file_is_removed(tmp_path: Path) -> None:
    kept = ["a.pt", ".a.pt.1.part", ".a.pt.1.part.pt.bak", ".axpt.1.part.pt", ".b.pt.1.part.pt"]
    left = [".a.pt.1.part.pt", ".a.pt.23.part.pt"]
    for name in kept + left:
        (tmp_path / name).touch()
    (tmp_path / ".a.pt.4.part.pt").mkdir()
    remove_left_over(tmp_path / "a.pt")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*kept, ".a.pt.4.part.pt"])
    remove_left_over(tmp_path / "none" / "a.pt")


def test_a_file_takes_the_place_of_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "part").touch()
    with pytest.raises(OSError):
        put_in_place(tmp_path / "part", tmp_path / "a")
    assert (tmp_path / "a").is_dir()
    assert (tmp_path / "part").is_file()


def test_an_empty_folder_makes_way_where_nothing_is_renamed_onto_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Windows has it."""
    real = os.replace

    def strict(part: Path, path: Path) -> None:
        if path.is_dir():
            raise PermissionError(13, "Access is denied")
        real(part, path)

    monkeypatch.setattr(os, "replace", strict)
    (tmp_path / "whole").mkdir()
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "x").touch()
    put_in_place(tmp_path / "part", tmp_path / "whole")
    assert (tmp_path / "whole" / "x").is_file()


def test_an_ordered_dict_that_is_no_state_is_made_plain_too(tmp_path: Path) -> None:
    save_plain({"kept": OrderedDict(count=np.int64(3), weight=torch.ones(2))}, tmp_path / "x.pt")
    back = load_plain(tmp_path / "x.pt")["kept"]
    assert type(back["count"]) is int
    assert torch.equal(back["weight"], torch.ones(2))


def test_what_a_gpu_wrote_is_read_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_plain({"a": torch.ones(2)}, tmp_path / "x.pt")
    plain, places = torch.load, []

    def load(*given: Any, map_location: Any = None, **more: Any) -> Any:
        places.append(map_location)
        return plain(*given, map_location=map_location, **more)

    monkeypatch.setattr(torch, "load", load)
    load_plain(tmp_path / "x.pt")
    assert places == ["cpu"]
