"""Spatial attention: what and where to look (Eq. 2-4, 8)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d


class SpatialAttention(nn.Module):
    """Scores every position of every frame (Eq. 2-3).

    cube `[B, T, M, h, w]` -> α `[B, T, M, h, w]`, which sums to 1 over the positions.

    slots: the number of frames T when each frame slot t has its own v_t (as printed; clips must
        then have exactly T frames), by which the network tells early frames from late ones; None
        shares one v among all frames and takes any T.
    scores: "channel" gives each of the M channels a map of its own (as printed, v is M×M);
        "shared" gives all channels one map (v is 1×M).
    reads: "cube", or "place": Eq. 2 is given `place_code` for the cube, whatever the frame shows.
        α is then learned but the same for every clip: a control that cannot look.
    """

    def __init__(
        self,
        channels: int,
        slots: int | None = 10,
        scores: str = "channel",
        reads: str = "cube",
    ) -> None:
        super().__init__()
        if scores not in ("channel", "shared"):
            raise ValueError(f"scores {scores!r} is not known; choose 'channel' or 'shared'")
        if reads not in ("cube", "place"):
            raise ValueError(f"reads {reads!r} is not known; choose 'cube' or 'place'")
        self.slots, self.reads = slots, reads
        self.mix = nn.Linear(channels, channels)  # W_s, b_s
        rows = channels if scores == "channel" else 1
        v = torch.empty(slots or 1, rows, channels)
        self.v = nn.Parameter(v.uniform_(-(channels**-0.5), channels**-0.5))

    def forward(self, cube: Tensor) -> Tensor:
        frames = cube.shape[1]
        if self.slots is not None and frames != self.slots:
            raise ValueError(
                f"the clip has {frames} frames, v_t was made for {self.slots}; "
                "cut clips of that length (model.embed does) or build with slots=None "
                "(slots=False in W3AN)"
            )
        seen = place_code(cube) if self.reads == "place" else cube
        hidden = torch.einsum("btmhw,nm->btnhw", seen, self.mix.weight)
        hidden = torch.tanh(hidden + self.mix.bias[:, None, None])
        v = self.v.expand(frames, -1, -1) if self.slots is None else self.v
        raw = torch.einsum("tnm,btmhw->btnhw", v, hidden)  # Eq. 2
        return normalise_scores(raw).expand_as(cube)


def place_code(cube: Tensor) -> Tensor:
    """A code of each position of cube `[B, T, M, h, w]` that says nothing of the frame:
    `[1, T, M, h, w]`, the same for all t.

    Channel by channel the products of a cosine down and one across, by rising frequency. There are
    h·w of them, of which every map is a sum; channels beyond are 0.
    """
    frames, channels, high, wide = cube.shape[1:]
    down, right = _cosines(high, cube), _cosines(wide, cube)
    waves = (down[:, None, :, None] * right[None, :, None, :]).flatten(0, 1)
    rise = [(torch.arange(n, device=cube.device) / n).square() for n in (high, wide)]
    order = (rise[0][:, None] + rise[1]).flatten().argsort(stable=True)
    code = cube.new_zeros(channels, high, wide)
    kept = waves[order[:channels]]
    code[: len(kept)] = kept
    return code.expand(1, frames, -1, -1, -1)


def _cosines(count: int, like: Tensor) -> Tensor:
    """`[count, count]`: in row k a cosine of k half waves, at the middles of `count` cells."""
    cells = torch.arange(count, device=like.device)
    return torch.cos(torch.outer(cells, cells + 0.5) * (math.pi / count))


def normalise_scores(raw: Tensor) -> Tensor:
    """Eq. 3: softmax over the positions of `[..., h, w]`, for each leading index on its own."""
    return raw.flatten(-2).softmax(-1).unflatten(-1, raw.shape[-2:])


def uniform_scores(cube: Tensor) -> Tensor:
    """The α that prefers no position; with it Eq. 4 is global average pooling."""
    return torch.full_like(cube, 1 / (cube.shape[-2] * cube.shape[-1]))


def attend(alpha: Tensor, cube: Tensor) -> Tensor:
    """Eq. 4: F_t = Σ_k α_t(k) ⊙ C_t(k); `[..., M, h, w]` twice -> `[..., M]`."""
    return (alpha * cube).sum((-2, -1))


def attention_consistency(alpha: Tensor, alpha_prime: Tensor) -> Tensor:
    """Eq. 8: Σ_t Σ_k ||α_t(k) - α'_t(k)||², mean over the batch; both `[B, T, M, h, w]`.

    Zero for every α that ignores its input, flat or not: the loss alone asks for nothing more.
    """
    return (alpha - alpha_prime).square().sum((1, 2, 3, 4)).mean()


def attention_to_map(alpha: Tensor, target: Tensor, eps: float = 1e-8) -> Tensor:
    """Repair of Eq. 8: the divergence KL(target || α), mean over frames and channels.

    alpha `[B, T, M, h, w]`; target `[B, T, h, w]`, not negative, scaled here to sum to 1. A frame
    whose target is 0 everywhere asks for nothing.
    """
    total = target.sum((-2, -1), keepdim=True)
    share = (target / total.clamp_min(eps)).unsqueeze(2)
    ratio = share.clamp_min(eps).log() - alpha.clamp_min(eps).log()
    return (share * ratio).sum((-2, -1)).mean()


def avoid_foreign(alpha: Tensor, foreign: Tensor, eps: float = 1e-4) -> Tensor:
    """Repair: α must not lie on pixels that came from another frame in training.

    -log of the mass of α `[B, T, M, h, w]` on what is left; foreign `[B, T, H, W]` is brought to
    h×w by area. Mean over frames and channels; 0 when nothing is foreign.
    """
    share = at_grid(foreign, alpha)
    mass = (alpha * share.unsqueeze(2)).sum((-2, -1))
    return -(1 - mass).clamp_min(eps).log().mean()


def at_grid(mask: Tensor, like: Tensor) -> Tensor:
    """How much of each cell a mask `[..., H, W]` covers, on the grid of `like` `[..., h, w]`."""
    return adaptive_avg_pool2d(mask.to(like.dtype), (like.shape[-2], like.shape[-1]))
