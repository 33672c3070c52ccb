"""An attention pyramid in place of SAN (Table 5's AP-W3AN): coarse and fine views of one frame.

After the idea of Ding et al., "AP-CNN: weakly supervised attention pyramid convolutional neural
network for fine-grained visual classification", IEEE TIP 2021: features come down a pyramid from
coarse to fine, attention climbs up it from fine to coarse. There the levels are stages of the
trunk; here they are the cube and its halvings, for a spatial part sees nothing else. There the
attention multiplies features; here it must sum to 1 over the positions.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from .san import normalise_scores


class AttentionPyramid(nn.Module):
    """cube `[B, T, M, h, w]` -> α of the same shape, which sums to 1 over h×w.

    Level 0 is the cube, each further one is pooled by two (while the grid allows). Going down,
    each level adds the coarser one, enlarged, to its own `width` channels. Each level scores its
    positions by a 3×3 convolution, and the channels by a gate in (0, 1) that is averaged with the
    gate below. α_m is the softmax of Σ_levels gate_m · score.

    levels: at most so many; width: channels of the pyramid, M/4 if None.
    """

    def __init__(self, channels: int, levels: int = 3, width: int | None = None) -> None:
        super().__init__()
        if levels < 1:
            raise ValueError(f"levels is {levels}; a pyramid has at least 1")
        width = width or max(channels // 4, 1)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in range(levels))
        self.score = nn.ModuleList(nn.Conv2d(width, 1, 3, padding=1) for _ in range(levels))
        self.gate = nn.ModuleList(nn.Linear(width, channels) for _ in range(levels))

    def forward(self, cube: Tensor) -> Tensor:
        frames = cube.flatten(0, 1)
        views = [frames]
        while len(views) < len(self.lateral) and min(views[-1].shape[-2:]) > 1:
            views.append(functional.avg_pool2d(views[-1], 2, ceil_mode=True))
        features = [lateral(view) for lateral, view in zip(self.lateral, views, strict=False)]
        for level in reversed(range(len(views) - 1)):
            features[level] = features[level] + _to_grid(features[level + 1], features[level])
        raw = frames.new_zeros(frames.shape)
        below: Tensor | None = None
        for feature, score, gate in zip(features, self.score, self.gate, strict=False):
            own = gate(feature.mean((-2, -1))).sigmoid()
            below = own if below is None else (own + below) / 2
            raw = raw + below[..., None, None] * _to_grid(score(feature), frames)
        return normalise_scores(raw).unflatten(0, cube.shape[:2])


def _to_grid(coarse: Tensor, like: Tensor) -> Tensor:
    """`coarse` `[N, C, h', w']` enlarged to the grid of `like`, bilinear."""
    return functional.interpolate(coarse, like.shape[-2:], mode="bilinear", align_corners=False)
