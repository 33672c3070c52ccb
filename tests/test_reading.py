"""Batches reach the device as they are, wherever the frames lie and however they are read."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.io import ImageReadMode

from w3an_lite import reading
from w3an_lite.data.pack import pack
from w3an_lite.data.sampling import Batches
from w3an_lite.data.store import open_store
from w3an_lite.data.tracklet import DataError, FileFrames, Split, Tracklet
from w3an_lite.distributed import Ranks
from w3an_lite.files import load_plain
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.reading import Batch, HeldFrames, fits, read_ahead
from w3an_lite.recipe import Recipe
from w3an_lite.speed import Speed
from w3an_lite.training import train

Crowd = Callable[..., list[Tracklet]]
CPU = torch.device("cpu")


def clips(
    batches: Batches, steps: range, held: HeldFrames | None = None, workers: int = 0
) -> list[Batch]:
    out = []
    for k, batch in read_ahead(batches, steps, CPU, workers, held=held):
        assert k == steps[len(out)]
        assert isinstance(batch, Batch)
        out.append(batch)
    return out


def equal(one: Batch, two: Batch) -> bool:
    return one.names == two.names and all(
        torch.equal(getattr(one.clips, part), getattr(two.clips, part))
        for part in ("frames", "identity", "camera", "attributes")
    )


@pytest.mark.parametrize("size", [None, (16, 8)])
def test_one_stretch_over_many_epochs(crowd: Crowd, size: tuple[int, int] | None) -> None:
    """From the middle of an epoch to that of another; by workers, or from frames that are held."""
    people = crowd(6, frames=[4, 7])
    batches = Batches(people, 4, 2, 3, size, seed=2)
    plain = clips(batches, range(2, 8))
    for k, batch in enumerate(plain, start=2):
        expected, names = batches.at(k // 3)[k % 3]
        assert batch.names == names
        assert torch.equal(batch.clips.frames, expected.frames)
        assert torch.equal(batch.clips.identity, expected.identity)
    held = HeldFrames(people, size, CPU)
    for other in (clips(batches, range(2, 8), held), clips(batches, range(2, 8), workers=2)):
        assert all(equal(a, b) for a, b in zip(plain, other, strict=True))


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
def test_frames_of_a_store_are_held(crowd: Crowd, form: str, tmp_path: Path) -> None:
    pack(Split("s", crowd(4)), tmp_path / "s", None, form)
    stored = open_store(tmp_path / "s").train
    batches = Batches(stored, 4, 2, 3)
    held = HeldFrames(stored, None, CPU)
    assert equal(clips(batches, range(1))[0], clips(batches, range(1), held)[0])


def test_frames_of_many_sizes_are_held_at_one(crowd: Crowd) -> None:
    people = crowd(2) + [replace(t, identity=5) for t in crowd(1, size=(16, 8))]
    with pytest.raises(
        DataError, match=r"p0k0 is \(16, 8\) \(H, W\), the first tracklet \(32, 16\)"
    ):
        HeldFrames(people, None, CPU)
    assert HeldFrames(people, (8, 8), CPU).gather(people[-1:], [np.arange(3)]).shape[2:] == (
        3,
        8,
        8,
    )


def test_only_a_gpu_has_memory_of_its_own(crowd: Crowd) -> None:
    assert not fits(crowd(2), None, CPU)


def test_two_processes_read_one_batch(crowd: Crowd) -> None:
    batches = Batches(crowd(4), 4, 2, 3)
    (_, whole), *_ = read_ahead(batches, range(1), CPU)
    parts = [next(iter(read_ahead(batches, range(1), CPU, 0, Ranks(r, 2))))[1] for r in (0, 1)]
    assert isinstance(whole, Batch)
    assert all(isinstance(part, Batch) and part.names == whole.names for part in parts)
    joined = torch.cat([part.clips.frames for part in parts if isinstance(part, Batch)])
    assert torch.equal(joined, whole.clips.frames)
    assert [len(p.clips.identity.unique()) for p in parts if isinstance(p, Batch)] == [1, 1]


def files(people: list[Tracklet], folder: Path) -> list[Tracklet]:
    out = []
    for tracklet in people:
        paths = []
        for i, frame in enumerate(tracklet.frames.read(range(len(tracklet)))):
            path = folder / tracklet.name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame.transpose(1, 2, 0)).save(path)
            paths.append(path)
        out.append(replace(tracklet, frames=FileFrames(tuple(paths))))
    return out


@pytest.mark.parametrize("workers", [0, 1])
def test_a_folder_lost_in_training_loses_nothing(
    crowd: Crowd, tmp_path: Path, workers: int, tiny: Callable[..., W3AN]
) -> None:
    """The state is saved, the file and the batch's tracklets are named; then it goes on."""
    recipe = Recipe(
        epochs=6, batch=8, people=4, lr=0.02, load_size=None, crop=None, workers=workers, flip=0.5
    )
    people = files(crowd(8), tmp_path / "data")
    whole, model = tiny(identities=8), tiny(identities=8)
    rows = train(whole, people, Objective(), recipe, progress=False)
    steps = []

    def lose(*_: object) -> None:
        steps.append(0)
        if len(steps) == 3:  # half of an epoch
            (tmp_path / "data").rename(tmp_path / "gone")

    hook = model.register_forward_hook(lose)
    with pytest.raises(DataError) as caught:
        train(model, people, Objective(), recipe, tmp_path / "run", progress=False)
    hook.remove()
    message = str(caught.value)
    assert "\n" not in message
    assert ".png is missing; check the data set" in message
    epoch, step = divmod(load_plain(tmp_path / "run" / "last.pt")["rows"]["table"].shape[0], 2)
    assert f"(epoch {epoch}, step {step}, batch: " in message
    _, names = Batches(crowd(8), 8, 4, 3).at(epoch)[step]
    assert ", ".join(names) in message
    assert f"{tmp_path / 'run' / 'last.pt'} holds the last good state" in message
    (tmp_path / "gone").rename(tmp_path / "data")
    again = train(model, people, Objective(), recipe, tmp_path / "run", True, progress=False)
    assert again == rows
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in whole.state_dict().items())


