"""The commands about data, run as a user runs them: what they print, write, and refuse."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

import w3an_lite.__main__ as front
from w3an_lite.commands import COMMANDS
from w3an_lite.data.attribute_file import label_split, with_attributes
from w3an_lite.data.datasets import load_dataset
from w3an_lite.data.store import open_store
from w3an_lite.data_commands import DATA_COMMANDS
from w3an_lite.model import W3AN

TINY = ("--size", "32", "16")
FEW = ("--identities", "2", "--test-identities", "2", "--frames", "2")
QUICK = ("--steps", "2", "--threads", "1", *TINY)
DRAWN = ("--stills", "4", *QUICK)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run(*arguments)` -> exit status, standard output, last line of standard error."""
    monkeypatch.setattr(front, "COMMANDS", {**COMMANDS, **DATA_COMMANDS})

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            status = front.main([str(a) for a in arguments])
        except SystemExit as stopped:  # of argparse
            status = int(stopped.code or 0)
        out = capsys.readouterr()
        return status, out.out, out.err.strip().splitlines()[-1] if out.err.strip() else ""

    return call


@pytest.fixture
def mars(run: Run, tmp_path: Path) -> Path:
    root = tmp_path / "mars"
    status, _, error = run(
        "synth", "--layout", "mars", "--out", root, *FEW, "--distractors", 2, "--junk", 1, *TINY
    )
    assert status == 0, error
    return root


def test_synth_then_check(run: Run, mars: Path) -> None:
    status, out, _ = run("data", "check", "--dataset", "mars", "--root", mars, "--unofficial")
    assert status == 0
    assert "junk tracklets" in out
    assert "wrong" not in out
    status, out, error = run("data", "check", "--dataset", "mars", "--root", mars)
    assert status == 2
    assert "8,298" in out
    assert error.startswith(f"error: {mars} is not a whole mars: 9 rows")


def test_check_of_nothing_names_the_source(run: Run, tmp_path: Path) -> None:
    status, out, error = run("data", "check", "--dataset", "prid2011", "--root", tmp_path / "no")
    assert status == 2
    assert "missing" in out
    assert "tugraz" in out
    assert "is not a whole prid2011" in error


@pytest.mark.parametrize("layout", ["ilids-vid", "prid2011", "rap"])
def test_every_layout_is_written(run: Run, layout: str, tmp_path: Path) -> None:
    people = ("--identities", 4) if layout == "rap" else FEW
    out = tmp_path / layout
    status, text, _ = run("synth", "--layout", layout, "--out", out, *people, *TINY, "--seed", 3)
    assert status == 0
    assert f"wrote {out}: {4 if layout == 'rap' else 8} tracklets" in text
    assert run("data", "check", "--dataset", layout, "--root", out, "--unofficial")[0] == 0


