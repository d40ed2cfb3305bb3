"""What a name given to `analyze` or the command line means: a file, a saved model, a preset. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affectkit.codec import Data
from affectkit.configs import ModelConfig
from affectkit.errors import ArtifactError, ConfigError, RegistryError
from affectkit.files import config_from_data, errors_in_file, parse_text, read_config
from affectkit.graphs import is_graph_file
from affectkit.registry import Preset, Registry
from affectkit.tracing import Trace

ENDINGS = (".toml", ".json")
# What a saved model calls its config.
CONFIG_FILE = "pipeline.json"


def is_path(name: str | Path) -> bool:
    """Whether `name` is a file or saved model, or is written as a path: never a preset or hub id.

    A bare name that is also some other folder's, such as a plugin's sources, is no path.
    """
    text, path = str(name), Path(name)
    has_ending = path.suffix in ENDINGS or is_graph_file(path)
    return is_written_as_path(text) or has_ending or path.is_file() or is_saved_model(path)


def is_written_as_path(name: str) -> bool:
    """Whether `name` begins as only a path does: `./x`, `../x`, `~/x`, `/x`, `C:\\x`."""
    return name.startswith((".", "~")) or Path(name).is_absolute()


def is_config_file(name: str | Path) -> bool:
    """Whether `name` is, or would be by its ending, a pipeline file."""
    path = Path(name)
    return path.is_file() or (path.suffix in ENDINGS and not path.is_dir())


def is_saved_model(path: str | Path) -> bool:
    """Whether `path` is a folder with a saved model's config."""
    return (Path(path) / CONFIG_FILE).is_file()


def read_saved_config(folder: str | Path) -> Data:
    """`pipeline.json` of a saved model, as data. The weights are not looked at.

    Raises:
        ArtifactError: it is missing, or is no saved model's.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise ArtifactError(f"{folder}: no {CONFIG_FILE}; give a saved model, or a .toml or .json file")
    try:
        data = parse_text(path.read_text(encoding="utf-8"), ".json", str(path))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise ArtifactError(str(error)) from error
    if not isinstance(data.get("config"), dict):
        raise ArtifactError(f"{path}: 'config' is missing; save the model again")
    return data


def check_no_graph_file(name: str | Path) -> None:
    """Raise ArtifactError if `name` is an exported pipeline, where one is asked for that can be built."""
    if is_graph_file(name) and Path(name).is_file():
        fact = "is an exported pipeline, which analyze and predict can run and no command can train, fit or join"
        raise ArtifactError(f"{name}: {fact}; give the pipeline or saved model that it was made of")


def find_config(name: str | Path, registry: Registry) -> tuple[ModelConfig, str]:
    """The config that `name` means, and what it was found as: `file`, `saved model` or `preset`.

    Raises:
        ConfigError, ArtifactError: a file or folder that is not what it should be, or an exported pipeline.
        RegistryError: no such preset, or a component that no plugin provides.
    """
    check_no_graph_file(name)
    if is_path(name) and Path(name).is_dir():
        data = read_saved_config(name)
        with errors_in_saved_model(name, data):
            return config_from_data(data["config"], registry=registry, folder=Path(name)), "saved model"
    if is_path(name):
        return read_config(name, registry=registry), "file"
    return registry.preset(str(name)).spec.make(), "preset"


def find_trace(name: str | Path, registry: Registry) -> tuple[ModelConfig, str, Trace]:
    """As `find_config`, and its trace; what is wrong is said with the file that it stands in.

    Raises:
        ConfigError, ArtifactError, RegistryError: as `find_config`, or the stages do not fit.
    """
    config, kind = find_config(name, registry)
    if kind == "saved model":
        with errors_in_saved_model(name, read_saved_config(name)):
            return config, kind, config.trace(registry=registry)
    if kind == "file":
        with errors_in_file(name):
            return config, kind, config.trace(registry=registry)
    return config, kind, config.trace(registry=registry)


@contextmanager
def errors_in_saved_model(folder: str | Path, data: Mapping[str, Any]) -> Iterator[None]:
    """Errors of a saved config begin with its file, and say what it was saved with; `data` is `pipeline.json`."""
    path = Path(folder) / CONFIG_FILE
    try:
        yield
    except ConfigError as error:
        raise ArtifactError(f"{path}: {error}{saved_with(data)}") from error
    except RegistryError as error:
        raise type(error)(f"{path}: {error}{saved_with(data)}") from None


def saved_with(data: Mapping[str, Any]) -> str:
    """`; saved with a==1.0, b==2.0`, from `pipeline.json` of a saved model; empty where it does not say."""
    saved = [f"{item['distribution']}=={item['version']}" for item in data.get("requires", ()) if item.get("version")]
    return f"; saved with {', '.join(saved)}" if saved else ""


def find_preset(name: str | Path, registry: Registry) -> Preset | None:
    """The preset `name`, or None where it is a path or no preset."""
    if is_path(name):
        return None
    try:
        return registry.preset(str(name))
    except RegistryError:
        return None
