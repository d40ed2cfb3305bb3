"""Pipelines of the core by name: starting points, untrained."""

from __future__ import annotations

from affectkit.configs import Windows
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.pipeline import Branch, PipelineConfig
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
