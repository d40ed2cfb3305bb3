"""Configs to plain data and back: round trips, and every way in which data can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from affectkit.codec import decode, encode
from affectkit.configs import Config, Events, Frames, ModelConfig, Tracking, Windows
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import AmbiguousNameError, ConfigError, RegistryError
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.registry import Registry
from affectkit.specs import HeadSpec
from affectkit.streams import FeatureStream, FrameStream
from tests.toys import (
    KEYFRAME_CLIP,
    KEYFRAMES,
    REGISTRY,
    RGB_CLIP,
    AverageConfig,
    Color,
    FlowConfig,
    FlowNetConfig,
    Inner,
    JoinConfig,
    LeakyConfig,
    NarrowConfig,
    NetConfig,
    NullConfig,
    Other,
    PhasesConfig,
    RichConfig,
    SameConfig,
    ScoresConfig,
    ToyFacesConfig,
    ToySpotterConfig,
    message_of,
    never,
    pipeline,
)

RICH = RichConfig(
    flag=True,
    count=3,
    ratio=2,
    name="ä \"quoted\" 'name'\nof lines",
    mode=3,
    color=Color.BLUE,
    widths=(),
    pair=(2, "b"),
    either=1.5,
    shape=("a", "b"),
    maybe=7,
    paint=5,
    table={"z": 1.0, "a": 1e-9},
    inner=Inner(size=2, note="in"),
    inners=(Inner(size=3), Inner(size=4, note="x")),
    which=Other(size=5),
    part=RichConfig(paint=Color.RED, shape=(1, 2), part=LeakyConfig(rate=0.125, parts={"one": FlowConfig(alpha=8.0)})),
    parts={"a": (Color.RED,), "b": ()},
)
FULL = PipelineConfig(
    inputs={"clip": KEYFRAME_CLIP, "stored": FeatureStream(dim=16, fps=25, stride=1, steps=KEYFRAMES)},
    sampling=Events(spotter=ToySpotterConfig(), apex="reject"),
    faces=ToyFacesConfig(),
    tracking=Tracking(max_gap_seconds=2.0, max_faces=1),
    branches={
        "flow": Branch(motion=(FlowConfig(alpha=8.0),), features=FlowNetConfig(dim=3)),
        "face": Branch(features=NetConfig(frozen=True)),
        "stored": Branch(source="stored"),
    },
    fusion=JoinConfig(),
    temporal=RICH,
    heads={"expression": ScoresConfig(weight=0.5), "au": NarrowConfig(targets=("au1", "au2"), part=LeakyConfig())},
    maps={"calm": SameConfig(source="expression"), "calmer": SameConfig(source="calm")},
)
ENSEMBLE = EnsembleConfig(
    members={
        "a": pipeline(sampling=Windows(seconds=3, hop_seconds=0.5)),
        "b": EnsembleConfig(
            members={"c": pipeline(), "d": pipeline(sampling=Frames())},
            fusion=JoinConfig(),
            heads={"expression": ScoresConfig()},
        ),
    },
    fusion=AverageConfig(),
    outputs=("expression",),
    targets="union",
    fill=0.0,
    maps={"calm": SameConfig(source="expression")},
    sampling=Windows(),
)


@pytest.mark.parametrize("config", [FULL, ENSEMBLE, pipeline(), pipeline(temporal=RichConfig())])
def test_a_round_trip_gives_an_equal_config(config: ModelConfig) -> None:
    data = encode(config, REGISTRY)
    twin = decode(type(config), {key: value for key, value in data.items() if key != "kind"}, REGISTRY)
    assert twin == config
    assert hash(twin) == hash(config)
    assert repr(twin) == repr(config)
    assert encode(twin, REGISTRY) == data


def test_data_hold_full_ids_tags_and_every_field() -> None:
    data = encode(pipeline(temporal=LeakyConfig(), sampling=Windows()), REGISTRY)
    assert data == {
        "kind": "pipeline",
        "sampling": {"kind": "windows", "seconds": 2.0, "hop_seconds": 1.0},
        "faces": None,
        "tracking": {"max_gap_seconds": 1.0, "max_faces": None, "min_confidence": 0.7, "min_size": 20.0},
        "input": None,
        "inputs": {
            "clip": {
                "kind": "frames",
                "channels": ["r", "g", "b"],
                "unit": "intensity",
                "height": 8,
                "width": 8,
                "fps": None,
                "alignment": "none",
                "steps": [],
            }
        },
        "branches": {
            "face": {
                "source": "clip",
                "motion": [],
                "features": {"use": "toys/net", "dim": 8, "stride": 1, "frozen": False},
            }
        },
        "fusion": None,
        "temporal": {"use": "toys/leaky", "rate": 0.5, "ratios": [1, 2], "parts": {}},
        "heads": {
            "expression": {
                "use": "toys/scores",
                "weight": 1.0,
                "targets": ["happy", "sad"],
                "problem": "multiclass",
                "resolution": "clip",
            }
        },
        "maps": {},
    }


def test_encoding_needs_a_provider() -> None:
    assert message_of(RegistryError, encode, pipeline(), Registry()) == (
        "no component has the config NetConfig; provide it from a plugin, or pass registry.with_components(...)"
    )


def test_sugar_and_short_forms() -> None:
    data = {
        "input": {"height": 8, "width": 8},
        "branches": {"face": {"features": {"use": "net"}}},
        "heads": {"expression": {"use": "toys/scores"}},
    }
    assert decode(PipelineConfig, data, REGISTRY) == pipeline()


def read(changes: dict[Any, Any]) -> PipelineConfig:
    data = {
        "input": {"height": 8, "width": 8},
        "branches": {"face": {"features": {"use": "net"}}},
        "heads": {"expression": {"use": "scores"}},
    }
    return decode(PipelineConfig, {**data, **changes}, REGISTRY)


def leaky(**fields: Any) -> dict[str, Any]:
    return {"use": "leaky", **fields}


def rich(**fields: Any) -> dict[str, Any]:
    return {"use": "rich", **fields}


def branch(**fields: Any) -> dict[str, Any]:
    return {"face": {"features": {"use": "net"}, **fields}}


HEADS = "task heads at hand: 'narrow', 'scores'"
ENCODERS = "temporal encoders at hand: 'leaky', 'null', 'rich'"
KEYS = "keys: 'sampling', 'faces', 'tracking', 'input', 'inputs', 'branches', 'fusion', 'temporal', 'heads', 'maps'"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # Keys.
        ({"tempral": None}, f"PipelineConfig: unknown key 'tempral'; did you mean 'temporal'? {KEYS}"),
        ({"zzz": 1}, f"PipelineConfig: unknown key 'zzz'; {KEYS}"),
        (
            {"branches": branch(motoin=[])},
            "branches.face: unknown key 'motoin'; did you mean 'motion'? keys: 'source', 'motion', 'features'",
        ),
        (
            {"temporal": leaky(rat=0.1)},
            "temporal: unknown key 'rat'; did you mean 'rate'? keys: 'rate', 'ratios', 'parts'",
        ),
        (
            {
                "heads": {
                    "au": {"use": "narrow", "targets": ["a"], "part": leaky(parts={"x": {"use": "flow", "beta": 1}})}
                }
            },
            "heads.au.part.parts.x: unknown key 'beta'; keys: 'alpha'",
        ),
        (
            {"branches": branch(motion=[{"use": "phases", "x": 1}])},
            "branches.face.motion[0]: unknown key 'x'; there are no keys",
        ),
        (
            {"temporal": rich(inner={"size": 1, "nite": ""})},
            "temporal.inner: unknown key 'nite'; did you mean 'note'? keys: 'size', 'note'",
        ),
        (
            {"tracking": {"kind": "x"}},
            "tracking: unknown key 'kind'; keys: 'max_gap_seconds', 'max_faces', 'min_confidence', 'min_size'",
        ),
        ({3: 1}, f"PipelineConfig: unknown key 3; {KEYS}"),
        # Types.
        ({"branches": 3}, "branches: 3 is an int; expected mapping of str to Branch"),
        ({"branches": {"face": 3}}, "branches.face: 3 is no table; write a table of fields: Branch"),
        ({"branches": branch(motion="flow")}, "branches.face.motion: 'flow' is a str; expected tuple of MotionConfig"),
        (
            {"branches": branch(motion=["flow"])},
            "branches.face.motion[0]: 'flow' is no table; write a table of fields: use = 'name', then its fields",
        ),
        (
            {"temporal": "leaky"},
            "temporal: 'leaky' is no table; write a table of fields: use = 'name', then its fields",
        ),
        ({"temporal": leaky(rate="fast")}, "temporal.rate: 'fast' is a str; expected float"),
        ({"temporal": rich(widths=[1, 2, "3"])}, "temporal.widths[2]: '3' is a str; expected int"),
        ({"temporal": rich(pair=[1])}, "temporal.pair: 1 values; give 2: tuple of int, str"),
        ({"temporal": rich(table={"a": "b"})}, "temporal.table.a: 'b' is a str; expected float"),
        (
            {"temporal": rich(inners=[{"size": 1}, {"size": "2"}])},
            "temporal.inners[1].size: '2' is a str; expected int",
        ),
        ({"temporal": rich(color="green")}, "temporal.color: 'green' is not accepted; write 'red' or 'blue'"),
        (
            {"temporal": rich(parts={"a": ["red", "green"]})},
            "temporal.parts.a[1]: 'green' is not accepted; write 'red' or 'blue'",
        ),
        (
            {"temporal": rich(shape=[1, "a"])},
            "temporal.shape: [1, 'a'] is a list; expected tuple of int or tuple of str or nothing",
        ),
        ({"temporal": rich(shape=3)}, "temporal.shape: 3 is an int; expected tuple of int or tuple of str or nothing"),
        ({"temporal": rich(ratio=float("inf"))}, "temporal.ratio: inf is not finite; write a finite number"),
        ({"heads": None}, "heads: None is nothing; expected mapping of str to HeadConfig"),
        # Missing.
        ({"input": {"height": 8}}, "input: 'width' is missing; write width = int"),
        ({"heads": {"au": {"use": "narrow"}}}, "heads.au: 'targets' is missing; write targets = tuple of str"),
        ({"maps": {"m": {"use": "same"}}}, "maps.m: 'source' is missing; write source = str"),
        ({"sampling": {"kind": "events"}}, "sampling: 'spotter' is missing; write spotter = SpotterConfig"),
        # use.
        ({"temporal": {}}, "temporal: no component is named; write use = one of 'leaky', 'null', 'rich'"),
        ({"temporal": {"use": 3}}, "temporal: 3 is no component's name; write use = one of 'leaky', 'null', 'rich'"),
        (
            {"heads": {"au": {"use": "narrow", "targets": ["a"], "part": {"use": "rich"}}}},
            "heads.au.part.use: 'rich' is not accepted; accepts 'leaky'",
        ),
        # kind.
        (
            {"sampling": {"kind": "window"}},
            "sampling.kind: unknown kind 'window'; kinds: 'frames', 'windows', 'events'",
        ),
        (
            {"sampling": {"kind": ["windows"]}},
            "sampling.kind: unknown kind ['windows']; kinds: 'frames', 'windows', 'events'",
        ),
        ({"sampling": {"seconds": 2}}, "sampling.kind: no kind is written; kinds: 'frames', 'windows', 'events'"),
        (
            {"sampling": {"kind": "windows", "second": 2}},
            "sampling: unknown key 'second'; did you mean 'seconds'? keys: 'seconds', 'hop_seconds'",
        ),
        ({"input": {"kind": "images"}}, "input.kind: unknown kind 'images'; kinds: 'frames', 'features'"),
        ({"input": {"dim": 8}}, "input.kind: no kind is written; kinds: 'frames', 'features'"),
        (
            {"temporal": rich(which={"kind": "third"})},
            "temporal.which.kind: unknown kind 'third'; kinds: 'tagged', 'other'",
        ),
        # Rules.
        ({"input": {"height": 0, "width": 8}}, "input.height: 0 is not a positive whole number; write 1 or more"),
        (
            {"sampling": {"kind": "windows", "seconds": -1}},
            "sampling.seconds: -1.0 is no duration; write more than 0 seconds",
        ),
        ({"heads": {"x": {"use": "scores", "weight": -2}}}, "heads.x.weight: -2.0 is negative; write 0 or more"),
        (
            {"branches": branch(source="clap")},
            "branches.face.source: no input 'clap'; did you mean 'clip'? inputs: 'clip'",
        ),
    ],
)
def test_wrong_data(changes: dict[Any, Any], message: str) -> None:
    assert message_of(ConfigError, read, changes) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"temporal": {"use": "leakey"}},
            f"temporal.use: no temporal encoder 'leakey'; did you mean 'leaky'? {ENCODERS}",
        ),
        (
            {"heads": {"x": {"use": "toyz/scores"}}},
            "heads.x.use: no task head 'toyz/scores'; run pip install toyz",
        ),
        (
            {"heads": {"x": {"use": "leaky"}}},
            f"heads.x.use: no task head 'leaky'; toys/leaky is a temporal encoder; {HEADS}",
        ),
        (
            {"heads": {"x": {"use": "toys/leaky"}}},
            f"heads.x.use: no task head 'toys/leaky'; toys/leaky is a temporal encoder; {HEADS}",
        ),
    ],
)
def test_unknown_components(changes: dict[str, Any], message: str) -> None:
    assert message_of(RegistryError, read, changes) == message


def test_an_ambiguous_name_keeps_its_class_and_gets_its_path() -> None:
    @dataclass(frozen=True, kw_only=True)
    class OtherScores(ScoresConfig):
        pass

    spec = HeadSpec(name="scores", config=OtherScores, factory=never, summary="Scores too.")
    registry = REGISTRY.with_components(spec, provider="other")
    data = {"heads": {"x": {"use": "scores"}}}
    assert message_of(AmbiguousNameError, decode, PipelineConfig, data, registry) == (
        "heads.x.use: task head 'scores' is provided by 2 plugins; write one of 'other/scores', 'toys/scores'"
    )
    data["heads"]["x"]["use"] = "other/scores"
    config = decode(PipelineConfig, {**data, "input": {"height": 8, "width": 8}, "branches": branch()}, registry)
    assert type(config.heads["x"]) is OtherScores


def test_a_slot_for_which_nothing_is_installed() -> None:
    assert message_of(ConfigError, decode, PipelineConfig, {"temporal": {}}, Registry()) == (
        "temporal: no component is named; none is installed"
    )


def test_ensembles() -> None:
    member = {"input": {"height": 8, "width": 8}, "branches": branch(), "heads": {"expression": {"use": "scores"}}}
    data: dict[str, Any] = {"members": {"a": member, "b": {"kind": "pipeline", **member}}, "fusion": {"use": "average"}}
    config = decode(EnsembleConfig, data, REGISTRY)
    assert config == EnsembleConfig(members={"a": pipeline(), "b": pipeline()}, fusion=AverageConfig())
    kinds = "kinds: 'pipeline', 'ensemble', 'onnx'"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"members": {"a": {"kind": "model"}}}, f"members.a.kind: unknown kind 'model'; {kinds}"),
        ({"members": {"a": data}}, f"members.a.kind: no kind is written; {kinds}"),
        (
            {"members": {"a": {**member, "heads": {}}}},
            "members.a.heads: no heads; add one, or sample Events with a spotter",
        ),
        ({"fusion": {}}, "fusion: no component is named; write use = one of 'average', 'join'"),
        ({"fill": 0.5}, "fill: 0.5 has no effect; write targets='union', or drop it"),
    ]
    for changes, message in cases:
        assert message_of(ConfigError, decode, EnsembleConfig, {**data, **changes}, REGISTRY) == message
    assert message_of(ConfigError, decode, EnsembleConfig, {"members": {"a": member}}, REGISTRY) == (
        "EnsembleConfig: 'fusion' is missing; write fusion = LateFusionConfig or FusionConfig"
    )


def test_a_record_beside_other_types() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Beside(Config):
        item: Inner | int | tuple[Inner, ...]
        table: Mapping[str, Inner] | str = ""

    for item in (Inner(size=1), 4, (Inner(size=2), Inner(size=3))):
        for table in ("x", {"a": Inner(size=1)}):
            config = Beside(item=item, table=table)
            assert decode(Beside, encode(config, REGISTRY), REGISTRY) == config
    assert message_of(ConfigError, decode, Beside, {"item": "x"}, REGISTRY) == (
        "item: 'x' is a str; expected Inner or int or tuple of Inner"
    )


def test_none_is_kept_everywhere() -> None:
    config = NullConfig(limit=None, sizes=(1, None), table={"a": None})
    data = encode(config, REGISTRY)
    assert data == {"use": "toys/null", "limit": None, "sizes": [1, None], "table": {"a": None}}
    assert decode(NullConfig, {**data, "use": "null"}, REGISTRY) == config


def test_streams_of_one_kind_carry_their_tag() -> None:
    assert encode(FeatureStream(dim=3), REGISTRY)["kind"] == "features"
    assert decode(FrameStream, encode(RGB_CLIP, REGISTRY), REGISTRY) == RGB_CLIP
    assert PhasesConfig().output(KEYFRAME_CLIP).steps == ("contraction", "relaxation")
