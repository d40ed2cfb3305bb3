"""The module of `resnet` and `vit`. Building it loads no weights."""

from __future__ import annotations

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
        frozen = (network,) if config.frozen else ()
        super().__init__(config, network, dim=dim, mean=mean, std=std, frozen=frozen)
