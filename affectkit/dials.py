"""Dials: config fields that can change on a built model. Walks a config tree by path; no torch.

A path is written as everywhere: `branches.flow.motion[0].alpha`, and `temporal.ratios[1]` for an element of a tuple.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from affectkit.errors import ConfigError, did_you_mean, join
from affectkit.fields import Domain, dial_domain

T = TypeVar("T")


@dataclass(frozen=True)
class Dial:
    """A dial of a model: where it is, what it is set to, and what it may be set to."""

    path: str
    value: Any
    domain: Domain

    def __str__(self) -> str:
        return f"{self.path} = {self.value!r} (of {self.domain})"


def find_dials(config: Any, path: str = "") -> Iterator[Dial]:
    """Every dial in the tree below `config`, in field order."""
    for field in dataclasses.fields(config):
        value, where = getattr(config, field.name), join(path, field.name)
        domain = dial_domain(field)
        if domain is None:
            yield from _below(value, where)
        elif isinstance(value, tuple):
            yield from (Dial(f"{where}[{i}]", item, domain) for i, item in enumerate(value))
        else:
            yield Dial(where, value, domain)


def turn(config: T, changes: Mapping[str, Any]) -> T:
    """A copy of `config` with dials set; every value is checked first, so that all are set or none.

    Raises:
        ConfigError: no dial at a path, a value outside its domain, or a rule of the config broken.
    """
    dials = {dial.path: dial for dial in find_dials(config)}
    for path, value in changes.items():
        if path not in dials:
            raise ConfigError(f"no dial {path!r}", did_you_mean(path, dials, noun="dials"))
        # all paths first, changes after: nothing is half turned
        if value not in dials[path].domain:
            raise ConfigError(f"{value!r} is outside the domain", f"the domain is {dials[path].domain}", path=path)
    return change(config, changes)


def change(config: T, changes: Mapping[str, Any]) -> T:
    """A copy of `config` with other values at some paths that it has, dials or not.

    Raises:
        ConfigError: a value has the wrong type, or breaks a rule of its config.
    """
    replaced: T = _replace(config, changes, "")
    return replaced


def at_path(config: Any, path: str) -> Any:
    """The value at a path of a config tree."""
    for part in path.replace("[", ".[").split("."):
        # names hold neither dots nor brackets, so that splitting the text is safe
        if part.startswith("["):
            config = config[int(part[1:-1])]
        elif isinstance(config, Mapping):
            config = config[part]
        else:
            config = getattr(config, part)
    return config


def _below(value: Any, path: str) -> Iterator[Dial]:
    if dataclasses.is_dataclass(value):
        yield from find_dials(value, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _below(item, join(path, key))
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from _below(item, f"{path}[{i}]")


def _replace(value: Any, changes: Mapping[str, Any], path: str) -> Any:
    if path in changes:
        return changes[path]
    # what is not on the way to a change stays the same object; `a` is not on the way to `ab.c`
    if path and not any(other.startswith((f"{path}.", f"{path}[")) for other in changes):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        new = {
            field.name: _replace(getattr(value, field.name), changes, join(path, field.name))
            for field in dataclasses.fields(value)
        }
        try:
            # makes the config anew, so that `validate` sees the new values together
            return dataclasses.replace(value, **new)
        except ConfigError as error:
            raise error.at(path) from None
    if isinstance(value, Mapping):
        return {key: _replace(item, changes, join(path, key)) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_replace(item, changes, f"{path}[{i}]") for i, item in enumerate(value))
    return value
