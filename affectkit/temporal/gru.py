"""Gated recurrent units over the real steps of a clip (Cho et al. 2014, arXiv 1406.1078); one direction streams."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import TemporalConfig
from affectkit.errors import ConfigError
from affectkit.specs import TemporalSpec, lazy
from affectkit.streams import FeatureStream, with_changes


@dataclass(frozen=True, kw_only=True)
class GRUConfig(TemporalConfig):
    """Recurrence from step to step. It counts steps, and does not look at times.

    Attributes:
        dim: width of the state of one direction.
        depth: layers.
        bidirectional: whether a second recurrence runs backwards; gives `2 * dim`, forward half first, and no stream.
        dropout: share of each layer's output that is dropped in training, in [0, 1).
    """

    dim: int = 128
    depth: int = 1
    bidirectional: bool = False
    dropout: float = 0.0

    @property
    def is_causal(self) -> bool:
        """Whether it runs in one direction."""
        return not self.bidirectional

    def validate(self) -> None:
        for name in ("dim", "depth"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{value!r} is less than 1", "write 1 or more", path=name)
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is not in [0, 1)", "write 0 for none", path="dropout")

    def output(self, stream: FeatureStream) -> FeatureStream:
        """The same steps at width `dim`, or `2 * dim` if bidirectional."""
        return with_changes(stream, dim=2 * self.dim if self.bidirectional else self.dim)


SPEC = TemporalSpec(
    name="gru",
    config=GRUConfig,
    factory=lazy("affectkit.temporal.gru_net:GRU"),
    summary="Gated recurrent units, in one direction (streams) or both.",
    citation="Cho et al. 2014, arXiv 1406.1078",
)
