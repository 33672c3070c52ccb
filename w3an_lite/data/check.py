"""Is the data set whole? A table of what was expected, what was found, and a verdict.

Nothing here raises for damage: a broken file becomes a row. It looks at every file name, not at the
pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from w3an_lite.data import ilids_vid, mars, mars_index, prid2011, rap
from w3an_lite.data.layout import ListedFrames, gap
from w3an_lite.data.output import all_tracklets
from w3an_lite.data.tracklet import DataError, Tracklet


class Row(NamedTuple):
    """One line of the table; the verdict is "ok", "wrong", "missing" or "not checked"."""

    what: str
    expected: str
    found: str
    verdict: str


@dataclass(frozen=True)
class _Set:
    source: str
    layout: str
    paths: tuple[str, ...]
    official: Mapping[str, int]
    counts: Callable[[Path], Mapping[str, int]]
    open: Callable[[Path, bool], Sequence[Tracklet]]


def _open_mars(root: Path, official: bool) -> Sequence[Tracklet]:
    mars.read_mars(root, official=official, files="listed")
    return ()  # its lists say which frames there are


def _open_ilids_vid(root: Path, official: bool) -> Sequence[Tracklet]:
    return all_tracklets(ilids_vid.read_ilids_vid(root, official=official))


def _open_rap(root: Path, official: bool) -> Sequence[Tracklet]:
    rap.check_partitions(root)
    rap.read_rap(root, official=official)
    return ()  # stills


_SETS = {
    "mars": _Set(
        mars_index.SOURCE,
        mars_index.LAYOUT,
        ("bbox_train", "bbox_test", "info/train_name.txt", "info/tracks_train_info.mat",
         "info/test_name.txt", "info/tracks_test_info.mat", "info/query_IDX.mat"),
        mars_index.OFFICIAL,
        lambda root: mars_index.read_index(root).counts(),
        _open_mars,
    ),
    "ilids-vid": _Set(
        ilids_vid.SOURCE,
        ilids_vid.LAYOUT,
        (*((ilids_vid.SEQUENCES / c).as_posix() for c in ("cam1", "cam2")),
         ilids_vid.SPLITS.as_posix()),
        ilids_vid.OFFICIAL,
        ilids_vid.counts,
        _open_ilids_vid,
    ),
    "prid2011": _Set(
        prid2011.SOURCE,
        f"{prid2011.LAYOUT}; the ten standard splits from {prid2011.SPLITS_SOURCE}",
        ("multi_shot/cam_a", "multi_shot/cam_b", "splits_prid2011.json"),
        prid2011.OFFICIAL,
        prid2011.counts,
        prid2011.open_all,
    ),
    "rap": _Set(
        rap.SOURCE,
        rap.LAYOUT,
        ("RAP_dataset", rap.ANNOTATION.as_posix()),
        rap.OFFICIAL,
        rap.counts,
        _open_rap,
    ),
}  # fmt: skip
DATASETS = tuple(_SETS)


def check_data(dataset: str, root: str | Path, *, official: bool = True) -> list[Row]:
    """Check `dataset`, one of `DATASETS`, under `root`: its files, its counts, then a full opening,
    with every split and partition it brings.

    official: expect the official counts; False reports the counts of a set of another size

    Raises `DataError` only for an unknown `dataset`.
    """
    if dataset not in _SETS:
        raise DataError(f"data set {dataset!r} is unknown; one of {', '.join(DATASETS)}")
    spec, root = _SETS[dataset], Path(root)
    rows = [
        Row(path, "present", *(("present", "ok") if (root / path).exists() else ("-", "missing")))
        for path in spec.paths
    ]
    if any(row.verdict == "missing" for row in rows):
        rows.append(Row("remedy", f"get it from {spec.source}", f"as {spec.layout}", "not checked"))
        return rows
    try:
        found = spec.counts(root)
    except (DataError, OSError) as error:
        return [*rows, Row("index", "consistent", str(error), "wrong")]
    for what, number in spec.official.items():
        expected = f"{number:,}" if official else "any"
        verdict = "ok" if found[what] == number or not official else "wrong"
        rows.append(Row(what, expected, f"{found[what]:,}", verdict))
    try:
        tracklets = spec.open(root, official and all(row.verdict == "ok" for row in rows))
        rows.append(Row("every listed file", "consistent", "consistent", "ok"))
    except (DataError, OSError) as error:
        return [*rows, Row("every listed file", "consistent", str(error), "wrong")]
    sequences = [t.frames for t in tracklets if isinstance(t.frames, ListedFrames)]
    gaps = [place for frames in sequences if (place := gap(frames))]
    if gaps:
        more = f" (and {len(gaps) - 1} more folders)" if len(gaps) > 1 else ""
        rows.append(Row("frames in a row", "consistent", f"{gaps[0]}{more}", "wrong"))
    return rows


def all_ok(rows: Sequence[Row]) -> bool:
    """Whether nothing is wrong or missing."""
    return all(row.verdict == "ok" for row in rows)


def format_table(rows: Sequence[Row]) -> str:
    """`rows` as text in columns; what is too long for a column follows below the table."""
    head = Row("what", "expected", "found", "verdict")
    limit = 40
    notes: list[str] = []

    def short(row: Row) -> Row:
        if max(len(row.expected), len(row.found)) <= limit:
            return row
        notes.append(f"{row.what}: {row.found}" if row.expected == "consistent"
                     else f"{row.what}: {row.expected}; {row.found}")  # fmt: skip
        return row._replace(
            expected=row.expected if len(row.expected) <= limit else "see below",
            found=row.found if len(row.found) <= limit else "see below",
        )

    table = [head, *map(short, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(4)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
             for row in table]  # fmt: skip
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join([*lines, *([""] if notes else []), *notes])
