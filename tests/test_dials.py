"""Dials: where they are, and how they are turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from affectkit.configs import Config
from affectkit.dials import Dial, at_path, find_dials, turn
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError
from affectkit.fields import Domain, dial
from affectkit.pipeline import Branch, PipelineConfig
from tests.toys import AverageConfig, FlowConfig, FlowNetConfig, LeakyConfig, message_of, pipeline

CONFIG = pipeline(
    branches={"flow": Branch(motion=(FlowConfig(), FlowConfig(alpha=8)), features=FlowNetConfig())},
    temporal=LeakyConfig(parts={"one": FlowConfig(alpha=2)}),
)
PATHS = [
    "branches.flow.motion[0].alpha",
    "branches.flow.motion[1].alpha",
    "temporal.rate",
    "temporal.ratios[0]",
    "temporal.ratios[1]",
    "temporal.parts.one.alpha",
]


def test_they_are_listed_in_field_order() -> None:
    dials = list(find_dials(CONFIG))
    assert [item.path for item in dials] == PATHS
    assert [item.value for item in dials] == [4.0, 8.0, 0.5, 1, 2, 2.0]
    assert dials[0] == Dial("branches.flow.motion[0].alpha", 4.0, Domain(choices=(1, 2, 4, 8)))
    assert str(dials[0]) == "branches.flow.motion[0].alpha = 4.0 (of 1, 2, 4, 8)"
    assert str(dials[2]) == "temporal.rate = 0.5 (of 0.0 to 1.0)"
    assert list(find_dials(pipeline())) == []


def test_those_of_an_ensemble_go_by_member() -> None:
    config = EnsembleConfig(members={"a": CONFIG, "b": pipeline()}, fusion=AverageConfig())
    assert [item.path for item in find_dials(config)] == [f"members.a.{path}" for path in PATHS]
    turned = turn(config, {"members.a.temporal.rate": 0.75})
    assert turned.members == {"a": turn(CONFIG, {"temporal.rate": 0.75}), "b": pipeline()}


@pytest.mark.parametrize(
    ("path", "value", "stored"),
    [
        ("branches.flow.motion[1].alpha", 2, 2.0),
        ("temporal.rate", 1, 1.0),
        ("temporal.ratios[1]", 3, 3),
        ("temporal.parts.one.alpha", 8.0, 8.0),
    ],
)
def test_turning_one_changes_nothing_else(path: str, value: Any, stored: Any) -> None:
    turned = turn(CONFIG, {path: value})
    assert type(turned) is PipelineConfig
    assert at_path(turned, path) == stored
    assert type(at_path(turned, path)) is type(stored)
    assert [item.path for item in find_dials(turned)] == PATHS
    before = {item.path: item.value for item in find_dials(CONFIG)}
    assert {item.path: item.value for item in find_dials(turned)} == {**before, path: stored}
    assert turn(turned, {path: before[path]}) == CONFIG
    assert at_path(CONFIG, path) == before[path]


def test_what_is_not_turned_stays_the_same_object() -> None:
    """Also where its name begins the name of what is: whoever asks whether a part was turned, asks by identity."""
    members = {name: pipeline(temporal=LeakyConfig()) for name in ("a", "ab")}
    ensemble = EnsembleConfig(members=members, fusion=AverageConfig())
    turned = turn(ensemble, {"members.ab.temporal.rate": 0.25})
    assert turned.members["a"] is ensemble.members["a"]
    assert at_path(turned, "members.ab.temporal.rate") == 0.25
    assert at_path(turned, "members.ab.heads.expression") is at_path(ensemble, "members.ab.heads.expression")


def test_turning_all_or_none() -> None:
    values = dict(zip(PATHS, [1.0, 2.0, 0.0, 3, 3, 1.0], strict=True))
    assert {item.path: item.value for item in find_dials(turn(CONFIG, values))} == values
    assert turn(CONFIG, {}) == CONFIG
    before = list(find_dials(CONFIG))
    assert message_of(ConfigError, turn, CONFIG, {"temporal.rate": 0.75, "temporal.ratios[0]": 9}) == (
        "temporal.ratios[0]: 9 is outside the domain; the domain is 1, 2, 3"
    )
    assert list(find_dials(CONFIG)) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"temporal.rates": 0.5},
            "no dial 'temporal.rates'; did you mean 'temporal.rate'? dials: " + ", ".join(map(repr, PATHS)),
        ),
        ({"heads": 1}, "no dial 'heads'; dials: " + ", ".join(map(repr, PATHS))),
        ({"temporal.rate": 1.5}, "temporal.rate: 1.5 is outside the domain; the domain is 0.0 to 1.0"),
        ({"temporal.rate": True}, "temporal.rate: True is outside the domain; the domain is 0.0 to 1.0"),
        ({"temporal.rate": "x"}, "temporal.rate: 'x' is outside the domain; the domain is 0.0 to 1.0"),
        (
            {"branches.flow.motion[0].alpha": 3},
            "branches.flow.motion[0].alpha: 3 is outside the domain; the domain is 1, 2, 4, 8",
        ),
    ],
)
def test_what_can_not_be_turned(changes: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, turn, CONFIG, changes) == message


@dataclass(frozen=True, kw_only=True)
class Ordered(Config):
    low: int = dial(1, low=0, high=9)
    high: int = dial(5, low=0, high=9)

    def validate(self) -> None:
        if self.low > self.high:
            raise ConfigError(f"{self.low!r} is above high={self.high!r}", "lower it", path="low")


@dataclass(frozen=True, kw_only=True)
class Holder(Config):
    parts: tuple[Ordered, ...] = (Ordered(), Ordered())


def test_a_rule_of_the_config_still_holds() -> None:
    assert message_of(ConfigError, turn, Holder(), {"parts[1].low": 7}) == "parts[1].low: 7 is above high=5; lower it"
    assert turn(Holder(), {"parts[1].low": 7, "parts[1].high": 8}).parts[1] == Ordered(low=7, high=8)
    # The range of a whole number holds fractions, its type does not.
    assert message_of(ConfigError, turn, Holder(), {"parts[0].low": 2.5}) == (
        "parts[0].low: 2.5 is a float; expected int (Ordered)"
    )


def test_a_config_without_dials() -> None:
    assert message_of(ConfigError, turn, pipeline(), {"temporal.rate": 1}) == (
        "no dial 'temporal.rate'; there are no dials"
    )


def test_at_path() -> None:
    assert at_path(CONFIG, "branches.flow.motion[1]") == FlowConfig(alpha=8)
    assert at_path(CONFIG, "branches.flow.source") == "clip"
    assert at_path(CONFIG, "temporal.ratios[1]") == 2
