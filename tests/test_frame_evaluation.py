"""`evaluate_frames`, and tables, reports and comparisons of frames."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from affectkit import (
    ConfigError,
    EnsembleConfig,
    ExpressionConfig,
    InputError,
    MeanFusionConfig,
    SmoothConfig,
    ThresholdsConfig,
)
from affectkit.artifact import load, save
from affectkit.cli import main
from affectkit.metrics.affect import au_f1, concordance, macro_f1
from affectkit.protocols.frame_predictions import (
    FrameOutput,
    FramePredictions,
    read_frame_predictions,
    write_frame_predictions,
)
from affectkit.protocols.frame_report import compare_frames, report_frames, score_frames
from affectkit.recipes import Recipe
from affectkit.sequences import Targets
from affectkit.training import Examples, fit
from affectkit.training.examples import write_examples
from affectkit.training.frame_evaluation import evaluate_frames
from affectkit.training.frame_tables import predict_segments
from affectkit.training.labeled_outputs import labeled_outputs
from affectkit.training.smoothing import set_smoothing
from affectkit.variants import average_models
from tests.frame_examples import CONFIG, RECIPE, make_frames, make_segments

QUICK = replace(RECIPE, epochs=4)


@pytest.fixture(scope="module")
def segments() -> Examples:
    return make_segments(6, overlap=5)


@pytest.fixture(scope="module")
def found(segments: Examples) -> FramePredictions:
    return evaluate_frames(CONFIG, segments, QUICK, folds=3)


def test_every_frame_is_predicted_once_by_a_model_that_never_saw_its_subject(
    found: FramePredictions, segments: Examples
) -> None:
    _, tracks = make_frames(6)
    assert len(found) == sum(len(track) for track in tracks["face"].values())
    assert found.fold is not None
    parts = {(subject, fold) for subject, fold in zip(found.subjects, found.fold.tolist(), strict=True)}
    assert len(parts) == 6
    assert set(found.fold.tolist()) == {"part 1", "part 2", "part 3"}
    left_out = found.fold == "part 1"
    rows = [row for row, one in enumerate(segments.subjects) if one not in np.array(found.subjects)[left_out].tolist()]
    model = fit(CONFIG, segments.take(rows), QUICK)
    others = [row for row in range(len(segments)) if row not in rows]
    again = predict_segments(model, segments.take(others))
    mine = found.take(np.flatnonzero(left_out))
    for name, one in again.outputs.items():
        assert np.array_equal(one.scores, mine.outputs[name].scores)


def test_the_truth_stands_beside_the_prediction(found: FramePredictions) -> None:
    labels, _ = make_frames(6)
    for one in labels:
        rows = found.video == one.video
        assert found.frame[rows].tolist() == one.frames.tolist()
        for name, given in one.targets.items():
            assert np.array_equal(found.outputs[name].valid[rows], given.valid)
            truth, values = found.outputs[name].truth[rows], np.asarray(given.values, np.float64)
            assert np.allclose(truth[given.valid], values[given.valid])


def test_overlapping_segments_are_averaged() -> None:
    torch.manual_seed(0)
    model = CONFIG.build()
    whole, halves = make_segments(2, length=20, overlap=10), make_segments(2, length=20)
    both, one = predict_segments(model, whole), predict_segments(model, halves)
    other = predict_segments(model, whole.take([row for row in range(len(whole)) if row % 2]))
    frames = [(video, frame) for video, frame in zip(both.video, both.frame.tolist(), strict=True)]
    at = frames.index((other.video[0], int(other.frame[0])))
    expected = (one.outputs["va"].scores[at] + other.outputs["va"].scores[0]) / 2
    assert both.outputs["va"].scores[at] == pytest.approx(expected, abs=1e-6)


def test_a_table_reads_as_it_was_written(found: FramePredictions, tmp_path: Path) -> None:
    path = tmp_path / "frames.parquet"
    write_frame_predictions(found, path)
    again = read_frame_predictions(path)
    for name in ("dataset", "subject", "video", "frame", "fold"):
        assert np.array_equal(getattr(again, name), getattr(found, name))
    for name, one in found.outputs.items():
        other = again.outputs[name]
        assert (one.kind, one.targets) == (other.kind, other.targets)
        assert np.array_equal(one.scores, other.scores)
        assert np.array_equal(one.valid, other.valid)
        assert np.array_equal(one.truth[one.valid], other.truth[one.valid])
    assert score_frames(again) == score_frames(found)
    table = pq.read_table(path)
    assert table.column_names[:5] == ["dataset", "subject", "video", "frame", "fold"]
    assert table.schema.field("truth.expr").type == pa.string()
    assert table.schema.field("truth.au.AU1").type == pa.bool_()


def test_the_report_is_that_of_the_plain_metrics(found: FramePredictions) -> None:
    report = report_frames(found)
    va, expr, au = (found.outputs[name] for name in ("va", "expr", "au"))
    pair = concordance(va.scores, va.truth, va.valid)
    f1 = macro_f1(expr.truth, expr.scores.argmax(axis=1), 8, expr.valid)
    units = au_f1(au.truth > 0.5, au.scores >= 0.5, au.valid)
    assert {name: one.value for name, one in report.scores.items()} == pytest.approx(
        {"va": pair.mean(), "expr": f1, "au": units, "P": pair.mean() + f1 + units}
    )
    assert score_frames(found) == pytest.approx({name: one.value for name, one in report.scores.items()})
    assert report.targets["va.arousal"].value == pytest.approx(pair[1])
    assert len(report.targets) == 2 + 8 + 12
    assert (report.frames, report.videos, report.subjects) == (300, 6, 6)
    assert report.valid["expr"] == int(expr.valid.sum())
    assert report.absent == ()
    for one in report.scores.values():
        assert one.low <= one.value <= one.high
        assert one.subjects == 6


def test_intervals_are_drawn_from_whole_videos(found: FramePredictions) -> None:
    """Slow twin: draw videos with replacement, and score the frames of those that were drawn."""
    rng = np.random.default_rng(1)
    names = sorted(set(found.videos))
    rows = {name: np.flatnonzero(np.array(found.videos) == name) for name in names}
    va = found.outputs["va"]
    drawn = []
    for _ in range(400):
        at = np.concatenate([rows[name] for name in rng.choice(names, len(names))])
        drawn.append(concordance(va.scores[at], va.truth[at], va.valid[at]).mean())
    interval = report_frames(found).scores["va"]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.25 * (high - low))


def labeled(found: FramePredictions, name: str, rows: Any) -> FramePredictions:
    """The same with labels of one output in some rows alone."""
    one = found.outputs[name]
    kept = np.asarray(rows).reshape(-1, *[1] * (one.valid.ndim - 1))
    return replace(found, outputs={**found.outputs, name: replace(one, valid=one.valid & kept)})


@pytest.mark.parametrize("name", ["va", "expr", "au"])
def test_an_output_without_a_label_has_no_score_and_neither_has_p(found: FramePredictions, name: str) -> None:
    none = labeled(found, name, np.zeros(len(found), np.bool_))
    scores = score_frames(none)
    assert {one for one, score in scores.items() if np.isnan(score)} == {name, "P"}
    report = report_frames(none)
    assert (report.valid[name], report.absent, report.scores[name].undefined) == (0, (), 1.0)
    assert np.isnan([report.scores[name].low, report.scores["P"].high]).all()


@pytest.mark.parametrize("name", ["va", "expr", "au"])
def test_draws_without_a_label_are_no_zeros(found: FramePredictions, name: str) -> None:
    names = sorted(set(found.videos))
    report = report_frames(labeled(found, name, np.isin(found.videos, names[:2])))
    share = (4 / 6) ** 6
    for one in (report.scores[name], report.scores["P"]):
        assert one.undefined == pytest.approx(share, abs=0.02)
        assert np.isnan([one.low, one.high]).all()
    most = report_frames(labeled(found, name, np.isin(found.videos, names[:5])))
    for one in (most.scores[name], most.scores["P"]):
        assert one.undefined == pytest.approx((1 / 6) ** 6, abs=0.001)
        assert 0 < one.low <= one.value <= one.high


def test_a_net_for_all_tasks_against_one_for_one(found: FramePredictions) -> None:
    zeros = replace(found.outputs["va"], scores=np.zeros_like(found.outputs["va"].scores))
    alone = replace(found, outputs={"va": zeros}, source="zeros")
    shuffled = alone.take(np.random.default_rng(0).permutation(len(alone)))
    differences = compare_frames(found, shuffled)
    assert set(differences) == {"va", "va.valence", "va.arousal"}
    assert differences["va"].value == pytest.approx(score_frames(found)["va"])
    same = compare_frames(found, found)
    assert same["P"].value == same["P"].low == same["P"].high == 0


def test_models_of_folds_are_averaged(segments: Examples, tmp_path: Path) -> None:
    from affectkit.artifact import load

    evaluate_frames(CONFIG, segments, replace(QUICK, epochs=1), folds=2, folder=tmp_path, keep_models=True)
    models = [load(tmp_path / "models" / f"part-{number}") for number in (1, 2)]
    joined = average_models(models)
    inputs, _ = segments.batch(torch.arange(3))
    both = joined.predict(inputs)
    for name, scores in both.items():
        mean = (models[0].predict(inputs)[name] + models[1].predict(inputs)[name]) / 2
        assert torch.allclose(scores, mean, atol=1e-5)
    with pytest.raises(InputError) as caught:
        average_models([])
    assert str(caught.value) == "models: none; give those of the folds or seeds"


def test_kept_models_predict_again(
    segments: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = evaluate_frames(CONFIG, segments, QUICK, folds=2, folder=tmp_path / "run", keep_models=True)

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr("affectkit.training.frame_evaluation.fit", refuse)
    pattern = str(tmp_path / "run/models/{subject}")
    again = evaluate_frames(CONFIG, segments, folds=2, artifacts=pattern)
    # of one model with more outputs, such as a map that was added later, those that are evaluated
    model = load(tmp_path / "run/models/part-1")
    mapped = replace(CONFIG, maps={"calm": SmoothConfig(source="va")}).build()
    mapped.load_state_dict(model.state_dict())
    one = evaluate_frames(CONFIG, segments, folds=2, artifacts=str(save(mapped, tmp_path / "mapped")))
    assert again.fold is not None
    rows = again.fold == "part 1"
    for name, output in first.outputs.items():
        assert np.array_equal(again.outputs[name].scores, output.scores)
        assert np.array_equal(one.outputs[name].scores[rows], output.scores[rows])
        assert not np.array_equal(one.outputs[name].scores[~rows], output.scores[~rows])
    assert list(one.outputs) == list(first.outputs)
    write_examples(segments, tmp_path / "segments.safetensors")
    words = [str(tmp_path / "mapped"), str(tmp_path / "segments.safetensors"), "--protocol", "folds", "--folds", "2"]
    words += ["--artifacts", str(tmp_path / "mapped"), "--workers", "1", "--out", str(tmp_path / "other")]
    assert main(["evaluate", *words]) == 0
    told = read_frame_predictions(tmp_path / "other/frames.parquet")
    assert list(told.outputs) == ["va", "expr", "au", "calm"]
    np.testing.assert_allclose(told.outputs["va"].scores, one.outputs["va"].scores, rtol=0, atol=1e-12)


def test_artifacts_that_do_not_fit(segments: Examples, tmp_path: Path) -> None:
    def refused(**options: Any) -> str:
        with pytest.raises(InputError) as caught:
            evaluate_frames(CONFIG, segments, folds=2, **options)
        return str(caught.value)

    assert refused(artifacts=str(tmp_path / "{subject}")) == (
        f"{tmp_path}/part-1: no such folder; give the saved model of every fold, as 'models/{{subject}}'"
    )
    assert refused(artifacts="x", keep_models=True, folder=tmp_path) == (
        "keep_models: nothing is trained where artifacts are given; leave one of them out"
    )
    fewer = save(replace(CONFIG, heads={"va": CONFIG.heads["va"]}).build(), tmp_path / "fewer")
    assert refused(artifacts=str(fewer)) == f"{fewer}: scores 'va'; give models with 'expr'"
    learned = CONFIG.build()
    learned.encoders = dict.fromkeys(segments.inputs, "ab" * 32)
    elsewhere = replace(segments, encoders=dict.fromkeys(segments.inputs, "cd" * 32))
    name = next(iter(segments.inputs))
    with pytest.raises(InputError) as caught:
        evaluate_frames(CONFIG, elsewhere, folds=2, artifacts=str(save(learned, tmp_path / "learned")))
    fact = f"features {name!r} are of encoder cdcdcdcdcdcd, and the model learned from those of abababababab"
    assert str(caught.value) == f"examples: {fact}; compute them by that one"
    three = ExpressionConfig(targets=("a", "b", "c"))
    other = save(replace(CONFIG, heads={**CONFIG.heads, "expr": three}).build(), tmp_path / "other")
    assert refused(artifacts=str(other)) == (
        f"{other}: expr has 'a' at place 1 of 3, the model 'neutral'; use heads with the same targets in the same order"
    )


def test_an_interrupted_evaluation_goes_on(segments: Examples, tmp_path: Path) -> None:
    recipe = replace(QUICK, epochs=1)
    names: list[str] = []

    def stop(done: int, total: int, name: str) -> None:
        names.append(name)
        if done == 2:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        evaluate_frames(CONFIG, segments, recipe, folds=3, folder=tmp_path, progress=stop)
    again: list[str] = []
    found = evaluate_frames(
        CONFIG,
        segments,
        recipe,
        folds=3,
        folder=tmp_path,
        resume=True,
        progress=lambda done, total, name: again.append(name),
    )
    assert (names, again) == (["part 1", "part 2"], ["part 3"])
    assert len(found) == 300
    assert len(read_frame_predictions(tmp_path / "frames.parquet")) == 300
    assert not (tmp_path / "examples.safetensors").exists()
    with pytest.raises(InputError) as caught:
        evaluate_frames(CONFIG, segments, QUICK, folds=3, folder=tmp_path, resume=True)
    assert str(caught.value) == f"{tmp_path}: holds a run with another recipe; give another folder"


def test_folds_in_other_processes_are_the_same(segments: Examples) -> None:
    recipe = replace(QUICK, epochs=1)
    one = evaluate_frames(CONFIG, segments, recipe, folds=2)
    two = evaluate_frames(CONFIG, segments, recipe, folds=2, workers=2)
    assert np.array_equal(one.frame, two.frame)
    assert np.allclose(one.outputs["va"].scores, two.outputs["va"].scores, atol=1e-6)


def test_epochs_are_chosen_on_the_training_half(segments: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def watched(config: Any, examples: Examples, recipe: Recipe, **options: Any) -> Any:
        seen.append(set(examples.subjects))
        return fit(config, examples, recipe, **options)

    monkeypatch.setattr("affectkit.training.frame_evaluation.fit", watched)
    found = evaluate_frames(CONFIG, segments, replace(QUICK, epochs=2, epoch="inner"), folds=2)
    assert found.fold is not None
    assert len(seen) == 4
    for number in (1, 2):
        left_out = {one for one, fold in zip(found.subjects, found.fold, strict=True) if fold == f"part {number}"}
        inner, outer = seen[2 * number - 2 : 2 * number]
        assert inner < outer
        assert not outer & left_out


# What is refused


def refused(kind: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_examples_that_are_no_segments(segments: Examples) -> None:
    clips = replace(segments, videos=(), frames=None)
    message = "examples: no segments of videos; make them by segment_examples"
    refused(InputError, message, lambda: evaluate_frames(CONFIG, clips))
    refused(InputError, message, lambda: predict_segments(CONFIG.build(), clips))
    keep = "keep_models: no folder to keep them in; give folder"
    refused(InputError, keep, lambda: evaluate_frames(CONFIG, segments, keep_models=True))


def test_heads_that_do_not_score_frames(segments: Examples) -> None:
    clips = replace(CONFIG, heads={**CONFIG.heads, "expr": ExpressionConfig(resolution="clip")})
    refused(ConfigError, "heads.expr: scores clips; write resolution='frame'", lambda: evaluate_frames(clips, segments))
    other = replace(CONFIG, heads={"va": CONFIG.heads["va"], "au": CONFIG.heads["au"]})
    refused(ConfigError, "heads: no head 'expr'; heads: 'va', 'au'", lambda: evaluate_frames(other, segments))


def test_heads_without_labels(segments: Examples) -> None:
    less = replace(segments, targets={name: one for name, one in segments.targets.items() if name != "au"})
    message = (
        "heads.au: has no labels in the examples; leave it out, "
        "or untrained by unlabeled='leave' (--unlabeled-heads leave)"
    )
    refused(ConfigError, message, lambda: evaluate_frames(CONFIG, less))
    quick = replace(QUICK, epochs=1)
    assert list(evaluate_frames(CONFIG, less, quick, folds=2, unlabeled="leave").outputs) == ["va", "expr"]
    # a map of scores has the labels of its source
    calm = replace(CONFIG, maps={"calm": SmoothConfig(source="expr")})
    assert list(evaluate_frames(calm, segments, quick, folds=2).outputs) == ["va", "expr", "au", "calm"]


def test_p_is_of_the_last_of_several_outputs(segments: Examples, capsys: Any, tmp_path: Path) -> None:
    """A map comes behind what it maps, and is what the model answers."""
    maps = {"calm": SmoothConfig(source="expr", delta=3), "present": ThresholdsConfig(source="au")}
    found = predict_segments(replace(CONFIG, maps=maps).build(), segments)
    report = report_frames(found)
    assert report.p_of == ("va", "calm", "present")
    alone = {name: found.outputs[name] for name in report.p_of}
    assert report.scores["P"].value == score_frames(replace(found, outputs=alone))["P"]
    heads = {name: found.outputs[name] for name in ("va", "expr", "au")}
    assert report_frames(replace(found, outputs=heads)).p_of == ("va", "expr", "au")
    write_frame_predictions(found, tmp_path / "frames.parquet")
    assert main(["score", str(tmp_path / "frames.parquet"), "--protocol", "mtl"]) == 0
    assert "\nP is of va, calm, present\n" in capsys.readouterr().out
    # of two outputs with other classes, none is the answer
    fewer = replace(found.outputs["expr"], targets=(*found.outputs["expr"].targets[:-1], "contempt"))
    assert report_frames(replace(found, outputs={**found.outputs, "expr": fewer})).p_of == ()


def test_p_is_compared_where_it_is_of_the_same_outputs(segments: Examples) -> None:
    plain = CONFIG.build()
    calm = replace(CONFIG, maps={"calm": SmoothConfig(source="va", delta=3)}).build()
    calm.load_state_dict(plain.state_dict())
    ours, theirs = predict_segments(calm, segments), predict_segments(plain, segments)
    # of `calm` in one and of `va` in the other
    assert [name for name in compare_frames(ours, theirs) if "." not in name] == ["va", "expr", "au"]
    assert compare_frames(ours, ours)["P"].value == 0.0


def test_what_members_map_counts_once(segments: Examples) -> None:
    """An ensemble joins members' heads and their maps, and both are compared with the labels of the head."""
    member = replace(CONFIG, maps={"calm": SmoothConfig(source="va", delta=3)})
    both = EnsembleConfig(members={"a": member, "b": member}, fusion=MeanFusionConfig())
    assert list(labeled_outputs(both)) == ["va", "expr", "au"]
    found = predict_segments(both.build(), segments)
    assert list(found.outputs) == ["va", "expr", "au", "calm"]
    assert report_frames(found).p_of == ("calm", "expr", "au")
    assert np.array_equal(found.outputs["calm"].truth, found.outputs["va"].truth)


