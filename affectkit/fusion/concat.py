"""Concatenation of features, followed by a small multilayer perceptron if asked.

    [f_1; ...; f_n]  >  LayerNorm  >  (Linear > GELU > Dropout) per hidden layer  >  Linear to `dim`

Late feature fusion of Liu et al. 2024, "Compound Expression Recognition via Multi Model Ensemble for the ABAW7
Challenge", arXiv 2407.12257: features of several encoders, concatenated, then a perceptron. That much is stated in
summaries of the paper; one hidden layer of 512, the normalization, GELU and a dropout of 0.3 are inferred. The last
linear layer of the paper's perceptron, to the classes, is the task head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.configs import FusionConfig
from affectkit.errors import ConfigError
from affectkit.fusion.joint import joined
from affectkit.specs import FusionSpec, lazy
from affectkit.streams import FeatureStream


@dataclass(frozen=True, kw_only=True)
class ConcatFusionConfig(FusionConfig):
    """Features concatenated in the order of the branches. `hidden=()` without `dim` is the concatenation alone.

    Attributes:
        dim: width of a last linear layer; None for none.
        hidden: widths of the hidden layers, each followed by GELU and dropout.
        dropout: share that is dropped after each hidden layer in training, in [0, 1).
        norm: whether a LayerNorm stands before the first linear layer; encoders differ in the size of their features.
    """

    dim: int | None = None
    hidden: tuple[int, ...] = (512,)
    dropout: float = 0.3
    norm: bool = True

    @property
    def is_frozen(self) -> bool:
        """True for the concatenation alone, which has no parameters."""
        return not self.hidden and self.dim is None

    def validate(self) -> None:
        if self.dim is not None and self.dim < 1:
            raise ConfigError(f"{self.dim!r} is less than 1", "write 1 or more, or leave it out", path="dim")
        for i, width in enumerate(self.hidden):
            if width < 1:
                raise ConfigError(f"{width!r} is less than 1", "write 1 or more", path=f"hidden[{i}]")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is not in [0, 1)", "write 0 for none", path="dropout")

    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        """Width `dim`, else the last of `hidden`, else the sum; raises StreamError if the clocks differ."""
        total = sum(stream.dim for stream in streams.values())
        return joined(streams, self.dim or (self.hidden[-1] if self.hidden else total))


SPEC = FusionSpec(
    name="concat",
    config=ConcatFusionConfig,
    factory=lazy("affectkit.fusion.concat_net:ConcatFusion"),
    summary="Features of all branches concatenated, then an optional multilayer perceptron.",
    citation="Liu et al. 2024, arXiv 2407.12257",
)
