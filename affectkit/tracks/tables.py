"""From a model on stored features and folders of them to a table of frames, such as an answer is written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectkit.errors import InputError, listed
from affectkit.model import Model
from affectkit.results.places import check_ending, check_file, replacing
from affectkit.streams import FeatureStream
from affectkit.tracks.predicting import predict_track
from affectkit.tracks.reading import read_track, track_paths


@dataclass(frozen=True)
class PredictedTable:
    """What `predict_table` wrote.

    Attributes:
        videos: how many.
        frames: how many, a row each.
    """

    videos: int
    frames: int


def predict_table(
    model: Model,
    folders: Mapping[str, str | Path],
    out: str | Path,
    *,
    fps: float | None = None,
    segment: int = 250,
    overlap: int = 125,
    batch_size: int = 8,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PredictedTable:
    """Score every frame of every video, and write a row each: `video`, `frame`, and `va.valence` and so on, decoded.

    Nothing has to be known of the frames. Memory is that of one video.

    Arguments:
        model: as `predict_track` takes it.
        folders: of features by input name, a file per video, as `read_tracks` takes them.
        out: the table, `.parquet`.
        fps: rate of tracks that have no times of their own.
        segment, overlap, batch_size: as `predict_track` takes them.
        overwrite: whether the table may be there.
        progress: called with how many videos are done, and of how many.

    Raises:
        InputError: the model takes frames, or inputs of other names; a video is in one folder alone, a file is no
            track, or its tracks don't fit; or the table is there already, or can't be written. Nothing is left of a
            table that isn't whole.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = Path(out)
    check_ending(out, (".parquet",), "write a table of frames as .parquet")
    check_file(out, overwrite=overwrite)
    _check_inputs(model, folders)
    paths = {name: track_paths(Path(folder)) for name, folder in folders.items()}
    videos = sorted(set[str]().union(*paths.values()))
    for name, own in paths.items():
        if lost := [video for video in videos if video not in own]:
            raise InputError(f"{folders[name]}: no features of {listed(lost)}, which others have; compute them")
    columns = [f"{name}.{target}" for name, one in model.traced.outputs.items() for target in one.targets]
    types = {"video": pa.string(), "frame": pa.int64()} | dict.fromkeys(columns, pa.float64())
    frames = 0
    with replacing(out) as file, pq.ParquetWriter(file, pa.schema(types)) as writer:
        for done, video in enumerate(videos, start=1):
            tracks = {name: read_track(own[video], video=video, fps=fps) for name, own in paths.items()}
            for piece in predict_track(model, tracks, segment=segment, overlap=overlap, batch_size=batch_size):
                scores = np.concatenate(list(piece.scores.values()), axis=1)
                arrays = [pa.array([video] * len(piece)), pa.array(piece.frames), *map(pa.array, scores.T)]
                writer.write_table(pa.table(dict(zip(types, arrays, strict=True))))
                frames += len(piece)
            if progress is not None:
                progress(done, len(videos))
    return PredictedTable(len(videos), frames)


def _check_inputs(model: Model, folders: Mapping[str, str | Path]) -> None:
    streams = model.config.input_streams()
    if frames := [name for name, stream in streams.items() if not isinstance(stream, FeatureStream)]:
        raise InputError(f"model: inputs {listed(frames)} are no stored features; give a model that takes features")
    if folders.keys() != streams.keys():
        raise InputError(f"folders: of inputs {listed(folders)}, the model takes {listed(streams)}; give one each")
