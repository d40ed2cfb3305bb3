"""`evaluate`: nobody's model has seen them, whatever runs the folds, and the peers' rule stays beside the result."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import ConfigError, InputError, load
from affectkit.protocols.predictions import Predictions, read_predictions
from affectkit.protocols.report import score_predictions
from affectkit.protocols.splits import Fold
from affectkit.recipes import Recipe
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, evaluate, folds
from affectkit.training.examples import join_examples, read_examples, write_examples
from affectkit.training.fitting import fit_tail
from affectkit.training.folds import FoldJob, FoldResult, run_fold
from affectkit.training.peers import best_epochs
from tests.test_training import FEATURES, QUICK, make_examples

SHORT = replace(QUICK, epochs=2)


def accuracy(predictions: Predictions) -> float:
    return score_predictions(predictions).scores["accuracy"].value


def test_every_clip_is_predicted_once_per_seed_and_kept(tmp_path: Path) -> None:
    examples = make_examples()
    seen: list[tuple[int, int, str]] = []
    found = evaluate(FEATURES, examples, QUICK, seeds=2, folder=tmp_path, progress=lambda *what: seen.append(what))
    columns = found.predictions.columns
    assert sorted(zip(columns["seed"], found.predictions.keys, strict=True)) == sorted(
        (seed, f"{subject}/{key}")
        for seed in "01"
        for subject, key in zip(examples.subjects, examples.keys, strict=True)
    )
    assert {subject.replace("made/", "") for subject in columns["subject"]} == {f"{n:02}" for n in range(6)}
    assert all(f"made/{subject}" == fold for subject, fold in zip(columns["subject"], columns["fold"], strict=True))
    shares = [sum(map(float, row)) for row in zip(*(columns[f"p.{name}"] for name in found.classes), strict=True)]
    assert shares == pytest.approx([1.0] * 72, abs=1e-5)
    assert accuracy(found.predictions) > 0.8
    assert [(done, total) for done, total, _ in seen] == [(number, 12) for number in range(1, 13)]
    assert read_predictions(tmp_path / "predictions.parquet").columns == columns
    assert found.inflated is None
    assert not (tmp_path / "examples.safetensors").exists()


def test_labels_of_the_left_out_subject_change_nothing_that_is_predicted_of_them() -> None:
    examples = make_examples()
    honest = evaluate(FEATURES, examples, SHORT).predictions
    values = examples.targets["micro"].values.clone()
    values[:6] = (values[:6] + 1) % 3
    other = evaluate(FEATURES, replace(examples, targets={"micro": Targets.of(values)}), SHORT).predictions
    names = ("p.negative", "p.positive", "p.surprise")
    for name in names:
        assert honest.columns[name][:6] == other.columns[name][:6]
        # those of the others do change: their models have learned from what is wrong now
        assert honest.columns[name][6:] != other.columns[name][6:]


@pytest.mark.parametrize("epoch", ["last", "inner"])
def test_training_never_holds_the_test_subject(monkeypatch: pytest.MonkeyPatch, epoch: Any) -> None:
    held: list[set[str]] = []
    trained = fit_tail

    def spy(config: Any, examples: Examples, recipe: Recipe, **rest: Any) -> Any:
        held.append(set(examples.subjects))
        return trained(config, examples, recipe, **rest)

    monkeypatch.setattr(folds, "fit_tail", spy)
    evaluate(FEATURES, make_examples(), replace(SHORT, epoch=epoch), peer_rule=True)
    runs = 2 if epoch == "inner" else 1
    assert len(held) == 6 * runs
    for number in range(6):
        for subjects in held[number * runs : (number + 1) * runs]:
            assert f"made/{number:02}" not in subjects


def test_a_subject_in_both_halves_is_refused(tmp_path: Path) -> None:
    write_examples(make_examples(), tmp_path / "examples.safetensors")
    job = FoldJob(
        config=FEATURES,
        whole=FEATURES,
        recipe=SHORT,
        examples=tmp_path / "examples.safetensors",
        head="micro",
        fold=Fold("mine", tuple(range(8, 36)), tuple(range(8))),
        seed=0,
    )
    with pytest.raises(InputError) as caught:
        run_fold(job)
    assert str(caught.value) == "mine: subject 'made/01' is in both halves; split by subject"


def test_the_peers_rule_is_apart_and_changes_nothing(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    examples = make_examples()
    noise = replace(examples, targets={"micro": Targets.of(torch.randint(0, 3, (36,), generator=generator))})
    plain = evaluate(FEATURES, noise, QUICK).predictions
    found = evaluate(FEATURES, noise, QUICK, peer_rule=True, folder=tmp_path)
    assert found.predictions.columns == plain.columns
    assert found.inflated is not None
    assert accuracy(found.inflated) > accuracy(plain)
    assert read_predictions(tmp_path / "inflated.parquet").columns == found.inflated.columns


def test_the_best_epoch_of_each_subject() -> None:
    jobs: Any = {
        (0, name): FoldJob(
            config=FEATURES,
            whole=FEATURES,
            recipe=SHORT,
            examples=Path(),
            head="micro",
            fold=Fold(name, (), rows),
            seed=0,
        )
        for name, rows in (("a", (0, 1)), ("b", (2,)))
    }
    sure, wrong = [1.0, 0.0], [0.0, 1.0]
    peer = {(0, "a"): [[sure, wrong], [sure, sure], [wrong, wrong]], (0, "b"): [[wrong], [sure], [sure]]}
    assert best_epochs(peer, jobs, [0, 0, 1]) == {(0, "a"): [sure, sure], (0, "b"): [wrong]}


def test_an_interrupted_evaluation_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = make_examples()

    def stop(done: int, total: int, name: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(FEATURES, examples, SHORT, folder=tmp_path, progress=stop)
    assert not (tmp_path / "examples.safetensors").exists()
    ran: list[str] = []

    def spy(job: FoldJob) -> FoldResult:
        ran.append(job.fold.name)
        return run_fold(job)

    monkeypatch.setattr("affectkit.training.evaluation.run_fold", spy)
    resumed = evaluate(FEATURES, examples, SHORT, folder=tmp_path, resume=True)
    assert ran == ["made/03", "made/04", "made/05"]
    assert resumed.predictions.columns == evaluate(FEATURES, examples, SHORT).predictions.columns


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    examples = make_examples()
    evaluate(FEATURES, examples, SHORT, protocol="folds", folds=2, folder=tmp_path)
    for fields, message in (
        ({}, "holds a run already; resume it, or give another folder"),
        ({"resume": True}, "holds a run with another protocol; give another folder"),
    ):
        with pytest.raises(InputError) as caught:
            evaluate(FEATURES, examples, SHORT, folder=tmp_path, **fields)  # type: ignore[arg-type]
        assert str(caught.value) == f"{tmp_path}: {message}"
    with pytest.raises(InputError, match="holds a run with another recipe"):
        evaluate(FEATURES, examples, QUICK, protocol="folds", folds=2, folder=tmp_path, resume=True)
    other = make_examples(seed=1)
    with pytest.raises(InputError, match="holds a run with other examples"):
        evaluate(FEATURES, other, SHORT, protocol="folds", folds=2, folder=tmp_path, resume=True)


def test_any_executor_gives_the_same() -> None:
    examples = make_examples(24, subjects=3)
    here = evaluate(FEATURES, examples, SHORT).predictions.columns
    processes = evaluate(FEATURES, examples, SHORT, workers=2).predictions.columns
    assert processes == here
    with ThreadPoolExecutor(1) as pool:
        assert evaluate(FEATURES, examples, SHORT, executor=pool).predictions.columns == here


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same() -> None:
    distributed = pytest.importorskip("distributed")
    examples = make_examples(24, subjects=3)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = evaluate(FEATURES, examples, SHORT, executor=client.get_executor()).predictions.columns
    assert found == evaluate(FEATURES, examples, SHORT).predictions.columns


def test_given_weights_predict_as_when_they_were_trained(tmp_path: Path) -> None:
    examples = replace(make_examples(), encoders={"clip": "ab" * 32})
    trained = evaluate(FEATURES, examples, SHORT, folder=tmp_path, keep_models=True)
    # kept models say what `fit` would have them say
    assert load(tmp_path / "models" / "seed-0" / "made-00").encoders == {"clip": "ab" * 32}
    pattern = str(tmp_path / "models" / "seed-{seed}" / "{subject}")
    given = evaluate(FEATURES, examples, SHORT, artifacts=pattern)
    assert given.predictions.columns == trained.predictions.columns
    with pytest.raises(InputError) as caught:
        evaluate(FEATURES, replace(examples, encoders={"clip": "cd" * 32}), SHORT, artifacts=pattern)
    fact = "features 'clip' are of encoder cdcdcdcdcdcd, and the model learned from those of abababababab"
    assert str(caught.value) == f"examples: {fact}; compute them by that one"
    missing = str(tmp_path / "nowhere" / "{subject}")
    with pytest.raises(InputError) as caught:
        evaluate(FEATURES, examples, SHORT, artifacts=missing)
    path = tmp_path / "nowhere" / "made-00"
    assert str(caught.value) == f"{path}: no such folder; give the saved model of every fold, as 'models/{{subject}}'"


def test_other_protocols() -> None:
    examples = make_examples()
    parts = evaluate(FEATURES, examples, SHORT, protocol="folds", folds=3).predictions
    assert set(parts.columns["fold"]) == {"part 1", "part 2", "part 3"}
    second = replace(
        make_examples(seed=1), subjects=tuple(name.replace("made", "other") for name in examples.subjects), datasets=()
    )
    both = join_examples([examples, replace(second, datasets=("other",) * 36)])
    databases = evaluate(FEATURES, both, SHORT, protocol="databases").predictions
    assert set(zip(databases.columns["dataset"], databases.columns["fold"], strict=True)) == {
        ("made", "made"),
        ("other", "other"),
    }


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"seeds": 0}, InputError, "seeds: none; give at least 1"),
        ({"keep_models": True}, InputError, "keep_models: no folder to keep them in; give folder"),
        ({"protocol": "loo"}, InputError, "protocol: 'loo'; give loso, folds, databases or official"),
        ({"head": "macro"}, ConfigError, "head: no head of classes 'macro'; did you mean 'micro'? heads: 'micro'"),
    ],
)
def test_wrong_arguments(fields: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        evaluate(FEATURES, make_examples(), SHORT, **fields)
    assert str(caught.value) == message


# Examples


def test_examples_in_a_file(tmp_path: Path) -> None:
    examples = make_examples()
    write_examples(examples, tmp_path / "made.safetensors")
    again = read_examples(tmp_path / "made.safetensors")
    assert again.digest() == examples.digest()
    assert (again.subjects, again.keys, again.datasets) == (examples.subjects, examples.keys, examples.datasets)
    assert make_examples(seed=1).digest() != examples.digest()


def test_arrays_of_ones_own(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "mine.npz"
    values = np.zeros((4, 1, 4), np.float32)
    np.savez(path, clip=values, micro=np.array([0, 1, -1, 2]), subject=np.array(["a", "a", "b", "c"]))
    examples = read_examples(path)
    assert examples.targets["micro"].valid.tolist() == [True, True, False, True]
    assert examples.subjects == ("a", "a", "b", "c")
    np.savez(path, clip=values, micro=np.array([0, 1, 2, 2]))
    with pytest.raises(InputError) as caught:
        read_examples(path)
    assert str(caught.value) == (
        f"{path}: no array 'subject'; say whose each clip is, so that nobody is in both halves"
    )
    np.savez(path, clip=values[:, 0], subject=np.array(["a"] * 4))
    with pytest.raises(InputError) as caught:
        read_examples(path)
    assert str(caught.value) == (
        f"{path}: 'clip' is float32 (4, 4); inputs are float (N, T, C, H, W) or (N, T, D), labels whole numbers (N,)"
    )


def test_files_that_hold_no_examples(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    with pytest.raises(InputError) as caught:
        read_examples(path)
    assert str(caught.value) == f"{path}: no such file; check the path"
    path.write_bytes(b"{}")
    with pytest.raises(InputError, match=r": no examples \(.*\); give a file that write_examples wrote, or \.npz$"):
        read_examples(path)
    arrays = tmp_path / "none.npz"
    arrays.write_bytes(b"{}")
    with pytest.raises(InputError, match=r": can't be read \(.*\); write plain arrays with numpy\.savez$"):
        read_examples(arrays)


def test_wrong_examples() -> None:
    examples = make_examples()
    values = examples.inputs["clip"].values.clone()
    values[7, 0, 2] = torch.nan
    cases: list[tuple[dict[str, Any], str]] = [
        ({"subjects": ()}, "nothing to learn from; give at least one clip with an input and a target"),
        ({"keys": ("a",)}, "keys has 1, subjects 36; give one each"),
        ({"keys": ("a",) * 36}, "made/00, a is there twice; keep one of each clip"),
        (
            {"inputs": {"clip": Sequence.of(values)}},
            "made/01, 00007: clip has values that are NaN or infinite; leave it out",
        ),
    ]
    for fields, message in cases:
        with pytest.raises(InputError) as caught:
            replace(examples, **fields)
        assert str(caught.value) == f"examples: {message}"


def test_sets_that_do_not_go_together() -> None:
    examples = make_examples()
    other = replace(examples, targets={"emotion": examples.targets["micro"]})
    with pytest.raises(InputError) as caught:
        join_examples([examples, other])
    assert str(caught.value) == (
        "examples: one set has 'clip', 'micro', another 'clip', 'emotion'; give sets for one pipeline, "
        "or partial=True for labels that not all sets have"
    )
    moved = replace(examples, inputs={"face": examples.inputs["clip"]})
    with pytest.raises(InputError) as caught:
        join_examples([examples, moved], partial=True)
    assert str(caught.value) == (
        "examples: one set has 'clip', 'micro', another 'face', 'micro'; give sets for one pipeline"
    )
    wide = replace(examples, inputs={"clip": Sequence.of(torch.zeros(36, 1, 5))})
    with pytest.raises(InputError, match=r"^examples: clips of shapes .*; give sets for one pipeline$"):
        join_examples([examples, wide])


def test_clips_that_can_not_be_scored_are_refused() -> None:
    examples = make_examples()
    values, valid = examples.targets["micro"].values.clone(), torch.ones(36, dtype=torch.bool)
    valid[7] = False
    values[9] = 3
    unlabeled = replace(examples, targets={"micro": Targets(values, valid)})
    with pytest.raises(InputError) as caught:
        evaluate(FEATURES, unlabeled, SHORT)
    assert str(caught.value) == (
        "examples: 2 of 36 clips have no class of 'micro', the first made/01, 00007; leave them out"
    )
    other = replace(examples, targets={"emotion": examples.targets["micro"]})
    with pytest.raises(InputError) as caught:
        evaluate(FEATURES, other, SHORT)
    assert str(caught.value) == "examples: no labels of 'micro'; they have emotion"


def test_what_is_taken_is_a_copy() -> None:
    examples = make_examples()
    some = examples.take([1, 2])
    some.inputs["clip"].values.zero_()
    assert examples.inputs["clip"].values[1].abs().sum() > 0


def test_the_record_says_what_was_run(tmp_path: Path) -> None:
    evaluate(FEATURES, make_examples(), SHORT, protocol="folds", folds=2, folder=tmp_path)
    record = json.loads((tmp_path / "evaluation.json").read_text())
    assert record["protocol"] == "folds"
    assert record["recipe"]["epochs"] == 2
    assert record["examples"] == make_examples().digest()
