"""Any network of timm as feature extractor, by name."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import FeaturesConfig
from affectkit.errors import ConfigError, StreamError, nearest
from affectkit.features.timm_import import INSTALL
from affectkit.features.timm_table import TimmModel, timm_models
from affectkit.specs import FeaturesSpec, Requirement, lazy
from affectkit.streams import FeatureStream, FrameStream


@dataclass(frozen=True, kw_only=True)
class TimmConfig(FeaturesConfig):
    """A timm model without its classifier, frame by frame: one pooled feature vector per frame.

    RGB and gray intensities are normalized as the model's published weights expect; other channels (flow, strain) go in
    as they are. Models of a fixed size are built for the stream's where timm can do that. Building loads no weights.

    Attributes:
        model: timm's name, with or without the tag of its weights: `resnet18`, `vit_tiny_patch16_224.augreg_in21k`.
        frozen: whether the network keeps its weights, and its batch statistics, in training.
        dim: width of the pooled feature; needed only for a model that the table of known ones does not list.
    """

    model: str = "resnet18"
    frozen: bool = False
    dim: int | None = None

    @property
    def is_frozen(self) -> bool:
        return self.frozen

    @property
    def known(self) -> TimmModel | None:
        """What the table says of the model; None where it is not listed."""
        # what follows the dot names weights; the architecture alone fixes width and size
        return timm_models().get(self.model.partition(".")[0])

    def validate(self) -> None:
        if ":" in self.model or "/" in self.model:
            # timm would look these up on a hub or read them from a folder
            raise ConfigError(f"{self.model!r} is a place, not a name", "write a name such as 'resnet18'", path="model")
        if self.dim is not None and self.dim < 1:
            raise ConfigError(f"{self.dim!r} is too small", "write 1 or more", path="dim")
        if self.known is None and self.dim is None:
            close = nearest(self.model.partition(".")[0], timm_models())
            question = f"did you mean {close!r}? " if close else ""
            raise ConfigError(
                f"{self.model!r} is not in the table of timm models",
                f"{question}if timm has it, write dim=..., the width of its pooled feature",
                path="model",
            )
        if self.known is not None and self.dim not in (None, self.known.dim):
            fact = f"{self.dim!r} is not the width of {self.model!r}"
            raise ConfigError(fact, f"leave it out, or write {self.known.dim}", path="dim")

    def output(self, stream: FrameStream) -> FeatureStream:
        known = self.known
        # here rather than on building, so that a pipeline is checked before torch loads
        if known is not None and known.size == "exact" and (stream.height, stream.width) != (known.height, known.width):
            raise StreamError(
                f"{self.model!r} can't take frames of {stream.height}x{stream.width}",
                f"its size is fixed: give {known.height}x{known.width}",
            )
        dim = self.dim if known is None else known.dim
        assert dim is not None  # by `validate`
        return FeatureStream(dim=dim, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="timm",
    config=TimmConfig,
    factory=lazy("affectkit.features.timm_backbone_net:TimmBackbone"),
    summary="Any timm model by name, without its classifier, frozen or not.",
    requires=(Requirement(module="timm", install=INSTALL),),
    citation="Wightman, PyTorch Image Models, 2019, doi:10.5281/zenodo.4414861",
)
