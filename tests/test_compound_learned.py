"""Score map `compound-learned`, and its fit: at the minimum, on the given people alone, saved with the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import (
    Branch,
    CompoundFromBasicConfig,
    CompoundLearnedConfig,
    EnsembleConfig,
    ExpressionConfig,
    FeatureStream,
    MeanFusionConfig,
    PipelineConfig,
    load,
    save,
)
from affectkit.data.labels import ABAW_8, BASIC_7, COMPOUND_7, COMPOUND_11
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.maps.compound_from_basic_net import CompoundFromBasic
from affectkit.maps.compound_learned_net import CompoundLearned, basic_features, product_weight
from affectkit.model import Model
from affectkit.ops import softmax_regression
from affectkit.ops.softmax_regression import fit_softmax, fit_softmax_ref, softmax_loss
from affectkit.sequences import Sequence, Targets
from affectkit.streams import PredictionStream
from affectkit.training import Examples
from affectkit.training.compound_maps import fit_compound_map

STREAM = PredictionStream(problem="multiclass", resolution="frame", targets=ABAW_8)
TARGETS = ("happily_surprised", "sadly_surprised", "sadly_angry")


@pytest.mark.parametrize("targets", [COMPOUND_7, COMPOUND_11])
def test_it_begins_as_the_product_rule(targets: tuple[str, ...]) -> None:
    net = CompoundLearned(CompoundLearnedConfig(source="x", targets=targets), STREAM)
    product = CompoundFromBasic(CompoundFromBasicConfig(source="x", targets=targets, rule="product"), STREAM)
    scores = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net.combine(scores), product.combine(scores))
    assert sorted(net.state_dict()) == ["bias", "weight"]


def test_certain_scores_stay_finite() -> None:
    net = CompoundLearned(CompoundLearnedConfig(source="x"), STREAM)
    assert torch.isfinite(net.combine(torch.eye(8).log())).all()
    assert basic_features(torch.eye(8).log()).min() == -20


def test_what_the_config_refuses() -> None:
    with pytest.raises(ConfigError) as caught:
        CompoundLearnedConfig(source="x", targets=("angrily_happy", "sadly_angry"))
    assert str(caught.value).startswith("targets: 'angrily_happy' is no known compound; ")
    with pytest.raises(StreamError) as missing:
        CompoundLearnedConfig(source="x").output(
            PredictionStream(problem="multiclass", resolution="clip", targets=("a", "b"))
        )
    assert str(missing.value) == (
        "no scores of 'fear', 'surprise', 'happiness', 'sadness', 'disgust', 'anger', "
        "which the compounds are made of; targets: 'a', 'b'"
    )


def rows(seed: int, count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    make = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    x = torch.randn(count, 5, generator=make, dtype=torch.float64) * torch.tensor([1.0, 8.0, 0.1, 3.0, 1.0])
    return x + 0.7 * torch.nn.functional.one_hot(labels, 5), labels


@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_equals_its_slow_twin(weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax_regression, "_AT_ONCE", 64)
    x, labels = rows(3)
    start = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    v = torch.rand(len(x), generator=torch.Generator().manual_seed(2)) if weighted else None
    for l2 in (0.001, 1.0):
        found = fit_softmax(x, labels, start, l2=l2, weights=v)
        slow = fit_softmax_ref(x, labels, start, l2=l2, weights=v)
        torch.testing.assert_close((found.weight, found.bias), slow, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [1e-6, 0.01, 10.0])
def test_the_fit_is_at_the_minimum(l2: float, weighted: bool) -> None:
    x, labels = rows(0)
    start = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    v = torch.rand(len(x), generator=torch.Generator().manual_seed(2), dtype=torch.float64) if weighted else None
    found = fit_softmax(x, labels, start, l2=l2, weights=v)
    # J is strictly convex: where autograd finds no slope is the one minimum
    w = torch.cat([found.weight, found.bias[:, None]], dim=1).requires_grad_()
    w_0 = torch.cat([start, torch.zeros(3, 1)], dim=1)
    ones = torch.cat([x, torch.ones(len(x), 1)], dim=1)
    shares = torch.full((len(x),), 1 / len(x), dtype=torch.float64) if v is None else v / v.sum()
    (slope,) = torch.autograd.grad(softmax_loss(w, ones, labels, shares, w_0, l2), w)
    assert slope.abs().max() <= 1e-9 * max(1.0, l2) * 1.01
    assert found.after < found.before


def test_rows_that_say_nothing_leave_the_start() -> None:
    start = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = fit_softmax(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), start, l2=0.1)
    torch.testing.assert_close(found.weight, start.double())
    torch.testing.assert_close(found.bias, torch.zeros(2, dtype=torch.float64))


def test_separable_rows_have_a_minimum_too() -> None:
    x = torch.tensor([[-20.0], [-19.0], [0.0], [0.0]])
    found = fit_softmax(x, torch.tensor([0, 0, 1, 1]), torch.zeros(2, 1), l2=1e-6)
    assert found.after < 1e-3
    assert found.weight.isfinite().all()


def test_fits_that_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = rows(0)
    with pytest.raises(InputError) as caught:
        fit_softmax(x, labels, torch.zeros(3, 5), l2=0.0)
    assert str(caught.value) == "l2: 0.0 is no penalty; give more than 0"
    monkeypatch.setattr(softmax_regression, "_STEPS", 2)
    with pytest.raises(InputError) as caught:
        fit_softmax(x, labels, torch.zeros(3, 5), l2=1e-9)
    assert str(caught.value) == "features: no minimum in 2 steps; raise l2=1e-09"


def build(resolution: Any = "clip") -> Model:
    torch.manual_seed(0)
    config = PipelineConfig(
        input=FeatureStream(dim=4),
        branches={"face": Branch()},
        heads={"expression": ExpressionConfig(targets=BASIC_7, resolution=resolution)},
        maps={
            "compound": CompoundLearnedConfig(source="expression", targets=TARGETS),
            "rule": CompoundFromBasicConfig(source="expression", targets=TARGETS),
        },
    )
    return config.build().eval()


def examples(labels: torch.Tensor | None = None, *, frames: bool = False) -> Examples:
    make = torch.Generator().manual_seed(1)
    given = torch.arange(12) % 3 if labels is None else labels
    if frames and labels is None:
        given = (torch.arange(12)[:, None] + torch.arange(5)) % 3
    values = torch.randn(12, 5, 4, generator=make)
    values = values + torch.nn.functional.one_hot(given % 3, 4).reshape(12, -1, 4)
    mask = torch.ones(12, 5, dtype=torch.bool)
    mask[2, 3:] = False
    return Examples(
        inputs={"clip": Sequence.of(values, mask=mask)},
        targets={"compound": Targets.of(given)},
        subjects=tuple(f"made/{n // 3}" for n in range(12)),
    )


@pytest.mark.parametrize("resolution", ["clip", "frame"])
def test_the_map_is_fitted_to_the_given_part_alone(resolution: str) -> None:
    frames = resolution == "frame"
    whole, part = examples(frames=frames), list(range(9))
    model = build(resolution)
    found = fit_compound_map(model, "compound", whole.take(part), used_elsewhere={"made/3"})
    assert found.after < found.before
    assert sum(found.labels.values()) == (43 if frames else 9)
    # everything else is turned around: labels of the other part, and of padding
    values = (whole.targets["compound"].values + 1) % 3
    values[:9] = whole.targets["compound"].values[:9]
    if frames:
        values[2, 3:] = (values[2, 3:] + 1) % 3
    turned = Examples(inputs=whole.inputs, targets={"compound": Targets.of(values)}, subjects=whole.subjects)
    other = build(resolution)
    fit_compound_map(other, "compound", turned.take(part))
    assert torch.equal(other.get_buffer("maps.compound.weight"), model.get_buffer("maps.compound.weight"))
    fit_compound_map(other, "compound", turned)
    assert not torch.equal(other.get_buffer("maps.compound.weight"), model.get_buffer("maps.compound.weight"))


def test_a_large_penalty_keeps_the_product_rule() -> None:
    model = build()
    fit_compound_map(model, "compound", examples(), l2=1e9)
    part: Any = model.get_submodule("maps.compound")
    torch.testing.assert_close(part.weight, product_weight(part.config, model.traced.outputs["expression"]))
    assert part.bias.abs().max() < 1e-6


def test_balance_gives_every_compound_the_same_say() -> None:
    rare = torch.tensor([0] * 8 + [1, 1, 1, 2])
    model, plain = build(), build()
    fit_compound_map(model, "compound", examples(rare), balanced=True, l2=1.0)
    found = fit_compound_map(plain, "compound", examples(rare), l2=1.0)
    assert found.labels == {"happily_surprised": 8, "sadly_surprised": 3, "sadly_angry": 1}
    balanced, skewed = (one.get_buffer("maps.compound.bias") for one in (model, plain))
    assert balanced[2] > skewed[2]


def test_a_fitted_map_is_saved_with_the_model(tmp_path: Path) -> None:
    model = build()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit_compound_map(model, "compound", examples())
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"maps.compound.weight", "maps.compound.bias"}
    save(model, tmp_path / "model")
    clips = examples().inputs
    torch.testing.assert_close(load(tmp_path / "model").predict(clips)["compound"], model.predict(clips)["compound"])
    assert not model.training


def test_the_map_of_an_ensemble_is_fitted_to_what_its_members_say_together() -> None:
    torch.manual_seed(0)
    member = PipelineConfig(
        input=FeatureStream(dim=4),
        branches={"face": Branch()},
        heads={"expression": ExpressionConfig(targets=BASIC_7, resolution="clip")},
    )
    model = EnsembleConfig(
        members={"a": member, "b": member},
        fusion=MeanFusionConfig(),
        maps={"compound": CompoundLearnedConfig(source="expression", targets=TARGETS)},
    ).build()
    found = fit_compound_map(model, "compound", examples())
    assert found.after < found.before
    assert model.get_buffer("maps.compound.bias").abs().max() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "compounds"},
            "maps: no map that learns compounds 'compounds'; did you mean 'compound'? such maps: 'compound'",
        ),
        ({"name": "rule"}, "maps: no map that learns compounds 'rule'; such maps: 'compound'"),
        (
            {"used_elsewhere": ["made/1", "made/7"]},
            "examples: subjects 'made/1' are used elsewhere too; choose by others",
        ),
        (
            {"examples": examples(torch.tensor([0, 1] * 6))},
            "examples: no valid label of 'sadly_angry'; give some, or leave it out of the map's targets",
        ),
        (
            {"examples": examples(torch.tensor([0, 1, 3] * 4))},
            "examples: label 3 of 'compound' is none of 0 to 2; mark it as not valid, or mend it",
        ),
        (
            {"model": build("frame")},
            "examples: labels of 'compound' are (12,) for scores (12, 5, 7); give a class number per row of scores",
        ),
        (
            {
                "examples": Examples(
                    inputs=examples().inputs,
                    targets={"compound": Targets.of(torch.rand(12))},
                    subjects=examples().subjects,
                )
            },
            "examples: labels of 'compound' are torch.float32; give class numbers, int64",
        ),
        (
            {
                "examples": Examples(
                    inputs=examples().inputs,
                    targets={"expression": Targets.of(torch.zeros(12).long())},
                    subjects=examples().subjects,
                )
            },
            "examples: no labels of 'compound'; they have 'expression'",
        ),
        ({"l2": -1.0}, "l2: -1.0 is no penalty; give more than 0"),
    ],
)
def test_fits_of_models_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    plain: dict[str, Any] = {"model": build(), "name": "compound", "examples": examples()}
    with pytest.raises(InputError) as caught:
        fit_compound_map(**(plain | arguments))
    assert str(caught.value) == message


def test_scores_that_are_no_numbers_are_refused() -> None:
    model = build()
    model.get_parameter("heads.expression.linear.bias").data.fill_(float("nan"))
    with pytest.raises(InputError) as caught:
        fit_compound_map(model, "compound", examples())
    assert str(caught.value) == "examples: scores of 'expression' are NaN or infinite; leave such clips out"
