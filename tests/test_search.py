"""`search`: by seed and results alone, whoever evaluates and however often it is stopped; never by the test half."""

from __future__ import annotations

import ast
import copy
import itertools
import random
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import ConfigError, InputError, registry
from affectkit.artifact import load, save
from affectkit.errors import MissingDependencyError
from affectkit.metrics.recognition import confusion_matrix, uf1
from affectkit.model import Model
from affectkit.protocols.splits import Fold
from affectkit.protocols.text_tables import read_columns
from affectkit.search import (
    Candidate,
    SearchResult,
    SearchSpace,
    fitness as fitness_module,
    join_search,
    prepare_inner,
    search,
    search_fold,
)
from affectkit.search.candidates import find_front, find_front_ref
from affectkit.search.costs import count_flops, measure_latency
from affectkit.search.crew import Crew
from affectkit.search.fitness import Fitness, Worth
from affectkit.search.genes import find_genes
from affectkit.search.inner import Inner, read_trained_on
from affectkit.search.ledger import Ledger
from affectkit.search.optuna_import import import_optuna, quiet_optuna
from affectkit.search.scoring import Metric
from affectkit.search.space import Evolution, Limits, Objectives, Timing
from affectkit.search.variants import Variants
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.training.folds import probabilities
from tests.searches import CONFIG, FLOPS, SMALL, first_fold, install, make_inner, make_space, shown
from tests.test_imports import PACKAGE, top_level_imports
from tests.test_training import QUICK, make_examples

SPACE = make_space(objectives=FLOPS)


@pytest.fixture(scope="module", autouse=True)
def _plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The dials' component installed, so that other processes find it."""
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    sys.path.insert(0, str(folder))
    registry._discovered.cache_clear()
    yield
    sys.path.remove(str(folder))
    registry._discovered.cache_clear()


@pytest.fixture
def pictures() -> None:
    """For a test in which they are drawn, which takes longer than the search."""


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pictures" not in request.fixturenames:
        for name in ("plot_history", "plot_front"):
            monkeypatch.setattr(f"affectkit.search.running.{name}", lambda *given: None)


@pytest.fixture(scope="module")
def inner() -> Inner:
    return make_inner()


@pytest.fixture(scope="module")
def model() -> Model:
    """Not trained: a search takes weights as they are."""
    torch.manual_seed(0)
    return CONFIG.build()


@pytest.fixture(scope="module")
def whole(model: Model, inner: Inner) -> SearchResult:
    """A search that nobody stopped."""
    return search(model, inner.validation, SPACE, trained_on=inner.train.subjects)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """The values of every evaluation."""
    seen: list[Mapping[str, Any]] = []
    score = Fitness.score

    def spy(self: Fitness, values: Mapping[str, Any]) -> Worth:
        seen.append(values)
        return score(self, values)

    monkeypatch.setattr(Fitness, "score", spy)
    return seen


def stopped(model: Model, inner: Inner, folder: Path, *, after: int, space: SearchSpace = SPACE) -> None:
    """A search that is interrupted when so many candidates are done."""

    def stop(everybody: list[Candidate]) -> None:
        if sum(one.state == "done" for one in everybody) >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(model, inner.validation, space, trained_on=(), folder=folder, progress=stop)


# What is proposed


def test_the_seed_says_which_candidates(model: Model, inner: Inner, whole: SearchResult) -> None:
    again = search(model, inner.validation, SPACE, trained_on=())
    assert shown(again.candidates) == shown(whole.candidates)
    assert (again.best, again.config) == (whole.best, whole.config)
    assert [one.generation for one in whole.candidates] == [number // 4 for number in range(12)]
    other = replace(SPACE, search=replace(SPACE.search, seed=1))
    assert shown(search(model, inner.validation, other, trained_on=()).candidates) != shown(whole.candidates)


def test_no_values_are_evaluated_twice(
    model: Model, inner: Inner, whole: SearchResult, scored: list[Mapping[str, Any]]
) -> None:
    search(model, inner.validation, SPACE, trained_on=())
    repeated = [one for one in whole.candidates if one.same_as is not None]
    assert repeated
    assert len(scored) == len({str(values) for values in scored}) == 12 - len(repeated)
    for one in repeated:
        assert one.same_as is not None
        first = whole.candidates[one.same_as]
        assert (first.same_as, one.score, one.flops, one.values) == (None, first.score, first.flops, first.values)


@pytest.mark.parametrize("after", [0, 6, 11])
def test_a_stopped_search_goes_on_as_if_it_had_not_been(
    after: int, model: Model, inner: Inner, whole: SearchResult, tmp_path: Path, scored: list[Mapping[str, Any]]
) -> None:
    stopped(model, inner, tmp_path, after=after)
    resumed = search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path, resume=True)
    assert shown(resumed.candidates) == shown(whole.candidates)
    assert len(scored) == sum(one.same_as is None for one in whole.candidates)


