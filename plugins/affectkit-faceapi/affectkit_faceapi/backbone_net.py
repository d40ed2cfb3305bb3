"""The module of `faceapi-backbone`.

Structure after `FaceFeatureExtractor` of face-api.js 0.22. Each block halves the picture and widens it, to 32, 64, 128
and 256 channels, and sums up what its convolutions give: with `s_k` a separable convolution,

    x_0 = relu(s_0(x)),  x_1 = x_0 + s_1(x_0),  x_2 = x_1 + s_2(relu(x_1)),  x_3 = x_2 + s_3(relu(x_2)),  out relu(x_3)

The first convolution of all is an ordinary one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit import FeatureExtractor, FrameStream, Sequence
from affectkit_faceapi.backbone import DIM, FaceAPIBackboneConfig

# of the training pictures, in units of 1/255, for r, g, b
MEAN = (122.782, 117.001, 104.298)
WIDTHS = (3, 32, 64, 128, DIM)


class FaceAPIBackbone(FeatureExtractor[FaceAPIBackboneConfig]):
    """Frames `(B, T, 3, 112, 112)` in [0, 1] to features `(B, T, 256)`; zero for padding."""

    mean: Tensor

    def __init__(self, config: FaceAPIBackboneConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.blocks = nn.ModuleList(DenseBlock(*WIDTHS[i : i + 2], is_first=i == 0) for i in range(4))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] / 255, persistent=False)
        # On a CPU, depthwise convolutions are several times slower with the channels first.
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, inputs: Sequence) -> Sequence:
        padding = ~inputs.mask.unsqueeze(-1)
        # After the subtraction: NaN in padding would reach the weights' gradient.
        x = (inputs.values - self.mean).masked_fill_(padding[..., None, None], 0.0).flatten(0, 1)
        for block in self.blocks:
            x = block(x)
        features = x.mean(dim=(-2, -1)).reshape(*inputs.mask.shape, DIM)
        return inputs.with_values(features.masked_fill(padding, 0.0))


class DenseBlock(nn.Module):
    """Maps `(N, channels, H, W)` to `(N, width, H / 2, W / 2)`; H and W even."""

    def __init__(self, channels: int, width: int, *, is_first: bool) -> None:
        super().__init__()
        self.conv0 = HalvingConv(channels, width) if is_first else SeparableConv(channels, width, stride=2)
        self.conv1, self.conv2, self.conv3 = (SeparableConv(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        # In place where autograd does not need the old values: fresh memory costs as much here as the arithmetic.
        x = self.conv0(x).relu_()
        x = self.conv1(x).add_(x)
        x = self.conv2(x.relu()).add_(x)
        x = self.conv3(x.relu()).add_(x)
        return x.relu_()


class HalvingConv(nn.Conv2d):
    """3x3 with stride 2, and zeros at the right and at the bottom only: what TensorFlow's `same` is for even sizes.

    torch pads all sides. With a line of zeros before its weights, above and on the left, the kernel overlooks what that
    adds there; to make a padded copy of the picture takes as long as the convolution.
    """

    def __init__(self, channels: int, width: int, *, groups: int = 1, bias: bool = True) -> None:
        super().__init__(channels, width, kernel_size=3, stride=2, padding=1, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        kernel = functional.pad(self.weight, (1, 0, 1, 0))
        return functional.conv2d(x, kernel, self.bias, stride=2, padding=1, groups=self.groups)


class SeparableConv(nn.Module):
    """A 3x3 convolution of each channel, then a 1x1 convolution over channels, and nothing between the two."""

    def __init__(self, channels: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = (
            HalvingConv(channels, channels, groups=channels, bias=False)
            if stride == 2
            else nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels, bias=False)
        )
        self.pointwise = nn.Conv2d(channels, width, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.pointwise(self.depthwise(x))
        return mixed
