"""Fields that the standard heads share: what is scored, how a clip is pooled, and the layers in between. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import HeadConfig
from affectkit.errors import ConfigError
from affectkit.streams import FeatureStream, PredictionStream, Resolution


@dataclass(frozen=True, kw_only=True)
class LinearHeadConfig(HeadConfig):
    """Base of heads that score with linear layers. Not a component of its own.

    Attributes:
        targets: the K names that are scored, in the order of the scores.
        resolution: one score vector per `frame`, or per `clip` after pooling over its real steps.
        pooling: how a clip is pooled: `mean`, `last` real step, or a learned `attention`; per frame it stays
            `mean`, and nothing is pooled.
        hidden: widths of hidden layers, each with a ReLU; empty for a single linear layer.
        dropout: probability of dropping an input of each linear layer in training.
    """

    targets: tuple[str, ...]
    resolution: Resolution = "frame"
    pooling: Literal["mean", "last", "attention"] = "mean"
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0

    def validate(self) -> None:
        super().validate()
        if self.resolution == "frame" and self.pooling != "mean":
            fact = f"{self.pooling!r} with resolution 'frame', where nothing is pooled"
            raise ConfigError(fact, "leave it out, or use resolution='clip'", path="pooling")
        for i, width in enumerate(self.hidden):
            if width < 1:
                raise ConfigError(f"{width!r} is no width", "write 1 or more", path=f"hidden[{i}]")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is no probability", "write 0 or more, below 1", path="dropout")


@dataclass(frozen=True, kw_only=True)
class ClassHeadConfig(LinearHeadConfig):
    """Base of heads that pick one of K classes, trained by cross-entropy. Not a component of its own.

    Attributes:
        class_weights: factor of each class in the loss, in the order of `targets`; None for equal ones.
        label_smoothing: share of the target probability that is spread evenly over all classes, in [0, 1).
    """

    class_weights: tuple[float, ...] | None = None
    label_smoothing: float = 0.0

    def validate(self) -> None:
        super().validate()
        if self.class_weights is not None:
            check_per_target(self.class_weights, self.targets, "class_weights")
            # the loss divides by the sum of the weights of a batch's labels: all zero would leave nothing to learn from
            if min(self.class_weights) < 0 or not sum(self.class_weights):
                fact = f"{self.class_weights!r} can't weigh classes"
                raise ConfigError(fact, "write 0 or more for each, and more than 0 for one", path="class_weights")
        if not 0 <= self.label_smoothing < 1:
            fact = f"{self.label_smoothing!r} is no share"
            raise ConfigError(fact, "write 0 or more, below 1", path="label_smoothing")

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(problem="multiclass", resolution=self.resolution, targets=self.targets)


def check_per_target(values: tuple[float, ...], targets: tuple[str, ...], path: str) -> None:
    """Raise ConfigError unless there is one value per target."""
    if len(values) != len(targets):
        raise ConfigError(f"{len(values)} values for {len(targets)} targets", "give one per target", path=path)
