"""Mamba over time on a part of the steps: each layer works on those that stand out, and leaves the others as they are.

    x <- x + S6(LayerNorm(x))   where x is among the kept steps        y = LayerNorm(x)

Gu and Dao 2023, arXiv 2312.00752, for the layer and its sizes (state 16, expansion 2, convolution 4); Chen et al. 2023,
SparseViT, arXiv 2303.17605, for the choice by size of activation and for the ratios per layer; both are what arXiv
2503.24057 builds on, whose own settings are not published. There it works on the patches of a picture, here on steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import TemporalConfig
from affectkit.errors import ConfigError
from affectkit.fields import dial
from affectkit.specs import TemporalSpec, lazy
from affectkit.streams import FeatureStream, with_changes

RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True, kw_only=True)
class SparseMambaConfig(TemporalConfig):
    """Selective state spaces on the steps of the highest score, which is the mean size of a step's features.

    In one direction it streams. There a step is kept if it is among the highest of the last `window` real ones, itself
    included, since the highest of the whole clip are not known before its end. Where scores come in no order, a share
    of at least 1 - ratio is kept on average: more in small windows, where counts are rounded up, and at a clip's
    beginning, where few have come. Where scores only fall, hardly any is kept; a layer with `window * ratio` below 1
    keeps all. With both directions, n real steps leave exactly max(1, ceil((1 - ratio) n)).

    Attributes:
        dim: width inside and out, with a linear layer before if the input has another; None for the input's width.
        depth: layers.
        ratios: share of the real steps that each layer drops, in [0, 1), one per layer; 0 keeps all.
        scope: whether steps are scored anew by what each `layer` gets, or once for the `encoder`, by what its first
            layer gets: then with equal ratios all layers keep the same steps.
        bidirectional: whether a second scan runs backwards; there is no stream then.
        window: real steps that a step is ranked among, itself included, in the form with one direction.
        state: width N of the state per channel.
        expand: channels inside a layer, as a multiple of the width.
        conv: steps that the convolution of a layer sees, of those that the layer keeps.
        rank: width from which the step sizes of the state space are made; None for a sixteenth of the width.
        dropout: share of each layer's change that is dropped in training, in [0, 1).
    """

    dim: int | None = None
    depth: int = 2
    ratios: tuple[float, ...] = dial((0.0, 0.0), choices=RATIOS)
    scope: Literal["layer", "encoder"] = "layer"
    bidirectional: bool = False
    window: int = 64
    state: int = 16
    expand: int = 2
    conv: int = 4
    rank: int | None = None
    dropout: float = 0.0

    @property
    def is_causal(self) -> bool:
        """Whether it runs in one direction."""
        return not self.bidirectional

    def validate(self) -> None:
        for name in ("dim", "depth", "window", "state", "expand", "conv", "rank"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{value!r} is less than 1", "write 1 or more", path=name)
        if len(self.ratios) != self.depth:
            fact = f"{len(self.ratios)} values with depth={self.depth!r}"
            raise ConfigError(fact, "give one per layer, 0.0 for a layer that keeps all", path="ratios")
        for i, ratio in enumerate(self.ratios):
            if not 0 <= ratio < 1:
                hint = "write less than 1, and 0.0 to keep all"
                raise ConfigError(f"{ratio!r} is not in [0, 1)", hint, path=f"ratios[{i}]")
        # the class attribute is the field's default, that is, what a config holds that says nothing
        if self.bidirectional and self.window != type(self).window:
            fact = f"{self.window!r} with bidirectional=True, which ranks the whole clip"
            raise ConfigError(fact, "leave it out, or use bidirectional=False", path="window")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is not in [0, 1)", "write 0 for none", path="dropout")

    def output(self, stream: FeatureStream) -> FeatureStream:
        """The same steps at width `dim`, or the input's."""
        return with_changes(stream, dim=self.dim if self.dim is not None else stream.dim)


SPEC = TemporalSpec(
    name="sparse-mamba",
    config=SparseMambaConfig,
    factory=lazy("affectkit.temporal.sparse_mamba_net:SparseMamba"),
    summary="Selective state spaces (Mamba) on the steps that stand out; streams, or runs both ways.",
    status=lazy("affectkit.ops.selective_scan:describe_scan"),
    citation="Gu and Dao 2023, arXiv 2312.00752; Chen et al. 2023, arXiv 2303.17605",
)
