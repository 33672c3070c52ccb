"""The same features under every protocol: counts, names, and numbers that differ."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from w3an_lite.data import ilids_vid, prid2011
from w3an_lite.data.datasets import load_dataset
from w3an_lite.data.layout import load_matrix
from w3an_lite.data.layout_splits import layout_split
from w3an_lite.data.mars_writer import write_mars_index
from w3an_lite.data.splits import without_mate
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import DISTRACTOR, JUNK, DataError, Split
from w3an_lite.data.writers import write_layout
from w3an_lite.evaluation import evaluate
from w3an_lite.protocols import (
    ProtocolRow,
    all_of,
    format_protocols,
    mars_protocols,
    protocol_splits,
    protocol_table,
)
from w3an_lite.train_plan import splits_of

WITHOUT, WITH, OFFICIAL, HALVES = (
    "gallery-without-queries",
    "gallery-with-queries",
    "official",
    "random-half",
)


def noisy(protocols: dict[str, list[Split]], noise: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Features of a person and camera, and noise: `[N, 16]`."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(10_000, 16))
    tracklets = all_of(protocols)
    features = np.stack([people[t.identity] for t in tracklets])
    return torch.from_numpy(features + noise * rng.normal(size=features.shape))


def by_key(rows: list[ProtocolRow]) -> dict[tuple[str, str], ProtocolRow]:
    return {(r.protocol.split("/", 1)[1], r.ap): r for r in rows}


@pytest.fixture(scope="module")
def mars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight people to search for, two tracklets a camera; 5 distractors and 4 junk tracklets."""
    split = layout_split("mars", 8, 8, 2, 2, 1, distractors=5, junk=4, size=(32, 16))
    root = tmp_path_factory.mktemp("mars") / "set"
    return write_layout(split, "mars", root, progress=False)


def test_the_protocols_are_those_of_the_reader(mars: Path) -> None:
    protocols = protocol_splits("mars", mars, official=False)
    assert list(protocols) == [f"mars(unofficial)/{x}" for x in (WITHOUT, WITH, OFFICIAL, HALVES)]
    for name, splits in protocols.items():
        for i, split in enumerate(splits):
            asked = name.replace("(unofficial)", "") + (f"-{i}" if len(splits) > 1 else "")
            read = load_dataset("mars", mars, asked, official=False)
            assert read.name == split.name
            for half in ("train", "query", "gallery"):
                names = [[t.name for t in getattr(s, half)] for s in (read, split)]
                assert names[0] == names[1]


def test_counts_of_a_small_mars(mars: Path) -> None:
    protocols = protocol_splits("mars", mars, official=False)
    rows = by_key(protocol_table(noisy(protocols), all_of(protocols), protocols))
    assert len(rows) == 8
    counts = {k: (r.queries, r.gallery, r.junk, r.repeats) for (k, ap), r in rows.items()}
    assert counts[WITHOUT] == (16, 21, 0, 1)
    assert counts[WITH] == (16, 37, 0, 1)
    assert counts[OFFICIAL] == (16, 41, 4, 1)
    assert counts[HALVES][2:] == (0, 10)
    assert all(r.without_mate == 0 for r in rows.values())


def test_the_choice_changes_the_numbers(mars: Path) -> None:
    protocols = protocol_splits("mars", mars, official=False)
    rows = by_key(protocol_table(noisy(protocols, 2.0), all_of(protocols), protocols))
    assert rows[WITHOUT, "step"].mean_ap != rows[WITH, "step"].mean_ap
    assert rows[WITH, "step"].mean_ap != rows[WITH, "trapezoid"].mean_ap
    assert rows[WITH, "step"][7:] == pytest.approx(rows[OFFICIAL, "step"][7:], nan_ok=True)
    assert rows[WITH, "step"].rank1 == rows[WITH, "trapezoid"].rank1
    assert np.isnan(rows[WITH, "step"].rank1_sd)
    assert rows[HALVES, "step"].mean_ap_sd > 0


def test_a_row_is_what_evaluate_says(mars: Path) -> None:
    protocols = protocol_splits("mars", mars, official=False)
    features, tracklets = noisy(protocols, 2.0), all_of(protocols)
    place = {t.name: i for i, t in enumerate(tracklets)}
    split = protocols["mars(unofficial)/official"][0]
    labels = [
        [getattr(t, what) for t in half]
        for half in (split.query, split.gallery)
        for what in ("identity", "camera")
    ]
    rankings = evaluate(
        features[[place[t.name] for t in split.query]],
        features[[place[t.name] for t in split.gallery]],
        *labels, metric="cosine", ap="trapezoid",
    )  # fmt: skip
    row = by_key(protocol_table(features, tracklets, protocols, "cosine"))[OFFICIAL, "trapezoid"]
    assert row.mean_ap == rankings.mean_ap
    assert (row.rank1, row.rank5) == (rankings.rank(1), rankings.rank(5))


