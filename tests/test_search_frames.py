"""Searches that are scored by frames of videos: CCC, F1 and P, of people that the weights have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    ConfigError,
    ExpressionConfig,
    FeatureStream,
    InputError,
    MicroExpressionConfig,
    PipelineConfig,
    SmoothConfig,
    ValenceArousalConfig,
)
from affectkit.artifact import load
from affectkit.configs import Events, HeadConfig
from affectkit.metrics.affect import au_f1, concordance, macro_f1
from affectkit.model import Model
from affectkit.pipeline import Branch
from affectkit.protocols.frame_report import score_frames
from affectkit.protocols.splits import Fold, leave_one_out
from affectkit.registry import default_registry
from affectkit.search import Inner, SearchResult, SearchSpace, prepare_inner, search, search_fold
from affectkit.search.costs import count_flops
from affectkit.search.scoring import find_metric
from affectkit.search.space import Evolution, Limits, Objectives, Range
from affectkit.sequences import Sequence, Targets
from affectkit.spotters.motion_events import MotionEventsConfig
from affectkit.streams import FrameStream
from affectkit.training import Examples, fit
from affectkit.training.frame_tables import predict_segments
from tests.frame_examples import CONFIG as HEADS, RECIPE, make_segments
from tests.picture_examples import STILLS, gather
from tests.search_toy import SPECS, TwistConfig
from tests.searches import shown

# heads for three tasks, and a map on two of them whose dials spoil or mend the scores
CONFIG = replace(
    HEADS,
    maps={
        "calm": SmoothConfig(source="va", sigma=9.0, time_unit=1 / 30),
        "steady": SmoothConfig(source="expr", sigma=9.0, time_unit=1 / 30),
    },
)
DIALS: Mapping[str, Any] = {"maps.calm.delta": Range(low=0, high=40), "maps.calm.sigma": "all"}
QUICK = replace(RECIPE, epochs=2)


def make_space(score: str, dials: Mapping[str, Any] = DIALS, *, cost: Any = "none") -> SearchSpace:
    """Three generations of four."""
    return SearchSpace(
        dials=dials,
        objectives=Objectives(score=score, cost=cost),
        search=Evolution(population=4, generations=3),
    )


VA = make_space("calm")


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn, which takes longer than the search."""
    for name in ("plot_history", "plot_front"):
        monkeypatch.setattr(f"affectkit.search.running.{name}", lambda *given: None)


@pytest.fixture(scope="module")
def segments() -> Examples:
    return make_segments(6, overlap=5, noise=0.8)


@pytest.fixture(scope="module")
def inner(segments: Examples) -> Inner:
    return prepare_inner(segments, leave_one_out(segments.subjects)[0], share=0.4)


@pytest.fixture(scope="module")
def model(inner: Inner) -> Model:
    return fit(CONFIG, inner.train, replace(RECIPE, epochs=10))


@pytest.fixture(scope="module")
def whole(model: Model, inner: Inner) -> SearchResult:
    """A search by the concordance of smoothed values that nobody stopped."""
    return search(model, inner.validation, VA, trained_on=inner.train.subjects)


def metric_of(name: str, config: PipelineConfig, examples: Examples, head: str | None = None) -> Any:
    return find_metric(name, config, examples, head, default_registry())


def refused(name: str, config: PipelineConfig, examples: Examples, head: str | None = None) -> str:
    with pytest.raises((ConfigError, InputError)) as caught:
        metric_of(name, config, examples, head)
    return str(caught.value)


def stopped(model: Model, inner: Inner, folder: Path, *, after: int) -> None:
    """A search that is interrupted when so many candidates are done."""

    def stop(everybody: list[Any]) -> None:
        if sum(one.state == "done" for one in everybody) >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(model, inner.validation, VA, trained_on=(), folder=folder, progress=stop)


# The score


