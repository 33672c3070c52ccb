"""The command `train`: every data set, one split or ten, a dry run, two processes, mistakes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from forked import PROCESSES
from torch import Tensor

from w3an_lite import dry_run as costs
from w3an_lite import train_command, train_plan
from w3an_lite.__main__ import main
from w3an_lite.data.attribute_file import attribute_rows
from w3an_lite.data.attributes import NAMES
from w3an_lite.data.datasets import load_dataset
from w3an_lite.data.output import all_tracklets
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import DataError, FileFrames, Split, Tracklet
from w3an_lite.files import load_plain, read_rows, write_rows
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.presets import SMALL
from w3an_lite.recipe import Recipe
from w3an_lite.speed import Speed
from w3an_lite.train_plan import Plan, splits_of, workers_for

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


def drawn(run: Run, layout: str, root: Path, *more: str) -> tuple[object, ...]:
    """Arguments that train on drawn people in the layout of a data set."""
    status, _, error = run("synth", "--layout", layout, "--out", root, *PEOPLE, *more)
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
    status, said, error = run(*train, "--out", out, "--split", 3)
    assert status == 0, error
    assert "ilids-vid(unofficial)/split over 1 split: rank-1 0." in said
    assert "±" not in said
    assert [p.name for p in sorted(out.iterdir())] == ["split-3", "splits.csv"]
    before = (out / "split-3" / "model.pt").stat().st_mtime_ns
    status, said, error = run(*train, "--out", out, "--resume")
    assert status == 0, error
    assert "ilids-vid(unofficial)/split over 10 splits: rank-1 0." in said
    assert said.count(" ± 0.") == 2
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
        (("--identities", "5"), "5 people to train on, a batch needs 8; give --identities 8"),
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


def test_a_set_of_few_people_cannot_be_drawn_larger(run: Run, tmp_path: Path) -> None:
    train = drawn(run, "mars", tmp_path / "mars", "--identities", "5")
    status, _, error = run(*train, "--dry-run", "--out", tmp_path / "out")
    assert (status, "a batch needs 8; choose a larger set" in error) == (2, True), error


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


def plan(**changes: Any) -> Plan:
    given = {"preset": "repaired", "scale": "small", "seed": 0, "epochs": None, "weights": None}
    return Plan(**{**given, "workers": 0, "resize": True, **changes})


@pytest.mark.parametrize(
    ("changes", "fresh", "weights"),
    [
        ({}, True, "stills"),
        ({}, False, "stills"),
        ({"weights": "none"}, True, None),
        ({"weights": "a.pt"}, True, "a.pt"),
        ({"scale": "paper"}, True, "imagenet"),
        ({"scale": "paper"}, False, None),  # the checkpoint holds them
        ({"scale": "paper", "weights": "none"}, True, None),
        ({"scale": "paper", "weights": "a.pt"}, True, "a.pt"),
    ],
)
def test_a_plan_begins_with_the_weights_of_its_scale(
    changes: dict[str, Any], fresh: bool, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Any] = []

    def preset(*given: Any, **shape: Any) -> Tensor:
        built.append((*given, shape["weights"]))
        return torch.rand(())

    monkeypatch.setattr(train_plan, "W3AN", SimpleNamespace(preset=preset))
    people = synthped(8, 1, frames=1, size=(32, 16), tracklets=1)
    first, again = (plan(seed=4, **changes).build(people, fresh)[0] for _ in range(2))
    assert built == [("repaired", 8, weights)] * 2
    assert torch.equal(first, again)  # the seed's, whatever was drawn before
    assert not torch.equal(first, plan(seed=5, **changes).build(people, fresh)[0])


def test_a_plan_brings_its_preset_and_its_schedule() -> None:
    people = synthped(8, 1, frames=1, size=(32, 16), tracklets=1)
    asked = {"preset": "mean_pool", "weights": "none", "seed": 6, "workers": 2}
    _, objective, recipe = plan(**asked).build(people, True)
    assert objective == Objective.preset("mean_pool") != Objective()
    assert recipe.load_size == SMALL["model"]["size"]
    assert (recipe.seed, recipe.workers, recipe.epochs) == (6, 2, SMALL["recipe"]["epochs"])
    _, _, recipe = plan(**asked, resize=False, epochs=5).build(people, True)
    assert (recipe.load_size, recipe.epochs) == (None, 5)
    paper = plan(**{**asked, "preset": "paper", "scale": "paper", "epochs": 5})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_plan, "W3AN", SimpleNamespace(preset=lambda *_, **__: None))
        _, _, recipe = paper.build(people, True)
    assert recipe == Recipe.preset("paper", seed=6, workers=2, epochs=5)


def test_a_result_counts_again_for_the_same_tracklets_alone() -> None:
    people = synthped(2, 2, frames=1, size=(32, 16))
    asked = plan(epochs=3, weights="none").asked(people)
    tracklets = asked.pop("tracklets")
    assert asked == {
        "preset": "repaired", "scale": "small", "seed": 0, "epochs": 3, "weights": "none",
        "protocol": people.name,
    }  # fmt: skip
    for part in ("train", "query", "gallery"):
        fewer = replace(people, **{part: getattr(people, part)[1:]})
        changed = [a != b for a, b in zip(plan().asked(fewer)["tracklets"], tracklets, strict=True)]
        assert changed == [part == name for name in ("train", "query", "gallery")]


@pytest.mark.parametrize(
    ("cores", "processes", "workers"), [(1, 1, 1), (2, 1, 1), (6, 1, 5), (64, 1, 8), (16, 4, 3)]
)
def test_a_process_a_core_but_one_reads(
    cores: int, processes: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_plan, "usable_cores", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert workers_for(None, drawn=False) == workers
    assert workers_for(None, drawn=True) == 0
    for asked in (0, 3):
        assert workers_for(asked, drawn=False) == workers_for(asked, drawn=True) == asked


OPTIONS = {"labels": None, "unofficial": False, "seed": 5}


def test_drawn_people_are_covered_unless_it_is_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_plan, "load_dataset", lambda *given, **options: (given, options))
    usual = {"identities": 256, "test_identities": 100, "occlusion": "mixed"}
    for changes in ({}, {"occlusion": "none", "identities": 9}):
        loads = splits_of("synthped", None, None, None, None, {**OPTIONS, **changes})
        (given, options) = loads[""]()
        assert given == ("synthped", None, None)
        assert options == {**usual, "test_occlusion": "heavy", "seed": 5, **changes}


def test_a_series_is_read_split_by_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed is of training alone; a protocol named by its number is that one split."""
    monkeypatch.setattr(train_plan, "load_dataset", lambda *given, **options: (given, options))
    base = "prid2011/178/split"

    def loads(protocol: str | None, number: int | None) -> dict[str, Any]:
        found = splits_of("prid2011", tmp_path, protocol, number, None, OPTIONS)
        return {name: load() for name, load in found.items()}

    every = {f"split-{k}": (("prid2011", tmp_path, f"{base}-{k}"), {}) for k in range(10)}
    assert loads(None, None) == loads(base, None) == every
    for k in (0, 9):
        assert loads(None, k) == {f"split-{k}": every[f"split-{k}"]}
    for k in (-1, 10):
        with pytest.raises(DataError, match=rf"--split {k}: {base} has the splits 0 to 9"):
            loads(None, k)
    assert loads(f"{base}-3", None) == {"": every["split-3"]}


