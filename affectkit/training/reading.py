"""From a dataset's index to examples: the frames that a model's steps name, one cut for all of a clip.

The face is looked for on the onset's frame alone: boxes and points that are found anew in every frame shake more than a
micro-expression moves. What can't be used is an issue, and no example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from affectkit.configs import FaceDetectorConfig, ModelConfig
from affectkit.errors import InputError, listed
from affectkit.records import ArraySource, Event, FramesSource, Index, Issue, Sample, VideoSource
from affectkit.registry import Registry, default_registry
from affectkit.resolving import resolve_detector
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FrameStream
from affectkit.training.examples import Examples
from affectkit.training.input_kinds import check_one_kind
from affectkit.training.labeled_outputs import Unlabeled, check_labeled, labeled_outputs, left_untrained
from affectkit.video.clips import video_streams
from affectkit.video.cutter import Cutter
from affectkit.video.detection import build_detector
from affectkit.video.frames import VideoFrame
from affectkit.video.reader import read_frames
from affectkit.video.tracking import TrackedFace

if TYPE_CHECKING:
    from affectkit.interfaces import FaceDetector

MOMENTS = ("onset", "apex", "offset")


@dataclass(frozen=True)
class Gathered:
    """What `gather_examples` found.

    Attributes:
        examples: of the clips that can be used.
        issues: what was wrong with the others, and with the dataset.
    """

    examples: Examples
    issues: tuple[Issue, ...]


class _Unusable(Exception):
    """Why a sample is no example."""


def gather_examples(
    index: Index,
    config: ModelConfig,
    *,
    unlabeled: Unlabeled = "refuse",
    faces: FaceDetectorConfig | str | None = None,
    registry: Registry | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Cut the keyframes of every labeled clip for every input of a pipeline or ensemble.

    Arguments:
        index: of a dataset, whose samples have one event each, and one target, for the only head.
        config: whose inputs take the same named steps: onset, apex, offset.
        unlabeled: what becomes of other heads than the one that is called as the target: `refuse`, an error; `leave`,
            they stay as they are, and a warning is among the issues.
        faces: detector; None for the pipeline's own, or `auto`. Where the pictures are faces already: `whole-frame`.
        progress: called with how many samples are done, and of how many.

    Raises:
        InputError: an input takes something else, several heads or targets, or no sample is left.
    """
    names = registry if registry is not None else default_registry()
    streams = _streams(config)
    head, left = _head(index, config, unlabeled, names)
    detector = build_detector(resolve_detector(faces, config, names), names)
    clips: list[dict[str, np.ndarray[Any, Any]]] = []
    used: list[Sample] = []
    issues = [*index.issues, *left]
    times: list[list[float]] = []
    for number, sample in enumerate(index):
        try:
            at, clip = _cut(sample, streams, detector)
        except (_Unusable, InputError) as error:
            where = f"{sample.dataset}/{sample.key}"
            issues.append(Issue(level="error", where=where, fact=f"{error}", sample=sample.key))
        else:
            clips.append(clip)
            used.append(sample)
            times.append(at)
        if progress is not None:
            progress(number + 1, len(index))
    if not used:
        raise InputError(f"examples: none of {len(index)} samples can be used; the first: {issues[-1]}")
    moments = torch.tensor(times, dtype=torch.float64)
    inputs = {
        name: Sequence.of(torch.from_numpy(np.stack([clip[name] for clip in clips])), times=moments) for name in streams
    }
    labels = [next(iter(sample.targets.values())) for sample in used]
    values = torch.tensor([int(label.values) for label in labels], dtype=torch.long)
    valid = torch.tensor([bool(label.valid) for label in labels])
    examples = Examples(
        inputs=inputs,
        targets={head: Targets(values.clamp(min=0), valid)},
        subjects=tuple(sample.subject for sample in used),
        keys=tuple(sample.key for sample in used),
        datasets=tuple(sample.dataset for sample in used),
    )
    return Gathered(examples, tuple(issues))


