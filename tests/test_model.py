"""W3AN as a whole: each argument does what it says and nothing else, whatever the company."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from w3an_lite.backbone import NarrowTrunk, frozen_statistics
from w3an_lite.cam import fuse_attribute_maps, scale_map
from w3an_lite.frames import cut_clips, fit, normalise
from w3an_lite.gcn import propagation
from w3an_lite.knn_graph import knn_adjacency
from w3an_lite.losses import Objective, total
from w3an_lite.model import W3AN, W3ANOutput
from w3an_lite.presets import PRESETS, SMALL
from w3an_lite.san import attention_consistency

Build = Callable[..., W3AN]
GRAPH = {"neighbours", "adjacency", "nodes", "embedding"}


@pytest.fixture
def clips() -> Tensor:
    return torch.rand(4, 3, 3, 32, 16)


def same_weights(model: W3AN, other: W3AN) -> None:
    """Give `model` the weights of `other` as far as it has them."""
    model.load_state_dict(
        {k: v for k, v in other.state_dict().items() if k in model.state_dict()}, strict=False
    )


def changed(one: W3ANOutput, two: W3ANOutput) -> set[str]:
    """The names of the fields that differ."""
    out = set()
    for name, a, b in zip(one._fields, one, two, strict=True):
        same = (a is None and b is None) or (
            a is not None and b is not None and a.shape == b.shape and torch.equal(a, b)
        )
        out |= set() if same else {name}
    return out


def test_shapes_and_ranges(tiny: Build, clips: Tensor) -> None:
    out = tiny(attributes=5, clip_identity=True, heads_on="both")(clips, guide=True)
    shapes = {name: tuple(value.shape) for name, value in zip(out._fields, out, strict=True)}
    assert shapes == {
        "cube": (4, 3, 16, 4, 2),
        "alpha": (4, 3, 16, 4, 2),
        "frame_features": (4, 3, 16),
        "beta": (4, 3),
        "beta_overall": (4,),
        "neighbours": (4, 3, 3),
        "adjacency": (4, 3, 3),
        "nodes": (4, 3, 16),
        "embedding": (4, 16),
        "identity_logits": (4, 3, 4),
        "attribute_logits": (4, 3, 5, 2),
        "identity_map": (4, 3, 4, 2),
        "attribute_map": (4, 3, 4, 2),
        "clip_logits": (4, 4),
        "alpha_prime": (4, 3, 16, 4, 2),
        "looked_identity_logits": (4, 3, 4),
        "looked_attribute_logits": (4, 3, 5, 2),
    }
    for alpha in (out.alpha, out.alpha_prime):
        assert alpha is not None
        torch.testing.assert_close(alpha.sum((-2, -1)), torch.ones(4, 3, 16))
    for share in (out.beta, out.beta_overall, out.identity_map, out.attribute_map):
        assert share.min() >= 0
        assert share.max() <= 1
    torch.testing.assert_close(out.frame_features, (out.alpha * out.cube).sum((-2, -1)))
    torch.testing.assert_close(out.adjacency - torch.diag_embed(out.beta), out.neighbours)


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"mutual": False}, GRAPH),
        ({"neighbours": 4}, GRAPH),
        ({"include_self": True}, GRAPH),
        ({"near": "cosine"}, GRAPH),
        ({"degree": "weighted"}, {"nodes", "embedding"}),
        ({"layers": 1}, {"nodes", "embedding"}),
        ({"layers": 0}, {"nodes", "embedding"}),
        ({"activation": "elu"}, {"nodes", "embedding"}),
        ({"activation": "leaky_relu"}, {"nodes", "embedding"}),
        ({"last_activation": False}, {"nodes", "embedding"}),
        ({"residual": True}, {"nodes", "embedding"}),
        ({"readout": "beta"}, {"embedding"}),
        ({"overall_bias": False}, {"beta_overall"}),
        ({"maps_of": "present"}, {"attribute_map", "alpha_prime"}),
        ({"guide_strength": 0.3}, {"alpha_prime"}),
        ({"guide_gradient": True}, set()),
        ({"guide_frozen": False}, set()),
        ({"clip_identity": True}, {"clip_logits"}),
        ({"temporal": False}, {"beta", "beta_overall", "adjacency", "nodes", "embedding"}),
        ({"graph": False}, GRAPH),
        ({"keep": 0.5}, GRAPH),
        ({"guide_by": "noise"}, set()),
        (
            {"spatial": False},
            {"alpha", "frame_features", "beta", "beta_overall", "alpha_prime"} | GRAPH,
        ),
    ],
    ids=str,
)
def test_an_argument_changes_what_it_names_and_nothing_before_it(
    tiny: Build, change: dict[str, Any], fields: set[str]
) -> None:
    small = {"clip_length": 5, "neighbours": 2, "attributes": 5}
    base, other = tiny(**small).eval(), tiny(**{**small, **change}).eval()
    same_weights(other, base)
    clips = torch.rand(6, 5, 3, 32, 16)
    assert changed(base(clips, guide=True), other(clips, guide=True)) == fields


def test_arguments_that_change_shapes(tiny: Build, clips: Tensor) -> None:
    base = tiny()
    assert base.san is not None
    assert base.san.v.shape == (3, 16, 16)
    assert tiny(slots=False).san.v.shape == (1, 16, 16)
    assert tiny(scores="shared").san.v.shape == (3, 1, 16)
    assert base.heads.identity.in_features == 16
    assert tiny(flatten=True).heads.identity.in_features == 16 * 4 * 2
    assert tiny(flatten=True)(clips).identity_map.shape == (4, 3, 4, 2)
    assert tiny(flatten=True, size=(30, 18))(torch.rand(1, 3, 3, 30, 18)).cube.shape[-2:] == (4, 3)
    assert tiny(identities=9)(clips).identity_logits.shape[-1] == 9
    assert tiny(attributes=12)(clips).attribute_logits.shape[-2] == 12
    assert tiny(trunk={"width": 2, "stride": 4})(clips).cube.shape[-2:] == (8, 4)


def test_pixels_and_floats_are_the_same_frames(tiny: Build) -> None:
    model = tiny().eval()
    pixels = torch.randint(0, 256, (2, 3, 3, 32, 16), dtype=torch.uint8)
    assert not changed(model(pixels), model(pixels.float() / 255))


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_a_model_of_another_precision_computes_in_it(
    tiny: Build, clips: Tensor, kind: torch.dtype
) -> None:
    plain, other = tiny(clip_identity=True).eval(), tiny(clip_identity=True).eval().to(kind)
    with torch.no_grad():
        one, two = plain(clips, guide=True), other(clips, guide=True)
    for name, a, b in zip(one._fields, one, two, strict=True):
        assert a is b is None or b.dtype == kind, name
    near = {"rtol": 1e-4, "atol": 1e-5} if kind == torch.float64 else {"rtol": 0.1, "atol": 0.1}
    torch.testing.assert_close(two.cube.float(), one.cube, **near)
    assert other.embed(clips[0]).dtype == kind


def test_labels_choose_the_class_of_the_maps(tiny: Build, clips: Tensor) -> None:
    model = tiny(attributes=5, maps_of="present").eval()
    free = model(clips)
    own = free.identity_logits.mean(1).argmax(-1)
    assert not changed(free, model(clips, identity=own))
    assert changed(free, model(clips, identity=(own + 1) % 4)) == {"identity_map"}
    unknown = torch.full((4, 5), -1.0)
    assert not changed(free, model(clips, attributes=unknown))
    none = model(clips, attributes=torch.zeros(4, 5))
    assert none.attribute_map.abs().max() == 0
    one = unknown.clone()
    one[:, 2] = 1 - free.attribute_logits[:, 0, 2].argmax(-1).float()
    assert changed(free, model(clips, attributes=one)) == {"attribute_map"}


def test_a_clip_does_not_depend_on_its_company(tiny: Build, clips: Tensor) -> None:
    model = tiny(attributes=5, clip_identity=True).eval()
    together, alone = model(clips, guide=True), model(clips[1:2], guide=True)
    for name, a, b in zip(together._fields, together, alone, strict=True):
        if name.startswith("looked"):
            assert a is b is None, "read in training only"
            continue
        torch.testing.assert_close(a[1:2], b, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_frames_in_another_order(tiny: Build, preset: str) -> None:
    """Without slots every frame is treated alike; the embedding does not see their order."""
    model = tiny(preset, slots=False, clip_length=6, neighbours=2).eval()
    clips = torch.rand(2, 6, 3, 32, 16)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    one, two = model(clips), model(clips[:, order])
    torch.testing.assert_close(one.beta[:, order], two.beta)
    torch.testing.assert_close(one.adjacency[:, order][:, :, order], two.adjacency)
    torch.testing.assert_close(one.nodes[:, order], two.nodes, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.embedding, two.embedding, atol=1e-5, rtol=1e-4)


def test_slots_see_the_order_and_ask_for_t_frames(tiny: Build, clips: Tensor) -> None:
    model = tiny().eval()
    assert "embedding" in changed(model(clips), model(clips.flip(1)))
    with pytest.raises(ValueError, match="the clip has 2 frames, v_t was made for 3"):
        model(clips[:, :2])
    assert tiny(slots=False)(clips[:, :2]).beta.shape == (4, 2)


def test_no_gradient_flows_through_alpha_prime_unless_asked(tiny: Build, clips: Tensor) -> None:
    model = tiny()
    out = model(clips, guide=True)
    assert out.alpha_prime is not None
    assert not out.alpha_prime.requires_grad
    v = model.san.v
    (printed,) = torch.autograd.grad(attention_consistency(out.alpha, out.alpha_prime), v)
    both = tiny(guide_gradient=True)
    again = both(clips, guide=True)
    assert not changed(out, again)
    assert again.alpha_prime is not None
    (other,) = torch.autograd.grad(
        attention_consistency(again.alpha, again.alpha_prime), both.san.v
    )
    assert printed.abs().max() > 0
    assert not torch.allclose(printed, other)
    assert tiny()(clips).alpha_prime is None
    assert tiny(spatial=False)(clips, guide=True).alpha_prime is None


def test_the_second_pass_leaves_batch_norm_as_it_was(tiny: Build, clips: Tensor) -> None:
    """What batch norm remembers, and so every later evaluation, knows nothing of I'."""
    plain, frozen, moving = tiny(), tiny(), tiny(guide_frozen=False)
    plain(clips)
    frozen(clips, guide=True)
    moving(clips, guide=True)
    remembered = [k for k in plain.state_dict() if "running" in k]
    assert remembered
    for name in remembered:
        assert torch.equal(plain.state_dict()[name], frozen.state_dict()[name])
        assert not torch.equal(plain.state_dict()[name], moving.state_dict()[name])
    probe = torch.rand(2, 3, 3, 32, 16)
    assert not changed(plain.eval()(probe), frozen.eval()(probe))
    assert "embedding" in changed(plain(probe), moving.eval()(probe))


