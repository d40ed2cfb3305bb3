"""The module of `resnet` and `vit`. Building it loads no weights."""

from __future__ import annotations

from torch import nn

from affectkit import FrameStream
from affectkit.features.frame_network import FrameNetwork
from affectkit.features.timm_import import import_timm
from affectkit_compound.timm_member import TimmMemberConfig


class TimmMember(FrameNetwork[TimmMemberConfig]):
    """Faces `(B, T, 3, S, S)` in [0, 1] to pooled features `(B, T, D)`; zero for padding.

    Attributes:
        network: the timm model, without classifier.

    Raises:
        MissingDependencyError: timm is not installed.
    """

    def __init__(self, config: TimmMemberConfig, stream: FrameStream) -> None:
        dim, (mean, std) = config.output(stream).dim, config.normalization
        options = dict(config.chosen.options)
        network = import_timm().create_model(config.network, pretrained=False, num_classes=0, **options)
        if stem := config.chosen.stem:
            network.patch_embed.proj = make_stem(stem, dim)
        frozen = (network,) if config.frozen else ()
        super().__init__(config, network, dim=dim, mean=mean, std=std, frozen=frozen)


def make_stem(channels: tuple[int, ...], dim: int) -> nn.Sequential:
    """Pictures `(N, 3, H, W)` to tokens in their places, `(N, dim, H / 2^n, W / 2^n)`, by n halving convolutions."""
    layers: list[nn.Module] = []
    for before, after in zip((3, *channels), channels, strict=False):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], dim, 1))
