"""`ClipView`: what it keeps between looks never changes what the model says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from w3an_lite.cam import scale_map
from w3an_lite.clip_view import COVER, ClipView
from w3an_lite.data.tracklet import ArrayFrames, Tracklet
from w3an_lite.inference import observe
from w3an_lite.model import W3AN


def tracklet(frames: int = 7) -> Tracklet:
    rng = np.random.default_rng(frames)
    pixels = rng.integers(0, 256, (frames, 3, 32, 16), dtype=np.uint8)
    return Tracklet(ArrayFrames(pixels), 1, 1, "a")


@pytest.fixture(params=["repaired", "paper", "mean_pool"])
def model(request: pytest.FixtureRequest) -> W3AN:
    torch.manual_seed(0)
    return W3AN.preset(
        request.param, 3, backbone="narrow", trunk={"width": 2}, size=(32, 16), clip_length=3
    ).eval()


def test_an_uncovered_look_is_what_observe_says(model: W3AN) -> None:
    look, seen = ClipView(model, tracklet()).look(), observe(model, [tracklet()])
    for name in ("beta", "identity_map", "attribute_map", "embedding"):
        torch.testing.assert_close(getattr(look, name), getattr(seen, name)[0])
    torch.testing.assert_close(look.alpha.mean(1), seen.alpha[0])


def test_a_covered_look_is_a_forward_pass_of_the_covered_frames(model: W3AN) -> None:
    view = ClipView(model, tracklet())
    view.look()
    look = view.look((0, 2), (0.25, 0.5, 0.0, 1.0))
    expected = view.frames.copy()
    expected[[0, 2], :, 8:16] = np.array(COVER)[:, None, None]
    np.testing.assert_array_equal(look.frames, expected)
    with torch.no_grad():
        out = model(torch.from_numpy(expected)[None].float() / 255)
    torch.testing.assert_close(look.beta, out.beta[0])
    torch.testing.assert_close(look.joined, out.neighbours[0])
    torch.testing.assert_close(look.embedding, out.embedding[0])
    torch.testing.assert_close(look.alpha, out.alpha[0])
    torch.testing.assert_close(
        look.probability, out.attribute_logits[0].softmax(-1)[..., 1].mean(0)
    )
    present = (look.probability > 0.5).long().expand(1, 3, -1)
    maps = model.heads.attribute_maps(out.cube, present)[0]
    torch.testing.assert_close(look.evidence, scale_map(maps, model.map_form == "evidence"))
    np.testing.assert_array_equal(view.look().frames, view.frames)


def test_only_the_covered_frames_go_through_the_trunk_again(
    model: W3AN, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    whole = model.backbone.forward
    monkeypatch.setattr(model.backbone, "forward", lambda x: counts.append(len(x)) or whole(x))
    view = ClipView(model, tracklet())
    for covered in ((), (1,), (1,), (0, 2), ()):
        view.look(covered, (0.0, 0.5, 0.0, 1.0)) if covered else view.look()
    assert counts == [3, 1, 2]


def test_looking_leaves_the_model_as_it_was(model: W3AN) -> None:
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    view = ClipView(model, tracklet())
    view.look((1,))
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
