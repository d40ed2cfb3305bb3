"""Components whose output is known without training: brightness of a frame, and a head that hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.configs import FaceDetectorConfig, FeaturesConfig, HeadConfig, Sampling, TemporalConfig
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.interfaces import FaceDetector, FeatureExtractor, TaskHead, TemporalEncoder
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.records import Face
from affectkit.registry import Registry, default_registry
from affectkit.sequences import Sequence, Targets
from affectkit.specs import FaceDetectorSpec, FeaturesSpec, HeadSpec, TemporalSpec
from affectkit.streams import FeatureStream, FrameStream, PredictionStream, Resolution, with_changes


@dataclass(frozen=True, kw_only=True)
class BrightnessConfig(FeaturesConfig):
    """Mean of a frame."""

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=1, steps=stream.steps)


class Brightness(FeatureExtractor[BrightnessConfig]):
    def __init__(self, config: BrightnessConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values.mean(dim=(2, 3, 4)).unsqueeze(-1))


@dataclass(frozen=True, kw_only=True)
class LengthConfig(TemporalConfig):
    """Adds the number of real steps of the clip."""

    def output(self, stream: FeatureStream) -> FeatureStream:
        return with_changes(stream, dim=stream.dim + 1)


class Length(TemporalEncoder[LengthConfig]):
    def __init__(self, config: LengthConfig, stream: FeatureStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        count = inputs.mask.sum(dim=1)[:, None, None].expand(*inputs.mask.shape, 1)
        return inputs.with_values(torch.cat([inputs.values, count.to(inputs.values.dtype)], dim=-1))


@dataclass(frozen=True, kw_only=True)
class HalvedConfig(TemporalConfig):
    """Every second step only."""

    def output(self, stream: FeatureStream) -> FeatureStream:
        return with_changes(stream, stride=2)


class Halved(TemporalEncoder[HalvedConfig]):
    def __init__(self, config: HalvedConfig, stream: FeatureStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return Sequence(inputs.values[:, ::2], inputs.mask[:, ::2], inputs.times[:, ::2])


@dataclass(frozen=True, kw_only=True)
class AsIsConfig(HeadConfig):
    """Hands features on as values."""

    resolution: Resolution = "frame"

    def output(self, stream: FeatureStream) -> PredictionStream:
        names = ("brightness", "length")[: stream.dim]
        return PredictionStream(problem="regression", resolution=self.resolution, targets=names)


class AsIs(TaskHead[AsIsConfig]):
    def __init__(self, config: AsIsConfig, stream: FeatureStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Tensor:
        if self.config.resolution == "frame":
            return inputs.values
        weights = inputs.mask.unsqueeze(-1)
        return (inputs.values * weights).sum(dim=1) / weights.sum(dim=1)

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        return scores.sum() * 0

    def predict(self, scores: Tensor) -> Tensor:
        return scores


@dataclass(frozen=True, kw_only=True)
class BrightFacesConfig(FaceDetectorConfig):
    """Bright pictures hold faces: none below the level, one from it, two from `two`."""

    level: int = 100
    two: int = 300
    outside: bool = False


class BrightFaces(FaceDetector[BrightFacesConfig]):
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        corner = 1000.0 if self.config.outside else 8.0
        face = Face(box=(corner, 4.0, 24.0, 24.0), score=0.75)
        other = Face(box=(corner + 16, 4.0, 24.0, 26.0), score=0.75)
        mean = image.mean()
        return [] if mean < self.config.level else [face] if mean < self.config.two else [other, face]


def registry(*more: Any) -> Registry:
    """The default registry with these components."""
    return default_registry().with_components(
        FeaturesSpec(name="brightness", config=BrightnessConfig, factory=Brightness, summary="Brightness."),
        TemporalSpec(name="length", config=LengthConfig, factory=Length, summary="Length."),
        TemporalSpec(name="halved", config=HalvedConfig, factory=Halved, summary="Every second step."),
        HeadSpec(name="as-is", config=AsIsConfig, factory=AsIs, summary="As is."),
        FaceDetectorSpec(name="bright-faces", config=BrightFacesConfig, factory=BrightFaces, summary="Bright."),
        *more,
    )


def pipeline(sampling: Sampling | None = None, *, resolution: Resolution = "frame", **changes: Any) -> PipelineConfig:
    """A pipeline that gives each frame's brightness in [0, 1]."""
    parts: dict[str, Any] = {
        "input": FrameStream(height=8, width=8),
        "sampling": sampling,
        "branches": {"face": Branch(features=BrightnessConfig())},
        "heads": {"face": AsIsConfig(resolution=resolution)},
        "faces": WholeFrameConfig(),
    }
    return PipelineConfig(**(parts | changes))
