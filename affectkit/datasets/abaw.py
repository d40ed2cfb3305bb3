"""What the configs of Aff-Wild2 and s-Aff-Wild2 have in common: labels of every frame, for up to three heads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from affectkit.data.labels import ABAW_8, ABAW_AUS
from affectkit.datasets.base import AFFECT, PublishedConfig
from affectkit.errors import ConfigError

_SIDE = re.compile(r"_(left|right)$")
_NAMED_FPS = re.compile(r"\d+-([1-9]\d*)-\d+x\d+")


@dataclass(frozen=True, kw_only=True)
class AbawConfig(PublishedConfig):
    """Base of the datasets of the ABAW challenges: a sample is a person in a video, with labels of every frame.

    Attributes:
        split: which half the owners put a video in, or `all`; also in `raw["split"]`.
        shared: with `split="all"`, what becomes of videos of `train` from a movie that `validation` has too: `keep`; or
            `drop`, they are left out, as the official evaluation needs it, in which nobody is in both halves.
        frames: which pictures, by the name of their folder: `cropped_aligned`, or `cropped`.
        missing: what becomes of frames without a picture, in which no face was found: `keep`, they stay, and the
            nearest picture of the video stands in, as evaluation wants it; `drop`, they are left out, for training.
        fps: frames per second of videos whose name says none. `46-30-484x360` says 30, and `video45_1` nothing.
        va, expr, au: the heads that valence and arousal, the expression and the action units are for.
        classes: expressions in the order of the label's index. Frames of others are not valid.
        units: action units in the order of the label's columns. Those that a file lacks are not valid.
    """

    split: str = "train"
    shared: Literal["keep", "drop"] = "keep"
    frames: Literal["cropped_aligned", "cropped"] = "cropped_aligned"
    missing: Literal["keep", "drop"] = "keep"
    fps: float = 30.0
    va: str = "va"
    expr: str = "expr"
    au: str = "au"
    classes: tuple[str, ...] = ABAW_8
    units: tuple[str, ...] = ABAW_AUS

    def validate(self) -> None:
        if not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps!r} is no rate", "write more than 0", path="fps")
        if self.shared == "drop" and self.split != "all":
            fact = f"'drop', and split is {self.split!r}, of which nothing is shared"
            raise ConfigError(fact, "write split='all', or leave it out", path="shared")
        heads = (self.va, self.expr, self.au)
        if not all(heads) or len(set(heads)) < len(heads):
            fact = f"va, expr and au are {', '.join(map(repr, heads))}"
            raise ConfigError(fact, "write three names of heads, each its own", path="va")
        for name, words in (("classes", self.classes), ("units", self.units)):
            if not words or len(set(words)) < len(words):
                fact = f"{words!r} is empty, or has a name twice"
                raise ConfigError(fact, "write each name once, in order", path=name)

    @property
    def label_names(self) -> Mapping[str, tuple[str, ...]]:
        return {self.va: AFFECT, self.expr: self.classes, self.au: self.units}


def movie_of(video: str) -> str:
    """Name of the movie that a video is cut from: `_left` and `_right` say which of two people on one screen it shows.

    Annotations and pictures of the two have the suffix, and are never matched without it; the movie has none.
    """
    return _SIDE.sub("", video)


def named_fps(video: str) -> float | None:
    """Frames per second as a video's name says them, `30` in `46-30-484x360_left`; None where it says none."""
    found = _NAMED_FPS.match(video)
    return float(found[1]) if found else None
