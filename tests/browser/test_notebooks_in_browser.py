"""Every notebook in JupyterLab: runs from top to bottom, and its widgets answer a hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from build_notebooks import sources
from jupyter_page import Notebook
from live_hand import CHOICES, SLIDERS, Hand

EACH = pytest.mark.parametrize("opened", sources(), ids=lambda path: path.stem, indirect=True)


@EACH
def test_it_runs_and_its_widgets_answer(opened: Notebook, screenshots: Path) -> None:
    assert all(folded(opened, "inputHidden"))
    assert all(folded(opened, "outputHidden"))  # running a cell unfolds what it prints
    opened.run_all()
    cells = opened.cells()
    assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [cell["source"] for cell in cells if {"error", "stderr"} & set(cell["kinds"])]
    widgets = [cell for cell in cells if cell["widget"]]
    assert widgets
    for cell in widgets:
        hand = Hand(opened, cell["place"], cell["widget"])
        try_every_control(hand)
        hand.box.screenshot(path=screenshots / f"widget-{opened.name[:2]}-{cell['place']}.png")
    check_page(opened)
    assert opened.photograph(screenshots) > 3
    assert opened.errors == []
    assert opened.strangers == set()


def try_every_control(hand: Hand) -> None:
    """Each by mouse or keyboard; after each the page shows what the library computes."""
    seen = [hand.shown()]
    assert "⚠" not in seen[0][0], "the notebook's own cells leave a refusal on the page"
    for name, (kind, _) in hand.controls.items():
        before = hand.value(name)
        if kind in SLIDERS:
            hand.drag(name)
            seen.append(hand.settle())
            dragged = hand.value(name)
            assert dragged != before, f"the mouse does not move {name}"
            hand.press(name, "ArrowLeft" if dragged > before else "ArrowRight")
            seen.append(hand.settle())
            assert hand.value(name) != dragged, f"the arrow keys do not move {name}"
        else:
            if kind == "TickBoxes":
                hand.click_last(name)
                seen.append(hand.settle())
                assert hand.value(name) != before, f"the mouse does not change {name}"
                before = hand.value(name)
            if kind in ("Checkbox", "TickBoxes"):
                hand.press(name, "Space")
            elif kind in CHOICES:
                hand.choose_another(name)
            else:
                raise AssertionError(f"{name} is a {kind}; say how a hand moves it")
            seen.append(hand.settle())
            assert hand.value(name) != before, f"the keys do not change {name}"
    texts, pictures = zip(*seen, strict=True)
    assert len(set(texts)) > 1
    assert len(set(pictures)) > 1


def check_page(notebook: Notebook) -> None:
    """Formulas are set, pictures are there, hints are folded, solutions hidden."""
    page: Any = notebook.page
    assert page.locator("mjx-container").count() or "$" not in notebook_prose(notebook)
    assert page.locator("mjx-merror, [data-mjx-error], .MathJax_Error").count() == 0
    broken = page.evaluate(
        "[...document.querySelectorAll('.jp-Notebook img')].filter(one => !one.naturalWidth)"
        ".map(one => one.src.slice(0, 80))"
    )
    assert broken == []
    assert page.locator(".jp-Notebook details").count() > 0
    assert page.locator(".jp-Notebook details[open]").count() == 0
    assert all(folded(notebook, "inputHidden"))


def folded(notebook: Notebook, part: str) -> list[bool]:
    """Of each solution, whether its "inputHidden" or "outputHidden" is."""
    hidden: list[bool] = notebook.page.evaluate(
        "part => panel().content.widgets.filter(one => (one.model.metadata.tags ?? [])"
        ".includes('solution')).map(one => one[part])",
        part,
    )
    assert hidden
    return hidden


def notebook_prose(notebook: Notebook) -> str:
    text: str = notebook.page.evaluate(
        "panel().content.widgets.filter(one => one.model.type === 'markdown')"
        ".map(one => one.model.sharedModel.source).join('\\n')"
    )
    return text