def test_frozen_statistics_do_not_count_either() -> None:
    """Batch norm that averages over all batches (momentum None) divides by their number."""
    norm, other = nn.BatchNorm2d(3, momentum=None), nn.BatchNorm2d(3, momentum=None)
    for k in range(4):
        batch = torch.full((2, 3, 2, 2), float(k))
        other(batch)
        norm(batch)
        with frozen_statistics(norm):
            norm(torch.full((2, 3, 2, 2), 100.0))
    torch.testing.assert_close(norm.state_dict(), other.state_dict())


def test_frozen_statistics_thaw_after_an_error() -> None:
    norm = nn.BatchNorm2d(2)
    frames = torch.randn(3, 2, 4, 4) + 5

    def fail() -> None:
        with frozen_statistics(norm):
            norm(frames)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert norm.running_mean.abs().max() == 0
    norm(frames)
    assert norm.running_mean.abs().max() > 0


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_weight_of_a_preset_learns(tiny: Build, clips: Tensor, preset: str) -> None:
    """A room that no loss reaches would be a room wired up wrong."""
    model = tiny(preset)
    objective = Objective.preset(preset)
    identity = torch.tensor([0, 0, 1, 1])
    attributes = torch.randint(0, 2, (4, 67)).float()
    covered = torch.zeros(4, 3, 32, 16, dtype=torch.bool)
    covered[:, 1, :, 4:] = True
    out = model(clips, identity, attributes, guide=objective.san_weight > 0)
    total(objective.terms(out, identity, attributes, covered)).backward()
    still = {
        name
        for name, p in model.named_parameters()
        if p.requires_grad  # the neck's shift rests
        and (p.grad is None or not p.grad.isfinite().all() or p.grad.abs().max() == 0)
    }
    # the baseline has no graph for β to act in, and no loss on it
    unused = {"tan.score.weight", "tan.score.bias"} if preset == "mean_pool" else set()
    assert still == unused


