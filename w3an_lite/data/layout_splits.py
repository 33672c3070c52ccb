"""SynthPed splits that fit a layout, of any size up to the real set's counts; nothing is held.

Every tracklet is drawn when it is written, so that memory does not grow with the set.
"""

from __future__ import annotations

from dataclasses import replace

from w3an_lite.data import mars_index, rap
from w3an_lite.data.synthetic import FIRST_TEST, draw_later, synthped
from w3an_lite.data.tracklet import DISTRACTOR, JUNK, DataError, Size, Split, Tracklet
from w3an_lite.data.wardrobe import GROUP
from w3an_lite.data.writers import LAYOUTS

_FIRST_DISTRACTOR, _FIRST_JUNK = 10_001, 50_001
_MARS_CAMERAS = 6
_TWO_CAMERA_FRAMES = 73  # the mean of iLIDS-VID


def layout_split(
    layout: str,
    identities: int | None = None,
    test_identities: int | None = None,
    cameras: int | None = None,
    tracklets: int | None = None,
    frames: int | None = None,
    distractors: int | None = None,
    junk: int | None = None,
    size: Size = (64, 32),
    seed: int = 0,
    occlusion: str | None = None,
) -> Split:
    """A drawn split for `layout`, one of `writers.LAYOUTS`.

    MARS: 16 identities to train on, 16 to search for, 2 cameras, 2 tracklets, 16 frames unless
        said; `distractors` and `junk` are tracklets of other people, added to the gallery
    iLIDS-VID and PRID2011: two cameras and one tracklet a camera, as the layouts want
    RAP: `identities` (64) stills of independent people, and nothing else to choose

    occlusion: "mixed" unless said, of RAP's stills "none"

    `DataError` for an option that the layout has not, or that makes no sense.
    """
    given = {
        "test_identities": test_identities, "cameras": cameras, "tracklets": tracklets,
        "frames": frames, "distractors": distractors, "junk": junk,
    }  # fmt: skip
    if layout not in LAYOUTS:
        raise DataError(f"layout {layout!r} is unknown; one of {', '.join(LAYOUTS)}")
    if layout == "rap":
        odd = [name for name, value in given.items() if value is not None]
        if odd:
            raise DataError(f"{odd[0]} has no meaning for RAP's stills; give identities alone")
        return stills_split(
            64 if identities is None else identities, size, seed, occlusion or "none"
        )
    two = layout != "mars"
    for name, wanted in (("cameras", 2), ("tracklets", 1), ("distractors", 0), ("junk", 0)):
        if two and given[name] not in (None, wanted):
            raise DataError(f"{name} is {given[name]}; {layout} holds {wanted}: leave it out")
    for name in ("distractors", "junk"):
        if (given[name] or 0) < 0:
            raise DataError(f"{name} is {given[name]}; give a whole number from 0 up")
    split = synthped(
        16 if identities is None else identities,
        16 if test_identities is None else test_identities,
        2 if cameras is None else cameras,
        (1 if two else 2) if tracklets is None else tracklets,
        16 if frames is None else frames,
        size, seed, occlusion or "mixed", lazy=True,
    )  # fmt: skip
    others = [
        *_others(distractors or 0, DISTRACTOR, cameras or 2, frames or 16, size, seed),
        *_others(junk or 0, JUNK, cameras or 2, frames or 16, size, seed),
    ]
    return replace(split, gallery=[*split.gallery, *others])


def full_size(
    layout: str, size: Size = (64, 32), seed: int = 0, occlusion: str | None = None
) -> Split:
    """As many as the real set has: MARS's official counts to the frame, RAP's, iLIDS-VID's.

    Of PRID2011 the 200 people seen by both cameras; the layout's writer holds no others.
    """
    if layout == "rap":
        return stills_split(rap.OFFICIAL["images"], size, seed, occlusion or "none")
    if layout in ("ilids-vid", "prid2011"):
        half = 150 if layout == "ilids-vid" else 100
        return layout_split(
            layout, half, half, frames=_TWO_CAMERA_FRAMES, size=size, seed=seed, occlusion=occlusion
        )
    if layout != "mars":
        raise DataError(f"layout {layout!r} is unknown; one of {', '.join(LAYOUTS)}")
    n, occlusion = mars_index.OFFICIAL, occlusion or "mixed"
    nobody = n["junk tracklets"] + n["distractor tracklets"]
    lengths = [_share(n["test frames"], n["test tracklets"], k) for k in range(n["test tracklets"])]
    people = n["test tracklets"] - nobody
    train: list[Tracklet] = []
    for i in range(n["train identities"]):
        for k in range(_share(n["train tracklets"], n["train identities"], i)):
            cam, number = k % _MARS_CAMERAS + 1, k // _MARS_CAMERAS + 1
            frames = _share(n["train frames"], n["train tracklets"], len(train))
            train.append(draw_later(i + 1, cam, number, frames, size, seed, occlusion))
    test: list[Tracklet] = []
    query: list[Tracklet] = []
    for i in range(n["test identities"]):
        seen = _share(n["queries"], n["test identities"], i)  # by so many cameras
        for k in range(_share(people, n["test identities"], i)):
            cam, number = (i + k % seen) % _MARS_CAMERAS + 1, k // seen + 1
            t = draw_later(FIRST_TEST + i, cam, number, lengths[len(test)], size, seed, occlusion)
            test.append(t)
            if number == 1:
                query.append(t)
    for identity, count in (
        (DISTRACTOR, n["distractor tracklets"]),
        (JUNK, n["junk tracklets"]),
    ):
        for t in _others(count, identity, _MARS_CAMERAS, 1, size, seed, lengths[len(test) :]):
            test.append(t)
    return Split(f"synthped-mars-full-{occlusion}-{seed}", train, query, test)


def stills_split(count: int, size: Size, seed: int = 0, occlusion: str = "none") -> Split:
    """`count` stills to train on, the same as `synthetic.stills` draws, each when it is read."""
    if not 1 <= count <= rap.OFFICIAL["images"]:
        raise DataError(f"{count} stills; RAP holds 1 to {rap.OFFICIAL['images']:,}")
    train = [
        draw_later(GROUP * k + 1, k % 4 + 1, 1, 1, size, seed, occlusion, "stills")
        for k in range(count)
    ]
    return Split(f"synthped-stills-{occlusion}-{seed}", train)


def _others(
    count: int,
    identity: int,
    cameras: int,
    frames: int,
    size: Size,
    seed: int,
    lengths: list[int] | None = None,
) -> list[Tracklet]:
    """`count` tracklets of people of nobody's identity; junk is what can hardly be seen."""
    first = _FIRST_JUNK if identity == JUNK else _FIRST_DISTRACTOR
    occlusion = "heavy" if identity == JUNK else "mixed"
    out = []
    for k in range(count):
        length = frames if lengths is None else lengths[k]
        t = draw_later(first + GROUP * k, k % cameras + 1, 1, length, size, seed, occlusion)
        kind = "junk" if identity == JUNK else "distractor"
        out.append(replace(t, identity=identity, name=f"{kind}-{k:05d}", attributes=None))
    return out


def _share(total: int, parts: int, k: int) -> int:
    """The k-th of `parts` whole numbers that differ by one at most and sum to `total`."""
    return total * (k + 1) // parts - total * k // parts
