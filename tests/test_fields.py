"""Field types of configs: what is allowed, what is coerced, frozen mappings and dials."""

from __future__ import annotations

import copy
import enum
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from affectkit.configs import Config, FusionConfig, LateFusionConfig, TemporalConfig
from affectkit.errors import ConfigError, SpecError
from affectkit.fields import Domain, FrozenMapping, coerce, describe_type, dial, dial_domain, field_types, union_args
from tests.toys import Color, Inner, LeakyConfig, Other, Tagged, message_of

if TYPE_CHECKING:
    from pathlib import Path


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "annotation", "stored"),
    [
        (True, bool, True),
        (3, int, 3),
        (3, float, 3.0),
        (0.5, float, 0.5),
        ("a", str, "a"),
        ("sum", Literal["sum", "concat"], "sum"),
        (3, Literal["sum", 3], 3),
        (Color.RED, Color, Color.RED),
        ("red", Color, Color.RED),
        (2, Level, Level.HIGH),
        ([1, 2], tuple[int, ...], (1, 2)),
        ((), tuple[int, ...], ()),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1], tuple[float, ...], (1.0,)),
        ({"a": 1}, Mapping[str, float], {"a": 1.0}),
        (None, int | None, None),
        (1, int | float, 1),
        (1, float | int, 1),
        (1.5, int | float, 1.5),
        (5, Color | int, 5),
        ("blue", Color | int | None, Color.BLUE),
        (("a",), tuple[int, ...] | tuple[str, ...], ("a",)),
        (Inner(size=1), Inner, Inner(size=1)),
    ],
)
def test_coerce_stores(value: Any, annotation: Any, stored: Any) -> None:
    result = coerce(value, annotation, "field")
    assert result == stored
    assert type(result) is (FrozenMapping if isinstance(stored, dict) else type(stored))


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        ("x", int, "field: 'x' is a str; expected int"),
        (True, int, "field: True is a bool; expected int"),
        (True, float, "field: True is a bool; expected float"),
        (1, bool, "field: 1 is an int; expected bool"),
        (2.0, int, "field: 2.0 is a float; expected int"),
        (1, str, "field: 1 is an int; expected str"),
        (None, int, "field: None is nothing; expected int"),
        (NAN, float, "field: nan is not finite; write a finite number"),
        (INF, float | None, "field: inf is not finite; write a finite number"),
        (NAN, int | float, "field: nan is not finite; write a finite number"),
        (10**400, float, "field: a whole number too large for a float; write a smaller one"),
        ("x", int | float, "field: 'x' is a str; expected int or float"),
        ("x", int | None, "field: 'x' is a str; expected int"),
        ([], int | str | None, "field: [] is a list; expected int or str or nothing"),
        (
            "sun",
            Literal["sum", "concat"],
            "field: 'sun' is not accepted; did you mean 'sum'? values: 'sum', 'concat'",
        ),
        ("sun", Literal[1, 2], "field: 'sun' is not accepted; write 1 or 2"),
        (True, Literal[1, 2], "field: True is not accepted; write 1 or 2"),
        (1, Literal["sum", "concat"], "field: 1 is not accepted; write 'sum' or 'concat'"),
        ("green", Color, "field: 'green' is not accepted; write 'red' or 'blue'"),
        (True, Level, "field: True is not accepted; write 1 or 2"),
        ("abc", tuple[str, ...], "field: 'abc' is a str; expected tuple of str"),
        (1, tuple[int, ...], "field: 1 is an int; expected tuple of int"),
        ((1, "a"), tuple[int, ...], "field[1]: 'a' is a str; expected int"),
        ((1, 2, 3), tuple[int, str], "field: 3 values; give 2: tuple of int, str"),
        (((1,), ("a",)), tuple[tuple[int, ...], ...], "field[1][0]: 'a' is a str; expected int"),
        ([("a", 1)], Mapping[str, int], "field: [('a', 1)] is a list; expected mapping of str to int"),
        ({1: 2}, Mapping[str, int], "field: {1: 2} is a dict; expected mapping of str to int"),
        ({"a": "b"}, Mapping[str, int], "field.a: 'b' is a str; expected int"),
        (Inner(size=1), Tagged | Other, "field: an Inner; expected Tagged or Other"),
    ],
)
def test_coerce_refuses(value: Any, annotation: Any, message: str) -> None:
    assert message_of(ConfigError, coerce, value, annotation, "field") == message


