"""Message grammar, paths and candidates."""

from __future__ import annotations

import pytest

from affectkit import errors
from affectkit.errors import ConfigError, StreamError, compose, did_you_mean, join, listed, nearest


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("a.b", "fact", "do this"), "a.b: fact; do this"),
        (("", "fact", "do this"), "fact; do this"),
        (("a", "fact", ""), "a: fact"),
        (("", "fact", ""), "fact"),
    ],
)
def test_compose_leaves_out_what_is_empty(parts: tuple[str, str, str], text: str) -> None:
    assert compose(*parts) == text


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("branches.flow", "motion[0]"), "branches.flow.motion[0]"),
        (("motion", "[0]", "alpha"), "motion[0].alpha"),
        (("", "a", "", "b"), "a.b"),
        ((), ""),
    ],
)
def test_join(parts: tuple[str, ...], path: str) -> None:
    assert join(*parts) == path


def test_listed_stops_at_ten() -> None:
    assert listed(["a", 2]) == "'a', 2"
    assert listed(range(10)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert listed(range(13)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more"
    assert listed(iter("abc"), limit=2) == "'a', 'b' and 1 more"


def test_nearest() -> None:
    assert nearest("tempral", ["spatial", "temporal"]) == "temporal"
    assert nearest("xyz", ["spatial", "temporal"]) is None


def test_did_you_mean() -> None:
    assert did_you_mean("gru2", iter(["gru", "lstm"]), noun="encoders") == "did you mean 'gru'? encoders: 'gru', 'lstm'"
    assert did_you_mean("xyz", ["gru"], noun="encoders") == "encoders: 'gru'"
    assert did_you_mean("xyz", [], noun="encoders") == "there are no encoders"


def test_at_puts_a_path_in_front_and_keeps_the_class() -> None:
    error = StreamError("unit 'pixel' is not accepted", "accepts 'intensity'", path="motion[0]").at("branches.flow")
    assert type(error) is StreamError
    assert str(error) == "branches.flow.motion[0]: unit 'pixel' is not accepted; accepts 'intensity'"
    assert (error.path, error.fact) == ("branches.flow.motion[0]", "unit 'pixel' is not accepted")
    assert error.suggestion == "accepts 'intensity'"
    assert str(ConfigError("fact").at("")) == "fact"


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.StreamError, errors.ConfigError),
        (errors.SpecError, TypeError),
        (errors.PluginError, RuntimeError),
        (errors.RegistryError, LookupError),
        (errors.AmbiguousNameError, errors.RegistryError),
        (errors.MissingDependencyError, ImportError),
        (errors.ArtifactError, ValueError),
        (errors.WeightsError, OSError),
        (errors.InputError, ValueError),
    ],
)
def test_hierarchy(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, errors.AffectkitError)
    assert issubclass(error, builtin)
