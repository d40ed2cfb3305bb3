"""The small system as data: its encoders, heads and maps, on a face's motion. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
    RestDifferenceConfig,
    ScoreMapConfig,
    TransformerConfig,
    ValenceArousalConfig,
    Windows,
)
from affectkit.features.iresnet import IResNetConfig
from affectkit.maps.smooth import SmoothConfig
from affectkit.maps.thresholds import ThresholdsConfig
from affectkit_abaw7.flow_picture import FlowPictureConfig
from affectkit_abaw7.poster2 import POSTER2Config

HEADS = ("va", "expr", "au")
# Pixels of a face.
SIDE = 64
# The encoders of the small system, and the tasks by whose labels each of them is trained first.
ENCODERS: Mapping[str, tuple[str, ...]] = {"cnn": ("va", "expr", "au"), "poster2": ("va", "expr"), "fau": ("au",)}
# Factor of the units' loss behind the fusion: as it is, the asymmetric one is small beside the others.
UNITS = 10.0
# Smoothing that choice people chose, sigma and delta by task; where a task is not here, they chose none.
SMOOTHING: Mapping[str, tuple[float, int]] = {"va": (4.0, 1), "expr": (16.0, 2)}


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
    scored, is_fused = make_heads(heads, units=UNITS), len(branches) > 1
    return PipelineConfig(
        input=FrameStream(height=SIDE, width=SIDE, channels=("gray",), alignment="steady"),
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


def make_heads(names: Iterable[str] = HEADS, *, dropout: float = 0.2, units: float = 1.0) -> dict[str, HeadConfig]:
    """Heads of the tasks, in the order of the names; `units` is the factor of the loss of `au`."""
    found: dict[str, HeadConfig] = {
        "va": ValenceArousalConfig(dropout=dropout),
        "expr": ExpressionConfig(dropout=dropout, label_smoothing=0.05),
        "au": ActionUnitsConfig(dropout=dropout, weight=units),
    }
    return {name: found[name] for name in names}


def make_maps(heads: Iterable[str], smoothing: Mapping[str, tuple[float, int]]) -> dict[str, ScoreMapConfig]:
    """What comes behind these heads: smoothing, of the tasks that have some, and a cut for each unit."""
    names = tuple(heads)
    found: dict[str, ScoreMapConfig] = {
        f"{task}_smooth": SmoothConfig(source=task, sigma=sigma, delta=delta)
        for task, (sigma, delta) in smoothing.items()
        if task in names
    }
    return found | ({"au_present": ThresholdsConfig(source="au")} if "au" in names else {})
