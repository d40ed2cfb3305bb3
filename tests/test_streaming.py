"""Streaming sessions: step by step gives what the whole clip gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from affectkit.configs import Events
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.fusion.affine import AffineFusionConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.micro_expression import MicroExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.model import Model
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream
from affectkit.temporal.gru import GRUConfig
from affectkit.temporal.transformer import TransformerConfig
from tests.toys_torch import REGISTRY, ToyMagnifierConfig, ToySmoothConfig, ToySparseConfig, ToySpotterConfig

BATCH, STEPS = 3, 6
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 1]], dtype=torch.bool)
HEADS = {"va": ValenceArousalConfig(), "expr": ExpressionConfig()}


def frames_and_audio() -> PipelineConfig:
    return PipelineConfig(
        inputs={"clip": FrameStream(height=16, width=16), "audio": FeatureStream(dim=3)},
        branches={
            "motion": Branch(motion=(FrameDifferenceConfig(),), features=ConvStemConfig(dim=4, width=4, depth=1)),
            "audio": Branch(source="audio"),
        },
        fusion=AffineFusionConfig(dim=4, positions="time"),
        temporal=GRUConfig(dim=5),
        heads=HEADS,
        maps={"compound": CompoundFromBasicConfig(source="expr"), "smooth": ToySmoothConfig(source="va")},
    )


def audio(**fields: Any) -> PipelineConfig:
    temporal = TransformerConfig(dim=4, depth=1, heads=2, causal=True, window=3)
    return PipelineConfig(
        **{"inputs": {"audio": FeatureStream(dim=3)}, "branches": {"audio": Branch(source="audio")}, "heads": HEADS,
           "temporal": temporal, **fields}
    )  # fmt: skip


SCORES = EnsembleConfig(
    members={"a": audio(), "b": frames_and_audio()},
    fusion=MeanFusionConfig(),
    outputs=("expr",),
    maps={"smooth": ToySmoothConfig(source="expr")},
)
FEATURES = EnsembleConfig(
    members={"a": audio(), "b": frames_and_audio()},
    fusion=AffineFusionConfig(dim=4, positions="index"),
    heads=HEADS,
    maps={"compound": CompoundFromBasicConfig(source="expr"), "smooth": ToySmoothConfig(source="compound")},
)
NESTED = EnsembleConfig(members={"in": FEATURES, "c": audio()}, fusion=MeanFusionConfig(), outputs=("va",))
DEEP = EnsembleConfig(members={"in": FEATURES, "c": audio()}, fusion=AffineFusionConfig(dim=4), heads=HEADS)


def build(config: PipelineConfig | EnsembleConfig) -> Model:
    torch.manual_seed(0)
    return config.build(registry=REGISTRY).eval()


def clip(name: str, mask: Tensor | None = None) -> Sequence:
    make = torch.Generator().manual_seed(len(name))
    shape = (3, 16, 16) if name == "clip" else (3,)
    values = torch.rand(BATCH, STEPS, *shape, generator=make)
    if mask is not None:
        values[~mask] = float("nan")
    times = torch.tensor([0.0, 0.04, 0.05, 0.2, 0.21, 0.5], dtype=torch.float64).expand(BATCH, STEPS)
    return Sequence.of(values, mask=mask, times=times)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    "config", [audio(), frames_and_audio(), SCORES, FEATURES, NESTED, DEEP],
    ids=["audio", "frames", "scores", "features", "nested", "deep"],
)  # fmt: skip
def test_steps_give_what_the_clip_gives(config: PipelineConfig | EnsembleConfig, ragged: bool) -> None:
    model = build(config)
    mask = MASK if ragged else torch.ones_like(MASK)
    batch = {name: clip(name, mask) for name in config.input_streams()}
    session = model.stream(BATCH)
    steps = [session.step({name: sequence.step(t) for name, sequence in batch.items()}) for t in range(STEPS)]
    whole = model(batch)
    assert list(steps[0]) == list(whole)
    for name, scores in whole.items():
        streamed = torch.cat([step[name] for step in steps], dim=1)
        torch.testing.assert_close(streamed[mask], scores[mask].detach(), atol=1e-5, rtol=1e-4)


def test_a_step_keeps_no_graph_and_sessions_are_apart() -> None:
    model = build(audio())
    one, two = model.stream(BATCH), model.stream(BATCH)
    first = one.step(clip("audio").step(0))["va"]
    assert not first.requires_grad
    one.step(clip("audio").step(1))
    assert torch.equal(two.step({"audio": clip("audio").step(0)})["va"], first)


def refusal(config: PipelineConfig | EnsembleConfig) -> str:
    with pytest.raises(InputError) as caught:
        build(config).stream()
    return str(caught.value)


def looking(**branch: Any) -> PipelineConfig:
    return PipelineConfig(input=FrameStream(height=16, width=16), branches={"x": Branch(**branch)}, heads=HEADS)


def test_a_stage_that_cannot_stream_is_named() -> None:
    wanted = "temporal: affectkit/gru can't stream; use a causal stage there"
    both_ways = audio(temporal=GRUConfig(bidirectional=True))
    assert refusal(both_ways) == wanted
    whole = audio(temporal=TransformerConfig(dim=4, depth=1, heads=2))
    assert refusal(whole) == "temporal: affectkit/transformer can't stream; use a causal stage there"
    joined = EnsembleConfig(members={"a": audio(), "b": both_ways}, fusion=MeanFusionConfig())
    assert refusal(joined) == f"members.b.{wanted}"
    nested = EnsembleConfig(members={"in": joined}, fusion=MeanFusionConfig())
    assert refusal(nested) == f"members.in.members.b.{wanted}"


def test_a_motion_front_end_without_step_is_named() -> None:
    from affectkit.motion.optical_flow import OpticalFlowConfig

    config = looking(motion=(OpticalFlowConfig(), ToyMagnifierConfig()), features=ToySparseConfig())
    assert refusal(config) == "branches.x.motion[1]: toys/magnifier can't stream; use a causal stage there"


def test_a_head_of_whole_clips_is_named() -> None:
    clips = audio(heads={"va": HEADS["va"], "micro": MicroExpressionConfig()})
    assert refusal(clips) == "heads.micro: scores a whole clip; give it resolution='frame' to stream"
    joined = EnsembleConfig(members={"a": clips, "b": clips}, fusion=MeanFusionConfig(), outputs=("micro",))
    assert refusal(joined) == "fusion.micro: scores a whole clip; give it resolution='frame' to stream"


def test_only_what_is_joined_has_to_be_per_frame() -> None:
    clips = audio(heads={"va": HEADS["va"], "micro": MicroExpressionConfig()})
    joined = build(EnsembleConfig(members={"a": clips}, fusion=MeanFusionConfig(), outputs=("va",)))
    step = clip("audio").step(0)
    torch.testing.assert_close(joined.stream(BATCH).step(step)["va"], joined(step)["va"].detach())
    fused = build(EnsembleConfig(members={"a": clips}, fusion=AffineFusionConfig(dim=4), heads=HEADS))
    torch.testing.assert_close(fused.stream(BATCH).step(step)["va"], fused(step)["va"].detach())


def test_a_pipeline_of_events_alone_is_refused() -> None:
    spotting = PipelineConfig(
        input=FrameStream(height=16, width=16), sampling=Events(spotter=ToySpotterConfig(), keyframes=())
    )
    assert refusal(spotting) == "stream: the pipeline has no heads; its events come from the spotter"


def test_another_number_of_clips_or_steps_is_refused() -> None:
    for config in (audio(), EnsembleConfig(members={"a": audio()}, fusion=MeanFusionConfig())):
        session = build(config).stream(2)
        with pytest.raises(InputError) as caught:
            session.step(clip("audio").step(0))
        assert str(caught.value) == "stream.audio: (B, T) is (3, 1); this session takes (2, 1) a step"
        with pytest.raises(InputError) as caught:
            session.step(torch.zeros(2, 4, 3))
        assert str(caught.value) == "stream.audio: (B, T) is (2, 4); this session takes (2, 1) a step"
        with pytest.raises(InputError) as caught:
            session.step({"sound": clip("audio").step(0)})
        assert str(caught.value) == "batch.sound: no such input; inputs: 'audio'"
