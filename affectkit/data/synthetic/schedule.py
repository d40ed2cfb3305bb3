"""What happens in a clip, and when: expressions and blinks, one after another and never at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from affectkit.data.synthetic.expressions import BASIC_UNITS, COMPOUND_UNITS, units_of
from affectkit.data.synthetic.settings import SyntheticSettings
from affectkit.data.synthetic.units import FULL, REFERENCE_IOD
from affectkit.errors import InputError

# Seconds of rest before, between and after movements: what belongs to which is never in doubt.
REST = 0.25
_BLINK_CLOSING, _BLINK_OPENING = (0.08, 0.11), (0.14, 0.20)


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One expression or blink.

    The level goes from 0 at the onset to 1 at the apex and back to 0 at the offset, each way by half a cosine: at rest
    before and after, and with no hold at the apex, so that the apex is one moment.

    Attributes:
        kind: micro-expression, macro-expression or blink.
        label: name of the expression; None for a blink.
        onset, apex, offset: seconds.
        pixels: largest displacement by each AU, reached at the apex.

    Raises:
        InputError: the times do not ascend.
    """

    kind: Literal["micro-expression", "macro-expression", "blink"]
    label: str | None
    onset: float
    apex: float
    offset: float
    pixels: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.onset < self.apex < self.offset:
            times = (self.onset, self.apex, self.offset)
            raise InputError(f"movement: onset, apex and offset {times!r} do not ascend; give seconds from 0 on")

    def level(self, time: float) -> float:
        """How far it has gone at a time, in [0, 1]."""
        if not self.onset < time < self.offset:
            return 0.0
        if time <= self.apex:
            share = (time - self.onset) / (self.apex - self.onset)
        else:
            share = (self.offset - time) / (self.offset - self.apex)
        return float((1.0 - np.cos(np.pi * share)) / 2.0)


def make_schedule(rng: np.random.Generator, settings: SyntheticSettings) -> tuple[Movement, ...]:
    """The movements of a clip in order of time.

    Order and pauses are random. Where not all fits, events are left out from the last one on, then blinks.
    """
    events = [] if rng.random() < settings.without_event else _events(rng, settings)
    blinks = _blinks(rng, settings)
    while (movements := [*events, *blinks]) and _free(movements, settings) < 0.0:
        (events or blinks).pop()
    if not movements:
        return ()
    free = _free(movements, settings)
    order = rng.permutation(len(movements))
    pauses = REST + free * rng.dirichlet(np.ones(len(movements) + 1))
    placed, now = [], 0.0
    for index, pause in zip(order, pauses[:-1], strict=True):
        movement = movements[index]
        now += float(pause)
        placed.append(_later(movement, now))
        now += movement.offset
    return tuple(placed)


def check_movements(movements: tuple[Movement, ...], iod: float) -> None:
    """Refuse what has no unambiguous truth.

    Raises:
        InputError: a unit that there is not, one beyond intensity 5, or movements that overlap or are out of order.
    """
    for index, movement in enumerate(movements):
        where = f"movements[{index}]"
        if index and movement.onset < movements[index - 1].offset:
            raise InputError(f"{where}: begins before the one before it ends; leave time between them")
        for au, pixels in movement.pixels.items():
            if au not in FULL:
                raise InputError(f"{where}: no unit {au!r}; there are {', '.join(FULL)}")
            most = FULL[au] * iod / REFERENCE_IOD
            # Intensities may be a rounding error beyond 5.
            if not 0.0 <= pixels <= most * (1.0 + 1e-9):
                raise InputError(f"{where}: {pixels!r} pixels of {au!r} are not accepted; give 0 to {most:.4g}")


def _free(movements: list[Movement], settings: SyntheticSettings) -> float:
    """Seconds that are left over; negative where there are too few."""
    taken = sum(movement.offset for movement in movements) + REST * (len(movements) + 1)
    return settings.seconds - taken


def _later(movement: Movement, by: float) -> Movement:
    return Movement(
        kind=movement.kind,
        label=movement.label,
        onset=movement.onset + by,
        apex=movement.apex + by,
        offset=movement.offset + by,
        pixels=movement.pixels,
    )


def draw_peaks(rng: np.random.Generator, label: str, settings: SyntheticSettings) -> dict[str, float]:
    """How far each AU of an expression goes in an event, pixels of the frame, as `settings.peak` says."""
    peak = float(rng.uniform(*settings.peak))
    # The AUs of one event are of about one size; none is below the least or beyond intensity 5.
    pixels = {au: max(settings.peak[0], peak * float(rng.uniform(0.75, 1.0))) for au in units_of(label)}
    return {au: min(size, FULL[au] * settings.iod / REFERENCE_IOD) for au, size in pixels.items()}


def _events(rng: np.random.Generator, settings: SyntheticSettings) -> list[Movement]:
    events: list[Movement] = []
    for _ in range(int(rng.integers(settings.events[0], settings.events[1] + 1))):
        names = COMPOUND_UNITS if rng.random() < settings.compound else BASIC_UNITS
        label = str(rng.choice(list(names)))
        pixels = draw_peaks(rng, label, settings)
        if rng.random() < settings.micro:
            seconds, apex = float(rng.uniform(*settings.micro_seconds)), float(rng.uniform(*settings.micro_rise))
            kind: Literal["micro-expression", "macro-expression"] = "micro-expression"
        else:
            seconds = float(rng.uniform(*settings.macro_seconds))
            apex, kind = seconds * float(rng.uniform(0.35, 0.55)), "macro-expression"
        events.append(Movement(kind=kind, label=label, onset=0.0, apex=apex, offset=seconds, pixels=pixels))
    return events


def _blinks(rng: np.random.Generator, settings: SyntheticSettings) -> list[Movement]:
    if settings.blink_every is None:
        return []
    # A clip of a fraction of the interval has a blink with that probability.
    number = int(settings.seconds / settings.blink_every + rng.random())
    blinks = []
    for _ in range(number):
        closed = float(rng.uniform(*_BLINK_CLOSING))
        end = closed + float(rng.uniform(*_BLINK_OPENING))
        pixels = {"AU45": FULL["AU45"] * settings.iod / REFERENCE_IOD}
        blinks.append(Movement(kind="blink", label=None, onset=0.0, apex=closed, offset=end, pixels=pixels))
    return blinks