def test_the_paper_at_full_size() -> None:
    model = W3AN.preset("paper", 625)
    assert model.config == W3AN(625).config
    assert (model.size, model.clip_length, model.neighbours) == ((224, 224), 10, 4)
    assert model.san is not None
    assert model.san.v.numel() == 10 * 512 * 512
    assert model.heads.identity.weight.numel() == 625 * 512
    assert [tuple(w.weight.shape) for w in model.gcn.weights] == [(512, 512)] * 2
    out = model.eval()(torch.rand(1, 10, 3, 64, 64))
    assert out.embedding.shape == (1, 512)
    assert out.attribute_logits.shape == (1, 10, 67, 2)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_come_down_to_two_cores(preset: str) -> None:
    model = W3AN.preset(preset, 5, **{**SMALL["model"], "weights": None})
    assert model.embed(torch.zeros(4, 3, 64, 32, dtype=torch.uint8)).shape == (128,)
    for name, value in PRESETS[preset]["model"].items():
        assert model.config[name] == value


def test_mean_pooling_is_mean_pooling(tiny: Build, clips: Tensor) -> None:
    out = tiny("mean_pool").eval()(clips)
    torch.testing.assert_close(out.embedding, out.cube.mean((1, 3, 4)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg"}, "backbone 'vgg' is not known; choose 'resnet18' or 'narrow'"),
        ({"maps_of": "some"}, "maps_of 'some' is not known"),
        ({"readout": "max"}, "readout 'max' is not known"),
        ({"scores": "one"}, "scores 'one' is not known"),
        ({"activation": "gelu"}, "activation 'gelu' is not known"),
        ({"degree": "sum"}, "degree 'sum' is not known"),
        ({"neighbours": 0}, "neighbours is 0"),
        ({"identities": 0}, "identities is 0; .*at least 1"),
        ({"clip_length": 0}, "clip_length is 0; .*at least 1"),
    ],
    ids=str,
)
def test_unknown_values_are_named(tiny: Build, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**arguments)(torch.rand(2, 3, 3, 32, 16))


