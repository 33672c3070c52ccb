"""Drawing what a person carries: the eight `attach-` attributes."""

from __future__ import annotations

from w3an_lite.data.figure import Canvas
from w3an_lite.data.labels import L
from w3an_lite.data.pose import SHOULDER, Pose


def draw_bag_behind(canvas: Canvas, pose: Pose, base: int) -> None:
    """The part of the luggage that the person stands before."""
    bag, u = pose.person.bag, pose.size
    if bag == "Backpack" and pose.view != "back":
        if pose.profile:
            x, y = pose.at(-pose.shoulder_half - 24, 690)
            canvas.ellipse(x, y, u(74), u(122), base + L.BAG)
            x, y = pose.at(-pose.shoulder_half - 66, 650)
            canvas.ellipse(x, y, u(26), u(58), base + L.BAG_TRIM)
        else:
            x, y = pose.at(0, 720)
            canvas.ellipse(x, y, u(pose.shoulder_half + 22), u(110), base + L.BAG)
    elif bag == "HandTrunk":
        side = -185 if pose.profile else -pose.shoulder_half - 66
        _box(canvas, pose, (side - 62, 268, side + 62, 24), base + L.BAG)
        _box(canvas, pose, (side - 62, 168, side + 62, 142), base + L.BAG_TRIM)
        _box(canvas, pose, (side - 44, 24, side - 20, 0), base + L.SOLE)
        _box(canvas, pose, (side + 20, 24, side + 44, 0), base + L.SOLE)
        hx, hy = pose.arms[1 if pose.profile else 0][2]
        x, y = pose.at(side, 260)
        canvas.limb(x, y, u(9), hx, hy, u(9), base + L.BAG_TRIM)


def draw_bag(canvas: Canvas, pose: Pose, base: int) -> None:
    """The part of the luggage that is before the person."""
    bag, u = pose.person.bag, pose.size
    if bag is None:
        return
    hand_x, hand_y = pose.arms[1 if pose.profile else 0][2]
    if bag == "Backpack":
        _backpack(canvas, pose, base)
    elif bag == "SingleShoulderBag":
        low = (0, 520) if pose.profile else (-pose.hip_half - 14, 500)
        high = (10, 826) if pose.profile else (pose.shoulder_half - 44, 820)
        (ax, ay), (bx, by) = pose.at(*high), pose.at(*low)
        canvas.limb(ax, ay, u(12), bx, by, u(12), base + L.BAG_TRIM)
        _box(canvas, pose, (low[0] - 72, 528, low[0] + 60, 408), base + L.BAG)
        _box(canvas, pose, (low[0] - 72, 528, low[0] + 60, 488), base + L.BAG_TRIM)
    elif bag == "Box":
        if pose.view == "back":  # its ends stick out on both sides
            for side in (-1, 1):
                end = side * (pose.shoulder_half + 30)
                _box(canvas, pose, (end - 40, 725, end + 40, 575), base + L.BAG)
        else:
            middle = pose.shoulder_half + 80 if pose.profile else 0
            half = 96 if pose.profile else 128
            _box(canvas, pose, (middle - half, 735, middle + half, 565), base + L.BAG)
            _box(canvas, pose, (middle - half, 662, middle + half, 642), base + L.BAG_TRIM)
    elif bag == "HandBag":
        canvas.limb(hand_x, hand_y, u(10), hand_x, hand_y + u(50), u(46), base + L.BAG_TRIM)
        canvas.limb(hand_x, hand_y + u(40), u(52), hand_x, hand_y + u(120), u(76), base + L.BAG)
    elif bag == "PlasticBag":
        canvas.limb(hand_x, hand_y, u(14), hand_x, hand_y + u(90), u(58), base + L.BAG)
        canvas.ellipse(hand_x, hand_y + u(130), u(70), u(84), base + L.BAG)
        canvas.ellipse(hand_x, hand_y + u(136), u(34), u(24), base + L.BAG_TRIM)
    elif bag == "PaperBag":
        canvas.limb(hand_x, hand_y - u(6), u(30), hand_x, hand_y + u(40), u(30), base + L.BAG_TRIM)
        canvas.limb(hand_x, hand_y + u(34), u(60), hand_x, hand_y + u(200), u(60), base + L.BAG)
        canvas.limb(
            hand_x, hand_y + u(96), u(26), hand_x, hand_y + u(132), u(26), base + L.BAG_TRIM
        )
    elif bag == "Other":  # a roll under the arm
        ax, ay = pose.at(-170 if pose.profile else -pose.shoulder_half - 46, 470)
        bx, by = pose.at(150 if pose.profile else -pose.shoulder_half + 8, 800)
        canvas.limb(ax, ay, u(30), bx, by, u(30), base + L.BAG)
        canvas.ellipse(bx, by, u(30), u(30), base + L.BAG_TRIM)


def _backpack(canvas: Canvas, pose: Pose, base: int) -> None:
    u = pose.size
    if pose.view == "back":
        half = pose.shoulder_half - 22
        _box(canvas, pose, (-half, 800, half, 570), base + L.BAG)
        x, y = pose.at(0, 800)
        canvas.ellipse(x, y, u(half), u(34), base + L.BAG)
        _box(canvas, pose, (16 - half, 670, half - 16, 590), base + L.BAG_TRIM)
    elif pose.view == "front":
        for side in (-1, 1):
            strap = side * (pose.shoulder_half - 42)
            _box(canvas, pose, (strap - 15, SHOULDER + 26, strap + 15, 640), base + L.BAG)
    else:
        ax, ay = pose.at(-10, 822)
        bx, by = pose.at(-40, 640)
        canvas.limb(ax, ay, u(15), bx, by, u(15), base + L.BAG)


def _box(canvas: Canvas, pose: Pose, box: tuple[int, int, int, int], label: int) -> None:
    """An upright box of the body (forward, up, forward, up), leaning with the camera's shear."""
    a, b, c, d = box
    canvas.polygon([pose.at(a, b), pose.at(c, b), pose.at(c, d), pose.at(a, d)], label)
