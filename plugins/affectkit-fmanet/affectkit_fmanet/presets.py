"""Presets: from three frames of an event, and from its stored flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affectkit import (
    Branch,
    Events,
    FrameStream,
    MicroExpressionConfig,
    OpticalFlowConfig,
    PipelineConfig,
    PipelineSpec,
)
from affectkit.spotters.motion_events import MotionEventsConfig
from affectkit_fmanet.backbone import PHASES, SPEC, FMANetConfig

if TYPE_CHECKING:
    from affectkit.recipes import Recipe

# Of the frames: published flow is often computed on 128 pixels. Of stored flow: as STSTNet and its successors have it.
FRAMES, STORED = 128, 28


def make_fmanet() -> PipelineConfig:
    """The config of `fmanet`: onset, apex and offset of a steadily aligned face."""
    return PipelineConfig(
        input=FrameStream(height=FRAMES, width=FRAMES, steps=("onset", "apex", "offset"), alignment="steady"),
        sampling=Events(spotter=MotionEventsConfig(), kinds=("micro-expression",)),
        branches={"flow": Branch(motion=(OpticalFlowConfig(pairs="phases"),), features=FMANetConfig())},
        heads={"micro": MicroExpressionConfig()},
    )


def make_fmanet_flow() -> PipelineConfig:
    """The config of `fmanet-flow`: stored u and v of both phases, each map scaled by its own peak."""
    return PipelineConfig(
        input=FrameStream(channels=("u", "v"), unit="relative", height=STORED, width=STORED, steps=PHASES),
        branches={"flow": Branch(features=FMANetConfig())},
        heads={"micro": MicroExpressionConfig()},
    )


def make_recipe() -> Recipe:
    """How both presets are trained, unless another recipe is given."""
    # when it is asked for: listing presets needs no recipes
    from affectkit.recipes import Augmentation, Recipe

    return Recipe(epochs=30, augmentation=Augmentation(flip=0.5, shift=1, gain=0.2, noise=0.05))


FROM_FRAMES = PipelineSpec(
    name="fmanet",
    config=make_fmanet,
    recipe=make_recipe,
    summary="FMANet from onset, apex and offset, untrained: micro-expressions in three classes.",
    citation=SPEC.citation,
)
FROM_FLOW = PipelineSpec(
    name="fmanet-flow",
    config=make_fmanet_flow,
    recipe=make_recipe,
    summary="FMANet from stored flow of both phases, untrained: micro-expressions in three classes.",
    citation=SPEC.citation,
)
