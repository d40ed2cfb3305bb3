"""Cutting chosen pictures into files, in parallel and resumed where it was stopped, and what is known of them then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affectkit.caching import digest
from affectkit.codec import encode
from affectkit.configs import FaceDetectorConfig
from affectkit.errors import listed
from affectkit.records import ArraySource, Issue
from affectkit.registry import Registry
from affectkit.streams import FrameStream
from affectkit.training.label_joining import is_still
from affectkit.training.picture_files import CutFile, CutJob, Kind, read_cut_file, run_cut
from affectkit.training.picture_samples import Chosen
from affectkit.training.pictures import Pictures
from affectkit.training.runs import run_jobs

# Pictures per file: enough that opening one costs nothing, and few enough to lose when a run is stopped.
PER_FILE = 512
# Of how pictures are cut and kept; another one finds nothing of what was there before. A video has times since 2.
VERSIONS: Mapping[Kind, int] = {"pictures": 1, "array": 1, "video": 2}
# Each with the numbers of its pictures among all.
Jobs = list[tuple[CutJob, NDArray[np.int64]]]


def cut_pictures(
    chosen: list[Chosen],
    streams: Mapping[str, FrameStream],
    detector: FaceDetectorConfig,
    *,
    folder: Path,
    registry: Registry,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Pictures, NDArray[np.bool_], tuple[Issue, ...]]:
    """The pictures that could be cut, which those are among all, `(N,)`, and issues of the others.

    Frames of a video file have its own times, and other pictures are at 0.

    Arguments:
        chosen: pictures by sample; they keep their order.
        streams: what is cut, by input.
        detector: finds the faces; of several in a picture the largest counts.
        folder: where files are kept, and found again.
        registry: where the detector is looked up.
        executor, workers, progress: as `gather_pictures`.
    """
    jobs = _jobs(chosen, streams, detector, folder, registry)
    cut = _run(jobs, executor, workers, progress)
    total = sum(len(numbers) for _, numbers in jobs)
    file, row, times = np.full(total, -1), np.full(total, -1), np.zeros(total)
    for at, ((_, numbers), made) in enumerate(zip(jobs, cut, strict=True)):
        where = numbers[list(made.rows)]
        file[where], row[where] = at, np.arange(len(where))
        times[where] = made.times or 0.0
    kept = file >= 0
    pictures = Pictures(
        shapes={name: (len(one.channels), one.height, one.width) for name, one in streams.items()},
        files=tuple(job.out for job, _ in jobs),
        file=torch.from_numpy(file[kept]).unsqueeze(1),
        row=torch.from_numpy(row[kept]).unsqueeze(1),
        times=torch.from_numpy(times[kept]).unsqueeze(1),
    )
    return pictures, kept, tuple(_faults(chosen, jobs, cut))


def _jobs(
    chosen: list[Chosen],
    streams: Mapping[str, FrameStream],
    detector: FaceDetectorConfig,
    folder: Path,
    registry: Registry,
) -> Jobs:
    """Jobs, each with the numbers of its pictures among all."""
    groups: dict[tuple[Kind, str | None, int], list[tuple[tuple[Path, int], int]]] = defaultdict(list)
    number = 0
    for at, one in enumerate(chosen):
        name = one.sample.source.array if isinstance(one.sample.source, ArraySource) else None
        # a video is decoded once; stills of all samples are one list
        group = groups[one.kind, name, at if one.kind == "video" else -1]
        for item in one.items():
            group.append((item, number))
            number += 1
    settings = [{name: encode(stream, registry) for name, stream in streams.items()}, encode(detector, registry)]
    jobs = []
    for (kind, name, _), listed_items in groups.items():
        size = len(listed_items) if kind == "video" else PER_FILE
        for start in range(0, len(listed_items), size):
            part = listed_items[start : start + size]
            items = tuple(item for item, _ in part)
            key = digest(["gather_pictures", VERSIONS[kind], *settings, kind, name, _describe(items)])
            job = CutJob(
                out=folder / key[:2] / f"{key}.pictures",
                kind=kind,
                items=items,
                array=name,
                streams=streams,
                faces=detector,
                registry=registry,
            )
            jobs.append((job, np.array([number for _, number in part])))
    return jobs


def _describe(items: tuple[tuple[Path, int], ...]) -> list[Any]:
    """Plain data by which other pictures, or the same ones written anew, are told apart without reading them."""
    stats: dict[Path, list[int] | None] = {}
    for path, _ in items:
        if path not in stats:
            try:
                found = path.stat()
                stats[path] = [found.st_size, found.st_mtime_ns]
            except OSError:
                stats[path] = None
    return [[str(path.absolute()), number, stats[path]] for path, number in items]


def _run(
    jobs: Jobs, executor: Executor | None, workers: int, progress: Callable[[int, int], None] | None
) -> list[CutFile]:
    found = {at: read_cut_file(job.out) for at, (job, _) in enumerate(jobs)}
    waiting = {at: job for at, (job, _) in enumerate(jobs) if found[at] is None}
    total = sum(len(numbers) for _, numbers in jobs)
    done = total - sum(len(job.items) for job in waiting.values())
    for at, made in run_jobs(run_cut, waiting, executor, min(workers, max(len(waiting), 1))):
        found[at] = made
        done += len(jobs[at][0].items)
        if progress is not None:
            progress(done, total)
    return [one for one in found.values() if one is not None]


def _faults(chosen: list[Chosen], jobs: Jobs, cut: list[CutFile]) -> Iterator[Issue]:
    """An issue for each still that can't be used; of frames one for all of a sample with the same fault."""
    facts = {
        int(numbers[place]): fact for (_, numbers), made in zip(jobs, cut, strict=True) for place, fact in made.faults
    }
    start = 0
    for one in chosen:
        faults: dict[str, list[int]] = defaultdict(list)
        for at, number in enumerate(one.numbers()):
            if start + at in facts:
                faults[facts[start + at]].append(number)
        start += len(one.rows)
        for fact, numbers in faults.items():
            where, key = f"{one.sample.dataset}/{one.sample.key}", one.sample.key
            text = (
                fact
                if is_still(one.sample)
                else f"{len(numbers)} of {len(one.rows)} frames ({listed(numbers)}): {fact}"
            )
            yield Issue(level="warning", where=where, fact=text, sample=key)
    if rough := sum(made.rough for made in cut):
        fact = f"{rough} of {start} pictures show no points to align by, so that the face's box stands in"
        yield Issue(level="info", where="examples", fact=fact)
