"""The losses: multi-task, batch-hard triplet, and their sum (Eq. 9, 16, 17).

Eq. 8 is in `san`, Eq. 11 in `tan`. Attributes with a negative value are unknown and add nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .output import W3ANOutput
from .presets import preset
from .san import at_grid, attention_consistency, attention_to_map, avoid_foreign
from .tan import covered_order, covered_share, temporal_spread


def identity_loss(logits: Tensor, identity: Tensor) -> Tensor:
    """The identity task of Eq. 9: cross-entropy of `[B, T, I]` or `[B, I]` with labels `[B]`."""
    if logits.ndim == 3:
        identity = identity.unsqueeze(1).expand(-1, logits.shape[1])
        logits, identity = logits.flatten(0, 1), identity.flatten()
    return functional.cross_entropy(logits, identity)


def attribute_loss(
    logits: Tensor,
    attributes: Tensor,
    reduction: str = "sum",
    positive_weight: Tensor | float = 1.0,
) -> Tensor:
    """The attribute tasks of Eq. 9: two-way softmax cross-entropy, mean over frames.

    logits `[B, T, A, 2]`; attributes `[B, A]` in [0, 1] (a probability is a soft label), negative
    where unknown. The loss of a frame is the "sum" over its known attributes (as printed) or
    their "mean". positive_weight, one number or `[A]`, multiplies the terms of attributes that
    are present, which are the rare ones.

    A two-way softmax sees only the difference of its logits, so this equals binary cross-entropy
    on that difference.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction {reduction!r} is not known; choose 'sum' or 'mean'")
    target = attributes.unsqueeze(1).expand(-1, logits.shape[1], -1)
    known = (target >= 0).to(logits.dtype)
    difference = logits[..., 1] - logits[..., 0]
    terms = known * functional.binary_cross_entropy_with_logits(
        difference,
        target.clamp_min(0).to(logits.dtype),
        reduction="none",
        pos_weight=positive_weight.to(logits)
        if isinstance(positive_weight, Tensor)
        else logits.new_full((), positive_weight),
    )
    frame = terms.sum(-1)
    if reduction == "mean":
        frame = frame / known.sum(-1).clamp_min(1)
    return frame.mean()


def triplet_loss(
    embedding: Tensor,
    identity: Tensor,
    margin: float = 0.55,
    anchors: str = "all",
    normalise: bool = False,
    apart: Tensor | None = None,
) -> Tensor:
    """Eq. 16: batch-hard triplet loss of embeddings `[B, D]` with labels `[B]`.

    For an anchor: the farthest clip of the same person, the nearest of another, and the hinge
    max(0, m_2 + farthest - nearest).

    anchors: "all" averages over every clip that has both; "identity" takes the worst anchor of
        each person and averages over persons, the other reading of 1/P.
    normalise: L2-normalise the embeddings first.
    apart: bool `[B, B]`, the pairs known to show two people, where not every two labels do; left
        out, all pairs with different labels.

    0 when the batch has no anchor with both. Source: Hermans et al., arXiv 1703.07737.
    """
    if anchors not in ("all", "identity"):
        raise ValueError(f"anchors {anchors!r} is not known; choose 'all' or 'identity'")
    if embedding.ndim != 2 or identity.shape != embedding.shape[:1]:
        raise ValueError(
            f"embeddings are {list(embedding.shape)}, identities {list(identity.shape)}; give "
            "[B, D] and one label each, [B]"
        )
    points = functional.normalize(embedding, dim=-1) if normalise else embedding
    square = (points.unsqueeze(1) - points.unsqueeze(0)).square().sum(-1)
    distance = square.clamp_min(1e-12).sqrt()  # the root has no gradient at 0
    same = identity.unsqueeze(0) == identity.unsqueeze(1)
    positive = same & ~torch.eye(len(identity), dtype=torch.bool, device=identity.device)
    apart = ~same if apart is None else apart
    farthest = distance.masked_fill(~positive, -torch.inf).amax(1)
    nearest = distance.masked_fill(~apart, torch.inf).amin(1)
    usable = positive.any(1) & apart.any(1)
    hinge = torch.where(usable, margin + farthest - nearest, torch.zeros_like(nearest)).clamp_min(0)
    if anchors == "all":
        return hinge.sum() / usable.sum().clamp_min(1)
    worst = torch.where(same, hinge.unsqueeze(0), torch.zeros_like(distance)).amax(1)
    persons = same & usable.unsqueeze(0)
    share = usable / persons.sum(1).clamp_min(1)  # each person counts once, over its own anchors
    return (worst * share).sum() / share.sum().clamp_min(1)


