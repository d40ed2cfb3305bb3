"""One person on video: rendered frame by frame, with the truth about every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectkit.data.synthetic.camera import Occluder, Sensor, compose, paint_background
from affectkit.data.synthetic.encoding import encode
from affectkit.data.synthetic.face import Face
from affectkit.data.synthetic.identity import FaceIdentity, Split, split_of
from affectkit.data.synthetic.painting import Array
from affectkit.data.synthetic.poses import AT_REST, Pose, Sway
from affectkit.data.synthetic.schedule import Movement, check_movements, make_schedule
from affectkit.data.synthetic.settings import BENCH_V1, SyntheticSettings
from affectkit.data.synthetic.truth import Truth, displacements, make_truth
from affectkit.data.synthetic.units import AUS, FULL, MAX_INTENSITY, REFERENCE_IOD
from affectkit.errors import InputError

# A pixel shows skin where no more than this of it is something else.
_MOSTLY = 0.98


class SyntheticClip:
    """A clip of one synthetic person; made by `render_clip`. Nothing is drawn before a frame is asked for.

    Attributes:
        seed: that everything was drawn from.
        split: group of people that the seed belongs to.
        settings: how it was made.
        fps: frames per second.
        person: who it shows.
        times: of the frames, `(T,)` seconds from 0.
        truth: everything that is known.
    """

    def __init__(
        self,
        seed: int,
        settings: SyntheticSettings,
        fps: float,
        person: FaceIdentity,
        movements: tuple[Movement, ...] | None,
    ) -> None:
        self.seed, self.split, self.settings, self.fps, self.person = seed, split_of(seed), settings, fps, person
        # One generator for each part: a change in one leaves the others as they were, and none depends on the rate.
        happens, moves, films = (np.random.default_rng([seed, part]) for part in (1, 2, 3))
        self.times = np.arange(max(1, round(settings.seconds * fps)), dtype=np.float64) / fps
        drawn = make_schedule(happens, settings)
        self._movements = drawn if movements is None else movements
        sway = Sway(moves, settings.seconds, settings.head_speed, settings.head_turn)
        poses = tuple(sway.pose(float(time)) for time in self.times)
        self._face = Face(person, settings.size, settings.iod)
        self.truth: Truth = make_truth(self._face, self._movements, self.times, poses, fps)
        self._background = paint_background(person, settings.size, films)
        self._occluder: Occluder | None = None
        if films.random() < settings.occluded_clips:
            self._occluder = Occluder(films, self._face.box(AT_REST), settings.size, settings.occluded_face)
        self._sensor = Sensor(seed, settings.size, settings.noise)

    def __len__(self) -> int:
        """How many frames it has."""
        return len(self.times)

    @property
    def occluded(self) -> bool:
        """Whether something is before the face."""
        return self._occluder is not None

    def frame(self, index: int) -> NDArray[np.uint8]:
        """The frame at a position, `(H, W, 3)` RGB, before compression."""
        layers = self._face.draw(self._pixels(index), self.truth.poses[index])
        return self._sensor.expose(compose(layers, self._background, self._occluder), index)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """All frames in order, `(H, W, 3)` RGB each, drawn one by one."""
        return (self.frame(index) for index in range(len(self)))

    def write(self, path: str | Path) -> Path:
        """Write the clip as H.264 at the settings' rate factor, with the exact times of its frames."""
        return encode(path, self.frames(), self.times, self.settings.size, self.settings.crf)

    def flow(self, index: int, start: int = 0) -> NDArray[np.float32]:
        """Where each pixel of frame `start` has gone in frame `index`, `(2, H, W)`: u to the right, v down, pixels.

        It is the motion of the head and of its skin together. Eyeballs, the inside of the mouth and what newly appears
        or hides are not skin: `visible` says where the flow is one that can be seen. The background does not move.
        """
        height, width = self.settings.size
        x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        points = np.stack([x, y], axis=-1)
        origin = self._face.origin(points, self._pixels(start), self.truth.poses[start])
        moved = self._face.destination(origin, self._pixels(index), self.truth.poses[index]) - points
        moved[self._face.draw(self._pixels(start), self.truth.poses[start]).opacity < 0.5] = 0.0
        return np.ascontiguousarray(moved.transpose(2, 0, 1), dtype=np.float32)

    def visible(self, index: int, start: int = 0) -> NDArray[np.bool_]:
        """Where frame `start` shows skin, hair or clothes that frame `index` shows too, `(H, W)`."""
        import cv2

        first = self._shows_head(start)
        last = self._shows_head(index)
        flow = self.flow(index, start)
        height, width = self.settings.size
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        there = cv2.remap(last, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderValue=0.0)
        seen: NDArray[np.bool_] = (first > _MOSTLY) & (there > _MOSTLY)
        return seen

    def _shows_head(self, index: int) -> Array:
        layers = self._face.draw(self._pixels(index), self.truth.poses[index])
        shown: Array = layers.opacity * layers.skin
        return shown if self._occluder is None else shown * (1.0 - self._occluder.opacity)

    def _pixels(self, index: int) -> dict[str, float]:
        return displacements(self._movements, float(self.times[index]))