@pytest.mark.parametrize("at", [1, 6])
def test_a_search_that_dies_while_it_proposes_goes_on_too(
    at: int, model: Model, inner: Inner, whole: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, count = Ledger.add, itertools.count()

    def fail(self: Ledger, candidate: Candidate) -> None:
        if next(count) == at:
            raise KeyboardInterrupt
        add(self, candidate)

    monkeypatch.setattr(Ledger, "add", fail)
    with pytest.raises(KeyboardInterrupt):
        search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path)
    resumed = search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path, resume=True)
    assert shown(resumed.candidates) == shown(whole.candidates)


def test_more_generations_may_be_asked_for(model: Model, inner: Inner, whole: SearchResult, tmp_path: Path) -> None:
    short = replace(SPACE, search=replace(SPACE.search, generations=2))
    first = search(model, inner.validation, short, trained_on=(), folder=tmp_path)
    assert shown(first.candidates) == shown(whole.candidates[:8])
    longer = search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path, resume=True)
    assert shown(longer.candidates) == shown(whole.candidates)


def test_processes_give_the_same(model: Model, inner: Inner, whole: SearchResult, tmp_path: Path) -> None:
    found = search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path, workers=2)
    assert shown(found.candidates) == shown(whole.candidates)
    # what the workers read is gone: the data may be under an agreement
    assert not list(tmp_path.rglob("*examples*"))


def test_another_machine_can_help(model: Model, inner: Inner, whole: SearchResult, tmp_path: Path) -> None:
    stopped(model, inner, tmp_path, after=0)
    url = f"sqlite:///{tmp_path / 'search.db'}"
    first, helped = threading.Event(), []

    def watch(everybody: list[Candidate]) -> None:
        if sum(one.state == "done" for one in everybody) == 4:
            first.set()

    def help_out() -> None:
        theirs = copy.deepcopy(model)
        helped.append(join_search(theirs, inner.validation, SPACE, storage=url, trained_on=(), progress=watch))

    helper = threading.Thread(target=help_out)
    helper.start()
    try:
        assert first.wait(60)
    finally:
        found = search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path, resume=True)
        helper.join(60)
    assert shown(found.candidates) == shown(whole.candidates)
    assert helped[0] >= 4


def test_what_others_claimed_and_left_is_evaluated(model: Model, inner: Inner, tmp_path: Path) -> None:
    stopped(model, inner, tmp_path, after=0)
    genes = find_genes(SPACE, CONFIG)
    ledger = Ledger(f"sqlite:///{tmp_path / 'search.db'}", "search", {}, genes, FLOPS, resume=True)
    assert ledger.claim(2)
    assert not ledger.claim(2)
    fitness = Fitness(model, inner.validation, SPACE, Metric("UF1", ("micro",), is_of_frames=False))
    found = Crew(ledger, fitness, patience=0.2).work(lambda everybody: all(one.is_finished for one in everybody))
    assert [one.state for one in found] == ["done"] * 4
    # a second one to tell is too late, and says nothing
    ledger.finish(found[2], None, "too late")
    assert ledger.read()[2] == found[2]
    assert not ledger.claim(2)
    ledger.close()


# What it is scored by


