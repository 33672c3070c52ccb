"""The nouns: frames by reference, and halves that share nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from w3an_lite.data.tracklet import (
    DISTRACTOR,
    JUNK,
    ArrayFrames,
    DataError,
    FileFrames,
    Split,
    Tracklet,
    check_names,
    read_image,
    resize,
)


def pixels(count: int = 3, size: tuple[int, int] = (6, 4), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, *size), np.uint8)


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, ...]:
    out = []
    for k, frame in enumerate(pixels()):
        out.append(tmp_path / f"{k}.png")
        Image.fromarray(frame.transpose(1, 2, 0)).save(out[-1])
    return tuple(out)


def test_frames_in_memory_and_in_files_read_alike(paths: tuple[Path, ...]) -> None:
    memory, files = ArrayFrames(pixels()), FileFrames(paths)
    assert len(memory) == len(files) == 3
    for frames in (memory, files):
        got = frames.read([2, 0, 2])
        assert got.dtype == np.uint8
        assert (got == pixels()[[2, 0, 2]]).all()
        assert (frames.read(np.array([1])) == pixels()[1:2]).all()
        assert frames.read(range(3), (12, 8)).shape == (3, 3, 12, 8)
        assert (frames.read([1], (6, 4)) == pixels()[1:2]).all()


def test_resizing_keeps_flat_frames_and_the_order_of_bright_and_dark() -> None:
    flat = np.full((2, 3, 9, 5), 77, np.uint8)
    assert (resize(flat, (4, 8)) == 77).all()
    assert resize(flat, None) is flat
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8), (1, 3, 4, 24))
    small = resize(ramp, (4, 6))[0, 0, 0].astype(int)
    assert (np.diff(small) > 0).all()
    assert np.abs(small[1:-1] - [55, 95, 135, 175]).max() <= 1  # each the mean of its four


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 4, 4), np.float32),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 3, 4, 4), np.uint8),
        np.zeros((2, 3, 0, 4), np.uint8),
    ],
)
def test_arrays_that_are_no_frames_are_named(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"give uint8 \[n, 3, H, W\] with n, H and W at least 1"):
        ArrayFrames(array)


@pytest.mark.parametrize(
    "array", [torch.zeros((2, 3, 4, 4), dtype=torch.uint8), [[[[0]]] * 3]], ids=["tensor", "list"]
)
def test_frames_that_are_no_array_are_named(array: object) -> None:
    with pytest.raises(DataError, match=rf"frames are a {type(array).__name__}; give a NumPy arr"):
        ArrayFrames(array)  # type: ignore[arg-type]


def test_a_tracklet_without_files() -> None:
    with pytest.raises(DataError, match="FileFrames of no paths: a tracklet without frames"):
        FileFrames(())


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("one.jpg", "the paths of FileFrames are a str"),
        (Path("one.jpg"), r"the paths of FileFrames are a \w*Path"),
        (Path().glob("*.jpg"), r"the paths of FileFrames are a \w+"),
        (np.array(["one.jpg"]), "the paths of FileFrames are a ndarray"),
        (("one.jpg", "two.jpg"), "the first path of FileFrames is 'one.jpg'"),
    ],
    ids=["text", "path", "generator", "array", "texts"],
)
def test_paths_that_are_none_are_named(given: object, what: str) -> None:
    with pytest.raises(DataError, match=f"{what}; give a tuple of "):
        FileFrames(given)  # type: ignore[arg-type]
    assert len(FileFrames([Path("one.jpg")])) == 1  # type: ignore[arg-type]


def test_a_tracklet_of_an_array_is_told_to_wrap_it() -> None:
    for frames in (pixels(), [Path("one.jpg")]):
        with pytest.raises(DataError, match=r"walker: its frames are a \w+; wrap an array in Arr"):
            Tracklet(frames, 1, 1, "walker")  # type: ignore[arg-type]


def test_missing_and_corrupt_images_are_named(tmp_path: Path, paths: tuple[Path, ...]) -> None:
    with pytest.raises(DataError, match=r"none\.png is missing"):
        read_image(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match=r"text\.png is not a readable image"):
        read_image(tmp_path / "text.png")
    whole = paths[0].read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"half\.png is not a readable image"):
        FileFrames((*paths, tmp_path / "half.png")).read([0, 3])
    with pytest.raises(DataError, match="not a readable image"):
        read_image(tmp_path)


def test_grey_images_and_opaque_ones_become_rgb(tmp_path: Path) -> None:
    Image.new("L", (4, 6), 9).save(tmp_path / "grey.png")
    Image.new("RGBA", (4, 6), (1, 2, 3, 255)).save(tmp_path / "full.png")
    Image.new("L", (4, 6), 9).save(tmp_path / "not9.png", transparency=8)
    assert (read_image(tmp_path / "grey.png") == 9).all()
    assert read_image(tmp_path / "full.png")[:, 0, 0].tolist() == [1, 2, 3]
    assert (read_image(tmp_path / "not9.png") == 9).all()


@pytest.mark.parametrize(
    ("mode", "colour", "clear"),
    [("RGBA", (1, 2, 3, 254), None), ("LA", (9, 0), None), ("RGB", (1, 2, 3), (1, 2, 3)),
     ("L", 9, 9), ("P", 0, 0)],
)  # fmt: skip
def test_transparent_images_are_refused(
    tmp_path: Path, mode: str, colour: Any, clear: object
) -> None:
    """One pixel will do: what lies under it is not what anybody saw."""
    image = Image.new(mode, (4, 6), (255,) * len(mode) if len(mode) > 1 else 255)
    image.putpixel((2, 3), colour)
    image.save(tmp_path / "c.png", **({} if clear is None else {"transparency": clear}))
    with pytest.raises(DataError, match=r"c\.png is transparent in places; lay it on a backg"):
        FileFrames((tmp_path / "c.png",)).read([0])


def test_files_of_different_size_are_named(tmp_path: Path, paths: tuple[Path, ...]) -> None:
    Image.new("RGB", (5, 7)).save(tmp_path / "odd.png")
    frames = FileFrames((*paths, tmp_path / "odd.png"))
    with pytest.raises(
        DataError, match=r"odd\.png is \(7, 5\) .*first frame \(6, 4\); give a size"
    ):
        frames.read([0, 3])
    assert frames.read([0, 3], (6, 4)).shape == (2, 3, 6, 4)


def tracklet(identity: int, camera: int = 0, name: str = "") -> Tracklet:
    return Tracklet(ArrayFrames(pixels()), identity, camera, name)


def test_a_tracklet_tells_what_it_is() -> None:
    one = tracklet(4, 1, "walker")
    assert len(one) == 3
    assert repr(one) == "Tracklet('walker', identity=4, camera=1, frames=3)"


def test_halves_that_share_a_person_are_refused() -> None:
    for part in ("query", "gallery"):
        with pytest.raises(DataError, match="split 'mine': identity 4 is in both halves"):
            Split("mine", train=[tracklet(4)], **{part: [tracklet(4)]})
    split = Split("mine", [tracklet(1), tracklet(1)], [tracklet(2)], [tracklet(2), tracklet(3)])
    assert repr(split) == "Split('mine', train=2 of 1 people, query=1, gallery=2)"


@pytest.mark.parametrize("nobody", [JUNK, DISTRACTOR])
def test_junk_and_distractors_are_nobody(nobody: int) -> None:
    Split("mine", train=[tracklet(nobody)], gallery=[tracklet(nobody)])


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_images_of_more_than_8_bits_are_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "deep.tif"
    Image.fromarray(np.full((4, 4), 200, np.uint8)).convert("I").convert(mode).save(path)
    with pytest.raises(DataError, match=r"deep\.tif has more than 8 bits a pixel; convert it to 8"):
        FileFrames((path,)).read([0])


@pytest.mark.parametrize(
    ("what", "value"), [("identity", "p3"), ("identity", 3.5), ("camera", "c1")]
)
def test_people_and_cameras_are_numbered(what: str, value: object) -> None:
    frames = ArrayFrames(np.zeros((1, 3, 2, 2), np.uint8))
    given = {"identity": np.int64(1), "camera": 1, what: value}
    with pytest.raises(DataError, match=rf"t: {what} is {value!r}; number them, from 1 on"):
        Tracklet(frames, **given, name="t")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1.5, -0.5, float("nan")])
def test_attributes_out_of_range_are_refused(value: float) -> None:
    frames = ArrayFrames(np.zeros((1, 3, 2, 2), np.uint8))
    Tracklet(frames, 1, 1, attributes=np.array([0, 1, 0.5, -1], np.float32))
    with pytest.raises(DataError, match=r"attributes run from .* give 0 to 1, or -1\.0 where"):
        Tracklet(frames, 1, 1, attributes=np.array([0, value, -1], np.float32))


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], torch.zeros(2), np.zeros((1, 2)), np.array(["0", "1"])]
)
def test_attributes_that_are_no_numbers_in_a_row_are_refused(values: object) -> None:
    frames = ArrayFrames(np.zeros((1, 3, 2, 2), np.uint8))
    name = type(values).__name__
    with pytest.raises(DataError, match=rf"t: attributes are a {name}; give a NumPy array of numb"):
        Tracklet(frames, 1, 1, "t", attributes=values)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_a_picture_taken_sideways_stands_upright(tmp_path: Path, ending: str) -> None:
    upright = np.zeros((8, 16, 3), np.uint8)
    upright[:, :8] = 255  # white on the left
    image, exif = Image.fromarray(upright), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned right by a quarter
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / f"a.{ending}", exif=exif)
    found = read_image(tmp_path / f"a.{ending}").astype(int)
    assert found.shape == (3, 8, 16)
    assert np.abs(found - upright.transpose(2, 0, 1)).max() < 20


def test_one_tracklet_without_a_name_is_one_too_many() -> None:
    frames = ArrayFrames(np.zeros((1, 3, 2, 2), np.uint8))
    with pytest.raises(DataError, match="the tracklets have no name; why, so name each once"):
        check_names([Tracklet(frames, 1, 1, ""), Tracklet(frames, 1, 1, "a")], "why")


def test_fine_stripes_become_grey() -> None:
    stripes = np.zeros((1, 3, 16, 16), np.uint8)
    stripes[..., ::2] = 200
    assert abs(resize(stripes, (4, 4)).astype(int) - 100).max() < 15
