"""Feature extractors `resnet` and `vit`: timm's ResNet-50 and ViT-B/16, and small networks of the same classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from affectkit import FeaturesSpec, FeatureStream, FrameStream, lazy
from affectkit.features.timm_import import INSTALL
from affectkit.specs import Requirement
from affectkit_compound.member import MemberConfig, SizeName, require_face

Options = Mapping[str, int | str | tuple[int, ...]]


class Size(NamedTuple):
    """What a size stands for.

    Attributes:
        side: of the faces in pixels.
        dim: width of the pooled feature.
        options: what timm's constructor gets beside the name of the published network.
        stem: channels of convolutions that halve the picture, in place of the projection of patches; none for patches.
    """

    side: int
    dim: int
    options: Options = MappingProxyType({})
    stem: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TimmMemberConfig(MemberConfig):
    """Base of members that timm builds. Not a component of its own."""

    # of timm, whose small sibling the options make
    network: ClassVar[str]
    sizes: ClassVar[Mapping[SizeName, Size]]
    normalization: ClassVar[tuple[tuple[float, float, float], tuple[float, float, float]]]

    @property
    def chosen(self) -> Size:
        """What the config's size stands for."""
        return self.sizes[self.size]

    @property
    def side(self) -> int:
        return self.chosen.side

    def output(self, stream: FrameStream) -> FeatureStream:
        require_face(stream, self.side)
        return FeatureStream(dim=self.chosen.dim, fps=stream.fps, steps=stream.steps)


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(TimmMemberConfig):
    """Faces in RGB to one vector each, by a residual network with bottlenecks (He et al. 2016, arXiv 1512.03385).

    `published` is ResNet-50: faces of 224 pixels, 2048 features. `small` has one narrow bottleneck in each of the four
    stages: faces of 112 pixels, 192 features. Normalized inside, as for ImageNet.
    """

    network: ClassVar[str] = "resnet50"
    sizes: ClassVar[Mapping[SizeName, Size]] = MappingProxyType({
        "small": Size(112, 192, {"layers": (1, 1, 1, 1), "channels": (16, 24, 36, 48), "stem_width": 16}),
        "published": Size(224, 2048),
    })  # fmt: skip
    normalization: ClassVar[tuple[tuple[float, float, float], tuple[float, float, float]]] = (
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
    )


@dataclass(frozen=True, kw_only=True)
class ViTConfig(TimmMemberConfig):
    """Faces in RGB to one vector each, by a Vision Transformer (Dosovitskiy et al. 2021, arXiv 2010.11929).

    `published` is ViT-B/16: faces of 224 pixels, 768 features. `small` has tokens of 16 pixels, four blocks and four
    heads: faces of 112 pixels, 96 features. It has to learn from nothing and from few faces, so its tokens come from
    four convolutions that halve the face (Xiao et al. 2021, arXiv 2106.14881), and the features are the mean of its
    tokens; `published` has patches, and a token of its own. Normalized inside, to [-1, 1].
    """

    network: ClassVar[str] = "vit_base_patch16_224"
    sizes: ClassVar[Mapping[SizeName, Size]] = MappingProxyType({
        "small": Size(112, 96, {
            "img_size": 112, "patch_size": 16, "embed_dim": 96, "depth": 4, "num_heads": 4,
            "global_pool": "avg", "class_token": False,
        }, (12, 24, 48, 96)),
        "published": Size(224, 768),
    })  # fmt: skip
    normalization: ClassVar[tuple[tuple[float, float, float], tuple[float, float, float]]] = (
        (0.5, 0.5, 0.5),
        (0.5, 0.5, 0.5),
    )


REQUIRES = (Requirement(module="timm", install=INSTALL),)
RESNET = FeaturesSpec(
    name="resnet",
    config=ResNetConfig,
    factory=lazy("affectkit_compound.timm_member_net:TimmMember"),
    summary="timm's ResNet-50, or a small network of the same class.",
    example=ResNetConfig(size="small"),
    requires=REQUIRES,
    citation="He et al. 2016, arXiv 1512.03385",
)
VIT = FeaturesSpec(
    name="vit",
    config=ViTConfig,
    factory=lazy("affectkit_compound.timm_member_net:TimmMember"),
    summary="timm's ViT-B/16, or a small network of the same class.",
    example=ViTConfig(size="small"),
    requires=REQUIRES,
    citation="Dosovitskiy et al. 2021, arXiv 2010.11929",
)
