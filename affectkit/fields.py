"""Field types of configs: which are allowed, how values are checked, and dials.

Fields are bool, int, float, str, Literal, Enum, tuples, nested dataclasses, `Mapping[str, T]` of these, or unions of
these with each other and None. Values are checked when a config is made, by hand or from a file, with one code path.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from affectkit.errors import ConfigError, SpecError, did_you_mean, join

V = TypeVar("V")
T = TypeVar("T")
_DIAL = "affectkit.dial"


class FrozenMapping(Mapping[str, V]):
    """An ordered, hashable copy of a mapping with text keys.

    Two of them are equal if their order is too, since the order of branches means something to a fusion; a plain
    mapping is compared without order.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMapping):
            # dict equality ignores order
            return list(self._items.items()) == list(other._items.items())
        return self._items == other if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __reduce__(self) -> tuple[type[FrozenMapping[V]], tuple[dict[str, V]]]:
        return FrozenMapping, (self._items,)


@dataclasses.dataclass(frozen=True)
class Domain:
    """The values that a dial may take: `choices`, or the closed range `low` to `high`."""

    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None

    def __contains__(self, value: object) -> bool:
        if self.choices:
            # True == 1: a switch must not pass for a number, nor a number for a switch
            return any(value == item and isinstance(value, bool) == isinstance(item, bool) for item in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return ", ".join(map(repr, self.choices)) if self.choices else f"{self.low!r} to {self.high!r}"


def dial(
    default: T, *, choices: tuple[Any, ...] | None = None, low: float | None = None, high: float | None = None
) -> T:
    """A config field that can change on a built model without touching its weights.

    Give either `choices` or both `low` and `high`. On a tuple field every element is a dial of that domain. The module
    reads it through `self.config` at every forward. The domain is what the dial may be turned to, and what a search
    tries; a config may be made, by hand or from a file, with another value.

    Raises:
        SpecError: no domain, both kinds of domain, or a default outside it.
    """
    ends = [end for end in (low, high) if end is not None]
    if len(ends) < 2 if choices is None else ends or not choices:
        raise SpecError(f"dial: default {default!r} has no single domain; give choices=(...), or low= and high=")
    domain = Domain(choices=tuple(choices or ()), low=low, high=high)
    for value in default if isinstance(default, tuple) else (default,):
        if value not in domain:
            raise SpecError(f"dial: default {value!r} is outside its domain; the domain is {domain}")
    # declared to return T, which to type checkers makes `alpha: float = dial(...)` a plain default
    return dataclasses.field(default=default, metadata={_DIAL: domain})


def dial_domain(field: dataclasses.Field[Any]) -> Domain | None:
    """The domain of a field declared with `dial`, or None."""
    return field.metadata.get(_DIAL)


def field_types(cls: type[Any]) -> Mapping[str, Any]:
    """Resolved annotation of every dataclass field of `cls`, in order.

    Raises:
        SpecError: an annotation names something that can't be resolved at run time, or a type that is not allowed.
    """
    return _field_types(typing.cast(Any, cls))


@functools.cache
def _field_types(cls: Any) -> Mapping[str, Any]:
    try:
        # annotations are text under `from __future__ import annotations`; dataclasses keeps them so
        hints = typing.get_type_hints(cls)
    except (NameError, AttributeError) as error:
        raise SpecError(
            f"{cls.__name__}: annotation can't be resolved ({error}); import what config annotations name at run time, "
            "not under TYPE_CHECKING"
        ) from error
    # by field, since the hints hold class variables such as `kind` too
    fields = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    for name, annotation in fields.items():
        _check_annotation(annotation, f"{cls.__name__}.{name}")
    # read-only: the cache gives every caller the same object
    return types.MappingProxyType(fields)


def union_args(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation alone."""
    # before Python 3.14, `Union[X, None]` and `X | None` have different origins
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def is_mapping(annotation: Any) -> bool:
    """Whether the annotation is `Mapping[str, T]`."""
    return get_origin(annotation) is Mapping


def describe_type(annotation: Any) -> str:
    """An annotation as a message or page names it: `int`, `'sum' or 'concat'`, `tuple of str`, `nothing`."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "nothing"
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(arg) for arg in args)
    if origin is Literal:
        return " or ".join(repr(arg) for arg in args)
    if origin is tuple:
        inner = args[:1] if args[-1:] == (Ellipsis,) else args
        return "tuple of " + ", ".join(describe_type(arg) for arg in inner)
    if is_mapping(annotation):
        return f"mapping of str to {describe_type(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " or ".join(repr(member.value) for member in annotation)
    return str(getattr(annotation, "__name__", annotation))


def coerce(value: Any, annotation: Any, path: str) -> Any:
    """`value` as the field stores it: int to float where float is asked for, list to tuple, mapping to frozen copy.

    Raises:
        ConfigError: the value is not of the annotated type; carries `path`.
    """
    members = union_args(annotation)
    if len(members) > 1:
        return _coerce_union(value, annotation, members, path)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        # by type too, since True == 1 == 1.0
        if any(value == arg and type(value) is type(arg) for arg in args):
            return value
        names = [arg for arg in args if isinstance(arg, str)]
        hint = did_you_mean(value, names, noun="values") if isinstance(value, str) and names else ""
        raise ConfigError(f"{value!r} is not accepted", hint or f"write {describe_type(annotation)}", path=path)
    if origin is tuple:
        return _coerce_tuple(value, annotation, args, path)
    if is_mapping(annotation):
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise _wrong(value, annotation, path)
        return FrozenMapping({key: coerce(item, args[1], join(path, key)) for key, item in value.items()})
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum) and not isinstance(value, annotation):
        return _coerce_enum(value, annotation, path)
    if annotation is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            raise ConfigError("a whole number too large for a float", "write a smaller one", path=path) from None
    # a bool is an instance of int, and would slip into counts
    if not isinstance(value, annotation) or (annotation is not bool and isinstance(value, bool)):
        raise _wrong(value, annotation, path)
    # TOML can say nan and inf, JSON can't; and NaN would pass a rule such as `if weight < 0: raise`
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{value!r} is not finite", "write a finite number", path=path)
    return value


