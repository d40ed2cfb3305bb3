"""Late fusion `stacking`: a linear model on top of the members, learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.configs import LateFusionConfig
from affectkit.late.joining import joined_stream
from affectkit.specs import LateFusionSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class StackingConfig(LateFusionConfig):
    """Linear stacking, trained by the ensemble's own loss on data that the members were not trained on.

    Multiclass: softmax regression on all members' log-probabilities. Multilabel: a logistic regression per label on the
    members' logits of that label. Values: a linear regression per target, clamped to the bounds. It begins as the mean:
    the geometric one of probabilities, the mean of logits, the mean of values.
    """

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return joined_stream(members)


SPEC = LateFusionSpec(
    name="stacking",
    config=StackingConfig,
    factory=lazy("affectkit.late.stacking_net:StackingFusion"),
    summary="Learned linear combination of the members' log-probabilities, logits or values.",
    citation="Wolpert, Stacked generalization, Neural Networks 5(2), 1992",
)
