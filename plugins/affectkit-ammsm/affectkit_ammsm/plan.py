"""`Plan`: the phases of AMMSM as data. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from affectkit.codec import encode
from affectkit.configs import Config, ModelConfig
from affectkit.dials import find_dials
from affectkit.errors import ConfigError
from affectkit.files import read_data
from affectkit.recipes import Augmentation, Recipe
from affectkit.registry import default_registry
from affectkit.search.genes import find_genes
from affectkit.search.space import Evolution, SearchSpace

_AUGMENTATION = Augmentation(flip=0.5, shift=1, gain=0.2, noise=0.05)
JOINT = Recipe(epochs=30, augmentation=_AUGMENTATION)
ADAPTATION = Recipe(epochs=10, learning_rate=1e-3, augmentation=_AUGMENTATION)
TUNING = Recipe(epochs=15, learning_rate=1e-3, augmentation=_AUGMENTATION)


@dataclass(frozen=True, kw_only=True)
class Plan(Config):
    """What is done after each other: joint training, adaptation, search, fine-tuning (arXiv 2503.24057).

    The paper states the joint training of magnifier and classifier, an evolutionary search over the magnification
    factor and the sparsity ratios, and fine-tuning behind it. Adaptation, epochs, rates, the space and its evolution
    are ours, after SparseViT (Chen et al. 2023, arXiv 2303.17605), whose order this is.

    Attributes:
        joint: all of the model is trained, its dials as its config says.
        adaptation: goes on from there with random dials in every step, so that one set of weights serves all values:
            with those that are searched, unless its `random_dials` name others.
        search: dials, with the weights as adaptation left them: a space, in which no dials means all of the pipeline;
            `all`, which is a space of nothing but defaults; or `none`, so that they stay.
        share: of the subjects of the training half, set apart to score candidates by: neither of the first two phases
            sees them, in a search.
        refit: whether the first two phases are run again once the dials are found, on all of the training half, so that
            what the search took from them is given back. Without it, fine-tuning alone sees those set apart.
        tuning: goes on from the adapted weights with the dials that were found, on all of the training half.
    """

    joint: Recipe = JOINT
    adaptation: Recipe = ADAPTATION
    search: SearchSpace | Literal["all", "none"] = "all"
    share: float = 0.25
    refit: bool = True
    tuning: Recipe = TUNING

    def validate(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(f"{self.share!r} is no share", "write more than 0, and less than 1", path="share")
        if self.space is not None and self.space.fields:
            first = next(iter(self.space.fields))
            raise ConfigError(
                f"{first!r} is no dial, and training needs it fixed", "search dials", path="search.fields"
            )

    @property
    def space(self) -> SearchSpace | None:
        """What is searched, where it is written; None for `none`, and for `all` until a pipeline says what that is.

        Without dials, a pipeline has still to say what they are.
        """
        return self.search if isinstance(self.search, SearchSpace) else None

    @property
    def refits(self) -> bool:
        """Whether there is a search, and the first two phases come again behind it."""
        return self.refit and self.search != "none"


def resolve_plan(plan: Plan, config: ModelConfig, *, evolution: Evolution | None = None) -> Plan:
    """The plan as it is for one pipeline, with the space and the random dials written out.

    Arguments:
        plan: may be one that is resolved already.
        config: of the pipeline.
        evolution: of a search of `all` dials.

    Raises:
        ConfigError: the pipeline has no dials to search, or not those of the space.
    """
    if plan.search == "all":
        plan = replace(plan, search=SearchSpace(search=Evolution() if evolution is None else evolution))
    if plan.space is not None and not plan.space.dials:
        dials: dict[str, Any] = {dial.path: "all" for dial in find_dials(config)}
        if not dials:
            raise ConfigError("all dials, and the pipeline has none", "write 'none'", path="search")
        plan = replace(plan, search=replace(plan.space, dials=dials))
    if plan.space is not None:
        find_genes(plan.space, config)
        if not plan.adaptation.random_dials:
            plan = replace(plan, adaptation=replace(plan.adaptation, random_dials=tuple(plan.space.dials)))
    return plan


def read_plan(path: str | Path) -> Plan:
    """The plan in a `.toml` or `.json` file; a table for each phase.

    Raises:
        ConfigError: not readable, or something in it is wrong; names file, path and remedy.
    """
    return read_data(Plan, path)


def plan_to_data(plan: Plan) -> Any:
    """Plain data, as it stands in a file."""
    return encode(plan, default_registry())
