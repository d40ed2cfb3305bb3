"""Weights between tasks that are learned with the model, from how uncertain each task is.

    L = sum_i exp(-s_i) L_i + s_i

Kendall, Gal and Cipolla 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and Semantics",
arXiv 1705.07115: s_i = log sigma_i^2 of task i, learned in place of sigma_i, which keeps the weight above 0.

From the paper: the weight exp(-s_i), the term that keeps it from 0, and learning s_i. Inferred here: one form for all
tasks, where the paper halves the weight of regressions and has s_i / 2 as the other term, since `1 - CCC` and the
asymmetric loss are no likelihoods; s_i from 0; no weight decay; and that a task without a valid label in a batch adds
nothing to that step. At the optimum exp(-s_i) = 1 / L_i: a task weighs the more, the smaller its loss is.
"""

from __future__ import annotations

import torch
from torch import nn

from affectkit.errors import ConfigError
from affectkit.model import Model
from affectkit.recipes import Recipe
from affectkit.sequences import Losses

# What a recipe's `rates` call them.
TASK_WEIGHTS = "task_weights"


class TaskWeights(nn.Module):
    """The s_i of some heads.

    Attributes:
        log_variances: s_i by the head's place among `heads`, `(n,)`.
    """

    def __init__(self, heads: tuple[str, ...]) -> None:
        super().__init__()
        self.log_variances = nn.Parameter(torch.zeros(len(heads)))
        self._places = {f"heads.{name}": place for place, name in enumerate(heads)}

    def forward(self, losses: Losses) -> Losses:
        """Losses by path, those of the heads as `exp(-s_i) L_i + s_i`; others, such as a magnifier's, as they are.

        A head's loss of exactly 0 is that of a batch without a valid label of it, and stays 0 with zero gradient.
        """
        weighed = dict(losses)
        for path, place in self._places.items():
            if path in losses:
                s, loss = self.log_variances[place], losses[path]
                weighed[path] = torch.where(loss.detach() > 0, torch.exp(-s) * loss + s, 0.0 * loss)
        return weighed


def make_task_weights(model: Model, recipe: Recipe) -> TaskWeights | None:
    """The learned weights of the model's heads; None where the recipe has them fixed.

    Raises:
        ConfigError: there are not several heads, or a rate is given for what is not learned.
    """
    if recipe.task_weights == "fixed":
        if TASK_WEIGHTS in recipe.rates:
            raise ConfigError(
                "weights of tasks are fixed", "write task_weights='learned'", path=f"rates.{TASK_WEIGHTS}"
            )
        return None
    heads = tuple(getattr(model.config, "heads", {}))
    if len(heads) < 2:
        raise ConfigError(f"'learned' for {len(heads)} heads", "give several heads, or 'fixed'", path=TASK_WEIGHTS)
    return TaskWeights(heads)
