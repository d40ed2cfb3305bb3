"""The module of `poster2`. At each of three scales, X are the tokens of the image, L those of the landmarks:

    X <- LN(halve(X))                                    halve: a 3x3 convolution of stride 2
    X <- X + g_1 Attention(query L, key and value X)     with a bias by relative place
    X <- X + g_2 FeedForward(LN(X))

All scales are brought to one grid and one width. Their tokens, and one more, go through attention; the feature is that
one's value behind a gate. The windows of the paper, 28, 14 and 7, are as large as the maps of its faces, so that there
is one per scale. g_1 and g_2 begin at 1e-5.
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
from affectkit_abaw7.poster2 import SIZES, POSTER2Config, Size
from affectkit_abaw7.tokens_net import FeedForward, Gate, TokenBlock, drop_path, join, split

# of the updates of each scale, in training
DROP_PATHS = (0.0, 0.125, 0.25)


class POSTER2(FrameNetwork[POSTER2Config]):
    """Faces `(B, T, 3, S, S)` in [0, 1] to features `(B, T, dim)`; zero for padding."""

    def __init__(self, config: POSTER2Config, stream: FrameStream) -> None:
        dim = config.output(stream).dim
        network = POSTER2Network(SIZES[config.size])
        frozen = [network.landmarks] if config.has_frozen_landmarks else []
        super().__init__(config, network, dim=dim, mean=MEAN, std=STD, frozen=[network] if config.frozen else frozen)


class POSTER2Network(nn.Module):
    """Normalized faces `(N, 3, S, S)`, or of twice the size, to features `(N, dim)`."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.side = size.side
        first, second, third = size.widths
        # of the last maps, to which all scales are brought
        places = (size.side // 16) ** 2
        self.image = IR50(size.widths, size.depths)
        self.landmarks = MobileFaceNet((first, second, 2 * third), size.landmark_depths)
        self.narrow = nn.Conv2d(2 * third, third, kernel_size=3, padding=1)
        self.scales = nn.ModuleList(
            Scale(width, size.side // 4 >> i, heads=size.heads[i], drop_path=DROP_PATHS[i])
            for i, width in enumerate(size.widths)
        )
        self.embed = nn.ModuleList([
            nn.Sequential(_halve(first, size.dim), _halve(size.dim, size.dim)),
            _halve(second, size.dim),
            nn.Conv2d(third, size.dim, kernel_size=1),
        ])  # fmt: skip
        self.summary = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, size.dim), std=0.02))
        self.positions = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1 + 3 * places, size.dim), std=0.02))
        self.blocks = nn.Sequential(*(TokenBlock(size.dim, heads=size.token_heads) for _ in range(size.token_depth)))
        self.norm = nn.LayerNorm(size.dim, eps=1e-6)
        self.gate = Gate(size.dim)

    def forward(self, faces: Tensor) -> Tensor:
        step = faces.shape[-1] // self.side
        faces = faces[..., ::step, ::step]
        landmarks = self.landmarks(faces)
        landmarks[2] = self.narrow(landmarks[2])
        scales = zip(self.embed, self.scales, self.image(faces), landmarks, strict=True)
        tokens = [embed(scale(maps, marks)).flatten(2).transpose(1, 2) for embed, scale, maps, marks in scales]
        x = torch.cat([self.summary.expand(faces.shape[0], -1, -1), *tokens], dim=1)
        # attention relates all tokens, but one is read: the others need no normalization in the end
        return self.gate(self.norm(self.blocks(x + self.positions)[:, 0]))  # type: ignore[no-any-return]


class Scale(nn.Module):
    """Image maps `(N, C, 2S, 2S)` and landmark maps `(N, C, S, S)` to maps `(N, C, S, S)`."""

    def __init__(self, width: int, side: int, *, heads: int, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.halve = _halve(width, width)
        self.norm = nn.LayerNorm(width)
        self.attention = CrossAttention(width, side, heads=heads)
        self.feedforward_norm = nn.LayerNorm(width)
        self.feedforward = FeedForward(width, 4 * width)
        self.gain1, self.gain2 = (nn.Parameter(torch.full((width,), 1e-5)) for _ in range(2))

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        maps = self.halve(image)
        x = self.norm(maps.flatten(2).transpose(1, 2))
        x = x + self._drop(self.gain1 * self.attention(landmarks.flatten(2).transpose(1, 2), x))
        x = x + self._drop(self.gain2 * self.feedforward(self.feedforward_norm(x)))
        return x.transpose(1, 2).reshape(maps.shape)  # type: ignore[no-any-return]

    def _drop(self, update: Tensor) -> Tensor:
        return drop_path(update, self.drop_path, is_training=self.training)


class CrossAttention(nn.Module):
    """Tokens `(N, S * S, C)` ask others of the same square; a bias per head depends on where one lies to the other."""

    places: Tensor

    def __init__(self, width: int, side: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.keys_values, self.leave = nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(nn.init.trunc_normal_(torch.empty((2 * side - 1) ** 2, heads), std=0.02))
        self.register_buffer("places", relative_places(side), persistent=False)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        key, value = (split(part, self.heads) for part in self.keys_values(tokens).chunk(2, dim=-1))
        bias = self.bias[self.places].permute(2, 0, 1).to(key.dtype)
        query = split(queries, self.heads)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.unsqueeze(0))
        return self.leave(join(mixed))  # type: ignore[no-any-return]


def relative_places(side: int) -> Tensor:
    """Row of the bias for each pair of places, `(S * S, S * S)`: `(dy + S - 1) (2 S - 1) + dx + S - 1`."""
    y, x = (part.flatten() for part in torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"))
    down, right = (part[:, None] - part[None, :] + side - 1 for part in (y, x))
    return down * (2 * side - 1) + right


def _halve(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1)
