"""From the labels of a dataset to those of a model's heads: heads by name, and their classes or columns by name too.

Two sets of classes hardly ever have the same order, and a number of the one is another class in the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from affectkit.configs import ModelConfig
from affectkit.errors import InputError, listed
from affectkit.records import ArraySource, ImageSource, Labels, Sample
from affectkit.registry import Registry
from affectkit.sequences import Targets
from affectkit.streams import PredictionStream
from affectkit.training.labeled_outputs import LabeledOutput, Unlabeled, check_labeled, labeled_outputs

Extra = Literal["refuse", "invalid"]


@dataclass(frozen=True)
class HeadLabels:
    """How labels of a dataset become those of one head, or of an output that an ensemble joins.

    Attributes:
        head: its name.
        path: where errors say it is.
        target: what the dataset calls its labels.
        output: what the head scores.
        names: what the labels' numbers or columns mean; None where nobody says it, and they are taken as they come.
        left_out: counts labels of classes, and of columns, that the head lacks; by name.
    """

    head: str
    path: str
    target: str
    output: PredictionStream
    names: tuple[str, ...] | None
    left_out: Counter[str] = field(default_factory=Counter)

    def convert(self, labels: Iterable[tuple[Sample, NDArray[np.int64]]]) -> Targets:
        """Labels of pictures as a head with one step takes them.

        Arguments:
            labels: samples, and which of their frames; [0] of a sample that is one picture.

        Returns:
            `(N,)` or `(N, K)`; of heads that score frames `(N, 1)` or `(N, 1, K)`.

        Raises:
            InputError: labels are of another kind than the head's.
        """
        is_class = self.output.problem == "multiclass"
        width = len(self.names or self.output.targets)
        values: list[NDArray[np.generic]] = []
        valid: list[NDArray[np.bool_]] = []
        for sample, rows in labels:
            one = sample.targets.get(self.target)
            shape = (len(rows),) if is_class else (len(rows), width)
            if one is None:
                one = Labels(np.zeros(shape, np.float32), np.zeros(shape, np.bool_))
            elif is_still(sample):
                one = Labels(one.values[None], one.valid[None])
            else:
                one = Labels(one.values[rows], one.valid[rows])
            if one.values.shape != shape or one.valid.shape != shape:
                fact = f"labels {self.target!r} of shape {one.values.shape[1:]} per picture"
                remedy = "one class number" if is_class else f"{width} values"
                raise InputError(f"{sample.dataset}/{sample.key}: {fact}; the head {self.head!r} takes {remedy}")
            values.append(one.values)
            valid.append(one.valid)
        taken, known = np.concatenate(values), np.concatenate(valid)
        taken, known = self._classes(taken, known) if is_class else self._columns(taken, known)
        tensors = torch.from_numpy(taken), torch.from_numpy(known)
        return Targets(*(part.unsqueeze(1) if self.output.resolution == "frame" else part for part in tensors))

    def _classes(
        self, values: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        numbers = np.where(valid, values, 0).astype(np.int64)
        if self.names is None:
            self._check(numbers[valid], 0, len(self.output.targets) - 1)
            return numbers, valid
        self._check(numbers[valid], 0, len(self.names) - 1)
        index = np.array([_place(name, self.output.targets) for name in self.names], np.int64)[numbers]
        for number, count in zip(*np.unique(numbers[valid & (index < 0)], return_counts=True), strict=True):
            self.left_out[self.names[number]] += int(count)
        return np.maximum(index, 0), valid & (index >= 0)

    def _columns(
        self, values: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        low, high = (0.0, 1.0) if self.output.problem == "multilabel" else self.output.bounds or (-np.inf, np.inf)
        self._check(values[valid], low, high)
        names = self.names or self.output.targets
        found = np.zeros((len(values), len(self.output.targets)), np.float32)
        known = np.zeros(found.shape, np.bool_)
        for at, name in enumerate(names):
            place = _place(name, self.output.targets)
            if place < 0:
                self.left_out[name] += int(valid[:, at].sum())
            else:
                found[:, place], known[:, place] = np.where(valid[:, at], values[:, at], 0), valid[:, at]
        return found, known

    def _check(self, values: NDArray[np.generic], low: float, high: float) -> None:
        numbers = values.astype(np.float64)
        wrong = numbers[~((numbers >= low) & (numbers <= high))]
        if self.output.problem == "multilabel" and not len(wrong):
            wrong = numbers[(numbers != 0) & (numbers != 1)]
        if len(wrong):
            fact = f"a label {wrong[0]:g}, which is not in {low:g} to {high:g}"
            if self.output.problem == "multilabel":
                fact = f"a label {wrong[0]:g}, which is neither 0 nor 1"
            raise InputError(f"{self.path}: {fact}; read the dataset's {self.target!r} as the head scores it")


def join_heads(
    targets: Collection[str],
    config: ModelConfig,
    names: Mapping[str, tuple[str, ...]],
    *,
    extra: Extra = "refuse",
    unlabeled: Unlabeled = "refuse",
    made: Collection[str] = (),
    maps: Collection[str] = (),
    registry: Registry | None = None,
) -> tuple[HeadLabels, ...]:
    """Which labels are for which head: those of its name, or the only ones for the only head.

    Arguments:
        targets: what the dataset has labels of.
        config: whose heads they are for; of an ensemble that joins scores, the joined outputs count as heads.
        names: what their numbers or columns mean, by target, as far as that is known.
        extra: what becomes of labels of classes and columns that the head lacks: they are refused, or not valid.
        unlabeled: what becomes of heads without labels, if another has some: they are refused, or left as they are.
        made: heads that may have no labels, since training makes them, `Mixing.made`.
        maps: score maps that count as heads, since they have labels of their own.
        registry: where components are looked up.

    Raises:
        InputError: no labels are for a head, or a head lacks classes, or has none in common with its labels.
    """
    outputs = labeled_outputs(config, maps=maps, registry=registry)
    # what is called as a map is for that, and else for the only head, whatever it is called
    is_only = len(outputs) - len(maps) == 1 and set(maps).isdisjoint(targets)
    found = {name: find_target(one, targets, is_only=is_only and name not in maps) for name, one in outputs.items()}
    left = [one for name, one in outputs.items() if found[name] is None and name not in made]
    check_labeled(left, targets, unlabeled, is_any=any(found.values()))
    joined = []
    for head, target in found.items():
        if target is None:
            continue
        path, output, meant = outputs[head].path, outputs[head].stream, names.get(target)
        if meant is not None:
            lacking = [name for name in meant if name not in output.targets]
            if len(lacking) == len(meant):
                fact = f"scores {listed(output.targets, 12)}, and the dataset has {listed(lacking, 12)}"
                raise InputError(f"{path}: {fact}; set the head's 'targets' or what the dataset reads")
            if lacking and extra == "refuse":
                fact = f"scores {listed(output.targets, 12)}, and the dataset has {listed(lacking, 12)} too"
                remedy = "set the head's 'targets' or what the dataset reads, or leave them out by extra='invalid'"
                raise InputError(f"{path}: {fact}; {remedy}")
        joined.append(HeadLabels(head, path, target, output, meant))
    return tuple(joined)


def find_target(one: LabeledOutput, targets: Collection[str], *, is_only: bool) -> str | None:
    """What a dataset calls the labels of an output: a name of its own, or the only one for the only output."""
    if is_only and len(targets) == 1:
        return next(iter(targets))
    return next((name for name in one.known_as if name in targets), None)


def is_still(sample: Sample) -> bool:
    """Whether a sample is one picture, so that its labels have no axis of frames."""
    return isinstance(sample.source, ImageSource | ArraySource)


def _place(name: str, targets: tuple[str, ...]) -> int:
    return targets.index(name) if name in targets else -1
