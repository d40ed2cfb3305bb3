"""Presets: the small system on motion, with weights from synthetic faces, and the published one on pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from affectkit import (
    AffineFusionConfig,
    Branch,
    FrameStream,
    PipelineConfig,
    PipelineSpec,
    TimmConfig,
    TransformerConfig,
    Weights,
    Windows,
)
from affectkit.features.iresnet import IResNetConfig
from affectkit_abaw7.poster2 import POSTER2Config
from affectkit_abaw7.system import make_abaw7, make_heads

if TYPE_CHECKING:
    from affectkit.recipes import Recipe

CITATION = "arXiv 2407.12258"
# Pixels of a face of the published encoders.
PUBLISHED = 112

# Made by `affectkit-abaw7 train` as it is by default, which prints what stands here.
WEIGHTS = Weights(
    name="abaw7",
    url="package:affectkit_abaw7/weights_data/abaw7.safetensors",
    sha256="e26125883f3323c378d31f988aa763706d8b33537317d936c76f5b5a435d8c82",
    size=6734528,
    license="Apache-2.0",
    training_data_terms="synthetic",
    preprocessing="gray, 64 x 64 pixels, one steady cut for a whole track",
    metrics={"P on synthetic choice people, who chose smoothing and thresholds": 2.354},
)


def make_published() -> PipelineConfig:
    """The config of `abaw7-published`: ResNet-18, POSTER2 and an FAU IResNet100 on pictures, untrained.

    The three encoders are stated (arXiv 2407.12258); width, depth and heads are those of its predecessors' public code,
    segments of 250 frames those of 25 per second.
    """
    return PipelineConfig(
        input=FrameStream(height=PUBLISHED, width=PUBLISHED, alignment="arcface"),
        sampling=Windows(seconds=10.0, hop_seconds=5.0),
        branches={
            "resnet18": Branch(features=TimmConfig(model="resnet18", frozen=True)),
            "poster2": Branch(features=POSTER2Config(size="published", frozen=True)),
            "fau": Branch(features=IResNetConfig(size="100", frozen=True)),
        },
        fusion=AffineFusionConfig(dim=256, positions="time"),
        temporal=TransformerConfig(dim=256, depth=4, heads=4, feedforward=1024, positions="none"),
        heads={
            name: replace(head, hidden=(256, 256), dropout=0.3)  # type: ignore[call-arg]
            for name, head in make_heads().items()
        },
    )


def make_recipe() -> Recipe:
    """How the part behind the encoders is trained, unless another recipe is given."""
    # when it is asked for: listing presets needs no recipes
    from affectkit_abaw7.plan import Plan

    return Plan().fusion


SYSTEM = PipelineSpec(
    name="abaw7",
    config=make_abaw7,
    recipe=make_recipe,
    weights=WEIGHTS,
    summary="VA, eight expressions and twelve AUs per frame: three small encoders, fused, and a Transformer.",
    citation=CITATION,
)
AS_PUBLISHED = PipelineSpec(
    name="abaw7-published",
    config=make_published,
    recipe=make_recipe,
    summary="ResNet-18, POSTER2 and an FAU IResNet100, fused, and a Transformer over time, untrained.",
    citation=CITATION,
)
