"""Eq. 5-7: the map adds up to the score, and is Grad-CAM for a linear head."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from w3an_lite.backbone import NarrowTrunk
from w3an_lite.cam import Heads, activation_map, fuse_attribute_maps, guide_frames, scale_map
from w3an_lite.guidance import class_maps

B, T, M, H, W = 2, 3, 8, 4, 2


@pytest.fixture
def cube() -> Tensor:
    return torch.rand(B, T, M, H, W)


@pytest.mark.parametrize("flatten", [None, (H, W)])
def test_a_map_adds_up_to_its_score(cube: Tensor, flatten: tuple[int, int] | None) -> None:
    """Eq. 5: S_c = Σ_xy m_c(x, y), but for the bias and the mean taken in place of the sum."""
    heads = Heads(M, 5, 3, flatten)
    identity = torch.tensor([[0, 4, 2], [1, 1, 3]])
    logits, attribute_logits = heads(cube)
    assert logits.shape == (B, T, 5)
    assert attribute_logits.shape == (B, T, 3, 2)
    count = H * W if flatten is None else 1
    score = (logits - heads.identity.bias).gather(2, identity[..., None])[..., 0]
    torch.testing.assert_close(heads.identity_map(cube, identity).sum((-2, -1)), score * count)

    present = torch.tensor([1, 0, 1]).expand(B, T, 3)
    bias = heads.attribute.bias.unflatten(0, (3, 2))
    evidence = attribute_logits - bias
    evidence = (evidence[..., 1] - evidence[..., 0]) * torch.tensor([1, -1, 1])
    maps = heads.attribute_maps(cube, present)
    assert maps.shape == (B, T, 3, H, W)
    torch.testing.assert_close(maps.sum((-2, -1)), evidence * count)


def test_a_map_by_hand() -> None:
    cube = torch.tensor([[[1.0, 2.0]], [[3.0, -1.0]]])  # two channels, 1×2 positions
    weight = torch.tensor([2.0, 1.0])[:, None, None]
    assert activation_map(cube, weight).tolist() == [[5.0, 3.0]]


def test_a_pooled_map_is_grad_cam_of_the_linear_head() -> None:
    grad_cam = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    trunk = NarrowTrunk(width=2)
    heads = Heads(trunk.channels, 5, 1)
    net = nn.Sequential(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), heads.identity).eval()
    frames = torch.rand(2, 3, 64, 32)
    classes = torch.tensor([1, 3])
    with grad_cam.GradCAM(model=net, target_layers=[trunk.stages]) as cam:
        wanted = [targets.ClassifierOutputTarget(int(c)) for c in classes]
        shown = torch.from_numpy(cam(input_tensor=frames, targets=wanted))
        seen, slope = (
            part[0].numpy()
            for part in (cam.activations_and_grads.activations, cam.activations_and_grads.gradients)
        )
        raw = torch.from_numpy(cam.get_cam_image(frames, trunk.stages, wanted, seen, slope))
    with torch.no_grad():
        cube = trunk(frames)
        ours = heads.identity_map(cube.unsqueeze(1), classes.unsqueeze(1))[:, 0]
    positions = cube.shape[-2] * cube.shape[-1]
    # to scale: the head takes the mean over positions, Eq. 5 the sum
    torch.testing.assert_close(raw * positions, ours, atol=1e-5, rtol=1e-4)
    # what it draws: the evidence for the class, enlarged and scaled
    small = scale_map(ours.relu())[:, None]
    large = functional.interpolate(small, size=frames.shape[-2:], mode="bilinear")
    torch.testing.assert_close(shown, scale_map(large)[:, 0], atol=1e-3, rtol=1e-3)
    assert shown.amax((1, 2))[0] > 0.99


def test_the_flattened_head_says_what_size_it_was_made_for(cube: Tensor) -> None:
    with pytest.raises(ValueError, match=r"the cube is \(4, 2\).*made for \(3, 2\)"):
        Heads(M, 5, 3, (3, 2))(cube)


def test_scale_map_spans_0_to_1_and_leaves_a_flat_map_at_0() -> None:
    maps = torch.stack([torch.randn(H, W), torch.randn(H, W) * 50 - 9, torch.full((H, W), 7.0)])
    scaled = scale_map(maps)
    assert scaled.amin((1, 2)).tolist() == [0, 0, 0]
    assert scaled.amax((1, 2)).tolist() == [1, 1, 0]
    assert torch.equal(scaled[0].flatten().argsort(), maps[0].flatten().argsort())


def test_attribute_maps_are_scaled_before_and_after_they_are_added() -> None:
    maps = torch.tensor([[[0.0, 10.0, 5.0]], [[0.3, 0.1, 0.2]]])  # A=2 maps of 1×3
    # scaled: [0, 1, .5] and [1, 0, .5]; the sum is flat, and a flat map is 0
    torch.testing.assert_close(fuse_attribute_maps(maps), torch.zeros(1, 3))
    chosen = torch.tensor([1, 0])
    torch.testing.assert_close(fuse_attribute_maps(maps, chosen), torch.tensor([[0.0, 1.0, 0.5]]))
    assert fuse_attribute_maps(maps, torch.zeros(2)).abs().max() == 0


def test_guided_frames_by_hand() -> None:
    frames = torch.rand(1, 1, 3, 4, 4)
    one, two = torch.full((1, 1, 2, 2), 0.25), torch.full((1, 1, 2, 2), 0.5)
    torch.testing.assert_close(guide_frames(frames, one, two), frames + 0.75)
    torch.testing.assert_close(guide_frames(frames, one, two, strength=2), frames + 1.5)
    corner = torch.zeros(1, 1, 2, 2)
    corner[..., 0, 1] = 1  # upper right
    added = (guide_frames(frames, corner, corner * 0) - frames)[0, 0]
    torch.testing.assert_close(added[0], added[2])
    assert added[0, 0, 3] == pytest.approx(1, abs=1e-6)
    assert added[0, 3, 0] == pytest.approx(0, abs=1e-6)


def test_centred_maps_of_all_persons_cancel(cube: Tensor) -> None:
    """Evidence for one is evidence against the others, channel by channel."""
    heads = Heads(M, 5, 3)
    maps = [heads.identity_map(cube, torch.full((B, T), k), True) for k in range(5)]
    torch.testing.assert_close(sum(maps), torch.zeros(B, T, H, W), atol=1e-5, rtol=0)
    assert maps[0].abs().max() > 0.01


def test_a_map_is_enlarged_smoothly() -> None:
    ramp = torch.tensor([[0.0], [1.0]])[None, None]
    out = guide_frames(torch.zeros(1, 1, 3, 4, 2), ramp, torch.zeros_like(ramp))
    assert out[0, 0, 0, :, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_without_a_label_the_clip_decides_whose_map_it_is(cube: Tensor) -> None:
    """By the mean of its frames' logits, not by one frame."""
    heads = Heads(M, 2, 3)
    logits = torch.tensor([[[0.0, 1.0], [3.0, 0.0], [3.0, 0.0]]]).expand(B, T, 2)
    given = (logits, torch.zeros(B, T, 3, 2), None, None, "all", "raw")
    identity_map, _ = class_maps(heads, cube, *given)
    own = heads.identity_map(cube, torch.zeros(B, T).long(), False)
    assert torch.equal(identity_map, own)


