"""Genes: what a search space means for one config, checked before anything is built."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from affectkit.configs import ComponentConfig, ModelConfig
from affectkit.dials import Dial, find_dials
from affectkit.errors import ConfigError, did_you_mean, join
from affectkit.search.space import Range, SearchSpace, Value, check_not_empty

# Kinds that are part of a config, and not of the model that is built from it.
_UNBUILT = ("faces", "spotter", "dataset")


@dataclass(frozen=True)
class Gene:
    """A value that candidates differ in.

    Attributes:
        path: of the dial or field.
        is_dial: whether it is turned on the built model; a field is built anew.
        choices: what it may be; empty for the range.
        low, high: of the range, both included.
        is_whole: whether the range is of whole numbers.
    """

    path: str
    is_dial: bool
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_whole: bool = False


def find_genes(space: SearchSpace, config: ModelConfig) -> tuple[Gene, ...]:
    """The genes of a space, dials first, each in the order in which it is written.

    Raises:
        ConfigError: the space is empty, there is no such dial or field, a value is outside the dial's domain, or a
            field is a dial.
    """
    check_not_empty(space)
    dials = {dial.path: dial for dial in find_dials(config)}
    fields = dict(find_fields(config))
    genes = []
    for path, values in space.dials.items():
        where = f"dials.{path}"
        if path in fields:
            raise ConfigError("is a field, and no dial", "write it under fields", path=where)
        if path not in dials:
            raise ConfigError(f"no dial {path!r}", did_you_mean(path, dials, noun="dials"), path="dials")
        genes.append(_dial_gene(dials[path], values, where))
    for path, choices in space.fields.items():
        if path in dials:
            raise ConfigError("is a dial", "write it under dials", path=f"fields.{path}")
        if path not in fields:
            raise ConfigError(f"no field {path!r}", did_you_mean(path, fields, noun="fields"), path="fields")
        genes.append(Gene(path, is_dial=False, choices=choices))
    return tuple(genes)


def find_fields(config: Any, path: str = "", *, is_component: bool = False) -> Iterator[tuple[str, Any]]:
    """Path and value of every field of a model's components that holds one value and is no dial, in field order."""
    if isinstance(config, ComponentConfig) and config.kind in _UNBUILT:
        return
    if dataclasses.is_dataclass(config):
        dials = {dial.path for dial in find_dials(config, path)}
        inside = is_component or isinstance(config, ComponentConfig)
        for item in dataclasses.fields(config):
            for where, value in find_fields(getattr(config, item.name), join(path, item.name), is_component=inside):
                if where not in dials:
                    yield where, value
    elif isinstance(config, Mapping):
        for key, value in config.items():
            yield from find_fields(value, join(path, key), is_component=is_component)
    elif isinstance(config, tuple):
        for number, value in enumerate(config):
            yield from find_fields(value, f"{path}[{number}]", is_component=is_component)
    elif is_component:
        yield path, config


def _dial_gene(dial: Dial, values: str | Range | tuple[Value, ...], where: str) -> Gene:
    domain = dial.domain
    # a domain of whole numbers is a range of them, and says so by what the dial is set to
    is_whole = isinstance(dial.value, int) and not isinstance(dial.value, bool)
    if isinstance(values, Range):
        for end in (values.low, values.high):
            if domain.choices or end not in domain:
                raise ConfigError(f"{end!r} is outside the domain", f"the domain is {domain}", path=where)
        low, high = values.low, values.high
    elif isinstance(values, tuple):
        for value in values:
            if value not in domain:
                raise ConfigError(f"{value!r} is outside the domain", f"the domain is {domain}", path=where)
        return Gene(dial.path, is_dial=True, choices=values)
    elif domain.choices:
        return Gene(dial.path, is_dial=True, choices=domain.choices)
    else:
        assert domain.low is not None  # a domain without choices has both ends
        assert domain.high is not None
        low, high = domain.low, domain.high
    if is_whole and (low != int(low) or high != int(high)):
        raise ConfigError(f"{low!r} to {high!r} for whole numbers", "write whole ends", path=where)
    return Gene(dial.path, is_dial=True, low=low, high=high, is_whole=is_whole)