def test_held_frames_train_alike(crowd: Crowd, tiny: Callable[..., W3AN]) -> None:
    recipe = Recipe(epochs=2, batch=4, people=2, load_size=(32, 16), crop=None)
    people = crowd(4)
    rows = [
        train(tiny(), people, None, recipe, progress=False, speed=Speed(hold=hold))
        for hold in (None, True)
    ]
    assert rows[0] == rows[1]


def test_a_batch_is_handed_to_the_stream_of_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to that of the current device, which `--device cuda:1` leaves at 0."""
    asked: list[torch.device] = []

    class Stream:
        def wait_event(self, event: object) -> None:
            assert event == "copied"

    def current_stream(device: torch.device) -> Stream:
        asked.append(device)
        return Stream()

    monkeypatch.setattr(torch.cuda, "current_stream", current_stream)
    second, lost = torch.device("cuda", 1), DataError("lost")
    assert reading._handed_over(3, lost, "copied", second) == (3, lost)  # type: ignore[arg-type]
    assert asked == [second]


def test_what_a_gpu_keeps_for_later_counts_as_free(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, free = crowd(2), [0]
    needed = reading.held_bytes(people, (8, 8))
    assert needed == sum(map(len, people)) * 3 * 8 * 8
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: free.append(reading.ROOM + needed))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free[-1], 0))
    assert fits(people, (8, 8), torch.device("cuda", 0))
    assert not fits(people, (16, 8), torch.device("cuda", 0))


def test_files_that_a_gpu_does_not_decode_are_left_to_the_cpu(
    crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no decoder")

    pack(Split("s", crowd(2)), tmp_path / "s", None, "jpeg")
    frames, gpu = open_store(tmp_path / "s").train[0].frames, torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Mock())
    monkeypatch.setattr("torchvision.io.decode_jpeg", broken)
    assert reading._decode_there(frames, None, gpu) is None
    assert "decoded on the CPU, since the GPU does not (no decoder)" in caplog.text
    assert reading._decode_there(crowd(1)[0].frames, None, gpu) is None

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr("torchvision.io.decode_jpeg", full)
    with pytest.raises(torch.OutOfMemoryError):
        reading._decode_there(frames, None, gpu)
    uneven = [torch.zeros(3, high, 4, dtype=torch.uint8) for high in (4, 6)]
    monkeypatch.setattr("torchvision.io.decode_jpeg", lambda *_, **__: uneven)
    assert reading._decode_there(frames, None, gpu) is None
    decoded = reading._decode_there(frames, (8, 4), gpu)
    assert decoded is not None
    assert decoded.shape == (2, 3, 8, 4)


def test_too_little_shared_memory_is_said_before_a_worker_begins(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    batches = Batches(crowd(4), 4, 2, 3, (512, 256))
    monkeypatch.setattr(reading, "SHARED", tmp_path)
    monkeypatch.setattr(reading.shutil, "disk_usage", lambda _: Mock(free=2**20))
    message = rf"8 workers need 72 MiB of shared memory, {tmp_path} has 1 MiB free; .*--shm-size"
    with pytest.raises(ValueError, match=message):
        read_ahead(batches, range(1), CPU, workers=8)
    monkeypatch.setattr(reading, "SHARED", tmp_path / "none")
    reading.check_shared(batches, 8)


def test_a_gpu_is_given_the_files_of_its_tracklet(
    crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each whole, in order, and asked for in colour."""
    pack(Split("s", crowd(3)), tmp_path / "s", None, "jpeg")
    people, gpu = open_store(tmp_path / "s").train, torch.device("cuda", 0)

    def decode(files: list[Tensor], mode: object, device: torch.device) -> list[Tensor]:
        assert (mode, device) == (ImageReadMode.RGB, gpu)
        pictures = [Image.open(BytesIO(file.numpy().tobytes())) for file in files]
        return [torch.from_numpy(np.array(p).transpose(2, 0, 1)) for p in pictures]

    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Mock())
    monkeypatch.setattr("torchvision.io.decode_jpeg", decode)
    for tracklet in (people[0], people[3], people[-1]):
        there = reading._decode_there(tracklet.frames, None, gpu)
        assert there is not None
        np.testing.assert_array_equal(there.numpy(), tracklet.frames.read(range(len(tracklet))))


