"""Any timm model as extractor: its table, its size and normalization, freezing, weights, and the door to timm."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from affectkit import torchvision_repair
from affectkit.errors import ConfigError, MissingDependencyError, StreamError, WeightsError
from affectkit.features import timm_backbone, timm_backbone_net, timm_import, timm_table
from affectkit.features.timm_backbone import SPEC, TimmConfig
from affectkit.features.timm_backbone_net import TimmBackbone, load_pretrained, load_timm_weights
from affectkit.features.timm_import import import_timm
from affectkit.features.timm_table import TABLE, TimmModel, make_table, measure, timm_models, write_table
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream

pytestmark = pytest.mark.skipif(find_spec("timm") is None, reason="the extra 'timm' is not installed")

RGB = FrameStream(height=32, width=32)
SMALL = "test_resnet"  # timm's own network for tests: 96 features, half a million parameters


def clip(batch: int = 2, steps: int = 2, channels: int = 3) -> Tensor:
    return torch.rand(batch, steps, channels, 32, 32, generator=torch.Generator().manual_seed(0))


def backbone(model: str = SMALL, stream: FrameStream = RGB, **options: Any) -> TimmBackbone:
    torch.manual_seed(0)
    return TimmBackbone(TimmConfig(model=model, **options), stream)


# The door to timm


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=300)


def test_the_door_opens_where_a_plain_import_fails() -> None:
    plain = run("import warnings; warnings.simplefilter('ignore'); import timm")
    door = run(
        "from affectkit import torchvision_repair as repair\n"
        "from affectkit.features import timm_import as door\n"
        "timm = door.import_timm()\n"
        "network = timm.create_model('test_resnet', num_classes=0)\n"
        "print(network.num_features, repair._declare_operators.cache_info().misses)"
    )
    assert door.returncode == 0, door.stderr
    dim, declared = door.stdout.split()
    assert dim == str(timm_models()[SMALL].dim)
    if plain.returncode == 0:
        assert declared == "0"
    else:
        assert "operator torchvision::nms does not exist" in plain.stderr
        assert declared == "1"


@pytest.fixture
def no_declaring(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before the first import of torchvision; declaring operators fails the test."""
    import_timm()
    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.setattr(
        torchvision_repair, "_declare_operators", lambda: pytest.fail("overrides torchvision's operators")
    )


@pytest.mark.usefixtures("no_declaring")
def test_nothing_is_overridden_where_torchvision_loads_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(torch.ops, "load_library", loaded.append)
    assert import_timm() is sys.modules["timm"]
    assert [Path(path).name.partition(".")[0] for path in loaded] == ["_C"]


@pytest.mark.usefixtures("no_declaring")
def test_nothing_is_declared_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise OSError(path)

    monkeypatch.setattr(torch.ops, "load_library", refuse)
    assert hasattr(torch.ops.torchvision, "nms")
    assert import_timm() is sys.modules["timm"]


@pytest.mark.parametrize("module", ["timm", "torchvision"])
def test_a_missing_timm_is_explained(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    import_timm()
    monkeypatch.delitem(sys.modules, "timm")
    monkeypatch.setattr(torchvision_repair, "_torchvision_loads", lambda: True)

    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(timm_import, "importlib", SimpleNamespace(import_module=absent))
    with pytest.raises(MissingDependencyError) as caught:
        backbone()
    assert str(caught.value) == f"timm: needs {module!r}, which is not installed; run pip install 'affectkit[timm]'"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_without_torchvision_there_is_nothing_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_repair, "find_spec", lambda name: None)
    assert torchvision_repair._torchvision_loads()


# The table


def test_the_spec_names_the_extra() -> None:
    assert SPEC.name == "timm"
    assert [(need.module, need.install) for need in SPEC.requires] == [("timm", "pip install 'affectkit[timm]'")]


@pytest.mark.parametrize("name", [SMALL, "resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224", "levit_128"])
def test_the_table_is_what_timm_says(name: str) -> None:
    assert measure(name) == timm_models()[name]


def test_the_table_is_sorted_compact_and_nearly_whole() -> None:
    path = Path(timm_backbone.__file__).with_name(TABLE)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert path.stat().st_size < 150_000
    assert len(lines) == len(timm_models()) + 2
    assert list(timm_models()) == sorted(timm_models())
    assert len(timm_models()) > 1300
    assert all(row.size in ("any", "built", "exact") and min(row[:3]) > 0 for row in timm_models().values())


