"""Faults of the forward pass. Each class breaks one promise of a correct one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from affectkit import FeatureStream, Sequence
from tests.faulty.base import fault, planted
from tests.faulty.clean import (
    PlainFeatures,
    PlainHead,
    PlainMap,
    PlainMotion,
    PlainTemporal,
    PlainTemporalConfig,
    real,
)


@dataclass(frozen=True, kw_only=True)
class QuietConfig(PlainTemporalConfig):
    """Claims nothing."""

    @property
    def is_causal(self) -> bool:
        return False


class Quiet(PlainTemporal):
    """A correct encoder that does not stream."""

    @property
    def can_stream(self) -> bool:
        return False


def quiet(check: str, fact: str, cause: str = "") -> Any:
    """A fault of an encoder that claims nothing beyond its kind."""
    return fault("temporal", check, fact, cause, config=QuietConfig)


@fault("temporal", "module_builds", "SpecError: it: local/it made WrongBase, which is no TemporalEncoder; "
       "derive the class from that")  # fmt: skip
class WrongBase(nn.Linear):
    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(stream.dim, config.dim)


@fault("temporal", "module_builds", "SpecError: it: local/it does not keep its config; call super().__init__(config)")
class LosesConfig(PlainTemporal):
    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(PlainTemporalConfig(), stream)


@fault("features", "module_builds", "SpecError: it: local/it has auxiliary losses; give PlainFeaturesConfig a field "
       "'aux_weight'")  # fmt: skip
class Unweighted(PlainFeatures):
    def auxiliary(self, inputs: Any, output: Any, targets: Any) -> dict[str, Tensor]:
        return {"size": output.values.mean()}


SHAPE = "output_has_the_declared_shape"


@quiet(SHAPE, "forward() returned shape (3, 5, 16), output() says (3, 5, 8)")
class WrongWidth(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return output.with_values(torch.cat([output.values, output.values], dim=-1))


@quiet(SHAPE, "forward() returned Tensor, no Sequence")
class BareValues(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        values: Any = super().forward(inputs).values
        return values  # type: ignore[no-any-return]


@quiet(SHAPE, "mask is torch.bool of shape (3, 4); it is torch.bool of shape (3, 5)")
class DropsStep(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return Sequence(output.values[:, 1:], output.mask[:, 1:], output.times[:, 1:])


@quiet(SHAPE, "times is torch.float32 of shape (3, 5); it is torch.float64 of shape (3, 5)")
class RoundsTimes(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return Sequence(output.values, output.mask, output.times.float())


@quiet(SHAPE, "times are not finite")
class LosesTimes(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return Sequence(output.values, output.mask, output.times / 0)


@quiet(SHAPE, "the times that come out are not those that went in, though T is the same")
class StartsAtZero(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return Sequence(output.values, output.mask, output.times - output.times[:, :1])


@quiet(SHAPE, "the mask that comes out is not the one that went in, though T is the same")
class HidesFirstStep(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        mask = output.mask.clone()
        mask[:, 0] = False
        return Sequence(output.values, mask, output.times)


@quiet(SHAPE, "15 of 120 numbers are not finite")
class DividesByZero(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        return torch.cat([values[..., :-1], values[..., -1:].abs() / 0], dim=-1)


@fault("head", SHAPE, "forward() returned shape (3, 3), output() says (3, 5, 3)")
class ScoresClips(PlainHead):
    def forward(self, inputs: Sequence) -> Tensor:
        return super().forward(inputs).mean(dim=1)


@fault("map", SHAPE, "forward() returned shape (3, 5, 7), output() says (3, 5, 8)")
class LosesTarget(PlainMap):
    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values[..., 1:])


UNMODIFIED = "input_is_unmodified"


@quiet(UNMODIFIED, "in evaluation mode, 32 of 160 numbers changed")
class WritesInput(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        inputs.values[:, 0] = 0
        return super().forward(inputs)


@quiet(UNMODIFIED, "in training mode, 8 of 160 numbers changed")
class AugmentsInPlace(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        if self.training:
            inputs.values[0, 0] += 1
        return super().forward(inputs)


@quiet("eval_is_deterministic", "the same input gives outputs that are 1 apart")
class AlwaysDrops(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        seed = torch.initial_seed() % 2
        return super().finished(values + seed, inputs)


@quiet("eval_is_deterministic", "forward() seeds torch's global random numbers",
       "torch.manual_seed(); use a torch.Generator")  # fmt: skip
class Seeds(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        torch.manual_seed(0)
        return super().finished(values, inputs)


@quiet("batch_mates_are_independent", "clip 0 scores 5.1 differently without its batch mates")
class CentersBatch(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        return super().finished(values - values.mean(dim=0), inputs)


@quiet("one_step_works", "16 of 16 numbers are not finite")
class NormalizesTime(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        centered = values - values.mean(dim=1, keepdim=True)
        return super().finished(centered / centered.square().sum(dim=1, keepdim=True).sqrt(), inputs)


PADDING = "padding_is_invisible"


@quiet(PADDING, "what is real changes by 6e+02 with large numbers in the padding")
class AveragesAll(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        mean = inputs.values.mean(dim=1, keepdim=True)
        return inputs.with_values(super().forward(inputs).values + torch.where(inputs.mask.unsqueeze(-1), mean, 0.0))


@quiet(PADDING, "NaN comes out for clips with padding, with NaN in the padding")
class MultipliesByMask(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self.linear(inputs.values * inputs.mask.unsqueeze(-1)))


@quiet(PADDING, "NaN comes out for a clip without a real step, with large numbers in the padding")
class DividesByCount(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        return super().finished(values, inputs) / inputs.mask.sum(dim=1)[:, None, None]


@quiet(PADDING, "the mask that comes out depends on large numbers in the padding")
class MasksBySize(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return Sequence(output.values, output.mask | (inputs.values[..., 0].abs() > 100), output.times)


@quiet(PADDING, "a clip of 6 steps changes by 0.39 with 6 steps of padding behind it")
class DividesByLength(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        return super().finished(values, inputs) / inputs.mask.shape[1]


@fault("temporal", PADDING, "a clip of 8 steps changes by 0.89 with 4 steps of padding between its steps")
class MovesAtPadding(PlainTemporal):
    """A decaying sum whose state decays at padding, too."""

    def forward(self, inputs: Sequence) -> Sequence:
        state = self.initial_state(len(inputs.mask))
        steps = []
        for t in range(inputs.mask.shape[1]):
            y_t, state = self.step(inputs.step(t), state)
            steps.append(y_t.values)
        return inputs.with_values(torch.cat(steps, dim=1))

    def step(self, x_t: Sequence, state: Tensor) -> tuple[Sequence, Tensor]:
        return super().step(x_t, 0.5 * state)


@quiet(PADDING, "a clip of 8 steps changes by 0.79 with 4 steps of padding between its steps")
class ConvolvesZeros(Quiet):
    """A causal convolution in which padding is zeros: the step before a gap is not the one before."""

    def forward(self, inputs: Sequence) -> Sequence:
        mapped = torch.where(inputs.mask.unsqueeze(-1), self.linear(real(inputs)), 0.0)
        before = torch.nn.functional.pad(mapped, (0, 0, 1, 0))[:, :-1]
        return inputs.with_values(self.config.gain * self.finished(mapped + 0.5 * before, inputs))


@quiet(PADDING, "a clip of 6 steps changes by 6 with 6 steps of padding behind it")
class CountsFromTheBack(Quiet):
    """Every step knows its distance to the end of the batch."""

    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        left = torch.arange(inputs.mask.shape[1]).flip(0).unsqueeze(-1)
        return super().finished(values + left, inputs)


@fault("head", PADDING, "a clip of 8 steps changes by 9.2 with 4 steps of padding before it")
class CountsFrames(PlainHead):
    """Later frames count more; padded ones are counted."""

    def forward(self, inputs: Sequence) -> Tensor:
        scores: Tensor = self.linear(real(inputs)) * torch.arange(inputs.mask.shape[1]).unsqueeze(-1)
        return scores


@fault("temporal", "step_equals_forward",
       "step by step without the padding, scores are 1 away from those of the whole clip")  # fmt: skip
class StartsOtherwiseAlone(PlainTemporal):
    def initial_state(self, batch: int) -> Tensor:
        return super().initial_state(batch) + (batch == 1)


@fault("temporal", "future_is_invisible", "steps before 1 of 12 change by 21 when step 1 and later ones do")
class LooksAhead(PlainTemporal):
    def forward(self, inputs: Sequence) -> Sequence:
        values = real(inputs).sum(dim=1, keepdim=True).expand_as(inputs.values)
        return inputs.with_values(torch.where(inputs.mask.unsqueeze(-1), values, 0.0))


@fault("temporal", "step_equals_forward", "step by step, scores are 6.4 away from those of the whole clip")
class Forgets(PlainTemporal):
    def step(self, x_t: Sequence, state: Tensor) -> tuple[Sequence, Tensor]:
        return super().step(x_t, torch.zeros_like(state))


@fault("temporal", "future_is_invisible", "steps before 1 of 12 change by 2.1 when step 1 and later ones do")
class LooksAheadInLongClips(PlainTemporal):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        is_long = inputs.mask.sum(dim=1)[:, None, None] > 8
        return super().finished(values + 0.1 * values[:, -1:] * is_long, inputs)


@fault("temporal", "step_equals_forward", "is_causal is True and can_stream is False",
       "can_stream is not overridden; implement initial_state() and step() and let can_stream return True, "
       "or leave is_causal False")  # fmt: skip
class CausalWithoutStep(PlainTemporal):
    @property
    def can_stream(self) -> bool:
        return False


@fault("map", "step_equals_forward", "step by step, scores are 0.64 away from those of the whole clip")
class ForgetsScores(PlainMap):
    def forward(self, inputs: Sequence) -> Sequence:
        before = torch.where(inputs.mask.unsqueeze(-1), inputs.values, 0.0).cumsum(dim=1)
        return inputs.with_values(0.1 * before)


@fault("map", "padding_is_invisible", "what is real changes by 2e+02 with large numbers in the padding")
class MapsPadding(PlainMap):
    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(0.1 * inputs.values.cumsum(dim=1))


@fault("head", "step_equals_forward", "step by step, scores are 5.5 away from those of the whole clip")
class RelatesSteps(PlainHead):
    def forward(self, inputs: Sequence) -> Tensor:
        return self.linear(real(inputs).cumsum(dim=1))  # type: ignore[no-any-return]


@fault("motion", "still_clip_has_no_motion", "a clip that stands still moves by 0.01 relative")
class Drifts(PlainMotion):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return output.with_values(torch.where(inputs.mask[:, :, None, None, None], output.values + 0.01, 0.0))


@quiet("state_round_trips", "another module with the same state gives outputs that are 1 apart")
class HidesState(Quiet):
    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(config, stream)
        self.offset = torch.initial_seed() % 2

    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        return super().finished(values + self.offset, inputs)


@quiet("dials_turn", "gain turned to 2.0 is 4.9 away from a module built with it")
class CachesDial(Quiet):
    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(config, stream)
        self.gain = config.gain

    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return output.with_values(output.values / self.config.gain * self.gain)


@quiet("autocast_works", "RuntimeError: Index put requires the source and destination dtypes match, got Float for the "
       "destination and BFloat16 for the source.")  # fmt: skip
class FixesDtype(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        values = torch.zeros(*inputs.mask.shape, self.config.dim)
        values[inputs.mask] = self.linear(real(inputs))[inputs.mask]
        return inputs.with_values(self.config.gain * values)


@quiet("autocast_works", "120 of 120 numbers are not finite under bfloat16 autocast")
class Overflows(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        values = self.config.gain * self.linear(real(inputs))
        large = torch.where(inputs.mask.unsqueeze(-1), values.sign() * 1e6, 0.0)
        return inputs.with_values(large.half() if values.dtype == torch.bfloat16 else values)


FAULTS = planted(globals())
