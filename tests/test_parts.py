"""Parts of one's own in place of SAN, TAN and the graph; what stands there when one is off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, resnet18

from w3an_lite.attention_pyramid import AttentionPyramid
from w3an_lite.gcn import readout
from w3an_lite.guidance import NOISE, random_maps
from w3an_lite.model import W3AN
from w3an_lite.parts import OWN, Graph, WeightedAverage, on_strongest
from w3an_lite.recipe import Recipe
from w3an_lite.training import train

Build = Callable[..., W3AN]


class Centre(nn.Module):
    """A spatial part: all of α on one position, wherever `place` says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(channels))

    def forward(self, cube: Tensor) -> Tensor:
        alpha = torch.zeros_like(cube)
        alpha[..., 1, 1] = 1
        return alpha + 0 * self.place[:, None, None]


class First(nn.Module):
    """A temporal part: the first frame is all that counts."""

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        beta = torch.zeros(features.shape[:2])
        beta[:, 0] = 1
        return beta, beta.mean(1)


class Greatest(nn.Module):
    """A graph part: no graph, the greatest value of each channel."""

    def forward(self, features: Tensor, beta: Tensor) -> Graph:
        own = torch.diag_embed(beta)
        return own * 0, own, features, features.amax(1)


@pytest.fixture
def clips() -> Tensor:
    return torch.rand(4, 3, 3, 32, 16)


def test_own_parts_take_the_place_of_the_papers(tiny: Build, clips: Tensor) -> None:
    model = tiny(spatial=Centre, temporal=First(), graph=Greatest()).eval()
    out = model(clips, guide=True)
    torch.testing.assert_close(out.frame_features, out.cube[..., 1, 1])
    assert out.beta.sum() == 4
    assert torch.equal(out.embedding, out.frame_features.amax(1))
    assert out.alpha_prime is not None
    own = tiny(graph=tiny().gcn).eval()  # the paper's own graph, passed by hand
    assert torch.equal(own(clips).neighbours, tiny().eval()(clips).neighbours)


def test_own_parts_are_saved_and_asked_for(tiny: Build, clips: Tensor, tmp_path: Path) -> None:
    parts: dict[str, Any] = {"spatial": Centre, "temporal": First(), "graph": Greatest()}
    model = tiny(**parts).eval()
    model.save_pretrained(tmp_path / "m.pt")
    for name in parts:
        given = {k: v for k, v in parts.items() if k != name}
        with pytest.raises(
            ValueError, match=rf"m\.pt has a {name} part of its own; pass it as {name}"
        ):
            W3AN.from_pretrained(tmp_path / "m.pt", **given)
    back = W3AN.from_pretrained(tmp_path / "m.pt", **parts)
    assert torch.equal(back(clips).embedding, model(clips).embedding)
    assert back.config == model.config
    with pytest.raises(ValueError, match="colour is no part of one's own; those are backbone"):
        W3AN.from_pretrained(tmp_path / "m.pt", colour=Centre)
    tiny().save_pretrained(tmp_path / "n.pt")
    with pytest.raises(ValueError, match=r"n\.pt has no graph of its own; leave graph out"):
        W3AN.from_pretrained(tmp_path / "n.pt", graph=Greatest())
    assert ("backbone", *parts) == OWN


