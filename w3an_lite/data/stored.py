"""A data set's own protocol over the frames of a packed store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .output import all_tracklets
from .tracklet import DataError, Split, Tracklet, check_names


def with_frames_of(split: Split, stored: Split) -> Split:
    """`split` with the frames of the tracklets of the same names in `stored`.

    So one store serves every protocol and every split of its data set. `DataError` names a tracklet
    that the store lacks, or holds with another person, camera or number of frames, or whose name
    another has too.
    """
    for some in (split, stored):
        check_names(all_tracklets(some), "a store is searched by name")
    known = {t.name: t for t in all_tracklets(stored)}
    swapped: dict[int, Tracklet] = {}  # a query that is also searched stays one object

    def swap(tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        return [swapped.setdefault(id(t), _swap(t, known, stored.name)) for t in tracklets]

    return Split(split.name, swap(split.train), swap(split.query), swap(split.gallery))


def _swap(tracklet: Tracklet, known: dict[str, Tracklet], name: str) -> Tracklet:
    found = known.get(tracklet.name)
    if found is None:
        raise DataError(
            f"the store of {name} has no tracklet {tracklet.name!r}; pack the whole data set"
        )
    for what in ("identity", "camera"):
        if getattr(found, what) != getattr(tracklet, what):
            raise DataError(
                f"{tracklet.name!r} has {what} {getattr(tracklet, what)}, in the store of {name} "
                f"{getattr(found, what)}; pack this data set again"
            )
    if len(found) != len(tracklet):
        raise DataError(
            f"{tracklet.name!r} has {len(tracklet)} frames, in the store of {name} {len(found)}; "
            "pack this data set again"
        )
    return replace(tracklet, frames=found.frames)
