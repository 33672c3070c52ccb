"""Pictures are checked by their images, borders and words, and by what they refuse."""

from __future__ import annotations

import io
import itertools
import math
import os
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle, Wedge
from PIL import Image

from w3an_lite import plots

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (4, 3, 16, 8), dtype=np.uint8)
MAPS = RNG.random((4, 4, 2))
BETA = np.array([0.2, 0.35, 0.5, 0.8])  # thirds between 0.2 and 0.8: 0, 0, 1, 2


def words(figure: Figure) -> list[str]:
    texts = [t for axes in figure.axes for t in axes.texts] + list(figure.texts)
    return [t.get_text() for t in texts if t.get_text()]


def borders(figure: Figure) -> list[Rectangle]:
    return [p for axes in figure.axes for p in axes.patches if p.get_gid() == "border"]


def test_thirds_by_hand() -> None:
    assert plots.thirds(BETA).tolist() == [0, 0, 1, 2]
    assert plots.thirds(BETA, absolute=True).tolist() == [0, 1, 1, 2]
    assert plots.thirds([0.1, 0.2, 0.3, 0.4]).tolist() == [0, 1, 2, 2]  # a border goes up
    assert plots.thirds([0.9, 0.9]).tolist() == [2, 2]  # no range: thirds of [0, 1]
    assert plots.thirds([0.0]).tolist() == [0]
    assert plots.thirds([-1.0, 2.0], absolute=True).tolist() == [0, 2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_thirds_never_fall_as_beta_rises(beta: list[float]) -> None:
    levels = plots.thirds(sorted(beta))
    assert (np.diff(levels) >= 0).all()
    assert levels.min() >= 0
    assert levels.max() <= 2
    if max(beta) - min(beta) > 1e-3:
        assert (levels[0], levels[-1]) == (0, 2)


def test_overlay_blends_and_keeps_a_flat_map_flat() -> None:
    frames = np.full((2, 3, 4, 2), 100, dtype=np.uint8)
    flat = plots.overlay(frames, np.full((2, 2, 1), 1 / 8), opacity=0.5)
    top = np.array(matplotlib.colormaps["inferno"](1.0)[:3]) * 255
    np.testing.assert_allclose(flat[0, :, 0, 0], 50 + top / 2, atol=1)
    assert (flat == flat[:, :, :1, :1]).all()
    np.testing.assert_array_equal(plots.overlay(frames, np.ones((2, 2, 1)), opacity=0), frames)
    # One scale a clip: half the peak in frame 1 is darker than the peak in frame 0.
    maps = np.ones((2, 2, 1)) * np.array([1.0, 0.5])[:, None, None]
    out = plots.overlay(frames, maps).mean(axis=(1, 2, 3))
    assert out[0] > out[1]
    assert (plots.overlay(frames, maps, peak=2.0).mean(axis=(1, 2, 3)) < out).all()
    assert plots.overlay(frames, np.zeros((2, 2, 1))).shape == frames.shape  # no division by 0


def test_overlay_puts_the_peak_in_its_place() -> None:
    maps = np.zeros((1, 4, 2))
    maps[0, 3, 0] = 1
    light = plots.overlay(np.zeros((1, 3, 16, 8), np.uint8), maps)[0].sum(axis=0)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert row >= 12
    assert column < 4


@pytest.mark.parametrize("palette", ["paper", "safe"])
def test_strip_shows_clearness_three_ways(palette: str) -> None:
    figure = plots.attention_strip(FRAMES, MAPS, BETA, title="Clip", palette=palette)
    assert len(figure.axes[0].images) == 4
    edges = borders(figure)
    widths = [e.get_linewidth() for e in edges]
    assert widths[0] == widths[1] < widths[2] < widths[3]
    colours = plots.PALETTES[palette]
    assert [to_hex(e.get_edgecolor()) for e in edges] == [colours[i] for i in (0, 0, 1, 2)]
    texts = words(figure)
    for text in ("Clip", "low 0.20", "low 0.35", "middle 0.50", "high 0.80", "0", "3"):
        assert text in texts


def test_borders_cover_no_picture_and_do_not_meet() -> None:
    figure = plots.attention_strip(FRAMES, MAPS, [0.9, 0.1, 0.9, 0.9], raw=True)
    spans = []
    for edge, image in zip(borders(figure), figure.axes[0].images[4:], strict=True):
        half = edge.get_linewidth() / 2 / 72
        left, right = edge.get_x(), edge.get_x() + edge.get_width()
        assert left + half <= image.get_extent()[0] + 1e-9
        assert right - half >= image.get_extent()[1] - 1e-9
        spans.append((left - half, right + half))
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
    assert spans[0][0] > 0
    assert spans[-1][1] < figure.get_size_inches()[0]


def test_paper_palette_is_yellow_green_red_and_safe_goes_by_lightness() -> None:
    rgb = [np.array(matplotlib.colors.to_rgb(c)) for c in plots.PALETTES["paper"]]
    assert rgb[0][:2].min() > 0.7 > rgb[0][2]
    assert rgb[1].argmax() == 1
    assert rgb[2].argmax() == 0
    safe = np.array([matplotlib.colors.to_rgb(c) for c in plots.PALETTES["safe"]])
    lightness = safe @ [0.2126, 0.7152, 0.0722]
    assert lightness[0] > lightness[1] + 0.2
    assert lightness[1] > lightness[2] + 0.2


def test_raw_row_holds_the_bare_frames() -> None:
    images = plots.attention_strip(FRAMES, MAPS, BETA, raw=True).axes[0].images
    assert len(images) == 8
    np.testing.assert_array_equal(images[2].get_array(), FRAMES[2].transpose(1, 2, 0))
    assert (np.asarray(images[6].get_array()) != FRAMES[2].transpose(1, 2, 0)).any()


def test_grid_rows() -> None:
    rows: list[plots.Row] = [
        ("frames", FRAMES, None, None),
        ("repaired", FRAMES, MAPS, BETA),
        ("paper\nα", FRAMES[:3], MAPS[:3], BETA[::-1][:3]),
    ]
    figure = plots.attention_grid(rows, absolute=True)
    assert len(figure.axes[0].images) == 11
    assert len(borders(figure)) == 7
    texts = words(figure)
    assert {"frames", "repaired", "paper\nα"} <= set(texts)
    assert "middle 0.35" in texts
    assert any("of [0, 1]" in t for t in texts)
    assert not any("border" in t for t in words(plots.attention_grid(rows[:1])))


@pytest.mark.parametrize(
    ("betas", "said"),
    [
        ([BETA], "thirds of the clip's range"),
        ([np.full(4, 0.5)], "thirds of [0, 1]"),
        ([BETA, np.full(4, 0.5)], "thirds of the clip's range or thirds of [0, 1]"),
    ],
)
def test_the_foot_says_what_the_borders_divide(betas: list[np.ndarray], said: str) -> None:
    rows: list[plots.Row] = [(str(k), FRAMES, MAPS, beta) for k, beta in enumerate(betas)]
    foot = f"border: {said} of the number below; thick = high, thin = low"
    assert foot in words(plots.attention_grid(rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": FRAMES[0]}, r"frames is \[3, 16, 8\]; give uint8 \[T, 3, H, W\]"),
        ({"frames": FRAMES.astype(float)}, r"frames is \[4, 3, 16, 8\].*float64"),
        ({"frames": FRAMES[:0]}, r"frames is \[0, 3, 16, 8\]"),
        ({"maps": MAPS[:3]}, r"maps is \[3, 4, 2\]; give \[4, h, w\]"),
        ({"maps": MAPS * math.nan}, "maps hold values that are not finite"),
        ({"beta": BETA[:3]}, r"beta is \[3\]; give \[4\]"),
        ({"beta": [0.1, math.nan, 0.2, 0.3]}, r"beta\[1\] is not a finite number"),
        ({"palette": "grey"}, "palette 'grey' is unknown; choose one of paper, safe"),
        ({"opacity": 2}, "opacity is 2"),
    ],
)
def test_strip_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.attention_strip(**{"frames": FRAMES, "maps": MAPS, "beta": BETA, **change})  # type: ignore[arg-type]


def test_gallery_marks_right_and_wrong_by_sign_and_dashes() -> None:
    items = [
        plots.Ranked(FRAMES, 0.1, True, "track 3"),
        plots.Ranked(FRAMES[:1], 0.25, False),
        plots.Ranked(FRAMES[:, :, :8], 0.5, None, "track 9"),
    ]
    figure = plots.ranked_gallery(FRAMES, items, title="Found")
    texts = words(figure)
    for text in ("Found", "query", "1 ✓", "2 ✗", "3", "track 3\nd 0.100", "d 0.250"):
        assert text in texts
    right, wrong = borders(figure)
    assert right.get_linewidth() > wrong.get_linewidth()
    assert right.get_linestyle() in ("-", "solid")
    assert wrong.get_linestyle() not in ("-", "solid")
    shapes = [image.get_array().shape for image in figure.axes[0].images]
    assert shapes == [(33, 8, 3), (33, 8, 3), (16, 8, 3), (17, 8, 3)]  # two frames and a white row
    with pytest.raises(ValueError, match=r"items\[0\]\.frames is \[2\]"):
        plots.ranked_gallery(FRAMES, [plots.Ranked([1, 2], 0.1)])
    with pytest.raises(ValueError, match="shown=2 of 0 items"):
        plots.ranked_gallery(FRAMES, [])


def test_training_curves() -> None:
    one = plots.training_curves({"total": [3, 2, 1], "triplet": [0.3, 0.2]})
    assert [axes.get_title() for axes in one.axes] == ["total", "triplet"]
    assert one.axes[0].lines[0].get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    runs = plots.training_curves({"a": {"total": [2, 1]}, "b": {"total": [3, 1], "san": [1]}})
    first, second = runs.axes[0].lines
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_marker() != second.get_marker()
    assert [len(axes.lines) for axes in runs.axes] == [2, 1]
    with pytest.raises(ValueError, match=r"log\['total'\] is \[1, 2\]"):
        plots.training_curves({"total": [[1, 2]]})  # type: ignore[list-item]
    with pytest.raises(ValueError, match="no terms"):
        plots.training_curves({})


def test_cmc_curves() -> None:
    figure = plots.cmc_curves({"repaired": [0.5, 0.75, 1.0], "paper": np.linspace(0.4, 1, 20)})
    axes = figure.axes[0]
    legend = [t.get_text() for t in axes.get_legend().get_texts()]
    assert legend == ["repaired (rank-1 0.500)", "paper (rank-1 0.400)"]
    assert axes.get_xticks().tolist() == [1, 5, 10, 15, 20]
    assert axes.lines[0].get_marker() != axes.lines[1].get_marker()
    with pytest.raises(ValueError, match=r"curves\['x'\] is \[1, 2\]"):
        plots.cmc_curves({"x": [[0.1, 0.2]]})
    with pytest.raises(ValueError, match="no curves"):
        plots.cmc_curves({})


def test_knn_graph() -> None:
    adjacency = np.eye(4)
    adjacency[0, 1] = adjacency[1, 0] = 0.5
    adjacency[1, 2] = 1.0  # one way only: still drawn
    figure = plots.knn_graph(adjacency, BETA, [1, 1, 0.25, 0], title="Graph")
    axes = figure.axes[0]
    discs = [p for p in axes.patches if isinstance(p, Circle)]
    slices = [p for p in axes.patches if isinstance(p, Wedge)]
    assert len(discs) == 4
    assert len(axes.lines) == 2
    assert [d.radius for d in discs] == sorted(d.radius for d in discs)
    assert [s.theta2 - s.theta1 for s in slices] == [0, 0, 270, 360]
    assert axes.lines[0].get_linewidth() < axes.lines[1].get_linewidth()
    assert [d.get_linestyle() in ("--", "dashed") for d in discs] == [False] * 3 + [True]
    texts = words(figure)
    assert "t=3 alone\nβ 0.80 high\nvisible 0.00" in texts
    assert "t=0\nβ 0.20 low\nvisible 1.00" in texts
    assert any("thirds of the clip's range" in t for t in texts)
    even = words(plots.knn_graph(adjacency, [0.5] * 4))
    assert any("thirds of [0, 1]" in t for t in even)
    assert any("no frame has a neighbour" in t for t in words(plots.knn_graph(np.eye(1), [0.5])))
    with pytest.raises(ValueError, match=r"adjacency is \[4, 3\]; give \[T, T\]"):
        plots.knn_graph(adjacency[:, :3], BETA)
    with pytest.raises(ValueError, match=r"visibility is \[3\]; give \[4\]"):
        plots.knn_graph(adjacency, BETA, [1, 1, 1])


def test_beta_bars() -> None:
    figure = plots.beta_bars(BETA, [0.1, 0.3, 0.6, 0.9], palette="safe")
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == BETA.tolist()
    hatches = [bar.get_hatch() or "" for bar in axes.patches]
    assert hatches[0] == hatches[1]
    assert len(set(hatches)) == 3
    assert axes.lines[0].get_ydata().tolist() == [0.1, 0.3, 0.6, 0.9]
    assert [t.get_text() for t in axes.get_xticklabels()][3] == "3\n0.80"
    with pytest.raises(ValueError, match=r"beta is \[2, 2\]"):
        plots.beta_bars(BETA.reshape(2, 2))


def test_bars_with_error() -> None:
    figure = plots.bars_with_error(["paper", "repaired"], [-6.1, 78.25], [1.2, 3.0], label="mAP")
    assert words(figure) == ["−6.1 ± 1.2", "78.2 ± 3.0", "mAP"]
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["paper", "repaired"]
    ends = axes.collections[0].get_segments()
    np.testing.assert_allclose([end[:, 0] for end in ends], [[-7.3, -4.9], [75.25, 81.25]])
    with pytest.raises(ValueError, match=r"means is \[1\]; give \[2\]"):
        plots.bars_with_error(["a", "b"], [1], [1, 2])
    one = plots.bars_with_error(["a", "b"], [-2.0, 3.0], [np.nan, 1.0])  # one seed has no spread
    assert words(one) == ["−2.00", "3.00 ± 1.00"]
    assert len(one.axes[0].collections[0].get_segments()) == 1


LONG = "a title that says what is to be seen, of whom, by which model, and after how many epochs"


@pytest.mark.parametrize(
    "figure",
    [
        plots.bars_with_error(
            ["a row that has a long name"] * 3, [-40, 1, 9.0], [30, 1, 9.0], title=LONG,
            label="points of mAP above or below the row of that name; ±: 95% interval",
        ),
        plots.bars_with_error(["-"], [0.0], [math.nan], title=LONG),
        plots.beta_bars(BETA, title=LONG),
        plots.cmc_curves({"a": [0.5, 1.0]}, LONG),
        plots.knn_graph(np.ones((4, 4)), BETA, title=LONG),
        plots.ranked_gallery(FRAMES, [plots.Ranked(FRAMES, 0.5, True)], title=LONG),
        plots.training_curves({"loss": [2.0, 1.0]}, LONG),
    ],
    ids=["bars", "no bar", "beta", "cmc", "graph", "gallery", "curves"],
)  # fmt: skip
def test_no_word_runs_off_the_picture(figure: Figure) -> None:
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    texts = [t for axes in figure.axes for t in (*axes.texts, axes.title, axes.xaxis.label)]
    for text in [*texts, *figure.texts]:
        box = text.get_window_extent()
        if text.get_text():
            assert min(box.x0, box.y0) >= -0.5, text
            assert (box.x1, box.y1) <= (width + 0.5, height + 0.5), text


def test_words_of_bars_lie_beside_no_axis() -> None:
    figure = plots.bars_with_error(["one", "two"], [-6.13, 4.2], [5.35, 3.1])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    frame = axes.get_window_extent()
    for text in axes.texts:
        box = text.get_window_extent()
        assert frame.x0 + 8 < box.x0 < box.x1 < frame.x1  # or a minus looks like a tick


def test_every_run_has_its_line_in_the_legend() -> None:
    runs = {"one": {"loss": [3.0, 2.0], "san": [1.0, 1.0]}, "two": {"san": [0.5, 0.4]}}
    figure = plots.training_curves(runs)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["one", "two"]


def test_a_line_of_spread_that_reaches_below_zero_is_not_cut_off() -> None:
    def left(spread: float) -> float:
        return plots.bars_with_error(["row"], [10.7], [spread]).axes[0].get_xlim()[0]

    assert left(12.7) < -2
    assert left(3.0) == 0


def every_picture() -> dict[str, Figure]:
    return {
        "strip": plots.attention_strip(FRAMES, MAPS, BETA, title="A title wider than one frame"),
        "one frame": plots.attention_strip(FRAMES[:1], MAPS[:1], BETA[:1], raw=True),
        "gallery": plots.ranked_gallery(FRAMES, [plots.Ranked(FRAMES, 1, True, "a\nlabel")] * 3),
        "curves": plots.training_curves({"total": [1, 2]}, title="Run"),
        "cmc": plots.cmc_curves({"a": [0.5, 1]}),
        "graph": plots.knn_graph(np.ones((4, 4)), BETA, BETA),
        "beta": plots.beta_bars(BETA, BETA),
        "bars": plots.bars_with_error(["a long name of a row"], [-1], [2]),
    }


@pytest.mark.parametrize("name", list(every_picture()))
def test_words_stay_inside_and_apart(name: str) -> None:
    figure = every_picture()[name]
    figure.savefig(io.BytesIO(), format="png")  # lays it out
    frame = figure.bbox.padded(0.5)
    texts = [t for axes in figure.axes for t in axes.texts] + list(figure.texts)
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text()]
    for i, (text, box) in enumerate(boxes):
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1, text
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1, text
        for other, second in boxes[i + 1 :]:
            assert not box.overlaps(second), (text, other)


