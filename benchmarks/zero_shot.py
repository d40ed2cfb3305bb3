"""Compounds from a net that knows basic expressions alone: run `python benchmarks/zero_shot.py [FOLDER]`.

Run, people and faces are those of `compound_faces.py`, with its `--strong` and `--others`. The `basic` members of a run
were trained on the seven basic expressions of train people and have never seen a compound. Each of them, and the mean
of their probabilities, is read by every map of 7 basic to 11 compound expressions. The compounds that the three maps
behind the three nets say are joined too, by mean and by product, without and with mirror images.

The rules need no compound label. The learned map does: it is fitted to the compounds of the first half of the choice
people, the net staying as it is. The second half chooses net and map; report people are scored last, with intervals
over people. Beside it stands what the members reach that were trained on compounds.

Bar: the chosen net and map at least 0.6 macro F1 on report people.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

import torch
from affectkit_compound.joining import join_members
from affectkit_compound.scores import confusions, labeled, score_people
from affectkit_compound.system import make_ensemble
from affectkit_compound.training import load_members
from compound_faces import find_scene
from torch import Tensor

from affectkit import (
    CompoundFromBasicConfig,
    MeanFusionConfig,
    ProductFusionConfig,
    ScoreMapConfig,
    average_models,
    mirrored,
)
from affectkit.data.labels import COMPOUND_11
from affectkit.maps.compound_from_basic import AVCER_WEIGHTS
from affectkit.maps.compound_learned import CompoundLearnedConfig
from affectkit.metrics.bootstrap import bootstrap_score
from affectkit.metrics.recognition import Counts, uf1
from affectkit.model import Model
from affectkit.training import Examples
from affectkit.training.compound_maps import fit_compound_map

BAR = 0.6
SOURCE, OUTPUT = "expression", "compound"
# Faces that are scored at once.
AT_ONCE = 256


def _rule(**options: object) -> CompoundFromBasicConfig:
    return CompoundFromBasicConfig(source=SOURCE, targets=COMPOUND_11, **options)  # type: ignore[arg-type]


# The learned one is called as its labels are.
MAPS: Mapping[str, ScoreMapConfig] = {
    "sum": _rule(rule="sum"),
    "sum_by_avcer": _rule(rule="sum", weights=AVCER_WEIGHTS),
    "sum_above_1_7": _rule(rule="sum", threshold=1 / 7),
    "product": _rule(rule="product"),
    "min": _rule(rule="min"),
    "geometric": _rule(rule="geometric"),
    "harmonic": _rule(rule="harmonic"),
    OUTPUT: CompoundLearnedConfig(source=SOURCE, targets=COMPOUND_11),
}


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    scene = find_scene(sys.argv[1:])
    if scene is None:
        return 2
    if scene.folder is None:
        print(
            "the weights that are shipped have no member that knows basic expressions alone: give the folder of a run"
        )
        return 2
    fitting, choosing, trained_on = scene.fitting(), scene.choosing(), scene.trained_on
    nets: dict[str, Model] = dict(load_members(scene.folder, "basic"))
    mapped = {net: _mapped(model, fitting, trained_on) for net, model in nets.items()}
    mean = join_members(make_ensemble(MeanFusionConfig(), (SOURCE,)), nets)
    models = mapped | {
        "mean of all": _mapped(mean, fitting, trained_on),
        "mean of maps": average_models(mapped),
        "product of maps": average_models(mapped, fusion=ProductFusionConfig()),
    }
    models |= {f"{name}, mirrored": mirrored(models[name]) for name in ("mean of maps", "product of maps")}
    chosen_by = _scored(models, choosing)
    chosen = max(chosen_by, key=lambda pair: float(uf1(chosen_by[pair].sum(axis=0))))
    report = scene.report()
    found = _scored(models, report)
    for name, counts in (("choice people, second half", chosen_by), ("report people", found)):
        _print_table(name, counts, tuple(models))
    people = len(set(report.subjects))
    print(f"\n{len(labeled(report, OUTPUT))} faces of {people} report people; beside them, trained on compounds:")
    for net, one in score_people(load_members(scene.folder), report, OUTPUT).items():
        print(f"{net}: {bootstrap_score(one, uf1)}")
    score = bootstrap_score(found[chosen], uf1)
    print(f"\nchosen on choice people: {_title(chosen[1])} behind {chosen[0]}, on report people {score} (bar {BAR})")
    return int(score.value < BAR)


def _mapped(net: Model, fitting: Examples, trained_on: list[str]) -> Model:
    """The net with all maps behind it, of which one is fitted."""
    model = replace(net.config, maps=MAPS).build()  # type: ignore[call-arg]
    # what is missing is the learned map's own, which begins as a rule
    model.load_state_dict(net.state_dict(), strict=False)
    fit_compound_map(model, OUTPUT, labeled(fitting, OUTPUT), used_elsewhere=trained_on)
    return model.eval()


def _scored(models: Mapping[str, Model], examples: Examples) -> dict[tuple[str, str], Counts]:
    """Confusions of each person by net and map; a net runs once for all of its maps."""
    some = labeled(examples, OUTPUT)
    found: dict[tuple[str, str], Counts] = {}
    for net, model in models.items():
        parts: dict[str, list[Tensor]] = {name: [] for name in MAPS}
        for rows in torch.split(torch.arange(len(some)), AT_ONCE):
            predicted = model.predict(some.batch(rows)[0])
            for name, one in parts.items():
                one.append(predicted[name].flatten(0, -2))
        found |= {(net, name): confusions(torch.cat(one), some, OUTPUT) for name, one in parts.items()}
    return found


def _title(name: str) -> str:
    return "learned" if name == OUTPUT else name


def _print_table(name: str, counts: Mapping[tuple[str, str], Counts], nets: tuple[str, ...]) -> None:
    print(f"\n{name:28}" + "".join(f"{net:>28}" for net in nets))
    for one in MAPS:
        print(f"{_title(one):28}" + "".join(f"{bootstrap_score(counts[net, one], uf1)!s:>28}" for net in nets))


if __name__ == "__main__":
    sys.exit(main())
