"""Segments from a `.toml` file: labels of a dataset, and folders of features of its frames, or else its own pictures.

root = "/data/s-Aff-Wild2"
use = "s-aff-wild2"

[tracks]
resnet = "features/resnet18"
fau = "features/fau"

[segments]
length = 250
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affectkit.configs import Config, ModelConfig
from affectkit.errors import ConfigError, InputError, listed
from affectkit.records import FramesSource, Index, Issue, Labels, Sample
from affectkit.registry import Registry
from affectkit.streams import FeatureStream
from affectkit.tracks.reading import read_tracks
from affectkit.tracks.track import FeatureTrack
from affectkit.training.label_joining import Extra, HeadLabels, join_heads
from affectkit.training.labeled_outputs import Unlabeled, check_frames, labeled_outputs, left_untrained
from affectkit.training.reading import Gathered
from affectkit.training.segments import FrameLabels, segment_examples


@dataclass(frozen=True, kw_only=True)
class SegmentSource(Config):
    """What a `.toml` file says of segments, beside the dataset.

    Attributes:
        tracks: folder of feature files by input name, seen from the file; a file per video, as `read_tracks` takes it.
            Empty for segments of the dataset's own pictures.
        length: listed frames in a segment.
        overlap: frames that a segment shares with the one before it.
        fps: frames per second of feature files that have numbers of frames and no times, or times and no numbers; and
            of listed pictures whose dataset says neither times nor rate.
    """

    tracks: Mapping[str, str] = field(default_factory=dict)
    length: int = 250
    overlap: int = 0
    fps: float | None = None

    def validate(self) -> None:
        if self.length < 1:
            raise ConfigError(f"{self.length!r} frames", "write 1 or more", path="segments.length")
        if not 0 <= self.overlap < self.length:
            fact = f"{self.overlap!r} frames of {self.length!r}"
            raise ConfigError(fact, "write 0 or more, below the length", path="segments.overlap")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            fact = f"{self.fps!r} is not a frame rate"
            raise ConfigError(fact, "write frames per second, or leave it out", path="segments.fps")


def gather_segments(
    index: Index,
    source: SegmentSource,
    folder: Path,
    config: ModelConfig,
    *,
    names: Mapping[str, tuple[str, ...]],
    extra: Extra = "refuse",
    unlabeled: Unlabeled = "refuse",
    maps: Collection[str] = (),
    registry: Registry | None = None,
) -> Gathered:
    """Segments of a dataset's videos for a pipeline or ensemble on stored features.

    Arguments:
        index: of the dataset, whose samples are videos as listed frames, with labels of each.
        source: where their features are, and how they are cut.
        folder: that paths are seen from.
        config: whose inputs are features, and whose heads score frames.
        names: what the labels' numbers or columns mean, by target: a dataset config's `label_names`.
        extra: what becomes of labels of classes that a head lacks: they are refused, or not valid and counted.
        unlabeled: what becomes of heads without labels: they are refused, or left as they are with a warning.
        maps: score maps that have labels of their own, and count as heads.
        registry: where components are looked up.

    Raises:
        InputError: inputs and tracks, or heads and labels, don't fit each other; or as `read_tracks` and
            `segment_examples`.
    """
    outputs = labeled_outputs(config, maps=maps, registry=registry)
    check_frames(outputs.values())
    tracks = _read(source, folder, config)
    targets = {name for sample in index for name in sample.targets}
    heads = join_heads(targets, config, names, extra=extra, unlabeled=unlabeled, maps=maps, registry=registry)
    named = {head.head for head in heads}
    left = left_untrained(one for name, one in outputs.items() if name not in named)
    labels = [_labels(sample, heads) for sample in index]
    found = segment_examples(tracks, labels, source.length, source.overlap)
    lost = [
        Issue(level="warning", where=head.path, fact=f"{count} labels of {name!r}, which it does not score")
        for head in heads
        for name, count in sorted(head.left_out.items())
    ]
    return Gathered(found.examples, (*index.issues, *left, *lost, *found.issues))


def _read(source: SegmentSource, folder: Path, config: ModelConfig) -> dict[str, dict[str, FeatureTrack]]:
    streams = config.input_streams()
    if not all(isinstance(one, FeatureStream) for one in streams.values()) or set(streams) != set(source.tracks):
        fact = f"features of {listed(source.tracks)}, and the pipeline takes {listed(streams)}"
        raise InputError(f"tracks: {fact}; give a folder for each input of a pipeline on stored features")
    tracks = {name: read_tracks(folder / place, fps=source.fps) for name, place in source.tracks.items()}
    for name, stream in streams.items():
        width = next(iter(tracks[name].values())).values.shape[1]
        assert isinstance(stream, FeatureStream)
        if width != stream.dim:
            place = folder / source.tracks[name]
            raise InputError(f"{place}: {width} features a frame, and input {name!r} takes {stream.dim}; set its dim")
    return tracks


def _labels(sample: Sample, heads: tuple[HeadLabels, ...]) -> FrameLabels:
    if not isinstance(sample.source, FramesSource):
        fact = f"{type(sample.source).__name__} says no frame numbers"
        raise InputError(f"{sample.dataset}/{sample.key}: {fact}; labels are joined by them, give a FramesSource")
    frames = np.array([number for number, _ in sample.source.frames], np.int64)
    rows = np.arange(len(frames))
    # `convert` is for examples of one step each
    found = {head.head: [part.squeeze(1).numpy() for part in head.convert([(sample, rows)])] for head in heads}
    return FrameLabels(
        video=sample.key,
        frames=frames,
        targets={name: Labels(values, valid) for name, (values, valid) in found.items()},
        subject=sample.subject,
        dataset=sample.dataset,
        half=sample.raw.get("split", ""),
    )
