"""Where drawn people walk: a camera's light and optics, and the wide static scene behind them.

A camera depends on (seed, domain, camera), its scene on these and the size. Neither knows who walks
there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from w3an_lite.data.draws import Draws, noise_table
from w3an_lite.data.figure import HEIGHT, SUB, WIDTH, Canvas
from w3an_lite.data.labels import mixed, shifted
from w3an_lite.data.wardrobe import COLOURS, Colour

SCENE_WIDTH = 7 * WIDTH
"""Scene units from end to end of what a camera watches."""
Maker = Callable[[Colour], int]
"""Takes a colour into a scene's palette and gives its label."""
_LANES = 10  # bits of a colour channel in a packed pixel: four sub-pixels of 255 fit


@dataclass(frozen=True)
class Camera:
    """How a camera sees. Gains are 256ths, scale and shear as in `Placing`."""

    scale: int
    shear: int
    gains: tuple[int, int, int]
    lift: int  # level of black
    bend: int  # curvature of the response, 256ths; positive brightens the middle
    blur: int  # passes of a 3 x 3 binomial filter for 64 rows
    blocks: int  # side, in pixels of a crop of 64 rows, of the blocks that share one hue
    noise: int  # 256ths of the table's deviation


def camera(seed: int, domain: str, number: int) -> Camera:
    """Camera `number`. Neighbouring numbers alternate between warm and cool, and bright and dim."""
    draws = Draws(seed, domain, "camera", number)
    cast = draws.between(10, 22) * (1 if number % 2 else -1)
    light = draws.between(236, 262) if number % 4 in (1, 2) else draws.between(196, 222)
    still = domain == "stills"
    if still:
        cast, light = cast // 2, draws.between(230, 280)
    return Camera(
        scale=draws.between(3420, 3560) - (160 if number % 2 else 0),
        shear=draws.between(80, 300) * (1 if number % 3 else -1),
        gains=(light * (256 + cast) // 256, light, light * (256 - cast) // 256),
        lift=draws.between(0, 18) + (14 if still else 0),
        bend=draws.between(8, 36) * (1 if number % 2 else -1),
        blur=0 if still else int(number % 2 == 0),
        blocks=2,
        noise=draws.between(30, 70) if still else draws.between(14, 36),
    )


def response(camera: Camera, light: int) -> NDArray[np.uint8]:
    """The level `[3, 1021]` a camera gives for four times a colour's level; light in 256ths."""
    level = np.arange(4 * 255 + 1, dtype=np.int64)
    out = np.empty((3, len(level)), dtype=np.uint8)
    for channel, gain in enumerate(camera.gains):
        v = np.clip(level * gain * light // (4 * 256 * 256), 0, 255)
        v = v + camera.bend * v * (255 - v) // (255 * 256)
        out[channel] = np.clip(camera.lift + v * (255 - camera.lift) // 255, 0, 255)
    return out


def pack(colours: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Colours `[..., 3]` of 0-255 as one number each; up to four may be added without a carry."""
    r, g, b = (colours[..., k] << (_LANES * k) for k in range(3))
    return (r | g | b).astype(np.uint32)


def unpack(packed: NDArray[np.uint32], channel: int) -> NDArray[np.uint32]:
    """One channel of sums of packed colours, 0 to 1020."""
    return (packed >> np.uint32(_LANES * channel)) & np.uint32((1 << _LANES) - 1)


def quads(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Sums over the sub-pixels of each pixel: `[..., 2H, 2W]` to `[..., H, W]`."""
    rows = values[..., 0::SUB, :] + values[..., 1::SUB, :]
    return rows[..., 0::SUB] + rows[..., 1::SUB]


@lru_cache(maxsize=32)
def background(seed: int, domain: str, number: int, size: tuple[int, int]) -> NDArray[np.uint32]:
    """A camera's scene, packed colours `[H + 2 (H // 8), W * 7]`; read only."""
    draws = Draws(seed, domain, "scene", number)
    canvas = Canvas(1, size, margin=(size[0] // 8, 0))
    canvas.wide(SCENE_WIDTH)
    colours: list[Colour] = [(0, 0, 0)]

    def new(colour: Colour) -> int:
        colours.append(colour)
        return len(colours) - 1

    (_indoors if domain == "stills" else _street)(canvas, draws, new)
    table = np.zeros((256, 3), dtype=np.int64)
    table[: len(colours)] = colours
    summed = quads(pack(table)[canvas.label[0]])
    rgb = np.stack([unpack(summed, k).astype(np.int64) // 4 for k in range(3)], -1)
    rgb = np.clip(rgb + _texture(draws, rgb.shape[0], rgb.shape[1], size)[..., None], 0, 255)
    packed = pack(rgb)
    packed.setflags(write=False)
    return packed


def _texture(draws: Draws, rows: int, columns: int, size: tuple[int, int]) -> NDArray[np.int64]:
    """Roughness of two grains, the same places at any size."""
    out = np.zeros((rows, columns), dtype=np.int64)
    for grain, share in ((256, 3), (64, 3)):
        y = np.arange(rows, dtype=np.int64) * HEIGHT // (size[0] * grain)
        x = np.arange(columns, dtype=np.int64) * WIDTH // (size[1] * grain)
        at = (y[:, None] * 1021 + x[None, :] + draws.below(1 << 18)) % (1 << 18)
        out += noise_table()[at].astype(np.int64) * share // 16
    return out


def _street(canvas: Canvas, draws: Draws, new: Maker) -> None:
    """Sky, houses with windows and shop fronts, trees, posters, parked cars, a pavement."""
    low, high = -HEIGHT // 4, HEIGHT * 5 // 4
    horizon = draws.between(2300, 2750)
    canvas.box(0, low, SCENE_WIDTH, high, new(draws.pick(((168, 190, 214), (202, 206, 210)))))
    colours = tuple(COLOURS.values())
    x = -400
    while x < SCENE_WIDTH:
        wide, top = draws.between(1100, 2600), draws.between(low, 500)
        wall = mixed(draws.pick(colours), (176, 164, 150), draws.between(35, 75))
        canvas.box(x, top, x + wide, horizon, new(wall))
        glass = new(shifted(mixed(wall, (60, 80, 110), 55), draws.between(-30, 40)))
        step_x, step_y = draws.between(360, 560), draws.between(480, 700)
        for wx in range(x + 140, x + wide - 240, step_x):
            for wy in range(top + 160, horizon - 1000, step_y):
                canvas.box(wx, wy, wx + step_x // 2, wy + step_y * 3 // 5, glass)
        if draws.chance(60):  # a shop front and its sign
            shop = draws.pick(colours)
            canvas.box(x + 80, horizon - 800, x + wide - 80, horizon, new(mixed(shop, wall, 30)))
            sign = new(draws.pick(colours))
            canvas.box(x + 80, horizon - 980, x + wide - 80, horizon - 780, sign)
            door = new(shifted(wall, -70))
            canvas.box(x + wide // 3, horizon - 620, x + wide // 3 + 300, horizon, door)
        x += wide
    ground = draws.pick(((124, 122, 120), (150, 142, 130), (104, 108, 104)))
    canvas.box(0, horizon, SCENE_WIDTH, high, new(ground))
    joint = new(shifted(ground, -26))
    depth = 90
    y = horizon + 60
    while y < high:
        canvas.box(0, y, SCENE_WIDTH, y + depth // 5, joint)
        y, depth = y + depth * 3, depth * 5 // 4
    for k in range(0, SCENE_WIDTH, 620):
        canvas.limb(
            np.array([k]), horizon, 12, np.array([k * 2 - SCENE_WIDTH // 2]), high, 40, joint
        )
    for _ in range(7):
        _tree(canvas, draws, new, horizon)
    for _ in range(8):  # posters, bins and boxes at a walker's height
        px, wide = draws.below(SCENE_WIDTH), draws.between(240, 620)
        top = draws.between(1200, 2500)
        canvas.box(px, top, px + wide, top + draws.between(500, 1000), new(draws.pick(colours)))
        inner = draws.between(40, 160)
        canvas.box(
            px + 60, top + inner, px + wide - 60, top + inner + 200, new(draws.pick(colours))
        )
    for _ in range(5):
        _car(canvas, draws, new, horizon)


def _tree(canvas: Canvas, draws: Draws, new: Maker, horizon: int) -> None:
    x, top = draws.below(SCENE_WIDTH), draws.between(0, 1200)
    trunk = new((84 + draws.below(30), 66, 48))
    canvas.box(x - 70, top, x + 70, horizon + 150, trunk)
    leaves = (52 + draws.below(40), 100 + draws.below(50), 46)
    for _ in range(4):
        cx, cy = x + draws.between(-420, 420), top + draws.between(-420, 300)
        r = draws.between(260, 480)
        canvas.ellipse(cx, cy, r, r, new(shifted(leaves, draws.between(-22, 22))))


def _car(canvas: Canvas, draws: Draws, new: Maker, horizon: int) -> None:
    x, y = draws.below(SCENE_WIDTH), horizon + draws.between(100, 500)
    body = new(draws.pick(tuple(COLOURS.values())))
    canvas.ellipse(x, y - 560, 620, 420, body)
    canvas.ellipse(x, y - 600, 520, 300, new((70, 86, 100)))
    canvas.box(x - 1000, y - 580, x + 1000, y - 100, body)
    tyre = new((24, 24, 26))
    for side in (-600, 600):
        canvas.ellipse(x + side, y - 90, 210, 210, tyre)


def _indoors(canvas: Canvas, draws: Draws, new: Maker) -> None:
    """A mall from above: a pale shining floor, counters, shelves, pillars."""
    low, high = -HEIGHT // 4, HEIGHT * 5 // 4
    floor = draws.pick(((206, 202, 194), (190, 196, 200), (198, 188, 176)))
    canvas.box(0, low, SCENE_WIDTH, high, new(floor))
    line = new(shifted(floor, -16))
    for y in range(low, high, 520):
        canvas.box(0, y, SCENE_WIDTH, y + 26, line)
    for x in range(-SCENE_WIDTH, SCENE_WIDTH, 700):
        canvas.limb(np.array([x + 900]), low, 12, np.array([x]), high, 16, line)
    for _ in range(16):
        x, wide = draws.below(SCENE_WIDTH), draws.between(500, 1500)
        top, tall = draws.between(low, 700), draws.between(400, 1300)
        colour = mixed(draws.pick(tuple(COLOURS.values())), floor, draws.between(30, 70))
        canvas.box(x, top, x + wide, top + tall, new(colour))
        goods = new(draws.pick(tuple(COLOURS.values())))
        for gx in range(x + 60, x + wide - 140, 260):
            canvas.box(gx, top + 80, gx + 140, top + tall // 2, goods)
    for _ in range(6):  # reflections on the floor
        x, y = draws.below(SCENE_WIDTH), draws.between(1800, high)
        canvas.ellipse(
            x, y, draws.between(300, 800), draws.between(60, 140), new(shifted(floor, 26))
        )
