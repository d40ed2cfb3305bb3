"""Feature extractor `grid`: mean color of a coarse grid."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import ConfigError, FeaturesConfig, FeaturesSpec, FeatureStream, FrameStream, lazy


@dataclass(frozen=True, kw_only=True)
class GridConfig(FeaturesConfig):
    """The mean of every cell and channel, then a linear layer.

    Attributes:
        cells: cells along each side.
        dim: width of the feature.
    """

    cells: int = 4
    dim: int = 16

    def validate(self) -> None:
        for name in ("cells", "dim"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{getattr(self, name)!r} is too small", "write 1 or more", path=name)

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=self.dim, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="grid",
    config=GridConfig,
    factory=lazy("affectkit_toy.grid_net:Grid"),
    summary="Mean color of a coarse grid, and a linear layer.",
)
