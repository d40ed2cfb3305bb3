"""Predictions of whole videos, from tables of frames: one for each face that `analyze` followed, or for each video.

Of pictures that `analyze` scored, each folder is a video; nobody is followed from picture to picture.

The arithmetic is in `affectkit.metrics.aggregation`. Frames without a prediction count nowhere. A face of status
`low_confidence` has one, and counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from affectkit.errors import InputError, did_you_mean, listed
from affectkit.metrics.aggregation import Rule, aggregate_frames
from affectkit.protocols.abaw_tracks import Part
from affectkit.protocols.frame_predictions import FramePredictions
from affectkit.protocols.frame_tables import find_tables, stored_predictions
from affectkit.protocols.text_tables import write_columns
from affectkit.results.places import check_ending
from affectkit.results.reading import Results, read_results
from affectkit.results.rows import BASE_COLUMNS
from affectkit.results.tables import format_of


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """How frames become a video; fields as the arguments of `aggregate_frames`."""

    rule: Rule = "mean"
    smooth: int = 0
    top: int | None = None


@dataclass(frozen=True, kw_only=True)
class VideoPrediction:
    """What the frames of one face, or of one video, say together.

    Attributes:
        video: its name.
        track: number of the face; None in tables that know no faces.
        frames: how many have a prediction.
        used: how many of them counted.
        label: the most probable class.
        probabilities: by class.
    """

    video: str
    track: int | None
    frames: int
    used: int
    label: str
    probabilities: Mapping[str, float]


def aggregate_results(
    results: Results, output: str, pooling: Pooling | None = None, *, video: str = ""
) -> tuple[VideoPrediction, ...]:
    """A prediction for each track of a table that `analyze` wrote, in the order of their numbers.

    A person who leaves the picture and comes back is another track, and so another prediction.

    Arguments:
        results: the table.
        output: name of the head or map, such as `compound`.
        pooling: how; the mean of all frames unless given.
        video: its name; that of the analyzed file without its ending unless given.

    Raises:
        InputError: no columns of that output, no frame with a prediction, or what `aggregate_frames` refuses.
    """
    where = str(results.path or "rows")
    targets = _targets(results.targets, output, where)
    columns = [f"{output}.{target}" for target in targets]
    source = results.info.source if results.info is not None else ""
    name = video or Path(source or (results.path.name if results.path is not None else "")).stem
    found: dict[int | None, tuple[list[int], list[list[float]]]] = {}
    for row in results:
        if all(column in row.predictions for column in columns):
            frames, values = found.setdefault(row.track, ([], []))
            frames.append(row.frame)
            values.append([row.predictions[column] for column in columns])
    if not found:
        raise InputError(f"{where}: no frame has a prediction of {output!r}; was there a face in the video?")
    tracks = sorted(found, key=lambda track: -1 if track is None else track)
    return tuple(_predict(name, track, targets, *found[track], pooling, where) for track in tracks)


def aggregate_predictions(
    predictions: FramePredictions, output: str, pooling: Pooling | None = None
) -> tuple[VideoPrediction, ...]:
    """A prediction for each video of a table of frames, by name; arguments and errors as of `aggregate_results`."""
    if output not in predictions.outputs:
        hint = did_you_mean(output, predictions.outputs, noun="outputs")
        raise InputError(f"{predictions.source}: no output {output!r}; {hint}")
    chosen = predictions.outputs[output]
    if chosen.kind != "classes":
        raise InputError(f"{predictions.source}: {output!r} has {chosen.kind}; give an output of classes")
    rows: dict[str, list[int]] = {}
    videos = predictions.videos
    for row in predictions.order().tolist():
        rows.setdefault(videos[row], []).append(row)
    return tuple(
        _predict(video, None, chosen.targets, predictions.frame[own], chosen.scores[own], pooling, predictions.source)
        for video, own in rows.items()
    )


def aggregate_tables(path: str | Path, output: str, pooling: Pooling | None = None) -> tuple[VideoPrediction, ...]:
    """The same of tables in files, in the order of their names: of `analyze`, or of frames as `predict` writes them.

    Arguments:
        path: a table (`.csv`, `.parquet`), or a folder of them such as `analyze` writes of several videos.

    Raises:
        InputError: as `aggregate_results`; or a file can't be read, a frame is there twice, or a picture is in no
            folder or without a number.
    """
    found: list[VideoPrediction] = []
    for table in find_tables(Path(path)):
        columns = format_of(table).columns(table)
        if columns[: len(BASE_COLUMNS)] == BASE_COLUMNS:
            found += aggregate_results(read_results(table), output, pooling)
            continue
        targets = _targets([name for name in columns if not name.startswith("truth.")], output, str(table))
        with stored_predictions(table, [Part("class", output, targets)], [output]) as store:
            if store.unknown:
                fact = f"no frame of {store.unknown[0]!r} has a prediction of {output!r}"
                raise InputError(f"{table}: {fact}; predict it, or leave its rows out")
            if not store.videos:
                raise InputError(f"{table}: no rows; give one per frame")
            for video in store.videos:
                frames, values = store.read(video)
                found.append(_predict(video, None, targets, frames, values, pooling, str(table)))
    return tuple(found)


def write_video_predictions(
    predictions: Iterable[VideoPrediction], path: str | Path, *, overwrite: bool = False
) -> None:
    """A table, a line for each: video, track, frames, used, label, and a column per class.

    Raises:
        InputError: another ending than `.csv`, classes that differ, or the file is there already or can't be written.
    """
    path, lines = Path(path), list(predictions)
    check_ending(path, (".csv",), "write a table of videos as .csv")
    classes = list(lines[0].probabilities) if lines else []
    for one in lines:
        if list(one.probabilities) != classes:
            fact = f"{one.video!r} has classes {listed(one.probabilities)}, {lines[0].video!r} {listed(classes)}"
            raise InputError(f"{path}: {fact}; write one table for each")
    fields = ("video", "track", "frames", "used", "label")
    columns: dict[str, Any] = {name: [_text(asdict(one)[name]) for one in lines] for name in fields}
    columns |= {name: [repr(one.probabilities[name]) for one in lines] for name in classes}
    write_columns(columns, path, overwrite=overwrite)


def _predict(
    video: str,
    track: int | None,
    targets: tuple[str, ...],
    frames: Any,
    values: Any,
    pooling: Pooling | None,
    where: str,
) -> VideoPrediction:
    chosen = pooling or Pooling()
    try:
        found = aggregate_frames(values, frames, rule=chosen.rule, smooth=chosen.smooth, top=chosen.top)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return VideoPrediction(
        video=video,
        track=track,
        frames=len(frames),
        used=found.used,
        label=targets[found.label],
        probabilities=dict(zip(targets, found.probabilities.tolist(), strict=True)),
    )


def _targets(columns: Iterable[str], output: str, where: str) -> tuple[str, ...]:
    """Classes of an output, from columns `output.target`."""
    named = [name.rpartition(".") for name in columns if "." in name]
    targets = tuple(target for own, _, target in named if own == output)
    if not targets:
        hint = did_you_mean(output, list(dict.fromkeys(own for own, _, _ in named)), noun="outputs")
        raise InputError(f"{where}: no output {output!r}; {hint}")
    return targets


def _text(value: object) -> str:
    return "" if value is None else str(value)
