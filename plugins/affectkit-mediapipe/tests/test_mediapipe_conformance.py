"""The plugin as it is installed. The extractor does nothing without its weights, so here it is built with them, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

pytest.importorskip("mediapipe", reason="runs in the environment of `make test-mediapipe`")

from affectkit_mediapipe import blendshape_features
from affectkit_mediapipe.blendshape_features import MediaPipeBlendshapesConfig
from affectkit_mediapipe.blendshape_features_net import MediaPipeBlendshapes
from affectkit_mediapipe.blendshape_weights import load_state
from affectkit_mediapipe.bundle import BLENDSHAPES, BUNDLE, PROVIDER

from affectkit import FeatureStream, FrameStream, PredictionStream
from affectkit.testing import parametrize_with_checks
from affectkit.weights import fetch_weights

SCORES = PredictionStream(problem="regression", resolution="frame", targets=BLENDSHAPES, bounds=(0.0, 1.0))


def with_weights(config: MediaPipeBlendshapesConfig, stream: FrameStream) -> MediaPipeBlendshapes:
    made = MediaPipeBlendshapes(config, stream)
    made.load_state_dict(load_state(fetch_weights(BUNDLE, PROVIDER)))
    return made


@parametrize_with_checks(PROVIDER, streams={"blendshapes": FeatureStream(dim=52), "au-proxies": SCORES})
def test_conformance(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks(specs=[dataclasses.replace(blendshape_features.SPEC, factory=with_weights)])
def test_conformance_with_weights(check: Callable[[], None]) -> None:
    check()
