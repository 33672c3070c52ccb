"""RAP: attributes found by name, uncertain labels unknown, partitions, and everything broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from w3an_lite.data.attributes import INDEX, NAMES
from w3an_lite.data.output import cells
from w3an_lite.data.rap import ANNOTATION, LEFT_OUT, read_rap
from w3an_lite.data.tracklet import DISTRACTOR, UNKNOWN, DataError

IMAGES = [f"CAM0{c}_2014_tarid{k}_frame1_line1.png" for k, c in enumerate((3, 1, 2, 1, 5))]
ORDER = [*LEFT_OUT, *NAMES[::-1]]


def content() -> dict[str, Any]:
    """Five images: image k has attribute number k of `NAMES`, Female is uncertain in the last."""
    labels = np.zeros((5, 92), dtype=np.uint8)
    for k in range(5):
        labels[k, ORDER.index(NAMES[k])] = 1
    labels[4, ORDER.index("Female")] = 2
    labels[:, 0] = 2
    part = {"train_index": np.array([[1, 3, 5]]), "test_index": np.array([[4, 2]])}
    return {
        "partion": cells([part, part]),
        "label": labels,
        "attribute_eng": cells(ORDER),
        "imagesname": cells(IMAGES),
    }


def write(root: Path, **changed: object) -> None:
    (root / ANNOTATION).parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(root / ANNOTATION, {"RAP_annotation": {**content(), **changed}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path)
    (tmp_path / "RAP_dataset").mkdir()
    for k, name in enumerate(IMAGES):
        Image.new("RGB", (4, 8), (k, 0, 0)).save(tmp_path / "RAP_dataset" / name)
    return tmp_path


def test_stills_in_the_order_of_the_annotation(root: Path) -> None:
    stills = read_rap(root, official=False)
    assert [t.name for t in stills] == IMAGES
    assert [t.camera for t in stills] == [3, 1, 2, 1, 5]
    assert {t.identity for t in stills} == {DISTRACTOR}
    assert [len(t) for t in stills] == [1] * 5
    assert [int(t.frames.read([0])[0, 0, 0, 0]) for t in stills] == [0, 1, 2, 3, 4]


def test_attributes_are_found_by_name_and_uncertain_is_unknown(root: Path) -> None:
    for k, still in enumerate(read_rap(root, official=False)):
        expected = np.zeros(67, dtype=np.float32)
        expected[k] = 1
        if k == 4:
            expected[INDEX["Female"]] = UNKNOWN
        assert still.attributes is not None
        assert still.attributes.dtype == np.float32
        np.testing.assert_array_equal(still.attributes, expected)


def test_the_parts_of_a_partition(root: Path) -> None:
    def names(part: str) -> list[str]:
        return [t.name for t in read_rap(root, part=part, partition=1, official=False)]

    assert names("train") == [IMAGES[0], IMAGES[2], IMAGES[4]]
    assert names("test") == [IMAGES[3], IMAGES[1]]
    for part, number, message in (("val", 0, "one of"), ("test", 2, "holds 2, from 0")):
        with pytest.raises(DataError, match=message):
            read_rap(root, part=part, partition=number, official=False)


def test_the_halves_of_a_partition_are_found_by_name(root: Path) -> None:
    part = {"test_index": np.array([[4, 2]]), "train_index": np.array([[1, 3, 5]])}
    write(root, partion=cells([part]))
    assert len(read_rap(root, part="train", official=False)) == 3


def test_official_counts_are_demanded_unless_waived(root: Path) -> None:
    with pytest.raises(DataError, match=r"images: found 5, the official set has 41,585"):
        read_rap(root)


def _bad_part(train: list[float], test: list[float]) -> dict[str, object]:
    part = {"train_index": np.array([train]), "test_index": np.array([test])}
    return {"partion": cells([part])}


def _annotate(**changed: object) -> Callable[[Path], object]:
    return lambda root: write(root, **changed)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing annotation": (
        lambda r: (r / ANNOTATION).unlink(), r"RAP_annotation\.mat is missing; get it from http"),
    "missing folder": (
        lambda r: shutil.rmtree(r / "RAP_dataset"), "RAP_dataset is missing; get it from http"),
    "list longer": (
        lambda r: (r / "RAP_dataset" / IMAGES[2]).unlink(),
        r"tarid2_frame1_line1\.png is missing: the list is longer than the folder by 1 of 5"),
    "list shorter": (
        lambda r: (r / "RAP_dataset" / "x.png").touch(),
        r"x\.png is not in the annotation: the list is shorter than the folder by 1"),
    "wrong shape": (
        _annotate(label=np.zeros((5, 91))), r"label has the shape \[5, 91\] for 5 images and 92"),
    "wrong values": (_annotate(label=np.full((5, 92), 3)), "label holds values besides 0, 1 and 2"),
    "duplicated": (
        _annotate(imagesname=cells([*IMAGES[:4], IMAGES[0]])), r"tarid0_.* is there twice"),
    "leaves the root": (
        _annotate(imagesname=cells([*IMAGES[:4], "../x.png"])), "entry 5 .* leave the data folder"),
    "another vocabulary": (
        _annotate(attribute_eng=cells([*ORDER[:-1], "sex"])),
        r"attribute Female is not among its 92 names \(1 such\)"),
    "partition out of range": (_annotate(**_bad_part([1, 6], [2])), "one that is not there"),
    "partition of overlap": (_annotate(**_bad_part([1, 2], [2])), "names an image twice"),
    "partition of fractions": (
        _annotate(**_bad_part([1, 1.5], [2])), r"partition 0 names image 1\.5, which is no whole"),
    "partition of nan": (
        _annotate(**_bad_part([1, float("nan")], [2])), "partition 0 names image nan, which is no"),
    "partition of other fields": (
        _annotate(partion=cells([{"train": [1], "test_index": [2]}])), "is not the struct of RAP"),
    "attribute twice": (
        _annotate(attribute_eng=cells([*ORDER[:-2], ORDER[-1], ORDER[-1]])),
        r"RAP_annotation\.mat: attribute Female is there twice"),
    "partition of nobody": (_annotate(**_bad_part([1, 2], [])), "names nobody for one half"),
    "not the struct": (
        lambda r: scipy.io.savemat(r / ANNOTATION, {"RAP_annotation": np.eye(3)}),
        "is not the struct of RAP v1"),
    "missing field": (
        lambda r: scipy.io.savemat(r / ANNOTATION, {"RAP_annotation": {"label": np.eye(3)}}),
        "is not the struct of RAP v1"),
    "missing variable": (
        lambda r: scipy.io.savemat(r / ANNOTATION, {"x": 1}), "holds x and no RAP_annotation"),
    "no mat": (lambda r: (r / ANNOTATION).write_bytes(b"x" * 200), "not a readable .mat file"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_has_its_own_error(root: Path, damage: str) -> None:
    do, message = DAMAGE[damage]
    read_rap(root, part="train", official=False)
    do(root)
    with pytest.raises(DataError, match=message):
        read_rap(root, part="train", official=False)


def test_one_odd_label_is_enough(root: Path) -> None:
    labels = np.zeros((5, 92))
    labels[2, 3] = 3
    write(root, label=labels)
    with pytest.raises(DataError, match="label holds values besides 0, 1 and 2"):
        read_rap(root, official=False)
