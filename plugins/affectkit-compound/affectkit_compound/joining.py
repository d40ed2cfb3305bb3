"""Every way of joining the trained members that is compared: by their scores, fitted or not, and by their features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from affectkit import EnsembleConfig, Model, WeightedFusionConfig, mirrored
from affectkit.ensemble_model import Ensemble
from affectkit.errors import InputError
from affectkit.training import Examples
from affectkit.training.late_fusions import fit_late_fusion
from affectkit.training.temperature import calibrate_members
from affectkit_compound.system import WAYS, make_compound, make_ensemble, make_small_member, make_tail, name_mirrored


def join_ways(
    members: Mapping[str, Model], tail: Model, fitting: Examples, *, used_elsewhere: Iterable[str]
) -> dict[str, Ensemble]:
    """Ensembles of the same members: the `WAYS`, and `calibrated` and `weighted`, whose configs hold what is fitted.

    The members are frozen, so that scoring all ways costs little more than scoring one.

    Each is there a second time, by `name_mirrored`: the mean of what it says of a face and of its mirror image.

    Arguments:
        members: trained.
        tail: fusion and heads behind their features, trained.
        fitting: people whom coefficients, weights and temperatures are fitted on.
        used_elsewhere: whom the members were trained on; none may be among them.

    Raises:
        InputError: somebody is used elsewhere, or a class is shown by nobody.
    """
    elsewhere = tuple(used_elsewhere)
    found = {
        name: join_members(make_ensemble(way, frozen=True), members, tail if name == "features" else None)
        for name, way in WAYS.items()
    }
    fit_late_fusion(found["stacking"], fitting, used_elsewhere=elsewhere)
    found["calibrated"], _ = calibrate_members(found["mean"], fitting, used_elsewhere=elsewhere)
    equal = WeightedFusionConfig(weights=dict.fromkeys(members, 1.0))
    found["weighted"] = join_members(make_ensemble(equal, frozen=True), members)
    fit_late_fusion(found["weighted"], fitting, used_elsewhere=elsewhere)
    return found | {name_mirrored(name): mirrored(model) for name, model in found.items()}


def join_members(config: EnsembleConfig, members: Mapping[str, Model], tail: Model | None = None) -> Ensemble:
    """An ensemble of trained members, in evaluation mode; at feature level with the tail trained behind them."""
    model = config.build()
    state = dict(model.state_dict())
    for name, member in members.items():
        state |= {f"members.{name}.{key}": part for key, part in member.state_dict().items()}
    if tail is not None:
        state |= tail.state_dict()
    model.load_state_dict(state)
    return model.eval()


def take_apart(model: Model) -> tuple[dict[str, Model], Model]:
    """Members of the preset's model, and what is behind their features, on stored ones; the inverse of `join_members`.

    Raises:
        InputError: it is none of `make_compound`.
    """
    if model.config != make_compound():
        raise InputError("model: has another config than the preset 'compound'; give that")
    # its variants share all that was trained
    assert isinstance(model, Ensemble)
    joined = model.members[next(iter(model.members))]
    members: dict[str, Model] = {name: joined.members[name] for name in joined.members}
    streams = {name: member.traced.features for name, member in members.items()}
    tail = make_tail({name: stream.dim for name, stream in streams.items() if stream is not None}).build()
    state = joined.state_dict()
    tail.load_state_dict({key: state[key] for key in tail.state_dict()})
    return members, tail.eval()


def freeze_members(members: Mapping[str, Model]) -> dict[str, Model]:
    """Copies of small members that are frozen, in evaluation mode."""
    found: dict[str, Model] = {}
    for name, member in members.items():
        found[name] = make_small_member(name, member.traced.outputs, frozen=True).build()
        found[name].load_state_dict(member.state_dict())
    return {name: member.eval() for name, member in found.items()}


def halves(examples: Examples) -> tuple[Examples, Examples]:
    """The first half of the people, in the order of their names, and the second.

    Raises:
        InputError: there is one person only.
    """
    people = sorted(set(examples.subjects))
    if len(people) < 2:
        raise InputError(f"examples: {len(people)} person; give two at least, one to fit and one to choose by")
    first = set(people[: len(people) // 2])
    rows = [row for row, subject in enumerate(examples.subjects) if subject in first]
    others = [row for row, subject in enumerate(examples.subjects) if subject not in first]
    return examples.take(rows), examples.take(others)
