"""What the readers share: frames by name, name lists, .mat files, and their kinds of damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from w3an_lite.data import layout
from w3an_lite.data.tracklet import DataError, FileFrames


def draw(path: Path, value: int = 0, size: tuple[int, int] = (4, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)


def test_listed_frames_read_what_file_frames_read(tmp_path: Path) -> None:
    for k in range(5):
        draw(tmp_path / f"{k}.png", k)
    listed = layout.sequence(tmp_path)
    files = FileFrames(tuple(tmp_path / f"{k}.png" for k in range(5)))
    assert listed.paths == files.paths
    assert len(listed) == 5
    for indices in ([3, 0, 3], range(5), np.array([4, 1])):
        np.testing.assert_array_equal(listed.read(indices), files.read(indices))
    np.testing.assert_array_equal(listed.read([2], (3, 2)), files.read([2], (3, 2)))
    assert listed.read([4, 1])[:, 0, 0, 0].tolist() == [4, 1]


def test_unreadable_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    draw(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    frames = layout.sequence(tmp_path)
    assert frames.read([0]).shape == (1, 3, 8, 4)
    with pytest.raises(DataError, match=r"2\.png is not a readable image"):
        frames.read([0, 1])
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png is missing"):
        frames.read([0])


def test_frames_are_sorted_by_name_and_hidden_files_passed_over(tmp_path: Path) -> None:
    for name in ("0010.png", "0002.png", "0001.png", "._0003.png", "Thumbs.db"):
        (tmp_path / name).touch()
    assert layout.sequence(tmp_path).names.tolist() == [b"0001.png", b"0002.png", b"0010.png"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["9.png", "10.png"], "10.png and 9.png are duplicated or unsorted"),
        (["001.png", "1.png"], "001.png and 1.png are duplicated or unsorted"),
        (["a.png"], "does not end in its number"),
        ([], "holds no .png frame"),
        (["1.png", "2.jpg"], r"2\.jpg does not end in \.png, as .* \(1 such\); rename or conv"),
        (["1.png", "2.PNG", "3.PNG"], r"2\.PNG does not end in \.png, .* \(2 such\)"),
    ],
)
def test_frames_whose_names_do_not_tell_their_order(
    tmp_path: Path, names: list[str], message: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message):
        layout.sequence(tmp_path)


@pytest.mark.parametrize(
    ("folder", "name", "told"),
    [
        ("cam1/person001", "cam2_person001_00002.png", "cam2"),
        ("cam1/person001", "cam1_person002_00002.png", "person002"),
        ("cam_a/person_0001", "cam_b_person_0001_0002.png", "cam_b"),
        ("cam_a/person_0001", "person_0011_0002.png", "person_0011"),
    ],
)
def test_a_frame_of_another_folder_is_named(
    tmp_path: Path, folder: str, name: str, told: str
) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True)
    own = name.replace("cam2", "cam1").replace("person002", "person001")
    own = own.replace("cam_b", "cam_a").replace("person_0011", "person_0001")
    (place / own.replace("2.png", "1.png")).touch()
    assert len(layout.sequence(place)) == 1
    (place / name).touch()
    with pytest.raises(DataError, match=rf"{name}, a frame of {told}; move it where it belongs"):
        layout.sequence(place)


def test_a_gap_in_the_numbers_is_told(tmp_path: Path) -> None:
    for number in (7, 8, 10, 13):
        (tmp_path / f"{number:04d}.png").touch()
    told = layout.gap(layout.sequence(tmp_path))
    assert told == f"{tmp_path}: no frame between 0008.png and 0010.png; 3 in all"
    for number in (9, 11, 12):
        (tmp_path / f"{number:04d}.png").touch()
    assert layout.gap(layout.sequence(tmp_path)) == ""


@pytest.mark.parametrize("name", ["person_001", "person1", "Person001", "person001 (copy)"])
def test_a_folder_called_nearly_so_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "person001").mkdir()
    (tmp_path / "persons").mkdir()
    assert list(layout.numbered(tmp_path, "person", 3)) == [1]
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=r"is not called as .* such as person001; rename it"):
        layout.numbered(tmp_path, "person", 3)


def test_what_cannot_be_listed_or_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "cam2").touch()
    for read in (
        lambda: layout.numbered(tmp_path / "cam2", "person", 3),
        lambda: layout.sequence(tmp_path / "cam2"),
    ):
        with pytest.raises(DataError, match=r"cam2 cannot be listed \(Not a directory\); give a"):
            read()
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\); give a list of names"):
        layout.read_names(tmp_path)


@given(
    names=st.lists(st.text("abc019.-", min_size=1, max_size=6), min_size=1, max_size=8),
    newline=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    width=st.one_of(st.none(), st.integers(1, 6)),
)
def test_names_come_back_from_a_list_of_any_width(
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    newline: str,
    last: bool,
    width: int | None,
) -> None:
    names = [name.ljust(width, "x")[:width] if width else name for name in names]
    path = tmp_path_factory.getbasetemp() / "names.txt"
    path.write_text(newline.join(names) + (newline if last else ""), newline="")
    assert layout.read_names(path).tolist() == [name.encode() for name in names]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "lists no names"), ("\n\n", "line 1 is empty"), ("a.jpg\n\nb.jpg", "line 2 is empty")],
)
def test_a_list_of_nothing(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        layout.read_names(path)


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/x.jpg", "..\\a.jpg", "a/b.jpg"])
def test_a_list_must_not_leave_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(f"a.jpg\n{name}\n")
    with pytest.raises(DataError, match=r"entry 2 is .* may leave the data folder"):
        layout.read_names(path)


def test_mat_files_that_do_not_hold_what_they_should(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"a": np.arange(6).reshape(2, 3), "b": np.array([[0.5]]), "c": [[2.0]]})
    np.testing.assert_array_equal(layout.load_matrix(path, "a", 3), [[0, 1, 2], [3, 4, 5]])
    assert layout.load_matrix(path, "c").dtype == np.int64
    with pytest.raises(DataError, match=r"a has the shape \[2, 3\], not \[n, 4\]"):
        layout.load_matrix(path, "a", 4)
    with pytest.raises(DataError, match="holds a, b, c and no d"):
        layout.load_matrix(path, "d")
    with pytest.raises(DataError, match="not whole numbers"):
        layout.load_matrix(path, "b")
    for content in (b"", b"MATLAB 5.0", path.read_bytes()[:150], bytes(300)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.mat"):
            layout.load_matrix(path, "a")


def test_numbered_folders_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("person010", "person002", "persons", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "person003").touch()
    assert list(layout.numbered(tmp_path, "person", 3)) == [2, 10]


def test_missing_and_miscounted_tell_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"get it from http://x and lay it out as ROOT/a"):
        layout.need(tmp_path / "a", "http://x", "ROOT/a")
    layout.hold_to({"people": 3}, {"people": 3}, tmp_path, "http://x")
    with pytest.raises(
        DataError,
        match=r"people: found 3, the official set has 4,000.*official=False .--unofficial",
    ):
        layout.hold_to({"people": 3}, {"people": 4000}, tmp_path, "http://x")
