"""`affectkit analyze` of several videos: tables, a summary, and how Ctrl-C stops the processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affectkit.artifact import save
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.presets import starter
from affectkit.results.reading import read_results
from tests.cli_runs import run
from tests.clips import write_levels

pytestmark = pytest.mark.usefixtures("offline")


class OneAfterTheOther:
    """In place of processes."""

    counts: list[int] = []  # noqa: RUF012

    def __init__(self, count: int) -> None:
        self.counts.append(count)

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*args))
        return future

    def take(self, result: Any) -> Any:
        return result

    def __enter__(self) -> OneAfterTheOther:
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two videos, a damaged one and `model`, for which a picture is a face."""
    monkeypatch.setattr("affectkit.batch.Workers", OneAfterTheOther)
    monkeypatch.setattr(OneAfterTheOther, "counts", [])
    save(replace(starter(), faces=WholeFrameConfig()).build(), here / "model")
    (here / "videos" / "day 1").mkdir(parents=True)
    write_levels(here / "videos" / "b.mp4", [20, 60, 100])
    write_levels(here / "videos" / "day 1" / "a.mov", [20, 60])
    (here / "videos" / "c.avi").write_bytes(b"no video")
    return here


DAMAGED = "videos/c.avi: is no video (Invalid data found when processing input); give a file that FFmpeg reads"


def test_a_folder(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "analyze", "videos", "--pipeline", "model", "--workers", "2")
    assert (code, err) == (1, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["video", "status", "rows", "frames_with_face", "skipped", "events", "seconds"]
    assert [line[:-1] for line in lines[3:6]] == [
        ["videos/b.mp4", "ok", "3", "3", "0", "0"],
        ["videos/c.avi", "failed", "0", "0", "0", "0"],
        ["videos/day", "1/a.mov", "ok", "2", "2", "0", "0"],
    ]
    assert out.splitlines()[7:] == [
        f"failed: {DAMAGED}",
        "2 of 3 videos done; summary in affectkit-tables/summary.csv",
    ]
    assert OneAfterTheOther.counts == [2]
    assert len(read_results("affectkit-tables/b.mp4.csv")) == 3
    assert len(read_results("affectkit-tables/day 1/a.mov.csv")) == 2
    with Path("affectkit-tables/summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["video"], row["status"], row["error"]) for row in rows] == [
        ("videos/b.mp4", "ok", ""), ("videos/c.avi", "failed", DAMAGED), ("videos/day 1/a.mov", "ok", ""),
    ]  # fmt: skip


def test_a_folder_again(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    words = ["analyze", "videos", "--pipeline", "model", "--out", "tables"]
    assert run(capsys, *words)[0] == 1
    code, out, err = run(capsys, *words)
    assert (code, out) == (1, "")
    assert err == (
        "error: tables/summary.csv: already there; add --overwrite (in Python overwrite=True), or name another file\n"
    )
    before = Path("tables/b.mp4.csv").stat().st_mtime_ns
    write_levels(folder / "videos" / "c.avi", [20])
    assert run(capsys, *words, "--resume")[0] == 0
    assert Path("tables/b.mp4.csv").stat().st_mtime_ns == before
    assert run(capsys, *words, "--overwrite")[0] == 0
    assert Path("tables/b.mp4.csv").stat().st_mtime_ns != before


def test_several_videos_in_json(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    words = ["videos/b.mp4", "videos/day 1/a.mov", "--pipeline", "model", "--fps", "12.5", "--json"]
    code, out, err = run(capsys, "analyze", *words)
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert data["path"] == "affectkit-tables/summary.csv"
    assert [(Path(video["video"]).name, video["rows"], video["error"]) for video in data["videos"]] == [
        ("b.mp4", 2, ""), ("a.mov", 1, ""),
    ]  # fmt: skip
    # below the folder that they have in common
    assert [Path(video["table"]) for video in data["videos"]] == [
        Path("affectkit-tables/b.mp4.csv"), Path("affectkit-tables/day 1/a.mov.csv"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["videos", "--plot", "t.png"], "--plot: given with several files; analyze one at a time for it"),
        (["videos", "--annotate", "a.mp4"], "--annotate: given with several files; analyze one at a time for it"),
        (["videos", "--maps", "maps"], "--maps: given with several files; analyze one at a time for it"),
        (["videos", "--elan", "e.txt"], "--elan: given with several files; analyze one at a time for it"),
        (["videos/b.mp4", "model", "--webvtt", "e.vtt"],
         "--webvtt: given with several files; analyze one at a time for it"),
        (["videos", "--out", "a/b"], "a/b: no folder 'a'; create it"),
        (["model"], "model: holds no video or picture; endings are .3gp, .avi, .bmp, .gif, .jpeg, .jpg, .m4v, .mkv, "
         ".mov, .mp4, .mpeg, .mpg, .mts, .png, .tif, .tiff, .webm, .webp, .wmv"),
    ],
)  # fmt: skip
def test_what_several_videos_can_not_have(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], text: str
) -> None:
    assert run(capsys, "analyze", *words, "--pipeline", "model") == (1, "", f"error: {text}\n")
    assert not (folder / "affectkit-tables").exists()


def test_ctrl_c_says_what_is_done(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affectkit import batch

    write = batch._write_summary

    def stop(path: Path, videos: list[Any]) -> None:
        write(path, videos)
        if len(videos) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(batch, "_write_summary", stop)
    assert run(capsys, "analyze", "videos", "--pipeline", "model") == (
        130,
        "",
        "stopped\n2 of 3 videos were done; what there is of the others is in affectkit-tables, "
        "and the same command with --resume (in Python resume=True) goes on there\n",
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("reaches", ["all", "one"])
def test_ctrl_c_stops_processes_between_two_frames(here: Path, reaches: str) -> None:
    """Whether the terminal tells every process or only the first one."""
    (here / "videos").mkdir()
    names = ["a.mp4", "b.mp4"]
    for name in names:
        write_levels(here / "videos" / name, [i % 200 for i in range(4000)])
    save(replace(starter(), faces=WholeFrameConfig()).build(), here / "model")
    command = [sys.executable, "-m", "affectkit", "analyze", "videos", "--pipeline", "model", "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--out", "tables"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_for(lambda: len(list(here.glob("tables/*.parts"))) == 2, process)
        time.sleep(0.5)
        (os.killpg if reaches == "all" else os.kill)(process.pid, signal.SIGINT)
        # ends when the last process has closed its end
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, out) == (130, "")
    assert err == (
        "stopped\n0 of 2 videos were done; what there is of the others is in tables, "
        "and the same command with --resume (in Python resume=True) goes on there\n"
    )
    for name in names:
        rows = read_results(f"tables/{name}.csv")
        assert [row.frame for row in rows] == list(range(len(rows)))
        assert 0 < len(rows) < 4000


def wait_for(is_so: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
