"""All that is fitted after the training, in the order in which one rests on another: on people apart.

temperatures of members ─▶ what joins the members ─▶ score maps, in the order of the config
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import InputError, did_you_mean
from affectkit.late.stacking import StackingConfig
from affectkit.late.weighted import WeightedFusionConfig
from affectkit.maps.compound_learned import CompoundLearnedConfig
from affectkit.maps.smooth import SmoothConfig
from affectkit.maps.temperature import TemperatureConfig
from affectkit.maps.thresholds import ThresholdsConfig
from affectkit.model import Model
from affectkit.registry import Registry
from affectkit.tracks.predicting import check_encoders
from affectkit.training.compound_maps import fit_compound_map
from affectkit.training.examples import Examples
from affectkit.training.frame_tables import labels_among
from affectkit.training.late_fusions import fit_late_fusion
from affectkit.training.scoring import check_others, labels_of
from affectkit.training.smoothing import set_smoothing
from affectkit.training.temperature import ACCEPTED, calibrate_members, fit_temperature
from affectkit.training.thresholds import set_thresholds

SMOOTH, LEARNED = "smooth", "compound-learned"
_MAPS: Mapping[type[Any], str] = {
    TemperatureConfig: "temperature", ThresholdsConfig: "thresholds", SmoothConfig: SMOOTH,
    CompoundLearnedConfig: LEARNED,
}  # fmt: skip
_FUSIONS: Mapping[type[Any], str] = {WeightedFusionConfig: "weighted", StackingConfig: "stacking"}


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """One thing that was fitted.

    Attributes:
        path: `fusion`, `maps.calibrated`, or a member's map that was added.
        kind: of `temperature`, `thresholds`, `smooth`, `compound-learned`, `weighted`, `stacking`.
        values: `T`; a threshold of raw scores by target; `sigma` and `delta`; the mean loss `before` and `after`, in
            nats; a weight by member; or the chosen penalty by output.
    """

    path: str
    kind: str
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What `calibrate` did.

    Attributes:
        model: the model that was given, or with temperatures added a copy of it.
        fitted: in the order in which it was done.
        left: what stays as it was, and why, by path; of what was named, if names were given.
    """

    model: Model
    fitted: tuple[Fitted, ...]
    left: Mapping[str, str]


def list_fittable(config: ModelConfig) -> dict[str, str]:
    """What `calibrate` can fit, by path, and of which kind it is; in the order of fitting."""
    found: dict[str, str] = {}
    if isinstance(config, EnsembleConfig) and (kind := _FUSIONS.get(type(config.fusion))):
        found["fusion"] = kind
    maps = {f"maps.{name}": _MAPS.get(type(one)) for name, one in getattr(config, "maps", {}).items()}
    return found | {path: kind for path, kind in maps.items() if kind is not None}


def labels_to_read(config: ModelConfig, *, registry: Registry | None = None) -> tuple[str, ...]:
    """Maps whose labels `open_data` should look for beside those of heads: no head scores what is fitted by them."""
    outputs, maps = config.trace(registry=registry).outputs, getattr(config, "maps", {})
    found = [path.removeprefix("maps.") for path in list_fittable(config) if path != "fusion"]
    origins = [labels_among(config, outputs, name, registry=registry) for name in found]
    return tuple(dict.fromkeys(name for name in origins if name in maps))