@dataclass(frozen=True)
class Objective:
    """Eq. 17: L = γ_1 L_san + γ_2 L_cam + γ_3 L_tan + γ_4 L_triplet, plus the named repairs.

    san_weight, cam_weight, tan_weight, triplet_weight: γ_1 to γ_4.
    identity_task, attribute_task: λ_0 and λ_1..A of Eq. 9.
    attribute_reduction, positive_weight: see `attribute_loss`; one weight for all attributes.
    spread_margin, triplet_margin: m_1 and m_2.

    Repairs, off in the paper's reading:
    look_weight: Eq. 9 on what α picks out of the cube, the cube held fixed, which needs a model
        with heads_on="both".
    map_weight: `san.attention_to_map` in place of Eq. 8 (set san_weight to 0).
    map_power: the power the target map is raised to, so that its peaks count for more.
    order_weight, order_margin: `tan.covered_order` on frames pasted over in training.
    avoid_weight: `san.avoid_foreign` on pixels pasted over, or exchanged with another frame's
        surroundings, in training.
    clip_weight: identity cross-entropy on F^v, which needs a model with clip_identity=True.
    """

    san_weight: float = 0.3
    cam_weight: float = 0.15
    tan_weight: float = 0.2
    triplet_weight: float = 0.35
    identity_task: float = 1.0
    attribute_task: float = 1.0
    attribute_reduction: str = "sum"
    positive_weight: float = 1.0
    spread_margin: float = 0.08
    triplet_margin: float = 0.55
    triplet_anchors: str = "all"
    triplet_normalise: bool = False
    look_weight: float = 0.0
    map_weight: float = 0.0
    map_power: float = 1.0
    order_weight: float = 0.0
    order_margin: float = 0.5
    avoid_weight: float = 0.0
    clip_weight: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not 0 <= value < float("inf"):
                raise ValueError(f"{field.name} is {value}; it must be a number from 0 up")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Objective:
        """The objective of a preset, with `changes` to its arguments."""
        return cls(**{**preset(name, "objective"), **changes})

    @property
    def needs_maps(self) -> bool:
        return self.san_weight > 0 or self.map_weight > 0

    def multi_task(
        self, identity_logits: Tensor, logits: Tensor, identity: Tensor, attributes: Tensor
    ) -> Tensor:
        """L_cam of Eq. 9: the identity task and the attribute tasks, weighted by λ."""
        loss = self.identity_task * identity_loss(identity_logits, identity)
        if self.attribute_task:
            loss = loss + self.attribute_task * attribute_loss(
                logits, attributes, self.attribute_reduction, self.positive_weight
            )
        return loss

    def terms(
        self,
        output: W3ANOutput,
        identity: Tensor,
        attributes: Tensor,
        covered: Tensor | None = None,
        foreign: Tensor | None = None,
        gather: Callable[[Tensor], Tensor] = lambda own: own,
    ) -> dict[str, tuple[Tensor, float]]:
        """Every term as (raw value, weight), by name.

        identity `[B]` labels 0..I-1; attributes `[B, A]`; covered and foreign
        `[B, T, H, W]`, see `data.augment.Augmented`.
        gather: `[B, ...]` of this process -> those of all processes, with gradient, for the two
            terms that compare clips or are no mean over them; see `distributed`.
        """
        logits = (output.identity_logits, output.attribute_logits)
        terms = {
            "cam": (self.multi_task(*logits, identity, attributes), self.cam_weight),
            "tan": (
                temporal_spread(output.beta, output.beta_overall, self.spread_margin),
                self.tan_weight,
            ),
            "triplet": (
                triplet_loss(
                    gather(output.embedding),
                    gather(identity),
                    self.triplet_margin,
                    self.triplet_anchors,
                    self.triplet_normalise,
                ),
                self.triplet_weight,
            ),
        }
        if output.alpha_prime is not None:
            terms["san"] = (
                attention_consistency(output.alpha, output.alpha_prime),
                self.san_weight,
            )
        if self.look_weight:
            seen = (output.looked_identity_logits, output.looked_attribute_logits)
            if seen[0] is None or seen[1] is None:
                raise ValueError(
                    "look_weight needs a model built with heads_on='both', and in training"
                )
            look = self.multi_task(seen[0], seen[1], identity, attributes)
            terms["look"] = (look, self.look_weight)
        if self.map_weight:
            target = (output.identity_map + output.attribute_map).pow(self.map_power)
            if foreign is not None:  # what was pasted in is no place to look at
                target = target * (1 - at_grid(foreign, target))
            terms["map"] = (attention_to_map(output.alpha, target), self.map_weight)
        if self.order_weight and covered is not None:
            terms["order"] = (
                covered_order(
                    gather(output.beta), gather(covered_share(covered)), self.order_margin
                ),
                self.order_weight,
            )
        if self.avoid_weight and foreign is not None:
            terms["avoid"] = (avoid_foreign(output.alpha, foreign), self.avoid_weight)
        if self.clip_weight:
            if output.clip_logits is None:
                raise ValueError("clip_weight needs a model built with clip_identity=True")
            terms["clip"] = (identity_loss(output.clip_logits, identity), self.clip_weight)
        return terms


def total(terms: dict[str, tuple[Tensor, float]]) -> Tensor:
    """Eq. 17: the weighted sum."""
    return torch.stack([raw * weight for raw, weight in terms.values()]).sum()
