"""Score map `temperature`: scores that are surer, or less sure, in the same order."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import ScoreMapConfig
from affectkit.errors import StreamError
from affectkit.specs import ScoreMapSpec, lazy
from affectkit.streams import PredictionStream

_ACCEPTED = ("multiclass", "multilabel")


@dataclass(frozen=True, kw_only=True)
class TemperatureConfig(ScoreMapConfig):
    """Scores divided by one fitted temperature T: above 1 less sure, below 1 surer; the best class stays the best.

    As it comes, T is 1 and the map changes nothing. `affectkit.training.temperature.fit_temperature` fits it.
    """

    def output(self, stream: PredictionStream) -> PredictionStream:
        if stream.problem not in _ACCEPTED:
            raise StreamError(f"problem {stream.problem!r} is not accepted", "accepts 'multiclass', 'multilabel'")
        return stream


SPEC = ScoreMapSpec(
    name="temperature",
    config=TemperatureConfig,
    factory=lazy("affectkit.maps.temperature_net:Temperature"),
    summary="One fitted temperature, by which probabilities come to mean what they say.",
    example=TemperatureConfig(source="expression"),
    citation="Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017, arXiv 1706.04599",
)
