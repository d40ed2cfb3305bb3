"""A face detector of your own, and a video analyzed with it. Run: python examples/own_face_detector.py"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectkit import Face, FaceDetector, FaceDetectorConfig, FaceDetectorSpec, analyze, default_registry
from affectkit.data.synthetic import SyntheticSettings, render_clip


@dataclass(frozen=True, kw_only=True)
class SkinConfig(FaceDetectorConfig):
    """The box around all pixels that are redder than blue: for one face before a cool background, and no more.

    Attributes:
        margin: by how much red has to be above blue, gray levels.
        least: smallest share of the picture that counts as a face.
    """

    margin: int = 30
    least: float = 0.02


class Skin(FaceDetector[SkinConfig]):
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        levels = image.astype(np.int16)
        skin = levels[..., 0] - levels[..., 2] > self.config.margin
        if skin.mean() < self.config.least:
            return []
        rows, columns = np.flatnonzero(skin.any(axis=1)), np.flatnonzero(skin.any(axis=0))
        top, left = float(rows[0]), float(columns[0])
        return [Face(box=(left, top, float(columns[-1]) + 1 - left, float(rows[-1]) + 1 - top), score=1.0)]


SPEC = FaceDetectorSpec(
    name="skin", config=SkinConfig, factory=Skin, summary="The box around what is redder than blue."
)


def main() -> None:
    video = render_clip(2, SyntheticSettings(seconds=0.5), fps=30).write("clip.mp4")
    # In a package of your own, the spec is found by itself; here it is added by hand.
    registry = default_registry().with_components(SPEC)
    results = analyze(video, "motion-events", faces=SkinConfig(margin=25), registry=registry)
    row = results[0]
    print(f"{len(results)} rows, all by {results.detector}; the first box is {row.left}, {row.top}, {row.width}")


if __name__ == "__main__":
    main()
