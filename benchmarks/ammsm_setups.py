"""What AMMSM's setups are, by name: for `ammsm_choice.py`, `ammsm.py` and `ammsm_parts.py`."""

from __future__ import annotations

from dataclasses import replace

from affectkit_ammsm.plan import ADAPTATION, JOINT, TUNING, Plan
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
from affectkit.search.space import Evolution, SearchSpace

HEAD = MicroExpressionConfig(dropout=0.5, label_smoothing=0.1)
# Maps that were scaled each by its own peak: the magnifier begins with the flow as it is.
MAGNIFIER = FlowMagnifierConfig(alpha=1.0, width=4, levels=1)
# Where something moves is most of what a map of flow says: with one cell it would be lost.
DENSE = SparseVSSDConfig(size="pico", cells=7)
RECIPE = replace(JOINT, learning_rate=4e-3)


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


TWO_STAGES = replace(DENSE, stride=2, dims=(16, 32), depths=(1, 1), heads=(1, 2), ratios=(0.0, 0.0))
BOTH_FLOWS = ("flow", "contraction")
CANDIDATES: dict[str, tuple[PipelineConfig, Recipe]] = {
    "flow": (make_setup(TWO_STAGES), RECIPE),
    "flow, half the rate": (make_setup(TWO_STAGES), JOINT),
    "flow, no magnifier": (make_setup(TWO_STAGES, magnifier=None), RECIPE),
    "flow, no magnifier, half the rate": (make_setup(TWO_STAGES, magnifier=None), JOINT),
    "flow, ratios 0.5": (make_setup(sparse(0.5, 0.5, backbone=TWO_STAGES)), RECIPE),
    "flow, three stages, full size": (make_setup(), RECIPE),
    "both flows": (make_setup(TWO_STAGES, sources=BOTH_FLOWS), RECIPE),
}
# Of `ammsm.py`.
REPORTED = "dense"
SOURCES = ("flow",)
ROWS: dict[str, tuple[PipelineConfig, Recipe]] = {
    REPORTED: CANDIDATES["flow"],
    "sparse, ratios 0.5": CANDIDATES["flow, ratios 0.5"],
    "dense, no magnifier": CANDIDATES["flow, no magnifier"],
}
# Ratios alone: on maps of unknown size alpha means nothing.
RATIOS = tuple(f"branches.{name}.features.ratios[{stage}]" for name in SOURCES for stage in range(2))
PLAN = Plan(
    joint=RECIPE,
    adaptation=replace(ADAPTATION, random_dials=RATIOS),
    search=SearchSpace(dials=dict.fromkeys(RATIOS, "all"), search=Evolution(population=16, generations=6)),
    tuning=TUNING,
)
