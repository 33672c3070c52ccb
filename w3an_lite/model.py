"""W3AN: the rooms in order, and the presets `paper`, `repaired` and `mean_pool`.

frames -> cube (Eq. 1) -> α, F (Eq. 2-4) -> β (Eq. 10) -> Ã (Eq. 12-13) -> GCN, F^v (Eq. 14-15),
with the class activation maps of Eq. 5-7 on the side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from . import checks
from .backbone import frozen_statistics
from .cam import Heads, guide_frames
from .distance import Metric
from .files import save_plain
from .frames import Size, cut_clips, fit, normalise, one_tracklet
from .gcn import GCN, propagation, readout
from .guidance import class_maps, random_maps
from .knn_graph import add_attention, knn_adjacency
from .modes import evaluating
from .output import Encoded, W3ANOutput
from .parts import Glance, Graph, NoTemporal, Part, WeightedAverage, on_strongest, part_of, trunk_of
from .presets import preset
from .pretrained import read_model
from .san import SpatialAttention, attend, uniform_scores
from .speed import in_float32
from .tan import TemporalAttention

SHIPPED = Path(__file__).parent / "weights" / "repaired.pt"
"""The shipped `repaired` model, trained on drawn people (`demo --seeds 3 --epochs 30`)."""


class W3AN(nn.Module):
    """The What-Where-When Attention Network. The defaults are the paper as printed.

    identities: the number of training identities I.
    backbone: "resnet18", "narrow", or a module `[N, 3, H, W] -> [N, M, h, w]` with `channels`
        and `stride`. weights, trunk: its weights (see `backbone`) and further arguments.
    attributes: A; size: (H, W) the network reads; clip_length: T.
    spatial, temporal, graph: True for the paper's part, False for none, or a part of your own: a
        module, or what builds one from M (a class). It must give what the paper's part gives:
        spatial: cube `[B, T, M, h, w]` -> α of the same shape that sums to 1 over h×w.
            False: every position weighs the same (global average pooling).
        temporal: features F `[B, T, M]` -> (β `[B, T]`, β_overall `[B]`), in [0, 1].
            False: β is 0, so that Ã is A alone.
        graph: (F `[B, T, M]`, β `[B, T]`) -> (A `[B, T, T]`, Ã `[B, T, T]`, nodes `[B, T, M]`,
            embedding F^v `[B, M]`). False: no graph, F^v is the average of F weighted by β.
    keep: the share of frames, those with the highest β, that the graph is given; the rest is
        dropped, see `parts.on_strongest`.
    neighbours, mutual, include_self, near (its metric): the graph, see `knn_graph`.
    slots: a v_t for each frame slot (True, clips of exactly T frames) or one v for all: see `san`.
    scores: "channel" or "shared"; alpha_of: "cube", or "place" for an α that is the same whatever
        is shown, a control; see `san`.
    flatten: heads on the flattened cube in place of the pooled one, see `cam`.
    guide_strength, guide_gradient, guide_frozen: the second pass on I′ (Eq. 7-8): the factor of
        the maps, whether gradient flows through α′, and whether batch norm's running statistics
        rest meanwhile (let them move and the test is of another network: study `readings`).
    guide_by: in training α is guided by the maps of the "classes", or by "noise" in their place,
        see `guidance.random_maps`.
    maps_of: "all" attributes make up m_a, or only those "present".
    map_form: "range" stretches each map from its least to its greatest value; "evidence" keeps
        what speaks for the class, see `cam`; "raw" adds them up as Eq. 6 gives them, unbounded.
    heads_on: identity and attributes are read from the "cube", pooled evenly (Eq. 5); "both" reads
        them in training from Σ_k α_t(k) C_t(k) as well, with C held fixed, so that naming them
        moves α to where they are and not the features to where α is.
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
        spatial: Part = True,
        temporal: Part = True,
        graph: Part = True,
        keep: float = 1.0,
        neighbours: int = 4,
        mutual: bool = True,
        include_self: bool = False,
        near: Metric = "euclidean",
        slots: bool = True,
        scores: str = "channel",
        alpha_of: str = "cube",
        flatten: bool = False,
        guide_strength: float = 1.0,
        guide_gradient: bool = False,
        guide_frozen: bool = True,
        guide_by: str = "classes",
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
        checks.check_values(config)
        self.map_form, self.heads_on = map_form, heads_on
        self.config: dict[str, Any] = {**config, "weights": None, "size": tuple(size)}
        self.backbone = trunk_of(backbone, weights, trunk or {})
        own = {"spatial": spatial, "temporal": temporal, "graph": graph}
        self.config.update({k: "custom" for k, part in own.items() if not isinstance(part, bool)})
        if isinstance(backbone, nn.Module):
            self.config["backbone"] = "custom"
        self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.identities, self.attributes, self.clip_length = identities, attributes, clip_length
        self.size: Size = (int(size[0]), int(size[1]))
        self.neighbours, self.near = neighbours, near
        self.mutual, self.include_self = mutual, include_self
        self.guide_strength, self.guide_gradient = guide_strength, guide_gradient
        self.guide_frozen, self.guide_by, self.maps_of = guide_frozen, guide_by, maps_of
        self.keep, self.degree, self.readout = keep, degree, readout

        channels = int(self.backbone.channels)  # type: ignore[arg-type]
        stride = int(self.backbone.stride)  # type: ignore[arg-type]
        grid = (-(-size[0] // stride), -(-size[1] // stride))
        self.heads = Heads(channels, identities, attributes, grid if flatten else None)
        own_slots = clip_length if slots else None
        self.san = part_of(
            spatial, channels,
            lambda: SpatialAttention(channels, own_slots, scores, alpha_of), lambda: None,
        )  # fmt: skip
        self.tan = part_of(
            temporal, channels, lambda: TemporalAttention(channels, overall_bias), NoTemporal
        )
        self.gcn = part_of(
            graph, channels,
            lambda: GCN(channels, layers, activation, last_activation, residual), WeightedAverage,
        )  # fmt: skip
        self.glance = Glance(self.san, self.tan)
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
    def from_pretrained(cls, path: str | Path, **own: Part) -> W3AN:
        """The model that `save_pretrained` wrote, ready to embed.

        own: backbone, spatial, temporal, graph: each is needed when the model was built with a
        part of your own there. ValueError names the file and what is wrong with it; code inside
        it is never run.
        """
        return read_model(cls, path, own)

    @classmethod
    def shipped(cls) -> W3AN:
        """The `repaired` model inside the package, trained on drawn people."""
        return cls.from_pretrained(SHIPPED)

    @property
    def device(self) -> torch.device:
        return self.heads.identity.weight.device

    def encode(self, frames: Tensor) -> Encoded:
        """Eq. 1-4 and 10-15 for normalised frames `[B, T, 3, H, W]`."""
        cube = self._cube(frames)
        alpha = uniform_scores(cube) if self.san is None else self.san(cube)
        checks.check_part("spatial", "α", alpha, cube.shape, cube)
        return self.glance(Encoded(cube, alpha, *in_float32(self._weigh, attend(alpha, cube))))

    def _weigh(self, features: Tensor) -> tuple[Tensor, ...]:
        """F `[B, T, M]` itself, β, β_overall (Eq. 10) and what `gather` makes of F and β."""
        beta, overall = checks.check_count("temporal", "β, β_overall", self.tan(features))
        checks.check_part("temporal", "β", beta, features.shape[:2], features)
        checks.check_part("temporal", "β_overall", overall, beta.shape[:1], features)
        return features, beta, overall, *self.gather(features, beta)

    def _prepared(self, frames: Tensor) -> Tensor:
        """Normalised, and in the trunk's order of memory once, since I′ is made of it as well."""
        flat = normalise(frames).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return flat.unflatten(0, frames.shape[:2])

    def _guided(self, frames: Tensor, identity_map: Tensor, attribute_map: Tensor) -> Tensor:
        return guide_frames(frames, identity_map, attribute_map, self.guide_strength)

    def _cube(self, frames: Tensor) -> Tensor:
        """C of Eq. 1: `[B, T, 3, H, W]` -> `[B, T, M, h, w]`."""
        flat = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        flat = flat.to(self.heads.identity.weight.dtype)
        cube = checks.check_cube(self.backbone, self.backbone(flat), flat)
        return cube.unflatten(0, frames.shape[:2])

    def gather(self, features: Tensor, beta: Tensor) -> Graph:
        """Eq. 12-15: F `[B, T, M]` and β `[B, T]` -> A, Ã, nodes F^g, embedding F^v."""
        if self.keep < 1:
            return on_strongest(self._graph, features, beta, self.keep)
        return self._graph(features, beta)

    def _graph(self, features: Tensor, beta: Tensor) -> Graph:
        if not isinstance(self.gcn, GCN):
            return checks.check_graph(self.gcn(features, beta), features)
        how = (self.neighbours, self.mutual, self.include_self, self.near)
        joined = knn_adjacency(features, *how)
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

        ValueError for another shape or type, a number of frames that v_t was not made for, or (not
        in training, where nothing may wait for the device) floats outside of [0, 1].
        """
        checks.check_clips(frames, self.training)
        frames = self._prepared(frames)
        path = self.encode(frames)
        logits: tuple[Tensor, Tensor] = self.heads(path.cube)
        identity_map, attribute_map = self.maps(path.cube.detach(), *logits, identity, attributes)
        if self.guide_by == "noise" and self.training:
            identity_map, attribute_map = random_maps(frames, identity_map)
        alpha_prime = None
        if guide and self.san is not None:
            guided = self._guided(frames, identity_map, attribute_map)
            gradient = torch.set_grad_enabled(self.guide_gradient and torch.is_grad_enabled())
            with gradient, frozen_statistics(self.backbone, self.guide_frozen):
                alpha_prime = self.san(self._cube(guided))
        clip_logits = None
        if self.neck is not None and self.clip_head is not None:
            clip_logits = self.clip_head(self.neck(path.embedding))
        looked: tuple[Tensor | None, Tensor | None] = (None, None)
        if self.heads_on == "both" and self.training:
            looked = self.heads(path.cube, attend(path.alpha, path.cube.detach()))
        rest = (*logits, identity_map, attribute_map, clip_logits, alpha_prime, *looked)
        return W3ANOutput(*path, *rest)

    @torch.no_grad()
    def maps(
        self,
        cube: Tensor,
        identity_logits: Tensor,
        attribute_logits: Tensor,
        identity: Tensor | None,
        attributes: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """m_i and m_a of Eq. 6, each `[B, T, h, w]`, see `guidance.class_maps`."""
        given = (identity_logits, attribute_logits, identity, attributes)
        return class_maps(self.heads, cube, *given, self.maps_of, self.map_form)

    @torch.no_grad()
    def embed(self, frames: Tensor | NDArray[Any], batch: int = 32) -> Tensor:
        """One tracklet of any length `[n, 3, H, W]` of any size, uint8 or float in [0, 1] -> `[M]`.

        Cuts it into clips of T (see `cut_clips`), embeds `batch` clips at a time and averages.
        Leaves the model in the mode it was in.
        """
        checks.check_whole("batch", batch, 1)
        frames = one_tracklet(frames)
        clips = cut_clips(len(frames), self.clip_length).to(frames.device)
        sums = []
        with evaluating(self):
            for some in clips.split(batch):
                part = fit(frames[some.flatten()].to(self.device), self.size)
                part = normalise(part).unflatten(0, tuple(some.shape))
                sums.append(self.encode(part).embedding.sum(0))
        return torch.stack(sums).sum(0) / len(clips)