def test_the_test_subjects_reach_nothing() -> None:
    examples = make_examples(48, subjects=8)
    fold = first_fold(examples)
    rows = torch.tensor(fold.test)
    space = make_space({"temporal.shift": "all", "temporal.blur": "all"})

    def found(given: Examples) -> list[tuple[Any, ...]]:
        short = replace(QUICK, epochs=2)
        return shown(search_fold(CONFIG, given, fold, space, short, share=0.4, seed=3).candidates)

    honest = found(examples)
    inputs, targets = examples.inputs["clip"].values.clone(), examples.targets["micro"].values.clone()
    poisoned = replace(examples, inputs={"clip": Sequence.of(inputs)}, targets={"micro": Targets.of(targets)})
    # in place, since examples with NaN can't be made
    inputs[rows] = torch.nan
    targets[rows] = (targets[rows] + 1) % 3
    assert found(poisoned) == honest
    # what is not of the test half does change it
    halves = prepare_inner(examples, fold, share=0.4, seed=3)
    for half in (halves.train, halves.validation):
        others = [row for row, name in enumerate(examples.subjects) if name in half.subjects]
        targets[others] = (targets[others] + 1) % 3
        assert found(poisoned) != honest
        targets[others] = examples.targets["micro"].values[others]
    groups = [
        {examples.subjects[row] for row in fold.test},
        set(halves.train.subjects),
        set(halves.validation.subjects),
    ]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 8


def test_who_was_trained_on_can_not_be_searched_by(model: Model, inner: Inner) -> None:
    subject = inner.validation.subjects[0]
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, SPACE, trained_on=["made/77", subject])
    assert str(caught.value) == (
        f"examples: {subject!r} is among those that the weights were trained on; split with prepare_inner"
    )
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, SPACE, trained_on=subject)
    assert str(caught.value) == f"trained_on: {subject!r} is one text; give a list of subjects"


def test_an_inner_split_needs_two_people() -> None:
    examples = make_examples(12, subjects=2)
    with pytest.raises(InputError) as caught:
        prepare_inner(examples, first_fold(examples))
    assert str(caught.value) == "made/00: 1 subject to learn from; an inner split needs at least 2"
    with pytest.raises(InputError) as caught:
        prepare_inner(examples, Fold("mine", tuple(range(12)), (0,)))
    assert str(caught.value) == "mine: subject 'made/00' is in both halves; split by subject"


def test_the_score_is_that_of_the_winner(model: Model, inner: Inner, tmp_path: Path, pictures: None) -> None:
    found = search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path)
    winner = load(tmp_path / "winner")
    assert winner.config == found.config
    predicted = probabilities(winner, inner.validation, "micro").argmax(dim=1).tolist()
    truth = inner.validation.targets["micro"].values.tolist()
    assert float(uf1(confusion_matrix(truth, predicted, 3))) == found.best.score
    assert found.best.score == max(one.score or 0.0 for one in found.candidates)
    assert "which is no result" in (tmp_path / "winner" / "README.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        "candidates.parquet", "front.png", "history.png", "search.db", "winner"
    }  # fmt: skip
    columns = read_columns(tmp_path / "candidates.parquet", "candidates")
    assert columns["temporal.kept"] == tuple(str(one.values["temporal.kept"]) for one in found.candidates)
    assert [float(cell) for cell in columns["score"]] == [one.score for one in found.candidates]


# What it costs


def test_operations_are_counted(model: Model, inner: Inner) -> None:
    counts = []
    for kept in (1, 5):
        with model.dialed({"temporal.kept": kept}):
            counts.append(count_flops(model, inner.validation))
    # two products of 4 by `kept`, a multiplication and an addition each, and the head's 4 by 3
    assert counts == [2 * 2 * 4 * kept + 2 * 4 * 3 for kept in (1, 5)]


def test_latency_is_a_median_and_leaves_the_threads_alone(model: Model, inner: Inner) -> None:
    threads = torch.get_num_threads()
    found = measure_latency(model, inner.validation, Timing(batch_size=64, threads=2, repeats=3))
    assert 0 < found < 1000
    assert torch.get_num_threads() == threads


