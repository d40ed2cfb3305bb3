"""Score map `thresholds`: a threshold of its own for every target, so that 0.5 is the place to cut for all."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import ScoreMapConfig
from affectkit.errors import StreamError
from affectkit.specs import ScoreMapSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class ThresholdsConfig(ScoreMapConfig):
    """Logits less a fitted threshold per target: the prediction is at least 0.5 where the score reaches it.

    As it comes, the map changes nothing. `affectkit.training.thresholds.set_thresholds` fits it.
    """

    def output(self, stream: PredictionStream) -> PredictionStream:
        if stream.problem != "multilabel":
            raise StreamError(f"problem {stream.problem!r} is not accepted", "accepts 'multilabel'")
        return stream


SPEC = ScoreMapSpec(
    name="thresholds",
    config=ThresholdsConfig,
    factory=lazy("affectkit.maps.thresholds_net:Thresholds"),
    summary="A fitted threshold per target, moved to a probability of 0.5.",
    example=ThresholdsConfig(source="action_units"),
)
