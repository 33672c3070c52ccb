"""PRID2011 (Hirzer et al., 2011): the reader of its multi-shot layout, and its protocols by name.

Camera a saw 385 people, camera b 749; the first 200 of both are the same people, and beyond 200 a
number means another person under each camera. The literature keeps the 178 of the 200 who have at
least 27 frames under both cameras (Wang et al., ECCV 2014), halved by ten standard splits; W3AN
halves all 200 at random. Camera a is 1 and asks, camera b is 2 and is the gallery.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from w3an_lite.data.layout import hold_to, need, numbered, sequence
from w3an_lite.data.splits import halve, protocol_number, random_half
from w3an_lite.data.tracklet import DataError, Split, Tracklet

SOURCE = "https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/PRID11/"
LAYOUT = "ROOT/multi_shot/cam_a/person_0001/*.png and cam_b beside cam_a"
SPLITS_SOURCE = (
    "https://kaiyangzhou.github.io/deep-person-reid/datasets.html#prid2011-prid2011 "
    "(splits_prid2011.json), to be put in ROOT or given as splits="
)
PROTOCOLS = (
    *(f"prid2011/178/split-{i}" for i in range(10)),
    *(f"prid2011/178/random-half-{i}" for i in range(10)),
    *(f"prid2011/200/random-half-{i}" for i in range(10)),
)
SPLITS = "splits_prid2011.json"
SHARED = 200
"""People numbered up to here are the same under both cameras."""
MIN_FRAMES = 27
OFFICIAL = {
    "people under camera a": 385,
    "people under camera b": 749,
    "people under both": 200,
    f"people with {MIN_FRAMES} frames under both": 178,
}


def read_prid2011(
    root: str | Path,
    protocol: str = "prid2011/178/split-0",
    *,
    splits: str | Path | None = None,
    official: bool = True,
    min_frames: int | None = None,
) -> Split:
    """PRID2011 under one of `PROTOCOLS`; frames are read only when a tracklet is.

    splits: the JSON list of ten {"train": [...], "test": [...]} of person names; by default
        `splits_prid2011.json` in `root`; only the protocols with "split" need it
    official: hold the counts to `OFFICIAL`; False reads a set of any size in this layout, and the
        split's name then ends in "(unofficial)"
    min_frames: frames that the people of "178" have under both cameras: 27, or 1 if not official

    `DataError` names what is missing, damaged or miscounted, and the remedy.
    """
    root = Path(root)
    number = protocol_number(protocol, "prid2011/178/split-")
    few = protocol_number(protocol, "prid2011/178/random-half-")
    half = few if few is not None else protocol_number(protocol, "prid2011/200/random-half-")
    if number is None and half is None:
        raise DataError(f"protocol {protocol!r} is unknown; one of {', '.join(PROTOCOLS)}")
    cameras = people(root)
    tracklets = _tracklets(cameras)
    least = min_frames if min_frames is not None else MIN_FRAMES if official else 1
    if official:
        hold_to(_counts(cameras, tracklets), OFFICIAL, root, SOURCE)
    if number is not None or few is not None:
        tracklets = _long_enough(tracklets, least)
    name = protocol.split("/")[1] if official else f"{protocol.split('/')[1]}(unofficial)"
    if half is not None:
        return random_half(tracklets, half, name=f"prid2011/{name}")
    path = Path(splits) if splits is not None else root / SPLITS
    kept = {t.identity for t in tracklets}
    train, test = _halves(path, number or 0, kept, least, official)
    tracklets = [t for t in tracklets if t.identity in train | test]
    return halve(f"prid2011/{name}/split-{number}", tracklets, test)


def open_all(root: Path, official: bool) -> list[Tracklet]:
    """The tracklets of the shared people, after each of the splits has been held to them."""
    tracklets, least = _tracklets(people(root)), MIN_FRAMES if official else 1
    kept = {t.identity for t in _long_enough(tracklets, least)}
    for number in range(max(1, len(_content(root / SPLITS)))):
        _halves(root / SPLITS, number, kept, least, official)
    return tracklets


def _halves(
    path: Path, number: int, kept: set[int], least: int, official: bool
) -> tuple[set[int], set[int]]:
    """`read_split`, if it is of the people `kept`, of all of them when official."""
    train, test = read_split(path, number)
    lost = sorted((train | test) ^ kept if official else (train | test) - kept)
    if lost:
        raise DataError(
            f"{path}: person_{lost[0]:04d} is not among both the people of split {number} and the "
            f"{len(kept)} with at least {least} frames under both cameras ({len(lost)} such)"
        )
    return train, test


def people(root: Path) -> dict[int, dict[int, Path]]:
    """Folders by person number, for camera 1 (a) and camera 2 (b)."""
    need(root, SOURCE, LAYOUT)
    folders = (root / "multi_shot" / "cam_a", root / "multi_shot" / "cam_b")
    cameras = {
        c: numbered(need(folder, SOURCE, LAYOUT), "person_", 4)
        for c, folder in enumerate(folders, start=1)
    }
    shared = [{p for p in seen if p <= SHARED} for seen in cameras.values()]
    odd = sorted(shared[0] ^ shared[1])
    if odd or not shared[0]:
        lone = f"person_{odd[0]:04d} has one" if odd else "nobody has a"
        raise DataError(
            f"{folders[0].parent}: {lone} folder under one camera only; "
            f"people up to number {SHARED} need both"
        )
    return cameras


def read_split(path: Path, number: int) -> tuple[set[int], set[int]]:
    """The people who train and who are searched in split `number` of the JSON file `path`."""
    content = _content(path)
    if number >= len(content):
        raise DataError(
            f"{path} holds a list of {len(content)} splits and no number {number}, from 0"
        )
    train, test = (_numbers(path, number, content[number], half) for half in ("train", "test"))
    both = sorted(train & test)
    if both:
        raise DataError(
            f"{path}: split {number}: person_{both[0]:04d} is in both halves ({len(both)} such); "
            "train and test must not share a person"
        )
    return train, test


def split_count(path: Path) -> int:
    """How many splits the JSON file `path` holds."""
    return len(_content(path))


def _content(path: Path) -> list[Any]:
    """The splits in the JSON file `path`; none if it holds no list."""
    need(path, SPLITS_SOURCE, "one JSON list")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); fetch it again") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); fetch it again") from error
    return content if isinstance(content, list) else []


def _numbers(path: Path, number: int, split: Any, half: str) -> set[int]:
    names = split.get(half) if isinstance(split, dict) else None
    if not isinstance(names, list) or not names:
        raise DataError(f"{path}: split {number} names nobody for {half}; fetch it again")
    for name in names:
        tail = name[len("person_") :] if isinstance(name, str) else ""
        if not (len(tail) == 4 and tail.isdecimal() and name == f"person_{tail}"):
            raise DataError(
                f"{path}: split {number} names {name!r}, not a person such as person_0001"
            )
    numbers = {int(name[len("person_") :]) for name in names}
    if len(numbers) < len(names):
        raise DataError(f"{path}: split {number} names a person twice for {half}; fetch it again")
    return numbers


def counts(root: Path) -> dict[str, int]:
    """How much of what there is, under the keys of `OFFICIAL`."""
    cameras = people(root)
    return _counts(cameras, _tracklets(cameras))


def _counts(cameras: dict[int, dict[int, Path]], tracklets: list[Tracklet]) -> dict[str, int]:
    long = {t.identity for t in _long_enough(tracklets, MIN_FRAMES)}
    found = (len(cameras[1]), len(cameras[2]), len({t.identity for t in tracklets}), len(long))
    return dict(zip(OFFICIAL, found, strict=True))


def _tracklets(cameras: dict[int, dict[int, Path]]) -> list[Tracklet]:
    shared = [p for p in cameras[1] if p <= SHARED]
    return [
        Tracklet(sequence(cameras[c][p]), p, c, name=f"cam_{' ab'[c]}/person_{p:04d}")
        for p in shared
        for c in (1, 2)
    ]


def _long_enough(tracklets: list[Tracklet], least: int) -> list[Tracklet]:
    short = {t.identity for t in tracklets if len(t) < least}
    return [t for t in tracklets if t.identity not in short]
