"""Task head `blendshapes`: features that are blendshapes already, handed on as scores."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import ConfigError, FeatureStream, HeadConfig, HeadSpec, PredictionStream, StreamError, lazy
from affectkit.errors import did_you_mean
from affectkit_mediapipe.bundle import BLENDSHAPES

# Whether there was a face to score: any of the features is not zero.
FOUND = "found"
TARGETS = (*BLENDSHAPES, FOUND)
BOUNDS = (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class BlendshapesConfig(HeadConfig):
    """Blendshapes in [0, 1] of every frame, and `found`: 1 where a face was found in the cut, else 0.

    It takes 52 features in the order of `bundle.BLENDSHAPES`, and has nothing to train.

    Attributes:
        targets: which are given, of the 52 and `found`, in this order.
    """

    targets: tuple[str, ...] = TARGETS

    @property
    def is_frozen(self) -> bool:
        return True

    def validate(self) -> None:
        super().validate()
        for name in self.targets:
            if name not in TARGETS:
                raise ConfigError(
                    f"{name!r} is no blendshape", did_you_mean(name, TARGETS, noun="targets"), path="targets"
                )

    def output(self, stream: FeatureStream) -> PredictionStream:
        if stream.dim != len(BLENDSHAPES):
            raise StreamError(f"width {stream.dim} is not accepted", f"accepts {len(BLENDSHAPES)}, one per blendshape")
        return PredictionStream(problem="regression", resolution="frame", targets=self.targets, bounds=BOUNDS)


SPEC = HeadSpec(
    name="blendshapes",
    config=BlendshapesConfig,
    factory=lazy("affectkit_mediapipe.blendshape_head_net:BlendshapesHead"),
    summary="Features that are blendshapes, as scores; says where no face was found.",
)
