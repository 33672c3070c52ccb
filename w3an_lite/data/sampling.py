"""T frames of a tracklet; batches of P identities × N/P tracklets.

What a batch holds follows from (seed, epoch, step) alone, so that training stopped anywhere goes
on with the very batches it would have seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from .attributes import NAMES
from .store import read_together
from .tracklet import UNKNOWN, Clips, DataError, Size, Tracklet


def random_frames(length: int, clip: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`clip` frame numbers of a tracklet of `length`, at random, in order of time.

    Without repeats; a tracklet shorter than the clip gives each frame as evenly often as it can.
    """
    whole, rest = divmod(clip, length)
    some = rng.permutation(length)[:rest]
    return np.sort(np.concatenate([np.tile(np.arange(length), whole), some]))


def consecutive_frames(length: int, clip: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`clip` frame numbers in a row, from anywhere in a tracklet of `length`.

    A tracklet shorter than the clip gives each frame as evenly often as it can.
    """
    if length < clip:
        return even_frames(length, clip)
    return np.arange(clip) + rng.integers(length - clip + 1)


def even_frames(length: int, clip: int) -> NDArray[np.int64]:
    """`clip` frame numbers spread evenly over a tracklet, the middle of each equal stretch."""
    return (np.arange(clip) * 2 + 1) * length // (2 * clip)


CLIPS = {"random": random_frames, "consecutive": consecutive_frames}
"""How the frames of a training clip may be chosen: as in Sec. 4.2, or as in Algorithm 1."""


def load_clips(
    tracklets: Sequence[Tracklet],
    labels: Sequence[int],
    indices: Sequence[NDArray[np.int64]],
    size: Size | None = None,
    frames: Tensor | None = None,
    vocabulary: int = len(NAMES),
) -> Clips:
    """Read the frames `indices[i]` of each tracklet; all index arrays have one length T.

    frames: `[B, T, 3, H, W]` when they are read already. vocabulary: how many attributes are
    unknown of a tracklet without labels.
    """
    if frames is None:
        frames = torch.from_numpy(read_together(tracklets, indices, size))
    unknown = np.full(vocabulary, UNKNOWN, np.float32)
    attributes = np.stack([unknown if t.attributes is None else t.attributes for t in tracklets])
    return Clips(
        frames=frames,
        identity=torch.tensor(list(labels)),
        camera=torch.tensor([t.camera for t in tracklets]),
        attributes=torch.from_numpy(attributes),
    )


class Plan(NamedTuple):
    """Which clips make up a batch: tracklets, their labels 0..I-1, and frame numbers `[T]`."""

    tracklets: list[Tracklet]
    labels: list[int]
    indices: list[NDArray[np.int64]]

    @property
    def names(self) -> list[str]:
        """What an error calls the tracklets: those without a name by person and camera."""
        return [t.name or f"identity {t.identity} camera {t.camera}" for t in self.tracklets]

    def part(self, rank: int, size: int) -> Plan:
        """The share of process `rank` of `size`, one stretch of the batch."""
        each = len(self.tracklets) // size
        own = slice(rank * each, (rank + 1) * each)
        return Plan(self.tracklets[own], self.labels[own], self.indices[own])


class Batches(Dataset[tuple[Clips, list[str]]]):
    """The batches of one epoch after another: each person once an epoch, P at a time.

    Item `s` of `at(epoch)` is step `s`: N/P tracklets of each of P people, a clip of T frames of
    each. A person with fewer than N/P tracklets gives some of them twice, with other frames. The
    people left over when P does not divide their number sit this epoch out.

    attributes: how many a tracklet without labels has, all unknown.
    frames: of a clip, "random" or "consecutive".

    Also returns the tracklets' names, so that an error can say what was in the batch.
    DataError when there are fewer than P people or N is not a multiple of P.
    """

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        batch: int = 16,
        people: int = 8,
        clip_length: int = 10,
        size: Size | None = None,
        seed: int = 0,
        attributes: int = len(NAMES),
        frames: str = "random",
    ) -> None:
        if people < 1 or batch < people or batch % people:
            raise DataError(
                f"a batch of {batch} cannot hold {people} people equally often; "
                "make batch a multiple of people"
            )
        self.tracklets = list(tracklets)
        self.by_person: dict[int, list[int]] = defaultdict(list)
        for i, tracklet in enumerate(self.tracklets):
            self.by_person[tracklet.identity].append(i)
        self.identities = sorted(self.by_person)
        self.label = {identity: k for k, identity in enumerate(self.identities)}
        if len(self.identities) < people:
            raise DataError(
                f"{len(self.identities)} people to train on, a batch needs {people}; "
                "lower people of the recipe (P), or add some (identities of drawn ones)"
            )
        self.people, self.each, self.clip_length = people, batch // people, clip_length
        self.size, self.seed, self.epoch, self.attributes = size, seed, 0, attributes
        self.draw = CLIPS[frames]

    def at(self, epoch: int) -> Batches:
        """The same object, turned to `epoch`."""
        self.epoch = epoch
        return self

    def __len__(self) -> int:
        return len(self.identities) // self.people

    def plan(self, step: int) -> Plan:
        """What step `step` of this epoch holds, before a frame is read."""
        if not 0 <= step < len(self):
            raise IndexError(step)
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.identities)
        rng = np.random.default_rng((self.seed, self.epoch, step))
        chosen: list[Tracklet] = []
        for identity in order[step * self.people : (step + 1) * self.people]:
            own = self.by_person[int(identity)]
            picks = random_frames(len(own), self.each, rng)
            chosen += [self.tracklets[own[k]] for k in picks]
        indices = [self.draw(len(t), self.clip_length, rng) for t in chosen]
        return Plan(chosen, [self.label[t.identity] for t in chosen], indices)

    def __getitem__(self, step: int) -> tuple[Clips, list[str]]:
        plan = self.plan(step)
        return load_clips(*plan, self.size, vocabulary=self.attributes), plan.names
