"""Query and gallery from a list of tracklets: two cameras, and the paper's ten random halves; and a
split whose tracklets are changed one by one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from w3an_lite.data.tracklet import DISTRACTOR, JUNK, DataError, Split, Tracklet


def halve(name: str, tracklets: Sequence[Tracklet], test: Collection[int]) -> Split:
    """`Split` in which the identities `test` are searched for and all others train.

    Where each person has one tracklet under each of two cameras, the lower camera asks and the
    higher is searched. Elsewhere the first tracklet of each person under each camera asks, and all
    tracklets of the test half are searched, distractors included (the camera rule drops the query
    itself). Junk is left out. `DataError` if a half is empty.
    """
    people = {t.identity for t in tracklets if t.identity > DISTRACTOR}
    unknown = sorted(set(test) - people)
    if unknown:
        raise DataError(f"split {name!r} names person {unknown[0]}, who is not in the data")
    if not test or not people - set(test):
        half = "train" if test else "test"
        raise DataError(f"split {name!r} names nobody for the {half} half; choose another split")
    train = [t for t in tracklets if t.identity in people and t.identity not in test]
    searched = [t for t in tracklets if t.identity in test or t.identity == DISTRACTOR]
    asked = [t for t in searched if t.identity != DISTRACTOR]
    cameras = sorted({t.camera for t in asked})
    pairs = {(t.identity, t.camera) for t in asked}
    if len(cameras) == 2 and len(pairs) == len(asked) == 2 * len(test):
        query = [t for t in asked if t.camera == cameras[0]]
        gallery = [t for t in searched if t.camera == cameras[1]]
        return Split(name, train, query, gallery)
    first: dict[tuple[int, int], Tracklet] = {}
    for t in asked:
        first.setdefault((t.identity, t.camera), t)
    return Split(name, train, list(first.values()), searched)


def random_half(
    tracklets: Sequence[Tracklet], index: int, seed: int = 0, name: str = "random"
) -> Split:
    """The paper's protocol (Sec. 4.2): a random half of the people trains, the other is searched.

    `index` is the number of the half, 0 to 9 in the paper; `seed` starts the whole series of
    halves. Of an odd number of people the training half has one more. Same arguments, same split,
    on every machine. The name of the split is `name`/random-half-`index`, with the seed if not 0.
    """
    if index < 0 or seed < 0:
        raise DataError(f"random half {index} of seed {seed}: both count from 0")
    people = sorted({t.identity for t in tracklets if t.identity > DISTRACTOR})
    if len(people) < 2:
        raise DataError(f"{len(people)} people cannot be halved; give tracklets of at least two")
    # RandomState and not default_rng: NumPy promises never to change its stream.
    order = np.random.RandomState([seed, index]).permutation(len(people))
    test = {people[i] for i in order[: len(people) // 2].tolist()}
    title = f"{name}/random-half-{index}" + (f"-seed-{seed}" if seed else "")
    return halve(title, tracklets, test)


def each_changed(split: Split, name: str, change: Callable[[Tracklet], Tracklet]) -> Split:
    """`split` of changed tracklets, under that name.

    Those that train are changed before those that ask and those that are searched; one that asks
    and is searched is changed once, and stays one.
    """
    halves = (split.train, split.query, split.gallery)
    every = {id(t): t for half in halves for t in half}
    new = {key: change(t) for key, t in every.items()}
    return Split(name, *([new[id(t)] for t in half] for half in halves))


def without_mate(split: Split) -> int:
    """Number of queries that no gallery tracklet of another camera can answer."""
    places: dict[int, set[int]] = {}
    for t in split.gallery:
        if t.identity not in (JUNK, DISTRACTOR):
            places.setdefault(t.identity, set()).add(t.camera)
    return sum(not (places.get(q.identity, set()) - {q.camera}) for q in split.query)


def check_answerable(split: Split) -> None:
    """`DataError` when nobody is to be searched for, or no query has a right answer."""
    if not split.query:
        raise DataError(f"{split.name} has nobody to search for; choose another protocol")
    if without_mate(split) == len(split.query):
        raise DataError(
            f"{split.name}: none of the {len(split.query)} queries is in the gallery under another "
            "camera, so nothing can be found; give more cameras, or another protocol"
        )


def protocol_number(protocol: str, prefix: str, count: int | None = None) -> int | None:
    """The number n of a protocol called `prefix`n, None if it is called otherwise.

    `DataError` if n is not a number, or not below `count`.
    """
    if not protocol.startswith(prefix):
        return None
    tail = protocol[len(prefix) :]
    if not (tail.isascii() and tail.isdigit()) or (count is not None and int(tail) >= count):
        last = "n" if count is None else f"{count - 1}"
        raise DataError(f"protocol {protocol!r}: the number runs from {prefix}0 to {prefix}{last}")
    return int(tail)
