"""Videos of made features with labels per frame, partial as those of s-Aff-Wild2, and a small pipeline for them."""

from __future__ import annotations

import numpy as np

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    Branch,
    ExpressionConfig,
    FeatureStream,
    PipelineConfig,
    TransformerConfig,
    ValenceArousalConfig,
)
from affectkit.recipes import Recipe
from affectkit.records import Labels
from affectkit.tracks.track import FeatureTrack
from affectkit.training import Examples
from affectkit.training.segments import FrameLabels, segment_examples

WIDTHS = {"face": 12, "fau": 10}
CONFIG = PipelineConfig(
    inputs={name: FeatureStream(dim=dim) for name, dim in WIDTHS.items()},
    branches={name: Branch(source=name) for name in WIDTHS},
    fusion=AffineFusionConfig(dim=8, positions="time", time_unit=1 / 30),
    temporal=TransformerConfig(dim=16, depth=1, heads=2, positions="none", dropout=0.0),
    heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
)
RECIPE = Recipe(epochs=40, batch_size=4, learning_rate=0.02)


def make_frames(
    videos: int = 8, count: int = 50, *, noise: float = 0.1, seed: int = 0
) -> tuple[list[FrameLabels], dict[str, dict[str, FeatureTrack]]]:
    """Videos of irregular frames, of which features tell the labels but for noise; in each some task is not labeled."""
    rng = np.random.default_rng(seed)
    labels, tracks = [], {name: dict[str, FeatureTrack]() for name in WIDTHS}
    mixed = {name: rng.normal(size=(10 + 12, dim)) for name, dim in WIDTHS.items()}
    for number in range(videos):
        frames = np.cumsum(rng.integers(1, 9, count))
        expr = (np.arange(count) // 3 + number) % 8
        au = (rng.random((count, 12)) < 0.35).astype(np.float32)
        va = np.stack([np.sin(np.arange(count) / 5 + number), np.cos(np.arange(count) / 7)], axis=1) * 0.8
        cause = np.concatenate([np.eye(8)[expr], va, au], axis=1)
        for name, mix in mixed.items():
            values = cause @ mix + noise * rng.normal(size=(count, mix.shape[1]))
            tracks[name][f"v{number}"] = FeatureTrack(
                video=f"v{number}", frames=frames, times=frames / 30, values=values.astype(np.float32)
            )
        valid = rng.random((3, count)) < 0.8
        valid[number % 3, : count // 2] = False
        labels.append(
            FrameLabels(
                video=f"v{number}",
                frames=frames,
                subject=f"made/p{number}",
                dataset="made",
                targets={
                    "va": Labels(va.astype(np.float32), np.repeat(valid[0][:, None], 2, axis=1)),
                    "expr": Labels(np.where(valid[1], expr, -1), valid[1]),
                    "au": Labels(au, valid[2][:, None] & (rng.random((count, 12)) < 0.9)),
                },
            )
        )
    return labels, tracks


def make_segments(videos: int = 8, *, length: int = 20, overlap: int = 0, noise: float = 0.1) -> Examples:
    """The same, as segments."""
    labels, tracks = make_frames(videos, noise=noise)
    return segment_examples(tracks, labels, length, overlap).examples
