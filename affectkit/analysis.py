"""`analyze`: a video in, a table of rows out.

    frames ─▶ faces ─▶ clips ─▶ samples ─▶ pipeline ─▶ rows

Everything streams: a row is written as soon as no later window adds to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from affectkit.artifact import from_pretrained
from affectkit.configs import Events, FaceDetectorConfig, Frames, ModelConfig, Windows
from affectkit.devices import check_device
from affectkit.errors import ConfigError, InputError, UntrainedWarning
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.files import errors_in_file, read_config
from affectkit.lookup import find_preset, is_config_file
from affectkit.model import Model
from affectkit.registry import Registry, default_registry
from affectkit.results.rows import BASE_COLUMNS, Results, Row, RowWriter, check_out
from affectkit.video.clips import video_streams
from affectkit.video.faces import build_detector, find_faces
from affectkit.video.reader import VideoFrame, probe, read_frames
from affectkit.video.scoring import Precision, Scorer, score_faces

Progress = Callable[[int, int | None], None]


def analyze(
    video: str | Path,
    pipeline: Model | ModelConfig | str | Path,
    *,
    faces: FaceDetectorConfig | str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    device: str | None = None,
    precision: Precision = "float32",
    batch_size: int = 16,
    seed: int = 0,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Results:
    """Score every face of every frame of a video.

    Every frame gives a row per face, or one row with status `no_face`. Times are the container's. Where windows
    overlap, a frame's decoded predictions are averaged; what is scored per clip holds for each of its frames.

    Arguments:
        video: path of the video file; a picture counts as a video of one frame.
        pipeline: a built model; a config; a path of a `.toml` or `.json` file or of a saved model; a preset's name; or
            a hub id. A config or preset without weights is built with random ones, and an UntrainedWarning says so.
        faces: the face detector, or its name; None for the pipeline's own, or else `whole-frame`.
        out: a `.csv` file for the rows, written while the video is read; memory is then constant. Until it is whole it
            is called `<out>.part`, which stays, and is valid, if something stops the run after the first row.
        overwrite: whether `out` may replace a file that is there.
        device: `cpu`, `cuda`, `cuda:1`; None for where a built model is, and otherwise the CPU. A built model
            is moved there.
        precision: `bfloat16` runs the model under autocast.
        batch_size: about how many frames are scored at once; a window is never split.
        seed: of an untrained pipeline's weights.
        registry: where names are looked up.
        progress: called with the frames done and their number, None where the container does not say.

    Raises:
        InputError: the video, `out`, its folder or disk, or what the pipeline takes does not allow it.
        ConfigError: `device`, `precision`, `batch_size` or `seed` is wrong; or the pipeline is.
        RegistryError, ArtifactError, WeightsError: the pipeline or detector can't be had.
    """
    names = registry if registry is not None else default_registry()
    _check_options(precision, batch_size, seed)
    if out is not None:
        check_out(out, overwrite=overwrite)
    info = probe(video)
    device = check_device(device) if device is not None else None
    model = resolve_model(pipeline, device=device, seed=seed, registry=names)
    detector_config = _detector_config(faces, model.config, names)
    detector = build_detector(detector_config, names)
    streams = video_streams(model.config.input_streams())
    sampling = _sampling(model.config)
    scorer = Scorer(model, streams, device or _device_of(model), precision)
    frames = _reported(read_frames(video), info.frames, progress)
    rows = score_faces(find_faces(frames, detector, model.config.tracking), scorer, sampling, batch_size)
    columns = (*BASE_COLUMNS, *scorer.columns)
    if out is None:
        results = Results(columns, rows=tuple(rows))
    else:
        results = _write(rows, RowWriter(out, columns, overwrite=overwrite))
    results.detector = names.of_config(type(detector_config)).id
    return results


def resolve_model(
    pipeline: Model | ModelConfig | str | Path, *, device: str | None, seed: int, registry: Registry
) -> Model:
    """The built model that `pipeline` means; a warning says if its weights are random. Arguments as of `analyze`."""
    if isinstance(pipeline, Model):
        return pipeline if device is None else pipeline.to(device)
    if isinstance(pipeline, ModelConfig):
        return _untrained(pipeline, device, seed, registry)
    if is_config_file(pipeline):
        config = read_config(pipeline, registry=registry)
        with errors_in_file(pipeline):
            return _untrained(config, device, seed, registry)
    preset = find_preset(pipeline, registry)
    if preset is not None and preset.spec.weights is None:
        return _untrained(preset.spec.make(), device, seed, registry)
    return from_pretrained(pipeline, device=device or "cpu", registry=registry)


def _untrained(config: ModelConfig, device: str | None, seed: int, registry: Registry) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = config.build(registry=registry)
    text = f"the pipeline is untrained: its scores come from random weights (seed {seed})"
    warnings.warn(text, UntrainedWarning, stacklevel=4)
    return model.to(device or "cpu").eval()


def _check_options(precision: str, batch_size: int, seed: int) -> None:
    if precision not in ("float32", "bfloat16"):
        raise ConfigError(f"{precision!r} is not accepted", "write 'float32' or 'bfloat16'", path="precision")
    if batch_size < 1:
        raise ConfigError(f"{batch_size!r} frames", "write 1 or more", path="batch_size")
    if not 0 <= seed < 2**63:
        raise ConfigError(f"{seed!r} is not accepted", "write a whole number from 0 to 2**63 - 1", path="seed")


def _detector_config(faces: FaceDetectorConfig | str | None, config: ModelConfig, names: Registry) -> Any:
    if isinstance(faces, str):
        return names.component("faces", faces).spec.example_config()
    return faces or config.faces or WholeFrameConfig()


def _sampling(config: ModelConfig) -> Frames | Windows:
    """The config's sampling; windows where it says nothing, since most pipelines relate frames.

    Raises:
        InputError: it samples events, which nothing finds in a video yet.
    """
    if isinstance(config.sampling, Events):
        raise InputError(
            "sampling: takes events, and none are found in a video yet; cut them out and call the model on them"
        )
    return config.sampling or Windows()


def _device_of(model: Model) -> str:
    tensor = next(iter(model.state_dict().values()), None)
    return "cpu" if tensor is None else str(tensor.device)


def _reported(frames: Iterator[VideoFrame], total: int | None, progress: Progress | None) -> Iterator[VideoFrame]:
    for count, frame in enumerate(frames, start=1):
        yield frame
        if progress is not None:
            progress(count, total)


def _write(rows: Iterator[Row], writer: RowWriter) -> Results:
    try:
        for row in rows:
            writer.write(row)
        return writer.finish()
    except BaseException as error:
        if not writer.count:
            writer.discard()
            raise
        writer.close()
        error.add_note(f"{writer.count} rows were written before that; they are in {writer.part}")
        raise