def test_labels_of_attributes_go_with_a_store_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told by name; of other options the first is named."""
    monkeypatch.setattr(train_plan, "is_attribute_file", lambda path: path == "mine.csv")
    monkeypatch.setattr(train_plan, "load_dataset", lambda *given: given)
    monkeypatch.setattr(train_plan, "label_split", lambda *given, more: (*given, more))
    options = {**OPTIONS, "labels": "mine.csv"}
    loads = splits_of("synthped", None, "p", None, tmp_path, options)
    assert loads[""]() == (("store", tmp_path, "p"), "mine.csv", True)
    with pytest.raises(DataError, match="--test-identities is of no use with --store alone"):
        splits_of("synthped", None, None, None, tmp_path, {**options, "test_identities": 3})


def test_a_store_beside_a_root_gives_its_frames_to_the_split_of_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever protocol it was packed under; how many splits there are the root's files say."""
    asked: list[Any] = []

    def protocols(*given: Any, **held: Any) -> tuple[str, ...]:
        asked.append((*given, held))
        return ("prid2011/178/split-0", "prid2011/178/split-1")

    monkeypatch.setattr(train_plan, "protocols_of", protocols)
    monkeypatch.setattr(train_plan, "load_dataset", lambda *given, **options: (given, options))
    monkeypatch.setattr(train_plan, "with_frames_of", lambda *splits: splits)
    options = {**OPTIONS, "splits": Path("own.json"), "unofficial": True}
    loads = splits_of("prid2011", tmp_path, None, 1, Path("store"), options)
    known = {"official": False, "splits": Path("own.json")}
    assert asked == [("prid2011", tmp_path, known)]
    assert {name: load() for name, load in loads.items()} == {
        "split-1": (
            (("prid2011", tmp_path, "prid2011/178/split-1"), known),
            (("store", Path("store"), None), {}),
        )
    }


