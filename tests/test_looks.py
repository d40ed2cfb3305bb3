"""Looks of tied members as one batch: the same scores, by one run, and who runs one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from affectkit.configs import HeadConfig, MotionConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import InputError
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.looks import AT_ONCE
from affectkit.motion.flow_magnifier import FlowMagnifierConfig
from affectkit.motion.mirror import MirrorConfig
from affectkit.motion.shift import ShiftConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FrameStream
from affectkit.variant_configs import augment_config
from tests.toys_torch import REGISTRY, ToyPixelsConfig

FRAMES = FrameStream(height=8, width=8)
LOOKS: dict[str, tuple[MotionConfig, ...]] = {
    "mirrored": (MirrorConfig(),),
    "moved": (ShiftConfig(right=-2), MirrorConfig()),
}
HEADS: dict[str, HeadConfig] = {
    "va": ValenceArousalConfig(),
    "expression": ExpressionConfig(targets=("a", "b", "c"), resolution="clip"),
}


def pipeline(*, frozen: bool = False, **fields: Any) -> PipelineConfig:
    return PipelineConfig(
        **{
            "input": FRAMES,
            "branches": {"x": Branch(features=ToyPixelsConfig(frozen=frozen))},
            "heads": HEADS,
            **fields,
        }
    )


def nested(**fields: Any) -> EnsembleConfig:
    """Two networks, one of two inputs, joined by features."""
    other = pipeline(
        input=None,
        inputs={"clip": FRAMES, "more": FRAMES},
        branches={
            "x": Branch(features=ToyPixelsConfig(frozen=False)),
            "y": Branch(source="more", motion=(ShiftConfig(down=1),), features=ToyPixelsConfig(frozen=False)),
        },
        fusion=ConcatFusionConfig(),
    )
    return EnsembleConfig(
        members={"one": pipeline(), "two": other}, fusion=ConcatFusionConfig(dim=6), heads=HEADS, **fields
    )


def built(config: PipelineConfig | EnsembleConfig, looks: dict[str, tuple[MotionConfig, ...]] = LOOKS) -> Ensemble:
    torch.manual_seed(0)
    return augment_config(config, looks, agreement=True, registry=REGISTRY).build(registry=REGISTRY).eval()


def batch_of(model: Ensemble, clips: int = 2, steps: int = 3) -> dict[str, Sequence]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(clips, steps, dtype=torch.bool)
    # padding at the end of one clip
    mask[0, -1:] = steps == 1
    return {
        name: Sequence.of(torch.rand(clips, steps, 3, 8, 8, generator=generator), mask=mask)
        for name in model.config.input_streams()
    }


def runs(model: Ensemble, batch: Mapping[str, Sequence], **fields: Any) -> int:
    """How often the first head ran in one forward: once for all looks, or once for each."""
    member: Any = model.members["plain"]
    count = 0

    def see(*_: object) -> None:
        nonlocal count
        count += 1

    handle = member.heads["va"].register_forward_hook(see)
    model(batch, **fields)
    handle.remove()
    return count


def one_by_one(model: Ensemble, batch: Mapping[str, Sequence]) -> dict[str, torch.Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("affectkit.ensemble_model.run_looks", lambda *_: None)
        assert runs(model, batch) == len(model.members)
        return dict(model(batch))


@pytest.mark.parametrize("config", [pipeline(), nested(), nested(agreement=True)], ids=["pipeline", "nested", "asked"])
@pytest.mark.parametrize(("clips", "steps"), [(1, 1), (2, 3), (AT_ONCE, 1)])
def test_scores_are_those_of_looks_that_run_one_by_one(config: Any, clips: int, steps: int) -> None:
    model = built(config)
    batch = batch_of(model, clips, steps)
    assert runs(model, batch) == 1
    found, wanted = model(batch), one_by_one(model, batch)
    assert list(found) == list(wanted)
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values, rtol=1e-5, atol=1e-6)
    # looks that are alike would agree entirely
    assert found["va_agreement"][..., 0].max() > 1e-4


def test_gradients_are_those_of_looks_that_run_one_by_one() -> None:
    model = built(pipeline())
    batch = batch_of(model)
    values = batch["clip"].values.requires_grad_()
    (found,) = torch.autograd.grad(model(batch)["va"].square().sum(), values)
    (wanted,) = torch.autograd.grad(one_by_one(model, batch)["va"].square().sum(), values)
    torch.testing.assert_close(found, wanted)
    assert found.abs().max() > 0


def test_looks_of_a_large_batch_run_one_by_one() -> None:
    model = built(pipeline())
    assert runs(model, batch_of(model, clips=AT_ONCE + 1, steps=1)) == 3


def test_looks_run_one_by_one_in_training_and_for_losses() -> None:
    model = built(pipeline())
    batch = batch_of(model)
    labels = Targets.of(torch.zeros(2, 3, 2))
    assert runs(model, batch, targets={"va": labels}) == 3
    assert runs(model.train(), batch) == 3
    assert runs(model.eval(), batch) == 1


def test_frozen_branches_are_left_to_what_computes_them_once() -> None:
    model = built(pipeline(frozen=True))
    assert runs(model, batch_of(model)) == 3


def test_front_ends_with_weights_run_in_their_own_member() -> None:
    flow = FrameStream(channels=("u", "v", "strain"), unit="pixel", height=8, width=8)
    magnified: dict[str, tuple[MotionConfig, ...]] = {"magnified": (FlowMagnifierConfig(width=4, levels=1),)}
    config = pipeline(input=flow)
    torch.manual_seed(0)
    model = augment_config(config, magnified, registry=REGISTRY).build(registry=REGISTRY).eval()
    assert runs(model, batch_of(model)) == 2


def test_a_dial_of_one_branch_alone_is_seen() -> None:
    model = built(nested())
    batch = batch_of(model)
    member: Any = model.members["moved"]
    stage = member.members["one"].branches["x"].motion[0]
    stage.config = replace(stage.config, right=3)
    assert runs(model, batch) == 3
    found, wanted = model(batch), one_by_one(model, batch)
    torch.testing.assert_close(found["va"], wanted["va"], rtol=0, atol=0)


def test_what_is_refused_is_said_of_the_look_that_refuses_it() -> None:
    model = built(nested(agreement=True))
    batch = batch_of(model)
    batch["clip"].values[1, 0] = float("nan")
    with pytest.raises(InputError) as caught:
        model(batch)
    fact = "features are not finite (NaN or infinite) in 1 of 6 rows"
    assert str(caught.value) == f"members.plain.members.one: {fact}; mend the member or what it is given"


def test_a_recorded_graph_holds_every_look() -> None:
    model = built(pipeline())
    batch = batch_of(model)
    program = torch.export.export(model, (batch,))
    torch.testing.assert_close(program.module()(batch)["va"], model(batch)["va"])


def test_looks_within_an_ensemble() -> None:
    looks = augment_config(pipeline(), LOOKS, registry=REGISTRY)
    torch.manual_seed(0)
    outer = EnsembleConfig(members={"looks": looks, "other": pipeline()}, fusion=MeanFusionConfig())
    model = outer.build(registry=REGISTRY).eval()
    batch = batch_of(model)
    assert runs(model.members["looks"], batch) == 1
    found = model(batch)["va"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("affectkit.ensemble_model.run_looks", lambda *_: None)
        torch.testing.assert_close(found, model(batch)["va"])
