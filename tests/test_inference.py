"""Tracklets through a model: the same numbers, however they are batched."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from w3an_lite import inference
from w3an_lite.data.sampling import even_frames
from w3an_lite.data.tracklet import DataError, Size, Tracklet
from w3an_lite.footage import embed
from w3an_lite.frames import fit
from w3an_lite.inference import embed_tracklets, frame_beta, observe
from w3an_lite.model import W3AN
from w3an_lite.output import Encoded

Build = Callable[..., W3AN]
Crowd = Callable[..., list[Tracklet]]


@given(st.integers(1, 50), st.integers(1, 12))
def test_clips_of_a_test(length: int, clip: int) -> None:
    even = inference.test_clips(length, clip, "even")
    assert even.tolist() == [even_frames(length, clip).tolist()]
    for frames in ("dense", "consecutive"):
        clips = inference.test_clips(length, clip, frames)
        assert set(clips.flatten().tolist()) == set(range(length))


def test_unknown_clips(tiny: Build, crowd: Crowd) -> None:
    with pytest.raises(ValueError, match="frames 'all' is not known; choose 'even', 'dense' or"):
        embed_tracklets(tiny(), crowd(1), frames="all")


def test_each_module_is_afterwards_in_the_mode_it_was_in(tiny: Build, crowd: Crowd) -> None:
    model, people = tiny().train(), crowd(1, frames=4)
    model.backbone.eval()  # a trunk that is held fixed stays so
    before = [module.training for module in model.modules()]
    assert {True, False} == {*before}
    calls: list[Callable[[], object]] = [
        lambda: embed_tracklets(model, people),
        lambda: frame_beta(model, people),
        lambda: observe(model, people),
        lambda: model.embed(people[0].frames.read(range(4))),
    ]
    norms = {k: v.clone() for k, v in model.state_dict().items()}
    for call in calls:
        call()
        assert [module.training for module in model.modules()] == before
    for name, value in model.state_dict().items():
        assert torch.equal(value, norms[name]), name  # in test mode, meanwhile


@pytest.mark.parametrize("batch", [0, -1, 1.5, 2.0, "8", None])
def test_batches_that_are_no_number_of_clips_are_refused(
    tiny: Build, crowd: Crowd, batch: object
) -> None:
    """Half a clip more would never be reached, and the whole set held at once."""
    for call in (embed_tracklets, frame_beta, observe):
        with pytest.raises(ValueError, match=f"batch is {batch!r}; give a whole number"):
            call(tiny(), crowd(1), batch=batch)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_dense_features_are_those_of_embed(tiny: Build, crowd: Crowd, batch: int) -> None:
    """Tracklets of 1, 2, 3 and 23 frames with T = 3, whose clips share batches."""
    model, people = tiny().eval(), crowd(2, each=4, frames=[1, 23, 3, 2])
    features = embed_tracklets(model, people, frames="dense", batch=batch)
    assert features.shape == (8, 16)
    for row, tracklet in zip(features, people, strict=True):
        pixels = torch.from_numpy(tracklet.frames.read(range(len(tracklet))))
        torch.testing.assert_close(row, model.embed(pixels), atol=1e-5, rtol=1e-4)


def test_every_frame_has_its_beta(tiny: Build, crowd: Crowd) -> None:
    """Of seven frames, clips of three are 0 2 4, 0 3 5 and 1 3 6: frames 0 and 3 are in two."""
    model, people = tiny("repaired").eval(), crowd(1, each=2, frames=[7, 2])
    long, short = frame_beta(model, people, batch=2)
    pixels = torch.from_numpy(people[0].frames.read(range(7)))
    with torch.no_grad():
        cuts = ([0, 2, 4], [0, 3, 5], [1, 3, 6])
        one, two, three = (model(pixels[cut].unsqueeze(0)).beta[0] for cut in cuts)
    both = [(one[0] + two[0]) / 2, (two[1] + three[1]) / 2]
    wanted = torch.stack([both[0], three[0], one[1], both[1], one[2], two[2], three[2]])
    torch.testing.assert_close(long, wanted, atol=1e-5, rtol=1e-4)
    assert short.shape == (2,)
    assert torch.isfinite(short).all()


class WatchedFrames:
    """`count` frames drawn when asked for, which remember how many were asked for at most."""

    def __init__(self, count: int) -> None:
        self.count, self.largest, self.read_all = count, 0, set[int]()

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Sequence[int] | np.ndarray, size: Size | None = None) -> np.ndarray:
        self.largest = max(self.largest, len(indices))
        self.read_all.update(int(i) for i in indices)
        return np.full((len(indices), 3, *(size or (32, 16))), indices[0] % 256, np.uint8)


@pytest.mark.parametrize(("tracklets", "length"), [(1, 20_000), (500, 4)])
def test_memory_does_not_grow_with_tracklets_or_their_length(
    tiny: Build, monkeypatch: pytest.MonkeyPatch, tracklets: int, length: int
) -> None:
    model = tiny(clip_length=10, slots=False)
    inside: list[int] = []

    def encode(frames: Tensor) -> Encoded:
        inside.append(frames.shape[0] * frames.shape[1])
        return W3AN.encode(model, frames)

    monkeypatch.setattr(model, "encode", encode)
    watched = [WatchedFrames(length) for _ in range(tracklets)]
    people = [Tracklet(frames, 1, 1) for frames in watched]
    features = embed_tracklets(model, people, frames="dense", batch=8)
    assert features.shape == (tracklets, 16)
    assert all(frames.read_all == set(range(length)) for frames in watched)
    assert max(frames.largest for frames in watched) == 10  # one clip
    assert max(inside) == 80  # one batch


def test_other_doors_read_no_tracklet_whole(tiny: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    model, watched = tiny(clip_length=10, slots=False), WatchedFrames(3_000)
    content = embed(model, [Tracklet(watched, 1, 1)])
    assert content.frames.shape == (1, 10, 3, 32, 16)
    assert watched.largest == 10
    inside: list[int] = []

    def watch(frames: Tensor, size: Size) -> Tensor:
        inside.append(len(frames))
        return fit(frames, size)

    monkeypatch.setattr("w3an_lite.model.fit", watch)
    pixels = torch.zeros(3, 32, 16, dtype=torch.uint8).expand(3_000, -1, -1, -1)
    assert model.embed(pixels, batch=8).shape == (16,)
    assert max(inside) == 80  # of whatever size they come, before they are scaled


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_even_features_are_those_of_one_clip(tiny: Build, crowd: Crowd, batch: int) -> None:
    model, people = tiny().eval(), crowd(2, each=4, frames=[1, 23, 3, 2])
    features = embed_tracklets(model, people, batch=batch)
    seen = observe(model, people, batch=batch)
    for i, tracklet in enumerate(people):
        cut = even_frames(len(tracklet), 3)
        clip = torch.from_numpy(tracklet.frames.read(cut))[None]
        out = model(clip)
        expected = {
            "beta": out.beta,
            "alpha": out.alpha.mean(2),
            "identity_map": out.identity_map,
            "attribute_map": out.attribute_map,
            "embedding": out.embedding,
        }
        for name, value in expected.items():
            torch.testing.assert_close(getattr(seen, name)[i], value[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(features[i], out.embedding[0], atol=1e-5, rtol=1e-4)
        assert (seen.indices[i] == cut).all()
    assert seen.alpha.sum((-2, -1)).numpy() == pytest.approx(np.ones((8, 3)), abs=1e-5)


def test_frames_of_any_size_are_fitted(tiny: Build, crowd: Crowd) -> None:
    people = crowd(1, size=(32, 16)) + crowd(1, size=(50, 30))
    assert embed_tracklets(tiny(), people).shape == (4, 16)
    assert observe(tiny(), people).beta.shape == (4, 3)


def test_the_flat_embedding_has_the_mean_beta_everywhere(tiny: Build, crowd: Crowd) -> None:
    people = crowd(2)
    model = tiny(readout="beta", degree="weighted", layers=0).eval()
    seen = observe(model, people)
    even = torch.from_numpy(np.stack([t.frames.read(even_frames(5, 3)) for t in people]))
    torch.testing.assert_close(
        seen.flat_embedding, model(even).frame_features.mean(1), atol=1e-5, rtol=1e-4
    )
    assert not torch.allclose(seen.flat_embedding, seen.embedding, atol=1e-6)
    # a β that is the same in every frame already leaves nothing to flatten
    torch.nn.init.zeros_(model.tan.score.weight)
    seen = observe(model, people)
    torch.testing.assert_close(seen.flat_embedding, seen.embedding, atol=1e-6, rtol=1e-5)


def test_a_model_in_training_is_not_taught_by_a_test(tiny: Build, crowd: Crowd) -> None:
    model, people = tiny(), crowd(2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    features = embed_tracklets(model.train(), people)
    seen = observe(model.train(), people)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    torch.testing.assert_close(seen.embedding, features)
    assert not features.requires_grad


def test_no_tracklets(tiny: Build) -> None:
    with pytest.raises(DataError, match="no tracklets to embed"):
        embed_tracklets(tiny(), [])
    with pytest.raises(DataError, match="no tracklets to observe"):
        observe(tiny(), [])
