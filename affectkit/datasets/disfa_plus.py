"""Dataset `disfa-plus`: DISFA+, posed and spontaneous expressions of nine people of DISFA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from affectkit.datasets.base import Published
from affectkit.datasets.disfa import UNITS, IntensityConfig
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class DisfaPlusConfig(IntensityConfig):
    """DISFA+: nine people, all of them also in DISFA, with the intensity of action units in every frame of a trial.

    The folder holds `Labels/SN001/<trial>/AU1.txt`, with a line `000.jpg 3` per frame and comments that begin with `#`,
    and `Images/SN001/<trial>/000.jpg`. A sample is a trial. People have the keys of DISFA, `disfa/001`: a network that
    was trained on the one set has seen people of the other, unless both are split by subject together.

    Attributes:
        units: by default all twelve.
        fps: frames per second; None where nobody knows.
    """

    signs: ClassVar[tuple[str, ...]] = ("Labels",)
    units: tuple[str, ...] = UNITS
    fps: float | None = None

    def validate(self) -> None:
        super().validate()
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps!r} is no rate", "write more than 0", path="fps")

    @property
    def published(self) -> Published:
        return Published(subjects=9, source="code that reads its labels")


SPEC = DatasetSpec(
    name="disfa-plus",
    config=DisfaPlusConfig,
    factory=lazy("affectkit.datasets.disfa_plus_reader:DisfaPlus"),
    summary="DISFA+: trials of nine people of DISFA with the intensity of twelve action units in every frame.",
    citation="Mavadati et al., Extended DISFA dataset, CVPR Workshops 2016",
)
