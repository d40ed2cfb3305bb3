"""Candidates and what became of them: states, the front of those that none dominates, the winner, the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence as Items
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from affectkit.protocols.text_tables import write_columns
from affectkit.search.space import Objectives, Value

State = Literal["waiting", "running", "done", "rejected", "failed"]


@dataclass(frozen=True)
class Candidate:
    """One proposal of a search.

    Attributes:
        number: in the order in which they were proposed, from 0.
        generation: from 0.
        values: of its genes, by path.
        state: `done`, or why not: `rejected` by a limit, `failed` by an exception, or `waiting`, `running` so far.
        score: of the inner validation half; None unless done.
        latency_ms, flops: None unless asked for.
        reason: why it was rejected or failed.
        same_as: number of an earlier candidate with these values, from which the score is; None for a new one.
    """

    number: int
    generation: int
    values: Mapping[str, Value]
    state: State
    score: float | None = None
    latency_ms: float | None = None
    flops: float | None = None
    reason: str = ""
    same_as: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing of it will change."""
        return self.state not in ("waiting", "running")

    def cost(self, objectives: Objectives) -> float | None:
        """What is minimized; None where the score stands alone."""
        return {"none": None, "latency": self.latency_ms, "flops": self.flops}[objectives.cost]

    def aims(self, objectives: Objectives) -> tuple[float, ...]:
        """Score and cost of a candidate that is done."""
        assert self.score is not None
        cost = self.cost(objectives)
        return (self.score,) if cost is None else (self.score, cost)


def key_of(values: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """What two candidates with the same values have in common."""
    return tuple(sorted((path, repr(value)) for path, value in values.items()))


def find_front(candidates: Iterable[Candidate], objectives: Objectives) -> tuple[Candidate, ...]:
    """Those that no other dominates, one for each pair of score and cost, by falling score.

    One dominates another that is no better in score nor in cost, and worse in one of them.
    """
    done = [one for one in candidates if one.state == "done"]
    front: list[Candidate] = []
    for one in sorted(done, key=lambda one: _rank(one, objectives)):
        # sorted by score, so only a lower cost than all before it can save it
        if not front or (one.cost(objectives) or 0.0) < (front[-1].cost(objectives) or 0.0):
            front.append(one)
    return tuple(front)


def find_front_ref(candidates: Iterable[Candidate], objectives: Objectives) -> tuple[Candidate, ...]:
    """As `find_front`, by comparing every pair."""
    done = [one for one in candidates if one.state == "done"]

    def beats(one: Candidate, other: Candidate) -> bool:
        ours, theirs = _rank(one, objectives)[:2], _rank(other, objectives)[:2]
        return all(a <= b for a, b in zip(ours, theirs, strict=True)) and _rank(one, objectives) < _rank(
            other, objectives
        )

    kept = [one for one in done if not any(beats(other, one) for other in done)]
    return tuple(sorted(kept, key=lambda one: _rank(one, objectives)))


def write_candidates(candidates: Items[Candidate], path: Path) -> None:
    """A table (`.parquet`, `.csv`) of text: a line per candidate, a column per gene; an existing file is replaced."""
    columns: dict[str, tuple[str, ...]] = {}
    for name in ("number", "generation", "state", "score", "latency_ms", "flops", "same_as", "reason"):
        cells = (getattr(one, name) for one in candidates)
        columns[name] = tuple("" if cell is None else str(cell) for cell in cells)
    for path_of_gene in candidates[0].values:
        columns[path_of_gene] = tuple(str(one.values[path_of_gene]) for one in candidates)
    write_columns(columns, path, overwrite=True)


def _rank(one: Candidate, objectives: Objectives) -> tuple[float, float, int]:
    assert one.score is not None
    return -one.score, one.cost(objectives) or 0.0, one.number
