"""Face detector `given-boxes`: where the faces are is known already."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import FaceDetectorConfig
from affectkit.errors import ConfigError
from affectkit.specs import FaceDetectorSpec, lazy


@dataclass(frozen=True, kw_only=True)
class GivenBoxesConfig(FaceDetectorConfig):
    """Boxes that another tool or a person gives: one for every frame, or a table with the boxes of each frame.

    The table is a CSV file with the columns `frame, left, top, width, height`, and `track` and `score` where they are
    known (`confidence` is taken for `score`, so that a table of affectkit's own can be mended and given back). `frame`
    is the position in the video, from 0; the others are pixels. A frame may have several rows, or none: then it has no
    face. A row whose four numbers are empty has no face either. Other columns are not looked at.

    Attributes:
        box: left, top, width and height of the one box, pixels.
        path: the CSV file, seen from the current folder.
    """

    box: tuple[float, float, float, float] | None = None
    path: str | None = None

    def validate(self) -> None:
        if (self.box is None) == (self.path is None):
            given = "neither" if self.box is None else "both"
            raise ConfigError(f"{given} of box and path", "give one of them")
        if self.box is not None and min(self.box[2:]) <= 0:
            fact = f"{self.box!r} has no area"
            raise ConfigError(fact, "write (left, top, width, height), width and height more than 0", path="box")


SPEC = FaceDetectorSpec(
    name="given-boxes",
    config=GivenBoxesConfig,
    factory=lazy("affectkit.faces.given_boxes_detector:GivenBoxes"),
    summary="Boxes that are known already: one for all frames, or a CSV file.",
    example=GivenBoxesConfig(box=(40.0, 20.0, 80.0, 80.0)),
)
