"""Fitting the late fusion of an ensemble, on people whom neither the members were trained on nor anybody is judged by.

Members are run once. `weighted` gets the weights, and `stacking` the coefficients, by which what is true was most
probable. Likelihood is chosen and not F1: it is convex, so that there is one answer, and it moves with every sample,
while F1 is a staircase that a few samples decide. Every class counts alike, as in macro F1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.ensemble_model import Ensemble
from affectkit.errors import InputError, did_you_mean, listed
from affectkit.late.rules_net import WeightedFusion, log_odds, log_probabilities
from affectkit.late.stacking_fitting import Stacked, fit_stacking, stacking_loss
from affectkit.late.stacking_net import StackingFusion
from affectkit.late.weights_fitting import fit_weights
from affectkit.protocols.splits import split_subjects
from affectkit.streams import PredictionStream
from affectkit.training.examples import Examples
from affectkit.training.scoring import batches, check_others, evaluating, flat_labels, labels_of

# From almost the mean to almost free.
PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class LateFit:
    """What `fit_late_fusion` set.

    Attributes:
        weights: of `weighted`, by member; they sum to 1.
        penalties: of `stacking`, the chosen one by output.
        held_out: of `stacking`, by output and penalty the negative log-likelihood of people who were left out, in nats.
            The chosen one has the lowest, so that it is optimistic.
    """

    weights: Mapping[str, float]
    penalties: Mapping[str, float]
    held_out: Mapping[str, Mapping[float, float]]


class _Said(NamedTuple):
    """What the members say of one output: `(n, M, K)` float64; labels, how much each counts, and whose they are."""

    values: Tensor
    labels: NDArray[Any]
    counts: NDArray[np.float64]
    subjects: NDArray[np.str_]


def fit_late_fusion(
    ensemble: Ensemble,
    examples: Examples,
    *,
    used_elsewhere: Iterable[str] = (),
    outputs: Iterable[str] | None = None,
    penalty: float | None = None,
    seed: int = 0,
) -> LateFit:
    """Set the weights of `weighted`, or the coefficients of `stacking`; members stay as they are.

    Arguments:
        ensemble: joined by scores, by one of the two. Weights are the same for all outputs, as they are in the config.
        examples: the validation part, with labels of the joined targets in their order, as the ensemble's own loss
            takes them. A label that is not valid counts nothing.
        used_elsewhere: subjects that a member was trained on or that will be judged; none may be in `examples`.
        outputs: which ones to fit by; None for all that there are labels of.
        penalty: of `stacking`; None to choose one of `PENALTIES` by five folds over the subjects.
        seed: of these folds.

    Raises:
        InputError: another fusion; no labels; a class that nobody shows, or a label that everybody or nobody has; a
            member that is not finite, or that may be dropped for it; values instead of classes or labels; a subject
            that is used elsewhere; fewer than two subjects to choose a penalty by, or a penalty that is not above 0.
    """
    joins_scores = ensemble.config.level == "scores"
    fusions: dict[str, Any] = {name: ensemble.fusion[name] for name in ensemble.fusion} if joins_scores else {}
    kinds = {type(fusion) for fusion in fusions.values()}
    if kinds not in ({WeightedFusion}, {StackingFusion}):
        raise InputError(
            f"fusion: {type(ensemble.config.fusion).__name__} is not fitted here; "
            "join scores by WeightedFusionConfig or StackingConfig"
        )
    if ensemble.config.on_nan == "drop":
        raise InputError("on_nan: 'drop', and a fit needs every member in every row; fit with 'refuse', then set it")
    if penalty is not None and not 0 < penalty < float("inf"):
        raise InputError(f"penalty: {penalty!r}; give more than 0, or None to choose one")
    check_others(examples, used_elsewhere)
    said = _listen(ensemble, _labeled(ensemble, examples, outputs), examples)
    if kinds == {WeightedFusion}:
        return LateFit(weights=_set_weights(ensemble, said), penalties={}, held_out={})
    found = {name: _set_stacking(fusions[name], one, penalty, seed) for name, one in said.items()}
    return LateFit(
        weights={},
        penalties={name: chosen for name, (chosen, _) in found.items()},
        held_out={name: losses for name, (_, losses) in found.items()},
    )


def _labeled(ensemble: Ensemble, examples: Examples, outputs: Iterable[str] | None) -> dict[str, str]:
    """Outputs to fit by, and under which names the examples have their labels."""
    found: dict[str, str] = {}
    missing: list[InputError] = []
    for name in ensemble.fusion if outputs is None else outputs:
        if name not in ensemble.fusion:
            raise InputError(f"outputs: {name!r} is not joined; {did_you_mean(name, ensemble.fusion, noun='joined')}")
        try:
            found[name] = labels_of(ensemble, name, examples)
        except InputError as error:
            if outputs is not None:
                raise
            missing.append(error)
    if not found:
        raise missing[0] if missing else InputError("outputs: none; name one, or leave it out for all with labels")
    for name in found:
        if (problem := ensemble.traced.outputs[name].problem) not in ("multiclass", "multilabel"):
            others = "name the outputs of classes or labels in outputs="
            raise InputError(f"fusion.{name}: problem {problem!r} has no likelihood; {others}")
    return found


def _listen(ensemble: Ensemble, labeled: Mapping[str, str], examples: Examples) -> dict[str, _Said]:
    """One pass: what each late fusion is given, with labels."""
    heard: dict[str, list[Tensor]] = {name: [] for name in labeled}
    real: dict[str, list[Tensor]] = {name: [] for name in labeled}
    with ExitStack() as stack:
        for name in labeled:

            def note(module: Any, given: tuple[Mapping[str, Tensor]], name: str = name) -> None:
                heard[name].append(module.stacked(given[0]).double().cpu())

            hook = ensemble.fusion[name].register_forward_pre_hook(note)
            stack.callback(hook.remove)
        stack.enter_context(evaluating(ensemble))
        for batch in batches(ensemble, examples):
            _, clocks = ensemble.run(batch, None, {}, {})
            for name in labeled:
                real[name].append(clocks[name][0].cpu())
    return {
        name: _with_labels(name, torch.cat(heard[name]), torch.cat(real[name]), ensemble, labeled[name], examples)
        for name in labeled
    }


def _with_labels(name: str, values: Tensor, mask: Tensor, ensemble: Ensemble, label: str, examples: Examples) -> _Said:
    stream = ensemble.traced.outputs[name]
    path = f"fusion.{name}"
    *steps, members, targets = values.shape
    labels, valid = flat_labels(examples.targets[label], (*steps, targets), mask, stream.problem, path)
    values = values.reshape(-1, members, targets)
    counted = torch.from_numpy(valid if valid.ndim == 1 else valid.any(axis=1))
    _check_shown(labels, valid, stream, label)
    subjects = np.repeat(np.asarray(examples.subjects, np.str_), len(labels) // len(examples))
    rows = counted.numpy()
    counts = balanced_counts(labels, valid)
    return _Said(values[counted], np.where(valid, labels, 0)[rows].astype(np.int64), counts[rows], subjects[rows])


def _check_shown(labels: NDArray[Any], valid: NDArray[np.bool_], stream: PredictionStream, label: str) -> None:
    """Raise InputError where something can't be learned, because there is no example of it."""
    hint = "add people who show it, or drop it from the members' targets"
    if stream.problem == "multiclass":
        shown = set(labels[valid].tolist())
        empty = [target for k, target in enumerate(stream.targets) if k not in shown]
        if empty:
            raise InputError(f"examples: no {label} label is {listed(empty)}; {hint}")
        return
    for k, target in enumerate(stream.targets):
        shown = set(labels[:, k][valid[:, k]].tolist())
        for value, word in ((1, "with"), (0, "without")):
            if value not in shown:
                raise InputError(f"examples: no {label} label is {word} {target!r}; {hint}")