def test_frames_are_made_smaller_on_a_gpu_as_pillow_makes_them() -> None:
    """To a grey level; without its filter a board of single pixels would not turn grey."""
    image = torch.randint(0, 256, (3, 64, 32), dtype=torch.uint8)
    small = reading._resized(image, (20, 10))
    picture = Image.fromarray(image.numpy().transpose(1, 2, 0))
    wanted = np.array(picture.resize((10, 20), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    off = small.int().numpy() - wanted.astype(int)
    assert small.dtype == torch.uint8
    assert np.abs(off).max() <= 1
    assert abs(off.mean()) < 0.1  # rounded, not cut off


class Refusing:
    """Frames whose disk fails."""

    def __len__(self) -> int:
        return 5

    def read(self, *_: object) -> np.ndarray:
        raise OSError("the disk is gone")


def test_a_disk_that_fails_is_told_with_its_batch(crowd: Crowd) -> None:
    people = [replace(t, frames=Refusing()) for t in crowd(6)]
    steps = reading.Steps(Batches(people, 4, 2, 3), Ranks(), None)
    error = steps[5]  # of three an epoch
    assert isinstance(error, DataError)
    names = ", ".join(t.name for t in steps.batches.at(1).plan(2).tracklets)
    assert str(error) == f"the disk is gone (epoch 1, step 2, batch: {names})"


def test_reading_draws_nothing_from_the_generator_of_all(crowd: Crowd) -> None:
    """A trunk of one's own may draw from it, and has to draw the same after a resumption."""
    batches, before = Batches(crowd(4), 4, 2, 3), torch.get_rng_state()
    clips(batches, range(2))
    clips(batches, range(2), workers=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_of_another_vocabulary_keeps_it(crowd: Crowd) -> None:
    """Of people of whom nothing is known."""
    people = [replace(t, attributes=None) for t in crowd(4)]
    (batch,) = clips(Batches(people, 4, 2, 3, attributes=5), range(1))
    assert batch.clips.attributes.shape == (4, 5)


def test_only_the_training_process_hears_ctrl_c(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored: list[Any] = []
    monkeypatch.setattr(reading.signal, "signal", lambda *given: ignored.append(given))
    reading._undisturbed(0)
    assert ignored == [(signal.SIGINT, signal.SIG_IGN), (signal.SIGTERM, signal.SIG_IGN)]
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(reading, "DataLoader", lambda _, **given: asked.append(given) or [])
    people = crowd(4)
    batches = Batches(people, 4, 2, 3)
    read_ahead(batches, range(1), CPU, workers=2)
    read_ahead(batches, range(1), CPU, workers=2, held=HeldFrames(people, None, CPU))
    assert asked[0]["worker_init_fn"] is reading._undisturbed
    assert [given["num_workers"] for given in asked] == [2, 0]  # what is held needs no reading


def test_each_batch_is_handed_over_while_the_next_is_copied(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, the last one too; the stream of the step waits for it and keeps its memory."""
    done: list[Any] = []

    class Stream:
        def __init__(self, *_: object) -> None:
            self.number = 0

        def record_event(self) -> str:
            self.number += 1
            done.append(f"copied {self.number}")
            return f"event {self.number}"

        def wait_event(self, event: str) -> None:
            done.append(f"waits for {event}")

    step = Stream()
    kept: list[tuple[int, object]] = []
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: step)
    monkeypatch.setattr(reading, "_moved", lambda batch, _: batch)
    monkeypatch.setattr(Tensor, "record_stream", lambda self, s: kept.append((self.data_ptr(), s)))
    some = clips(Batches(crowd(6), 4, 2, 3), range(2))
    items = [(0, some[0]), (1, DataError("lost")), (2, some[1])]
    copied = reading._copied_ahead(iter(items), torch.device("cuda", 0))
    got = [(done.append(f"step {k}"), (k, batch))[1] for k, batch in copied]
    assert [k for k, _ in got] == [0, 1, 2]
    assert all(a is b for (_, a), (_, b) in zip(got, items, strict=True))
    assert done == [
        *("copied 1", "copied 2", "waits for event 1", "step 0"),
        *("copied 3", "waits for event 2", "step 1", "waits for event 3", "step 2"),
    ]
    parts = [b.clips for b in some]
    assert kept == [
        (t.data_ptr(), step) for c in parts for t in (c.frames, c.identity, c.attributes)
    ]
