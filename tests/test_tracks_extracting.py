"""Features of videos: what the branch says of each frame, once, through any executor; and what can go wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from affectkit import (
    Branch,
    ConcatFusionConfig,
    ConvStemConfig,
    ExpressionConfig,
    FeatureStream,
    FrameDifferenceConfig,
    FrameStream,
    PipelineConfig,
    WholeFrameConfig,
)
from affectkit.cli import main
from affectkit.data.patterns import write_clip
from affectkit.errors import ConfigError, InputError
from affectkit.faces.given_boxes import GivenBoxesConfig
from affectkit.faces.haar import HaarConfig
from affectkit.faces.yunet import YuNetConfig
from affectkit.files import write_config
from affectkit.pipeline_model import Pipeline
from affectkit.records import ArraySource, FramesSource, Index, Issue, Sample, VideoSource
from affectkit.registry import default_registry
from affectkit.tracks.extracting import Extracted, _detector_parts, extract_tracks
from affectkit.tracks.extractor import BranchExtractor
from affectkit.tracks.footage import index_folder
from affectkit.tracks.jobs import JobResult, run_job
from affectkit.tracks.reading import read_track, read_tracks
from affectkit.tracks.track import FeatureTrack
from affectkit.tracks.writing import write_track
from tests.conftest import SHARED

LISTED = (1, 8, 17, 21)
CONFIG = PipelineConfig(
    input=FrameStream(height=16, width=16),
    branches={"face": Branch(features=ConvStemConfig(dim=6, width=4))},
    heads={"expression": ExpressionConfig()},
    faces=WholeFrameConfig(),
)


def build(seed: int = 0, config: PipelineConfig = CONFIG) -> Pipeline:
    torch.manual_seed(seed)
    return config.build().eval()


def pictures(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 255, (count, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames of two videos, one of them twice as `_left`, and a video file."""
    root = tmp_path / "data"
    for seed, name in enumerate(("12", "12_left")):
        (root / name).mkdir(parents=True)
        for number, image in zip(LISTED, pictures(4, seed), strict=True):
            cv2.imwrite(str(root / name / f"{number:05}.png"), image[..., ::-1])
    write_clip(root / "30-30.mp4", pictures(7, 2), [0.0, 0.1, 0.15, 0.3, 0.4, 0.5, 0.6])
    return root


def extract(folder: Path, out: Path, **more: Any) -> Extracted:
    plain: dict[str, Any] = {"model": build(), "folder": out, "fps": 25.0}
    return extract_tracks(folder, **(plain | more))


