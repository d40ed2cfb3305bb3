"""`analyze`: rows per frame on the container's clock, averaged over windows, streamed to a file."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

import affectkit
from affectkit.analysis import analyze
from affectkit.artifact import save
from affectkit.configs import Frames, Tracking, Windows
from affectkit.errors import ConfigError, InputError, SpecError, UntrainedWarning
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.files import write_config
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.presets import starter as starter_preset
from affectkit.resolving import resolve_model
from affectkit.results.reading import Results, read_results
from affectkit.results.writer import ResultWriter
from affectkit.specs import FaceDetectorSpec
from affectkit.streams import FeatureStream, FrameStream
from affectkit.temporal.transformer import TransformerConfig
from affectkit.video.scoring import WindowScoring
from tests import spotting
from tests.brightness import (
    AsIsConfig,
    BrightFacesConfig,
    BrightnessConfig,
    HalvedConfig,
    LengthConfig,
    pipeline,
    registry,
)
from tests.clips import container_times, gray_frames, write_levels

LEVELS = [20, 60, 100, 140, 180, 220]
TIMES = [0.0, 0.04, 0.11, 0.12, 0.35, 0.4]
NAMES = registry()


def starter() -> PipelineConfig:
    """The preset, for pictures that are a face as a whole."""
    return replace(starter_preset(), faces=WholeFrameConfig())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_levels(tmp_path / "clip.mp4", LEVELS, TIMES)


def run(clip: Path, config: PipelineConfig, **options: Any) -> Results:
    return analyze(clip, config.build(registry=NAMES), registry=NAMES, **options)


def test_windows_that_see_each_other_give_the_same_for_any_batch_size(tmp_path: Path) -> None:
    """A Transformer over overlapping windows of irregular times, of which the last is short and padded in a batch."""
    times = [i * 0.04 + 0.01 * (i % 3) for i in range(31)]
    path = write_levels(tmp_path / "long.mp4", [20 + 7 * i for i in range(31)], times)
    config = PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={"face": Branch(features=ConvStemConfig(dim=8))},
        temporal=TransformerConfig(depth=1, heads=2, positions="time"),
        heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
        faces=WholeFrameConfig(),
        sampling=Windows(seconds=0.4, hop_seconds=0.2),
    )
    torch.manual_seed(0)
    model = config.build(registry=NAMES)
    rows = [
        [list(row.predictions.values()) for row in analyze(path, model, registry=NAMES, batch_size=batch_size)]
        for batch_size in (1, 7, 25, 1000)
    ]
    found = torch.tensor(rows, dtype=torch.float64)
    assert found.shape == (4, 31, 22)
    assert (found - found[0]).abs().max() <= 1e-5
    assert (found[0, 0] - found[0, -1]).abs().max() > 1e-3


def brightness(results: Results) -> list[float]:
    return [row.predictions["face.brightness"] * 255 for row in results]


@pytest.mark.parametrize("sampling", [Frames(), Windows(seconds=0.2, hop_seconds=0.05), Windows(), None])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_every_frame_has_a_row_with_its_own_prediction(
    clip: Path, sampling: Frames | Windows | None, batch_size: int
) -> None:
    results = run(clip, pipeline(sampling), batch_size=batch_size)
    assert [row.frame for row in results] == [0, 1, 2, 3, 4, 5]
    assert [row.pts for row in results] == TIMES
    assert brightness(results) == pytest.approx(LEVELS, abs=3)
    assert {row.status for row in results} == {"ok"}
    assert {row.track for row in results} == {0}
    assert (results[0].left, results[0].top, results[0].width, results[0].height) == (0.0, 0.0, 48.0, 32.0)
    assert results[0].confidence == 1.0
    assert results.columns == (
        "frame", "pts", "track", "status", "left", "top", "width", "height", "confidence", "face.brightness",
    )  # fmt: skip


def test_predictions_are_averaged_over_the_windows_that_cover_a_frame(tmp_path: Path) -> None:
    clip = write_levels(tmp_path / "clip.mp4", [100] * 5, [0.0, 0.5, 1.0, 1.5, 2.0])
    config = pipeline(Windows(seconds=1.1, hop_seconds=0.5), temporal=LengthConfig())
    lengths = [row.predictions["face.length"] for row in run(clip, config, batch_size=1)]
    # Windows [0, 1.1) with 3 frames, [0.5, 1.6) with 3, [1, 2.1) with 3: every mean is 3.
    assert lengths == [3, 3, 3, 3, 3]
    config = pipeline(Windows(seconds=0.6, hop_seconds=0.5), temporal=LengthConfig())
    clip = write_levels(tmp_path / "clip.mp4", [100] * 5, [0.0, 0.5, 1.0, 1.5, 1.55])
    lengths = [row.predictions["face.length"] for row in run(clip, config, batch_size=1)]
    # [0, 0.6) has 2, [0.5, 1.1) 2, [1, 1.6) 3.
    assert lengths == [2, 2, 2.5, 3, 3]


def test_a_clips_prediction_holds_for_its_frames(tmp_path: Path) -> None:
    clip = write_levels(tmp_path / "clip.mp4", [40, 80, 160, 200], [0.0, 0.1, 0.2, 0.3])
    results = run(clip, pipeline(Windows(seconds=0.2, hop_seconds=0.2), resolution="clip"))
    assert brightness(results) == pytest.approx([60, 60, 180, 180], abs=3)


def test_padding_of_a_batch_does_not_change_what_is_real(clip: Path) -> None:
    config = pipeline(Windows(seconds=0.1, hop_seconds=0.1), temporal=LengthConfig(), resolution="clip")
    assert list(run(clip, config, batch_size=1)) == list(run(clip, config, batch_size=100))


@pytest.mark.parametrize(
    "name",
    ["single_face.mp4", "noface_face.mov", "no_face.mp4", pytest.param("face_noface.mov", marks=pytest.mark.slow)],
)
def test_real_clips(shared: Path, name: str) -> None:
    path = shared / "media" / name
    results = run(path, pipeline(Windows(seconds=1.0, hop_seconds=0.5)), batch_size=64)
    times = container_times(path)
    assert [row.pts for row in results] == times
    assert [row.frame for row in results] == list(range(len(times)))
    assert all(0 <= row.predictions["face.brightness"] <= 1 for row in results)


def test_frames_without_a_face_have_a_row(clip: Path) -> None:
    results = run(clip, pipeline(Windows(seconds=0.05, hop_seconds=0.05)), faces="bright-faces")
    assert [row.status for row in results] == ["no_face", "no_face", "ok", "ok", "ok", "ok"][:2] + [
        "ok" if level >= 100 else "no_face" for level in LEVELS[2:]
    ]
    first, last = results[0], results[-1]
    assert (first.track, first.left, first.confidence, dict(first.predictions)) == (None, None, None, {})
    assert (last.track, last.left, last.top, last.width, last.height) == (0, 8.0, 4.0, 24.0, 24.0)
    assert last.confidence == 0.75


def test_rows_keep_the_order_where_faces_come_and_go(tmp_path: Path) -> None:
    levels = [200, 20, 200, 20, 20, 20, 200, 20]
    clip = write_levels(tmp_path / "clip.mp4", levels, [i * 0.4 for i in range(8)])
    results = run(clip, pipeline(Windows(seconds=1.0, hop_seconds=0.5)), faces=BrightFacesConfig(), batch_size=1)
    assert [row.frame for row in results] == list(range(8))
    assert [row.status for row in results] == ["ok" if level > 100 else "no_face" for level in levels]
    # 1.6 s without a face are more than max_gap_seconds: another track.
    assert [row.track for row in results] == [0, None, 0, None, None, None, 1, None]
    results = run(clip, pipeline(tracking=Tracking(max_gap_seconds=2.0), faces=BrightFacesConfig()))
    assert [row.track for row in results] == [0, None, 0, None, None, None, 0, None]


def test_long_stretches_without_a_face_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affectkit.video.scoring._MAX_WAITING", 4)
    clip = write_levels(tmp_path / "clip.mp4", [200, 200, *[20] * 40])
    waiting = waiting_rows(monkeypatch)
    run(
        clip,
        pipeline(Windows(seconds=0.2, hop_seconds=0.2)),
        faces="bright-faces",
        out=tmp_path / "rows.csv",
        batch_size=50,
    )
    assert max(waiting[8:]) <= 6


def test_memory_is_constant_while_rows_stream_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_levels(tmp_path / "clip.mp4", [i % 200 for i in range(150)])
    out = tmp_path / "rows.csv"
    waiting = waiting_rows(monkeypatch)
    totals: list[int | None] = []

    def look(done: int, total: int | None) -> None:
        totals.append(total)
        assert not out.exists()

    results = run(clip, pipeline(Windows(seconds=0.4, hop_seconds=0.2)), out=out, batch_size=8, progress=look)
    # a window of 10 frames, another one waiting, and the frame at hand
    assert max(waiting) <= 21
    assert totals == [150] * 150
    assert len(results) == 150
    assert results.path == out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "rows.csv", "rows.csv.info.json"]


def waiting_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows wait for their predictions, after every frame."""
    waiting: list[int] = []
    push = WindowScoring.push

    def look(self: WindowScoring, *args: Any) -> Iterator[Any]:
        yield from push(self, *args)
        waiting.append(len(self._rows))

    monkeypatch.setattr(WindowScoring, "push", look)
    return waiting


