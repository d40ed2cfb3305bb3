"""`Recipe`: how a model is trained, as data. No torch.

A recipe is fixed before the data of the test half is seen: there is no field that could choose by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from affectkit.codec import encode
from affectkit.configs import Config
from affectkit.errors import ConfigError
from affectkit.files import read_data
from affectkit.registry import Registry, default_registry


@dataclass(frozen=True, kw_only=True)
class Augmentation(Config):
    """What is done to frames and flow maps in training, drawn anew for each clip and epoch, alike for all its steps.

    Attributes:
        flip: probability of mirroring a clip left to right; the sideways component of flow, `u`, changes its sign.
        shift: pixels, by up to which a clip is moved in each direction; its border is repeated.
        gain: share, by up to which all values of a clip are scaled: of flow, so long is the motion.
        noise: standard deviation of what is added to each value, in its unit.
    """

    flip: float = 0.5
    shift: int = 0
    gain: float = 0.0
    noise: float = 0.0

    def validate(self) -> None:
        _check_share(self.flip, "flip", most=1.0)
        _check_share(self.gain, "gain", most=1.0)
        for name in ("shift", "noise"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)!r} is below 0", "write 0 or more", path=name)


@dataclass(frozen=True, kw_only=True)
class Mixing(Config):
    """Pictures made of two of a batch, drawn anew for every step. A picture keeps the share l, its partner has 1 - l.

    Without `compound`, any two are mixed, and so are their labels a and b: l a + (1 - l) b for every head, valid where
    both are (mixup, arXiv 1710.09412; CutMix, arXiv 1905.04899). With it, only pictures of two basic expressions are
    mixed that make one of that head's classes. Its label is that class, whatever l is; that of `basics` is
    l a + (1 - l) b; other heads get none, since what units or valence such a face has, nobody knows.

    Attributes:
        how: `blend`, the weighted sum of both (mixup); `box`, a box of the partner over the picture (CutMix); `halves`,
            the upper part of one face over the lower part of the other, by chance which.
        share: probability that a picture is mixed, if it has a partner in its batch.
        alpha: l is drawn from Beta(alpha, alpha): 1 is uniform, and the larger, the nearer to 1/2. None for 1, or where
            compounds are made 16, which is between 0.3 and 0.7 nearly always.
        compound: a head of compound expressions, whose labels may all be made so; None for none.
        basics: then, the head whose labels say which basic expression a picture shows.
    """

    how: Literal["blend", "box", "halves"] = "blend"
    share: float = 0.5
    alpha: float | None = None
    compound: str | None = None
    basics: str = "expression"

    def validate(self) -> None:
        _check_share(self.share, "share", most=1.0)
        if self.alpha is not None and not 0 < self.alpha < float("inf"):
            raise ConfigError(f"{self.alpha!r} is no parameter of Beta", "write more than 0", path="alpha")
        if self.compound == self.basics:
            raise ConfigError(f"{self.basics!r} is the head of compounds", "name that of basic ones", path="basics")

    @property
    def made(self) -> tuple[str, ...]:
        """Heads that need no labels of a dataset, since theirs are made."""
        return () if self.compound is None else (self.compound,)


@dataclass(frozen=True, kw_only=True)
class Recipe(Config):
    """How a model is trained: AdamW, and a rate that rises in the first tenth of the steps and falls along a cosine.

    Attributes:
        epochs: passes over the training half. With `epoch="inner"` the most that are tried.
        epoch: which one counts: the `last`, or the number that is best on an `inner` split by subject of the training
            half, on all of which the model is then trained so long.
        batch_size: examples per step: clips, pictures, or segments of however many frames.
        learning_rate: the highest, above 0.
        rates: factors of it by config path, such as `{"branches.face.features": 0.1}`; the longest path counts.
        weight_decay: of AdamW.
        schedule: `cosine`, or `constant`.
        sampling: `shuffled`, every example once per epoch; `balanced`, as many as there are, of every class of a head
            equally many, drawn anew for every epoch. Those without a class come once, and that head gets no weights by
            `class_weights`.
        sampling_head: the head; None where one head is of classes.
        class_weights: `balanced` gives each class the same sum of weights in the loss of every head of classes that
            has none of its own, and tells a head of occurring action units how often each is active, where it doesn't
            know; `root` does the same with the square roots of the classes' weights, for classes of which one is nearly
            all there is; `none` leaves the heads as they are.
        task_weights: how the losses of several heads are added up: `fixed`, each times its head's `weight`; or
            `learned`, `sum_i exp(-s_i) L_i + s_i` with an s_i for each, learned from 0 beside the model; a `weight`
            then only says where it begins. Their rate can be set in `rates`, as that of `task_weights`.
        gradient_clip: the largest norm of a gradient; 0 for no limit.
        precision: `32`, or 16 bits where they do: `bf16-mixed`, `16-mixed` (CUDA only).
        random_dials: dials that are turned anew for every step, each to a value drawn from its domain: by path, such as
            `branches.flow.features.ratios[0]`, or all below a path, such as `branches.flow`. The trained model has them
            as its config says. Where one is of a front-end that doesn't learn, that is computed in every step.
        augmentation: what is done to the clips.
        mixing: pictures that are made of two, with labels of two; None for none.
    """

    epochs: int = 40
    epoch: Literal["last", "inner"] = "last"
    batch_size: int = 64
    learning_rate: float = 2e-3
    rates: Mapping[str, float] = field(default_factory=dict)
    weight_decay: float = 0.01
    schedule: Literal["cosine", "constant"] = "cosine"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    sampling_head: str | None = None
    class_weights: Literal["balanced", "root", "none"] = "balanced"
    task_weights: Literal["fixed", "learned"] = "fixed"
    gradient_clip: float = 0.0
    precision: Literal["32", "bf16-mixed", "16-mixed"] = "32"
    random_dials: tuple[str, ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    mixing: Mixing | None = None

    def validate(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{getattr(self, name)!r} is too few", "write 1 or more", path=name)
        if not 0 < self.learning_rate < float("inf"):
            raise ConfigError(f"{self.learning_rate!r} is no rate", "write more than 0", path="learning_rate")
        for name in ("weight_decay", "gradient_clip"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)!r} is below 0", "write 0 or more", path=name)
        if self.sampling_head is not None and self.sampling != "balanced":
            fact = f"{self.sampling_head!r} with sampling={self.sampling!r}, which looks at no head"
            raise ConfigError(fact, "leave it out, or write sampling='balanced'", path="sampling_head")
        for path, factor in self.rates.items():
            if not 0 <= factor < float("inf"):
                raise ConfigError(f"{factor!r} is no factor", "write 0 or more", path=f"rates.{path}")


def read_recipe(path: str | Path, *, registry: Registry | None = None) -> Recipe:
    """The recipe in a `.toml` or `.json` file: its fields at the top, `augmentation` as a table.

    Raises:
        ConfigError: not readable, or something in it is wrong; names file, path and remedy.
    """
    return read_data(Recipe, path, registry=registry)


def recipe_to_data(recipe: Recipe, *, registry: Registry | None = None) -> Any:
    """Plain data, as it stands in a file."""
    return encode(recipe, registry if registry is not None else default_registry())


def _check_share(value: float, path: str, *, most: float) -> None:
    if not 0 <= value <= most:
        raise ConfigError(f"{value!r} is no share", f"write 0 to {most:g}", path=path)
