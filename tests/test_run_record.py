"""Folders of runs, in every form the commands write them, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from w3an_lite.files import write_rows
from w3an_lite.run_record import find_runs, read_run

ROWS = [
    {"epoch": 0.0, "step": 0.0, "loss": 4.0},
    {"epoch": 0.0, "step": 1.0, "loss": 2.0, "tan": 1.0},
    {"epoch": 1.0, "step": 0.0, "loss": 1.0},
]


def train_folder(folder: Path) -> Path:
    write_rows(ROWS, folder / "log.csv")
    return folder


def experiment_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    content = {"settings": {"epochs": 2}, "scores": {"rank1": 0.5, "mAP": 0.25}, "rows": ROWS}
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_log_and_a_result_give_the_same_curves(tmp_path: Path) -> None:
    log = read_run(train_folder(tmp_path / "a"), "a")
    result = read_run(experiment_folder(tmp_path / "b"), "b")
    for curves in (log.curves, result.curves):  # the second epoch has no tan
        assert curves.keys() == {"loss", "tan"}
        np.testing.assert_array_equal([curves["loss"], curves["tan"]], [[3, 1], [1, np.nan]])
    assert (log.scores, result.scores) == ({}, {"rank1": 0.5, "mAP": 0.25})
    assert log.model is None
    (tmp_path / "b" / "model.pt").touch()
    assert read_run(tmp_path / "b", "b").model == tmp_path / "b" / "model.pt"


def test_the_last_evaluation_and_the_means_of_metrics_are_the_scores(tmp_path: Path) -> None:
    rows = [{"epoch": k, "protocol": "drawn", "rank1": k / 10, "mAP": k / 20} for k in (1, 2)]
    write_rows(rows, tmp_path / "evaluations.csv")
    metrics = {"auc": {"mean": 0.75, "spread": 0.1}, "settings": {"epochs": 3}, "name": "x"}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    assert read_run(tmp_path, "a").scores == {"auc": 0.75, "rank1": 0.2, "mAP": 0.1}


def test_rows_without_epochs_are_kept_one_by_one(tmp_path: Path) -> None:
    write_rows([{"loss": 2.0}, {"loss": 1.0}], tmp_path / "log.csv")
    assert read_run(tmp_path, "a").curves == {"loss": [2.0, 1.0]}


def test_a_folder_of_runs_gives_each_of_them(tmp_path: Path) -> None:
    for name in ("two", "one"):
        experiment_folder(tmp_path / "all" / name)
    (tmp_path / "all" / "log.csv").write_text("variant\nrepaired\n", encoding="utf-8")
    runs, wrong = find_runs(tmp_path / "all")
    assert ([run.name for run in runs], wrong) == (["one", "two"], [])
    runs, _ = find_runs([tmp_path / "all", train_folder(tmp_path / "x")])
    assert [run.name for run in runs] == ["all/one", "all/two", "x"]
    runs, _ = find_runs({"mine": tmp_path / "all" / "one"})
    assert [run.name for run in runs] == ["mine"]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    folders = [train_folder(tmp_path / part / "run") for part in "ab"]
    runs, _ = find_runs(folders)
    assert [run.name for run in runs] == ["run", str(folders[1])]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("log.csv", "epoch,loss\n0,much\n"),
        ("result.json", "{"),
        ("result.json", "[1]"),
        ("result.json", '{"rows": [1]}'),
        ("log.csv", b"\xff\xfe"),
    ],
)
def test_a_part_that_cannot_be_read_is_named_and_the_rest_stays(
    tmp_path: Path, file: str, content: str | bytes
) -> None:
    train_folder(tmp_path / "good")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    runs, wrong = find_runs([bad, tmp_path / "good"])
    assert [run.name for run in runs] == ["good"]
    assert len(wrong) == 1
    assert str(bad / file) in wrong[0]


def test_no_folder_and_an_empty_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    runs, wrong = find_runs([tmp_path / "gone", tmp_path / "empty"])
    assert runs == []
    assert wrong[0].endswith("gone does not exist; give the folder of a run")
    assert "empty holds no run" in wrong[1]


def test_the_folder_one_stands_in_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment_folder(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    assert [run.name for run in find_runs(".")[0]] == ["mine"]


def test_the_last_model_stands_before_the_best_and_counts_are_no_scores(tmp_path: Path) -> None:
    for name in ("best.pt", "model.pt"):
        (tmp_path / name).touch()
    content = {"mAP": 0.5, "skipped": 3, "camera_rule": True}
    (tmp_path / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
    run = read_run(tmp_path, "a")
    assert run.model == tmp_path / "model.pt"
    assert run.scores == {"mAP": 0.5}
