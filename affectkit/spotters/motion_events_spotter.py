"""The class of `motion-events`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import floor

import numpy as np

from affectkit.interfaces import Spotter
from affectkit.records import Event, EventKind
from affectkit.sequences import Sequence
from affectkit.spotters.cell_motion import CellMotion, Motion, Reference
from affectkit.spotters.evidence import gather, weigh
from affectkit.spotters.face_patterns import Array, face_grid
from affectkit.spotters.motion_events import HOP_SECONDS, MotionEventsConfig
from affectkit.spotters.pulse_filters import Pulse
from affectkit.spotters.pulses import find_pulses
from affectkit.streams import FrameStream
from affectkit.video.alignment import TEMPLATES

# Seconds without a frame after which motion is measured anew.
MAX_GAP = 0.5
# Frames and seconds below which there is nothing to compare.
_FEWEST, _LEAST_SECONDS = 8, 0.1
# Of seconds: 0.1 ms, far below what can be seen.
_DIGITS = 4
# Of the threshold, from which something may be a movement and is not counted as noise.
_FIRST = 2 / 3
# ITU-R BT.601, on gray levels of 255.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32) * np.float32(255)


@dataclass
class Progress:
    """State of one clip.

    Attributes:
        reference: what frames are measured against; None before the first.
        times, motions: of the frames of the window that decisions look at.
        decided: the offset of the last event that is out, for expressions and for blinks.
    """

    reference: Reference | None = None
    times: deque[float] = field(default_factory=deque)
    motions: deque[Motion] = field(default_factory=deque)
    decided: dict[str, float] = field(default_factory=dict)


class MotionEvents(Spotter[MotionEventsConfig]):
    """Frames `(1, T, C, H, W)` of one steady face in, events in order of their onsets out.

    What is decided, is decided once in a second of container time, on all that the window holds: the events whose apex
    lies far enough back.
    """

    def __init__(self, config: MotionEventsConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.check_input(stream)
        self._face = face_grid(stream.height, stream.width, *steady_eyes(stream.height, stream.width))
        self._motion = CellMotion(self._face)

    def start(self, fps: float | None) -> Progress:
        return Progress()

    def push(self, state: Progress, frames: Sequence) -> list[Event]:
        found: list[Event] = []
        images = frames.values[0].detach().cpu().float().numpy()
        for image, time, is_real in zip(images, frames.times[0].tolist(), frames.mask[0].tolist(), strict=True):
            # a picture with a NaN in it shows nothing either
            if is_real and np.isfinite(image).all():
                found += self._take(state, _gray(image), time)
        return found

    def finish(self, state: Progress) -> list[Event]:
        events = self._decide(state, float("inf"))
        state.reference = None
        state.times.clear()
        state.motions.clear()
        return events

    def _take(self, state: Progress, image: Array, time: float) -> list[Event]:
        events: list[Event] = []
        passed = time - state.times[-1] if state.times else 0.0
        if state.times and passed == 0:
            # between two pictures of one moment there is no motion
            return events
        if not 0 <= passed <= MAX_GAP:
            # the face was away, or time ran backwards
            events += self.finish(state)
            if passed < 0:
                state.decided.clear()
        hop = floor(time / HOP_SECONDS)
        if state.times and floor(state.times[-1] / HOP_SECONDS) < hop:
            events += self._decide(state, hop * HOP_SECONDS - self.config.settle_seconds)
            oldest = hop * HOP_SECONDS - self.config.window_seconds
            while state.times and state.times[0] < oldest:
                state.times.popleft()
                state.motions.popleft()
        if state.reference is None:
            state.reference = self._motion.begin(image, time)
        motion = self._motion.measure(state.reference, image, time)
        if motion is not None:
            state.motions.append(motion)
            state.times.append(time)
        elif not state.times:
            # nothing to measure against, such as a black picture
            state.reference = None
        return events

    def _decide(self, state: Progress, until: float) -> list[Event]:
        """Events whose apex lies before `until` and that are not out yet."""
        config = self.config
        if state.reference is None or len(state.times) < _FEWEST:
            return []
        if state.times[-1] - state.times[0] < max(config.min_seconds, _LEAST_SECONDS):
            return []
        cells = gather(np.array(state.times), state.motions, state.reference.key.normal, self._face)
        # twice, since movements that pass for noise would hide others, and themselves
        pulses: list[Pulse] = []
        for threshold in (_FIRST * config.threshold, config.threshold):
            pulses = find_pulses(
                weigh(cells, pulses), threshold=threshold, shortest=config.min_seconds, longest=config.max_seconds
            )
        events = [self._event("expression", pulse) for pulse in _new(state, "expression", pulses, until)]
        blinks = _new(state, "blink", cells.blinks, until)
        if config.blinks == "report":
            events += [self._event("blink", blink) for blink in blinks]
        return sorted(events, key=lambda event: event.onset)

    def _event(self, kind: EventKind, pulse: Pulse) -> Event:
        least = 1.0 if kind == "blink" else self.config.threshold
        if kind != "blink":
            is_micro = pulse.offset - pulse.onset < self.config.micro_seconds
            kind = "micro-expression" if is_micro else "macro-expression"
        return Event(
            kind=kind,
            onset=round(pulse.onset, _DIGITS),
            apex=round(pulse.apex, _DIGITS),
            offset=round(pulse.offset, _DIGITS),
            confidence=pulse.strength**2 / (pulse.strength**2 + least**2),
            apex_source="estimated",
        )


def _new(state: Progress, what: str, pulses: list[Pulse], until: float) -> list[Pulse]:
    """Those with an apex before `until`, after what is out."""
    found = []
    for pulse in pulses:
        middle = (pulse.onset + pulse.offset) / 2
        if pulse.apex < until and middle > state.decided.get(what, float("-inf")):
            found.append(pulse)
            state.decided[what] = pulse.offset
    return found


def _gray(image: Array) -> Array:
    """`(C, H, W)` in [0, 1] to `(H, W)` gray levels of 255."""
    gray: Array = image[0] * np.float32(255) if len(image) == 1 else np.tensordot(_LUMA, image, axes=1)
    return np.ascontiguousarray(gray, np.float32)


def steady_eyes(height: int, width: int) -> tuple[complex, complex]:
    """Where the eyes of the first frame of a steady crop are: x + iy, pixels."""
    side = min(height, width)
    corner = complex((width - side) / 2, (height - side) / 2)
    left, right = (corner + side * point for point in TEMPLATES["steady"].points[:2])
    return left, right
