"""What the labels of the training half say of the weights in the losses: how frequent classes and action units are."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any, Literal

from affectkit.configs import ModelConfig
from affectkit.errors import DataWarning
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.linear_head import ClassHeadConfig
from affectkit.sequences import Targets
from affectkit.training.examples import Examples


def balance(
    config: ModelConfig,
    examples: Examples,
    kind: Literal["balanced", "root"] = "balanced",
    *,
    without: str | None = None,
) -> ModelConfig:
    """Give heads that say nothing of it the frequencies of their targets among the valid labels of `examples`.

    A head of classes gets weights such that every class has the same sum of them, or with `root` the square roots of
    such weights; a class that no example has keeps weight 1. A head of occurring action units gets `positive_rates`; a
    unit that is never active keeps weight 1. Both are warned of: nothing can be learned of them. The head `without` is
    left as it is.
    """
    heads: dict[str, Any] = dict(getattr(config, "heads", {}))
    for name, head in heads.items():
        if name not in examples.targets or name == without:
            continue
        if isinstance(head, ClassHeadConfig) and head.class_weights is None:
            weights = _class_weights(name, head.targets, examples.targets[name])
            if kind == "root":
                weights = tuple(math.sqrt(weight) for weight in weights)
            heads[name] = replace(head, class_weights=weights)
        elif isinstance(head, ActionUnitsConfig) and not head.intensity and head.positive_rates is None:
            heads[name] = replace(head, positive_rates=_positive_rates(name, head.targets, examples.targets[name]))
    return replace(config, heads=heads) if heads else config  # type: ignore[call-arg]


def _class_weights(name: str, targets: tuple[str, ...], labels: Targets) -> tuple[float, ...]:
    # flat: a label per frame has a row of them per segment
    counts = labels.values[labels.valid].clamp(min=0).bincount(minlength=len(targets))[: len(targets)].tolist()
    for target, count in zip(targets, counts, strict=True):
        if not count:
            _warn(f"heads.{name}: no example of {target!r}; it can't be learned")
    return tuple(sum(counts) / (len(counts) * count) if count else 1.0 for count in counts)


def _positive_rates(name: str, targets: tuple[str, ...], labels: Targets) -> tuple[float, ...] | None:
    values, valid = (part.reshape(-1, part.shape[-1]) for part in labels)
    active = values.masked_fill(~valid, 0).double().sum(dim=0)
    rates = (active / valid.sum(dim=0).clamp(min=1)).tolist()
    for target, rate in zip(targets, rates, strict=False):  # the head itself says where their numbers differ
        if not rate > 0:
            _warn(f"heads.{name}: no example of active {target!r}; it can't be learned")
    known = [1 / rate for rate in rates if rate > 0]
    # the harmonic mean of the others: with it, the weight of the unit is 1, the mean of all
    return tuple(rate if rate > 0 else len(known) / sum(known) for rate in rates) if known else None


def _warn(text: str) -> None:
    warnings.warn(text, DataWarning, stacklevel=5)
