"""`EnsembleConfig`: levels, common targets, shared inputs, nesting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from affectkit.configs import Events, Frames, Windows
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, RegistryError, StreamError
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.registry import Registry
from affectkit.streams import FeatureStream, FrameStream, PredictionStream
from tests.toys import (
    KEYFRAME_CLIP,
    REGISTRY,
    RGB_CLIP,
    SPECS,
    AverageConfig,
    FlowConfig,
    FlowNetConfig,
    JoinConfig,
    NetConfig,
    SameConfig,
    ScoresConfig,
    ToySpotterConfig,
    message_of,
    pipeline,
)

LARGE = FrameStream(height=16, width=16)


def scoring(*targets: str, **fields: Any) -> PipelineConfig:
    return pipeline(heads={"expression": ScoresConfig(targets=targets, **fields)})


def ensemble(*members: PipelineConfig | EnsembleConfig, **fields: Any) -> EnsembleConfig:
    """Members are called a, b, c."""
    named = dict(zip("abc", members, strict=False)) or {"a": pipeline(), "b": pipeline()}
    return EnsembleConfig(**{"members": named, "fusion": AverageConfig(), **fields})


def joined(*members: PipelineConfig | EnsembleConfig, **fields: Any) -> EnsembleConfig:
    """At feature level."""
    return ensemble(*members, **{"fusion": JoinConfig(), "heads": {"expression": ScoresConfig()}, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"members": {}}, "members: no members; give at least one"),
        (
            {"members": {"a b": pipeline()}},
            "members: 'a b' is no name; use a-z, 0-9 and _, beginning with a letter",
        ),
        ({"fusion": JoinConfig()}, "heads: no heads; fused features need one, or fuse scores"),
        ({"heads": {"x": ScoresConfig()}}, "heads: heads at score level; drop them, or fuse features"),
        (
            {"fusion": JoinConfig(), "heads": {"x": ScoresConfig()}, "outputs": ("x",)},
            "outputs: outputs at feature level; drop them: the heads are the outputs",
        ),
        (
            {"fusion": JoinConfig(), "heads": {"x": ScoresConfig()}, "targets": "union", "fill": 0.0},
            "targets: 'union' at feature level; drop it: the heads have the targets",
        ),
        ({"targets": "union"}, "fill: union without a fill; say what a member's unknown target counts as"),
        ({"fill": 0.5}, "fill: 0.5 has no effect; write targets='union', or drop it"),
        (
            {"fusion": JoinConfig(), "heads": {"x": ScoresConfig()}, "maps": {"m": SameConfig(source="y")}},
            "maps.m.source: no scores 'y'; heads and earlier maps: 'x'",
        ),
        (
            {"fusion": JoinConfig(), "heads": {"x": ScoresConfig()}, "maps": {"x": SameConfig(source="x")}},
            "maps.x: 'x' is taken by a head or map; give the map another name",
        ),
        (
            {"heads": {"x-y": ScoresConfig()}},
            "heads: 'x-y' is no name; use a-z, 0-9 and _, beginning with a letter",
        ),
        (
            {"maps": {"X": SameConfig(source="y")}},
            "maps: 'X' is no name; use a-z, 0-9 and _, beginning with a letter",
        ),
        (
            {"fusion": ScoresConfig()},
            "fusion: a ScoresConfig; expected LateFusionConfig or FusionConfig (EnsembleConfig)",
        ),
        (
            {"targets": "all"},
            "targets: 'all' is not accepted; values: 'intersection', 'union' (EnsembleConfig)",
        ),
    ],
)
def test_what_does_not_go_together(fields: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, ensemble, **fields) == message


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            ensemble(scoring("a", "b"), scoring("c", "d")),
            StreamError,
            "fusion.expression: 0 common targets, multiclass needs 2; 'a' has 'a', 'b'; 'b' has 'c', 'd'",
        ),
        (
            ensemble(scoring("a", "b"), scoring("b", "c")),
            StreamError,
            "fusion.expression: 1 common targets, multiclass needs 2; 'a' has 'a', 'b'; 'b' has 'b', 'c'",
        ),
        (
            ensemble(scoring("au1", problem="multilabel"), scoring("au2", problem="multilabel")),
            StreamError,
            "fusion.expression: 0 common targets, multilabel needs 1; 'a' has 'au1'; 'b' has 'au2'",
        ),
        (
            ensemble(scoring("happy", "sad"), scoring("sad", "Happy", "fear")),
            StreamError,
            "fusion.expression: 'a' has 'happy', 'b' has 'Happy'; spell common targets the same way",
        ),
        (
            ensemble(scoring("x", "y"), scoring("x", "y", "AU 1"), scoring("x", "y", "au_1")),
            StreamError,
            "fusion.expression: 'b' has 'AU 1', 'c' has 'au_1'; spell common targets the same way",
        ),
        (
            ensemble(scoring("happy", "sad"), scoring("happy", "Sad"), targets="union", fill=0.0),
            StreamError,
            "fusion.expression: 'a' has 'sad', 'b' has 'Sad'; spell common targets the same way",
        ),
        (
            ensemble(scoring("AU1", "AU10", problem="multilabel"), scoring("AU01", "AU10", problem="multilabel")),
            StreamError,
            "fusion.expression: 'a' has 'AU1', 'b' has 'AU01'; spell common targets the same way",
        ),
        (
            ensemble(scoring("neutral", "anger", "happy"), scoring("neutral", "anger", "happiness")),
            StreamError,
            "fusion.expression: 'a' has 'happy', 'b' has 'happiness'; spell common targets the same way",
        ),
        (
            ensemble(scoring("neutral", "sad", "anger"), scoring("neutral", "Angry", "sad")),
            StreamError,
            "fusion.expression: 'a' has 'anger', 'b' has 'Angry'; spell common targets the same way",
        ),
        (
            ensemble(scoring("sadly_angry", "happily_surprised"), scoring("sadly_angry", "Happily/Surprised")),
            StreamError,
            "fusion.expression: 'a' has 'happily_surprised', 'b' has 'Happily/Surprised'; "
            "spell common targets the same way",
        ),
        (
            ensemble(scoring("x", "y", "col\u00e8re"), scoring("x", "y", "cole\u0300re"), targets="union", fill=0.0),
            StreamError,
            "fusion.expression: 'a' has 'col\u00e8re', 'b' has 'cole\u0300re'; spell common targets the same way",
        ),
        (
            ensemble(scoring("a", "b"), scoring("b", "c"), targets="union", fill=1.5),
            ConfigError,
            "fill: 1.5 is no probability of 'expression'; write 0 to 1",
        ),
        (
            ensemble(*[pipeline(heads={"x": ScoresConfig(), "x_agreement": ScoresConfig()})] * 2, agreement=True),
            ConfigError,
            "agreement: the members have an output 'x_agreement' of their own; call that head or map something else",
        ),
        (
            ensemble(scoring("a", "b"), scoring("a", "b", problem="multilabel")),
            StreamError,
            "fusion.expression: problem of 'b' is 'multilabel', of 'a' 'multiclass'; members agree on the problem",
        ),
        (
            ensemble(scoring("a", "b"), scoring("a", "b", resolution="frame")),
            StreamError,
            "fusion.expression: resolution of 'b' is 'frame', of 'a' 'clip'; members agree on the resolution",
        ),
        (
            ensemble(pipeline(), pipeline(heads={"expression": ScoresConfig(), "au": ScoresConfig()})),
            ConfigError,
            "outputs: only some members have 'au', 'b' among them; say what to join; common outputs: 'expression'",
        ),
        (
            ensemble(pipeline(), pipeline(heads={"au": ScoresConfig()})),
            ConfigError,
            "outputs: no output that all members have; 'a' has 'expression'; 'b' has 'au'",
        ),
        (
            ensemble(pipeline(), pipeline(heads={"au": ScoresConfig()}), outputs=("expression",)),
            ConfigError,
            "outputs: member 'b' has no output 'expression'; common outputs: none",
        ),
        (
            ensemble(maps={"calm": SameConfig(source="expresion")}),
            ConfigError,
            "maps.calm.source: no scores 'expresion'; did you mean 'expression'? heads and earlier maps: 'expression'",
        ),
        (
            ensemble(maps={"expression": SameConfig(source="expression")}),
            ConfigError,
            "maps.expression: 'expression' is taken by a head or map; give the map another name",
        ),
        (
            ensemble(PipelineConfig(input=RGB_CLIP, sampling=Events(spotter=ToySpotterConfig()))),
            ConfigError,
            "members: members have no heads; give them some, or fuse features",
        ),
        (
            joined(PipelineConfig(input=RGB_CLIP, sampling=Events(spotter=ToySpotterConfig()))),
            StreamError,
            "fusion: member 'a' has no features of its own; fuse scores, or nest a feature-level ensemble",
        ),
        (
            joined(ensemble(), pipeline()),
            StreamError,
            "fusion: member 'a' has no features of its own; fuse scores, or nest a feature-level ensemble",
        ),
        (
            joined(pipeline(), pipeline(branches={"face": Branch(features=NetConfig(stride=2))})),
            StreamError,
            "fusion: 'b' has stride 2, 'a' has 1; fused streams share one clock",
        ),
        (
            ensemble(pipeline(), pipeline(branches={"flow": Branch(features=FlowNetConfig())})),
            StreamError,
            "members.b.branches.flow.features: channels ('r', 'g', 'b') are not accepted; accepts ('u', 'v')",
        ),
        (
            ensemble(ensemble(pipeline(branches={"flow": Branch(features=FlowNetConfig())}))),
            StreamError,
            "members.a.members.a.branches.flow.features: channels ('r', 'g', 'b') are not accepted; accepts ('u', 'v')",
        ),
    ],
)
def test_members_that_do_not_fit(config: EnsembleConfig, error: type[ConfigError], message: str) -> None:
    assert message_of(error, config.trace, registry=REGISTRY) == message


def test_a_component_without_a_provider_is_named_with_its_member() -> None:
    tail = "provide it from a plugin, or pass registry.with_components(...)"
    config = ensemble(ensemble())
    assert message_of(RegistryError, config.trace, registry=Registry()) == (
        f"members.a.members.a.branches.face.features: no component has the config NetConfig; {tail}"
    )
    registry = Registry().with_components(*[spec for spec in SPECS if spec.config is not AverageConfig])
    assert message_of(RegistryError, ensemble().trace, registry=registry) == (
        f"fusion.expression: no component has the config AverageConfig; {tail}"
    )


def test_the_outermost_sampling_has_to_fit_every_member() -> None:
    moving = pipeline(branches={"flow": Branch(motion=(FlowConfig(),), features=FlowNetConfig())})
    assert message_of(ConfigError, ensemble, pipeline(), ensemble(moving), sampling=Frames()) == (
        "members.b.members.a.branches.flow.motion[0]: needs 2 frames, and Frames sampling gives one; sample Windows"
    )
    assert message_of(ConfigError, ensemble, pipeline(), pipeline(input=KEYFRAME_CLIP), sampling=Windows()) == (
        "sampling: Windows gives no named steps, and input 'b.clip' has ('onset', 'apex', 'offset'); "
        "sample Events, or leave sampling out"
    )
    events = Events(spotter=ToySpotterConfig(), keyframes=("onset", "apex"))
    assert message_of(ConfigError, ensemble, pipeline(input=KEYFRAME_CLIP), sampling=events) == (
        "inputs.clip.steps: steps ('onset', 'apex', 'offset') are not the keyframes ('onset', 'apex'); make them equal"
    )
    # A member's own does not count.
    assert len(ensemble(pipeline(sampling=Windows()), sampling=Frames()).trace(registry=REGISTRY)) == 3


def test_the_spotter_of_an_ensemble_is_traced() -> None:
    events = Events(spotter=ToySpotterConfig())
    trace = ensemble(pipeline(input=KEYFRAME_CLIP), sampling=events).trace(registry=REGISTRY)
    assert trace.steps[0].path == "sampling.spotter"
    assert trace["sampling.spotter"].inputs == {"clip": RGB_CLIP}
    flow = pipeline(
        input=FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8),
        branches={"flow": Branch(features=FlowNetConfig())},
    )
    assert message_of(StreamError, ensemble(flow, sampling=events).trace, registry=REGISTRY) == (
        "sampling.spotter: channels ('u', 'v') are not accepted; accepts ('r', 'g', 'b')"
    )


def test_scores_are_joined_over_common_targets_in_the_first_order() -> None:
    config = ensemble(scoring("fear", "sad", "happy"), scoring("happy", "anger", "fear"))
    trace = config.trace(registry=REGISTRY)
    common = PredictionStream(problem="multiclass", resolution="clip", targets=("fear", "happy"))
    assert config.level == "scores"
    assert trace.outputs == {"expression": common}
    assert trace["fusion.expression"].inputs == {"a": common, "b": common}
    assert trace.features is None
    assert [step.path for step in trace] == [
        "members.a.branches.face.features",
        "members.a.heads.expression",
        "members.b.branches.face.features",
        "members.b.heads.expression",
        "fusion.expression",
    ]


def test_a_union_keeps_every_target() -> None:
    config = ensemble(scoring("fear", "sad"), scoring("anger", "fear"), targets="union", fill=0.0)
    assert config.trace(registry=REGISTRY).outputs["expression"].targets == ("fear", "sad", "anger")


def test_outputs_and_maps() -> None:
    both = pipeline(heads={"expression": ScoresConfig(), "au": ScoresConfig()})
    config = ensemble(pipeline(), both, outputs=("expression",), maps={"calm": SameConfig(source="expression")})
    trace = config.trace(registry=REGISTRY)
    assert list(trace.outputs) == ["expression", "calm"]
    assert trace["maps.calm"].component == "toys/same"


def test_features_are_joined() -> None:
    config = joined(pipeline(), pipeline(branches={"face": Branch(features=NetConfig(dim=3))}))
    trace = config.trace(registry=REGISTRY)
    assert config.level == "features"
    assert trace.features == FeatureStream(dim=11)
    assert trace["fusion"].inputs == {"a": FeatureStream(dim=8), "b": FeatureStream(dim=3)}
    assert list(trace.outputs) == ["expression"]
    assert trace["heads.expression"].inputs == {"in": FeatureStream(dim=11)}


def test_equal_inputs_are_one_and_others_go_by_member() -> None:
    assert ensemble(pipeline(), pipeline()).input_streams() == {"clip": RGB_CLIP}
    config = ensemble(pipeline(), pipeline(input=LARGE), pipeline())
    assert config.routes() == {"a": {"clip": "a.clip"}, "b": {"clip": "b.clip"}, "c": {"clip": "c.clip"}}
    assert config.input_streams() == {"a.clip": RGB_CLIP, "b.clip": LARGE, "c.clip": RGB_CLIP}
    other = pipeline(input=None, inputs={"other": LARGE}, branches={"x": Branch(source="other", features=NetConfig())})
    assert ensemble(pipeline(), other).input_streams() == {"clip": RGB_CLIP, "other": LARGE}


def test_ensembles_nest() -> None:
    inner = ensemble(pipeline(), pipeline(input=LARGE))
    config = ensemble(inner, joined(pipeline(), pipeline()))
    assert config.routes() == {"a": {"a.clip": "a.clip", "b.clip": "b.clip"}, "b": {"clip": "clip"}}
    assert config.input_streams() == {"a.clip": RGB_CLIP, "b.clip": LARGE, "clip": RGB_CLIP}
    trace = config.trace(registry=REGISTRY)
    assert list(trace.outputs) == ["expression"]
    assert [step.path for step in trace if "fusion" in step.path] == [
        "members.a.fusion.expression",
        "members.b.fusion",
        "fusion.expression",
    ]


def test_inputs_of_nested_members_may_not_be_mixed_up() -> None:
    inner = EnsembleConfig(members={"a": pipeline(), "b": pipeline(input=LARGE)}, fusion=AverageConfig())
    clash = {"x": inner, "a": pipeline(input=LARGE), "b": pipeline()}
    assert message_of(ConfigError, EnsembleConfig, members=clash, fusion=AverageConfig()) == (
        "members: two different inputs are called 'a.clip'; give member 'a' another name"
    )


def frozen(**fields: Any) -> PipelineConfig:
    return pipeline(branches={"face": Branch(features=NetConfig(frozen=True, **fields))})


def notes(config: EnsembleConfig) -> dict[str, str]:
    return {step.path: step.note for step in config.trace(registry=REGISTRY) if step.note}


def test_a_trace_says_what_is_computed_once() -> None:
    config = ensemble(frozen(), frozen(), frozen(dim=3))
    assert notes(config) == {
        "members.a.branches.face.features": "shared with b where weights are equal",
        "members.b.branches.face.features": "shared with a where weights are equal",
    }
    three = ensemble(frozen(), frozen(), frozen())
    assert notes(three)["members.b.branches.face.features"] == "shared with a, c where weights are equal"


def test_a_trace_says_which_targets_are_lost() -> None:
    config = ensemble(scoring("a", "b", "c"), scoring("c", "b"), scoring("c", "d", "b", "e"))
    assert notes(config) == {"fusion.expression": "without 'a' of a; 'd', 'e' of c"}
    assert notes(replace(config, targets="union", fill=0.0)) == {}
    assert notes(ensemble(config, scoring("b", "c"))) == {
        "members.a.fusion.expression": "without 'a' of a; 'd', 'e' of c"
    }


@pytest.mark.parametrize(
    "other",
    [
        pipeline(),
        frozen(dim=3),
        pipeline(input=LARGE, branches={"face": Branch(features=NetConfig(frozen=True))}),
    ],
)
def test_what_may_train_or_differs_is_not_shared(other: PipelineConfig) -> None:
    assert notes(ensemble(frozen(), other)) == {}


def test_motion_that_may_train_is_not_shared() -> None:
    member = pipeline(branches={"flow": Branch(motion=(FlowConfig(),), features=NetConfig(frozen=True))})
    assert notes(ensemble(member, member)) == {}