SECONDS = 8.0


@pytest.mark.parametrize(
    ("workers", "hold", "every", "times", "total"),
    [
        (0, False, 3, 3, 14 * (2 + SECONDS) + 3 * 30),
        (2, False, 4, 2, 14 * (2 + SECONDS / 2 - 2) + 2 * 30),  # what workers do not hide
        (8, False, 0, 1, 14 * 2 + 30),  # the last epoch always is evaluated
        (2, True, 1, 7, 80 * SECONDS / 16 + 14 * 2 + 7 * 30),  # all frames once, then no reading
    ],
)
def test_what_a_run_costs_adds_up(
    workers: int,
    hold: bool,
    every: int,
    times: int,
    total: float,
    crowd: Callable[..., list[Tracklet]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps of 2 s, evaluations of 30 s, a batch of 16 frames read in 8 s; twice over."""
    people, asked = crowd(8), {}
    clock = iter([0.0, SECONDS])
    monkeypatch.setattr(costs, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(costs, "_step", lambda *_: (2.0, "run"))
    monkeypatch.setattr(costs, "_evaluation", lambda _, some: asked.update(judged=some) or 30.0)
    monkeypatch.setattr(costs, "_memory", lambda _, held: asked.update(held=held) or "")
    monkeypatch.setattr(costs, "_disk", lambda *given: asked.update(disk=given) or "")
    monkeypatch.setattr(costs, "check_shared", lambda _, count: asked.update(shared=count))
    monkeypatch.setattr(costs, "_long", lambda seconds: f"{seconds:g} s")
    recipe = Recipe(epochs=7, batch=8, people=4, load_size=None, crop=None, workers=workers)
    model: Any = SimpleNamespace(clip_length=2, attributes=len(NAMES))
    others = [replace(t, identity=t.identity + 50) for t in people[:5]]
    split = Split("s", people, others[:2], others[2:])
    lines = costs.dry_run(
        model,
        split,
        Objective(),
        recipe,
        tmp_path,
        torch.device("cpu"),
        Speed(hold=hold),
        every,
        2,
    )
    table = dict(lines)
    assert table["total"] == f"{2 * total:g} s: 2 runs of 7 epochs, 14 steps"
    assert table["one evaluation"] == f"30 s, {times} in all, s"
    assert table["one step"].endswith(" of reading, 16 frames")
    assert asked["judged"] == others
    assert asked["held"] == (80 * 3 * 32 * 16 if hold else 0)
    assert asked["disk"] == ("run", tmp_path, 2)
    assert asked.get("shared") == (workers if workers and not hold else None)
    assert ("frames" in table) == hold


def test_one_evaluation_is_told_from_some_of_its_tracklets(
    crowd: Callable[..., list[Tracklet]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks and is searched too is embedded once: 4 s for 32 of 40 are 5 s."""
    people, seen, clock = crowd(20), [], iter([1.0, 5.0])
    monkeypatch.setattr(costs, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(costs, "embed_tracklets", lambda _, some: seen.append(len(some)))
    model: Any = SimpleNamespace(device=torch.device("cpu"))
    assert costs._evaluation(model, [*people[:9], *people]) == 5.0
    assert seen == [32]


def test_a_dry_run_steps_where_every_term_is_there(
    tiny: Callable[..., W3AN], crowd: Callable[..., list[Tracklet]], monkeypatch: Any
) -> None:
    steps: list[tuple[int, ...]] = []

    class Noting:
        gradients = Mock(pieces=[])

        def __init__(self, *_: object) -> None:
            pass

        def step(self, *given: Any) -> None:
            steps.append(given[:3])

        def collect(self) -> None:
            pass

    monkeypatch.setattr(costs, "Run", Noting)
    recipe = Recipe(epochs=7, batch=8, people=4, load_size=None, crop=None)
    model = tiny(identities=8)
    batches = recipe.batches(crowd(8), model.clip_length, model.attributes)
    costs._step(model, batches, Objective(), recipe, torch.device("cpu"), Speed())
    assert steps == [(6, 0, 2)]


def test_room_for_checkpoints_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Last, best and final weights of each run and its moments; and one file being written."""
    model = torch.nn.Linear(7, 1, bias=False)
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 7)).sum().backward()
    optimiser.step()
    weights, moments = 4 * 7, 2 * 4 * 7 + 4
    needed = 2 * (3 * weights + moments) + weights + moments
    run: Any = SimpleNamespace(model=model, optimiser=optimiser)
    free = [needed]
    asked: list[Path] = []

    def usage(folder: Path) -> Any:
        asked.append(folder)
        return SimpleNamespace(free=free[0])

    monkeypatch.setattr(costs.shutil, "disk_usage", usage)
    monkeypatch.setattr(costs, "_size", lambda count: f"{count} B")
    said = costs._disk(run, tmp_path / "not" / "yet", 2)
    assert said == f"{needed} B of {needed} B that are free"
    assert asked == [tmp_path]
    free[0] -= 1
    with pytest.raises(OSError, match=f"checkpoints need {needed} B, {needed - 1} B are free"):
        costs._disk(run, tmp_path, 2)


def test_a_dry_run_looks_at_the_last_tracklet_of_each_part(
    crowd: Callable[..., list[Tracklet]],
) -> None:
    people = crowd(3)
    others = [replace(t, identity=t.identity + 50) for t in people]
    lost = replace(others[-1], frames=FileFrames((Path("gone.jpg"),)))
    with pytest.raises(DataError, match=r"gone\.jpg"):
        costs._data(Split("s", people, others, [*others, lost]))
    with pytest.raises(DataError, match="s: nothing to query; choose a protocol that has it"):
        costs._data(Split("s", people, [], others))
    bare = [replace(people[0], attributes=None), *people[1:]]
    assert costs._data(Split("s", bare, others[:1], others))[1:] == [
        ("train", "6 tracklets of 3 people, 30 frames"),
        ("query", "1 tracklets of 1 people, 5 frames"),
        ("gallery", "6 tracklets of 3 people, 30 frames"),
        ("attributes", "5 of 6 training tracklets"),
    ]


def test_a_dry_run_measures_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs.Ranks, "now", classmethod(lambda cls: cls(0, 2)))
    with pytest.raises(ValueError, match="start it without torchrun"):
        costs.dry_run(*[None] * 7)  # type: ignore[arg-type]


def test_sizes_and_times_as_they_are_said() -> None:
    assert [costs._size(n) for n in (2**20, 2**30 - 2**20, 2**30, 3 * 2**29)] == [
        *("1 MiB", "1023 MiB", "1.0 GiB", "1.5 GiB"),
    ]
    assert [costs._long(s) for s in (0.25, 59, 60, 3540, 3599, 7500)] == [
        *("0.2 s", "59.0 s", "1 min", "59 min", "1 h 0 min", "2 h 5 min"),
    ]


@pytest.mark.parametrize(("system", "said"), [("linux", "3.0 GiB"), ("darwin", "3 MiB")])
def test_memory_is_counted_in_the_unit_of_the_system(
    system: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    most = SimpleNamespace(ru_maxrss=3 * 2**20)
    monkeypatch.setattr(resource, "getrusage", lambda _: most)
    monkeypatch.setattr(costs, "sys", SimpleNamespace(platform=system))
    assert costs._memory(torch.device("cpu"), 0) == f"{said} at most, on the CPU"


def test_memory_of_a_gpu_is_that_of_a_step_and_of_what_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = SimpleNamespace(total_memory=16 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: there)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda _: 2 * 2**30)
    found = costs._memory(torch.device("cuda", 0), 3 * 2**30)
    assert found == "5.0 GiB of 16.0 GiB of a GPU"
