"""What is switched on for a GPU is right, undone afterwards, and absent where nobody asked."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from w3an_lite import run as run_module
from w3an_lite import speed as module
from w3an_lite.attention_lstm import AttentionLSTM
from w3an_lite.attention_pyramid import AttentionPyramid
from w3an_lite.backbone import NarrowTrunk
from w3an_lite.data.sampling import Batches
from w3an_lite.data.tracklet import Clips, Tracklet
from w3an_lite.distributed import Ranks
from w3an_lite.gradients import Gradients
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN
from w3an_lite.parts import WeightedAverage
from w3an_lite.reading import Batch
from w3an_lite.recipe import Recipe
from w3an_lite.run import Run
from w3an_lite.runlog import RunLog
from w3an_lite.speed import Speed, cpu_threads
from w3an_lite.tan import TemporalAttention
from w3an_lite.training import train

Crowd = Callable[..., list[Tracklet]]
Build = Callable[..., W3AN]
RECIPE = Recipe(
    epochs=2, batch=8, people=4, lr=0.01, load_size=None, crop=None, pad=2, erase=0.3, paste=0.4,
    surround=0.3, colour=0.1,
)  # fmt: skip


def is_compiled(owner: object, name: str) -> bool:
    return hasattr(getattr(owner, name), "_torchdynamo_orig_callable")


def test_what_is_on_where(monkeypatch: pytest.MonkeyPatch) -> None:
    able = {"bf16": True, "compiles": True}
    monkeypatch.setattr(module, "compiles", lambda: able["compiles"])
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: able["bf16"])
    gpu, cpu = torch.device("cuda", 0), torch.device("cpu")
    names = ("autocast", "tf32", "benchmark", "fused", "compile")
    assert [Speed(record=r).on(gpu, Ranks()).record for r in (None, False, True)] == [
        None, False, True,
    ]  # fmt: skip
    assert not Speed(record=True).on(cpu, Ranks()).record
    assert not Speed(record=True).on(gpu, Ranks(0, 2)).record
    assert all(getattr(Speed().on(gpu, Ranks()), name) for name in names)
    assert not any(getattr(Speed().on(cpu, Ranks()), name) for name in (*names, "hold"))
    assert not Speed().on(gpu, Ranks(0, 2)).compile
    assert Speed(compile=True).on(gpu, Ranks(0, 2)).compile
    for name in names:
        off = Speed(**{name: False}).on(gpu, Ranks())
        assert [n for n in names if not getattr(off, n)] == [name]
    for lacking, name in (("compiles", "compile"), ("bf16", "autocast")):
        able[lacking] = False
        assert [n for n in names if not getattr(Speed().on(gpu, Ranks()), n)] == [name]
        assert getattr(Speed(**{name: True}).on(gpu, Ranks()), name)
        able[lacking] = True


def test_what_compiling_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    monkeypatch.setattr(module.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setattr(module.shutil, "which", lambda name: name)
    monkeypatch.delenv("CC", raising=False)
    assert module.compiles()
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert not module.compiles()
    monkeypatch.setenv("CC", "cc")
    assert module.compiles()
    (tmp_path / "Python.h").unlink()
    assert not module.compiles()
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert not module.compiles()


def test_a_gpu_whose_driver_is_too_old_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert module.gpus_there_are() == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert module.gpus_there_are() == 2


def test_a_gpu_gets_its_number_and_one_too_many_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gpus_there_are", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert module.device_of("cpu") == torch.device("cpu")
    assert module.device_of("cuda") == torch.device("cuda", 1)
    assert module.device_of(torch.device("cuda", 0)) == torch.device("cuda", 0)
    with pytest.raises(ValueError, match=r"device is 'cuda:2'; .* \(GPUs here: 2, counted from 0"):
        module.device_of("cuda:2")


def test_what_is_off_is_off(tiny: Build) -> None:
    """Whatever was set before; and afterwards it is again."""
    cpu = torch.device("cpu")
    try:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        with Speed(tf32=False, benchmark=False).on(cpu, Ranks()).applied():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cudnn.benchmark
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.benchmark
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.benchmark = False


def test_settings_come_back(tiny: Build) -> None:
    model = tiny()
    asked = Speed(tf32=True, benchmark=True, compile=True)
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.benchmark, cudnn.allow_tf32
    pieces = [(model.backbone, "forward"), (model, "maps")]
    with pytest.raises(KeyError), asked.applied(*pieces):  # noqa: PT012
        assert torch.get_float32_matmul_precision() == "high"
        assert cudnn.benchmark
        assert cudnn.allow_tf32
        assert all(is_compiled(*piece) for piece in pieces)
        raise KeyError
    after = torch.get_float32_matmul_precision(), cudnn.benchmark, cudnn.allow_tf32
    assert after == before
    assert not any(is_compiled(*piece) or piece[1] in vars(piece[0]) for piece in pieces)
    with Speed(tf32=False).applied():  # cuDNN itself would round
        assert not cudnn.allow_tf32
    assert cudnn.allow_tf32 == before[2]
    with Speed().applied(*pieces):
        assert not any(is_compiled(*piece) for piece in pieces)


def test_compiled_parts_train_alike(
    tiny: Build, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced, but run by PyTorch itself; statistics that rest in the second pass included."""
    monkeypatch.setattr(module, "BACKEND", "eager")
    people, one, two = crowd(8), tiny(identities=8), tiny(identities=8)
    rows = train(one, people, None, RECIPE, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler, about itself
        again = train(two, people, None, RECIPE, progress=False, speed=Speed(compile=True))
    for a, b in zip(rows, again, strict=True):
        assert b == pytest.approx(a, rel=1e-4, abs=1e-6)
    torch.testing.assert_close(two.state_dict(), one.state_dict(), rtol=1e-4, atol=1e-6)


def test_an_evaluation_compiles_nothing(
    tiny: Build, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKEND", "eager")
    model, seen = tiny(identities=8), []
    pieces = [(model.backbone, "forward"), (model.san, "forward"), (model, "_weigh")]

    def judge(judged: W3AN) -> dict[str, float]:
        seen.append([is_compiled(*piece) for piece in pieces])
        return {"protocol": "none", "rank1": 0.0, "mAP": 0.0}

    def look(*_: Any) -> None:
        seen.append("step" if all(is_compiled(*piece) for piece in pieces) else "plain step")

    handle = model.heads.register_forward_hook(look)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(
            model, crowd(8), None, RECIPE, progress=False, speed=Speed(compile=True), judge=judge,
            evaluate_every=1,
        )  # fmt: skip
    handle.remove()
    assert seen == ["step", "step", [False] * 3] * 2
    assert not any(is_compiled(*piece) for piece in pieces)


def test_autocast_keeps_the_losses_in_float32(tiny: Build, crowd: Crowd) -> None:
    seen: list[torch.dtype] = []

    class Looking(Objective):
        def terms(self, output: Any, *rest: Any) -> dict[str, tuple[Tensor, float]]:
            named = output._asdict()
            seen.append(named.pop("cube").dtype)
            assert all(v is None or v.dtype == torch.float32 for v in named.values())
            return super().terms(output, *rest)

    people, plain = crowd(8), tiny(identities=8)
    rows = train(plain, people, None, RECIPE, progress=False)
    model = tiny(identities=8)
    again = train(model, people, Looking(), RECIPE, progress=False, speed=Speed(autocast=True))
    assert seen == [torch.bfloat16] * 4
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        path = model.eval().encode(torch.rand(2, 3, 3, 32, 16))
    assert path.cube.dtype == torch.bfloat16
    for small in (path.beta, path.beta_overall, path.embedding):  # not rounded on the way, either
        assert small.dtype == torch.float32
        assert not torch.equal(small, small.bfloat16().float())
    assert all(v.dtype != torch.bfloat16 for v in model.state_dict().values())
    assert again != rows
    assert again[0]["loss"] == pytest.approx(rows[0]["loss"], rel=0.05)


def _steps(model: W3AN, people: list[Tracklet], device: torch.device, speed: Speed) -> Run:
    model.to(device).train()
    optimiser = RECIPE.optimise(model, fused=bool(speed.fused))
    objective = Objective(map_weight=0.3, order_weight=0.5, avoid_weight=0.1, clip_weight=0.2)
    return Run(model, optimiser, objective, RECIPE, None, Ranks(), speed, RunLog(None))


WAITING = ("item", "tolist", "numpy", "cpu", "nonzero", "__bool__", "__float__", "__int__",
           "__index__", "__array__", "__contains__")  # fmt: skip


def test_a_step_waits_for_nothing(
    tiny: Build, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call in a step asks for a tensor's value; each would stop a GPU."""
    people = crowd(8)
    run = _steps(tiny(identities=8, clip_identity=True), people, torch.device("cpu"), Speed())
    clips, names = Batches(people, 8, 4, 3)[0]
    asked: list[str] = []
    with monkeypatch.context() as patch:
        for name in WAITING:
            plain = getattr(Tensor, name)

            def counted(self: Tensor, *a: Any, _plain: Any = plain, _name: str = name) -> Any:
                asked.append(_name)
                return _plain(self, *a)

            patch.setattr(Tensor, name, counted)
        run.step(0, 0, 2, Batch(clips, names))
        assert asked == []
        assert bool(torch.ones(()))  # what is counted is counted
        assert asked == ["__bool__"]
    run.collect()
    assert len(run.rows) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"degree": "weighted", "residual": True, "readout": "beta"},
        {"scores": "shared", "slots": False, "map_form": "evidence", "heads_on": "both"},
        {"keep": 0.5},
        {"temporal": False, "graph": False},
        {"spatial": AttentionPyramid},
        {"spatial": AttentionLSTM},
    ],
)
def test_a_step_leaves_no_tensor_on_the_cpu(
    changes: dict[str, Any], tiny: Build, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a pretended GPU: PyTorch's fake tensors have shape, type and device but no values, so a
    tensor left on the CPU is an error, and so is asking for a value. Only the backward pass needs
    a real one; here every gradient is as its weight."""
    people, device = crowd(8), torch.device("cuda", 0)
    clips, names = Batches(people, 8, 4, 3)[0]
    plain = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device: plain())
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *a, **k: self)
    with FakeTensorMode() as fake:
        with device:
            model = tiny(identities=8, clip_identity=True, **changes)
        there = [fake.from_tensor(x) if isinstance(x, Tensor) else x for x in clips]
        off = dict.fromkeys(("compile", "autocast", "fused", "record"), False)
        speed = Speed(**off).on(device, Ranks())
        run = _steps(model, people, device, speed)

        def backward(loss: Tensor) -> None:
            assert loss.device == device
            for weight in model.parameters():
                weight.grad = weight.detach().clone()

        monkeypatch.setattr(Tensor, "backward", backward)
        run.step(0, 0, 2, Batch(Clips(*there), names))
        assert run.pending[0].values.device == device
        with pytest.raises(RuntimeError, match="cpu"):
            torch.ones(2, device=device) + torch.ones(2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_step_on_a_gpu_waits_for_nothing(tiny: Build, crowd: Crowd) -> None:
    people, device = crowd(8), torch.device("cuda", 0)
    speed = Speed(compile=False).on(device, Ranks())
    run = _steps(tiny(identities=8, clip_identity=True), people, device, speed)
    clips, names = Batches(people, 8, 4, 3)[0]
    there = clips._replace(
        frames=clips.frames.to(device), identity=clips.identity.to(device),
        attributes=clips.attributes.to(device),
    )  # fmt: skip
    # the first one chooses algorithms, the third is recorded, the fourth is a replay
    for step, mode in enumerate(("default", "error", "default", "error")):
        torch.cuda.set_sync_debug_mode(mode)
        try:
            run.step(0, step, 4, Batch(there, names))
        finally:
            torch.cuda.set_sync_debug_mode("default")
    run.collect()
    assert len(run.rows) == 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("hold", [False, True])
def test_a_gpu_learns_what_the_cpu_learns(tiny: Build, crowd: Crowd, hold: bool) -> None:
    people = crowd(8)
    recipe = Recipe(epochs=2, batch=8, people=4, lr=0.01, load_size=None, crop=None)
    rows = train(tiny(identities=8), people, None, recipe, progress=False)
    off = dict.fromkeys(("autocast", "tf32", "benchmark", "fused", "compile", "record"), False)
    again = train(
        tiny(identities=8), people, None, recipe, device="cuda", progress=False,
        speed=Speed(**off, hold=hold),
    )  # fmt: skip
    for a, b in zip(rows, again, strict=True):
        assert b == pytest.approx(a, rel=1e-2, abs=1e-4)


class Small(NarrowTrunk):
    def __init__(self) -> None:
        super().__init__(width=2)


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({}, True),
        ({"spatial": False, "temporal": False, "graph": False}, True),
        ({"spatial": AttentionPyramid}, True),
        ({"guide_by": "noise"}, False),  # its seed is read from the frames
        ({"temporal": lambda channels: Waiting(channels)}, False),
        ({"spatial": lambda channels: Blank()}, False),
        ({"graph": lambda channels: Averaging()}, False),
        ({"backbone": Small(), "trunk": {}}, False),
    ],
)
def test_a_step_is_recorded_by_itself_only_if_all_is_known(
    changes: dict[str, Any], own: bool, tiny: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, made = tiny(identities=8, **changes), []
    monkeypatch.setattr(run_module, "Recorded", lambda *given: made.append(given) or "recorded")
    monkeypatch.setattr(W3AN, "device", torch.device("cuda", 0))
    for record in (None, False, True):
        speed = Speed(record=record)
        run = Run(model, None, Objective(), RECIPE, None, Ranks(), speed, RunLog(None))  # type: ignore[arg-type]
        there = own if record is None else record
        assert run.learn == ("recorded" if there else run.gradients)
        assert run.speed.record == there  # a checkpoint tells what was done
    assert run.gradients.recordable == own
    assert made[-1] == (run.gradients, model, torch.device("cuda", 0))


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward"])
def test_a_step_with_hooks_is_not_recorded_by_itself(tiny: Build, kind: str) -> None:
    """A replay would not call them."""
    model = tiny(identities=8)
    gradients = Gradients(model, Objective(), Ranks(), Speed())
    assert gradients.recordable
    handle = getattr(model.tan.score, f"register_{kind}_hook")(lambda *_: None)
    assert not gradients.recordable
    handle.remove()
    assert gradients.recordable
    gradients.objective = Waits()
    assert not gradients.recordable


class Waits(Objective):
    """Of one's own, like the parts below: nobody knows what it does."""


class Waiting(TemporalAttention): ...


class Averaging(WeightedAverage): ...


class Blank(torch.nn.Module):
    def forward(self, cube: Tensor) -> Tensor:
        return torch.full_like(cube, 1 / cube[0, 0, 0].numel())


def test_a_cpu_records_nothing(tiny: Build) -> None:
    run = _steps(tiny(identities=8), [], torch.device("cpu"), Speed())
    assert run.learn is run.gradients


def test_threads_come_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), cpu_threads(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before


def test_bfloat16_that_has_to_be_imitated_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "compiles", lambda: False)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    assert Speed().on(torch.device("cuda", 0), Ranks()).autocast is False


