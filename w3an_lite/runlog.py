"""What a training run says of itself: log.csv, evaluations.csv, TensorBoard, curves.png."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .files import read_rows, write_rows
from .run_record import curves_of

log = logging.getLogger(__name__)

Row = dict[str, float]
LOG, EVALUATIONS, CURVES = "log.csv", "evaluations.csv", "curves.png"


class RunLog:
    """The files of a run's folder that are for reading; `folder` None keeps nothing.

    tensorboard: also write events to `folder/tensorboard`, if TensorBoard is installed; said once
        if it is not. start: the step this run goes on from, after which older events do not count.
    """

    def __init__(self, folder: Path | None, tensorboard: bool = False, start: int = 0) -> None:
        self.folder = folder
        self._events: Any = None
        if folder is not None and tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                log.info("TensorBoard is not installed, so %s alone is written", LOG)
            else:
                self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=start)

    def steps(self, rows: Sequence[Row], first: int) -> None:
        """Events of `rows`, the first of which is step `first` of the run."""
        if self._events is not None:
            for step, row in enumerate(rows, start=first):
                for name, value in row.items():
                    if name not in ("epoch", "step"):
                        self._events.add_scalar(f"train/{name}", value, step)

    def evaluated(self, scores: Mapping[str, Any], step: int) -> None:
        """Events of one evaluation, after `step` steps, under its protocol's name."""
        log.info("%s", say_scores(scores))
        if self._events is not None:
            for name, value in scores.items():
                if name == "mAP" or name.startswith("rank"):
                    self._events.add_scalar(f"{scores['protocol']}/{name}", value, step)

    def write(self, rows: Sequence[Row], evaluations: Sequence[Mapping[str, Any]]) -> None:
        """Both CSV files, whole. One that another program holds open is written the next time."""
        if self.folder is None:
            return
        for some, name in ((rows, LOG), (evaluations, EVALUATIONS)):
            try:
                if some:
                    write_rows(some, self.folder / name)
            except OSError as error:
                if not isinstance(error.__cause__, PermissionError):
                    raise
                log.warning("%s; training goes on", error)
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        if self._events is not None:
            self._events.close()


def say_scores(scores: Mapping[str, Any]) -> str:
    """One line of an evaluation, its protocol first."""
    epoch = f", epoch {scores['epoch']}" if "epoch" in scores else ""
    return f"{scores['protocol']}{epoch}: rank-1 {scores['rank1']:.3f}, mAP {scores['mAP']:.3f}"


def draw_curves(folder: Path, title: str = "") -> Path | None:
    """`curves.png` from the folder's log.csv: every term but the weighted ones, a point an epoch.

    A point a step while there are fewer than three epochs. None when there is no log yet.
    """
    from .plots import save, training_curves  # Matplotlib is slow to load, and training needs none

    if not (folder / LOG).is_file():
        return None
    rows = read_rows(folder / LOG)
    by_epoch = max(row["epoch"] for row in rows) >= 2
    curves = {
        name: values
        for name, values in curves_of(rows, "epoch" if by_epoch else None).items()
        if not name.endswith("_weighted")
    }
    figure = training_curves(curves, title, "epoch" if by_epoch else "step")
    return save(figure, folder / CURVES)
