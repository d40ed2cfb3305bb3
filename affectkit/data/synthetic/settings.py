"""How a synthetic clip is made, apart from who is in it; and the frozen setting that benchmarks use."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SyntheticSettings:
    """What happens in a synthetic clip and how it is filmed. Ranges are (least, most), drawn from evenly.

    Attributes:
        size: height and width of the frames, pixels; even, as the codec demands.
        iod: pixels between the pupils.
        seconds: length of the clip.
        peak: largest displacement by each AU of an event, pixels of the frame.
        events: how many events a clip has, if it has any; fewer where they don't fit.
        without_event: share of clips without one.
        micro: share of micro-expressions among the events.
        compound: share of compound expressions among the events.
        micro_seconds: from onset to offset of a micro-expression.
        micro_rise: from its onset to its apex.
        macro_seconds: from onset to offset of a macro-expression.
        blink_every: seconds from blink to blink on average; None for no blinks.
        head_speed: of the head's offset at its fastest, pixels per second.
        head_turn: of its turn in the image plane at its fastest, degrees per second.
        noise: standard deviation of the sensor's noise, gray levels of 255.
        crf: constant rate factor of H.264: 0 loses nothing but color resolution, 23 is the usual, 51 the worst.
        occluded_clips: share of clips with something before the face.
        occluded_face: how much of the face it covers, a share.
    """

    size: tuple[int, int] = (256, 256)
    iod: float = 50.0
    seconds: float = 4.0
    peak: tuple[float, float] = (0.3, 2.0)
    events: tuple[int, int] = (1, 2)
    without_event: float = 0.2
    micro: float = 0.5
    compound: float = 0.2
    micro_seconds: tuple[float, float] = (0.340, 0.385)
    micro_rise: tuple[float, float] = (0.150, 0.170)
    macro_seconds: tuple[float, float] = (0.5, 1.6)
    blink_every: float | None = 4.0
    head_speed: float = 5.0
    head_turn: float = 3.0
    noise: float = 2.0
    crf: int = 23
    occluded_clips: float = 1.0 / 3.0
    occluded_face: float = 0.1

    def __post_init__(self) -> None:
        for name in ("without_event", "micro", "compound", "occluded_clips", "occluded_face"):
            self._check(name, 0.0 <= getattr(self, name) <= 1.0, "give a share from 0 to 1")
        for name in ("iod", "seconds"):
            self._check(name, getattr(self, name) > 0.0, "give a number above 0")
        for name in ("head_speed", "head_turn", "noise"):
            self._check(name, getattr(self, name) >= 0.0, "give 0 or more")
        for name in ("peak", "micro_seconds", "micro_rise", "macro_seconds"):
            low, high = getattr(self, name)
            self._check(name, 0.0 < low <= high, "give (least, most), both above 0")
        self._check("events", 0 < self.events[0] <= self.events[1], "give (least, most), both 1 or more")
        self._check("micro_rise", self.micro_rise[1] < self.micro_seconds[0], "the apex has to come before the offset")
        self._check("blink_every", self.blink_every is None or self.blink_every > 0.0, "give seconds above 0, or None")
        self._check("crf", 0 <= self.crf <= 51, "give a whole number from 0 to 51")
        even = all(side > 0 and side % 2 == 0 for side in self.size)
        self._check("size", even, "give (height, width), both even: the codec takes no other")

    def _check(self, name: str, holds: bool, suggestion: str) -> None:
        if not holds:
            raise ConfigError(f"{getattr(self, name)!r} is not accepted", suggestion, path=name)


# Numbers that are published were measured with this: it never changes. A harder world gets a new name.
BENCH_V1 = SyntheticSettings(
    size=(256, 256),
    iod=50.0,
    seconds=4.0,
    peak=(0.3, 2.0),
    events=(1, 2),
    without_event=0.2,
    micro=0.5,
    compound=0.2,
    micro_seconds=(0.340, 0.385),
    micro_rise=(0.150, 0.170),
    macro_seconds=(0.5, 1.6),
    blink_every=4.0,
    head_speed=5.0,
    head_turn=3.0,
    noise=2.0,
    crf=23,
    occluded_clips=1.0 / 3.0,
    occluded_face=0.1,
)
