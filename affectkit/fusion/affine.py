"""Affine-aligned fusion: an affine map per branch to one width, plus a positional encoding, then joined.

    f^_i = (K_i f_i + c_i) + PE        f^ = [f^_1; ...; f^_n]   or   f^ = f^_1 + ... + f^_n

Source: Shen et al. 2024, "Facial Affect Recognition based on Multi Architecture Encoder and Feature Fusion for the
ABAW7 Challenge", arXiv 2407.12258. Symbols: f_i feature of branch i, K_i and c_i learned, PE positional encoding.

Stated in the paper or in summaries of it: an affine module brings the features to one width; the form (K f + c) + PE;
the concatenation; a Transformer encoder after it. Inferred here: one K_i, c_i per branch (the widths differ, so one for
all is impossible); width 256 and a sinusoidal PE (public code of the predecessors, arXiv 2203.13032); the order of the
concatenation; the sum as the other reading of "one width"; the dropout; real time as a position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from affectkit.configs import FusionConfig
from affectkit.errors import ConfigError
from affectkit.fusion.joint import joined
from affectkit.specs import FusionSpec, lazy
from affectkit.streams import FeatureStream


@dataclass(frozen=True, kw_only=True)
class AffineFusionConfig(FusionConfig):
    """Features of any widths to one width, with positions, then joined in the order of the branches.

    Attributes:
        dim: width to which every branch is brought.
        mode: `concat` gives n * dim, branch after branch; `sum` gives dim.
        positions: what the encoding counts: the `index` of a step among the real ones, from 0; the `time` since the
            first real step; or `none` to add no encoding.
        time_unit: seconds that make one position with `time`; the default is a frame at 25 per second.
        dropout: share of each aligned feature that is dropped in training, in [0, 1).
    """

    dim: int = 256
    mode: Literal["concat", "sum"] = "concat"
    positions: Literal["none", "index", "time"] = "index"
    time_unit: float = 0.04
    dropout: float = 0.0

    def validate(self) -> None:
        if self.dim < 1:
            raise ConfigError(f"{self.dim!r} is less than 1", "write 1 or more", path="dim")
        if self.time_unit <= 0:
            raise ConfigError(f"{self.time_unit!r} is no duration", "write more than 0 seconds", path="time_unit")
        # the class attribute is the field's default, that is, what a config holds that says nothing
        if self.positions != "time" and self.time_unit != type(self).time_unit:
            fact = f"{self.time_unit!r} with positions={self.positions!r}, which look at no time"
            raise ConfigError(fact, "leave it out, or use positions='time'", path="time_unit")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is not in [0, 1)", "write 0 for none", path="dropout")

    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        """Width `n * dim` or `dim`; raises StreamError if steps, strides or known rates differ."""
        return joined(streams, self.dim * len(streams) if self.mode == "concat" else self.dim)


SPEC = FusionSpec(
    name="affine",
    config=AffineFusionConfig,
    factory=lazy("affectkit.fusion.affine_net:AffineFusion"),
    summary="Affine map per branch to one width, plus positions, then concatenated or summed.",
    citation="Shen et al. 2024, arXiv 2407.12258",
)
