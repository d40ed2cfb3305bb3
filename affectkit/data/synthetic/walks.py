"""Ways of people through a scene, and the ready-made ones that try a tracker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from affectkit.data.synthetic.identity import SPLITS, FaceIdentity, split_of
from affectkit.errors import InputError

Scenario = Literal["crossing", "leaving", "coming_back", "hidden"]
SCENARIOS: tuple[Scenario, ...] = ("crossing", "leaving", "coming_back", "hidden")


class Step(NamedTuple):
    """Where the midpoint between a person's pupils is at a time: seconds, pixels."""

    time: float
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A person's way through a scene.

    Attributes:
        person: who.
        steps: where at which time, in order of time; straight and even between, at rest before and after.
        iod: pixels between the pupils.
        hidden: (start, stop) seconds in which the person is not in the picture at all.
    """

    person: FaceIdentity
    steps: tuple[Step, ...]
    iod: float = 28.0
    hidden: tuple[tuple[float, float], ...] = ()

    def place(self, time: float) -> tuple[float, float] | None:
        """(x, y) at a time; None where the person is hidden."""
        if any(start <= time < stop for start, stop in self.hidden):
            return None
        times, x, y = zip(*self.steps, strict=True)
        return float(np.interp(time, times, x)), float(np.interp(time, times, y))


def make_walks(scenario: Scenario, seed: int, *, size: tuple[int, int] = (360, 640)) -> tuple[tuple[Walk, ...], float]:
    """The ways of two people, and how many seconds they take.

    | scenario | what happens |
    |---|---|
    | `crossing` | both walk across the picture, and one passes before the other |
    | `leaving` | one walks out at the side and stays away; the other sits |
    | `coming_back` | one walks out at the side and is back within a second; the other sits |
    | `hidden` | one is not to be seen for 0.8 s, and then is where the way has led meanwhile |

    The people are those of `seed` and of the next seed of the same split.

    Raises:
        InputError: no such scenario.
    """
    if scenario not in SCENARIOS:
        raise InputError(f"scenario: no {scenario!r}; there are {', '.join(SCENARIOS)}")
    height, width = size
    rng = np.random.default_rng([seed, 5])
    seeds = SPLITS[split_of(seed)]
    people = [FaceIdentity.from_seed(seeds[(seed - seeds.start + step) % len(seeds)]) for step in (0, 1)]
    near, far = float(rng.uniform(0.42, 0.5)) * height, float(rng.uniform(0.36, 0.42)) * height
    iods = [float(rng.uniform(22.0, 26.0)), float(rng.uniform(25.0, 30.0))]

    def at(time: float, x: float, y: float) -> Step:
        return Step(time, x * width, y)

    one: tuple[Step, ...] = (at(0, 0.3, far),)
    hidden: tuple[tuple[float, float], ...] = ()
    if scenario == "crossing":
        one = at(0, 0.2, far), at(4, 0.8, far)
        other: tuple[Step, ...] = (at(0, 0.82, near), at(4, 0.18, near))
    elif scenario == "hidden":
        other, hidden = (at(0, 0.62, near), at(4, 0.74, near)), ((1.6, 2.4),)
    else:
        # Eyes beyond the edge by two pupil distances: none of the face is left in the picture.
        out = 1.0 + 2.0 * iods[1] / width
        other = (at(0.4, 0.7, near), at(1.6, out, near))
        if scenario == "coming_back":
            other = (*other, at(1.75, out, near), at(2.95, 0.7, near))
    return (
        Walk(person=people[0], steps=one, iod=iods[0]),
        Walk(person=people[1], steps=other, iod=iods[1], hidden=hidden),
    ), 4.0
