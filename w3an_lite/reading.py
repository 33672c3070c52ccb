"""Batches on their way to the device: read ahead by workers, pinned, copied while a step runs.

Frames that fit lie on the device from the start; then a batch is a gather, and nothing is read.
"""

from __future__ import annotations

import logging
import shutil
import signal
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from .data.sampling import Batches, load_clips
from .data.store import StoreFrames
from .data.tracklet import Clips, DataError, Frames, Size, Tracklet
from .distributed import Ranks

log = logging.getLogger(__name__)

ROOM = 12 * 2**30
"""Bytes of a GPU that are left to the step when frames are to lie there (`train --dry-run` says
what a step takes)."""
READ_AHEAD = 2
"""Batches that each worker has ready."""
SHARED = Path("/dev/shm")
"""Where the workers of Linux hand over what they have read."""


class Batch(NamedTuple):
    """One step's clips: those of this process. names: of all tracklets of the global batch."""

    clips: Clips
    names: list[str]


class HeldFrames:
    """All frames of `tracklets` on `device`, uint8 `[N, 3, H, W]`, read once.

    size: (H, W) they are brought to; None as they are, all alike. JPEG files of a store are decoded
    on a GPU where torchvision can. Its decoder may differ from the CPU's by a grey level or two,
    and more where colours change in files whose colour has half the resolution (4:2:0), since it
    repeats those pixels where Pillow smooths them.
    `DataError` when a frame cannot be read, or has another size than the first.
    """

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        size: Size | None,
        device: torch.device,
        progress: bool = False,
    ) -> None:
        ends = np.cumsum([len(t) for t in tracklets])
        self._start = {id(t): int(e) - len(t) for t, e in zip(tracklets, ends, strict=True)}
        self._data = torch.empty(
            (int(ends[-1]), *_shape(tracklets, size)), dtype=torch.uint8, device=device
        )
        decodes = device.type == "cuda"
        for tracklet in tqdm(tracklets, desc="frames to the device", disable=not progress):
            at = self._start[id(tracklet)]
            decoded = _decode_there(tracklet.frames, size, device) if decodes else None
            decodes = decoded is not None  # it failed once: the rest goes the slower way
            frames = _read_all(tracklet, size) if decoded is None else decoded
            if frames.shape[1:] != self._data.shape[1:]:
                raise DataError(
                    f"{tracklet.name or tracklet} is {tuple(frames.shape[-2:])} (H, W), the first "
                    f"tracklet {tuple(self._data.shape[-2:])}; give a size to resize them to "
                    "(load_size of the recipe)"
                )
            self._data[at : at + len(frames)].copy_(frames, non_blocking=True)

    def gather(self, tracklets: Sequence[Tracklet], indices: Sequence[NDArray[np.int64]]) -> Tensor:
        """Frames `indices[b]` `[T]` of each tracklet: `[B, T, 3, H, W]`, without waiting."""
        rows = [self._start[id(t)] + i for t, i in zip(tracklets, indices, strict=True)]
        numbers = torch.from_numpy(np.stack(rows))
        if self._data.is_cuda:
            numbers = numbers.pin_memory().to(self._data.device, non_blocking=True)
        return self._data[numbers]


def fits(tracklets: Sequence[Tracklet], size: Size | None, device: torch.device) -> bool:
    """Whether all frames fit on a GPU and leave `ROOM` for the step."""
    if device.type != "cuda":
        return False
    torch.cuda.empty_cache()  # what PyTorch keeps for later counts as taken
    return held_bytes(tracklets, size) + ROOM <= torch.cuda.mem_get_info(device)[0]


def held_bytes(tracklets: Sequence[Tracklet], size: Size | None) -> int:
    """How large all frames are on the device."""
    return sum(map(len, tracklets)) * int(np.prod(_shape(tracklets, size)))


def _shape(tracklets: Sequence[Tracklet], size: Size | None) -> tuple[int, ...]:
    return tracklets[0].frames.read([0], size).shape[1:]


def _read_all(tracklet: Tracklet, size: Size | None) -> Tensor:
    """Every frame of a tracklet `[n, 3, H, W]`."""
    return torch.from_numpy(np.ascontiguousarray(tracklet.frames.read(range(len(tracklet)), size)))


def _decode_there(frames: Frames, size: Size | None, device: torch.device) -> Tensor | None:
    """The same, decoded on the device; None where that cannot be done."""
    if not isinstance(frames, StoreFrames):
        return None
    store = frames.store
    if store.offsets is None:
        return None
    first, last = (int(store.start[frames.row + i]) for i in (0, 1))
    ends = store.offsets[first : last + 1].tolist()
    files = [torch.from_numpy(np.array(store.data[a:b])) for a, b in pairwise(ends)]
    try:
        from torchvision.io import ImageReadMode, decode_jpeg

        # the decoder writes on a stream of its own, into memory that this one may still read
        torch.cuda.current_stream(device).synchronize()
        images = decode_jpeg(files, mode=ImageReadMode.RGB, device=device)
    except torch.OutOfMemoryError:
        raise
    except (ImportError, RuntimeError) as error:
        log.warning("JPEG files are decoded on the CPU, since the GPU does not (%s)", error)
        return None
    if size:
        images = [_resized(image, size) for image in images]
    sizes = {tuple(image.shape[-2:]) for image in images}
    if len(sizes) > 1:
        return None  # the CPU's way says which frame it is
    return torch.stack(images)


