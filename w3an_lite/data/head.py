"""Drawing a person's head and what is worn on it: the `hs-` attributes, and age."""

from __future__ import annotations

from w3an_lite.data.figure import Canvas
from w3an_lite.data.labels import L
from w3an_lite.data.pose import HEAD, Pose


def draw_hair_behind(canvas: Canvas, pose: Pose, base: int) -> None:
    """Long hair that falls behind the shoulders of who comes or passes."""
    if pose.person.hair_style != "long" or pose.view == "back":
        return
    z = pose.head_size
    half, x = 74 * z // 100, pose.stoop - (34 if pose.profile else 0)
    corners = [(x - half, HEAD + 10), (x + half, HEAD + 10), (x + half, 745), (x - half, 745)]
    canvas.polygon([pose.at(a, b) for a, b in corners], base + L.HAIR)


def draw_head(canvas: Canvas, pose: Pose, base: int) -> None:
    """Head, face, hair, beard, glasses, muffler and hat."""
    p, z = pose.person, pose.head_size
    s = pose.stoop * 2
    lift = (z - 100) * 70 // 100

    def u(length: int) -> int:
        return pose.size(length * z // 100)

    def oval(forward: int, up: int, rx: int, ry: int, label: int) -> None:
        x, y = pose.at(s + forward * z // 100, HEAD + lift + up * z // 100)
        canvas.ellipse(x, y, u(rx), u(ry), base + label)

    def strip(x0: int, y0: int, x1: int, y1: int, label: int) -> None:
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        ends = [(s + a * z // 100, HEAD + lift + b * z // 100) for a, b in corners]
        canvas.polygon([pose.at(a, b) for a, b in ends], base + label)

    back, bald = pose.view == "back", p.hair_style == "bald"
    ahead = 16 if pose.profile else 0
    strip(-30, -50, 30, -96, L.FAR + L.FACE)
    if bald:
        oval(0, 0, 60, 80, L.FACE)
    else:
        oval(-ahead, 8, 64, 82, L.HAIR)
        if p.hair_style == "long" and (back or pose.profile):
            strip(-64, 10, -14 if pose.profile else 64, -172, L.HAIR)
    if not back:
        oval(ahead, -12 if not bald else 0, 48, 64 if not bald else 78, L.FACE)
        if pose.profile:
            oval(66, -14, 10, 12, L.FACE)
        beard = p.age == "Age31-45" and not p.female
        if beard:
            oval(ahead + (6 if pose.profile else 0), -54, 36, 24, L.HAIR)
        for eye in (46,) if pose.profile else (-20, 20):
            oval(eye, 2, 8, 8, L.EYE)
        if p.glasses:
            strip(0 if pose.profile else -50, 16, 66 if pose.profile else 50, -10, L.GLASSES)
    if p.age == "Age31-45" and p.female:  # hair put up
        oval(-52 if pose.profile else 0, 62 if pose.profile else 84, 34, 30, L.HAIR)
    if p.muffler is not None:
        oval(0, -82, 88 if not pose.profile else 72, 30, L.MUFFLER)
        if not back:
            strip(14, -80, 58, -240, L.MUFFLER)
    if p.hat is not None:
        strip(-62, 34, 62, 100, L.HAT)
        oval(0, 70, 62, 46, L.HAT)
        strip(-66 if pose.profile else -84, 46, 110 if pose.profile else 84, 28, L.HAT)
