"""One track: a face that is followed, and how badly another face would fit as its next one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from affectkit.records import Face
from affectkit.video.appearance import Box, difference
from affectkit.video.trajectory import Trajectory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Costs are squared sigmas. Logarithm of a face's size from one frame to the next, and what a second adds to its square:
_SIZE_NOISE = 0.15
_SIZE_CHANGE = 0.4
# Difference in appearance; and the most that it costs, since a lamp that is switched on changes everyone's.
_LOOK_NOISE = 0.04
_MAX_LOOK_COST = 20.0
# What a look costs that is not known: between one that fits and one that does not.
_UNKNOWN_LOOK_COST = 10.0
# Beyond so many squared sigmas the face is somewhere else.
_GATE = 16.0
# Above this, they are two faces.
MAX_COST = 26.0
# A face that was away for so many seconds may come back anywhere if it looks the same, and one that turns at once over
# its own place at any time; and what that costs.
_AWAY_SECONDS = 0.1
_AWAY_LOOK = 0.08
_AWAY_SIZE = math.log(1.6)
_AWAY_COST = 18.0
# Seconds over which the look is averaged.
_LOOK_MEMORY = 0.5


@dataclass(frozen=True)
class Sight:
    """A face of one frame, as it is seen.

    Attributes:
        face: as detected.
        look: its appearance.
        is_covered: whether another face may hide a part of it. Box and look are then those of what shows.
    """

    face: Face
    look: NDArray[np.float64]
    is_covered: bool = False


@dataclass
class Track:
    """A face that is followed.

    Attributes:
        number: of the track; None until the face is given out.
        pts: when it was last seen, seconds.
        box: of the last time.
        trajectory: its center at `pts`.
        look: running mean of its appearance, `(36, 3)`; NaN where it was always hidden so far.
        is_kept: whether it has one of the places of `max_faces`.
        is_given: whether the detector numbers it.
    """

    number: int | None
    pts: float
    box: Box
    trajectory: Trajectory
    look: NDArray[np.float64] = field(repr=False)
    is_kept: bool = False
    is_given: bool = False

    @classmethod
    def start(cls, sight: Sight, pts: float) -> Track:
        """A track of a face that was not seen before."""
        face, box = sight.face, _plain(sight.face.box)
        trajectory = Trajectory.start(*center(box), size(box))
        is_given = face.track is not None
        return cls(number=face.track, pts=pts, box=box, trajectory=trajectory, look=sight.look, is_given=is_given)

    def cost(self, sight: Sight, pts: float) -> float:
        """How badly a face fits, seen at `pts` seconds; infinite where it can't be the same."""
        box = sight.face.box
        gap = max(pts - self.pts, 0.0)
        own = size(self.box)
        growth = math.log(size(box) / own)
        size_cost = growth**2 / (_SIZE_NOISE**2 + _SIZE_CHANGE**2 * gap)
        unlike = difference(self.look, sight.look)
        # What hides a face is in its box too: such a look may speak for somebody, and never against.
        worst = _UNKNOWN_LOOK_COST if sight.is_covered else _MAX_LOOK_COST
        look_cost = _UNKNOWN_LOOK_COST if unlike is None else min((unlike / _LOOK_NOISE) ** 2, worst)
        expected = self.trajectory.after(gap, own)
        squared, surprise = expected.surprise(*center(box), own, is_covered=sight.is_covered)
        cost = math.inf
        if squared <= _GATE and size_cost <= _GATE:
            cost = surprise + size_cost + look_cost
        is_reachable = gap >= _AWAY_SECONDS or shared_area(self.box, box) > 0
        if is_reachable and unlike is not None and unlike <= _AWAY_LOOK and abs(growth) <= _AWAY_SIZE:
            cost = min(cost, _AWAY_COST + size_cost + look_cost)
        return cost

    def follow(self, sight: Sight, pts: float) -> None:
        """The face was seen at `pts` seconds."""
        import numpy as np

        gap = max(pts - self.pts, 0.0)
        own, box, look = size(self.box), _plain(sight.face.box), sight.look
        x, y = center(box)
        expected = self.trajectory.after(gap, own)
        squared, _ = expected.surprise(x, y, own, is_covered=sight.is_covered)
        # Come back from elsewhere: how it got there says nothing about where it goes.
        is_elsewhere = squared > _GATE
        if is_elsewhere:
            self.trajectory = Trajectory.start(x, y, size(box))
        else:
            self.trajectory = expected.corrected(x, y, own, is_covered=sight.is_covered)
        share = 1 - math.exp(-min(gap, 1.0) / _LOOK_MEMORY)
        mixed = np.where(np.isnan(self.look), look, self.look + share * (look - self.look))
        self.look = np.where(np.isnan(mixed), self.look, mixed)
        self.pts, self.box = pts, box

    def snapshot(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "look": [None if x != x else x for x in self.look.ravel().tolist()]}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Track:
        """The track of a snapshot."""
        import numpy as np

        look = np.array(state["look"], dtype=np.float64).reshape(-1, 3)  # None becomes NaN
        trajectory = Trajectory(**state["trajectory"])
        return cls(**{**state, "box": _plain(state["box"]), "trajectory": trajectory, "look": look})


def center(box: Box) -> tuple[float, float]:
    """x and y, pixels."""
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def size(box: Box) -> float:
    """Root of the area, pixels; more than 0."""
    return max(math.sqrt(max(box[2], 0.0) * max(box[3], 0.0)), 1e-3)


def area(box: Box) -> float:
    """Square pixels."""
    return size(box) ** 2


def shared_area(one: Box, other: Box) -> float:
    """Square pixels that lie in both boxes."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _plain(box: Box) -> Box:
    """Without numpy's numbers, which JSON does not have."""
    left, top, width, height = map(float, box)
    return left, top, width, height
