"""Thresholds per target: the search against its slow twin, the map, and that the choice sees its own part alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    Branch,
    FeatureStream,
    PipelineConfig,
    SmoothConfig,
    ThresholdsConfig,
    load,
    save,
)
from affectkit.errors import DataWarning, InputError, StreamError
from affectkit.maps.thresholds_net import Thresholds
from affectkit.metrics.thresholds import fit_thresholds, fit_thresholds_ref
from affectkit.model import Model
from affectkit.sequences import Sequence, Targets
from affectkit.streams import PredictionStream
from affectkit.training import Examples
from affectkit.training.thresholds import set_thresholds

UNITS = ("AU1", "AU2", "AU4")


def f1(scores: Any, labels: Any, valid: Any, cuts: Any) -> list[float]:
    chosen, truth = (scores >= cuts) & valid, (labels == 1) & valid
    return [2 * (chosen[:, k] & truth[:, k]).sum() / (chosen[:, k].sum() + truth[:, k].sum()) for k in range(len(cuts))]


@pytest.mark.parametrize("seed", range(8))
def test_the_search_equals_its_slow_twin(seed: int) -> None:
    make = np.random.default_rng(seed)
    # few distinct scores in every other case, so that many are equal
    scores = make.normal(size=(60, 3)).round(1 if seed % 2 else 6).astype(np.float32)
    labels, valid = (make.random((60, 3)) < (0.1, 0.5, 0.9)).astype(int), make.random((60, 3)) < 0.8
    found = fit_thresholds(scores, labels, valid)
    assert np.array_equal(found, fit_thresholds_ref(scores, labels, valid))
    assert f1(scores, labels, valid, found) >= f1(scores, labels, valid, np.zeros(3, np.float32))


def test_known_cuts() -> None:
    scores = [[0.1, 5.0], [0.4, 6.0], [0.6, 7.0], [0.8, 8.0]]
    labels = [[0, 1], [0, 1], [1, 1], [1, 1]]
    found = fit_thresholds(scores, labels, np.ones((4, 2), bool))
    # between 0.4 and 0.6; all of the second target, down to its lowest score
    np.testing.assert_allclose(found, [0.5, 5.0])


def test_neighbors_in_float32_are_told_apart() -> None:
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2.0))
    found = fit_thresholds([[low], [high]], [[0], [1]], [[True], [True]])
    assert low < found[0] <= high


def test_what_is_not_valid_counts_nothing() -> None:
    make = np.random.default_rng(0)
    scores, valid = make.normal(size=(50, 2)), make.random((50, 2)) < 0.5
    labels = (scores > 0.3).astype(int)
    wrong, odd = np.where(valid, labels, -1), np.where(valid, scores, np.nan)
    assert np.array_equal(fit_thresholds(scores, labels, valid), fit_thresholds(odd, wrong, valid))


def test_a_target_without_a_positive_label_keeps_zero() -> None:
    with pytest.warns(DataWarning) as caught:
        found = fit_thresholds([[1.0, 2.0], [3.0, 4.0]], [[0, 0], [0, 1]], [[True, False], [True, True]])
    assert [str(one.message) for one in caught] == [
        "thresholds: no valid positive label of the targets 0; theirs stay at 0"
    ]
    assert found.tolist() == [0.0, 4.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"valid": [[True]]}, "scores: (2, 1), labels (2, 1), valid (1, 1); give (N, K) for each"),
        ({"labels": [[1], [-1]]}, "labels[1, 0]: -1 is neither 0 nor 1; mark it as not valid, or mend it"),
        ({"scores": [[0.5], [np.nan]]}, "scores[1, 0]: NaN or infinite; leave the frame out"),
    ],
)
def test_labels_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    plain: dict[str, Any] = {"scores": [[0.5], [1.0]], "labels": [[1], [0]], "valid": [[True], [True]]}
    with pytest.raises(InputError) as caught:
        fit_thresholds(**(plain | arguments))
    assert str(caught.value) == message


def test_the_map_moves_thresholds_to_one_half() -> None:
    stream = PredictionStream(problem="multilabel", resolution="frame", targets=UNITS)
    module = Thresholds(ThresholdsConfig(source="au"), stream)
    given = Sequence.of(torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(module(given).values, given.values)
    module.thresholds.copy_(torch.tensor([-1.0, 0.2, 2.0]))
    chosen = torch.sigmoid(module(given).values) >= 0.5
    assert torch.equal(chosen, given.values >= module.thresholds)


def test_classes_are_refused() -> None:
    with pytest.raises(StreamError) as caught:
        ThresholdsConfig(source="x").output(
            PredictionStream(problem="multiclass", resolution="frame", targets=("a", "b"))
        )
    assert str(caught.value) == "problem 'multiclass' is not accepted; accepts 'multilabel'"


def build() -> Model:
    torch.manual_seed(0)
    config = PipelineConfig(
        input=FeatureStream(dim=4),
        branches={"face": Branch()},
        heads={"au": ActionUnitsConfig(targets=UNITS)},
        maps={"calm": SmoothConfig(source="au", delta=1), "cut": ThresholdsConfig(source="calm")},
    )
    return config.build().eval()


def examples() -> Examples:
    make = torch.Generator().manual_seed(1)
    mask = torch.ones(6, 9, dtype=torch.bool)
    mask[2, 5:] = False
    return Examples(
        inputs={"clip": Sequence.of(torch.randn(6, 9, 4, generator=make), mask=mask)},
        targets={"au": Targets.of((torch.rand(6, 9, 3, generator=make) < 0.4).float())},
        subjects=tuple(f"made/{n // 2}" for n in range(6)),
    )


def test_thresholds_come_from_the_given_part_alone() -> None:
    whole, part = examples(), [0, 1, 2, 3]
    found = set_thresholds(build(), "cut", whole.take(part), used_elsewhere={"made/2"})
    # everything else turned around: labels of the other part, and of padding
    values = 1 - whole.targets["au"].values
    values[:4] = torch.where(whole.inputs["clip"].mask[:4, :, None], whole.targets["au"].values[:4], values[:4])
    turned = Examples(inputs=whole.inputs, targets={"au": Targets.of(values)}, subjects=whole.subjects)
    assert set_thresholds(build(), "cut", turned.take(part)) == found
    assert set_thresholds(build(), "cut", turned) != found
    # and they are the best ones there
    model, clips = build(), whole.take(part)
    scores, truth = model(clips.inputs)["calm"].detach().numpy(), clips.targets["au"]
    valid = (truth.valid & clips.inputs["clip"].mask[..., None]).numpy()
    rows = [array.reshape(-1, 3) for array in (scores, truth.values.numpy(), valid)]
    np.testing.assert_allclose(list(found.values()), fit_thresholds_ref(*rows))


def test_thresholds_are_saved_with_the_model(tmp_path: Path) -> None:
    model = build()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = set_thresholds(model, "cut", examples())
    assert list(found) == list(UNITS)
    assert {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])} == {
        "maps.cut.thresholds"
    }
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    clips = examples().inputs
    torch.testing.assert_close(again.predict(clips)["cut"], model.predict(clips)["cut"])
    assert not model.training


def test_modes_of_parts_stay_as_they_are() -> None:
    model = build().train()
    model.get_submodule("branches").eval()
    before = {name: module.training for name, module in model.named_modules()}
    assert set(before.values()) == {True, False}
    set_thresholds(model, "cut", examples())
    assert {name: module.training for name, module in model.named_modules()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cuts"}, "maps: no map of thresholds 'cuts'; did you mean 'cut'? such maps: 'cut'"),
        (
            {"used_elsewhere": ["made/1", "made/7"]},
            "examples: subjects 'made/1' are used elsewhere too; choose by others",
        ),
    ],
)
def test_choices_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    plain: dict[str, Any] = {"model": build(), "name": "cut", "examples": examples()}
    with pytest.raises(InputError) as caught:
        set_thresholds(**(plain | arguments))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"va": Targets.of(torch.zeros(6, 9, 2))}, "examples: no labels of 'au'; they have 'va'"),
        (
            {"au": Targets.of(torch.zeros(6, 9, 2))},
            "examples: labels of 'au' are (6, 9, 2) for scores (6, 9, 3); give one per score",
        ),
    ],
)
def test_examples_that_are_refused(targets: dict[str, Targets], message: str) -> None:
    given = Examples(inputs=examples().inputs, targets=targets, subjects=examples().subjects)
    with pytest.raises(InputError) as caught:
        set_thresholds(build(), "cut", given)
    assert str(caught.value) == message
