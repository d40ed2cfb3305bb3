"""Presets: from onset and apex, and from stored flow. Every part is a standard component of affectkit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affectkit import (
    Branch,
    Events,
    FlowMagnifierConfig,
    FrameStream,
    MicroExpressionConfig,
    OpticalFlowConfig,
    PipelineConfig,
    PipelineSpec,
    SparseVSSDConfig,
)
from affectkit.spotters.motion_events import MotionEventsConfig

if TYPE_CHECKING:
    from affectkit.recipes import Recipe

CITATION = "arXiv 2503.24057"
# Of the frames: what the backbone's published sizes take. Of stored flow: as STSTNet and its successors have it.
FRAMES, STORED = 224, 28
KEYFRAMES = ("onset", "apex")


def make_ammsm() -> PipelineConfig:
    """The config of `ammsm`: onset and apex of a steadily aligned face."""
    magnifier = FlowMagnifierConfig(alpha=4.0, magnitude=True)
    return PipelineConfig(
        input=FrameStream(height=FRAMES, width=FRAMES, steps=KEYFRAMES, alignment="steady"),
        sampling=Events(spotter=MotionEventsConfig(), keyframes=KEYFRAMES, kinds=("micro-expression",)),
        branches={
            "flow": Branch(
                motion=(OpticalFlowConfig(pairs="phases"), magnifier), features=SparseVSSDConfig(size="micro")
            )
        },
        heads={"micro": MicroExpressionConfig()},
    )


def make_ammsm_flow() -> PipelineConfig:
    """The config of `ammsm-flow`: stored u, v and strain from onset to apex, each map scaled by its own peak.

    Alpha means little where size is lost: the magnifier begins with the flow as it is, and bends it.
    """
    channels = ("u", "v", "strain")
    return PipelineConfig(
        input=FrameStream(channels=channels, unit="relative", height=STORED, width=STORED, steps=("contraction",)),
        branches={"flow": Branch(motion=(FlowMagnifierConfig(alpha=1.0),), features=SparseVSSDConfig(size="pico"))},
        heads={"micro": MicroExpressionConfig()},
    )


def make_recipe() -> Recipe:
    """How both presets are trained jointly, the first of the phases, unless another recipe is given."""
    # when it is asked for: listing presets needs no recipes
    from affectkit_ammsm.plan import JOINT

    return JOINT


FROM_FRAMES = PipelineSpec(
    name="ammsm",
    config=make_ammsm,
    recipe=make_recipe,
    summary="AMMSM from onset and apex, untrained: micro-expressions in three classes.",
    citation=CITATION,
)
FROM_FLOW = PipelineSpec(
    name="ammsm-flow",
    config=make_ammsm_flow,
    recipe=make_recipe,
    summary="AMMSM from stored flow of onset to apex, untrained: micro-expressions in three classes.",
    citation=CITATION,
)