def test_making_the_table_reports_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = make_table(["test_vit", SMALL, "no_such_model"])
    write_table(table, tmp_path / TABLE)
    assert [path.name for path in tmp_path.iterdir()] == [TABLE]
    assert json.loads((tmp_path / TABLE).read_text()) == {
        name: list(timm_models()[name]) for name in (SMALL, "test_vit")
    }
    assert capsys.readouterr().err.splitlines() == [
        "1/3 no_such_model left out: RuntimeError: Unknown model (no_such_model)",
        f"2/3 {SMALL} {tuple(timm_models()[SMALL])}",
        f"3/3 test_vit {tuple(timm_models()['test_vit'])}",
    ]


class Network:
    """Stands for a timm model: gives features of one shape."""

    def __init__(self, shape: tuple[int, ...], **pretrained: object) -> None:
        self.shape, self.pretrained_cfg = shape, pretrained

    def __call__(self, images: Tensor) -> Tensor:
        return torch.zeros(self.shape)


def test_a_model_without_one_vector_per_picture_can_not_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network((1, 4, 8), input_size=(3, 32, 32))
    monkeypatch.setattr(timm_table, "_on_meta", lambda timm, name: network)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        measure("odd")
    assert str(caught.value) == "odd: no pooled feature vector"


def test_a_model_without_a_known_size_can_not_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_table, "_on_meta", lambda timm, name: Network((1, 8)))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        measure("odd")
    assert str(caught.value) == "odd: no input size"


def test_a_fixed_size_that_no_option_changes_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(timm: object, name: str, **options: object) -> Network:
        if options:
            raise TypeError("unexpected keyword argument 'img_size'")
        return Network((1, 8), input_size=(3, 48, 32), fixed_input_size=True)

    monkeypatch.setattr(timm_table, "_on_meta", create)
    assert measure("stiff") == TimmModel(8, 48, 32, "exact")


# What the config says and refuses


def test_the_width_is_known_without_timm() -> None:
    stream = FrameStream(height=112, width=112, fps=30.0, steps=("event",))
    assert TimmConfig().output(stream) == FeatureStream(dim=512, fps=30.0, steps=("event",))
    assert TimmConfig(model="resnet18.a1_in1k", dim=512).output(stream).dim == 512
    assert TimmConfig(model="a_model_of_mine", dim=7).output(stream).dim == 7


def test_an_unknown_name_needs_its_width() -> None:
    with pytest.raises(ConfigError) as caught:
        TimmConfig(model="resnet81")
    assert str(caught.value) == (
        "model: 'resnet81' is not in the table of timm models; "
        "did you mean 'resnet18'? if timm has it, write dim=..., the width of its pooled feature"
    )
    with pytest.raises(ConfigError) as caught:
        TimmConfig(model="???")
    assert str(caught.value) == (
        "model: '???' is not in the table of timm models; "
        "if timm has it, write dim=..., the width of its pooled feature"
    )


def test_a_place_is_no_name() -> None:
    for place in ("hf-hub:timm/resnet18", "local-dir:/tmp/x", "timm/resnet18"):
        with pytest.raises(ConfigError) as caught:
            TimmConfig(model=place, dim=512)
        assert str(caught.value) == f"model: {place!r} is a place, not a name; write a name such as 'resnet18'"


def test_a_wrong_width_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        TimmConfig(dim=256)
    assert str(caught.value) == "dim: 256 is not the width of 'resnet18'; leave it out, or write 512"
    with pytest.raises(ConfigError) as caught:
        TimmConfig(model="a_model_of_mine", dim=0)
    assert str(caught.value) == "dim: 0 is too small; write 1 or more"


def test_a_model_of_one_size_takes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_backbone, "timm_models", lambda: {"stiff": TimmModel(8, 240, 224, "exact")})
    config = TimmConfig(model="stiff")
    assert config.output(FrameStream(height=240, width=224)).dim == 8
    with pytest.raises(StreamError) as caught:
        config.output(RGB)
    assert str(caught.value) == "'stiff' can't take frames of 32x32; its size is fixed: give 240x224"


# What building refuses


