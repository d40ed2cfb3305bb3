"""Module of `mediapipe-blendshapes`.

Its state is one buffer: the bytes of the published file. So it is built without a file, its weights are loaded as those
of any component, a saved model holds them, and their hash is that of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor

from affectkit import FeatureExtractor, FrameStream, Sequence, WeightsError
from affectkit_mediapipe.blendshape_features import MediaPipeBlendshapesConfig
from affectkit_mediapipe.bundle import BLENDSHAPES, BUNDLE
from affectkit_mediapipe.landmarker import Landmarker, import_mediapipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Neighbors reach into the cuts of small faces.
MAX_FACES = 3


@final
class MediaPipeBlendshapes(FeatureExtractor[MediaPipeBlendshapesConfig]):
    """Frames `(B, T, 3, H, W)` in [0, 1] to float32 scores `(B, T, 52)` in [0, 1], on the CPU, without a gradient.

    Zeros for padding, and where no face is found.

    Raises:
        MissingDependencyError: mediapipe, or something that it needs, is not there.
    """

    bundle: Tensor

    def __init__(self, config: MediaPipeBlendshapesConfig, stream: FrameStream) -> None:
        super().__init__(config)
        import_mediapipe()
        self.register_buffer("bundle", torch.zeros(BUNDLE.size, dtype=torch.uint8))
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]
        self._landmarker: Landmarker | None = None

    def forward(self, inputs: Sequence) -> Sequence:
        """Blendshapes of every real frame.

        Raises:
            WeightsError: no weights were loaded.
        """
        pixels = inputs.values[inputs.mask].detach().cpu().float().mul(255).round().clamp(0, 255).to(torch.uint8)
        pictures = pixels.permute(0, 2, 3, 1).contiguous().numpy()
        values = torch.zeros(*inputs.mask.shape, len(BLENDSHAPES), device=inputs.values.device)
        if len(pictures):
            scores = np.stack([self._score(picture) for picture in pictures])
            values[inputs.mask] = torch.from_numpy(scores).to(values.device)
        return inputs.with_values(values)

    def _score(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of the face nearest the middle of `(H, W, 3)`; zeros without one."""
        if self._landmarker is None:
            self._landmarker = self._open()
        meshes = self._landmarker(picture)
        if not meshes:
            return np.zeros(len(BLENDSHAPES), dtype=np.float32)
        middle = np.array(picture.shape[1::-1]) / 2
        nearest = min(meshes, key=lambda mesh: float(np.hypot(*(mesh.center - middle))))
        assert nearest.blendshapes is not None  # asked for below
        return nearest.blendshapes

    def _open(self) -> Landmarker:
        if not self.bundle.any():
            raise WeightsError(
                "mediapipe-blendshapes: no weights are loaded; "
                "call affectkit.load_weights(model, path), with its path in the model"
            )
        return Landmarker(
            self.bundle.cpu().numpy().tobytes(),
            max_faces=MAX_FACES,
            score_threshold=self.config.score_threshold,
            presence_threshold=self.config.presence_threshold,
            with_blendshapes=True,
        )

    def __getstate__(self) -> dict[str, Any]:
        # a copy, in memory or in another process, opens its own
        return {**self.__dict__, "_landmarker": None}


def _forget(module: MediaPipeBlendshapes, _: object) -> None:
    """What was opened has the old bytes. A function, and no method: copies of a module keep the hook."""
    module._landmarker = None
