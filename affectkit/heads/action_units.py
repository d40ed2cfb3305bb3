"""Task head `action-units`: which units are active in a frame, or how strongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.data.labels import ABAW_AUS
from affectkit.errors import ConfigError, listed
from affectkit.heads.linear_head import LinearHeadConfig, check_per_target
from affectkit.specs import HeadSpec, lazy
from affectkit.streams import FeatureStream, PredictionStream

# FACS: 0 absent, A to E are 1 to 5
INTENSITY_BOUNDS = (0.0, 5.0)
# the first of each is what `loss=None` means
OCCURRENCE_LOSSES = ("asymmetric", "bce")
INTENSITY_LOSSES = ("smooth-l1", "mse")


@dataclass(frozen=True, kw_only=True)
class ActionUnitsConfig(LinearHeadConfig):
    """Occurrence of action units (any of K), or their intensity on the FACS scale (0 absent, 1 to 5 for A to E).

    Attributes:
        targets: the units; by default the twelve of ABAW.
        intensity: whether intensity in [0, 5] is scored instead of occurrence.
        loss: `asymmetric` or `bce` for occurrence, `smooth-l1` or `mse` for intensity; None for the first of either.
        positive_rates: share of positive labels of each unit in the training data, r_i in (0, 1]; rare units get
            weight `w_i = K (1/r_i) / sum_j (1/r_j)` in the loss. None for equal weights. For occurrence only.
    """

    targets: tuple[str, ...] = ABAW_AUS
    intensity: bool = False
    loss: Literal["asymmetric", "bce", "smooth-l1", "mse"] | None = None
    positive_rates: tuple[float, ...] | None = None

    def validate(self) -> None:
        super().validate()
        accepted = INTENSITY_LOSSES if self.intensity else OCCURRENCE_LOSSES
        if self.loss is not None and self.loss not in accepted:
            raise ConfigError(
                f"{self.loss!r} does not go with intensity={self.intensity!r}",
                f"losses: {listed(accepted)}",
                path="loss",
            )
        if self.positive_rates is not None:
            if self.intensity:
                fact = "rates of occurrence do not go with intensity=True"
                raise ConfigError(fact, "leave them out", path="positive_rates")
            check_per_target(self.positive_rates, self.targets, "positive_rates")
            for i, rate in enumerate(self.positive_rates):
                if not 0 < rate <= 1:
                    fact, where = f"{rate!r} is no rate", f"positive_rates[{i}]"
                    raise ConfigError(fact, "write more than 0, up to 1", path=where)

    @property
    def weights(self) -> tuple[float, ...]:
        """w_i of each unit in the loss; their mean is 1."""
        if self.positive_rates is None:
            return (1.0,) * len(self.targets)
        # inverse rates, scaled to a mean of 1 (ME-GraphAU), so that the size of the loss does not depend on the units
        total = sum(1 / rate for rate in self.positive_rates)
        return tuple(len(self.targets) / rate / total for rate in self.positive_rates)

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(
            problem="ordinal" if self.intensity else "multilabel",
            resolution=self.resolution,
            targets=self.targets,
            bounds=INTENSITY_BOUNDS if self.intensity else None,
        )


SPEC = HeadSpec(
    name="action-units",
    config=ActionUnitsConfig,
    factory=lazy("affectkit.heads.action_units_net:ActionUnitsHead"),
    summary="Action units of a frame or clip: occurrence, or intensity from 0 to 5.",
    citation="asymmetric loss: Luo et al., ME-GraphAU, IJCAI 2022, arXiv 2205.01782",
)
