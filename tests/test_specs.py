"""Specs: what a plugin's author is told, lazy factories, requirements and weights."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import pytest

from affectkit.configs import ComponentConfig, TemporalConfig
from affectkit.errors import ConfigError, MissingDependencyError, SpecError
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.specs import (
    KIND_NAMES,
    SPECS,
    ComponentSpec,
    HeadSpec,
    Lazy,
    MotionSpec,
    PipelineSpec,
    Requirement,
    TemporalSpec,
    Weights,
    lazy,
    required_fields,
)
from tests.toys import SPECS as TOYS, LeakyConfig, NarrowConfig, NetConfig, ScoresConfig, message_of, never, pipeline

DIGEST = "0123456789abcdef" * 4
WEIGHTS = Weights(
    name="faces",
    url="https://example.org/a.safetensors",
    sha256=DIGEST,
    size=9,
    license="MIT",
    training_data_terms="research only",
    metrics={"ccc": 0.5},
)


class Undecorated(LeakyConfig):
    pass


@dataclass(frozen=True)
class Positional(LeakyConfig):
    depth: int = 1


@dataclass(frozen=True, kw_only=True)
class UseField(LeakyConfig):
    use: str = "x"


@dataclass(frozen=True, kw_only=True)
class KindField(LeakyConfig):
    kind: str = "x"  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class OwnInit(LeakyConfig):
    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Abstract(TemporalConfig):
    dim: int = 1


@dataclass(frozen=True, kw_only=True)
class WrongField(LeakyConfig):
    sizes: list[int] = ()  # type: ignore[assignment]


def spec(**fields: Any) -> TemporalSpec[Any]:
    return TemporalSpec(
        **{"name": "leaky", "config": LeakyConfig, "factory": never, "summary": "Leaky average.", **fields}
    )


WHERE = "temporal encoder 'leaky'"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"name": "Leaky_Mean"},
            "temporal encoder 'Leaky_Mean': 'Leaky_Mean' is not a kebab-case name; use a-z, 0-9 and single hyphens",
        ),
        ({"renamed_from": ("old", "-x")}, f"{WHERE}: '-x' is not a kebab-case name; use a-z, 0-9 and single hyphens"),
        ({"config": ScoresConfig}, f"{WHERE}: config ScoresConfig is not a TemporalConfig; derive it from that"),
        ({"config": LeakyConfig()}, f"{WHERE}: config {LeakyConfig()!r} is not a TemporalConfig; derive it from that"),
        (
            {"config": Undecorated},
            f"{WHERE}: config Undecorated is no frozen dataclass; decorate it with @dataclass(frozen=True, "
            "kw_only=True)",
        ),
        ({"config": Positional}, f"{WHERE}: field 'depth' is not keyword-only; add kw_only=True to the decorator"),
        ({"config": UseField}, f"{WHERE}: field 'use' is a word of pipeline files; give it another name"),
        ({"config": KindField}, f"{WHERE}: field 'kind' is a word of pipeline files; give it another name"),
        ({"config": OwnInit}, f"{WHERE}: OwnInit overrides __post_init__; write its rules in validate(self)"),
        ({"config": Abstract}, f"{WHERE}: config Abstract has no 'output'; define it"),
        (
            {"config": WrongField},
            "WrongField.sizes: a field can't be list; use bool, int, float, str, Literal, Enum, tuple[...], a config, "
            "Mapping[str, ...] of these, or a union",
        ),
        (
            {"factory": "tests.toys:never"},
            f"{WHERE}: factory 'tests.toys:never' can't be called; give a function, a class or lazy(...)",
        ),
        ({"summary": "  "}, f"{WHERE}: summary '  '; write one line"),
        ({"summary": "a\nb"}, f"{WHERE}: summary 'a\\nb'; write one line"),
        ({"example": NetConfig()}, f"{WHERE}: example is NetConfig; give a LeakyConfig"),
        ({"renamed_from": "old"}, f"{WHERE}: renamed_from is 'old'; give a tuple of str"),
        ({"requires": ("timm",)}, f"{WHERE}: requires is ('timm',); give a tuple of Requirement"),
        ({"weights": WEIGHTS}, f"{WHERE}: weights is {WEIGHTS!r}; give a tuple of Weights"),
        ({"status": "fast"}, f"{WHERE}: status 'fast' can't be called; give a function that returns one line"),
        ({"weights": (WEIGHTS, WEIGHTS)}, f"{WHERE}: weights 'faces' listed twice; give each its own name"),
    ],
)
def test_a_spec_refuses(fields: dict[str, Any], message: str) -> None:
    assert message_of(SpecError, spec, **fields) == message


def test_a_field_without_default_needs_an_example() -> None:
    fields: dict[str, Any] = {"name": "narrow", "config": NarrowConfig, "factory": never, "summary": "Narrow."}
    assert required_fields(NarrowConfig) == ["targets"]
    assert message_of(SpecError, HeadSpec, **fields) == (
        "task head 'narrow': 'targets' has no default; give the field a default, or the spec an example"
    )
    example = NarrowConfig(targets=("au1",))
    assert HeadSpec(**fields, example=example).example_config() is example
    assert spec().example_config() == LeakyConfig()


def test_the_base_has_no_kind() -> None:
    assert message_of(
        SpecError, ComponentSpec, name="a", config=ComponentConfig, factory=never, summary="A."
    ) == "component 'a': ComponentSpec itself has no kind; use a subclass such as TemporalSpec"  # fmt: skip


def test_there_is_one_spec_class_per_kind() -> None:
    assert list(KIND_NAMES) == [
        "motion",
        "features",
        "fusion",
        "temporal",
        "head",
        "late-fusion",
        "map",
        "faces",
        "spotter",
        "dataset",
    ]
    assert {type(toy) for toy in TOYS} == set(SPECS)
    for cls in SPECS:
        assert cls.config_base.kind == cls.kind
        assert KIND_NAMES[cls.kind] == cls.kind_name


def test_specs_hash() -> None:
    assert len({spec(weights=(WEIGHTS,)), spec(weights=(replace(WEIGHTS, metrics={}),))}) == 2
    assert spec(weights=(WEIGHTS,)) == spec(weights=(WEIGHTS,))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"weights": (WEIGHTS,), "loader": "calm:load"},
            "motion front-end 'calm': loader 'calm:load' can't be called; give a function or lazy(...)",
        ),
        ({"loader": dict}, "motion front-end 'calm': a loader and no weights; give the weights that it reads"),
    ],
)
def test_a_loader_reads_weights(fields: dict[str, Any], message: str) -> None:
    declared: dict[str, Any] = {"name": "calm", "config": FrameDifferenceConfig, "factory": dict, "summary": "Calm."}
    loader = lazy("calm:load")
    assert MotionSpec(**declared, weights=(WEIGHTS,), loader=loader).loader is loader
    assert message_of(SpecError, lambda: MotionSpec(**declared, **fields)) == message


@pytest.mark.parametrize("target", ["", "a.b", "a:", ":B", "a b:C", "a:B.c", "a:B()", "os;x:B"])
def test_lazy_refuses(target: str) -> None:
    assert message_of(SpecError, lazy, target) == (f"lazy: {target!r} names no factory; write 'package.module:Class'")


def test_lazy_imports_on_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    factory = lazy("tests.toys:message_of")
    assert factory == Lazy("tests.toys:message_of")
    assert factory.resolve() is message_of
    assert lazy("builtins:int")("3") == 3
    with pytest.raises(ModuleNotFoundError):
        lazy("tests.nowhere:Net").resolve()
    with pytest.raises(AttributeError):
        lazy("tests.toys:Nowhere").resolve()


def test_a_requirement_names_component_module_and_install() -> None:
    Requirement(module="json.decoder", install="nothing").check("acme/net")
    with pytest.raises(MissingDependencyError) as caught:
        Requirement(module="acme_kernels.scan", install="pip install 'acme[fast]'").check("acme/net")
    assert str(caught.value) == (
        "acme/net: needs 'acme_kernels.scan', which is not installed; run pip install 'acme[fast]'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert str(caught.value.__cause__) == "No module named 'acme_kernels.scan'"


def test_a_blocked_module_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "json", None)
    assert message_of(MissingDependencyError, Requirement(module="json", install="pip install json").check, "a/b") == (
        "a/b: needs 'json', which is not installed; run pip install json"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "A b"}, "weights 'A b': not a kebab-case name; use a-z, 0-9 and single hyphens"),
        (
            {"url": "http://x.org/a"},
            "weights 'faces': url 'http://x.org/a' is not supported; give https://... or package:module/file",
        ),
        ({"sha256": "ABC"}, "weights 'faces': sha256 'ABC' is no digest; give 64 lower-case hex digits"),
        ({"size": 0}, "weights 'faces': size 0; give the number of bytes"),
        ({"license": " "}, "weights 'faces': license is empty; say what is known, or 'unknown'"),
        ({"training_data_terms": ""}, "weights 'faces': training_data_terms is empty; say what is known, or 'unknown'"),
    ],
)
def test_weights_refuse(fields: dict[str, Any], message: str) -> None:
    assert message_of(SpecError, lambda: replace(WEIGHTS, **fields)) == message


def test_weights_say_whether_they_are_synthetic() -> None:
    assert not WEIGHTS.is_synthetic
    assert replace(WEIGHTS, training_data_terms="synthetic").is_synthetic
    assert replace(WEIGHTS, url="package:acme/a.safetensors").url.startswith("package:")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "Calm"}, "pipeline 'Calm': 'Calm' is not a kebab-case name; use a-z, 0-9 and single hyphens"),
        (
            {"renamed_from": ("a--b",)},
            "pipeline 'calm': 'a--b' is not a kebab-case name; use a-z, 0-9 and single hyphens",
        ),
        (
            {"renamed_from": "old"},
            "pipeline 'calm': renamed_from is 'old'; give a tuple of str",
        ),
        (
            {"config": pipeline()},
            "pipeline 'calm': config PipelineConfig can't be called; give a function that makes it",
        ),
        ({"summary": ""}, "pipeline 'calm': summary ''; write one line"),
        ({"weights": "calm.bin"}, "pipeline 'calm': weights is 'calm.bin'; give a tuple of Weights"),
        (
            {"weights": (WEIGHTS, WEIGHTS), "loader": dict},
            "pipeline 'calm': weights 'faces' listed twice; give each its own name",
        ),
        (
            {"weights": (WEIGHTS, replace(WEIGHTS, name="other"))},
            "pipeline 'calm': 2 weights and no loader; give a loader that reads them",
        ),
        (
            {"weights": WEIGHTS, "loader": "calm:load"},
            "pipeline 'calm': loader 'calm:load' can't be called; give a function or lazy(...)",
        ),
        ({"loader": dict}, "pipeline 'calm': a loader and no weights; give the weights that it reads"),
    ],
)
def test_a_preset_refuses(fields: dict[str, Any], message: str) -> None:
    assert (
        message_of(SpecError, PipelineSpec, **{"name": "calm", "config": pipeline, "summary": "Calm.", **fields})
        == message
    )


def test_a_preset_lists_its_published_weights() -> None:
    def preset(**fields: Any) -> PipelineSpec:
        return PipelineSpec(name="calm", config=pipeline, summary="Calm.", **fields)

    two = (WEIGHTS, replace(WEIGHTS, name="other"))
    assert preset().published == preset(weights=()).published == ()
    assert preset(weights=WEIGHTS).published == preset(weights=(WEIGHTS,)).published == (WEIGHTS,)
    assert preset(weights=two, loader=dict).published == two


def test_a_preset_makes_its_config_when_asked() -> None:
    assert PipelineSpec(name="calm", config=pipeline, summary="Calm.").make() == pipeline()
    wrong: Any = dict
    assert message_of(ConfigError, PipelineSpec(name="calm", config=wrong, summary="Calm.").make) == (
        "pipeline 'calm': its function made dict; return a PipelineConfig or an EnsembleConfig"
    )
