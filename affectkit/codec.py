"""Configs to plain data and back: what pipeline files and saved models hold.

A component is `{"use": "distribution/name", ...fields}`; where a slot takes one of several plain records, `kind` says
which (`{"kind": "windows", "seconds": 2.0}`). Reading is strict: an unknown key, a missing field or a wrong type is an
error that names its path. Nothing in a file is ever imported or executed.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast, get_args, get_origin

from affectkit.configs import ComponentConfig
from affectkit.errors import ConfigError, RegistryError, did_you_mean, join, listed
from affectkit.fields import coerce, describe_type, field_types, is_mapping, union_args

T = TypeVar("T")
Data = dict[str, Any]


class Names(Protocol):
    """What the codec asks of a registry."""

    def config_class(self, kinds: tuple[str, ...], name: str) -> type[ComponentConfig]:
        """The config class of the component `name` of one of `kinds`; RegistryError where there is none."""

    def id_of(self, config: type[ComponentConfig]) -> str:
        """The full id of the component whose config class this is."""

    def names(self, kinds: tuple[str, ...]) -> list[str]:
        """Names that could be written for these kinds."""


def encode(config: Any, names: Names) -> Data:
    """A config as nested dicts, lists, text, numbers and None, with full component ids and every field."""
    return cast(Data, _encode(config, names))


def _encode(value: Any, names: Names) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data: Data = {}
        if isinstance(value, ComponentConfig):
            data["use"] = names.id_of(type(value))
        elif tag := getattr(value, "tag", ""):
            data["kind"] = tag
        # defaults too: a later release may change one, and a saved model must not change with it
        return data | {name: _encode(getattr(value, name), names) for name in field_types(type(value))}
    if isinstance(value, Mapping):
        return {key: _encode(item, names) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encode(item, names) for item in value]
    return value.value if isinstance(value, enum.Enum) else value


def decode(cls: type[T], data: object, names: Names, path: str = "") -> T:
    """The config of class `cls` that `data` describes.

    Raises:
        ConfigError: unknown key, missing field, wrong type or broken rule, with its path.
        RegistryError: a component that no installed plugin provides, with its path.
    """
    return cast(T, _decode(data, cls, names, path))


def _decode(data: Any, annotation: Any, names: Names, path: str) -> Any:
    members = [member for member in union_args(annotation) if member is not type(None)]
    if data is None and len(members) < len(union_args(annotation)):
        return None
    records = tuple(member for member in members if dataclasses.is_dataclass(member))
    # in a slot for records alone, what is no table is an error of the record, which can say what to write
    if records and (isinstance(data, Mapping) or len(records) == len(members)):
        return _decode_record(data, records, names, path)
    containers = [member for member in members if _may_hold(member, data)]
    for member in containers:
        try:
            return _decode_items(data, member, names, path)
        except ConfigError:
            # with several to try, the last one's error would mislead; `coerce` names them all
            if len(containers) == 1:
                raise
    return coerce(data, annotation, path)


def _may_hold(member: Any, data: Any) -> bool:
    if is_mapping(member):
        return isinstance(data, Mapping)
    return get_origin(member) is tuple and isinstance(data, list | tuple)


def _decode_items(data: Any, member: Any, names: Names, path: str) -> Any:
    args = get_args(member)
    if is_mapping(member):
        return {key: _decode(item, args[1], names, join(path, str(key))) for key, item in data.items()}
    kinds = args[:1] * len(data) if args[-1:] == (Ellipsis,) else args
    if len(kinds) != len(data):
        # always raises, and says how many are wanted
        return coerce(data, member, path)
    items = enumerate(zip(data, kinds, strict=True))
    return tuple(_decode(item, kind, names, join(path, f"[{i}]")) for i, (item, kind) in items)


def _decode_record(data: Any, records: tuple[Any, ...], names: Names, path: str) -> Any:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{data!r} is no table", f"write a table of fields: {_example(records)}", path=path)
    if issubclass(records[0], ComponentConfig):
        cls = _component_class(data, records, names, path)
        return _make(cls, {key: item for key, item in data.items() if key != "use"}, names, path)
    tags = {getattr(record, "tag", ""): record for record in records}
    cls = records[0]
    # a record without a tag stands alone, and may have a field of its own called `kind`
    if "kind" in data and "" not in tags:
        kind = data["kind"]
        if not isinstance(kind, str) or kind not in tags:
            raise ConfigError(f"unknown kind {kind!r}", f"kinds: {listed(tags)}", path=join(path, "kind"))
        cls = tags[kind]
        data = {key: item for key, item in data.items() if key != "kind"}
    # `kind` may be left out for the first, but keys of another say that it was forgotten
    elif any(key in field_types(record) for record in records for key in data if key not in field_types(cls)):
        raise ConfigError("no kind is written", f"kinds: {listed(tags)}", path=join(path, "kind"))
    return _make(cls, data, names, path)


def _component_class(data: Mapping[str, Any], records: tuple[Any, ...], names: Names, path: str) -> type:
    kinds = tuple(record.kind for record in records)
    name = data.get("use")
    if not isinstance(name, str):
        fact = "no component is named" if name is None else f"{name!r} is no component's name"
        known = names.names(kinds)
        raise ConfigError(fact, f"write use = one of {listed(known)}" if known else "none is installed", path=path)
    try:
        cls = names.config_class(kinds, name)
    except RegistryError as error:
        # type(error): an ambiguous name stays an AmbiguousNameError
        raise type(error)(f"{join(path, 'use')}: {error}") from None
    # a slot may take one config class only, not every component of its kind
    if not any(issubclass(cls, record) for record in records):
        accepted = [other for other in names.names(kinds) if issubclass(names.config_class(kinds, other), records)]
        raise ConfigError(f"{name!r} is not accepted", f"accepts {listed(accepted)}", path=join(path, "use"))
    return cls


def _make(cls: Any, data: Mapping[str, Any], names: Names, path: str) -> Any:
    types = field_types(cls)
    for key in data:
        if key not in types:
            hint = did_you_mean(str(key), types, noun="keys")
            raise ConfigError(f"unknown key {key!r}", hint, path=path or cls.__name__)
    values = {key: _decode(item, types[key], names, join(path, key)) for key, item in data.items()}
    for item in dataclasses.fields(cls):
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and item.name not in values:
            wanted = f"{item.name} = {describe_type(types[item.name])}"
            raise ConfigError(f"{item.name!r} is missing", f"write {wanted}", path=path or cls.__name__)
    try:
        return cls(**values)
    except ConfigError as error:
        raise error.at(path) from None


def _example(records: tuple[Any, ...]) -> str:
    if issubclass(records[0], ComponentConfig):
        return "use = 'name', then its fields"
    return " or ".join(record.__name__ for record in records)