def test_whether_frames_are_held_stays_open_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    gpu, cpu = torch.device("cuda", 0), torch.device("cpu")
    found = [[Speed(hold=h).on(d, Ranks()).hold for h in (None, False, True)] for d in (gpu, cpu)]
    assert found == [[None, False, True], [False, False, True]]


def test_the_forward_pass_is_cast_to_bfloat16_if_asked() -> None:
    a, cpu = torch.rand(2, 2), torch.device("cpu")
    for asked, kind in ((True, torch.bfloat16), (False, torch.float32), (None, torch.float32)):
        with Speed(autocast=asked).casting(cpu):
            assert (a @ a).dtype == kind


def test_what_is_small_and_exact_is_not_cast() -> None:
    given = torch.rand(4, 4)
    plain = module.in_float32(lambda x: x @ x, given)
    assert torch.equal(plain, given @ given)
    rounded = given.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = module.in_float32(lambda x: x @ x, rounded)
    assert torch.equal(found, rounded.float() @ rounded.float())
    assert module.in_float32(lambda x: x.dtype, rounded) == torch.bfloat16  # nothing is cast here


def test_other_sizes_run_as_they_are_written(tiny: Build) -> None:
    model = tiny()
    pieces = [(model.backbone, "forward"), (model, "maps"), (model, "_weigh")]
    with Speed(compile=True).applied(*pieces[:2]):
        with pytest.raises(KeyError), module.uncompiled(*pieces):  # noqa: PT012
            assert not any(is_compiled(*piece) for piece in pieces)
            raise KeyError
        assert [is_compiled(*piece) for piece in pieces] == [True, True, False]


