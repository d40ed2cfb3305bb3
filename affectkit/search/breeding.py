"""Who is proposed: NSGA-II (Deb et al., IEEE TEC 6(2), 2002) by Optuna, in memory.

Nothing of its state is kept anywhere: a run that goes on asks for every candidate again and tells what became of it,
and so arrives where it was. What is proposed depends on the seed and on what was told before, in which order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence as Items
from typing import Any

from affectkit.search.genes import Gene
from affectkit.search.optuna_import import import_optuna
from affectkit.search.space import Evolution, Value


class Breeder:
    """Proposes candidates, generation by generation.

    Arguments:
        genes: what they differ in.
        evolution: population, seed, mutation.
        directions: of the objectives, `maximize` or `minimize`.
    """

    def __init__(self, genes: Items[Gene], evolution: Evolution, directions: Items[str]) -> None:
        optuna = import_optuna()
        sampler = optuna.samplers.NSGAIISampler(
            population_size=evolution.population, mutation_prob=evolution.mutation, seed=evolution.seed
        )
        self._pruned = optuna.trial.TrialState.PRUNED
        self._study: Any = optuna.create_study(directions=list(directions), sampler=sampler)
        self._distributions = distributions_of(genes)

    def ask(self) -> tuple[int, dict[str, Value]]:
        """A handle for `tell`, and values by path: random ones until a population has been told, then children."""
        trial = self._study.ask(self._distributions)
        return trial.number, {path: trial.params[path] for path in self._distributions}

    def tell(self, handle: int, aims: Items[float] | None) -> None:
        """What became of it; None for what was not scored, which leaves a place in its generation free."""
        if aims is None:
            self._study.tell(handle, state=self._pruned)
        else:
            self._study.tell(handle, list(aims))


def distributions_of(genes: Items[Gene]) -> Mapping[str, Any]:
    """What Optuna draws each gene from."""
    optuna = import_optuna().distributions
    found: dict[str, Any] = {}
    for gene in genes:
        if gene.choices:
            found[gene.path] = optuna.CategoricalDistribution(gene.choices)
        elif gene.is_whole:
            found[gene.path] = optuna.IntDistribution(int(gene.low), int(gene.high))
        else:
            found[gene.path] = optuna.FloatDistribution(gene.low, gene.high)
    return found
