"""What AMMSM's magnification factor is worth: run `python benchmarks/ammsm_alpha.py [PEOPLE]` (extras `train` and
`search`, and ../shared for YuNet's weights). PEOPLE is how many are trained on, 36 by default: with all 240 every
variant is close to the most that there is.

Synthetic faces of `BENCH_V1` with one micro-expression each, at 30 frames per second, encoded and read again: flow from
onset to apex in pixels, since on maps that are scaled each by its own peak alpha would mean nothing. Fixed values of
alpha are trained jointly on train seeds; the searched one goes through all phases, its search scoring by people of
choice seeds, and without the refit, which would learn from these too. All are tested on the same people of report
seeds, with 95 % intervals over them. The gain is `|flow_mag| / |flow|` of the trained magnifier, on the report clips.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from affectkit_ammsm.phases import adapt, search_dials, train_jointly, tune
from affectkit_ammsm.plan import Plan
from micro_examples import render_examples
from torch.nn import functional

from affectkit import (
    Branch,
    FlowMagnifierConfig,
    FrameStream,
    MicroExpressionConfig,
    Model,
    OpticalFlowConfig,
    PipelineConfig,
    SparseVSSDConfig,
)
from affectkit.data.labels import MICRO_3
from affectkit.motion.apply import apply_motion
from affectkit.motion.gains import measure_gains
from affectkit.presets import recognize_micro
from affectkit.protocols.predictions import Predictions
from affectkit.protocols.report import compare_predictions, score_predictions
from affectkit.protocols.splits import Fold
from affectkit.recipes import Augmentation, Recipe
from affectkit.search.space import Evolution, SearchSpace
from affectkit.sequences import Sequence
from affectkit.training import Examples
from affectkit.training.evaluation import tabulate
from affectkit.training.examples import read_examples, write_examples
from affectkit.training.folds import probabilities

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
TRAIN, CHOICE, REPORT = range(240), range(5_000, 5_060), range(10_000, 10_120)
# Pixels of the cut per pixel of the maps that are learned from; flow stays in pixels of the cut.
REDUCED = 4
ALPHAS = (1.0, 2.0, 4.0, 8.0, 16.0)
LAMBDAS = (0.1, 0.01)
ALPHA = "branches.flow.motion[0].alpha"
FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=40, width=40, steps=("contraction",))
BACKBONE = SparseVSSDConfig(
    size="pico", stride=2, dims=(16, 32), depths=(1, 1), heads=(1, 2), ratios=(0.0, 0.0), cells=5
)
MAGNIFIER = FlowMagnifierConfig(width=4, levels=1)
PEOPLE = 36
RECIPE = Recipe(epochs=40, batch_size=16, augmentation=Augmentation(flip=0.5, shift=1, gain=0.1, noise=0.01))
PLAN = Plan(
    joint=RECIPE,
    adaptation=replace(RECIPE, epochs=20, learning_rate=1e-3, random_dials=("branches",)),
    search=SearchSpace(
        dials={ALPHA: "all", "branches.flow.features.ratios[0]": "all", "branches.flow.features.ratios[1]": "all"},
        search=Evolution(population=12, generations=5),
    ),
    tuning=replace(RECIPE, epochs=20, learning_rate=1e-3),
)


def main() -> int:
    """Print a line per variant."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: YuNet's weights are not shipped with the project")
        return 1
    os.environ["AFFECTKIT_WEIGHTS"] = str(SHARED / "weights")
    train, choice, report = _examples(TRAIN), _examples(CHOICE), _examples(REPORT)
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE
    train = train.take([row for row, subject in enumerate(train.subjects) if subject < f"synthetic/{wanted:05}"])
    for name, examples in (("train", train), ("choice", choice), ("report", report)):
        size = float(examples.inputs["flow"].values.norm(dim=2).flatten(1).amax(dim=1).median())
        people = len(set(examples.subjects))
        print(f"{name}: {len(examples)} examples of {people} people; longest flow of a map {size:.2f} px, median")
    print(f"\n{'':32}{'UF1':>22}{'UAR':>22}{'less no magnifier':>24}{'gain':>8}{'s':>6}")
    base: Predictions | None = None
    variants = [("no magnifier", None, 1.0), *((f"alpha {alpha:g}", alpha, 1.0) for alpha in ALPHAS)]
    variants += [(f"alpha 8, lambda {weight:g}", 8.0, weight) for weight in LAMBDAS]
    for name, alpha, weight in variants:
        started = time.perf_counter()
        model = train_jointly(_config(alpha, weight), train, PLAN)
        found = _line(name, model, report, base, started)
        base = found if base is None else base
    started = time.perf_counter()
    joint = train_jointly(_config(4.0), train, PLAN)
    adapted = adapt(_config(4.0), train, PLAN, start=joint)
    # as long as the searched one, without the search
    _line(
        "alpha 4, all phases, no search",
        tune(_config(4.0), train, PLAN, start=adapted, values={}),
        report,
        base,
        started,
    )
    values, score = search_dials(adapted, choice, PLAN, trained_on=tuple(sorted(set(train.subjects))))
    model = tune(_config(4.0), train, PLAN, start=adapted, values=values)
    _line("searched, all phases", model, report, base, started)
    print(f"\nfound on choice people, UF1 {score:.3f} there: {', '.join(f'{p} = {v!r}' for p, v in values.items())}")
    print("\ngain by alpha, of the adapted magnifier on report clips")
    for gain in measure_gains(adapted, report.inputs):
        print(f"{gain.alpha:6g}{gain.gain:8.2f}")
    return 0


