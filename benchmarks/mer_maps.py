"""Real micro-expression flow for the benchmarks of micro-expression systems, and the ledger of what was run on it.

The ledger, `ledger.csv`, gets a line from every leave-one-subject-out run on these subjects, whoever started it and
whatever came out: the more often one looks, the less the best look says.
"""

from __future__ import annotations

import csv
import datetime
import itertools
import subprocess
from collections.abc import Sequence as Items
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from affectkit import FrameStream, PipelineConfig
from affectkit.data.labels import MICRO_3
from affectkit.metrics.recognition import confusion_matrix, uf1
from affectkit.protocols.predictions import Predictions
from affectkit.protocols.splits import split_subjects
from affectkit.recipes import Recipe
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, fit
from affectkit.training.evaluation import fingerprint
from affectkit.training.folds import probabilities

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "megc2019_dev.npz"
LEDGER = Path(__file__).resolve().parent / "ledger.csv"
COLUMNS = ("date", "commit", "setup", "config", "seeds", "UF1", "UAR")
# Into which the subjects are cut where a setup is chosen.
GROUPS = 8

STRAINED = ("u", "v", "strain")
PHASES = ("contraction", "relaxation")
FLOW = FrameStream(channels=STRAINED, unit="relative", height=28, width=28, steps=PHASES[:1])
BOTH = FrameStream(channels=STRAINED, unit="relative", height=28, width=28, steps=PHASES)


def read_maps() -> tuple[Examples, dict[str, np.ndarray]] | None:
    """The examples, and the arrays by name for other systems; None, said on the screen, where the data is not there.

    `phases` has its zero near 127, and of its four steps the first two are contraction and relaxation; `contraction` is
    the first of them alone. Every map of `flow` is stretched on its own, so that its zero is unknown: the middle of its
    range stands for it.
    """
    if not DATA.is_file():
        print(f"no {DATA}: the data is under signed agreements and not shipped with the project")
        return None
    with np.load(DATA, allow_pickle=False) as data:
        arrays = {"flow": data["flow"], "phases": data["phases"][:, :2], "label": data["label"]}
        subjects, datasets = data["subject"].tolist(), data["dataset"].tolist()
    phases = torch.from_numpy((arrays["phases"].astype(np.float32) - 127) / 127).permute(0, 1, 4, 2, 3)
    flow = torch.from_numpy(arrays["flow"].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2).unsqueeze(1)
    examples = Examples(
        inputs={
            "flow": Sequence.of(flow.contiguous()),
            "phases": Sequence.of(phases.contiguous()),
            "contraction": Sequence.of(phases[:, :1].contiguous()),
        },
        targets={"micro": Targets.of(torch.from_numpy(arrays["label"]).long())},
        subjects=tuple(subjects),
        datasets=tuple(datasets),
    )
    return examples, arrays


def of_setup(examples: Examples, config: PipelineConfig) -> Examples:
    """The examples with the inputs of a setup alone."""
    return replace(examples, inputs={name: examples.inputs[name] for name in config.inputs})


def named(examples: Examples, found: Items[int]) -> Predictions:
    """Predictions of another system, in the columns that those of `evaluate` have."""
    truth = examples.targets["micro"].values.tolist()
    pairs = zip(examples.subjects, examples.datasets, strict=True)
    columns = {
        "dataset": examples.datasets,
        "subject": tuple(subject.removeprefix(f"{dataset}/") for subject, dataset in pairs),
        "clip": examples.keys,
        "truth": tuple(MICRO_3[label] for label in truth),
        "predicted": tuple(MICRO_3[label] for label in found),
    }
    return Predictions(columns)


def commit() -> str:
    """The commit, with `+` where the working tree differs from it."""
    folder = LEDGER.parent
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True).stdout
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no", "--", "..", ":!ledger.csv"],
        cwd=folder,
        capture_output=True,
        text=True,
    ).stdout
    return head.strip() + ("+" if changed.strip() else "")


def enter(at: str, setup: str, config: PipelineConfig, recipe: Recipe, seeds: int, scores: Items[float]) -> int:
    """Append a run, begun at a commit, to the ledger; how many there are then."""
    is_new = not LEDGER.is_file()
    with LEDGER.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(COLUMNS)
        date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        shown = [f"{score:.4f}" for score in scores]
        writer.writerow([date, at, setup, fingerprint(config, recipe), seeds, *shown])
    with LEDGER.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def inner_scores(config: PipelineConfig, recipe: Recipe, examples: Examples) -> list[float]:
    """The score by which each group of subjects chooses a setup.

    Each pair of groups is left out once, and a model of the others predicts both. A setup's score for a group is the
    UF1 over all other groups, each predicted by models that saw neither that group nor themselves: so what is chosen
    for a group by this score has not seen its labels.
    """
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
