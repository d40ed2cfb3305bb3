"""Temperatures: the search against its slow twin, a known one found again, the map, and members of an ensemble."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    Branch,
    CompoundFromBasicConfig,
    ConcatFusionConfig,
    EnsembleConfig,
    ExpressionConfig,
    FeatureStream,
    MeanFusionConfig,
    PipelineConfig,
    StackingConfig,
    TemperatureConfig,
    ValenceArousalConfig,
    load,
    save,
)
from affectkit.errors import DataWarning, InputError, StreamError
from affectkit.metrics.calibration import expected_calibration_error, negative_log_likelihood
from affectkit.metrics.forecasts import Forecasts
from affectkit.metrics.temperature import find_temperature, find_temperature_ref
from affectkit.sequences import Sequence, Targets
from affectkit.streams import PredictionStream
from affectkit.training import Examples
from affectkit.training.temperature import calibrate_members, fit_temperature

NAMES = ("neutral", "happiness", "surprise")
UNITS = ("AU1", "AU2")
ORDER = (*NAMES, "anger", "disgust", "fear", "sadness")


def drawn(count: int = 4000, sure: float = 3.0, seed: int = 0) -> tuple[Any, Any]:
    """Labels drawn from the probabilities of scores, and these scores `sure` times too large."""
    make = np.random.default_rng(seed)
    scores = make.normal(size=(count, 4), scale=1.5)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return sure * scores, np.array([make.choice(4, p=row) for row in p])


@pytest.mark.parametrize("sure", [0.3, 1.0, 3.0])
def test_a_known_temperature_is_found_again_and_repairs(sure: float) -> None:
    scores, labels = drawn(sure=sure)
    found = find_temperature(scores, labels, np.ones(len(labels), bool))
    assert found == pytest.approx(sure, rel=0.06)
    others, truth = drawn(sure=sure, seed=1)

    def probabilities(z: Any) -> Forecasts:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return Forecasts.of(e / e.sum(axis=1, keepdims=True), truth)

    before, after = probabilities(others), probabilities(others / found)
    assert expected_calibration_error(after) < 0.03
    assert negative_log_likelihood(after) <= negative_log_likelihood(before) + 1e-3
    if sure != 1:
        assert expected_calibration_error(before) > 0.1


@pytest.mark.parametrize("seed", range(6))
def test_the_search_equals_its_slow_twin(seed: int) -> None:
    make = np.random.default_rng(seed)
    scores, classes = make.normal(size=(200, 3)) * 10.0 ** make.uniform(-1, 1), make.integers(0, 3, 200)
    classes = np.where(make.random(200) < 0.7, scores.argmax(axis=1), classes)
    valid = make.random(200) < 0.8
    assert find_temperature(scores, classes, valid) == pytest.approx(
        find_temperature_ref(scores, classes, valid), rel=1e-4
    )
    units = (scores + make.normal(size=scores.shape) * 2 * np.abs(scores).mean() > 0).astype(int)
    known = make.random(units.shape) < 0.8
    assert find_temperature(scores, units, known) == pytest.approx(find_temperature_ref(scores, units, known), rel=1e-4)


def test_what_is_not_valid_counts_nothing() -> None:
    scores, labels = drawn(300)
    valid = np.arange(300) % 3 > 0
    found = find_temperature(scores, labels, valid)
    scores[~valid], labels[~valid] = np.nan, -1
    assert find_temperature(scores, labels, valid) == found


@pytest.mark.parametrize(
    ("labels", "end", "message"),
    [
        (
            [0, 1],
            0.05,
            "temperature: the best one is below 0.05, as nearly every sample is scored right; it is 0.05, give more "
            "samples",
        ),
        (
            [1, 0],
            20.0,
            "temperature: the best one is above 20, as the scores say little of the labels; it is 20, give more "
            "samples",
        ),
    ],
)
def test_no_best_temperature(labels: list[int], end: float, message: str) -> None:
    with pytest.warns(DataWarning) as caught:
        assert find_temperature([[2.0, 0.0], [0.0, 2.0]], labels, [True, True]) == end
    assert [str(one.message) for one in caught] == [message]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"valid": [True]},
            "scores: (2, 2), labels (2,), valid (1,); give (N, K), and labels and valid as (N,) or (N, K)",
        ),
        ({"valid": [False, False]}, "labels: none is valid; give samples with labels"),
        ({"labels": [0, 2]}, "labels: 2 is none; give a whole number from 0 to 1, or mark it not valid"),
        (
            {"labels": [[0, 1], [0.5, 1]], "valid": np.ones((2, 2), bool)},
            "labels: 0.5 is none; give 0 or 1, or mark it not valid",
        ),
        ({"scores": [[0.0, np.nan], [1.0, 2.0]]}, "scores: NaN or infinite; leave the sample out"),
        (
            {"scores": [[2.0, 2.0], [1.0, 1.0]]},
            "scores: none is above another, so that every temperature fits alike; train the model first",
        ),
        (
            {"scores": np.zeros((2, 2)), "labels": [[0, 1], [1, 1]], "valid": np.ones((2, 2), bool)},
            "scores: none is above another, so that every temperature fits alike; train the model first",
        ),
    ],
)
def test_scores_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    plain: dict[str, Any] = {"scores": [[0.0, 1.0], [1.0, 0.0]], "labels": [0, 1], "valid": [True, True]}
    with pytest.raises(InputError) as caught:
        find_temperature(**(plain | arguments))
    assert str(caught.value) == message


def test_values_are_refused() -> None:
    stream = PredictionStream(problem="regression", resolution="frame", targets=("a",))
    with pytest.raises(StreamError) as caught:
        TemperatureConfig(source="x").output(stream)
    assert str(caught.value) == "problem 'regression' is not accepted; accepts 'multiclass', 'multilabel'"


def member(dim: int = 4, targets: tuple[str, ...] = NAMES, **changes: Any) -> PipelineConfig:
    heads = {"expression": ExpressionConfig(targets=targets)}
    return PipelineConfig(
        inputs={f"features{dim}": FeatureStream(dim=dim)},
        branches={"face": Branch(source=f"features{dim}")},
        heads=heads | changes.pop("heads", {}),
        **changes,
    )


def build(config: PipelineConfig | EnsembleConfig, sure: float = 1.0) -> Any:
    """Whose scores are `sure` times the inputs: as many as there are in `ORDER` say how probable each class is."""
    torch.manual_seed(0)
    model = config.build().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("linear.bias"):
                parameter.zero_()
            elif name.endswith("expression.linear.weight"):
                holder = model.get_submodule(name.partition("heads.")[0].rstrip(".")) if "members" in name else model
                targets = cast("Any", holder).traced.outputs["expression"].targets
                index = [ORDER.index(target) for target in targets]
                parameter.copy_(sure * torch.eye(parameter.shape[1])[index])
            elif name.endswith("au.linear.weight"):
                parameter.copy_(sure * torch.eye(2, parameter.shape[1]))
    return model


def examples(dim: int = 4, **targets: Targets) -> Examples:
    """Labels drawn from the softmax of the first three inputs."""
    make = torch.Generator().manual_seed(1)
    mask = torch.ones(12, 9, dtype=torch.bool)
    mask[2, 5:] = False
    given = 2 * torch.randn(12, 9, dim, generator=make)
    p = torch.softmax(given[..., :3], dim=-1).reshape(-1, 3)
    labels = Targets.of(torch.multinomial(p, 1, generator=make).reshape(12, 9))
    return Examples(
        inputs={f"features{dim}": Sequence.of(given, mask=mask)},
        targets=targets or {"expression": labels},
        subjects=tuple(f"made/{n // 2}" for n in range(12)),
    )


def with_map(**changes: Any) -> PipelineConfig:
    return member(maps={"calm": TemperatureConfig(source="expression")}, **changes)


def test_the_map_changes_nothing_until_it_is_fitted_and_is_saved(tmp_path: Path) -> None:
    model, given = build(with_map(), sure=8.0), examples()
    scores = model(given.inputs)
    assert torch.equal(scores["calm"], scores["expression"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = fit_temperature(model, "calm", given, used_elsewhere={"made/9"})
    # eight times too sure
    assert 5 < found < 12
    scores = model(given.inputs)
    torch.testing.assert_close(scores["calm"], scores["expression"] / found)
    assert [name for name, one in model.state_dict().items() if not torch.equal(one, before[name])] == [
        "maps.calm.temperature"
    ]
    flat = given.inputs["features4"].mask.reshape(-1).numpy()
    z = scores["expression"].detach().reshape(-1, 3).numpy()
    assert found == pytest.approx(
        find_temperature_ref(z, given.targets["expression"].values.reshape(-1).numpy(), flat), rel=1e-3
    )
    save(model, tmp_path / "model")
    torch.testing.assert_close(load(tmp_path / "model")(given.inputs)["calm"], scores["calm"])


def test_units_have_a_temperature_too() -> None:
    config = with_map(heads={"au": ActionUnitsConfig(targets=UNITS)})
    config = replace(config, maps={"calm": TemperatureConfig(source="au")})
    chance = torch.rand(12, 9, 2, generator=torch.Generator().manual_seed(5))
    units = Targets.of((chance < torch.sigmoid(examples().inputs["features4"].values[..., :2])).float())
    assert 5 < fit_temperature(build(config, sure=8.0), "calm", examples(au=units)) < 12


def test_classes_that_no_example_shows_are_named() -> None:
    given = examples()
    labels = given.targets["expression"]
    # what is not valid, or padding, shows nothing
    hidden = Targets(labels.values, labels.valid & (labels.values != 1))
    text = "expression: temperature: no example of 'happiness'; it is that of the others, give examples of each"
    given = replace(given, targets={"expression": hidden})
    with pytest.warns(DataWarning) as caught:
        fit_temperature(build(with_map()), "calm", given)
    assert [(str(one.message), one.filename) for one in caught] == [(text, __file__)]
    # once, and not for every member
    with pytest.warns(DataWarning) as caught:
        calibrate_members(build(ensemble()), given)
    assert [(str(one.message), one.filename) for one in caught] == [(text, __file__)]
    config = with_map(heads={"au": ActionUnitsConfig(targets=UNITS)})
    config = replace(config, maps={"calm": TemperatureConfig(source="au")})
    units = (torch.rand(12, 9, 2, generator=torch.Generator().manual_seed(5)) < 0.5).float() * torch.tensor([1, 0])
    with pytest.warns(DataWarning) as caught:
        fit_temperature(build(config), "calm", examples(au=Targets.of(units)))
    assert str(caught[0].message) == (
        "au: temperature: no example of active 'AU2'; it is that of the others, give examples of each"
    )


@pytest.mark.parametrize(
    ("name", "used", "targets", "message"),
    [
        ("cool", [], {}, "maps: no map of a temperature 'cool'; such maps: 'calm'"),
        ("calm", ["made/1"], {}, "examples: subjects 'made/1' are used elsewhere too; choose by others"),
        (
            "calm",
            [],
            {"va": Targets.of(torch.zeros(12, 9, 2))},
            "examples: no labels of 'expression'; they have 'va'",
        ),
        (
            "calm",
            [],
            {"expression": Targets.of(torch.zeros(12, dtype=torch.int64))},
            "expression: labels (12,) for scores (12, 9, 3); give (12, 9)",
        ),
        (
            "calm",
            [],
            {"expression": Targets.of(torch.full((12, 9), 3))},
            "expression: label 3 is none; write 0 to 2, or mark it not valid",
        ),
    ],
)
def test_fits_that_are_refused(name: str, used: list[str], targets: dict[str, Targets], message: str) -> None:
    with pytest.raises(InputError) as caught:
        fit_temperature(build(with_map()), name, examples(4, **targets), used_elsewhere=used)
    assert str(caught.value) == message


def test_compounds_need_labels_of_their_own() -> None:
    names = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
    maps = {"compound": CompoundFromBasicConfig(source="expression"), "calm": TemperatureConfig(source="compound")}
    with pytest.raises(InputError) as caught:
        fit_temperature(build(member(7, targets=names, maps=maps)), "calm", examples(7))
    assert str(caught.value) == "examples: no labels of 'compound'; they have 'expression'"


def ensemble(**changes: Any) -> EnsembleConfig:
    plain: dict[str, Any] = {
        "members": {"one": member(), "two": member(targets=("surprise", "anger", "neutral", "happiness"))},
        "fusion": MeanFusionConfig(),
    }
    return EnsembleConfig(**(plain | changes))


def test_members_are_calibrated_each(tmp_path: Path) -> None:
    model = build(ensemble(maps={"again": TemperatureConfig(source="expression")}))
    with torch.no_grad():
        for parameter in model.get_submodule("members.two").parameters():
            parameter.mul_(9.0)
    model.provenance = ({"name": "known"},)
    given = examples()
    calibrated, found = calibrate_members(model, given)
    assert calibrated.provenance == model.provenance
    assert list(found) == ["expression"]
    assert list(found["expression"]) == ["one", "two"]
    assert found["expression"]["two"] == pytest.approx(9 * found["expression"]["one"], rel=1e-4)
    assert list(calibrated.traced.outputs) == ["expression_calibrated", "again"]
    # by hand: decoded at the temperature, restricted to the common targets, renormalized, averaged
    raw = {name: model.members[name](given.inputs)["expression"] for name in model.members}
    one = torch.softmax(raw["one"] / found["expression"]["one"], dim=-1)
    two = torch.softmax(raw["two"] / found["expression"]["two"], dim=-1)[..., [2, 3, 0]]
    expected = (one + two / two.sum(dim=-1, keepdim=True)) / 2
    torch.testing.assert_close(calibrated.predict(given.inputs)["expression_calibrated"], expected)
    # the original has changed nothing
    assert list(model.traced.outputs) == ["expression", "again"]
    save(calibrated, tmp_path / "model")
    torch.testing.assert_close(
        load(tmp_path / "model").predict(given.inputs)["expression_calibrated"], expected.detach()
    )


def test_a_temperature_of_fewer_classes_is_that_of_the_member_on_them() -> None:
    given = examples()
    _, found = calibrate_members(build(ensemble()), given)
    model = build(ensemble())
    z = model.members["two"](given.inputs)["expression"].detach()[..., [2, 3, 0]].reshape(-1, 3).numpy()
    flat = given.inputs["features4"].mask.reshape(-1).numpy()
    best = find_temperature_ref(z, given.targets["expression"].values.reshape(-1).numpy(), flat)
    assert found["expression"]["two"] == pytest.approx(best, rel=1e-3)


def test_a_class_that_a_member_does_not_know_is_left_out_of_its_fit() -> None:
    given = examples()
    model = build(ensemble(targets="union", fill=0.0))
    values = given.targets["expression"].values.clone()
    values[6:] = 3  # anger, which `one` does not know
    _, found = calibrate_members(model, replace(given, targets={"expression": Targets.of(values)}))
    with pytest.warns(DataWarning, match=r"no example of 'anger'"):
        _, half = calibrate_members(model, given.take(range(6)))
    assert found["expression"]["one"] == pytest.approx(half["expression"]["one"])
    assert found["expression"]["two"] != pytest.approx(half["expression"]["two"])


def test_stacked_coefficients_are_kept_and_values_stay_as_they_are() -> None:
    one = member(heads={"va": ValenceArousalConfig()})
    model = build(ensemble(members={"a": one, "b": one}, fusion=StackingConfig()), sure=2.0)
    calibrated, _ = calibrate_members(model, examples())
    assert list(calibrated.traced.outputs) == ["expression_calibrated", "va"]
    weight = model.get_parameter("fusion.expression.weight")
    assert torch.equal(calibrated.get_parameter("fusion.expression_calibrated.weight"), weight)
    given = examples().inputs
    torch.testing.assert_close(calibrated(given)["va"], model(given)["va"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"fusion": ConcatFusionConfig(), "heads": {"expression": ExpressionConfig(targets=NAMES)}},
            "ensemble: joined by features; write a map `temperature` of its own head into its config, and calibrate "
            "that without temperatures",
        ),
        (
            {"members": dict.fromkeys(("a", "b"), replace(member(), heads={"va": ValenceArousalConfig()}))},
            "ensemble: joins values only, which have no temperature; join classes or labels",
        ),
        (
            {
                "members": {
                    "a": member(),
                    "b": member(maps={"expression_calibrated": TemperatureConfig(source="expression")}),
                },
                "outputs": ("expression",),
            },
            "members.b: has 'expression_calibrated' already; fit it by fit_temperature",
        ),
        (
            {"members": {"a": member(), "b": member()}, "tied": True},
            "ensemble: its members are tied, so that they share a temperature; calibrate the one model first",
        ),
    ],
)
def test_ensembles_that_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        calibrate_members(build(ensemble(**changes)), examples())
    assert str(caught.value) == message


def test_a_member_that_says_nothing_is_named() -> None:
    model = build(ensemble())
    with torch.no_grad():
        for parameter in model.get_submodule("members.two").parameters():
            parameter.mul_(-1.0)
    with pytest.warns(DataWarning) as caught:
        _, found = calibrate_members(model, examples())
    assert [str(one.message) for one in caught] == [
        "members.two.expression: temperature: the best one is above 20, as the scores say little of the labels; "
        "it is 20, give more samples"
    ]
    assert found["expression"]["two"] == 20.0


def test_a_member_that_says_nan_is_named() -> None:
    model = build(ensemble())
    with torch.no_grad():
        next(model.get_submodule("members.two").parameters()).fill_(torch.nan)
    with pytest.raises(InputError) as caught:
        calibrate_members(model, examples())
    assert str(caught.value) == "members.two.expression: scores: NaN or infinite; leave the sample out"
