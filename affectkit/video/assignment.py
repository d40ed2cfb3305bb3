"""Which of two sets belong together, so that the sum of the pairs' costs is smallest.

Hungarian algorithm by shortest augmenting paths with potentials (Kuhn, Naval Research Logistics Quarterly 2, 1955; in
this form Jonker and Volgenant, Computing 38, 1987). Lists, no arrays: a frame has few faces.

Symbols: u, v potentials of rows and columns; column 0 is an artificial one, from which every path starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

Costs = Sequence[Sequence[float]]


def assign(costs: Costs, limit: float) -> list[tuple[int, int]]:
    """Pairs (row, column) with the smallest sum of costs, where staying alone costs as much as a pair at `limit`.

    Arguments:
        costs: `(rows, columns)`; infinite where a pair is out of the question, never NaN.
        limit: pairs that cost this or more are left out; finite.

    Returns:
        pairs in ascending order of their rows; each row and each column at most once.
    """
    rows, columns = len(costs), len(costs[0]) if costs else 0
    if not rows or not columns:
        return []
    if rows > columns:
        turned = assign(list(zip(*costs, strict=True)), limit)
        return sorted((row, column) for column, row in turned)
    u, v = [0.0] * (rows + 1), [0.0] * (columns + 1)
    partner, before = [0] * (columns + 1), [0] * (columns + 1)
    for row in range(1, rows + 1):
        partner[0], column = row, 0
        slack, is_done = [float("inf")] * (columns + 1), [False] * (columns + 1)
        while partner[column]:
            is_done[column] = True
            current, step, best = partner[column], float("inf"), 0
            line = costs[current - 1]
            for j in range(1, columns + 1):
                if is_done[j]:
                    continue
                reduced = min(line[j - 1], limit) - u[current] - v[j]
                if reduced < slack[j]:
                    slack[j], before[j] = reduced, column
                if slack[j] < step:
                    step, best = slack[j], j
            for j in range(columns + 1):
                if is_done[j]:
                    u[partner[j]] += step
                    v[j] -= step
                else:
                    slack[j] -= step
            column = best
        while column:
            partner[column], column = partner[before[column]], before[column]
    found = ((partner[j] - 1, j - 1) for j in range(1, columns + 1) if partner[j])
    return sorted((row, column) for row, column in found if costs[row][column] < limit)


def assign_ref(costs: Costs, limit: float) -> float:
    """The smallest sum that `assign` can reach, by trying everything; `limit` is paid per row that stays alone."""
    rows, columns = len(costs), len(costs[0]) if costs else 0
    alone = range(columns, columns + rows)
    return min(
        sum(min(costs[row][column], limit) if column < columns else limit for row, column in enumerate(chosen))
        for chosen in permutations([*range(columns), *alone], rows)
    )
