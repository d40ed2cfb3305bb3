"""What comes out of a built model: heads on features, maps on scores, the stages' own losses, and decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from affectkit.errors import InputError, did_you_mean, join
from affectkit.interfaces import Stage, State, decode
from affectkit.sequences import Losses, Scores, Sequence, Targets

# Mask and times by output, `(B, T)`.
Clocks = dict[str, tuple[Tensor, Tensor]]


def score_heads(model: Any, features: Sequence, targets: Mapping[str, Targets] | None, losses: Losses) -> Scores:
    """Run heads on features, and add their losses for which there are targets."""
    scores: Scores = {}
    for name in model.heads:
        head = model.heads[name]
        scores[name] = head(features)
        if targets is not None and name in targets:
            try:
                loss = head.loss(scores[name], targets[name], features.mask)
            except InputError as error:
                raise name_head(error, name) from None
            losses[f"heads.{name}"] = loss * head.config.weight
    return scores


def name_head(error: InputError, name: str) -> InputError:
    """The same error with the head's name in its path: a head does not know its own."""
    text = str(error)
    return InputError(f"targets.{name}{text.removeprefix('targets')}" if text.startswith("targets") else text)


def run_maps(
    model: Any, scores: Scores, clocks: Clocks, states: dict[str, State] | None = None
) -> tuple[Scores, Clocks]:
    """Add what the maps give, in order; one time step with `states`, which change in place, or else whole clips."""
    for name in model.maps:
        part, path = model.maps[name], f"maps.{name}"
        given = as_sequence(scores[part.config.source], *clocks[part.config.source])
        if states is None:
            mapped = part(given)
        else:
            mapped, states[path] = part.step(given, states[path])
        of_clips = model.traced.outputs[name].resolution == "clip"
        scores[name] = mapped.values[:, 0] if of_clips else mapped.values
        clocks[name] = mapped.mask, mapped.times
    return scores, clocks


def as_sequence(scores: Tensor, mask: Tensor, times: Tensor) -> Sequence:
    """Scores as maps take them, `(B, T, K)`: those of clips become one step, real if anything in the clip is."""
    if scores.ndim == 2:
        return Sequence(scores.unsqueeze(1), mask.any(dim=1, keepdim=True), times[:, :1])
    return Sequence(scores, mask, times)


def decode_output(model: Any, name: str, scores: Tensor) -> Tensor:
    """A head decodes its own scores; a map's or an ensemble's are decoded by their problem."""
    outputs = model.traced.outputs
    if name not in outputs:
        raise InputError(f"decode: no output {name!r}; {did_you_mean(name, outputs, noun='outputs')}")
    if name in model.heads:
        return model.heads[name].predict(scores)  # type: ignore[no-any-return]
    return decode(scores, outputs[name].problem)


def add_auxiliary(
    losses: Losses, path: str, stage: Stage[Any], inputs: Any, output: Any, targets: Mapping[str, Targets] | None
) -> None:
    """Add a stage's own losses, weighted, if losses are wanted."""
    # an empty mapping still asks for losses: those of a stage may need no labels
    if targets is not None and type(stage).auxiliary is not Stage.auxiliary:
        for name, loss in stage.auxiliary(inputs, output, targets).items():
            losses[join(path, name)] = loss * stage.config.aux_weight