def test_what_costs_too_much_is_not_evaluated(
    model: Model, inner: Inner, scored: list[Mapping[str, Any]], tmp_path: Path, pictures: None
) -> None:
    space = make_space(limits=Limits(flops=2 * 2 * 4 * 3 + 24))
    found = search(model, inner.validation, space, trained_on=(), folder=tmp_path)
    rejected = [one for one in found.candidates if one.state == "rejected"]
    assert rejected
    assert {values["temporal.kept"] for values in scored} <= {1, 2, 3}
    assert all(one.values["temporal.kept"] in range(4, 9) and one.score is None for one in rejected)
    assert rejected[0].reason == f"flops {rejected[0].flops:.6g}, at most 72"
    assert sum(one.state == "done" for one in found.candidates) == 12
    # and again, from the ledger
    again = search(model, inner.validation, space, trained_on=(), folder=tmp_path, resume=True)
    assert shown(again.candidates) == shown(found.candidates)
    assert (tmp_path / "history.png").is_file()
    assert not (tmp_path / "front.png").exists()


def test_what_takes_too_long_is_not_evaluated(
    model: Model, inner: Inner, scored: list[Mapping[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def measure(given: Model, *others: object) -> float:
        measured.append(given.config.temporal.kept)  # type: ignore[attr-defined]
        return 0.5 + measured[-1]

    monkeypatch.setattr(fitness_module, "measure_latency", measure)
    space = make_space(limits=Limits(latency_ms=3.5))
    found = search(model, inner.validation, space, trained_on=(), folder=tmp_path)
    rejected = [one for one in found.candidates if one.state == "rejected"]
    assert rejected
    assert {values["temporal.kept"] for values in scored} <= {1, 2, 3}
    assert all(one.score is None and one.values["temporal.kept"] in range(4, 9) for one in rejected)
    assert rejected[0].reason == f"latency_ms {rejected[0].latency_ms:.6g}, at most 3.5"
    assert sum(one.state == "done" for one in found.candidates) == 12
    # who is rejected is kept, and neither timed nor evaluated again
    count = len(measured), len(scored)
    again = search(model, inner.validation, space, trained_on=(), folder=tmp_path, resume=True)
    assert shown(again.candidates) == shown(found.candidates)
    assert (len(measured), len(scored)) == count


def test_a_score_that_is_none(model: Model, inner: Inner) -> None:
    with pytest.raises(ConfigError) as caught:
        search(model, inner.validation, make_space(objectives=Objectives(score="F1")), trained_on=())
    assert str(caught.value) == (
        "objectives.score: no score 'F1' of clips; did you mean 'UF1'? scores: 'UF1', 'UAR', 'accuracy'"
    )


def test_limits_that_nobody_meets(model: Model, inner: Inner) -> None:
    space = make_space({"temporal.kept": (4, 8)}, limits=Limits(flops=10.0))
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, space, trained_on=())
    text = str(caught.value)
    first = "flops 88, at most 10" if "88" in text else "flops 152, at most 10"
    assert text == (
        "search: 200 proposals don't fill generation 0: 2 candidates rejected, 0 failed, "
        f"such as by {first!r}; widen the limits or the space"
    )


def test_latency_is_measured_once(model: Model, inner: Inner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, measured = random.Random(0), []

    def measure(*given: object) -> float:
        measured.append(draw.random())
        return measured[-1]

    monkeypatch.setattr(fitness_module, "measure_latency", measure)
    space = make_space(objectives=Objectives(cost="latency"))
    stopped(model, inner, tmp_path, after=6, space=space)
    before = list(measured)
    found = search(model, inner.validation, space, trained_on=(), folder=tmp_path, resume=True)
    new = [one.latency_ms for one in found.candidates if one.same_as is None]
    assert new == measured
    assert new[: len(before)] == before


# What fails


def test_a_candidate_that_fails_is_recorded_and_not_tried_again(
    model: Model, inner: Inner, scored: list[Mapping[str, Any]], tmp_path: Path
) -> None:
    dials = {"temporal.mode": "all", "temporal.kept": (7, 8)}
    space = make_space(dials, search=Evolution(population=6, generations=3))
    found = search(model, inner.validation, space, trained_on=(), folder=tmp_path)
    failed = {one.values["temporal.mode"]: one.reason for one in found.candidates if one.reason[:2] not in ("", "as")}
    assert failed == {
        "wrong": "RuntimeError: a dial that breaks it",
        "nan": "InputError: micro: scores that are NaN or infinite; leave these values out",
    }
    assert len(scored) == len({str(values) for values in scored})
    assert sum(one.state == "done" for one in found.candidates) == 18
    resumed = search(model, inner.validation, space, trained_on=(), folder=tmp_path, resume=True)
    assert shown(resumed.candidates) == shown(found.candidates)
    assert len(scored) == len({str(values) for values in scored})


def test_a_candidate_that_fails_when_it_is_priced(model: Model, inner: Inner) -> None:
    space = make_space({"temporal.mode": ("right", "wrong"), "temporal.kept": "all"}, objectives=FLOPS)
    found = search(model, inner.validation, space, trained_on=())
    failed = [one for one in found.candidates if one.state == "failed"]
    assert failed
    assert {(one.flops, one.reason) for one in failed} == {(None, "RuntimeError: a dial that breaks it")}


def test_a_search_in_which_all_fail(model: Model, inner: Inner) -> None:
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, make_space({"temporal.mode": ("wrong",)}), trained_on=())
    assert str(caught.value) == (
        "search: 200 proposals don't fill generation 0: 0 candidates rejected, 4 failed, "
        "such as by 'RuntimeError: a dial that breaks it'; widen the limits or the space"
    )


# The storage


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("space", "another space"),
        ("order", "another order of dials and fields"),
        ("seed", "another seed"),
        ("population", "another population or mutation"),
        ("examples", "other examples"),
        ("weights", "other weights"),
        ("pipeline", "another pipeline"),
    ],
)
def test_a_storage_of_another_search_is_refused(
    change: str, what: str, model: Model, inner: Inner, tmp_path: Path
) -> None:
    stopped(model, inner, tmp_path, after=0)
    given: dict[str, Any] = {"model": model, "examples": inner.validation, "space": SPACE}
    if change == "space":
        given["space"] = make_space({"temporal.kept": "all"}, objectives=FLOPS)
    elif change == "order":
        given["space"] = replace(SPACE, dials=dict(list(SPACE.dials.items())[::-1]))
    elif change == "seed":
        given["space"] = replace(SPACE, search=replace(SPACE.search, seed=5))
    elif change == "population":
        given["space"] = replace(SPACE, search=replace(SPACE.search, population=8))
    elif change == "examples":
        given["examples"] = inner.train
    else:
        torch.manual_seed(1 if change == "weights" else 0)
        config = CONFIG if change == "weights" else replace(CONFIG, temporal=replace(CONFIG.temporal, sign=-1))  # type: ignore[type-var]
        given["model"] = config.build()
    with pytest.raises(InputError) as caught:
        search(**given, trained_on=(), folder=tmp_path, resume=True)
    url = f"sqlite:///{tmp_path / 'search.db'}"
    assert str(caught.value) == f"{url}: holds a search 'search' with {what}; give another folder or name"