def test_smoothing_is_set_to_what_scores_best(segments: Examples) -> None:
    """Every setting is scored as the report would, and none has to be beaten."""
    maps = {"calm_va": SmoothConfig(source="va"), "calm": SmoothConfig(source="expr")}
    train, choice = segments.take(range(len(segments) // 2)), segments.take(range(len(segments) // 2, len(segments)))
    model = fit(replace(CONFIG, maps=maps), train, QUICK)
    chosen = set_smoothing(model, choice, used_elsewhere=train.subjects, sigmas=(4.0, 1e5), deltas=(1, 5))
    scores: dict[tuple[float, int], dict[str, float]] = {}
    for sigma, delta in ((4.0, 0), (4.0, 1), (4.0, 5), (1e5, 1), (1e5, 5)):
        turned = {f"maps.{name}.{dial}": value for name in maps for dial, value in (("sigma", sigma), ("delta", delta))}
        with model.dialed(turned):
            scores[sigma, delta] = score_frames(predict_segments(model, choice))
    for name in maps:
        best = max(scores, key=lambda key: scores[key][name])
        assert (chosen[f"maps.{name}.sigma"], chosen[f"maps.{name}.delta"]) == best
        assert scores[best][name] >= scores[4.0, 0][name]
    assert {dial.path: dial.value for dial in model.dials if dial.path in chosen} == chosen


def test_smoothing_that_can_not_be_chosen(segments: Examples) -> None:
    refused(
        InputError,
        "maps: none smooths; give the pipeline one, such as SmoothConfig(source='va')",
        lambda: set_smoothing(CONFIG.build(), segments),
    )
    twice = {"calm": SmoothConfig(source="va"), "calmer": SmoothConfig(source="calm")}
    fact = "maps.calmer: smooths 'calm', which is smoothed already; leave one of them out"
    refused(InputError, fact, lambda: set_smoothing(replace(CONFIG, maps=twice).build(), segments))
    model = replace(CONFIG, maps={"calm": SmoothConfig(source="expr")}).build()
    without = replace(segments, targets={name: one for name, one in segments.targets.items() if name != "expr"})
    fact = "examples: no labels for the map 'calm'; give those of its head"
    refused(InputError, fact, lambda: set_smoothing(model, without))
    fact = "maps: none that smooths is 'clam'; give those that do: 'calm'"
    refused(InputError, fact, lambda: set_smoothing(model, segments, names=["clam"]))
    (one,) = segments.subjects[:1]
    fact = f"examples: subjects {one!r} are used elsewhere too; choose by others"
    refused(InputError, fact, lambda: set_smoothing(model, segments, used_elsewhere=[one]))


def test_maps_do_not_choose_epochs(segments: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are fitted behind the training, if at all; a map twice would count its task twice."""
    inner = replace(QUICK, epochs=2, epoch="inner")
    seen: list[int] = []

    def watched(config: Any, examples: Examples, recipe: Recipe, **options: Any) -> Any:
        if recipe.epoch == "last" and options.get("after_epoch") is None:
            seen.append(recipe.epochs)
        return fit(config, examples, recipe, **options)

    scores = iter(
        {"va": 0.0, "expr": expr, "au": 0.0, "calm": calm, "P": 0.0} for expr, calm in 2 * [(0.2, 0.0), (0.1, 0.9)]
    )
    monkeypatch.setattr("affectkit.training.frame_evaluation.score_frames", lambda _: next(scores))
    monkeypatch.setattr("affectkit.training.frame_evaluation.fit", watched)
    evaluate_frames(replace(CONFIG, maps={"calm": SmoothConfig(source="expr")}), segments, inner, folds=2)
    assert seen == [1, 1]


def test_shares_of_units_are_no_truth(segments: Examples) -> None:
    values, valid = segments.targets["au"]
    soft = replace(segments, targets={**segments.targets, "au": Targets(values * 0.25, valid)})
    fact = "au has labels such as 0.25, of which F1 can't be scored"
    refused(InputError, f"examples: {fact}; give 0 or 1", lambda: evaluate_frames(CONFIG, soft))
    with pytest.raises(InputError) as caught:
        predict_segments(CONFIG.build(), soft)
    assert str(caught.value).endswith(" is 0.25; give 0 or 1, or mark it not valid")


def test_models_are_kept_of_a_run_that_kept_none(segments: Examples, tmp_path: Path) -> None:
    recipe = replace(QUICK, epochs=1)
    evaluate_frames(CONFIG, segments, recipe, folds=2, folder=tmp_path)
    done: list[str] = []

    def again() -> list[str]:
        done.clear()
        evaluate_frames(
            CONFIG,
            segments,
            recipe,
            folds=2,
            folder=tmp_path,
            resume=True,
            keep_models=True,
            progress=lambda count, total, name: done.append(name),
        )
        return sorted(done)

    assert again() == ["part 1", "part 2"]
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["part-1", "part-2"]
    shutil.rmtree(tmp_path / "models" / "part-2")
    assert again() == ["part 2"]
    assert again() == []


def made(**changes: Any) -> FramePredictions:
    output = FrameOutput(
        kind="values",
        targets=("valence",),
        scores=np.zeros((2, 1)),
        truth=np.zeros((2, 1)),
        valid=np.ones((2, 1), np.bool_),
    )
    fields: dict[str, Any] = {
        "dataset": np.array(["", ""]),
        "subject": np.array(["a", "a"]),
        "video": np.array(["v", "v"]),
        "frame": np.array([1, 2]),
        "outputs": {"va": output},
    }
    return FramePredictions(**(fields | changes))


def test_tables_that_are_none(tmp_path: Path) -> None:
    refused(InputError, "frames: nothing to score; give at least one frame and one output", lambda: made(outputs={}))
    refused(
        InputError,
        "frames: video has 1 rows, frame 2; give one each",
        lambda: made(video=np.array(["v"])),
    )
    refused(InputError, "frames: a/v, frame 2 is there twice; keep one row", lambda: made(frame=np.array([2, 2])))
    refused(InputError, "frames: 1 video; intervals over videos need at least 2", lambda: report_frames(made()))
    expr = {"expr": replace(made().outputs["va"])}
    refused(
        InputError,
        "frames: has expr, and frames va; compare the same outputs",
        lambda: compare_frames(made(), made(outputs=expr)),
    )
    refused(
        InputError,
        "frames: not the frames of frames; compare on the same",
        lambda: compare_frames(made(), made(frame=np.array([1, 3]))),
    )
    other = {"va": replace(made().outputs["va"], truth=np.ones((2, 1)))}
    refused(
        InputError,
        "frames: not the truth of frames for 'va'; compare on the same",
        lambda: compare_frames(made(), made(outputs=other)),
    )


def test_numbers_that_are_none() -> None:
    def output(kind: Any = "values", **changes: Any) -> dict[str, FrameOutput]:
        return {"va": replace(made().outputs["va"], kind=kind, **changes)}

    lost, half = np.array([[0.5], [np.nan]]), np.array([[1.0], [0.5]])
    refused(
        InputError,
        "frames: a/v, frame 2: va.valence is nan; give a number, or leave the frame out",
        lambda: made(outputs=output(scores=lost)),
    )
    refused(
        InputError,
        "frames: a/v, frame 2: truth.va.valence is nan; give a number, or mark it not valid",
        lambda: made(outputs=output(truth=lost)),
    )
    refused(
        InputError,
        "frames: a/v, frame 2: truth.va.valence is 0.5; give 0 or 1, or mark it not valid",
        lambda: made(outputs=output("units", truth=half)),
    )
    refused(
        InputError,
        "frames: va has 1 rows, frame 2; give one each",
        lambda: made(outputs=output(valid=np.ones((1, 1), np.bool_))),
    )
    unknown = np.array([[True], [False]])
    assert len(made(outputs=output(truth=lost, valid=unknown))) == 2
    assert len(made(outputs=output("units", truth=half, valid=unknown))) == 2


COLUMNS: dict[str, Any] = {"video": ["a", "b"], "frame": [1, 1], "au.AU1": [0.1, 0.9], "truth.au.AU1": [False, True]}
EXPR = {"expr.neutral": [0.1, 0.9], "expr.anger": [0.9, 0.1]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"au.AU1": ["x", "y"]}, "column 'au.AU1' is string; give numbers"),
        (
            {"truth.au.AU1": pa.array([0, 1], pa.int8())},
            "column 'truth.au.AU1' is int8; give all as true and false (units), or as float (values)",
        ),
        (
            {"truth.au.AU1": ["x", "y"]},
            "column 'truth.au.AU1' is string; give all as true and false (units), or as float (values)",
        ),
        ({"au.AU1": [0.1, None]}, "b, frame 1: au.AU1 is nan; give a number, or leave the frame out"),
        ({"au.AU1": [0.1, np.inf]}, "b, frame 1: au.AU1 is inf; give a number, or leave the frame out"),
        ({"frame": [1.0, 2.5]}, "column 'frame' is 2.5 in row 1; give whole numbers"),
        ({"frame": [1, None]}, "column 'frame' is empty in row 1; give whole numbers"),
        ({"frame": ["1", "2"]}, "column 'frame' is string; give numbers"),
        ({"video": ["a", None]}, "column 'video' is empty in row 1; give every row its video"),
        ({"video": [0.5, 1.5]}, "column 'video' is double; give text"),
        ({**EXPR, "truth.expr": [0, 1]}, "column 'truth.expr' is int64; give the names of classes"),
    ],
)
def test_columns_of_other_types(columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "frames.parquet"
    pq.write_table(pa.table({**COLUMNS, **columns}), path)
    refused(InputError, f"{path}: {message}", lambda: read_frame_predictions(path))


def test_columns_of_other_writers(tmp_path: Path) -> None:
    path = tmp_path / "frames.parquet"
    texts = pa.array(["anger", None]).dictionary_encode()
    columns = {"video": [7, 8], "frame": [1.0, 2.0], "truth.expr": texts}
    pq.write_table(pa.table({**COLUMNS, **EXPR, **columns}), path)
    found = read_frame_predictions(path)
    assert found.video.tolist() == ["7", "8"]
    assert found.frame.tolist() == [1, 2]
    assert found.outputs["au"].kind == "units"
    assert found.outputs["expr"].valid.tolist() == [True, False]


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "frames.parquet"
    refused(InputError, f"{path}: no such file; check the path", lambda: read_frame_predictions(path))

    def read(**columns: Any) -> FramePredictions:
        pq.write_table(pa.table(columns), path)
        return read_frame_predictions(path)

    refused(
        InputError,
        f"{path}: no column 'frame'; give a row per frame, with its video and number",
        lambda: read(video=["v"]),
    )
    truth = "give what is true beside what is predicted"
    refused(
        InputError,
        f"{path}: no column 'truth.va.valence'; {truth}",
        lambda: read(video=["v"], frame=[1], **{"va.valence": [0.5]}),
    )
    refused(
        InputError,
        f"{path}: truth.expr has 'fear', which is none of neutral, anger; mend it",
        lambda: read(video=["v"], frame=[1], **{"expr.neutral": [0.5], "expr.anger": [0.5], "truth.expr": ["fear"]}),
    )
    path.write_bytes(b"no table")
    with pytest.raises(InputError) as caught:
        read_frame_predictions(path)
    assert str(caught.value).startswith(f"{path}: can't be read (")
    assert str(caught.value).endswith("); give a table of frames")


def test_the_command_scores_and_compares(
    found: FramePredictions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "frames.parquet", tmp_path / "zeros.parquet"
    write_frame_predictions(found, path)
    va = found.outputs["va"]
    write_frame_predictions(replace(found, outputs={"va": replace(va, scores=np.zeros_like(va.scores))}), other)
    assert main(["score", str(path), "--protocol", "mtl", "--against", str(other), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["scores"]["P"]["value"] == pytest.approx(score_frames(found)["P"])
    assert data["differences"]["va"]["value"] == pytest.approx(score_frames(found)["va"])
    assert main(["score", str(path), "--protocol", "mtl"]) == 0
    assert "300 frames of 6 videos; 95 % intervals over videos" in capsys.readouterr().out
    few = tmp_path / "few.parquet"
    partial = labeled(found, "au", np.isin(found.videos, sorted(set(found.videos))[:2]))
    write_frame_predictions(partial, few)
    assert main(["score", str(few), "--protocol", "mtl"]) == 0
    remark = report_frames(partial).scores["au"].remark
    assert remark.startswith("no interval, because of 8.")
    assert f"\nau: {remark}\n" in capsys.readouterr().out
    assert main(["score", str(few), "--protocol", "mtl", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["scores"]["au"]
    assert (data["low"], data["high"], data["undefined"]) == (None, None, pytest.approx(0.088, abs=0.01))
    assert main(["score", str(path), "--protocol", "mtl", "--by", "fold"]) == 1
    assert capsys.readouterr().err == (
        "error: --by: given with --protocol mtl, whose table says its classes, and which scores all videos together; "
        "leave it out\n"
    )
