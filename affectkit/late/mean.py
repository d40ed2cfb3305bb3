"""Late fusion `mean`: the plain average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.configs import LateFusionConfig
from affectkit.late.joining import joined_stream
from affectkit.specs import LateFusionSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class MeanFusionConfig(LateFusionConfig):
    """Arithmetic mean of the members' probabilities, or of their values."""

    @property
    def is_frozen(self) -> bool:
        return True

    @property
    def can_leave_out(self) -> bool:
        return True

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return joined_stream(members)


SPEC = LateFusionSpec(
    name="mean",
    config=MeanFusionConfig,
    factory=lazy("affectkit.late.rules_net:MeanFusion"),
    summary="Mean of the members' probabilities or values.",
)
