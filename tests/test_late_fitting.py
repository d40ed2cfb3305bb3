"""Late fusions fitted on people apart: against slow twins, with known answers, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    Branch,
    EnsembleConfig,
    ExpressionConfig,
    FeatureStream,
    MeanFusionConfig,
    PipelineConfig,
    StackingConfig,
    ValenceArousalConfig,
    WeightedFusionConfig,
    load,
    save,
)
from affectkit.errors import InputError, StreamError
from affectkit.late.stacking_fitting import Stacked, fit_stacking, fit_stacking_ref, stacked_scores, stacking_loss
from affectkit.late.weights_fitting import fit_weights, fit_weights_ref, mixture_nll
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.training.late_fusions import PENALTIES, balanced_counts, fit_late_fusion

NAMES = ("neutral", "happiness", "surprise")
UNITS = ("AU1", "AU2")
WEIGHTED = WeightedFusionConfig(weights={"good": 1, "poor": 1, "wrong": 1})


@pytest.mark.parametrize("seed", range(4))
def test_weights_equal_those_of_the_slow_twin(seed: int) -> None:
    make = np.random.default_rng(seed)
    p, counts = make.random((80, 3)) ** 2, make.random(80)
    counts /= counts.sum()
    found, slow = fit_weights(p, counts), fit_weights_ref(p, counts)
    assert found.sum() == pytest.approx(1)
    assert mixture_nll(p, counts, found) <= mixture_nll(p, counts, slow) + 1e-5
    np.testing.assert_allclose(found, slow, atol=0.02)


def test_known_weights() -> None:
    # of a mixture with these weights: what is true is drawn by one member or the other
    make = np.random.default_rng(0)
    members = make.dirichlet(np.full(4, 0.3), size=(20_000, 2))
    drawn_by = (make.random(20_000) < 0.3).astype(int)
    truth = np.array([make.choice(4, p=members[n, m]) for n, m in enumerate(drawn_by)])
    p = members[np.arange(20_000), :, truth]
    np.testing.assert_allclose(fit_weights(p, np.full(20_000, 1 / 20_000)), [0.7, 0.3], atol=0.02)
    # a member that is never more probable than another gets nothing, also if both say 0
    alone = fit_weights(np.array([[0.9, 0.1], [0.8, 0.0], [0.0, 0.0]]), np.full(3, 1 / 3))
    np.testing.assert_allclose(alone, [1, 0], atol=1e-4)


@pytest.mark.parametrize("is_of_classes", [True, False])
def test_stacking_equals_its_slow_twin(is_of_classes: bool) -> None:
    make = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 2, 3, generator=make, dtype=torch.float64)
    if is_of_classes:
        truth, counts = torch.randint(3, (60,), generator=make), torch.rand(60, generator=make, dtype=torch.float64)
        start = torch.eye(3, dtype=torch.float64).repeat(2, 1, 1) / 2
    else:
        truth = torch.randint(2, (60, 3), generator=make)
        counts = torch.rand(60, 3, generator=make, dtype=torch.float64)
        start = torch.full((2, 3), 0.5, dtype=torch.float64)
    given = (inputs, truth, counts / counts.sum(), Stacked(start, torch.zeros(3, dtype=torch.float64)))
    for penalty in (1.0, 1e-3):
        found, slow = fit_stacking(*given, penalty=penalty), fit_stacking_ref(*given, penalty=penalty)
        torch.testing.assert_close(found, slow, atol=1e-6, rtol=1e-6)
    # what is left of it under a strong penalty is the mean
    strong = fit_stacking(*given, penalty=1e6)
    torch.testing.assert_close(strong, given[3], atol=1e-5, rtol=0)


def test_stacking_goes_to_its_minimum() -> None:
    """Members that say almost the same make the loss flat along what tells them apart."""
    make = torch.Generator().manual_seed(0)
    truth = torch.randint(7, (800,), generator=make)
    common = 2 * torch.randn(800, 1, 7, generator=make, dtype=torch.float64)
    common = common + 2 * torch.nn.functional.one_hot(truth, 7)[:, None]
    noise = torch.randn(800, 4, 7, generator=make, dtype=torch.float64)
    inputs = torch.log_softmax(2 * common + 0.02 * noise, dim=-1).clamp(min=-16.0)
    start = Stacked(torch.eye(7, dtype=torch.float64).repeat(4, 1, 1) / 4, torch.zeros(7, dtype=torch.float64))
    counts = torch.full((800,), 1 / 800, dtype=torch.float64)
    found = Stacked(*(part.requires_grad_() for part in fit_stacking(inputs, truth, counts, start, penalty=1e-4)))
    away = (found.weight - start.weight).square().sum() + found.bias.square().sum()
    slopes = torch.autograd.grad(stacking_loss(found, inputs, truth, counts) + 1e-4 / 2 * away, list(found))
    assert max(float(slope.abs().max()) for slope in slopes) < 1e-8


def test_a_label_without_anything_valid_stays_at_the_mean() -> None:
    start = Stacked(torch.full((2, 2), 0.5, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
    inputs = torch.tensor([[[1.0, 3.0], [2.0, 3.0]], [[-1.0, 3.0], [1.0, 3.0]]], dtype=torch.float64)
    counts = torch.tensor([[0.5, 0.0], [0.5, 0.0]], dtype=torch.float64)
    found = fit_stacking(inputs, torch.tensor([[1, 0], [0, 0]]), counts, start, penalty=0.1)
    assert found.weight[:, 1].tolist() == [0.5, 0.5]
    assert found.bias[1] == 0
    assert found.weight[0, 0] > 0.5


def test_counts_are_balanced() -> None:
    labels, valid = np.array([0, 0, 0, 1, 2, -1]), np.array([True, True, False, True, True, False])
    np.testing.assert_allclose(balanced_counts(labels, valid), [1 / 6, 1 / 6, 0, 1 / 3, 1 / 3, 0])
    units = np.array([[1, 0], [0, 0], [0, 1], [0, 7]])
    known = np.array([[True, True], [True, True], [True, True], [True, False]])
    expected = [[1 / 4, 1 / 8], [1 / 12, 1 / 8], [1 / 12, 1 / 4], [1 / 12, 0]]
    np.testing.assert_allclose(balanced_counts(units, known), expected)


def member(**heads: Any) -> PipelineConfig:
    return PipelineConfig(
        input=FeatureStream(dim=9),
        branches={"face": Branch()},
        heads=heads or {"expression": ExpressionConfig(targets=NAMES)},
    )


def build(config: EnsembleConfig) -> Any:
    """Three members: of the nine inputs each looks at three, which say much, little, or what is not so."""
    torch.manual_seed(0)
    model = config.build().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("members."):
                first = 3 * ("good", "poor", "wrong").index(name.split(".")[1])
                parameter.zero_()
                if parameter.ndim == 2:
                    count = len(parameter)
                    parameter[:, first : first + count] = torch.eye(count)
    return model


def ensemble(fusion: Any = WEIGHTED, **heads: Any) -> EnsembleConfig:
    return EnsembleConfig(members=dict.fromkeys(("good", "poor", "wrong"), member(**heads)), fusion=fusion)


def examples(people: int = 40, seed: int = 0, **targets: Targets) -> Examples:
    make = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (people, 6), generator=make)
    told = torch.nn.functional.one_hot(labels, 3).float()
    # what the third member says of a class is what is true of the next one
    clean = torch.cat([2 * told, told, 2 * told.roll(1, dims=-1)], dim=-1)
    mask = torch.ones(people, 6, dtype=torch.bool)
    mask[0, 4:] = False
    return Examples(
        inputs={"clip": Sequence.of(clean + torch.randn(people, 6, 9, generator=make), mask=mask)},
        targets=targets or {"expression": Targets.of(labels)},
        subjects=tuple(f"made/{seed}-{n:02}" for n in range(people)),
    )


def accuracy(model: Any, given: Examples) -> float:
    found = model.predict(given.inputs)["expression"].argmax(dim=-1)
    right = (found == given.targets["expression"].values)[given.inputs["clip"].mask]
    return float(right.float().mean())


def test_the_better_member_gets_the_weight(tmp_path: Path) -> None:
    model, others = build(ensemble()), examples(seed=1)
    before, state = accuracy(model, others), {name: one.clone() for name, one in model.state_dict().items()}
    fit = fit_late_fusion(model, examples(), used_elsewhere=others.subjects)
    assert list(fit.weights) == ["good", "poor", "wrong"]
    assert fit.weights["good"] > 0.7
    assert fit.weights["wrong"] < 0.02
    assert fit.penalties == {}
    assert fit.held_out == {}
    assert model.config.fusion == WeightedFusionConfig(weights=fit.weights)
    assert accuracy(model, others) > before + 0.05
    assert all(torch.equal(one, state[name]) for name, one in model.state_dict().items())
    save(model, tmp_path / "model")
    torch.testing.assert_close(
        load(tmp_path / "model").predict(others.inputs)["expression"], model.predict(others.inputs)["expression"]
    )


def test_weights_are_the_best_of_what_was_given() -> None:
    model, given = build(ensemble()), examples()
    fit = fit_late_fusion(model, given)
    probabilities = torch.stack(
        [model.members[name].predict(given.inputs)["expression"] for name in model.members], dim=-1
    )
    labels, mask = given.targets["expression"].values, given.inputs["clip"].mask
    p = probabilities.gather(2, labels[..., None, None].expand(-1, -1, 1, 3))[..., 0, :][mask].double().numpy()
    counts = balanced_counts(labels[mask].numpy(), np.ones(len(p), bool))
    slow = fit_weights_ref(p, counts)
    np.testing.assert_allclose(list(fit.weights.values()), slow, atol=0.011)


def test_stacking_learns_what_a_wrong_member_means(tmp_path: Path) -> None:
    model, others = build(ensemble(StackingConfig())), examples(seed=1)
    weighted = build(ensemble())
    fit_late_fusion(weighted, examples())
    fit = fit_late_fusion(model, examples(), used_elsewhere=others.subjects)
    # that member knows as much as the good one, in another order, which no weight can say
    assert accuracy(model, others) > accuracy(weighted, others) + 0.03
    assert list(fit.held_out["expression"]) == list(PENALTIES)
    assert fit.penalties["expression"] == min(fit.held_out["expression"], key=fit.held_out["expression"].__getitem__)
    save(model, tmp_path / "model")
    torch.testing.assert_close(
        load(tmp_path / "model").predict(others.inputs)["expression"], model.predict(others.inputs)["expression"]
    )


def test_the_module_says_what_was_fitted() -> None:
    model, given = build(ensemble(StackingConfig())), examples()
    fit = fit_late_fusion(model, given, penalty=0.01)
    assert fit.penalties == {"expression": 0.01}
    assert fit.held_out == {"expression": {}}
    fusion = model.fusion["expression"]
    each = [model.members[name].predict(given.inputs)["expression"] for name in model.members]
    logs = torch.stack(each, dim=2).log()
    scores = stacked_scores(Stacked(fusion.weight, fusion.bias), logs.reshape(-1, 3, 3))
    expected = torch.softmax(scores, dim=-1).reshape(40, 6, 3)
    torch.testing.assert_close(model.predict(given.inputs)["expression"], expected, atol=1e-4, rtol=1e-4)
    # fitted anew it is the same: it begins at the mean, and not at what it was
    again = {name: one.clone() for name, one in model.state_dict().items()}
    fit_late_fusion(model, given, penalty=0.01)
    torch.testing.assert_close(dict(model.state_dict()), again)


def test_padding_and_what_is_not_valid_count_nothing() -> None:
    given = examples()
    labels = given.targets["expression"].values.clone()
    labels[0, 4:] = (labels[0, 4:] + 1) % 3
    labels[3] = -1
    valid = torch.ones_like(labels, dtype=torch.bool)
    valid[3] = False
    other = replace(given, targets={"expression": Targets(labels, valid)})
    without = given.take([n for n in range(40) if n != 3])
    for fusion in (WEIGHTED, StackingConfig()):
        one, two = build(ensemble(fusion)), build(ensemble(fusion))
        first = fit_late_fusion(one, other, penalty=0.1)
        assert first.weights == pytest.approx(fit_late_fusion(two, without, penalty=0.1).weights)
        torch.testing.assert_close(dict(one.state_dict()), dict(two.state_dict()))


def test_every_member_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = build(ensemble(StackingConfig())), []
    run = Pipeline.run

    def counted(self: Any, batch: Any, *rest: Any) -> Any:
        rows.append(len(batch["clip"].values))
        return run(self, batch, *rest)

    monkeypatch.setattr(Pipeline, "run", counted)
    fit_late_fusion(model, examples())
    assert sum(rows) == 3 * 40


@pytest.mark.parametrize("fusion", [WEIGHTED, StackingConfig()], ids=["weighted", "stacking"])
def test_units(fusion: Any) -> None:
    au = ActionUnitsConfig(targets=UNITS)
    told = {seed: examples(seed=seed).targets["expression"].values for seed in (0, 1)}
    units = {seed: torch.nn.functional.one_hot(labels, 3)[..., :2].float() for seed, labels in told.items()}
    model = build(ensemble(fusion, au=au))
    others = examples(seed=1, au=Targets.of(units[1]))

    def error() -> float:
        found = model.predict(others.inputs)["au"]
        return torch.nn.functional.binary_cross_entropy(found, units[1]).item()

    before = error()
    fit_late_fusion(model, examples(au=Targets.of(units[0])), used_elsewhere=others.subjects)
    assert error() < before - 0.02


def test_outputs_without_labels_stay_as_they_are() -> None:
    heads = {"expression": ExpressionConfig(targets=NAMES), "va": ValenceArousalConfig()}
    model = build(ensemble(StackingConfig(), **heads))
    before = model.get_parameter("fusion.va.weight").clone()
    assert list(fit_late_fusion(model, examples()).penalties) == ["expression"]
    assert torch.equal(model.get_parameter("fusion.va.weight"), before)


def relabeled(values: Any) -> Examples:
    given = examples()
    return replace(given, targets={"expression": Targets.of(values(given.targets["expression"].values))})


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        (
            ensemble(MeanFusionConfig()),
            {},
            "fusion: MeanFusionConfig is not fitted here; join scores by WeightedFusionConfig or StackingConfig",
        ),
        (ensemble(), {"penalty": 0.0}, "penalty: 0.0; give more than 0, or None to choose one"),
        (
            ensemble(),
            {"used_elsewhere": ["made/0-03", "made/7"]},
            "examples: subjects 'made/0-03' are used elsewhere too; choose by others",
        ),
        (
            ensemble(),
            {"outputs": ["expresion"]},
            "outputs: 'expresion' is not joined; did you mean 'expression'? joined: 'expression'",
        ),
        (ensemble(), {"outputs": []}, "outputs: none; name one, or leave it out for all with labels"),
        (
            ensemble(),
            {"examples": examples(va=Targets.of(torch.zeros(40, 6, 2)))},
            "examples: no labels of 'expression'; they have 'va'",
        ),
        (
            ensemble(va=ValenceArousalConfig()),
            {"examples": examples(va=Targets.of(torch.zeros(40, 6, 2)))},
            "fusion.va: problem 'regression' has no likelihood; name the outputs of classes or labels in outputs=",
        ),
        (
            ensemble(),
            {"examples": relabeled(lambda labels: labels.clamp(max=1))},
            "examples: no expression label is 'surprise'; add people who show it, or drop it from the members' targets",
        ),
        (
            ensemble(),
            {"examples": relabeled(lambda labels: labels + 1)},
            "fusion.expression: label 3 is none; write 0 to 2, or mark it not valid",
        ),
        (
            ensemble(au=ActionUnitsConfig(targets=UNITS)),
            {"examples": examples(au=Targets.of(torch.eye(2)[torch.ones(40, 6, dtype=torch.int64)]))},
            "examples: no au label is with 'AU1'; add people who show it, or drop it from the members' targets",
        ),
        (
            ensemble(au=ActionUnitsConfig(targets=UNITS)),
            {"examples": examples(au=Targets.of(torch.full((40, 6, 2), 0.5)))},
            "fusion.au: label 0.5 is none; write 0 or 1, or mark it not valid",
        ),
        (
            replace(ensemble(), on_nan="drop"),
            {},
            "on_nan: 'drop', and a fit needs every member in every row; fit with 'refuse', then set it",
        ),
        (
            ensemble(StackingConfig()),
            {"examples": replace(examples(), subjects=("made/1",) * 40)},
            "examples: 1 subject; choosing a penalty needs at least 2, or give penalty=",
        ),
    ],
)
def test_fits_that_are_refused(config: EnsembleConfig, arguments: dict[str, Any], message: str) -> None:
    model = build(config)
    with pytest.raises(InputError) as caught:
        fit_late_fusion(model, **({"examples": examples()} | arguments))
    assert str(caught.value) == message


def test_members_without_common_classes_are_refused_by_the_trace() -> None:
    two = member(expression=ExpressionConfig(targets=("anger", "fear")))
    with pytest.raises(StreamError) as caught:
        EnsembleConfig(members={"good": member(), "poor": two}, fusion=StackingConfig()).trace()
    assert str(caught.value) == (
        "fusion.expression: 0 common targets, multiclass needs 2; 'good' has 'neutral', 'happiness', 'surprise'; "
        "'poor' has 'anger', 'fear'"
    )


def test_a_member_that_says_nan_is_named() -> None:
    model = build(ensemble())
    with torch.no_grad():
        model.get_parameter("members.poor.heads.expression.linear.bias").fill_(torch.nan)
    with pytest.raises(InputError) as caught:
        fit_late_fusion(model, examples())
    message = (
        "members.poor: output 'expression' is not finite (NaN or infinite) in 94 of 96 rows; mend the member or what "
        "it is given, or write on_nan='drop' to join the others"
    )
    assert str(caught.value) == message
    assert model.config.fusion == WEIGHTED