def test_a_row_of_halves_is_mean_and_spread_over_them(mars: Path) -> None:
    protocols = protocol_splits("mars", mars, official=False)
    features, tracklets = noisy(protocols, 2.0), all_of(protocols)
    place = {t.name: i for i, t in enumerate(tracklets)}
    found = []
    for split in protocols[f"mars(unofficial)/{HALVES}"]:
        query, gallery = split.query, split.gallery
        ranking = evaluate(
            features[[place[t.name] for t in query]], features[[place[t.name] for t in gallery]],
            [t.identity for t in query], [t.camera for t in query],
            [t.identity for t in gallery], [t.camera for t in gallery],
        )  # fmt: skip
        found.append((ranking.rank(1), ranking.rank(5), ranking.mean_ap))
    row = by_key(protocol_table(features, tracklets, protocols))[HALVES, "step"]
    assert (row.rank1, row.rank5, row.mean_ap) == pytest.approx(np.mean(found, axis=0))
    spread = np.std(found, axis=0, ddof=1)
    assert (row.rank1_sd, row.mean_ap_sd) == pytest.approx((spread[0], spread[2]))


def test_the_order_of_the_features_is_free(mars: Path) -> None:
    protocols = protocol_splits("mars", mars, official=False)
    features, tracklets = noisy(protocols), all_of(protocols)
    back = protocol_table(features.flip(0), tracklets[::-1], protocols)
    assert format_protocols(back) == format_protocols(
        protocol_table(features, tracklets, protocols)
    )


@pytest.mark.parametrize(
    ("layout", "series"),
    [
        ("ilids-vid", ("split", "random-half")),
        ("prid2011", ("178(unofficial)/split", "178(unofficial)/random-half",
                      "200(unofficial)/random-half")),
    ],
)  # fmt: skip
def test_two_cameras_have_ten_splits(layout: str, series: tuple[str, ...], tmp_path: Path) -> None:
    drawn = layout_split(layout, 6, 6, frames=1, size=(32, 16))
    root = write_layout(drawn, layout, tmp_path / "set", progress=False)
    protocols = protocol_splits(layout, root, official=False)
    rows = by_key(protocol_table(noisy(protocols, 2.0), all_of(protocols), protocols))
    assert set(rows) == {(s, ap) for s in series for ap in ("step", "trapezoid")}
    for row in rows.values():
        assert (row.repeats, row.queries, row.gallery) == (10, 6, 6)
        assert row.rank1_sd > 0
    text = format_protocols(list(rows.values()))
    assert text.count("±") == 4 * len(series)


def cut_to_three(root: Path, layout: str) -> None:
    """Leave three splits in the file of a drawn set."""
    if layout == "ilids-vid":
        path = root / ilids_vid.SPLITS
        scipy.io.savemat(path, {"ls_set": load_matrix(path, "ls_set")[:3]})
    else:
        path = root / prid2011.SPLITS
        path.write_text(json.dumps(json.loads(path.read_text())[:3]))


@pytest.mark.parametrize("layout", ["ilids-vid", "prid2011"])
def test_a_set_of_three_splits_has_three(layout: str, tmp_path: Path) -> None:
    drawn = layout_split(layout, 6, 6, frames=1, size=(32, 16))
    root = write_layout(drawn, layout, tmp_path / "set", progress=False)
    cut_to_three(root, layout)
    found = protocol_splits(layout, root, official=False)
    assert [len(splits) for splits in found.values()] == [3, *[10] * (len(found) - 1)]
    plan = splits_of(layout, root, None, None, None, {"unofficial": True, "labels": None})
    assert list(plan) == ["split-0", "split-1", "split-2"]
    with pytest.raises(DataError, match=r"--split 3: .* has the splits 0 to 2"):
        splits_of(layout, root, None, 3, None, {"unofficial": True, "labels": None})


def test_drawn_people_have_the_protocols_of_mars() -> None:
    options = {"identities": 2, "test_identities": 4, "frames": 1, "size": (32, 16), "lazy": True}
    protocols = protocol_splits("synthped", **options)
    assert [name.split("/")[1] for name in protocols] == [WITHOUT, WITH, OFFICIAL, HALVES]


