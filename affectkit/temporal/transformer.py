"""Transformer encoder over time, pre-norm, with an optional causal form that streams.

    x <- x + Attention(LayerNorm(x))        x <- x + FeedForward(LayerNorm(x))        y = LayerNorm(x)

Vaswani et al. 2017, arXiv 1706.03762, with the normalization before each block (Xiong et al. 2020, arXiv 2002.04745).
Depth 4, 4 heads and a feed-forward width of 4 times the input's are the public settings of the line of work from which
arXiv 2407.12258 comes (its own are not known): 4 layers, 4 heads, 1024 at width 256 in the code of arXiv 2203.13032.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import TemporalConfig
from affectkit.errors import ConfigError, StreamError
from affectkit.specs import TemporalSpec, lazy
from affectkit.streams import FeatureStream, with_changes


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(TemporalConfig):
    """Self-attention between the real steps of a clip.

    Attributes:
        dim: width inside and out, with a linear layer before if the input has another; None for the input's width.
        depth: encoder layers.
        heads: attention heads; they divide the width.
        feedforward: hidden width of each feed-forward block; None for 4 times the width.
        dropout: share dropped in training of the input with its positions, in attention and after it, and in the
            feed-forward block, in [0, 1).
        attention_dropout: share of the attention's weights dropped in training, in place of `dropout`; None for the
            same. With 0 a CPU trains on its fused attention, which never holds the weights of all pairs of steps.
        causal: whether a step sees nothing after it; the encoder then streams.
        window: with `causal`, how many real steps each layer looks back on, this one included, which bounds the memory
            of a stream; None for all. With depth L a step depends on the last `L * (window - 1) + 1`.
        positions: what the positional encoding counts: the `index` of a step among the real ones, from 0; the `time`
            since the first real step; or `none`, where the fusion before has added one (as in arXiv 2407.12258).
        time_unit: seconds that make one position with `time`; the default is a frame at 25 per second.
    """

    dim: int | None = None
    depth: int = 4
    heads: int = 4
    feedforward: int | None = None
    dropout: float = 0.1
    attention_dropout: float | None = None
    causal: bool = False
    window: int | None = None
    positions: Literal["none", "index", "time"] = "index"
    time_unit: float = 0.04

    @property
    def is_causal(self) -> bool:
        """What `causal` says."""
        return self.causal

    def validate(self) -> None:
        for name in ("dim", "depth", "heads", "feedforward", "window"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{value!r} is less than 1", "write 1 or more", path=name)
        if self.dim is not None and self.dim % self.heads:
            raise ConfigError(f"{self.heads!r} does not divide dim={self.dim!r}", "change one of them", path="heads")
        for name in ("dropout", "attention_dropout"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ConfigError(f"{value!r} is not in [0, 1)", "write 0 for none", path=name)
        if self.window is not None and not self.causal:
            raise ConfigError(f"{self.window!r} without causal", "add causal=True, or leave it out", path="window")
        if self.time_unit <= 0:
            raise ConfigError(f"{self.time_unit!r} is no duration", "write more than 0 seconds", path="time_unit")
        # the class attribute is the field's default, that is, what a config holds that says nothing
        if self.positions != "time" and self.time_unit != type(self).time_unit:
            fact = f"{self.time_unit!r} with positions={self.positions!r}, which look at no time"
            raise ConfigError(fact, "leave it out, or use positions='time'", path="time_unit")

    def output(self, stream: FeatureStream) -> FeatureStream:
        """The same steps at width `dim`, or the input's; raises StreamError if the heads do not divide the latter."""
        width = self.dim if self.dim is not None else stream.dim
        if width % self.heads:
            fact = f"width {width!r} is no multiple of heads={self.heads!r}"
            raise StreamError(fact, "set dim to a multiple of heads, or change heads")
        return with_changes(stream, dim=width)


SPEC = TemporalSpec(
    name="transformer",
    config=TransformerConfig,
    factory=lazy("affectkit.temporal.transformer_net:Transformer"),
    summary="Pre-norm Transformer encoder; causal and windowed for streams if asked.",
    citation="Vaswani et al. 2017, arXiv 1706.03762",
)
