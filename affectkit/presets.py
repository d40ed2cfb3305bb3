"""Pipelines of the core by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affectkit.configs import Events, Windows
from affectkit.data.labels import MICRO_3
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.micro_expression import MicroExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.motion.mm_cof import MMCOFConfig
from affectkit.motion.optical_flow import OpticalFlowConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.specs import Weights
from affectkit.spotters.motion_events import MotionEventsConfig
from affectkit.streams import FrameStream
from affectkit.temporal.gru import GRUConfig

if TYPE_CHECKING:
    from affectkit.recipes import Recipe

# Made by benchmarks/train_micro.py, which prints what stands here; with another robust fit of the head's motion than
# ops/rigid_flow.py, on whose maps they name choice people as well.
MICRO_WEIGHTS = Weights(
    name="micro",
    url="package:affectkit/weights_data/micro.safetensors",
    sha256="32ac5daf0b2a1cb4ff85876b148476b603ad49d0e2aa969c90e75cf70585511f",
    size=510756,
    license="Apache-2.0",
    training_data_terms="synthetic",
    preprocessing="gray, 160 x 160 pixels, one steady cut for onset, apex and offset",
    targets=MICRO_3,
    metrics={"accuracy on synthetic choice seeds": 0.956, "mean F1 on synthetic choice seeds": 0.946},
)


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


def micro_recipe() -> Recipe:
    """How `micro` is trained: by benchmarks/train_micro.py, and on anybody's data unless another recipe is given."""
    # when it is asked for: listing presets needs no recipes
    from affectkit.recipes import Augmentation, Recipe

    return Recipe(epochs=30, augmentation=Augmentation(flip=0.5, shift=4, gain=0.1, noise=0.02))


def recognize_micro() -> PipelineConfig:
    """Micro-expressions as events, each named by the motion of its face between onset, apex and offset."""
    steps = ("onset", "apex", "offset")
    flow = OpticalFlowConfig(pairs="phases", rigid="subtract")
    return PipelineConfig(
        input=FrameStream(height=160, width=160, channels=("gray",), alignment="steady", steps=steps),
        sampling=Events(spotter=MotionEventsConfig(), kinds=("micro-expression",)),
        branches={
            "motion": Branch(
                motion=(MMCOFConfig(flow=flow),), features=ConvStemConfig(dim=64, width=8, depth=4, cells=5)
            )
        },
        heads={"micro": MicroExpressionConfig(dropout=0.5)},
    )
