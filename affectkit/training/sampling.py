"""In which order examples come: all of them once per epoch, or every class equally often.

What is drawn depends on the seed and the number of the epoch alone, so that a run that was interrupted goes on as if it
had not been.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from affectkit.configs import ModelConfig
from affectkit.errors import ConfigError, InputError, did_you_mean, listed
from affectkit.recipes import Recipe
from affectkit.registry import Registry
from affectkit.training.examples import Examples
from affectkit.training.labeled_outputs import labeled_outputs


class SeededSampler(Sampler[int]):
    """Rows of a set of examples, drawn anew for every epoch.

    Arguments:
        count: rows per epoch.
        seed: of all epochs.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed, self._epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says here which epoch begins."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(mix_seed(self._seed, self._epoch))
        return iter(self.draw(generator).tolist())

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Tensor:
        """The rows of an epoch, `(count,)` int64."""


class Shuffled(SeededSampler):
    """Every row once."""

    def draw(self, generator: torch.Generator) -> Tensor:
        return torch.randperm(self._count, generator=generator)


class Balanced(SeededSampler):
    """As many rows as there are, and of every class equally many, but for one; rows without a class once.

    Within a class no row comes again before all have come; which ones of a large class come in an epoch is drawn.

    Arguments:
        classes: `(N,)` int64; below 0 where there is none.
        seed: of all epochs.
    """

    def __init__(self, classes: Tensor, seed: int) -> None:
        super().__init__(len(classes), seed)
        self._rows = [
            (classes == number).nonzero().flatten()
            for number in classes[classes >= 0].bincount().nonzero().flatten().tolist()
        ]
        self._others = (classes < 0).nonzero().flatten()

    def draw(self, generator: torch.Generator) -> Tensor:
        total = self._count - len(self._others)
        # of what doesn't divide evenly, another class gets one more in every epoch
        luck = torch.randperm(len(self._rows), generator=generator).tolist()
        counts = [total // len(self._rows) + (place < total % len(self._rows)) for place in luck]
        found = [self._others]
        for rows, count in zip(self._rows, counts, strict=True):
            rounds = [torch.randperm(len(rows), generator=generator) for _ in range(-(-count // len(rows)))]
            if rounds:
                found.append(rows[torch.cat(rounds)[:count]])
        drawn = torch.cat(found)
        return drawn[torch.randperm(len(drawn), generator=generator)]


def make_sampler(
    examples: Examples, recipe: Recipe, config: ModelConfig, seed: int, *, registry: Registry | None = None
) -> SeededSampler:
    """The sampler that a recipe asks for.

    Raises:
        ConfigError: the head to balance by is not there, or several could be meant.
        InputError: its labels are not one class per example, or none is valid.
    """
    head = balanced_head(recipe, config, registry=registry)
    if head is None:
        return Shuffled(len(examples), seed)
    labels = examples.targets.get(head)
    if labels is None:
        raise InputError(
            f"examples: no labels of {head!r}, by which they are to be sampled; they have {listed(examples.targets)}"
        )
    if labels.values[0].numel() != 1:
        raise InputError(
            f"examples: {head!r} has several labels per example; sampling by class needs one each, so leave it out"
        )
    values, valid = labels.values.flatten(), labels.valid.flatten()
    if not valid.any():
        fact = f"no valid label of {head!r}, by which they are to be sampled"
        raise InputError(f"examples: {fact}; label some, or leave sampling out")
    return Balanced(torch.where(valid, values, -1), seed)


def balanced_head(recipe: Recipe, config: ModelConfig, *, registry: Registry | None = None) -> str | None:
    """The head by whose classes examples are sampled; None where all come once.

    Raises:
        ConfigError: no such head of classes, or several could be meant.
    """
    if recipe.sampling == "shuffled":
        return None
    outputs = labeled_outputs(config, registry=registry)
    heads = [name for name, one in outputs.items() if one.stream.problem == "multiclass"]
    if recipe.sampling_head is None and len(heads) == 1:
        return heads[0]
    if recipe.sampling_head is None:
        fact = f"{len(heads)} heads of classes to balance by"
        raise ConfigError(fact, "name one" if heads else "write sampling='shuffled'", path="sampling_head")
    if recipe.sampling_head not in heads:
        hint = did_you_mean(recipe.sampling_head, heads, noun="heads")
        raise ConfigError(f"no head of classes {recipe.sampling_head!r}", hint, path="sampling_head")
    return recipe.sampling_head


def mix_seed(seed: int, number: int) -> int:
    """A seed for one epoch or step."""
    return (seed * 1_000_003 + number) % 2**63
