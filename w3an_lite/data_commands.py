"""The commands about data: `data check`, `synth`, `pack`, `attributes` and `protocols`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .commands import Command, Parser, say
from .data.attribute_file import attribute_rows
from .data.check import DATASETS as CHECKED
from .data.check import all_ok, check_data, format_table
from .data.datasets import PROTOCOLS, load_dataset
from .data.layout_splits import full_size, layout_split
from .data.output import all_tracklets
from .data.pack import pack
from .data.rap import read_rap
from .data.splits import check_answerable
from .data.store import FORMS, STATE
from .data.tracklet import DataError, Split, check_names
from .data.writers import LAYOUTS, write_layout
from .data_arguments import (
    THREADS,
    at_least,
    check_out,
    drawn_arguments,
    given_options,
    set_arguments,
    size_argument,
)
from .files import write_rows
from .inference import embed_tracklets
from .model import SHIPPED, W3AN
from .protocols import all_of, format_protocols, protocol_splits, protocol_table
from .transfer import TransferRecipe, predict, transfer
from .transfer_study import compare, drawn_source, format_study, known_labels, prepared_trunk


def _data_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="is it whole? expected, found, verdict")
    check.add_argument("--dataset", choices=CHECKED, required=True)
    check.add_argument("--root", type=Path, required=True, help="its folder")
    check.add_argument("--unofficial", action="store_true", help="accept a set of another size")


def _data(action: str, dataset: str, root: Path, unofficial: bool) -> None:
    rows = check_data(dataset, root, official=not unofficial)
    say(format_table(rows))
    if not all_ok(rows):
        wrong = sum(row.verdict in ("wrong", "missing") for row in rows)
        raise DataError(f"{root} is not a whole {dataset}: {wrong} rows are wrong or missing")


def _synth_arguments(parser: Parser) -> None:
    parser.add_argument("--layout", choices=LAYOUTS, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the new folder")
    parser.add_argument("--full", action="store_true", help="as many as the real set has")
    parser.add_argument("--distractors", type=int, metavar="N", help="MARS: tracklets of others")
    parser.add_argument("--junk", type=int, metavar="N", help="MARS: tracklets of nobody")
    size_argument(parser, "of the frames (64 32)")
    drawn_arguments(parser)


def _synth(
    layout: str,
    out: Path,
    full: bool,
    size: list[int] | None,
    seed: int | None,
    occlusion: str | None,
    **counts: int | None,
) -> None:
    shape = (size[0], size[1]) if size else (64, 32)
    given = [name for name, value in counts.items() if value is not None]
    if full and given:
        raise DataError(f"--full has its own --{given[0].replace('_', '-')}; leave one of them out")
    if full:
        split = full_size(layout, shape, seed or 0, occlusion)
    else:
        split = layout_split(layout, **counts, size=shape, seed=seed or 0, occlusion=occlusion)
    write_layout(split, layout, out, seed=seed or 0)
    tracklets = all_tracklets(split)
    frames = sum(map(len, tracklets))
    say(f"wrote {out}: {len(tracklets):,} tracklets of {frames:,} frames in the layout of {layout}")


def _pack_arguments(parser: Parser) -> None:
    parser.add_argument("--root", type=Path, help="the data set's folder")
    parser.add_argument("--protocol", help="a protocol of the data set (its first)")
    parser.add_argument("--out", type=Path, required=True, help="the new folder")
    size_argument(parser, "of the stored frames (as they are)")
    parser.add_argument("--form", choices=FORMS, default="decoded")
    parser.add_argument("--workers", type=int, help="threads (one a core)")
    set_arguments(parser)


def _pack(
    dataset: str,
    root: Path | None,
    protocol: str | None,
    out: Path,
    size: list[int] | None,
    form: str,
    workers: int | None,
    **options: Any,
) -> None:
    stored = (size[0], size[1]) if size else None
    drawn = {"size": stored} if dataset == "synthped" and stored else {}
    split = load_dataset(dataset, root, protocol, **given_options(**options), **drawn)
    pack(split, out, stored, form, workers=workers)
    frames = sum(map(len, all_tracklets(split)))
    say(f"wrote {out}: {split.name}, {frames:,} frames, {form}")


def _attributes_arguments(parser: Parser) -> None:
    parser.add_argument("--source", required=True, help="'synthped', or the folder of RAP")
    parser.add_argument("--target", required=True, help="'synthped', a data set's folder, a store")
    parser.add_argument("--out", type=Path, required=True, help="the CSV to write")
    parser.add_argument("--protocol", help="a protocol of the target (its first)")
    parser.add_argument(
        "--truth",
        action="store_true",
        help="train without MMD too, and score it all by the target's labels",
    )
    parser.add_argument("--seeds", type=int, help="trainings of each kind with --truth (3)")
    parser.add_argument(
        "--stills", type=at_least(1), help="drawn stills, with --source synthped (3000)"
    )
    parser.add_argument("--steps", type=at_least(1), default=TransferRecipe.steps)
    parser.add_argument("--mmd-weight", type=float, default=TransferRecipe.mmd_weight)
    size_argument(parser, "that the network reads (64 32)")
    parser.add_argument("--threads", type=at_least(1, THREADS), default=2, help="CPU threads (2)")
    set_arguments(parser, required=False)


def _attributes(
    source: str,
    target: str,
    out: Path,
    protocol: str | None,
    truth: bool,
    seeds: int | None,
    stills: int | None,
    steps: int,
    mmd_weight: float,
    size: list[int] | None,
    threads: int,
    dataset: str | None,
    **options: Any,
) -> None:
    torch.set_num_threads(threads)
    if seeds is not None and (seeds < 1 or not truth):
        raise ValueError(f"seeds is {seeds}; at least 1, and with --truth")
    if stills is not None and source != "synthped":
        raise ValueError(f"--stills {stills} is of --source synthped; {source} has its own")
    check_out(out, options["labels"], options["splits"])
    seed = options["seed"] or 0
    read: tuple[int, int] = (size[0], size[1]) if size else TransferRecipe.size
    recipe = TransferRecipe(mmd_weight=mmd_weight, steps=steps, size=read, seed=seed)
    split = _target(source, target, dataset, protocol, read, options)
    tracklets = all_tracklets(split)
    check_names(tracklets, "attributes are kept by name")
    if truth:
        known_labels(split.train)
    labelled = (
        drawn_source(stills or 3000, read, seed)
        if source == "synthped"
        else read_rap(source, official=not options["unofficial"])
    )
    if truth:
        rows, network = compare(labelled, split.train, recipe)
        for more in range(1, 3 if seeds is None else seeds):
            rows += compare(labelled, split.train, replace(recipe, seed=seed + more))[0]
        say(format_study(rows))
    else:
        network = transfer(labelled, split.train, recipe, prepared_trunk())
    write_rows(attribute_rows(tracklets, predict(network, tracklets, read)), out)
    say(f"wrote {out}: {len(tracklets):,} tracklets of {split.name}")


def _target(
    source: str,
    target: str,
    dataset: str | None,
    protocol: str | None,
    size: tuple[int, int],
    options: dict[str, Any],
) -> Split:
    given = given_options(**options)
    if source != "synthped" and (target == "synthped" or dataset in (None, "store")):
        given.pop("official", None)  # of the source alone: these have no official size
    if target == "synthped":
        if dataset not in (None, "synthped"):
            raise DataError(f"--target synthped and --dataset {dataset}; leave one of them out")
        return load_dataset("synthped", None, protocol, size=size, **given)
    if dataset == "synthped":
        raise DataError(f"--dataset synthped has no folder; give it as --target, not {target}")
    if dataset is None and Path(target).is_dir() and not (Path(target) / STATE).is_file():
        raise DataError(
            f"{target} is no store (it has no {STATE}); name the set that it is with --dataset "
            f"({', '.join(PROTOCOLS)})"
        )
    given.pop("seed", None)  # of training alone: the target is not drawn
    return load_dataset(dataset or "store", target, protocol, **given)


def _protocols_arguments(parser: Parser) -> None:
    parser.add_argument("--root", type=Path, help="the data set's folder")
    parser.add_argument("--model", type=Path, help="a model.pt (the shipped model)")
    parser.add_argument("--clips", choices=("even", "dense", "consecutive"), default="even",
                        help="one clip a tracklet; or all its frames, in clips spread over it or "
                        "in clips one after another (even)")  # fmt: skip
    parser.add_argument("--metric", choices=("euclidean", "cosine"), default="euclidean")
    parser.add_argument("--out", type=Path, help="a CSV to write the table to")
    parser.add_argument("--threads", type=at_least(1, THREADS), default=2, help="CPU threads (2)")
    set_arguments(parser)


def _protocols(
    dataset: str,
    root: Path | None,
    model: Path | None,
    clips: str,
    metric: Any,
    out: Path | None,
    threads: int,
    **options: Any,
) -> None:
    torch.set_num_threads(threads)
    if out is not None:
        check_out(out, model, options["labels"], options["splits"])
    protocols = protocol_splits(dataset, root, **given_options(**options))
    for splits in protocols.values():
        for split in splits:
            check_answerable(split)
    network = W3AN.from_pretrained(model or SHIPPED)
    tracklets = all_of(protocols)
    features = embed_tracklets(network, tracklets, clips, progress=True)
    rows = protocol_table(features, tracklets, protocols, metric)
    say(format_protocols(rows))
    if out is not None:
        write_rows([row._asdict() for row in rows], out)
        say(f"wrote {out}")


DATA_COMMANDS: dict[str, Command] = {
    "data": Command(
        "check a data set: what was expected, what was found",
        "data check --dataset mars --root /data/mars",
        _data_arguments,
        _data,
    ),
    "synth": Command(
        "write drawn people in the layout of a real data set",
        "synth --layout mars --out data/drawn-mars --identities 16",
        _synth_arguments,
        _synth,
    ),
    "pack": Command(
        "write a data set's frames into one store that is fast to read",
        "pack --dataset mars --root /data/mars --out data/mars-128x64 --size 128 64",
        _pack_arguments,
        _pack,
    ),
    "attributes": Command(
        "carry attribute labels from labelled stills to an unlabelled video set",
        "attributes --source /data/rap --target /data/mars --dataset mars --out mars.csv",
        _attributes_arguments,
        _attributes,
    ),
    "protocols": Command(
        "one table of what the choice of protocol does to the same features",
        "protocols --dataset mars --root /data/mars --model runs/repaired/model.pt",
        _protocols_arguments,
        _protocols,
    ),
}
