"""One crop and one flip a clip; what is pasted over is known to the pixel."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from w3an_lite.data.augment import Augment, exchange_surroundings, paste, random_boxes, recolour


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def places() -> Tensor:
    """Clips [6, 2, 3, 12, 9] whose channels tell frame, row and column of every pixel."""
    out = torch.zeros(6, 2, 3, 12, 9, dtype=torch.uint8)
    out[:, :, 0] = torch.arange(12).view(6, 2, 1, 1).to(torch.uint8)
    out[:, :, 1] = torch.arange(12).view(12, 1).to(torch.uint8)
    out[:, :, 2] = torch.arange(9).to(torch.uint8)
    return out


@pytest.fixture
def noise() -> Tensor:
    return torch.randint(0, 256, (40, 5, 3, 32, 16), dtype=torch.uint8)


ALL = Augment(crop=(24, 12), pad=2, flip=0.5, erase=0.5, paste=0.5)


def test_the_generator_decides_everything(noise: Tensor) -> None:
    before = noise.clone()
    one = ALL(noise, seeded(3))
    torch.manual_seed(99)
    two, other = ALL(noise, seeded(3)), ALL(noise, seeded(4))
    assert torch.equal(one.frames, two.frames)
    assert torch.equal(one.covered, two.covered)
    assert not torch.equal(one.frames, other.frames)
    assert torch.equal(noise, before)
    assert one.frames.shape == (40, 5, 3, 24, 12)
    assert one.frames.dtype == torch.uint8
    assert one.covered.shape == (40, 5, 24, 12)
    assert one.covered.dtype == torch.bool


def test_without_arguments_nothing_happens(noise: Tensor) -> None:
    frames, covered, _ = Augment()(noise, seeded())
    assert torch.equal(frames, noise)
    assert not covered.any()


@pytest.mark.parametrize("pad", [0, 2])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_crop_is_a_window_shared_by_the_clip(places: Tensor, pad: int, flip: float) -> None:
    frames, covered, _ = Augment(crop=(8, 5), pad=pad, flip=flip)(places, seeded())
    assert frames.shape == (6, 2, 3, 8, 5)
    assert frames.is_contiguous()
    assert not covered.any()
    assert torch.equal(frames[:, :, 0, 0, 0], places[:, :, 0, 0, 0])  # no clip or frame swapped
    assert torch.equal(frames[:, 0, 1:], frames[:, 1, 1:])  # one window for both frames
    tops = set()
    for clip in frames[:, 0].long():
        rows, columns = clip[1], clip[2]
        if flip:
            columns = columns.flip(1)
        assert (rows == rows[:, :1]).all()
        assert (columns == columns[:1]).all()
        down, across = rows[:, 0], columns[0]
        if pad == 0:
            assert (down.diff() == 1).all()
            assert (across.diff() == 1).all()
        else:  # the edge is repeated
            for line, last in ((down, 11), (across, 8)):
                steps = line.diff()
                assert (
                    (steps == 1) | ((steps == 0) & ((line[1:] == 0) | (line[1:] == last)))
                ).all()
        tops.add(int(down[0]))
    assert len(tops) > 1  # the clips have windows of their own


def test_each_frame_has_a_window_of_its_own_if_asked_for(places: Tensor) -> None:
    frames, *_ = Augment(crop=(8, 5), flip=0.5, per_frame=True)(places, seeded())
    assert frames.shape == (6, 2, 3, 8, 5)
    corners, mirrored = frames[:, :, 1:, 0, 0], frames[:, :, 2, 0, 0] > frames[:, :, 2, 0, 1]
    assert (corners[:, 0] != corners[:, 1]).any()  # within a clip
    assert (mirrored[:, 0] != mirrored[:, 1]).any()
    one = places.flatten(0, 1).unsqueeze(1)  # as if every frame were a clip
    alone, *_ = Augment(crop=(8, 5), flip=0.5)(one, seeded())
    assert torch.equal(frames.flatten(0, 1), alone[:, 0])


def test_windows_reach_every_place(places: Tensor) -> None:
    many = places[:1].expand(600, -1, -1, -1, -1)
    frames, *_ = Augment(crop=(10, 7))(many, seeded())
    corners = frames[:, 0, 1:, 0, 0]
    assert {tuple(c) for c in corners.tolist()} == {(y, x) for y in range(3) for x in range(3)}


def test_a_share_of_the_clips_is_mirrored(places: Tensor) -> None:
    many = places[:1].expand(2000, -1, -1, -1, -1)
    frames, *_ = Augment(flip=0.3)(many, seeded())
    mirrored = (frames == many.flip(-1)).flatten(1).all(1)
    plain = (frames == many).flatten(1).all(1)
    assert (mirrored ^ plain).all()
    assert 0.25 < mirrored.float().mean() < 0.35


def test_pasting_changes_covered_pixels_only(noise: Tensor) -> None:
    frames, covered, _ = Augment(paste=0.5)(noise, seeded())
    differs = (frames != noise).any(2)
    assert not (differs & ~covered).any()
    # over noise nearly every pasted pixel differs; a frame may be pasted on itself, hence not all
    assert differs[covered].float().mean() > 0.9
    touched = covered.flatten(2).any(2)
    assert 0.4 < touched.float().mean() < 0.6
    much = covered[touched].float().mean((-2, -1))
    assert much.min() > 0.02
    assert much.max() < 1
    assert much.std() > 0.1


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 1)])
def test_all_or_none_are_pasted_over(noise: Tensor, share: float, expected: int) -> None:
    _, covered = paste(noise, share, seeded())
    assert covered.flatten(2).any(2).float().mean() == expected


def test_pasted_pixels_come_from_the_batch() -> None:
    """Every frame one colour of its own: what is pasted has colours of the batch."""
    colour = torch.arange(12, dtype=torch.uint8).view(4, 3, 1, 1, 1).expand(4, 3, 3, 16, 8) * 20
    frames, covered, _ = Augment(paste=1)(colour, seeded())
    assert set(frames.unique().tolist()) <= {20 * k for k in range(12)}
    assert covered.flatten(2).any(2).all()


def test_erasing_fills_boxes_with_the_mean_colour(noise: Tensor) -> None:
    frames, covered, _ = Augment(erase=0.4)(noise, seeded())
    assert not covered.any()  # erased is not pasted over
    mean = noise.float().mean((-2, -1), keepdim=True).to(torch.uint8)
    differs = (frames != noise).any(2)
    assert torch.equal(frames, torch.where(differs.unsqueeze(2), mean.expand_as(noise), noise))
    touched = differs.flatten(2).any(2)
    assert 0.3 < touched.float().mean() < 0.5


def test_boxes_have_the_sides_asked_for() -> None:
    frames = torch.zeros(50, 4, 3, 40, 40, dtype=torch.uint8)
    boxes = random_boxes(frames, 1.0, seeded(), low=0.2, high=0.4)
    high, wide = boxes.any(3).sum(2), boxes.any(2).sum(2)
    assert torch.equal(boxes.sum((2, 3)), high * wide)  # rectangles
    for side in (high, wide):
        assert side.max() <= 17
        assert side.min() >= 4  # a box at the edge loses half of a side
    assert not random_boxes(frames, 0.0, seeded(), 0.2, 0.4).any()


@pytest.mark.parametrize("name", ["flip", "colour", "erase", "paste", "surround"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_chances_lie_between_0_and_1(name: str, value: float) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name} is .*a chance, from 0 to 1"):
        Augment(**arguments)


def test_a_crop_larger_than_the_frame_is_named(noise: Tensor) -> None:
    with pytest.raises(ValueError, match=r"40×16 does not fit frames of 32×16 with pad 2"):
        Augment(crop=(40, 16), pad=2)(noise, seeded())
    assert Augment(crop=(36, 20), pad=2)(noise, seeded()).frames.shape[-2:] == (36, 20)


def test_surroundings_are_exchanged_about_a_middle_that_stays() -> None:
    frames = torch.randint(0, 256, (3, 4, 3, 32, 16), dtype=torch.uint8)
    out, covered, foreign = Augment(surround=1)(frames, torch.Generator().manual_seed(1))
    assert not covered.any()
    assert not foreign[..., 12:20, 6:10].any()  # the middle
    assert foreign[..., 0, 0].all()  # the corner
    kept = ~foreign.unsqueeze(2).expand_as(frames)
    torch.testing.assert_close(out[kept], frames[kept])


def test_what_is_pasted_over_is_foreign_too() -> None:
    frames = torch.randint(0, 256, (3, 4, 3, 32, 16), dtype=torch.uint8)
    out, covered, foreign = Augment(paste=0.7, surround=0.7)(
        frames, torch.Generator().manual_seed(1)
    )
    assert covered.any()
    assert bool((foreign | ~covered).all())
    assert not torch.equal(foreign, covered)
    kept = ~foreign.unsqueeze(2).expand_as(frames)
    torch.testing.assert_close(out[kept], frames[kept])


def test_colour_brightens_or_darkens_a_whole_clip() -> None:
    frames = torch.full((2, 3, 3, 8, 4), 100, dtype=torch.uint8)
    out = Augment(colour=0.2)(frames, torch.Generator().manual_seed(1)).frames
    assert bool(((out >= 80) & (out <= 120)).all())
    assert torch.equal(out, out[:, :1, :, :1, :1].expand_as(out))  # one factor a clip and channel
    assert len(out[:, 0, :, 0, 0].unique()) > 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_so_many_frames_get_other_surroundings(share: float) -> None:
    frames = torch.randint(0, 256, (100, 6, 3, 16, 8), dtype=torch.uint8)
    _, foreign = exchange_surroundings(frames, share, seeded(2))
    assert foreign.flatten(2).any(-1).float().mean() == pytest.approx(share, abs=0.06)


def test_colour_casts_darkens_and_ends_at_white() -> None:
    frames = torch.full((200, 1, 3, 1, 1), 240, dtype=torch.uint8)
    out = recolour(frames, 0.2, torch.Generator().manual_seed(0))[:, 0, :, 0, 0].int()
    assert out.min() >= 192  # what is too bright is white, not dark
    assert out.min() < 200
    assert (out == 255).any()
    assert (out[:, 0] != out[:, 1]).any()  # a cast, not light alone


def test_pasting_comes_last() -> None:
    frames = torch.randint(0, 256, (3, 4, 3, 32, 16), dtype=torch.uint8)
    got = Augment(paste=1, surround=1)(frames, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    around, _ = exchange_surroundings(frames, 1, generator)
    over, covered = paste(around, 1, generator)
    assert torch.equal(got.frames, over)
    assert torch.equal(got.covered, covered)


def test_every_window_comes_plain_and_mirrored() -> None:
    places = torch.arange(9, dtype=torch.uint8).expand(4000, 1, 3, 4, 9)
    frames = Augment(crop=(4, 7), pad=1, flip=0.5)(places, torch.Generator().manual_seed(0)).frames
    ends = frames[:, 0, 0, 0, [0, -1]].tolist()
    windows = {(0, 5), (0, 6), (1, 7), (2, 8), (3, 8)}  # the edge is repeated
    assert {(a, b) for a, b in ends if a < b} == windows  # plain and mirrored alike
    assert {(b, a) for a, b in ends if a > b} == windows


def _kinds(covered: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which of masks `[n, H, W]` are bars of full height, boxes, and neither: bool `[n]` each."""
    rows, columns = covered.any(2), covered.any(1)
    rectangle = covered.sum((1, 2)) == rows.sum(1) * columns.sum(1)
    bar = rectangle & rows.all(1)
    return bar, rectangle & ~bar, ~rectangle


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_bars_boxes_and_people_are_pasted_alike_often(share: float) -> None:
    _, covered = paste(torch.zeros(300, 4, 3, 64, 32, dtype=torch.uint8), share, seeded())
    covered = covered.flatten(0, 1)
    covered = covered[covered.any(2).any(1)]
    assert len(covered) == pytest.approx(1200 * share, abs=50)
    for kind in _kinds(covered):
        assert kind.float().mean() == pytest.approx(1 / 3, abs=0.06)


