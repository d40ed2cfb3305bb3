"""Many pictures: one table for all of them, with their names in it.

    pictures ─▶ faces ─▶ cuts ─▶ pipeline ─▶ rows

Each picture is a video of one frame, so faces are numbered anew in each. What can't be read is a row too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from affectkit.analysis import pipeline_name, run_info, warn_if_synthetic
from affectkit.configs import Events, FaceDetectorConfig, ModelConfig, Windows
from affectkit.devices import check_device
from affectkit.errors import InputError
from affectkit.export.engines import EngineName
from affectkit.export.onnx_model import OnnxModel
from affectkit.media_files import find_pictures, list_files, names_below
from affectkit.model import Model
from affectkit.registry import Registry, default_registry
from affectkit.resolving import check_options, default_pipeline, device_of, resolve_detector, resolve_model
from affectkit.results.info import RunInfo
from affectkit.results.places import check_out, is_unfinished
from affectkit.results.reading import Results, read_results
from affectkit.results.rows import PICTURE_COLUMNS, Row
from affectkit.results.writer import ResultWriter
from affectkit.stills import check_still
from affectkit.video.clips import video_streams
from affectkit.video.cutter import Cutter
from affectkit.video.detection import build_detector
from affectkit.video.engine import Engine
from affectkit.video.opening import is_picture
from affectkit.video.prefetch import prefetch
from affectkit.video.reader import SkippedFrame, VideoFrame, read_frames
from affectkit.video.scoring import Precision, Scorer, WindowScoring

Progress = Callable[[int, int], None]
# Seconds between the moments from which a run that is killed can go on, and pictures that are decoded ahead.
_CHECKPOINT_SECONDS = 5.0
_AHEAD = 2


def analyze_pictures(
    pictures: str | Path | Iterable[str | Path],
    pipeline: Model | ModelConfig | str | Path | None = None,
    *,
    out: str | Path,
    root: str | Path | None = None,
    faces: FaceDetectorConfig | str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    device: str | None = None,
    precision: Precision = "float32",
    engine: EngineName | None = None,
    weights: str | Path | None = None,
    batch_size: int = 16,
    seed: int = 0,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Results:
    """Score every face of many pictures, as one table in constant memory.

    A row is as of a video's frame, with two columns more: `file` is the picture's path below their folder, and
    `reason` says why a picture was `skipped`, which is no end of the run. `frame` is the picture's number, from 0.

    Arguments:
        pictures: a folder, which is searched with the folders in it, or paths of pictures and folders.
        pipeline: as of `analyze`; it must not need motion or look for events.
        out: a `.csv` or `.parquet` file for the rows.
        root: the folder that names in the table are below; None for that which is given, or the one that all are in.
        faces: as of `analyze`.
        overwrite: whether `out`, or what an earlier run began there, may be replaced.
        resume: go on where an earlier run with the same arguments stopped; one that was finished is read.
        device: as of `analyze`.
        precision: as of `analyze`.
        engine: as of `analyze`.
        weights: as of `analyze`.
        batch_size: about how many faces of a picture are scored at once.
        seed: of an untrained pipeline's weights.
        registry: where names are looked up.
        progress: called with the number of pictures done and of all.

    Raises:
        InputError: there are no pictures, or one is none by its name; `out` can't be written; or the pipeline looks at
            what a picture has not.
        ConfigError: an option or the pipeline is wrong.
        RegistryError, ArtifactError, WeightsError: the pipeline or detector can't be had.
    """
    names = registry if registry is not None else default_registry()
    check_options(precision, batch_size, seed, None)
    paths, folder = list_files(pictures, root=root, find=find_pictures)
    for path in paths:
        if not is_picture(path):
            raise InputError(f"{path}: is no picture; give videos to affectkit.analyze_many")
    out = check_out(out, overwrite=overwrite, resume=resume)
    # bytes that are no text could not be written
    files = [name.as_posix().encode("utf-8", "backslashreplace").decode() for name in names_below(paths, folder)]
    device = check_device(device) if device is not None else None
    pipeline = pipeline if pipeline is not None else default_pipeline(names)
    model = resolve_model(
        pipeline, device=device, seed=seed, registry=names, engine=engine, precision=precision, weights=weights
    )
    warn_if_synthetic(model)
    check_still(model.config, pipeline_name(pipeline, model), str(paths[0]), names)
    streams = video_streams(model.config.input_streams())
    detector_config = resolve_detector(faces, model.config, names)
    detector = build_detector(detector_config, names)
    scorer = Scorer(model, streams, device or device_of(model), precision)
    sampling = model.config.sampling or Windows()
    assert not isinstance(sampling, Events)  # check_still has refused it
    chosen = getattr(detector, "chosen", None) or names.id_of(type(detector_config))
    options: dict[str, float | str | None] = {"precision": precision, "pictures": _hash(files)}
    if isinstance(model, OnnxModel):
        options["engine"] = model.engine.name
    noun = "picture" if len(paths) == 1 else "pictures"
    size = sum(path.stat().st_size for path in paths if path.is_file())
    info = run_info(f"{len(paths)} {noun}", size, pipeline, model, chosen, seed, options)

    def rows_of(number: int, found: VideoFrame | str) -> Iterator[Row]:
        if isinstance(found, str):
            yield Row(frame=number, pts=0.0, track=None, status="skipped", file=files[number], reason=found)
            return
        scoring = WindowScoring(scorer, sampling, batch_size)
        engine = Engine(detector, model.config.tracking, Cutter(streams), scoring)
        for row in engine.run([found]):
            assert isinstance(row, Row)
            yield replace(row, frame=number, pts=0.0, file=files[number])

    columns = (*PICTURE_COLUMNS, *scorer.columns)
    if resume and out.exists() and not is_unfinished(out):
        return _read_finished(out, info)
    first = 0
    if resume and is_unfinished(out):
        writer, state = ResultWriter.resume(out, columns, info)
        first = int(state.get("done", 0))
    else:
        writer = ResultWriter(out, columns, info, overwrite=overwrite)
    return _write(writer, paths, first, rows_of, progress)


def _write(
    writer: ResultWriter,
    paths: list[Path],
    first: int,
    rows_of: Callable[[int, VideoFrame | str], Iterator[Row]],
    progress: Progress | None,
) -> Results:
    """Row by row, with checkpoints between pictures; whatever stops the run, what is done stays."""
    saved, done, settled = time.monotonic(), first, writer.rows
    try:
        with closing(prefetch(_read(paths[first:]), _AHEAD)) as found:
            for number, item in enumerate(found, start=first):
                for row in list(rows_of(number, item)):
                    writer.write(row)
                done = number + 1
                settled = writer.rows
                if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                    writer.checkpoint({"done": done})
                    saved = time.monotonic()
                if progress is not None:
                    progress(done, len(paths))
    except BaseException as error:
        with suppress(InputError):
            if not done:
                writer.discard()
                raise
            # Ctrl-C may come among the rows of a picture; then a run goes on at the checkpoint before
            if settled == writer.rows:
                writer.checkpoint({"done": done})
            writer.close()
            fact = f"{done} of {len(paths)} pictures were done; their rows are in {writer.parts}"
            error.add_note(f"{fact}, and the same command with --resume (in Python resume=True) goes on there")
        raise
    return writer.finish()


def _read(paths: Iterable[Path]) -> Iterator[VideoFrame | str]:
    """The frame of each picture, or why there is none."""
    for path in paths:
        try:
            frame, *_ = read_frames(path)
        except InputError as error:
            # the file is named beside it
            yield str(error).removeprefix(f"{path}: ")
            continue
        yield frame.reason if isinstance(frame, SkippedFrame) else frame


def _hash(files: list[str]) -> str:
    """Of the names, in order: a run is gone on with only where they are the same."""
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def _read_finished(out: Path, info: RunInfo) -> Results:
    results = read_results(out)
    if results.info is not None and (differing := results.info.differences(info)):
        raise InputError(
            f"{out}: is a finished table of another run (other {', '.join(differing)}); name another file, or replace "
            "it with --overwrite (in Python overwrite=True)"
        )
    return results
