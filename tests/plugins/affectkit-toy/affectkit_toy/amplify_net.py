"""The module of `amplify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from affectkit import FrameStream, MotionFrontEnd, Sequence, Targets
from affectkit_toy.amplify import AmplifyConfig


class Amplify(MotionFrontEnd[AmplifyConfig]):
    """Frames `(B, T, C, H, W)` to `x_0 + alpha g (x_t - x_0)`, cut off at 0 and 1."""

    def __init__(self, config: AmplifyConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.gain = nn.Parameter(torch.ones(len(stream.channels), 1, 1))

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self._magnified(inputs).clamp(0.0, 1.0))

    def auxiliary(self, inputs: Sequence, output: Sequence, targets: Mapping[str, Targets]) -> dict[str, Tensor]:
        return {"cut_off": (self._magnified(inputs) - output.values).abs().mean()}

    def _magnified(self, inputs: Sequence) -> Tensor:
        mask = inputs.mask[:, :, None, None, None]
        frames = torch.where(mask, inputs.values, torch.zeros_like(inputs.values))
        first: Any = frames[torch.arange(len(frames)), inputs.mask.int().argmax(dim=1)].unsqueeze(1)
        magnified: Tensor = first + self.config.alpha * self.gain * (frames - first)
        return torch.where(mask, magnified, torch.zeros_like(magnified))