def test_a_method_of_ones_own_stays(tiny: Build) -> None:
    """One that was set on the very object."""
    model = tiny()
    own = model._weigh = lambda features: features
    with Speed(compile=True).applied((model, "_weigh")), module.uncompiled((model, "_weigh")):
        assert model._weigh is own
    assert model._weigh is own


def test_all_pieces_of_a_step_are_compiled_and_no_copy_of_the_model_is(tiny: Build) -> None:
    """A judge may copy the model, or write it."""
    model = tiny()
    gradients = Gradients(model, Objective(), Ranks(), Speed())
    names = {(type(owner).__name__, name) for owner, name in gradients.pieces}
    assert names == {
        ("NarrowTrunk", "forward"), ("Heads", "forward"), ("SpatialAttention", "forward"),
        ("W3AN", "_prepared"), ("W3AN", "_weigh"), ("W3AN", "maps"), ("W3AN", "_guided"),
        ("Gradients", "_fitted"), ("Gradients", "_losses"),
    }  # fmt: skip
    with Speed(compile=True).applied(*gradients.pieces):
        assert all(is_compiled(*piece) for piece in gradients.pieces)
        with module.uncompiled(*gradients.pieces):
            copy = pickle.loads(pickle.dumps(model))
            again = deepcopy(model)
    for other in (copy, again):
        assert other.maps.__self__ is other
        assert not {"maps", "_weigh", "forward"} & {*vars(other), *vars(other.backbone)}
    assert not any(name in vars(owner) for owner, name in gradients.pieces)


def test_what_was_compiled_is_forgotten(tiny: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the shapes of another model would count against the same few."""
    forgotten: list[int] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: forgotten.append(1))
    with Speed(compile=False).applied((tiny().backbone, "forward")):
        pass
    assert forgotten == []
    with Speed(compile=True).applied((tiny().backbone, "forward")):
        pass
    assert forgotten == [1]


def test_so_many_threads_within() -> None:
    before = torch.get_num_threads()
    with cpu_threads(before + 1):
        assert torch.get_num_threads() == before + 1


@pytest.mark.parametrize("there", ["gcc", "clang"])
def test_either_compiler_compiles(
    there: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    monkeypatch.setattr(module.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setattr(module.shutil, "which", lambda name: name if name == there else None)
    monkeypatch.delenv("CC", raising=False)
    assert module.compiles()
