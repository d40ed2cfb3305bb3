"""`analyze`: a video in, a table of rows and events out.

    frames ─▶ faces ─▶ tracks ─▶ cuts ─▶ pipeline ─▶ rows and events

Everything streams: a row is written as soon as no later window adds to it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.configs import Events, FaceDetectorConfig, ModelConfig, Windows
from affectkit.devices import check_device
from affectkit.errors import InputError, SyntheticWeightsWarning
from affectkit.export.engines import EngineName
from affectkit.export.onnx_model import OnnxModel
from affectkit.files import config_to_data
from affectkit.graphs import with_paths
from affectkit.model import Model
from affectkit.motion.map_pictures import MapPictures
from affectkit.registry import Registry, default_registry
from affectkit.resolving import check_options, default_pipeline, device_of, resolve_detector, resolve_model
from affectkit.results.info import RANDOM_WEIGHTS, RunInfo, WeightsUse, pipeline_hash
from affectkit.results.places import check_out, is_unfinished
from affectkit.results.reading import Results, read_results
from affectkit.results.rows import BASE_COLUMNS, EVENT_COLUMNS, EventRow, Row
from affectkit.results.writer import ResultWriter
from affectkit.stills import check_filters, check_still
from affectkit.video.clips import video_streams
from affectkit.video.cutter import Cutter
from affectkit.video.detection import AnyFrame, build_detector
from affectkit.video.engine import Engine
from affectkit.video.event_scoring import EventScoring, build_spotter
from affectkit.video.footage import Footage, open_footage
from affectkit.video.memory import keep_freed_memory
from affectkit.video.opening import is_picture
from affectkit.video.prefetch import prefetch
from affectkit.video.scoring import Precision, Scorer, Scoring, WindowScoring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[int, int | None], None]
# Seconds between the moments from which a run that is killed can go on.
_CHECKPOINT_SECONDS = 5.0


def analyze(
    video: str | Path | int | None = None,
    pipeline: Model | ModelConfig | str | Path | None = None,
    *,
    frames: NDArray[np.uint8] | Iterable[NDArray[np.uint8]] | None = None,
    times: Iterable[float] | None = None,
    faces: FaceDetectorConfig | str | None = None,
    fps: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    maps: str | Path | None = None,
    device: str | None = None,
    precision: Precision = "float32",
    engine: EngineName | None = None,
    weights: str | Path | None = None,
    batch_size: int = 16,
    seed: int = 0,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Results:
    """Score every face of every frame of a video, and find events in it where the pipeline does.

    Every processed frame gives a row per face, or one row with status `no_face` or `skipped`. Times are the
    container's. Where windows overlap, a frame's decoded predictions are averaged; what is scored per clip holds for
    each of its frames.

    Arguments:
        video: path of a video or picture, a picture being a video of one frame; or a camera's number.
        pipeline: a built model; a config; a path of a `.toml` or `.json` file, of a saved model or
            of an `.onnx` file that `affectkit export` wrote; a preset's name; or
            a hub id. A config or preset without weights is built with random ones, and an UntrainedWarning says so.
            None for `expression` where its plugin is installed, or else `motion-events`.
        frames: pictures in place of a video: `(T, H, W, 3)` RGB or `(T, H, W)` gray, uint8; or any iterable of them.
        times: seconds of every frame of `frames`.
        faces: the face detector, or its name; None for the pipeline's own, or else `auto`.
        fps: process at most so many frames per second; times stay the frames' own. With `frames` and no `times`, their
            rate.
        start: seconds of container time from which on to analyze.
        stop: seconds at which to stop; of a camera, since its first frame.
        out: a `.csv` or `.parquet` file for the rows; events go beside it, to `<name>.events.<ending>`. They are
            written while the video is read, in constant memory, to `<out>.parts/`, which stays if something stops the
            run; `read_results(out)` reads it.
        overwrite: whether `out`, or what an earlier run began there, may be replaced.
        resume: go on where an earlier run with the same arguments stopped; one that was finished is read.
        maps: a folder for the motion maps of the events that are scored, a PNG file each, by track and onset; empty
            unless `overwrite` or `resume`.
        device: `cpu`, `cuda`, `cuda:1`; None for where a built model is, and otherwise the CPU. A built model
            is moved there.
        precision: `bfloat16` runs the model under autocast; an `.onnx` file, by OpenVINO's own.
        engine: what runs an `.onnx` file: `onnxruntime`, which None stands for, or `openvino`.
        weights: a `.safetensors` file of weights of your own, for a preset, a config or its file; None for those that
            come with it. Where the file says the classes of its heads, as those of saved models do, they are compared.
        batch_size: about how many frames are scored at once; a window is never split.
        seed: of an untrained pipeline's weights.
        registry: where names are looked up.
        progress: called with the frames done and about how many there are, None where that is not known.

    Raises:
        InputError: the video, `out`, its folder or disk, or what the pipeline takes does not allow it; or it is a
            picture, and the pipeline looks at motion or for events; or it is shorter than a filter of the pipeline.
        ConfigError: `device`, `precision`, `batch_size`, `seed` or `fps` is wrong; or the pipeline is.
        RegistryError, ArtifactError, WeightsError: the pipeline or detector can't be had.
    """
    names = registry if registry is not None else default_registry()
    check_options(precision, batch_size, seed, fps)
    if out is not None:
        check_out(out, overwrite=overwrite, resume=resume)
    elif resume:
        raise InputError("resume: without out; name the table of the run that was stopped")
    footage = open_footage(video, frames, times, start=start, stop=stop, fps=fps)
    device = check_device(device) if device is not None else None
    pipeline = pipeline if pipeline is not None else default_pipeline(names)
    model = resolve_model(
        pipeline, device=device, seed=seed, registry=names, engine=engine, precision=precision, weights=weights
    )
    warn_if_synthetic(model)
    if isinstance(video, str | Path) and is_picture(Path(video)):
        check_still(model.config, pipeline_name(pipeline, model), str(video), names)
    check_filters(model.config, footage.name, footage.seconds)
    pictures = None if maps is None else MapPictures(maps, model, may_replace=overwrite or resume)
    sampling = model.config.sampling or Windows()
    streams = video_streams(model.config.input_streams(), events=isinstance(sampling, Events))
    detector_config = resolve_detector(faces, model.config, names)
    detector = build_detector(detector_config, names)
    scorer = Scorer(model, streams, device or device_of(model), precision)
    scoring: Scoring
    if isinstance(sampling, Events):
        source = next(iter(streams))
        spotter = build_spotter(sampling, streams[source], names)
        heads = scorer if scorer.columns else None
        watch = None if pictures is None else pictures.draw
        scoring = EventScoring(spotter, sampling, source, heads, footage.fps, watch)
        row_columns, event_columns = BASE_COLUMNS, (*EVENT_COLUMNS, *scorer.columns)
    else:
        scoring = WindowScoring(scorer, sampling, batch_size)
        row_columns, event_columns = (*BASE_COLUMNS, *scorer.columns), ()
    chosen = getattr(detector, "chosen", None) or names.id_of(type(detector_config))
    options: dict[str, float | str | None] = {"fps": fps, "start": start, "stop": stop, "precision": precision}
    if isinstance(model, OnnxModel):
        options["engine"] = model.engine.name
    info = run_info(footage.name, footage.size, pipeline, model, chosen, seed, options)

    def started(state: Mapping[str, Any] | None) -> Engine:
        return Engine(detector, model.config.tracking, Cutter(streams), scoring, state=state)

    if out is None:
        return _in_memory(started(None), footage, row_columns, event_columns, info, progress)
    if not resume or not (Path(out).exists() or is_unfinished(out)):
        writer = ResultWriter(out, row_columns, info, event_columns=event_columns, overwrite=overwrite)
        return _to_file(started(None), footage, None, writer, progress)
    if not is_unfinished(out):
        return _read_finished(Path(out), info)
    writer, state = ResultWriter.resume(out, row_columns, info, event_columns=event_columns)
    return _to_file(started(state or None), footage, state or None, writer, progress)


def _read_finished(out: Path, info: RunInfo) -> Results:
    results = read_results(out)
    # A CSV file without its info says nothing of the run.
    if results.info is not None and (differing := results.info.differences(info)):
        raise InputError(
            f"{out}: is a finished table of another run (other {', '.join(differing)}); name another file, or replace "
            "it with --overwrite (in Python overwrite=True)"
        )
    return results


def _in_memory(
    engine: Engine, footage: Footage, columns: tuple[str, ...], event_columns: tuple[str, ...], info: RunInfo,
    progress: Progress | None,
) -> Results:  # fmt: skip
    rows: list[Row] = []
    events: list[EventRow] = []

    def add(item: Row | EventRow) -> None:
        if isinstance(item, Row):
            rows.append(item)
        else:
            events.append(item)

    _run(engine, footage, None, progress, add)
    return Results(columns, tuple(rows), events=tuple(events), event_columns=event_columns, info=info)


def _to_file(
    engine: Engine, footage: Footage, state: Mapping[str, Any] | None, writer: ResultWriter, progress: Progress | None
) -> Results:
    """Write while it runs; whatever stops the run, what is done stays and can be gone on with."""
    saved = time.monotonic()
    before = writer.rows + writer.events

    def position() -> dict[str, Any] | None:
        # Ctrl-C may come after an item was given and before it was written. A run that goes on behind it would lose it;
        # one that goes on at the last checkpoint does it again.
        is_written = engine.given == writer.rows + writer.events - before
        return engine.position() if is_written else None

    def write(item: Row | EventRow) -> None:
        if isinstance(item, Row):
            writer.write(item)
        else:
            writer.write_event(item)

    def add(item: Row | EventRow) -> None:
        nonlocal saved
        write(item)
        if time.monotonic() - saved > _CHECKPOINT_SECONDS and (done := position()) is not None:
            writer.checkpoint(done)
            saved = time.monotonic()

    try:
        _run(engine, footage, state, progress, add)
    except BaseException as error:
        # If it is the disk that stopped the run, the error says what is kept.
        with suppress(InputError):
            if (done := position()) is not None:
                writer.checkpoint(done)
            if error is engine.failure:
                # For who can't have a better video. A run that goes on does these again.
                for item in engine.finish():
                    write(item)
            if not writer.rows:
                writer.discard()
                raise
            writer.close()
            fact = f"{writer.rows} rows were written before that; they are in {writer.parts}"
            error.add_note(f"{fact}, and the same command with --resume (in Python resume=True) goes on there")
        raise
    return writer.finish()


def _run(
    engine: Engine,
    footage: Footage,
    state: Mapping[str, Any] | None,
    progress: Progress | None,
    add: Callable[[Row | EventRow], None],
) -> None:
    """Rows and events, one after the other; frames are read ahead in a thread."""

    def done(count: int) -> None:
        if progress is not None:
            progress(count, footage.frames)

    keep_freed_memory()
    frames = prefetch(footage.read(None if state is None else float(state["resume_at"])))
    try:
        # Closing stops the thread, whatever stops the run.
        given = _until_stopped(frames) if footage.is_live else frames
        rows = engine.run(given, done, is_live=footage.is_live)
        with closing(frames), closing(rows) as items:  # type: ignore[type-var]
            for item in items:
                add(item)
    except KeyboardInterrupt:
        # A camera was stopped while a frame was worked on.
        if not footage.is_live:
            raise
        for item in engine.finish():
            add(item)
        if engine.position() is None:
            raise


def _until_stopped(frames: Iterable[AnyFrame]) -> Iterator[AnyFrame]:
    """A camera's frames until Ctrl-C, which is the way to stop it once it has given one."""
    has_begun = False
    try:
        for frame in frames:
            has_begun = True
            yield frame
    except KeyboardInterrupt:
        if not has_begun:
            raise