def test_a_name_unknown_to_timm_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        backbone("a_model_of_mine_that_nobody_has", dim=7)
    names = import_timm().list_models()
    listing = ", ".join(map(repr, names[:10])) + f" and {len(names) - 10} more"
    assert str(caught.value) == (f"model: timm has no model 'a_model_of_mine_that_nobody_has'; timm models: {listing}")
    with pytest.raises(ConfigError) as caught:
        backbone("test_resnets", dim=7)
    assert str(caught.value) == (
        f"model: timm has no model 'test_resnets'; did you mean 'test_resnet'? timm models: {listing}"
    )


def test_a_tag_unknown_to_timm_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        backbone("test_resnet.r160_in2k")
    assert str(caught.value) == (
        "model: timm has no weights 'r160_in2k' of 'test_resnet'; "
        "did you mean 'test_resnet.r160_in1k'? weights: 'test_resnet.r160_in1k'"
    )


def test_the_width_given_for_an_unlisted_model_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_backbone, "timm_models", dict)
    dim = timm_models()[SMALL].dim
    assert backbone(dim=dim)(Sequence.of(clip())).values.shape == (2, 2, dim)
    with pytest.raises(ConfigError) as caught:
        backbone(dim=7)
    assert str(caught.value) == f"dim: 'test_resnet' gives {dim} features, not 7; write dim={dim}"


def test_a_model_without_one_vector_per_frame_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_backbone_net, "_output_shape", lambda network, stream: (1, 4, 8))
    with pytest.raises(ConfigError) as caught:
        backbone()
    assert str(caught.value) == "model: 'test_resnet' gives (1, 4, 8) per frame; a model has to pool it"


def test_a_size_that_the_network_can_not_take_is_refused_when_it_is_built() -> None:
    with pytest.raises(StreamError) as caught:
        backbone("vit_tiny_patch16_224", FrameStream(height=8, width=8))
    assert isinstance(caught.value.__cause__, RuntimeError)
    reason = str(caught.value.__cause__).partition("\n")[0]
    assert str(caught.value) == (
        f"'vit_tiny_patch16_224' can't take frames [T] r+g+b 8x8 intensity (RuntimeError: {reason}); "
        "its own size is 224x224"
    )


# What it computes


@pytest.mark.parametrize("model", [SMALL, "test_vit"])
def test_one_vector_per_frame(model: str) -> None:
    stream = FrameStream(height=32, width=48)
    module = backbone(model, stream).eval()
    values = torch.rand(2, 3, 3, 32, 48)
    output = module(Sequence.of(values)).values
    assert output.shape == (2, 3, TimmConfig(model=model).output(stream).dim)
    torch.testing.assert_close(module(Sequence.of(values[1:, 2:])).values, output[1:, 2:])
    step, _ = module.step(Sequence.of(values).step(1), module.initial_state(2))
    torch.testing.assert_close(step.values, output[:, 1:2])


def test_intensities_are_normalized_as_the_published_weights_expect() -> None:
    assert torch.equal(backbone().mean.flatten(), torch.full((3,), 0.5))
    values, module = clip(), backbone("resnet10t").eval()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalized = (values - mean[:, None, None]) / std[:, None, None]
    expected = module.network(normalized.flatten(0, 1)).unflatten(0, (2, 2))
    torch.testing.assert_close(module(Sequence.of(values)).values, expected)


def test_gray_is_normalized_with_the_means_over_the_colors() -> None:
    module = backbone("resnet10t", FrameStream(channels=("gray",), height=32, width=32))
    torch.testing.assert_close(module.mean.flatten(), torch.tensor([(0.485 + 0.456 + 0.406) / 3]))
    torch.testing.assert_close(module.std.flatten(), torch.tensor([(0.229 + 0.224 + 0.225) / 3]))


def test_motion_goes_in_as_it_is() -> None:
    stream = FrameStream(channels=("u", "v"), unit="pixel", height=32, width=32)
    values, module = clip(channels=2), backbone(stream=stream).eval()
    expected = module.network(values.flatten(0, 1)).unflatten(0, (2, 2))
    assert torch.equal(module(Sequence.of(values)).values, expected)


