"""Pipelines that look at motion or for events refuse a still picture, and name one that does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from affectkit.analysis import analyze
from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError
from affectkit.late.mean import MeanFusionConfig
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.pipeline import PipelineConfig
from affectkit.presets import recognize_micro, spot_motion, starter
from affectkit.registry import Registry
from affectkit.specs import PipelineSpec
from affectkit.stills import check_still
from tests.brightness import registry


def moving() -> PipelineConfig:
    config = starter()
    branch = replace(config.branches["face"], motion=(FrameDifferenceConfig(),))
    return replace(config, branches={"face": branch})


def refusal(config: ModelConfig, pipeline: str) -> str:
    with pytest.raises(InputError) as caught:
        check_still(config, pipeline, "photo.jpg", registry())
    return str(caught.value)


def test_what_needs_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # whatever plugins are installed
    monkeypatch.setattr(Registry, "presets", lambda self: ())
    remedy = "use one that scores single pictures, such as expression (pip install affectkit-faceapi)"
    events = "looks for events over time, by MotionEventsConfig"
    assert (
        refusal(spot_motion(), "motion-events")
        == f"photo.jpg: is a still picture, and motion-events {events}; {remedy}"
    )
    assert refusal(recognize_micro(), "micro") == f"photo.jpg: is a still picture, and micro {events}; {remedy}"
    motion = "measures motion between frames, by FrameDifferenceConfig of"
    assert refusal(moving(), "mine") == f"photo.jpg: is a still picture, and mine {motion} branches.face; {remedy}"
    joined = EnsembleConfig(members={"a": starter(), "b": moving()}, fusion=MeanFusionConfig())
    fact = f"both {motion} members.b.branches.face"
    assert refusal(joined, "both") == f"photo.jpg: is a still picture, and {fact}; {remedy}"


def test_a_preset_for_pictures_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names = registry()
    weights = next(preset.spec.weights for preset in names.presets() if preset.spec.name == "micro")

    class Preset:
        spec = PipelineSpec(name="portrait", config=starter, summary="For the test.", weights=weights)

    monkeypatch.setattr(Registry, "presets", lambda self: (Preset,))
    with pytest.raises(InputError) as caught:
        check_still(spot_motion(), "motion-events", "photo.jpg", names)
    assert str(caught.value).endswith("; use a pipeline for pictures, such as portrait")


def test_what_scores_single_frames_is_not() -> None:
    check_still(starter(), "starter", "photo.jpg", registry())
    check_still(EnsembleConfig(members={"a": starter()}, fusion=MeanFusionConfig()), "one", "photo.jpg", registry())


def test_analyze_refuses_before_it_decodes(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((64, 64, 3), 128, np.uint8))
    with pytest.raises(InputError) as caught:
        analyze(photo, spot_motion(), faces="whole-frame")
    assert str(caught.value).startswith(
        f"{photo}: is a still picture, and PipelineConfig looks for events over time, by MotionEventsConfig; use "
    )
