"""What a built model is given: batches and labels that do not fit are refused, with the reason."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from affectkit.errors import InputError
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FrameStream
from tests.models import SMALL, build, features, frames, stored
from tests.toys_torch import (
    ToyPixelsConfig,
    ToySumConfig,
)


def refusal(model: Pipeline, batch: Any, targets: Any = None) -> str:
    with pytest.raises(InputError) as caught:
        model(batch, targets)
    return str(caught.value)


def test_a_batch_that_does_not_fit_is_refused() -> None:
    two = PipelineConfig(
        inputs={"a": SMALL, "b": SMALL},
        branches={"a": Branch(source="a"), "b": Branch(source="b")},
        fusion=ToySumConfig(),
        heads={"va": ValenceArousalConfig()},
    )
    one, both, sequence = build(stored()), build(two), Sequence.of(features())
    assert refusal(both, sequence) == "batch: one sequence for 2 inputs; give a dict with a, b"
    assert refusal(both, [sequence]) == "batch: list; give a dict with a, b"
    assert refusal(both, {"a": sequence}) == "batch: no 'b'; inputs: 'a', 'b'"
    assert refusal(one, {"clips": sequence}) == "batch.clips: no such input; did you mean 'clip'? inputs: 'clip'"
    assert refusal(one, {"clip": features()}) == "batch.clip: Tensor; give a Sequence, as Sequence.of(values) makes"
    wide = Sequence.of(features(dim=5))
    assert refusal(one, wide) == "batch.clip: shape (2, 4, 5); the input 'clip' is (B, T, 3)"
    empty = Sequence.of(torch.zeros(2, 0, 3))
    assert refusal(one, empty) == "batch.clip: shape (2, 0, 3) is empty; give one clip and step at the least"
    whole = Sequence.of(torch.zeros(2, 4, 3, dtype=torch.uint8))
    assert refusal(one, whole) == "batch.clip: dtype torch.uint8; give floats (images as intensities in [0, 1])"
    assert refusal(one, torch.zeros(4, 3)) == "values: shape (4, 3); give (B, T, D) or (B, T, C, H, W)"


def test_a_mask_or_times_that_do_not_fit_are_refused() -> None:
    model, good = build(stored()), Sequence.of(features())
    assert refusal(model, good._replace(mask=good.mask[:, :3])) == (
        "batch.clip: mask is (2, 3) torch.bool; give (2, 4) torch.bool, True where a step is real"
    )
    assert refusal(model, good._replace(mask=good.mask.long())) == (
        "batch.clip: mask is (2, 4) torch.int64; give (2, 4) torch.bool, True where a step is real"
    )
    assert refusal(model, good._replace(times=good.times.float())) == (
        "batch.clip: times are (2, 4) torch.float32; give (2, 4) torch.float64, in seconds"
    )


def test_named_steps_are_a_fixed_length() -> None:
    stream = FrameStream(height=16, width=16, steps=("onset", "apex", "offset"))
    config = PipelineConfig(
        input=stream, branches={"x": Branch(features=ToyPixelsConfig())}, heads={"va": ValenceArousalConfig()}
    )
    assert refusal(build(config), frames(steps=4)) == (
        "batch.clip: shape (2, 4, 3, 16, 16); the input 'clip' is (B, 3, 3, 16, 16)"
    )


def test_unknown_labels_and_outputs_are_refused() -> None:
    model = build(stored(va=ValenceArousalConfig(), expr=ExpressionConfig()))
    labels = {"expression": Targets.of(torch.zeros(2, 4, dtype=torch.long))}
    assert refusal(model, features(), labels) == ("targets.expression: no head 'expression'; heads: 'va', 'expr'")
    with pytest.raises(InputError) as caught:
        model.decode("ex", torch.zeros(2, 8))
    assert str(caught.value) == "decode: no output 'ex'; did you mean 'expr'? outputs: 'va', 'expr'"


def test_a_sequence_checks_lengths() -> None:
    with pytest.raises(InputError) as caught:
        Sequence.of(features(), mask=torch.ones(2, 3))
    assert str(caught.value) == "mask: shape (2, 3); values of this batch need (2, 4)"
    with pytest.raises(InputError) as caught:
        Sequence.of(features(), times=torch.ones(4))
    assert str(caught.value) == "times: shape (4,); values of this batch need (2, 4)"
    with pytest.raises(InputError) as caught:
        Sequence.of(torch.rand(2, 4, 3), fps=0.0)
    assert str(caught.value) == "fps: 0.0 is not a frame rate; give frames per second, or times"


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"va": torch.zeros(2, 4, 2)}, "targets.va: Tensor; give Targets.of(values, valid)"),
        ({"va": None}, "targets.va: NoneType; give Targets.of(values, valid)"),
        (Targets.of(torch.zeros(2, 4, 2)), "targets: Targets; give a dict of Targets by head, va"),
    ],
)
def test_what_is_no_labels(targets: Any, message: str) -> None:
    model = PipelineConfig(input=SMALL, branches={"face": Branch()}, heads={"va": ValenceArousalConfig()}).build()
    with pytest.raises(InputError) as caught:
        model(torch.zeros(2, 4, 3), targets)
    assert str(caught.value) == message


def test_a_wrong_label_names_its_head() -> None:
    heads = {"va": ValenceArousalConfig(), "expr": ExpressionConfig()}
    model = PipelineConfig(input=SMALL, branches={"face": Branch()}, heads=heads).build()
    with pytest.raises(InputError) as caught:
        model(torch.zeros(1, 2, 3), {"expr": Targets.of(torch.tensor([[8, 0]]))})
    assert str(caught.value).startswith("targets.expr: class index 8; ")


def test_values_of_a_precision_that_the_model_does_not_have() -> None:
    model = PipelineConfig(input=SMALL, branches={"face": Branch()}, heads={"va": ValenceArousalConfig()}).build()
    with pytest.raises(InputError) as caught:
        model(torch.zeros(1, 2, 3, dtype=torch.float64))
    assert str(caught.value) == (
        "batch.clip: dtype torch.float64; the model is torch.float32, give values.to(torch.float32)"
    )
    assert model.double()(torch.zeros(1, 2, 3, dtype=torch.float64))["va"].dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.float()(torch.zeros(1, 2, 3, dtype=torch.bfloat16))["va"].isfinite().all()


def test_valid_may_leave_out_the_last_axis() -> None:
    targets = Targets.of(torch.zeros(2, 3, 2), torch.tensor([[True, False, True]]).expand(2, 3))
    assert targets.valid.shape == (2, 3, 2)
    assert not targets.valid[:, 1].any()
    values: Any = [1, 2]
    with pytest.raises(InputError) as caught:
        Targets.of(values)
    assert str(caught.value) == "targets: values is list; give a tensor"
    with pytest.raises(InputError) as caught:
        Targets.of(torch.zeros(2, 3, 2), torch.ones(2, 4))
    assert str(caught.value) == (
        "targets: shape (2, 4) of valid, (2, 3, 2) of values; give one flag per value, or per row of values"
    )
