"""The command `train`: every data set, one split or ten, a dry run, two processes, mistakes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from forked import PROCESSES

from w3an_lite import train_command
from w3an_lite.__main__ import main
from w3an_lite.data.attribute_file import attribute_rows
from w3an_lite.data.attributes import NAMES
from w3an_lite.data.datasets import load_dataset
from w3an_lite.data.output import all_tracklets
from w3an_lite.files import load_plain, read_rows, write_rows
from w3an_lite.model import W3AN
from w3an_lite.presets import SMALL

QUICK = ("--scale", "small", "--weights", "none", "--epochs", "1", "--threads", "1")
QUICK += ("--workers", "0", "--no-tensorboard")
PEOPLE = ("--identities", "8", "--test-identities", "8", "--frames", "3", "--size", "64", "32")
DRAWN = ("--identities", "8", "--test-identities", "2", "--frames", "3")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _thin(monkeypatch: pytest.MonkeyPatch) -> None:
    thin = {"trunk": {"width": 2, "stride": 8}, "clip_length": 2, "neighbours": 1}
    monkeypatch.setitem(SMALL, "model", {**SMALL["model"], **thin})


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run(*arguments)` -> exit status, standard output, last line of standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as stopped:  # of argparse
            status = int(stopped.code or 0)
        said = capsys.readouterr()
        return status, said.out, (said.err.strip().splitlines() or [""])[-1]

    return call


def drawn(run: Run, layout: str, root: Path) -> tuple[object, ...]:
    """Arguments that train on drawn people in the layout of a data set."""
    status, _, error = run("synth", "--layout", layout, "--out", root, *PEOPLE)
    assert status == 0, error
    return "train", "--dataset", layout, "--root", root, "--unofficial", *QUICK


def state(folder: Path) -> dict[str, Any]:
    return dict(load_plain(folder / "model.pt")["state"])


def same(one: Path, two: Path) -> bool:
    a, b = state(one), state(two)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_mars_is_evaluated_under_its_protocols_name(run: Run, tmp_path: Path) -> None:
    train = drawn(run, "mars", tmp_path / "mars")
    out = tmp_path / "run"
    status, said, error = run(*train, "--out", out, "--epochs", 2, "--evaluate-every", 1)
    assert status == 0, error
    assert "repaired, mars(unofficial)/gallery-without-queries: rank-1 " in said
    assert sorted(p.name for p in out.iterdir()) == [
        *("best.pt", "curves.png", "evaluations.csv", "last.pt", "log.csv", "model.pt"),
        "result.json",
    ]
    with open(out / "evaluations.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {row["protocol"] for row in rows} == {"mars(unofficial)/gallery-without-queries"}
    assert W3AN.from_pretrained(out / "best.pt").identities == 8
    assert len(read_rows(out / "log.csv")) == 2
    plain = tmp_path / "plain"
    assert run(*train, "--out", plain, "--epochs", 2)[0] == 0
    assert same(out, plain)  # looking at the model in between does not change it


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures of curves: many of them take their time."""
    monkeypatch.setattr("w3an_lite.train_command.draw_curves", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_a_store_gives_the_frames(run: Run, tmp_path: Path) -> None:
    root, store = tmp_path / "mars", tmp_path / "store"
    train = drawn(run, "mars", root)
    pack = ("pack", "--dataset", "mars", "--root", root, "--unofficial", "--out", store)
    assert run(*pack, "--protocol", "mars/official")[0] == 0
    outs = [tmp_path / name for name in ("files", "store-and-root", "store-alone", "held")]
    assert run(*train, "--out", outs[0])[0] == 0
    assert run(*train, "--out", outs[1], "--store", store)[0] == 0
    alone = ("train", "--store", store, *QUICK)
    assert run(*alone, "--out", outs[2])[0] == 0
    assert run(*alone, "--out", outs[3], "--hold")[0] == 0
    assert all(same(outs[0], out) for out in outs[1:])


@pytest.mark.usefixtures("undrawn")
def test_a_store_alone_takes_no_option_of_its_data_set(run: Run, tmp_path: Path) -> None:
    drawn(run, "mars", tmp_path / "mars")
    pack = ("pack", "--dataset", "mars", "--root", tmp_path / "mars", "--unofficial")
    assert run(*pack, "--out", tmp_path / "store")[0] == 0
    train = ("train", "--store", tmp_path / "store", *QUICK, "--out", tmp_path / "out")
    for more, message in [
        (("--labels", "x.csv"), "--labels is of no use with --store alone"),
        (("--identities", "0"), "--identities is of no use with --store alone"),
        (("--test-identities", "3"), "--test-identities is of no use with --store alone"),
        (("--unofficial",), "--unofficial is of no use with --store alone"),
        (("--dataset", "ilids-vid"), "store holds mars(unofficial)"),
    ]:
        status, _, error = run(*train, *more)
        assert status == 2
        assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_labels_that_attributes_wrote_are_taken_by_name(run: Run, tmp_path: Path) -> None:
    """For a set whose own reader knows no labels, too, and for half of its people."""
    root, labels = tmp_path / "set", tmp_path / "labels.csv"
    train = drawn(run, "ilids-vid", root)
    everyone = all_tracklets(load_dataset("ilids-vid", root, official=False))
    rows = attribute_rows(everyone, np.full((len(everyone), len(NAMES)), 0.9))
    write_rows(rows, labels)
    for out, more in (("with", ("--labels", labels)), ("without", ())):
        assert run(*train, "--split", "0", "--out", tmp_path / out, *more)[0] == 0
    asked = [json.loads((tmp_path / out / "split-0" / "result.json").read_text())["asked"]
             for out in ("with", "without")]  # fmt: skip
    assert asked[0]["tracklets"] != asked[1]["tracklets"]
    assert not same(tmp_path / "with" / "split-0", tmp_path / "without" / "split-0")
    write_rows(rows[:-1], labels)
    status, _, error = run(*train, "--out", tmp_path / "out", "--labels", labels)
    assert status == 2
    assert f"{labels} has no row for" in error


@pytest.mark.usefixtures("undrawn")
def test_other_drawn_people_are_another_run(run: Run, tmp_path: Path) -> None:
    train = ("train", *DRAWN, *QUICK, "--out", tmp_path / "out")
    assert run(*train, "--occlusion", "none")[0] == 0
    before = (tmp_path / "out" / "result.json").read_bytes()
    status, _, error = run(*train, "--occlusion", "heavy", "--resume")
    assert status == 2
    assert "is of another run: data tracklets was" in error
    assert (tmp_path / "out" / "result.json").read_bytes() == before


@pytest.mark.usefixtures("undrawn")
def test_ten_splits_and_their_mean(run: Run, tmp_path: Path) -> None:
    train = drawn(run, "ilids-vid", tmp_path / "ilids")
    out = tmp_path / "runs"
    status, _, error = run(*train, "--out", out, "--split", 3)
    assert status == 0, error
    assert [p.name for p in sorted(out.iterdir())] == ["split-3", "splits.csv"]
    before = (out / "split-3" / "model.pt").stat().st_mtime_ns
    status, said, error = run(*train, "--out", out, "--resume")
    assert status == 0, error
    assert "ilids-vid(unofficial)/split over 10 splits: rank-1 0." in said
    assert (out / "split-3" / "model.pt").stat().st_mtime_ns == before
    with open(out / "splits.csv", newline="") as file:
        names = [row["protocol"] for row in csv.DictReader(file)]
    assert names == [f"ilids-vid(unofficial)/split-{k}" for k in range(10)]
    assert not same(out / "split-0", out / "split-1")
    status, _, error = run(*train, "--out", out)
    assert status == 2
    assert "last.pt is of an earlier run" in error


def test_a_dry_run_says_what_it_costs_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "none"
    status, said, error = run(
        "train", *DRAWN, *QUICK, "--out", out, "--dry-run", "--epochs", 7, "--evaluate-every", 3
    )
    assert status == 0, error
    table = {line[:16].strip(): line[16:] for line in said.splitlines()}
    assert table["train"].startswith("32 tracklets of 8 people, 96 frames")
    assert table["attributes"] == "32 of 32 training tracklets"
    assert table["one step"].endswith("32 frames")
    assert ", 3 in all, " in table["one evaluation"]
    assert table["total"].endswith("7 epochs, 7 steps")
    assert "GiB that are free" in table["disk"]
    assert "on the CPU" in table["memory"]
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--split", "3"), "--split 3: synthped has no numbered splits"),
        (("--dataset", "ilids-vid", "--root", "x", "--split", "10"), "has the splits 0 to 9"),
        (("--dataset", "mars"), "mars needs a root"),
        (("--dataset", "mars", "--root", "nowhere"), "nowhere"),
        (("--root", "x"), "synthped is drawn"),
        (("--save-every", "0"), "--save-every: 0 is not a whole number of at least 1"),
        (("--evaluate-every", "-1"), "--evaluate-every: -1"),
        (("--threads", "0"), "--threads: 0"),
        (("--workers", "-1"), "--workers: -1"),
        (("--seed", "-1"), "--seed: -1"),
        (("--device", "cuda"), "no CUDA device"),
        (("--device", "foo"), "device is 'foo'; give cpu, cuda or cuda:N"),
        (("--device", "meta"), "device is 'meta'; give cpu, cuda or cuda:N"),
        (("--resume",), "last.pt does not exist"),
        (("--weights", "nowhere.pt"), "nowhere.pt does not exist"),
        (("--weights", "imagenet"), "at the small scale give stills, none, or the path of a .pt"),
        (("--scale", "paper", "--weights", "stills"), "at the paper scale give imagenet, none, or"),
        (("--seed", str(2**63)), f"--seed: {2**63} is too large; {2**63 - 1} is the most"),
        (("--identities", "5"), "5 people to train on, a batch needs 8"),
        (("--cameras", "1"), "none of the 2 queries is in the gallery under another camera"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["train", "dry"])
def test_mistakes(
    more: tuple[str, ...], message: str, dry: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    if torch.cuda.is_available() and "cuda" in more:
        pytest.skip("there is a CUDA device here")
    people = () if "--dataset" in more else DRAWN
    status, _, error = run("train", *people, *QUICK, "--out", tmp_path / "out", *more, *dry)
    assert status == 2
    assert "error: " in error
    assert message in error


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("part", ["model.pt", "result.json", "log.csv", "best.pt"])
def test_a_finished_run_is_not_trained_over(run: Run, tmp_path: Path, part: str) -> None:
    """Not even when its last.pt was removed, as one does to save space."""
    (tmp_path / part).write_text("of months")
    for dry in ((), ("--dry-run",)):
        status, _, error = run("train", *DRAWN, *QUICK, "--out", tmp_path, *dry)
        assert (status, f"{part} is of an earlier run: move it away" in error) == (2, True)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(part, "of months")]


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_result_is_named_and_measured_again(run: Run, tmp_path: Path) -> None:
    train = ("train", *DRAWN, *QUICK, "--out", tmp_path / "out")
    assert run(*train)[0] == 0
    result = tmp_path / "out" / "result.json"
    whole = json.loads(result.read_text())
    texts = ["", "{", "{}", "[]", "null", "3", json.dumps({"asked": whole["asked"]}),
             json.dumps({**whole, "mAP": None}), json.dumps({**whole, "asked": []})]  # fmt: skip
    for text in texts:
        result.write_text(text)
        for dry in ((), ("--dry-run",)):
            status, _, error = run(*train, "--resume", *dry)
            assert (status, "result.json is damaged (" in error) == (2, True), text
            assert "remove it, and --resume measures the model again" in error
    result.unlink()
    status, _, error = run(*train, "--resume")
    assert status == 0, error
    assert json.loads(result.read_text()) == whole


@pytest.mark.parametrize("content", ["epoch,loss\n0,much\n", "loss\n1\n", "epoch\n"])
def test_a_stray_log_hides_no_error(
    run: Run, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was trained, so nothing is drawn, and what is said is why."""
    train = ("train", *DRAWN, *QUICK, "--out", tmp_path / "out")
    assert run(*train)[0] == 0
    drawn_at = (tmp_path / "out" / "curves.png").stat().st_mtime_ns
    (tmp_path / "out" / "log.csv").write_text(content)
    status, _, error = run(*train, "--resume", "--epochs", "2")
    assert (status, "is of another run: recipe epochs was 1, now 2" in error) == (2, True)
    assert (tmp_path / "out" / "curves.png").stat().st_mtime_ns == drawn_at
    assert "no curves" not in caplog.text


@pytest.mark.parametrize("error", [OSError, ValueError, KeyError])
def test_curves_that_cannot_be_drawn_are_a_warning(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    def fail(*_: object) -> None:
        raise error("no ink")

    monkeypatch.setattr("w3an_lite.train_command.draw_curves", fail)
    assert run("train", *DRAWN, *QUICK, "--out", tmp_path / "out")[0] == 0
    assert "no curves were drawn (" in caplog.text
    assert "no ink" in caplog.text


@pytest.mark.usefixtures("undrawn")
def test_all_splits_are_looked_at_before_the_first(run: Run, tmp_path: Path) -> None:
    """A run of another seed in one of ten folders, and a split of people who are not there."""
    root, out = tmp_path / "prid", tmp_path / "runs"
    train = drawn(run, "prid2011", root)
    assert run(*train, "--out", out, "--split", 2, "--seed", 5)[0] == 0
    for more, words in ((("--resume",), "is of another run: recipe seed was 5, now 0"),
                        ((), "last.pt is of an earlier run")):  # fmt: skip
        for dry in ((), ("--dry-run",)):
            status, _, error = run(*train, "--out", out, *more, *dry)
            assert (status, str(out / "split-2" / "last.pt") in error) == (2, True), error
            assert words in error
    (given,) = root.rglob("*.json")
    splits = json.loads(given.read_text())
    splits[3]["test"][0] = "person_9999"
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    status, _, error = run(*train, "--splits", tmp_path / "splits.json", "--out", tmp_path / "new")
    assert (status, "split 3" in error or "split-3" in error) == (2, True), error
    assert not (tmp_path / "new").exists()
    assert sorted(p.name for p in out.iterdir()) == ["split-2", "splits.csv"]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["train", "dry"])
def test_a_file_in_the_place_of_the_folder(run: Run, tmp_path: Path, dry: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("keep")
    for out in (tmp_path / "file", tmp_path / "file" / "x"):
        status, _, error = run("train", *DRAWN, *QUICK, *dry, "--out", out)
        assert (status, f"{out / 'last.pt'} cannot be written" in error) == (2, True)


def test_a_gpu_that_is_not_there_is_a_mistake(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    status, _, error = run("train", "--out", "x", "--device", "cuda:2")
    assert (status, "'cuda:2'" in error, "GPUs here: 2" in error) == (2, True, True)


def test_a_dry_run_finds_what_cannot_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = drawn(run, "mars", tmp_path / "mars")
    dry = (*train, "--dry-run", "--out", tmp_path / "out")
    (tmp_path / "file").write_text("")
    status, _, error = run(*dry, "--out", tmp_path / "file" / "out")
    assert (status, "cannot be written" in error) == (2, True)
    with monkeypatch.context() as patch:
        full = shutil.disk_usage(tmp_path)._replace(free=1000)
        patch.setattr(shutil, "disk_usage", lambda _: full)
        status, _, error = run(*dry)
        assert (status, "checkpoints need" in error, "0 MiB are free" in error) == (2, True, True)
    for image in (tmp_path / "mars" / "bbox_test").rglob("*.jpg"):
        image.write_bytes(b"no picture")
    status, _, error = run(*dry)
    assert (status, "is not a readable image" in error) == (2, True)


class _Place(NamedTuple):
    rank: int
    port: int


def _as_torchrun_starts_it(place: _Place, out: Path) -> None:
    rank = str(place.rank)
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(place.port)}
    thin = {"trunk": {"width": 2, "stride": 8}, "clip_length": 2, "neighbours": 1}
    SMALL["model"] = {**SMALL["model"], **thin}
    train_command.draw_curves = lambda *_: None
    raise SystemExit(main(["train", *DRAWN, *QUICK, "--out", str(out), "--evaluate-every", "1"]))


def test_two_processes_from_the_command_line(run: Run, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    both = [
        PROCESSES.Process(
            target=_as_torchrun_starts_it, args=(_Place(rank, port), tmp_path / "two")
        )
        for rank in (0, 1)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert load_plain(tmp_path / "two" / "last.pt")["made_with"]["processes"] == 2
    assert run("train", *DRAWN, *QUICK, "--out", tmp_path / "one")[0] == 0
    one, two = state(tmp_path / "one"), state(tmp_path / "two")
    torch.testing.assert_close(two, one, rtol=1e-2, atol=6e-3)  # AdamW steps by 0.003, up or down
