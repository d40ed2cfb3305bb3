"""Late fusions at score level: rules by hand, certain members, what they refuse, and inside an ensemble."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from affectkit.configs import HeadConfig, LateFusionConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, StreamError
from affectkit.heads import action_units, expression, valence_arousal
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.interfaces import LateFusion
from affectkit.late import mean, product, stacking, vote, weighted
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.product import ProductFusionConfig
from affectkit.late.stacking import StackingConfig
from affectkit.late.vote import VoteFusionConfig
from affectkit.late.weighted import WeightedFusionConfig
from affectkit.maps import compound_from_basic
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.registry import Registry
from affectkit.sequences import Targets
from affectkit.specs import ComponentSpec
from affectkit.streams import FeatureStream, PredictionStream

SPECS: dict[type[LateFusionConfig], ComponentSpec[Any]] = {
    module.SPEC.config: module.SPEC for module in (mean, product, stacking, vote, weighted)
}
CLASSES = PredictionStream(problem="multiclass", resolution="frame", targets=("a", "b", "c"))
UNITS = PredictionStream(problem="multilabel", resolution="frame", targets=("AU1", "AU2", "AU4"))
VALUES = PredictionStream(problem="regression", resolution="frame", targets=("x", "y", "z"), bounds=(-1.0, 1.0))
LEVELS = PredictionStream(problem="ordinal", resolution="frame", targets=("AU1", "AU2", "AU4"), bounds=(0.0, 5.0))
WEIGHTED = WeightedFusionConfig(weights={"two": 3, "one": 1})
ALL: tuple[LateFusionConfig, ...] = (
    MeanFusionConfig(), WEIGHTED, ProductFusionConfig(), ProductFusionConfig(geometric=True), VoteFusionConfig(),
    StackingConfig(),
)  # fmt: skip
OF_VALUES: tuple[LateFusionConfig, ...] = (MeanFusionConfig(), WEIGHTED, StackingConfig())


def build(config: LateFusionConfig, stream: PredictionStream, *names: str) -> LateFusion[Any]:
    streams = dict.fromkeys(names or ("one", "two"), stream)
    config.output(streams)
    fusion = SPECS[type(config)].factory(config, streams)
    assert isinstance(fusion, LateFusion)
    return fusion


def members(one: list[float], two: list[float]) -> dict[str, Tensor]:
    return {"one": torch.tensor(one).float(), "two": torch.tensor(two).float()}


def fuse(config: LateFusionConfig, stream: PredictionStream, one: list[float], two: list[float]) -> Tensor:
    fused = build(config, stream)(members(one, two))
    assert isinstance(fused, Tensor)
    return fused.detach()


def random_members(stream: PredictionStream, *shape: int) -> dict[str, Tensor]:
    torch.manual_seed(0)
    scores = {name: torch.randn(*shape, len(stream.targets)) for name in ("one", "two")}
    link: Callable[[Tensor], Tensor] = {
        "multiclass": lambda score: torch.softmax(score, -1),
        "multilabel": torch.sigmoid,
        "regression": torch.tanh,
        "ordinal": lambda score: 5 * torch.sigmoid(score),
    }[stream.problem]
    return {name: link(score) for name, score in scores.items()}


def test_configs_need_no_torch() -> None:
    imports = "; ".join(f"import affectkit.late.{name}" for name in ("mean", "product", "stacking", "vote", "weighted"))
    subprocess.run([sys.executable, "-c", f"import sys; sys.modules['torch'] = None; {imports}"], check=True)


def test_only_stacking_learns() -> None:
    for config in ALL:
        learns = isinstance(config, StackingConfig)
        assert config.is_frozen is not learns
        assert bool(list(build(config, CLASSES).parameters())) is learns


def test_mean_and_weighted_by_hand() -> None:
    one, two = [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]
    torch.testing.assert_close(fuse(MeanFusionConfig(), CLASSES, one, two), torch.tensor([0.4, 0.3, 0.3]))
    torch.testing.assert_close(fuse(WEIGHTED, CLASSES, one, two), torch.tensor([0.5, 0.3, 0.2]))
    torch.testing.assert_close(
        fuse(MeanFusionConfig(), VALUES, [0.5, -1, 0], [1, 1, -0.5]), torch.tensor([0.75, 0.0, -0.25])
    )
    torch.testing.assert_close(fuse(WEIGHTED, LEVELS, [1, 5, 0], [5, 1, 0]), torch.tensor([4.0, 2.0, 0.0]))


@pytest.mark.parametrize("scale", [1e-300, 1e-50, 1e39, 1e300])
def test_only_the_ratios_of_weights_matter(scale: float) -> None:
    given = members([0.2, 0.3, 0.5], [0.6, 0.3, 0.1])
    scaled = build(WeightedFusionConfig(weights={"one": scale, "two": 3 * scale}), CLASSES)
    torch.testing.assert_close(scaled(given), build(WEIGHTED, CLASSES)(given))


def test_a_sure_yes_and_a_sure_no_cancel() -> None:
    given = members([1.0, 0.0, 0.5], [0.0, 1.0, 0.5])
    for config in (ProductFusionConfig(), ProductFusionConfig(geometric=True), StackingConfig()):
        assert torch.equal(build(config, UNITS)(given), torch.full((3,), 0.5))


def test_product_of_classes_by_hand() -> None:
    one, two = [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]
    products = torch.tensor([0.12, 0.09, 0.05])
    torch.testing.assert_close(fuse(ProductFusionConfig(), CLASSES, one, two), products / products.sum())
    roots = products.sqrt()
    torch.testing.assert_close(fuse(ProductFusionConfig(geometric=True), CLASSES, one, two), roots / roots.sum())
    torch.testing.assert_close(fuse(ProductFusionConfig(geometric=True), CLASSES, one, one), torch.tensor(one))


def test_product_of_labels_by_hand() -> None:
    fused = fuse(ProductFusionConfig(), UNITS, [0.8, 0.5, 0.9], [0.6, 0.3, 0.1])
    torch.testing.assert_close(fused, torch.tensor([0.48 / (0.48 + 0.08), 0.3, 0.5]))
    alike = fuse(ProductFusionConfig(geometric=True), UNITS, [0.8, 0.5, 0.9], [0.8, 0.5, 0.9])
    torch.testing.assert_close(alike, torch.tensor([0.8, 0.5, 0.9]))


def test_vote_counts_members() -> None:
    fusion = build(VoteFusionConfig(), CLASSES, "one", "two", "three")
    votes = {"one": [0.4, 0.35, 0.25], "two": [0.45, 0.4, 0.15], "three": [0.0, 1.0, 0.0]}
    fused = fusion({name: torch.tensor(row) for name, row in votes.items()})
    # `b` has the higher mean probability, `a` more votes
    expected = (torch.tensor([2.0, 1.0, 0.0]) + 0.01 * torch.tensor([0.85, 1.75, 0.4]) / 3) / 3.01
    torch.testing.assert_close(fused, expected)
    assert fused.sum().item() == pytest.approx(1)


def test_a_tie_goes_to_the_higher_mean_probability() -> None:
    assert fuse(VoteFusionConfig(), CLASSES, [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]).argmax() == 2
    assert fuse(VoteFusionConfig(), CLASSES, [0.7, 0.1, 0.2], [0.3, 0.2, 0.5]).argmax() == 0
    labels = fuse(VoteFusionConfig(), UNITS, [0.9, 0.6, 0.5], [0.4, 0.1, 0.5])
    assert (labels >= 0.5).tolist() == [True, False, True]


@pytest.mark.parametrize("stream", [CLASSES, UNITS, VALUES, LEVELS], ids=str)
def test_stacking_begins_as_the_mean_in_log_space(stream: PredictionStream) -> None:
    given = random_members(stream, 2, 5)
    is_of_values = stream.problem in ("regression", "ordinal")
    begins_as = MeanFusionConfig() if is_of_values else ProductFusionConfig(geometric=True)
    torch.testing.assert_close(build(StackingConfig(), stream)(given), build(begins_as, stream)(given))


def test_stacking_weighs_by_member_and_target() -> None:
    fusion = build(StackingConfig(), UNITS)
    with torch.no_grad():
        fusion.get_parameter("weight").copy_(torch.tensor([[1.0, 0, 2], [0, 1, 0]]))
        fusion.get_parameter("bias").copy_(torch.tensor([0.0, 0.0, 1.0]))
    fused = fusion(members([0.8, 0.5, 0.5], [0.6, 0.3, 0.1]))
    torch.testing.assert_close(fused, torch.tensor([0.8, 0.3, 0.7310586]))


def test_stacked_values_stay_within_bounds() -> None:
    fusion = build(StackingConfig(), VALUES)
    with torch.no_grad():
        fusion.get_parameter("bias").copy_(torch.tensor([5.0, -5.0, 0.1]))
    assert fusion(members([0, 0, 0], [0, 0, 0])).tolist() == pytest.approx([1.0, -1.0, 0.1])
    unbounded = PredictionStream(problem="regression", resolution="frame", targets=("x",))
    free = build(StackingConfig(), unbounded)
    assert free(members([7.0], [9.0])).tolist() == pytest.approx([8.0])


@pytest.mark.parametrize("stream", [CLASSES, UNITS, VALUES], ids=str)
def test_stacking_learns_to_trust_the_better_member(stream: PredictionStream) -> None:
    fusion = build(StackingConfig(), stream)
    given = random_members(stream, 64)
    truth = given["one"]
    optimizer = torch.optim.Adam(fusion.parameters(), lr=0.05)
    errors = []
    for _ in range(60):
        optimizer.zero_grad()
        error = (fusion(given) - truth).square().mean()
        torch.autograd.backward(error)
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]


@pytest.mark.parametrize("stream", [CLASSES, UNITS], ids=str)
@pytest.mark.parametrize("config", ALL, ids=repr)
def test_certain_members_give_finite_probabilities_and_gradients(
    config: LateFusionConfig, stream: PredictionStream
) -> None:
    given = {"one": torch.eye(3), "two": torch.eye(3).flip(0)}
    for tensor in given.values():
        tensor.requires_grad_()
    fusion = build(config, stream)
    fused = fusion(given)
    assert ((fused >= 0) & (fused <= 1)).all()
    if stream.problem == "multiclass":
        torch.testing.assert_close(fused.sum(-1), torch.ones(3))
    torch.autograd.backward(fused[..., 0].sum())
    for tensor in (*given.values(), *fusion.parameters()):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


@pytest.mark.parametrize("config", ALL, ids=repr)
def test_autocast_does_not_round_probabilities(config: LateFusionConfig) -> None:
    given = random_members(CLASSES, 2, 4)
    fusion = build(config, CLASSES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fused = fusion(given)
    torch.testing.assert_close(fused, fusion(given))


def test_no_member_has_a_veto() -> None:
    fusion = build(ProductFusionConfig(), CLASSES)
    contradiction = fusion(members([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    torch.testing.assert_close(contradiction, torch.tensor([0.5, 0.5, 0.0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("stream", [CLASSES, UNITS], ids=str)
@pytest.mark.parametrize("config", ALL, ids=repr)
def test_shapes_rows_and_inputs(config: LateFusionConfig, stream: PredictionStream) -> None:
    given = random_members(stream, 2, 4)
    before = {name: tensor.clone() for name, tensor in given.items()}
    fusion = build(config, stream)
    fused = fusion(given)
    assert fused.shape == (2, 4, 3)
    if stream.problem == "multiclass":
        torch.testing.assert_close(fused.sum(-1), torch.ones(2, 4))
    assert all(torch.equal(given[name], before[name]) for name in given)
    # one clip alone, and the members in another order, give the same
    torch.testing.assert_close(fusion({"two": given["two"][1:], "one": given["one"][1:]}), fused[1:])


@pytest.mark.parametrize("config", [MeanFusionConfig(), ProductFusionConfig(), VoteFusionConfig(), StackingConfig()])
def test_one_member_alone_keeps_its_order_of_classes(config: LateFusionConfig) -> None:
    p = torch.tensor([0.2, 0.5, 0.3])
    assert build(config, CLASSES, "only")({"only": p}).argsort().tolist() == p.argsort().tolist()


def test_output_is_the_common_stream_with_bounds_that_hold_for_all() -> None:
    wide = PredictionStream(problem="regression", resolution="frame", targets=("x", "y", "z"), bounds=(-0.5, 2.0))
    free = PredictionStream(problem="regression", resolution="frame", targets=("x", "y", "z"))
    for config in OF_VALUES:
        assert config.output({"one": VALUES, "two": VALUES}) == VALUES
        assert config.output({"one": VALUES, "two": wide}).bounds == (-1.0, 2.0)
        assert config.output({"one": VALUES, "two": free}).bounds is None
    for config in ALL:
        assert config.output({"one": CLASSES, "two": CLASSES}) == CLASSES


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"one": -1.0, "two": 2.0}, "weights.one: -1.0 is negative; write 0 or more"),
        ({"one": 0.0}, "weights: the weights sum to 0; give one member more than 0"),
        ({}, "weights: the weights sum to 0; give one member more than 0"),
    ],
)
def test_weights_that_are_refused(weights: Mapping[str, float], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WeightedFusionConfig(weights=weights)
    assert str(caught.value) == message


CLIPS = PredictionStream(problem="multiclass", resolution="clip", targets=("a", "b", "c"))
OTHERS = PredictionStream(problem="multiclass", resolution="frame", targets=("a", "b"))


@pytest.mark.parametrize(
    ("config", "streams", "message"),
    [
        (MeanFusionConfig(), {}, "no members; give at least one"),
        (
            MeanFusionConfig(),
            {"one": CLASSES, "two": UNITS},
            "problem of 'two' is 'multilabel', of 'one' 'multiclass'; members agree on the problem",
        ),
        (
            StackingConfig(),
            {"one": CLASSES, "two": CLIPS},
            "resolution of 'two' is 'clip', of 'one' 'frame'; members agree on the resolution",
        ),
        (
            VoteFusionConfig(),
            {"one": CLASSES, "two": OTHERS},
            "targets of 'two' is ('a', 'b'), of 'one' ('a', 'b', 'c'); members agree on the targets",
        ),
        (
            ProductFusionConfig(),
            {"one": VALUES},
            "problem 'regression' is not accepted; accepts 'multiclass', 'multilabel'",
        ),
        (
            VoteFusionConfig(),
            {"one": LEVELS},
            "problem 'ordinal' is not accepted; accepts 'multiclass', 'multilabel'",
        ),
        (
            WEIGHTED,
            {"one": CLASSES},
            "weights: a weight for 'two', which is no member; members: 'one'",
        ),
        (
            WEIGHTED,
            {"one": CLASSES, "twos": CLASSES},
            "weights: a weight for 'two', which is no member; did you mean 'twos'? members: 'one', 'twos'",
        ),
        (
            WEIGHTED,
            {"one": CLASSES, "two": CLASSES, "three": CLASSES},
            "weights: no weight for 'three'; give one per member, 0 to leave it out",
        ),
    ],
)
def test_members_that_are_refused(
    config: LateFusionConfig, streams: Mapping[str, PredictionStream], message: str
) -> None:
    with pytest.raises(StreamError) as caught:
        config.output(streams)
    assert str(caught.value) == message


REGISTRY = Registry().with_components(
    *SPECS.values(), action_units.SPEC, expression.SPEC, valence_arousal.SPEC, compound_from_basic.SPEC
)


def ensemble(head: HeadConfig, fusion: LateFusionConfig, **maps: CompoundFromBasicConfig) -> EnsembleConfig:
    single = PipelineConfig(input=FeatureStream(dim=4), branches={"face": Branch()}, heads={"out": head})
    return EnsembleConfig(members={"one": single, "two": single}, fusion=fusion, maps=maps)


@pytest.mark.parametrize("config", ALL, ids=repr)
def test_ensemble_of_classes(config: LateFusionConfig) -> None:
    torch.manual_seed(0)
    model = ensemble(ExpressionConfig(), config, pairs=CompoundFromBasicConfig(source="out")).build(registry=REGISTRY)
    predictions = model.predict(torch.randn(2, 5, 4))
    assert predictions["out"].shape == (2, 5, 8)
    for name in ("out", "pairs"):
        torch.testing.assert_close(predictions[name].sum(-1), torch.ones(2, 5))


@pytest.mark.parametrize("head", [ValenceArousalConfig(), ActionUnitsConfig(intensity=True)], ids=repr)
@pytest.mark.parametrize("config", OF_VALUES, ids=repr)
def test_ensemble_of_values_joins_decoded_ones(head: HeadConfig, config: LateFusionConfig) -> None:
    torch.manual_seed(0)
    model = ensemble(head, config).build(registry=REGISTRY)
    batch = 10 * torch.randn(2, 5, 4)
    one, two = (model.members[name].predict(batch)["out"] for name in ("one", "two"))
    expected = (one + 3 * two) / 4 if config is WEIGHTED else (one + two) / 2
    torch.testing.assert_close(model.predict(batch)["out"], expected)


@pytest.mark.parametrize("head", [ExpressionConfig(), ActionUnitsConfig(), ValenceArousalConfig()], ids=repr)
def test_the_loss_of_the_ensemble_trains_a_stacking(head: HeadConfig) -> None:
    torch.manual_seed(0)
    model = ensemble(head, StackingConfig()).build(registry=REGISTRY)
    batch = torch.randn(2, 5, 4)
    stream = model.traced.outputs["out"]
    if stream.problem == "multiclass":
        targets = Targets.of(torch.randint(8, (2, 5)))
    else:
        targets = Targets.of(torch.randint(2, (2, 5, len(stream.targets))).float())
    optimizer = torch.optim.Adam(model.fusion.parameters(), lr=0.05)
    history = []
    for _ in range(20):
        optimizer.zero_grad()
        losses = model(batch, targets={"out": targets})[1]
        assert list(losses) == ["fusion.out"]
        torch.autograd.backward(losses["fusion.out"])
        optimizer.step()
        history.append(losses["fusion.out"].item())
    assert history[-1] < 0.9 * history[0]
