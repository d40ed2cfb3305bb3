"""Probabilities beside what came true: what calibration is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affectkit.errors import InputError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
# Confidence, whether it came true, and what counts.
Shown = tuple[Floats, Flags, Flags]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Probabilities with what came true, checked.

    Attributes:
        probabilities: `(N, K)` in [0, 1]; of classes rows sum to 1.
        truth: class numbers `(N,)`, or 0 and 1 `(N, K)`.
        valid: bool, of the shape of `truth`; what is not valid is not looked at.

    Raises:
        InputError: shapes differ, nothing is valid, a valid label is none, a probability of one is outside [0, 1], or
            a row of classes does not sum to 1.
    """

    probabilities: Floats
    truth: NDArray[Any]
    valid: Flags

    def __post_init__(self) -> None:
        p, y, known = self.probabilities, self.truth, self.valid
        if p.ndim != 2 or y.shape not in (p.shape, p.shape[:1]) or known.shape != y.shape:
            shapes = f"{p.shape}, truth {y.shape}, valid {known.shape}"
            raise InputError(f"probabilities: {shapes}; give (N, K), and truth and valid as (N,) or (N, K)")
        if not known.any():
            raise InputError("truth: none is valid; give samples with labels")
        number = p.shape[1] if self.are_classes else 2
        wrong = y[known & ~((y >= 0) & (y < number) & (y == np.floor(y)))]
        if wrong.size:
            expected = f"a whole number from 0 to {number - 1}" if self.are_classes else "0 or 1"
            raise InputError(f"truth: {wrong.flat[0].item()!r} is none; give {expected}, or mark it not valid")
        shown = p[known]
        # `not (...)` is true of NaN too
        outside = shown[~((shown >= 0) & (shown <= 1))]
        if outside.size:
            raise InputError(
                f"probabilities: {outside.flat[0]:g} is none; give 0 to 1, decoded scores and not raw ones"
            )
        if self.are_classes:
            total = shown.sum(axis=1)
            # a table has six digits of each
            if (off := np.abs(total - 1) > 1e-3).any():
                raise InputError(
                    f"probabilities: a row sums to {total[off][0]:g}; give those of all classes, summing to 1"
                )

    @classmethod
    def of(cls, probabilities: ArrayLike, truth: ArrayLike, valid: ArrayLike | None = None) -> Forecasts:
        """Of anything that is like arrays; `valid` None for all."""
        labels = np.asarray(truth)
        known = np.ones(labels.shape, np.bool_) if valid is None else np.asarray(valid, np.bool_)
        return cls(np.asarray(probabilities, np.float64), labels, known)

    @property
    def are_classes(self) -> bool:
        """Whether exactly one of the targets is true of a sample."""
        return self.truth.ndim == 1

    def top(self) -> Shown:
        """Confidence, whether it came true, and what counts, `(N, 1)`; of labels of each one, `(N, K)`."""
        if not self.are_classes:
            return self.each()
        best = self.probabilities.argmax(axis=1)
        right = (best == self.truth) & self.valid
        return self.probabilities.max(axis=1)[:, None], right[:, None], self.valid[:, None]

    def each(self) -> Shown:
        """Of every target its probability, whether it is there, and what counts, `(N, K)`."""
        if not self.are_classes:
            return self.probabilities, (self.truth == 1) & self.valid, self.valid
        here = self.truth[:, None] == np.arange(self.probabilities.shape[1])
        return self.probabilities, here & self.valid[:, None], np.broadcast_to(self.valid[:, None], here.shape)