def test_values_of_frames_are_searched(segments: Examples, tmp_path: Path) -> None:
    fold = leave_one_out(segments.subjects)[0]
    found = search_fold(CONFIG, segments, fold, VA, replace(RECIPE, epochs=10), share=0.4, folder=tmp_path)
    halves = prepare_inner(segments, fold, share=0.4)
    winner = load(tmp_path / "winner")
    calm = predict_segments(winner, halves.validation).outputs["calm"]
    assert found.best.score == pytest.approx(concordance(calm.scores, calm.truth, calm.valid).mean(), abs=1e-9)
    scores = [one.score for one in found.candidates]
    assert len({round(score or 0.0, 6) for score in scores}) > 4
    assert found.best.score == max(score or 0.0 for score in scores)
    assert "calm" in (tmp_path / "winner" / "README.md").read_text()
    assert "segments of 3 subjects" in (tmp_path / "model" / "README.md").read_text()


@pytest.mark.parametrize("name", ["va", "expr", "au", "calm", "steady"])
def test_the_score_of_an_output_is_that_of_an_evaluation(name: str, model: Model, inner: Inner) -> None:
    found = metric_of(name, CONFIG, inner.validation)
    assert (found.name, found.outputs, found.is_of_frames) == (name, (name,), True)
    expected = score_frames(predict_segments(model, inner.validation))[name]
    assert found.score(model, inner.validation) == expected


def test_p_is_of_the_last_map_of_each_task(model: Model, inner: Inner) -> None:
    plain = metric_of("P", HEADS, inner.validation)
    assert plain.outputs == ("va", "expr", "au")
    torch.manual_seed(0)
    bare = HEADS.build()
    assert plain.score(bare, inner.validation) == score_frames(predict_segments(bare, inner.validation))["P"]
    mapped = metric_of("P", CONFIG, inner.validation)
    assert mapped.outputs == ("calm", "steady", "au")
    outputs = predict_segments(model, inner.validation).outputs
    va, expr, au = (outputs[name] for name in ("calm", "steady", "au"))
    parts = (
        concordance(va.scores, va.truth, va.valid).mean(),
        macro_f1(expr.truth, expr.scores.argmax(axis=1), 8, expr.valid),
        au_f1(au.truth > 0.5, au.scores >= 0.5, au.valid),
    )
    assert mapped.score(model, inner.validation) == pytest.approx(sum(parts))


def test_p_is_searched(model: Model, inner: Inner) -> None:
    dials = {"maps.calm.delta": (0, 5, 40), "maps.steady.delta": (0, 5, 40)}
    found = search(model, inner.validation, make_space("P", dials), trained_on=())
    with model.dialed(dict(found.best.values)):
        assert metric_of("P", CONFIG, inner.validation).score(model, inner.validation) == found.best.score


def test_outputs_that_are_not_scored_may_say_anything(model: Model, inner: Inner) -> None:
    values, valid = inner.validation.targets["au"]
    soft = replace(inner.validation, targets={**inner.validation.targets, "au": Targets(values * 0.25, valid)})
    found = metric_of("va", CONFIG, soft)
    assert found.score(model, soft) == found.score(model, inner.validation)


def test_pictures_have_scores_of_frames_and_of_classes(tmp_path: Path) -> None:
    pictures = gather(tmp_path, 12).examples
    torch.manual_seed(0)
    model = STILLS.build()
    found = {name: metric_of(name, STILLS, pictures) for name in ("UF1", "accuracy", "expression")}
    assert [one.is_of_frames for one in found.values()] == [False, False, True]
    # macro F1 is UF1, where every picture has a class
    assert found["expression"].score(model, pictures) == found["UF1"].score(model, pictures)
    space = SearchSpace(
        fields={"heads.expression.dropout": (0.0, 0.5)},
        objectives=Objectives(score="accuracy"),
        search=Evolution(population=2, generations=1),
    )
    best = search(model, pictures, space, trained_on=()).best
    assert best.score == found["accuracy"].score(model, pictures)
    assert refused("va", STILLS, pictures) == (
        "objectives.score: no score 'va' of pictures; scores: 'UF1', 'UAR', 'accuracy', 'expression'"
    )
    assert refused("expression", STILLS, pictures, "expression") == (
        "head: 'expression' beside a score of frames; leave it out: objectives.score says whose"
    )


# What it depends on


