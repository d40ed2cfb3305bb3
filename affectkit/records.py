"""Records that readers, detectors, spotters and datasets exchange. Plain data: no torch, and numpy only by name.

`Dataset.scan(root)` gives an `Index` of `Sample`s and of the `Issue`s met on the way. Sentinels of the annotation files
(-1, -5, -2, 9, 999) become `valid=False` in the reader, so that no head ever sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence as Items
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from affectkit.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EventKind = Literal["micro-expression", "macro-expression", "expression", "blink", "other"]
IssueLevel = Literal["info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happens on a face between two moments. Seconds are container time, frames are file positions.

    Attributes:
        kind: what it is, as far as the spotter or coder says.
        onset, apex, offset: seconds; apex is None where it is not known.
        onset_frame, apex_frame, offset_frame: the same as frame numbers; None where unknown.
        label: the coder's or model's label, None where there is none.
        confidence: in [0, 1]; None for an annotation.
        apex_source: `annotated`, `estimated`, `middle` or `missing`.
        track: id of the face, None where there is one face only.
    """

    kind: EventKind
    onset: float
    offset: float
    apex: float | None = None
    onset_frame: int | None = None
    apex_frame: int | None = None
    offset_frame: int | None = None
    label: str | None = None
    confidence: float | None = None
    apex_source: Literal["annotated", "estimated", "middle", "missing"] = "missing"
    track: int | None = None

    def __post_init__(self) -> None:
        # equal is fine: an event may last one frame; a NaN on either side is refused
        if not self.onset <= self.offset:
            raise InputError(f"event: offset {self.offset!r} s is before onset {self.onset!r} s; swap or drop them")


@dataclass(frozen=True, kw_only=True)
class Face:
    """One face in one frame, in pixels of that frame; x to the right, y down, origin at the top left corner.

    Attributes:
        box: left, top, width, height.
        landmarks: (x, y) points in the detector's order; empty where it gives none.
        five_points: eye, eye, tip of the nose, corner of the mouth, corner of the mouth, as (x, y), where `landmarks`
            are other points; of each pair, the left one in the picture of an upright face first. Faces are aligned by
            these. Empty, and the landmarks are these if they are five.
        score: detector's confidence in [0, 1].
        track: number of the face's track where whoever gave the box knows it; None, and the tracker says it.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...] = ()
    five_points: tuple[tuple[float, float], ...] = ()
    score: float = 1.0
    track: int | None = None


@dataclass(frozen=True, kw_only=True)
class VideoSource:
    """A video file, or a range of it in seconds of container time."""

    path: Path
    start: float | None = None
    stop: float | None = None


@dataclass(frozen=True, kw_only=True)
class FramesSource:
    """Image files with the frame number that each one's name says, in ascending order; as a tuple, or lazily."""

    frames: Items[tuple[int, Path]]
    fps: float | None = None


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """One still image."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class ArraySource:
    """An array in a file: stored features `(T, D)`, flow maps `(T, H, W, C)` or gray pictures `(N, H, W)`.

    `index` picks along the first axis.
    """

    path: Path
    array: str | None = None
    index: int | None = None


Source = VideoSource | FramesSource | ImageSource | ArraySource


@dataclass(frozen=True)
class Labels:
    """Ground truth of one head for one sample.

    Attributes:
        values: int64 class index `()` or `(T,)` for multiclass, else float32 `(K,)` or `(T, K)`.
        valid: bool, of the same shape; False where the annotation says nothing (values there are meaningless).
    """

    values: NDArray[np.generic]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Issue:
    """Something in a dataset that is not as documented: kept and shown, never hidden."""

    level: IssueLevel
    where: str
    fact: str
    sample: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.fact}"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One unit of a dataset.

    Attributes:
        dataset: the dataset component's name.
        subject: canonical person key (`casme2/01`), the group of every split; the video id where the person is
            unknown, and then `subject_is_known` is False.
        key: unique within the dataset.
        source: where the pixels or features are.
        times: seconds, `(T,)` float64, where they are known without opening the source.
        events: annotated events.
        targets: labels by head name.
        raw: the annotation's own fields as text, before any mapping.
        issues: what was wrong with this sample.
    """

    dataset: str
    subject: str
    key: str
    source: Source
    subject_is_known: bool = True
    times: NDArray[np.float64] | None = None
    events: tuple[Event, ...] = ()
    targets: Mapping[str, Labels] = field(default_factory=dict)
    raw: Mapping[str, str] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()

    def __post_init__(self) -> None:
        if not self.subject:
            raise InputError(
                f"{self.dataset}/{self.key}: no subject; give the canonical person key, or the video id "
                "with subject_is_known=False"
            )


@dataclass(frozen=True, kw_only=True)
class Index:
    """What a dataset's `scan` found: samples in a fixed order, and issues."""

    samples: tuple[Sample, ...]
    issues: tuple[Issue, ...] = ()

    def __post_init__(self) -> None:
        seen: set[tuple[str, str]] = set()
        for sample in self.samples:
            if (sample.dataset, sample.key) in seen:
                raise InputError(f"{sample.dataset}/{sample.key}: listed twice; keys are unique within a dataset")
            seen.add((sample.dataset, sample.key))

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Distinct subjects, sorted: the groups of leave-one-subject-out."""
        # a set of text is ordered anew in every process, and the folds would be with it
        return tuple(sorted({sample.subject for sample in self.samples}))
