"""Score map `compound-from-basic`."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

import pytest
import torch

from affectkit.data.labels import ABAW_8, BASIC_7, COMPOUND_7, COMPOUND_11
from affectkit.errors import ConfigError, StreamError
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.maps.compound_from_basic_net import CompoundFromBasic
from affectkit.streams import PredictionStream

STREAM = PredictionStream(problem="multiclass", resolution="frame", targets=ABAW_8)
INF = float("inf")


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
    ],
)
def test_rules_by_hand(rule: Literal["sum", "product", "min"], expected: list[float]) -> None:
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


@pytest.mark.parametrize("rule", ["sum", "product", "min"])
def test_certain_scores_stay_finite_with_a_finite_gradient(rule: Literal["sum", "product", "min"]) -> None:
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


@pytest.mark.parametrize("rule", ["sum", "product", "min"])
def test_float64_scores_stay_float64(rule: Literal["sum", "product", "min"]) -> None:
    module = CompoundFromBasic(CompoundFromBasicConfig(source="expression", rule=rule), STREAM)
    scores = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    assert module.combine(scores).dtype == torch.float64
    assert torch.autograd.gradcheck(module.combine, (scores,))
