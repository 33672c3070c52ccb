"""A film and boxes become tracklets; what comes out is checked against crops cut by hand."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from w3an_lite.data import mot
from w3an_lite.data.mot import MotFrames, label_windows, read_mot, windows
from w3an_lite.data.tracklet import ArrayFrames, DataError, Tracklet, Truth
from w3an_lite.data.video import crop, frames_of

HEIGHT, WIDTH, LENGTH = 24, 32, 12


def film() -> np.ndarray:
    """uint8 [12, 24, 32, 3]; frame t tells its number, row and column in its three channels."""
    frames = np.zeros((LENGTH, HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames[..., 0] = 20 * np.arange(LENGTH)[:, None, None]
    frames[..., 1] = 10 * np.arange(HEIGHT)[None, :, None]
    frames[..., 2] = 7 * np.arange(WIDTH)[None, None, :]
    return frames


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames f1.png .. f12.png: names whose plain order is wrong."""
    out = tmp_path / "frames"
    out.mkdir()
    for number, frame in enumerate(film(), start=1):
        Image.fromarray(frame).save(out / f"f{number}.png")
    (out / "notes.txt").write_text("not a frame")
    (out / "._f1.png").write_bytes(b"what a Mac leaves beside a file")
    return out


@pytest.fixture
def video(tmp_path: Path) -> Path:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 7, (WIDTH, HEIGHT))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write MJPG")
    for frame in film():
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "gt.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_crops_are_the_pixels_of_the_boxes(folder: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "12,3,4,6,8,16,1,-1,-1,-1", "2,3,5,6,8,16,1", "2,1,10,0,8,16,1")
    one, three = read_mot(folder, boxes, size=(16, 8))
    assert (one.name, one.identity, one.camera, len(one)) == ("track 1", 1, 1, 1)
    assert (three.name, three.identity, three.camera, len(three)) == ("track 3", 3, 1, 2)
    frames = three.frames
    assert isinstance(frames, MotFrames)
    assert frames.numbers.tolist() == [2, 12]
    assert frames.boxes.tolist() == [[5, 6, 8, 16], [4, 6, 8, 16]]
    expected = film()[[1, 11], 6:22].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(frames.array[0], expected[0][:, :, 5:13])
    np.testing.assert_array_equal(frames.array[1], expected[1][:, :, 4:12])


def test_crops_beyond_memory_lie_in_a_file_that_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = write(tmp_path, *(f"{t},{k},2,3,8,10" for k in (1, 2) for t in range(1, 13)))
    (in_memory, _), scratch = read_mot(folder, boxes, (10, 8)), tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(mot.tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(mot, "IN_MEMORY", 24 * 3 * 10 * 8 - 1)
    in_file, _ = read_mot(folder, boxes, (10, 8))
    assert isinstance(in_memory.frames, MotFrames)
    assert isinstance(in_file.frames, MotFrames)
    assert isinstance(in_file.frames.array, np.memmap)
    assert not isinstance(in_memory.frames.array, np.memmap)
    assert (in_file.frames.read(range(12)) == in_memory.frames.read(range(12))).all()
    assert not list(scratch.iterdir())


def test_no_room_for_crops_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mot.os, "posix_fallocate", full, raising=False)
    monkeypatch.setattr(mot, "IN_MEMORY", 0)
    with pytest.raises(DataError, match=r"0\.2 GB of crops do not fit .*No space.*TMPDIR"):
        mot._room((1000, 3, 256, 256))


def test_crop_is_resized_with_antialiasing() -> None:
    frame = np.zeros((8, 8, 3), dtype=np.uint8)
    frame[:, ::2] = 200  # stripes one pixel wide: skipping pixels would give 0 or 200
    small = crop(frame, (0, 0, 8, 8), (2, 2))
    assert small is not None
    assert small.shape == (3, 2, 2)
    assert small.min() > 80
    assert small.max() < 120


def test_box_across_the_edge_repeats_the_edge() -> None:
    frame = film()[3]
    out = crop(frame, (-2, -3, 6, 8), (8, 6))
    assert out is not None
    rows, columns = [0, 0, 0, 0, 1, 2, 3, 4], [0, 0, 0, 1, 2, 3]
    np.testing.assert_array_equal(out, frame[np.ix_(rows, columns)].transpose(2, 0, 1))
    out = crop(frame, (WIDTH - 2, HEIGHT - 1, 4, 2), (2, 4))
    assert out is not None
    np.testing.assert_array_equal(out[2], [[7 * 30, 7 * 31, 7 * 31, 7 * 31]] * 2)
    assert (out[1] == 10 * (HEIGHT - 1)).all()