def run_info(
    source: str,
    source_size: int | None,
    pipeline: object,
    model: Model,
    detector: str,
    seed: int,
    options: Mapping[str, float | str | None],
) -> RunInfo:
    """What a table says of the run that made it; arguments as of `analyze`, with the detector's id."""
    data = config_to_data(model.config, registry=model.registry)
    return RunInfo(
        source=source,
        source_size=source_size,
        pipeline=pipeline_name(pipeline, model),
        # their hashes say which files exported members are, wherever these lie
        pipeline_hash=pipeline_hash(with_paths(data, lambda where, path: "")),
        detector=detector,
        seed=seed,
        weights=tuple(map(_weights_use, model.provenance)),
        options=options,
    )


def pipeline_name(pipeline: object, model: Model) -> str:
    """A preset's name, a path, or the class of a config that has neither."""
    return str(pipeline) if isinstance(pipeline, str | Path) else type(model.config).__name__


def _weights_use(item: Mapping[str, str]) -> WeightsUse:
    if item["name"] == RANDOM_WEIGHTS.name:
        return RANDOM_WEIGHTS
    return WeightsUse(
        name=item["name"],
        sha256=item.get("sha256", ""),
        license=item.get("license", ""),
        training_data_terms=item.get("training_data_terms", ""),
    )


def warn_if_synthetic(model: Model) -> None:
    """Warn whoever called the function that calls this, if the weights know synthetic faces only."""
    names = [item["name"] for item in model.provenance if item.get("training_data_terms") == "synthetic"]
    if names:
        text = f"weights {', '.join(names)}: trained on synthetic faces; scores of real ones are for trying things out"
        warnings.warn(text, SyntheticWeightsWarning, stacklevel=3)