def test_a_part_that_gives_another_shape_is_named(tiny: Build, clips: Tensor) -> None:
    class Flat(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x.mean(-1) if x.ndim == 5 else (x, x.mean((1, 2)))

    with pytest.raises(ValueError, match=r"the spatial part gave α \[4, 3, 16, 4\], not \[4, 3"):
        tiny(spatial=Flat())(clips)
    with pytest.raises(ValueError, match=r"the temporal part gave β \[4, 3, 16\], not \[4, 3\]"):
        tiny(temporal=Flat())(clips)
    with pytest.raises(ValueError, match="'often' is no part; give True, False"):
        tiny(temporal="often")


def test_a_part_that_gives_too_little_is_named(tiny: Build, clips: Tensor) -> None:
    class One(nn.Module):
        def forward(self, features: Tensor, beta: Tensor | None = None) -> Any:
            return features[..., 0] if beta is None else (beta, beta, features)

    with pytest.raises(ValueError, match=r"temporal part gave one Tensor, not the 2 owed: β, β_o"):
        tiny(temporal=One())(clips)
    with pytest.raises(ValueError, match=r"graph part gave 3 values, not the 4 owed: A, Ã, F\^g"):
        tiny(graph=One())(clips)


def test_a_backbone_of_ones_own_brings_all_it_needs(tiny: Build) -> None:
    class Mine(nn.Conv2d):
        channels, stride = 4, 8  # type: ignore[assignment]

        def __init__(self) -> None:
            super().__init__(3, 4, 8, 8)
            self.stride = 8  # type: ignore[assignment]

    assert tiny(backbone=Mine(), weights="stills", trunk={"stride": 4}).heads.identity.in_features
    for changes in ({"weights": "imagenet"}, {"trunk": {"nonsense": 1}}):
        with pytest.raises(ValueError, match="leave them out with a backbone of your own"):
            tiny(**{"backbone": Mine(), "trunk": {}, **changes})
    with pytest.raises(ValueError, match=r"the backbone Conv2d has no whole number 'channels'"):
        tiny(backbone=nn.Conv2d(3, 4, 8, 8), trunk={})
    flat = Mine()
    flat.stride = 0  # type: ignore[assignment]
    with pytest.raises(ValueError, match="the backbone Mine has no whole number 'stride' from 1"):
        tiny(backbone=flat, trunk={})
    with pytest.raises(ValueError, match="backbone is the class Mine; give a module, built"):
        tiny(backbone=Mine)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (64,)}, r"size is \(64,\); give \(H, W\), two whole numbers of at least 1$"),
        ({"size": (0, 0)}, r"size is \(0, 0\)"),
        ({"size": (64.7, 32)}, r"size is \(64\.7, 32\)"),
        ({"identities": 4.0}, r"identities is 4\.0; give a whole number of at least 1"),
        ({"identities": "4"}, "identities is '4'; give a whole number of at least 1"),
        ({"clip_length": 6.5}, r"clip_length is 6\.5; give a whole number of at least 1"),
        ({"neighbours": 2.5}, r"neighbours is 2\.5; give a whole number of at least 1"),
        ({"layers": 1.5}, r"layers is 1\.5; give a whole number of at least 0"),
        ({"mutual": "no"}, "mutual is 'no'; give True or False"),
        ({"clip_identity": None}, "clip_identity is None; give True or False"),
        ({"guide_strength": "a"}, "guide_strength is 'a'; give a finite number"),
        ({"keep": "half"}, "keep is 'half'; give a share"),
        ({"attributes": -1}, "attributes is -1; give a whole number of at least 0"),
        ({"neighbours": 0}, "neighbours is 0; give a whole number of at least 1"),
        ({"layers": -1}, "layers is -1"),
        ({"guide_strength": float("nan")}, "guide_strength is nan; give a finite number"),
    ],
)
def test_arguments_that_cannot_be_are_named(
    changes: dict[str, Any], message: str, tiny: Build
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_without_the_temporal_part_the_graph_is_a_alone(tiny: Build, clips: Tensor) -> None:
    for how in ("mean", "beta"):
        out = tiny(temporal=False, readout=how).eval()(clips)
        assert torch.equal(out.adjacency, out.neighbours)
        torch.testing.assert_close(out.embedding, out.nodes.mean(1))
    assert not [k for k in tiny(temporal=False).state_dict() if k.startswith("tan")]


def test_without_the_graph_frames_are_averaged_by_beta(tiny: Build, clips: Tensor) -> None:
    out = tiny(graph=False).eval()(clips)
    weight = out.beta / out.beta.sum(1, keepdim=True)
    torch.testing.assert_close(
        out.embedding, torch.einsum("bt,btm->bm", weight, out.frame_features)
    )
    assert out.neighbours.abs().max() == 0
    both = tiny(graph=False, temporal=False).eval()(clips)
    torch.testing.assert_close(both.embedding, both.frame_features.mean(1))


def test_a_readout_by_hand() -> None:
    nodes = torch.tensor([[[1.0], [5.0]], [[1.0], [5.0]]])
    beta = torch.tensor([[0.25, 0.75], [0.0, 0.0]])
    torch.testing.assert_close(readout(nodes, beta, "beta"), torch.tensor([[4.0], [3.0]]))


def test_dropping_half_by_hand() -> None:
    features = torch.tensor([[[1.0], [2.0], [4.0], [8.0]]])
    beta = torch.tensor([[0.5, 0.1, 0.7, 0.2]])
    _, adjacency, nodes, embedding = on_strongest(WeightedAverage(), features, beta, 0.5)
    torch.testing.assert_close(adjacency.diagonal(dim1=1, dim2=2), torch.tensor([[0.5, 0, 0.7, 0]]))
    assert nodes.flatten().tolist() == [1, 0, 4, 0]
    torch.testing.assert_close(embedding, torch.tensor([[(0.5 * 1 + 0.7 * 4) / 1.2]]))


@settings(max_examples=30, deadline=None)
@given(frames=st.integers(1, 7), share=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_what_is_dropped_does_not_count(frames: int, share: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(2, frames, 3, generator=generator)
    beta = torch.rand(2, frames, generator=generator) + 0.1
    joined, adjacency, nodes, embedding = on_strongest(WeightedAverage(), features, beta, share)
    kept = adjacency.diagonal(dim1=1, dim2=2) > 0
    assert (kept.sum(1) == -(-share * frames // 1)).all()
    for b, own, row in zip(beta, kept, features, strict=True):
        if not own.all():
            assert b[own].min() >= b[~own].max()
        at = beta.tolist().index(b.tolist())
        torch.testing.assert_close(embedding[at], (b[own, None] * row[own]).sum(0) / b[own].sum())
    assert nodes[~kept].abs().sum() == joined.abs().sum() == 0


def test_keep_is_an_argument_of_the_model(tiny: Build) -> None:
    clips = torch.rand(2, 5, 3, 32, 16)
    small = {"clip_length": 5, "slots": False}
    whole, half = tiny(**small).eval(), tiny(**small, keep=0.5).eval()
    out = half(clips)
    kept = out.adjacency.diagonal(dim1=1, dim2=2) > 0
    assert kept.sum(1).tolist() == [3, 3]
    for clip, own, got in zip(clips, kept, out.embedding, strict=True):
        torch.testing.assert_close(whole(clip[own][None]).embedding[0], got, atol=1e-5, rtol=1e-4)
    for value in (0.0, 1.5):
        with pytest.raises(ValueError, match=rf"keep is {value}"):
            tiny(keep=value)
    with pytest.raises(ValueError, match="needs a temporal part"):
        tiny(keep=0.5, temporal=False)


def test_noise_takes_the_place_of_the_class_maps_in_training(tiny: Build, clips: Tensor) -> None:
    model, plain = tiny(guide_by="noise"), tiny()
    out, again = model(clips, guide=True), tiny(guide_by="noise")(clips, guide=True)
    assert torch.equal(out.identity_map, again.identity_map)
    assert 0 < out.identity_map.max() <= NOISE
    assert out.attribute_map.abs().max() == 0
    assert out.alpha_prime is not None
    assert (out.alpha - out.alpha_prime).abs().max() < 1e-3
    assert (plain(clips, guide=True).alpha_prime - out.alpha_prime).abs().max() > 1e-3
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model.eval()(clips).identity_map, plain.eval()(clips).identity_map)


def test_the_random_map_is_sparse_and_of_its_frames() -> None:
    like = torch.zeros(1, 4, 1, 30, 30)
    frames = torch.rand(1, 4, 3, 8, 8)
    one, none = random_maps(frames, like)
    assert one.shape == none.shape == (1, 4, 30, 30)
    assert 0.08 < (one > 0).float().mean() < 0.12
    assert torch.equal(one, random_maps(frames, like)[0])
    assert not torch.equal(one, random_maps(frames + 0.1, like)[0])


class Odd(nn.Module):
    """Gives what it is told to in place of what a temporal or a graph part owes."""

    channels, stride = 17, 4

    def __init__(self, *given: tuple[int, ...]) -> None:
        super().__init__()
        self.given = [torch.ones(shape) for shape in given]

    def forward(self, *_: Tensor) -> Any:
        return self.given[0] if len(self.given) == 1 else self.given


@pytest.mark.parametrize(
    ("part", "shapes", "message"),
    [
        ("backbone", [(12, 16, 8, 4)], r"C \[12, 16, 8, 4\], not \[12, 17, 8, 4\]"),
        ("backbone", [(12, 17)], r"C \[12, 17\], not \[12, 17, h, w\]"),
        ("backbone", [(12, 17, 8, 4)] * 2, "C as list, not as a tensor"),
        ("temporal", [(4, 3), (4, 1)], r"β_overall \[4, 1\], not \[4\]"),
        ("temporal", [(4, 3), ()], r"β_overall \[\], not \[4\]"),
        ("graph", [(4, 2, 3), (4, 3, 3), (4, 3, 16), (4, 16)], r"A \[4, 2, 3\], not \[4, 3, 3\]"),
        ("graph", [(4, 3, 3), (4, 3), (4, 3, 16), (4, 16)], r"Ã \[4, 3\], not \[4, 3, 3\]"),
        (
            "graph",
            [(4, 3, 3), (4, 3, 3), (4, 3, 3), (4, 16)],
            r"F\^g \[4, 3, 3\], not \[4, 3, 16\]",
        ),
        ("graph", [(4, 3, 3), (4, 3, 3), (4, 3, 16), (16,)], r"F\^v \[16\], not \[4, 16\]"),
    ],
)
def test_everything_a_part_gives_is_looked_at(
    tiny: Build, clips: Tensor, part: str, shapes: list[tuple[int, ...]], message: str
) -> None:
    trunk = {"trunk": {}} if part == "backbone" else {}
    with pytest.raises(ValueError, match=rf"the {part} part gave {message}"):
        tiny(**{part: Odd(*shapes)}, **trunk)(clips)


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        ("backbone", torch.float64, r"C as torch\.float64, not torch\.float32; convert it"),
        ("spatial", torch.float64, r"α as torch\.float64"),
        ("temporal", torch.float64, r"β as torch\.float64"),
        ("temporal", torch.int64, r"β as torch\.int64"),
        ("temporal", torch.bool, r"β as torch\.bool"),
        ("temporal", None, r"β as ndarray, not as a tensor"),
        ("graph", torch.float64, r"A as torch\.float64"),
    ],
)
def test_what_a_part_gives_is_of_the_type_it_is_given(
    tiny: Build, clips: Tensor, part: str, kind: torch.dtype | None, message: str
) -> None:
    gives = {
        "backbone": [(12, 17, 8, 4)],
        "spatial": [(4, 3, 16, 4, 2)],
        "temporal": [(4, 3), (4,)],
        "graph": [(4, 3, 3), (4, 3, 3), (4, 3, 16), (4, 16)],
    }
    own = Odd(*gives[part])
    own.given = [each.to(kind) if kind else each.numpy() for each in own.given]
    trunk = {"trunk": {}} if part == "backbone" else {}
    with pytest.raises(ValueError, match=rf"the {part} part gave {message}"):
        tiny(**{part: own}, **trunk)(clips)


def test_a_part_may_give_bfloat16_under_autocast(tiny: Build, clips: Tensor) -> None:
    class Even(nn.Module):
        def __init__(self, kind: torch.dtype) -> None:
            super().__init__()
            self.kind = kind

        def forward(self, cube: Tensor) -> Tensor:
            return torch.full_like(cube, 1 / 8, dtype=self.kind)

    for kind in (torch.bfloat16, torch.float32):
        with torch.autocast("cpu", torch.bfloat16):
            assert tiny(spatial=Even(kind))(clips).cube.dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"α as torch\.bfloat16, not torch\.float32"):
        tiny(spatial=Even(torch.bfloat16))(clips)


class Scaled(nn.Module):
    """Gives what `part` gives, times `factor` and `further` on."""

    def __init__(self, part: nn.Module, factor: float, further: float = 0.0) -> None:
        super().__init__()
        self.part, self.factor, self.further = part, factor, further

    def forward(self, given: Tensor) -> Any:
        out = self.part(given)
        if isinstance(out, Tensor):
            return self.factor * out + self.further
        return out[0] * self.factor + self.further, out[1]


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (
            "spatial",
            (2.0,),
            r"α from 0\.\d+ on, with sums over h×w from [12.9]* to 2; give none below 0",
        ),
        ("spatial", (5.0, -0.5), r"α from -0\.\d+ on, with sums over h×w from [01.9]* to 1"),
        ("spatial", (torch.nan,), "α from nan on"),
        (
            "temporal",
            (100.0,),
            r"β from \d[\d.]* to \d[\d.]*; give values from 0 to 1, as a sigmoid",
        ),
        ("temporal", (1.0, -1.0), "β from -"),
    ],
)
def test_values_out_of_range_are_named_before_the_first_step(
    tiny: Build, crowd: Callable[..., Any], part: str, change: tuple[float, ...], message: str
) -> None:
    paper = {"spatial": tiny().san, "temporal": tiny().tan}[part]
    model = tiny(identities=8, **{part: Scaled(paper, *change)})
    before = {k: v.clone() for k, v in model.named_parameters()}
    recipe = Recipe(epochs=1, batch=8, people=4, load_size=None, crop=None)
    with pytest.raises(ValueError, match=rf"the {part} part gave {message}"):
        train(model, crowd(8), recipe=recipe, progress=False)
    assert all(torch.equal(v, before[k]) for k, v in model.named_parameters())