def test_pasted_shapes_are_of_the_sizes_and_at_the_places_told() -> None:
    """In pixels of 64 × 32, where no edge cuts them: bars 5-19 wide, boxes 10-38 × 19-64."""
    _, covered = paste(torch.zeros(800, 4, 3, 64, 32, dtype=torch.uint8), 1.0, seeded())
    covered = covered.flatten(0, 1)
    bar, box, person = _kinds(covered)
    free = ~(covered[..., 0].any(1) | covered[..., -1].any(1))
    whole = free & ~(covered[:, 0].any(1) | covered[:, -1].any(1))
    wide, high = covered.any(1).sum(1), covered.any(2).sum(1)
    assert 4 <= wide[bar & free].min() < 7
    assert 17 < wide[bar & free].max() <= 20
    assert 9 <= wide[box & free].min() < 13
    assert wide[box].max() > 20
    assert 18 <= high[box & whole].min() < 24
    assert 36 < high[box & whole].max() <= 64
    assert 11 <= wide[person & free].min() < 14
    assert 17 < wide[person & free].max() <= 20  # an upright ellipse
    assert (high[person] >= 32).all()
    lowest = 63 - covered.any(2).flip(1).float().argmax(1)
    assert len(lowest[person].unique()) > 8  # some stand nearer than others
    assert len(covered.any(1).float().argmax(1)[bar].unique()) > 10


