"""Commands over whole experiments: the demonstration, the paper's tables and figures, a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from .commands import Command, say
from .data.datasets import DATASETS
from .data_arguments import THREADS, at_least, check_out, given_options
from .demo import demo, table
from .presets import PRESETS, SMALL, STUDY, Changes
from .report import files_of, format_study, write_report
from .studies import run_study
from .study_rows import STUDIES
from .trials import Setting, jobs_there_are

Parser = argparse.ArgumentParser
PROFILES: dict[str, Changes] = {
    "small": STUDY,
    "medium": {"model": SMALL["model"], "recipe": {**SMALL["recipe"], "epochs": 30}},
    "full": {},
}
"""What a profile brings each preset to."""


def _shared_arguments(parser: Parser) -> None:
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (1)")
    parser.add_argument("--identities", type=at_least(1), help="drawn people to train on (256)")
    parser.add_argument("--test-identities", type=at_least(1), help="and to search for (100)")
    parser.add_argument(
        "--epochs",
        type=at_least(1),
        help="epochs of each model (what the preset or the profile says)",
    )


def _demo_arguments(parser: Parser) -> None:
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder to write to")
    _shared_arguments(parser)
    parser.add_argument("--jobs", type=at_least(1), default=1, help="models trained at a time (1)")
    parser.add_argument(
        "--threads", type=at_least(1, THREADS), default=2, help="CPU threads of each (2)"
    )


def _demo(
    out: Path,
    seeds: int,
    identities: int | None,
    test_identities: int | None,
    epochs: int | None,
    jobs: int,
    threads: int,
) -> None:
    check_out(out / "metrics.json")
    setting = Setting(identities or 256, test_identities or 100, epochs, threads)
    say(table(demo(out, seeds, setting, jobs)))
    for name in ("metrics.json", "log.csv", "attention.png"):
        say(f"wrote {out / name}")


def _experiment_arguments(parser: Parser) -> None:
    parser.add_argument("study", choices=STUDIES, help=_listed())
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="small",
        help="small: 64×32 pixels, the narrow trunk of stride 8, 8 epochs; medium: of stride 4, "
        "30 epochs, as the shipped model was trained; full: the paper's size and recipe",
    )
    parser.add_argument("--out", type=Path, help="folder to write to (runs/PROFILE)")
    parser.add_argument(
        "--kept", type=Path, help="a folder of earlier results: its trials are not run again"
    )
    parser.add_argument(
        "--preset", action="append", choices=sorted(PRESETS), help="run for this preset; repeatable"
    )
    parser.add_argument("--only", help="only rows whose name holds this expression, and the whole")
    _shared_arguments(parser)
    parser.add_argument(
        "--jobs", type=at_least(1), help="models trained at a time (one a GPU, or a core)"
    )
    parser.add_argument(
        "--threads", type=at_least(1, THREADS), default=1, help="CPU threads of each model (1)"
    )
    real = parser.add_argument_group("a real set in place of drawn people")
    real.add_argument("--dataset", choices=DATASETS, default="synthped")
    real.add_argument("--root", type=Path, help="its folder")
    real.add_argument("--protocol", help='as in `protocols`; "{seed}" in it is the seed')
    real.add_argument("--labels", type=Path, help="CSV of MARS's tracklet attributes")
    real.add_argument("--unofficial", action="store_true", help="accept a set of another size")
    real.add_argument(
        "--weights", help="of the full profile's trunk: imagenet, none, or a path (imagenet)"
    )


def _listed() -> str:
    return "; ".join(f"{name}: {study.about}" for name, study in STUDIES.items())


def _experiment(
    study: str,
    profile: str,
    out: Path | None,
    kept: Path | None,
    preset: list[str] | None,
    only: str | None,
    seeds: int,
    identities: int | None,
    test_identities: int | None,
    epochs: int | None,
    jobs: int | None,
    threads: int,
    dataset: str,
    root: Path | None,
    protocol: str | None,
    labels: Path | None,
    unofficial: bool,
    weights: str | None,
) -> None:
    if profile == "full" and dataset == "synthped":
        raise ValueError("the full profile is for a real set; name one with --dataset and --root")
    of_a_set = {
        f"--root {root}": root,
        f"--protocol {protocol}": protocol,
        f"--labels {labels}": labels,
        "--unofficial": unofficial,
    }
    odd = [said for said, given in of_a_set.items() if given]
    if dataset == "synthped" and odd:
        raise ValueError(f"{odd[0]} is of a real set; name it with --dataset, or leave this out")
    drawn = {"--identities": identities, "--test-identities": test_identities}
    idle = [f"{said} {given}" for said, given in drawn.items() if given]
    if dataset != "synthped" and idle:
        raise ValueError(f"{idle[0]} is of drawn people; {dataset} has its own: leave it out")
    if weights and profile != "full":
        raise ValueError(f"--weights {weights} is of --profile full alone; leave it out")
    trunk = None if weights == "none" else weights or "imagenet"
    setting = Setting(
        identities or 256,
        test_identities or 100,
        epochs,
        threads,
        dataset,
        str(root) if root else None,
        protocol,
        given_options(labels, unofficial),
        {"model": {"weights": trunk}} if profile == "full" else PROFILES[profile],
    )
    out = out or Path("runs") / profile
    check_out(out / f"{study}.json")
    jobs = jobs_there_are(threads) if jobs is None else jobs
    found = run_study(study, out, preset or (), seeds, setting, jobs, only, kept=kept)
    say(format_study(found))
    for suffix in ("csv", "json"):
        say(f"wrote {out / study}.{suffix}")


def _report_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--results", type=Path, nargs="+", required=True, help="folders or files of `experiment`"
    )
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file to write")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures (beside it)")


def _report(results: list[Path], out: Path, pictures: Path | None) -> None:
    check_out(out, *files_of(results))
    for path in write_report(results, out, pictures):
        say(f"wrote {path}")


EXPERIMENT_COMMANDS: dict[str, Command] = {
    "demo": Command(
        "train the three models on drawn people, compare them and draw what they look at",
        "demo --out runs/demo",
        _demo_arguments,
        _demo,
    ),
    "experiment": Command(
        "run a table or a figure of the paper: every row, every seed, resumable",
        "experiment table5 --profile small --preset repaired --seeds 5",
        _experiment_arguments,
        _experiment,
    ),
    "report": Command(
        "turn results of experiments into tables, the audit of claims, and pictures",
        "report --results runs/small --out runs/small/RESULTS.md",
        _report_arguments,
        _report,
    ),
}
