"""Small pipelines and batches for tests of built models."""

from __future__ import annotations

import torch
from torch import Tensor

from affectkit.configs import HeadConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream
from tests.toys_torch import (
    REGISTRY,
)

SMALL = FeatureStream(dim=3)


def stored(**heads: HeadConfig) -> PipelineConfig:
    return PipelineConfig(input=SMALL, branches={"x": Branch()}, heads=heads or {"va": ValenceArousalConfig()})


def build(config: PipelineConfig) -> Pipeline:
    torch.manual_seed(0)
    return config.build(registry=REGISTRY)


def frames(batch: int = 2, steps: int = 3) -> Sequence:
    return Sequence.of(torch.rand(batch, steps, 3, 16, 16, generator=torch.Generator().manual_seed(1)))


def features(batch: int = 2, steps: int = 4, dim: int = 3) -> Tensor:
    return torch.randn(batch, steps, dim, generator=torch.Generator().manual_seed(2))
