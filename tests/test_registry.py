"""The registry: what a name means, and what is said where it means nothing, or too much."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from affectkit.errors import AmbiguousNameError, PluginError, RegistryError, RenamedWarning, SpecError
from affectkit.plugins import Plugin, PluginReport, State, _guard
from affectkit.registry import Registry, default_registry
from affectkit.specs import HeadSpec, LateFusionSpec, PipelineSpec, TemporalSpec
from tests.toys import REGISTRY, SPECS, AverageConfig, LeakyConfig, NetConfig, ScoresConfig, message_of, never, pipeline


@dataclass(frozen=True, kw_only=True)
class AcmeConfig(LeakyConfig):
    pass


ACME = TemporalSpec(name="leaky", config=AcmeConfig, factory=never, summary="Leaky too.", renamed_from=("drip",))
CALM = PipelineSpec(name="calm", config=pipeline, summary="Calm.", renamed_from=("quiet",))
BOTH = REGISTRY.with_components(ACME, provider="acme").with_pipelines(CALM, provider="acme")
ENCODERS = "temporal encoders at hand: 'leaky', 'null', 'rich'"


def with_report(provider: str, state: State, error: str = "") -> Registry:
    report = PluginReport(provider=provider, version="1.0", entry_point="main", state=state, error=error)
    return Registry([*REGISTRY._plugins, Plugin(report=report)])


def test_bare_and_qualified_names() -> None:
    component = REGISTRY.component("temporal", "leaky")
    assert component.id == "toys/leaky"
    assert component.spec.config is LeakyConfig
    assert REGISTRY.component("temporal", "toys/leaky") is component
    assert REGISTRY.component("temporal", "Toys/leaky") is component
    assert REGISTRY.component(("fusion", "late-fusion"), "average").id == "toys/average"
    assert REGISTRY.of_config(LeakyConfig) is component
    assert REGISTRY.id_of(NetConfig) == "toys/net"
    assert REGISTRY.config_class(("features",), "net") is NetConfig
    assert REGISTRY.names(("fusion", "late-fusion")) == ["join", "average"]


def test_components_are_sorted_by_kind_and_id() -> None:
    assert [item.id for item in BOTH.components("temporal")] == ["acme/leaky", "toys/leaky", "toys/null", "toys/rich"]
    kinds = [item.spec.kind for item in BOTH.components()]
    assert kinds == sorted(kinds, key=list(dict.fromkeys(spec.kind for spec in SPECS)).index)
    assert message_of(RegistryError, BOTH.components, "temporl") == (
        "no kind 'temporl'; did you mean 'temporal'? kinds: 'motion', 'features', 'fusion', 'temporal', 'head', "
        "'late-fusion', 'map', 'faces', 'spotter', 'dataset'"
    )


def test_an_unknown_bare_name_gets_the_nearest_and_the_rest() -> None:
    assert message_of(RegistryError, REGISTRY.component, "temporal", "leakey") == (
        f"no temporal encoder 'leakey'; did you mean 'leaky'? {ENCODERS}"
    )
    assert message_of(RegistryError, REGISTRY.component, "temporal", "x") == f"no temporal encoder 'x'; {ENCODERS}"
    assert message_of(RegistryError, REGISTRY.component, ("late-fusion", "fusion"), "avrage") == (
        "no late fusion or fusion 'avrage'; did you mean 'average'? late fusion or fusions at hand: 'average', 'join'"
    )
    assert message_of(RegistryError, Registry().component, "temporal", "leaky") == (
        "no temporal encoder 'leaky'; there are no temporal encoders at hand"
    )


def test_a_name_of_another_kind() -> None:
    assert message_of(RegistryError, REGISTRY.component, "head", "leaky") == (
        "no task head 'leaky'; toys/leaky is a temporal encoder; task heads at hand: 'narrow', 'scores'"
    )
    assert message_of(RegistryError, REGISTRY.preset, "leaky") == (
        "no pipeline 'leaky'; toys/leaky is a temporal encoder; there are no pipelines at hand"
    )


def test_an_unknown_preset() -> None:
    assert BOTH.preset("calm").id == BOTH.preset("acme/calm").id == "acme/calm"
    assert message_of(RegistryError, BOTH.preset, "calmer") == (
        "no pipeline 'calmer'; did you mean 'calm'? pipelines at hand: 'calm'"
    )
    assert message_of(RegistryError, BOTH.preset, "affectkit-fmanet/fmanet") == (
        "no pipeline 'affectkit-fmanet/fmanet'; run pip install affectkit-fmanet"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme-faces/leaky", "no temporal encoder 'acme-faces/leaky'; run pip install acme-faces"),
        ("Acme_Faces/leaky", "no temporal encoder 'Acme_Faces/leaky'; run pip install acme-faces"),
        ("toys/leakey", f"no temporal encoder 'toys/leakey'; did you mean 'leaky'? {ENCODERS}"),
        ("affectkit/leakey", f"no temporal encoder 'affectkit/leakey'; {ENCODERS}"),
        (
            "local/leaky",
            "no temporal encoder 'local/leaky'; it was made in a session or notebook; "
            "pass registry=default_registry().with_components(...)",
        ),
        # Nothing that could not be a distribution's name is offered to pip.
        ("a; rm/leaky", f"no temporal encoder 'a; rm/leaky'; did you mean 'leaky'? {ENCODERS}"),
    ],
)
def test_an_unknown_qualified_name(name: str, message: str) -> None:
    assert message_of(RegistryError, REGISTRY.component, "temporal", name) == message


def test_a_provider_that_is_switched_off_or_of_another_api() -> None:
    assert message_of(RegistryError, with_report("acme", "disabled").component, "temporal", "acme/drip") == (
        "no temporal encoder 'acme/drip'; acme is switched off by AFFECTKIT_DISABLE_PLUGINS"
    )
    error = "made for affectkit.v2, this is affectkit.v1"
    assert message_of(RegistryError, with_report("acme", "other-api", error).component, "temporal", "acme/drip") == (
        "no temporal encoder 'acme/drip'; acme is made for affectkit.v2, this is affectkit.v1"
    )


def test_failed_plugins_are_named() -> None:
    registry = with_report("acme", "failed", "ImportError: no kernel")
    tail = "; plugins that failed: acme (ImportError: no kernel)"
    assert (
        message_of(RegistryError, registry.component, "temporal", "x") == f"no temporal encoder 'x'; {ENCODERS}{tail}"
    )
    assert message_of(RegistryError, registry.component, "temporal", "acme/drip") == (
        f"no temporal encoder 'acme/drip'; {ENCODERS}{tail}"
    )
    assert message_of(RegistryError, registry.of_config, AcmeConfig) == (
        f"no component has the config AcmeConfig; provide it from a plugin, or pass registry.with_components(...){tail}"
    )
    assert [report.state for report in registry.reports] == ["ok", "failed"]


def test_a_clash_fails_only_when_the_bare_name_is_looked_up() -> None:
    assert BOTH.component("temporal", "acme/leaky").spec is ACME
    assert BOTH.component("temporal", "toys/leaky").spec.config is LeakyConfig
    assert BOTH.component("temporal", "rich").id == "toys/rich"
    assert BOTH.names(("temporal",)) == ["acme/leaky", "toys/leaky", "null", "rich"]
    assert message_of(AmbiguousNameError, BOTH.component, "temporal", "leaky") == (
        "temporal encoder 'leaky' is provided by 2 plugins; write one of 'acme/leaky', 'toys/leaky'"
    )
    twice = BOTH.with_pipelines(CALM, provider="toys")
    assert message_of(AmbiguousNameError, twice.preset, "calm") == (
        "pipeline 'calm' is provided by 2 plugins; write one of 'acme/calm', 'toys/calm'"
    )


@pytest.mark.parametrize("name", ["drip", "acme/drip"])
def test_an_old_name_resolves_with_a_warning(name: str) -> None:
    text = f"{name!r} is now 'acme/leaky'; write that, the old name will go"
    with pytest.warns(RenamedWarning, match=f"^{re.escape(text)}$"):
        component = BOTH.component("temporal", name)
    assert component.id == "acme/leaky"


def test_an_old_name_of_a_preset() -> None:
    with pytest.warns(RenamedWarning, match="^'quiet' is now 'acme/calm'; write that, the old name will go$"):
        assert BOTH.preset("quiet").id == "acme/calm"


def test_a_name_in_use_wins_over_an_old_one() -> None:
    @dataclass(frozen=True, kw_only=True)
    class DripConfig(LeakyConfig):
        pass

    drip = TemporalSpec(name="drip", config=DripConfig, factory=never, summary="Drip.")
    assert BOTH.with_components(drip, provider="toys").component("temporal", "drip").id == "toys/drip"


def test_an_old_name_of_two_components_is_ambiguous() -> None:
    @dataclass(frozen=True, kw_only=True)
    class DropConfig(LeakyConfig):
        pass

    drop = TemporalSpec(name="drop", config=DropConfig, factory=never, summary="Drop.", renamed_from=("drip",))
    registry = BOTH.with_components(drop, provider="third")
    assert message_of(AmbiguousNameError, registry.component, "temporal", "drip") == (
        "temporal encoder 'drip' is provided by 2 plugins; write one of 'acme/leaky', 'third/drop'"
    )


def test_deriving_leaves_the_registry_as_it_is() -> None:
    before = repr(REGISTRY)
    derived = REGISTRY.with_components(ACME, provider="Acme_Faces").with_pipelines(CALM, provider="Acme.Faces")
    assert repr(REGISTRY) == before
    assert derived.component("temporal", "acme-faces/leaky").id == "acme-faces/leaky"
    assert derived.preset("acme-faces/calm").id == "acme-faces/calm"
    assert [report.provider for report in derived.reports] == ["toys", "acme-faces", "acme-faces"]


def test_the_same_id_or_config_is_replaced() -> None:
    better = replace(ACME, summary="Better.")
    assert BOTH.with_components(better, provider="acme").component("temporal", "acme/leaky").spec is better
    moved = BOTH.with_components(better, provider="other")
    assert moved.of_config(AcmeConfig).id == "other/leaky"
    assert [item.id for item in moved.components("temporal")] == ["other/leaky", "toys/leaky", "toys/null", "toys/rich"]
    calmer = replace(CALM, summary="Calmer.")
    presets = BOTH.with_pipelines(calmer, provider="acme")
    assert [item.spec for item in presets.presets()] == [calmer]
    assert presets.component("temporal", "acme/leaky").spec is ACME


def test_one_call_may_not_clash_with_itself() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Scores(ScoresConfig):
        pass

    @dataclass(frozen=True, kw_only=True)
    class Average(AverageConfig):
        pass

    head = HeadSpec(name="same", config=Scores, factory=never, summary="A.")
    late = LateFusionSpec(name="same", config=Average, factory=never, summary="B.")
    cases: list[tuple[tuple[Any, ...], str]] = [
        (
            (head, HeadSpec(name="other", config=Scores, factory=never, summary="C.")),
            "config Scores of 'other' is already 'local/same'; one config class is one component, derive a new one",
        ),
        (
            (head, late),
            "late fusion 'same' is provided twice by local, also as task head; give one of them another name",
        ),
        (
            (head, HeadSpec(name="b", config=ScoresConfig, factory=never, summary="C.", renamed_from=("same",))),
            "task head 'same' is provided twice by local; give one of them another name",
        ),
    ]
    for specs, message in cases:
        assert message_of(SpecError, Registry().with_components, *specs) == message
    assert message_of(SpecError, Registry().with_pipelines, CALM, CALM) == (
        "pipeline 'calm' is provided twice by local; give one of them another name"
    )


def test_a_preset_may_have_the_name_of_a_component() -> None:
    registry = REGISTRY.with_pipelines(PipelineSpec(name="leaky", config=pipeline, summary="P."), provider="toys")
    assert registry.preset("toys/leaky").id == registry.component("temporal", "toys/leaky").id


def test_printed() -> None:
    rows = repr(BOTH).splitlines()
    assert rows[0] == "motion front-end   toys/flow                              Flow."
    assert rows[-1] == "pipeline           acme/calm                              Calm."
    assert len(rows) == len(SPECS) + 2
    assert repr(Registry()) == "no components"


def test_the_default_registry_is_made_once() -> None:
    registry = default_registry()
    assert default_registry() is registry
    assert registry.component("fusion", "affectkit/affine").spec.name == "affine"


def test_the_default_registry_is_not_there_while_plugins_are_imported() -> None:
    with _guard():
        assert message_of(PluginError, default_registry) == (
            "registry: used while plugins are being imported; move the call into a function"
        )
    assert default_registry().reports


def test_a_registry_is_not_copied_and_the_default_one_not_pickled() -> None:
    """Models hold one; a plugin's spec may hold what can't be pickled, such as a function in a function."""
    default = default_registry()
    assert copy.deepcopy(default) is default
    assert copy.deepcopy(BOTH) is BOTH
    assert pickle.loads(pickle.dumps(default)) is default
    assert repr(pickle.loads(pickle.dumps(BOTH))) == repr(BOTH)
