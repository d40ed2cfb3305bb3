"""Made-up datasets of pictures whose brightness tells the class, and small pipelines for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectkit import Branch, ConvStemConfig, ExpressionConfig, FrameStream, Index, PipelineConfig
from affectkit.recipes import Augmentation, Recipe
from affectkit.records import ArraySource, Labels, Sample
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.reading import Gathered

CLASSES = ("calm", "glad", "upset")
STILLS = PipelineConfig(
    input=FrameStream(height=16, width=16),
    branches={"face": Branch(features=ConvStemConfig(dim=8))},
    heads={"expression": ExpressionConfig(targets=CLASSES)},
)
RECIPE = Recipe(epochs=20, batch_size=6, learning_rate=0.05, augmentation=Augmentation(flip=0.0))


def make_array(path: Path, count: int = 36, *, side: int = 16, seed: int = 0) -> NDArray[np.int64]:
    """Write gray pictures `(count, side, side)`, and give their classes: 0 dark, 1 gray, 2 light, but for noise."""
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % 3
    noise = rng.integers(-20, 21, (count, side, side))
    np.save(path, (40 + 80 * classes[:, None, None] + noise).astype(np.uint8))
    return classes


def make_index(folder: Path, count: int = 36, *, target: str = "expression") -> Index:
    """A sample per row; of every six, four are for training, one for validation, one for the test."""
    path = folder / "pictures.npy"
    classes = make_array(path, count)
    halves = ("train", "train", "train", "train", "validation", "test")
    return Index(
        samples=tuple(
            Sample(
                dataset="made",
                subject=f"made/{row:03}",
                subject_is_known=False,
                key=f"{row:03}",
                source=ArraySource(path=path, index=row),
                targets={target: Labels(classes[row], np.array(True))},
                raw={"split": halves[(row // 3) % 6]},
            )
            for row in range(count)
        )
    )


def gather(folder: Path, count: int = 36, *, names: Mapping[str, tuple[str, ...]] | None = None) -> Gathered:
    """The pictures of `make_index`, cut into `folder`."""
    given = {"expression": CLASSES} if names is None else names
    return gather_pictures(make_index(folder, count), STILLS, names=given, faces="whole-frame", folder=folder / "cut")