@pytest.mark.parametrize("training", [False, True])
def test_padding_never_shows(training: bool) -> None:
    values = clip(batch=2, steps=4)
    mask = torch.tensor([[True, True, True, False], [True, True, False, False]])
    module = backbone().train(training)
    real = torch.cat([values[0, :3], values[1, :2]])[None]
    expected = module(Sequence.of(real)).values[0]
    statistics = {name: buffer.clone() for name, buffer in module.named_buffers()}
    again = backbone().train(training)
    values[~mask] = float("nan")
    output = again(Sequence.of(values, mask=mask)).values
    torch.testing.assert_close(output[mask], expected)
    assert not output[~mask].any()
    for name, buffer in again.named_buffers():
        torch.testing.assert_close(buffer, statistics[name])
    output.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in again.parameters())


def test_a_batch_of_padding_gives_zeros() -> None:
    padding = Sequence.of(clip(), mask=torch.zeros(2, 2, dtype=torch.bool))
    assert not backbone().train()(padding).values.any()


def test_a_frozen_network_does_not_learn() -> None:
    assert TimmConfig(frozen=True).is_frozen
    assert not TimmConfig().is_frozen
    module = backbone(frozen=True).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    assert module.training
    assert not module.network.training
    values = clip().requires_grad_()
    module(Sequence.of(values)).values.sum().backward()
    assert values.grad is not None  # what comes before it can still learn
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in module.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_a_network_that_is_not_frozen_learns() -> None:
    module = backbone().train()
    assert module.network.training
    module(Sequence.of(clip())).values.square().sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_the_state_is_that_of_the_network_alone() -> None:
    assert all(name.startswith("network.") for name in backbone().state_dict())


def test_it_runs_in_bfloat16() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert backbone().eval()(Sequence.of(clip())).values.isfinite().all()


# Weights


def published() -> dict[str, Tensor]:
    """A state dict as timm publishes them: with the classifier."""
    torch.manual_seed(1)
    return dict(import_timm().create_model(SMALL, pretrained=False).state_dict())


def test_a_local_state_dict_is_loaded_without_its_classifier(tmp_path: Path) -> None:
    state = published()
    save_file(state, tmp_path / "model.safetensors")
    module = backbone()
    assert not torch.equal(module.network.conv1[0].weight, state["conv1.0.weight"])
    load_timm_weights(module, tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.network.state_dict().items())


def test_weights_that_do_not_fit_are_listed_and_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    state = published()
    del state["bn1.weight"], state["bn1.bias"]
    state["extra.one"] = state["extra.two"] = torch.zeros(1)
    state["extra.two"] = torch.ones(1)
    state["conv1.0.weight"] = torch.zeros(1, 2, 3, 3)
    save_file(state, path)
    module = backbone()
    before = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_timm_weights(module, path)
    own = tuple(module.network.conv1[0].weight.shape)
    assert str(caught.value) == (
        f"{path}: does not fit 'test_resnet': missing bn1: 'bias', 'weight'; unexpected extra: 'one', 'two'; "
        f"conv1.0.weight is (1, 2, 3, 3), the network's is {own}"
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.network.state_dict().items())


def test_a_file_that_is_not_there_or_not_safetensors_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(WeightsError) as caught:
        load_timm_weights(backbone(), path)
    assert str(caught.value) == f"{path}: no such file; give a safetensors file of 'test_resnet'"
    path.write_bytes(b"not tensors")
    with pytest.raises(WeightsError) as caught:
        load_timm_weights(backbone(), path)
    cause = caught.value.__cause__
    assert str(caught.value) == f"{path}: not a safetensors file ({cause}); download it again"


def test_pretrained_weights_are_timm_s_own_and_fetched_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    timm = import_timm()
    create, calls = timm.create_model, []

    def offline(name: str, *, pretrained: bool, **options: Any) -> Any:
        calls.append((name, pretrained, options))
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    module = backbone(stream=FrameStream(channels=("u", "v"), unit="pixel", height=32, width=32))
    before = module.network.conv1[0].weight.clone()
    torch.manual_seed(5)
    load_pretrained(module)
    assert calls == [(SMALL, pretrained, {"num_classes": 0, "in_chans": 2}) for pretrained in (False, True)]
    torch.manual_seed(5)
    expected = create(SMALL, num_classes=0, in_chans=2).state_dict()
    assert not torch.equal(module.network.conv1[0].weight, before)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in module.network.state_dict().items())


def test_building_leaves_the_network_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **options: object) -> None:
        pytest.fail("building touches the network")

    monkeypatch.setattr("socket.socket.connect", no_network)
    backbone("resnet18.a1_in1k")
