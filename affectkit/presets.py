"""Pipelines of the core by name."""

from __future__ import annotations

from affectkit.configs import Events, Windows
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.spotters.motion_events import MotionEventsConfig
from affectkit.streams import FrameStream
from affectkit.temporal.gru import GRUConfig


def starter() -> PipelineConfig:
    """Small and causal: expression, valence and arousal of every frame of a face of 64 by 64 pixels."""
    return PipelineConfig(
        input=FrameStream(height=64, width=64),
        sampling=Windows(seconds=2.0, hop_seconds=1.0),
        branches={"face": Branch(features=ConvStemConfig(dim=64))},
        temporal=GRUConfig(dim=64),
        heads={"expression": ExpressionConfig(), "affect": ValenceArousalConfig()},
    )


def spot_motion() -> PipelineConfig:
    """Expressions and blinks as events, from the motion of a face that is cut once, with 48 pixels between the eyes."""
    return PipelineConfig(
        input=FrameStream(height=160, width=160, channels=("gray",), alignment="steady"),
        sampling=Events(spotter=MotionEventsConfig(), keyframes=()),
    )
