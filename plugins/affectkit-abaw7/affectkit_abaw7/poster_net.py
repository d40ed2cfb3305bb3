"""The module of `poster`. X_1 are the tokens of the image, X_2 those of the landmarks, each led by the mean of its own:

    X_s <- X_s + Attention(query LN_s(X_other), key and value LN_s(X_s))      s = 1, 2, both from the old values
    X_s <- X_s + FeedForward(LN(X_s))
    [X_1, X_2] <- a linear map over tokens

This runs at the full width, half and a quarter of it; after each block what is narrower is widened and added to what is
next. The feature is the first token of the full width, behind a gate.

As in the public code, the image's tokens are runs of its last maps in the order of memory, channel by channel: 1024
numbers of about five channels for each of 49 tokens, and not the channels at a place.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit import FrameStream
from affectkit.features.frame_network import FrameNetwork
from affectkit_abaw7.face_encoder import MEAN, STD
from affectkit_abaw7.ir50_net import IR50
from affectkit_abaw7.mobilefacenet_net import MobileFaceNet
from affectkit_abaw7.poster import SIZES, POSTERConfig, Size
from affectkit_abaw7.tokens_net import FeedForward, Gate, drop_path, join, split

# of the updates of the last block, in training; rises from 0 in the first
DROP_PATH = 0.1


class POSTER(FrameNetwork[POSTERConfig]):
    """Faces `(B, T, 3, S, S)` in [0, 1] to features `(B, T, dim)`; zero for padding."""

    def __init__(self, config: POSTERConfig, stream: FrameStream) -> None:
        dim = config.output(stream).dim
        network = POSTERNetwork(SIZES[config.size])
        frozen = [network.landmarks] if config.has_frozen_landmarks else []
        super().__init__(config, network, dim=dim, mean=MEAN, std=STD, frozen=[network] if config.frozen else frozen)


class POSTERNetwork(nn.Module):
    """Normalized faces `(N, 3, S, S)`, or of twice the size, to features `(N, dim)`."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.side, self.places = size.side, (size.side // 16) ** 2
        self.image = IR50(size.widths, size.depths)
        self.landmarks = MobileFaceNet((*size.landmark_widths, size.dim), size.landmark_depths)
        # the last maps of the image have four times as many places
        self.project = nn.Linear(4 * size.widths[-1], size.dim)
        self.positions = nn.Parameter(torch.zeros(1, 1 + self.places, size.dim))
        tokens = 2 * (1 + self.places)
        self.narrow = nn.ModuleList(nn.Conv1d(tokens, tokens, kernel_size=k, stride=k) for k in (2, 4))
        rise = DROP_PATH / max(1, size.depth - 1)
        self.blocks = nn.ModuleList(
            PyramidBlock(size.dim, tokens, heads=size.heads, drop_path=rise * i) for i in range(size.depth)
        )
        self.norm = nn.LayerNorm(size.dim, eps=1e-6)
        self.gate = Gate(size.dim)

    def forward(self, faces: Tensor) -> Tensor:
        step = faces.shape[-1] // self.side
        faces = faces[..., ::step, ::step]
        image = self.project(self.image(faces)[-1].flatten(1).unflatten(1, (self.places, -1)))
        landmarks = self.landmarks(faces)[-1].flatten(2).transpose(1, 2)
        x = torch.cat([_led_by_mean(image) + self.positions, _led_by_mean(landmarks)], dim=1)
        levels = [x, *(narrow(x) for narrow in self.narrow)]
        for block in self.blocks:
            levels = block(levels)
        return self.gate(self.norm(levels[0][:, 0]))  # type: ignore[no-any-return]


class PyramidBlock(nn.Module):
    """Tokens of three widths, `(N, K, D)`, `(N, K, D / 2)`, `(N, K, D / 4)`, in and out."""

    def __init__(self, dim: int, tokens: int, *, heads: int, drop_path: float) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            CrossBlock(width, tokens, heads=heads, drop_path=drop_path) for width in (dim, dim // 2, dim // 4)
        )
        self.widen = nn.ModuleList(nn.ConvTranspose1d(tokens, tokens, kernel_size=2, stride=2) for _ in range(2))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        full, half, quarter = (block(x) for block, x in zip(self.levels, levels, strict=True))
        half = half + self.widen[1](quarter)
        return [full + self.widen[0](half), half, quarter]


class CrossBlock(nn.Module):
    """Tokens `(N, K, D)` in and out; the first half is the image's, the second that of the landmarks."""

    def __init__(self, dim: int, tokens: int, *, heads: int, drop_path: float) -> None:
        super().__init__()
        self.sides = nn.ModuleList(Side(dim, heads=heads, drop_path=drop_path) for _ in range(2))
        self.mix = nn.Conv1d(tokens, tokens, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        image, landmarks = x.chunk(2, dim=1)
        sides = [self.sides[0](image, landmarks), self.sides[1](landmarks, image)]
        return self.mix(torch.cat(sides, dim=1))  # type: ignore[no-any-return]


class Side(nn.Module):
    """Tokens `(N, K, D)` that `other` ones, of the same shape, ask; in and out."""

    def __init__(self, dim: int, *, heads: int, drop_path: float) -> None:
        super().__init__()
        self.heads, self.drop_path = heads, drop_path
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.keys_values, self.leave = nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.feedforward_norm = nn.LayerNorm(dim, eps=1e-6)
        self.feedforward = FeedForward(dim, 2 * dim)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        key, value = (split(part, self.heads) for part in self.keys_values(self.norm(x)).chunk(2, dim=-1))
        mixed = functional.scaled_dot_product_attention(split(self.norm(other), self.heads), key, value)
        x = x + self._drop(self.leave(join(mixed)))
        return x + self._drop(self.feedforward(self.feedforward_norm(x)))

    def _drop(self, update: Tensor) -> Tensor:
        return drop_path(update, self.drop_path, is_training=self.training)


def _led_by_mean(tokens: Tensor) -> Tensor:
    return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
