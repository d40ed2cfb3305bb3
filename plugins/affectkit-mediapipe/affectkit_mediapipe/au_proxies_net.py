"""Module of `au-proxies`."""

from __future__ import annotations

from typing import final

import torch

from affectkit import PredictionStream, ScoreMap, Sequence
from affectkit_mediapipe.au_proxies import PROXIES, AUProxiesConfig


@final
class AUProxies(ScoreMap[AUProxiesConfig]):
    """Blendshapes `(B, T, K)` to proxies `(B, T, K')`, float32 at least."""

    def __init__(self, config: AUProxiesConfig, stream: PredictionStream) -> None:
        super().__init__(config)
        shapes = [PROXIES[name] for name in config.targets]
        # the mean of one and the same is itself, so all proxies are means of two
        self._first = [stream.targets.index(names[0]) for names in shapes]
        self._second = [stream.targets.index(names[-1]) for names in shapes]

    def forward(self, inputs: Sequence) -> Sequence:
        scores = inputs.values.to(torch.promote_types(inputs.values.dtype, torch.float32))
        return inputs.with_values((scores[..., self._first] + scores[..., self._second]) / 2)