def test_rows_in_a_file_are_those_in_memory(clip: Path, tmp_path: Path) -> None:
    config = pipeline(Windows(seconds=0.1, hop_seconds=0.07), temporal=LengthConfig())
    out = tmp_path / "rows.csv"
    results = run(clip, config, out=out, faces="bright-faces")
    in_memory = run(clip, config, faces="bright-faces")
    assert list(results) == list(in_memory)
    assert list(read_results(out)) == list(in_memory)
    assert results.columns == in_memory.columns


NOTE = (
    "{rows} rows were written before that; they are in {out}.parts, "
    "and the same command with --resume (in Python resume=True) goes on there"
)


class Broken(Exception):
    """Something that nobody foresaw."""


def break_at(frame: int, error: type[BaseException] = Broken) -> Any:
    """A progress callback that stops the run."""

    def stop(done: int, total: int | None) -> None:
        if done == frame:
            raise error

    return stop


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_was_done_stays_and_is_gone_on_with(
    tmp_path: Path, clip: Path, error: type[BaseException], ending: str
) -> None:
    out = tmp_path / f"rows.{ending}"
    with pytest.raises(error) as caught:
        run(clip, pipeline(Frames()), out=out, batch_size=1, progress=break_at(4, error))
    assert caught.value.__notes__ == [NOTE.format(rows=4, out=out)]
    assert not out.exists()
    left = read_results(out)
    assert [row.frame for row in left] == [0, 1, 2, 3]
    assert left.info is not None
    assert not left.info.complete
    results = run(clip, pipeline(Frames()), out=out, batch_size=1, resume=True)
    assert list(results) == list(run(clip, pipeline(Frames())))
    assert results.info is not None
    assert results.info.complete
    assert not Path(f"{out}.parts").exists()


