"""The rule by which most published tables of micro-expression recognition were made, kept apart from results.

For each left-out subject it takes the epoch that does best on that subject, and pools those predictions. It has looked
at the labels that it is scored by, so what it gives is inflated: with it, published numbers can be placed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence as Items
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affectkit.training.folds import FoldJob

Shares = list[list[float]]


def best_epochs(
    peer: Mapping[tuple[int, str], list[Shares]], jobs: Mapping[tuple[int, str], FoldJob], truth: Items[int]
) -> dict[tuple[int, str], Shares]:
    """Of each fold the probabilities after the epoch with the most right on the test half; the later of several.

    Arguments:
        peer: of each fold, after every epoch, `(E, n, K)`.
        jobs: of the same folds.
        truth: class of every example.
    """
    chosen: dict[tuple[int, str], Shares] = {}
    for key, epochs in peer.items():
        labels = [truth[row] for row in jobs[key].fold.test]

        def right(epoch: int, epochs: list[Shares] = epochs, labels: list[int] = labels) -> tuple[int, int]:
            shares = epochs[epoch]
            hits = sum(
                max(range(len(one)), key=one.__getitem__) == label for one, label in zip(shares, labels, strict=True)
            )
            return hits, epoch

        chosen[key] = epochs[max(range(len(epochs)), key=right)]
    return chosen
