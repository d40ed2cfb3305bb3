"""Late fusion `median`: the middle member, which one odd member can't move far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit import LateFusionConfig, LateFusionSpec, PredictionStream, lazy


@dataclass(frozen=True, kw_only=True)
class MedianConfig(LateFusionConfig):
    """The median of the members, divided by its sum where one class of several is picked."""

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return next(iter(members.values()))


SPEC = LateFusionSpec(
    name="median",
    config=MedianConfig,
    factory=lazy("affectkit_toy.median_net:Median"),
    summary="Median of the members' probabilities or values.",
)
