"""Score map `compound-from-basic`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Literal

import pytest
import torch

from affectkit import Branch, ExpressionConfig, FeatureStream, PipelineConfig
from affectkit.data.labels import ABAW_8, BASIC_7, BASIC_8, COMPOUND_7, COMPOUND_11
from affectkit.errors import ConfigError, StreamError
from affectkit.files import config_from_data, config_to_data
from affectkit.maps.compound_from_basic import AVCER_WEIGHTS, C_EXPR_PRIOR, CompoundFromBasicConfig
from affectkit.maps.compound_from_basic_net import CompoundFromBasic, combine_ref
from affectkit.streams import PredictionStream

STREAM = PredictionStream(problem="multiclass", resolution="frame", targets=ABAW_8)
INF = float("inf")
RULES = ("sum", "product", "min", "geometric", "harmonic")
Rule = Literal["sum", "product", "min", "geometric", "harmonic"]
# By what they show: each option alone, and all of them.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "weights": {"weights": AVCER_WEIGHTS},
    "threshold": {"threshold": 1 / 7},
    "prior": {"prior": C_EXPR_PRIOR},
    "all": {"weights": AVCER_WEIGHTS, "threshold": 1 / 7, "prior": C_EXPR_PRIOR},
}


def stream(*targets: str) -> PredictionStream:
    return PredictionStream(problem="multiclass", resolution="clip", targets=targets)


def test_output_keeps_the_resolution() -> None:
    config = CompoundFromBasicConfig(source="expression")
    assert config.output(STREAM) == PredictionStream(problem="multiclass", resolution="frame", targets=COMPOUND_7)
    assert config.output(stream(*BASIC_7)).resolution == "clip"


def test_the_config_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import affectkit.maps.compound_from_basic"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("sum", [0.3 + 0.2, 0.3 + 0.1, 0.2 + 0.1]),
        ("product", [0.3 * 0.2, 0.3 * 0.1, 0.2 * 0.1]),
        ("min", [0.2, 0.1, 0.1]),
        ("geometric", [0.06**0.5, 0.03**0.5, 0.02**0.5]),
        ("harmonic", [0.06 / 0.5, 0.03 / 0.4, 0.02 / 0.3]),
    ],
)
def test_rules_by_hand(rule: Rule, expected: list[float]) -> None:
    # neutral has 0.4, which cancels; the order of the source is not that of the pairs
    source = stream("surprise", "neutral", "sadness", "anger")
    targets = ("sadly_surprised", "angrily_surprised", "sadly_angry")
    config = CompoundFromBasicConfig(source="x", targets=targets, rule=rule)
    log_p = CompoundFromBasic(config, source).combine(torch.tensor([[0.3, 0.4, 0.2, 0.1]]).log())
    wanted = torch.tensor([expected])
    torch.testing.assert_close(log_p.exp(), wanted / wanted.sum())


def test_takes_logits_and_any_leading_shape() -> None:
    torch.manual_seed(0)
    net = CompoundFromBasic(CompoundFromBasicConfig(source="x", targets=COMPOUND_11), STREAM)
    scores = torch.randn(2, 3, 8)
    before = scores.clone()
    log_p = net.combine(scores)
    assert log_p.shape == (2, 3, 11)
    torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(2, 3))
    torch.testing.assert_close(net.combine(torch.log_softmax(scores, -1)), log_p)
    torch.testing.assert_close(net.combine(scores[1]), log_p[1])
    assert torch.equal(scores, before)
    assert list(net.state_dict()) == []


@pytest.mark.parametrize("rule", RULES)
def test_certain_scores_stay_finite_with_a_finite_gradient(rule: Rule) -> None:
    net = CompoundFromBasic(CompoundFromBasicConfig(source="x", rule=rule), STREAM)
    certain = torch.eye(8).log()  # one expression has all, minus infinity for the others
    assert certain.min() == -INF
    log_p = net.combine(certain)
    assert torch.isfinite(log_p).all()
    torch.testing.assert_close(log_p[0].exp(), torch.full((7,), 1 / 7))  # all neutral: no pair is preferred
    scores = (1000 * torch.eye(8)).requires_grad_()
    torch.autograd.backward(net.combine(scores)[:, 0].sum())
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def test_what_neutral_takes_does_not_blur_the_rest() -> None:
    net = CompoundFromBasic(CompoundFromBasicConfig(source="x"), STREAM)
    scores = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0])
    loud = scores + torch.tensor([1000.0, 0, 0, 0, 0, 0, 0, 0])
    torch.testing.assert_close(net.combine(loud), net.combine(scores), atol=1e-3, rtol=0)


@pytest.mark.parametrize("targets", [COMPOUND_7, COMPOUND_11], ids=["7", "11"])
@pytest.mark.parametrize("source", [BASIC_7, BASIC_8, ABAW_8], ids=["7", "contempt", "other"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", OPTIONS)
def test_it_equals_its_slow_twin(name: str, rule: Rule, source: tuple[str, ...], targets: tuple[str, ...]) -> None:
    options = dict(OPTIONS[name])
    if rule != "sum":
        options.pop("weights", None)
    if "prior" in options:
        options["prior"] = {target: 1.0 + k for k, target in enumerate(targets)}
    config = CompoundFromBasicConfig(source="x", rule=rule, targets=targets, **options)
    net = CompoundFromBasic(config, stream(*source))
    make = torch.Generator().manual_seed(0)
    scores = 2 * torch.randn(40, len(source), generator=make, dtype=torch.float64)
    log_p = torch.log_softmax(scores, dim=-1).requires_grad_()
    p = log_p.detach().exp().requires_grad_()
    fast, slow = net.combine(log_p).exp(), combine_ref(p, config, stream(*source))
    torch.testing.assert_close(fast, slow)
    # gradients by the probabilities' logarithms; the fast one renormalizes them, so both are projected as that does
    share = torch.randn(slow.shape, generator=make, dtype=torch.float64)
    (by_log,) = torch.autograd.grad((fast * share).sum(), log_p)
    (by_p,) = torch.autograd.grad((slow * share).sum(), p)
    by_p = by_p * p
    torch.testing.assert_close(by_log, by_p - p * by_p.sum(dim=-1, keepdim=True))


def test_avcer_by_hand() -> None:
    source = stream("surprise", "happiness", "sadness")
    targets = ("happily_surprised", "sadly_surprised")
    weights = {name: AVCER_WEIGHTS[name] for name in source.targets}
    config = CompoundFromBasicConfig(source="x", targets=targets, weights=weights)
    log_p = CompoundFromBasic(config, source).combine(torch.tensor([0.5, 0.2, 0.3]).log())
    wanted = torch.tensor([6 / 8 * 0.2 + 2 / 8 * 0.5, 4 / 6 * 0.3 + 2 / 6 * 0.5])
    torch.testing.assert_close(log_p.exp(), wanted / wanted.sum())


def test_equal_weights_are_none() -> None:
    config = CompoundFromBasicConfig(source="x", weights=dict.fromkeys(AVCER_WEIGHTS, 3.0))
    plain = CompoundFromBasic(CompoundFromBasicConfig(source="x"), STREAM)
    scores = torch.randn(9, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(CompoundFromBasic(config, STREAM).combine(scores), plain.combine(scores))


def test_a_threshold_takes_the_faint_ones_away() -> None:
    source = stream("surprise", "happiness", "sadness", "neutral")
    targets = ("happily_surprised", "sadly_surprised")
    p = torch.tensor([[0.3, 0.25, 0.14, 0.31], [0.1, 0.12, 0.08, 0.7]])
    for rule, first in (("sum", [0.55, 0.3]), ("product", [0.075, 0.0])):
        config = CompoundFromBasicConfig(source="x", targets=targets, rule=rule, threshold=1 / 7)  # type: ignore[arg-type]
        found = CompoundFromBasic(config, source).combine(p.log()).exp()
        wanted = torch.tensor(first)
        torch.testing.assert_close(found[0], wanted / wanted.sum())
        # nothing passes in the second: as if there were no threshold
        plain = CompoundFromBasicConfig(source="x", targets=targets, rule=rule)  # type: ignore[arg-type]
        torch.testing.assert_close(found[1], CompoundFromBasic(plain, source).combine(p.log()).exp()[1])


def test_a_prior_is_a_factor() -> None:
    assert sum(C_EXPR_PRIOR.values()) == pytest.approx(1)
    scores = torch.randn(9, 8, generator=torch.Generator().manual_seed(0))
    plain = CompoundFromBasic(CompoundFromBasicConfig(source="x"), STREAM).combine(scores).exp()
    config = CompoundFromBasicConfig(source="x", prior=C_EXPR_PRIOR)
    wanted = plain * torch.tensor([C_EXPR_PRIOR[name] for name in COMPOUND_7])
    found = CompoundFromBasic(config, STREAM).combine(scores).exp()
    torch.testing.assert_close(found, wanted / wanted.sum(dim=-1, keepdim=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"rule": "min", "weights": AVCER_WEIGHTS},
            "weights: weights have no effect on rule 'min'; leave them out, or take rule='sum'",
        ),
        (
            {"weights": {**AVCER_WEIGHTS, "fears": 1.0}},
            "weights: 'fears' is in none of the targets; did you mean 'fear'? "
            "names: 'fear', 'surprise', 'happiness', 'sadness', 'disgust', 'anger'",
        ),
        ({"weights": {"fear": 1.0, "anger": 2.0, "sadness": 1.0, "surprise": 1.0}},
         "weights: nothing for 'happiness', 'disgust'; give one for each, or none at all"),
        ({"weights": {**AVCER_WEIGHTS, "fear": 0.0}}, "weights.fear: 0.0 is not above 0; write more than 0"),
        ({"prior": {**C_EXPR_PRIOR, "sadly_angry": -1.0}},
         "prior.sadly_angry: -1.0 is not above 0; write more than 0"),
        ({"prior": {"sadly_angry": 1.0}, "targets": ("sadly_angry", "sadly_fearful")},
         "prior: nothing for 'sadly_fearful'; give one for each, or none at all"),
        ({"threshold": 1.0}, "threshold: 1.0 is no threshold of probabilities; write 0 to less than 1"),
        (
            {"threshold": 0.5, "rule": "product"},
            "threshold: no pair is ever above 0.5 with both, as rule 'product' wants it; "
            "write less than 0.5, or take rule='sum'",
        ),
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CompoundFromBasicConfig(source="x", **options)
    assert str(caught.value) == message


def test_a_file_without_the_newer_fields_keeps_loading() -> None:
    config = PipelineConfig(
        input=FeatureStream(dim=4),
        branches={"face": Branch()},
        heads={"expression": ExpressionConfig()},
        maps={"compound": CompoundFromBasicConfig(source="expression", rule="min")},
    )
    data = config_to_data(config)
    assert config_from_data(data) == config
    for name in ("weights", "threshold", "prior"):
        del data["maps"]["compound"][name]
    assert config_from_data(data) == config


def test_an_unknown_compound_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        CompoundFromBasicConfig(source="x", targets=("sadly_angry", "sadly_suprised"))
    assert str(caught.value) == (
        "targets: 'sadly_suprised' is no known compound; did you mean 'sadly_surprised'? compounds: "
        "'fearfully_surprised', 'happily_surprised', 'sadly_surprised', 'disgustedly_surprised', 'angrily_surprised', "
        "'sadly_fearful', 'sadly_angry', 'happily_disgusted', 'sadly_disgusted', 'fearfully_angry' and 4 more"
    )


def test_repeated_and_single_targets_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        CompoundFromBasicConfig(source="x", targets=("sadly_angry", "sadly_angry")).output(STREAM)
    assert str(caught.value) == "targets: 'sadly_angry' named twice; names are unique"
    with pytest.raises(ConfigError) as caught:
        CompoundFromBasicConfig(source="x", targets=("sadly_angry",)).output(STREAM)
    assert str(caught.value) == "targets: one target 'sadly_angry'; multiclass needs two or more"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            stream("neutral", "angry", "disgust", "fear", "happiness", "sad", "surprise"),
            "no scores of 'sadness', 'anger', which the compounds are made of; "
            "rename 'sad' to 'sadness' and 'angry' to 'anger'",
        ),
        (
            stream("negative", "positive", "surprise"),
            "no scores of 'fear', 'happiness', 'sadness', 'disgust', 'anger', which the compounds are made of; "
            "targets: 'negative', 'positive', 'surprise'",
        ),
        (
            PredictionStream(problem="multilabel", resolution="clip", targets=BASIC_7),
            "problem 'multilabel' is not accepted; accepts 'multiclass'",
        ),
    ],
)
def test_scores_that_are_refused(source: PredictionStream, message: str) -> None:
    with pytest.raises(StreamError) as caught:
        CompoundFromBasicConfig(source="x").output(source)
    assert str(caught.value) == message


@pytest.mark.parametrize("rule", RULES)
def test_float64_scores_stay_float64(rule: Rule) -> None:
    module = CompoundFromBasic(CompoundFromBasicConfig(source="expression", rule=rule), STREAM)
    scores = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    assert module.combine(scores).dtype == torch.float64
    assert torch.autograd.gradcheck(module.combine, (scores,))
