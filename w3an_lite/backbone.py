"""The trunk: a frame becomes a cube of features (Eq. 1).

Eq. 1 lays the cube C_t out as H·W positions with M features each. Here it is `[..., M, h, w]`,
channels before positions as PyTorch keeps them.

Source: torchvision's ResNet-18; `NarrowTrunk` is ours, the same residual blocks, thin enough to
train on two cores.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, resnet18
from torchvision.models.resnet import BasicBlock

from .files import load_plain, load_weights

SHIPPED_TRUNK = Path(__file__).parent / "weights" / "trunk.pt"
"""Weights of `NarrowTrunk()` trained on the attributes of drawn stills; stands in for ImageNet."""


class ResNet18Trunk(nn.Module):
    """ResNet-18 without its pooling and its last layer: `[N, 3, H, W] -> [N, 512, H/32, W/32]`.

    weights: "imagenet" takes torchvision's, fetched once and kept in torch's cache; a path loads
        the state dict of a ResNet-18, whatever its last layer was for; None starts from random
        numbers. OSError when they cannot be fetched, ValueError when a file holds something else:
        nothing is ever swapped for something else in silence.
    """

    channels = 512
    stride = 32

    def __init__(self, weights: str | Path | None = None) -> None:
        super().__init__()
        net = resnet18(weights=None)
        if weights == "imagenet":
            try:
                state = ResNet18_Weights.IMAGENET1K_V1.get_state_dict(
                    progress=True, check_hash=True
                )
            except Exception as error:
                raise OSError(
                    f"the ImageNet weights of ResNet-18 could not be fetched ({error}); give the "
                    "path of resnet18-f37072fd.pth, or weights=None (--weights none) to start from "
                    "random numbers"
                ) from error
            load_trunk(net, state, "imagenet")
        elif weights is not None:
            load_trunk(net, load_plain(weights), weights)
        self.stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
        self.stages = nn.Sequential(net.layer1, net.layer2, net.layer3, net.layer4)

    def forward(self, frames: Tensor) -> Tensor:
        return self.stages(self.stem(frames))


def load_trunk(net: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy all but the last layer of a ResNet's `state`; ValueError names what does not fit.

    Files from before PyTorch 0.4.1 do not count batches, and nothing here asks for the count.
    """
    own = net.state_dict()
    last = {k: v for k, v in own.items() if k.startswith("fc.")}
    counts = {k: v for k, v in own.items() if k.endswith(".num_batches_tracked")}
    given = {k: v for k, v in state.items() if not k.startswith("fc.")}
    load_weights(net, {**counts, **given, **last}, source)


class NarrowTrunk(nn.Module):
    """Four stages of one residual block, `width` to 8·`width` channels.

    `[N, 3, H, W] -> [N, 8·width, H/stride, W/stride]`, stride 8, 4 or 16.

    weights: "stills" loads the shipped trunk (width 16), a path any other, None random numbers.
    """

    def __init__(self, width: int = 16, stride: int = 8, weights: str | Path | None = None) -> None:
        super().__init__()
        steps = {4: (1, 2, 1, 1), 8: (1, 2, 2, 1), 16: (1, 2, 2, 2)}
        if stride not in steps:
            raise ValueError(f"stride {stride} is not known; choose from {sorted(steps)}")
        self.channels = 8 * width
        self.stride = stride
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        before = width
        for stage, step in enumerate(steps[stride]):
            after = width * 2**stage
            shortcut = None
            if step != 1 or before != after:
                parts: dict[str, nn.Module] = {
                    "0": nn.Conv2d(before, after, 1, bias=False),
                    "1": nn.BatchNorm2d(after),
                }
                if step > 1:
                    # every step-th position, then 1×1: what a strided convolution is, but oneDNN
                    # writes its gradient beyond its memory where channels are fewer than a
                    # vector's lanes (uxlfoundation/oneDNN issue 6035; PyTorch 2.14 crashes)
                    parts = {"thin": nn.MaxPool2d(1, stride=step), **parts}
                shortcut = nn.Sequential(OrderedDict(parts))
            blocks.append(BasicBlock(before, after, stride=step, downsample=shortcut))
            before = after
        self.stages = nn.Sequential(*blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if weights is not None:
            path = SHIPPED_TRUNK if weights == "stills" else weights
            load_weights(self, load_plain(path), path)

    def forward(self, frames: Tensor) -> Tensor:
        return self.stages(self.stem(frames))


@contextmanager
def frozen_statistics(module: nn.Module, frozen: bool = True) -> Iterator[None]:
    """Within, batch norm still normalises by its batch but does not update what it remembers."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [m.momentum for m in norms]
    counts = [m.num_batches_tracked for m in norms]
    try:
        if frozen:
            for norm in norms:
                norm.momentum, norm.num_batches_tracked = 0.0, None
        yield
    finally:
        for norm, momentum, count in zip(norms, before, counts, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
