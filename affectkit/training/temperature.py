"""Fitting the score map `temperature` of a trained model, or one for each member of an ensemble before they are joined.

On a part of the data that is for choosing, and on no other: the model was trained on others, and is judged by others.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import DataWarning, InputError, did_you_mean, listed
from affectkit.graphs import OnnxConfig, check_no_graphs
from affectkit.maps.temperature import TemperatureConfig
from affectkit.maps.temperature_net import Temperature
from affectkit.metrics.temperature import find_temperature
from affectkit.model import Model
from affectkit.sequences import Targets
from affectkit.training.examples import Examples
from affectkit.training.fitted_maps import map_to_fit
from affectkit.training.scoring import (
    batches,
    check_others,
    device_of,
    evaluating,
    flat_labels,
    labels_of,
    score_output,
)

ACCEPTED = ("multiclass", "multilabel")


def fit_temperature(model: Model, name: str, examples: Examples, *, used_elsewhere: Iterable[str] = ()) -> float:
    """Set the temperature of a map to the one with the lowest negative log-likelihood on the examples.

    Arguments:
        model: whose weights stay as they are.
        name: of its map `temperature`.
        examples: the validation part, and nothing else: every valid label in it counts.
        used_elsewhere: subjects that the model was trained on or will be judged by; none may be in `examples`.

    Returns:
        T: above 1 the scores were too sure.

    Warns:
        DataWarning: the best temperature is below 0.05 or above 20, which it then is; or no example shows a class, or a
            unit active.

    Raises:
        InputError: no such map, no labels for it, a subject is used elsewhere, or a score is NaN.
    """
    part = map_to_fit(model, name, Temperature, "of a temperature")
    check_others(examples, used_elsewhere)
    source = part.config.source
    labels = examples.targets[labels_of(model, source, examples)]
    scores, mask = score_output(model, source, examples)
    flat = flat_labels(labels, tuple(scores.shape), mask, model.traced.outputs[source].problem, source)
    _warn_of_absent(source, model.traced.outputs[source].targets, *flat, level=3)
    found = _find(source, scores.reshape(-1, scores.shape[-1]).numpy(), *flat)
    part.temperature.fill_(found)
    return found


def calibrate_members(
    ensemble: Ensemble,
    examples: Examples,
    *,
    used_elsewhere: Iterable[str] = (),
    outputs: Iterable[str] | None = None,
) -> tuple[Ensemble, dict[str, dict[str, float]]]:
    """An ensemble whose members have a fitted temperature each, so that no member outvotes others by being too sure.

    Each member gets a map `<output>_calibrated`, of every output of classes or labels that is joined; then these are
    what is joined, under that name. Temperatures are fitted on the joined targets alone. Members are run once.

    Arguments:
        ensemble: joined by scores; stays as it is.
        examples: labels of the joined targets, in their order, as the ensemble's own loss takes them.
        used_elsewhere: as of `fit_temperature`.
        outputs: which ones to calibrate; the others are joined as they are. None for all of classes or labels.

    Returns:
        A copy with the maps, in evaluation mode; temperatures by output as it was called, and by member.

    Warns:
        DataWarning: as `fit_temperature`.

    Raises:
        InputError: the ensemble joins features, or nothing that has a temperature; its members are tied; a member is
            an exported pipeline, or has such a map already; or as `fit_temperature`.
    """
    config = ensemble.config
    if config.level == "features":
        hint = "write a map `temperature` of its own head into its config, and calibrate that without temperatures"
        raise InputError(f"ensemble: joined by features; {hint}")
    if config.tied:
        raise InputError(
            "ensemble: its members are tied, so that they share a temperature; calibrate the one model first"
        )
    check_no_graphs(config, "to which no map can be added; calibrate the pipeline that it was made of, then export it")
    check_others(examples, used_elsewhere)
    chosen = tuple(ensemble.fusion) if outputs is None else tuple(outputs)
    for name in chosen:
        if name not in ensemble.fusion:
            raise InputError(f"outputs: {name!r} is not joined; {did_you_mean(name, ensemble.fusion, noun='joined')}")
    streams = {name: ensemble.traced.outputs[name] for name in chosen}
    names = {name: f"{name}_calibrated" for name, stream in streams.items() if stream.problem in ACCEPTED}
    if not names:
        raise InputError("ensemble: joins values only, which have no temperature; join classes or labels")
    for member, one in config.members.items():
        if there := [name for name in names.values() if name in getattr(one, "maps", {})]:
            raise InputError(f"members.{member}: has {there[0]!r} already; fit it by fit_temperature")
    labels = {name: examples.targets[labels_of(ensemble, name, examples)] for name in names}
    found = _fit_members(ensemble, labels, examples)
    return _with_temperatures(ensemble, names, found), found


def _fit_members(ensemble: Ensemble, labels: Mapping[str, Targets], examples: Examples) -> dict[str, dict[str, float]]:
    """By output and member, of raw scores of the joined targets."""
    found: dict[str, dict[str, float]] = {name: {} for name in labels}
    for member, scored in _score_members(ensemble, tuple(labels), examples).items():
        for name, (scores, mask) in scored.items():
            joined = ensemble.traced.outputs[name]
            own = ensemble.members[member].traced.outputs[name].targets
            known = [k for k, target in enumerate(joined.targets) if target in own]
            path = f"members.{member}.{name}"
            shape = (*scores.shape[:-1], len(joined.targets))
            flat = flat_labels(labels[name], shape, mask, joined.problem, path)
            if not found[name]:
                _warn_of_absent(name, joined.targets, *flat, level=4)
            # of fewer classes a softmax over them is what the ensemble renormalizes to, at any temperature
            kept = scores[..., [own.index(joined.targets[k]) for k in known]].reshape(-1, len(known)).numpy()
            found[name][member] = _find(path, kept, *_restricted(*flat, known))
    return found


def _score_members(
    ensemble: Ensemble, names: tuple[str, ...], examples: Examples
) -> dict[str, dict[str, tuple[Tensor, Tensor]]]:
    """Raw scores and masks by member and output, each member run once over all examples."""
    parts: dict[str, dict[str, list[tuple[Tensor, Tensor]]]] = {
        member: {name: [] for name in names} for member in ensemble.members
    }
    with evaluating(ensemble):
        for batch in batches(ensemble, examples):
            # what members share is computed once per device
            memos: dict[torch.device, Any] = {}
            for member, own in ensemble.member_batches(batch).items():
                device = device_of(ensemble.members[member])
                inputs = {key: one.to(device) for key, one in own.items()}
                scores, clocks = ensemble.members[member].run(inputs, None, {}, memos.setdefault(device, {}))
                for name in names:
                    parts[member][name].append((scores[name].float().cpu(), clocks[name][0].cpu()))
    return {
        member: {name: (torch.cat([s for s, _ in one]), torch.cat([m for _, m in one])) for name, one in found.items()}
        for member, found in parts.items()
    }


def _restricted(
    labels: NDArray[Any], valid: NDArray[np.bool_], known: list[int]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Labels of the joined targets as those of the `known` ones; a class that a member does not know is not valid."""
    if labels.ndim == 2:
        return labels[:, known], valid[:, known]
    places = {k: at for at, k in enumerate(known)}
    own = np.array([places.get(int(label), -1) for label in np.where(valid, labels, 0)], np.int64)
    return own, valid & (own >= 0)


