"""What a training run needs to go on as if it had never stopped, in one file of plain values.

The batches and what is drawn in a step follow from seed, epoch and step, and so does the rate:
"epoch" and "step" are the sampler's position and the schedule's. bfloat16 needs no loss scaling,
so there is no scaler to keep.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .files import load_plain

FORM = 2
"""Version of the checkpoint's contents."""
Row = dict[str, float]
HOLDS = {
    "epoch": int,
    "step": int,
    "rows": dict,
    "evaluations": list,
    "model": dict,
    "optimiser": dict,
    "generators": dict,
}
"""What a checkpoint holds beside its form and its settings."""


def read_checkpoint(path: Path, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The checkpoint `path` of a run with the same `settings`.

    ValueError when it is none, damaged, of another version, or of a run with other settings.
    """
    checkpoint = load_plain(path)
    groups = checkpoint.get("settings")
    if not isinstance(groups, dict) or not all(isinstance(v, dict) for v in groups.values()):
        raise ValueError(f"{path} is no checkpoint of a training run")
    if checkpoint.get("form") != FORM:
        raise ValueError(
            f"{path} is a checkpoint of form {checkpoint.get('form')}, this library reads form "
            f"{FORM}; resume it with the library that wrote it, or start anew elsewhere"
        )
    for part, kind in HOLDS.items():
        if not isinstance(checkpoint.get(part), kind):
            what = type(checkpoint[part]).__name__ if part in checkpoint else "nothing"
            raise ValueError(
                f"{path} is damaged: its {part!r} is {what}, not {kind.__name__}; begin anew in "
                "another folder"
            )
    if not all(isinstance(s, dict) and {"epoch", "mAP"} <= s.keys()
               for s in checkpoint["evaluations"]):  # fmt: skip
        raise ValueError(
            f"{path} is damaged: an evaluation has no epoch or no mAP; begin anew in another folder"
        )
    for group, wanted in settings.items():
        before = groups.get(group, wanted)  # earlier ones kept nothing of the data
        for name, value in wanted.items():
            if before.get(name) != value:
                raise ValueError(
                    f"{path} is of another run: {group} {name} was {before.get(name)!r}, now "
                    f"{value!r}; resume with the settings it was started with, or choose another "
                    "folder"
                )
    return checkpoint


def pack_rows(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows as columns and one table float64 `[n, columns]`, nan where a row has no such value."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = [[row.get(column, float("nan")) for column in columns] for row in rows]
    return {"columns": columns, "table": torch.from_numpy(np.array(table, np.float64))}


def unpack_rows(packed: Mapping[str, Any]) -> list[Row]:
    """What `pack_rows` packed, to the bit."""
    return [
        {k: v for k, v in zip(packed["columns"], row, strict=True) if v == v}
        for row in packed["table"].tolist()
    ]


def generator_states() -> dict[str, Any]:
    """The state of every global generator: PyTorch's on each device, NumPy's and Python's.

    Training draws from none of them; a backbone of one's own may (dropout).
    """
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (what is kept is the old generator)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [str(kind), [int(k) for k in keys], *(float(x) for x in rest)],
        "python": random.getstate(),
    }


def set_generator_states(states: Mapping[str, Any]) -> None:
    """Put back what `generator_states` gave; GPUs that are not here any more are left out."""
    torch.set_rng_state(states["torch"])
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state(  # noqa: NPY002
        (kind, np.array(keys, np.uint32), int(position), int(has_gauss), gauss)
    )
    version, inner, following = states["python"]
    random.setstate((version, tuple(inner), following))