def render_clip(
    seed: int,
    settings: SyntheticSettings = BENCH_V1,
    *,
    fps: float = 200.0,
    split: Split | None = None,
    person: FaceIdentity | None = None,
    movements: tuple[Movement, ...] | None = None,
) -> SyntheticClip:
    """A clip of a synthetic person, the same for the same arguments. What happens does not depend on `fps`.

    Arguments:
        seed: who it is and all that happens; below 5000 to train, below 10000 to choose, from there on to report.
        settings: what may happen and how it is filmed.
        fps: frames per second.
        split: the group that the seed has to belong to, for callers who must not mix them up; None takes any.
        person: someone else than the seed's own person.
        movements: what happens instead of what the seed says.

    Raises:
        InputError: the seed is of another split; `fps` is not above 0; or movements overlap, or have a unit that there
            is not or beyond intensity 5.
    """
    found = split_of(seed)
    if split is not None and found != split:
        raise InputError(f"seed: {seed} is of split {found!r}, not {split!r}; people are not shared between splits")
    if not fps > 0.0:
        raise InputError(f"fps: {fps!r} is not accepted; give a number above 0")
    if movements is not None:
        check_movements(movements, settings.iod)
    return SyntheticClip(seed, settings, fps, person or FaceIdentity.from_seed(seed), movements)


def render_face(
    person: FaceIdentity,
    au: Mapping[str, float] | None = None,
    *,
    size: tuple[int, int] = (256, 256),
    iod: float = 50.0,
    pose: Pose = AT_REST,
    noise: float = 0.0,
) -> NDArray[np.uint8]:
    """A still of a synthetic person, `(H, W, 3)` RGB.

    Arguments:
        person: who.
        au: intensities 0 to 5 by name, such as `{"AU6": 3, "AU12": 4}`; none is a face at rest.
        size: height and width, pixels.
        iod: pixels between the pupils.
        pose: of the head.
        noise: standard deviation of the sensor's noise, gray levels of 255.

    Raises:
        InputError: an unknown AU, or an intensity outside 0 to 5.
    """
    pixels = {}
    for name, intensity in (au or {}).items():
        if name not in FULL:
            raise InputError(f"au: no unit {name!r}; there are {', '.join(AUS)}")
        if not 0.0 <= intensity <= MAX_INTENSITY:
            raise InputError(f"au: intensity {intensity!r} of {name!r} is not accepted; give a number from 0 to 5")
        pixels[name] = intensity / MAX_INTENSITY * FULL[name] * iod / REFERENCE_IOD
    layers = Face(person, size, iod).draw(pixels, pose)
    background = paint_background(person, size, np.random.default_rng([person.seed, 3]))
    return Sensor(person.seed, size, noise).expose(compose(layers, background, None), 0)


def without_camera(settings: SyntheticSettings) -> SyntheticSettings:
    """The same happenings seen by a perfect camera: no noise and nothing before the face."""
    return replace(settings, noise=0.0, occluded_clips=0.0)
