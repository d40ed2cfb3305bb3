"""`Plan`: the steps of the small ensemble's training as data. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from affectkit.configs import Config
from affectkit.errors import ConfigError, listed
from affectkit.files import read_data
from affectkit.recipes import Augmentation, Recipe
from affectkit.seeds import check_seed
from affectkit_compound.system import MEMBERS

# Of `synthetic_faces`, which says what they are.
World = Literal["APEX_V1", "STILLS_V2", "BOTH_V1"]
_AUGMENTATION = Augmentation(flip=0.5, shift=2, gain=0.2, noise=0.02)
BASIC = Recipe(epochs=14, batch_size=32, learning_rate=2e-3, gradient_clip=1.0, augmentation=_AUGMENTATION)
COMPOUND = Recipe(epochs=12, batch_size=32, learning_rate=2e-3, gradient_clip=1.0, augmentation=_AUGMENTATION)
FUSION = Recipe(epochs=20, batch_size=128, learning_rate=1e-3, weight_decay=0.05, gradient_clip=1.0)


@dataclass(frozen=True, kw_only=True)
class Plan(Config):
    """Members one by one, on basic labels and then on both, what joins them, and the weights of the join.

    Attributes:
        world: how far expressions go on the faces that are trained and fitted on.
        train_people: how many people are drawn to train on, at most 5000.
        stills: pictures of each of them.
        choice_people: how many others what joins the members is fitted and chosen by: the first half fits, the second
            half chooses. At least 2, at most 5000.
        basic: recipe of every member alone, on the 7 basic expressions.
        rates: factor of a member's learning rate in both recipes, by its name; 1 where it is not named.
        compound: recipe of what follows, on the 11 compound ones too.
        fusion: recipe of the fusion of features, on stored features.
        seed: of all that is random in training, 0 to 2**63 - 1.
    """

    world: World = "BOTH_V1"
    train_people: int = 1000
    stills: int = 18
    choice_people: int = 400
    rates: Mapping[str, float] = field(default_factory=lambda: {"vit": 0.5})
    basic: Recipe = BASIC
    compound: Recipe = COMPOUND
    fusion: Recipe = FUSION
    seed: int = 0

    def validate(self) -> None:
        check_seed(self.seed)
        for name, least, most in (("train_people", 1, 5000), ("stills", 1, 1000), ("choice_people", 2, 5000)):
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{getattr(self, name)!r} is out of range", f"write {least} to {most}", path=name)
        for name, factor in self.rates.items():
            if name not in MEMBERS:
                raise ConfigError(f"no member {name!r}", f"members: {listed(MEMBERS)}", path="rates")
            if not 0 < factor < float("inf"):
                raise ConfigError(f"{factor!r} is no factor", "write more than 0", path=f"rates.{name}")

    def recipe(self, stage: Literal["basic", "compound"], member: str) -> Recipe:
        """How a member is trained, at its own learning rate."""
        found: Recipe = getattr(self, stage)
        return replace(found, learning_rate=found.learning_rate * self.rates.get(member, 1.0))


def quick(plan: Plan) -> Plan:
    """The same with a handful of people and epochs, to see that it runs; what comes out is worth nothing."""
    return replace(
        plan,
        train_people=min(plan.train_people, 6),
        choice_people=min(plan.choice_people, 4),
        basic=replace(plan.basic, epochs=1),
        compound=replace(plan.compound, epochs=1),
        fusion=replace(plan.fusion, epochs=2),
    )


def read_plan(path: str | Path) -> Plan:
    """The plan in a `.toml` or `.json` file; a table for each recipe.

    Raises:
        ConfigError: not readable, or something in it is wrong; names file, path and remedy.
    """
    return read_data(Plan, path)
