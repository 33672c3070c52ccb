"""A folder or a film whose frames do not count as the boxes do is named, and not cut askew."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from w3an_lite.data.tracklet import DataError
from w3an_lite.data.video import crop, frames_of


def folder_of(tmp_path: Path, names: Sequence[str]) -> Path:
    """A folder of frames; the k-th of `names` has the red value k."""
    for k, name in enumerate(names):
        Image.new("RGB", (4, 4), (k, 0, 0)).save(tmp_path / name)
    return tmp_path


def numbered(*numbers: int) -> list[str]:
    return [f"{number:06d}.png" for number in numbers]


@pytest.mark.parametrize(
    "names",
    [
        numbered(1, 2, 3),
        numbered(0, 1, 2),
        ["f1.png", "f2.bmp", "f3.PNG"],
        ["alice.png", "bob.png", "carol2.png"],
        ["cam1_1_x2.png", "cam1_2_x2.png", "cam1_3_x2.png"],
        ["part1-0001.png", "part1-0002.png", "part2-0001.png"],
        ["a.png", "b.png", "c (1).png"],
    ],
)
def test_the_nth_file_is_frame_n(tmp_path: Path, names: list[str]) -> None:
    wanted = range(1, len(names) + 1)
    found = list(frames_of(folder_of(tmp_path, names), wanted))
    assert [number for number, _ in found] == list(wanted)
    assert [int(frame[0, 0, 0]) for _, frame in found] == list(range(len(names)))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (numbered(1, 2, 4), "000002.png and 000004.png do not follow one another; fetch what lies"),
        (numbered(2, 3, 4), "begins at 000002.png, and boxes count from frame 1"),
        (numbered(5, 10, 15), "000005.png and 000010.png do not follow"),
        ([*numbered(1, 2, 3), "000002 (1).png"], "holds 000002 (1).png among frames with names"),
        ([*numbered(1, 2, 3), "000002 copy.png"], "holds 000002 copy.png among frames"),
        ([*numbered(1, 2, 3), "cover.jpg"], "holds cover.jpg among frames with names such as 0000"),
        ([*numbered(1, 2, 3), "000002.jpg"], "000002.jpg and 000002.png have one number; keep one"),
        (["000002.jpg", "000002.png"], "000002.jpg and 000002.png have one number"),
        ([*numbered(1, 2, 3), "2.png"], "000002.png and 2.png have one number"),
        (["p1-1.png", "p2-1.png", "p2-3.png"], "p2-1.png and p2-3.png do not follow"),
    ],
)
def test_a_frame_out_of_place_is_named(tmp_path: Path, names: list[str], says: str) -> None:
    with pytest.raises(DataError, match=re.escape(says)):
        next(frames_of(folder_of(tmp_path, names), [1]))


def test_a_film_that_holds_less_than_it_claims(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 7, (32, 24))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write MJPG")
    for frame in np.random.default_rng(0).integers(0, 256, (12, 24, 32, 3), np.uint8):
        writer.write(frame)
    writer.release()
    assert len(list(frames_of(path, [2, 5]))) == 2
    assert len(list(frames_of(path, [2, 12]))) == 2
    assert not caplog.records
    whole = path.read_bytes()
    at = whole.index(b"idx1")  # the index says where each of the frames lies, and goes with the end
    path.write_bytes(whole[: at * 9 // 10])
    with caplog.at_level(logging.WARNING):
        assert len(list(frames_of(path, [2, 5]))) == 2
    (record,) = caplog.records
    said = re.search(r"film\.avi claims 12 frames, and (\d+) can be decoded", record.getMessage())
    assert said
    assert 5 <= int(said[1]) < 12


@pytest.mark.parametrize("name", ["gt.txt", "gt.TXT", "boxes.csv"])
def test_a_text_is_no_film(tmp_path: Path, name: str) -> None:
    """Which OpenCV can show, letter by letter."""
    (tmp_path / name).write_text("1,1,0,0,8,8\n" * 2000)
    with pytest.raises(DataError, match=rf"{name} is no video but a text; are video and boxes sw"):
        next(frames_of(tmp_path / name, [1]))


def test_a_gap_is_met_though_a_time_stamp_runs_beside(tmp_path: Path) -> None:
    def folder(name: str, *files: str) -> Path:
        (tmp_path / name).mkdir()
        for file in files:
            Image.new("RGB", (8, 8)).save(tmp_path / name / file)
        return tmp_path / name

    whole = folder("whole", "000001_1456.png", "000002_1496.png", "000003_1576.png")
    assert len(list(frames_of(whole, [1, 2, 3]))) == 3
    gap = folder("gap", "000001_1456.png", "000002_1496.png", "000004_1576.png")
    with pytest.raises(DataError, match=r"000002_1496\.png and 000004_1576\.png do not follow"):
        list(frames_of(gap, [1]))
    late = folder("late", "000005_1456.png", "000006_1496.png")
    with pytest.raises(DataError, match=r"begins at 000005_1456\.png"):
        list(frames_of(late, [1]))


def test_both_corners_are_rounded() -> None:
    frame = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((6, 6, 3), np.uint8)
    patch = crop(frame, (0.4, 0.4, 1.2, 1.2), (2, 2))  # from 0 to round(1.6)
    assert patch[0].tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    "names", [numbered(1), ["000001_5.png", "000002_6.png"], ["a.png", "b.png", "1.png", "2.png"]]
)
def test_these_folders_are_films_too(tmp_path: Path, names: list[str]) -> None:
    found = list(frames_of(folder_of(tmp_path, names), range(1, len(names) + 1)))
    assert [int(frame[0, 0, 0]) for _, frame in found] == list(range(len(names)))
