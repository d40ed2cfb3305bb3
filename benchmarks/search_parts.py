"""What `search.py` searches: a small network whose hidden units can be left out by dials, and synthetic clips for it.

It is a module of its own, since the workers of a search import it as a plugin.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from affectkit import (
    Branch,
    FeatureStream,
    MicroExpressionConfig,
    PipelineConfig,
    Sequence,
    Targets,
    TemporalConfig,
    TemporalEncoder,
    TemporalSpec,
    dial,
    hookimpl,
)
from affectkit.training import Examples

DIM, BLOCKS = 16, 4
RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True, kw_only=True)
class PrunedConfig(TemporalConfig):
    """Residual blocks of two layers.

    Attributes:
        ratios: of each block the share of hidden units that is left out: the last ones, of which nothing is computed.
        hidden: how many a block has.
    """

    ratios: tuple[float, ...] = dial((0.0,) * BLOCKS, choices=RATIOS)
    hidden: int = 64

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


class Pruned(TemporalEncoder[PrunedConfig]):
    """`PrunedConfig` on `(B, T, D)`."""

    def __init__(self, config: PrunedConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        blocks = len(config.ratios)
        self.inner = nn.Parameter(torch.randn(blocks, config.hidden, stream.dim) / math.sqrt(stream.dim))
        self.outer = nn.Parameter(torch.randn(blocks, stream.dim, config.hidden) / math.sqrt(blocks * config.hidden))

    def forward(self, inputs: Sequence) -> Sequence:
        values = inputs.values
        for ratio, inner, outer in zip(self.config.ratios, self.inner, self.outer, strict=True):
            kept = round(self.config.hidden * (1 - ratio))
            values = values + torch.relu(values @ inner[:kept].T) @ outer[:, :kept].T
        return inputs.with_values(values)


SPEC = TemporalSpec(name="pruned", config=PrunedConfig, factory=Pruned, summary="Blocks that can be pruned.")
CONFIG = PipelineConfig(
    input=FeatureStream(dim=DIM, steps=("event",)),
    branches={"stored": Branch()},
    temporal=PrunedConfig(),
    heads={"micro": MicroExpressionConfig()},
)


@hookimpl
def affectkit_components() -> Iterator[TemporalSpec[PrunedConfig]]:
    yield SPEC


def make_clips(clips: int = 400, subjects: int = 20) -> Examples:
    """Three classes that no plane divides, with noise; every subject has all of them."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(clips, DIM, generator=generator)
    bend = (values[:, 0] * values[:, 1]).sign() + (values[:, 2] * values[:, 3]).sign()
    labels = (bend / 2 + 1).long()
    return Examples(
        inputs={"clip": Sequence.of((values + 0.2 * torch.randn(clips, DIM, generator=generator)).unsqueeze(1))},
        targets={"micro": Targets.of(labels)},
        subjects=tuple(f"made/{row * subjects // clips:02}" for row in range(clips)),
    )