def test_unknown_presets_and_arguments() -> None:
    with pytest.raises(ValueError, match=r"'best' is not known; choose from \['mean_pool', 'paper"):
        W3AN.preset("best", 4)
    with pytest.raises(TypeError, match="colour"):
        W3AN.preset("paper", 4, colour="red")


@pytest.mark.parametrize("shape", [(3, 3, 32, 16), (2, 3, 1, 32, 16), (0, 3, 3, 32, 16)])
def test_forward_names_the_shape_it_got(tiny: Build, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"give clips \[B, T, 3, H, W\]"):
        tiny()(torch.zeros(shape))


@pytest.mark.parametrize("change", [lambda x: 255 * x, lambda x: x - 0.5, lambda x: x / 0])
def test_forward_names_the_range_it_got(
    tiny: Build, clips: Tensor, change: Callable[[Tensor], Tensor]
) -> None:
    with pytest.raises(ValueError, match=r"frames run from .* to .*; give uint8, or float in \[0,"):
        tiny().eval()(change(clips))


@pytest.mark.parametrize("length", [1, 2, 3, 7 * 3 + 2])
def test_embed_is_the_mean_of_its_clips(tiny: Build, length: int) -> None:
    model = tiny().eval()
    frames = torch.randint(0, 256, (length, 3, 32, 16), dtype=torch.uint8)
    each = [model(frames[cut][None]).embedding[0] for cut in cut_clips(length, 3)]
    for batch in (1, 5, 32):
        got = model.embed(frames, batch=batch)
        assert got.shape == (16,)
        torch.testing.assert_close(got, torch.stack(each).mean(0), atol=1e-5, rtol=1e-4)


