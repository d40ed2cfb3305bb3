"""What a magnifier of flow does to motion: |flow_mag| / |flow|, beside the alpha that it was asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from affectkit.dials import find_dials
from affectkit.model import Model
from affectkit.motion.flow_magnifier_net import FlowMagnifier
from affectkit.motion.flow_maps_net import magnitude
from affectkit.sequences import Batch, Sequence


class Gain(NamedTuple):
    """Of one magnifier at one turn of its dial: path of the stage, alpha, and the median gain over clips and steps."""

    stage: str
    alpha: float
    gain: float


def measure_gains(model: Model, batch: Batch) -> list[Gain]:
    """What every `flow-magnifier` of a model does with a batch, for every alpha of its dial's domain.

    NaN where nothing moves in any clip. The model's dials and mode are afterwards what they were before.
    """
    found = []
    for path, stage in model.stages().items():
        if not isinstance(stage, FlowMagnifier):
            continue
        domain = next(dial.domain for dial in find_dials(stage.config, path) if dial.path == f"{path}.alpha")
        for alpha in domain.choices:
            seen: list[Tensor] = []

            def watch(module: Any, inputs: tuple[Sequence], output: Sequence, seen: list[Tensor] = seen) -> None:
                is_real = inputs[0].mask
                seen.append(measure_gain(inputs[0].values[is_real], output.values[is_real]))

            handle = stage.register_forward_hook(watch)
            try:
                with model.dialed({f"{path}.alpha": alpha}):
                    model.predict(batch)
            finally:
                handle.remove()
            found.append(Gain(path, alpha, float(torch.cat(seen).nanmedian())))
    return found


def measure_gain(flow: Tensor, magnified: Tensor, *, least: float = 0.05) -> Tensor:
    """How many times as long motion became, `(N,)`: the median of |flow_mag| / |flow| over each map's moving pixels.

    Arguments:
        flow: `(N, 2 or more, H, W)`, u and v first.
        magnified: the same, magnified.
        least: in units of the flow; what moves by less is still. NaN for a map in which nothing moves.
    """
    before, after = (magnitude(one[:, :2]).flatten(1) for one in (flow, magnified))
    ratio = torch.where(before >= least, after / before.clamp(min=least), torch.nan)
    return ratio.nanmedian(dim=1).values