def test_maps_of_evidence_by_hand() -> None:
    maps = torch.tensor([[[-4.0, 0.0, 2.0, 1.0]], [[-1.0, 3.0, 3.0, 0.0]]])
    assert scale_map(maps, True).tolist() == [[[0, 0, 1, 0.5]], [[0, 1, 1, 0]]]
    assert fuse_attribute_maps(maps, None, True).tolist() == [[0, 0.5, 1, 0.25]]
    assert fuse_attribute_maps(maps[:, :, 2:3], None, True).tolist() == [[1.0]]


@pytest.mark.parametrize("form", ["raw", "range", "evidence"])
@pytest.mark.parametrize("of", ["all", "present"])
def test_labels_choose_the_classes_and_predictions_where_none_is_known(
    cube: Tensor, form: str, of: str
) -> None:
    """A person known is drawn as known; an attribute is present from above a half on."""
    heads, evidence = Heads(M, 4, 5), form == "evidence"
    identity = torch.tensor([3, 1])
    guess = torch.zeros(B, T, 5, 2)
    guess[..., [0, 2, 4], 1] = 1.0  # predicted present: the first, third and last
    attributes = torch.tensor([[0.0, 0.51, -1.0, -1.0, 0.5], [1.0, 0.0, 0.25, 0.75, -1.0]])
    present = torch.tensor([[0, 1, 1, 0, 0], [1, 0, 0, 1, 1]])[:, None].expand(B, T, 5)
    given = (torch.randn(B, T, 4), guess, identity, attributes, of, form)
    m_i, m_a = class_maps(heads, cube, *given)
    own = heads.identity_map(cube, identity[:, None].expand(B, T), evidence)
    each = heads.attribute_maps(cube, present)
    chosen = present if of == "present" else None
    if form == "raw":
        wanted = (each if chosen is None else each * chosen[..., None, None]).sum(2)
        assert torch.equal(m_i, own)
    else:
        wanted = fuse_attribute_maps(each, chosen, evidence)
        assert torch.equal(m_i, scale_map(own, evidence))
    torch.testing.assert_close(m_a, wanted)
