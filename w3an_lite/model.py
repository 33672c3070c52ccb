"""W3AN: the rooms in order, and the presets `paper`, `repaired` and `mean_pool`.

frames -> cube (Eq. 1) -> α, F (Eq. 2-4) -> β (Eq. 10) -> Ã (Eq. 12-13) -> GCN, F^v (Eq. 14-15),
with the class activation maps of Eq. 5-7 on the side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .backbone import NarrowTrunk, ResNet18Trunk, frozen_statistics
from .cam import Heads, fuse_attribute_maps, guide_frames, scale_map
from .files import load_plain, load_weights, save_plain
from .frames import Size, cut_clips, fit, normalise
from .gcn import GCN, propagation, readout
from .knn_graph import add_attention, knn_adjacency
from .output import Encoded, W3ANOutput
from .presets import preset
from .san import SpatialAttention, attend, uniform_scores
from .tan import TemporalAttention

SHIPPED = Path(__file__).parent / "weights" / "repaired.pt"
"""The shipped `repaired` model, trained on drawn people (`train --preset repaired`)."""


class W3AN(nn.Module):
    """The What-Where-When Attention Network. The defaults are the paper as printed.

    identities: the number of training identities I.
    backbone: "resnet18", "narrow", or a module `[N, 3, H, W] -> [N, M, h, w]` with `channels`
        and `stride`. weights, trunk: its weights (see `backbone`) and further arguments.
    attributes: A; size: (H, W) the network reads; clip_length: T.
    neighbours, mutual, include_self: the graph, see `knn_graph`.
    spatial: False gives every position the same weight (global average pooling).
    slots: a v_t for each frame slot (True, clips of exactly T frames) or one v for all.
    scores: "channel" or "shared", see `san`.
    flatten: heads on the flattened cube in place of the pooled one, see `cam`.
    guide_strength, guide_gradient, guide_frozen: the second pass on I′ (Eq. 7-8): the factor of
        the maps, whether gradient flows through α′, and whether batch norm's running statistics
        rest meanwhile (they must: let them move and evaluation falls apart).
    maps_of: "all" attributes make up m_a, or only those "present".
    map_form: "range" stretches each map from its least to its greatest value; "evidence" keeps
        what speaks for the class, see `cam`; "raw" adds them up as Eq. 6 gives them, unbounded.
    heads_on: identity and attributes are read from the "cube", pooled evenly (Eq. 5), or from the
        "attended" features F_t, so that naming them teaches α where they are.
    overall_bias: see `tan`. degree, layers, activation, last_activation, residual, readout: see
        `gcn`.
    clip_identity: adds batch norm and an identity classifier on F^v.
    """

    def __init__(
        self,
        identities: int,
        *,
        backbone: str | nn.Module = "resnet18",
        weights: str | None = None,
        trunk: dict[str, Any] | None = None,
        attributes: int = 67,
        size: tuple[int, int] = (224, 224),
        clip_length: int = 10,
        neighbours: int = 4,
        mutual: bool = True,
        include_self: bool = False,
        spatial: bool = True,
        slots: bool = True,
        scores: str = "channel",
        flatten: bool = False,
        guide_strength: float = 1.0,
        guide_gradient: bool = False,
        guide_frozen: bool = True,
        maps_of: str = "all",
        map_form: str = "range",
        heads_on: str = "cube",
        overall_bias: bool = True,
        degree: str = "adjacency",
        layers: int = 2,
        activation: str = "relu",
        last_activation: bool = True,
        residual: bool = False,
        readout: str = "mean",
        clip_identity: bool = False,
    ) -> None:
        super().__init__()
        config = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        if min(identities, clip_length) < 1:
            raise ValueError(f"identities {identities}, clip_length {clip_length}: at least 1")
        choices = {
            "maps_of": (maps_of, ("all", "present")),
            "map_form": (map_form, ("range", "evidence", "raw")),
            "heads_on": (heads_on, ("cube", "attended")),
            "degree": (degree, ("adjacency", "weighted")),
            "readout": (readout, ("mean", "beta")),
        }
        for name, (value, known) in choices.items():
            if value not in known:
                raise ValueError(f"{name} {value!r} is not known; choose from {', '.join(known)}")
        if flatten and heads_on == "attended":
            raise ValueError("attended heads have nothing to flatten; choose one of the two")
        self.map_form, self.heads_on = map_form, heads_on
        self.config: dict[str, Any] = {**config, "weights": None, "size": tuple(size)}
        if isinstance(backbone, nn.Module):
            self.config["backbone"] = "custom"
            self.backbone = backbone
        elif backbone == "resnet18":
            self.backbone = ResNet18Trunk(weights=weights, **(trunk or {}))
        elif backbone == "narrow":
            self.backbone = NarrowTrunk(weights=weights, **(trunk or {}))
        else:
            raise ValueError(f"backbone {backbone!r} is not known; choose 'resnet18' or 'narrow'")
        self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.identities, self.attributes, self.clip_length = identities, attributes, clip_length
        self.size: Size = (int(size[0]), int(size[1]))
        self.neighbours, self.mutual, self.include_self = neighbours, mutual, include_self
        self.guide_strength, self.guide_gradient = guide_strength, guide_gradient
        self.guide_frozen, self.maps_of = guide_frozen, maps_of
        self.degree, self.readout = degree, readout

        channels = int(self.backbone.channels)  # type: ignore[arg-type]
        stride = int(self.backbone.stride)  # type: ignore[arg-type]
        grid = (-(-size[0] // stride), -(-size[1] // stride))
        self.heads = Heads(channels, identities, attributes, grid if flatten else None)
        self.san = (
            SpatialAttention(channels, clip_length if slots else None, scores) if spatial else None
        )
        self.tan = TemporalAttention(channels, overall_bias)
        self.gcn = GCN(channels, layers, activation, last_activation, residual)
        self.neck: nn.BatchNorm1d | None = None
        self.clip_head: nn.Linear | None = None
        if clip_identity:
            self.neck = nn.BatchNorm1d(channels)
            self.neck.bias.requires_grad_(False)  # the neck must not shift the embedding's centre
            self.clip_head = nn.Linear(channels, identities, bias=False)

    @classmethod
    def preset(cls, name: str, identities: int, **changes: Any) -> W3AN:
        """The model of a preset, with `changes` to its arguments.

        `W3AN.preset("paper", 625, weights="imagenet")` is the paper's size;
        `W3AN.preset("repaired", 64, **SMALL["model"])` trains on two cores.
        """
        return cls(identities, **{**preset(name, "model"), **changes})

    def save_pretrained(self, path: str | Path) -> None:
        """Write the arguments and the weights, nothing else; whole or not at all."""
        save_plain({"config": self.config, "state": self.state_dict()}, path)

    @classmethod
    def from_pretrained(cls, path: str | Path, backbone: nn.Module | None = None) -> W3AN:
        """The model that `save_pretrained` wrote, ready to embed.

        backbone: needed when it was built with a module of your own. ValueError names the file
        and what is wrong with it; code inside it is never run.
        """
        content = load_plain(path)
        if not all(isinstance(content.get(part), dict) for part in ("config", "state")):
            raise ValueError(f"{path} is no W3AN model; write it with save_pretrained")
        config = dict(content["config"])
        if config.get("backbone") == "custom":
            if backbone is None:
                raise ValueError(f"{path} has a backbone of its own; pass it as backbone")
            config["backbone"] = backbone
        try:
            model = cls(**config)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is of another version: {error}") from error
        load_weights(model, content["state"], path)
        return model.eval()

    @classmethod
    def shipped(cls) -> W3AN:
        """The `repaired` model inside the package, trained on drawn people."""
        return cls.from_pretrained(SHIPPED)

    @property
    def device(self) -> torch.device:
        return self.tan.score.weight.device

    def encode(self, frames: Tensor) -> Encoded:
        """Eq. 1-4 and 10-15 for normalised frames `[B, T, 3, H, W]`."""
        cube = self._cube(frames)
        alpha = uniform_scores(cube) if self.san is None else self.san(cube)
        features = attend(alpha, cube)
        beta, overall = self.tan(features)
        graph = self.gather(features, beta)
        return Encoded(cube, alpha, features, beta, overall, *graph)

    def _cube(self, frames: Tensor) -> Tensor:
        """C of Eq. 1: `[B, T, 3, H, W]` -> `[B, T, M, h, w]`."""
        flat = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.backbone(flat).unflatten(0, frames.shape[:2])

    def gather(self, features: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Eq. 12-15: F `[B, T, M]` and β `[B, T]` -> A, Ã, nodes F^g, embedding F^v."""
        joined = knn_adjacency(features, self.neighbours, self.mutual, self.include_self)
        adjacency = add_attention(joined, beta)
        nodes = self.gcn(features, propagation(joined, adjacency, self.degree))
        return joined, adjacency, nodes, readout(nodes, beta, self.readout)

    def forward(
        self,
        frames: Tensor,
        identity: Tensor | None = None,
        attributes: Tensor | None = None,
        guide: bool = False,
    ) -> W3ANOutput:
        """Clips `[B, T, 3, H, W]` (uint8, or float in [0, 1]) -> `W3ANOutput`.

        identity `[B]` and attributes `[B, A]` choose the classes of the maps; without them (or
        where an attribute is unknown) the predicted class is taken.
        guide: run the second pass on I′ (Eq. 7) and return α′.

        ValueError for another shape, or a number of frames that v_t was not made for.
        """
        if frames.ndim != 5 or frames.shape[2] != 3 or 0 in frames.shape:
            raise ValueError(
                f"frames are {list(frames.shape)}; give clips [B, T, 3, H, W] "
                "(model.embed takes the frames of one tracklet)"
            )
        frames = normalise(frames)
        path = self.encode(frames)
        attended = path.frame_features if self.heads_on == "attended" else None
        identity_logits, attribute_logits = self.heads(path.cube, attended)
        identity_map, attribute_map = self.maps(
            path.cube.detach(), identity_logits, attribute_logits, identity, attributes
        )
        alpha_prime = None
        if guide and self.san is not None:
            guided = guide_frames(frames, identity_map, attribute_map, self.guide_strength)
            gradient = torch.set_grad_enabled(self.guide_gradient and torch.is_grad_enabled())
            with gradient, frozen_statistics(self.backbone, self.guide_frozen):
                alpha_prime = self.san(self._cube(guided))
        clip_logits = None
        if self.neck is not None and self.clip_head is not None:
            clip_logits = self.clip_head(self.neck(path.embedding))
        return W3ANOutput(
            *path,
            identity_logits,
            attribute_logits,
            identity_map,
            attribute_map,
            clip_logits,
            alpha_prime,
        )

    @torch.no_grad()
    def maps(
        self,
        cube: Tensor,
        identity_logits: Tensor,
        attribute_logits: Tensor,
        identity: Tensor | None,
        attributes: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """m_i and m_a of Eq. 6, each `[B, T, h, w]` in [0, 1]."""
        if identity is None:
            identity = identity_logits.mean(1).argmax(-1)
        identity = identity.unsqueeze(1).expand(-1, cube.shape[1])
        present = attribute_logits.argmax(-1)
        if attributes is not None:
            label = attributes.unsqueeze(1).expand(-1, cube.shape[1], -1)
            present = torch.where(label >= 0, (label > 0.5).to(present.dtype), present)
        evidence = self.map_form == "evidence"
        chosen = present if self.maps_of == "present" else None
        identity_map = self.heads.identity_map(cube, identity, evidence)
        attribute_maps = self.heads.attribute_maps(cube, present)
        if self.map_form == "raw":
            kept = attribute_maps if chosen is None else attribute_maps * chosen[..., None, None]
            return identity_map, kept.sum(2)
        return (
            scale_map(identity_map, evidence),
            fuse_attribute_maps(attribute_maps, chosen, evidence),
        )

    @torch.no_grad()
    def embed(self, frames: Tensor, batch: int = 32) -> Tensor:
        """One tracklet of any length, uint8 `[n, 3, H, W]` of any size -> `[M]`.

        Cuts it into clips of T (see `cut_clips`), embeds `batch` clips at a time and averages.
        Leaves the model in the mode it was in.
        """
        if frames.ndim != 4 or frames.shape[1] != 3 or len(frames) == 0:
            raise ValueError(
                f"frames are {list(frames.shape)}; give one tracklet [n, 3, H, W] with n at least 1"
            )
        training = self.training
        self.eval()
        try:
            clips = cut_clips(len(frames), self.clip_length).to(frames.device)
            sums = []
            for some in clips.split(batch):
                part = fit(frames[some.flatten()], self.size).to(self.device)
                part = normalise(part).unflatten(0, tuple(some.shape))
                sums.append(self.encode(part).embedding.sum(0))
            return torch.stack(sums).sum(0) / len(clips)
        finally:
            self.train(training)
