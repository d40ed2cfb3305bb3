"""A plugin with dials for tests of searches: some of its hidden units are kept, and its features are shifted.

It stands in a module of its own, since the workers of a search import it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from affectkit.configs import MotionConfig, TemporalConfig
from affectkit.fields import dial
from affectkit.hookspecs import hookimpl
from affectkit.interfaces import MotionFrontEnd, TemporalEncoder
from affectkit.sequences import Sequence
from affectkit.specs import ComponentSpec, MotionSpec, TemporalSpec
from affectkit.streams import FeatureStream, FrameStream


@dataclass(frozen=True, kw_only=True)
class TwistConfig(TemporalConfig):
    """Features by hidden units, of which some are kept, with what spoils them.

    Attributes:
        kept: hidden units that are computed; what they cost grows with them.
        shift: features are moved by so many places, which is right at 0 only.
        blur: how much of the mean is mixed in, which is right at 0 only.
        mode: `wrong` fails, `nan` gives NaN.
        hidden: how many there are.
        sign: -1 turns what the hidden units add around.
    """

    kept: int = dial(8, low=1, high=8)
    shift: int = dial(0, choices=(0, 1, 2))
    blur: float = dial(0.0, low=0.0, high=1.0)
    mode: str = dial("right", choices=("right", "wrong", "nan"))
    hidden: int = 8
    sign: int = 1

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


class Twist(TemporalEncoder[TwistConfig]):
    """`TwistConfig` on `(B, T, D)`."""

    def __init__(self, config: TwistConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.inner = nn.Parameter(torch.randn(config.hidden, stream.dim) / math.sqrt(stream.dim))
        self.outer = nn.Parameter(torch.randn(stream.dim, config.hidden) / math.sqrt(config.hidden))

    def forward(self, inputs: Sequence) -> Sequence:
        config = self.config
        if config.mode == "wrong":
            raise RuntimeError("a dial that breaks it")
        values = inputs.values.roll(config.shift, dims=2)
        values = (1 - config.blur) * values + config.blur * values.mean(dim=2, keepdim=True)
        added = torch.tanh(values @ self.inner[: config.kept].T) @ self.outer[:, : config.kept].T
        values = values + config.sign * added
        return inputs.with_values(values * math.nan if config.mode == "nan" else values)


@dataclass(frozen=True, kw_only=True)
class GammaConfig(MotionConfig):
    """Frames to a power, which no training changes.

    Attributes:
        gamma: the exponent.
    """

    gamma: float = dial(1.0, choices=(1.0, 2.0))

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, stream: FrameStream) -> FrameStream:
        return stream


class Gamma(MotionFrontEnd[GammaConfig]):
    """`GammaConfig` on `(B, T, C, H, W)`."""

    def __init__(self, config: GammaConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values**self.config.gamma)


SPECS = (
    TemporalSpec(name="twist", config=TwistConfig, factory=Twist, summary="Has dials."),
    MotionSpec(name="gamma", config=GammaConfig, factory=Gamma, summary="Has a dial and no weights."),
)


@hookimpl
def affectkit_components() -> Iterator[ComponentSpec[Any]]:
    yield from SPECS