@pytest.mark.parametrize("stop", range(1, 60, 7))
def test_a_run_in_two_parts_gives_what_one_run_gives(tmp_path: Path, stop: int) -> None:
    levels = [200 if 20 < i < 50 or i % 7 else 20 for i in range(90)]
    clip = write_levels(tmp_path / "clip.mp4", levels, [i / 25 + (i % 3) * 0.004 for i in range(90)])
    config = pipeline(Windows(seconds=0.5, hop_seconds=0.3), temporal=LengthConfig(), faces=BrightFacesConfig(two=180))
    out = tmp_path / "rows.csv"
    with pytest.raises(Broken):
        run(clip, config, out=out, batch_size=1, progress=break_at(25 + stop))
    assert list(run(clip, config, out=out, batch_size=1, resume=True)) == list(run(clip, config, batch_size=1))


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("seconds", [0.0, 60.0])
@pytest.mark.parametrize("method", ["write", "write_event"])
def test_ctrl_c_while_something_is_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, seconds: float, is_written: bool
) -> None:
    names = spotting.registry()
    levels = [250 if i % 15 in (4, 5, 6) else 100 for i in range(60)]
    clip = write_levels(tmp_path / "clip.mp4", levels, [i / 25 for i in range(60)])
    options: dict[str, Any] = {"faces": "whole-frame", "registry": names, "out": tmp_path / "rows.csv"}
    config = spotting.spot_bright(spotter=spotting.BrightEventsConfig(threshold=0.8))
    real, calls = getattr(ResultWriter, method), 0

    def interrupted(writer: ResultWriter, item: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3 and not is_written:
            raise KeyboardInterrupt
        real(writer, item)
        if calls == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("affectkit.analysis._CHECKPOINT_SECONDS", seconds)
    with monkeypatch.context() as patch:
        patch.setattr(ResultWriter, method, interrupted)
        with pytest.raises(KeyboardInterrupt):
            analyze(clip, config, **options)
    results = analyze(clip, config, resume=True, **options)
    assert [row.frame for row in results] == list(range(60))
    assert [event.onset_frame for event in results.events] == [4, 19, 34, 49]


def test_a_finished_run_is_not_run_again(tmp_path: Path, clip: Path) -> None:
    out = tmp_path / "rows.csv"
    first = run(clip, pipeline(Frames()), out=out)
    assert list(run(clip, pipeline(Frames()), out=out, resume=True, progress=break_at(1))) == list(first)


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ({"fps": 5.0}, "options"),
        ({"faces": "bright-faces"}, "detector"),
        ({"seed": 7}, "seed"),
        ({}, "source, source_size"),
    ],
)
def test_a_finished_table_of_another_run_is_not_taken_for_this_one(
    tmp_path: Path, clip: Path, change: dict[str, Any], differing: str
) -> None:
    out = tmp_path / "rows.csv"
    run(clip, pipeline(Frames()), out=out)
    video = clip if change else write_levels(tmp_path / "other.mp4", LEVELS[:2], TIMES[:2])
    assert refusal(video, pipeline(Frames()), out=out, resume=True, **change) == (
        f"{out}: is a finished table of another run (other {differing}); name another file, or replace it with "
        "--overwrite (in Python overwrite=True)"
    )


