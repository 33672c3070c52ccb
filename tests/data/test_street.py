"""The drawn street: its boxes hold its people, its labels are true, and the seed decides."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from w3an_lite.data.mot import label_windows, read_mot
from w3an_lite.data.street import Street, write_street
from w3an_lite.data.tracklet import DataError


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    return write_street(tmp_path_factory.mktemp("film") / "street", people=2, back=1, seed=3)


@pytest.fixture(scope="module")
def table(street: Street) -> np.ndarray:
    return np.loadtxt(street.boxes, delimiter=",")


def frame(street: Street, number: int) -> np.ndarray:
    with Image.open(street.frames / f"{number:06d}.png") as image:
        return np.asarray(image, dtype=int)


def test_it_is_read_like_any_footage(street: Street) -> None:
    tracks = label_windows(read_mot(street.frames, street.boxes, (32, 16)), street.labels)
    assert [(t.identity, t.camera) for t in tracks] == [(1, 1), (2, 1), (1, 2)]
    assert min(len(t) for t in tracks) > 40
    assert set(street.attributes) == {"A", "B"}
    assert len(street.attributes["A"]) == 67


def test_some_come_back_the_other_way(street: Street, table: np.ndarray) -> None:
    way = [np.sign(np.diff(table[table[:, 1] == t, 2]).mean()) for t in (1, 2, 3)]
    assert way == [1, -1, -1]
    with street.labels.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        own = table[table[:, 1] == int(row["track_id"]), 0]
        assert (own[0], own[-1]) == (int(row["first_frame"]), int(row["last_frame"]))
        np.testing.assert_array_equal(np.diff(own), 1)
    assert int(rows[2]["first_frame"]) > int(rows[0]["first_frame"])


def test_people_are_hidden_by_furniture_and_by_each_other(
    street: Street, table: np.ndarray
) -> None:
    seen = table[:, 8]
    assert ((seen >= 0) & (seen <= 1)).all()
    assert (seen == 1).mean() > 0.2
    assert (seen < 0.5).any()
    left = {t: dict(table[table[:, 1] == t][:, [0, 2]]) for t in (1, 2)}
    meet = min(set(left[1]) & set(left[2]), key=lambda n: abs(left[1][n] - left[2][n]))
    assert table[table[:, 0] == meet, 8].min() < 0.7


def test_a_box_holds_its_person(street: Street, table: np.ndarray) -> None:
    empty = np.median([frame(street, n) for n in range(1, 70, 8)], axis=0)
    alone = [row for row in table if row[8] == 1 and (table[:, 0] == row[0]).sum() == 1]
    assert len(alone) > 5
    for row in alone[::4]:
        left, top, wide, tall = row[2:6].astype(int)
        changed = np.abs(frame(street, int(row[0])) - empty).max(-1) > 60
        inside = changed[max(top, 0) : top + tall, max(left, 0) : left + wide].sum()
        assert inside > 0.9 * changed.sum()
        assert inside > 0.1 * wide * tall


def test_the_seed_decides_every_byte(street: Street, tmp_path: Path) -> None:
    again, same, other = (
        write_street(tmp_path / name, people=1, back=0, seed=seed)
        for name, seed in (("again", 3), ("same", 3), ("other", 4))
    )
    assert again.boxes.read_bytes() == same.boxes.read_bytes() != other.boxes.read_bytes()
    names = [path.name for path in sorted(again.frames.iterdir())]
    assert names == [path.name for path in sorted(same.frames.iterdir())]
    assert (frame(again, 20) == frame(same, 20)).all()
    assert (frame(other, 20) != frame(same, 20)).any()
    # a person walks the same way however many others there are
    lines = street.boxes.read_text(encoding="utf-8").splitlines()
    assert again.boxes.read_text(encoding="utf-8").splitlines()[0] == lines[0]


def test_numbers_that_make_no_sense_and_a_folder_that_is_there(
    street: Street, tmp_path: Path
) -> None:
    for options, said in (({"people": 0}, "from 1 to 26"), ({"back": 7}, "from 0 to 6")):
        with pytest.raises(DataError, match=said):
            write_street(tmp_path / "none", **options)
    with pytest.raises(DataError, match="is there already"):
        write_street(street.frames.parent, people=1, back=0)
    assert list(tmp_path.iterdir()) == []