def test_pasted_people_are_the_middle_of_another_frame() -> None:
    columns = torch.arange(32, dtype=torch.uint8).expand(100, 4, 3, 64, 32).contiguous()
    frames, covered = paste(columns, 1.0, seeded())
    frames, covered = frames.flatten(0, 1)[:, 0], covered.flatten(0, 1)
    person = _kinds(covered)[2]
    free = person & ~(covered[..., 0].any(1) | covered[..., -1].any(1))
    assert free.sum() > 30
    for frame, mask in zip(frames[free].float(), covered[free], strict=True):
        place = torch.arange(32.0).expand(64, 32)[mask]
        assert (place - place.mean()).mean().abs() < 1
        assert frame[mask].mean() == pytest.approx(15.5, abs=1.1)  # wherever it stands
    assert len({int(m.any(0).float().argmax()) for m in covered[free]}) > 5


def test_bars_and_boxes_are_striped_in_two_colours_or_cut_from_a_frame() -> None:
    frames = torch.randint(0, 256, (150, 4, 3, 32, 16), dtype=torch.uint8)
    out, covered = paste(frames, 1.0, seeded())
    out, covered = out.flatten(0, 1).permute(0, 2, 3, 1), covered.flatten(0, 1)
    colours = torch.tensor([len(p[m].unique(dim=0)) for p, m in zip(out, covered, strict=True)])
    bar, box, person = _kinds(covered)
    assert (colours[person] > 20).all()
    for kind in (bar, box):
        assert (colours[kind] <= 2).float().mean() == pytest.approx(0.5, abs=0.12)
    striped = (colours <= 2) & (bar | box)
    assert (colours[striped] == 2).float().mean() > 0.9