def test_a_storage_says_what_storages_have_always_said(model: Model, inner: Inner, tmp_path: Path) -> None:
    stopped(model, inner, tmp_path, after=0)
    optuna = import_optuna()
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path / 'search.db'}")
    record = study.user_attrs["record"]
    assert set(record) == {
        "pipeline", "weights", "head", "examples", "space", "seed", "population or mutation",
        "order of dials and fields",
    }  # fmt: skip
    assert (record["head"], record["space"]["objectives"]) == ("micro", {"score": "UF1", "cost": "flops"})


def test_storages_that_do_not_do(model: Model, inner: Inner, tmp_path: Path) -> None:
    stopped(model, inner, tmp_path, after=0)
    url = f"sqlite:///{tmp_path / 'search.db'}"
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path)
    assert str(caught.value) == (f"{url}: holds a search 'search' already; resume it, or give another folder or name")
    with pytest.raises(InputError) as caught:
        join_search(model, inner.validation, SPACE, storage=url, name="serch", trained_on=())
    assert str(caught.value) == f"{url}: holds no search 'serch'; begin it first"
    with pytest.raises(
        InputError, match=r"^here: can't be opened \(.*\); give a database such as sqlite:///search.db$"
    ):
        search(model, inner.validation, SPACE, trained_on=(), storage="here")
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, SPACE, trained_on=(), workers=0)
    assert str(caught.value) == "workers: 0; give 1 or more"


