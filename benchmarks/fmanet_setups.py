"""What `fmanet_choice.py`, `fmanet.py` and `fmanet_parts.py` share: the real data, setups by name, and the ledger.

A setup is a config and a recipe. The ledger, `ledger.csv`, gets a line from every leave-one-subject-out run on these
subjects, whoever started it and whatever came out: the more often one looks, the less the best look says.
"""

from __future__ import annotations

import csv
import datetime
import subprocess
from collections.abc import Sequence as Items
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from affectkit_fmanet import FMANetConfig
from affectkit_fmanet.backbone import PHASES

from affectkit import Branch, ConcatFusionConfig, FrameStream, MicroExpressionConfig, PipelineConfig
from affectkit.data.labels import MICRO_3
from affectkit.protocols.predictions import Predictions
from affectkit.recipes import Augmentation, Recipe
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.training.evaluation import fingerprint

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "megc2019_dev.npz"
LEDGER = Path(__file__).resolve().parent / "ledger.csv"
COLUMNS = ("date", "commit", "setup", "config", "seeds", "UF1", "UAR")

STRAINED = ("u", "v", "strain")
FLOW = FrameStream(channels=STRAINED, unit="relative", height=28, width=28, steps=PHASES[:1])
BOTH = FrameStream(channels=STRAINED, unit="relative", height=28, width=28, steps=PHASES)
# As many epochs as forty folds have time for.
RECIPE = Recipe(epochs=30, augmentation=Augmentation(flip=0.5, shift=1, gain=0.2, noise=0.05))
HEAD = MicroExpressionConfig(dropout=0.5, label_smoothing=0.1)
PLAIN = FMANetConfig(fusion="mean", modulation="none", has_motion_attention=False)
SINGLE = replace(PLAIN, phases="contraction")
FULL = FMANetConfig()


def make_setup(flow: FMANetConfig | None, phases: FMANetConfig | None) -> PipelineConfig:
    """Backbones of the two sets of maps, either or both, their features side by side."""
    inputs: dict[str, FrameStream] = {}
    branches: dict[str, Branch] = {}
    for name, backbone, stream in (("flow", flow, FLOW), ("phases", phases, BOTH)):
        if backbone is not None:
            inputs[name], branches[name] = stream, Branch(source=name, features=backbone)
    fusion = ConcatFusionConfig() if len(branches) > 1 else None
    return PipelineConfig(inputs=inputs, branches=branches, fusion=fusion, heads={"micro": HEAD})


def mirrored(backbone: FMANetConfig) -> FMANetConfig:
    """The same, with features of a clip and its mirror image once it is trained."""
    return replace(backbone, is_mirrored=True)


def read_maps() -> tuple[Examples, dict[str, np.ndarray]] | None:
    """The examples, and the arrays by name for other systems; None, said on the screen, where the data is not there.

    `phases` has its zero near 127, and of its four steps the first two are contraction and relaxation; every map of
    `flow` is stretched on its own, so that its zero is unknown: the middle of its range stands for it.
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
        inputs={"flow": Sequence.of(flow.contiguous()), "phases": Sequence.of(phases.contiguous())},
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
