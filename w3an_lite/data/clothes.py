"""Drawing a person: labels of skin, hair, garments, shoes and bags painted over a pose.

A label says what a sub-pixel is; `labels` says of which part and in which colour.
"""

from __future__ import annotations

from w3an_lite.data.baggage import draw_bag, draw_bag_behind
from w3an_lite.data.figure import Canvas, Painted
from w3an_lite.data.head import draw_hair_behind, draw_head
from w3an_lite.data.labels import L
from w3an_lite.data.pose import HIP, SHOULDER, Joint, Pose

_LONG_TORSO = {"Cotton": 395, "Jacket": 470, "SuitUp": 425, "Sweater": 475, "Vest": 480}
_BULK = {"Cotton": 16, "Jacket": 6, "SuitUp": 4, "Sweater": 4, "Tight": -8}
_LEG_WIDTHS = {  # half-widths: hip, knee, ankle
    "LongTrousers": (60, 50, 44),
    "Jeans": (57, 45, 37),
    "TightTrousers": (49, 36, 24),
}


def draw_person(canvas: Canvas, pose: Pose, base: int = 0) -> None:
    """Paint a person on every frame of the canvas, with labels base + `L`."""
    draw_bag_behind(canvas, pose, base)
    draw_hair_behind(canvas, pose, base)
    if pose.profile:
        _arm(canvas, pose, 0, base + L.FAR)
    for side in (0, 1):
        _leg(canvas, pose, side, base + (L.FAR if side == 0 and pose.profile else 0))
    _torso(canvas, pose, base)
    _skirt(canvas, pose, base)
    for side in (1,) if pose.profile else (0, 1):
        _arm(canvas, pose, side, base)
    draw_head(canvas, pose, base)
    draw_bag(canvas, pose, base)


def _leg(canvas: Canvas, pose: Pose, side: int, base: int) -> None:
    p, u = pose.person, pose.size
    (hx, hy), (kx, ky), (ax, ay) = pose.legs[side]
    bare = p.lower not in _LEG_WIDTHS
    hip, knee, ankle = (44, 32, 22) if bare else _LEG_WIDTHS[p.lower]
    more = 6 * p.build
    label = base + (L.LEG if bare else L.LOWER)
    thigh = canvas.limb(hx, hy, u(hip + more), kx, ky, u(knee + more), label)
    canvas.ellipse(kx, ky, u(knee + more), u(knee + more), label)
    shin = canvas.limb(kx, ky, u(knee + more), ax, ay, u(ankle + more), label)
    if not bare:
        for painted in (thigh, shin):
            _pattern(canvas, pose, painted, p.lower_cloth.pattern, base + L.LOWER2)
    if p.lower == "Jeans":  # worn knees and a turned-up hem
        canvas.ellipse(kx, ky + u(20), u(20), u(46), base + L.LOWER_TRIM)
        canvas.limb(
            ax, ay - u(26), u(ankle + more + 2), ax, ay, u(ankle + more + 2), base + L.LOWER_TRIM
        )
    elif p.lower == "LongTrousers":  # a crease
        canvas.limb(hx, hy + u(60), u(5), kx, ky, u(5), base + L.LOWER_TRIM)
        canvas.limb(kx, ky, u(5), ax, ay, u(5), base + L.LOWER_TRIM)
    _shoe(canvas, pose, (kx, ky), (ax, ay), base)


