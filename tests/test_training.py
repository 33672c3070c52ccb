"""Training stops, resumes, fails and finishes without losing anything."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from w3an_lite.backbone import NarrowTrunk
from w3an_lite.data.augment import Augment
from w3an_lite.data.sampling import Batches
from w3an_lite.data.tracklet import DataError, Tracklet
from w3an_lite.files import load_plain, read_rows, save_plain
from w3an_lite.losses import Objective
from w3an_lite.model import W3AN, W3ANOutput
from w3an_lite.presets import PRESETS, SMALL
from w3an_lite.speed import Speed
from w3an_lite.training import Recipe, Stopped, train

Build = Callable[..., W3AN]
Crowd = Callable[..., list[Tracklet]]
Terms = dict[str, tuple[Tensor, float]]

QUICK = Recipe(
    epochs=3,
    batch=8,
    people=4,
    lr=0.02,
    schedule="cosine",
    load_size=None,
    crop=None,
    pad=2,
    flip=0.5,
    erase=0.3,
    paste=0.4,
)
"""Two steps an epoch on eight people, with all that is drawn at random in a step."""
REPAIRS = {"map_weight": 0.3, "order_weight": 0.5, "avoid_weight": 0.1, "clip_weight": 0.2}


@dataclass(frozen=True)
class At(Objective):
    """An objective that does `_what` when it is asked for its terms the `_when`-th time."""

    @classmethod
    def call(cls, when: int, what: Callable[[Terms], Terms | None], **changes: float) -> At:
        out = cls(**changes)
        object.__setattr__(out, "_left", [when])
        object.__setattr__(out, "_what", what)
        return out

    def terms(
        self,
        output: W3ANOutput,
        identity: Tensor,
        attributes: Tensor,
        covered: Tensor | None = None,
        foreign: Tensor | None = None,
        gather: Callable[[Tensor], Tensor] = lambda own: own,
    ) -> Terms:
        terms = super().terms(output, identity, attributes, covered, foreign, gather)
        self._left[0] -= 1  # type: ignore[attr-defined]
        if self._left[0]:  # type: ignore[attr-defined]
            return terms
        return self._what(terms) or terms  # type: ignore[attr-defined]


def interrupt(_: Terms) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def same_state(one: W3AN, two: W3AN) -> bool:
    """Every weight and statistic, bit for bit."""
    a, b = one.state_dict(), two.state_dict()
    return a.keys() == b.keys() and all(torch.equal(v, b[k]) for k, v in a.items())


def go(model: W3AN, people: list[Tracklet], *args: Any, **kwargs: Any) -> list[dict[str, float]]:
    return train(model, people, *args, progress=False, **{"save_every": 1, **kwargs})


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [
        (0, 2e-2),
        (49, 2e-2),
        (50, 2e-3),
        (99, 2e-3),
        (100, 2e-4),
        (250, 2e-7),
        (289, 2e-7),
        (290, 2e-7),
        (291, 1.8e-7),
        (295, 1e-7),
        (299, 2e-8),
        (300, 0),
    ],
)
def test_the_printed_schedule(epoch: int, rate: float) -> None:
    assert Recipe().rate(epoch) == pytest.approx(rate, rel=1e-9, abs=1e-20)


def test_the_printed_schedule_falls_within_the_last_epochs() -> None:
    assert Recipe().rate(299, 0.5) == pytest.approx(1e-8)
    assert Recipe().rate(49, 0.99) == pytest.approx(2e-2)


def test_cosine_and_warm_up() -> None:
    recipe = Recipe(epochs=12, lr=1.0, schedule="cosine", warmup=2)
    assert 0 < recipe.rate(0) < 0.01
    assert recipe.rate(1) == pytest.approx(0.505)
    assert recipe.rate(2) == pytest.approx(1)
    assert recipe.rate(7) == pytest.approx(0.5)
    assert recipe.rate(12) == pytest.approx(0)
    rates = [recipe.rate(e, s / 4) for e in range(2, 12) for s in range(4)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "poly"}, "schedule 'poly' is not known"),
        ({"frames": "some"}, "frames 'some' is not known"),
        ({"epochs": 0}, "epochs is 0; give a whole number of at least 1"),
        ({"epochs": 1.5}, r"epochs is 1\.5; give a whole number of at least 1"),
        ({"batch": 0}, "batch is 0; give a whole number of at least 1"),
        ({"step_every": 0}, "step_every is 0; give a whole number of at least 1"),
        ({"seed": -1}, "seed is -1; give a whole number of at least 0"),
        ({"workers": -1}, "workers is -1; give a whole number of at least 0"),
        ({"lr": 0.0}, r"lr is 0\.0; give a number above 0"),
        ({"lr": math.nan}, "lr is nan; give a number above 0"),
        ({"warmup": math.nan}, "warmup is nan; give a number of at least 0"),
        ({"warmup": -1}, "warmup is -1; give a number of at least 0"),
        ({"last": -5}, "last is -5; give a number of at least 0"),
        ({"crop": (0, 0)}, r"crop is \(0, 0\); give \(H, W\), two whole numbers of at least 1"),
        ({"crop": (-5, 8)}, r"crop is \(-5, 8\); give \(H, W\)"),
        ({"crop": 32}, r"crop is 32; give \(H, W\)"),
        ({"load_size": (0, 0)}, r"load_size is \(0, 0\); give \(H, W\)"),
        ({"load_size": (8.0, 4)}, r"load_size is \(8\.0, 4\); give \(H, W\)"),
        ({"flip": 2}, "flip is 2; it is a chance, from 0 to 1"),
        ({"paste": "much"}, "paste is 'much'; it is a chance, from 0 to 1"),
    ],
)
def test_recipes_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**change)


def test_the_loss_falls(tiny: Build, crowd: Crowd) -> None:
    people, model = crowd(8), tiny(identities=8, trunk={"width": 4})
    recipe = dataclasses.replace(QUICK, epochs=15, lr=0.05, erase=0, paste=0)
    rows = go(model, people, recipe=recipe)
    assert len(rows) == 30
    assert not model.training
    for name in ("loss", "cam"):
        first, last = ([row[name] for row in part] for part in (rows[:4], rows[-4:]))
        assert sum(last) < 0.8 * sum(first), name


def test_training_again_gives_the_same_weights(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    people = crowd(8)
    one, two, other = (tiny(identities=8) for _ in range(3))
    rows = go(one, people, recipe=QUICK)
    torch.manual_seed(123)  # the loop draws from no generator but its own
    assert go(two, people, recipe=QUICK, out=tmp_path) == rows
    assert same_state(one, two)
    go(other, people, recipe=dataclasses.replace(QUICK, seed=1))
    assert not same_state(one, other)


def test_workers_change_nothing(tiny: Build, crowd: Crowd) -> None:
    people, recipe = crowd(8), dataclasses.replace(QUICK, epochs=2)
    one, two = tiny(identities=8), tiny(identities=8)
    go(one, people, recipe=recipe)
    go(two, people, recipe=dataclasses.replace(recipe, workers=1))
    assert same_state(one, two)


def test_the_log_has_every_term_raw_and_weighted(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    objective = Objective(**REPAIRS)
    model = tiny(identities=8, clip_identity=True)
    rows = go(model, crowd(8), objective, QUICK, tmp_path / "run")
    assert read_rows(tmp_path / "run" / "log.csv") == rows
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["last.pt", "log.csv"]
    assert [(row["epoch"], row["step"]) for row in rows] == [
        (e, s) for e in range(3) for s in range(2)
    ]
    weights = {"san": 0.3, "cam": 0.15, "tan": 0.2, "triplet": 0.35, "map": 0.3, "order": 0.5}
    weights |= {"avoid": 0.1, "clip": 0.2}
    for row in rows:
        assert row.keys() == {
            *("epoch", "step", "lr", "loss", "beta_mean", "beta_spread"),
            *("alpha_entropy", "gradient_norm"),
            *weights,
            *(f"{name}_weighted" for name in weights),
        }
        for name, weight in weights.items():
            assert row[f"{name}_weighted"] == pytest.approx(weight * row[name], rel=1e-5)
        assert row["loss"] == pytest.approx(sum(row[f"{n}_weighted"] for n in weights), rel=1e-5)
        assert row["lr"] == QUICK.rate(int(row["epoch"]), row["step"] / 2)
        assert 0 < row["alpha_entropy"] <= 1
        assert row["gradient_norm"] > 0


def test_guiding_starts_when_the_recipe_says(tiny: Build, crowd: Crowd) -> None:
    recipe = dataclasses.replace(QUICK, guide_after=2)
    rows = go(tiny(identities=8), crowd(8), Objective(map_weight=1), recipe)
    assert [{"san", "map"} <= row.keys() for row in rows] == [False] * 4 + [True] * 2
    assert not any({"san", "map"} & row.keys() for row in rows[:4])


@pytest.mark.parametrize("call", [1, 2, 3, 4, 6])
def test_ctrl_c_saves_and_resuming_gives_the_same_weights(
    tiny: Build, crowd: Crowd, tmp_path: Path, call: int
) -> None:
    """Stopped in the middle of an epoch, at its end, and at the very end."""
    people = crowd(8)
    build = {"identities": 8, "clip_identity": True}
    whole = tiny(**build)
    rows = go(whole, people, Objective(**REPAIRS), QUICK)

    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Stopped, match="go on with resume"):
        go(tiny(**build), people, At.call(call, interrupt, **REPAIRS), QUICK, tmp_path)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    saved = load_plain(tmp_path / "last.pt")
    assert (saved["epoch"], saved["step"]) == divmod(call, 2)
    assert len(read_rows(tmp_path / "log.csv")) == call

    resumed = tiny(**build, seed=5)  # its first weights do not matter
    torch.manual_seed(77)
    again = go(resumed, people, Objective(**REPAIRS), QUICK, tmp_path, resume=True)
    assert same_state(whole, resumed)
    assert again == rows
    assert read_rows(tmp_path / "log.csv") == rows


def test_stopping_twice_and_sigterm(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    people, whole, stopped = crowd(8), tiny(identities=8), tiny(identities=8)
    go(whole, people, recipe=QUICK)
    with pytest.raises(KeyboardInterrupt):
        go(stopped, people, At.call(1, interrupt), QUICK, tmp_path)

    def terminate(_: Terms) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        go(stopped, people, At.call(2, terminate), QUICK, tmp_path, resume=True)
    go(stopped, people, Objective(), QUICK, tmp_path, resume=True)
    assert same_state(whole, stopped)


def test_a_crash_loses_an_epoch_at_most(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    people, whole, crashed = crowd(8), tiny(identities=8), tiny(identities=8)
    rows = go(whole, people, recipe=QUICK)

    def crash(_: Terms) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        go(crashed, people, At.call(6, crash), QUICK, tmp_path)
    assert load_plain(tmp_path / "last.pt")["epoch"] == 2
    assert go(crashed, people, Objective(), QUICK, tmp_path, resume=True) == rows
    assert same_state(whole, crashed)


def test_saving_takes_a_twentieth_of_the_time(
    tiny: Build, crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save that takes one second, in epochs of eight: each third epoch may, and the last does."""
    clock, saved = [0.0], []

    def write(content: dict[str, Any], path: Path) -> None:
        clock[0] += 1
        saved.append(content["epoch"])
        save_plain(content, path)

    def tick(*_: object) -> None:
        clock[0] += 4  # two steps an epoch

    monkeypatch.setattr("w3an_lite.run.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("w3an_lite.run.save_plain", write)
    recipe = dataclasses.replace(QUICK, epochs=8)
    for every, epochs in ((None, [1, 4, 7, 8]), (1, [*range(1, 9)]), (5, [5, 8])):
        saved.clear()
        model = tiny(identities=8)
        model.register_forward_hook(tick)
        go(model, crowd(8), None, recipe, tmp_path / str(every), save_every=every)
        assert saved == epochs


def test_resuming_a_finished_run_changes_nothing(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    people, one, two = crowd(8), tiny(identities=8), tiny(identities=8, seed=3)
    rows = go(one, people, recipe=QUICK, out=tmp_path)
    assert go(two, people, recipe=QUICK, out=tmp_path, resume=True) == rows
    assert same_state(one, two)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_named_and_nothing_saved_is_lost(
    tiny: Build, crowd: Crowd, tmp_path: Path, value: float
) -> None:
    people = crowd(8)
    good = tiny(identities=8)
    with pytest.raises(Stopped):  # what an undisturbed run holds after two epochs
        go(good, people, At.call(4, interrupt), QUICK, tmp_path / "good")

    def poison(terms: Terms) -> Terms:
        return {**terms, "tan": (terms["tan"][0] * value, 0.2)}

    with pytest.raises(FloatingPointError) as caught:
        go(tiny(identities=8), people, At.call(5, poison, spread_margin=9.0), QUICK, tmp_path)
    message = str(caught.value)
    assert f"tan is {value} at epoch 2, step 0" in message
    assert "lower the learning rate" in message
    assert str(tmp_path / "last.pt") in message
    # the tracklets are those of the batch it happened in, not of a later one
    _, names = Batches(people, 8, 4, 3, None, 0).at(2)[0]
    assert all(name in message for name in names)
    assert not any(t.name in message for t in people if t.name not in names)
    assert len(read_rows(tmp_path / "log.csv")) == 4
    saved = load_plain(tmp_path / "last.pt")
    assert saved["epoch"] == 2
    assert all(torch.equal(v, saved["model"][k]) for k, v in good.state_dict().items())


def test_tracklets_without_a_name_are_known_by_person_and_camera(tiny: Build, crowd: Crowd) -> None:
    people = [dataclasses.replace(t, name="") for t in crowd(8)]
    recipe = dataclasses.replace(QUICK, lr=1e30)
    with pytest.raises(FloatingPointError, match=r"batch: (identity 1\d camera [01](, |\))){8}"):
        go(tiny(identities=8), people, recipe=recipe)


@pytest.mark.parametrize("device", ["gpu", "cuda", "cuda:3", None])
def test_a_device_that_is_not_there_is_named(
    tiny: Build, crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Any
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    says = "no CUDA device here" if "cuda" in str(device) else f"device is {device!r}; give cpu, c"
    with pytest.raises(ValueError, match=says):
        go(tiny(identities=8), crowd(8), None, QUICK, tmp_path / "out", device=device)
    assert not (tmp_path / "out").exists()


def test_a_file_where_the_folder_should_be_is_named(
    tiny: Build, crowd: Crowd, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("keep")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(ValueError, match="a file is in its way; give a folder") as caught:
            go(tiny(identities=8), crowd(8), None, QUICK, out)
        assert f"out is {out}, but " in str(caught.value)
    assert (tmp_path / "file").read_text() == "keep"


def test_a_rate_that_is_too_high_is_named(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    people = crowd(8)
    recipe = dataclasses.replace(QUICK, lr=1e30)
    with pytest.raises(FloatingPointError, match=r"at epoch 0, step 1 .*learning rate .*e\+"):
        go(tiny(identities=8), people, recipe=recipe, out=tmp_path)
    assert not (tmp_path / "last.pt").exists()


def test_weights_that_are_not_finite_never_replace_good_ones(
    tiny: Build, crowd: Crowd, tmp_path: Path
) -> None:
    """A finite loss may have a gradient that is not: √0 in the last step of the second epoch."""
    people = crowd(8)

    def poison(terms: Terms) -> Terms:
        raw, weight = terms["cam"]
        return {**terms, "cam": (raw + (raw - raw.detach()).sqrt(), weight)}

    with pytest.raises(FloatingPointError, match=r"gradient_norm is nan at epoch 1, step 1 .*rate"):
        go(tiny(identities=8), people, At.call(4, poison), QUICK, tmp_path)
    saved = load_plain(tmp_path / "last.pt")
    assert saved["epoch"] == 1
    assert all(v.isfinite().all() for v in saved["model"].values())


def test_a_step_to_infinity_is_not_saved(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    """The only step of an epoch may be finite in its loss and gradient, and not in its weights."""
    recipe = dataclasses.replace(
        QUICK, batch=8, people=8, epochs=2, lr=3e38, schedule="step", last=0
    )
    with pytest.raises(FloatingPointError, match=r"a weight is not finite after step 1 .*rate"):
        go(tiny(identities=8), crowd(8), Objective(cam_weight=1e3), recipe, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("closed")])
def test_a_full_disk_keeps_the_last_checkpoint(
    tiny: Build,
    crowd: Crowd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    people, whole, stopped = crowd(8), tiny(identities=8), tiny(identities=8)
    go(whole, people, recipe=QUICK)
    save, calls = torch.save, []

    def full(content: object, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half of it")
            raise error
        save(content, path)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match=r"last\.pt could not be written .*free space"):
            go(stopped, people, recipe=QUICK, out=tmp_path)
    assert load_plain(tmp_path / "last.pt")["epoch"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "log.csv"]
    go(stopped, people, recipe=QUICK, out=tmp_path, resume=True)
    assert same_state(whole, stopped)


@pytest.fixture
def stopped(tiny: Build, crowd: Crowd, tmp_path: Path) -> Path:
    """The folder of a run stopped after one step."""
    with pytest.raises(Stopped):
        go(tiny(identities=8), crowd(8), At.call(1, interrupt), QUICK, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "objective", "recipe", "message"),
    [
        ({}, {}, {"lr": 0.5}, "recipe lr was 0.02, now 0.5"),
        ({}, {}, {"paste": 0.1}, "recipe paste was 0.4, now 0.1"),
        ({}, {"tan_weight": 0.7}, {}, "objective tan_weight was 0.2, now 0.7"),
        ({"degree": "weighted"}, {}, {}, "model degree was 'adjacency', now 'weighted'"),
        ({"trunk": {"width": 3}}, {}, {}, "model trunk was .*2.*now .*3"),
    ],
    ids=str,
)
def test_resuming_with_other_settings_is_refused(
    tiny: Build,
    crowd: Crowd,
    stopped: Path,
    model: dict[str, Any],
    objective: dict[str, Any],
    recipe: dict[str, Any],
    message: str,
) -> None:
    before = (stopped / "last.pt").read_bytes()
    with pytest.raises(ValueError, match=rf"last\.pt is of another run: {message}"):
        go(
            tiny(identities=8, **model),
            crowd(8),
            Objective(**objective),
            dataclasses.replace(QUICK, **recipe),
            stopped,
            resume=True,
        )
    assert (stopped / "last.pt").read_bytes() == before


def test_resuming_with_other_tracklets_is_refused(tiny: Build, crowd: Crowd, stopped: Path) -> None:
    others = [dataclasses.replace(t, attributes=None) for t in crowd(8)]
    with pytest.raises(ValueError, match=r"is of another run: data tracklets was '\w{16}', now"):
        go(tiny(identities=8), others, Objective(), QUICK, stopped, resume=True)


def test_an_evaluation_that_fails_loses_nothing(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    """Training is saved before it is judged; resumed, it is judged and no step is taken again."""
    people, model = crowd(8), tiny(identities=8)

    def fails(_: W3AN) -> dict[str, Any]:
        raise DataError("a test image is damaged")

    with pytest.raises(DataError, match="damaged"):
        go(model, people, None, QUICK, tmp_path, judge=fails, save_every=99)
    judged = []

    def judge(network: W3AN) -> dict[str, Any]:
        judged.append(network.state_dict())
        return {"protocol": "none", "rank1": 0.0, "mAP": 0.0}

    again = tiny(identities=8, seed=3)
    assert len(go(again, people, None, QUICK, tmp_path, resume=True, judge=judge)) == 6
    assert len(judged) == 1
    assert same_state(model, again)


def test_attributes_of_ones_own_of_which_some_are_unknown(tiny: Build, crowd: Crowd) -> None:
    own = np.array([0, 1, 1, 0, 1], np.float32)
    for every in (1, 2, 99):
        people = [
            dataclasses.replace(t, attributes=own if k % every == 0 and every < 99 else None)
            for k, t in enumerate(crowd(8))
        ]
        rows = go(tiny(identities=8, attributes=5), people, None, QUICK)
        assert all(math.isfinite(row["loss"]) for row in rows)


@pytest.mark.parametrize("identity", [0, -1])
def test_nobody_is_trained_on_by_name(tiny: Build, crowd: Crowd, identity: int) -> None:
    people = [dataclasses.replace(t, identity=t.identity - 10 or identity) for t in crowd(8)]
    with pytest.raises(DataError, match=f"p0k0 has the identity {identity}, which is of nobody"):
        go(tiny(identities=8), people, None, QUICK)


@pytest.mark.parametrize("what", [{"evaluate_every": -1}, {"save_every": 0}, {"save_every": -2}])
def test_numbers_of_epochs_that_cannot_be(
    tiny: Build, crowd: Crowd, tmp_path: Path, what: dict[str, int]
) -> None:
    ((name, value),) = what.items()
    with pytest.raises(ValueError, match=f"{name} (is )?{value}"):
        go(tiny(identities=8), crowd(8), None, QUICK, tmp_path, **what)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"mAP": 0.5, "rank1": 0.5}, "no 'protocol'; it owes protocol, mAP, rank1"),
        ({"protocol": "p", "mAP": 0.5}, "no 'rank1'"),
        ({"protocol": "p", "mAP": "good", "rank1": 0.5}, "mAP 'good'; it owes a number"),
        (0.5, r"0\.5; it owes a dict with protocol, mAP, rank1"),
    ],
)
def test_what_a_judge_owes_is_said_and_nothing_is_lost(
    tiny: Build, crowd: Crowd, tmp_path: Path, said: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=f"the judge returned {message}"):
        go(tiny(identities=8), crowd(8), None, QUICK, tmp_path, judge=lambda _: said)
    assert load_plain(tmp_path / "last.pt")["epoch"] == QUICK.epochs


def test_a_judge_sees_the_model_in_test_mode_and_changes_nothing(tiny: Build, crowd: Crowd) -> None:
    people, modes = crowd(8), []
    clips = torch.zeros(2, 3, 3, 32, 16)

    def look(model: W3AN) -> dict[str, Any]:
        modes.append(model.training)
        model(clips)
        return {"protocol": "p", "mAP": 0.5, "rank1": 0.5}

    looked_at, other = (tiny(identities=8) for _ in range(2))
    other.load_state_dict(looked_at.state_dict())
    go(looked_at, people, None, QUICK, judge=look, evaluate_every=1)
    go(other, people, None, QUICK)
    assert modes == [False] * QUICK.epochs
    for name, value in other.state_dict().items():
        assert torch.equal(looked_at.state_dict()[name], value), name


def test_numbers_of_numpy_are_saved_and_taken_up_again(
    tiny: Build, crowd: Crowd, tmp_path: Path
) -> None:
    """In the model's arguments, the recipe, the objective and what the judge returns."""
    recipe = dataclasses.replace(
        QUICK, lr=np.float64(0.02), seed=np.int64(1), paste=np.float32(0.5), epochs=np.int64(3)
    )
    objective = {"tan_weight": np.float64(0.2)}

    def judge(_: W3AN) -> dict[str, Any]:
        return {"protocol": "p", "mAP": np.mean([0.25]), "rank1": np.float32(0.5)}

    people, more = crowd(8), {"judge": judge, "evaluate_every": 1}
    whole = tiny(identities=np.int64(8))
    rows = go(whole, people, Objective(**objective), recipe, tmp_path / "whole", **more)
    with pytest.raises(Stopped):
        go(tiny(identities=np.int64(8)), people, At.call(3, interrupt, **objective), recipe,
           tmp_path / "cut", **more)  # fmt: skip
    again, plain = tiny(identities=8), Objective(tan_weight=0.2)
    own = dataclasses.replace(QUICK, seed=1, paste=0.5)
    assert go(again, people, plain, own, tmp_path / "cut", resume=True, **more) == rows
    assert same_state(whole, again)
    kept = load_plain(tmp_path / "cut" / "last.pt")["evaluations"]
    assert [score["mAP"] for score in kept] == [0.25] * 3
    assert W3AN.from_pretrained(tmp_path / "whole" / "best.pt").identities == 8
    whole.save_pretrained(tmp_path / "model.pt")
    assert same_state(whole, W3AN.from_pretrained(tmp_path / "model.pt"))


def test_only_a_runs_own_left_overs_are_removed(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    """What a killed run was writing goes; hidden files and folders of others stay."""
    own = [".last.pt.123.part.pt", ".log.csv.7.part.csv", ".model.pt.1.part.pt"]
    others = [".notes.part", ".last.pt.x.part.pt", ".mine.pt.123.part.pt", ".photo.part.jpg"]
    for name in own + others:
        (tmp_path / name).write_text("half")
    (tmp_path / ".best.pt.5.part.pt").mkdir()
    go(tiny(identities=8), crowd(8), None, QUICK, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        *others, ".best.pt.5.part.pt", "last.pt", "log.csv",
    }  # fmt: skip


@pytest.mark.parametrize("part", ["last.pt", "model.pt", "best.pt", "result.json", "log.csv"])
def test_nothing_of_an_earlier_run_is_overwritten(
    tiny: Build, crowd: Crowd, tmp_path: Path, part: str
) -> None:
    (tmp_path / part).write_text("of months")
    with pytest.raises(ValueError, match=f"{part} is of an earlier run: .* choose another folder"):
        go(tiny(identities=8), crowd(8), None, QUICK, tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(part, "of months")]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("before", [True, False])
def test_resuming_fuses_the_step_or_not_as_asked_now(
    tiny: Build, crowd: Crowd, tmp_path: Path, optimiser: str, before: bool
) -> None:
    def fused() -> bool:
        return bool(load_plain(tmp_path / "last.pt")["optimiser"]["param_groups"][0]["fused"])

    people, recipe = crowd(8), dataclasses.replace(QUICK, optimiser=optimiser)
    stop = At.call(2, interrupt)
    with pytest.raises(Stopped):
        go(tiny(identities=8), people, stop, recipe, tmp_path, speed=Speed(fused=before))
    assert fused() is before
    asked = Speed(fused=not before)
    go(tiny(identities=8), people, Objective(), recipe, tmp_path, resume=True, speed=asked)
    assert fused() is not before


def test_resuming_with_more_workers_is_allowed(tiny: Build, crowd: Crowd, stopped: Path) -> None:
    recipe = dataclasses.replace(QUICK, workers=1)
    assert len(go(tiny(identities=8), crowd(8), None, recipe, stopped, resume=True)) == 6


def test_a_checkpoint_of_another_model_is_refused(crowd: Crowd, tmp_path: Path) -> None:
    """Two trunks of one's own look alike in the settings, not in the weights."""

    def build(width: int) -> W3AN:
        trunk = NarrowTrunk(width=width)
        return W3AN(8, backbone=trunk, size=(32, 16), clip_length=3)

    with pytest.raises(Stopped):
        go(build(2), crowd(8), At.call(1, interrupt), QUICK, tmp_path)
    with pytest.raises(ValueError, match=r"last\.pt holds the weights of another model"):
        go(build(3), crowd(8), None, QUICK, tmp_path, resume=True)


def test_what_is_no_checkpoint_is_refused(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    model, people = tiny(identities=8), crowd(8)
    with pytest.raises(FileNotFoundError, match=r"last\.pt does not exist"):
        go(model, people, None, QUICK, tmp_path, resume=True)
    with pytest.raises(ValueError, match="give out"):
        go(model, people, None, QUICK, resume=True)
    model.save_pretrained(tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt is no checkpoint"):
        go(model, people, None, QUICK, tmp_path, resume=True)
    (tmp_path / "last.pt").write_bytes(b"rubbish")
    with pytest.raises(ValueError, match=r"last\.pt cannot be read"):
        go(model, people, None, QUICK, tmp_path, resume=True)


@pytest.mark.parametrize(
    "part", ["epoch", "step", "rows", "evaluations", "model", "optimiser", "generators"]
)
def test_a_checkpoint_that_lacks_a_part_names_it(
    tiny: Build, crowd: Crowd, stopped: Path, part: str
) -> None:
    whole = load_plain(stopped / "last.pt")
    lacking = {k: v for k, v in whole.items() if k != part}
    for content in (lacking, {**whole, part: "some"}):
        save_plain(content, stopped / "last.pt")
        with pytest.raises(ValueError, match=rf"last\.pt is damaged: its '{part}' is .*begin anew"):
            go(tiny(identities=8), crowd(8), None, QUICK, stopped, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": {}},
        {"generators": {}},
        {"evaluations": [{"epoch": 1}]},
        {"evaluations": [3]},
        {"optimiser": {}},
        {"optimiser": {"state": {}, "param_groups": []}},
        {"generators": {"torch": 3, "cuda": [], "numpy": [], "python": []}},
    ],
    ids=str,
)
def test_a_damaged_part_of_a_checkpoint_is_one_sentence(
    tiny: Build, crowd: Crowd, stopped: Path, change: dict[str, Any]
) -> None:
    save_plain({**load_plain(stopped / "last.pt"), **change}, stopped / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt is damaged.*begin anew in another folder"):
        go(tiny(identities=8), crowd(8), None, QUICK, stopped, resume=True)


@pytest.mark.parametrize("settings", [[1], None, {"recipe": 3}])
def test_settings_that_are_none_are_no_checkpoint(
    tiny: Build, crowd: Crowd, stopped: Path, settings: Any
) -> None:
    save_plain({**load_plain(stopped / "last.pt"), "settings": settings}, stopped / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt is no checkpoint of a training run"):
        go(tiny(identities=8), crowd(8), None, QUICK, stopped, resume=True)


class Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def test_a_hostile_checkpoint_does_not_run(tiny: Build, crowd: Crowd, tmp_path: Path) -> None:
    torch.save({"settings": Hostile(tmp_path / "ran")}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="cannot be read as plain tensors"):
        go(tiny(identities=8), crowd(8), None, QUICK, tmp_path, resume=True)
    assert not (tmp_path / "ran").exists()


def test_another_number_of_people_is_named(tiny: Build, crowd: Crowd) -> None:
    with pytest.raises(ValueError, match="the model has 4 identities, the tracklets 8"):
        go(tiny(identities=4), crowd(8), None, QUICK)
    with pytest.raises(DataError, match="3 people to train on, a batch needs 4"):
        go(tiny(identities=3), crowd(3), None, QUICK)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_train(tiny: Build, crowd: Crowd, preset: str) -> None:
    small = {**SMALL["recipe"], "epochs": 1, "batch": 8, "people": 4}
    recipe = Recipe.preset(preset, **small)
    model = tiny(preset, identities=8)
    rows = go(model, crowd(8, frames=[1, 5]), Objective.preset(preset), recipe)
    assert len(rows) == 2
    named = PRESETS[preset]["objective"]
    assert all(f"{name}_weighted" in rows[0] for name in ("cam", "tan", "triplet"))
    assert ("map" in rows[0]) == bool(named.get("map_weight"))
    assert ("order" in rows[0]) == bool(named.get("order_weight"))
    assert ("san" in rows[0]) == (named.get("san_weight", 1) > 0)


def test_unknown_presets() -> None:
    for kind in (Recipe, Objective):
        with pytest.raises(ValueError, match="preset 'best' is not known; choose from"):
            kind.preset("best")


def test_a_step_hands_over_labels_and_foreign_pixels(tiny: Build, crowd: Crowd) -> None:
    """Maps are of the labels' classes, and foreign pixels are not the covered ones alone."""
    people, seen = crowd(8), []

    @dataclass(frozen=True)
    class Looking(Objective):
        def terms(self, output: W3ANOutput, *rest: Any) -> Terms:
            seen.append(rest)
            return super().terms(output, *rest)

    model, given = tiny(identities=8), []
    model.register_forward_pre_hook(lambda _, arguments: given.append(arguments))
    recipe = dataclasses.replace(QUICK, epochs=1, paste=0.0, surround=1.0)
    go(model, people, Looking(avoid_weight=1.0), recipe)
    batches = Batches(people, 8, 4, 3)
    for k, ((_, identity, attributes, _), rest) in enumerate(zip(given, seen, strict=True)):
        clips, _ = batches[k]
        assert torch.equal(identity, clips.identity)
        assert torch.equal(attributes, clips.attributes)
        assert torch.equal(rest[0], clips.identity)
        covered, foreign = rest[2], rest[3]
        assert not covered.any()
        assert foreign.flatten(2).any(-1).all()


def test_the_optimiser_gets_what_was_asked(tiny: Any) -> None:
    own = {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.04}
    for name, kind in (("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)):
        found = Recipe(optimiser=name, **own).optimise(tiny())
        assert type(found) is kind
        (group,) = found.param_groups
        for key in own.keys() & group.keys():
            assert group[key] == own[key]


def test_the_best_is_that_of_the_best_map(tiny: Any, crowd: Any, tmp_path: Any) -> None:
    recipe = Recipe(epochs=2, batch=8, people=4, lr=0.01, load_size=None, crop=None)
    scores = iter([(0.2, 0.9), (0.4, 0.1)])  # mAP rises, rank 1 falls

    def judge(_: Any) -> dict[str, Any]:
        return {"protocol": "p", **dict(zip(("mAP", "rank1"), next(scores), strict=True))}

    model = tiny(identities=8)
    train(model, crowd(8), None, recipe, tmp_path, progress=False, judge=judge, evaluate_every=1)
    best = type(model).from_pretrained(tmp_path / "best.pt").state_dict()
    assert all(torch.equal(v, best[k]) for k, v in model.state_dict().items())


def test_augmentation_is_as_asked() -> None:
    own = {
        "crop": (8, 4),
        "pad": 2,
        "flip": 0.1,
        "colour": 0.2,
        "erase": 0.3,
        "paste": 0.4,
        "surround": 0.5,
    }
    assert Recipe(**own, per_frame=True).augment == Augment(**own, per_frame=True)


@pytest.mark.parametrize(
    "name", ["colour", "erase", "surround", "momentum", "weight_decay", "pad", "guide_after"]
)
def test_nothing_below_0(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is -1"):
        Recipe(**{name: -1})