def test_subclasses_of_float_become_float() -> None:
    class Half(float):
        pass

    assert type(coerce(Half(0.5), float, "field")) is float


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (type(None), "nothing"),
        (int | None, "int or nothing"),
        (Literal["a", 1], "'a' or 1"),
        (tuple[int, ...], "tuple of int"),
        (tuple[int, str], "tuple of int, str"),
        (Mapping[str, int], "mapping of str to int"),
        (Color, "'red' or 'blue'"),
        (LeakyConfig, "LeakyConfig"),
    ],
)
def test_describe_type(annotation: Any, text: str) -> None:
    assert describe_type(annotation) == text


def test_union_args() -> None:
    assert union_args(int | None) == (int, type(None))
    assert union_args(int) == (int,)


class TestFrozenMapping:
    def test_it_copies_and_keeps_the_order(self) -> None:
        source = {"b": 1, "a": 2}
        mapping = FrozenMapping(source)
        source["c"] = 3
        assert list(mapping) == ["b", "a"]
        assert repr(mapping) == "{'b': 1, 'a': 2}"
        assert len(mapping) == 2

    def test_it_is_equal_in_the_same_order(self) -> None:
        one = FrozenMapping({"a": 1, "b": 2})
        assert one == FrozenMapping({"a": 1, "b": 2})
        assert hash(one) == hash(FrozenMapping({"a": 1, "b": 2}))
        assert one != FrozenMapping({"b": 2, "a": 1})
        assert one == {"b": 2, "a": 1}
        assert one != FrozenMapping({"a": 1})
        assert one != [("a", 1), ("b", 2)]

    def test_it_can_not_be_changed(self) -> None:
        mapping: Any = FrozenMapping({"a": 1})
        with pytest.raises(TypeError):
            mapping["a"] = 2
        with pytest.raises(TypeError):
            del mapping["a"]
        with pytest.raises(AttributeError):
            mapping.other = 2

    def test_it_is_pickled_and_copied(self) -> None:
        mapping = FrozenMapping({"b": 1, "a": 2})
        for twin in (pickle.loads(pickle.dumps(mapping)), copy.deepcopy(mapping)):
            assert type(twin) is FrozenMapping
            assert list(twin.items()) == [("b", 1), ("a", 2)]


class TestDial:
    def test_a_domain_of_choices(self) -> None:
        domain = Domain(choices=(1, 2, 4))
        assert 2 in domain
        assert 2.0 in domain
        assert 3 not in domain
        assert True not in domain
        assert "1" not in domain
        assert True in Domain(choices=(True, False))
        assert 1 not in Domain(choices=(True, False))
        assert str(domain) == "1, 2, 4"

    def test_a_domain_of_a_range(self) -> None:
        domain = Domain(low=0.0, high=1.0)
        assert 0 in domain
        assert 1.0 in domain
        assert 1.01 not in domain
        assert NAN not in domain
        assert True not in domain
        assert "0.5" not in domain
        assert 0.5 not in Domain()
        assert str(domain) == "0.0 to 1.0"

    def test_it_is_found_on_its_field(self) -> None:
        domains = {field.name: dial_domain(field) for field in fields(LeakyConfig)}
        assert domains == {"rate": Domain(low=0.0, high=1.0), "ratios": Domain(choices=(1, 2, 3)), "parts": None}
        assert LeakyConfig().rate == 0.5

    @pytest.mark.parametrize(
        ("default", "domain"),
        [
            (1, {}),
            (1, {"choices": ()}),
            (1, {"low": 0}),
            (1, {"high": 2}),
            (1, {"choices": (1, 2), "low": 0, "high": 2}),
            (1, {"choices": (1, 2), "low": 0}),
        ],
    )
    def test_it_has_one_domain(self, default: int, domain: dict[str, Any]) -> None:
        assert message_of(SpecError, dial, default, **domain) == (
            "dial: default 1 has no single domain; give choices=(...), or low= and high="
        )

    def test_its_default_is_in_the_domain(self) -> None:
        assert message_of(SpecError, dial, 3, choices=(1, 2)) == (
            "dial: default 3 is outside its domain; the domain is 1, 2"
        )
        assert message_of(SpecError, dial, (0.5, 1.5), low=0.0, high=1.0) == (
            "dial: default 1.5 is outside its domain; the domain is 0.0 to 1.0"
        )


