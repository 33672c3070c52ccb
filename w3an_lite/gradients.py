"""What a step does on its device: the network forward, the losses, and backward (Algorithm 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .distributed import Ranks
from .frames import fit
from .losses import Objective, total
from .model import W3AN, W3ANOutput
from .parts import is_foreign
from .speed import Piece, Speed


class Gradients:
    """The gradients of the loss on one batch, left in the model's parameters.

    frames uint8 `[B, T, 3, H, W]`, covered and foreign `[B, T, H, W]` as `data.augment` gives them,
    identity `[B]`, attributes `[B, A]` -> the log's columns, and their values `[columns]` on the
    device. guided: whether α is guided by the maps yet. Nothing here waits for the device.

    network is what is called: the model, or the model among many processes.
    """

    def __init__(self, model: W3AN, objective: Objective, ranks: Ranks, speed: Speed) -> None:
        self.model, self.objective, self.ranks, self.speed = model, objective, ranks, speed
        self.network: nn.Module = model

    def __call__(
        self,
        frames: Tensor,
        covered: Tensor,
        foreign: Tensor,
        identity: Tensor,
        attributes: Tensor,
        guided: bool,
    ) -> tuple[list[str], Tensor]:
        pair = guided and self.objective.san_weight > 0
        with self.speed.casting(frames.device):
            output = self.network(self._fitted(frames), identity, attributes, pair)
        loss, row = self._losses(output, identity, attributes, covered, foreign, guided)
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        row["gradient_norm"] = _gradient_norm(self.model)
        return list(row), torch.stack([*row.values()])

    def _fitted(self, frames: Tensor) -> Tensor:
        return fit(frames, self.model.size)

    def _losses(
        self,
        output: W3ANOutput,
        identity: Tensor,
        attributes: Tensor,
        covered: Tensor,
        foreign: Tensor,
        guided: bool,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and what the log says of it and of attention."""
        if self.speed.autocast:
            output = _float32(output)
        terms = self.objective.terms(
            output, identity, attributes, covered, foreign, self.ranks.gather
        )
        if not guided:
            terms.pop("map", None)
        loss = total(terms)
        row: dict[str, Tensor] = {}
        for name, (raw, weight) in terms.items():
            row[name] = raw.detach()
            row[f"{name}_weighted"] = raw.detach() * weight
        beta = self.ranks.gather(output.beta.detach())
        row |= {"loss": loss.detach(), "beta_mean": beta.mean(), "beta_spread": beta.std()}
        row["alpha_entropy"] = evenness(output.alpha.detach())
        return loss, row

    @property
    def pieces(self) -> list[Piece]:
        """What `Speed.applied` compiles: methods that a step calls with few kinds of input."""
        model = self.model
        modules = [m for m in (model.backbone, model.heads, model.san) if m is not None]
        return [
            *((module, "forward") for module in modules),
            *((model, name) for name in ("_prepared", "_weigh", "maps", "_guided")),
            *((self, name) for name in ("_fitted", "_losses")),
        ]

    @property
    def recordable(self) -> bool:
        """Whether all is this library's that runs here, nothing waits or draws by itself, and no
        hook would have to be called."""
        model = self.model
        parts = (model, model.backbone, model.san, model.tan, model.gcn, self.objective)
        hooked = any(
            m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules()
        )
        return model.guide_by != "noise" and not hooked and not any(map(is_foreign, parts))


def evenness(alpha: Tensor) -> Tensor:
    """Entropy of α `[B, T, M, h, w]`, mean of all, as a share of that of an even α: 1 is flat."""
    one = alpha[:, :, :1] if alpha.stride(2) == 0 else alpha  # one map for all channels
    entropy = -(one * one.clamp_min(1e-12).log()).sum((-2, -1)).mean()
    return entropy / math.log(max(alpha.shape[-2] * alpha.shape[-1], 2))


def _float32(output: W3ANOutput) -> W3ANOutput:
    """What the losses read in float32; the cube, which they do not, stays as it is."""
    return output._replace(
        **{k: v.float() for k, v in output._asdict().items() if v is not None and k != "cube"}
    )


def _gradient_norm(model: nn.Module) -> Tensor:
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.stack(torch._foreach_norm(gradients)).norm()
