"""Random draws that are the same on every machine and under every version of NumPy.

SplitMix64 over unsigned 64-bit integers: a stream is a key, a draw is a counter, and both are
mixed. Nothing is shared, so a stream depends on its key alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
T = TypeVar("T")


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _number(word: str) -> int:
    return int.from_bytes(word.encode(), "little")


class Draws:
    """A stream of draws named by a key of integers and words: `Draws(seed, "camera", 3)`."""

    def __init__(self, *key: int | str) -> None:
        state = 0
        for item in key:
            number = _number(item) if isinstance(item, str) else int(item)
            state = _mix((state + _GAMMA + (number & _MASK)) & _MASK)
            state = _mix(state ^ ((number >> 64) & _MASK))
        self._state = state

    def bits(self) -> int:
        """64 random bits."""
        self._state = (self._state + _GAMMA) & _MASK
        return _mix(self._state)

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return (self.bits() * n) >> 64

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high], both ends included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in `percent` of a hundred draws."""
        return self.below(100) < percent

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[T, int]]) -> T:
        """One of the items, each with its whole-number weight."""
        at = self.below(sum(weight for _, weight in items))
        for item, weight in items:
            at -= weight
            if at < 0:
                return item
        raise AssertionError("unreachable: the weights sum to more than the draw")

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order (Fisher-Yates)."""
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = self.below(i + 1)
            out[i], out[j] = out[j], out[i]
        return out


@lru_cache(maxsize=1)
def noise_table() -> NDArray[np.int16]:
    """2^18 noise values in [-127, 127], nearly normal (four uniform bytes each), deviation 37."""
    count = 1 << 18
    with np.errstate(over="ignore"):
        z = (np.arange(1, count // 2 + 1, dtype=np.uint64)) * np.uint64(_GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    lanes = [((z >> np.uint64(8 * k)) & np.uint64(255)).astype(np.int16) for k in range(8)]
    halves = [sum(lanes[4 * k : 4 * k + 4], np.int16(0)) for k in range(2)]
    table = np.concatenate([np.asarray(h, dtype=np.int16) for h in halves])
    return ((table - 510) >> 2).astype(np.int16)