def balanced_counts(labels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much each label counts so that all classes count alike; of labels, all targets, and in each yes and no.

    Arguments:
        labels: class numbers `(n,)`, or 0 and 1 `(n, K)`.
        valid: of the same shape; what is not valid counts 0.

    Returns:
        Of the same shape, with a sum of 1.
    """
    counts = np.zeros((len(labels), 1 if labels.ndim == 1 else labels.shape[1]))
    columns = (part.reshape(counts.shape) for part in (labels, valid))
    for column, known, into in zip(*(part.T for part in columns), counts.T, strict=True):
        for value in np.unique(column[known]):
            here = known & (column == value)
            into[here] = 1 / here.sum()
    found: NDArray[np.float64] = counts.reshape(labels.shape) / counts.sum()
    return found


def _set_weights(ensemble: Ensemble, said: Mapping[str, _Said]) -> dict[str, float]:
    """The same weights for all outputs, each of which counts alike."""
    rows, counts = [], []
    for one in said.values():
        values, labels = one.values.numpy(), one.labels
        if labels.ndim == 1:
            rows.append(np.take_along_axis(values, labels[:, None, None], axis=2)[..., 0])
            counts.append(one.counts)
        else:
            happened = np.where(labels[:, None, :] == 1, values, 1 - values)
            rows.append(happened.transpose(0, 2, 1).reshape(-1, happened.shape[1]))
            counts.append(one.counts.reshape(-1))
    found = fit_weights(np.concatenate(rows), np.concatenate(counts) / len(said))
    first = ensemble.fusion[next(iter(said))]
    weights = dict(zip(first.members, found.tolist(), strict=True))
    config = replace(ensemble.config, fusion=replace(first.config, weights=weights))
    ensemble._adopt(config, config.trace(registry=ensemble.registry))
    return weights


def _set_stacking(
    fusion: StackingFusion, said: _Said, penalty: float | None, seed: int
) -> tuple[float, dict[float, float]]:
    """Fits one output; the penalty, and the losses that it was chosen by."""
    log = log_probabilities if fusion.stream.problem == "multiclass" else log_odds
    inputs, truth, counts = log(said.values), torch.from_numpy(said.labels), torch.from_numpy(said.counts)
    start = fusion.mean_start(inputs.dtype)
    losses = {} if penalty is not None else _held_out(inputs, truth, counts, said.subjects, start, seed)
    # of equally good ones the first, which is the strongest
    chosen = min(losses, key=losses.__getitem__) if penalty is None else penalty
    found = fit_stacking(inputs, truth, counts, start, penalty=chosen)
    with torch.no_grad():
        fusion.weight.copy_(found.weight)
        fusion.bias.copy_(found.bias)
    return chosen, losses


def _held_out(
    inputs: Tensor, truth: Tensor, counts: Tensor, subjects: NDArray[np.str_], start: Stacked, seed: int
) -> dict[float, float]:
    """By penalty the loss of those who were left out, summed over folds."""
    people = len(set(subjects.tolist()))
    if people < 2:
        raise InputError(f"examples: {people} subject; choosing a penalty needs at least 2, or give penalty=")
    losses = dict.fromkeys(PENALTIES, 0.0)
    for fold in split_subjects(subjects.tolist(), min(FOLDS, people), seed=seed):
        train, test = list(fold.train), list(fold.test)
        share = counts[train] / counts[train].sum()
        for penalty in PENALTIES:
            moved = fit_stacking(inputs[train], truth[train], share, start, penalty=penalty)
            losses[penalty] += stacking_loss(moved, inputs[test], truth[test], counts[test]).item()
    return losses