def _line(name: str, model: Model, report: Examples, base: Predictions | None, started: float) -> Predictions:
    shares = probabilities(model, report, "micro").tolist()
    rows = tuple(range(len(report)))
    found = tabulate(report, MICRO_3, "micro", {(0, "report"): (Fold("report", (), rows), shares)})
    scores = score_predictions(found, classes=MICRO_3).scores
    less = "" if base is None else str(compare_predictions(found, base, classes=MICRO_3)["UF1"])
    alpha = {dial.path: dial.value for dial in model.dials}.get(ALPHA)
    gains = {gain.alpha: gain.gain for gain in measure_gains(model, report.inputs)}
    shown = "" if alpha is None else f"{gains[alpha]:.2f}"
    seconds = time.perf_counter() - started
    print(f"{name:32}{scores['UF1']!s:>22}{scores['UAR']!s:>22}{less:>24}{shown:>8}{seconds:6.0f}", flush=True)
    return found


def _config(alpha: float | None, weight: float = 1.0) -> PipelineConfig:
    motion = () if alpha is None else (replace(MAGNIFIER, alpha=alpha, aux_weight=weight),)
    head = MicroExpressionConfig(dropout=0.5, label_smoothing=0.1)
    return PipelineConfig(
        inputs={"flow": FLOW},
        branches={"flow": Branch(source="flow", motion=motion, features=BACKBONE)},
        heads={"micro": head},
    )


def _examples(seeds: range) -> Examples:
    """Reduced flow of these people's clips, each class as often as the others; kept in `.cache`."""
    path = ROOT / ".cache" / "ammsm-alpha" / f"{seeds.start}-{seeds.stop}-by-{REDUCED}.safetensors"
    if path.is_file():
        return read_examples(path)
    started = time.perf_counter()
    frames = render_examples(seeds, is_balanced=True, rates=(30.0,))
    (name, clips), (_, stream) = next(iter(frames.inputs.items())), next(iter(recognize_micro().inputs.items()))
    assert isinstance(stream, FrameStream)
    config = OpticalFlowConfig(pairs="phases", rigid="subtract")
    stream = replace(stream, steps=stream.steps[:2])
    flow = [
        apply_motion(config, Sequence(clips.values[rows, :2], clips.mask[rows, :2], clips.times[rows, :2]), stream)
        for rows in torch.split(torch.arange(len(frames)), 16)
    ]
    maps = torch.cat([functional.avg_pool2d(one.values.flatten(0, 1), REDUCED).unsqueeze(1) for one in flow])
    times = torch.cat([one.times for one in flow])
    examples = replace(frames, inputs={"flow": Sequence.of(maps, times=times)})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_examples(examples, path)
    print(f"{path.name}: {len(examples)} examples in {time.perf_counter() - started:.0f} s ({name})", flush=True)
    return examples


if __name__ == "__main__":
    sys.exit(main())
