"""Face detector `aligned`: for pictures that somebody has aligned to a template already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import FaceDetectorConfig
from affectkit.specs import FaceDetectorSpec, lazy


@dataclass(frozen=True, kw_only=True)
class AlignedConfig(FaceDetectorConfig):
    """Takes every picture for one face whose points lie where a template has them.

    An input that is aligned to the same template then gets the picture as it is, in its own size; one of another
    template is moved by what both say. It looks at nothing, so it never finds that a face is missing or lies elsewhere.

    Attributes:
        template: what the pictures were aligned to, in the largest square in the middle of each.
    """

    template: Literal["arcface", "dlib", "steady"] = "arcface"


SPEC = FaceDetectorSpec(
    name="aligned",
    config=AlignedConfig,
    factory=lazy("affectkit.faces.aligned_detector:Aligned"),
    summary="The whole picture as one face whose points lie where a template has them, for aligned pictures.",
)
