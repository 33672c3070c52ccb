"""Live pictures for a notebook, each usable by keyboard: the door to the rooms that make them."""

from w3an_lite.compare import compare
from w3an_lite.explorer import explore
from w3an_lite.live import Live, control

__all__ = ["Live", "compare", "control", "explore"]
