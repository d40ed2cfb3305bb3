"""A support vector machine with a Gaussian kernel on maps, each value standardized over the training samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.protocols.splits import Fold


@dataclass(frozen=True, kw_only=True)
class SVMConfig:
    """How it is fitted. The defaults were chosen by nobody's test subjects: they are the usual ones.

    Attributes:
        C: what a sample on the wrong side costs.
        gamma: of the kernel exp(-gamma |x - y|^2); `scale` is one over the number of values times their variance.
        is_balanced: whether a rare class counts as much as a frequent one.
    """

    C: float = 5.0
    gamma: float | str = "scale"
    is_balanced: bool = True


def predict_left_out(
    maps: NDArray[Any], labels: NDArray[np.integer[Any]], folds: Iterable[Fold], config: SVMConfig | None = None
) -> NDArray[np.int64]:
    """Classes `(N,)` of every fold's test half, from a machine fitted on its training half; -1 elsewhere.

    Arguments:
        maps: `(N, ...)`; all axes but the first are flattened.
        labels: `(N,)`.
        folds: as `affectkit.protocols.splits` makes them.
        config: None for the defaults.

    Raises:
        InputError: maps and labels differ in number, a map has a value that is not finite, or a training half has one
            class only.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    config = config or SVMConfig()
    if len(maps) != len(labels):
        raise InputError(f"labels: {len(labels)} for {len(maps)} maps; give one per map")
    values = maps.reshape(len(maps), -1).astype(np.float64)
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise InputError(f"maps[{bad}]: a value is not finite; leave the sample out, or mend its flow")
    found = np.full(len(maps), -1, np.int64)
    weights = "balanced" if config.is_balanced else None
    for fold in folds:
        train, test = list(fold.train), list(fold.test)
        if len(np.unique(labels[train])) < 2:
            raise InputError(f"{fold.name}: one class in the training half; leave out fewer samples")
        machine = make_pipeline(StandardScaler(), SVC(C=config.C, gamma=config.gamma, class_weight=weights))
        found[test] = machine.fit(values[train], labels[train]).predict(values[test])
    return found
