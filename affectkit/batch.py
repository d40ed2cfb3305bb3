"""Many videos: one table each, in parallel through any `concurrent.futures` executor, and a summary of the run.

A video that fails is a row of the summary, not the end of the run; so is one whose worker dies.
"""

from __future__ import annotations

import csv
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence as Items
from concurrent.futures import Executor, Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from affectkit.analysis import analyze
from affectkit.configs import ModelConfig
from affectkit.errors import AffectkitError, ConfigError, InputError, did_you_mean
from affectkit.folders import make_folder
from affectkit.media_files import list_files, names_below
from affectkit.model import Model
from affectkit.results.places import check_file, is_unfinished
from affectkit.workers import Outcome, Workers

SUMMARY_FILE = "summary.csv"
Progress = Callable[["VideoSummary", int, int], None]
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class VideoSummary:
    """One video of a run.

    Attributes:
        video: its path.
        status: `ok`, or `failed`.
        table: path of its rows; empty where it failed.
        rows: how many.
        frames_with_face: rows that have a face.
        skipped: frames that could not be decoded.
        events: how many.
        seconds: that the analysis took.
        error: what went wrong, in one line.
    """

    video: str
    status: Literal["ok", "failed"]
    table: str = ""
    rows: int = 0
    frames_with_face: int = 0
    skipped: int = 0
    events: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class RunSummary(Items[VideoSummary]):
    """What became of every video, in the order given.

    Attributes:
        videos: one entry each.
        path: the summary as a CSV file.
    """

    videos: tuple[VideoSummary, ...]
    path: Path

    def __getitem__(self, index: Any) -> Any:
        return self.videos[index]

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def failed(self) -> tuple[VideoSummary, ...]:
        """The videos that have no complete table."""
        return tuple(video for video in self.videos if video.status == "failed")


@dataclass(frozen=True)
class _Job:
    """One video's analysis.

    Attributes:
        video, table: from where to where.
        pipeline: as of `analyze`.
        options: the others of `analyze`.
        is_new: whether no run had begun the table; if one has by then, it was this one, and its worker died.
        has_old: whether there was a finished table; if not, one that is there by then is this run's too.
    """

    video: Path
    table: Path
    pipeline: Model | ModelConfig | str | Path | None
    options: Mapping[str, Any]
    is_new: bool = True
    has_old: bool = False


