"""The score map of a trained model that is to be fitted, by name."""

from __future__ import annotations

from typing import Any, TypeVar

from affectkit.errors import InputError, did_you_mean
from affectkit.interfaces import ScoreMap
from affectkit.model import Model

M = TypeVar("M", bound=ScoreMap[Any])


def map_to_fit(model: Model, name: str, kind: type[M], noun: str) -> M:
    """The map `name` of a model, of class `kind`; an InputError, which calls such maps `noun`, where it has none."""
    maps: Any = getattr(model, "maps", {})
    fitting = [key for key in maps if isinstance(maps[key], kind)]
    if name not in fitting:
        raise InputError(f"maps: no map {noun} {name!r}; {did_you_mean(name, fitting, noun='such maps')}")
    found: M = maps[name]
    return found
