"""Does it attend? Measures of *what*, *where* and *when* against ground truth.

*when*: β against each frame's visibility (`spearman_within`, `auc_clear_covered`) and what β does
to the result (`readout_shift`). *where*: α or a map against the person's mask (`mass_inside` beside
`person_area`, `pointing`). *what*: an attribute's map against the part it belongs to
(`pointing_parts`). Every measure comes with its chance level or has 0 or 0.5 for one.

A mask at H x W is brought to the map's h x w as the share of each cell that it covers, exactly,
also where h does not divide H. Arrays or tensors in, numbers out; nan is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from w3an_lite.data.attributes import GROUPS, INDEX, PART_OF_GROUP, PARTS

Array: TypeAlias = "Tensor | NDArray[Any]"
PerTracklet: TypeAlias = "Array | Sequence[Array]"
"""`[N, T]`, or N arrays `[T_i]` of different lengths."""


class Within(NamedTuple):
    """Agreement inside tracklets: mean `rho`, over `used` of them; `skipped` say nothing."""

    rho: float
    used: int
    skipped: int
    each: NDArray[np.float64]
    """Per tracklet, nan where skipped."""


class Clear(NamedTuple):
    """Area under the ROC over `pairs` of frames; `used` tracklets have such a pair."""

    auc: float
    pairs: int
    used: int
    skipped: int


class Pointing(NamedTuple):
    """Share of maxima that fall on the target, what a blind guess gets, frames used and skipped."""

    share: float
    chance: float
    used: int
    skipped: int


def spearman_within(beta: PerTracklet, visibility: PerTracklet) -> Within:
    """Mean over tracklets of Spearman's rank correlation of β with visibility, in [-1, 1].

    Ties share their average rank. A tracklet where either does not vary is skipped; with none left
    `rho` is nan. Chance is 0.
    """
    b, v, present = _pair(beta, visibility)
    ranks = [_average_ranks(x, present) for x in (b, v)]
    count = present.sum(dim=1, keepdim=True)
    centred = [((r - r.sum(dim=1, keepdim=True) / count) * present) for r in ranks]
    spread = (centred[0].square().sum(dim=1) * centred[1].square().sum(dim=1)).sqrt()
    rho = (centred[0] * centred[1]).sum(dim=1) / spread
    varies = spread > 0
    mean = float(rho[varies].mean()) if varies.any() else float("nan")
    each = rho.masked_fill(~varies, torch.nan).numpy()
    return Within(mean, int(varies.sum()), int((~varies).sum()), each)


def auc_clear_covered(
    beta: PerTracklet, visibility: PerTracklet, *, clear: float = 0.95, covered: float = 0.7
) -> Clear:
    """Chance that β is higher on a clear frame than on a covered one of the same tracklet.

    Clear means visibility >= `clear`, covered means < `covered`; frames between are left out. All
    pairs from all tracklets are pooled, each pair counting once and a tie one half. 0.5 is chance;
    nan if there is no pair.
    """
    if not covered <= clear:
        raise ValueError(f"covered={covered} is above clear={clear}; a frame would be both")
    b, v, present = _pair(beta, visibility)
    good, bad = (v >= clear) & present, (v < covered) & present
    rank = _average_ranks(b, good | bad)
    goods, bads = good.sum(dim=1), bad.sum(dim=1)
    # Mann and Whitney: the clear frames' ranks, less the ranks they would have alone.
    wins = (rank * good).sum(dim=1) - goods * (goods + 1) / 2
    pairs = goods * bads
    used = int((pairs > 0).sum())
    total = int(pairs.sum())
    auc = float(wins[pairs > 0].sum()) / total if total else float("nan")
    return Clear(auc, total, used, len(pairs) - used)


def mass_inside(alpha: Array, mask: Array) -> float:
    """Share of α that lies inside the person, averaged over channels and frames that show one.

    alpha `[..., h, w]` or, with channels, `[..., M, h, w]`, not negative, each map divided by its
    sum (a map of zeros points nowhere and counts as uniform); mask `[..., H, W]`. Compare with
    `person_area`, which is what uniform α gets.
    """
    maps, masks = _finite(alpha, "alpha"), _mask(mask)
    channels = maps.ndim - masks.ndim
    if channels not in (0, 1) or maps.shape[: masks.ndim - 2] != masks.shape[:-2]:
        raise ValueError(
            f"alpha is {list(maps.shape)}, mask {list(masks.shape)}; give alpha [..., h, w] or "
            "[..., M, h, w] with the leading sizes of mask [..., H, W]"
        )
    if maps.numel() and float(maps.min()) < 0:
        raise ValueError(f"alpha has negative values, down to {float(maps.min()):.3g}; scale it")
    cover = _coverage(masks, maps.shape[-2], maps.shape[-1])
    shown = _shown(masks)
    maps = maps.reshape(len(shown), -1, *cover.shape[1:])[shown]
    cover = cover[shown].to(maps.dtype)
    total = maps.sum(dim=(2, 3))
    inside = torch.einsum("fmhw,fhw->fm", maps, cover)
    share = torch.where(total > 0, inside / total, cover.mean(dim=(1, 2))[:, None])
    return float(share.double().mean())


def person_area(mask: Array) -> float:
    """Share of the picture that the person fills, mean over the frames of mask `[..., H, W]`
    that show one: what `mass_inside` gets by chance."""
    masks = _mask(mask)
    shown = _shown(masks)
    return float(masks.reshape(-1, *masks.shape[-2:])[shown].double().mean())


def pointing(maps: Array, mask: Array, *, cover: float = 0.5) -> Pointing:
    """Share of frames whose maximum lies on the person (the pointing game).

    maps `[N, h, w]`, mask `[N, H, W]`. A cell is on the person if the mask covers at least `cover`
    of it. Cells that tie for the maximum share the point. `chance` is the share of cells on the
    person, the mean over the same frames. A frame with no such cell is skipped; with none left the
    numbers are nan.
    """
    maps, masks = _finite(maps, "maps"), _mask(mask)
    if maps.ndim != 3 or masks.ndim != 3 or len(maps) != len(masks):
        raise ValueError(
            f"maps is {list(maps.shape)}, mask {list(masks.shape)}; give [N, h, w] and [N, H, W]"
        )
    return _point(maps, _coverage(masks, *maps.shape[1:]), cover)


def pointing_parts(
    attribute_maps: Array, parts: Array, attributes: Array, *, cover: float = 0.25
) -> dict[str, Pointing]:
    """The pointing game for each attribute group that has a part, over what can be seen.

    attribute_maps `[N, A, h, w]`, parts `[N, H, W]` (indices into `attributes.PARTS`), attributes
    `[N, A]` in the order of `attributes.NAMES`. A pair of frame and attribute counts if the person
    has the attribute (above 0.5; unknown does not count) and its part fills at least `cover` of
    some cell: less than in `pointing`, for a shoe is smaller than a cell. Keys are group names.
    """
    maps, kinds = _finite(attribute_maps, "attribute_maps"), _finite(attributes, "attributes")
    pixels = _tensor(parts)
    if (
        maps.ndim != 4
        or pixels.ndim != 3
        or kinds.shape != maps.shape[:2]
        or len(pixels) != len(maps)
    ):
        raise ValueError(
            f"attribute_maps is {list(maps.shape)}, parts {list(pixels.shape)}, attributes "
            f"{list(kinds.shape)}; give [N, A, h, w], [N, H, W] and [N, A]"
        )
    if maps.shape[1] != len(INDEX):
        raise ValueError(f"{maps.shape[1]} attributes; the vocabulary has {len(INDEX)}")
    out = {}
    for group, part in PART_OF_GROUP.items():
        if part is None:
            continue
        covered = _coverage(pixels == PARTS.index(part), *maps.shape[2:])
        columns = torch.tensor([INDEX[name] for name in GROUPS[group]])
        frame, column = (kinds[:, columns] > 0.5).nonzero(as_tuple=True)
        out[group] = _point(maps[frame, columns[column]], covered[frame], cover)
    return out


def readout_shift(embedding: Array, embedding_mean_beta: Array) -> float:
    """How far β moves the result: mean of |a - b| / |a|, rows of `[N, D]`.

    a is the embedding, b the embedding with every β set to the mean of its clip. 0 means that β
    does nothing. nan if some a is zero and its b is not: such a shift has no scale.
    Where both are zero the shift counts as 0: a network that gives nothing is not moved by β.
    """
    a, b = _finite(embedding, "embedding"), _finite(embedding_mean_beta, "embedding_mean_beta")
    if a.ndim != 2 or a.shape != b.shape or len(a) == 0:
        raise ValueError(f"embeddings are {list(a.shape)} and {list(b.shape)}; give two of [N, D]")
    length = torch.linalg.vector_norm(a.double(), dim=1)
    moved = torch.linalg.vector_norm(a.double() - b.double(), dim=1)
    if ((length == 0) & (moved > 0)).any():
        return float("nan")
    return float((moved / length.clamp(min=torch.finfo(torch.float64).tiny)).mean())


def _point(maps: Tensor, cover: Tensor, least: float) -> Pointing:
    """Pointing of maps `[K, h, w]` at the cells of `cover` `[K, h, w]` filled to `least`."""
    if not 0 < least <= 1:
        raise ValueError(f"cover={least}; give a share of a cell above 0 and at most 1")
    on = (cover >= least - 1e-9).flatten(1)  # 1e-9: half a cell is half a cell after rounding
    usable = on.any(dim=1)
    used = int(usable.sum())
    if used == 0:
        return Pointing(float("nan"), float("nan"), 0, len(on))
    flat, on = maps.flatten(1)[usable], on[usable].double()
    top = (flat == flat.amax(dim=1, keepdim=True)).double()
    share = (top * on).sum(dim=1) / top.sum(dim=1)
    return Pointing(float(share.mean()), float(on.mean()), used, len(usable) - used)


def _coverage(mask: Tensor, h: int, w: int) -> Tensor:
    """Share of each of h x w cells that bool `[..., H, W]` covers, float64 `[F, h, w]`."""
    flat = mask.reshape(-1, *mask.shape[-2:]).double()
    return _cells(h, mask.shape[-2]) @ flat @ _cells(w, mask.shape[-1]).T


def _cells(cells: int, pixels: int) -> Tensor:
    """`[cells, pixels]`: the share of each cell that each pixel makes up; rows sum to 1."""
    edge = torch.arange(cells, dtype=torch.float64)[:, None] * (pixels / cells)
    pixel = torch.arange(pixels, dtype=torch.float64)
    overlap = torch.minimum(edge + pixels / cells, pixel + 1) - torch.maximum(edge, pixel)
    return overlap.clamp(min=0) * (cells / pixels)


def _average_ranks(values: Tensor, present: Tensor) -> Tensor:
    """Ranks from 1 within each row of `[N, T]` among those present, ties averaged, else 0."""
    rows = values.masked_fill(~present, torch.inf)
    ordered = rows.sort(dim=1).values
    below = torch.searchsorted(ordered, rows)
    up_to = torch.searchsorted(ordered, rows, right=True)
    return (below + up_to + 1).double() / 2 * present


def _pair(beta: PerTracklet, visibility: PerTracklet) -> tuple[Tensor, Tensor, Tensor]:
    """β and visibility padded to float64 `[N, T]`, and which entries are frames."""
    b, v = (
        [_finite(row, f"{name}[{i}]").double() for i, row in enumerate(rows)]
        for name, rows in (("beta", beta), ("visibility", visibility))
    )
    if len(b) != len(v) or len(b) == 0:
        raise ValueError(
            f"{len(b)} tracklets of beta, {len(v)} of visibility; give as many of both"
        )
    for i, (x, y) in enumerate(zip(b, v, strict=True)):
        if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
            raise ValueError(
                f"tracklet {i}: beta is {list(x.shape)}, visibility {list(y.shape)}; "
                "give one number a frame in both"
            )
    lengths = torch.tensor([len(x) for x in b])
    present = torch.arange(int(lengths.max())) < lengths[:, None]
    padded = [torch.nn.utils.rnn.pad_sequence(rows, batch_first=True) for rows in (b, v)]
    return padded[0], padded[1], present


def _finite(values: Array, name: str) -> Tensor:
    """`values` on the CPU as float32 or float64; `ValueError` if any is nan or infinite."""
    tensor = _tensor(values)
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float() if tensor.is_floating_point() else tensor.double()
    if tensor.numel():
        low, high = torch.aminmax(tensor)
        if not (low.isfinite() and high.isfinite()):
            place = [int(i) for i in (~tensor.isfinite()).nonzero()[0]]
            raise ValueError(f"{name} is {float(tensor[tuple(place)])} at {place}")
    return tensor


def _tensor(values: Array) -> Tensor:
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()  # torch warns of arrays that it may not write to
    return torch.as_tensor(values).detach().cpu()


def _mask(mask: Array) -> Tensor:
    tensor = _tensor(mask)
    if tensor.ndim < 2 or tensor.dtype != torch.bool:
        raise ValueError(f"mask is {tensor.dtype} {list(tensor.shape)}; give bool [..., H, W]")
    return tensor


def _shown(mask: Tensor) -> Tensor:
    """Which frames of bool `[..., H, W]` show a person, bool `[F]`; `ValueError` if none does."""
    shown = mask.flatten(-2).any(dim=-1).reshape(-1)
    if not shown.any():
        raise ValueError(f"none of the {len(shown)} masks shows a person; nothing can be measured")
    return shown
