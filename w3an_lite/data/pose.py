"""The skeleton of a walking figure: where its joints are in every frame, in scene units.

Lengths are in body units, thousandths of an adult's height, measured up from the ground and forward
(in profile) or to the right of the picture (seen from the front or the back).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from w3an_lite.data.figure import Ints, Where, cosine, sine
from w3an_lite.data.wardrobe import Person

VIEWS = ("front", "back", "right", "left")
"""How a person is seen: coming, going, walking to the picture's right or to its left."""

HIP, SHOULDER, CHIN, HEAD = 500, 800, 848, 918
_THIGH, _SHIN, _UPPER_ARM, _FOREARM, _ANKLE = 228, 230, 155, 140, 42

Joint = tuple[Ints, Ints]


@dataclass(frozen=True)
class Placing:
    """Where the camera puts a figure in each of n frames, in scene units.

    x, ground: `[n]`, between the feet; scale: scene units to 1000 body units; shear: 4096ths of a
    unit to the right for each unit up; phase: `[n]`, of the walk, 1024 steps to two paces.
    """

    x: Ints
    ground: Ints
    scale: int
    shear: int
    phase: Ints


class Pose:
    """Joints of a person in a view; `at(forward, up)` and `size(length)` give scene units.

    Limbs are listed far one first: `legs` holds (hip, knee, ankle), `arms` (shoulder, elbow, hand).
    """

    def __init__(self, person: Person, view: str, placing: Placing) -> None:
        self.person, self.view, self.placing = person, view, placing
        self.profile = view in ("right", "left")
        self.facing = -1 if view == "left" else 1
        child = person.age == "AgeLess16"
        self.scale = placing.scale * person.height // 1000 * (86 if child else 100) // 100
        self.head_size = 118 if child else 100  # per cent
        woman, build = int(person.female), person.build
        if self.profile:
            self.shoulder_half = 74 + 14 * build - 4 * woman
            self.hip_half = 74 + 18 * build + 4 * woman
        else:
            self.shoulder_half = 122 + 14 * build - 14 * woman
            self.hip_half = 92 + 20 * build + 6 * woman
        self.stoop = 22 if person.age == "older" else 0
        self.bob: Ints = np.zeros_like(placing.phase)
        self.legs: list[tuple[Joint, Joint, Joint]]
        self.arms: list[tuple[Joint, Joint, Joint]]
        if self.profile:
            self._walk_across()
        else:
            self._walk_along()

    def size(self, length: int) -> int:
        """A length in scene units."""
        return length * self.scale // 1000

    def at(self, forward: Where, up: Where) -> Joint:
        """A point of the body in scene units."""
        height = (up + self.bob) * self.scale // 1000
        across = forward * self.facing * self.scale // 1000
        x = self.placing.x + across + self.placing.shear * height // 4096
        return x, self.placing.ground - height

    def _walk_across(self) -> None:
        phase = self.placing.phase
        legs = []
        lowest = None
        for offset in (512, 0):
            swing = 84 * sine(phase + offset) // 4096
            bend = 20 + 96 * np.maximum(cosine(phase + offset), 0) // 4096
            knee_x, knee_y = _THIGH * sine(swing) // 4096, HIP - _THIGH * cosine(swing) // 4096
            ankle_x = knee_x + _SHIN * sine(swing - bend) // 4096
            ankle_y = knee_y - _SHIN * cosine(swing - bend) // 4096
            legs.append((knee_x, knee_y, ankle_x, ankle_y))
            lowest = ankle_y if lowest is None else np.minimum(lowest, ankle_y)
        assert lowest is not None
        self.bob = _ANKLE - lowest
        hip = self.at(0, HIP)
        self.legs = [(hip, self.at(a, b), self.at(c, d)) for a, b, c, d in legs]
        self.arms = []
        held = self.person.bag in ("HandBag", "PlasticBag", "PaperBag", "HandTrunk", "Other")
        for near, offset in ((False, 0), (True, 512)):
            amplitude, crook, fore = (22, 8, 8) if held and near else (74, 24, 24)
            if self.person.bag == "Box":
                amplitude, crook, fore = 0, 0, 250
            swing = amplitude * sine(phase + offset) // 4096
            start = SHOULDER - 18
            elbow_x = self.stoop + _UPPER_ARM * sine(swing) // 4096
            elbow_y = start - _UPPER_ARM * cosine(swing) // 4096
            lean = swing + fore + (crook * np.maximum(sine(phase + offset), 0) // 4096)
            hand_x = elbow_x + _FOREARM * sine(lean) // 4096
            hand_y = elbow_y - _FOREARM * cosine(lean) // 4096
            joints = (self.at(self.stoop, start), self.at(elbow_x, elbow_y))
            self.arms.append((*joints, self.at(hand_x, hand_y)))

    def _walk_along(self) -> None:
        phase = self.placing.phase
        self.bob = 8 * cosine(2 * phase) // 4096
        sway = 8 * sine(phase) // 4096
        legs = []
        for side, offset in ((-1, 0), (1, 512)):
            lift = 74 * np.maximum(sine(phase + offset), 0) // 4096
            hip = self.at(side * (self.hip_half - 46), HIP)
            knee = self.at(side * (self.hip_half - 44) + sway, 275 + lift // 2)
            legs.append((hip, knee, self.at(side * (self.hip_half - 48) + sway, _ANKLE + lift)))
        self.legs = legs
        self.arms = []
        for side, offset in ((-1, 512), (1, 0)):
            reach = 46 * sine(phase + offset) // 4096
            shoulder = self.at(side * (self.shoulder_half - 12), SHOULDER - 20)
            out = self.shoulder_half + 20 + max(self.hip_half - self.shoulder_half + 6, 0)
            elbow = self.at(side * out, SHOULDER - 20 - _UPPER_ARM + reach // 4)
            hand = self.at(side * (out + 2), SHOULDER - 20 - _UPPER_ARM - _FOREARM + reach)
            if self.person.bag == "Box" and self.view == "front":
                hand = self.at(side * 78, SHOULDER - 190)
            self.arms.append((shoulder, elbow, hand))
