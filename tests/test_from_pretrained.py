"""Models with their weights: saved folders, presets, hub ids, and published weights of one component."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
import sys
import types
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from affectkit.artifact import load, save
from affectkit.errors import (
    ArtifactError,
    ConfigError,
    InputError,
    MissingDependencyError,
    RegistryError,
    SpecError,
    WeightsError,
)
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.published import from_pretrained, load_weights
from affectkit.registry import Registry
from affectkit.specs import FeaturesSpec, PipelineSpec, Weights
from affectkit.streams import FrameStream
from tests.artifacts import build, equal, features, refusal, stored
from tests.toys_torch import (
    REGISTRY,
    ToyPixels,
    ToyPixelsConfig,
)


def published(path: Path, url: str, **fields: Any) -> Weights:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    terms: dict[str, Any] = {"license": "CC-BY-4.0", "training_data_terms": "synthetic", **fields}
    return Weights(name="toy-weights", url=url, sha256=digest, size=len(content), **terms)


def preset(weights: Weights | tuple[Weights, ...] | None, **fields: Any) -> Registry:
    spec = PipelineSpec(name="calm", config=stored, summary="Valence of stored features.", weights=weights, **fields)
    without = Registry(dataclasses.replace(plugin, pipelines=()) for plugin in REGISTRY._plugins)
    return without.with_pipelines(spec, provider="affectkit-toy")


def test_from_pretrained_takes_a_folder(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = build(stored())
    assert equal(wanted, from_pretrained(saved, registry=REGISTRY), features())
    assert equal(wanted, from_pretrained(str(saved), registry=REGISTRY), features())
    monkeypatch.chdir(saved.parent)
    assert equal(wanted, from_pretrained("model", registry=REGISTRY), features())
    assert refusal(lambda: from_pretrained("./modle", registry=REGISTRY)) == (
        "./modle: no such folder; give a saved model, a preset or a hub id"
    )
    gone = saved.parent / "gone"
    assert refusal(lambda: from_pretrained(gone, registry=REGISTRY)) == (
        f"{gone}: no such folder; give a saved model, a preset or a hub id"
    )


def test_from_pretrained_takes_a_preset(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toy_presets"
    package.mkdir()
    (package / "__init__.py").touch()
    path = Path(shutil.copy(saved / "model.safetensors", package / "calm.safetensors"))
    monkeypatch.syspath_prepend(tmp_path)
    registry = preset(published(path, "package:toy_presets/calm.safetensors"))
    for name in ("calm", "affectkit-toy/calm"):
        model = from_pretrained(name, registry=registry)
        assert not model.training
        assert equal(build(stored()), model, features())


def test_a_preset_with_weights_of_another_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = build(stored()).state_dict()
    (tmp_path / "values.bin").write_bytes(torch.cat([tensor.flatten() for tensor in state.values()]).numpy().tobytes())
    (tmp_path / "shapes.json").write_text(json.dumps({key: list(tensor.shape) for key, tensor in state.items()}))
    values = published(tmp_path / "values.bin", "https://example.org/values.bin")
    shapes = dataclasses.replace(published(tmp_path / "shapes.json", "https://example.org/shapes.json"), name="shapes")

    def read(files: Mapping[str, Path]) -> dict[str, torch.Tensor]:
        assert list(files) == ["toy-weights", "shapes"]
        sizes = json.loads(files["shapes"].read_text())
        flat = torch.frombuffer(bytearray(files["toy-weights"].read_bytes()), dtype=torch.float32)
        parts = torch.split(flat, [math.prod(size) for size in sizes.values()])
        return {key: part.view(size) for (key, size), part in zip(sizes.items(), parts, strict=True)}

    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(tmp_path))
    model = from_pretrained("calm", registry=preset((values, shapes), loader=read))
    assert not model.training
    assert equal(build(stored()), model, features())
    names = ["toy-weights", "shapes"]
    assert [item["name"] for item in model.provenance] == names
    # what a model knows of its weights is saved, loaded, and saved again, and a file counts once
    loaded = load(save(model, tmp_path / "one", weights=(values,)), registry=REGISTRY)
    assert loaded.provenance == model.provenance
    again = json.loads((save(loaded, tmp_path / "two") / "pipeline.json").read_text())
    assert [item["name"] for item in again["weights"]["provenance"]] == names
    told = load(save(build(stored()), tmp_path / "three", weights=(values, shapes)), registry=REGISTRY)
    assert told.provenance == model.provenance


def test_a_loader_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "calm.bin").write_bytes(b"calm")
    weights = published(tmp_path / "calm.bin", "https://example.org/calm.bin")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(tmp_path))
    state = build(stored()).state_dict()
    first = next(iter(state))

    def message(made: object, error: type[Exception]) -> str:
        return refusal(lambda: from_pretrained("calm", registry=preset(weights, loader=lambda _: made)), error)

    wrong = "which is no mapping of tensors; return tensors by the model's state-dict keys"
    assert message([state], SpecError) == f"affectkit-toy/calm: its loader made list, {wrong}"
    assert message({first: 1.0}, SpecError) == f"affectkit-toy/calm: its loader made dict, {wrong}"
    renamed = {("weigth" if key == first else key): tensor for key, tensor in state.items()}
    assert message(renamed, ArtifactError) == (
        "affectkit-toy/calm: what its loader made does not fit the model: "
        f"missing temporal: {first.removeprefix('temporal.')!r}; unexpected keys: 'weigth'"
    )


def test_weights_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "calm.bin").write_bytes(b"calm")
    weights = published(tmp_path / "calm.bin", "https://example.org/calm.bin")
    monkeypatch.delenv("AFFECTKIT_WEIGHTS", raising=False)
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))

    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    assert refusal(lambda: from_pretrained("calm", registry=preset(weights, loader=dict)), WeightsError) == (
        "https://example.org/calm.bin: download failed (no network in tests); "
        "put the file into a folder and name that in AFFECTKIT_WEIGHTS"
    )


def test_from_pretrained_refuses_a_preset_without_weights_and_unknown_names() -> None:
    assert refusal(lambda: from_pretrained("calm", registry=preset(None))) == (
        "affectkit-toy/calm: has no published weights; build and train it, then save and load that"
    )
    assert refusal(lambda: from_pretrained("calmer", registry=preset(None)), RegistryError) == (
        "no pipeline 'calmer'; did you mean 'calm'? pipelines at hand: 'calm'"
    )
    message = refusal(lambda: from_pretrained("affectkit-toy/calmer", registry=preset(None)), RegistryError)
    assert message == "no pipeline 'affectkit-toy/calmer'; pipelines at hand: 'calm'"


def test_from_pretrained_takes_a_hub_id(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, str | None]] = []

    def hf_hub_download(repository: str, name: str, *, revision: str | None = None) -> str:
        asked.append((repository, name, revision))
        return str(saved / name)

    hub = types.ModuleType("huggingface_hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(hub, "hf_hub_download", hf_hub_download, raising=False)
    model = from_pretrained("someone/calm", registry=REGISTRY, revision="v1")
    assert equal(build(stored()), model, features())
    assert asked == [("someone/calm", "pipeline.json", "v1"), ("someone/calm", "model.safetensors", "v1")]

    def refuse(*_: object, **__: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    assert refusal(lambda: from_pretrained("someone/calm", registry=REGISTRY)) == (
        "someone/calm: can't be had from the hub (ConnectionError); "
        "check the id and the network, or run pip install someone if it is a plugin's preset"
    )


def test_a_hub_id_needs_the_hub_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError) as caught:
        from_pretrained("someone/calm", registry=REGISTRY)
    assert str(caught.value) == (
        "someone/calm: a hub id needs 'huggingface_hub', which is not installed; run pip install 'affectkit[hub]', "
        "or pip install someone if it is a plugin's preset"
    )
    assert isinstance(caught.value.__cause__, ImportError)


def test_published_weights_of_one_component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={"x": Branch(features=ToyPixelsConfig())},
        heads={"va": ValenceArousalConfig()},
    )
    source = build(config)
    path = tmp_path / "pixels.safetensors"
    save_file(source.stages()["branches.x.features"].state_dict(), path)
    weights = published(path, "https://example.org/pixels.safetensors", citation="Toy 2024")
    spec = FeaturesSpec(name="pixels", config=ToyPixelsConfig, factory=ToyPixels, summary="Linear.", weights=(weights,))
    registry = REGISTRY.with_components(spec, provider="toys")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(tmp_path))
    torch.manual_seed(1)
    model = config.build(registry=registry)
    assert load_weights(model, "branches.x.features") == weights
    assert load_weights(model, "branches.x.features", "toy-weights") == weights
    assert [item["name"] for item in model.provenance] == ["toy-weights"]
    one, two = (m.stages()["branches.x.features"].state_dict() for m in (source, model))
    assert all(torch.equal(one[key], two[key]) for key in one)
    card = save(model, tmp_path / "model") / "README.md"
    line = "toy-weights: https://example.org/pixels.safetensors, license CC-BY-4.0, training data: synthetic"
    assert f"## Published weights in it\n\n- {line}\n" in card.read_text()
    data = json.loads((tmp_path / "model" / "pipeline.json").read_text())
    assert data["weights"]["provenance"] == [
        {
            "name": "toy-weights",
            "url": weights.url,
            "sha256": weights.sha256,
            "license": "CC-BY-4.0",
            "training_data_terms": "synthetic",
            "citation": "Toy 2024",
        }
    ]

    def message(*arguments: str) -> str:
        return refusal(lambda: load_weights(model, *arguments), InputError)

    assert message("branches.x.feature") == (
        "no component at 'branches.x.feature'; did you mean 'branches.x.features'? paths: 'branches.x.features', "
        "'heads.va'"
    )
    assert message("branches.x.features", "toy") == (
        "branches.x.features: toys/pixels has no weights 'toy'; published: 'toy-weights'"
    )
    assert message("heads.va") == (
        "heads.va: affectkit/valence-arousal has no published weights; train it, or load a saved model"
    )
    both = (weights, dataclasses.replace(weights, name="other-weights"))
    model.registry = REGISTRY.with_components(dataclasses.replace(spec, weights=both), provider="toys")
    assert message("branches.x.features") == (
        "branches.x.features: toys/pixels has several weights; name one of 'toy-weights', 'other-weights'"
    )
    other = PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={"x": Branch(features=ToyPixelsConfig(dim=5))},
        heads={"va": ValenceArousalConfig()},
    ).build(registry=registry)
    assert refusal(lambda: load_weights(other, "branches.x.features")) == (
        f"{path}: does not fit the model: linear.bias is (4,), the model's is (5,); "
        "linear.weight is (4, 768), the model's is (5, 768)"
    )


def test_a_device_that_is_not_there(saved: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(saved, device="gpu", registry=REGISTRY)
    assert str(caught.value).startswith("device: no device 'gpu'; devices: 'cpu'")
