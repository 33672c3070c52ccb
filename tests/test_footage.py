"""Embeddings of footage: kept whole, read strictly, ranked by distance."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from w3an_lite import footage
from w3an_lite.audit import Clear, Within
from w3an_lite.data.mot import read_mot
from w3an_lite.data.sampling import even_frames
from w3an_lite.data.tracklet import ArrayFrames, DataError, Tracklet
from w3an_lite.footage import (
    Embeddings,
    FilmScores,
    Found,
    could_be_same,
    draw_ranking,
    embed,
    judge,
    load_embeddings,
    nearest,
    save_embeddings,
)
from w3an_lite.inference import frame_beta
from w3an_lite.model import W3AN


def _tracklets(count: int = 4) -> list[Tracklet]:
    rng = np.random.default_rng(0)
    return [
        Tracklet(
            ArrayFrames(rng.integers(0, 256, (5 + i, 3, 32, 16), dtype=np.uint8)),
            identity=i + 1,
            camera=1,
            name=f"track {i + 1}",
        )
        for i in range(count)
    ]


@pytest.fixture
def model() -> W3AN:
    torch.manual_seed(0)
    return W3AN.preset(
        "repaired", 3, backbone="narrow", trunk={"width": 2}, size=(32, 16), clip_length=3
    ).eval()


def test_embeddings_are_those_of_the_whole_tracklet_and_survive_the_file(
    model: W3AN, tmp_path: Path
) -> None:
    tracklets = _tracklets()
    content = embed(model, tracklets)
    whole = model.embed(torch.from_numpy(tracklets[2].frames.read(range(7))))
    torch.testing.assert_close(torch.from_numpy(content.embedding[2]), whole)
    save_embeddings(content, tmp_path / "a.npz")
    back = load_embeddings(tmp_path / "a.npz")
    for name, before, after in zip(content._fields, content, back, strict=True):
        np.testing.assert_array_equal(before, after, err_msg=name)


def test_nearest_leaves_the_tracklet_itself_out_and_orders_by_distance(model: W3AN) -> None:
    content = embed(model, _tracklets(3))._replace(
        embedding=np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]], np.float32)
    )
    found = nearest(content, top=5)
    assert [list(f.rows) for f in found] == [[1, 2], [0, 2], [0, 1]]
    np.testing.assert_allclose(found[1].distance, [1.0, 10**0.5], rtol=1e-5)


def test_tracks_seen_at_once_are_not_one_person() -> None:
    allowed = could_be_same([1, 5, 6, 20], [5, 9, 30, 25])
    expected = np.zeros((4, 4), bool)
    for i, j in ((0, 2), (0, 3), (1, 3)):  # 0 and 1 share frame 5, 3 lies within 2
        expected[i, j] = expected[j, i] = True
    np.testing.assert_array_equal(allowed, expected)


def test_nearest_finds_only_who_is_allowed(model: W3AN) -> None:
    content = embed(model, _tracklets(3))
    allowed = np.array([[True, True, False], [True, False, True], [False, True, False]])
    assert [sorted(f.rows) for f in nearest(content, 5, allowed)] == [[1], [0, 2], [1]]
    assert [len(f.distance) for f in nearest(content, 1, ~np.ones((3, 3), bool))] == [0, 0, 0]


def test_a_ranking_is_drawn(model: W3AN, tmp_path: Path) -> None:
    content = embed(model, _tracklets(3))
    path = draw_ranking(content, 1, nearest(content, 2)[1], tmp_path / "new")
    assert path.name == "0001.png"
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_one_tracklet_alone_cannot_be_ranked(model: W3AN) -> None:
    with pytest.raises(DataError, match="at least two"):
        nearest(embed(model, _tracklets(1)))


def test_files_that_are_no_embeddings_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz does not exist"):
        load_embeddings(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no", encoding="utf-8")
    with pytest.raises(DataError, match=r"text\.npz"):
        load_embeddings(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", names=np.array(["a"]))
    with pytest.raises(DataError, match=r"other\.npz holds no embeddings"):
        load_embeddings(tmp_path / "other.npz")
    np.savez(tmp_path / "pickle.npz", names=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"pickle\.npz"):
        load_embeddings(tmp_path / "pickle.npz")


def test_damaged_embeddings_are_named_and_not_ranked(model: W3AN, tmp_path: Path) -> None:
    content = embed(model, _tracklets(3))
    save_embeddings(content, tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    middle = len(whole) // 2
    (tmp_path / "half.npz").write_bytes(whole[:middle])
    (tmp_path / "empty.npz").touch()
    (tmp_path / "middle.npz").write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    np.save(tmp_path / "array.npy", content.embedding)
    short = content._replace(embedding=content.embedding[:-1])
    save_embeddings(short, tmp_path / "short.npz")
    save_embeddings(content._replace(beta=np.float32(1)), tmp_path / "single.npz")
    for name in ("half.npz", "empty.npz", "middle.npz", "array.npy", "short.npz", "single.npz"):
        with pytest.raises(DataError, match=rf"{name} holds no embeddings .*make it again"):
            load_embeddings(tmp_path / name)
    with pytest.raises(DataError, match="3 names, but 2 of embedding"):
        load_embeddings(tmp_path / "short.npz")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("embedding", lambda a: a.astype(str), "embedding is <U"),
        ("embedding", lambda a: a[:, 0], r"embedding is float32 \[3\]"),
        ("frames", lambda a: a[:, :, 0], r"frames is uint8 \[3, 3, 32, 16\]"),
        ("frames", lambda a: a[:, :, :2], r"frames \[3, 3, 2, 32, 16\], maps .* not of the same"),
        ("maps", lambda a: a[:, :1], r"maps \[3, 1, .* are not of the same clips"),
        ("beta", lambda a: a[:, :2], r"beta \[3, 2\] are not of the same clips"),
        ("identity", lambda a: a.astype(float), "identity is float64"),
    ],
)
def test_embeddings_of_another_shape_are_named(
    model: W3AN, tmp_path: Path, name: str, change: Callable[[np.ndarray], np.ndarray], says: str
) -> None:
    content = embed(model, _tracklets(3))
    save_embeddings(content, tmp_path / "a.npz")
    load_embeddings(tmp_path / "a.npz")
    save_embeddings(content._replace(**{name: change(getattr(content, name))}), tmp_path / "a.npz")
    with pytest.raises(DataError, match=rf"a\.npz holds no embeddings .*{says}"):
        load_embeddings(tmp_path / "a.npz")


def test_a_film_is_judged_by_who_is_found_and_by_what_can_be_seen(
    model: W3AN, tmp_path: Path
) -> None:
    colours = [(200, 20, 20), (20, 200, 20), (20, 20, 200)]
    rng = np.random.default_rng(0)
    (tmp_path / "film").mkdir()
    dark = even_frames(7, model.clip_length)  # all frames of a track count, not these alone
    for number in range(1, 8):
        picture = np.zeros((40, 120, 3))
        for track in range(6 * (number - 1 not in dark)):  # two visits of each colour
            picture[:, 20 * track : 20 * track + 20] = colours[track // 2]
        picture = (picture + rng.normal(0, 10, picture.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "film" / f"{number:04d}.png")
    boxes = [f"{n},{t + 1},{2 + 20 * t},2,16,36,1,-1,-1,-1" for t in range(6) for n in range(1, 8)]
    (tmp_path / "gt.txt").write_text("\n".join(boxes))
    people = [f"{t + 1},{'abc'[t // 2]},{t % 2},1,7" for t in range(6)]
    labels = tmp_path / "who.csv"
    labels.write_text("\n".join(["track_id,person,visit,first_frame,last_frame", *people]))
    tracks = read_mot(tmp_path / "film", tmp_path / "gt.txt", size=model.size)

    bare = judge(model, tracks, labels)
    assert bare.row() == {"rank-1": 1.0, "mAP": 1.0}
    seen = {
        (t.identity, n): float(beta)
        for t, row in zip(tracks, frame_beta(model, tracks), strict=True)
        for n, beta in enumerate(row, start=1)
    }
    told = judge(model, tracks, labels, seen, "cosine").row()
    assert told["Spearman of β with visibility"] == pytest.approx(1.0)
    del seen[2, 3]
    with pytest.raises(DataError, match="track 2, frame 3"):
        judge(model, tracks, labels, seen)


def test_what_is_kept_of_each_tracklet_is_its_own(model: W3AN) -> None:
    people = [replace(t, camera=7 - i) for i, t in enumerate(_tracklets())]
    content = embed(model, people)
    assert content.names.tolist() == [t.name for t in people]
    assert content.identity.tolist() == [1, 2, 3, 4]
    assert content.camera.tolist() == [7, 6, 5, 4]
    for t, kept, maps, beta in zip(people, content.frames, content.maps, content.beta, strict=True):
        clip = t.frames.read(even_frames(len(t), model.clip_length))
        np.testing.assert_array_equal(kept, clip)
        with torch.no_grad():
            out = model(torch.from_numpy(clip)[None])
        np.testing.assert_allclose(maps, out.alpha[0].mean(1), rtol=2e-3, atol=1e-4)
        np.testing.assert_allclose(beta, out.beta[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("names", "S"), ("camera", float), ("frames", float), ("maps", int), ("beta", int)],
)
def test_embeddings_of_another_kind_are_named(
    model: W3AN, tmp_path: Path, name: str, kind: object
) -> None:
    content = embed(model, _tracklets(2))
    changed = getattr(content, name).astype(kind)
    save_embeddings(content._replace(**{name: changed}), tmp_path / "a.npz")
    with pytest.raises(DataError, match=f"{name} is .*; make it again"):
        load_embeddings(tmp_path / "a.npz")


def test_embeddings_of_nobody_are_none(model: W3AN, tmp_path: Path) -> None:
    content = embed(model, _tracklets(1))
    save_embeddings(Embeddings(*(part[:0] for part in content)), tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"names is <U\d+ \[0\]"):
        load_embeddings(tmp_path / "a.npz")


class Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def test_code_among_embeddings_does_not_run(model: W3AN, tmp_path: Path) -> None:
    names = np.array([Hostile(tmp_path / "ran")], dtype=object)
    np.savez(tmp_path / "a.npz", **embed(model, _tracklets(1))._replace(names=names)._asdict())
    with pytest.raises(DataError, match=r"a\.npz holds no embeddings"):
        load_embeddings(tmp_path / "a.npz")
    assert not (tmp_path / "ran").exists()


def test_whom_a_row_may_find_is_said_by_row(model: W3AN) -> None:
    content = embed(model, _tracklets(3))
    allowed = np.array([[False, True, False], [False, False, True], [False, False, False]])
    assert [list(f.rows) for f in nearest(content, 5, allowed)] == [[1], [2], []]


def test_as_near_as_another_comes_in_order(model: W3AN) -> None:
    """Sixty tracklets, all but two of which lie on one point."""
    spread = np.zeros((60, 2), np.float32)
    spread[[7, 50]] = [[3, 0], [5, 0]]
    content = embed(model, _tracklets(2))._replace(
        embedding=spread, names=np.array([str(k) for k in range(60)])
    )
    found = nearest(content, top=59)
    same = [k for k in range(1, 60) if k not in (7, 50)]
    assert found[0].rows.tolist() == [*same, 7, 50]
    np.testing.assert_allclose(found[0].distance[-3:], [0, 3, 5], atol=1e-3)
    one = nearest(content, top=1)
    assert [len(f.rows) for f in one] == [1] * 60
    with pytest.raises(ValueError, match="top is 0; at least 1"):
        nearest(content, top=0)


def test_the_scores_of_a_film_go_by_their_names() -> None:
    ranking: Any = SimpleNamespace(rank=lambda r: r / 10, mean_ap=0.7)
    within, clear = Within(0.3, 1, 0, np.ones(1)), Clear(0.9, 1, 1, 0)
    assert FilmScores(ranking).row() == {"rank-1": 0.1, "mAP": 0.7}
    assert FilmScores(ranking, within, clear).row() == {
        "rank-1": 0.1, "mAP": 0.7, "Spearman of β with visibility": 0.3, "clear above covered": 0.9,
    }  # fmt: skip


def test_a_film_is_judged_as_asked(model: W3AN, monkeypatch: pytest.MonkeyPatch) -> None:
    """The windows under their labels, whole, by the metric; β against what can be seen."""
    cut, parts, asked = _tracklets(2), _tracklets(3), []

    def searched(*given: Any) -> str:
        asked.append(given)
        return "ranking"

    monkeypatch.setattr(footage, "label_windows", lambda some, labels: {labels: parts}["who.csv"])
    monkeypatch.setattr(footage, "visibility_of", lambda some, told: told["seen"])
    monkeypatch.setattr(footage, "search", searched)
    monkeypatch.setattr(footage, "frame_beta", lambda _, some: ("beta", len(some)))
    monkeypatch.setattr(footage, "spearman_within", lambda *given: ("within", *given))
    monkeypatch.setattr(footage, "auc_clear_covered", lambda *given: ("clear", *given))
    seen: Any = {"seen": "visibility"}
    found = judge(model, cut, "who.csv", seen, "cosine", "mine")
    (network, split, frames, metric) = asked[0]
    assert (network, split.name, frames, metric) == (model, "mine", "dense", "cosine")
    assert split.query == split.gallery == parts
    pair = (("beta", 2), "visibility")
    assert found == ("ranking", ("within", *pair), ("clear", *pair))


def test_a_ranking_is_drawn_with_its_own_maps(
    model: W3AN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, drawn = embed(model, _tracklets(3)), []
    monkeypatch.setattr(footage, "attention_grid", lambda rows: drawn.extend(rows))
    monkeypatch.setattr(footage, "save", lambda _, path: path)
    found = Found(np.array([0, 1]), np.array([0.125, 2.0], np.float32))
    assert draw_ranking(content, 2, found, tmp_path) == tmp_path / "0002.png"
    assert [row[0] for row in drawn] == ["track 3", "1. track 1, 0.12", "2. track 2, 2.00"]
    for row, k in zip(drawn, (2, 0, 1), strict=True):
        for got, wanted in zip(row[1:], (content.frames, content.maps, content.beta), strict=True):
            np.testing.assert_array_equal(got, wanted[k])
