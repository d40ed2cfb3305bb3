"""One small component of every kind, and a preset. This is the module that the entry point names; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import affectkit
from affectkit import Branch, FrameStream, PipelineConfig, PipelineSpec, Windows
from affectkit_toy import amplify, brightness, center_face, clip_table, grid, leaky, median, mood, sharpen, weighted_sum
from affectkit_toy.center_face import CenterFaceConfig

_MODULES = (amplify, grid, weighted_sum, leaky, mood, median, sharpen, center_face, brightness, clip_table)


@affectkit.hookimpl
def affectkit_components() -> Iterable[Any]:
    """Yield the spec of every component."""
    for module in _MODULES:
        yield module.SPEC


@affectkit.hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the preset."""
    yield PipelineSpec(name="toy-mood", config=make_mood, summary="Mood of every frame, from amplified motion.")


def make_mood() -> PipelineConfig:
    """The preset's config."""
    return PipelineConfig(
        input=FrameStream(height=16, width=16),
        sampling=Windows(seconds=1.0, hop_seconds=0.5),
        faces=CenterFaceConfig(),
        branches={"face": Branch(motion=(amplify.AmplifyConfig(),), features=grid.GridConfig(dim=8))},
        temporal=leaky.LeakyConfig(dim=8),
        heads={"mood": mood.MoodConfig()},
        maps={"sharp_mood": sharpen.SharpenConfig(source="mood")},
    )
