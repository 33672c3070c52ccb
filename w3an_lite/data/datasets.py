"""One door to every data set by its name: `load_dataset`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from w3an_lite.data import ilids_vid, mars, prid2011, rap
from w3an_lite.data.store import open_store
from w3an_lite.data.synthetic import synthped
from w3an_lite.data.tracklet import DataError, Split

RAP_PROTOCOLS = ("rap/all", *(f"rap/partition-{i}" for i in range(5)))
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "mars": mars.PROTOCOLS,
    "ilids-vid": ilids_vid.PROTOCOLS,
    "prid2011": prid2011.PROTOCOLS,
    "rap": RAP_PROTOCOLS,
}
"""The protocols of each data set that has several; the first is the one taken if none is named."""


def protocols_of(
    name: str,
    root: str | Path | None = None,
    official: bool = True,
    splits: str | Path | None = None,
) -> tuple[str, ...]:
    """The protocols of a data set: `PROTOCOLS`, less the numbered splits that an unofficial set in
    `root` does not hold. splits: PRID2011's file of splits, if it lies elsewhere."""
    known = PROTOCOLS.get(name, ())
    if official or root is None or name not in ("ilids-vid", "prid2011"):
        return known
    if name == "ilids-vid":
        count = ilids_vid.counts(Path(root))["splits"]
    else:
        count = prid2011.split_count(Path(splits or Path(root) / prid2011.SPLITS))
    most = max(1, count)  # of none the reader says so
    return tuple(p for p in known if "/split-" not in p or int(p.rpartition("-")[2]) < most)


def load_dataset(
    name: str, root: str | Path | None = None, protocol: str | None = None, **options: Any
) -> Split:
    """The split of data set `name`, one of `DATASETS`.

    root: its folder; "store" wants the folder that `pack` wrote, "synthped" wants none
    protocol: one of `PROTOCOLS[name]`; None takes the first
    options: those of `read_mars`, `read_ilids_vid`, `read_prid2011`, `synthped` or `open_store`;
        of RAP only `official`

    RAP's stills are in `train`, and of a partition the test images in `gallery`. `DataError` for an
    unknown name, protocol or option, and for all that the reader finds wrong.
    """
    if name not in _READERS:
        raise DataError(f"data set {name!r} is unknown; one of {', '.join(DATASETS)}")
    reader = _READERS[name]
    known = [p for p in inspect.signature(reader).parameters if p not in _POSITIONAL]
    odd = [option for option in options if option not in known]
    if odd:
        options_there_are = ", ".join(option + _SPELLED.get(option, "") for option in known)
        raise DataError(
            f"{name} has no option {odd[0]!r}{_SPELLED.get(odd[0], '')}; its options are "
            f"{options_there_are}"
        )
    if name == "synthped":
        if root is not None or protocol is not None:
            raise DataError("synthped is drawn: it has neither a root nor a protocol; leave them")
        return synthped(**options)
    if root is None:
        raise DataError(f"{name} needs a root; give its folder")
    if name != "store":
        return reader(root, protocol or PROTOCOLS[name][0], **options)
    split = open_store(root, **options)
    if protocol not in (None, split.name):
        raise DataError(f"{root} holds the split {split.name!r}, not {protocol!r}; pack that one")
    return split


def _read_rap(root: str | Path, protocol: str, *, official: bool = True) -> Split:
    if protocol not in RAP_PROTOCOLS:
        raise DataError(f"protocol {protocol!r} is unknown; one of {', '.join(RAP_PROTOCOLS)}")
    name = protocol if official else protocol.replace("rap", "rap(unofficial)", 1)
    if protocol == "rap/all":
        return Split(name, rap.read_rap(root, official=official))
    number = int(protocol.rpartition("-")[2])
    train, test = (
        rap.read_rap(root, part=part, partition=number, official=official)
        for part in ("train", "test")
    )
    return Split(name, train, gallery=test)


_POSITIONAL = ("root", "path", "protocol")
_SPELLED = {"attributes": " (--labels)", "official": " (--unofficial)"}
"""Options that have another name on the command line."""
_READERS: dict[str, Callable[..., Split]] = {
    "synthped": synthped,
    "mars": mars.read_mars,
    "ilids-vid": ilids_vid.read_ilids_vid,
    "prid2011": prid2011.read_prid2011,
    "rap": _read_rap,
    "store": open_store,
}
DATASETS = tuple(_READERS)
