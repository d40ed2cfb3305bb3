"""Config bases and samplings: checks when they are made, equality and hashes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest

from affectkit.configs import ComponentConfig, Config, Events, Frames, Tracking, Windows
from affectkit.errors import ConfigError
from tests.toys import (
    AverageConfig,
    Inner,
    LeakyConfig,
    NetConfig,
    RichConfig,
    ScoresConfig,
    ToySpotterConfig,
    message_of,
)


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (NetConfig, {"dim": "8"}, "dim: '8' is a str; expected int (NetConfig)"),
        (RichConfig, {"widths": (1, "b")}, "widths[1]: 'b' is a str; expected int (RichConfig)"),
        (RichConfig, {"table": {"a": True}}, "table.a: True is a bool; expected float (RichConfig)"),
        (
            RichConfig,
            {"mode": "sun"},
            "mode: 'sun' is not accepted; did you mean 'sum'? values: 'sum', 'concat' (RichConfig)",
        ),
        (RichConfig, {"inner": 3}, "inner: 3 is an int; expected Inner (RichConfig)"),
        (ScoresConfig, {"weight": -1}, "weight: -1.0 is negative; write 0 or more"),
        (Windows, {"seconds": 0}, "seconds: 0.0 is no duration; write more than 0 seconds"),
        (Windows, {"hop_seconds": -1.0}, "hop_seconds: -1.0 is no duration; write more than 0 seconds"),
        (
            Windows,
            {"seconds": 1.0, "hop_seconds": 1.5},
            "hop_seconds: 1.5 is more than seconds=1.0, which would leave frames out; "
            "hop by the length of a window or less",
        ),
        (
            Events,
            {"spotter": ToySpotterConfig(), "keyframes": ("onset", "peak")},
            "keyframes: 'peak' is no moment of an event; moments: 'onset', 'apex', 'offset'",
        ),
        (
            Events,
            {"spotter": NetConfig()},
            "spotter: a NetConfig; expected SpotterConfig (Events)",
        ),
        (
            Events,
            {"spotter": ToySpotterConfig(), "apex": "guess"},
            "apex: 'guess' is not accepted; values: 'middle', 'reject' (Events)",
        ),
        (Tracking, {"max_gap_seconds": -0.5}, "max_gap_seconds: -0.5 is negative; write 0 or more"),
        (Tracking, {"max_faces": 0}, "max_faces: 0 faces; write 1 or more, or leave it out for all"),
        (Tracking, {"min_confidence": 1.5}, "min_confidence: 1.5 is no confidence; write 0 to 1"),
        (Tracking, {"min_size": -1.0}, "min_size: -1.0 is negative; write 0 or more pixels"),
    ],
)
def test_a_wrong_value_is_refused(config: type[Config], fields: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, config, **fields) == message


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(TypeError):
        NetConfig(dmi=8)  # type: ignore[call-arg]


def test_values_are_stored_as_annotated() -> None:
    widths: Any = [3, 4]
    table: dict[str, float] = {"a": 1}
    config = RichConfig(ratio=1, widths=widths, table=table)
    table["b"] = 2
    assert type(config.ratio) is float
    assert config.widths == (3, 4)
    assert dict(config.table) == {"a": 1.0}


def test_equal_configs_hash_equal() -> None:
    one = RichConfig(table={"a": 1, "b": 2}, inners=(Inner(size=2),), part=LeakyConfig())
    other = RichConfig(table={"a": 1, "b": 2}, inners=(Inner(size=2),), part=LeakyConfig())
    assert one == other
    assert hash(one) == hash(other)
    assert one != RichConfig(table={"a": 1, "b": 3}, inners=(Inner(size=2),), part=LeakyConfig())


def test_configs_are_frozen() -> None:
    config = NetConfig()
    with pytest.raises(FrozenInstanceError):
        config.dim = 3  # type: ignore[misc]


def test_configs_are_copied_and_pickled() -> None:
    config = RichConfig(table={"a": 1}, part=LeakyConfig(rate=0.25))
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config


def test_rules_of_a_base_hold_in_what_derives_from_it() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Strict(ScoresConfig):
        def validate(self) -> None:
            super().validate()
            if "happy" not in self.targets:
                raise ConfigError("no 'happy'", "add it", path="targets")

    assert Strict().weight == 1.0
    assert message_of(ConfigError, Strict, weight=-1.0) == "weight: -1.0 is negative; write 0 or more"
    assert message_of(ConfigError, Strict, targets=("a", "b")) == "targets: no 'happy'; add it"


def test_defaults_of_the_bases() -> None:
    assert not NetConfig().is_frozen
    assert not LeakyConfig().is_causal
    assert ComponentConfig.kind == ""
    assert AverageConfig().kind == "late-fusion"
    assert Frames() == Frames()
    assert Windows().hop_seconds == 1.0
    assert Events(spotter=ToySpotterConfig()).keyframes == ("onset", "apex", "offset")