def test_resume_without_a_table(clip: Path) -> None:
    assert refusal(clip, pipeline(), resume=True) == "resume: without out; name the table of the run that was stopped"


def test_an_error_before_the_first_row_leaves_nothing(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(Broken) as caught:
        run(
            clip,
            pipeline(Frames()),
            out=tmp_path / "rows.csv",
            faces="bright-faces",
            batch_size=9,
            progress=break_at(1),
        )
    assert not hasattr(caught.value, "__notes__")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_rows_are_replaced_if_asked_for(tmp_path: Path, clip: Path) -> None:
    out = tmp_path / "rows.csv"
    run(clip, pipeline(), out=out)
    assert refusal(clip, pipeline(), out=out) == (
        f"{out}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )
    other = write_levels(tmp_path / "other.mp4", LEVELS[:2])
    assert len(run(other, pipeline(), out=out, overwrite=True)) == 2
    assert len(read_results(out)) == 2


def test_results_know_their_detector(tmp_path: Path, clip: Path) -> None:
    assert run(clip, pipeline()).detector == "affectkit/whole-frame"
    results = run(clip, pipeline(), faces="bright-faces", out=tmp_path / "rows.csv")
    assert results.detector == "local/bright-faces"
    assert read_results(tmp_path / "rows.csv").detector == "local/bright-faces"


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_a_picture_is_a_video_of_one_frame(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), gray_frames([100])[0])
    (row,) = run(tmp_path / name, pipeline())
    assert (row.frame, row.pts, row.width, row.height) == (0, 0.0, 48.0, 32.0)
    assert row.predictions["face.brightness"] * 255 == pytest.approx(100, abs=3)


@pytest.mark.parametrize("name", ["single_face.jpg", "multi_face.jpg"])
def test_real_photos(shared: Path, name: str) -> None:
    (row,) = run(shared / "media" / name, pipeline())
    assert (row.frame, row.status) == (0, "ok")


def test_the_largest_face_is_kept_if_asked_for(tmp_path: Path) -> None:
    clip = write_levels(tmp_path / "clip.mp4", [250, 250])
    config = pipeline(Frames(), faces=BrightFacesConfig(two=200), tracking=Tracking(max_faces=1))
    assert len(run(clip, config)) == 2


def test_a_face_outside_the_picture(tmp_path: Path) -> None:
    clip = write_levels(tmp_path / "clip.mp4", [250])
    with pytest.raises(InputError) as caught:
        run(clip, pipeline(), faces=BrightFacesConfig(outside=True))
    assert str(caught.value) == (
        "frame 0: the face's box (1000.0, 4.0, 24.0, 24.0) has no pixel of the 48x32 picture; mend the face detector"
    )


def test_a_detector_that_is_none(clip: Path) -> None:
    class Wrong(BrightFacesConfig):
        pass

    names = NAMES.with_components(
        FaceDetectorSpec(name="bright-faces", config=BrightFacesConfig, factory=lambda config: 3, summary="Wrong.")  # type: ignore[arg-type,return-value]
    )
    with pytest.raises(SpecError) as caught:
        analyze(clip, pipeline().build(registry=names), faces=BrightFacesConfig(), registry=names)
    assert (
        str(caught.value) == "faces: local/bright-faces made int, which is no FaceDetector; derive the class from that"
    )


# What a pipeline can be.


def test_untrained_pipelines_warn_and_are_seeded(clip: Path) -> None:
    with pytest.warns(UntrainedWarning) as caught:
        first = analyze(clip, starter())
    (warning,) = caught
    assert str(warning.message) == "the pipeline is untrained: its scores come from random weights (seed 0)"
    assert warning.filename == __file__
    with pytest.warns(UntrainedWarning, match=r"\(seed 0\)"):
        again = analyze(clip, "starter", faces="whole-frame")
    with pytest.warns(UntrainedWarning, match=r"\(seed 1\)"):
        other = analyze(clip, "affectkit/starter", faces="whole-frame", seed=1)
    assert list(first) == list(again)
    assert list(first) != list(other)


def test_the_seed_leaves_the_global_generator_alone(clip: Path) -> None:
    before = torch.get_rng_state()
    with pytest.warns(UntrainedWarning):
        analyze(clip, "starter", faces="whole-frame", seed=5)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["pipeline.toml", "pipeline.json"])
