"""Two processes train as one does: gloo on the CPU, batch norm over both, one global batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from forked import PROCESSES
from torch import nn

from w3an_lite import distributed
from w3an_lite.data.sampling import Batches
from w3an_lite.data.tracklet import DataError, FileFrames, Tracklet
from w3an_lite.distributed import (
    PATIENCE,
    Ranks,
    WholeBatchNorm,
    process_group,
    whole_batch_norms,
)
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.reading import Steps
from w3an_lite.training import Recipe, train

Crowd = Callable[..., list[Tracklet]]

RECIPE = Recipe(
    epochs=5,
    batch=8,
    people=4,
    lr=0.02,
    schedule="cosine",
    load_size=None,
    crop=None,
    pad=2,
    flip=0.5,
    colour=0.2,
    erase=0.3,
    paste=0.4,
    surround=0.3,
)
"""Ten steps on eight people, with all that is drawn at random in a step."""


def build(preset: str) -> W3AN:
    torch.manual_seed(0)
    small: dict[str, Any] = {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16)}
    return W3AN.preset(preset, 8, **small, clip_length=3, neighbours=1)


def _one_of_two(rank: int, folder: Path, work: Callable[..., None], given: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    try:
        work(rank, folder, *given)
    finally:
        dist.destroy_process_group()


def in_two(folder: Path, work: Callable[..., None], *given: Any) -> None:
    """Run `work(rank, folder, *given)` in two processes that know of each other."""
    both = [
        PROCESSES.Process(target=_one_of_two, args=(rank, folder, work, given)) for rank in (0, 1)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]


def _train(rank: int, folder: Path, preset: str, people: list[Tracklet]) -> None:
    model = build(preset)
    with torch.no_grad():  # what the first process holds counts
        for weight in model.parameters():
            weight += rank
    norms = [type(m) for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    rows = train(
        model, people, Objective.preset(preset), RECIPE, folder / "run" if rank == 0 else
        folder / "other", progress=False, judge=_judge, evaluate_every=2,
    )  # fmt: skip
    after = [type(m) for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms == after
    torch.save({"rows": rows, "state": model.state_dict()}, folder / f"{rank}.pt")


def _judge(model: W3AN) -> dict[str, Any]:
    assert dist.get_rank() == 0
    return {"protocol": "none", "mAP": 0.5, "rank1": 0.5}


@pytest.mark.parametrize("preset", ["repaired", "paper"])
def test_two_processes_train_as_one(preset: str, crowd: Crowd, tmp_path: Path) -> None:
    """The same terms and weights but for the order of sums, and only the first process writes."""
    people = crowd(8)
    one = build(preset)
    rows = train(one, people, Objective.preset(preset), RECIPE, progress=False)
    in_two(tmp_path, _train, preset, people)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert first["rows"] == second["rows"]
    assert len(rows) == len(first["rows"]) == 10
    for mine, theirs in zip(rows, first["rows"], strict=True):
        assert theirs == pytest.approx(mine, rel=2e-3, abs=2e-5)
    for name, value in one.state_dict().items():
        assert torch.equal(first["state"][name], second["state"][name]), name
        torch.testing.assert_close(first["state"][name], value, rtol=2e-3, atol=2e-5)
    assert not torch.equal(one.tan.score.weight, build(preset).tan.score.weight) or not rows
    written = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert written == ["best.pt", "evaluations.csv", "last.pt", "log.csv"]
    assert list((tmp_path / "other").iterdir()) == []


class _Fading:
    """Frames of which a process can read so many, and no more."""

    left = 10

    def __init__(self, frames: Any) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, *what: Any) -> Any:
        _Fading.left -= 1
        if _Fading.left < 0:
            raise DataError("gone.jpg cannot be read")
        return self.frames.read(*what)


def _train_while_there_are_frames(rank: int, folder: Path, people: list[Tracklet]) -> None:
    if rank == 1:
        people = [replace(t, frames=_Fading(t.frames)) for t in people]
    model = build("repaired")
    with pytest.raises(DataError, match=r"gone\.jpg cannot be read"):
        train(model, people, Objective.preset("repaired"), RECIPE, progress=False)
    (folder / "named").touch()
    os._exit(0)  # as a process that torchrun ends, which waits for no other


def test_a_frame_that_one_of_two_cannot_read_is_named_at_once(crowd: Crowd, tmp_path: Path) -> None:
    """In its third step; the other process waits for it, until somebody ends it."""
    given = (tmp_path, _train_while_there_are_frames, (crowd(8),))
    both = [PROCESSES.Process(target=_one_of_two, args=(rank, *given)) for rank in (0, 1)]
    for process in both:
        process.start()
    both[1].join(120)
    assert (tmp_path / "named").is_file()
    assert both[1].exitcode == 0
    both[0].kill()
    both[0].join()


def _parts(rank: int, folder: Path) -> None:
    ranks = Ranks.now()
    assert ranks == Ranks(rank, 2)
    assert ranks.first == (rank == 0)
    device = torch.device("cpu")
    assert ranks.any(rank == 1, device)
    assert not ranks.any(False, device)
    assert ranks.mean(torch.tensor([2.0 * rank])).item() == 1
    whole = torch.arange(12.0).view(4, 3)
    own = ranks.share(whole).clone().requires_grad_()
    gathered = ranks.gather(own)
    assert torch.equal(gathered, whole)
    (gathered * whole).sum().backward()
    assert own.grad is not None
    assert torch.equal(own.grad, 2 * ranks.share(whole))  # DistributedDataParallel halves it


def test_the_parts(tmp_path: Path) -> None:
    in_two(tmp_path, _parts)


def _norm(rank: int, folder: Path, shape: tuple[int, ...], momentum: float | None) -> None:
    torch.manual_seed(3)
    ranks, device = Ranks.now(), torch.device("cpu")
    whole, gradient = torch.randn(2, *shape, dtype=torch.float64)
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    plain = kind(shape[1], momentum=momentum).double()
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    mine = nn.Sequential(kind(shape[1], momentum=momentum)).double()
    mine[0].load_state_dict(plain.state_dict())
    part, all_of = ranks.share(whole).clone().requires_grad_(), whole.clone().requires_grad_()
    (plain(all_of) * gradient).sum().backward()
    with whole_batch_norms(mine, ranks, device):
        assert isinstance(mine[0], WholeBatchNorm)
        (mine(part) * ranks.share(gradient)).sum().backward()
    assert part.grad is not None
    assert all_of.grad is not None
    # each process has its own rows' loss, and gradients are a mean over processes
    torch.testing.assert_close(part.grad, ranks.share(all_of.grad))
    for name, weight in plain.named_parameters():
        own = dict(mine[0].named_parameters())[name].grad
        assert own is not None
        torch.testing.assert_close(2 * ranks.mean(own), weight.grad)
    torch.testing.assert_close(mine[0].state_dict(), plain.state_dict())
    assert type(mine[0]) is kind


@pytest.mark.parametrize(("shape", "momentum"), [((6, 3), 0.1), ((4, 2, 3, 5), None)])
def test_batch_norm_over_two_processes(
    shape: tuple[int, ...], momentum: float | None, tmp_path: Path
) -> None:
    in_two(tmp_path, _norm, shape, momentum)


def test_alone_nothing_changes(tmp_path: Path) -> None:
    ranks, device = Ranks.now(), torch.device("cpu")
    assert ranks == Ranks()
    own = torch.ones(4, 2)
    assert ranks.gather(own) is own
    assert torch.equal(ranks.share(own), own)
    assert ranks.mean(own) is own
    model = build("paper")
    assert ranks.wrap(model, device) is model
    with process_group(device) as mine, whole_batch_norms(model, ranks, device):
        assert mine == device
        assert not any(isinstance(m, WholeBatchNorm) for m in model.modules())


def test_whole_identities_are_needed(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ranks, "now", classmethod(lambda cls: cls(0, 3)))
    with pytest.raises(ValueError, match="4 people a batch do not divide among 3 processes"):
        train(build("paper"), crowd(8), None, RECIPE, progress=False)


def test_a_share_of_a_plan_reads_no_other_frames(crowd: Crowd) -> None:
    people = crowd(4)
    lost = [replace(t, frames=FileFrames((Path("gone.jpg"),) * 3)) for t in people]
    batches = Batches(lost, 4, 2, 3)
    assert isinstance(Steps(batches, Ranks(0, 2), None)[0], DataError)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_processes_meet_as_torchrun_has_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on its own GPU, patient, and the group is left after an error too."""
    done: list[Any] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(dist, "init_process_group", lambda **given: done.append(given))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: done.append("left"))
    monkeypatch.setattr(torch.cuda, "set_device", done.append)
    second = torch.device("cuda", 1)
    with pytest.raises(KeyError), process_group(torch.device(kind)) as device:  # noqa: PT012
        done.append("work")
        assert device == (second if kind == "cuda" else torch.device("cpu"))
        raise KeyError
    if kind == "cuda":
        assert done.pop(0) == second
        assert done[0] == {"timeout": PATIENCE, "backend": "nccl", "device_id": second}
    else:
        assert done[0] == {"timeout": PATIENCE, "backend": "gloo"}
    assert done[1:] == ["work", "left"]


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch) -> Ranks:
    """The first of two processes, of which the other has the very same."""
    two = Ranks(0, 2)
    monkeypatch.setattr(Ranks, "now", classmethod(lambda cls: two))
    monkeypatch.setattr(dist, "all_reduce", lambda values: values.mul_(2))
    return two


