"""What the small ABAW7 system reaches on synthetic people nobody chose by: run `python benchmarks/abaw7.py [FOLDER]`.

FOLDER is what `affectkit-abaw7 train --out FOLDER` left: encoders, and their features of train and choice people; by
default `.cache/abaw7/run`. Report people are filmed as `BENCH_V1` says, with partial labels at the rates of real lists,
and scored by every variant behind the same encoders: all tasks and encoders, each task alone, each encoder alone. Cuts
of units are chosen on choice people. Beside them stand the trivial floors. Intervals (95 %) and differences are drawn
over videos, one for each person.

Bars: P at least 2.2 of 3; all tasks together within 0.02 of each alone; the fusion above the best encoder alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from affectkit_abaw7.folders import read_plan_of
from affectkit_abaw7.plan import Plan
from affectkit_abaw7.presets import ENCODERS, HEADS, make_abaw7
from affectkit_abaw7.scores import TASKS, count_frames, score
from affectkit_abaw7.synthetic_videos import INPUT, REPORT, render_examples
from affectkit_abaw7.training import extract_features, task_predictions, train_tail
from numpy.typing import NDArray

from affectkit import load, save
from affectkit.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_score
from affectkit.model import Model
from affectkit.training import Examples
from affectkit.training.examples import read_examples, write_examples
from affectkit.training.thresholds import set_thresholds

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "abaw7"
VIDEOS, WORKERS = 150, 2
BAR, CLOSE = 2.2, 0.02
WHOLE = "three encoders, three tasks"
Counts = NDArray[np.float64]


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CACHE / "run"
    if not (folder / "model").is_dir():
        print(f"no model in {folder}: run affectkit-abaw7 train --out {folder}")
        return 2
    encoders: dict[str, Model] = {name: load(folder / "encoders" / name) for name in ENCODERS}
    train, choice = (read_examples(folder / f"{part}.safetensors") for part in ("train", "choice"))
    report = _report_features(encoders, folder)
    plan = read_plan_of(folder)
    counts: dict[str, Counts] = {"neutral, zeros, every unit": _floor(report)}
    variants = {WHOLE: (tuple(ENCODERS), HEADS)}
    variants |= {f"{task} alone": (tuple(ENCODERS), (task,)) for task in HEADS}
    variants |= {f"{name} alone": ((name,), HEADS) for name in ENCODERS}
    for name, (some, tasks) in variants.items():
        model = _tail(folder / "tails" / name.replace(", ", "-").replace(" ", "-"), train, choice, some, tasks, plan)
        counts[name] = count_frames(task_predictions(model, _inputs(report, some)), report)
    print(f"\n{len(report)} report people\n\n{'':30}" + "".join(f"{task:>26}" for task in TASKS))
    for name, one in counts.items():
        print(f"{name:30}" + "".join(f"{_interval(one, task)!s:>26}" for task in TASKS if _is_scored(name, task)))
    return int(not all([_reaches(counts[WHOLE]), _is_close(counts), _is_above(counts)]))


def _report_features(encoders: dict[str, Model], folder: Path) -> Examples:
    path = folder / f"report-{VIDEOS}.safetensors"
    if not path.is_file():
        started = time.perf_counter()
        people = REPORT[:VIDEOS]
        faces = render_examples(people, make_abaw7().input_streams()[INPUT], folder=CACHE, workers=WORKERS)
        write_examples(extract_features(encoders, faces), path)
        print(f"{path}: {len(faces)} videos in {time.perf_counter() - started:.0f} s", flush=True)
    return read_examples(path)


def _tail(
    path: Path, train: Examples, choice: Examples, encoders: tuple[str, ...], tasks: tuple[str, ...], plan: Plan
) -> Model:
    if not path.is_dir():
        started = time.perf_counter()
        model = train_tail(train, plan, encoders=encoders, heads=tasks)
        if "au" in tasks:
            set_thresholds(model, "au_present", _inputs(choice, encoders), used_elsewhere=train.subjects)
        save(model, path, notes="A variant of benchmarks/abaw7.py, trained on synthetic faces.")
        print(f"{path.name}: trained in {time.perf_counter() - started:.0f} s", flush=True)
    return load(path)


def _inputs(examples: Examples, encoders: tuple[str, ...]) -> Examples:
    return replace(examples, inputs={name: examples.inputs[name] for name in encoders})


def _floor(report: Examples) -> Counts:
    shape = report.targets["expr"].values.shape
    neutral = np.zeros((*shape, 8))
    neutral[..., 0] = 1.0
    return count_frames({"va": np.zeros((*shape, 2)), "expr": neutral, "au": np.ones((*shape, 12))}, report)


def _is_scored(name: str, task: str) -> bool:
    """A net of one task has no score in the others."""
    alone = name.removesuffix(" alone")
    return alone not in HEADS or alone == task


def _of(task: str) -> Callable[[Counts], Counts]:
    return lambda counts: score(counts, task)


def _interval(counts: Counts, task: str) -> Interval:
    return bootstrap_score(counts, _of(task))


def _reaches(counts: Counts) -> bool:
    found = _interval(counts, "P")
    print(f"\nP {found} (bar {BAR})")
    return found.value >= BAR


def _is_close(counts: dict[str, Counts]) -> bool:
    good = True
    for task in HEADS:
        less = bootstrap_difference(counts[WHOLE], counts[f"{task} alone"], _of(task), same_rows=False)
        print(f"{task}: all tasks less {task} alone {less} (bar -{CLOSE})")
        good &= less.value >= -CLOSE
    return good


def _is_above(counts: dict[str, Counts]) -> bool:
    best = max(ENCODERS, key=lambda name: float(score(counts[f"{name} alone"].sum(axis=0))))
    good = True
    for name in ENCODERS:
        less = bootstrap_difference(counts[WHOLE], counts[f"{name} alone"], _of("P"), same_rows=False)
        print(f"P: three encoders less {name} alone {less}{' (the best one; bar 0)' if name == best else ''}")
        good &= name != best or less.value > 0
    return good


if __name__ == "__main__":
    sys.exit(main())
