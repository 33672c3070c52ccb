from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w3an_lite.data.attributes import PARTS
from w3an_lite.data.synthetic import FIRST_TEST, draw, stills, synthped
from w3an_lite.data.tracklet import DataError, Split, Tracklet

DIGEST = "c365273f6da742accb688a8a603b9d85d734474e2fd62fd26fac9aa73af2488c"
few = settings(max_examples=25, deadline=None, derandomize=True)
people = st.integers(1, 400)
cameras = st.integers(1, 4)
occlusions = st.sampled_from(["none", "mixed", "heavy"])


def pixels(tracklet: Tracklet) -> np.ndarray:
    return tracklet.frames.read(range(len(tracklet)))


def same(a: Tracklet, b: Tracklet) -> bool:
    assert a.truth is not None
    assert b.truth is not None
    return (
        np.array_equal(pixels(a), pixels(b))
        and np.array_equal(a.truth.parts, b.truth.parts)
        and np.array_equal(a.truth.visibility, b.truth.visibility)
    )


def digest(split: Split) -> str:
    """SHA-256 over pixels, parts, attributes and visibility in ten-thousandths, little-endian."""
    sha = hashlib.sha256()
    for t in split.train + split.gallery:
        assert t.truth is not None
        assert t.attributes is not None
        sha.update(pixels(t).tobytes() + t.truth.parts.tobytes() + t.truth.mask.tobytes())
        sha.update(np.round(t.truth.visibility * 10000).astype("<i4").tobytes())
        sha.update(t.attributes.astype(np.uint8).tobytes())
    return sha.hexdigest()


@pytest.fixture(scope="module")
def split() -> Split:
    return synthped(identities=4, test_identities=4, frames=6, seed=7, test_occlusion="heavy")


def test_bytes_never_change(split: Split) -> None:
    assert digest(split) == DIGEST


def test_the_split_is_laid_out_as_promised(split: Split) -> None:
    assert [t.identity for t in split.train] == [i for i in (1, 2, 3, 4) for _ in range(4)]
    assert {t.identity for t in split.gallery} == {FIRST_TEST + k for k in range(4)}
    assert len(split.gallery) == 16
    assert [(t.identity, t.camera) for t in split.query] == [
        (FIRST_TEST + k, c) for k in range(4) for c in (1, 2)
    ]
    assert all(t.name.endswith("T0001") for t in split.query)
    assert len({t.name for t in split.train + split.gallery}) == 32
    assert pixels(split.train[0]).shape == (6, 3, 64, 32)


def test_asking_for_more_changes_nothing_drawn_before(split: Split) -> None:
    more = synthped(identities=5, test_identities=5, cameras=3, tracklets=3, frames=6, seed=7)
    by_name = {t.name: t for t in more.train}
    assert all(same(t, by_name[t.name]) for t in split.train)


def test_seeds_draw_different_people() -> None:
    assert not same(draw(1, 1, frames=2, seed=0), draw(1, 1, frames=2, seed=1))


@few
@given(people, cameras, st.integers(1, 3), st.integers(1, 20), occlusions)
def test_truth_is_consistent(
    identity: int, cam: int, number: int, frames: int, occlusion: str
) -> None:
    t = draw(identity, cam, number, frames, (32, 16), 3, occlusion)
    assert t.truth is not None
    v, mask, parts = t.truth.visibility, t.truth.mask, t.truth.parts
    assert v.shape == (frames,)
    assert v.dtype == np.float32
    assert v.min() >= 0
    assert v.max() <= 1
    assert np.array_equal(mask, parts > 0)
    assert parts.max() < len(PARTS)
    assert mask.any((1, 2))[v > 0.2].all()


@few
@given(people, cameras, st.integers(1, 3))
def test_nothing_hides_the_unoccluded_but_the_edge_of_the_box(
    identity: int, cam: int, number: int
) -> None:
    clear = draw(identity, cam, number, 8, occlusion="none").truth
    assert clear is not None
    assert clear.visibility.min() > 0.85
    assert np.median(clear.visibility) > 0.97
    edge = clear.mask.copy()
    edge[:, 1:-1, 1:-1] = False
    inside = ~edge.any((1, 2))
    assert (clear.visibility[inside] > 0.995).all()


