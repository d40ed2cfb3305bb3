"""The small ensemble as data: its members, their heads, and the ways of joining them. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from affectkit import (
    Branch,
    CompoundExpressionConfig,
    ConcatFusionConfig,
    EnsembleConfig,
    ExpressionConfig,
    FeatureStream,
    Frames,
    FrameStream,
    HeadConfig,
    MeanFusionConfig,
    MirrorConfig,
    PipelineConfig,
    ProductFusionConfig,
    StackingConfig,
    VoteFusionConfig,
    augment_config,
)
from affectkit.configs import FusionConfig, LateFusionConfig
from affectkit.data.labels import BASIC_7, COMPOUND_11
from affectkit_compound.manet import MANetConfig
from affectkit_compound.manet_heads import MANetHeadsConfig
from affectkit_compound.member import MemberConfig
from affectkit_compound.timm_member import ResNetConfig, ViTConfig

# Pixels of a face.
SIDE = 112
TASKS = ("expression", "compound")
# Of every head.
DROPOUT, SMOOTHING = 0.2, 0.05
# The slowest first.
MEMBERS: Mapping[str, MemberConfig] = MappingProxyType(
    {"resnet": ResNetConfig(size="small"), "vit": ViTConfig(size="small"), "manet": MANetConfig(size="small")}
)
# At feature level: the features' concatenation, LayerNorm, and one hidden layer before the heads.
FEATURES = ConcatFusionConfig(hidden=(128,), dropout=0.3)
# Ways of joining the members whose configs say nothing that was fitted.
WAYS: Mapping[str, LateFusionConfig | FusionConfig] = MappingProxyType(
    {
        "mean": MeanFusionConfig(),
        "product": ProductFusionConfig(),
        "vote": VoteFusionConfig(),
        "stacking": StackingConfig(),
        "features": FEATURES,
    }
)
# That of the preset, which sees every face and its mirror image: the best on the second half of the choice people, by
# the mean of both tasks.
JOINED = "features"


def make_stream() -> FrameStream:
    """How every member sees a face."""
    return FrameStream(height=SIDE, width=SIDE, alignment="arcface")


def make_heads(tasks: Iterable[str] = TASKS) -> dict[str, HeadConfig]:
    """Heads of the 7 basic and of the 11 compound expressions, or of one of the two."""
    found: dict[str, HeadConfig] = {
        "expression": ExpressionConfig(targets=BASIC_7, dropout=DROPOUT, label_smoothing=SMOOTHING),
        "compound": CompoundExpressionConfig(targets=COMPOUND_11, dropout=DROPOUT, label_smoothing=SMOOTHING),
    }
    return {name: found[name] for name in tasks}


def make_local_heads(tasks: Iterable[str] = TASKS) -> dict[str, HeadConfig]:
    """The same for MA-Net: a classifier for each half of its feature."""
    targets = {"expression": BASIC_7, "compound": COMPOUND_11}
    return {name: MANetHeadsConfig(targets=targets[name], dropout=DROPOUT, label_smoothing=SMOOTHING) for name in tasks}


def make_small_member(name: str, tasks: Iterable[str] = TASKS, *, frozen: bool = False) -> PipelineConfig:
    """One member, usable alone, frame by frame; what frozen ones see in a face is computed once for all ensembles."""
    return PipelineConfig(
        input=make_stream(),
        sampling=Frames(),
        branches={"face": Branch(features=replace(MEMBERS[name], frozen=frozen))},
        heads=make_local_heads(tasks) if name == "manet" else make_heads(tasks),
    )


def make_ensemble(
    fusion: LateFusionConfig | FusionConfig,
    tasks: Iterable[str] = TASKS,
    *,
    members: Iterable[str] = tuple(MEMBERS),
    frozen: bool = False,
) -> EnsembleConfig:
    """Members with all of these heads, joined by their scores or by their features."""
    tasks = tuple(tasks)
    return EnsembleConfig(
        sampling=Frames(),
        members={name: make_small_member(name, tasks, frozen=frozen) for name in members},
        fusion=fusion,
        heads=make_heads(tasks) if isinstance(fusion, FusionConfig) else {},
    )


def make_tail(dims: Mapping[str, int]) -> PipelineConfig:
    """What is behind the members at feature level, on stored features of these widths."""
    return PipelineConfig(
        inputs={name: FeatureStream(dim=dim) for name, dim in dims.items()},
        branches={name: Branch(source=name) for name in dims},
        fusion=FEATURES,
        heads=make_heads(),
    )


def make_compound() -> EnsembleConfig:
    """The config of `compound`: three small networks of a face, joined; the mean of it and of its mirror image.

    How far the networks agree comes along: by their own heads, beside what is said of their joined features.
    """
    return augment_config(replace(make_ensemble(WAYS[JOINED]), agreement=True), {"mirrored": (MirrorConfig(),)})


def name_mirrored(way: str) -> str:
    """What a way of joining is called that sees mirror images too."""
    return f"mirrored {way}"