def _coerce_union(value: Any, annotation: Any, members: tuple[Any, ...], path: str) -> Any:
    if value is None and type(None) in members:
        return None
    # straight to float, so that NaN is told "not finite" and not "a float, expected int or float"
    if isinstance(value, float) and float in members:
        return coerce(value, float, path)
    # int before float, so that an `int | float` field keeps what was written
    for member in sorted(members, key=lambda arg: arg is float):
        if member is type(None):
            continue
        try:
            return coerce(value, member, path)
        except ConfigError as error:
            last = error
    raise last if len([arg for arg in members if arg is not type(None)]) == 1 else _wrong(value, annotation, path)


def _coerce_enum(value: Any, annotation: type[enum.Enum], path: str) -> enum.Enum:
    """The member that has this value: files hold values."""
    for member in annotation:
        if member.value == value and type(member.value) is type(value):
            return member
    raise ConfigError(f"{value!r} is not accepted", f"write {describe_type(annotation)}", path=path)


def _coerce_tuple(value: Any, annotation: Any, args: tuple[Any, ...], path: str) -> tuple[Any, ...]:
    # any other iterable is refused: sets have no order, and generators are used up by looking
    if isinstance(value, str) or not isinstance(value, tuple | list):
        raise _wrong(value, annotation, path)
    kinds = args[:1] * len(value) if args[-1:] == (Ellipsis,) else args
    if len(kinds) != len(value):
        raise ConfigError(f"{len(value)} values", f"give {len(kinds)}: {describe_type(annotation)}", path=path)
    pairs = enumerate(zip(value, kinds, strict=True))
    return tuple(coerce(item, kind, join(path, f"[{i}]")) for i, (item, kind) in pairs)


def _wrong(value: Any, annotation: Any, path: str) -> ConfigError:
    expected = f"expected {describe_type(annotation)}"
    if isinstance(value, type):
        return ConfigError(f"the class {value.__name__}", f"write {value.__name__}(...); {expected}", path=path)
    # A config's repr is long, and the reader knows it: the class is what is wrong.
    shown = "" if dataclasses.is_dataclass(value) else f"{value!r} is "
    return ConfigError(f"{shown}{_article(type(value).__name__)}", expected, path=path)


def _article(name: str) -> str:
    return "nothing" if name == "NoneType" else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _check_annotation(annotation: Any, where: str) -> None:
    members = union_args(annotation)
    if len(members) > 1:
        for member in members:
            _check_annotation(member, where)
        _check_alternatives([member for member in members if dataclasses.is_dataclass(member)], where)
        return
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation in (bool, int, float, str, type(None)) or origin is Literal:
        return
    if origin is tuple and args:
        for arg in args:
            if arg is not Ellipsis:
                _check_annotation(arg, where)
        return
    if is_mapping(annotation) and args and args[0] is str:
        _check_annotation(args[1], where)
        return
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        # a mutable record in a frozen config could be changed after the checks, and would make it unhashable
        if not annotation.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise SpecError(f"{where}: {annotation.__name__} is not frozen; decorate it with @dataclass(frozen=True)")
        if getattr(annotation, "tag", "") and any(item.name == "kind" for item in dataclasses.fields(annotation)):
            name = annotation.__name__
            raise SpecError(f"{where}: field 'kind' of {name} is a word of pipeline files; give it another name")
        return
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return
    raise SpecError(
        f"{where}: a field can't be {describe_type(annotation)}; use bool, int, float, str, Literal, Enum, "
        "tuple[...], a config, Mapping[str, ...] of these, or a union"
    )


def _check_alternatives(records: list[Any], where: str) -> None:
    """A file tells components apart by `use`, and plain records by their tag: nothing else may stand side by side."""
    plain = [record for record in records if not getattr(record, "kind", "")]
    tags = {getattr(record, "tag", "") for record in plain}
    if len(records) > 1 and plain and (len(plain) < len(records) or "" in tags or len(tags) < len(plain)):
        names = " and ".join(record.__name__ for record in records)
        raise SpecError(f"{where}: {names} can't be told apart in a file; give each its own tag: ClassVar[str]")
