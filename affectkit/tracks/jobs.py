"""The features of one video: made of its frames, unless a file says that it was made of the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.caching import digest
from affectkit.configs import FaceDetectorConfig
from affectkit.errors import AffectkitError, InputError, listed
from affectkit.records import Issue, Sample
from affectkit.registry import Registry
from affectkit.tracks.extractor import BranchExtractor
from affectkit.tracks.footage import first_number, sample_frames, source_name, source_parts
from affectkit.tracks.track import FeatureTrack
from affectkit.tracks.writing import write_track
from affectkit.video.cutter import Cutter
from affectkit.video.detection import build_detector, detect_faces
from affectkit.video.frames import SkippedFrame
from affectkit.video.tracking import TrackedFace

METADATA_KEY = "affectkit"
_INPUT = "frames"


@dataclass(frozen=True)
class TrackJob:
    """One video's features.

    Attributes:
        sample: without its labels.
        times: of listed frames.
        path: of the file.
        extractor, faces: what is done with a frame.
        made: hash of both.
        batch_size: frames that are computed at once.
        registry: where the detector is looked up.
    """

    sample: Sample
    times: NDArray[np.float64] | None
    path: Path
    extractor: BranchExtractor
    faces: FaceDetectorConfig
    made: str
    batch_size: int
    registry: Registry

    def source_digest(self) -> str:
        """Hash of the frames that it is about."""
        return digest(source_parts(self.sample, self.times))


@dataclass(frozen=True)
class JobResult:
    """What became of a job: the file was made, was there, or could not be made; and what went wrong."""

    status: Literal["computed", "kept", "failed"]
    issues: tuple[Issue, ...]


def run_job(job: TrackJob, progress: Callable[[], None] | None = None) -> JobResult:
    """Make the file of one video unless it is there; `progress` is called after every batch, and may end it."""
    header = {"made": job.made, "source": job.source_digest()}
    there = read_header(job.path)
    if {name: there.get(name) for name in header} == header:
        return JobResult("kept", tuple(Issue(**issue) for issue in there["issues"]))
    issues: list[Issue] = []
    try:
        track = _compute(job, issues, progress or (lambda: None))
        job.path.parent.mkdir(parents=True, exist_ok=True)
        about = {"video": source_name(job.sample), "issues": [asdict(issue) for issue in issues]}
        text = json.dumps({**header, **about})
        write_track(track, job.path, metadata={METADATA_KEY: text})
    except (AffectkitError, OSError) as error:
        key = job.sample.key
        stale = f"; {job.path} is of what was there before" if job.path.exists() else ""
        fact = f"{str(error).removeprefix(f'{key}: ')}{stale}"
        issues.append(Issue(level="error", where=key, fact=fact, sample=key))
        return JobResult("failed", tuple(issues))
    return JobResult("computed", tuple(issues))


def _compute(job: TrackJob, issues: list[Issue], progress: Callable[[], None]) -> FeatureTrack:
    detector, cutter = build_detector(job.faces, job.registry), Cutter({_INPUT: job.extractor.stream})
    numbers: list[int] = []
    times: list[float] = []
    cuts: list[NDArray[np.float32]] = []
    values: list[NDArray[np.float32]] = []
    lacking: list[int] = []
    rough: list[int] = []
    first = first_number(job.sample)
    for frame, found in detect_faces(sample_frames(job.sample, job.times, issues), detector, threads=1):
        if not found or isinstance(frame, SkippedFrame):
            lacking.append(frame.index + first)
            continue
        numbers.append(frame.index + first)
        times.append(frame.pts)
        cut = cutter.cut(frame, TrackedFace(track=0, face=found[0]))
        cuts.append(cut.inputs[_INPUT])
        if cut.is_approximate:
            rough.append(numbers[-1])
        if len(cuts) == job.batch_size:
            values.append(job.extractor(np.stack(cuts)))
            cuts.clear()
            progress()
    if cuts:
        values.append(job.extractor(np.stack(cuts)))
    facts = {"no face in": lacking, "no points to align by, so that the box stands in for them, in": rough}
    for fact, frames in facts.items():
        if frames:
            counted = f"{fact} {len(frames)} of {len(lacking) + len(numbers)} frames: {listed(frames)}"
            issues.append(Issue(level="warning", where=job.sample.key, fact=counted, sample=job.sample.key))
    if not numbers:
        raise InputError("no frame has features; nothing is written")
    return FeatureTrack(
        video=job.sample.key,
        frames=np.array(numbers, np.int64),
        times=np.array(times, np.float64),
        values=np.concatenate(values),
        encoder=job.extractor.encoder,
    )


def read_header(path: Path) -> dict[str, Any]:
    """What a file was made of; empty where there is none that `run_job` wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            found = json.loads((file.metadata() or {})[METADATA_KEY])
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) and {"made", "source", "video", "issues"} <= set(found) else {}
