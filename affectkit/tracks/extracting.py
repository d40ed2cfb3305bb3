"""Features of every frame of many videos: computed once, in parallel through any executor, a file per video.

A file says in its header what it was made of: a hash of the extractor and the detector (weights, configs, versions),
one of the source (the content of pictures or video), and whose video it is. So a second run computes nothing, and one
that was killed goes on with the videos that are not there. What went wrong with a video is in its header too, and is
told again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from affectkit.artifact import requirements
from affectkit.caching import digest
from affectkit.codec import encode
from affectkit.configs import FaceDetectorConfig, ModelConfig
from affectkit.devices import check_device
from affectkit.errors import ConfigError, InputError, listed
from affectkit.faces.auto import AutoFacesConfig
from affectkit.faces.auto_detector import AutoFaces
from affectkit.model import Model
from affectkit.records import FramesSource, Index, Issue, Sample, VideoSource
from affectkit.registry import Registry, default_registry
from affectkit.resolving import resolve_detector, resolve_model
from affectkit.tracks.extractor import BranchExtractor
from affectkit.tracks.footage import index_folder, source_name, source_times
from affectkit.tracks.jobs import JobResult, TrackJob, read_header, run_job
from affectkit.workers import Workers

# Of how features are made of frames; another one finds nothing of what was there before.
VERSION = 2


@dataclass(frozen=True)
class Extracted:
    """What `extract_tracks` left on the disk.

    Attributes:
        paths: file of each video that has features, by key, in the order of the index.
        computed: how many of them this run made; the others were there.
        issues: pictures that can't be decoded, frames without a face, and videos without features.
    """

    paths: dict[str, Path]
    computed: int
    issues: tuple[Issue, ...]


def extract_tracks(
    data: Index | str | Path,
    model: Model | ModelConfig | str | Path,
    folder: str | Path,
    *,
    branch: str | None = None,
    faces: FaceDetectorConfig | str | None = None,
    fps: float | None = None,
    batch_size: int = 32,
    device: str | None = None,
    overwrite: bool = False,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    registry: Registry | None = None,
) -> Extracted:
    """Compute what a branch says of the largest face of every frame; `<key>.safetensors` for each video.

    Arguments:
        data: an index of videos and listed frames; or a folder of videos and of folders of numbered pictures.
        model: the pipeline: built, as a config, or by name, as `analyze` takes it.
        folder: for the files; made if it is not there.
        branch: of the pipeline; None where it has one.
        faces: detector; None for the pipeline's own, or `auto`, which is settled once for all videos. Where pictures
            are faces already: `whole-frame`.
        fps: rate of listed frames that have no times of their own.
        batch_size: frames that are computed at once.
        device: of the model, such as `cuda`; None for where it is, and the processor otherwise.
        overwrite: whether files that are of another extractor or detector, or of another video, may be replaced.
        executor: any `concurrent.futures` executor, whose workers see the same files. None for processes of this
            machine, as many as `workers`, or with `workers=1` none beside this one.
        progress: called with how many videos are done, and of how many.
        registry: where components are looked up.

    Raises:
        InputError: no videos, no such branch, frames without times, a file is of another extractor or detector, or of
            another video of the same key, or a worker died.
        ConfigError: `batch_size` or `workers` is out of its range, there is no such device, or processes can't be
            begun, as from a script that lacks its `if __name__ == "__main__":`.
    """
    names = registry if registry is not None else default_registry()
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value < 1:
            raise ConfigError(f"{value!r} is too few", "write 1 or more", path=name)
    if device is not None:
        check_device(device)
    index = data if isinstance(data, Index) else index_folder(data)
    built = resolve_model(model, device=device, seed=0, registry=names)
    extractor = BranchExtractor(built, branch)
    detector = _settle(resolve_detector(faces, built.config, names))
    made = digest(["extract_tracks", VERSION, extractor.digest, *_detector_parts(detector, names)])
    samples, issues = _videos(index)
    jobs = {
        sample.key: TrackJob(
            sample=replace(sample, targets={}, events=(), raw={}),
            times=source_times(sample, fps),
            path=_place(Path(folder), sample.key),
            extractor=extractor,
            faces=detector,
            made=made,
            batch_size=batch_size,
            registry=names,
        )
        for sample in samples
    }
    for job in jobs.values():
        _check_there(job, overwrite)
    results: dict[str, JobResult] = {}
    try:
        for key, result in _run(jobs, executor, workers):
            results[key] = result
            if progress is not None:
                progress(len(results), len(jobs))
    except KeyboardInterrupt as stop:
        stop.add_note(f"{len(results)} of {len(jobs)} videos are in {folder}, and the same call goes on with the rest")
        raise
    ordered = {key: results[key] for key in jobs}
    return Extracted(
        paths={key: jobs[key].path for key, result in ordered.items() if result.status != "failed"},
        computed=sum(result.status == "computed" for result in ordered.values()),
        issues=(*issues, *(issue for result in ordered.values() for issue in result.issues)),
    )


def _videos(index: Index) -> tuple[list[Sample], list[Issue]]:
    """Samples that have frames, and issues of the index and of those that have none."""
    samples: dict[str, Sample] = {}
    issues = list(index.issues)
    for sample in index:
        if not isinstance(sample.source, FramesSource | VideoSource):
            fact = f"is a {type(sample.source).__name__}, of which there is no track"
            issues.append(Issue(level="warning", where=sample.key, fact=fact, sample=sample.key))
        elif sample.key in samples:
            both = listed([samples[sample.key].dataset, sample.dataset])
            raise InputError(f"{sample.key}: is a video of {both}; give one dataset at a time")
        else:
            samples[sample.key] = sample
    if not samples:
        raise InputError(f"data: {len(index)} samples, and no video among them; give videos or listed frames")
    return list(samples.values()), issues


def _settle(detector: FaceDetectorConfig) -> FaceDetectorConfig:
    """What `auto` becomes here and now: another detector finds other faces, in another run and in any worker."""
    return AutoFaces(detector).settled if isinstance(detector, AutoFacesConfig) else detector


def _detector_parts(detector: FaceDetectorConfig, registry: Registry) -> list[Any]:
    """What decides where faces are: config, versions, and the content of files that the config names."""
    data = encode(detector, registry)
    files = [Path(value) for value in data.values() if isinstance(value, str) and Path(value).is_file()]
    return [data, requirements(data, registry), files]


def _place(folder: Path, key: str) -> Path:
    if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
        raise InputError(f"{key}: is no name of a file below {str(folder)!r}; give another key")
    return folder / f"{key}.safetensors"


def _check_there(job: TrackJob, overwrite: bool) -> None:
    if overwrite or not job.path.exists():
        return
    hint = "name another folder, or add --overwrite (in Python overwrite=True)"
    there = read_header(job.path)
    if there.get("made") != job.made:
        raise InputError(f"{job.path}: is of another extractor or detector; {hint}")
    mine = source_name(job.sample)
    # the content is asked for last, since all of it is read: a dataset that was moved is the same one
    if there["video"] != mine and there["source"] != job.source_digest():
        raise InputError(f"{job.path}: is of {there['video']}, not of {mine}; {hint}")


def _run(jobs: dict[str, TrackJob], executor: Executor | None, workers: int) -> Iterator[tuple[str, JobResult]]:
    if executor is None and workers == 1:
        for key, job in jobs.items():
            yield key, run_job(job)
        return
    futures: dict[Future[Any], str] = {}
    if executor is not None:
        futures = {executor.submit(run_job, job): key for key, job in jobs.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()
        return
    with Workers(min(workers, len(jobs))) as pool:
        try:
            futures = {pool.submit(run_job, job): key for key, job in jobs.items()}
            for future in as_completed(futures):
                yield futures[future], pool.take(future.result())
        except BrokenProcessPool as error:
            if not pool.have_begun:
                remedy = "in a script, call extract_tracks below if __name__ == '__main__':, or write workers=1"
                raise ConfigError("no process could be begun", remedy, path="workers") from error
            fact = "a worker process died, for want of memory perhaps"
            raise InputError(f"workers: {fact}; the same call with fewer goes on with what is not there yet") from error
