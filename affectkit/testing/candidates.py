"""Streams that are offered to a component until its `output` accepts one. Tiny, and common in the field. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from affectkit.data.labels import ABAW_8, ABAW_AUS, BASIC_8, COMPOUND_7, MICRO_3
from affectkit.streams import RGB, FeatureStream, FrameStream, PredictionStream, Problem, Unit

# 32 suits nearly everything; 28 is common for motion maps; the rest is for networks of a fixed size.
SIZES = (32, 28, 64, 112, 224)
CONTENTS: tuple[tuple[tuple[str, ...], Unit], ...] = (
    (RGB, "intensity"),
    (("gray",), "intensity"),
    *((channels, unit) for unit in ("pixel", "iod", "relative") for channels in (("u", "v"), ("u", "v", "strain"))),
)
# For components that take aligned faces only.
ALIGNMENTS = ("steady", "arcface", "dlib")
STEPS: tuple[tuple[str, ...], ...] = (
    (),
    ("onset", "apex", "offset"),
    ("onset", "apex"),
    ("contraction", "relaxation"),
    ("event",),
    ("apex",),
)
DIMS = (8, 16, 32, 64, 128, 256, 512)
PROBLEMS: tuple[tuple[Problem, tuple[str, ...], tuple[float, float] | None], ...] = (
    ("multiclass", BASIC_8, None),
    ("multiclass", ABAW_8, None),
    ("multiclass", MICRO_3, None),
    ("multiclass", COMPOUND_7, None),
    ("multilabel", ABAW_AUS, None),
    ("ordinal", ABAW_AUS, (0.0, 5.0)),
    ("regression", ("valence", "arousal"), (-1.0, 1.0)),
)


def candidates(kind: str) -> Iterator[Any]:
    """Inputs to try for a component of this kind, likeliest first; none for kinds that take no stream."""
    if kind in ("motion", "features", "spotter"):
        for size, steps, (channels, unit) in itertools.product(SIZES, STEPS, CONTENTS):
            yield FrameStream(channels=channels, unit=unit, height=size, width=size, steps=steps)
        for size, alignment, channels in itertools.product(SIZES, ALIGNMENTS, (RGB, ("gray",))):
            yield FrameStream(channels=channels, height=size, width=size, alignment=alignment)
    elif kind in ("temporal", "head"):
        for steps, dim in itertools.product(STEPS, DIMS):
            yield FeatureStream(dim=dim, steps=steps)
    elif kind == "fusion":
        for steps, dim in itertools.product(STEPS, DIMS):
            # unequal widths are the rule; equal ones serve a sum or a mean
            yield {"a": FeatureStream(dim=dim, steps=steps), "b": FeatureStream(dim=dim + 4, steps=steps)}
            yield {"a": FeatureStream(dim=dim, steps=steps), "b": FeatureStream(dim=dim, steps=steps)}
    elif kind in ("late-fusion", "map"):
        for resolution, (problem, targets, bounds) in itertools.product(("frame", "clip"), PROBLEMS):
            stream = PredictionStream(
                problem=problem,
                resolution=resolution,  # type: ignore[arg-type]
                targets=targets,
                bounds=bounds,
            )
            yield {"a": stream, "b": stream} if kind == "late-fusion" else stream


STREAM_CLASSES = {
    "motion": "FrameStream(...)",
    "features": "FrameStream(...)",
    "spotter": "FrameStream(...)",
    "temporal": "FeatureStream(...)",
    "head": "FeatureStream(...)",
    "fusion": "{'a': FeatureStream(...), 'b': FeatureStream(...)}",
    "late-fusion": "{'a': PredictionStream(...), 'b': PredictionStream(...)}",
    "map": "PredictionStream(...)",
}
