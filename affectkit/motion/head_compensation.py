"""Head compensation: flow less what the head's own motion makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import MotionConfig
from affectkit.errors import ConfigError, StreamError, listed
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import FrameStream, require_channels, require_size, require_unit
from affectkit.video.alignment import TEMPLATES

CHANNELS = (("u", "v"), ("u", "v", "strain"), ("u", "v", "magnitude"), ("u", "v", "strain", "magnitude"))
# of the cut's square: 11 of 128 pixels, as SOFTNet has it (Liong, See and Wong, ICIP 2021)
SIZE = 11 / 128
# From the middle between the eyes to the tip of the nose: point 28 of the usual 68, counted from 0, on the bridge.
_DOWN = 1 / 3


@dataclass(frozen=True, kw_only=True)
class HeadCompensationConfig(MotionConfig):
    """Flow minus the part that is the head's: what is left moves in the face.

    Each frame is looked at alone, T stays as it is, and so do channels and unit. Strain and magnitude, where the stream
    has them, are made anew of what is left. The whole frame is taken for the head: cut faces out first.

    Attributes:
        method: `median`, a shift, the median of u and of v over the frame; `nose`, a shift, the mean flow on the bridge
            of the nose, which no expression moves far; `similarity`, a shift, a turn and a change of size, fitted to
            the frame by least squares that are weighted anew until what moves on its own counts no more; `affine`, the
            same with shear and two scales, which a turn of the head to the side needs, and a broad expression can fill.
        center: of the region on the nose, x and y as shares of the frame's largest middle square; left out, where the
            stream's alignment puts the nose.
        size: side of that region as a share of the square's; left out, 11/128.
    """

    method: Literal["median", "nose", "similarity", "affine"] = "similarity"
    center: tuple[float, float] | None = None
    size: float | None = None

    @property
    def is_frozen(self) -> bool:
        return True

    def validate(self) -> None:
        for name, value in (("center", self.center), ("size", self.size)):
            if value is not None and self.method != "nose":
                raise ConfigError(
                    f"{value!r} with method {self.method!r}, which looks at the whole frame",
                    "leave it out, or use method='nose'",
                    path=name,
                )
        if self.center is not None and not all(0 <= share <= 1 for share in self.center):
            raise ConfigError(f"{self.center!r} is outside the frame", "write x and y from 0 to 1", path="center")
        if self.size is not None and not 0 < self.size <= 1:
            raise ConfigError(f"{self.size!r} is no share", "write more than 0, up to 1", path="size")

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, *CHANNELS)
        require_unit(stream, "pixel", "iod")
        # of fewer, a half may lie on one line, and that says nothing about shear
        require_size(stream, at_least=3)
        if self.method == "nose" and self.center is None and stream.alignment not in TEMPLATES:
            raise StreamError(
                f"alignment {stream.alignment!r} does not say where the nose is",
                f"align faces to one of {listed(TEMPLATES)}, or write center=(x, y)",
            )
        return stream

    def region(self, stream: FrameStream) -> tuple[slice, slice]:
        """Rows and columns of the region on the nose, for a stream that `output` accepts; one pixel at the least."""
        center = complex(*self.center) if self.center is not None else _bridge(stream.alignment)
        side = min(stream.height, stream.width)
        reach = (SIZE if self.size is None else self.size) * side / 2
        rows = _span(side * center.imag + (stream.height - side) / 2, reach, stream.height)
        columns = _span(side * center.real + (stream.width - side) / 2, reach, stream.width)
        return rows, columns


def _bridge(alignment: str) -> complex:
    left, right, tip = TEMPLATES[alignment].points[:3]
    eyes = (left + right) / 2
    return eyes + _DOWN * (tip - eyes)


def _span(middle: float, reach: float, length: int) -> slice:
    nearest = min(max(round(middle), 0), length - 1)
    pixels = [pixel for pixel in range(length) if abs(pixel - middle) <= reach] or [nearest]
    return slice(pixels[0], pixels[-1] + 1)


SPEC = MotionSpec(
    name="head-compensation",
    config=HeadCompensationConfig,
    factory=lazy("affectkit.motion.head_compensation_net:HeadCompensation"),
    summary="Flow minus the part that the head's own motion explains.",
)
