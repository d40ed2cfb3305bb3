"""What AMMSM's setups are, by name: for `ammsm_choice.py` and `ammsm.py`."""

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

HEAD = MicroExpressionConfig(hidden=(64,), dropout=0.5, label_smoothing=0.1)
# Maps that were scaled each by its own peak: the magnifier begins with the flow as it is.
MAGNIFIER = FlowMagnifierConfig(alpha=1.0, width=4, levels=1)
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


TWO_STAGES = replace(DENSE, stride=2, dims=(24, 48), depths=(1, 1), heads=(1, 2), ratios=(0.0, 0.0))
BOTH_FLOWS = ("flow", "contraction")
NARROW = replace(TWO_STAGES, dims=(16, 32))
CANDIDATES: dict[str, tuple[PipelineConfig, Recipe]] = {
    "flow": (make_setup(TWO_STAGES), RECIPE),
    "flow, no magnifier": (make_setup(TWO_STAGES, magnifier=None), RECIPE),
    "flow, ratios 0.5": (make_setup(sparse(0.5, 0.5, backbone=TWO_STAGES)), RECIPE),
    "flow, narrow, no magnifier": (make_setup(NARROW, magnifier=None), RECIPE),
    "both flows, no magnifier": (make_setup(TWO_STAGES, magnifier=None, sources=BOTH_FLOWS), RECIPE),
    "flow, three stages, full size, no magnifier": (make_setup(magnifier=None), RECIPE),
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
    # Behind the search all are learned from again, so half of them can be spared to tell candidates apart.
    share=0.5,
    search=SearchSpace(dials=dict.fromkeys(RATIOS, "all"), search=Evolution(population=16, generations=6)),
    tuning=TUNING,
)
