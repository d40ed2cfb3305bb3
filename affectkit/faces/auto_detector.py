"""Detector of `auto`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, final

from affectkit.configs import FaceDetectorConfig
from affectkit.errors import FallbackWarning, MissingDependencyError, WeightsError
from affectkit.faces import haar, yunet
from affectkit.faces.auto import AutoFacesConfig
from affectkit.interfaces import FaceDetector
from affectkit.records import Face
from affectkit.weights import fetch_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PROVIDER = "affectkit"
# Seconds of silence. Its file is small, and somebody waits for the first frame.
_PATIENCE = 5.0
_ADVICE = f"put {yunet.WEIGHTS.url.rpartition('/')[2]} into a folder and name that in AFFECTKIT_WEIGHTS"


@final
class AutoFaces(FaceDetector[AutoFacesConfig]):
    """YuNet, or else Haar.

    Attributes:
        chosen: id of the detector that it became.

    Raises:
        WeightsError: neither can be had.
    """

    chosen: str

    def __init__(self, config: AutoFacesConfig) -> None:
        super().__init__(config)
        self.chosen, self._detector = _choose()

    @property
    def settled(self) -> FaceDetectorConfig:
        """Config of the detector that it became."""
        config: FaceDetectorConfig = self._detector.config
        return config

    @property
    def is_thread_safe(self) -> bool:
        return self._detector.is_thread_safe

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces as the chosen detector finds them, and its errors."""
        return self._detector.detect(image)


def _choose() -> tuple[str, FaceDetector[Any]]:
    try:
        fetch_weights(yunet.WEIGHTS, PROVIDER, timeout=_PATIENCE)
        return f"{PROVIDER}/{yunet.SPEC.name}", yunet.SPEC.factory(yunet.YuNetConfig())
    # also a cache that can't be written
    except OSError as error:
        cause, reason = error, _fact(error)
    try:
        detector = haar.SPEC.factory(haar.HaarConfig())
    except MissingDependencyError as error:
        also = _fact(error).removeprefix("haar: ")
        text = f"faces: no detector can be had, neither yunet ({reason}) nor haar ({also}); {_ADVICE}"
        raise WeightsError(text) from cause
    text = (
        f"faces: yunet can't be had ({reason}); haar finds faces in its place, fewer and without landmarks: {_ADVICE}"
    )
    warnings.warn(text, FallbackWarning, stacklevel=4)
    return f"{PROVIDER}/{haar.SPEC.name}", detector


def _fact(error: Exception) -> str:
    """What is wrong, without the suggestion, which is about something else here."""
    return str(error).partition("; ")[0]