def test_only_the_first_values_of_ones_own_parts_are_looked_at(tiny: Build, clips: Tensor) -> None:
    assert tiny().glance.at == tiny(spatial=AttentionPyramid, temporal=False).glance.at == []
    model = tiny(spatial=Scaled(tiny().san, 1.0), temporal=Scaled(tiny().tan, 1.0))
    assert model.glance.at == ["spatial", "temporal"]
    model(clips)
    assert model.glance.at == []
    model.san.factor = model.tan.factor = 2.0
    model(clips)


def test_a_backbone_keeps_the_promise_of_its_stride(tiny: Build) -> None:
    """Of the size of the frames it is fed; a cell cut by the edge may be there or not."""
    own = nn.Sequential(nn.Conv2d(3, 4, 8, 8))
    own.channels, own.stride = 4, 8  # type: ignore[assignment]
    model = tiny(backbone=own, trunk={})
    for size, cells in (((32, 16), (4, 2)), ((64, 48), (8, 6)), ((36, 20), (4, 2))):
        assert model(torch.rand(2, 3, 3, *size)).cube.shape[3:] == cells
    own.stride = 4  # type: ignore[assignment]
    wrong = r"\[4, 2\] cells for frames \[32, 16\], and its stride 4 promises \[8, 4\]; set stride"
    with pytest.raises(ValueError, match=wrong):
        model(torch.rand(2, 3, 3, 32, 16))


