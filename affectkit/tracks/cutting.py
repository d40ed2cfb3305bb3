"""Where segments of a track begin, and whether the tracks of a video are on one clock. No torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from affectkit.errors import InputError, listed
from affectkit.tracks.track import FeatureTrack

# Seconds within which two times are the same: 32 bits after some hours, or a file with three digits.
SAME_TIME = 1e-3


def segment_starts(count: int, length: int, overlap: int) -> range:
    """Where the segments of `count` frames begin: all frames are covered, and no segment adds nothing.

    Arguments:
        count: frames of the track; without any there is one empty segment.
        length: of a segment, in frames; the last one may be shorter.
        overlap: frames that a segment shares with the one before it.

    Raises:
        InputError: length and overlap don't fit.
    """
    if length < 1 or not 0 <= overlap < length:
        raise InputError(f"segments: length {length!r}, overlap {overlap!r}; give 0 <= overlap < length")
    return range(0, max(count - overlap, 1), length - overlap)


def check_clock(tracks: Mapping[str, FeatureTrack]) -> FeatureTrack:
    """The first of a video's tracks, by input name, after a check that all have its frames and times.

    Raises:
        InputError: there is none, or they differ.
    """
    if not tracks:
        raise InputError("tracks: none; give one per input")
    first, clock = next(iter(tracks.items()))
    for name, track in tracks.items():
        if not np.array_equal(track.frames, clock.frames):
            other = np.setxor1d(track.frames, clock.frames)
            files = listed(str(one.path) for one in (clock, track) if one.path is not None)
            counts = f"{first!r} has {len(clock)} frames and {name!r} {len(track)}{f' ({files})' if files else ''}"
            hint = "bring them to the same frames, as align_tracks of affectkit.tracks.aligning does"
            raise InputError(f"{clock.video}: {counts}, frame {other[0]} is in one alone; {hint}")
        apart = np.abs(track.times - clock.times)
        if apart.max(initial=0.0) > SAME_TIME:
            at = int(apart.argmax())
            times = f"{clock.times[at]:.4f} s in {first!r}, {track.times[at]:.4f} s in {name!r}"
            raise InputError(f"{clock.video}: frame {clock.frames[at]} is at {times}; bring them to one clock")
    return clock