@few
@given(people, cameras, st.integers(2, 24), st.sampled_from([(32, 16), (64, 32), (48, 48)]))
def test_heavy_keeps_its_promise(
    identity: int, cam: int, frames: int, size: tuple[int, int]
) -> None:
    clear = draw(identity, cam, 1, frames, size, 5, "none")
    heavy = draw(identity, cam, 1, frames, size, 5, "heavy")
    assert clear.truth is not None
    assert heavy.truth is not None
    share = heavy.truth.visibility / clear.truth.visibility
    covered = share < 0.97
    assert -(-45 * frames // 100) <= covered.sum() <= max(1, 80 * frames // 100)
    assert (share[covered] >= 0.1).all()
    assert (share[covered] <= 0.7).all()
    run = np.flatnonzero(covered)
    assert run[-1] - run[0] + 1 == len(run)  # one passage
    untouched = share == 1
    assert np.array_equal(heavy.truth.mask[untouched], clear.truth.mask[untouched])
    assert not (heavy.truth.mask & ~clear.truth.mask).any()


def test_mixed_covers_about_half_of_the_tracklets() -> None:
    drawn = [draw(i, 1, 1, 10, (32, 16), 0, "mixed").truth for i in range(1, 101)]
    counts = np.array([(t.visibility < 0.75).sum() for t in drawn if t is not None])
    assert 35 <= (counts > 0).sum() <= 65
    assert counts[counts > 0].min() >= 2
    assert counts.max() <= 5


def test_visibility_rises_and_falls_smoothly() -> None:
    steps = []
    for i in range(1, 30):
        truth = draw(i, 1, 1, 20, occlusion="heavy").truth
        assert truth is not None
        covered = truth.visibility[truth.visibility < 0.75]
        steps.append(np.abs(np.diff(covered)))
    assert np.quantile(np.concatenate(steps), 0.95) < 0.2


def test_the_same_scene_at_any_size() -> None:
    small = draw(3, 2, 1, 4, (64, 32), occlusion="heavy")
    large = draw(3, 2, 1, 4, (128, 64), occlusion="heavy")
    assert small.truth is not None
    assert large.truth is not None
    assert np.abs(small.truth.visibility - large.truth.visibility).max() < 0.08
    reduced = pixels(large).reshape(4, 3, 64, 2, 32, 2).mean((3, 5))
    assert np.abs(reduced - pixels(small)).mean() < 16
    shares = [t.truth.mask.mean() for t in (small, large) if t.truth]
    assert abs(shares[0] - shares[1]) < 0.02


def test_a_person_fills_about_a_third_of_the_crop() -> None:
    truths = [draw(i, i % 2 + 1, 1, 4).truth for i in range(1, 41)]
    share = np.mean([t.mask.mean() for t in truths if t is not None])
    assert 0.25 < share < 0.35


def test_cameras_and_backgrounds_differ_and_move() -> None:
    one, other = draw(1, 1, 1, 8), draw(1, 2, 1, 8)
    assert np.abs(pixels(one).mean((0, 2, 3)) - pixels(other).mean((0, 2, 3))).max() > 8
    walks = [draw(i, 1, 1, 8) for i in range(1, 9)]
    moved = [np.abs(np.diff(pixels(t).astype(int), axis=0))[:, :, :8, :4].mean() for t in walks]
    assert max(moved) > 10


def test_backgrounds_hold_no_identity() -> None:
    """The corner beside a person is no nearer to the same person's than to another's."""
    corner = {
        (i, k): pixels(draw(i, 1, k, 1, (32, 16))).mean(0)[:, :6, :3].ravel()
        for i in range(1, 41)
        for k in (1, 2)
    }
    own = [np.linalg.norm(corner[i, 1] - corner[i, 2]) for i in range(1, 41)]
    others = [
        np.linalg.norm(corner[i, 1] - corner[j, 2])
        for i in range(1, 41)
        for j in range(1, 41)
        if i != j
    ]
    assert 0.8 < np.mean(own) / np.mean(others) < 1.25


def test_stills_look_different_and_start_the_same() -> None:
    a, b = stills(6), stills(9)
    assert a.frames.shape == (6, 3, 64, 32)
    assert a.attributes.shape == (6, 67)
    assert a.truth.mask.shape == (6, 64, 32)
    assert np.array_equal(a.frames, b.frames[:6])
    video = np.concatenate([pixels(draw(i, 1, 1, 1)) for i in range(1, 21)])
    many = stills(20).frames
    assert many.mean() - video.mean() > 20  # a brighter place


def test_stills_as_a_split_have_one_frame_a_tracklet() -> None:
    split = synthped(2, 2, tracklets=1, size=(32, 16), domain="stills")
    assert {len(t) for t in split.train + split.gallery} == {1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"identities": 0}, "identities is 0"),
        ({"identities": 5001}, "identities is 5001"),
        ({"test_identities": -1}, "test_identities is -1"),
        ({"cameras": 0}, "cameras is 0"),
        ({"tracklets": 0}, "tracklets is 0"),
        ({"frames": 0}, "frames is 0"),
        ({"size": (0, 32)}, "size is"),
        ({"size": (64, -2)}, "size is"),
        ({"size": (65, 32)}, "size is"),
        ({"occlusion": "some"}, "occlusion 'some'"),
        ({"test_occlusion": "full"}, "occlusion 'full'"),
        ({"domain": "film"}, "domain 'film'"),
    ],
)
def test_senseless_options_are_refused_in_one_sentence(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        synthped(**options)
    assert "\n" not in str(error.value)


def test_no_stills_is_an_error() -> None:
    with pytest.raises(DataError, match="n is 0"):
        stills(0)


@pytest.mark.parametrize("size", [(100, 50), (104, 52), (18, 16), (50, 22)])
def test_occluded_people_are_drawn_at_sizes_that_do_not_divide(size: tuple[int, int]) -> None:
    split = synthped(24, 0, cameras=1, tracklets=1, frames=4, size=size, occlusion="heavy")
    assert all(t.frames.read([0]).shape[2:] == size for t in split.train)


def test_numbers_of_numpy_draw_the_same_and_a_list_is_a_size() -> None:
    one = synthped(1, 0, seed=3, frames=2, size=(32, 16)).train[0]
    other = synthped(1, 0, seed=np.int64(3), frames=2, size=[32, 16]).train[0]  # type: ignore[arg-type]
    assert np.array_equal(one.frames.read(range(2)), other.frames.read(range(2)))


def test_the_name_says_what_is_hidden_in_the_test_too() -> None:
    names = [synthped(1, 0, occlusion="mixed", test_occlusion=x).name for x in (None, "heavy")]
    assert names == ["synthped-video-mixed-0", "synthped-video-mixed-heavy-0"]