def test_the_seed_and_the_results_say_which_candidates(model: Model, inner: Inner, whole: SearchResult) -> None:
    again = search(model, inner.validation, VA, trained_on=())
    assert shown(again.candidates) == shown(whole.candidates)
    other = replace(VA, search=replace(VA.search, seed=1))
    assert shown(search(model, inner.validation, other, trained_on=()).candidates) != shown(whole.candidates)


@pytest.mark.parametrize("after", [0, 6])
def test_a_stopped_search_goes_on_as_if_it_had_not_been(
    after: int, model: Model, inner: Inner, whole: SearchResult, tmp_path: Path
) -> None:
    stopped(model, inner, tmp_path, after=after)
    resumed = search(model, inner.validation, VA, trained_on=(), folder=tmp_path, resume=True)
    assert shown(resumed.candidates) == shown(whole.candidates)


def test_processes_give_the_same(model: Model, inner: Inner, whole: SearchResult, tmp_path: Path) -> None:
    found = search(model, inner.validation, VA, trained_on=(), folder=tmp_path, workers=2)
    assert [one.values for one in found.candidates] == [one.values for one in whole.candidates]
    # each process may have another number of threads
    scores = [[one.score for one in result.candidates] for result in (found, whole)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert not list(tmp_path.rglob("*examples*"))


def test_a_storage_of_another_score_is_refused(model: Model, inner: Inner, tmp_path: Path) -> None:
    stopped(model, inner, tmp_path, after=0)
    for score in ("va", "P"):
        with pytest.raises(InputError) as caught:
            search(model, inner.validation, make_space(score), trained_on=(), folder=tmp_path, resume=True)
        url = f"sqlite:///{tmp_path / 'search.db'}"
        assert str(caught.value) == (f"{url}: holds a search 'search' with another space; give another folder or name")


def test_the_test_subjects_reach_nothing(segments: Examples) -> None:
    fold = Fold("two", *_rows(segments, {"made/p0", "made/p4"}))
    rows = torch.tensor(fold.test)
    space = make_space("P", {"maps.calm.delta": (0, 5, 40), "maps.steady.delta": (0, 5, 40)})
    space = replace(space, search=Evolution(population=3, generations=2))

    def found(given: Examples) -> list[tuple[Any, ...]]:
        return shown(search_fold(CONFIG, given, fold, space, QUICK, share=0.5, seed=3).candidates)

    honest = found(segments)
    inputs = {name: Sequence(one.values.clone(), *one[1:]) for name, one in segments.inputs.items()}
    targets = {name: Targets(one.values.clone(), one.valid) for name, one in segments.targets.items()}
    poisoned = replace(segments, inputs=inputs, targets=targets)

    def spoil(where: torch.Tensor) -> None:
        targets["va"].values[where] = -targets["va"].values[where]
        targets["expr"].values[where] = 7 - targets["expr"].values[where]
        targets["au"].values[where] = 1 - targets["au"].values[where]

    # in place, since examples with NaN can't be made
    for one in inputs.values():
        one.values[rows] = torch.nan
    spoil(rows)
    assert found(poisoned) == honest
    # what is not of the test half does change it
    halves = prepare_inner(segments, fold, share=0.5, seed=3)
    for half in (halves.train, halves.validation):
        others = torch.tensor(_rows(segments, set(half.subjects))[1])
        spoil(others)
        assert found(poisoned) != honest
        spoil(others)
    assert found(poisoned) == honest


def _rows(examples: Examples, left_out: set[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Those of others, and those of some subjects."""
    everybody = range(len(examples))
    test = tuple(row for row in everybody if examples.subjects[row] in left_out)
    return tuple(row for row in everybody if row not in test), test


def test_operations_of_a_segment_are_limited_before_it_is_scored(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(HEADS, temporal=TwistConfig(), heads={"va": ValenceArousalConfig()})
    torch.manual_seed(0)
    model = config.build(registry=default_registry().with_components(*SPECS))
    counts = []
    for kept in (1, 3):
        with model.dialed({"temporal.kept": kept}):
            counts.append(count_flops(model, inner.validation))
    # of 20 frames of 16 features each two products with a hidden unit, a multiplication and an addition each
    assert counts[1] - counts[0] == 2 * 2 * 2 * 20 * 16
    scored: list[int] = []

    def spy(given: Model, *others: Any, **options: Any) -> Any:
        scored.append(given.config.temporal.kept)  # type: ignore[attr-defined]
        return predict_segments(given, *others, **options)

    monkeypatch.setattr("affectkit.search.scoring.predict_segments", spy)
    space = replace(make_space("va", {"temporal.kept": "all"}, cost="flops"), limits=Limits(flops=counts[1]))
    found = search(model, inner.validation, space, trained_on=())
    rejected = [one for one in found.candidates if one.state == "rejected"]
    assert rejected
    assert all(one.values["temporal.kept"] in range(4, 9) and one.score is None for one in rejected)
    assert set(scored) <= {1, 2, 3}


def test_predictions_that_are_no_numbers_are_recorded(inner: Inner) -> None:
    config = replace(HEADS, temporal=TwistConfig(), heads={"va": ValenceArousalConfig()})
    torch.manual_seed(0)
    model = config.build(registry=default_registry().with_components(*SPECS))
    space = make_space("va", {"temporal.mode": ("right", "nan"), "temporal.kept": (7, 8)})
    found = search(model, inner.validation, space, trained_on=())
    failed = [one for one in found.candidates if one.state == "failed"]
    assert {one.values["temporal.mode"] for one in failed} == {"nan"}
    first = predict_segments(model, inner.validation)
    fact = f"{first.videos[0]}, frame {first.frame[0]}: va.valence is nan"
    assert failed[0].reason == f"InputError: evaluation: {fact}; give a number, or leave the frame out"


# What is refused, before anything is trained


@pytest.mark.parametrize(
    ("name", "heads", "message"),
    [
        (
            "UF1",
            ("va", "expr", "au"),
            "objectives.score: no score 'UF1' of frames; scores: 'va', 'expr', 'au', 'P'",
        ),
        (
            "vaa",
            ("va", "expr", "au"),
            "objectives.score: no score 'vaa' of frames; did you mean 'va'? scores: 'va', 'expr', 'au', 'P'",
        ),
        ("P", ("va", "au"), "objectives.score: no score 'P' of frames; scores: 'va', 'au'"),
    ],
)
def test_scores_that_a_pipeline_has_not(
    name: str, heads: tuple[str, ...], message: str, segments: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affectkit.search.inner.fit", None)
    config = replace(HEADS, heads={head: HEADS.heads[head] for head in heads})
    space = SearchSpace(fields={f"heads.{heads[0]}.dropout": (0.0, 0.5)}, objectives=Objectives(score=name))
    with pytest.raises(ConfigError) as caught:
        search_fold(config, segments, leave_one_out(segments.subjects)[0], space)
    assert str(caught.value) == message


def test_dials_that_a_pipeline_has_not_are_told_before_it_is_trained(
    segments: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affectkit.search.inner.fit", None)
    with pytest.raises(ConfigError) as caught:
        search_fold(HEADS, segments, leave_one_out(segments.subjects)[0], VA)
    assert str(caught.value) == "dials: no dial 'maps.calm.delta'; there are no dials"


def clips(**targets: Targets) -> Examples:
    """Of no video; what labels they have is given."""
    count = len(next(iter(targets.values())).values)
    inputs = {"clip": Sequence.of(torch.zeros(count, 3, 4))}
    return Examples(inputs=inputs, targets=targets, subjects=tuple(f"made/{row}" for row in range(count)))


def pipeline(**heads: HeadConfig) -> PipelineConfig:
    return PipelineConfig(input=FeatureStream(dim=4), branches={"stored": Branch()}, heads=heads)


VALUES = clips(
    va=Targets.of(torch.zeros(4, 2)), au=Targets.of(torch.zeros(4, 12)), micro=Targets.of(torch.arange(4) % 3)
)


@pytest.mark.parametrize("name", ["va", "UF1"])
def test_values_of_clips_have_no_score(name: str) -> None:
    found = refused(name, pipeline(va=ValenceArousalConfig(resolution="clip")), VALUES)
    assert found == (
        "heads.va: scores clips, for which there are scores of classes only; "
        "write resolution='frame', and give segments of videos"
    )


def test_units_of_clips_have_no_score_beside_classes_that_have() -> None:
    config = pipeline(micro=MicroExpressionConfig(), au=ActionUnitsConfig(resolution="clip"))
    assert refused("au", config, VALUES).startswith(
        "heads.au: scores clips, for which there are scores of classes only; "
    )
    assert metric_of("UAR", config, VALUES).outputs == ("micro",)
    assert refused("micro", config, VALUES) == (
        "objectives.score: no score 'micro' of clips; scores: 'UF1', 'UAR', 'accuracy'"
    )


def test_frames_of_clips_have_no_score() -> None:
    found = refused("va", pipeline(va=ValenceArousalConfig()), VALUES)
    assert found == "heads.va: scores frames, and the examples are clips; give segments of videos"


def test_clips_of_segments_have_no_score(segments: Examples) -> None:
    config = replace(HEADS, heads={"expr": ExpressionConfig(resolution="clip")})
    found = refused("UF1", config, segments)
    assert found == "heads.expr: scores clips, and the examples have labels of frames; write resolution='frame'"


def test_a_pipeline_without_heads_has_no_score() -> None:
    faces = FrameStream(height=96, width=96, alignment="steady")
    config = PipelineConfig(input=faces, sampling=Events(spotter=MotionEventsConfig()))
    assert refused("UF1", config, VALUES) == "objectives.score: no score 'UF1' of clips; there are no scores"


def test_outputs_without_labels_have_no_score(segments: Examples) -> None:
    less = replace(segments, targets={"expr": segments.targets["expr"]})
    hint = "has no labels in the examples; give them, or name another score"
    assert refused("va", CONFIG, less) == f"heads.va: {hint}"
    assert refused("calm", CONFIG, less) == f"maps.calm: {hint}"
    assert metric_of("steady", CONFIG, less).outputs == ("steady",)


def changed(segments: Examples, name: str, **parts: torch.Tensor) -> Examples:
    return replace(segments, targets={**segments.targets, name: segments.targets[name]._replace(**parts)})


@pytest.mark.parametrize("name", ["expr", "au"])
def test_labels_of_which_none_is_valid(name: str, segments: Examples) -> None:
    none = changed(segments, name, valid=torch.zeros_like(segments.targets[name].valid))
    hint = "search by more people, or by another score"
    for score in (name, "P"):
        assert refused(score, HEADS, none) == f"examples: {name}: no frame with a valid label; {hint}"


def test_values_of_which_one_is_valid(segments: Examples) -> None:
    assert segments.frames is not None
    valid = segments.targets["va"].valid.clone()
    valid[..., 1] = False
    # one frame, which is in two segments that overlap
    at = segments.frames[0, 16]
    for row in range(2):
        valid[row, :, 1] = segments.frames[row] == at
    assert int(valid[..., 1].sum()) == 2
    found = refused("va", HEADS, changed(segments, "va", valid=valid))
    assert found == (
        "examples: va: less than 2 frames with a valid 'arousal'; search by more people, or by another score"
    )


def test_labels_that_are_none_of_the_output(segments: Examples) -> None:
    values, valid = segments.targets["au"]
    soft = changed(segments, "au", values=torch.where(valid, values * 0.25, values))
    assert refused("au", HEADS, soft) == "examples: au: label 0.25 is none; write 0 or 1, or mark it not valid"
    count = len(segments)
    other = changed(segments, "va", values=torch.zeros(count, 20), valid=torch.ones(count, 20, dtype=torch.bool))
    assert refused("va", HEADS, other) == (
        f"examples: va: labels ({count}, 20) for scores ({count}, 20, 2); give ({count}, 20, 2)"
    )


def test_several_heads_of_classes_and_none_is_named() -> None:
    config = pipeline(micro=MicroExpressionConfig(), other=MicroExpressionConfig())
    assert refused("UF1", config, VALUES) == "heads: 2 heads tell classes of clips apart; name one with head"
    assert metric_of("UF1", config, VALUES, "micro").outputs == ("micro",)
