"""A model as a file: its arguments and its weights, nothing else, and no code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from .files import load_plain, load_weights
from .parts import OWN

M = TypeVar("M", bound=nn.Module)


def read_model(build: Callable[..., M], path: str | Path, own: Mapping[str, Any]) -> M:
    """The model of class `build` that `save_pretrained` wrote to `path`, ready to embed.

    own: the parts of one's own by argument. ValueError names the file and what is wrong with it,
    such as a part it has of its own that was not passed.
    """
    odd = [name for name in own if name not in OWN]
    if odd:
        raise ValueError(f"{odd[0]} is no part of one's own; those are {', '.join(OWN)}")
    content = load_plain(path)
    if not all(isinstance(content.get(part), dict) for part in ("config", "state")):
        raise ValueError(f"{path} is no W3AN model; write it with save_pretrained")
    config = dict(content["config"])
    for name in OWN:
        given = own.get(name)
        if config.get(name) == "custom":
            if given is None:
                kind = "backbone" if name == "backbone" else f"{name} part"
                raise ValueError(f"{path} has a {kind} of its own; pass it as {name}")
            config[name] = given
        elif given is not None:
            raise ValueError(f"{path} has no {name} of its own; leave {name} out")
    try:
        model = build(**config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is of another version: {error}") from error
    load_weights(model, content["state"], path)
    return model.eval()