def test_synth_repeats(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("synth", "--layout", "prid2011", "--out", tmp_path / name, *FEW, *TINY, "--seed", 3)
    files = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.png")}
        for name in ("a", "b")
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 16


@pytest.mark.parametrize("form", ["decoded", "jpeg"])
def test_pack_a_protocol(run: Run, mars: Path, tmp_path: Path, form: str) -> None:
    status, out, _ = run(
        "pack", "--dataset", "mars", "--root", mars, "--unofficial", "--protocol",
        "mars/official", "--out", tmp_path / "store", "--form", form, "--size", 16, 8,
        "--workers", 1,
    )  # fmt: skip
    assert status == 0
    assert "mars(unofficial)/official" in out
    split = open_store(tmp_path / "store")
    assert (len(split.gallery), len(split.query)) == (11, 4)
    assert split.train[0].frames.read([0]).shape == (1, 3, 16, 8)


def test_pack_drawn_people_with_their_truth(run: Run, tmp_path: Path) -> None:
    status, _, _ = run("pack", "--dataset", "synthped", "--out", tmp_path / "s", *FEW, *TINY)
    assert status == 0
    split = open_store(tmp_path / "s")
    assert split.train[0].truth is not None
    assert split.train[0].attributes is not None


def test_attributes_are_used_by_training(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "labels.csv"
    status, text, error = run(
        "attributes", "--source", "synthped", "--target", "synthped", "--out", out, *FEW, *DRAWN
    )
    assert status == 0, error
    assert f"wrote {out}: 16 tracklets of synthped-video-mixed-0" in text
    drawn = load_dataset("synthped", identities=2, test_identities=2, frames=2, size=(32, 16))
    labelled = label_split(drawn, out)
    assert all(0 <= t.attributes.min() <= t.attributes.max() <= 1 for t in labelled.train)
    assert len(with_attributes(drawn.train, out, "binary", more=True)) == 8


def test_attributes_from_rap_to_a_set_on_disk(run: Run, mars: Path, tmp_path: Path) -> None:
    run("synth", "--layout", "rap", "--out", tmp_path / "rap", "--identities", 4, *TINY)
    status, text, error = run(
        "attributes", "--source", tmp_path / "rap", "--target", mars, "--dataset", "mars",
        "--protocol", "mars/official", "--unofficial", "--out", tmp_path / "a.csv", *QUICK,
    )  # fmt: skip
    assert status == 0, error
    assert "wrote" in text
    split = load_dataset("mars", mars, "mars/official", official=False)
    assert label_split(split, tmp_path / "a.csv").name == split.name


def test_an_unofficial_rap_labels_what_has_no_official_size(
    run: Run, mars: Path, tmp_path: Path
) -> None:
    rap, store = tmp_path / "rap", tmp_path / "s"
    run("synth", "--layout", "rap", "--out", rap, "--identities", 4, *TINY)
    run("pack", "--dataset", "mars", "--root", mars, "--unofficial", "--out", store)
    for target in ((store,), ("synthped", *FEW)):
        given = ("--target", *target, "--unofficial", "--out", tmp_path / "a.csv", *QUICK)
        status, _, error = run("attributes", "--source", rap, *given)
        assert status == 0, error
        status, _, error = run("attributes", "--source", "synthped", *given)
        assert (status, "no option 'official' (--unofficial)" in error) == (2, True)


def test_truth_prints_the_comparison(run: Run, tmp_path: Path) -> None:
    status, text, error = run(
        "attributes", "--source", "synthped", "--target", "synthped", "--out", tmp_path / "a.csv",
        "--truth", "--seeds", 2, *FEW, *DRAWN,
    )  # fmt: skip
    assert status == 0, error
    for line in ("balanced accuracy", "mAP", "source only", "target in batch norm", "MMD",
                 "±", "by seed 0, 1", "attributes are constant"):  # fmt: skip
        assert line in text


def test_a_store_is_a_target_without_labels_of_its_own(
    run: Run, mars: Path, tmp_path: Path
) -> None:
    run("pack", "--dataset", "mars", "--root", mars, "--unofficial", "--out", tmp_path / "s")
    arguments = ("attributes", "--source", "synthped", "--target", tmp_path / "s", *DRAWN)
    assert run(*arguments, "--out", tmp_path / "a.csv")[0] == 0
    status, _, error = run(*arguments, "--truth", "--out", tmp_path / "b.csv")
    assert status == 2
    assert "no labels to compare with" in error
    assert not (tmp_path / "b.csv").exists()


def test_the_table_of_protocols(
    run: Run, mars: Path, tmp_path: Path, tiny: Callable[..., W3AN]
) -> None:
    tiny().save_pretrained(tmp_path / "model.pt")
    status, out, error = run(
        "protocols", "--dataset", "mars", "--root", mars, "--unofficial", "--threads", 1,
        "--out", tmp_path / "table.csv", "--model", tmp_path / "model.pt",
    )  # fmt: skip
    assert status == 0, error
    assert "mars(unofficial)/gallery-without-queries  step " in out
    assert "mars(unofficial)/random-half" in out
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert [r["junk"] for r in rows] == ["0", "0", "0", "0", "1", "1", "0", "0"]


def test_help_has_an_example(run: Run) -> None:
    for name in DATA_COMMANDS:
        status, out, _ = run(name, "--help")
        assert status == 0
        assert f"example: python -m w3an_lite {name}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("synth --layout mars --out OUT --identities 0", "identities is 0"),
        ("synth --layout mars --out OUT --cameras 12", "cameras is 12"),
        ("synth --layout mars --out OUT --size 31 16", "size is (31, 16)"),
        ("synth --layout rap --out OUT --frames 3", "frames has no meaning for RAP"),
        ("synth --layout ilids-vid --out OUT --junk 3", "junk is 3; ilids-vid holds 0"),
        ("synth --layout ilids-vid --out OUT --identities 3 --test-identities 5", "halves its"),
        ("synth --layout mars --full --out OUT --identities 3", "--full has its own --identities"),
        ("synth --layout mars --out OUT --occlusion all", "invalid choice"),
        ("synth --layout market --out OUT", "invalid choice"),
        ("synth --layout mars --out FILE/x", "FILE/x"),
        ("synth --layout rap --out FILE --identities 2", "is there already"),
        ("data", "arguments are required"),
        ("data check --dataset mars", "--root"),
        ("pack --dataset mars --out OUT", "mars needs a root"),
        ("pack --dataset mars --root NONE --out OUT", "NONE is missing; get it from"),
        ("pack --dataset store --root NONE --out OUT", "NONE is not a folder"),
        ("pack --dataset mars --root NONE --identities 3 --out OUT", "no option 'identities'"),
        ("pack --dataset synthped --root NONE --out OUT", "neither a root nor a protocol"),
        ("pack --dataset synthped --frames 0 --out OUT", "frames is 0"),
        ("pack --dataset synthped FEW --size 0 16 --out OUT", "size is (0, 16)"),
        ("pack --dataset synthped FEW --workers 0 --out OUT", "workers=0"),
        ("attributes --source NONE --target synthped FEW --out OUT", "NONE is missing"),
        ("attributes --source synthped --target NONE --out OUT", "NONE is not a folder"),
        (
            "attributes --source synthped --target DIR --out OUT",
            "DIR is no store (it has no store.json); name the set that it is with --dataset (mars,",
        ),
        ("attributes --source synthped --target NONE --dataset mars --out OUT", "NONE is missing"),
        ("attributes --source synthped --target NONE --dataset synthped --out OUT", "no folder"),
        ("attributes --source synthped --target synthped --dataset mars --out OUT", "leave one"),
        ("attributes --source synthped --target synthped FEW --steps 0 --out OUT", "--steps: 0"),
        ("attributes --source synthped --target synthped FEW --stills 0 --out OUT", "--stills: 0"),
        ("attributes --source synthped --target synthped --threads 0 --out OUT", "--threads: 0"),
        ("attributes --source synthped --target synthped --seed -1 --out OUT", "--seed: -1"),
        ("attributes --source synthped --target synthped FEW --mmd-weight -1 --out OUT", "is -1"),
        ("attributes --source synthped --target synthped FEW --seeds 2 --out OUT", "with --truth"),
        ("attributes --source synthped --target synthped FEW --truth --seeds 0 --out OUT", "is 0"),
        (
            "attributes --source synthped --target synthped FEW --out FILE/x.csv",
            "cannot be written",
        ),
        ("attributes --source synthped --target synthped FEW --out DIR", "cannot be written"),
        ("protocols --dataset synthped FEW --threads 0", "--threads: 0"),
        ("protocols --dataset ilids-vid --root NONE", "NONE is missing"),
        ("protocols --dataset synthped FEW --model NONE", "NONE does not exist"),
        ("protocols --dataset synthped FEW --out FILE/x.csv", "cannot be written"),
        ("protocols --dataset synthped --test-identities 0 --identities 2", "has no queries"),
        (
            "protocols --dataset synthped FEW --labels FILE --out FILE",
            "FILE is read by this command",
        ),
        (
            "protocols --dataset synthped FEW --model FILE --out FILE",
            "FILE is read by this command",
        ),
        (
            "protocols --dataset synthped FEW --splits FILE --out DIR/../file",
            "is read by this command",
        ),
        (
            "attributes --source synthped --target NONE --labels FILE --out FILE",
            "FILE is read by this command; write to another file",
        ),
        (
            "attributes --source NONE --target synthped --seed 9223372036854775808 --out OUT",
            "--seed: 9223372036854775808 is too large; 9223372036854775807 is the most",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    run: Run, tmp_path: Path, arguments: str, message: str
) -> None:
    (tmp_path / "file").write_text("keep")
    (tmp_path / "dir").mkdir()
    before = sorted(tmp_path.rglob("*"))
    paths = {"OUT": "out", "NONE": "none", "FILE": "file", "DIR": "dir"}
    for word, name in paths.items():
        arguments = arguments.replace(word, str(tmp_path / name))
        message = message.replace(word, str(tmp_path / name))
    status, _, error = run(*arguments.replace("FEW", " ".join(FEW)).split())
    assert status == 2
    assert message in error
    assert error.count("error: ") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "keep"
