"""A box to tick for each name of a list: several can be chosen, by mouse or keys."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import traitlets


class TickBoxes(ipywidgets.Box):
    """Check boxes in a row that wraps; `value` holds the names that are ticked.

    Tab goes from box to box and the space bar ticks. (JupyterLab keeps the arrow keys from a
    SelectMultiple.) Set by code, `value` keeps its order; an unknown name raises TraitError.
    """

    value = traitlets.Tuple()

    def __init__(self, names: Sequence[str], value: Sequence[str], description: str) -> None:
        self.boxes = {
            name: ipywidgets.Checkbox(
                description=name, indent=False, layout={"width": "auto", "margin": "0 1.5em 0 0"}
            )
            for name in names
        }
        self.description = description
        beside = {"width": "5em", "margin": "0 8px 0 0", "justify_content": "flex-end"}
        label = ipywidgets.Label(description, layout={**beside, "display": "flex"})
        layout = {"flex_flow": "row wrap", "max_height": "10em", "overflow": "auto"}
        super().__init__([label, *self.boxes.values()], layout=layout)
        for box in self.boxes.values():
            box.observe(self._ticked, "value")
        self.observe(self._show, "value")
        self.value = tuple(value)

    @traitlets.validate("value")
    def _known(self, proposal: traitlets.Bunch) -> tuple[str, ...]:
        for name in proposal.value:
            if name not in self.boxes:
                raise traitlets.TraitError(f"{name!r} is none of {', '.join(self.boxes)}")
        return tuple(proposal.value)

    def _show(self, change: traitlets.Bunch) -> None:
        for name, box in self.boxes.items():
            box.value = name in self.value

    def _ticked(self, change: traitlets.Bunch) -> None:
        if change.new != (change.owner.description in self.value):  # a hand did it, not _show
            self.value = tuple(name for name, box in self.boxes.items() if box.value)
