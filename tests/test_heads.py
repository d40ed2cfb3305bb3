"""Standard task heads: configs, masking, pooling, labels, decoding. Their losses have `test_losses.py`."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from affectkit.configs import HeadConfig
from affectkit.data.labels import ABAW_8, ABAW_AUS, COMPOUND_7, MICRO_3
from affectkit.errors import ConfigError, InputError
from affectkit.heads import action_units, compound_expression, expression, micro_expression, valence_arousal
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.compound_expression import CompoundExpressionConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.linear_head_net import squash
from affectkit.heads.micro_expression import MicroExpressionConfig
from affectkit.heads.pooling import Pooling
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.interfaces import TaskHead
from affectkit.sequences import Sequence, Targets
from affectkit.specs import ComponentSpec
from affectkit.streams import FeatureStream, PredictionStream

NAN = float("nan")
STREAM = FeatureStream(dim=6)
SPECS: dict[type[HeadConfig], ComponentSpec[Any]] = {
    module.SPEC.config: module.SPEC
    for module in (action_units, compound_expression, expression, micro_expression, valence_arousal)
}
HEADS: tuple[HeadConfig, ...] = (
    MicroExpressionConfig(),
    MicroExpressionConfig(pooling="last"),
    MicroExpressionConfig(pooling="attention", hidden=(5,), class_weights=(1.0, 2.0, 0.5), label_smoothing=0.1),
    MicroExpressionConfig(resolution="frame"),
    ExpressionConfig(hidden=(8, 4)),
    CompoundExpressionConfig(resolution="clip"),
    ValenceArousalConfig(),
    ValenceArousalConfig(resolution="clip", pooling="attention"),
    ActionUnitsConfig(),
    ActionUnitsConfig(loss="bce", targets=("AU4", "AU12"), positive_rates=(0.2, 0.4), resolution="clip"),
    ActionUnitsConfig(intensity=True),
    ActionUnitsConfig(intensity=True, loss="mse", hidden=(5,)),
)


def build(config: HeadConfig) -> TaskHead[Any]:
    torch.manual_seed(0)
    head = SPECS[type(config)].factory(config, STREAM)
    assert isinstance(head, TaskHead)
    return head


def padded() -> tuple[Sequence, Sequence]:
    """Three steps, and the same followed by two of NaN that are masked out."""
    torch.manual_seed(1)
    short = Sequence.of(torch.randn(2, 3, 6))
    mask = torch.tensor([[True] * 3 + [False] * 2] * 2)
    long = torch.cat([short.values, torch.full((2, 2, 6), NAN)], dim=1)
    return short, Sequence.of(long, mask=mask)


def labels(config: HeadConfig, steps: int) -> Targets:
    """Labels that vary, every one valid."""
    stream = config.output(STREAM)
    shape = (2,) if stream.resolution == "clip" else (2, steps)
    if stream.problem == "multiclass":
        return Targets.of(torch.arange(math.prod(shape)).reshape(shape) % 3)
    torch.manual_seed(2)
    values = torch.rand(*shape, len(stream.targets))
    return Targets.of((values > 0.5).float() if stream.problem == "multilabel" else values)


def test_defaults() -> None:
    assert MicroExpressionConfig().output(STREAM) == PredictionStream(
        problem="multiclass", resolution="clip", targets=MICRO_3
    )
    assert ExpressionConfig().output(STREAM) == PredictionStream(
        problem="multiclass", resolution="frame", targets=ABAW_8
    )
    assert CompoundExpressionConfig().output(STREAM) == PredictionStream(
        problem="multiclass", resolution="frame", targets=COMPOUND_7
    )
    assert ValenceArousalConfig().output(STREAM) == PredictionStream(
        problem="regression", resolution="frame", targets=("valence", "arousal"), bounds=(-1.0, 1.0)
    )
    assert ActionUnitsConfig().output(STREAM) == PredictionStream(
        problem="multilabel", resolution="frame", targets=ABAW_AUS
    )
    assert ActionUnitsConfig(intensity=True).output(STREAM) == PredictionStream(
        problem="ordinal", resolution="frame", targets=ABAW_AUS, bounds=(0.0, 5.0)
    )


def test_configs_need_no_torch() -> None:
    names = ("action_units", "compound_expression", "expression", "micro_expression", "valence_arousal")
    imports = "; ".join(f"import affectkit.heads.{name}" for name in names)
    subprocess.run([sys.executable, "-c", f"import sys; sys.modules['torch'] = None; {imports}"], check=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExpressionConfig(hidden=(8, 0)), "hidden[1]: 0 is no width; write 1 or more"),
        (
            lambda: ExpressionConfig(pooling="last"),
            "pooling: 'last' with resolution 'frame', where nothing is pooled; leave it out, or use resolution='clip'",
        ),
        (lambda: ExpressionConfig(dropout=1.0), "dropout: 1.0 is no probability; write 0 or more, below 1"),
        (lambda: ExpressionConfig(weight=-1.0), "weight: -1.0 is negative; write 0 or more"),
        (
            lambda: MicroExpressionConfig(class_weights=(1.0, 2.0)),
            "class_weights: 2 values for 3 targets; give one per target",
        ),
        (
            lambda: MicroExpressionConfig(class_weights=(1.0, -2.0, 1.0)),
            "class_weights: (1.0, -2.0, 1.0) can't weigh classes; write 0 or more for each, and more than 0 for one",
        ),
        (
            lambda: MicroExpressionConfig(class_weights=(0.0, 0.0, 0.0)),
            "class_weights: (0.0, 0.0, 0.0) can't weigh classes; write 0 or more for each, and more than 0 for one",
        ),
        (lambda: ExpressionConfig(label_smoothing=1.0), "label_smoothing: 1.0 is no share; write 0 or more, below 1"),
        (lambda: ValenceArousalConfig(mse_weight=-0.5), "mse_weight: -0.5 is negative; write 0 or more"),
        (
            lambda: ActionUnitsConfig(loss="mse"),
            "loss: 'mse' does not go with intensity=False; losses: 'asymmetric', 'bce'",
        ),
        (
            lambda: ActionUnitsConfig(loss="bce", intensity=True),
            "loss: 'bce' does not go with intensity=True; losses: 'smooth-l1', 'mse'",
        ),
        (
            lambda: ActionUnitsConfig(positive_rates=(0.5,), targets=("AU1",), intensity=True),
            "positive_rates: rates of occurrence do not go with intensity=True; leave them out",
        ),
        (
            lambda: ActionUnitsConfig(positive_rates=(0.5,)),
            "positive_rates: 1 values for 12 targets; give one per target",
        ),
        (
            lambda: ActionUnitsConfig(targets=("AU1", "AU2"), positive_rates=(0.5, 0.0)),
            "positive_rates[1]: 0.0 is no rate; write more than 0, up to 1",
        ),
        (
            lambda: MicroExpressionConfig(targets=("positive", "positive")).output(STREAM),
            "targets: 'positive' named twice; names are unique",
        ),
        (
            lambda: ValenceArousalConfig(bounds=(1.0, -1.0)).output(STREAM),
            "bounds: bounds (1.0, -1.0) are empty; write (lowest, highest)",
        ),
    ],
)
def test_what_a_config_refuses(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("config", HEADS, ids=repr)
def test_shapes_are_as_the_config_says(config: HeadConfig) -> None:
    stream = config.output(STREAM)
    for steps in (1, 4):
        inputs = Sequence.of(torch.randn(2, steps, 6))
        before = inputs.values.clone()
        head = build(config)
        scores = head(inputs)
        shape = (2, len(stream.targets)) if stream.resolution == "clip" else (2, steps, len(stream.targets))
        assert scores.shape == head.predict(scores).shape == shape
        torch.testing.assert_close(inputs.values, before)


@pytest.mark.parametrize("config", HEADS, ids=repr)
def test_padding_changes_neither_scores_nor_loss_nor_gradients(config: HeadConfig) -> None:
    short, long = padded()
    head = build(config)
    scores, other = head(short), head(long)
    torch.testing.assert_close(other if other.ndim == 2 else other[:, :3], scores)
    assert torch.isfinite(other).all()

    wanted = labels(config, 3)
    is_clip = config.output(STREAM).resolution == "clip"
    more = wanted if is_clip else Targets(*(torch.cat([part, part[:, :2]], dim=1) for part in wanted))
    loss = head.loss(scores, wanted, short.mask)
    torch.autograd.backward(loss)
    gradients = {name: parameter.grad for name, parameter in head.named_parameters()}
    head.zero_grad()
    again = head.loss(other, more, long.mask)
    torch.autograd.backward(again)
    torch.testing.assert_close(again, loss)
    assert loss.item() > 0
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
        torch.testing.assert_close(parameter.grad, gradients[name])


@pytest.mark.parametrize("config", HEADS, ids=repr)
def test_a_clip_of_padding_has_finite_scores_and_no_loss(config: HeadConfig) -> None:
    head = build(config)
    mask = torch.zeros(2, 3, dtype=torch.bool)
    scores = head(Sequence.of(torch.full((2, 3, 6), NAN), mask=mask))
    loss = head.loss(scores, labels(config, 3), mask)
    torch.autograd.backward(loss)
    assert torch.isfinite(scores).all()
    assert loss.item() == 0
    for parameter in head.parameters():
        assert parameter.grad is not None
        assert not parameter.grad.any()


@pytest.mark.parametrize("config", HEADS, ids=repr)
def test_works_under_bfloat16_autocast(config: HeadConfig) -> None:
    head = build(config)
    inputs = Sequence.of(torch.randn(2, 3, 6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = head(inputs)
        loss = head.loss(scores, labels(config, 3), inputs.mask)
    assert scores.dtype == loss.dtype == torch.float32
    torch.testing.assert_close(scores, head(inputs), atol=0.1, rtol=0.1)


@pytest.mark.parametrize("config", HEADS, ids=repr)
def test_a_batch_of_alike_labels_can_be_fitted(config: HeadConfig) -> None:
    head = build(config)
    inputs, wanted = padded()[0], labels(config, 3)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = head.loss(head(inputs), wanted, inputs.mask)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_dropout_is_for_training_only() -> None:
    head = build(ExpressionConfig(dropout=0.5, hidden=(64,)))
    inputs = Sequence.of(torch.randn(2, 3, 6))
    assert not torch.equal(head(inputs), head(inputs))
    head.eval()
    assert torch.equal(head(inputs), head(inputs))


def test_dropout_is_before_every_linear_layer() -> None:
    head = build(ExpressionConfig(dropout=0.5, hidden=(64,)))
    dropped: list[int] = []
    head.get_submodule("dropout").register_forward_hook(lambda module, inputs, output: dropped.append(output.shape[-1]))
    head(Sequence.of(torch.randn(2, 3, 6)))
    assert dropped == [6, 64]


def test_parameters_have_stable_names() -> None:
    names = [name for name, _ in build(MicroExpressionConfig(hidden=(4,), pooling="attention")).named_parameters()]
    assert names == [
        "pooling.attention.weight", "hidden.0.weight", "hidden.0.bias", "linear.weight", "linear.bias",
    ]  # fmt: skip


def test_decoding() -> None:
    scores = torch.tensor([[0.0, 1.0, -1.0]])
    torch.testing.assert_close(build(MicroExpressionConfig()).predict(scores), torch.softmax(scores, -1))
    torch.testing.assert_close(
        build(ActionUnitsConfig(targets=("AU1", "AU2", "AU4"))).predict(scores), torch.sigmoid(scores)
    )
    torch.testing.assert_close(build(ValenceArousalConfig()).predict(2 * scores), torch.tensor([[0.0, 1.0, -1.0]]))
    intensity = build(ActionUnitsConfig(intensity=True)).predict(torch.tensor([[-1.0, 2.5, 7.0]]))
    torch.testing.assert_close(intensity, torch.tensor([[0.0, 2.5, 5.0]]))


@pytest.mark.parametrize(
    ("config", "low", "high"),
    [
        (ValenceArousalConfig(), -1, 1),
        (ValenceArousalConfig(bounds=(1.0, 9.0)), 1, 9),
        (ActionUnitsConfig(intensity=True), 0, 5),
    ],
)
def test_scores_of_values_are_within_their_bounds(config: HeadConfig, low: float, high: float) -> None:
    head = build(config)
    scores = head(Sequence.of(100 * torch.randn(4, 5, 6)))
    assert low <= scores.min() < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < scores.max() <= high
    torch.testing.assert_close(head.predict(scores), scores)
    torch.nn.init.zeros_(head.get_parameter("linear.bias"))
    middle = head(Sequence.of(torch.zeros(1, 1, 6)))
    torch.testing.assert_close(middle, torch.full_like(middle, (low + high) / 2))


def test_valence_arousal_loss_is_concordance_and_some_error() -> None:
    head = build(ValenceArousalConfig(targets=("valence",), mse_weight=0.5))
    scores = torch.tensor([-0.5, 0.0, 0.5, 1.0]).reshape(1, 4, 1)
    targets = Targets.of(torch.tensor([-0.4, 0.1, 0.3, 0.8]).reshape(1, 4, 1))
    loss = head.loss(scores, targets, torch.ones(1, 4, dtype=torch.bool))
    assert loss.item() == pytest.approx(0.05 + 0.5 * (0.01 + 0.01 + 0.04 + 0.04) / 4)


def test_weights_of_rare_units_are_the_published_ones() -> None:
    # s-Aff-Wild2 train; the rates have three decimals, so the rarest weight is off by up to 2 %
    rates = (0.181, 0.085, 0.197, 0.296, 0.400, 0.371, 0.259, 0.024, 0.029, 0.048, 0.683, 0.104)
    published = (0.463, 0.990, 0.426, 0.283, 0.209, 0.226, 0.323, 3.519, 2.905, 1.730, 0.123, 0.805)
    weights = ActionUnitsConfig(positive_rates=rates).weights
    assert weights == pytest.approx(published, rel=0.02)
    assert sum(weights) == pytest.approx(12)
    assert ActionUnitsConfig(targets=("AU1", "AU2")).weights == (1.0, 1.0)


def test_rare_units_weigh_more_in_the_loss() -> None:
    config = ActionUnitsConfig(targets=("AU4", "AU12"), positive_rates=(0.2, 0.6), loss="bce")
    scores, step = torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.bool)
    one, other = torch.tensor([[[True, False]]]), torch.tensor([[[False, True]]])
    head, values = build(config), torch.ones(1, 1, 2)
    losses = [head.loss(scores, Targets(values, valid), step).item() for valid in (one, other)]
    assert losses == pytest.approx([1.5 * math.log(2), 0.5 * math.log(2)])


def test_values_are_squashed_by_the_formula() -> None:
    expected = torch.tensor([2.5 - 2.5 * math.tanh(0.5), 2.5, 2.5 + 2.5 * math.tanh(2.0)])
    torch.testing.assert_close(squash(torch.tensor([-0.5, 0.0, 2.0]), (0.0, 5.0)), expected)


def test_partial_labels_count_one_by_one() -> None:
    head = build(ActionUnitsConfig(targets=("AU1", "AU2"), loss="bce"))
    scores = torch.zeros(1, 2, 2)
    values = torch.tensor([[[1.0, -1.0], [9.0, NAN]]])
    valid = torch.tensor([[[True, False], [False, False]]])
    loss = head.loss(scores, Targets(values, valid), torch.ones(1, 2, dtype=torch.bool))
    assert loss.item() == pytest.approx(0.693147, abs=1e-5)


FRAMES = torch.ones(2, 4, dtype=torch.bool)


@pytest.mark.parametrize(
    ("config", "targets", "message"),
    [
        (
            ExpressionConfig(),
            Targets.of(torch.zeros(2, dtype=torch.int64)),
            "targets: shape (2,); a class index per frame of this batch is (2, 4)",
        ),
        (
            MicroExpressionConfig(),
            Targets.of(torch.zeros(2, 4, dtype=torch.int64)),
            "targets: shape (2, 4); a class index per clip of this batch is (2,)",
        ),
        (
            ValenceArousalConfig(),
            Targets.of(torch.zeros(2, 4)),
            "targets: shape (2, 4); a value per target and frame of this batch is (2, 4, 2)",
        ),
        (
            ActionUnitsConfig(resolution="clip"),
            Targets.of(torch.zeros(2, 4, 12)),
            "targets: shape (2, 4, 12); a value per target and clip of this batch is (2, 12)",
        ),
        (
            MicroExpressionConfig(),
            Targets(torch.zeros(2, dtype=torch.int64), torch.ones(2, 4, dtype=torch.bool)),
            "targets: valid has shape (2, 4); its values have (2,)",
        ),
        (
            MicroExpressionConfig(),
            Targets.of(torch.zeros(2)),
            "targets: dtype torch.float32; class indices are whole numbers, give torch.int64",
        ),
        (
            MicroExpressionConfig(),
            Targets.of(torch.tensor([0, 3])),
            "targets: class index 3; valid labels are 0 to 2, what is not labeled has valid=False",
        ),
        (
            MicroExpressionConfig(),
            Targets.of(torch.tensor([-1, 2])),
            "targets: class index -1; valid labels are 0 to 2, what is not labeled has valid=False",
        ),
        (
            ValenceArousalConfig(),
            Targets.of(torch.full((2, 4, 2), -5.0)),
            "targets: value -5.0; valid labels are -1.0 to 1.0, what is not labeled has valid=False",
        ),
        (
            ActionUnitsConfig(),
            Targets.of(torch.full((2, 4, 12), NAN)),
            "targets: value nan; valid labels are 0.0 to 1.0, what is not labeled has valid=False",
        ),
        (
            ActionUnitsConfig(intensity=True),
            Targets.of(torch.full((2, 4, 12), 9)),
            "targets: value 9; valid labels are 0.0 to 5.0, what is not labeled has valid=False",
        ),
    ],
)
def test_labels_that_are_refused(config: HeadConfig, targets: Targets, message: str) -> None:
    head = build(config)
    with pytest.raises(InputError) as caught:
        head.loss(head(Sequence.of(torch.randn(2, 4, 6))), targets, FRAMES)
    assert str(caught.value) == message


def test_a_class_index_that_is_no_class_is_fine_where_it_is_not_valid() -> None:
    head = build(ExpressionConfig())
    scores = head(Sequence.of(torch.randn(1, 3, 6)))
    values, valid = torch.tensor([[0, -1, 99]]), torch.tensor([[True, False, True]])
    mask = torch.tensor([[True, True, False]])  # the last one is padding
    alone = head.loss(scores[:, :1], Targets.of(values[:, :1]), mask[:, :1])
    torch.testing.assert_close(head.loss(scores, Targets(values, valid), mask), alone)


@pytest.mark.parametrize("how", ["mean", "last", "attention"])
def test_pooling_looks_at_real_steps(how: str) -> None:
    torch.manual_seed(0)
    pooling = Pooling(how, 2)
    values = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [NAN, NAN]], [[NAN, NAN]] * 3]).requires_grad_()
    mask = torch.tensor([[True, True, False], [False] * 3])
    pooled = pooling(values, mask)
    torch.autograd.backward(pooled.sum())
    expected = {"mean": torch.tensor([2.0, 4.0]), "last": torch.tensor([3.0, 6.0])}
    if how == "attention":
        assert pooling.attention is not None
        real = values.detach()[0, :2]
        weights = torch.softmax(real @ pooling.attention.weight[0], dim=0)
        expected[how] = (weights @ real).detach()
    torch.testing.assert_close(pooled[0].detach(), expected[how])
    assert not pooled[1].any()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()


def test_last_is_the_last_real_step_even_after_a_gap() -> None:
    values = torch.arange(4.0).reshape(1, 4, 1)
    mask = torch.tensor([[True, False, True, False]])
    assert Pooling("last", 1)(values, mask).item() == 2.0


@pytest.mark.parametrize("how", ["mean", "last", "attention"])
def test_pooling_is_as_precise_as_its_values(how: str) -> None:
    double = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]])
    pooling = Pooling(how, 4).double()
    assert pooling(double, mask).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda values: pooling(values, mask), (double,))
    # half a thousand of these do not add up in float16, whose largest number is 65504
    half = torch.full((1, 500, 4), 200.0, dtype=torch.float16)
    pooled = Pooling(how, 4).half()(half, torch.ones(1, 500, dtype=torch.bool))
    torch.testing.assert_close(pooled, half[:, 0], atol=0.2, rtol=0)
