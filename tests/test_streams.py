"""Stream descriptions: what they refuse, and how they print."""

from __future__ import annotations

from typing import Any

import pytest

from affectkit.errors import ConfigError, StreamError
from affectkit.streams import (
    FeatureStream,
    FrameStream,
    PredictionStream,
    require_channels,
    require_size,
    require_steps,
    require_unit,
    with_changes,
)
from tests.toys import message_of

FRAMES = {"height": 4, "width": 6}
SCORES = {"problem": "regression", "resolution": "clip", "targets": ("valence",)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": ()}, "channels: no channels; name at least one, such as ('r', 'g', 'b')"),
        ({"channels": "rgb"}, "channels: 'rgb' is no tuple of names; write ('a', 'b')"),
        ({"channels": None}, "channels: None is no tuple of names; write ('a', 'b')"),
        ({"channels": ("r", "")}, "channels: ('r', '') is no tuple of names; write ('a', 'b')"),
        ({"channels": ("r", "g", "r")}, "channels: 'r' named twice; names are unique"),
        ({"unit": "meter"}, "unit: unknown unit 'meter'; units: 'intensity', 'pixel', 'iod', 'relative'"),
        ({"height": 0}, "height: 0 is not a positive whole number; write 1 or more"),
        ({"width": 2.5}, "width: 2.5 is not a positive whole number; write 1 or more"),
        ({"width": True}, "width: True is not a positive whole number; write 1 or more"),
        ({"fps": 0}, "fps: 0 is not a frame rate; write frames per second, or leave it out"),
        ({"fps": float("nan")}, "fps: nan is not a frame rate; write frames per second, or leave it out"),
        ({"fps": "25"}, "fps: '25' is not a frame rate; write frames per second, or leave it out"),
        ({"alignment": ""}, "alignment: '' is no template's name; write 'none' for frames as they are"),
        ({"alignment": None}, "alignment: None is no template's name; write 'none' for frames as they are"),
        ({"steps": ("a", "a")}, "steps: 'a' named twice; names are unique"),
    ],
)
def test_frame_stream_refuses(fields: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, FrameStream, **{**FRAMES, **fields}) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": 0}, "dim: 0 is not a positive whole number; write 1 or more"),
        ({"stride": -1}, "stride: -1 is not a positive whole number; write 1 or more"),
        ({"fps": -5}, "fps: -5 is not a frame rate; write frames per second, or leave it out"),
        ({"steps": "on"}, "steps: 'on' is no tuple of names; write ('a', 'b')"),
    ],
)
def test_feature_stream_refuses(fields: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, FeatureStream, **{"dim": 4, **fields}) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"targets": ()}, "targets: no targets; name at least one"),
        ({"targets": ("a", "a")}, "targets: 'a' named twice; names are unique"),
        (
            {"problem": "ranking"},
            "problem: unknown problem 'ranking'; problems: 'multiclass', 'multilabel', 'ordinal', 'regression'",
        ),
        ({"resolution": "video"}, "resolution: unknown resolution 'video'; resolutions: 'frame', 'clip'"),
        ({"problem": "multiclass"}, "targets: one target 'valence'; multiclass needs two or more"),
        ({"bounds": (1.0, 1.0)}, "bounds: bounds (1.0, 1.0) are empty; write (lowest, highest)"),
    ],
)
def test_prediction_stream_refuses(fields: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, PredictionStream, **{**SCORES, **fields}) == message


def test_lists_become_tuples_and_streams_hash() -> None:
    names: Any = ["u", "v"]
    stream = FrameStream(channels=names, unit="pixel", height=4, width=6)
    assert stream.channels == ("u", "v")
    assert stream == FrameStream(channels=("u", "v"), unit="pixel", height=4, width=6)
    assert len({stream, with_changes(stream, height=4), with_changes(stream, height=8)}) == 2


def test_with_changes_knows_its_attributes() -> None:
    assert with_changes(FeatureStream(dim=2), dim=3) == FeatureStream(dim=3)
    with pytest.raises(TypeError):
        with_changes(FeatureStream(dim=2), width=3)
    assert message_of(ConfigError, with_changes, FeatureStream(dim=2), dim=0) == (
        "dim: 0 is not a positive whole number; write 1 or more"
    )


def test_printed() -> None:
    assert str(FrameStream(height=4, width=6)) == "frames [T] r+g+b 4x6 intensity"
    assert str(FrameStream(height=4, width=6, steps=("a", "b"))) == "frames [a,b] r+g+b 4x6 intensity"
    assert str(FeatureStream(dim=8, stride=2)) == "features [T] 8 stride 2"
    assert str(FeatureStream(dim=8, steps=("event",))) == "features [event] 8"
    targets = tuple("abcdefghij")
    assert str(PredictionStream(problem="multilabel", resolution="frame", targets=targets[:8])) == (
        "multilabel per frame: a, b, c, d, e, f, g, h"
    )
    assert str(PredictionStream(problem="multiclass", resolution="clip", targets=targets)) == (
        "multiclass per clip: a, b, c, d, e, f, g, h, ..."
    )


def test_require_channels() -> None:
    stream = FrameStream(height=4, width=6)
    require_channels(stream, ["r", "g", "b"], ("gray",))
    assert message_of(StreamError, require_channels, stream, ("u", "v"), ("u", "v", "strain")) == (
        "channels ('r', 'g', 'b') are not accepted; accepts ('u', 'v'), ('u', 'v', 'strain')"
    )
    # The order counts: a flip has to know which channel is u.
    assert message_of(StreamError, require_channels, stream, ("b", "g", "r")) == (
        "channels ('r', 'g', 'b') are not accepted; accepts ('b', 'g', 'r')"
    )


def test_require_unit() -> None:
    stream = FrameStream(height=4, width=6)
    require_unit(stream, "pixel", "intensity")
    assert message_of(StreamError, require_unit, stream, "pixel", "iod") == (
        "unit 'intensity' is not accepted; accepts 'pixel', 'iod'"
    )


def test_require_steps() -> None:
    stream = FeatureStream(dim=4, steps=("onset", "apex"))
    require_steps(stream, (), ("onset", "apex"))
    assert message_of(StreamError, require_steps, stream, (), ("event",)) == (
        "steps ('onset', 'apex') are not accepted; accepts (), ('event',)"
    )


def test_require_size() -> None:
    stream = FrameStream(height=32, width=36)
    require_size(stream, at_least=32, multiple_of=4)
    assert message_of(StreamError, require_size, stream, at_least=33) == (
        "height 32 is too small; give frames of at least 33 pixels"
    )
    assert message_of(StreamError, require_size, stream, at_least=8, multiple_of=16) == (
        "width 36 is no multiple of 16; the next size that fits is 48"
    )