@pytest.mark.parametrize(("share", "frames", "kept"), [(0.28, 25, 7), (0.56, 25, 14), (0.3, 7, 3)])
def test_the_share_that_is_kept_is_not_rounded_wrong(share: float, frames: int, kept: int) -> None:
    nodes = on_strongest(WeightedAverage(), torch.ones(1, frames, 2), torch.rand(1, frames), share)[
        2
    ]
    assert int(nodes[0, :, 0].count_nonzero()) == kept


def test_weights_of_imagenet_reach_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    net = resnet18(weights=None)
    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", lambda *_, **__: net.state_dict())
    assert torch.equal(W3AN(4, weights="imagenet").backbone.stem[0].weight, net.conv1.weight)


def test_random_maps_go_up_to_a_thousandth_and_hang_on_every_pixel() -> None:
    like, frames = torch.zeros(1, 4, 1, 30, 30), torch.randn(1, 4, 3, 8, 8)
    noise, none = random_maps(frames, like)
    assert 0.9e-3 < noise.max() <= 1e-3
    assert noise.min() == 0
    assert not none.any()
    maps = [noise]
    for place in range(20):
        frames[0, 0, 0, 0, 0] += 1e-3 * (1 + place)
        maps.append(random_maps(frames, like)[0])
    assert all(not torch.equal(a, b) for k, a in enumerate(maps) for b in maps[:k])
