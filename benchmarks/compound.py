"""What the small compound ensemble reaches on synthetic people nobody chose by: `compound.py [FOLDER | --shipped]`.

Run, people and faces are those of `compound_faces.py`, with its `--strong` and `--others`. 100 report people show 20
compound expressions each, all eleven equally often; every model says which of the eleven it is.
Scored are the members alone, their scores joined in several ways, their features joined, and what is trivial: one class
for all, classes by lot, and a linear model on pixels (ridge regression, 32 x 32 in gray, of the same train people).
Everything is there a second time, `mirrored`: the mean of what is said of a face and of its mirror image. Ways with
parameters of their own are fitted on the first half of the choice people; the second half chooses the best member, as
it is, and the best way. Macro F1, with 95 % intervals over people; differences are of the same people.

Bar: the chosen way above the chosen member by 0.01, with an interval above 0. The preset's way is printed beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from affectkit_compound.joining import freeze_members, join_ways
from affectkit_compound.scores import confusions, labeled, score_people
from affectkit_compound.system import JOINED, name_mirrored
from compound_faces import find_scene
from torch import Tensor

from affectkit import Model, mirrored
from affectkit.data.labels import COMPOUND_11
from affectkit.metrics.bootstrap import bootstrap_difference, bootstrap_score
from affectkit.metrics.recognition import Counts, f1_per_class, uf1
from affectkit.training import Examples

BAR, PAIRS = 0.01, 3
# Of the linear model; chosen on choice people, on faces of `STILLS_V2`.
PENALTY = 1000.0
OUTPUT = "compound"


def main() -> int:
    """Print the tables; 1 if the bar is missed."""
    scene = find_scene(sys.argv[1:])
    if scene is None:
        return 2
    faces = {"choice": scene.choosing(), "report": scene.report()}
    trained, tail = scene.parts()
    members = freeze_members(trained)
    models: dict[str, Model] = {f"{name} alone": model for name, model in members.items()}
    models |= {f"{name} alone, mirrored": mirrored(model) for name, model in members.items()}
    joined = join_ways(members, tail, scene.fitting(), used_elsewhere=scene.trained_on)
    models |= {f"joined: {name}": model for name, model in joined.items()}
    scored = {part: score_people(models, some, OUTPUT) for part, some in faces.items()}
    counts = {name: {part: scored[part][name] for part in faces} for name in models}
    best = _best(counts, (f"{name} alone" for name in members))
    counts |= {name: {part: _floor(name, some) for part, some in faces.items()} for name in ("one class", "by lot")}
    linear = _fit_pixels(scene.train())
    counts["linear on pixels"] = {part: _score_pixels(linear, some) for part, some in faces.items()}
    report = labeled(faces["report"], OUTPUT)
    print(f"\n{len(report)} faces of {len(set(report.subjects))} report people, {len(COMPOUND_11)} classes\n")
    print(f"{'macro F1':28}{'choice people':>24}{'report people':>24}{'less the best member':>26}")
    for name, one in counts.items():
        less = "" if name == best else str(bootstrap_difference(one["report"], counts[best]["report"], uf1))
        both = "".join(f"{bootstrap_score(one[part], uf1)!s:>24}" for part in faces)
        print(f"{name:28}{both}{less:>26}")
    chosen, preset = _best(counts, (f"joined: {name}" for name in joined)), f"joined: {name_mirrored(JOINED)}"
    _print_classes(
        {name: counts[name] for name in (*(f"{name} alone" for name in members), chosen, "linear on pixels")}
    )
    _print_mistakes(best, counts[best]["report"])
    print(f"\nless {best}, the best member on choice people; bar {BAR}, and an interval above 0:")
    differences = {
        name: bootstrap_difference(counts[name]["report"], counts[best]["report"], uf1) for name in (chosen, preset)
    }
    for name, title in ((chosen, "the best way on choice people"), (preset, "that of the preset")):
        print(f"{name}, {title}: {differences[name]}")
    seen_twice = counts[f"{best}, mirrored"]["report"]
    alike = bootstrap_difference(counts[preset]["report"], seen_twice, uf1)
    print(f"{preset}, less that member with mirror images too: {alike}")
    return int(not (differences[chosen].value >= BAR and differences[chosen].low > 0))


def _best(counts: Mapping[str, Mapping[str, Counts]], names: Iterable[str]) -> str:
    return max(names, key=lambda name: float(uf1(counts[name]["choice"].sum(axis=0))))


def _floor(name: str, examples: Examples) -> Counts:
    some = labeled(examples, OUTPUT)
    drawn = np.random.default_rng(0).integers(0, len(COMPOUND_11) if name == "by lot" else 1, len(some))
    return confusions(torch.eye(len(COMPOUND_11))[torch.from_numpy(drawn)], some, OUTPUT)


def _fit_pixels(examples: Examples) -> tuple[Tensor, Tensor, Tensor]:
    """Mean picture, `(D, K)` coefficients and `(K,)` shares of the classes, by least squares with a penalty."""
    some = labeled(examples, OUTPUT)
    pixels = _pixels(some)
    mean, wanted = pixels.mean(dim=0), torch.eye(len(COMPOUND_11))[some.targets[OUTPUT].values[:, 0]]
    centered, shares = pixels - mean, wanted.mean(dim=0)
    squares = centered.T @ centered + PENALTY * torch.eye(pixels.shape[1])
    return mean, torch.linalg.solve(squares, centered.T @ (wanted - shares)), shares


def _score_pixels(linear: tuple[Tensor, Tensor, Tensor], examples: Examples) -> Counts:
    some, (mean, coefficients, shares) = labeled(examples, OUTPUT), linear
    return confusions((_pixels(some) - mean) @ coefficients + shares, some, OUTPUT)


def _pixels(examples: Examples) -> Tensor:
    """Small gray pictures of mean 0 and deviation 1, `(N, 1024)`."""
    (faces,) = examples.inputs.values()
    small = torch.nn.functional.adaptive_avg_pool2d(faces.values[:, 0].mean(dim=1, keepdim=True), 32).flatten(1)
    return (small - small.mean(dim=1, keepdim=True)) / small.std(dim=1, keepdim=True)


def _print_classes(counts: Mapping[str, Mapping[str, Counts]]) -> None:
    print(f"\n{'F1 on report people':24}" + "".join(f"{name:>28}" for name in counts))
    scores = {name: f1_per_class(one["report"].sum(axis=0)) for name, one in counts.items()}
    for at, target in enumerate(COMPOUND_11):
        print(f"{target:24}" + "".join(f"{scores[name][at]:28.3f}" for name in counts))


def _print_mistakes(name: str, counts: Counts) -> None:
    """The pairs of classes that are taken for each other most often; what sets them apart is for the docs to say."""
    table = counts.sum(axis=0)
    both = np.triu(table + table.T, k=1)
    total = both.sum()
    print(f"\n{name}: {total} mistakes among {table.sum()} report faces, most of them between")
    for place in np.argsort(both, axis=None)[::-1][:PAIRS]:
        one, other = np.unravel_index(place, both.shape)
        count = both[one, other]
        print(f"{COMPOUND_11[one]} and {COMPOUND_11[other]}: {count} ({count / total:.0%})")


if __name__ == "__main__":
    sys.exit(main())