def test_a_mean_leaves_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "all_reduce", lambda values: values.add_(3))  # the other's
    own = torch.tensor([1.0, 3.0])
    assert Ranks(0, 2).mean(own).tolist() == [2.0, 3.0]
    assert own.tolist() == [1.0, 3.0]


def test_statistics_far_from_zero_keep_their_variance(doubled: Ranks) -> None:
    """The square of a mean of a thousand leaves little of a variance of one in float32."""
    own = 1000 + torch.randn(64, 3)
    plain, mine = nn.BatchNorm1d(3, eps=0.5), WholeBatchNorm(3, eps=0.5)
    torch.testing.assert_close(mine(own), plain(torch.cat([own, own]))[:64], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(mine.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_norm_stays_as_it_was_set(frozen: bool, doubled: Ranks) -> None:
    norm = nn.BatchNorm2d(3, eps=0.5, momentum=0.3, affine=False)
    model = nn.Sequential(nn.Sequential(norm), nn.Identity())
    norm.train(not frozen)
    with whole_batch_norms(model, doubled, torch.device("cpu")):
        twin = model[0][0]
        assert isinstance(twin, WholeBatchNorm)
        assert (twin.eps, twin.momentum, twin.affine, twin.weight) == (0.5, 0.3, False, None)
        assert twin.training is not frozen
        assert twin.running_var is norm.running_var
        frames = torch.randn(4, 3, 2, 2)
        model(frames)
        assert int(norm.num_batches_tracked) == (0 if frozen else 1)
        model.eval()
        wanted = (frames - norm.running_mean.view(3, 1, 1)) * torch.rsqrt(
            norm.running_var.view(3, 1, 1) + 0.5
        )
        torch.testing.assert_close(model(frames), wanted)
    assert model[0][0] is norm
    assert not norm.training  # as the model that it is in
    with pytest.raises(KeyError), whole_batch_norms(model.train(), doubled, torch.device("cpu")):
        raise KeyError
    assert model[0][0] is norm
    assert norm.training


@pytest.mark.parametrize("option", ["broadcast_buffers", "forward_sync_buffers"])
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_gradients_are_joined_and_statistics_left(
    option: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under either name of the option; a head without gradient stops nothing."""

    def old(module: Any, broadcast_buffers: bool = True, **more: Any) -> dict[str, Any]:
        return {"module": module, "broadcast_buffers": broadcast_buffers, **more}

    def new(module: Any, forward_sync_buffers: bool = True, **more: Any) -> dict[str, Any]:
        return {"module": module, "forward_sync_buffers": forward_sync_buffers, **more}

    joined = old if option == "broadcast_buffers" else new
    monkeypatch.setattr(distributed, "DistributedDataParallel", joined)
    device = torch.device("cuda", 1) if kind == "cuda" else torch.device("cpu")
    model = nn.Linear(2, 2)
    assert Ranks(0, 2).wrap(model, device) == {
        "module": model,
        option: False,
        "device_ids": [1] if kind == "cuda" else None,
        "find_unused_parameters": True,
    }
