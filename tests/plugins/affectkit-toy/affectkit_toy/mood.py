"""Task head `mood`: two labels that may both hold."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import FeatureStream, HeadConfig, HeadSpec, PredictionStream, lazy


@dataclass(frozen=True, kw_only=True)
class MoodConfig(HeadConfig):
    """Logistic regression per frame.

    Attributes:
        targets: names of the labels.
    """

    targets: tuple[str, ...] = ("tense", "tired")

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(problem="multilabel", resolution="frame", targets=self.targets)


SPEC = HeadSpec(
    name="mood",
    config=MoodConfig,
    factory=lazy("affectkit_toy.mood_net:Mood"),
    summary="Tense and tired, each per frame.",
)