def analyze_many(
    videos: str | Path | Iterable[str | Path],
    pipeline: Model | ModelConfig | str | Path | None = None,
    *,
    out: str | Path,
    root: str | Path | None = None,
    table_format: Literal["csv", "parquet"] = "csv",
    executor: Executor | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> RunSummary:
    """Analyze videos in parallel: a table each below `out`, and `summary.csv`.

    A picture has a table like a video; for one table of many pictures there is `affectkit.analyze_pictures`.

    Arguments:
        videos: a folder, which is searched with the folders in it, or paths of videos and folders.
        pipeline: as of `analyze`.
        out: folder of the tables, made if its parent is there. Tables are called as the videos, below the same folders.
        root: where these folders begin; None for the folder that is given, or the one that all videos are in.
        table_format: of the tables.
        executor: runs the videos: any `concurrent.futures.Executor`, such as a thread pool, or `client.get_executor()`
            of a Dask cluster, whose workers must see the same files. Not shut down. None for processes of this machine.
        workers: processes, 1 or more, where `executor` is None; None for the number of processors.
        overwrite: whether tables that are there may be replaced.
        resume: whether tables that are there stay as they are, if the same run made them, and begun ones are gone on
            with.
        progress: called with each video's summary as it is done, the number done and the number of videos.
        options: of `analyze`: faces, fps, start, stop, device, precision, engine, weights, batch_size,
            seed.

    Raises:
        InputError: there are no videos, two would have the same table, or `out` can't be written to.
        ConfigError: an option that `analyze` does not have; `workers` below 1; or processes can't be begun, as from a
            script that lacks its `if __name__ == "__main__":`.
    """
    paths, root = list_files(videos, root=root)
    _check_options(options, workers)
    folder = make_folder(Path(out), "the tables", parents=False)
    summary = folder / SUMMARY_FILE
    check_file(summary, overwrite=overwrite or resume)
    tables = _tables(paths, names_below(paths, root), folder, table_format)
    given = {**options, "overwrite": overwrite, "resume": resume}
    jobs = [
        _Job(path, table, pipeline, given, is_new=not is_unfinished(table), has_old=table.exists())
        for path, table in zip(paths, tables, strict=True)
    ]
    done: dict[int, VideoSummary] = {}
    try:
        with closing(_run(jobs, executor, workers)) as summaries:
            for index, video in summaries:
                done[index] = video
                _write_summary(summary, [done[i] for i in sorted(done)])
                if progress is not None:
                    progress(video, len(done), len(jobs))
    except KeyboardInterrupt as stop:
        fact = f"{len(done)} of {len(jobs)} videos were done; what there is of the others is in {folder}"
        stop.add_note(f"{fact}, and the same command with --resume (in Python resume=True) goes on there")
        raise
    return RunSummary(videos=tuple(done[i] for i in range(len(jobs))), path=summary)


Done = Generator[tuple[int, VideoSummary], None, None]


def _run(jobs: list[_Job], executor: Executor | None, workers: int | None) -> Done:
    if executor is not None:
        yield from _collect({executor.submit(run_job, job): i for i, job in enumerate(jobs)}, jobs)
        return
    count = min(workers or os.cpu_count() or 1, len(jobs))
    left, suspects = list(range(len(jobs))), list[int]()
    while left or suspects:
        # A dead worker takes all others with it, and nobody says which video it was. Videos are begun in their order,
        # so it was one of the first that are not done: these go one by one, and then all others as before.
        size = 1 if suspects else count
        lost: list[int] = []
        yield from _in_processes(jobs, suspects or left, size, lost)
        if lost and size == 1:
            first = lost.pop(0)
            yield first, _died(jobs[first])
        if suspects:
            suspects = lost
        else:
            suspects, left = (lost[:size], lost[size:]) if size > 1 else ([], lost)


def _in_processes(jobs: list[_Job], indices: list[int], size: int, lost: list[int]) -> Done:
    with Workers(size) as workers:
        futures: dict[Future[Outcome[VideoSummary]], int] = {}
        # A worker may die before all are handed over; the rest is lost with it.
        with suppress(BrokenProcessPool):
            for index in indices:
                futures[workers.submit(run_job, jobs[index])] = index
        rest = indices[len(futures) :]
        for index, result in _collect(futures, jobs, lost):
            yield index, result if isinstance(result, VideoSummary) else workers.take(result)
        lost.extend(rest)
        if lost and not workers.have_begun:
            remedy = "in a script, call analyze_many below if __name__ == '__main__':, or give it a ThreadPoolExecutor"
            raise ConfigError("no process could be begun", remedy, path="workers")


def _collect(
    futures: dict[Future[R], int], jobs: list[_Job], lost: list[int] | None = None
) -> Iterator[tuple[int, R | VideoSummary]]:
    """Summaries as they are done; indices of jobs that a dead worker took with it go to `lost`, in order."""
    broken: list[int] = []
    try:
        for future in as_completed(futures):
            index = futures[future]
            try:
                yield index, future.result()
            except BrokenProcessPool:
                if lost is None:
                    yield index, _died(jobs[index])
                else:
                    broken.append(index)
            # An executor's own failures, such as a lost connection, are this video's only.
            except Exception as error:
                yield index, _failed(jobs[index], error, 0.0)
    finally:
        for future in futures:
            future.cancel()
    if lost is not None:
        lost.extend(sorted(broken))


def run_job(job: _Job, **more: Any) -> VideoSummary:
    """Analyze one video, with `more` options; whatever goes wrong with it is in the summary."""
    started = time.perf_counter()
    try:
        options = dict(job.options)
        is_begun = is_unfinished(job.table) or (job.table.exists() and not job.has_old)
        options["resume"] |= job.is_new and is_begun
        results = analyze(job.video, job.pipeline, out=job.table, **options, **more)
        statuses = [row.status for row in results]
        return VideoSummary(
            video=str(job.video),
            status="ok",
            table=str(job.table),
            rows=len(statuses),
            frames_with_face=sum(status in ("ok", "low_confidence") for status in statuses),
            skipped=statuses.count("skipped"),
            events=len(results.events),
            seconds=round(time.perf_counter() - started, 3),
        )
    except Exception as error:
        return _failed(job, error, time.perf_counter() - started)


def _failed(job: _Job, error: Exception, seconds: float) -> VideoSummary:
    text = str(error) if isinstance(error, AffectkitError) else f"{type(error).__name__}: {error}"
    text = " ".join("; ".join([text, *getattr(error, "__notes__", [])]).split())
    return VideoSummary(video=str(job.video), status="failed", seconds=round(seconds, 3), error=text)


def _died(job: _Job) -> VideoSummary:
    text = f"{job.video}: the worker process died, for want of memory perhaps; analyze it alone, or with fewer workers"
    return VideoSummary(video=str(job.video), status="failed", error=text)


def _tables(paths: list[Path], names: list[Path], folder: Path, table_format: str) -> list[Path]:
    if table_format not in ("csv", "parquet"):
        raise InputError(f"table_format: {table_format!r} is not accepted; write 'csv' or 'parquet'")
    tables = [folder / name.parent / f"{name.name}.{table_format}" for name in names]
    twice = [path for path, table in zip(paths, tables, strict=True) if tables.count(table) > 1]
    if twice:
        raise InputError(f"{twice[0]}: listed twice; name every video once")
    for table in tables:
        table.parent.mkdir(parents=True, exist_ok=True)
    return tables


_OPTIONS = (
    "faces", "fps", "start", "stop", "device", "precision", "engine", "weights", "batch_size", "seed", "registry",
)  # fmt: skip


def _check_options(options: Mapping[str, Any], workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise ConfigError(f"{workers!r} processes", "write 1 or more", path="workers")
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError("no such option", did_you_mean(name, _OPTIONS, noun="options"), path=name)


def _write_summary(path: Path, videos: Items[VideoSummary]) -> None:
    """The summary so far, under a temporary name and then its own."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(VideoSummary)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(video) for video in videos)
        os.replace(part, path)
    except OSError as error:
        warnings.warn(f"{path}: can't be written ({error.strerror})", RuntimeWarning, stacklevel=2)
