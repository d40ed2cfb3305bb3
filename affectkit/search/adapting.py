"""Weights that are used to what a search will try: other values of the dials in every step of training.

After SparseViT (Chen et al., CVPR 2023, section 3.3), whose weights are adapted to random sparsity before the search.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence as Items

from affectkit.search.genes import Gene
from affectkit.search.space import Value


def draw_dials(genes: Items[Gene], seed: int) -> Callable[[int], Mapping[str, Value]]:
    """A function from the number of a step to values of the dials, each drawn evenly from what is searched.

    Arguments:
        genes: those that are fields are left as they are.
        seed: the same one gives the same values in the same step.
    """
    dials = tuple(gene for gene in genes if gene.is_dial)

    def draw(step: int) -> Mapping[str, Value]:
        # as text, since seeds of neighboring numbers would give similar first draws
        source = random.Random(f"{seed} {step}")
        return {gene.path: _draw(gene, source) for gene in dials}

    return draw


def _draw(gene: Gene, source: random.Random) -> Value:
    if gene.choices:
        return source.choice(gene.choices)
    if gene.is_whole:
        return source.randint(int(gene.low), int(gene.high))
    return source.uniform(gene.low, gene.high)