def test_a_file(clip: Path, tmp_path: Path, name: str) -> None:
    write_config(starter(), tmp_path / name)
    with pytest.warns(UntrainedWarning):
        assert len(analyze(clip, tmp_path / name)) == 6


def test_what_does_not_fit_in_a_file_names_it(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    bad = replace(starter(), temporal=TransformerConfig(heads=3))
    write_config(bad, path)
    with pytest.raises(ConfigError) as here:
        bad.trace()
    with pytest.raises(ConfigError) as caught:
        analyze(clip, path)
    assert str(caught.value) == f"{path}: {here.value}"
    assert str(here.value).startswith("temporal: ")


def test_a_saved_model(clip: Path, tmp_path: Path) -> None:
    model = starter().build()
    save(model, tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved = analyze(clip, tmp_path / "model")
        assert list(saved) == list(analyze(clip, model))


def test_a_models_mode_is_left_as_it_was(clip: Path) -> None:
    model = starter().build().train()
    analyze(clip, model)
    assert model.training
    assert resolve_model(model, device=None, seed=0, registry=NAMES) is model


def test_bfloat16(clip: Path) -> None:
    model = starter().build()
    full, half = analyze(clip, model), analyze(clip, model, precision="bfloat16")
    names = full.columns[9:]
    pairs = [(a.predictions[n], b.predictions[n]) for a, b in zip(full, half, strict=True) for n in names]
    assert any(a != b for a, b in pairs)
    assert all(abs(a - b) < 0.05 for a, b in pairs)


def test_several_inputs_and_gray(clip: Path) -> None:
    config = pipeline(
        input=None,
        inputs={"small": FrameStream(height=4, width=6), "gray": FrameStream(channels=("gray",), height=64, width=64)},
        branches={
            "a": Branch(source="small", features=BrightnessConfig()),
            "b": Branch(source="gray", features=BrightnessConfig()),
        },
        fusion=affectkit.ConcatFusionConfig(hidden=(), norm=False),
        heads={"both": AsIsConfig()},
    )
    for row, level in zip(run(clip, config), LEVELS, strict=True):
        # `brightness` is the first branch, `length` the second.
        assert [value * 255 for value in row.predictions.values()] == pytest.approx([level, level], abs=3)


def test_an_ensemble(clip: Path) -> None:
    member = starter()
    config = affectkit.EnsembleConfig(
        members={"a": member, "b": member},
        fusion=affectkit.MeanFusionConfig(),
        sampling=Windows(),
        faces=WholeFrameConfig(),
    )
    results = analyze(clip, config.build())
    assert len(results) == 6
    assert results.columns[9] == "expression.neutral"


# What it refuses, and in which words.


def refusal(clip: Path, config: PipelineConfig, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        run(clip, config, **options)
    return str(caught.value)


def test_stored_features(clip: Path) -> None:
    config = pipeline(input=FeatureStream(dim=2), branches={"face": Branch()})
    assert refusal(clip, config) == (
        "inputs.clip: takes stored features, and a video gives frames; put their encoders before the model "
        "(affectkit join), or call it on them"
    )


def test_channels(clip: Path) -> None:
    config = pipeline(input=FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8))
    assert refusal(clip, config) == (
        "inputs.clip: takes u+v in unit 'pixel', and a video gives intensities of r+g+b or gray; "
        "make motion maps by a front-end of the pipeline"
    )


def test_a_fixed_rate(clip: Path) -> None:
    config = pipeline(input=FrameStream(height=8, width=8, fps=25.0))
    assert refusal(clip, config) == (
        "inputs.clip: takes 25.0 frames per second, and a video is read at its own times; leave fps out"
    )


def test_a_stage_that_changes_the_number_of_steps(clip: Path) -> None:
    assert refusal(clip, pipeline(temporal=HalvedConfig())) == (
        "face: gives 3 scores for 6 frames; a video needs one per frame, or resolution='clip'"
    )


def test_a_video_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.mp4"
    assert refusal(path, pipeline()) == f"{path}: no such file; check the path"


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("rows.txt", "ending '.txt'; write a .parquet or .csv file"),
        ("missing/rows.csv", "no folder '{folder}/missing'; create it"),
        ("taken.csv", "already there; add --overwrite (in Python overwrite=True), or name another file"),
    ],
)
def test_where_rows_can_not_go(clip: Path, tmp_path: Path, name: str, fact: str) -> None:
    (tmp_path / "taken.csv").touch()
    out = tmp_path / name
    assert refusal(clip, pipeline(), out=out) == f"{out}: {fact.format(folder=tmp_path)}"


