"""The module of `affectkit.fusion.concat`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.fusion.joint_net import concatenate
from affectkit.interfaces import Fusion
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream


class ConcatFusion(Fusion[ConcatFusionConfig]):
    """Concatenates the branches in the order of `streams`, and maps every step by one perceptron. Zeros at padding.

    Attributes:
        mlp: the perceptron; empty for the concatenation alone.
    """

    def __init__(self, config: ConcatFusionConfig, streams: Mapping[str, FeatureStream]) -> None:
        super().__init__(config)
        self._widths = {name: stream.dim for name, stream in streams.items()}
        width = sum(self._widths.values())
        layers: list[nn.Module] = []
        # a LayerNorm would make the plain concatenation, which has no parameters, trainable
        if config.norm and not config.is_frozen:
            layers.append(nn.LayerNorm(width))
        for hidden in config.hidden:
            layers += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(config.dropout)]
            width = hidden
        if config.dim is not None:
            layers.append(nn.Linear(width, config.dim))
        self.mlp = nn.Sequential(*layers)

    def forward(self, inputs: Mapping[str, Sequence]) -> Sequence:
        """Sequences `(B, T, D_i)` by branch to `(B, T, D)`.

        Raises:
            InputError: the branches are not the ones it was built for, or do not share one mask and clock.
        """
        joined = concatenate(inputs, self._widths)
        # the perceptron's biases make something of the zeros at padding
        return joined.with_values(self.mlp(joined.values).masked_fill(~joined.mask.unsqueeze(-1), 0.0))