def test_field_types_are_resolved_in_order() -> None:
    assert dict(field_types(Inner)) == {"size": int, "note": str}


USE = "use bool, int, float, str, Literal, Enum, tuple[...], a config, Mapping[str, ...] of these, or a union"


@dataclass
class Loose:
    size: int = 1


@dataclass(frozen=True)
class Untagged:
    size: int = 1


@dataclass(frozen=True)
class Twin:
    tag: ClassVar[str] = "other"


@dataclass(frozen=True, kw_only=True)
class Listed(Config):
    items: list[int]


@dataclass(frozen=True, kw_only=True)
class Bare(Config):
    items: tuple  # type: ignore[type-arg]


@dataclass(frozen=True, kw_only=True)
class Anything(Config):
    item: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WrongKey(Config):
    table: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class Deep(Config):
    table: Mapping[str, tuple[dict[str, int] | None, ...]]


@dataclass(frozen=True, kw_only=True)
class Kinds:
    tag: ClassVar[str] = "kinds"
    kind: int = 1


@dataclass(frozen=True, kw_only=True)
class Named(Config):
    part: Kinds


@dataclass(frozen=True, kw_only=True)
class Thawed(Config):
    part: Loose


@dataclass(frozen=True, kw_only=True)
class Unnamed(Config):
    part: Untagged | Other


@dataclass(frozen=True, kw_only=True)
class Twins(Config):
    part: Twin | Other


@dataclass(frozen=True, kw_only=True)
class Mixed(Config):
    part: TemporalConfig | Other | None


@dataclass(frozen=True, kw_only=True)
class TwoKinds(Config):
    part: LateFusionConfig | FusionConfig | None = None


@dataclass(frozen=True, kw_only=True)
class Hidden(Config):
    path: Path | None = None


TAGS = "can't be told apart in a file; give each its own tag: ClassVar[str]"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Listed, f"Listed.items: a field can't be list; {USE}"),
        (Bare, f"Bare.items: a field can't be tuple; {USE}"),
        (Anything, f"Anything.item: a field can't be Any; {USE}"),
        (WrongKey, f"WrongKey.table: a field can't be mapping of str to str; {USE}"),
        (Deep, f"Deep.table: a field can't be dict; {USE}"),
        (Named, "Named.part: field 'kind' of Kinds is a word of pipeline files; give it another name"),
        (Thawed, "Thawed.part: Loose is not frozen; decorate it with @dataclass(frozen=True)"),
        (Unnamed, f"Unnamed.part: Untagged and Other {TAGS}"),
        (Twins, f"Twins.part: Twin and Other {TAGS}"),
        (Mixed, f"Mixed.part: TemporalConfig and Other {TAGS}"),
        (
            Hidden,
            "Hidden: annotation can't be resolved (name 'Path' is not defined); import what config annotations name "
            "at run time, not under TYPE_CHECKING",
        ),
    ],
)
def test_field_types_refuse(config: type[Any], message: str) -> None:
    assert message_of(SpecError, field_types, config) == message


def test_components_are_told_apart_by_use() -> None:
    assert list(field_types(TwoKinds)) == ["part"]