def _warn_of_absent(
    path: str, targets: tuple[str, ...], labels: NDArray[Any], valid: NDArray[np.bool_], *, level: int
) -> None:
    """Say of which classes the temperature is not; `level` is how far up the caller is."""
    if labels.ndim == 1:
        shown = np.isin(np.arange(len(targets)), labels[valid])
    else:
        shown = np.any((labels > 0) & valid, axis=0)
    if absent := [target for target, is_shown in zip(targets, shown.tolist(), strict=True) if not is_shown]:
        what = "no example of" if labels.ndim == 1 else "no example of active"
        text = f"{path}: temperature: {what} {listed(absent)}; it is that of the others, give examples of each"
        warnings.warn(text, DataWarning, stacklevel=level)


def _find(path: str, scores: NDArray[Any], labels: NDArray[Any], valid: NDArray[np.bool_]) -> float:
    try:
        return find_temperature(scores, labels, valid, path=path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _with_temperatures(
    ensemble: Ensemble, names: Mapping[str, str], found: Mapping[str, Mapping[str, float]]
) -> Ensemble:
    config = ensemble.config
    added = {name: TemperatureConfig(source=source) for source, name in names.items()}
    members = {}
    for key, one in config.members.items():
        assert not isinstance(one, OnnxConfig)  # has been refused
        members[key] = replace(one, maps={**one.maps, **added})
    changed = replace(
        config,
        members=members,
        outputs=tuple(names.get(name, name) for name in ensemble.fusion),
        maps={key: replace(one, source=names.get(one.source, one.source)) for key, one in config.maps.items()},
    )
    assert isinstance(changed, EnsembleConfig)
    calibrated = changed.build(registry=ensemble.registry)
    state = {}
    for key, tensor in ensemble.state_dict().items():
        group, _, rest = key.partition(".")
        name, _, parameter = rest.partition(".")
        state[f"fusion.{names[name]}.{parameter}" if group == "fusion" and name in names else key] = tensor
    for source, by_member in found.items():
        state |= {
            f"members.{member}.maps.{names[source]}.temperature": torch.tensor(value)
            for member, value in by_member.items()
        }
    calibrated.load_state_dict(state)
    for member in calibrated.members:
        calibrated.members[member].to(device_of(ensemble.members[member]))
    for part in (calibrated.fusion, calibrated.maps):
        part.to(device_of(ensemble))
    calibrated.provenance, calibrated.encoders = ensemble.provenance, ensemble.encoders
    return calibrated.eval()
