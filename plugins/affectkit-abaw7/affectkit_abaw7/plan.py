"""`Plan`: the steps of the system's training as data. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from affectkit.configs import Config
from affectkit.errors import ConfigError, listed
from affectkit.files import read_data
from affectkit.recipes import Augmentation, Recipe
from affectkit.seeds import check_seed
from affectkit_abaw7.system import ENCODERS

# A batch is of whole videos: 4 have about 80 frames that encoders see.
ENCODER = Recipe(
    epochs=5,
    batch_size=4,
    learning_rate=2e-3,
    gradient_clip=1.0,
    augmentation=Augmentation(flip=0.5, shift=2, gain=0.2, noise=0.02),
)
# Nearly all frames are neutral: weights that even that out would call too much an expression.
FUSION = Recipe(
    epochs=40, batch_size=16, learning_rate=1e-3, weight_decay=0.05, gradient_clip=1.0, class_weights="root"
)


@dataclass(frozen=True, kw_only=True)
class Plan(Config):
    """Encoders one by one, then what joins them on their stored features, then cuts chosen on other people.

    Attributes:
        train_videos: how many people are filmed to train on, at most 5000.
        choice_videos: how many others thresholds are chosen by, and results of each step shown for.
        encoder: recipe of every encoder, on frames.
        epochs: those of an encoder, by its name; the recipe's where it is not named.
        every: encoders learn from every so manieth listed frame of a video, since neighbors look alike.
        fusion: recipe of fusion, Transformer and heads, on stored features of whole videos.
        mirrored: whether features of mirrored videos are stored as well, as further examples for the fusion.
        seed: of all that is random in training, 0 to 2**63 - 1.
    """

    train_videos: int = 1200
    choice_videos: int = 200
    encoder: Recipe = ENCODER
    epochs: Mapping[str, int] = field(default_factory=lambda: {"poster2": 2})
    every: int = 2
    fusion: Recipe = FUSION
    mirrored: bool = False
    seed: int = 0

    def validate(self) -> None:
        check_seed(self.seed)
        for name in ("train_videos", "choice_videos"):
            if not 1 <= getattr(self, name) <= 5000:
                raise ConfigError(f"{getattr(self, name)!r} videos", "write 1 to 5000", path=name)
        if self.every < 1:
            raise ConfigError(f"{self.every!r} is no step", "write 1 for all frames, 2 for every second", path="every")
        for name, count in self.epochs.items():
            if name not in ENCODERS:
                raise ConfigError(f"no encoder {name!r}", f"encoders: {listed(ENCODERS)}", path="epochs")
            if count < 1:
                raise ConfigError(f"{count!r} is no number of epochs", "write 1 or more", path=f"epochs.{name}")

    def recipe(self, encoder: str) -> Recipe:
        """How an encoder is trained, for its own number of epochs."""
        return replace(self.encoder, epochs=self.epochs.get(encoder, self.encoder.epochs))


def quick(plan: Plan) -> Plan:
    """The same with a handful of videos and epochs, to see that it runs; what comes out is worth nothing."""
    return replace(
        plan,
        train_videos=min(plan.train_videos, 8),
        choice_videos=min(plan.choice_videos, 4),
        encoder=replace(plan.encoder, epochs=1),
        epochs={},
        fusion=replace(plan.fusion, epochs=2),
    )


def read_plan(path: str | Path) -> Plan:
    """The plan in a `.toml` or `.json` file; a table for each recipe.

    Raises:
        ConfigError: not readable, or something in it is wrong; names file, path and remedy.
    """
    return read_data(Plan, path)
