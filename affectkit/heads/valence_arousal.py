"""Task head `valence-arousal`: two values in [-1, 1] per frame."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.errors import ConfigError
from affectkit.heads.linear_head import LinearHeadConfig
from affectkit.specs import HeadSpec, lazy
from affectkit.streams import FeatureStream, PredictionStream


@dataclass(frozen=True, kw_only=True)
class ValenceArousalConfig(LinearHeadConfig):
    """How pleasant and how activated a face looks.

    Attributes:
        targets: names of the values.
        bounds: lowest and highest value; scores are squashed between them.
        mse_weight: factor of the mean squared error beside `1 - mean CCC` in the loss, at least 0. A little of it
            gives a gradient where the CCC has none, as for a clip with a constant label.
    """

    targets: tuple[str, ...] = ("valence", "arousal")
    bounds: tuple[float, float] = (-1.0, 1.0)
    mse_weight: float = 0.1

    def validate(self) -> None:
        super().validate()
        if self.mse_weight < 0:
            raise ConfigError(f"{self.mse_weight!r} is negative", "write 0 or more", path="mse_weight")

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(
            problem="regression", resolution=self.resolution, targets=self.targets, bounds=self.bounds
        )


SPEC = HeadSpec(
    name="valence-arousal",
    config=ValenceArousalConfig,
    factory=lazy("affectkit.heads.valence_arousal_net:ValenceArousalHead"),
    summary="Valence and arousal of a frame or clip, trained by concordance.",
)
