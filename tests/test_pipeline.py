"""`PipelineConfig`: what goes together, what a trace says, and every way in which stages do not fit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from affectkit.configs import Events, Frames, Windows
from affectkit.errors import ConfigError, RegistryError, StreamError
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.registry import Registry
from affectkit.streams import FeatureStream, FrameStream, PredictionStream
from tests.toys import (
    KEYFRAME_CLIP,
    KEYFRAMES,
    REGISTRY,
    RGB_CLIP,
    FlowConfig,
    FlowNetConfig,
    JoinConfig,
    LeakyConfig,
    NarrowConfig,
    NetConfig,
    PhasesConfig,
    SameConfig,
    ScoresConfig,
    ToySpotterConfig,
    message_of,
    pipeline,
)

FACE = {"face": Branch(features=NetConfig())}
TWO = {"a": Branch(features=NetConfig()), "b": Branch(features=NetConfig(dim=3))}
EVENTS = Events(spotter=ToySpotterConfig())


def test_input_is_short_for_one_input_called_clip() -> None:
    short, long = pipeline(), pipeline(input=None, inputs={"clip": RGB_CLIP})
    assert short == long
    assert hash(short) == hash(long)
    assert short.input is None
    assert short.input_streams() == {"clip": RGB_CLIP}
    assert replace(short, temporal=LeakyConfig()).inputs == {"clip": RGB_CLIP}


def test_it_is_data() -> None:
    config = pipeline()
    with pytest.raises(FrozenInstanceError):
        config.temporal = None  # type: ignore[misc]
    heads: Any = config.heads
    with pytest.raises(TypeError):
        heads["other"] = ScoresConfig()
    assert {config: 1}[pipeline()] == 1
    assert config != pipeline(temporal=LeakyConfig())


def test_a_trace_has_a_step_per_stage() -> None:
    config = PipelineConfig(
        inputs={"clip": KEYFRAME_CLIP, "stored": FeatureStream(dim=5, steps=("contraction", "relaxation"))},
        branches={
            "phases": Branch(motion=(FlowConfig(), PhasesConfig()), features=FlowNetConfig(dim=4)),
            "stored": Branch(source="stored"),
        },
        fusion=JoinConfig(),
        temporal=LeakyConfig(),
        heads={"expression": ScoresConfig(), "au": NarrowConfig(targets=("au1",))},
        maps={"calm": SameConfig(source="expression"), "calmer": SameConfig(source="calm")},
    )
    trace = config.trace(registry=REGISTRY)
    assert [(step.path, step.component) for step in trace] == [
        ("branches.phases.motion[0]", "toys/flow"),
        ("branches.phases.motion[1]", "toys/phases"),
        ("branches.phases.features", "toys/flow-net"),
        ("branches.stored", "-"),
        ("fusion", "toys/join"),
        ("temporal", "toys/leaky"),
        ("heads.expression", "toys/scores"),
        ("heads.au", "toys/narrow"),
        ("maps.calm", "toys/same"),
        ("maps.calmer", "toys/same"),
    ]
    phases = ("contraction", "relaxation")
    flow = FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8, steps=phases)
    assert len(trace) == 10
    assert trace["branches.phases.motion[1]"].output == flow
    assert trace["branches.phases.features"].inputs == {"in": flow}
    assert trace["fusion"].inputs == {
        "phases": FeatureStream(dim=4, steps=phases),
        "stored": FeatureStream(dim=5, steps=phases),
    }
    assert trace.features == FeatureStream(dim=9, steps=phases)
    scores = PredictionStream(problem="multiclass", resolution="clip", targets=("happy", "sad"))
    assert trace.outputs == {
        "expression": scores,
        "au": PredictionStream(problem="multilabel", resolution="frame", targets=("au1",)),
        "calm": scores,
        "calmer": scores,
    }
    assert str(trace).splitlines()[2:5] == [
        "branches.phases.features           toys/flow-net                      features [contraction,relaxation] 4",
        "branches.stored                    -                                  features [contraction,relaxation] 5"
        "  (stored features)",
        "fusion                             toys/join                          features [contraction,relaxation] 9",
    ]
    with pytest.raises(KeyError):
        trace["heads.va"]


def test_a_spotter_alone_is_a_pipeline() -> None:
    config = PipelineConfig(input=RGB_CLIP, sampling=EVENTS)
    trace = config.trace(registry=REGISTRY)
    assert (trace.features, trace.outputs) == (None, {})
    assert str(trace) == "sampling.spotter                   toys/spotter                       -  (events)"


def test_a_spotter_sees_windows_and_heads_see_keyframes() -> None:
    trace = pipeline(input=KEYFRAME_CLIP, sampling=EVENTS).trace(registry=REGISTRY)
    assert trace["sampling.spotter"].inputs == {"clip": RGB_CLIP}
    assert trace["branches.face.features"].inputs == {"in": KEYFRAME_CLIP}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inputs": {"clip": RGB_CLIP}}, "input: 'input' and 'inputs' are both given; write inputs alone"),
        ({"input": None}, "inputs: no inputs; write input=FrameStream(height=..., width=...)"),
        # Names.
        (
            {"input": None, "inputs": {"my-clip": RGB_CLIP}},
            "inputs: 'my-clip' is no name; use a-z, 0-9 and _, beginning with a letter",
        ),
        (
            {"branches": {"a.b": Branch(features=NetConfig())}},
            "branches: 'a.b' is no name; use a-z, 0-9 and _, beginning with a letter",
        ),
        ({"heads": {"": ScoresConfig()}}, "heads: '' is no name; use a-z, 0-9 and _, beginning with a letter"),
        (
            {"maps": {"2nd": SameConfig(source="expression")}},
            "maps: '2nd' is no name; use a-z, 0-9 and _, beginning with a letter",
        ),
        # Branches.
        (
            {"branches": {"face": Branch(source="clap", features=NetConfig())}},
            "branches.face.source: no input 'clap'; did you mean 'clip'? inputs: 'clip'",
        ),
        (
            {"branches": {"face": Branch()}},
            "branches.face.features: input 'clip' holds frames, and the branch has no extractor; write features=...",
        ),
        (
            {"input": FeatureStream(dim=4)},
            "branches.face: input 'clip' holds stored features; leave out motion and features",
        ),
        (
            {"input": FeatureStream(dim=4), "branches": {"face": Branch(motion=(FlowConfig(),))}},
            "branches.face: input 'clip' holds stored features; leave out motion and features",
        ),
        (
            {"input": None, "inputs": {"clip": RGB_CLIP, "other": RGB_CLIP}},
            "inputs.other: no branch uses it; drop the input or add a branch",
        ),
        ({"branches": TWO}, "fusion: 2 branches and no fusion; write fusion=..."),
        ({"branches": {}}, "branches: no branches; heads need features: add a branch"),
        # Heads and maps.
        ({"heads": {}}, "heads: no heads; add one, or sample Events with a spotter"),
        ({"heads": {}, "sampling": Windows()}, "heads: no heads; add one, or sample Events with a spotter"),
        (
            {"heads": {}, "sampling": EVENTS},
            "heads: no heads; add one: without it, branches would have no effect",
        ),
        (
            {"heads": {}, "branches": {}, "sampling": EVENTS, "fusion": JoinConfig()},
            "heads: no heads; add one: without it, fusion would have no effect",
        ),
        (
            {"heads": {}, "branches": {}, "sampling": EVENTS, "temporal": LeakyConfig()},
            "heads: no heads; add one: without it, temporal would have no effect",
        ),
        (
            {"heads": {}, "branches": {}, "sampling": EVENTS, "input": None,
             "inputs": {"clip": RGB_CLIP, "other": RGB_CLIP}},
            "inputs.other: no branch uses it; drop the input or add a branch",
        ),
        (
            {"maps": {"calm": SameConfig(source="expresion")}},
            "maps.calm.source: no scores 'expresion'; did you mean 'expression'? heads and earlier maps: 'expression'",
        ),
        (
            {"maps": {"a": SameConfig(source="b"), "b": SameConfig(source="expression")}},
            "maps.a.source: no scores 'b'; heads and earlier maps: 'expression'",
        ),
        (
            {"maps": {"expression": SameConfig(source="expression")}},
            "maps.expression: 'expression' is taken by a head or map; give the map another name",
        ),
        # Sampling.
        (
            {"input": FrameStream(height=8, width=8, steps=("onset", "apex")), "sampling": EVENTS},
            "inputs.clip.steps: steps ('onset', 'apex') are not the keyframes ('onset', 'apex', 'offset'); "
            "make them equal",
        ),
        (
            {"input": KEYFRAME_CLIP, "sampling": Windows()},
            "sampling: Windows gives no named steps, and input 'clip' has ('onset', 'apex', 'offset'); "
            "sample Events, or leave sampling out",
        ),
        (
            {"input": KEYFRAME_CLIP, "sampling": Frames()},
            "sampling: Frames gives no named steps, and input 'clip' has ('onset', 'apex', 'offset'); "
            "sample Events, or leave sampling out",
        ),
        (
            {"sampling": Frames(), "branches": {"flow": Branch(motion=(FlowConfig(),), features=FlowNetConfig())}},
            "branches.flow.motion[0]: needs 2 frames, and Frames sampling gives one; sample Windows",
        ),
        # Slots.
        (
            {"temporal": ScoresConfig()},
            "temporal: a ScoresConfig; expected TemporalConfig (PipelineConfig)",
        ),
        (
            {"branches": {"face": {"features": NetConfig()}}},
            f"branches.face: {{'features': {NetConfig()!r}}} is a dict; expected Branch (PipelineConfig)",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together(fields: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, pipeline, **fields) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"branches": {"flow": Branch(features=FlowNetConfig())}},
            "branches.flow.features: channels ('r', 'g', 'b') are not accepted; accepts ('u', 'v')",
        ),
        (
            {"input": FrameStream(channels=("u", "v"), unit="iod", height=8, width=8),
             "branches": {"flow": Branch(features=FlowNetConfig())}},
            "branches.flow.features: unit 'iod' is not accepted; accepts 'pixel'",
        ),
        (
            {"branches": {"flow": Branch(motion=(FlowConfig(), FlowConfig()), features=FlowNetConfig())}},
            "branches.flow.motion[1]: channels ('u', 'v') are not accepted; accepts ('r', 'g', 'b')",
        ),
        (
            {"branches": {"flow": Branch(motion=(PhasesConfig(),), features=NetConfig())}},
            "branches.flow.motion[0]: steps () are not accepted; accepts ('onset', 'apex', 'offset')",
        ),
        (
            {"input": KEYFRAME_CLIP, "fusion": JoinConfig(),
             "branches": {"all": Branch(features=NetConfig()),
                          "phases": Branch(motion=(PhasesConfig(),), features=NetConfig())}},
            "fusion: 'phases' has steps ('contraction', 'relaxation'), 'all' has ('onset', 'apex', 'offset'); "
            "fused streams share one clock",
        ),
        (
            {"fusion": JoinConfig(),
             "branches": {"all": Branch(features=NetConfig()), "half": Branch(features=NetConfig(stride=2))}},
            "fusion: 'half' has stride 2, 'all' has 1; fused streams share one clock",
        ),
        (
            {"heads": {"au": ScoresConfig(targets=("au1",))}},
            "heads.au.targets: one target 'au1'; multiclass needs two or more",
        ),
        (
            {"heads": {"au": ScoresConfig(targets=("au1", "au1"))}},
            "heads.au.targets: 'au1' named twice; names are unique",
        ),
        (
            {"input": FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8), "sampling": EVENTS},
            "sampling.spotter: channels ('u', 'v') are not accepted; accepts ('r', 'g', 'b')",
        ),
        (
            {"input": FeatureStream(dim=4), "branches": {"stored": Branch()}, "sampling": EVENTS},
            "sampling.spotter: input 'clip' is features [T] 4; a spotter works on frames",
        ),
    ],
)  # fmt: skip
def test_stages_that_do_not_fit(fields: dict[str, Any], message: str) -> None:
    error = ConfigError if ".targets:" in message else StreamError
    assert message_of(error, pipeline(**fields).trace, registry=REGISTRY) == message


@pytest.mark.parametrize(
    ("fields", "path", "name"),
    [
        ({}, "branches.face.features", "NetConfig"),
        (
            {"branches": {"flow": Branch(motion=(FlowConfig(),), features=FlowNetConfig())}},
            "branches.flow.motion[0]",
            "FlowConfig",
        ),
        ({"sampling": EVENTS}, "sampling.spotter", "ToySpotterConfig"),
    ],
)
def test_a_component_without_a_provider(fields: Mapping[str, Any], path: str, name: str) -> None:
    assert message_of(RegistryError, pipeline(**fields).trace, registry=Registry()) == (
        f"{path}: no component has the config {name}; provide it from a plugin, or pass registry.with_components(...)"
    )


@pytest.mark.parametrize("group", ["temporal", "heads.expression", "fusion", "maps.calm"])
def test_every_stage_names_its_path(group: str) -> None:
    config = pipeline(
        branches=TWO, fusion=JoinConfig(), temporal=LeakyConfig(), maps={"calm": SameConfig(source="expression")}
    )
    stages = {"temporal": LeakyConfig, "heads.expression": ScoresConfig, "fusion": JoinConfig, "maps.calm": SameConfig}
    specs = [item.spec for item in REGISTRY.components() if item.spec.config is not stages[group]]
    registry = Registry().with_components(*specs, provider="toys")
    assert message_of(RegistryError, config.trace, registry=registry) == (
        f"{group}: no component has the config {stages[group].__name__}; "
        "provide it from a plugin, or pass registry.with_components(...)"
    )


def test_one_branch_may_be_fused() -> None:
    trace = pipeline(fusion=JoinConfig()).trace(registry=REGISTRY)
    assert trace["fusion"].inputs == {"face": FeatureStream(dim=8)}


def test_windows_of_events() -> None:
    config = pipeline(input=RGB_CLIP, sampling=Events(spotter=ToySpotterConfig(), keyframes=()))
    assert config.trace(registry=REGISTRY).outputs.keys() == {"expression"}
    assert KEYFRAMES == ("onset", "apex", "offset")


def test_composing_and_tracing_import_no_torch() -> None:
    code = (
        "import sys\n"
        "import affectkit as ak\n"
        "config = ak.PipelineConfig(\n"
        "    input=ak.FrameStream(height=32, width=32),\n"
        "    branches={'face': ak.Branch(features=ak.ConvStemConfig())},\n"
        "    temporal=ak.GRUConfig(),\n"
        "    heads={'va': ak.ValenceArousalConfig()},\n"
        ")\n"
        "print(len(config.trace()), 'torch' in sys.modules, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3 False False\n"
