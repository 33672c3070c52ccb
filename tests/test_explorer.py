"""The explorer says what the model says, and a sentence where something is wrong."""

from __future__ import annotations

from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from w3an_lite.clip_view import ClipView
from w3an_lite.data.attributes import NAMES
from w3an_lite.data.tracklet import ArrayFrames, FileFrames, Tracklet
from w3an_lite.live import Live
from w3an_lite.model import W3AN
from w3an_lite.widgets import explore


def tracklet(identity: int = 1, camera: int = 1, frames: int = 7) -> Tracklet:
    rng = np.random.default_rng([identity, camera])
    pixels = rng.integers(0, 256, (frames, 3, 32, 16), dtype=np.uint8)
    return Tracklet(ArrayFrames(pixels), identity, camera, f"{identity}/{camera}")


def small(attributes: int = 67, scores: str = "channel") -> W3AN:
    torch.manual_seed(0)
    options = {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16), "clip_length": 4}
    options |= {"attributes": attributes, "scores": scores}
    return W3AN.preset("repaired", 3, **options).eval()


@pytest.fixture
def model() -> W3AN:
    return small()


@pytest.fixture
def live(model: W3AN) -> Live:
    return explore(model, tracklet(), [tracklet(1, 2), tracklet(2, 1), tracklet(2, 2)])


def test_it_says_beta_and_neighbours_as_the_model_does(model: W3AN, live: Live) -> None:
    look = ClipView(model, tracklet()).look()
    for frame in range(4):
        said = live.set(frame=frame)
        assert said.startswith(f"Frame {frame}: β {look.beta[frame]:.2f}, ")
        with_ = look.joined[frame].nonzero()[:, 0].tolist()
        assert f"; joined to {', '.join(map(str, with_)) or 'no frame'}." in said


def test_covering_changes_beta_picture_and_table(model: W3AN, live: Live) -> None:
    before, table = bytes(live.picture.value), live.table.value
    said = live.set(frame=2, cover="one", rows=(0, 50))
    look = ClipView(model, tracklet()).look((2,), (0.0, 0.5, 0.0, 1.0))
    assert f"β {look.beta[2]:.2f}" in said
    assert live.picture.value != before
    assert live.table.value.count("<td>yes</td>") == 1 != table.count("<td>yes</td>")
    live.set(cover="others")
    assert live.table.value.count("<td>yes</td>") == 3
    assert live.set(rows=(50, 50)).startswith("This cannot be drawn: the region has no area")


def test_the_ranking_names_right_and_wrong_and_leaves_the_person_s_own_camera_out(
    model: W3AN,
) -> None:
    asked, same = tracklet(), tracklet(1, 1)
    said = explore(model, asked, [asked, same, tracklet(1, 2), tracklet(2, 1)]).text
    assert "1/2 (right)" in said
    assert "2/1 (wrong)" in said
    assert "1/1" not in said
    unlabelled = explore(model, asked, [tracklet(2), tracklet(3)]).text
    assert "right" not in unlabelled
    assert "wrong" not in unlabelled


