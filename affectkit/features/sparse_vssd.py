"""Non-causal state spaces over a frame that work on its strongest windows alone: VSSD blocks, made sparse.

Blocks, stem, merging and the sizes micro to base are those of VSSD (Shi et al. 2024, arXiv 2407.18559); the choice of
windows is that of SparseViT (Chen et al. 2023, arXiv 2303.17605). The two are joined as arXiv 2503.24057 suggests,
whose text was not at hand; `pico` is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Literal, NamedTuple

from affectkit.configs import FeaturesConfig
from affectkit.errors import ConfigError
from affectkit.fields import dial
from affectkit.specs import FeaturesSpec, lazy
from affectkit.streams import FeatureStream, FrameStream

SizeName = Literal["pico", "micro", "tiny", "small", "base"]


class Size(NamedTuple):
    """What a size stands for; fields as in `SparseVSSDConfig`."""

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    state: int
    expansion: int
    feedforward: int
    window: int
    stride: int
    reduction: Literal["deep", "plain"]
    norm: Literal["batch", "group", "none"]
    attention: bool
    drop_path: float
    last_norm: bool


def _published(dim: int, depths: tuple[int, ...], heads: int, state: int, drop_path: float) -> Size:
    dims, all_heads = (tuple(first * 2**i for i in range(4)) for first in (dim, heads))
    return Size(dims, depths, all_heads, state, 2, 4, 7, 4, "deep", "batch", True, drop_path, True)


SIZES: Mapping[SizeName, Size] = MappingProxyType({
    "pico": Size((16, 32, 64), (1, 1, 1), (1, 2, 4), 16, 1, 2, 4, 1, "plain", "none", False, 0.1, False),
    "micro": _published(48, (2, 2, 8, 4), 2, 48, 0.1),
    "tiny": _published(64, (2, 4, 8, 4), 2, 64, 0.2),
    "small": _published(64, (3, 4, 21, 5), 2, 64, 0.4),
    "base": _published(96, (3, 4, 21, 5), 3, 64, 0.6),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SparseVSSDConfig(FeaturesConfig):
    """Stages of blocks that mix the tokens of a frame; each works on the windows with the strongest activation.

    What is None is as the size says. Frames go in as they are, of any channels.

    Attributes:
        size: `micro`, `tiny`, `small` and `base` as published, for pictures such as 224x224; `pico`, for maps of 28x28.
        ratios: share of windows that a stage leaves out, in [0, 1], for the first stage, the second and so on; they
            leave the stage as they came. At least one window is kept. A stage without a ratio leaves out none, and the
            one with attention has none. A stage that keeps all is dense: its convolutions see the whole map, while
            those of a sparse one end at the window's border.
        sparse_form: `gather` computes kept windows only; `mask` computes all and lets the others influence nothing,
            which is slow and gives the same.
        selection: how a window is scored by its tokens' mean magnitudes: their `l2` norm, `l1` norm or `max`.
        mixer: `nc-ssd`, one state for all tokens; `ss2d`, the selective scan of VMamba in four orders.
        attention: whether the last stage mixes by attention, over the whole map.
        window: side of a window in tokens.
        dims: width of each stage; their number is that of the stages.
        depths: blocks of each stage.
        heads: heads of each stage; they divide the width times `expansion`, and with attention the width. `ss2d` has
            none.
        state: width N of the state.
        expansion: of the width inside the mixer, by this factor.
        feedforward: of the width inside the feed-forward block, by this factor.
        stride: pixels per token of the first stage; every later stage has half as many tokens per side.
        reduction: how maps become smaller: `deep` as published, or `plain`, by one convolution.
        norm: after the convolutions that make maps smaller: over the `batch` as published, over `group`s of channels of
            one frame, or `none`, so that strong motion stays told from weak.
        last_norm: whether tokens are normalized, each by itself, before their mean, as published; it raises places
            where nothing moves to the length of all others.
        drop_path: share of block updates dropped in training in the last block, in [0, 1); rises from 0 in the first.
        dropout: share of values dropped in training in feed-forward blocks, in [0, 1).
        cells: per side, into which the last map is divided before its mean is taken, so that it is known where
            something is; 1 for the mean over the map.
    """

    size: SizeName = "micro"
    ratios: tuple[float, ...] = dial((0.0, 0.0, 0.0), choices=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8))
    sparse_form: Literal["gather", "mask"] = "gather"
    selection: Literal["l2", "l1", "max"] = "l2"
    mixer: Literal["nc-ssd", "ss2d"] = "nc-ssd"
    attention: bool | None = None
    window: int | None = None
    dims: tuple[int, ...] | None = None
    depths: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    state: int | None = None
    expansion: int | None = None
    feedforward: int | None = None
    stride: Literal[1, 2, 4] | None = None
    reduction: Literal["deep", "plain"] | None = None
    norm: Literal["batch", "group", "none"] | None = None
    last_norm: bool | None = None
    drop_path: float | None = None
    dropout: float = 0.0
    cells: int = 1

    @property
    def resolved(self) -> Size:
        """The size, with what this config says in place of it."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name in Size._fields}
        return SIZES[self.size]._replace(**{name: value for name, value in own.items() if value is not None})

    def validate(self) -> None:
        size = self.resolved
        if not size.dims:
            raise ConfigError("no stage", "give a width for each", path="dims")
        for name in ("dims", "depths", "heads"):
            values = getattr(size, name)
            if len(values) != len(size.dims):
                raise ConfigError(f"{len(values)} values", f"give one for each of {len(size.dims)} stages", path=name)
            if min(values) < 1:
                raise ConfigError(f"{min(values)!r} is too small", "write 1 or more", path=name)
        for name in ("window", "state", "expansion", "feedforward", "cells"):
            value = self.cells if name == "cells" else getattr(size, name)
            if value < 1:
                raise ConfigError(f"{value!r} is too small", "write 1 or more", path=name)
        for name, share in (("drop_path", size.drop_path), ("dropout", self.dropout)):
            if not 0 <= share < 1:
                raise ConfigError(f"{share!r} is not in [0, 1)", "write 0 for none", path=name)
        self._validate_heads(size)
        self._validate_ratios(len(size.dims) - size.attention)

    def _validate_heads(self, size: Size) -> None:
        for i, (dim, heads) in enumerate(zip(size.dims, size.heads, strict=True)):
            is_attention = size.attention and i == len(size.dims) - 1
            width = dim if is_attention else dim * size.expansion
            if width % heads and (is_attention or self.mixer == "nc-ssd"):
                raise ConfigError(f"{heads!r} does not divide {width}", "change dims or heads", path=f"heads[{i}]")

    def _validate_ratios(self, stages: int) -> None:
        if len(self.ratios) > stages:
            suggestion = f"give {stages} or fewer: that many stages are without attention"
            raise ConfigError(f"{len(self.ratios)} values", suggestion, path="ratios")
        for i, ratio in enumerate(self.ratios):
            if not 0 <= ratio <= 1:
                raise ConfigError(f"{ratio!r} is not in [0, 1]", "write 0 for none left out", path=f"ratios[{i}]")

    def output(self, stream: FrameStream) -> FeatureStream:
        dim = self.resolved.dims[-1] * self.cells**2
        return FeatureStream(dim=dim, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="sparse-vssd",
    config=SparseVSSDConfig,
    factory=lazy("affectkit.features.sparse_vssd_net:SparseVSSD"),
    summary="Non-causal state spaces (VSSD) over each frame's strongest windows; how many is a dial.",
    example=SparseVSSDConfig(size="pico", ratios=(0.5, 0.5, 0.5)),
    citation="Shi et al. 2024, arXiv 2407.18559; Chen et al. 2023, arXiv 2303.17605",
)
