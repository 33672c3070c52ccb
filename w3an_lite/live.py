"""A picture that answers: controls, the picture they ask for, and a sentence of what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from numbers import Integral, Real
from typing import Any, TypeAlias

import ipywidgets
from matplotlib.figure import Figure

from .course import compact
from .picture import to_png

Table: TypeAlias = "Sequence[Sequence[str]]"
"""Rows of text, the header first; the first cell of a row names it."""
Draw: TypeAlias = "Callable[..., tuple[Figure | bytes, str] | tuple[Figure | bytes, str, Table]]"
"""Values of the controls by name -> (a figure or a finished PNG, what it shows in a sentence), and
if there are numbers to read, a table of them."""


class Live(ipywidgets.VBox):
    """Controls over a picture (an Image), a sentence and a table (each an HTML) that follow them.

    draw: called with the value of every control by name; returns the picture and the sentence.
    alt: what the picture is, for those who do not see it.
    controls: name -> a widget, or a short form: `(0, 9)` a whole number and `(0.0, 1.0)` or
        `(0.0, 1.0, 0.1)` a number on a slider, `True` a box to tick, a list or dict one of several.
        A third entry of a tuple is the step. Underscores in a name are shown as spaces.

    An error in `draw` becomes a sentence and the last picture stays. The page keeps the first
    picture when no kernel runs. Style sheets and tests find the parts by their classes: w3an-live,
    w3an-picture, w3an-caption, w3an-table, and w3an-control-NAME for each control.
    """

    def __init__(self, draw: Draw, alt: str, **controls: Any) -> None:
        if not controls:
            raise ValueError("no controls; give at least one, such as frame=(0, 5)")
        self.draw = draw
        self.alt = alt
        self.text = ""
        self.failed = self._held = False
        self.controls = {name: control(name, given) for name, given in controls.items()}
        # no tooltip: ipywidgets 8.1 cannot show an Image that has one in JupyterLab
        self.picture = ipywidgets.Image(format="png")
        self.picture.layout.max_width = "100%"
        self.picture.layout.object_fit = "contain"
        self.picture.layout.align_self = "flex-start"  # at its own size, not stretched to the page
        self.caption, self.table = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__([*self.controls.values(), self.picture, self.caption, self.table])
        self.add_class("w3an-live")
        for name in ("picture", "caption", "table"):
            getattr(self, name).add_class(f"w3an-{name}")
        for name, widget in self.controls.items():
            widget.add_class(f"w3an-control-{name.replace('_', '-')}")
            widget.observe(lambda _: self.refresh(), "value")
        self.refresh()

    @property
    def values(self) -> dict[str, Any]:
        """The value of every control, by name."""
        return {name: widget.value for name, widget in self.controls.items()}

    def set(self, **values: Any) -> str:
        """Move controls as a hand would, and return the sentence that follows.

        A name or value that the controls do not have gives a sentence too, and moves nothing.
        """
        unknown = values.keys() - self.controls.keys()
        if unknown:
            known = ", ".join(self.controls)
            return self._say(f"There is no control {min(unknown)!r}; there are {known}.", True)
        before, wrong = self.values, ""
        self._held = True  # one picture for all of them
        for name, given in values.items():
            value = tuple(given) if isinstance(given, list) else given  # as the controls keep it
            try:
                self.controls[name].value = value
            except Exception as error:  # traitlets raises TraitError, TypeError or ValueError
                wrong = f"{name} cannot be {value!r}: {error}"
                break
            nearest = self.controls[name].value
            if nearest != value:  # a slider clips in silence
                wrong = (
                    f"{name} cannot be {value!r}: the nearest is {nearest!r}, "
                    "and nothing was moved."
                )
                break
        if wrong:
            for name, value in before.items():
                self.controls[name].value = value
        self._held = False
        if wrong:
            return self._say(wrong, True)
        if self.failed or self.values != before:
            self.refresh()
        return self.text

    def refresh(self) -> None:
        """Draw again for the present values."""
        if self._held:
            return
        try:
            picture, text, *tables = self.draw(**self.values)
            png = picture if isinstance(picture, bytes) else to_png(picture, 80, compression=1)
        except Exception as error:  # whatever goes wrong, a reader gets a sentence
            why = str(error).rstrip(".") or type(error).__name__
            self._say(f"This cannot be drawn: {why}.", True)
            return
        self.picture.value = png
        self.table.value = html_table(tables[0]) if tables else ""
        self._say(text, False)

    def _say(self, text: str, failed: bool) -> str:
        self.text, self.failed = text, failed
        sign = "⚠ " if failed else ""
        # an Image has no alternative text; a reader of the screen finds it here
        self.caption.value = (
            f'<p style="position: absolute; left: -999em">{escape(self.alt)}</p>'
            f'<p role="status">{sign}{escape(text)}</p>'
        )
        return text

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{self.alt} [{values}]\n{self.text}"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = dict(super()._repr_mimebundle_(**options) or {})
        bundle["text/plain"] = repr(self)
        if self.picture.value:
            bundle["image/png"] = compact(bytes(self.picture.value))
        return bundle


def html_table(rows: Table) -> str:
    """The rows as an HTML table that names its columns and rows to a screen reader."""
    head, *body = [[escape(cell) for cell in row] for row in rows]
    lines = ["".join(f'<th scope="col">{cell}</th>' for cell in head)]
    for name, *cells in body:
        lines.append(f'<th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells))
    inside = "".join(f"<tr>{line}</tr>" for line in lines)
    apart = "border-collapse: separate; border-spacing: 1em 0"  # in JupyterLab cells touch
    return f'<table style="{apart}">{inside}</table>'


def control(name: str, given: Any) -> ipywidgets.Widget:
    """A control from its short form; see `Live`."""
    if isinstance(given, ipywidgets.Widget):
        return given
    style = {"description_width": "9em"}
    common: dict[str, Any] = {"description": name.replace("_", " "), "style": style}
    if isinstance(given, bool):
        return ipywidgets.Checkbox(value=given, indent=False, description=common["description"])
    numbers = isinstance(given, tuple) and all(isinstance(part, Real) for part in given)
    if numbers and len(given) in (2, 3) and given[0] < given[1]:
        whole = all(isinstance(part, Integral) for part in given)
        common["layout"] = {"width": "30em", "max_width": "100%"}
        slider = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        step = given[2] if len(given) == 3 else 1 if whole else (given[1] - given[0]) / 100
        return slider(value=given[0], min=given[0], max=given[1], step=step, **common)
    if isinstance(given, (dict, Sequence)) and not isinstance(given, (str, tuple)) and given:
        return ipywidgets.Dropdown(options=given, **common)
    raise ValueError(
        f"{name} is {given!r}; give a widget, (least, most), (least, most, step), True or False, "
        "or a list or dict of choices"
    )
