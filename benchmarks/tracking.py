"""Switches of track numbers in synthetic scenes of two people: run `python benchmarks/tracking.py` (needs ../shared).

Two people cross, one leaves, one leaves and is back within a second, one is hidden for a while. YuNet looks at every
frame of the encoded scene. A face that is found belongs to the person whose true box it overlaps by half, if at least
half of that face is shown. Beside the tracker a trivial baseline: each face keeps the number of the nearest one of the
frame before. It never forgets: little can go wrong while the same two come and go, but a newcomer gets the number of
whoever left. As a face that is less than half shown counts for nobody, the numbers that the tracker gives out are
counted too, of which two a scene are right. The people and their ways are those of report seeds. Bar: no switch.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from affectkit.configs import Tracking
from affectkit.data.synthetic.scene import SyntheticScene, render_scene
from affectkit.data.synthetic.walks import SCENARIOS, make_walks
from affectkit.faces.yunet import YuNetConfig
from affectkit.records import Face
from affectkit.registry import default_registry
from affectkit.video.detection import build_detector
from affectkit.video.reader import VideoFrame, read_frames
from affectkit.video.tracking import Tracker

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
SEEDS = range(10_000, 10_010)
Numbered = list[tuple[int, Face]]


class Nearest:
    """The baseline: the number of the nearest face of the frame before, each once; else a new one."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float]] = {}
        self._next = 0

    def update(self, faces: list[Face]) -> Numbered:
        """Number the faces of a frame."""
        free = dict(self._last)
        numbered: Numbered = []
        for face in faces:
            x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
            number = min(free, key=lambda n: (free[n][0] - x) ** 2 + (free[n][1] - y) ** 2, default=None)
            if number is None:
                number, self._next = self._next, self._next + 1
            free.pop(number, None)
            self._last[number] = (x, y)
            numbered.append((number, face))
        return numbered


def main() -> int:
    """Print the table; 1 if there is a switch."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: YuNet's weights are not shipped with the project")
        return 1
    os.environ.setdefault("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    detector = build_detector(YuNetConfig(), default_registry())
    print(f"synthetic scenes of two people, {len(SEEDS)} each; switches of track numbers\n")
    print(f"{'scene':<14}{'faces':>8}{'tracker':>9}{'nearest':>9}{'numbers':>9}")
    total = 0
    for scenario in SCENARIOS:
        faces, switches, baseline, numbers = 0, 0, 0, 0
        for seed in SEEDS:
            walks, seconds = make_walks(scenario, seed)
            scene = render_scene(seed, walks, seconds=seconds)
            found = list(_detect(scene, detector))
            tracker, nearest = Tracker(Tracking()), Nearest()
            ours = [[(item.track, item.face) for item in tracker.update(frame, given)] for frame, given in found]
            theirs = [nearest.update(given) for _, given in found]
            faces += sum(len(given) for _, given in found)
            switches += count_switches(scene, ours)
            baseline += count_switches(scene, theirs)
            numbers += len({number for numbered in ours for number, _ in numbered})
        total += switches
        print(f"{scenario:<14}{faces:8d}{switches:9d}{baseline:9d}{numbers:9d}")
    print(f"\n{'in all':<14}{'':8}{total:9d}   (bar 0)")
    return int(total > 0)


def count_switches(scene: SyntheticScene, frames: list[Numbered]) -> int:
    """How often a person's number is another than the one before; a number that was another person's counts too."""
    own: dict[int, int] = {}
    owner: dict[int, int] = {}
    switches = 0
    for index, numbered in enumerate(frames):
        for number, face in numbered:
            person = _person(scene, index, face)
            if person is None:
                continue
            switches += own.get(person, number) != number or owner.get(number, person) != person
            own[person], owner[number] = number, person
    return switches


def _person(scene: SyntheticScene, index: int, face: Face) -> int | None:
    overlaps = [_iou(face.box, tuple(box)) for box in scene.boxes[index]]
    best = int(np.argmax(overlaps))
    return best if overlaps[best] >= 0.5 and scene.shown[index][best] >= 0.5 else None


def _iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    if np.isnan(other[0]):
        return 0.0
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def _detect(scene: SyntheticScene, detector: Any) -> Iterator[tuple[VideoFrame, list[Face]]]:
    with tempfile.TemporaryDirectory() as name:
        for frame in read_frames(scene.write(Path(name) / "scene.mp4")):
            if isinstance(frame, VideoFrame):
                yield frame, detector.detect(frame.image)


if __name__ == "__main__":
    sys.exit(main())