def test_features_are_what_the_branch_says_of_each_frame(folder: Path, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    found = extract(folder, tmp_path / "out", batch_size=3, progress=lambda *now: done.append(now))
    assert (found.computed, found.issues, done) == (3, (), [(1, 3), (2, 3), (3, 3)])
    assert list(found.paths) == ["12", "12_left", "30-30"]
    tracks = read_tracks(tmp_path / "out")
    assert list(tracks) == list(found.paths)
    frames = torch.from_numpy(pictures(4, 1)).permute(0, 3, 1, 2)[None] / 255
    expected = build().features(frames.float()).values[0].detach()
    torch.testing.assert_close(torch.from_numpy(tracks["12_left"].values), expected, rtol=0, atol=1e-5)
    assert tracks["12_left"].frames.tolist() == list(LISTED)
    np.testing.assert_allclose(tracks["12_left"].times, [0.0, 0.28, 0.64, 0.8])
    # a video has its own times, and its first frame is 1
    assert tracks["30-30"].frames.tolist() == [1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_allclose(tracks["30-30"].times, [0.0, 0.1, 0.15, 0.3, 0.4, 0.5, 0.6], atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_batches_of_any_size_give_the_same(folder: Path, tmp_path: Path, size: int) -> None:
    extract(folder, tmp_path / "a", batch_size=3)
    extract(folder, tmp_path / "b", batch_size=size)
    other = read_tracks(tmp_path / "b")
    for key, track in read_tracks(tmp_path / "a").items():
        np.testing.assert_allclose(other[key].values, track.values, atol=1e-5)


def test_a_second_run_computes_nothing_and_a_killed_one_goes_on(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        extract(folder, out, progress=stop)
    assert caught.value.__notes__ == [f"2 of 3 videos are in {out}, and the same call goes on with the rest"]
    marks = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert extract(folder, out).computed == 1
    again = extract(folder, out)
    assert (again.computed, len(again.paths)) == (0, 3)
    assert {path: path.stat().st_mtime_ns for path in marks} == marks


def test_a_source_that_changed_is_computed_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract(folder, out)
    before = read_tracks(out)
    cv2.imwrite(str(folder / "12" / "00008.png"), pictures(1, 9)[0])
    assert extract(folder, out).computed == 1
    changed = (read_tracks(out)["12"].values != before["12"].values).any(axis=1)
    assert changed.tolist() == [False, True, False, False]
    # other times are other tracks
    assert extract(folder, out, fps=30.0).computed == 2


@pytest.mark.parametrize("model", [build(1), replace(CONFIG, faces=None)], ids=["weights", "faces"])
@pytest.mark.filterwarnings("ignore::affectkit.errors.UntrainedWarning", "ignore::affectkit.errors.FallbackWarning")
def test_features_of_another_extractor_are_not_mixed_in(folder: Path, tmp_path: Path, model: Any) -> None:
    out = tmp_path / "out"
    extract(folder, out)
    with pytest.raises(InputError) as caught:
        extract(folder, out, model=model)
    assert str(caught.value) == (
        f"{out}/12.safetensors: is of another extractor or detector; "
        "name another folder, or add --overwrite (in Python overwrite=True)"
    )
    if isinstance(model, Pipeline):
        assert extract(folder, out, model=model, overwrite=True).computed == 3
        assert extract(folder, out, model=model).computed == 0


OTHER = "is of another extractor or detector; name another folder, or add --overwrite (in Python overwrite=True)"


def test_boxes_that_changed_are_another_detector(folder: Path, tmp_path: Path) -> None:
    boxes, out = tmp_path / "boxes.csv", tmp_path / "out"
    boxes.write_text("frame,left,top,width,height\n" + "".join(f"{number},0,0,8,8\n" for number in range(30)))
    extract(folder, out, faces=str(boxes))
    assert extract(folder, out, faces=str(boxes)).computed == 0
    boxes.write_text(boxes.read_text().replace(",0,0,8,8", ",6,6,8,8"))
    with pytest.raises(InputError) as caught:
        extract(folder, out, faces=str(boxes))
    assert str(caught.value) == f"{out}/12.safetensors: {OTHER}"


@pytest.mark.filterwarnings("ignore::affectkit.errors.FallbackWarning")
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no {SHARED}: weights are not shipped with the project")
def test_auto_is_what_it_became(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Any] = []

    def keep(job: Any) -> JobResult:
        jobs.append(job)
        return JobResult("kept", ())

    def offline(*arguments: Any, **options: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setattr("affectkit.tracks.extracting.run_job", keep)
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    extract(folder, tmp_path / "out", faces="auto")
    monkeypatch.setattr("affectkit.faces.auto_detector.fetch_weights", offline)
    extract(folder, tmp_path / "out", faces="auto")
    assert [type(job.faces) for job in jobs[::3]] == [YuNetConfig, HaarConfig]
    assert len({job.made for job in jobs}) == 2


def test_the_version_of_the_detector_counts() -> None:
    registry, config = default_registry(), GivenBoxesConfig(box=(0.0, 0.0, 8.0, 8.0))
    (core,) = (report.version for report in registry.reports if report.provider == "affectkit")
    assert {"distribution": "affectkit", "version": core} in _detector_parts(config, registry)[1]


def test_another_video_of_the_same_name_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "val"
    extract(folder, out)
    shutil.copytree(folder, other)
    # the same content is the same video, wherever it lies
    assert extract(other, out).computed == 0
    cv2.imwrite(str(other / "12" / "00008.png"), pictures(1, 9)[0])
    with pytest.raises(InputError) as caught:
        extract(other, out)
    hint = "name another folder, or add --overwrite (in Python overwrite=True)"
    assert str(caught.value) == f"{out}/12.safetensors: is of folder, {folder}/12, not of folder, {other}/12; {hint}"
    assert extract(other, out, overwrite=True).computed == 1


def test_what_is_left_of_a_video_that_fails_now_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract(folder, out)
    for picture in (folder / "12").iterdir():
        picture.write_bytes(b"")
    found = extract(folder, out)
    assert "12" not in found.paths
    stale = f"no frame has features; nothing is written; {out}/12.safetensors is of what was there before"
    assert [one.fact for one in found.issues if one.level == "error"] == [stale]


def test_a_file_of_someone_else_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "out" / "12.safetensors"
    path.parent.mkdir()
    one = np.ones((1, 2), np.float32)
    write_track(FeatureTrack(video="12", frames=np.array([1]), times=np.zeros(1), values=one), path)
    with pytest.raises(InputError) as caught:
        extract(folder, path.parent)
    assert str(caught.value).startswith(f"{path}: is of another extractor or detector; ")
    assert np.array_equal(read_track(path).values, one)


@pytest.mark.parametrize("executor", [ThreadPoolExecutor(2), None], ids=["threads", "processes"])
def test_any_executor_gives_the_same(folder: Path, tmp_path: Path, executor: Executor | None) -> None:
    extract(folder, tmp_path / "a")
    found = extract(folder, tmp_path / "b", executor=executor, workers=2)
    assert (found.computed, list(found.paths)) == (3, ["12", "12_left", "30-30"])
    other = read_tracks(tmp_path / "b")
    for key, track in read_tracks(tmp_path / "a").items():
        np.testing.assert_allclose(other[key].values, track.values, atol=1e-6)


def test_pictures_that_can_t_be_decoded_are_issues_that_are_told_again(folder: Path, tmp_path: Path) -> None:
    broken = folder / "12" / "00008.png"
    broken.write_bytes(broken.read_bytes()[:50])
    for path in (folder / "12_left").iterdir():
        path.write_bytes(b"")
    found = extract(folder, tmp_path / "out")
    assert list(found.paths) == ["12", "30-30"]
    fact = "its only frame can't be decoded (Invalid data found when processing input); it is damaged, copy it again"
    assert found.issues[0] == Issue(level="warning", where=str(broken), fact=f"frame 8: {fact}", sample="12")
    fact = "frame 1: is empty; copy it again"
    left = str(folder / "12_left" / "00001.png")
    assert found.issues[1] == Issue(level="warning", where=left, fact=fact, sample="12_left")
    fact = "no frame has features; nothing is written"
    assert found.issues[5] == Issue(level="error", where="12_left", fact=fact, sample="12_left")
    assert len(found.issues) == 6
    assert read_tracks(tmp_path / "out")["12"].frames.tolist() == [1, 17, 21]
    again = extract(folder, tmp_path / "out")
    assert (again.computed, again.issues) == (0, found.issues)


def test_features_that_are_no_numbers_are_an_issue(folder: Path, tmp_path: Path) -> None:
    model = build()
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    found = extract(folder, tmp_path / "out", model=model)
    assert found.paths == {}
    fact = "frame 1 has features that are NaN or infinite; leave such frames out"
    assert [(one.where, one.fact) for one in found.issues] == [(key, fact) for key in ("12", "12_left", "30-30")]


def test_a_video_that_breaks_off_is_an_issue(folder: Path, tmp_path: Path) -> None:
    (folder / "30-30.mp4").write_bytes(b"no video")
    found = extract(folder, tmp_path / "out")
    assert list(found.paths) == ["12", "12_left"]
    assert [(one.level, one.where) for one in found.issues] == [("error", "30-30")]


def test_frames_without_a_face_have_no_row(tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.csv"
    # tables of boxes count as those of `analyze` do, from 0
    boxes.write_text("frame,left,top,width,height\n0,0,0,16,16\n2,0,0,8,8\n")
    write_clip(tmp_path / "v.mp4", pictures(4), [0.0, 0.1, 0.2, 0.3])
    index = Index(samples=(sample("v", VideoSource(path=tmp_path / "v.mp4")),))
    found = extract_tracks(index, build(), tmp_path / "out", faces=str(boxes))
    assert read_track(found.paths["v"]).frames.tolist() == [1, 3]
    assert [one.fact for one in found.issues] == ["no face in 2 of 4 frames: 2, 4"]


def test_faces_without_points_are_counted_where_they_are_aligned(folder: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, inputs={"clip": FrameStream(height=16, width=16, alignment="arcface")})
    found = extract(folder, tmp_path / "out", model=build(config=config))
    assert found.issues[0].fact == (
        "no points to align by, so that the box stands in for them, in 4 of 4 frames: 1, 8, 17, 21"
    )


class Killer(BranchExtractor):
    """Ends the process that it is called in."""

    def __call__(self, frames: Any) -> Any:
        os._exit(1)


@pytest.mark.slow
def test_a_worker_that_dies_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affectkit.tracks.extracting.BranchExtractor", Killer)
    with pytest.raises(InputError) as caught:
        extract(folder, tmp_path / "out", workers=2)
    assert str(caught.value) == (
        "workers: a worker process died, for want of memory perhaps; "
        "the same call with fewer goes on with what is not there yet"
    )


@pytest.mark.slow
def test_a_script_without_its_guard_is_told(folder: Path, tmp_path: Path) -> None:
    write_config(CONFIG, tmp_path / "p.toml")
    script = tmp_path / "script.py"
    script.write_text(
        "from affectkit.tracks.extracting import extract_tracks\n"
        f"extract_tracks({str(folder)!r}, {str(tmp_path / 'p.toml')!r}, {str(tmp_path / 'out')!r}, "
        "fps=25.0, workers=2)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "affectkit.errors.ConfigError: workers: no process could be begun; in a script, call extract_tracks below "
        "if __name__ == '__main__':, or write workers=1"
    )


def sample(key: str, source: Any, **more: Any) -> Sample:
    return Sample(dataset="made", subject=f"made/{key}", key=key, source=source, **more)


def test_an_index_says_times_and_keys(folder: Path, tmp_path: Path) -> None:
    frames = tuple((number, folder / "12" / f"{number:05}.png") for number in LISTED)
    times = np.array([0.5, 0.9, 1.3, 1.4])
    index = Index(
        samples=(
            sample("train/a", FramesSource(frames=frames), times=times),
            sample("train/b", FramesSource(frames=frames, fps=10.0)),
            sample("c", ArraySource(path=tmp_path / "c.npy")),
        ),
        issues=(Issue(level="info", where="table", fact="is odd"),),
    )
    found = extract_tracks(index, build(), tmp_path / "out")
    assert list(found.paths) == ["train/a", "train/b"]
    assert [one.fact for one in found.issues] == ["is odd", "is a ArraySource, of which there is no track"]
    tracks = read_tracks(tmp_path / "out")
    np.testing.assert_allclose(tracks["train/a"].times, times)
    np.testing.assert_allclose(tracks["train/b"].times, [0.0, 0.7, 1.6, 2.0])


def test_a_folder_is_indexed_with_what_is_odd(folder: Path) -> None:
    cv2.imwrite(str(folder / "12" / "cover.png"), pictures(1)[0])
    cv2.imwrite(str(folder / "12" / "8.png"), pictures(1)[0])
    (folder / ".hidden").mkdir()
    (folder / "notes.txt").write_text("left alone")
    index = index_folder(folder)
    assert [one.key for one in index] == ["12", "12_left", "30-30"]
    assert [str(one).removeprefix(f"{folder}/12/") for one in index.issues] == [
        "8.png: has the number of another picture",
        "cover.png: has no number in its name",
    ]


def test_folders_that_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        index_folder(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path}/none: no such folder; check the path"
    with pytest.raises(InputError) as caught:
        index_folder(folder / "12")
    assert str(caught.value) == f"{folder}/12: holds pictures itself; give the folder that this one is in"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        index_folder(tmp_path / "empty")
    assert str(caught.value) == f"{tmp_path}/empty: holds no video and no folder of numbered pictures"
    write_clip(folder / "12.mp4", pictures(2), [0.0, 0.1])
    with pytest.raises(InputError) as caught:
        index_folder(folder)
    assert str(caught.value) == f"{folder}/12: another video is called '12' too; rename one of them"


FRAMES = FramesSource(frames=((1, Path("1.png")), (2, Path("2.png"))))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ((sample("a", FRAMES),), "a: frames without times; give frames per second, such as fps=30"),
        ((sample("a", FRAMES, times=np.zeros(3)),), "a: 3 times for 2 frames; give one each"),
        (
            (sample("a", ArraySource(path=Path("a"))),),
            "data: 1 samples, and no video among them; give videos or listed frames",
        ),
        (
            (sample("a", FRAMES), replace(sample("a", FRAMES), dataset="other")),
            "a: is a video of 'made', 'other'; give one dataset at a time",
        ),
        (
            (sample("../a", VideoSource(path=Path("a"))),),
            "../a: is no name of a file below 'out'; give another key",
        ),
    ],
)
def test_indexes_that_are_refused(samples: tuple[Sample, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        extract_tracks(Index(samples=samples), build(), "out")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"batch_size": 0}, "batch_size: 0 is too few; write 1 or more"),
        ({"workers": 0}, "workers: 0 is too few; write 1 or more"),
        ({"device": "tpu0"}, "device: no device 'tpu0'; devices: 'cpu'"),
    ],
)
def test_options_that_are_refused(option: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError) as caught:
        extract_tracks(Index(samples=(sample("a", FRAMES),)), build(), "out", **option)
    assert str(caught.value) == message


TWO = replace(
    CONFIG,
    inputs={"clip": FrameStream(height=16, width=16), "stored": FeatureStream(dim=4)},
    branches={"face": CONFIG.branches["face"], "stored": Branch(source="stored")},
    fusion=ConcatFusionConfig(),
)
MOVING = replace(CONFIG, branches={"face": replace(CONFIG.branches["face"], motion=(FrameDifferenceConfig(),))})


@pytest.mark.parametrize(
    ("config", "branch", "message"),
    [
        (CONFIG, "fase", "branch: no branch 'fase'; did you mean 'face'? branches: 'face'"),
        (TWO, None, "branch: the pipeline has 'face', 'stored'; name one of them"),
        (
            TWO,
            "stored",
            "inputs.stored: takes stored features, and a video gives frames; put their encoders before the model "
            "(affectkit join), or call it on them",
        ),
        (
            MOVING,
            None,
            "branches.face.motion[0]: compares 2 frames, and features are computed of each alone; "
            "choose a branch without motion",
        ),
    ],
)
def test_branches_that_are_refused(config: PipelineConfig, branch: str | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        BranchExtractor(build(config=config), branch)
    assert str(caught.value) == message


def test_the_digest_is_of_weights_and_config() -> None:
    one = BranchExtractor(build())
    assert one.dim == 6
    assert one.digest == BranchExtractor(build(), "face").digest
    assert one.digest != BranchExtractor(build(1)).digest
    larger = replace(CONFIG, inputs={"clip": FrameStream(height=32, width=16)})
    assert one.digest != BranchExtractor(build(config=larger)).digest


def test_a_worker_can_be_stopped_between_batches(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Any] = []

    def keep(job: Any) -> Any:
        jobs.append(job)
        return run_job(job)

    monkeypatch.setattr("affectkit.tracks.extracting.run_job", keep)
    extract(folder, tmp_path / "out", batch_size=2)
    (tmp_path / "out" / "12.safetensors").unlink()

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(jobs[0], progress=stop)
    assert not jobs[0].path.exists()


def test_the_command_prints_counts_and_issues(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(CONFIG, tmp_path / "p.toml")
    (folder / "12_left" / "00008.png").write_bytes(b"")
    words = ["features", str(tmp_path / "p.toml"), str(folder), "--out", str(tmp_path / "out"), "--fps", "25"]
    assert main([*words, "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert "frame 8: is empty; copy it again" in text
    assert text.endswith(f"{tmp_path}/out: features of 3 of 3 videos, 0 of them there before\n")
    assert main([*words, "--workers", "1", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (list(data["videos"]), data["computed"], len(data["issues"])) == (["12", "12_left", "30-30"], 0, 1)
    (folder / "30-30.mp4").write_bytes(b"no video")
    assert main([*words, "--workers", "1"]) == 1
    assert "features of 2 of 3 videos, 2 of them there before" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::affectkit.errors.UntrainedWarning")
def test_the_command_says_what_is_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(CONFIG, tmp_path / "p.toml")
    for data, message in {
        "casme2=": "casme2=: no folder; give NAME=ROOT, such as casme2=/data/CASME2, or .toml",
        str(tmp_path / "none"): f"{tmp_path}/none: no such folder; check the path",
    }.items():
        assert main(["features", str(tmp_path / "p.toml"), data, "--out", str(tmp_path / "out")]) == 1
        assert capsys.readouterr().err == f"error: {message}\n"
