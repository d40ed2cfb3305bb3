"""Late fusion `weighted`: an average with given weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.configs import LateFusionConfig
from affectkit.errors import ConfigError, StreamError, did_you_mean, listed
from affectkit.late.joining import joined_stream
from affectkit.specs import LateFusionSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class WeightedFusionConfig(LateFusionConfig):
    """Weighted arithmetic mean of the members' probabilities, or of their values.

    Attributes:
        weights: by name of the member, one for each, 0 or more; only their ratios matter.
    """

    weights: Mapping[str, float]

    @property
    def is_frozen(self) -> bool:
        return True

    @property
    def can_leave_out(self) -> bool:
        return True

    def validate(self) -> None:
        for name, weight in self.weights.items():
            if weight < 0:
                raise ConfigError(f"{weight!r} is negative", "write 0 or more", path=f"weights.{name}")
        if not sum(self.weights.values()):
            raise ConfigError("the weights sum to 0", "give one member more than 0", path="weights")

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        for name in self.weights:
            if name not in members:
                hint = did_you_mean(name, members, noun="members")
                raise StreamError(f"a weight for {name!r}, which is no member", hint, path="weights")
        missing = [name for name in members if name not in self.weights]
        if missing:
            raise StreamError(
                f"no weight for {listed(missing)}", "give one per member, 0 to leave it out", path="weights"
            )
        return joined_stream(members)


SPEC = LateFusionSpec(
    name="weighted",
    config=WeightedFusionConfig,
    factory=lazy("affectkit.late.rules_net:WeightedFusion"),
    summary="Mean of the members' probabilities or values, with given weights.",
    example=WeightedFusionConfig(weights={"a": 0.8, "b": 0.2}),
)
