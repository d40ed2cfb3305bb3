"""Checks of a built module's forward pass: shapes, independence, padding, causality, storage. Evaluation mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load as load_state, save as save_state
from torch import Tensor

from affectkit.dials import find_dials, turn
from affectkit.testing.checks import CLOCKED, GAPLESS, MODULES, TIMED, Check, check
from affectkit.testing.examples import (
    LONG_WINDOW,
    NAN,
    clip_of,
    copied,
    full_mask,
    pad_with,
    padded_masks,
    ragged_mask,
    span,
    tensors,
    with_values,
    without_padding,
)
from affectkit.testing.outputs import check_output, real_steps
from affectkit.testing.results import CheckFailed, CheckSkipped
from affectkit.testing.subjects import Subject, apart, run, seeded, values_of

_NO_STREAM = (
    "can_stream is not overridden; implement initial_state() and step() and let can_stream return True, "
    "or leave is_causal False"
)


@check(*MODULES, cause="a wrong base class, no super().__init__(config), or auxiliary() without a field aux_weight")
def module_builds(subject: Subject) -> None:
    assert subject.module is not None


@check(*MODULES, cause="output() of the config and forward() of the module were not changed together")
def output_has_the_declared_shape(subject: Subject) -> None:
    inputs = subject.inputs()
    check_output(subject, inputs, run(subject.module, inputs))


@check(*MODULES, cause="an operation in place (x += ..., x[...] = ..., relu_()) on the input; work on a new tensor")
def input_is_unmodified(subject: Subject) -> None:
    inputs = subject.inputs(mask=_mask(subject))
    before = copied(inputs)
    for module in (subject.module, subject.learner()):
        with seeded(0):
            run(module, inputs)
        for now, then in zip(tensors(inputs), tensors(before), strict=True):
            if not torch.equal(now, then):
                mode = "training" if module.training else "evaluation"
                raise CheckFailed(f"in {mode} mode, {int((now != then).sum())} of {now.numel()} numbers changed")


@check(*MODULES, cause="random numbers in evaluation mode, such as F.dropout without training=self.training")
def eval_is_deterministic(subject: Subject) -> None:
    inputs = subject.inputs()
    outputs, states = [], []
    for seed in (1, 2):
        with seeded(seed):
            outputs.append(values_of(run(subject.module, inputs)))
            states.append(torch.get_rng_state())
    if torch.equal(*states):
        raise CheckFailed("forward() seeds torch's global random numbers", "torch.manual_seed(); use a torch.Generator")
    if not torch.equal(*outputs):
        raise CheckFailed(f"the same input gives outputs that are {_gap(*outputs):.2g} apart")


@check(*MODULES, cause="a mean, a normalization or a softmax over the batch axis")
def batch_mates_are_independent(subject: Subject) -> None:
    inputs = subject.inputs()
    together = values_of(run(subject.module, inputs))
    for clip in range(len(together)):
        alone = values_of(run(subject.module, clip_of(inputs, clip)))
        if gap := apart(alone, together[clip : clip + 1]):
            raise CheckFailed(f"clip {clip} scores {gap:.2g} differently without its batch mates")


@check(
    *CLOCKED, cause="a squeeze(), a difference or a standard deviation over time that takes several steps for granted"
)
def one_step_works(subject: Subject) -> None:
    if subject.has_fixed_steps:
        raise CheckSkipped("not claimed: its steps are fixed")
    inputs = subject.inputs(2, 1)
    check_output(subject, inputs, run(subject.module, inputs))


@check(
    *CLOCKED,
    cause="a mean, softmax or convolution over all steps, or a state that padding moves; use the mask, by torch.where "
    "and not by a factor",
)
def padding_is_invisible(subject: Subject) -> None:
    mask = ragged_mask(subject.steps)
    inputs = subject.inputs(mask=mask)
    output = run(subject.module, inputs)
    plain, real = values_of(output), real_steps(inputs, output)
    # heads give finite scores for padding, so that a map need not fear NaN there
    fills = {"large numbers": 1e3} if subject.spec.kind == "map" else {"large numbers": 1e3, "NaN": NAN}
    for name, fill in fills.items():
        filled = run(subject.module, pad_with(inputs, fill))
        padded = values_of(filled)
        if padded.isnan().any():
            empty = "a clip without a real step" if not padded[:3].isnan().any() else "clips with padding"
            raise CheckFailed(f"NaN comes out for {empty}, with {name} in the padding")
        if not torch.equal(real_steps(inputs, filled), real):
            raise CheckFailed(f"the mask that comes out depends on {name} in the padding")
        if gap := apart(padded[real], plain[real]):
            raise CheckFailed(f"what is real changes by {gap:.2g} with {name} in the padding")
    if subject.has_fixed_steps:
        return
    for place, clip in padded_masks(_window(subject)).items():
        if place != "behind it" and subject.spec.kind not in GAPLESS:
            continue
        inputs = subject.inputs(mask=clip)
        padded = values_of(run(subject.module, inputs))
        alone = values_of(run(subject.module, without_padding(inputs, clip)))
        if padded.shape[:2] == clip.shape and alone.shape[1] != clip.shape[1]:
            padded = padded[:, clip[0]]
        if alone.shape == padded.shape and (gap := apart(alone, padded)):
            count = int(clip.sum())
            fact = f"a clip of {count} steps changes by {gap:.2g} with {clip.shape[1] - count} steps of padding {place}"
            raise CheckFailed(fact)


@check(
    *TIMED,
    cause="attention without a causal mask, a convolution padded on both sides, or a statistic of the whole clip",
    claimed=lambda subject: bool(getattr(subject.config, "is_causal", False)),
)
def future_is_invisible(subject: Subject) -> None:
    steps = _window(subject)
    inputs = subject.inputs(steps=steps)
    before = values_of(run(subject.module, inputs))
    for t in range(1, steps):
        changed = values_of(run(subject.module, _later(inputs, t)))
        if gap := apart(changed[:, :t], before[:, :t]):
            raise CheckFailed(f"steps before {t} of {steps} change by {gap:.2g} when step {t} and later ones do")


@check(*CLOCKED, cause="a state that misses something, or is updated by padding; let step() and forward() share code")
def step_equals_forward(subject: Subject) -> None:
    module = subject.module
    if not module.can_stream:
        if getattr(subject.config, "is_causal", False):
            raise CheckFailed("is_causal is True and can_stream is False", _NO_STREAM)
        raise CheckSkipped("not claimed: can_stream is False")
    if subject.has_fixed_steps or getattr(subject.output, "resolution", "frame") == "clip":
        raise CheckSkipped("not claimed: it works on whole clips")
    mask = ragged_mask(_window(subject))
    inputs = subject.inputs(mask=mask)
    whole = run(module, inputs)
    real = real_steps(inputs, whole)
    if gap := apart(_step_by_step(subject, inputs)[real], values_of(whole)[real]):
        raise CheckFailed(f"step by step, scores are {gap:.2g} away from those of the whole clip")
    if subject.spec.kind not in GAPLESS:
        return
    for clip in padded_masks(_window(subject)).values():
        inputs = subject.inputs(mask=clip)
        skipping = _step_by_step(subject, without_padding(inputs, clip))
        if gap := apart(skipping, values_of(run(module, inputs))[:, clip[0]]):
            raise CheckFailed(
                f"step by step without the padding, scores are {gap:.2g} away from those of the whole clip"
            )


@check(
    "motion",
    cause="interpolation at the border, or a scale by the largest value without a floor",
    claimed=lambda subject: (
        subject.config.context > 1 and subject.stream.unit == "intensity" and subject.output.unit != "intensity"
    ),
)
def still_clip_has_no_motion(subject: Subject) -> None:
    inputs = subject.inputs()
    still = inputs.with_values(inputs.values[:, :1].expand_as(inputs.values).clone())
    largest = run(subject.module, still).values.abs().max().item()
    if not largest <= 1e-3:
        raise CheckFailed(f"a clip that stands still moves by {largest:.2g} {subject.output.unit}")


@check(*MODULES, cause="a tensor kept as a plain attribute; make it a parameter or register_buffer()")
def state_round_trips(subject: Subject) -> None:
    inputs = subject.inputs()
    # copies: safetensors refuses tied tensors, which the artifact handles on its own
    state = {key: tensor.detach().clone().contiguous() for key, tensor in subject.module.state_dict().items()}
    other = subject.build(seed=1)
    other.load_state_dict(load_state(save_state(state)))
    one, two = (values_of(run(module, inputs)) for module in (subject.module, other))
    if not torch.equal(one, two):
        raise CheckFailed(f"another module with the same state gives outputs that are {_gap(one, two):.2g} apart")


@check(
    *MODULES,
    cause="a dial that is read in __init__; read self.config at every forward",
    claimed=lambda subject: any(True for _ in find_dials(subject.config)),
)
def dials_turn(subject: Subject) -> None:
    inputs, module = subject.inputs(), subject.build()
    for dial in find_dials(subject.config):
        for value in dial.domain.choices or (dial.domain.low, dial.domain.high):
            config = turn(subject.config, {dial.path: value})
            if subject.output_of(config, subject.stream) != subject.output:
                continue  # the model refuses to turn it so far
            module.config = config
            fresh = subject.build(config=config)
            fresh.load_state_dict(module.state_dict())
            turned = values_of(run(module, inputs))
            if gap := apart(turned, values_of(run(fresh, inputs))):
                raise CheckFailed(f"{dial.path} turned to {value!r} is {gap:.2g} away from a module built with it")
        module.config = subject.config


@check(
    *MODULES,
    cause="a tensor of a fixed dtype that is filled from one whose dtype autocast chose",
)
def autocast_works(subject: Subject) -> None:
    given = [subject.inputs()]
    if subject.spec.kind in ("temporal", "fusion", "head"):
        given.append(with_values(Tensor.bfloat16, given[0]))  # what a network before it puts out under autocast
    for inputs in given:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values = values_of(run(subject.module, inputs))
        if not values.isfinite().all():
            count = int((~values.isfinite()).sum())
            raise CheckFailed(f"{count} of {values.numel()} numbers are not finite under bfloat16 autocast")


def _mask(subject: Subject) -> Tensor:
    return ragged_mask(subject.steps) if subject.spec.kind in CLOCKED else full_mask(3, subject.steps)


def _step_by_step(subject: Subject, inputs: Any) -> Tensor:
    """Values of every step, given one at a time."""
    mask = next(iter(inputs.values())).mask if isinstance(inputs, Mapping) else inputs.mask
    state = subject.module.initial_state(len(mask))
    steps = []
    for t in range(mask.shape[1]):
        x_t = span(inputs, t, t + 1)
        with torch.no_grad():
            if subject.spec.kind == "head":  # a head has no step(): every step is scored alone
                y_t = subject.module(x_t)
            else:
                y_t, state = subject.module.step(x_t, state)
        steps.append(values_of(y_t))
    return torch.cat(steps, dim=1)


def _window(subject: Subject) -> int:
    """T of the examples where many steps show more than a few; pictures are too slow for that."""
    is_short = subject.has_fixed_steps or subject.spec.kind in ("motion", "features")
    return subject.steps if is_short else LONG_WINDOW


def _later(inputs: Any, t: int) -> Any:
    """Other values from step `t` on; reversed, not shifted, since a normalization would hide a shift."""
    return with_values(lambda values: torch.cat([values[:, :t], 3 * values[:, t:].flip(-1)], dim=1), inputs)


def _gap(one: Tensor, two: Tensor) -> float:
    return (one - two).abs().max().item()


CHECKS: tuple[Check, ...] = (
    module_builds,
    output_has_the_declared_shape,
    input_is_unmodified,
    eval_is_deterministic,
    batch_mates_are_independent,
    one_step_works,
    padding_is_invisible,
    future_is_invisible,
    step_equals_forward,
    still_clip_has_no_motion,
    state_round_trips,
    dials_turn,
    autocast_works,
)
