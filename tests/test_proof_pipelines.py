"""Four published systems as pipeline files: the shape of the SDK fits them, before their plugins bring the parts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import Tensor

from affectkit.artifact import load, save
from affectkit.configs import Events
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.files import read_config, write_config
from affectkit.model import Model
from affectkit.pipeline import PipelineConfig
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FeatureStream, FrameStream, InputStream, PredictionStream
from tests.toys_torch import REGISTRY

FOLDER = Path(__file__).parent / "pipelines"
NAMES = ["fmanet", "ammsm", "abaw7", "compound"]
needs_timm = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
ALL = [pytest.param(name, marks=[needs_timm] if name == "compound" else []) for name in NAMES]
BATCH = 3


def read(name: str) -> PipelineConfig | EnsembleConfig:
    return read_config(FOLDER / f"{name}.toml", registry=REGISTRY)


def build(name: str) -> Model:
    torch.manual_seed(0)
    return read(name).build(registry=REGISTRY)


def clip(stream: InputStream) -> Sequence:
    """A ragged batch at irregular times: something bright that moves, or random features."""
    make = torch.Generator().manual_seed(0)
    steps = len(stream.steps) or 7
    times = torch.rand(BATCH, steps, generator=make, dtype=torch.float64).cumsum(dim=1)
    mask = torch.ones(BATCH, steps, dtype=torch.bool)
    if not stream.steps:
        mask[1, 4:] = False
    if not isinstance(stream, FrameStream):
        return Sequence.of(torch.randn(BATCH, steps, stream.dim, generator=make), mask=mask, times=times)
    grid = torch.linspace(-1, 1, stream.width)
    where = 0.1 * torch.arange(steps) + torch.tensor([[0.0], [-0.3], [0.2]])
    bump = torch.exp(-8 * (grid - where[..., None]) ** 2)[:, :, None, None, :]
    noise = torch.rand(BATCH, steps, len(stream.channels), stream.height, stream.width, generator=make)
    return Sequence.of(0.7 * bump + 0.3 * noise, mask=mask, times=times)


def batch(model: Model) -> dict[str, Sequence]:
    return {name: clip(stream) for name, stream in model.config.input_streams().items()}


def labels(stream: PredictionStream, scores: Tensor) -> Targets:
    make = torch.Generator().manual_seed(0)
    if stream.problem == "multiclass":
        return Targets.of(torch.randint(len(stream.targets), scores.shape[:-1], generator=make))
    return Targets.of(torch.rand(scores.shape, generator=make).round())


def train(model: Model, steps: int) -> list[dict[str, float]]:
    """A few steps on one batch, with labels for everything that takes them; the losses before each step."""
    inputs = batch(model)
    scores = model(inputs)
    wanted = {
        name: labels(stream, scores[name])
        for name, stream in model.traced.outputs.items()
        if f"maps.{name}" not in {step.path for step in model.traced}
    }
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    history = []
    for _ in range(steps):
        optimizer.zero_grad()
        _, losses = model(inputs, wanted)
        torch.autograd.backward(list(losses.values()))
        optimizer.step()
        history.append({name: loss.item() for name, loss in losses.items()})
    return history


@pytest.mark.parametrize("name", NAMES)
def test_it_is_read_traced_and_written_without_loss(name: str, tmp_path: Path) -> None:
    config = read(name)
    trace = config.trace(registry=REGISTRY)
    assert trace.outputs
    for ending in ("toml", "json"):
        write_config(config, tmp_path / f"again.{ending}", registry=REGISTRY)
        assert read_config(tmp_path / f"again.{ending}", registry=REGISTRY) == config


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_stands_in(name: str) -> None:
    text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    assert "# Standing in: " in text
    for line in text.splitlines():
        assert len(line) <= 122
    for toy in {word.split('"')[0] for word in text.split('use = "toys/')[1:]}:
        assert f"toys/{toy}" in text.partition("format = ")[0], toy


@pytest.mark.parametrize("name", ALL)
def test_outputs_are_as_traced(name: str) -> None:
    model = build(name).eval()
    scores = model(batch(model))
    assert list(scores) == list(model.traced.outputs)
    for output, stream in model.traced.outputs.items():
        steps = () if stream.resolution == "clip" else (7,)
        assert tuple(scores[output].shape) == (BATCH, *steps, len(stream.targets))


@pytest.mark.parametrize("name", ALL)
def test_a_step_of_training_reaches_every_parameter(name: str) -> None:
    model = build(name)
    # two steps: some networks begin with blocks that are switched off by a factor of zero
    for losses in train(model, 2):
        assert all(torch.tensor(loss).isfinite() for loss in losses.values())
    for key, parameter in model.named_parameters():
        assert parameter.requires_grad
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


@pytest.mark.parametrize("name", ALL)
def test_it_comes_back_bit_equal(name: str, tmp_path: Path) -> None:
    model = build(name)
    train(model, 1)
    again = load(save(model, tmp_path / name), registry=REGISTRY)
    model.eval()
    inputs = batch(model)
    with torch.no_grad():
        one, two = model(inputs), again(inputs)
    assert list(one) == list(two)
    assert all(torch.equal(one[output], two[output]) for output in one)


@pytest.mark.parametrize("name", ["fmanet", "ammsm"])
def test_micro_expressions_are_sampled_as_events(name: str) -> None:
    config = read(name)
    assert isinstance(config.sampling, Events)
    (stream,) = config.input_streams().values()
    assert stream.steps == config.sampling.keyframes
    assert config.trace(registry=REGISTRY)["sampling.spotter"].component == "toys/whole-clip"


def test_fmanet_turns_three_keyframes_into_one_event() -> None:
    trace = read("fmanet").trace(registry=REGISTRY)
    steps = [step.output.steps for step in trace if isinstance(step.output, FrameStream)]
    assert steps == [("contraction", "relaxation"), ("contraction", "relaxation"), ("event",)]
    assert trace.features is not None
    assert (trace.features.dim, trace.features.steps) == (32, ("event",))


def test_ammsm_has_its_own_loss_and_dials_that_change_its_scores() -> None:
    model = build("ammsm")
    losses = train(model, 20)
    assert list(losses[0]) == ["branches.flow.motion[1].magnification", "heads.micro"]
    assert sum(losses[-1].values()) < sum(losses[0].values())
    ratios = [f"branches.flow.features.ratios[{i}]" for i in range(3)]
    assert [dial.path for dial in model.dials] == ["branches.flow.motion[1].alpha", *ratios]
    model.eval()
    inputs = batch(model)
    before = model(inputs)["micro"]
    for genome in ({"branches.flow.motion[1].alpha": 8.0}, dict.fromkeys(ratios, 0.75)):
        with model.dialed(genome):
            assert not torch.equal(model(inputs)["micro"], before)
    assert torch.equal(model(inputs)["micro"], before)


def test_abaw7_uses_the_times_of_the_video() -> None:
    model = build("abaw7").eval()
    assert list(model.traced.outputs) == ["va", "expr", "au"]
    widths = [step.output.dim for step in model.traced if isinstance(step.output, FeatureStream)]
    assert widths == [512, 768, 512, 768, 512]
    inputs = batch(model)
    slow = {name: sequence._replace(times=2 * sequence.times) for name, sequence in inputs.items()}
    late = {name: sequence._replace(times=3600 + sequence.times) for name, sequence in inputs.items()}
    scores = model(inputs)["va"]
    assert not torch.allclose(model(slow)["va"], scores)
    torch.testing.assert_close(model(late)["va"], scores, atol=1e-5, rtol=1e-4)
    padded = {
        name: sequence.with_values(sequence.values.masked_fill(~sequence.mask.unsqueeze(-1), float("nan")))
        for name, sequence in inputs.items()
    }
    real = inputs["poster"].mask
    assert torch.equal(model(padded)["va"][real], scores[real])


def test_abaw7_learns() -> None:
    losses = train(build("abaw7"), 4)
    assert list(losses[0]) == ["heads.va", "heads.expr", "heads.au"]
    assert sum(losses[-1].values()) < sum(losses[0].values())


@needs_timm
def test_compound_joins_members_by_name_of_target() -> None:
    model = build("compound").eval()
    assert list(model.config.input_streams()) == ["clip", "local"]
    inputs = batch(model)
    predicted = model.predict(inputs)
    assert isinstance(model, Ensemble)
    given = {"cnn": "clip", "vit": "clip", "local": "local"}
    alone = {name: model.members[name].predict(inputs[source])["basic"] for name, source in given.items()}
    # the third member lists its classes in the opposite order
    parts = [alone["cnn"], alone["vit"], alone["local"].flip(-1)]
    torch.testing.assert_close(predicted["basic"], torch.stack(parts).mean(dim=0))
    torch.testing.assert_close(predicted["compound"].sum(dim=-1), torch.ones(BATCH, 7))
