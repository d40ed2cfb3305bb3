"""Presets: the small system on motion, with weights from synthetic faces, and the published one on pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    Branch,
    ConvStemConfig,
    ExpressionConfig,
    FrameStream,
    HeadConfig,
    MotionConfig,
    OpticalFlowConfig,
    PipelineConfig,
    PipelineSpec,
    RestDifferenceConfig,
    ScoreMapConfig,
    TimmConfig,
    TransformerConfig,
    ValenceArousalConfig,
    Weights,
    Windows,
)
from affectkit.features.iresnet import IResNetConfig
from affectkit.maps.smooth import SmoothConfig
from affectkit.maps.thresholds import ThresholdsConfig
from affectkit_abaw7.flow_picture import FlowPictureConfig
from affectkit_abaw7.poster2 import POSTER2Config

if TYPE_CHECKING:
    from affectkit.recipes import Recipe

CITATION = "arXiv 2407.12258"
HEADS = ("va", "expr", "au")
# Pixels of a face: of the small system, and of the published encoders.
SMALL, PUBLISHED = 64, 112
# The encoders of the small system, and the tasks by whose labels each of them is trained first.
ENCODERS: Mapping[str, tuple[str, ...]] = {"cnn": ("va", "expr", "au"), "poster2": ("va", "expr"), "fau": ("au",)}


# Smoothing that choice people chose, sigma and delta by task; where a task is not here, they chose none.
SMOOTHING: Mapping[str, tuple[float, int]] = {"va": (1.0, 1), "expr": (64.0, 5)}
# Made by `affectkit-abaw7 train` as it is by default, which prints what stands here.
WEIGHTS = Weights(
    name="abaw7",
    url="package:affectkit_abaw7/weights_data/abaw7.safetensors",
    sha256="ef37382f8b08ac95f1684fdfeccc1c1d2b27698528349effe76616da6a465fc3",
    size=6733936,
    license="Apache-2.0",
    training_data_terms="synthetic",
    preprocessing="gray, 64 x 64 pixels, one steady cut for a whole track",
    metrics={"P on synthetic choice people, who chose smoothing and thresholds": 2.328},
)


def make_abaw7() -> PipelineConfig:
    """The config of `abaw7`: three small encoders of a face's motion from rest, fused, and a Transformer over time."""
    return make_system(tuple(ENCODERS), smoothing=SMOOTHING)


def make_system(
    encoders: Iterable[str], heads: Iterable[str] = HEADS, *, smoothing: Mapping[str, tuple[float, int]]
) -> PipelineConfig:
    """The small system, or a part of it.

    Arguments:
        encoders: some of `cnn`, `poster2` and `fau`; one has no fusion, and goes into the Transformer as it is.
        heads: some of `va`, `expr` and `au`.
        smoothing: sigma and delta by the task that is smoothed.
    """
    branches = {name: make_branch(name) for name in encoders}
    scored, is_fused = make_heads(heads), len(branches) > 1
    return PipelineConfig(
        input=FrameStream(height=SMALL, width=SMALL, channels=("gray",), alignment="steady"),
        sampling=Windows(seconds=4.0, hop_seconds=2.0),
        branches=branches,
        fusion=AffineFusionConfig(dim=64, positions="time", dropout=0.1) if is_fused else None,
        temporal=TransformerConfig(
            dim=128, depth=2, heads=4, feedforward=256, positions="none" if is_fused else "time", dropout=0.2
        ),
        heads=scored,
        maps=make_maps(scored, smoothing),
    )


def make_branch(name: str) -> Branch:
    """An encoder of the small system, behind the motion that it sees: flow to the first frame, less that of rest."""
    flow: tuple[MotionConfig, ...] = (
        OpticalFlowConfig(pairs="first", rigid="subtract", window=3.5),
        RestDifferenceConfig(),
    )
    if name == "cnn":
        return Branch(motion=flow, features=ConvStemConfig(dim=64, width=16, depth=3, cells=8))
    picture = (*flow, FlowPictureConfig())
    if name == "poster2":
        return Branch(motion=picture, features=POSTER2Config(size="small"))
    return Branch(motion=picture, features=IResNetConfig(size="small", dropout=0.3))


def make_heads(names: Iterable[str] = HEADS, *, dropout: float = 0.2) -> dict[str, HeadConfig]:
    """Heads of the tasks, in the order of the names."""
    found: dict[str, HeadConfig] = {
        "va": ValenceArousalConfig(dropout=dropout),
        "expr": ExpressionConfig(dropout=dropout, label_smoothing=0.05),
        "au": ActionUnitsConfig(dropout=dropout),
    }
    return {name: found[name] for name in names}


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


def make_maps(heads: Iterable[str], smoothing: Mapping[str, tuple[float, int]]) -> dict[str, ScoreMapConfig]:
    """What comes behind these heads: smoothing, of the tasks that have some, and a cut for each unit."""
    names = tuple(heads)
    found: dict[str, ScoreMapConfig] = {
        f"{task}_smooth": SmoothConfig(source=task, sigma=sigma, delta=delta)
        for task, (sigma, delta) in smoothing.items()
        if task in names
    }
    return found | ({"au_present": ThresholdsConfig(source="au")} if "au" in names else {})


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
