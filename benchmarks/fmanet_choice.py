"""What FMANet's setup is chosen by: run `python benchmarks/fmanet_choice.py [SETUP ...]` (needs ../shared).

The 40 subjects are cut into 8 groups. Each pair of groups is left out once, and a model of the others predicts both. A
setup's score for a group is the UF1 over the other seven, each predicted by models that saw neither that group nor
themselves: so what is chosen for a group by this score has not seen its labels. Nothing here is a result; it is the
choice among setups, and all of them are printed. They differ by less than the groups do: of those within 0.005 of the
best, the fastest was taken, with as many epochs as the bar of `fmanet.py --time` allows.
"""

from __future__ import annotations

import itertools
import sys
import time
from dataclasses import replace

import numpy as np
from affectkit_fmanet import FMANetConfig
from fmanet_setups import FULL, PLAIN, RECIPE, SINGLE, make_setup, mirrored, of_setup, read_maps

from affectkit import PipelineConfig
from affectkit.metrics.recognition import confusion_matrix, uf1
from affectkit.protocols.splits import split_subjects
from affectkit.recipes import Recipe
from affectkit.training import Examples, fit
from affectkit.training.folds import probabilities

GROUPS = 8
SHARED = FMANetConfig(is_shared=True)
BESIDE = replace(PLAIN, fusion="concat")
SHORT, LONG = replace(RECIPE, epochs=25), replace(RECIPE, epochs=40)
CANDIDATES: dict[str, tuple[PipelineConfig, Recipe]] = {
    "flow": (make_setup(SINGLE, None), RECIPE),
    "phases": (make_setup(None, FULL), RECIPE),
    "flow + contraction, plain": (make_setup(SINGLE, SINGLE), RECIPE),
    "flow + both phases, plain": (make_setup(SINGLE, PLAIN), RECIPE),
    "flow + both phases, full": (make_setup(SINGLE, FULL), RECIPE),
    "flow + both phases, side by side, 25 epochs": (make_setup(SINGLE, BESIDE), SHORT),
    "flow + both phases, plain, mirrored": (make_setup(mirrored(SINGLE), mirrored(PLAIN)), RECIPE),
    "flow + both phases, side by side, mirrored": (make_setup(mirrored(SINGLE), mirrored(BESIDE)), RECIPE),
    "flow + both phases, full, mirrored": (make_setup(mirrored(SINGLE), mirrored(FULL)), RECIPE),
    "flow + both phases, full, shared streams": (make_setup(SINGLE, SHARED), RECIPE),
    "flow + both phases, full, 40 epochs": (make_setup(SINGLE, FULL), LONG),
    "flow + both phases, full, 25 epochs": (make_setup(SINGLE, FULL), SHORT),
    "flow + both phases, plain, 40 epochs": (make_setup(SINGLE, PLAIN), LONG),
    "flow + both phases, plain, mirrored, 40 epochs": (make_setup(mirrored(SINGLE), mirrored(PLAIN)), LONG),
    "flow + both phases, side by side, mirrored, 40 epochs": (make_setup(mirrored(SINGLE), mirrored(BESIDE)), LONG),
    "flow + both phases, full, half the rate": (make_setup(SINGLE, FULL), replace(RECIPE, learning_rate=1e-3)),
}


def main() -> int:
    """Print a line per setup."""
    wanted = sys.argv[1:] or list(CANDIDATES)
    if unknown := [name for name in wanted if name not in CANDIDATES]:
        print(f"no setup {unknown[0]!r}; setups: {', '.join(CANDIDATES)}")
        return 2
    found = read_maps()
    if found is None:
        return 1
    examples, _ = found
    print(f"{'setup':44}{'mean':>7}{'least':>7}{'s':>6}  UF1 that each of {GROUPS} groups of subjects chooses by")
    for name in wanted:
        started = time.perf_counter()
        scores = inner_scores(*CANDIDATES[name], examples)
        each = " ".join(f"{score:.3f}" for score in scores)
        print(
            f"{name:44}{np.mean(scores):7.3f}{min(scores):7.3f}{time.perf_counter() - started:6.0f}  {each}", flush=True
        )
    return 0


def inner_scores(config: PipelineConfig, recipe: Recipe, examples: Examples) -> list[float]:
    """The score by which each group chooses."""
    parts = [set(fold.test) for fold in split_subjects(examples.subjects, GROUPS)]
    examples = of_setup(examples, config)
    truth = examples.targets["micro"].values.tolist()
    predicted: dict[tuple[int, int], dict[int, int]] = {}
    for pair in itertools.combinations(range(GROUPS), 2):
        held = sorted(parts[pair[0]] | parts[pair[1]])
        train = [row for row in range(len(examples)) if row not in set(held)]
        model = fit(config, examples.take(train), recipe)
        classes = probabilities(model, examples.take(held), "micro").argmax(dim=1).tolist()
        predicted[pair] = dict(zip(held, classes, strict=True))
    scores = []
    for group in range(GROUPS):
        rows = [
            (row, predicted[min(group, other), max(group, other)][row])
            for other in range(GROUPS)
            if other != group
            for row in sorted(parts[other])
        ]
        counts = confusion_matrix([truth[row] for row, _ in rows], [label for _, label in rows], 3)
        scores.append(float(uf1(counts)))
    return scores


if __name__ == "__main__":
    sys.exit(main())
