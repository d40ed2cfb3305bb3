"""What AMMSM's setups are, by name: for `ammsm_choice.py`, `ammsm.py` and `ammsm_parts.py`."""

from __future__ import annotations

from dataclasses import replace

from affectkit_ammsm.plan import JOINT
from mer_maps import FLOW

from affectkit import (
    Branch,
    ConcatFusionConfig,
    FlowMagnifierConfig,
    FrameStream,
    MicroExpressionConfig,
    PipelineConfig,
    SparseVSSDConfig,
)
from affectkit.recipes import Recipe

HEAD = MicroExpressionConfig(dropout=0.5, label_smoothing=0.1)
# Maps that were scaled each by its own peak: the magnifier begins with the flow as it is.
MAGNIFIER = FlowMagnifierConfig(alpha=1.0, width=8)
# Where something moves is most of what a map of flow says: with one cell it would be lost.
DENSE = SparseVSSDConfig(size="pico", cells=7)
RECIPE = JOINT


def make_setup(
    backbone: SparseVSSDConfig = DENSE,
    *,
    magnifier: FlowMagnifierConfig | None = MAGNIFIER,
    sources: tuple[str, ...] = ("flow",),
) -> PipelineConfig:
    """A branch for each set of maps: `flow`, and `contraction`, the same motion by another flow."""
    motion = () if magnifier is None else (magnifier,)
    inputs: dict[str, FrameStream] = dict.fromkeys(sources, FLOW)
    branches = {name: Branch(source=name, motion=motion, features=backbone) for name in sources}
    fusion = ConcatFusionConfig() if len(sources) > 1 else None
    return PipelineConfig(inputs=inputs, branches=branches, fusion=fusion, heads={"micro": HEAD})


def sparse(*ratios: float, backbone: SparseVSSDConfig = DENSE) -> SparseVSSDConfig:
    """The backbone, with these shares of its windows left out."""
    return replace(backbone, ratios=ratios)


CANDIDATES: dict[str, tuple[PipelineConfig, Recipe]] = {
    "flow, no magnifier": (make_setup(magnifier=None), RECIPE),
    "flow": (make_setup(), RECIPE),
    "flow, ratios .5": (make_setup(sparse(0.5, 0.5, 0.5)), RECIPE),
    "flow + contraction": (make_setup(sources=("flow", "contraction")), RECIPE),
}