def _streams(config: ModelConfig) -> dict[str, FrameStream]:
    inputs = config.input_streams()
    for name, stream in inputs.items():
        if not isinstance(stream, FrameStream) or not stream.steps or not set(stream.steps) <= set(MOMENTS):
            raise InputError(f"inputs.{name}: takes {stream}; examples of a dataset have the steps {listed(MOMENTS)}")
    # before the first sample is cut by the steps of one input
    check_one_kind(inputs)
    return video_streams(inputs, events=True)


def _head(index: Index, config: ModelConfig, unlabeled: Unlabeled, registry: Registry) -> tuple[str, tuple[Issue, ...]]:
    """The output that the only target is for, and a warning for each that is left without labels."""
    targets = sorted({name for sample in index for name in sample.targets})
    outputs = labeled_outputs(config, registry=registry)
    fitting = [name for name, one in outputs.items() if set(targets) & set(one.known_as)]
    if len(outputs) == 1:
        fitting = list(outputs)
    if len(targets) != 1 or len(fitting) != 1:
        raise InputError(
            f"examples: labels of {listed(targets) or 'nothing'} for the heads {listed(outputs)}; give one of each"
        )
    lacking = [one for name, one in outputs.items() if name != fitting[0]]
    check_labeled(lacking, targets, unlabeled, is_any=True)
    return fitting[0], tuple(left_untrained(lacking))


def _cut(
    sample: Sample, streams: Mapping[str, FrameStream], detector: FaceDetector[Any]
) -> tuple[list[float], dict[str, np.ndarray[Any, Any]]]:
    label = next(iter(sample.targets.values()), None)
    if label is None or not bool(np.all(label.valid)):
        raise _Unusable("has no label")
    if len(sample.events) != 1:
        raise _Unusable(f"has {len(sample.events)} events; an example has one")
    event = sample.events[0]
    steps = next(iter(streams.values())).steps
    missing = [name for name in steps if getattr(event, name) is None]
    if missing:
        raise _Unusable(f"has no {missing[0]}; read the dataset with apex='middle', or leave the clip out")
    frames = {name: _frame(sample, event, name) for name in dict.fromkeys(("onset", *steps))}
    onset = frames["onset"]
    found = detector.detect_at(onset.image, onset.index, onset.pts)
    if not found:
        raise _Unusable("no face on the frame of its onset; where pictures are faces already, use whole-frame")
    face = TrackedFace(track=0, face=max(found, key=lambda one: one.box[2] * one.box[3]))
    cutter = Cutter(streams)
    cuts = [cutter.cut(frames[name], face) for name in steps]
    return [getattr(event, name) for name in steps], {
        name: np.stack([cut.inputs[name] for cut in cuts]) for name in streams
    }


def _frame(sample: Sample, event: Event, moment: str) -> VideoFrame:
    if isinstance(sample.source, FramesSource):
        number = getattr(event, f"{moment}_frame")
        listed_frames = sample.source.frames
        if number is None or not listed_frames:
            raise _Unusable(f"has no frame number of its {moment}")
        at = min(range(len(listed_frames)), key=lambda i: abs(listed_frames[i][0] - number))
        picture = _picture(listed_frames[at][1])
        return replace(picture, index=at, pts=getattr(event, moment))
    if isinstance(sample.source, VideoSource):
        return _nearest(sample.source.path, getattr(event, moment))
    kind = "stored arrays" if isinstance(sample.source, ArraySource) else "single pictures"
    raise _Unusable(f"has {kind}; keyframes are cut from frames or videos")


def _picture(path: Path) -> VideoFrame:
    for frame in read_frames(path):
        if isinstance(frame, VideoFrame):
            return frame
    raise _Unusable(f"{path}: can't be decoded")


def _nearest(path: Path, time: float) -> VideoFrame:
    best: VideoFrame | None = None
    for frame in read_frames(path, start=max(time - 0.5, 0.0)):
        if isinstance(frame, VideoFrame) and (best is None or abs(frame.pts - time) < abs(best.pts - time)):
            best = frame
        if frame.pts > time:
            break
    if best is None:
        raise _Unusable(f"{path}: has no frame near {time:.3f} s")
    return best
