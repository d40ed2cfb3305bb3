"""Which pictures of a dataset have labels, and where they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from affectkit.errors import listed
from affectkit.records import ArraySource, FramesSource, Index, Issue, Sample, VideoSource
from affectkit.sequences import Targets
from affectkit.training.label_joining import HeadLabels, is_still
from affectkit.training.picture_files import Kind


@dataclass(frozen=True)
class Chosen:
    """Labeled pictures of one sample.

    Attributes:
        sample: whose they are.
        rows: their places among its labels; [0] where the sample is one picture.
    """

    sample: Sample
    rows: NDArray[np.int64]

    @property
    def kind(self) -> Kind:
        """How they are read."""
        if isinstance(self.sample.source, VideoSource):
            return "video"
        return "array" if isinstance(self.sample.source, ArraySource) else "pictures"

    def items(self) -> Iterator[tuple[Path, int]]:
        """File of each, and where it is in there."""
        source = self.sample.source
        for row in self.rows.tolist():
            if isinstance(source, FramesSource):
                yield source.frames[row][1], 0
            else:
                at = source.index if isinstance(source, ArraySource) else row
                yield source.path, at or 0

    def numbers(self) -> list[int]:
        """Of frames as their names have them, from 1 in a video; 0 of a picture alone."""
        source = self.sample.source
        if isinstance(source, FramesSource):
            return [source.frames[row][0] for row in self.rows.tolist()]
        return [row + 1 for row in self.rows.tolist()] if isinstance(source, VideoSource) else [0]

    def names(self) -> list[str]:
        """Names of the examples."""
        if self.kind == "video" or isinstance(self.sample.source, FramesSource):
            return [f"{self.sample.key}:{number}" for number in self.numbers()]
        return [self.sample.key]


class _Unusable(Exception):
    """Why no picture of a sample is an example."""


def choose(
    index: Index, joined: tuple[HeadLabels, ...], issues: list[Issue], *, frames_only: bool = False
) -> Iterator[Chosen]:
    """Samples with their labeled pictures; an issue is added for each that can't be used, and one for those without.

    With `frames_only` a still can't be used.
    """
    unlabeled = 0
    for sample in index:
        try:
            if frames_only and is_still(sample):
                raise _Unusable("is a single picture, and segments are of frames of videos")
            rows = np.flatnonzero(_labeled_rows(sample, joined))
        except _Unusable as error:
            where = f"{sample.dataset}/{sample.key}"
            issues.append(Issue(level="error", where=where, fact=str(error), sample=sample.key))
        else:
            if len(rows):
                yield Chosen(sample, rows)
            unlabeled += not len(rows)
    if unlabeled:
        fact = f"{unlabeled} of {len(index)} samples have no label; they are no examples"
        issues.append(Issue(level="info", where="examples", fact=fact))


def _labeled_rows(sample: Sample, joined: tuple[HeadLabels, ...]) -> NDArray[np.bool_]:
    """Which pictures of a sample have a label for a head, `(T,)`; `(1,)` of one that is a picture."""
    source = sample.source
    if isinstance(source, ArraySource) and source.index is None:
        raise _Unusable("is a whole array; a picture is a row of one, by its index")
    if isinstance(source, VideoSource) and (source.start, source.stop) != (None, None):
        raise _Unusable("is a part of a video; labels are of the frames of a whole one")
    labels = [sample.targets[one.target] for one in joined if one.target in sample.targets]
    if is_still(sample):
        return np.array([any(one.valid.any() for one in labels)])
    if not labels:
        return np.zeros(1, np.bool_)
    counts = {one.valid.shape[:1] for one in labels}
    if isinstance(source, FramesSource):
        counts.add((len(source.frames),))
    if len(counts) != 1 or () in counts:
        shapes = listed(one.values.shape for one in labels)
        raise _Unusable(f"has labels of shape {shapes}; pictures need one per frame, and clips other inputs")
    found = np.zeros(next(iter(counts)), np.bool_)
    for one in labels:
        found |= one.valid.reshape(len(found), -1).any(axis=1)
    return found


def narrow(chosen: list[Chosen], labels: dict[str, Targets], kept: Tensor) -> tuple[list[Chosen], dict[str, Targets]]:
    """Those of the pictures that are kept, `(N,)` bool, with their labels."""
    found, start = [], 0
    flags = kept.numpy()
    for one in chosen:
        own = flags[start : start + len(one.rows)]
        start += len(one.rows)
        if own.any():
            found.append(one if own.all() else replace(one, rows=one.rows[own]))
    return found, {name: Targets(*(part[kept] for part in one)) for name, one in labels.items()}
