"""A hand on a Live widget in the page, and what the library computes for the same controls."""

from __future__ import annotations

from typing import Any

from jupyter_page import Notebook, until

KERNEL = """
def _live(model_id):
    import ipywidgets
    return ipywidgets.widgets.widget._instances[model_id]

def _kinds(model_id):
    return {name: type(widget).__name__ for name, widget in _live(model_id).controls.items()}

def _values(model_id):
    "As the page shows them: a choice by its label, a number as it is, a range as two."
    return {name: str(widget.label) if hasattr(widget, "options") else widget.value
            for name, widget in _live(model_id).controls.items()}

def _computed(model_id):
    "The sentence, and the picture's SHA-256, that `draw` gives for the present values."
    import hashlib
    from w3an_lite.picture import to_png
    live = _live(model_id)
    try:
        picture, text = live.draw(**live.values)[:2]
    except Exception as error:
        return ["⚠ This cannot be drawn: " + str(error).rstrip(".") + ".", ""]
    png = picture if isinstance(picture, bytes) else to_png(picture, 80, compression=1)
    return [text, hashlib.sha256(png).hexdigest()]
"""
"""Helpers in the kernel; `_computed` draws anew and does not ask the widget what it shows."""
PICTURE = """async image => {
    const bytes = await (await fetch(image.src)).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [...hash].map(one => one.toString(16).padStart(2, '0')).join('');
}"""
SLIDERS = ("IntSlider", "FloatSlider", "IntRangeSlider", "FloatRangeSlider")
CHOICES = {"Checkbox": "input", "TickBoxes": "input", "Dropdown": "select"}
"""What takes the keys in each kind of control that is no slider."""


class Hand:
    """Moves the controls of one widget by mouse and keyboard and reads what the page shows."""

    def __init__(self, notebook: Notebook, place: int, model_id: str) -> None:
        self.notebook, self.model_id = notebook, model_id
        self.box = notebook.cell(place).locator(".w3an-live")
        self.picture = self.box.locator("img.w3an-picture")
        self.caption = self.box.locator(".w3an-caption [role=status]")
        self.ticked = notebook.page.locator("input:checked")
        self.picture.wait_for()
        self.caption.wait_for()
        kinds = notebook.ask(f"_kinds({model_id!r})", KERNEL)
        self.controls: dict[str, tuple[str, Any]] = {
            name: (kind, self.box.locator(f".w3an-control-{name.replace('_', '-')}"))
            for name, kind in kinds.items()
        }

    def shown(self) -> tuple[str, str]:
        """Sentence and picture on the page; the picture as SHA-256."""
        return self.caption.inner_text().strip(), self.picture.evaluate(PICTURE)

    def settle(self) -> tuple[str, str]:
        """Wait until the page shows what the library computes; returns it."""
        seen: list[Any] = []

        def agree() -> bool:
            text, picture = self.notebook.ask(f"_computed({self.model_id!r})")
            seen[:] = [self.shown(), (text, picture), self._page_values(), self._values()]
            same_picture = not picture or seen[0][1] == picture  # an error keeps the last picture
            return seen[0][0] == text and same_picture and _alike(seen[2], seen[3])

        until(agree, 120, lambda: f"the page does not show what the library computes: {seen}")
        text, picture = seen[0]
        return text, picture

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = self.notebook.ask(f"_values({self.model_id!r})")
        return values

    def _page_values(self) -> dict[str, Any]:
        """The values as a reader sees them."""
        found: dict[str, Any] = {}
        for name, (kind, where) in self.controls.items():
            if kind in SLIDERS:
                parts = where.locator(".widget-readout").inner_text().split(" – ")
                numbers = [float(part.replace("−", "-")) for part in parts]
                found[name] = numbers if len(numbers) > 1 else numbers[0]
            elif kind == "Checkbox":
                found[name] = where.locator("input").is_checked()
            elif kind == "TickBoxes":
                labels = where.locator(".widget-checkbox").filter(has=self.ticked).all()
                found[name] = [label.inner_text().strip() for label in labels]
            else:
                script = "box => box.selectedOptions[0].label"
                found[name] = where.locator("select").evaluate(script).replace("\xa0", " ")
        return found

    def value(self, name: str) -> Any:
        return self._values()[name]

    def drag(self, name: str) -> None:
        """Take the slider's first handle with the mouse and leave it elsewhere on the track."""
        where = self.controls[name][1]
        where.scroll_into_view_if_needed()
        track = where.locator(".noUi-base").bounding_box()
        handle = where.locator(".noUi-handle").first.bounding_box()
        middle = handle["x"] + handle["width"] / 2
        share = 0.72 if middle < track["x"] + track["width"] / 2 else 0.28
        height = handle["y"] + handle["height"] / 2
        mouse = self.notebook.page.mouse
        mouse.move(middle, height)
        mouse.down()
        mouse.move(track["x"] + share * track["width"], height, steps=4)
        mouse.up()

    def press(self, name: str, key: str) -> None:
        """Give the control the focus, as Tab does, and press a key."""
        kind, where = self.controls[name]
        where.locator(CHOICES.get(kind, ".noUi-handle")).first.focus()
        self.notebook.page.keyboard.press(key)

    def click_last(self, name: str) -> None:
        """The last of several boxes, by mouse."""
        self.controls[name][1].locator("input").last.click()

    def choose_another(self, name: str) -> None:
        """Another entry of a drop-down, by keyboard.

        It is opened first: JupyterLab takes the arrows of a closed one, and of buttons, for itself.
        """
        where = self.controls[name][1]
        script = "box => box.selectedIndex === box.options.length - 1"
        last = where.locator("select").evaluate(script)
        self.press(name, "Space")
        for key in ("ArrowUp" if last else "ArrowDown", "Enter"):
            self.notebook.page.wait_for_timeout(100)  # the list opens and closes in the browser
            self.notebook.page.keyboard.press(key)


def _alike(page: dict[str, Any], kernel: dict[str, Any]) -> bool:
    """Equal, but for the decimals that a readout leaves out."""

    def same(one: Any, two: Any) -> bool:
        if isinstance(one, list):
            return all(map(same, one, two))
        return abs(one - two) < 0.00501 if isinstance(one, float) else bool(one == two)

    return all(same(page[name], kernel[name]) for name in kernel)
