"""Many videos: tables, a summary, and failures that are no end of the run."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

import affectkit
from affectkit.batch import VideoSummary, analyze_many
from affectkit.configs import Frames
from affectkit.errors import ConfigError, InputError, UntrainedWarning
from affectkit.media_files import find_videos
from affectkit.model import Model
from affectkit.results.reading import read_results
from affectkit.workers import Workers
from tests.brightness import pipeline, registry
from tests.clips import encode, gray_frames, write_levels


class InThisThread(Executor):
    """An executor that runs what it is given at once."""

    def submit(self, work: Any, /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **options))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.fixture
def model() -> Model:
    return pipeline(Frames()).build(registry=registry())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "deeper").mkdir(parents=True)
    write_levels(folder / "a.mp4", [100] * 3)
    write_levels(folder / "deeper" / "a.mp4", [100] * 2)
    (folder / "broken.mov").write_bytes(b"no video")
    (folder / "notes.txt").write_text("not a video")
    (folder / ".hidden.mp4").touch()
    return folder


def test_videos_of_a_folder(folder: Path) -> None:
    assert find_videos(folder) == [folder / "a.mp4", folder / "broken.mov", folder / "deeper" / "a.mp4"]


def test_a_table_each_and_a_summary(folder: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "tables"
    seen: list[tuple[str, int, int]] = []

    def progress(video: VideoSummary, done: int, total: int) -> None:
        seen.append((video.status, done, total))

    summary = analyze_many(folder, model, out=out, executor=InThisThread(), progress=progress)
    assert [(video.status, video.rows, video.frames_with_face) for video in summary] == [
        ("ok", 3, 3), ("failed", 0, 0), ("ok", 2, 2),
    ]  # fmt: skip
    assert sorted(count for _, count, _ in seen) == [1, 2, 3]
    (failed,) = summary.failed
    assert failed.error == (
        f"{folder / 'broken.mov'}: is no video (Invalid data found when processing input); "
        "give a file that FFmpeg reads"
    )
    assert len(read_results(out / "a.mp4.csv")) == 3
    assert len(read_results(out / "deeper" / "a.mp4.csv")) == 2
    with (out / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert rows[0]["rows"] == "3"


def test_a_thread_pool_and_parquet(folder: Path, tmp_path: Path, model: Model) -> None:
    videos = [folder / "a.mp4", folder / "deeper" / "a.mp4"]
    with ThreadPoolExecutor(2) as executor:
        summary = analyze_many(videos, model, out=tmp_path / "tables", table_format="parquet", executor=executor)
    assert [video.rows for video in summary] == [3, 2]
    assert len(read_results(tmp_path / "tables" / "deeper" / "a.mp4.parquet")) == 2


def test_what_is_done_is_not_done_again(folder: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "tables"
    analyze_many(folder, model, out=out, executor=InThisThread())
    before = (out / "a.mp4.csv").stat().st_mtime_ns
    (folder / "broken.mov").unlink()
    write_levels(folder / "broken.mov", [100] * 4)
    summary = analyze_many(folder, model, out=out, executor=InThisThread(), resume=True)
    assert [video.rows for video in summary] == [3, 4, 2]
    assert (out / "a.mp4.csv").stat().st_mtime_ns == before
    with pytest.raises(InputError) as caught:
        analyze_many(folder, model, out=out, executor=InThisThread())
    assert str(caught.value) == (
        f"{out / 'summary.csv'}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )


def test_an_executors_own_failure_is_one_videos(folder: Path, tmp_path: Path, model: Model) -> None:
    class Lossy(InThisThread):
        def submit(self, work: Any, /, *args: Any, **options: Any) -> Future[Any]:
            if args[0].video.parent.name == "deeper":
                future: Future[Any] = Future()
                future.set_exception(ConnectionError("the worker is gone"))
                return future
            return super().submit(work, *args, **options)

    summary = analyze_many(folder, model, out=tmp_path / "tables", executor=Lossy())
    assert [video.error for video in summary][2] == "ConnectionError: the worker is gone"


def test_a_video_whose_worker_was_lost_is_begun_again(folder: Path, tmp_path: Path, model: Model) -> None:
    """As a cluster does it: what the first attempt left is gone on with, though nobody said resume."""

    class Flaky(InThisThread):
        def submit(self, work: Any, /, *args: Any, **options: Any) -> Future[Any]:
            job = args[0]

            def stop(done: int, total: int | None) -> None:
                if done == 2:
                    raise KeyboardInterrupt

            with contextlib.suppress(KeyboardInterrupt):
                affectkit.analyze(job.video, job.pipeline, out=job.table, batch_size=1, progress=stop)
            return super().submit(work, *args, **options)

    videos = [folder / "a.mp4", folder / "deeper" / "a.mp4"]
    out = tmp_path / "tables"
    summary = analyze_many(videos, model, out=out, batch_size=1, executor=Flaky())
    assert [(video.status, video.rows) for video in summary] == [("ok", 3), ("ok", 2)]
    # but what was there before the run is not touched unasked
    (out / "a.mp4.csv").unlink()
    (out / "a.mp4.csv.info.json").unlink()
    with contextlib.suppress(KeyboardInterrupt):
        affectkit.analyze(videos[0], model, out=out / "a.mp4.csv", batch_size=1, progress=interrupt)
    (out / "summary.csv").unlink()
    summary = analyze_many(videos[:1], model, out=out, batch_size=1, executor=InThisThread())
    assert summary[0].error == (
        f"{out / 'a.mp4.csv'}: an unfinished table is in '{out / 'a.mp4.csv.parts'}'; add --resume to go on with it, "
        "or --overwrite to begin anew (in Python resume=True, overwrite=True)"
    )


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_result_that_was_lost_on_its_way(folder: Path, tmp_path: Path, model: Model, overwrite: bool) -> None:
    """The table was whole before the worker died: the second attempt finds it, and it is this run's own."""

    class Lossy(InThisThread):
        def submit(self, work: Any, /, *args: Any, **options: Any) -> Future[Any]:
            super().submit(work, *args, **options).result()
            return super().submit(work, *args, **options)

    out = tmp_path / "tables"
    for _ in range(1 + overwrite):
        (video,) = analyze_many([folder / "a.mp4"], model, out=out, executor=Lossy(), overwrite=overwrite)
        assert (video.status, video.rows, video.error) == ("ok", 3, "")
    # but what was there before the run is not touched unasked
    (out / "summary.csv").unlink()
    (video,) = analyze_many([folder / "a.mp4"], model, out=out, executor=Lossy())
    assert video.error == (
        f"{out / 'a.mp4.csv'}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )


def test_tables_stay_below_out_wherever_the_videos_are(
    folder: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "deeper")
    videos = ["a.mp4", "../deeper/../a.mp4"]
    summary = analyze_many(videos, model, out="tables", executor=InThisThread())
    assert [(Path(video.table), video.rows) for video in summary] == [
        (Path("tables/deeper/a.mp4.csv"), 2),
        (Path("tables/a.mp4.csv"), 3),
    ]
    with pytest.raises(InputError) as caught:
        analyze_many(["a.mp4", "../deeper/a.mp4"], model, out="others", executor=InThisThread())
    assert str(caught.value) == f"{folder / 'deeper' / 'a.mp4'}: listed twice; name every video once"


def test_folders_may_stand_among_the_videos(folder: Path, tmp_path: Path, model: Model) -> None:
    summary = analyze_many(
        [folder / "deeper", folder / "a.mp4"], model, out=tmp_path / "tables", executor=InThisThread()
    )
    assert [Path(video.table).relative_to(tmp_path).as_posix() for video in summary] == [
        "tables/deeper/a.mp4.csv",
        "tables/a.mp4.csv",
    ]


def interrupt(done: int, total: int | None) -> None:
    if done == 2:
        raise KeyboardInterrupt


def test_a_summary_says_what_a_broken_run_left(folder: Path, tmp_path: Path, model: Model) -> None:
    encode(folder / "broken.mov", gray_frames([10, 20, 30]), container="mpegts")
    (folder / "broken.mov").write_bytes((folder / "broken.mov").read_bytes() * 2)
    out = tmp_path / "tables"
    (failed,) = analyze_many(folder, model, out=out, executor=InThisThread()).failed
    assert failed.error == (
        f"{folder / 'broken.mov'}: frame 3 is at 0.000 s, the one before it at 0.080 s; time runs backwards there: "
        f"cut the file at that frame; 3 rows were written before that; they are in {out / 'broken.mov.csv.parts'}, and "
        "the same command with --resume (in Python resume=True) goes on there"
    )
    assert len(read_results(out / "broken.mov.csv")) == 3


def test_videos_that_are_not_begun_are_left_out_after_ctrl_c(folder: Path, tmp_path: Path, model: Model) -> None:
    class Waiting(InThisThread):
        """Does nothing by itself."""

        futures: list[Future[Any]] = []  # noqa: RUF012

        def submit(self, work: Any, /, *args: Any, **options: Any) -> Future[Any]:
            if not self.futures:
                self.futures.append(super().submit(work, *args, **options))
            else:
                self.futures.append(Future())
            return self.futures[-1]

    def stop(video: VideoSummary, done: int, total: int) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "tables"
    with pytest.raises(KeyboardInterrupt) as caught:
        analyze_many(folder, model, out=out, executor=Waiting(), progress=stop)
    assert [future.cancelled() for future in Waiting.futures] == [False, True, True]
    assert caught.value.__notes__ == [
        f"1 of 3 videos were done; what there is of the others is in {out}, and the same command with --resume (in "
        "Python resume=True) goes on there"
    ]
    assert len((out / "summary.csv").read_text().splitlines()) == 2


# Processes.


@pytest.fixture
def bounded() -> Iterator[None]:
    """Ends a test that hangs."""

    def end(*args: object) -> None:
        raise TimeoutError("takes more than two minutes")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


class Pool:
    """In place of processes: kills the worker of every video that is called `deadly`, and with it those beside it."""

    sizes: list[int] = []  # noqa: RUF012
    have_begun = True

    def __init__(self, count: int) -> None:
        self.sizes.append(count)
        self.is_broken = False

    def submit(self, work: Any, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.is_broken |= args[0].video.name == "deadly.mp4"
        if self.is_broken:
            future.set_exception(BrokenProcessPool("a worker died"))
        else:
            future.set_result(work(*args))
        return future

    def take(self, result: Any) -> Any:
        return result

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.mark.parametrize("breaks_early", [False, True])
def test_a_video_that_kills_its_worker_takes_no_other_with_it(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch, breaks_early: bool
) -> None:
    class Early(Pool):
        def submit(self, work: Any, *args: Any) -> Future[Any]:
            if self.is_broken:
                raise BrokenProcessPool("a worker died")
            return super().submit(work, *args)

    monkeypatch.setattr("affectkit.batch.Workers", Early if breaks_early else Pool)
    monkeypatch.setattr(Pool, "sizes", [])
    videos = []
    for i in range(7):
        (tmp_path / str(i)).mkdir()
        videos.append(write_levels(tmp_path / str(i) / ("deadly.mp4" if i in (2, 5) else "a.mp4"), [100]))
    summary = analyze_many(videos, model, out=tmp_path / "tables", workers=3)
    assert [video.status for video in summary] == ["ok", "ok", "failed", "ok", "ok", "failed", "ok"]
    assert summary[2].error == (
        f"{videos[2]}: the worker process died, for want of memory perhaps; analyze it alone, or with fewer workers"
    )
    # three at once; the three that it may have been, one by one; the others
    assert Pool.sizes[:4] == [3, 1, 1, 3]


def die_in_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KillsWorkers:
    """A pipeline whose unpickling kills the process, as the system does where memory is short."""

    def __reduce__(self) -> tuple[Any, ...]:
        return die_in_worker, ()


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
def test_processes(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.mov").unlink()
    with pytest.warns(UntrainedWarning) as caught:
        summary = analyze_many(folder, "affectkit/starter", faces="whole-frame", out=tmp_path / "tables", workers=2)
    assert [video.status for video in summary] == ["ok", "ok"]
    # both warn of it, and it is said once
    assert [str(item.message) for item in caught] == [
        "the pipeline is untrained: its scores come from random weights (seed 0)"
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
def test_a_worker_that_dies(folder: Path, tmp_path: Path) -> None:
    video = folder / "a.mp4"
    (failed,) = analyze_many([video], KillsWorkers(), out=tmp_path / "tables")  # type: ignore[arg-type]
    assert failed.error == (
        f"{video}: the worker process died, for want of memory perhaps; analyze it alone, or with fewer workers"
    )


@pytest.mark.slow
def test_a_script_that_every_worker_runs_again(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    out = tmp_path / "tables"
    script.write_text(
        "import affectkit\n"
        f"affectkit.analyze_many({str(folder)!r}, 'starter', faces='whole-frame', out={str(out)!r}, workers=1)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "affectkit.errors.ConfigError: workers: no process could be begun; in a script, call analyze_many below "
        "if __name__ == '__main__':, or give it a ThreadPoolExecutor"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster(folder: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = client.get_executor()
        summary = analyze_many(folder, "affectkit/starter", faces="whole-frame", out=tmp_path / "t", executor=executor)
    assert [video.status for video in summary] == ["ok", "failed", "ok"]


@pytest.mark.parametrize(
    ("videos", "out", "options", "text"),
    [
        ("nowhere", "tables", {}, "{root}/nowhere: no such folder; give a folder, or a list of paths"),
        ([], "tables", {}, "videos: the list is empty; name at least one"),
        (["a.mp4", "a.mp4"], "tables", {}, "{root}/a.mp4: listed twice; name every video once"),
        ("videos", "missing/tables", {}, "{root}/missing/tables: no folder '{root}/missing'; create it"),
        ("videos", "videos/notes.txt", {}, "{root}/videos/notes.txt: is a file; name a folder for the tables"),
        (
            "videos", "tables", {"table_format": "xlsx"},
            "table_format: 'xlsx' is not accepted; write 'csv' or 'parquet'",
        ),
        (
            "videos/deeper/empty", "tables", {},
            "{root}/videos/deeper/empty: holds no video or picture; endings are .3gp, .avi, .bmp, .gif, .jpeg, .jpg, "
            ".m4v, .mkv, .mov, .mp4, .mpeg, .mpg, .mts, .png, .tif, .tiff, .webm, .webp, .wmv",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(
    folder: Path, tmp_path: Path, videos: Any, out: str, options: dict[str, Any], text: str
) -> None:
    (folder / "deeper" / "empty").mkdir()
    given = tmp_path / videos if isinstance(videos, str) else [tmp_path / video for video in videos]
    with pytest.raises(InputError) as caught:
        analyze_many(given, "starter", out=tmp_path / out, **options)
    assert str(caught.value) == text.format(root=tmp_path)


def test_an_unknown_option(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        analyze_many(folder, "starter", out=tmp_path / "tables", batchsize=3)
    assert str(caught.value) == (
        "batchsize: no such option; did you mean 'batch_size'? options: "
        "'faces', 'fps', 'start', 'stop', 'device', 'precision', 'engine', 'weights', 'batch_size', 'seed' and 1 more"
    )


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers(folder: Path, tmp_path: Path, workers: int) -> None:
    with pytest.raises(ConfigError) as caught:
        analyze_many(folder, "starter", out=tmp_path / "tables", workers=workers)
    assert str(caught.value) == f"workers: {workers} processes; write 1 or more"
    assert not (tmp_path / "tables").exists()


def test_the_public_name() -> None:
    assert affectkit.analyze_many is analyze_many


def test_a_pool_of_no_processes_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Workers(0)
    assert str(caught.value) == "workers: 0 processes; write 1 or more"
