"""Small components that tests build models from, each with something that the standard ones have not: dials, losses
of their own, a frozen form, tied weights, an output width that a dial changes. Provided as `toys/...` by `REGISTRY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from affectkit.configs import (
    FeaturesConfig,
    FusionConfig,
    LateFusionConfig,
    MotionConfig,
    ScoreMapConfig,
    SpotterConfig,
    TemporalConfig,
)
from affectkit.errors import ConfigError
from affectkit.fields import dial
from affectkit.interfaces import (
    FeatureExtractor,
    Fusion,
    LateFusion,
    MotionFrontEnd,
    ScoreMap,
    Spotter,
    State,
    TemporalEncoder,
)
from affectkit.records import Event
from affectkit.registry import default_registry
from affectkit.sequences import Losses, Sequence, Targets, masked_mean
from affectkit.specs import (
    ComponentSpec,
    FeaturesSpec,
    FusionSpec,
    LateFusionSpec,
    MotionSpec,
    ScoreMapSpec,
    SpotterSpec,
    TemporalSpec,
)
from affectkit.streams import (
    FeatureStream,
    FrameStream,
    PredictionStream,
    require_channels,
    require_steps,
    with_changes,
)

PHASES = ("contraction", "relaxation")


def real(inputs: Sequence) -> Tensor:
    """Values with zero for padding, of frames or features."""
    mask = inputs.mask.reshape(*inputs.mask.shape, *[1] * (inputs.values.ndim - 2))
    return torch.where(mask, inputs.values, torch.zeros_like(inputs.values))


@dataclass(frozen=True, kw_only=True)
class ToyMagnifierConfig(MotionConfig):
    """Flow times alpha, bent by a convolution, with its magnitude as a third channel.

    Attributes:
        alpha: magnification factor.
        aux_weight: factor of the loss that keeps the flow near alpha times what came in.
    """

    alpha: float = dial(4.0, choices=(1.0, 2.0, 4.0, 8.0))
    aux_weight: float = 0.1

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, ("u", "v"))
        return with_changes(stream, channels=("u", "v", "magnitude"))


class ToyMagnifier(MotionFrontEnd[ToyMagnifierConfig]):
    def __init__(self, config: ToyMagnifierConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.bend = nn.Conv2d(3, 2, kernel_size=3, padding=1)

    def forward(self, inputs: Sequence) -> Sequence:
        flow = real(inputs)
        alpha = torch.full_like(flow[:, :, :1], self.config.alpha)
        bent = self.bend(torch.cat([flow, alpha], dim=2).flatten(0, 1)).unflatten(0, inputs.mask.shape)
        flow = self.config.alpha * flow + bent
        magnitude = (flow.square().sum(dim=2, keepdim=True) + 1e-6).sqrt()
        return inputs.with_values(torch.cat([flow, magnitude], dim=2))

    def auxiliary(self, inputs: Sequence, output: Sequence, targets: Mapping[str, Targets]) -> Losses:
        apart = (self.config.alpha * real(inputs) - output.values[:, :, :2]).abs()
        return {"magnification": masked_mean(apart, inputs.mask[:, :, None, None, None])}


@dataclass(frozen=True, kw_only=True)
class ToyMMCOFConfig(MotionConfig):
    """Both phases of a flow to one map: direction of the first, magnitudes of both."""

    context: ClassVar[int] = 2

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, ("u", "v"))
        require_steps(stream, PHASES)
        return with_changes(stream, channels=("u", "v", "magnitude"), unit="relative", steps=("event",))


class ToyMMCOF(MotionFrontEnd[ToyMMCOFConfig]):
    def __init__(self, config: ToyMMCOFConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        flow = real(inputs)
        magnitude = flow.norm(dim=2, keepdim=True)
        both = magnitude.mean(dim=1, keepdim=True)
        values = torch.cat([flow[:, :1] / (magnitude[:, :1] + 1e-6) * both, both], dim=2)
        return Sequence(values, inputs.mask.all(dim=1, keepdim=True), inputs.times[:, -1:])


@dataclass(frozen=True, kw_only=True)
class ToyTwoPhaseConfig(FeaturesConfig):
    """Two phases of flow to one feature of the event, weighted by attention over the phases.

    Attributes:
        dim: width of the feature.
    """

    dim: int = 8

    def output(self, stream: FrameStream) -> FeatureStream:
        require_steps(stream, PHASES)
        return FeatureStream(dim=self.dim, steps=("event",))


class ToyTwoPhase(FeatureExtractor[ToyTwoPhaseConfig]):
    def __init__(self, config: ToyTwoPhaseConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.stem = nn.Conv2d(len(stream.channels), config.dim, kernel_size=3, stride=2)
        self.attention = nn.Linear(config.dim, 1, bias=False)

    @property
    def can_stream(self) -> bool:
        return False

    def forward(self, inputs: Sequence) -> Sequence:
        maps = torch.relu(self.stem(real(inputs).flatten(0, 1))).mean(dim=(-2, -1)).reshape(*inputs.mask.shape, -1)
        pooled = (self.attention(maps).softmax(dim=1) * maps).sum(dim=1, keepdim=True)
        return Sequence(pooled, inputs.mask.all(dim=1, keepdim=True), inputs.times[:, -1:])


@dataclass(frozen=True, kw_only=True)
class ToySparseConfig(FeaturesConfig):
    """Patches of a frame through blocks, each of which leaves out a share of them, the weakest.

    Attributes:
        dim: width of the feature.
        ratios: share of patches that each block leaves out.
    """

    dim: int = 8
    ratios: tuple[float, ...] = dial((0.5, 0.25, 0.0), choices=(0.0, 0.25, 0.5, 0.75))

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=self.dim, steps=stream.steps)


class ToySparse(FeatureExtractor[ToySparseConfig]):
    def __init__(self, config: ToySparseConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.embed = nn.Conv2d(len(stream.channels), config.dim, kernel_size=8, stride=8)
        self.blocks = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in config.ratios)

    def forward(self, inputs: Sequence) -> Sequence:
        tokens = self.embed(real(inputs).flatten(0, 1)).flatten(2).transpose(1, 2)
        for block, ratio in zip(self.blocks, self.config.ratios, strict=True):
            kept = max(1, round(tokens.shape[1] * (1 - ratio)))
            strongest = tokens.norm(dim=-1).topk(kept, dim=1).indices.unsqueeze(-1)
            chosen = strongest.expand(-1, -1, tokens.shape[-1])
            tokens = tokens.scatter_add(1, chosen, torch.tanh(block(tokens.gather(1, chosen))))
        return inputs.with_values(tokens.mean(dim=1).unflatten(0, inputs.mask.shape))


@dataclass(frozen=True, kw_only=True)
class ToyPixelsConfig(FeaturesConfig):
    """A linear layer on the pixels.

    Attributes:
        dim: width of the feature.
        frozen: whether training leaves it as it is.
        gain: factor of the feature.
    """

    dim: int = 4
    frozen: bool = False
    gain: float = dial(1.0, low=0.0, high=2.0)

    @property
    def is_frozen(self) -> bool:
        return self.frozen

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=self.dim, steps=stream.steps)


class ToyPixels(FeatureExtractor[ToyPixelsConfig]):
    def __init__(self, config: ToyPixelsConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.linear = nn.Linear(len(stream.channels) * stream.height * stream.width, config.dim)
        self.linear.requires_grad_(not config.frozen)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self.config.gain * self.linear(real(inputs).flatten(2)))


@dataclass(frozen=True, kw_only=True)
class ToySumConfig(FusionConfig):
    """Sum of the branches' first `dim` features times a gain.

    Attributes:
        gain: factor of the sum.
        aux_weight: factor of the mean square of what comes out.
    """

    gain: float = dial(1.0, low=0.0, high=2.0)
    aux_weight: float = 0.5

    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        first = next(iter(streams.values()))
        return with_changes(first, dim=min(stream.dim for stream in streams.values()))


class ToySum(Fusion[ToySumConfig]):
    def __init__(self, config: ToySumConfig, streams: Mapping[str, FeatureStream]) -> None:
        super().__init__(config)
        self.dim = config.output(streams).dim

    def forward(self, inputs: Mapping[str, Sequence]) -> Sequence:
        total = torch.stack([real(sequence)[..., : self.dim] for sequence in inputs.values()]).sum(dim=0)
        return next(iter(inputs.values())).with_values(self.config.gain * total)

    def auxiliary(self, inputs: Mapping[str, Sequence], output: Sequence, targets: Mapping[str, Targets]) -> Losses:
        return {"size": masked_mean(output.values.square(), output.mask.unsqueeze(-1))}


@dataclass(frozen=True, kw_only=True)
class ToyTiedConfig(TemporalConfig):
    """A linear layer and a second one with the same weight.

    Attributes:
        order: 1 or 2; a rule that a dial can break.
        width: how many of the features are kept; a dial that changes what comes out.
    """

    order: int = dial(1, choices=(1, 2, 3))
    width: int = dial(4, choices=(2, 4))

    @property
    def is_causal(self) -> bool:
        return True

    def validate(self) -> None:
        if self.order > 2:
            raise ConfigError(f"{self.order!r} is more than 2", "write 1 or 2", path="order")

    def output(self, stream: FeatureStream) -> FeatureStream:
        return with_changes(stream, dim=self.width)


class ToyTied(TemporalEncoder[ToyTiedConfig]):
    def __init__(self, config: ToyTiedConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.first = nn.Linear(stream.dim, stream.dim)
        self.second = nn.Linear(stream.dim, stream.dim)
        self.second.weight = self.first.weight

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self.second(torch.tanh(self.first(real(inputs))))[..., : self.config.width])


@dataclass(frozen=True, kw_only=True)
class ToyPowerConfig(LateFusionConfig):
    """Mean of the members' values to a power.

    Attributes:
        power: the power.
    """

    power: float = dial(1.0, choices=(1.0, 2.0))

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return next(iter(members.values()))


class ToyPower(LateFusion[ToyPowerConfig]):
    def __init__(self, config: ToyPowerConfig, members: Mapping[str, PredictionStream]) -> None:
        super().__init__(config)

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        return torch.stack(list(members.values())).mean(dim=0) ** self.config.power


@dataclass(frozen=True, kw_only=True)
class ToySmoothConfig(ScoreMapConfig):
    """Scores of frames smoothed over the past, which a stream has to remember.

    Attributes:
        keep: share of what was.
    """

    keep: float = dial(0.75, low=0.0, high=1.0)

    def output(self, stream: PredictionStream) -> PredictionStream:
        return stream


class ToySmooth(ScoreMap[ToySmoothConfig]):
    def __init__(self, config: ToySmoothConfig, stream: PredictionStream) -> None:
        super().__init__(config)

    def step(self, x_t: Sequence, state: Tensor | None) -> tuple[Sequence, Tensor]:
        keep = self.config.keep
        smooth = x_t.values if state is None else keep * state + (1 - keep) * x_t.values
        return x_t.with_values(smooth), smooth

    def forward(self, inputs: Sequence) -> Sequence:
        state, steps = None, []
        for t in range(inputs.values.shape[1]):
            _, state = self.step(inputs.step(t), state)
            steps.append(state)
        return inputs.with_values(torch.cat(steps, dim=1))


@dataclass(frozen=True, kw_only=True)
class ToySpotterConfig(SpotterConfig):
    """The whole clip as one event."""

    def check_input(self, stream: FrameStream) -> None:
        require_steps(stream, ())


@dataclass
class ToySpotterState:
    """Times of the frames so far."""

    times: list[float] = field(default_factory=list)


class ToySpotter(Spotter[ToySpotterConfig]):
    def __init__(self, config: ToySpotterConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def start(self, fps: float | None) -> State:
        return ToySpotterState()

    def push(self, state: ToySpotterState, frames: Sequence) -> list[Event]:
        state.times += frames.times[frames.mask].tolist()
        return []

    def finish(self, state: ToySpotterState) -> list[Event]:
        if not state.times:
            return []
        return [Event(kind="micro-expression", onset=state.times[0], offset=state.times[-1])]


SPECS: tuple[ComponentSpec[Any], ...] = (
    MotionSpec(name="magnifier", config=ToyMagnifierConfig, factory=ToyMagnifier, summary="Flow times alpha."),
    MotionSpec(name="mm-cof", config=ToyMMCOFConfig, factory=ToyMMCOF, summary="Two phases to one map."),
    FeaturesSpec(name="two-phase", config=ToyTwoPhaseConfig, factory=ToyTwoPhase, summary="Two phases to one feature."),
    FeaturesSpec(name="sparse", config=ToySparseConfig, factory=ToySparse, summary="Leaves out weak patches."),
    FeaturesSpec(name="pixels", config=ToyPixelsConfig, factory=ToyPixels, summary="A linear layer on the pixels."),
    FusionSpec(name="sum", config=ToySumConfig, factory=ToySum, summary="Sum times a gain."),
    TemporalSpec(name="tied", config=ToyTiedConfig, factory=ToyTied, summary="Two layers with one weight."),
    LateFusionSpec(name="power", config=ToyPowerConfig, factory=ToyPower, summary="Mean to a power."),
    ScoreMapSpec(
        name="smooth",
        config=ToySmoothConfig,
        factory=ToySmooth,
        summary="Smooth.",
        example=ToySmoothConfig(source="va"),
    ),
    SpotterSpec(name="whole-clip", config=ToySpotterConfig, factory=ToySpotter, summary="The clip as one event."),
)
REGISTRY = default_registry().with_components(*SPECS, provider="toys")
