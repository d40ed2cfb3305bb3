"""Late fusion `vote`: one member, one vote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.configs import LateFusionConfig
from affectkit.late.joining import joined_stream
from affectkit.specs import LateFusionSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class VoteFusionConfig(LateFusionConfig):
    """Share of the members that vote for a class or label; not for values.

    A member votes for its most probable class (the first one if several are), or for every label with p of 0.5 or
    more. Ties are broken by the mean probability, which enters like one hundredth of a member:
    `(votes + 0.01 mean) / (members + 0.01)`. That never changes who has more votes, keeps rows summing to 1, and is the
    only way by which gradients reach the members.
    """

    @property
    def is_frozen(self) -> bool:
        return True

    @property
    def can_leave_out(self) -> bool:
        return True

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return joined_stream(members, ("multiclass", "multilabel"))


SPEC = LateFusionSpec(
    name="vote",
    config=VoteFusionConfig,
    factory=lazy("affectkit.late.rules_net:VoteFusion"),
    summary="Share of the members' votes; ties go to the higher mean probability.",
)