def test_what_makes_no_table(mars: Path) -> None:
    protocols = protocol_splits("mars", mars, official=False)
    features, tracklets = noisy(protocols), all_of(protocols)
    with pytest.raises(DataError, match="give one each"):
        protocol_table(features[:-1], tracklets, protocols)
    with pytest.raises(DataError, match="name each once"):
        protocol_table(features, [tracklets[0], *tracklets[:-1]], protocols)
    with pytest.raises(DataError, match="has no feature"):
        protocol_table(features[1:], tracklets[1:], protocols)
    with pytest.raises(DataError, match="has no split"):
        protocol_table(features, tracklets, {"x": []})
    with pytest.raises(DataError, match="not all in its gallery"):
        mars_protocols(load_dataset("mars", mars, f"mars/{WITHOUT}", official=False))


def test_the_real_index(tmp_path: Path) -> None:
    shared = os.environ.get("W3AN_SHARED_DATA")
    if not shared or not (Path(shared) / "mars_info").is_dir():
        pytest.skip("W3AN_SHARED_DATA does not point at a folder with mars_info")
    info = Path(shared) / "mars_info"
    train, test = (
        load_matrix(info / f"tracks_{p}_info.mat", f"track_{p}_info", 4) for p in ("train", "test")
    )
    query = load_matrix(info / "query_IDX.mat", "query_IDX").ravel() - 1
    write_mars_index(tmp_path / "info", train, test, query.tolist())
    split = load_dataset("mars", tmp_path, "mars/official", files="unchecked")
    protocols = mars_protocols(split, halves=0)
    rows = by_key(protocol_table(noisy(protocols, 1.0), all_of(protocols), protocols))
    counts = {k: (r.queries, r.without_mate, r.gallery, r.junk) for (k, _), r in rows.items()}
    assert counts == {
        WITHOUT: (1980, 140, 9330, 0),
        WITH: (1980, without_mate(protocols["mars/" + WITH][0]), 11310, 0),
        OFFICIAL: (1980, without_mate(split), 12180, 870),
    }
    assert counts[WITH][1] < 140
    assert sum(t.identity == DISTRACTOR for t in split.gallery) == 3248
    assert sum(t.identity == JUNK for t in split.gallery) == 870
    aps = {(k, ap): r.mean_ap for (k, ap), r in rows.items()}
    assert aps[OFFICIAL, "step"] == aps[WITH, "step"]
    assert len({round(v, 4) for (k, _), v in aps.items() if k != OFFICIAL}) == 4


@pytest.mark.parametrize("name", ["", "x"])
def test_tracklets_that_share_a_name_are_not_taken_for_one_another(name: str) -> None:
    split = synthped(1, 4, frames=2, size=(32, 16))
    gallery = [replace(t, name=name) for t in split.gallery]
    one = {"p": [Split("p", query=gallery[::2], gallery=gallery)]}
    with pytest.raises(DataError, match="features are kept by name, so name each once"):
        all_of(one)


def test_where_every_tracklet_asks() -> None:
    split = synthped(1, 2, frames=1, size=(32, 16))
    everybody = Split("all", query=split.gallery, gallery=split.gallery)
    protocols = mars_protocols(everybody, halves=0)
    assert list(protocols) == ["all/gallery-with-queries", "all/official"]
    assert mars_protocols(everybody, halves=0).keys() == protocols.keys()


def test_counts_are_of_the_first_split() -> None:
    split = synthped(1, 4, frames=1, size=(32, 16))
    (junk,) = synthped(1, 1, frames=1, size=(32, 16), seed=1).gallery[:1]
    from dataclasses import replace

    one = Split("a", query=split.query, gallery=split.gallery)
    junk = replace(junk, identity=-1, name="junk")
    two = Split(
        "b",
        query=split.query[:2],
        gallery=[*split.query[:2], split.gallery[-1], junk]
        + [t for t in split.gallery if t.identity == split.query[0].identity],
    )
    both = {"p": [one, two]}
    features = torch.arange(float(len(all_of(both))))[:, None]
    row = protocol_table(features, all_of(both), both)[0]
    assert row[3:7] == (len(one.query), 0, len(one.gallery), 0)


def test_spreads_stand_beside_their_means() -> None:
    row = ProtocolRow("p", "step", 2, 1, 0, 1, 0, 0.5, 0.6, 0.7, 0.01, 0.02)
    assert "50.0 ± 1.0" in format_protocols([row])
    assert "70.0 ± 2.0" in format_protocols([row])
