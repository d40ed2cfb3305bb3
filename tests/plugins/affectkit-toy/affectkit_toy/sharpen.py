"""Score map `sharpen`: logits divided by a temperature."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import ConfigError, PredictionStream, ScoreMapConfig, ScoreMapSpec, StreamError, dial, lazy


@dataclass(frozen=True, kw_only=True)
class SharpenConfig(ScoreMapConfig):
    """More certain below a temperature of 1, less above.

    Attributes:
        temperature: what logits are divided by.
    """

    temperature: float = dial(0.5, low=0.1, high=10.0)

    def validate(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"{self.temperature!r} is no temperature", "write more than 0", path="temperature")

    def output(self, stream: PredictionStream) -> PredictionStream:
        if stream.problem not in ("multiclass", "multilabel"):
            raise StreamError(f"problem {stream.problem!r} is not accepted", "accepts 'multiclass', 'multilabel'")
        return stream


SPEC = ScoreMapSpec(
    name="sharpen",
    config=SharpenConfig,
    factory=lazy("affectkit_toy.sharpen_net:Sharpen"),
    summary="Logits divided by a temperature.",
    example=SharpenConfig(source="mood"),
)
