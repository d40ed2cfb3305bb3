"""What a name means: a file, a saved model, a preset."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from affectkit.artifact import save
from affectkit.errors import ArtifactError, ConfigError, RegistryError
from affectkit.files import config_to_data, errors_in_file, write_config
from affectkit.lookup import (
    find_config,
    find_preset,
    find_trace,
    is_path,
    is_saved_model,
    read_saved_config,
)
from affectkit.presets import starter
from affectkit.registry import Registry, default_registry
from affectkit.temporal.transformer import TransformerConfig


def test_a_file(tmp_path: Path) -> None:
    write_config(starter(), tmp_path / "pipeline.toml")
    assert find_config(tmp_path / "pipeline.toml", default_registry()) == (starter(), "file")


def test_a_saved_model(tmp_path: Path) -> None:
    save(starter().build(), tmp_path / "model")
    assert is_saved_model(tmp_path / "model")
    assert not is_saved_model(tmp_path)
    assert find_config(tmp_path / "model", default_registry()) == (starter(), "saved model")


def test_a_preset() -> None:
    assert find_config("starter", default_registry()) == (starter(), "preset")
    preset = find_preset("affectkit/starter", default_registry())
    assert preset is not None
    assert preset.id == "affectkit/starter"
    assert find_preset("started", default_registry()) is None
    assert find_preset("starter.toml", default_registry()) is None


@pytest.mark.parametrize(
    ("name", "expected"), [("starter", False), ("a/b", False), ("./a", True), ("~/a", True), ("tests", False)]
)
def test_what_is_written_as_a_path(name: str, expected: bool) -> None:
    assert is_path(name) is expected


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError) as caught:
        find_config("nowhere.toml", default_registry())
    assert str(caught.value) == "nowhere.toml: no such file; check the path"


def test_no_preset() -> None:
    # others may be installed beside it
    core = Registry(plugin for plugin in default_registry()._plugins if plugin.report.provider == "affectkit")
    with pytest.raises(RegistryError) as caught:
        find_config("started", core)
    assert (
        str(caught.value)
        == "no pipeline 'started'; did you mean 'starter'? pipelines at hand: 'micro', 'motion-events', 'starter'"
    )


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        find_config(tmp_path, default_registry())
    assert str(caught.value) == f"{tmp_path}: no pipeline.json; give a saved model, or a .toml or .json file"


def test_a_config_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text("[]")
    with pytest.raises(ArtifactError) as caught:
        read_saved_config(tmp_path)
    assert str(caught.value) == f"{path}: holds list; write an object"
    path.write_text("{}")
    with pytest.raises(ArtifactError) as caught:
        read_saved_config(tmp_path)
    assert str(caught.value) == f"{path}: 'config' is missing; save the model again"


def test_a_config_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps({"config": {"kind": "sculpture"}}))
    with pytest.raises(ArtifactError) as caught:
        find_config(tmp_path, default_registry())
    assert str(caught.value) == f"{path}: kind: unknown kind 'sculpture'; kinds: 'pipeline', 'ensemble'"


def test_what_does_not_fit_names_the_file(tmp_path: Path) -> None:
    bad = replace(starter(), temporal=TransformerConfig(heads=3))
    with pytest.raises(ConfigError) as plain:
        bad.trace()
    assert str(plain.value).startswith("temporal: ")
    path = tmp_path / "bad.toml"
    write_config(bad, path)
    with pytest.raises(ConfigError) as caught:
        find_trace(path, default_registry())
    assert str(caught.value) == f"{path}: {plain.value}"
    assert type(caught.value) is type(plain.value)


def test_what_does_not_fit_names_the_saved_model_and_its_plugins(tmp_path: Path) -> None:
    bad = replace(starter(), temporal=TransformerConfig(heads=3))
    with pytest.raises(ConfigError) as plain:
        bad.trace()
    path = tmp_path / "pipeline.json"
    requires = [{"distribution": "affectkit", "version": "0.0.1"}, {"distribution": "unknown", "version": ""}]
    path.write_text(json.dumps({"config": config_to_data(bad), "requires": requires}))
    with pytest.raises(ArtifactError) as caught:
        find_trace(tmp_path, default_registry())
    assert str(caught.value) == f"{path}: {plain.value}; saved with affectkit==0.0.1"
    text = path.read_text().replace("affectkit/transformer", "acme/transformer")
    path.write_text(text)
    with pytest.raises(RegistryError) as missing:
        find_trace(tmp_path, default_registry())
    assert str(missing.value) == (
        f"{path}: temporal.use: no temporal encoder 'acme/transformer'; run pip install acme; "
        "saved with affectkit==0.0.1"
    )


def test_the_trace_of_what_fits() -> None:
    config, kind, trace = find_trace("starter", default_registry())
    assert (config, kind) == (starter(), "preset")
    assert trace["temporal"] == starter().trace()["temporal"]


def test_errors_in_a_file() -> None:
    with pytest.raises(RegistryError) as caught, errors_in_file("a.toml"):
        raise RegistryError("no such thing")
    assert str(caught.value) == "a.toml: no such thing"
    with pytest.raises(ConfigError) as pathless, errors_in_file("a.toml"):
        raise ConfigError("is empty", "write something")
    assert str(pathless.value) == "a.toml: is empty; write something"
