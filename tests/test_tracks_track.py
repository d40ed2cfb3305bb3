"""`FeatureTrack` refuses what is no track."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.tracks.track import FeatureTrack


def make(**changes: Any) -> FeatureTrack:
    parts: dict[str, Any] = {
        "video": "12",
        "frames": np.array([1, 8, 17], np.int64),
        "times": np.array([0.0, 0.28, 0.64]),
        "values": np.ones((3, 4), np.float32),
    }
    return FeatureTrack(**(parts | changes))


def test_a_track_has_a_row_per_frame() -> None:
    assert len(make()) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"values": np.ones((2, 4), np.float32)},
            "12: frames (3,), times (3,), values (2, 4); give (T,), (T,) and (T, D)",
        ),
        (
            {"frames": np.array([1, 8, 8], np.int64)},
            "12: frame 8 follows 8; give each frame once, in ascending order",
        ),
        ({"times": np.array([0.0, np.nan, 0.2])}, "12: frame 8 is at nan s; give seconds for every frame"),
        ({"times": np.array([0.0, 0.3, np.inf])}, "12: frame 17 is at inf s; give seconds for every frame"),
        ({"times": np.array([0.0, 0.3, 0.2])}, "12: 0.2 s follows 0.3 s; give times that don't descend"),
        (
            {"values": np.array([[1.0], [np.nan], [2.0]], np.float32)},
            "12: frame 8 has features that are NaN or infinite; leave such frames out",
        ),
    ],
)
def test_what_is_no_track_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make(**changes)
    assert str(caught.value) == message
