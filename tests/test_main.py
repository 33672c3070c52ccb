"""The command line: results on standard output, a user's mistake in one line and exit status 2."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from w3an_lite.__main__ import main
from w3an_lite.commands import say
from w3an_lite.demo import MEASURES, VARIANTS
from w3an_lite.footage import load_embeddings
from w3an_lite.model import W3AN


def _street(folder: Path, people: int = 3, frames: int = 12) -> tuple[Path, Path, Path]:
    """A folder of frames, boxes of people that come by twice, and who they are."""
    rng = np.random.default_rng(0)
    film = folder / "film"
    film.mkdir()
    for number in range(1, frames + 1):
        picture = rng.integers(0, 256, (60, 120, 3), dtype=np.uint8)
        Image.fromarray(picture).save(film / f"{number:04d}.png")
    boxes, labels = [], ["track_id,person,visit,first_frame,last_frame"]
    for track in range(2 * people):
        for number in range(1, frames + 1):
            boxes.append(f"{number},{track + 1},{5 + 15 * track},5,14,40,1,-1,-1,-1")
        labels.append(f"{track + 1},{'ABCDEF'[track // 2]},{track % 2 + 1},1,{frames}")
    (folder / "gt.txt").write_text("\n".join(boxes), encoding="utf-8")
    (folder / "who.csv").write_text("\n".join(labels), encoding="utf-8")
    return film, folder / "gt.txt", folder / "who.csv"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    model = W3AN.preset(
        "repaired", 3, backbone="narrow", trunk={"width": 2}, size=(32, 16), clip_length=3
    )
    model.save_pretrained(tmp_path / "small.pt")
    return tmp_path / "small.pt"


def test_footage_is_embedded_ranked_and_evaluated(
    tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, boxes, who = _street(tmp_path)
    street = ["--video", str(film), "--boxes", str(boxes), "--model", str(small), "--threads", "1"]
    npz, pictures = tmp_path / "street.npz", tmp_path / "pictures"
    assert main(["embed", *street, "--out", str(npz)]) == 0
    assert len(load_embeddings(npz).names) == 6
    assert main(["rank", "--embeddings", str(npz), "--out", str(pictures), "--top", "2"]) == 0
    assert len(list(pictures.glob("*.png"))) == 6
    capsys.readouterr()
    assert main(["rank", "--embeddings", str(npz), "--out", str(pictures)]) == 2
    said = capsys.readouterr()
    assert f"error: {pictures / '0000.png'} is of an earlier run: move it away, or" in said.err
    assert not said.out
    capsys.readouterr()
    assert main(["evaluate", *street, "--labels", str(who), "--window", "4"]) == 0
    assert "over 18 queries of 18 windows" in capsys.readouterr().out
    rows = [f"{t},{n},{(t * n) % 5 / 4}" for t in range(1, 7) for n in range(1, 13)]
    (tmp_path / "seen.csv").write_text("track_id,frame,share\n" + "\n".join(rows))
    asked = ["evaluate", *street, "--labels", str(who), "--window", "4", "--metric", "cosine"]
    asked += ["--adapt", "--visibility", str(tmp_path / "seen.csv")]
    assert main(asked) == 2
    assert "has no column 'visibility'" in capsys.readouterr().err
    both = [*asked, "--visibility-column", "share", "--model", str(small), str(small)]
    assert main(both) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == out[2:4]
    assert out[1].startswith("Spearman of β with visibility")
    assert out[4].startswith("2 models, mean ± standard deviation: rank-1 ")
    assert out[4].count("± 0.000") == 4
    assert main([*asked, "--visibility-column", "share", "--self-teach", "2"]) == 0
    taught = capsys.readouterr().out.splitlines()
    assert len(taught) == 2
    assert taught != out[:2]


def test_a_window_longer_than_every_track_is_a_mistake(
    tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, boxes, _ = _street(tmp_path)
    street = ["--video", str(film), "--boxes", str(boxes), "--model", str(small), "--threads", "1"]
    assert main(["embed", *street, "--out", str(tmp_path / "a.npz"), "--window", "99"]) == 2
    assert "99 frames" in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("embed STREET --out DIR", "DIR cannot be written"),
        ("embed STREET --out DIR/gt.txt/x.npz", "x.npz cannot be written"),
        ("embed STREET --out DIR/gt.txt", "gt.txt is read by this command; write to another"),
        ("embed STREET --out SMALL --model SMALL", "small.pt is read by this command"),
        ("evaluate STREET --labels DIR/once.csv", "once.csv: nobody comes by twice in the 6 wind"),
        ("embed STREET --out DIR/x.npz --window 99", "gt.txt has 99 frames; choose a shorter"),
        ("evaluate STREET --labels nope.csv", "nope.csv is missing; give the file of who"),
        ("evaluate STREET --labels DIR/gt.txt", "gt.txt has no column 'track_id'"),
        ("evaluate STREET --labels DIR/who.csv --window 99", "gt.txt has 99 frames; choose a"),
        ("evaluate STREET --labels DIR/who.csv --model SMALL nope.pt", "nope.pt does not exist"),
        ("evaluate STREET --labels DIR/who.csv --visibility DIR/seen.csv", "track 1, frame 2"),
        ("pretrain --out DIR", "DIR cannot be written"),
        ("rank --embeddings nope.npz --out DIR/gt.txt", "gt.txt/0000.png cannot be written"),
        ("report --results nope --out DIR", "DIR cannot be written"),
        ("report --results nope --out DIR/gt.txt/x.md", "x.md cannot be written"),
        ("report --results nope --out DIR/x.md", "nope cannot be read (No such file"),
        ("demo --out DIR/gt.txt", "gt.txt/metrics.json cannot be written"),
        ("experiment table5 --out DIR/gt.txt", "gt.txt/table5.json cannot be written"),
        ("experiment table5 --out DIR/gt.txt/x", "x/table5.json cannot be written"),
    ],
)
def test_what_cannot_be_read_or_written_is_said_before_the_work(
    command: str, words: str, tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def work(*_: object, **__: object) -> None:
        raise AssertionError("that work is lost")

    for name in ("self_taught", "embed", "judge", "pretrain"):
        monkeypatch.setattr(f"w3an_lite.commands.{name}", work)
    for name in ("demo", "run_study"):
        monkeypatch.setattr(f"w3an_lite.experiment_commands.{name}", work)
    film, boxes, who = _street(tmp_path)
    once = [line.replace(",2,1,12", ",1,1,12") for line in who.read_text().splitlines()]
    (tmp_path / "once.csv").write_text("\n".join(once))
    (tmp_path / "seen.csv").write_text("track_id,frame,visibility\n1,1,0.5")
    before = sorted(tmp_path.rglob("*"))
    street = f"--video {film} --boxes {boxes} --model SMALL --self-teach 20 --threads 1"
    for word, value in {"STREET": street, "SMALL": str(small), "DIR": str(tmp_path)}.items():
        command, words = command.replace(word, value), words.replace(word, value)
    assert main(command.split()) == 2
    assert words in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_training_writes_its_run_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["train", "--preset", "mean_pool", "--out", str(tmp_path), "--identities", "8"]
    run += ["--test-identities", "4", "--epochs", "1", "--threads", "1"]
    assert main(run) == 0
    assert "rank-1" in capsys.readouterr().out
    before = torch.load(tmp_path / "model.pt", weights_only=True)["state"]
    assert main([*run, "--resume"]) == 0  # nothing is left to do
    after = torch.load(tmp_path / "model.pt", weights_only=True)["state"]
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert main(run) == 2  # a finished run is not overwritten
    assert "last.pt" in capsys.readouterr().err


def test_an_experiment_is_run_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["experiment", "table5", "--out", str(tmp_path), "--preset", "repaired", "--epochs", "1"]
    run += ["--identities", "8", "--test-identities", "4", "--jobs", "1", "--only", "W3WAN"]
    assert main(run) == 0
    said = capsys.readouterr().out
    assert "| W3WAN | 1 |" in said
    for name in ("table5.csv", "table5.json"):
        assert f"wrote {tmp_path / name}" in said
    assert main(["report", "--results", str(tmp_path), "--out", str(tmp_path / "R.md")]) == 0
    assert f"wrote {tmp_path / 'table5-repaired.png'}" in capsys.readouterr().out
    assert "**cannot tell**" in (tmp_path / "R.md").read_text(encoding="utf-8")


def test_the_full_profile_is_told_its_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []

    def look(*arguments: object, **_: object) -> None:
        found.append(arguments[4].base["model"]["weights"])
        raise ValueError

    monkeypatch.setattr("w3an_lite.experiment_commands.run_study", look)
    full = ["experiment", "table5", "--profile", "full", "--dataset", "mars", "--root", "MARS"]
    for weights in ([], ["--weights", "none"], ["--weights", "a.pt"]):
        assert main([*full, *weights]) == 2
    assert found == ["imagenet", None, "a.pt"]


def test_the_demo_writes_what_it_says_and_does_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["demo", "--out", str(tmp_path), "--seeds", "1", "--epochs", "1", "--threads", "1"]
    run += ["--identities", "8", "--test-identities", "4"]
    assert main(run) == 0
    said = capsys.readouterr().out
    for name in ("metrics.json", "log.csv", "attention.png"):
        assert str(tmp_path / name) in said
        assert (tmp_path / name).stat().st_size > 100
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    for variant in VARIANTS:
        assert set(metrics[variant]) == set(MEASURES)
        assert len(metrics[variant]["rank1"]["seeds"]) == 1
    stamp = (tmp_path / "paper-0" / "model.pt").stat().st_mtime_ns
    assert main(run) == 0
    assert (tmp_path / "paper-0" / "model.pt").stat().st_mtime_ns == stamp
    (tmp_path / "metrics.json").unlink()
    for name, damage in (("model.pt", b"no model"), ("result.json", b'{"scores": {"mAP": 0.')):
        kept = tmp_path / "paper-0" / name
        whole = kept.read_bytes()
        kept.write_bytes(damage)
        capsys.readouterr()
        assert main(run) == 2
        said = capsys.readouterr().err
        assert f"{kept} is" in said
        assert f"remove {kept.parent}, and that trial is run again" in said
        assert not (tmp_path / "metrics.json").exists()
        kept.write_bytes(whole)
    assert main(run) == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["rank", "--embeddings", "none.npz", "--out", "x"], "none.npz does not exist"),
        (["demo", "--seeds", "0"], "seeds is 0"),
        (["experiment", "table5", "--seeds", "0"], "seeds is 0"),
        (["experiment", "table5", "--only", "magic"], "no row is called 'magic'"),
        (["experiment", "table5", "--profile", "full"], "name one with --dataset and --root"),
        (["experiment", "table5", "--kept", "none"], "kept is none, which holds no result"),
        (
            ["experiment", "table5", "--weights", "none.pt"],
            "--weights none.pt is of --profile full",
        ),
        (["experiment", "table5", "--root", "dm"], "--root dm is of a real set; name it"),
        (["experiment", "table5", "--protocol", "mars/official"], "--protocol mars/official is of"),
        (["experiment", "table5", "--labels", "v.csv"], "--labels v.csv is of a real set"),
        (["experiment", "table5", "--unofficial"], "--unofficial is of a real set"),
        (["report", "--results", "none.json", "--out", "x.md"], "none.json"),
        (
            ["embed", "--video", "none.avi", "--boxes", "none.txt", "--out", "x.npz"],
            "none.txt",
        ),
        (
            ["embed", "--video", "a", "--boxes", "b", "--out", "x.npz", "--model", "none.pt"],
            "none.pt does not exist",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    command: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        "pretrain --out x --steps 0",
        "pretrain --out x --seed -1",
        "pretrain --out x --threads 0",
        "embed --video a --boxes b --out x --window 0",
        "embed --video a --boxes b --out x --self-teach -1",
        "embed --video a --boxes b --out x --seed -1",
        "embed --video a --boxes b --out x --threads 0",
        "evaluate --video a --boxes b --labels c --window 0",
        "evaluate --video a --boxes b --labels c --limit 0",
        "evaluate --video a --boxes b --labels c --threads 0",
        "demo --identities 0",
        "demo --test-identities 0",
        "demo --epochs 0",
        "demo --jobs 0",
        "demo --threads -1",
        "experiment table5 --jobs 0",
        "experiment table5 --threads 0",
        "experiment table5 --threads two",
    ],
)
def test_a_number_that_cannot_be_is_named_before_any_work(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 2
    *_, option, number = command.split()
    assert f"argument {option}: {number} is not a whole number of" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_nobody_hears_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # as Python does where it was closed
    say("words")


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["trian"])
    assert stop.value.code == 2
    assert "trian" in capsys.readouterr().err


def test_a_console_without_greek_letters_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="cp1252"))
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--help"])
    assert stop.value.code == 0
    say("Spearman of β with visibility ± 0.000")
    sys.stdout.flush()
    said = " ".join(written.getvalue().decode("cp1252").split())
    assert "? is compared with it" in said
    assert "Spearman of ? with visibility ± 0.000" in said


def test_every_command_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        "demo",
        "experiment",
        "report",
        "pretrain",
        "train",
        "embed",
        "rank",
        "evaluate",
        "synth",
        "pack",
    ):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        assert f"example: python -m w3an_lite {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("Unable to allocate 8.00 TiB"), "more memory than there is (Unable to alloc"),
        (MemoryError(), "more memory than there is (no more is said); ask for less"),
        (
            torch.OutOfMemoryError("CUDA out of memory.\nTried"),
            "than there is (CUDA out of memory.)",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "more memory than there is"),
        (OverflowError("int too big to convert"), "a number is too large (int too big to convert)"),
    ],
    ids=str,
)
def test_what_is_too_large_is_one_sentence(
    error: Exception,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("w3an_lite.experiment_commands.demo", fail)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert words in said
    assert "\n" not in said


def test_another_error_of_the_program_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("w3an_lite.experiment_commands.demo", fail)
    with pytest.raises(RuntimeError, match="of ours"):
        main(["demo", "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_report_is_not_written_over_a_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    result = tmp_path / "table5.json"
    result.write_text("{}")
    results = {"folder": tmp_path, "file": result}[given]
    assert main(["report", "--results", str(results), "--out", str(result)]) == 2
    assert f"{result} is read by this command" in capsys.readouterr().err
    assert result.read_text() == "{}"


def test_a_command_leaves_the_threads_as_they_were(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        out = str(tmp_path / "trunk.pt")
        assert main(["pretrain", "--out", out, "--steps", "1", "--threads", "1"]) == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
