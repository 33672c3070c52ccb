"""The table of `data check`: it never raises for damage, and says what was expected and found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import scipy.io
from tiny_layouts import tracklet, two_camera_split

from w3an_lite.data.check import DATASETS, Row, all_ok, check_data, format_table
from w3an_lite.data.tracklet import DataError, Split
from w3an_lite.data.writers import write_layout


@pytest.fixture(params=DATASETS)
def dataset(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(dataset: str, tmp_path: Path) -> Path:
    stills = Split("x", [tracklet(p, 1, 1) for p in range(1, 6)])
    split = stills if dataset == "rap" else two_camera_split(6)
    return write_layout(split, dataset, tmp_path / "set", progress=False)


def test_a_whole_set_of_another_size(dataset: str, root: Path) -> None:
    assert all_ok(check_data(dataset, root, official=False))
    rows = check_data(dataset, root)
    assert not all_ok(rows)
    wrong = [row for row in rows if row.verdict == "wrong"]
    assert wrong
    assert all(row.expected.replace(",", "").isdigit() and row.found.isdigit() for row in wrong)
    assert rows[-1].verdict == "ok"


def test_nothing_there(dataset: str, tmp_path: Path) -> None:
    rows = check_data(dataset, tmp_path / "nowhere")
    assert {row.verdict for row in rows[:-1]} == {"missing"}
    assert rows[-1].what == "remedy"
    assert "http" in rows[-1].expected
    assert "ROOT/" in rows[-1].found
    assert not all_ok(rows)


def test_a_lost_frame_is_found(dataset: str, root: Path) -> None:
    pattern = "*.jpg" if dataset == "mars" else "*.png"
    frames = sorted(root.rglob(pattern))
    if dataset in ("ilids-vid", "prid2011"):  # no list says how many frames a folder has
        for frame in frames[0].parent.iterdir():
            frame.unlink()
    else:
        frames[0].unlink()
    rows = check_data(dataset, root, official=False)
    assert not all_ok(rows)
    assert rows[-1].verdict == "wrong"


@pytest.mark.parametrize("layout", ["ilids-vid", "prid2011"])
def test_a_gap_between_frames_is_a_row(tmp_path: Path, layout: str) -> None:
    root = write_layout(two_camera_split(6), layout, tmp_path / "set", progress=False)
    second = sorted(root.rglob("*.png"))[1]
    second.unlink()
    rows = check_data(layout, root, official=False)
    assert rows[-1][::3] == ("frames in a row", "wrong")
    assert f"{second.parent}: no frame between" in rows[-1].found
    assert [row.verdict for row in rows[:-1]] == ["ok"] * (len(rows) - 1)


def test_every_split_and_partition_is_opened(tmp_path: Path) -> None:
    prid = write_layout(two_camera_split(6), "prid2011", tmp_path / "prid", progress=False)
    splits = json.loads((prid / "splits_prid2011.json").read_text())
    splits[7]["test"][0] = "person_0099"
    (prid / "splits_prid2011.json").write_text(json.dumps(splits))
    rows = check_data("prid2011", prid, official=False)
    assert rows[-1].verdict == "wrong"
    assert "person_0099 is not among both the people of split 7" in rows[-1].found

    stills = Split("x", [tracklet(p, 1, 1) for p in range(1, 6)])
    rap = write_layout(stills, "rap", tmp_path / "rap", progress=False)
    path = rap / "RAP_annotation" / "RAP_annotation.mat"
    content = scipy.io.loadmat(path)
    content["RAP_annotation"]["partion"][0, 0][4, 0]["train_index"][0, 0][0, 0] = 6
    scipy.io.savemat(path, {"RAP_annotation": content["RAP_annotation"]})
    rows = check_data("rap", rap, official=False)
    assert rows[-1].verdict == "wrong"
    assert "partition 4 names an image twice or one that is not there" in rows[-1].found


def test_a_broken_index_is_a_row(dataset: str, root: Path) -> None:
    index = next(iter(sorted([*root.rglob("*.mat"), *root.rglob("*.json")])))
    index.write_bytes(b"broken")
    rows = check_data(dataset, root, official=False)
    assert rows[-1].verdict == "wrong"
    assert index.name in rows[-1].found


def test_unknown_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'market' is unknown; one of mars, ilids-vid"):
        check_data("market", tmp_path)


def test_the_table_by_hand() -> None:
    rows = [Row("people", "300", "6", "wrong"), Row("files", "consistent", "x" * 41, "wrong")]
    assert format_table(rows).splitlines() == [
        "what    expected    found      verdict",
        "------  ----------  ---------  -------",
        "people  300         6          wrong",
        "files   consistent  see below  wrong",
        "",
        f"files: {'x' * 41}",
    ]
    assert not format_table(rows[:1]).endswith("\n")


def test_a_missing_folder_beside_the_rest(root: Path, dataset: str) -> None:
    gone = sorted(p for p in root.iterdir() if p.is_dir())[0]
    shutil.rmtree(gone)
    rows = check_data(dataset, root)
    assert "missing" in {row.verdict for row in rows}
    assert not all_ok(rows)