def test_embed_takes_any_size_and_leaves_the_model_as_it_was(tiny: Build) -> None:
    model = tiny()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    frames = torch.randint(0, 256, (4, 3, 50, 21), dtype=torch.uint8)
    got = model.embed(frames)
    assert model.training
    assert not got.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    torch.testing.assert_close(got, model.eval().embed(fit(frames, model.size)))
    assert not model.training
    torch.testing.assert_close(got, model.embed(frames.float() / 255))


@pytest.mark.parametrize("shape", [(0, 3, 32, 16), (3, 32, 16), (4, 1, 32, 16), (1, 4, 3, 32, 16)])
def test_embed_names_the_shape_it_got(tiny: Build, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"give one tracklet \[n, 3, H, W\]"):
        tiny().embed(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize("batch", [0, 1.5, "8"])
def test_embed_takes_whole_batches(tiny: Build, batch: Any) -> None:
    with pytest.raises(ValueError, match=f"batch is {batch!r}; give a whole number of at least 1"):
        tiny().embed(torch.zeros(4, 3, 32, 16, dtype=torch.uint8), batch=batch)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_saved_model_is_the_same_to_the_last_bit(
    tiny: Build, clips: Tensor, preset: str, tmp_path: Path
) -> None:
    model = tiny(preset, clip_identity=True, attributes=5)
    model(clips, guide=True)  # so that batch norm remembers something
    model.save_pretrained(tmp_path / "m.pt")
    torch.manual_seed(99)
    back = W3AN.from_pretrained(tmp_path / "m.pt")
    assert back.config == model.config
    assert not back.training
    state = model.state_dict()
    assert back.state_dict().keys() == state.keys()
    assert all(torch.equal(v, state[k]) for k, v in back.state_dict().items())
    assert not changed(model.eval()(clips, guide=True), back(clips, guide=True))


def test_a_model_with_a_trunk_of_ones_own(tmp_path: Path, clips: Tensor) -> None:
    model = W3AN(4, backbone=NarrowTrunk(width=2), size=(32, 16), clip_length=3).eval()
    model.save_pretrained(tmp_path / "m.pt")
    with pytest.raises(ValueError, match=r"m\.pt has a backbone of its own"):
        W3AN.from_pretrained(tmp_path / "m.pt")
    back = W3AN.from_pretrained(tmp_path / "m.pt", backbone=NarrowTrunk(width=2))
    assert not changed(model(clips), back(clips))
    with pytest.raises(ValueError, match=r"m\.pt holds the weights of another model"):
        W3AN.from_pretrained(tmp_path / "m.pt", backbone=NarrowTrunk(width=3))


class Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def test_a_hostile_model_does_not_run(tmp_path: Path) -> None:
    content = {"config": {}, "state": Hostile(tmp_path / "ran")}
    (tmp_path / "m.pt").write_bytes(pickle.dumps(content, protocol=2))
    torch.save(content, tmp_path / "n.pt")
    for name in ("m.pt", "n.pt"):
        with pytest.raises(ValueError, match=rf"{name} cannot be read as plain tensors"):
            W3AN.from_pretrained(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_files_that_are_no_model_are_named(tiny: Build, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with pytest.raises(FileNotFoundError, match=r"m\.pt does not exist"):
        W3AN.from_pretrained(path)
    model = tiny()
    for content, message in (
        (model.state_dict(), "no W3AN model; write it with save_pretrained"),
        ({"config": {**model.config, "colour": 1}, "state": {}}, "of another version: .*colour"),
        ({"config": {}, "state": {}}, "no W3AN model|another version"),
        ({"config": 3, "state": {}}, "no W3AN model|another version"),
        ({"config": model.config, "state": 3}, "no W3AN model"),
        ({"config": {**model.config, "scores": "one"}, "state": {}}, "another version: scores"),
        ({"config": model.config, "state": tiny(identities=9).state_dict()}, "another model"),
    ):
        torch.save(content, path)
        with pytest.raises(ValueError, match=rf"m\.pt .*({message})"):
            W3AN.from_pretrained(path)


def test_embed_takes_what_a_tracklet_reads(tiny: Build, crowd: Callable[..., Any]) -> None:
    model, pixels = tiny(), crowd(1)[0].frames.read(range(4))
    expected = model.embed(torch.from_numpy(pixels))
    assert torch.equal(model.embed(pixels), expected)
    torch.testing.assert_close(model.embed(pixels / 255), expected)
    for wrong in (pixels.astype(np.float32), normalise(torch.from_numpy(pixels))):
        with pytest.raises(ValueError, match=r"frames run from .* to .*; give uint8, or float in"):
            model.embed(wrong)


def test_every_form_of_map_by_its_parts(tiny: Any) -> None:
    clips, labels = torch.rand(2, 3, 3, 32, 16), torch.tensor([1, 3])
    has = torch.tensor([[1.0, 0, 1, 1, 0]] * 2)
    present = has[:, None].expand(2, 3, 5)
    for form, maps_of in (("raw", "all"), ("raw", "present"), ("evidence", "present")):
        model = tiny(attributes=5, map_form=form, maps_of=maps_of).eval()
        with torch.no_grad():
            out = model(clips, labels, has)
            one = model.heads.identity_map(
                out.cube, labels[:, None].expand(2, 3), form == "evidence"
            )
            some = model.heads.attribute_maps(out.cube, present)
        chosen = present if maps_of == "present" else torch.ones_like(present)
        many = (some * chosen[..., None, None]).sum(2)
        if form == "evidence":
            one, many = scale_map(one, True), fuse_attribute_maps(some, chosen, True)
        torch.testing.assert_close(out.identity_map, one)
        torch.testing.assert_close(out.attribute_map, many)


def test_a_soft_label_chooses_the_nearer_class(tiny: Any) -> None:
    model, clips = tiny(attributes=5).eval(), torch.rand(2, 3, 3, 32, 16)
    maps = [
        model(clips, attributes=torch.full((2, 5), p)).attribute_map for p in (0.0, 0.3, 0.7, 1.0)
    ]
    assert torch.equal(maps[0], maps[1])
    assert torch.equal(maps[2], maps[3])


def test_a_gradient_through_alpha_prime_needs_one(tiny: Any) -> None:
    with torch.no_grad():
        out = tiny(guide_gradient=True)(torch.rand(2, 3, 3, 32, 16), guide=True)
    assert not out.alpha_prime.requires_grad


def test_the_neck_has_no_shift(tiny: Any) -> None:
    model = tiny(clip_identity=True)
    assert not model.neck.bias.requires_grad
    assert model.clip_head.bias is None


def test_embed_takes_more_clips_than_a_batch(tiny: Any) -> None:
    model = tiny().eval()
    frames = torch.randint(0, 256, (34 * 3, 3, 32, 16), dtype=torch.uint8)
    with torch.no_grad():
        each = model(frames[cut_clips(len(frames), 3)]).embedding
    torch.testing.assert_close(model.embed(frames), each.mean(0), atol=1e-5, rtol=1e-4)


def test_changes_override_a_preset() -> None:
    small = {"backbone": "narrow", "size": (32, 16)}
    assert W3AN.preset("repaired", 4, **small, degree="adjacency").config["degree"] == "adjacency"


@pytest.mark.parametrize("degree", ["adjacency", "weighted"])
def test_the_graph_is_that_of_its_rooms(tiny: Any, degree: str) -> None:
    model = tiny(clip_length=8, neighbours=3, degree=degree).eval()
    with torch.no_grad():
        out = model(torch.rand(2, 8, 3, 32, 16))
        near = knn_adjacency(out.frame_features, 3)
        spread = propagation(near, near + torch.diag_embed(out.beta), degree)
        nodes = model.gcn(out.frame_features, spread)
    assert torch.equal(out.neighbours, near)
    torch.testing.assert_close(out.nodes, nodes)
    torch.testing.assert_close(out.embedding, nodes.mean(1))
