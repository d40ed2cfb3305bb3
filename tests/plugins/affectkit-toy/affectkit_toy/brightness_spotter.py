"""The spotter of `brightness`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affectkit import Event, FrameStream, Sequence, Spotter
from affectkit_toy.brightness import BrightnessConfig


@dataclass
class State:
    """What is remembered: the first frame's brightness, and the event that is open."""

    reference: float | None = None
    onset: float | None = None
    apex: float = 0.0
    offset: float = 0.0
    largest: float = 0.0


class Brightness(Spotter[BrightnessConfig]):
    """Onset, apex (where the change is largest) and offset in seconds of the clip."""

    def __init__(self, config: BrightnessConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def start(self, fps: float | None) -> Any:
        return State()

    def push(self, state: Any, frames: Sequence) -> list[Event]:
        events: list[Event] = []
        for t in range(frames.mask.shape[1]):
            if not frames.mask[0, t]:
                continue
            level, now = frames.values[0, t].double().mean().item(), frames.times[0, t].item()
            state.reference = level if state.reference is None else state.reference
            change = abs(level - state.reference)
            if change <= self.config.threshold:
                events += self.finish(state)
                continue
            if state.onset is None:
                state.onset, state.largest = now, 0.0
            if change > state.largest:
                state.largest, state.apex = change, now
            state.offset = now
        return events

    def finish(self, state: Any) -> list[Event]:
        if state.onset is None:
            return []
        onset, state.onset = state.onset, None
        return [Event(kind="other", onset=onset, apex=state.apex, offset=state.offset, apex_source="estimated")]