def test_nothing_is_decoded_before_the_folder_is_checked(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> Iterator[Any]:
        raise AssertionError

    monkeypatch.setattr("affectkit.video.footage.read_frames", fail)
    out = tmp_path / "missing" / "rows.csv"
    assert refusal(clip, pipeline(), out=out) == f"{out}: no folder '{tmp_path}/missing'; create it"


def test_an_unknown_device(clip: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run(clip, pipeline(), device="tpu")
    assert str(caught.value).startswith("device: no device 'tpu'; devices: 'cpu'")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"precision": "float16"}, "precision: 'float16' is not accepted; write 'float32' or 'bfloat16'"),
        ({"batch_size": 0}, "batch_size: 0 frames; write 1 or more"),
        ({"seed": -1}, "seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1"),
        ({"fps": 0.0}, "fps: 0.0 is not a frame rate; write frames per second, or leave it out"),
        ({"seed": 2**63}, f"seed: {2**63} is not accepted; write a whole number from 0 to 2**63 - 1"),
    ],
)
def test_wrong_options(clip: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(clip, pipeline(), **options)
    assert str(caught.value) == text


def test_the_public_name() -> None:
    assert affectkit.analyze is analyze


def test_results_iterate_twice(clip: Path, tmp_path: Path) -> None:
    results = run(clip, pipeline(), out=tmp_path / "rows.csv")
    assert [row.frame for row in itertools.chain(results, results)] == [*range(6), *range(6)]
