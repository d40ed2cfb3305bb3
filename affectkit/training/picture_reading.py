"""From a dataset's index to pictures with labels: stills, rows of arrays, and frames that have labels of their own.

Faces are cut as the model's inputs ask, those of an ensemble as each member asks, into files that are found again by
what they were made of: the path, size and time of writing of each picture, the inputs and the detector. So a second run
cuts nothing, and one that was stopped goes on where it was. What can't be used is an issue, and no example. Frames of
a video are examples each, or segments of those that follow each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from affectkit.caching import default_folder
from affectkit.configs import FaceDetectorConfig, ModelConfig
from affectkit.datasets.notes import counted
from affectkit.errors import InputError, listed
from affectkit.faces.given_boxes import GivenBoxesConfig
from affectkit.records import Index, Issue
from affectkit.registry import Registry, default_registry
from affectkit.resolving import resolve_detector
from affectkit.sequences import Targets
from affectkit.tracks.cutting import segment_starts
from affectkit.training.examples import Examples
from affectkit.training.input_kinds import check_no_motion
from affectkit.training.label_joining import Extra, HeadLabels, join_heads
from affectkit.training.labeled_outputs import (
    LabeledOutput,
    Unlabeled,
    check_frames,
    labeled_outputs,
    left_untrained,
)
from affectkit.training.picture_cutting import cut_pictures
from affectkit.training.picture_samples import choose, narrow
from affectkit.training.picture_segments import listed_times, segment_pictures
from affectkit.training.reading import Gathered
from affectkit.video.clips import video_streams


def gather_pictures(
    index: Index,
    config: ModelConfig,
    *,
    names: Mapping[str, tuple[str, ...]] | None = None,
    extra: Extra = "refuse",
    unlabeled: Unlabeled = "refuse",
    made: Collection[str] = (),
    maps: Collection[str] = (),
    length: int | None = None,
    overlap: int = 0,
    fps: float | None = None,
    faces: FaceDetectorConfig | str | None = None,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    workers: int = 1,
    registry: Registry | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Cut every labeled picture for every input of a pipeline or ensemble, and join the labels to its heads.

    Of several faces the largest counts. Examples have the subjects of their samples, and their samples as `videos`.
    Single pictures have T = 1 at time 0; segments the times of their frames, see `segment_pictures`. A label may be for
    some of the heads only; a picture without any is no example, and in no segment.

    Arguments:
        index: of a dataset. Its samples are stills, rows of uint8 arrays `(N, H, W)` or `(N, H, W, 3)`, or frames with
            labels of their own, `(T,)` or `(T, K)`, by their places in the source.
        config: whose inputs take color or gray pictures without named steps, on branches without motion. Where members
            of an ensemble ask for other sizes or alignments, each picture is cut for each of them.
        names: what the labels' numbers or columns mean, by target, `DatasetConfig.label_names`; heads are joined by
            them. Labels of others are taken in the order of the head.
        extra: what becomes of labels of classes and columns that a head lacks: `refuse`, an error; `invalid`, they are
            not valid, which is counted in an issue.
        unlabeled: what becomes of heads without labels, if another has some: `refuse`, an error; `leave`, they stay as
            they are, and a warning is among the issues.
        made: heads that may have no labels, since training makes them, `Recipe.mixing`.
        maps: score maps that have labels of their own, and count as heads.
        length: frames in a segment, of those of a video that are labeled and can be used; None for single pictures.
        overlap: frames that a segment shares with the one before it.
        fps: rate of listed frames, where their samples say neither times nor rate. Frames of video files have the times
            that the file says.
        faces: detector; None for the pipeline's own, or `auto`. Where the pictures are faces already: `whole-frame`.
        folder: where cut pictures are kept, and read from in training; None for that of `affectkit.caching`.
        executor: any `concurrent.futures` executor whose workers see `folder`. None for processes of this machine, as
            many as `workers`, or with `workers=1` none beside this one.
        registry: where components are looked up.
        progress: called with how many pictures are done, and of how many.

    Raises:
        InputError: an input or a branch takes something else, labels don't fit a head, or no picture is left; or
            segments are asked for, and length and overlap don't fit, a head scores clips, labels are to be made by
            mixing, or listed frames have neither times nor a rate.
    """
    registry = registry if registry is not None else default_registry()
    check_no_motion(config, registry, are_frames=length is not None)
    streams = video_streams(config.input_streams())
    detector = resolve_detector(faces, config, registry)
    if isinstance(detector, GivenBoxesConfig) and detector.path is not None:
        raise InputError("faces: a table of boxes is of one video; for a dataset give a detector, or one box")
    targets = {name for sample in index for name in sample.targets}
    joined = join_heads(
        targets, config, names or {}, extra=extra, unlabeled=unlabeled, made=made, maps=maps, registry=registry
    )
    outputs = labeled_outputs(config, maps=maps, registry=registry)
    if length is not None:
        _check_segments(outputs, length, overlap, made)
    has_labels = {*made, *(one.head for one in joined)}
    issues = [*index.issues, *left_untrained(one for name, one in outputs.items() if name not in has_labels)]
    chosen = list(choose(index, joined, issues, frames_only=length is not None))
    labels: dict[str, Targets] = {}
    if chosen:
        labels = {one.head: one.convert((own.sample, own.rows) for own in chosen) for one in joined}
        issues += _left_out(joined, targets)
        # what is of no class of the heads may have been all of a picture's labels
        valid = [one.valid.view(len(one.valid), -1).any(1) for one in labels.values()]
        chosen, labels = narrow(chosen, labels, torch.stack(valid).any(0))
    if not chosen:
        raise InputError(f"examples: none of {len(index)} samples has a picture with a label; {_first(issues)}")
    # before hours of cutting: they may have none
    times = None if length is None else listed_times(chosen, fps)
    pictures, kept, faults = cut_pictures(
        chosen,
        streams,
        detector,
        folder=default_folder() if folder is None else Path(folder),
        registry=registry,
        executor=executor,
        workers=workers,
        progress=progress,
    )
    issues += faults
    if not kept.any():
        raise InputError(f"examples: none of {len(kept)} pictures can be used; {_first(issues)}")
    chosen, labels = narrow(chosen, labels, torch.from_numpy(kept))
    per = [(one, len(one.rows)) for one in chosen]
    halves = tuple(one.sample.raw.get("split", "") for one, count in per for _ in range(count))
    examples = Examples(
        inputs={},
        pictures=replace(pictures, times=torch.zeros_like(pictures.times)),
        targets=labels,
        subjects=tuple(one.sample.subject for one, count in per for _ in range(count)),
        keys=tuple(key for one in chosen for key in one.names()),
        datasets=tuple(one.sample.dataset for one, count in per for _ in range(count)),
        videos=tuple(one.sample.key for one, count in per for _ in range(count)),
        frames=torch.tensor([number for one in chosen for number in one.numbers()]).unsqueeze(1),
        halves=halves if any(halves) else (),
    )
    if length is not None and times is not None:
        times = np.where(np.isnan(times[kept]), pictures.times.squeeze(1).numpy(), times[kept])
        examples = segment_pictures(examples, times, length, overlap)
    return Gathered(examples, tuple(issues))


def _check_segments(outputs: Mapping[str, LabeledOutput], length: int, overlap: int, made: Collection[str]) -> None:
    segment_starts(0, length, overlap)
    if length == 1:
        raise InputError("segments: length 1 of frames; give 2 or more, or leave segments out for single pictures")
    check_frames(outputs.values())
    if made:
        fact = f"makes labels of {listed(made)} of single pictures, and these are segments of frames"
        raise InputError(f"mixing: {fact}; leave compound out, or train on single pictures")


def _left_out(joined: tuple[HeadLabels, ...], targets: Iterable[str]) -> Iterator[Issue]:
    for one in joined:
        for name, count in one.left_out.items():
            fact = f"{counted(count, 'label')} of {name!r}, which it does not score; not valid"
            yield Issue(level="info", where=one.path, fact=fact)
    if spare := sorted(set(targets) - {one.target for one in joined}):
        yield Issue(level="info", where="examples", fact=f"labels of {listed(spare)} are for no head")


def _first(issues: list[Issue]) -> str:
    errors = [issue for issue in issues if issue.level != "info"] or issues
    return f"the first issue: {errors[0]}" if errors else "its index is empty"