@pytest.mark.parametrize(
    "box", [(-9, 0, 9, 5), (WIDTH, 0, 5, 5), (0, -5, 5, 5), (0, HEIGHT, 5, 5), (-9, 0, 8.4, 5)]
)
def test_box_outside_has_no_crop(box: tuple[float, ...]) -> None:
    assert crop(film()[0], box, (4, 2)) is None


def test_thin_box_keeps_one_pixel() -> None:
    out = crop(film()[0], (3.2, 5.2, 0.1, 0.1), (1, 1))
    assert out is not None
    assert out[:, 0, 0].tolist() == [0, 50, 21]


def test_absurd_box_is_an_error_not_a_full_memory(folder: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "1,1,0,0,1e12,5")
    with pytest.raises(DataError, match=r"frames, frame 1: a box of 1000000000000 x 5 pixels"):
        read_mot(folder, boxes)


def test_boxes_outside_are_dropped_and_counted(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = write(
        tmp_path, "1,1,0,0,8,8", "2,1,90,0,8,8", "3,1,0,0,8,8", "1,2,-50,0,8,8", "4,1,0,-9,8,9"
    )
    with caplog.at_level(logging.WARNING):
        (only,) = read_mot(folder, boxes, size=(4, 4))
    assert isinstance(only.frames, MotFrames)
    assert only.frames.numbers.tolist() == [1, 3]
    assert only.frames.array[:, 0, 0, 0].tolist() == [0, 40]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert "3 of 5 boxes" in messages[0]
    assert str(boxes) in messages[0]
    write(tmp_path, "1,1,99,0,8,8")
    with pytest.raises(DataError, match="no track has 1 box"):
        read_mot(folder, boxes)


def test_video_and_folder_agree(video: Path, folder: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "1,1,0,0,20,20", "7,1,4,2,20,20", "12,2,12,3,20,20")
    for a, b in zip(read_mot(video, boxes), read_mot(folder, boxes), strict=True):
        assert (a.name, a.identity) == (b.name, b.identity)
        assert isinstance(a.frames, MotFrames)
        assert isinstance(b.frames, MotFrames)
        assert a.frames.numbers.tolist() == b.frames.numbers.tolist()
        # JPEG blurs; a wrong frame is 20 off, swapped red and blue far more.
        gap = np.abs(a.frames.array.astype(int) - b.frames.array.astype(int))
        assert gap.mean() < 5


def test_min_frames_and_progress(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = write(tmp_path, "1,1,0,0,8,8", "2,1,0,0,8,8", "99,2,0,0,8,8")
    # Frame 99 does not exist, but nobody needs it.
    (only,) = read_mot(folder, boxes, min_frames=2)
    assert only.identity == 1
    assert capsys.readouterr().err == ""
    read_mot(folder, boxes, min_frames=2, progress=True)
    assert "2/2" in capsys.readouterr().err
    with pytest.raises(DataError, match=r"no track has 5 .*; lower min_frames"):
        read_mot(folder, boxes, min_frames=5)
    outside = write(tmp_path, "1,1,900,0,8,8")
    with pytest.raises(DataError, match=rf"no track has 1 .*; give the boxes of {folder}"):
        read_mot(folder, outside)
    with pytest.raises(ValueError, match="min_frames=0"):
        read_mot(folder, boxes, min_frames=0)


def test_bad_files_are_named(folder: Path, video: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "1,1,0,0,8,8")
    with pytest.raises(DataError, match=r"none\.avi is missing"):
        read_mot(tmp_path / "none.avi", boxes)
    with pytest.raises(DataError, match=r"none\.txt cannot be read"):
        read_mot(folder, tmp_path / "none.txt")
    with pytest.raises(DataError, match=r"film\.avi is not a text file; are video and boxes"):
        read_mot(folder, video)
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"no film")
    with pytest.raises(DataError, match=r"broken\.avi is not a readable video"):
        read_mot(broken, boxes)
    (folder / "f1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"f1\.png is not a readable image"):
        read_mot(folder, boxes)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="empty holds no images"):
        read_mot(empty, boxes)
    boxes.write_text("\n")
    with pytest.raises(DataError, match=r"gt\.txt holds no boxes"):
        read_mot(folder, boxes)


def test_boxes_beyond_the_film(folder: Path, video: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "14,1,0,0,8,8", "13,2,0,0,8,8", "12,3,0,0,8,8")
    for film_path in (folder, video):
        with pytest.raises(DataError, match="has 12 frames, but a box names frame 13"):
            read_mot(film_path, boxes)


def test_frames_of_yields_only_what_is_wanted(folder: Path) -> None:
    got = list(frames_of(folder, [2, 11]))
    assert [number for number, _ in got] == [2, 11]
    np.testing.assert_array_equal(np.stack([f for _, f in got]), film()[[1, 10]])


def mot_tracklet(n: int, track: int = 1, first: int = 1) -> Tracklet:
    array = (
        np.zeros((n, 3, 2, 1), dtype=np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    )
    frames = MotFrames(array, np.arange(first, first + n), np.ones((n, 4)))
    return Tracklet(frames, identity=track, camera=1, name=f"track {track}")


def test_mot_frames_must_fit() -> None:
    with pytest.raises(DataError, match=r"2 crops with numbers \[3\]"):
        MotFrames(np.zeros((2, 3, 4, 2), np.uint8), np.arange(3), np.zeros((2, 4)))


@given(n=st.integers(1, 60), length=st.integers(1, 15), limit=st.none() | st.integers(1, 8))
def test_windows_partition_the_front(n: int, length: int, limit: int | None) -> None:
    out = windows(mot_tracklet(n, first=5), length, limit)
    whole = n // length
    assert len(out) == (whole if limit is None else min(whole, limit))
    starts = [int(w.frames.numbers[0]) - 5 for w in out]
    assert starts == sorted(set(starts))
    assert all(s % length == 0 for s in starts)
    for start, w in zip(starts, out, strict=True):
        assert w.frames.array[:, 0, 0, 0].tolist() == list(range(start, start + length))
        assert w.frames.numbers.tolist() == list(range(start + 5, start + 5 + length))
        assert len(w.frames.boxes) == length
        assert w.name == f"track 1 frames {start + 5}-{start + 4 + length}"
    if limit is None:
        assert starts == [i * length for i in range(whole)]
    elif limit > 1 and whole >= 2:
        assert starts[0] == 0
        assert starts[-1] == (whole - 1) * length


def test_windows_are_views_and_keep_truth() -> None:
    tracklet = mot_tracklet(25)
    for window in windows(tracklet):
        assert np.shares_memory(window.frames.array, tracklet.frames.array)
    mask = np.ones((25, 2, 1), dtype=bool)
    truth = Truth(np.linspace(0, 1, 25, dtype=np.float32), mask, mask.astype(np.uint8))
    drawn = Tracklet(ArrayFrames(tracklet.frames.array), 4, 2, "p4", truth=truth)
    second = windows(drawn)[1]
    assert (second.identity, second.camera, second.name) == (4, 2, "p4 frames 10-19")
    assert second.truth is not None
    assert len(second.truth.mask) == len(second.truth.parts) == 10
    np.testing.assert_array_equal(second.truth.visibility, truth.visibility[10:20])
    with pytest.raises(ValueError, match="length=0"):
        windows(tracklet, 0)


def test_label_windows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    head = "track_id,person,visit,first_frame,last_frame\n"
    path.write_text(head + "1,B,2,1,20\n2,A,1,1,10\n2,B,1,11,20\n")
    parts = windows(mot_tracklet(20, 1)) + windows(mot_tracklet(20, 2))
    labelled = label_windows(parts, path)
    assert [(t.identity, t.camera) for t in labelled] == [(2, 2), (2, 2), (1, 1), (2, 1)]
    assert labelled[3].name == "B visit 1, track 2 frames 11-20"
    with pytest.raises(DataError, match=r"csv has no row for track 2, frames 1 to 20; add one"):
        label_windows([mot_tracklet(20, 2)], path)
    with pytest.raises(DataError, match="no row for track 9"):
        label_windows([mot_tracklet(5, 9)], path)
    with pytest.raises(DataError, match="no frame numbers"):
        label_windows([Tracklet(ArrayFrames(np.zeros((1, 3, 2, 1), np.uint8)), 1, 1)], path)
    path.write_text(head + "1,B,2,1,20\n1,C,2,1,20\n")
    with pytest.raises(DataError, match=r"2 different people or visits for .*; keep one"):
        label_windows(parts[:1], path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    with pytest.raises(DataError, match=r"labels\.csv is not a CSV file in UTF-8"):
        label_windows(parts, path)
    with pytest.raises(DataError, match=r"none\.csv is missing; give the file of who each track"):
        label_windows(parts, tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("track_id,person\n1,A\n", "csv has no column 'visit'; .* track_id, person, visit"),
        ("person,track_id,person,visit,first_frame,last_frame\n", "csv has 2 columns 'person'"),
        (
            "track_id;person\n1;A\n",
            "'track_id': its columns are parted by semicolons; save it with",
        ),
        ("track_id\tperson\n1\tA\n", "'track_id': its columns are parted by tabs; save it with"),
        ("1,A,x,1,2\n", "line 2: visit is 'x', not a whole number"),
        ("1,A\n", "line 2 has 2 cells for 5 columns"),
        ("1,A,1,1,2\n1,A,1,1,2,9\n", "line 3 has 6 cells for 5 columns"),
        ("1,A,1,1,2\n2, ,1,1,2\n", "line 3: person is empty; name the person, or leave"),
        (f"1,A,{'9' * 30},1,2\n", "line 2: visit is '9+', not a whole number of at most 15"),
        ("1,A,1,20,2\n", "line 2: first_frame 20 comes after last_frame 2"),
    ],
)
def test_a_bad_label_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "labels.csv"
    head = "" if text[0] in "tp" else "track_id,person,visit,first_frame,last_frame\n"
    path.write_text(head + text)
    with pytest.raises(DataError, match=says):
        label_windows([mot_tracklet(2)], path)


def test_boxes_as_shares_of_the_picture_are_refused(folder: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "1,1,0.2,0.1,0.1,0.5", "2,1,0.2,0.1,0.1,0.9")
    with pytest.raises(DataError, match=r"gt\.txt: no box is wider or higher than 0\.9 pixels; sh"):
        read_mot(folder, boxes)
    write(tmp_path, "1,1,0.2,0.1,0.1,0.5", "2,1,0.2,0.1,0.1,2")
    assert len(read_mot(folder, boxes)) == 1


def test_pets2009() -> None:
    root = Path(os.environ.get("W3AN_SHARED_DATA", "missing")) / "pets2009"
    if not root.is_dir():
        pytest.skip("W3AN_SHARED_DATA names no folder with pets2009")
    tracks = read_mot(root / "vtest.avi", root / "gt.txt", size=(32, 16))
    assert (len(tracks), sum(map(len, tracks))) == (19, 4650)
    parts = [part for track in tracks for part in windows(track)]
    lines = (root / "subtracklets10.csv").read_text().splitlines()[1:]
    expected = sorted((int(c[1]), int(c[4]), int(c[5])) for c in (s.split(",") for s in lines))
    numbers = [(p.identity, *p.frames.numbers[[0, -1]].tolist()) for p in parts]
    assert len(parts) == 455
    assert sorted(numbers) == expected
    labelled = label_windows(parts, root / "subtracklets10.csv")
    assert {t.identity for t in labelled} == set(range(1, 11))
    by_track = label_windows(parts, root / "tracks.csv")
    assert [(t.identity, t.camera) for t in labelled] == [(t.identity, t.camera) for t in by_track]
    # Twelve windows a track at most: the 217 windows and 187 queries of the reference figures.
    few = label_windows([p for t in tracks for p in windows(t, limit=12)], root / "tracks.csv")
    visits = {(t.identity, t.camera) for t in few}
    queries = [t for t in few if any(i == t.identity and c != t.camera for i, c in visits)]
    assert (len(few), len(queries)) == (217, 187)


def test_boxes_outside_do_not_count_towards_min_frames(folder: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "1,1,0,0,8,8", "2,1,90,0,8,8", "1,2,0,0,8,8", "2,2,0,0,8,8")
    (only,) = read_mot(folder, boxes, min_frames=2)
    assert only.identity == 2


def test_a_track_of_one_frame_may_be_labelled(tmp_path: Path) -> None:
    from test_mot import mot_tracklet

    from w3an_lite.data.mot import label_windows

    path = tmp_path / "labels.csv"
    path.write_text("track_id,person,visit,first_frame,last_frame\n1,A,3,1,1\n")
    (one,) = label_windows([mot_tracklet(1)], path)
    assert (one.identity, one.camera) == (1, 3)


def test_ignored_boxes_are_skipped_when_asked(folder: Path, tmp_path: Path) -> None:
    boxes = write(tmp_path, "1,1,0,0,8,8,1,-1,-1,-1", "1,2,0,0,8,8,0,-1,-1,-1")
    assert [t.identity for t in read_mot(folder, boxes)] == [1, 2]
    assert [t.identity for t in read_mot(folder, boxes, skip_ignored=True)] == [1]