def test_signs_are_explained_only_where_some_are_shown(
    model: W3AN, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr("w3an_lite.sheet.write", lambda *given: written.append(given[3]))
    for gallery, signs in (([tracklet(1, 2)], True), ([tracklet(2)], False)):
        written.clear()
        explore(model, tracklet(), gallery)
        assert any("broken: wrong" in text for text in written) is signs


def test_a_gallery_without_anybody_else_says_so(model: W3AN) -> None:
    asked = tracklet()
    assert explore(model, asked, [asked]).text.endswith("The gallery holds nobody else.")


def test_every_layer_is_drawn_and_named(live: Live) -> None:
    layers = live.controls["layer"].options
    assert layers[5:] == NAMES
    pictures = set()
    for layer in (*layers[:6], NAMES[-1]):
        live.set(layer=layer)
        assert not live.failed, live.text
        pictures.add(bytes(live.picture.value))
    assert len(pictures) >= 5  # of a model that was never trained, some maps may be alike
    assert NAMES[-1] in live.text
    one = {"layer": "α, one channel", "channel": 3}
    assert "Layer: α of channel 3." in live.set(**one)
    shared = explore(small(scores="shared"), tracklet())
    assert "Layer: α of channel 3, the same in every channel." in shared.set(**one)


def test_the_safe_colours_and_the_opacity_change_the_picture(live: Live) -> None:
    seen = {bytes(live.picture.value)}
    for move in ({"safe_colours": True}, {"opacity": 0.0}, {"frame": 1}):
        live.set(**move)
        seen.add(bytes(live.picture.value))
    assert len(seen) == 4


def test_each_control_has_a_name_and_takes_the_keyboard(live: Live) -> None:
    frame = live.controls["frame"]
    assert isinstance(frame, ipywidgets.IntSlider)  # in JupyterLab it alone takes the arrow keys
    assert (frame.min, frame.max) == (0, 3)
    for name, widget in live.controls.items():
        assert widget.description
        assert f"w3an-control-{name.replace('_', '-')}" in widget._dom_classes
    shown = [*live.children[0].children, *live.children[1:]]
    assert set(live.controls.values()) | {live.picture, live.caption, live.table} == set(shown)


def test_several_tracklets_can_be_chosen_from(model: W3AN) -> None:
    live = explore(model, [tracklet(1), tracklet(2)])
    first = bytes(live.picture.value)
    live.set(tracklet=1)
    assert not live.failed
    assert live.picture.value != first


def test_one_frame_is_repeated_and_said_so(model: W3AN) -> None:
    live = explore(model, tracklet(frames=1))
    assert not live.failed
    assert live.text.endswith("The tracklet has 1 of 4 frames; they repeat.")


def test_other_attributes_have_numbers(tmp_path: Path) -> None:
    small(5).save_pretrained(tmp_path / "model.pt")
    live = explore(tmp_path / "model.pt", tracklet())
    assert live.controls["layer"].options[5:] == tuple(f"attribute {a}" for a in range(5))
    assert not live.failed


def test_what_is_wrong_is_a_sentence(model: W3AN, tmp_path: Path) -> None:
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    file = tmp_path / "1.png"
    Image.new("RGB", (16, 32)).save(file)
    removed = Tracklet(FileFrames((file,)), 1, 1)
    file.unlink()
    cases = {
        "there is no tracklet; read_mot makes them": explore(model, []),
        "'a' is no Tracklet": explore(model, "a"),  # type: ignore[arg-type]
        "not iterable": explore(model, None),  # type: ignore[arg-type]
        "other.pt is no W3AN model": explore(tmp_path / "other.pt", tracklet()),
        "gone.pt does not exist": explore(tmp_path / "gone.pt", tracklet()),
        "1.png is missing": explore(model, removed),
        "the gallery is empty": explore(model, tracklet(), []),
    }
    for said, live in cases.items():
        assert live.failed
        assert said in live.text, live.text
        assert "⚠" in live.caption.value
        assert "Traceback" not in live.text
        assert live.set(opacity=0.3) == live.text  # still alive


def test_a_readable_tracklet_can_be_chosen_after_one_that_is_gone(
    model: W3AN, tmp_path: Path
) -> None:
    gone = Tracklet(FileFrames((tmp_path / "gone.png",)), 1, 1)
    live = explore(model, [gone, tracklet()])
    assert "gone.png is missing" in live.text
    live.set(tracklet=1)
    assert not live.failed


def test_a_model_that_goes_on_learning_is_shown_as_it_was(model: W3AN) -> None:
    live = explore(model, tracklet())
    said = live.caption.value
    with torch.no_grad():
        for weight in model.train().parameters():
            weight += 1
    live.set(cover="one")
    live.set(cover="nothing")
    assert live.caption.value == said
    assert model.training


def test_a_clip_of_one_frame_has_no_other_to_choose() -> None:
    options = {"backbone": "narrow", "trunk": {"width": 2}, "size": (32, 16), "clip_length": 1}
    live = explore(W3AN.preset("repaired", 3, **options), tracklet())
    assert live.controls["frame"].max == 0
    assert "Frame 0: β" in live.caption.value