def test_pyplot_holds_nothing_and_a_notebook_shows_it() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    for figure in every_picture().values():
        assert isinstance(figure, plots.Picture)
        assert figure._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == before


def test_png_is_stable_and_dated_by_nothing(tmp_path: Path) -> None:
    first, second = (plots.attention_strip(FRAMES, MAPS, BETA) for _ in range(2))
    assert plots.to_png(first) == plots.to_png(second) == plots.to_png(first)
    fast = plots.to_png(first, compression=1)
    images = [np.asarray(Image.open(io.BytesIO(b))) for b in (fast, plots.to_png(first))]
    np.testing.assert_array_equal(images[0], images[1])
    path = plots.save(first, tmp_path / "a.png", dpi=50)
    with Image.open(path) as image:
        assert set(image.info) <= {"dpi"}
        assert image.width == pytest.approx(first.get_size_inches()[0] * 50, abs=1)


def test_save_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = plots.cmc_curves({"a": [1.0]})
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            plots.save(figure, path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", fail)
        with pytest.raises(OSError, match="disk full"):
            plots.save(figure, path)
    assert path.read_bytes() == b"old"
    plots.save(figure, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(ValueError, match=r"a\.jpg does not end in \.png"):
        plots.save(figure, tmp_path / "a.jpg")
    plots.save(figure, tmp_path / "new" / "b.png")
    with pytest.raises(OSError, match=r"b\.png could not be written .*choose another place"):
        plots.save(figure, path / "b.png")
