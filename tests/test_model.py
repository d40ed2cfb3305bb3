"""Built pipelines: where their parts are, what goes in and out, what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from affectkit.configs import FeaturesConfig, ScoreMapConfig, TemporalConfig
from affectkit.errors import InputError, MissingDependencyError, SpecError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.fusion.affine import AffineFusionConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.interfaces import FeatureExtractor, Fusion, MotionFrontEnd, ScoreMap, TaskHead, TemporalEncoder
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.model import find_training
from affectkit.motion.optical_flow import OpticalFlowConfig
from affectkit.motion.optical_flow_net import OpticalFlow
from affectkit.motion.rest_difference import RestDifferenceConfig
from affectkit.motion.rest_difference_net import RestDifference
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Losses, Sequence, Targets, masked_mean
from affectkit.specs import FeaturesSpec, Requirement, ScoreMapSpec, TemporalSpec
from affectkit.streams import FeatureStream, FrameStream, PredictionStream
from affectkit.temporal.gru import GRUConfig
from tests.models import SMALL, build, features, frames, stored
from tests.toys_torch import (
    REGISTRY,
    ToyMagnifierConfig,
    ToySparseConfig,
    ToySpotterConfig,
    ToySumConfig,
)

# State-dict keys are a public format: saved models and published weights hold them.
GOLDEN_KEYS = [
    "branches.flow.motion.1.bend.weight",
    "branches.flow.motion.1.bend.bias",
    "branches.flow.features.embed.weight",
    "branches.flow.features.embed.bias",
    "branches.flow.features.blocks.0.weight",
    "branches.flow.features.blocks.0.bias",
    "branches.face.features.layers.0.weight",
    "branches.face.features.layers.0.bias",
    "branches.face.features.project.weight",
    "branches.face.features.project.bias",
    "fusion.affine.flow.weight",
    "fusion.affine.flow.bias",
    "fusion.affine.face.weight",
    "fusion.affine.face.bias",
    "temporal.gru.weight_ih_l0",
    "temporal.gru.weight_hh_l0",
    "temporal.gru.bias_ih_l0",
    "temporal.gru.bias_hh_l0",
    "heads.va.linear.weight",
    "heads.va.linear.bias",
    "heads.expr.linear.weight",
    "heads.expr.linear.bias",
]


def full() -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={
            "flow": Branch(motion=(OpticalFlowConfig(), ToyMagnifierConfig()), features=ToySparseConfig(ratios=(0.5,))),
            "face": Branch(features=ConvStemConfig(dim=6, width=4, depth=1)),
        },
        fusion=AffineFusionConfig(dim=4),
        temporal=GRUConfig(dim=5),
        heads={"va": ValenceArousalConfig(weight=2.0), "expr": ExpressionConfig()},
        maps={"compound": CompoundFromBasicConfig(source="expr")},
    )


def test_state_dict_keys_are_pinned() -> None:
    assert list(build(full()).state_dict()) == GOLDEN_KEYS


def test_parts_are_found_by_their_path() -> None:
    model = build(full())
    assert isinstance(model.branches["flow"].motion[0], MotionFrontEnd)
    assert isinstance(model.branches["flow"].features, FeatureExtractor)
    assert isinstance(model.fusion, Fusion)
    assert isinstance(model.temporal, TemporalEncoder)
    assert isinstance(model.heads["va"], TaskHead)
    assert list(model.stages()) == [
        "branches.flow.motion[0]",
        "branches.flow.motion[1]",
        "branches.flow.features",
        "branches.face.features",
        "fusion",
        "temporal",
        "heads.va",
        "heads.expr",
        "maps.compound",
    ]
    assert list(model.stages()) == [step.path for step in model.traced]
    assert model.stages()["maps.compound"] is model.maps["compound"]
    assert (len(model.heads), list(model.heads), "va" in model.heads) == (2, ["va", "expr"], True)
    simple = build(stored())
    assert (simple.fusion, simple.temporal, len(simple.maps)) == (None, None, 0)


def test_shapes_are_as_traced() -> None:
    model = build(full())
    scores = model(frames())
    assert {name: tuple(score.shape) for name, score in scores.items()} == {
        "va": (2, 3, 2),
        "expr": (2, 3, 8),
        "compound": (2, 3, 7),
    }
    assert model.features(frames()).values.shape == (2, 3, 5)


def test_one_input_as_mapping_sequence_or_tensor() -> None:
    model, values = build(stored()), features()
    wanted = model({"clip": Sequence.of(values)})["va"]
    assert torch.equal(model(Sequence.of(values))["va"], wanted)
    assert torch.equal(model(values)["va"], wanted)


def test_forward_leaves_its_input_as_it_is() -> None:
    model, batch = build(full()), frames()
    before = [tensor.clone() for tensor in batch[:3]]
    model(batch, {"expr": Targets.of(torch.zeros(2, 3, dtype=torch.long))})
    for now, then in zip(batch[:3], before, strict=True):
        assert torch.equal(now, then)


def test_losses_are_named_by_path_and_weighted() -> None:
    model, batch = build(full()), frames()
    labels = {"va": Targets.of(torch.zeros(2, 3, 2)), "expr": Targets.of(torch.zeros(2, 3, dtype=torch.long))}
    scores, losses = model(batch, labels)
    assert list(losses) == ["branches.flow.motion[1].magnification", "heads.va", "heads.expr"]
    assert torch.equal(losses["heads.va"], 2 * model.heads["va"].loss(scores["va"], labels["va"], batch.mask))
    assert torch.equal(losses["heads.expr"], model.heads["expr"].loss(scores["expr"], labels["expr"], batch.mask))
    flow = model.branches["flow"].motion[0](batch)
    magnifier = model.branches["flow"].motion[1]
    assert torch.equal(
        losses["branches.flow.motion[1].magnification"],
        0.1 * magnifier.auxiliary(flow, magnifier(flow), labels)["magnification"],
    )
    assert torch.equal(scores["va"], model(batch)["va"])


def test_labels_may_be_partial() -> None:
    model = build(stored(va=ValenceArousalConfig(), au=ActionUnitsConfig()))
    assert model(features(), {})[1] == {}
    _, losses = model(features(), {"au": Targets.of(torch.zeros(2, 4, 12))})
    assert list(losses) == ["heads.au"]
    nothing = Targets.of(torch.zeros(2, 4, 12), torch.zeros(2, 4, 12))
    _, losses = model(features(), {"au": nothing})
    losses["heads.au"].backward()
    assert losses["heads.au"].item() == 0


def test_a_pipeline_of_events_alone_has_no_scores() -> None:
    from affectkit.configs import Events

    config = PipelineConfig(
        input=FrameStream(height=16, width=16, steps=("onset", "apex", "offset")),
        sampling=Events(spotter=ToySpotterConfig()),
    )
    model = build(config)
    assert model(frames()) == {}
    assert model(frames(), {}) == ({}, {})
    with pytest.raises(InputError) as caught:
        model.features(frames())
    assert str(caught.value) == "features: the pipeline has no branches; there is nothing to extract"


@pytest.mark.parametrize("name", ["keys", "type", "forward", "training", "update", "config"])
def test_any_name_names_a_branch_head_or_map(name: str) -> None:
    other = f"{name}_2"
    config = PipelineConfig(
        inputs={name: SMALL, other: SMALL},
        branches={name: Branch(source=name), other: Branch(source=other)},
        fusion=AffineFusionConfig(dim=4),
        heads={name: ExpressionConfig()},
        maps={other: CompoundFromBasicConfig(source=name)},
    )
    model = build(config)
    scores = model({name: Sequence.of(features()), other: Sequence.of(features())})
    assert list(scores) == [name, other]
    assert f"heads.{name}.linear.weight" in model.state_dict()
    assert f"fusion.affine.{name}.weight" in model.state_dict()


def test_predict_decodes_without_gradients_and_restores_every_mode() -> None:
    model = build(full()).train()
    model.branches["face"].features.eval()
    before = [module.training for module in model.modules()]
    decoded = model.predict(frames())
    assert [module.training for module in model.modules()] == before
    assert not any(score.requires_grad for score in decoded.values())
    torch.testing.assert_close(decoded["expr"].sum(-1), torch.ones(2, 3))
    torch.testing.assert_close(decoded["compound"].sum(-1), torch.ones(2, 3))
    assert decoded["va"].abs().max() <= 1
    model.eval()
    assert torch.equal(decoded["va"], model.heads["va"].predict(model(frames())["va"]).detach())
    with pytest.raises(InputError):
        model.train().predict(torch.zeros(1, 1, 1))
    assert model.training


def test_a_part_in_training_of_a_model_that_is_not_is_evaluated_too() -> None:
    model = build(full()).eval()
    wanted = model.predict(frames())
    head = model.heads["va"]
    head.linear = torch.nn.Sequential(torch.nn.Dropout(0.5), head.linear).eval()
    head.linear[0].train()
    assert find_training(model) == [head.linear[0]]
    assert torch.equal(model.predict(frames())["va"], wanted["va"])
    assert find_training(model) == [head.linear[0]]


@dataclass(frozen=True, kw_only=True)
class OddConfig(TemporalConfig):
    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


class Odd(TemporalEncoder[OddConfig]):
    def __init__(self, config: OddConfig, stream: FeatureStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs


class WithLosses(Odd):
    def auxiliary(self, inputs: Any, output: Any, targets: Any) -> Losses:
        return {"size": output.values.square().mean()}


class OtherConfig(Odd):
    def __init__(self, config: OddConfig, stream: FeatureStream) -> None:
        super().__init__(OddConfig(), stream)


class NoConfig(Odd):
    def __init__(self, config: OddConfig, stream: FeatureStream) -> None:
        nn.Module.__init__(self)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            lambda config, stream: nn.Linear(2, 2),
            "temporal: local/odd made Linear, which is no TemporalEncoder; derive the class from that",
        ),
        (WithLosses, "temporal: local/odd has auxiliary losses; give OddConfig a field 'aux_weight'"),
        (OtherConfig, "temporal: local/odd does not keep its config; call super().__init__(config)"),
        (NoConfig, "temporal: local/odd does not keep its config; call super().__init__(config)"),
    ],
)
def test_a_factory_that_breaks_its_promise_is_a_spec_error(factory: Any, message: str) -> None:
    registry = REGISTRY.with_components(TemporalSpec(name="odd", config=OddConfig, factory=factory, summary="Odd."))
    config = PipelineConfig(
        input=SMALL, branches={"x": Branch()}, temporal=OddConfig(), heads={"va": ValenceArousalConfig()}
    )
    with pytest.raises(SpecError) as caught:
        config.build(registry=registry)
    assert str(caught.value) == message


def test_a_missing_package_says_what_to_install() -> None:
    spec = TemporalSpec(
        name="odd",
        config=OddConfig,
        factory=Odd,
        summary="Odd.",
        requires=(Requirement(module="no_such_package.scan", install="pip install 'odd[fast]'"),),
    )
    config = PipelineConfig(
        input=SMALL, branches={"x": Branch()}, temporal=OddConfig(), heads={"va": ValenceArousalConfig()}
    )
    registry = REGISTRY.with_components(spec)
    config.trace(registry=registry)
    with pytest.raises(MissingDependencyError) as caught:
        config.build(registry=registry)
    assert str(caught.value) == (
        "local/odd: needs 'no_such_package.scan', which is not installed; run pip install 'odd[fast]'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert str(caught.value.__cause__) == "No module named 'no_such_package.scan'"


@dataclass(frozen=True, kw_only=True)
class SourceConfig(FeaturesConfig):
    """A config field may have any name but `use` and `kind`."""

    source: str = "somewhere"

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=1)


class SourceExtractor(FeatureExtractor[SourceConfig]):
    def __init__(self, config: SourceConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.stream = stream

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values.mean(dim=(2, 3, 4)).unsqueeze(-1))


def test_a_component_may_have_a_field_called_source() -> None:
    spec = FeaturesSpec(name="source", config=SourceConfig, factory=SourceExtractor, summary="Mean.")
    stream = FrameStream(height=16, width=16)
    config = PipelineConfig(
        input=stream, branches={"x": Branch(features=SourceConfig())}, heads={"va": ValenceArousalConfig()}
    )
    model = config.build(registry=REGISTRY.with_components(spec))
    assert model.branches["x"].features.stream == stream


def test_every_parameter_gets_a_gradient() -> None:
    model = build(full())
    labels = {"va": Targets.of(torch.rand(2, 3, 2)), "expr": Targets.of(torch.ones(2, 3, dtype=torch.long))}
    _, losses = model(frames(), labels)
    torch.autograd.backward(list(losses.values()))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_a_copy_scores_the_same_and_trains_apart() -> None:
    model = build(full()).eval()
    twin = copy.deepcopy(model)
    wanted = model(frames())["va"]
    assert torch.equal(twin(frames())["va"], wanted)
    with torch.no_grad():
        twin.heads["va"].linear.bias.add_(1.0)
    assert torch.equal(model(frames())["va"], wanted)
    twin.set_dials({"branches.flow.motion[1].alpha": 2.0})
    assert model.branches["flow"].motion[1].config.alpha == 4.0


def test_a_sequence_is_a_pytree() -> None:
    sequence = Sequence.of(features())
    leaves, spec = pytree.tree_flatten({"clip": sequence})
    assert len([leaf for leaf in leaves if isinstance(leaf, Tensor)]) == 3
    again = pytree.tree_unflatten(leaves, spec)["clip"]
    assert isinstance(again, Sequence)
    assert all(a is b for a, b in zip(again, sequence, strict=True))
    halves = pytree.tree_map(lambda leaf: leaf[:1] if isinstance(leaf, Tensor) else leaf, sequence)
    model = build(stored()).eval()
    assert torch.equal(model(halves)["va"], model(sequence)["va"][:1])


def test_a_data_loader_joins_sequences() -> None:
    one = Sequence.of(features(1))
    items = [{"clip": Sequence(one.values[0], one.mask[0], one.times[0], {})} for _ in range(4)]
    loader: torch.utils.data.DataLoader[Any] = torch.utils.data.DataLoader(items, batch_size=2)  # type: ignore[arg-type]
    batch = next(iter(loader))
    assert isinstance(batch["clip"], Sequence)
    assert build(stored())(batch)["va"].shape == (2, 4, 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_scores_the_same() -> None:
    pytest.importorskip("torch._inductor")
    config = PipelineConfig(
        inputs={"a": SMALL, "b": SMALL},
        branches={"a": Branch(source="a"), "b": Branch(source="b")},
        fusion=ToySumConfig(),
        heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig()},
    )
    model = build(config)
    batch = {"a": Sequence.of(features()), "b": Sequence.of(features())}
    labels = {"va": Targets.of(torch.rand(2, 4, 2))}
    wanted, wanted_losses = model(batch, labels)
    try:
        scores, losses = torch.compile(model, backend="aot_eager")(batch, labels)
    except torch._dynamo.exc.BackendCompilerFailed as error:
        pytest.skip(f"no compiler: {error}")
    torch.testing.assert_close(scores, wanted)
    torch.testing.assert_close(losses, wanted_losses)


def test_front_ends_without_weights_run_once_for_branches_that_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, other = OpticalFlowConfig(pairs="first"), OpticalFlowConfig(pairs="previous")
    motions = {"a": (flow,), "b": (flow, RestDifferenceConfig()), "c": (other,), "d": (flow, RestDifferenceConfig())}
    config = PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={name: Branch(motion=motion, features=ConvStemConfig(dim=4)) for name, motion in motions.items()},
        fusion=ToySumConfig(),
        heads={"va": ValenceArousalConfig()},
    )
    model = config.build(registry=REGISTRY).eval()
    clip = Sequence.of(torch.rand(1, 3, 3, 16, 16))
    each = [config_of_one(config, name).build(registry=REGISTRY).eval() for name in motions]
    for name, one in zip(motions, each, strict=True):
        one.branches[name].load_state_dict(model.branches[name].state_dict())
    wanted = torch.stack([one.features(clip).values for one in each]).sum(dim=0)
    calls: list[str] = []
    for kind in (OpticalFlow, RestDifference):
        monkeypatch.setattr(kind, "forward", counted(kind.forward, calls))
    torch.testing.assert_close(model.features(clip).values, wanted)
    assert sorted(calls) == ["optical-flow first", "optical-flow previous", "rest-difference"]


def config_of_one(config: PipelineConfig, name: str) -> PipelineConfig:
    return replace(config, branches={name: config.branches[name]}, fusion=None)


def counted(forward: Callable[..., Sequence], calls: list[str]) -> Callable[..., Sequence]:
    def call(self: Any, inputs: Sequence) -> Sequence:
        pairs = getattr(self.config, "pairs", None)
        calls.append("rest-difference" if pairs is None else f"optical-flow {pairs}")
        return forward(self, inputs)

    return call


@dataclass(frozen=True, kw_only=True)
class ClipMeanConfig(ScoreMapConfig):
    """Scores of frames to their mean over the clip."""

    def output(self, stream: PredictionStream) -> PredictionStream:
        return replace(stream, resolution="clip")


class ClipMean(ScoreMap[ClipMeanConfig]):
    def __init__(self, config: ClipMeanConfig, stream: PredictionStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        mean = masked_mean(inputs.values, inputs.mask.unsqueeze(-1), dim=1)
        return Sequence(mean.unsqueeze(1), inputs.mask.any(dim=1, keepdim=True), inputs.times[:, :1])


def test_a_map_sees_the_mask_and_may_go_from_frames_to_clips() -> None:
    spec = ScoreMapSpec(
        name="clip-mean",
        config=ClipMeanConfig,
        factory=ClipMean,
        summary="Mean over a clip.",
        example=ClipMeanConfig(source="x"),
    )
    registry = REGISTRY.with_components(spec)
    config = PipelineConfig(
        input=FeatureStream(dim=3),
        branches={"face": Branch()},
        heads={"va": ValenceArousalConfig()},
        maps={"clip": ClipMeanConfig(source="va"), "again": ClipMeanConfig(source="clip")},
    )
    model = config.build(registry=registry).eval()
    mask = torch.tensor([[True, True, False, False], [True, False, True, True]])
    scores = model(Sequence.of(torch.randn(2, 4, 3), mask=mask))
    wanted = torch.stack([scores["va"][0, :2].mean(0), scores["va"][1, [0, 2, 3]].mean(0)])
    torch.testing.assert_close(scores["clip"], wanted)
    torch.testing.assert_close(scores["again"], wanted)