def _shoe(canvas: Canvas, pose: Pose, knee: Joint, ankle: Joint, base: int) -> None:
    p, u = pose.person, pose.size
    (kx, ky), (ax, ay) = knee, ankle
    length, forward, high = {
        "Leather": (60, 34, 24),
        "Sport": (62, 30, 32),
        "Boots": (58, 28, 32),
        "Cloth": (48, 24, 20),
        "Casual": (60, 26, 36),
    }[p.shoes]
    x = ax + pose.facing * u(forward) if pose.profile else ax
    half = u(length) if pose.profile else u(40)
    y = ay + u(42 - high)
    if p.shoes == "Boots":  # up to half the shin
        canvas.limb((ax + kx) // 2, (ay + ky) // 2, u(44), ax, ay, u(38), base + L.SHOE)
    painted = canvas.ellipse(x, y, half, u(high), base + L.SHOE)
    if p.shoe_cloth.pattern != "plain":
        canvas.pattern(painted, "mixture", base + L.SHOE2, u(34), y, x)
    if p.shoes in ("Sport", "Casual"):
        thick = 15 if p.shoes == "Sport" else 20
        canvas.box(x - half, ay + u(44 - thick), x + half, ay + u(46), base + L.SOLE)
    elif p.shoes == "Leather":  # a heel
        back = pose.facing * u(8) if pose.profile else 0
        canvas.box(ax - back - u(16), ay + u(26), ax - back + u(16), ay + u(46), base + L.SOLE)


def _pattern(canvas: Canvas, pose: Pose, painted: Painted, kind: str, label: int) -> None:
    x, y = pose.at(0, SHOULDER)
    pitch = pose.size(38 if kind == "stripes" else 62)
    canvas.pattern(painted, kind, label, pitch, y, x - pitch // 2)


def _torso(canvas: Canvas, pose: Pose, base: int) -> None:
    p = pose.person
    bulk = _BULK.get(p.upper, 0)
    hem = _LONG_TORSO.get(p.upper, 486)
    top, bottom = pose.shoulder_half + bulk, pose.hip_half + bulk
    s = pose.stoop
    neck = 46 if not pose.profile else 36
    outline = [(s - neck, 842), (s - top, SHOULDER - 8), (-bottom, hem + 40), (4 - bottom, hem)]
    outline += [(bottom - 4, hem), (bottom, hem + 40), (s + top, SHOULDER - 8), (s + neck, 842)]
    painted = canvas.polygon([pose.at(a, b) for a, b in outline], base + L.UPPER)
    if p.build > 0:
        x, y = pose.at(20 if pose.profile else 0, 580)
        canvas.ellipse(x, y, pose.size(bottom + 6), pose.size(110), base + L.UPPER)
    _pattern(canvas, pose, painted, p.upper_cloth.pattern, base + L.UPPER2)
    edge = -bottom if pose.facing > 0 else bottom  # a shaded side gives the body depth
    side = 1 if edge > 0 else -1
    shade = [(edge, hem), (edge - side * 26, hem), (s + side * (top - 26), SHOULDER - 30)]
    shade.append((s + side * top, SHOULDER - 30))
    if p.upper_cloth.pattern == "plain":
        canvas.polygon([pose.at(a, b) for a, b in shade], base + L.FAR + L.UPPER)
    _trim(canvas, pose, hem, bottom, base)


def _trim(canvas: Canvas, pose: Pose, hem: int, half: int, base: int) -> None:
    """What tells one upper garment from another."""
    kind, front, u = pose.person.upper, pose.view == "front", pose.size

    def strip(x0: int, y0: int, x1: int, y1: int, label: int) -> None:
        canvas.polygon([pose.at(x0, y0), pose.at(x1, y0), pose.at(x1, y1), pose.at(x0, y1)], label)

    def vee(width: int, depth: int, label: int) -> None:
        shift = pose.stoop + (pose.shoulder_half - 30 if pose.profile else 0)
        corners = [(shift - width, 842), (shift + width, 842), (shift, 842 - depth)]
        canvas.polygon([pose.at(a, b) for a, b in corners], base + label)

    if kind in ("Sweater", "Jacket"):
        strip(-half, hem + 32, half, hem, base + L.UPPER_TRIM)
    if kind == "Cotton":
        for up in (720, 630, 540, 450):
            strip(-half, up + 10, half, up - 10, base + L.UPPER_TRIM)
        x, y = pose.at(pose.stoop - (30 if pose.profile else 0), 836)
        canvas.ellipse(x, y, u(86), u(34), base + L.UPPER_TRIM)
    if kind == "Shirt":
        x, y = pose.at(pose.stoop, 836)
        canvas.ellipse(x, y, u(62), u(26), base + L.UPPER_TRIM)
    if kind == "Sweater":
        x, y = pose.at(pose.stoop, 840)
        canvas.ellipse(x, y, u(60), u(22), base + L.UPPER_TRIM)
    if pose.view == "back":
        if kind in ("SuitUp", "Shirt"):
            low, high = (hem, hem + 150) if kind == "SuitUp" else (740, 756)
            wide = 7 if kind == "SuitUp" else pose.shoulder_half - 8
            strip(-wide, high, wide, low, base + L.UPPER_TRIM)
        return
    if kind == "Jacket":
        x0, x1 = (34, 64) if pose.profile else (-32, 32)
        strip(x0, 836, x1, hem, base + L.INNER)
    elif kind == "SuitUp":
        vee(52, 190, L.INNER)
        if front:
            strip(-9, 835, 9, 670, base + L.UPPER_TRIM)
            strip(-5, 640, 5, hem, base + L.UPPER_TRIM)
    elif kind == "Vest":
        vee(50, 120, L.INNER)
    elif kind == "Shirt":
        x0, x1 = (52, 62) if pose.profile else (-8, 8)
        strip(x0, 830, x1, hem, base + L.UPPER_TRIM)
    elif kind == "TShirt" and front:
        x, y = pose.at(0, 705)
        canvas.ellipse(x, y, u(46), u(40), base + L.UPPER_TRIM)
    elif kind in ("Tight", "TShirt"):
        vee(50, 78 if kind == "Tight" else 40, L.ARM)


def _skirt(canvas: Canvas, pose: Pose, base: int) -> None:
    lower, half = pose.person.lower, pose.hip_half
    if lower not in ("Skirt", "ShortSkirt", "Dress"):
        return
    top, bottom, flare = {
        "Skirt": (520, 235, 34),
        "ShortSkirt": (520, 350, 40),
        "Dress": (712, 265, 48),
    }[lower]
    waist = half - 4 if lower != "Dress" else pose.shoulder_half - 12
    corners = [(-waist, top), (waist, top), (half + 4, HIP), (half + flare, bottom)]
    corners += [(-half - flare, bottom), (-half - 4, HIP)]
    painted = canvas.polygon([pose.at(a, b) for a, b in corners], base + L.LOWER)
    _pattern(canvas, pose, painted, pose.person.lower_cloth.pattern, base + L.LOWER2)
    belt = [(-waist, top + 12), (waist, top + 12), (waist, top - 12), (-waist, top - 12)]
    canvas.polygon([pose.at(a, b) for a, b in belt], base + L.LOWER_TRIM)


def _arm(canvas: Canvas, pose: Pose, side: int, base: int) -> None:
    p, u = pose.person, pose.size
    (sx, sy), (ex, ey), (hx, hy) = pose.arms[side]
    bulk = _BULK.get(p.upper, 0) // 2 + 4 * p.build
    sleeve = L.INNER if p.upper == "Vest" else L.UPPER
    if p.upper_cloth.pattern == "mixture" and p.upper != "Vest":
        sleeve = L.UPPER2
    # the arm towards the shade is darker, which parts it from the body it hangs against
    shaded = base if pose.profile or side == 1 else base + L.FAR
    fore = L.ARM if p.short_sleeves else sleeve
    canvas.ellipse(hx, hy, u(26), u(30), shaded + L.ARM)
    canvas.limb(ex, ey, u(29 + bulk), hx, hy, u(23 + bulk // 2), shaded + fore)
    if p.short_sleeves:
        canvas.limb(sx, sy, u(34), ex, ey, u(28), shaded + L.ARM)
        ex, ey = (sx + 2 * ex) // 3, (sy + 2 * ey) // 3
    painted = canvas.limb(sx, sy, u(37 + bulk), ex, ey, u(33 + bulk), shaded + sleeve)
    canvas.ellipse(sx, sy, u(38 + bulk), u(38 + bulk), shaded + sleeve)
    if not p.short_sleeves:
        canvas.ellipse(ex, ey, u(30 + bulk), u(30 + bulk), shaded + sleeve)
    if p.upper_cloth.pattern == "stripes" and p.upper != "Vest":
        _pattern(canvas, pose, painted, "stripes", shaded + L.UPPER2)
    if p.upper == "Sweater":
        canvas.ellipse(hx, hy - u(22), u(30), u(16), shaded + L.UPPER_TRIM)