def test_a_folder_with_another_storage(model: Model, inner: Inner, tmp_path: Path) -> None:
    (tmp_path / "candidates.parquet").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, SPACE, trained_on=(), folder=tmp_path, storage="sqlite://")
    assert str(caught.value) == f"{tmp_path}: holds a search already; resume it, or give another folder"


def test_two_that_propose_at_once_are_told(model: Model, inner: Inner, tmp_path: Path) -> None:
    stopped(model, inner, tmp_path, after=0)
    url = f"sqlite:///{tmp_path / 'search.db'}"
    ledger = Ledger(url, "search", {}, find_genes(SPACE, CONFIG), FLOPS, resume=True)
    with pytest.raises(InputError) as caught:
        ledger.add(replace(ledger.read()[0], number=3))
    assert str(caught.value) == f"{url}: somebody else proposes candidates too; stop one, and help with --join"
    ledger.close()


def test_latencies_are_of_one_machine(
    model: Model, inner: Inner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space(limits=Limits(latency_ms=1e6), timing=Timing(repeats=1), search=replace(SMALL, generations=1))
    search(model, inner.validation, space, trained_on=(), folder=tmp_path)
    monkeypatch.setattr("platform.node", lambda: "another one")
    url = f"sqlite:///{tmp_path / 'search.db'}"
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, space, trained_on=(), folder=tmp_path, resume=True)
    assert str(caught.value) == (f"{url}: holds a search 'search' with another machine; give another folder or name")
    # who helps measures nothing
    assert join_search(model, inner.validation, space, storage=url, trained_on=()) == 0


def test_a_ledger_of_other_proposals_is_refused(model: Model, inner: Inner, tmp_path: Path) -> None:
    space = make_space({"temporal.shift": (0, 1, 2)}, search=Evolution(population=2, generations=1))
    longer = replace(space, search=replace(space.search, generations=2))
    wanted = search(model, inner.validation, longer, trained_on=()).candidates[2]
    search(model, inner.validation, space, trained_on=(), folder=tmp_path)
    url = f"sqlite:///{tmp_path / 'search.db'}"
    ledger = Ledger(url, "search", {}, find_genes(space, CONFIG), space.objectives, resume=True)
    other = {"temporal.shift": 2 if wanted.values["temporal.shift"] != 2 else 1}
    ledger.add(Candidate(2, 1, other, "waiting"))
    ledger.close()
    with pytest.raises(InputError) as caught:
        search(model, inner.validation, longer, trained_on=(), folder=tmp_path, resume=True)
    assert str(caught.value) == (
        f"search: candidate 2 would be {dict(wanted.values)}, and is {other}; "
        "go on with the version of Optuna that it was begun with"
    )


# Fields


def test_fields_are_built_anew_with_the_same_weights(model: Model, inner: Inner) -> None:
    space = make_space({"temporal.kept": (4, 8)}, fields={"temporal.sign": (1, -1)})
    random_state = torch.random.get_rng_state()
    variants = Variants(model, find_genes(space, CONFIG))
    values = {"temporal.kept": 4, "temporal.sign": -1}
    with variants.at(values) as changed:
        found = changed.predict(dict(inner.validation.inputs))["micro"]
        assert changed.state_dict()["temporal.inner"].data_ptr() == model.state_dict()["temporal.inner"].data_ptr()
    assert torch.equal(torch.random.get_rng_state(), random_state)
    by_hand = replace(CONFIG, temporal=replace(CONFIG.temporal, sign=-1, kept=4)).build()  # type: ignore[type-var]
    by_hand.load_state_dict(model.state_dict())
    assert torch.equal(by_hand.predict(dict(inner.validation.inputs))["micro"], found)
    result = search(model, inner.validation, space, trained_on=())
    assert {one.values["temporal.sign"] for one in result.candidates} == {1, -1}
    assert result.config.temporal.sign == result.best.values["temporal.sign"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"temporal.hidden": (8, 16)},
            "fields.temporal.hidden: 16 needs other weights: 'temporal.inner' becomes (16, 4), is (8, 4); "
            "search what keeps them, and train models of the others",
        ),
        (
            {"heads.micro.targets[0]": ("negative", "other")},
            "fields.heads.micro.targets[0]: 'other' changes what is scored; search what keeps the outputs",
        ),
        (
            {"temporal.sign": (1, "minus")},
            "fields.temporal.sign: 'minus' is a str; expected int (TwistConfig)",
        ),
    ],
)
def test_fields_that_can_not_be_searched(fields: dict[str, Any], message: str, model: Model, inner: Inner) -> None:
    with pytest.raises(ConfigError) as caught:
        search(model, inner.validation, make_space({}, fields=fields), trained_on=())
    assert str(caught.value) == message


