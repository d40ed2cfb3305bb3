"""What evaluations have in common: a folder that says which run it holds, and jobs through any executor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path
from typing import Any, TypeVar

from affectkit.codec import Data
from affectkit.errors import InputError
from affectkit.files import write_text
from affectkit.folders import make_folder
from affectkit.lookup import check_no_graph_file, find_preset
from affectkit.registry import Registry
from affectkit.workers import Workers

RECORD = "evaluation.json"
K = TypeVar("K")
J = TypeVar("J")
R = TypeVar("R")


def open_run(place: Path, record: Data, *, is_kept: bool, resume: bool) -> None:
    """Make the folder of a run, and say in it what the run is.

    Arguments:
        place: the folder.
        record: what decides the result, as plain data.
        is_kept: whether somebody wants the folder; False for a temporary one.
        resume: whether to go on with a run that is there, if it has the same record.

    Raises:
        InputError: `place` is a file or can't be made, or holds another run, or one and `resume` isn't asked for.
    """
    make_folder(place, "the run")
    path = place / RECORD
    if is_kept and path.is_file():
        if not resume:
            raise InputError(f"{place}: holds a run already; resume it, or give another folder")
        check_record(path, record)
    write_text(path, json.dumps(record, indent=1))


def check_record(path: Path, record: Data) -> None:
    """Compare what a run is with what `path`, in its folder, says of the one that is there.

    Raises:
        InputError: they differ.
    """
    there = json.loads(path.read_text(encoding="utf-8"))
    for name in record:
        if there.get(name) != record[name]:
            other = "other examples" if name == "examples" else f"another {name}"
            raise InputError(f"{path.parent}: holds a run with {other}; give another folder")


def run_jobs(
    run: Callable[[J], R], jobs: Mapping[K, J], executor: Executor | None, workers: int
) -> Iterator[tuple[K, R]]:
    """Run every job, and give each result as soon as it is there, with the job's key.

    Arguments:
        run: a function of a module, since it is sent to other processes.
        jobs: by key.
        executor: any; None for processes of this machine, as many as `workers`, or with 1 none beside this one.
    """
    if executor is None and workers == 1:
        for key, job in jobs.items():
            yield key, run(job)
        return
    futures: dict[Future[Any], K] = {}
    if executor is not None:
        futures = {executor.submit(run, job): key for key, job in jobs.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
        return
    with Workers(workers) as pool:
        futures = {pool.submit(run, job): key for key, job in jobs.items()}
        for future in as_completed(futures):
            yield futures[future], pool.take(future.result())


def find_artifact(pattern: str, fold: str, seed: int, registry: Registry) -> Path | str:
    """The saved model that predicts a fold, or the name of a preset with weights.

    Arguments:
        pattern: its folder, in which `{subject}` is the fold's name as one of a file, `{seed}` the seed; or a preset.
        fold, seed: for which.
        registry: where presets are looked up.

    Raises:
        InputError: no such folder.
        ArtifactError: it is an exported pipeline.
    """
    preset = find_preset(pattern, registry)
    if preset is not None and preset.spec.weights:
        return preset.id
    for field in ("{subject}", "{seed}"):
        pattern = pattern.replace(field, plain_name(fold) if field == "{subject}" else str(seed))
    path = Path(pattern)
    check_no_graph_file(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the saved model of every fold, as 'models/{{subject}}'")
    return path


def plain_name(name: str) -> str:
    """A fold's name as one of a file: `-` for `/` and the like."""
    return "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in name).lstrip(".")
