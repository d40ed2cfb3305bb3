"""The standard components under the kit that plugins are tested with, as they come and in their other modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    CompoundFromBasicConfig,
    ConcatFusionConfig,
    ConvStemConfig,
    EulerianConfig,
    ExpressionConfig,
    FlowMagnifierConfig,
    FrameDifferenceConfig,
    FrameMagnifierConfig,
    FrameStream,
    GRUConfig,
    HeadCompensationConfig,
    IResNetConfig,
    MagNetConfig,
    MicroExpressionConfig,
    MMCOFConfig,
    OpticalFlowConfig,
    PhaseConfig,
    ProductFusionConfig,
    ShiftConfig,
    SmoothConfig,
    SparseMambaConfig,
    SparseVSSDConfig,
    TimmConfig,
    TransformerConfig,
    ValenceArousalConfig,
    default_registry,
)
from affectkit.configs import ComponentConfig
from affectkit.maps.compound_from_basic import AVCER_WEIGHTS, C_EXPR_PRIOR
from affectkit.specs import ComponentSpec
from affectkit.testing import parametrize_with_checks
from tests.conftest import SHARED

KEYFRAMES = FrameStream(height=32, width=32, steps=("onset", "apex", "offset"))
VARIANTS: dict[str, ComponentConfig] = {
    "eulerian-cutoff": EulerianConfig(cutoff=16.0, band=(1.0, 6.0)),
    "frame-difference-first-gray": FrameDifferenceConfig(reference="first", gray=True),
    "flow-magnifier-whole": FlowMagnifierConfig(is_residual=False, region=(0.2, 0.5, 0.8, 1.0), width=4, levels=1),
    "flow-magnifier-batch-norm": FlowMagnifierConfig(
        is_residual=False, width=4, levels=1, norm="batch", alpha_channels=1
    ),
    "flow-magnifier-group-norm": FlowMagnifierConfig(is_residual=False, width=4, levels=1, norm="group"),
    "frame-magnifier-batch-norm": FrameMagnifierConfig(width=4, levels=1, norm="batch", region=(0.0, 0.5, 1.0, 1.0)),
    "frame-magnifier-clg": FrameMagnifierConfig(
        width=4, levels=1, norm="none", flow="combined-local-global", sample_alpha=False
    ),
    "head-compensation-median": HeadCompensationConfig(method="median"),
    "head-compensation-nose": HeadCompensationConfig(method="nose", center=(0.5, 0.45), size=0.2),
    "head-compensation-affine": HeadCompensationConfig(method="affine"),
    "magnet-previous": MagNetConfig(reference="previous", alpha=2.0, frozen=False),
    "shift-both": ShiftConfig(right=-3, down=2),
    "mm-cof-of-flow": MMCOFConfig(steepness=20.0, encoding="color"),
    "optical-flow-phases": OpticalFlowConfig(pairs="phases", strain=True),
    "optical-flow-clg": OpticalFlowConfig(method="combined-local-global", magnitude=True),
    "optical-flow-rigid": OpticalFlowConfig(rigid="subtract", strain=True),
    "optical-flow-tv-l1": OpticalFlowConfig(method="tv-l1"),
    "optical-flow-farneback": OpticalFlowConfig(method="farneback", pairs="first"),
    "phase-plain": PhaseConfig(directions=2, smooth=0.0, alpha=2.0),
    "conv-stem-cells": ConvStemConfig(dim=8, width=4, cells=3),
    "conv-stem-plain": ConvStemConfig(dim=8, width=4, norm="none"),
    "iresnet-frozen": IResNetConfig(size="small", frozen=True, dropout=0.5),
    "sparse-vssd-dense": SparseVSSDConfig(
        size="pico", ratios=(), stride=4, reduction="deep", norm="batch", attention=True, cells=2, dropout=0.5
    ),
    "sparse-vssd-masked": SparseVSSDConfig(
        size="pico", ratios=(0.5, 0.3), sparse_form="mask", stride=1, reduction="deep", norm="group", selection="max"
    ),
    "sparse-vssd-ss2d": SparseVSSDConfig(size="pico", ratios=(0.5,), mixer="ss2d", state=1),
    "timm-frozen": TimmConfig(model="resnet18", frozen=True),
    "affine-sum": AffineFusionConfig(dim=8, mode="sum", positions="time", dropout=0.5),
    "concat-alone": ConcatFusionConfig(hidden=()),
    "concat-mapped": ConcatFusionConfig(dim=8, hidden=(8,), dropout=0.5),
    "gru-both-ways": GRUConfig(dim=8, depth=2, bidirectional=True, dropout=0.5),
    "gru-deep": GRUConfig(dim=8, depth=2, dropout=0.5),
    "sparse-mamba-causal": SparseMambaConfig(dim=8, depth=2, ratios=(0.5, 0.8), window=4, dropout=0.5),
    "sparse-mamba-both-ways": SparseMambaConfig(dim=8, ratios=(0.3, 0.6), scope="encoder", bidirectional=True),
    "transformer-causal": TransformerConfig(dim=8, heads=2, depth=1, causal=True, window=3, positions="time"),
    "action-units-intensity": ActionUnitsConfig(intensity=True),
    "expression-clip-attention": ExpressionConfig(resolution="clip", pooling="attention", hidden=(8,), dropout=0.5),
    "micro-expression-last": MicroExpressionConfig(pooling="last"),
    "valence-arousal-clip": ValenceArousalConfig(resolution="clip"),
    "product-geometric": ProductFusionConfig(geometric=True),
    "compound-from-basic-min": CompoundFromBasicConfig(source="expression", rule="min"),
    "compound-from-basic-product": CompoundFromBasicConfig(source="expression", rule="product"),
    "compound-from-basic-harmonic": CompoundFromBasicConfig(source="expression", rule="harmonic", threshold=1 / 7),
    "compound-from-basic-weighted": CompoundFromBasicConfig(
        source="expression", weights=AVCER_WEIGHTS, threshold=1 / 7, prior=C_EXPR_PRIOR
    ),
    "smooth-near": SmoothConfig(source="expression", sigma=2.0, delta=2),
}


def variant(name: str, config: ComponentConfig) -> ComponentSpec[Any]:
    """The spec of the config's component, under another name and with this config as its example."""
    return replace(default_registry().of_config(type(config)).spec, name=name, example=config)


@pytest.fixture(autouse=True)
def _no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Published weights come from this folder or not at all: where it is absent, what needs them is skipped."""
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))


# face detector `auto` where the folder is absent
@pytest.mark.filterwarnings("ignore::affectkit.errors.FallbackWarning")
@parametrize_with_checks("affectkit")
def test_conformance(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks(
    specs=[variant(name, config) for name, config in VARIANTS.items()], streams={"optical-flow-phases": KEYFRAMES}
)
def test_conformance_in_other_modes(check: Callable[[], None]) -> None:
    check()