# Adapting


def test_adapted_weights_are_others(tmp_path: Path) -> None:
    examples = make_examples(24, subjects=4)
    given = (CONFIG, examples, first_fold(examples), make_space(search=replace(SMALL, generations=1)))
    short = replace(QUICK, epochs=1)
    found = search_fold(*given, short, share=0.4, adapt=True, folder=tmp_path)
    assert len(found.candidates) == 4
    with pytest.raises(InputError) as caught:
        search_fold(*given, short, share=0.4, folder=tmp_path, resume=True)
    assert str(caught.value) == f"{tmp_path}: holds a model with another pipeline and recipe; give another folder"


# Parts


def test_the_front_is_that_of_all_pairs() -> None:
    draw = random.Random(0)
    for objectives in (FLOPS, Objectives()):
        for _ in range(20):
            everybody = [
                Candidate(number, 0, {}, "done", score=draw.randrange(5) / 4, flops=float(draw.randrange(5)))
                for number in range(12)
            ]
            everybody[3] = replace(everybody[3], state="failed", score=None)
            assert find_front(everybody, objectives) == find_front_ref(everybody, objectives)


def test_the_front_of_a_search(whole: SearchResult) -> None:
    assert whole.front == find_front(whole.candidates, FLOPS)
    assert whole.best == whole.front[0]
    scores = [one.score or 0.0 for one in whole.front]
    assert scores == sorted(scores, reverse=True)


def test_optuna_comes_in_by_one_door() -> None:
    paths = [path for path in sorted((PACKAGE / "search").glob("*.py")) if path.name != "__init__.py"]
    assert len(paths) >= 12
    for path in paths:
        imported = {name.partition(".")[0] for name in top_level_imports(ast.parse(path.read_text()))}
        assert not imported & {"optuna", "sqlalchemy", "matplotlib"}, path.name


def test_optuna_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError) as caught:
        import_optuna()
    assert str(caught.value) == ("search: needs 'optuna', which is not installed; run pip install 'affectkit[search]'")


def test_optuna_is_as_loud_as_before() -> None:
    optuna = import_optuna()
    before = optuna.logging.get_verbosity()
    with quiet_optuna():
        assert optuna.logging.get_verbosity() == optuna.logging.WARNING
    assert optuna.logging.get_verbosity() == before


def test_a_saved_model_is_searched_where_it_lies(
    model: Model, inner: Inner, whole: SearchResult, tmp_path: Path
) -> None:
    folder = save(model, tmp_path / "model")
    found = search(folder, inner.validation, SPACE, trained_on=())
    assert shown(found.candidates) == shown(whole.candidates)


def test_subjects_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    with pytest.raises(InputError) as caught:
        read_trained_on(path)
    assert str(caught.value) == f"{path}: no such file; check the path"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_trained_on(path)
    assert str(caught.value) == f"{path}: names nobody; write a subject per line, such as casme2/01"
    hint = "give the trained.json of a search, or a text file with a subject per line"
    for name, content in (
        ("trained.json", b"{"),
        ("trained.json", b'{"a": 1}'),
        ("trained.json", b"[]"),
        ("trained.json", b'{"subjects": null}'),
        ("p.txt", b"\xff"),
    ):
        wrong = tmp_path / name
        wrong.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_trained_on(wrong)
        assert str(caught.value) == f"{wrong}: names no subjects; {hint}"
    path.write_text("made/01\n\nmade/02\n", encoding="utf-8")
    assert read_trained_on(path) == ("made/01", "made/02")
