"""Late fusion `product`: members as independent witnesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.configs import LateFusionConfig
from affectkit.late.joining import joined_stream
from affectkit.specs import LateFusionSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class ProductFusionConfig(LateFusionConfig):
    """Product of the members' probabilities, renormalized; not for values.

    Multiclass: `prod_m p_m` over the classes, divided by its sum. Multilabel: `prod p / (prod p + prod (1 - p))`, each
    label on its own. A probability below 1e-7 counts as 1e-7, so that no member alone can rule a class out.

    Attributes:
        geometric: whether the geometric mean is taken in place of the product (logarithms averaged, not summed). It
            ranks the classes alike, and stays as confident as one member where all members say the same.
    """

    geometric: bool = False

    @property
    def is_frozen(self) -> bool:
        return True

    @property
    def can_leave_out(self) -> bool:
        return True

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return joined_stream(members, ("multiclass", "multilabel"))


SPEC = LateFusionSpec(
    name="product",
    config=ProductFusionConfig,
    factory=lazy("affectkit.late.rules_net:ProductFusion"),
    summary="Product of the members' probabilities, or of their odds per label, renormalized.",
)