def test_surroundings_are_those_of_another_frame_about_an_ellipse_of_any_width() -> None:
    """Half to four fifths of the width is kept in the middle row, whatever the share."""
    frames = torch.arange(200, dtype=torch.uint8)[:, None, None, None, None]
    frames = frames.expand(200, 1, 3, 64, 40).contiguous()
    out, outside = exchange_surroundings(frames, 0.5, seeded())
    touched = outside[:, 0].any(2).any(1)
    changed = (out != frames).flatten(1).any(1)
    assert changed[touched].float().mean() > 0.95
    kept = (~outside[touched, 0, 32]).sum(1)
    assert 19 <= kept.min() < 22
    assert 30 < kept.max() <= 33
    assert (~outside[touched, 0, :, 20]).sum(1).min() == 64  # the person from head to foot


def test_what_is_erased_is_a_box_of_at_most_two_fifths() -> None:
    frames = torch.randint(0, 256, (60, 4, 3, 40, 20), dtype=torch.uint8)
    out = Augment(erase=1.0)(frames, seeded()).frames
    erased = (out != frames).any(2).flatten(0, 1)
    for side, most in ((erased.any(2).sum(1), 16), (erased.any(1).sum(1), 8)):
        assert side.max() in (most - 1, most)
        assert side.min() <= most // 2


def test_what_is_pasted_is_of_another_frame() -> None:
    """Bars, boxes and people alike, where every frame has a colour of its own."""
    own = torch.arange(200, dtype=torch.uint8)[:, None, None, None, None]
    own = own.expand(200, 1, 3, 32, 16).contiguous()
    out, covered = paste(own, 1.0, seeded())
    differs = (out != own).any(2)
    assert torch.equal(differs, covered & differs)
    assert differs.flatten(1).any(1).float().mean() > 0.95
