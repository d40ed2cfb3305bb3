"""Training several heads frame by frame: partial labels, weights between tasks, the way from stored features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    ConfigError,
    ExpressionConfig,
    PipelineConfig,
    ValenceArousalConfig,
)
from affectkit.errors import DataWarning
from affectkit.model import Model
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, fit
from affectkit.training.balancing import balance
from affectkit.training.learner import Learner
from affectkit.training.task_weights import TaskWeights
from tests.frame_examples import CONFIG, RECIPE, make_frames, make_segments


def batch_of(examples: Examples) -> tuple[dict[str, Sequence], dict[str, Targets]]:
    inputs, targets = examples.batch(torch.arange(len(examples)))
    return dict(inputs), targets


def without(targets: dict[str, Targets], head: str) -> dict[str, Targets]:
    values, valid = targets[head]
    sentinel = torch.full_like(values, -5)
    return targets | {head: Targets(sentinel, torch.zeros_like(valid))}


def gradient(model: Model, prefix: str) -> Tensor:
    found = [one.grad for name, one in model.named_parameters() if name.startswith(prefix)]
    return torch.cat([one.flatten() for one in found if one is not None])


@pytest.mark.parametrize("absent", ["va", "expr", "au"])
def test_a_task_without_labels_adds_no_loss_and_no_gradient(absent: str) -> None:
    inputs, targets = batch_of(make_segments())
    torch.manual_seed(0)
    model = CONFIG.build()
    _, losses = model(inputs, without(targets, absent))
    assert losses[f"heads.{absent}"] == 0
    total = torch.stack(list(losses.values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    assert total.isfinite()
    for head in ("va", "expr", "au"):
        found = gradient(model, f"heads.{head}.")
        assert found.isfinite().all()
        assert bool((found == 0).all()) == (head == absent)
    assert gradient(model, "fusion.").abs().sum() > 0
    # the same as if the task weren't there
    torch.manual_seed(0)
    other = CONFIG.build()
    _, fewer = other(inputs, {name: labels for name, labels in targets.items() if name != absent})
    torch.stack(list(fewer.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(gradient(model, "fusion."), gradient(other, "fusion."))


def test_no_labels_at_all_are_no_loss() -> None:
    inputs, targets = batch_of(make_segments())
    for head in ("va", "expr", "au"):
        targets = without(targets, head)
    model = CONFIG.build()
    _, losses = model(inputs, targets)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert sum(losses.values()) == 0
    assert all((one.grad == 0).all() for one in model.parameters() if one.grad is not None)


def test_one_unit_without_labels_gets_no_gradient() -> None:
    inputs, targets = batch_of(make_segments())
    values, valid = targets["au"]
    valid = valid.clone()
    valid[..., 3] = False
    model = CONFIG.build()
    _, losses = model(inputs, {"au": Targets(values.masked_fill(~valid, -1), valid)})
    losses["heads.au"].backward()
    rows = model.heads["au"].linear.weight.grad.abs().sum(dim=1)
    assert rows[3] == 0
    assert (rows > 0).sum() == len(rows) - 1


def test_labels_are_weighed_by_how_frequent_they_are_in_every_frame() -> None:
    examples = make_segments()
    config = balance(CONFIG, examples)
    assert isinstance(config, PipelineConfig)
    expr, au = config.heads["expr"], config.heads["au"]
    assert isinstance(expr, ExpressionConfig)
    assert isinstance(au, ActionUnitsConfig)
    values, valid = examples.targets["expr"]
    counts = torch.tensor([int((values[valid] == number).sum()) for number in range(8)])
    assert counts.min() > 0
    assert expr.class_weights == pytest.approx((counts.sum() / (8 * counts)).tolist())
    values, valid = examples.targets["au"]
    rates = [float(values[..., k][valid[..., k]].mean()) for k in range(12)]
    assert au.positive_rates == pytest.approx(rates)
    given = replace(CONFIG, heads={"au": ActionUnitsConfig(positive_rates=(0.5,) * 12)})
    assert balance(given, examples) == given
    intensities = replace(CONFIG, heads={"au": ActionUnitsConfig(intensity=True)})
    assert balance(intensities, examples) == intensities


def test_a_unit_that_is_never_active_keeps_its_weight() -> None:
    examples = make_segments()
    values, valid = examples.targets["au"]
    values = values.clone()
    values[..., 3] = 0
    quiet = replace(examples, targets={"au": Targets(values, valid)})
    with pytest.warns(DataWarning, match=r"^heads\.au: no example of active 'AU6'; it can't be learned$"):
        config = balance(CONFIG, quiet)
    assert isinstance(config, PipelineConfig)
    head = config.heads["au"]
    assert isinstance(head, ActionUnitsConfig)
    assert head.weights[3] == pytest.approx(1.0)
    assert sum(head.weights) == pytest.approx(12)
    with pytest.warns(DataWarning):
        silent = balance(CONFIG, replace(examples, targets={"au": Targets(torch.zeros_like(values), valid)}))
    assert isinstance(silent, PipelineConfig)
    assert silent.heads["au"] == CONFIG.heads["au"]


# Weights between tasks


def test_learned_weights_are_the_formula() -> None:
    weights = TaskWeights(("va", "expr"))
    with torch.no_grad():
        weights.log_variances.copy_(torch.tensor([0.5, -1.0]))
    losses = {"heads.va": torch.tensor(0.8), "heads.expr": torch.tensor(2.0), "fusion.aux": torch.tensor(0.3)}
    found = weights(losses)
    assert found["heads.va"].item() == pytest.approx(0.8 * 2.718281828**-0.5 + 0.5)
    assert found["heads.expr"].item() == pytest.approx(2.0 * 2.718281828 - 1.0)
    assert found["fusion.aux"] is losses["fusion.aux"]
    weights(losses | {"heads.expr": torch.tensor(0.0)})["heads.expr"].backward()
    assert weights.log_variances.grad is not None
    assert weights.log_variances.grad.tolist() == [0, 0]


def test_learned_weights_end_where_the_loss_is_one_by_the_weight() -> None:
    weights = TaskWeights(("va", "expr"))
    optimizer = torch.optim.Adam(weights.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        torch.stack(  # type: ignore[no-untyped-call]
            list(weights({"heads.va": torch.tensor(0.25), "heads.expr": torch.tensor(3.0)}).values())
        ).sum().backward()
        optimizer.step()
    assert torch.exp(-weights.log_variances).tolist() == pytest.approx([4.0, 1 / 3], rel=1e-3)


LEARNED = replace(RECIPE, task_weights="learned", epochs=3)


def test_learned_weights_are_in_checkpoints_and_not_in_the_model(tmp_path: Path) -> None:
    examples = make_segments()
    whole = fit(CONFIG, examples, LEARNED)
    fixed = fit(CONFIG, examples, replace(LEARNED, task_weights="fixed"))
    assert set(whole.state_dict()) == set(fixed.state_dict()) == set(CONFIG.build().state_dict())
    assert not torch.equal(
        whole.state_dict()["fusion.affine.face.weight"], fixed.state_dict()["fusion.affine.face.weight"]
    )

    def stop(model: Model, epoch: int) -> None:
        if epoch == 2:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        fit(CONFIG, examples, LEARNED, folder=tmp_path, after_epoch=stop)
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]["task_weights.log_variances"]
    assert kept.shape == (3,)
    assert (kept != 0).all()
    resumed = fit(CONFIG, examples, LEARNED, folder=tmp_path, resume=True)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name])


def test_the_rate_of_learned_weights() -> None:
    model = CONFIG.build()
    recipe = replace(LEARNED, schedule="constant", rates={"task_weights": 10.0, "heads": 0.5})
    groups = Learner(model, recipe, steps=1, seed=0).configure_optimizers().param_groups
    assert groups[-1]["lr"] == pytest.approx(10 * recipe.learning_rate)
    assert groups[-1]["weight_decay"] == 0
    assert [len(group["params"]) for group in groups[-1:]] == [1]


def test_weights_of_tasks_that_can_not_be_learned() -> None:
    one = replace(CONFIG, heads={"va": ValenceArousalConfig()})
    with pytest.raises(ConfigError) as caught:
        Learner(one.build(), LEARNED, steps=1, seed=0)
    assert str(caught.value) == "task_weights: 'learned' for 1 heads; give several heads, or 'fixed'"
    with pytest.raises(ConfigError) as caught:
        Learner(CONFIG.build(), replace(RECIPE, rates={"task_weights": 2.0}), steps=1, seed=0)
    assert str(caught.value) == "rates.task_weights: weights of tasks are fixed; write task_weights='learned'"


# From stored features to a model


def test_a_model_of_three_heads_learns_from_segments() -> None:
    examples = make_segments()
    model = fit(CONFIG, examples, RECIPE, seed=1)
    inputs, targets = batch_of(examples)
    found = model.predict(inputs)
    values, valid = targets["expr"]
    assert (found["expr"].argmax(-1) == values)[valid].float().mean() > 0.8
    values, valid = targets["au"]
    assert ((found["au"] > 0.5) == (values > 0.5))[valid].float().mean() > 0.85
    values, valid = targets["va"]
    assert (found["va"] - values)[valid].abs().mean() < 0.25


def test_what_lies_in_padding_changes_nothing() -> None:
    examples = make_segments()
    face = examples.inputs["face"]
    assert not face.mask.all()
    noisy = face._replace(values=face.values.masked_fill(~face.mask.unsqueeze(-1), 1e6))
    quick = replace(RECIPE, epochs=1)
    one = fit(CONFIG, examples, quick).state_dict()
    other = fit(CONFIG, replace(examples, inputs={**examples.inputs, "face": noisy}), quick).state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_positions_are_the_gaps_between_listed_frames() -> None:
    examples = make_segments()
    config = replace(CONFIG, fusion=AffineFusionConfig(dim=8, positions="index"))
    torch.manual_seed(0)
    timed, counted = CONFIG.build().eval(), config.build().eval()
    counted.load_state_dict(timed.state_dict())
    inputs, _ = batch_of(examples)
    dense = {
        name: one._replace(times=torch.arange(20).double().expand(len(one.times), -1) / 30)
        for name, one in inputs.items()
    }
    for one, other in ((timed(dense), counted(dense)), (counted(inputs), counted(dense))):
        assert torch.allclose(one["va"], other["va"], atol=1e-5)
    assert not torch.allclose(timed(inputs)["va"], timed(dense)["va"], atol=1e-3)


def test_frames_of_the_made_videos_are_irregular() -> None:
    labels, tracks = make_frames()
    assert {tuple(tracks["face"][one.video].frames[:3].tolist()) for one in labels} != {(1, 2, 3)}