def calibrate(
    model: Model,
    examples: Examples,
    *,
    names: Iterable[str] | None = None,
    add_temperatures: bool = False,
    used_elsewhere: Iterable[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Fit what a trained model has that is fitted; networks stay as they are.

    Maps are fitted in their order, each on what the ones before it give by then.

    Arguments:
        model: is changed, but for what `add_temperatures` says.
        examples: the validation part, and nothing else.
        names: paths of `list_fittable`; None for all that the examples have labels of.
        add_temperatures: whether the members of an ensemble get a temperature each first, by `calibrate_members`, of
            all outputs that have labels; then `model` is a copy.
        used_elsewhere: subjects that the model was trained on or will be judged by; none may be in `examples`.
        progress: called with how many are fitted, and of how many.

    Warns:
        DataWarning: as the fits that it is made of.

    Raises:
        InputError: nothing can be fitted, or a named path can't; temperatures for no ensemble; the examples have
            features of another encoder than the model learned from; or as the fits.
    """
    known, left = list_fittable(model.config), dict(_of_members(model.config) if names is None else ())
    chosen = list(known) if names is None else list(names)
    if not (chosen and known) and not add_temperatures:
        of_members = dict(_of_members(model.config))
        there = f"; {next(iter(of_members))} is of a member, calibrate that before it is joined" if of_members else ""
        remedy = "give it a score map such as temperature or thresholds, or join members by weighted or stacking"
        raise InputError(f"model: nothing that is fitted after the training{there or f'; {remedy}'}")
    for path in chosen:
        if path not in known:
            raise InputError(f"{path}: nothing that is fitted; {did_you_mean(path, known, noun='fitted')}")
    check_others(examples, used_elsewhere)
    check_encoders(model, examples.encoders, "examples")
    fitted: list[Fitted] = []
    if add_temperatures:
        model, added = _add_temperatures(model, examples)
        fitted += added
    reasons = {path: _why_not(model, path, known[path], examples) for path in known if path in chosen}
    for path, reason in reasons.items():
        if reason and names is not None:
            raise InputError(f"{path}: can't be fitted: {reason}")
    left |= {path: reason for path, reason in reasons.items() if reason}
    ready = [path for path, reason in reasons.items() if not reason]
    if not ready and not fitted:
        path, reason = next(iter(reasons.items()))
        raise InputError(f"{path}: can't be fitted: {reason}")
    # smoothings that follow each other are tried together, which costs as much as one
    for kind, group in groupby(ready, key=known.__getitem__):
        paths = list(group)
        for together in [paths] if kind == SMOOTH else [[path] for path in paths]:
            fitted += _fit(model, together, kind, examples)
            if progress is not None:
                progress(ready.index(together[-1]) + 1, len(ready))
    if "fusion" in ready and isinstance(model, Ensemble):
        left |= {f"fusion.{name}": why for name in model.fusion if (why := _unlikely(model, name, examples))}
    return Calibration(model=model, fitted=tuple(fitted), left=left)


def _of_members(config: ModelConfig) -> Iterator[tuple[str, str]]:
    """What members have that is fitted, which is too late once they are joined."""
    if isinstance(config, EnsembleConfig) and config.level == "scores":
        for name, member in config.members.items():
            for path in (*list_fittable(member), *dict(_of_members(member))):
                yield f"members.{name}.{path}", "of a member; calibrate that before it is joined"


def _add_temperatures(model: Model, examples: Examples) -> tuple[Ensemble, list[Fitted]]:
    if not isinstance(model, Ensemble):
        raise InputError("temperatures: the model is no ensemble; give the pipeline a score map temperature")
    joined = list(model.fusion) if model.config.level == "scores" else []
    outputs = [name for name in joined if not _unlikely(model, name, examples)]
    if joined and not outputs:
        raise InputError(f"fusion.{joined[0]}: no temperatures: {_unlikely(model, joined[0], examples)}")
    calibrated, found = calibrate_members(model, examples, outputs=outputs)
    return calibrated, [
        Fitted(path=f"members.{member}.maps.{name}_calibrated", kind="temperature", values={"T": value})
        for name, by_member in found.items()
        for member, value in by_member.items()
    ]


def _why_not(model: Model, path: str, kind: str, examples: Examples) -> str:
    """What keeps something from being fitted; empty if nothing does."""
    if path == "fusion":
        assert isinstance(model, Ensemble)
        reasons = [_unlikely(model, name, examples) for name in model.fusion]
        return "" if "" in reasons else reasons[0]
    if kind == SMOOTH and examples.frames is None:
        return "the examples are no segments of videos"
    name = path.removeprefix("maps.")
    maps: Mapping[str, Any] = getattr(model.config, "maps", {})
    return _unlabeled(model, name if kind == LEARNED else maps[name].source, examples)


def _unlikely(model: Ensemble, name: str, examples: Examples) -> str:
    """Why a joined output has no likelihood; empty if it has one."""
    problem = model.traced.outputs[name].problem
    return _unlabeled(model, name, examples) if problem in ACCEPTED else f"problem {problem!r} has no likelihood"


def _unlabeled(model: Model, output: str, examples: Examples) -> str:
    try:
        label = labels_of(model, output, examples)
    except InputError as error:
        return str(error)
    return "" if bool(examples.targets[label].valid.any()) else f"examples: no valid label of {label!r}"


def _fit(model: Model, paths: list[str], kind: str, examples: Examples) -> list[Fitted]:
    names = [path.removeprefix("maps.") for path in paths]
    if kind == SMOOTH:
        dials = set_smoothing(model, examples, names=names)
        found = [{dial: dials[f"{path}.{dial}"] for dial in ("sigma", "delta")} for path in paths]
        return [Fitted(path=path, kind=kind, values=one) for path, one in zip(paths, found, strict=True)]
    values: Mapping[str, float]
    if kind == "temperature":
        values = {"T": fit_temperature(model, names[0], examples)}
    elif kind == "thresholds":
        values = set_thresholds(model, names[0], examples)
    elif kind == LEARNED:
        fit = fit_compound_map(model, names[0], examples)
        values = {"before": fit.before, "after": fit.after}
    else:
        assert isinstance(model, Ensemble)
        outputs = [name for name in model.fusion if not _unlikely(model, name, examples)]
        joined = fit_late_fusion(model, examples, outputs=outputs)
        values = joined.weights or joined.penalties
    return [Fitted(path=paths[0], kind=kind, values=values)]
