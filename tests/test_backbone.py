"""Eq. 1: the shape of the cube, and weights that are what they were said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models import ResNet18_Weights, resnet18

from w3an_lite.backbone import NarrowTrunk, ResNet18Trunk


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("size", [(64, 32), (30, 18)])
def test_the_narrow_cube_has_the_size_its_stride_says(stride: int, size: tuple[int, int]) -> None:
    trunk = NarrowTrunk(width=2, stride=stride)
    cube = trunk(torch.rand(2, 3, *size))
    assert cube.shape == (2, 16, -(-size[0] // stride), -(-size[1] // stride))
    assert trunk.channels == 16
    assert trunk.stride == stride


def test_the_resnet_is_torchvisions_without_pooling_and_last_layer() -> None:
    net = resnet18(weights=None).eval()
    trunk = ResNet18Trunk()
    trunk.stem.load_state_dict(
        torch.nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool).state_dict()
    )
    trunk.stages.load_state_dict(
        torch.nn.Sequential(net.layer1, net.layer2, net.layer3, net.layer4).state_dict()
    )
    frames = torch.rand(1, 3, 64, 64)
    cube = trunk.eval()(frames)
    assert cube.shape == (1, trunk.channels, 64 // trunk.stride, 64 // trunk.stride)
    torch.testing.assert_close(net.fc(cube.mean((-2, -1))), net(frames))


def test_a_file_of_imagenet_weights_is_loaded(tmp_path: Path) -> None:
    net = resnet18(weights=None)
    torch.save(net.state_dict(), tmp_path / "resnet18.pth")
    torch.manual_seed(1)
    trunk = ResNet18Trunk(tmp_path / "resnet18.pth")
    assert torch.equal(trunk.stem[0].weight, net.conv1.weight)
    assert torch.equal(trunk.stages[3][1].bn2.running_var, net.layer4[1].bn2.running_var)


@pytest.mark.parametrize("change", ["old", "other classes", "no last layer"])
def test_what_the_trunk_has_no_use_for_may_differ(tmp_path: Path, change: str) -> None:
    """An old file counts no batches; a fine-tuned one has other classes, or no last layer."""
    net = resnet18(weights=None, num_classes=7 if change == "other classes" else 1000)
    state = net.state_dict()
    if change == "old":
        state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    if change == "no last layer":
        state = {k: v for k, v in state.items() if not k.startswith("fc.")}
    torch.save(state, tmp_path / "resnet18.pth")
    torch.manual_seed(1)
    trunk = ResNet18Trunk(tmp_path / "resnet18.pth")
    assert torch.equal(trunk.stages[3][1].conv2.weight, net.layer4[1].conv2.weight)


@pytest.mark.parametrize("lost", ["layer3.0.conv1.weight", "layer1.0.bn2.running_var"])
def test_a_file_without_a_layer_is_no_resnet18(tmp_path: Path, lost: str) -> None:
    state = {k: v for k, v in resnet18(weights=None).state_dict().items() if k != lost}
    torch.save(state, tmp_path / "cut.pth")
    with pytest.raises(ValueError, match=rf"cut\.pth .*another model: '{lost}' is missing"):
        ResNet18Trunk(tmp_path / "cut.pth")


def test_imagenet_that_was_fetched_before_needs_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = resnet18(weights=None)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    name = ResNet18_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    torch.save(net.state_dict(), tmp_path / "checkpoints" / name)
    assert torch.equal(ResNet18Trunk("imagenet").stem[0].weight, net.conv1.weight)


def test_imagenet_asks_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    net = resnet18(weights=None)
    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", lambda *_, **__: net.state_dict())
    assert torch.equal(ResNet18Trunk("imagenet").stem[0].weight, net.conv1.weight)


def test_a_download_that_fails_is_not_replaced_by_random_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fail)
    with pytest.raises(
        OSError, match=r"no route to host.*give the path .*or weights=None .--weights none"
    ):
        ResNet18Trunk("imagenet")


def test_narrow_weights_come_from_a_file(tmp_path: Path) -> None:
    one = NarrowTrunk(width=2)
    torch.save(one.state_dict(), tmp_path / "trunk.pt")
    other = NarrowTrunk(width=2, weights=tmp_path / "trunk.pt")
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


@pytest.mark.parametrize("kind", [NarrowTrunk, ResNet18Trunk])
def test_weights_of_another_trunk_are_named(tmp_path: Path, kind: type[NarrowTrunk]) -> None:
    torch.save(NarrowTrunk(width=3).state_dict(), tmp_path / "odd.pt")
    with pytest.raises(ValueError, match=r"odd\.pt holds the weights of another model"):
        kind(weights=tmp_path / "odd.pt")


def test_missing_weights_and_an_unknown_stride(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pt does not exist"):
        NarrowTrunk(weights=tmp_path / "none.pt")
    with pytest.raises(ValueError, match=r"stride 5 is not known; choose from \[4, 8, 16\]"):
        NarrowTrunk(stride=5)