def _resized(image: Tensor, size: Size) -> Tensor:
    """uint8 `[3, H, W]` -> uint8 `[3, *size]`, bilinear, antialiased."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    out = torch.nn.functional.interpolate(
        image[None].float(), size=tuple(size), mode="bilinear", antialias=True
    )
    return out[0].round_().clamp_(0, 255).to(torch.uint8)


class Steps(Dataset["Batch | DataError"]):
    """Item k is this process's share of step k % n in epoch k // n.

    What cannot be read comes back as the error itself, so that a worker's mistake reaches the
    user as one sentence.
    """

    def __init__(self, batches: Batches, ranks: Ranks, held: HeldFrames | None) -> None:
        self.batches, self.ranks, self.held = batches, ranks, held

    def __getitem__(self, k: int) -> Batch | DataError:
        epoch, step = divmod(k, len(self.batches))
        plan = self.batches.at(epoch).plan(step)
        names = plan.names
        own = plan.part(self.ranks.rank, self.ranks.size)
        try:
            frames = self.held.gather(own.tracklets, own.indices) if self.held else None
            return Batch(
                load_clips(*own, self.batches.size, frames, self.batches.attributes), names
            )
        except (ValueError, OSError) as error:
            return DataError(f"{error} (epoch {epoch}, step {step}, batch: {', '.join(names)})")


def read_ahead(
    batches: Batches,
    steps: range,
    device: torch.device,
    workers: int = 0,
    ranks: Ranks = Ranks(),  # noqa: B008 (it holds nothing that changes)
    held: HeldFrames | None = None,
) -> Iterator[tuple[int, Batch | DataError]]:
    """(k, item k of `Steps`) with frames, identity and attributes on `device`.

    ValueError when the workers have too little shared memory to hand batches over.
    """
    gpu = device.type == "cuda"
    count = 0 if held else workers
    if count:
        check_shared(batches, count)
    loader = DataLoader(
        Steps(batches, ranks, held),
        batch_size=None,
        sampler=steps,
        num_workers=count,
        prefetch_factor=READ_AHEAD if count else None,
        pin_memory=gpu and held is None,
        worker_init_fn=_undisturbed,
        generator=torch.Generator(),  # else it would draw from the one that a model may use
    )
    numbered = zip(steps, loader, strict=True)
    return _copied_ahead(numbered, device) if gpu else numbered


def check_shared(batches: Batches, workers: int) -> None:
    """ValueError when what `workers` have ready does not fit into the shared memory there is."""
    if not SHARED.is_dir():
        return
    frames = batches.people * batches.each * batches.clip_length
    each = frames * int(np.prod(_shape(batches.tracklets, batches.size)))
    needed, there = workers * READ_AHEAD * each, shutil.disk_usage(SHARED).free
    if needed > there:
        raise ValueError(
            f"{workers} workers need {needed / 2**20:.0f} MiB of shared memory, {SHARED} has "
            f"{there / 2**20:.0f} MiB free; give a container more (docker run --shm-size=2g) or "
            "take fewer workers"
        )


def _undisturbed(worker: int) -> None:
    """Ctrl-C reaches the whole group; the training process alone decides when to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _copied_ahead(
    items: Iterator[tuple[int, Batch | DataError]], device: torch.device
) -> Iterator[tuple[int, Batch | DataError]]:
    """Each batch is copied on a stream of its own while the step before it runs."""
    stream = torch.cuda.Stream(device)
    waiting: tuple[int, Batch | DataError, torch.cuda.Event] | None = None
    for k, batch in items:
        with torch.cuda.stream(stream):
            moved = batch if isinstance(batch, DataError) else _moved(batch, device)
            ready = stream.record_event()
        if waiting is not None:
            yield _handed_over(*waiting, device)
        waiting = (k, moved, ready)
    if waiting is not None:
        yield _handed_over(*waiting, device)


def _moved(batch: Batch, device: torch.device) -> Batch:
    clips = batch.clips
    frames, identity, attributes = (
        x if x.is_cuda else x.pin_memory().to(device, non_blocking=True)
        for x in (clips.frames, clips.identity, clips.attributes)
    )
    return Batch(Clips(frames, identity, clips.camera, attributes), batch.names)


def _handed_over(
    k: int, batch: Batch | DataError, ready: torch.cuda.Event, device: torch.device
) -> tuple[int, Batch | DataError]:
    stream = torch.cuda.current_stream(device)  # else that of the current device, often another
    stream.wait_event(ready)
    if isinstance(batch, Batch):
        for tensor in (batch.clips.frames, batch.clips.identity, batch.clips.attributes):
            tensor.record_stream(stream)  # its memory is not given away while a step reads it
    return k, batch
