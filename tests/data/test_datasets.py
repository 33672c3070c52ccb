"""Every data set by its name, through one door."""

from __future__ import annotations

from pathlib import Path

import pytest

from w3an_lite.data.datasets import DATASETS, PROTOCOLS, load_dataset
from w3an_lite.data.layout_splits import layout_split
from w3an_lite.data.pack import pack
from w3an_lite.data.tracklet import DataError
from w3an_lite.data.writers import write_layout


@pytest.mark.parametrize("name", ["mars", "ilids-vid", "prid2011", "rap"])
def test_a_written_set_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    drawn = layout_split(name, 5) if name == "rap" else layout_split(name, 4, 4, frames=2)
    root = write_layout(drawn, name, tmp_path / "set", progress=False)
    split = load_dataset(name, root, official=False)
    assert split.name.replace("(unofficial)", "") == PROTOCOLS[name][0]
    assert len(split.train) == len(drawn.train)
    last = load_dataset(name, root, PROTOCOLS[name][-1], official=False)
    assert last.name.replace("(unofficial)", "") == PROTOCOLS[name][-1]
    with pytest.raises(DataError, match="official set has"):
        load_dataset(name, root)
    with pytest.raises(DataError, match="protocol 'no' is unknown"):
        load_dataset(name, root, "no", official=False)


def test_partitions_of_rap(tmp_path: Path) -> None:
    root = write_layout(layout_split("rap", 10), "rap", tmp_path / "r", progress=False)
    split = load_dataset("rap", root, "rap/partition-1", official=False)
    assert (len(split.train), len(split.gallery), len(split.query)) == (8, 2, 0)
    assert not {t.name for t in split.train} & {t.name for t in split.gallery}


def test_drawn_people_and_their_store(tmp_path: Path) -> None:
    drawn = load_dataset("synthped", identities=2, test_identities=1, frames=2, size=(32, 16))
    pack(drawn, tmp_path / "store", progress=False)
    split = load_dataset("store", tmp_path / "store")
    assert [t.name for t in split.gallery] == [t.name for t in drawn.gallery]
    assert load_dataset("store", tmp_path / "store", drawn.name).name == drawn.name
    with pytest.raises(DataError, match="holds the split 'synthped-"):
        load_dataset("store", tmp_path / "store", "mars/official")


@pytest.mark.parametrize(
    ("name", "root", "protocol", "options", "message"),
    [
        ("market", None, None, {}, "data set 'market' is unknown; one of synthped, mars"),
        ("mars", None, None, {}, "mars needs a root"),
        ("synthped", "x", None, {}, "neither a root nor a protocol"),
        ("synthped", None, "p", {}, "neither a root nor a protocol"),
        ("mars", "x", None, {"identities": 3}, "mars has no option 'identities'"),
        ("store", "x", None, {"attributes": "a"}, r"no option 'attributes' \(--labels\); its opt"),
        ("rap", "x", None, {"files": ""}, r"its options are official \(--unofficial\)"),
        ("rap", "nowhere", None, {}, "nowhere is missing"),
        ("store", "nowhere", None, {}, "nowhere is not a folder"),
    ],
)
def test_mistakes(
    name: str, root: str | None, protocol: str | None, options: dict, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(name, root, protocol, **options)


def test_names() -> None:
    assert DATASETS == ("synthped", "mars", "ilids-vid", "prid2011", "rap", "store")
