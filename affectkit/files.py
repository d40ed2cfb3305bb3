"""Pipeline files: TOML for people, JSON for machines. Data only: nothing in a file is imported or executed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from affectkit.codec import Data, decode, encode
from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, RegistryError, join, listed
from affectkit.graphs import check_below, with_paths
from affectkit.pipeline import PipelineConfig
from affectkit.registry import Registry, default_registry

T = TypeVar("T")
# Readers refuse what is newer; what is older keeps loading.
FORMAT = 1
_TAGS: Mapping[str, type[ModelConfig]] = {"pipeline": PipelineConfig, "ensemble": EnsembleConfig}


def read_config(path: str | Path, *, registry: Registry | None = None) -> PipelineConfig | EnsembleConfig:
    """The pipeline or ensemble in a `.toml` or `.json` file. Not traced yet.

    Raises:
        ConfigError: not readable, not TOML or JSON, or something in it is wrong; names file, path and remedy.
        ArtifactError: the file of an exported member is missing, or another one than its hash says.
        RegistryError: a component that no installed plugin provides.
    """
    path = Path(path)
    data = parse_text(read_text(path), path.suffix, str(path))
    with errors_in_file(path):
        return config_from_data(data, registry=registry, folder=path.parent)


def read_data(kind: type[T], path: str | Path, *, registry: Registry | None = None) -> T:
    """Plain data of one config class, such as a recipe, in a `.toml` or `.json` file.

    Raises:
        ConfigError: not readable, or something in it is wrong; names file, path and remedy.
    """
    path = Path(path)
    data = parse_text(read_text(path), path.suffix, str(path))
    with errors_in_file(path):
        return decode(kind, data, registry if registry is not None else default_registry())


def read_text(path: Path) -> str:
    """The text of a config file.

    Raises:
        ConfigError: it isn't there, or is no text in UTF-8.
    """
    try:
        # some editors begin a file with a byte-order mark, which both parsers refuse
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("no such file", "check the path", path=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read ({error})", "give a text file in UTF-8", path=str(path)) from error


@contextmanager
def errors_in_file(path: str | Path) -> Iterator[None]:
    """Errors of a config that was read from `path` begin with it."""
    try:
        yield
    except ConfigError as error:
        where = f"{path}: {error.path}" if error.path else str(path)
        raise type(error)(error.fact, error.suggestion, path=where) from None
    except RegistryError as error:
        raise type(error)(f"{path}: {error}") from None


def write_config(config: ModelConfig, path: str | Path, *, registry: Registry | None = None) -> None:
    """Write a pipeline or ensemble as `.toml` or `.json`, with full ids; an existing file is replaced at once.

    Files of exported members are named as they are seen from it.

    Raises:
        ConfigError: another ending, no such folder, a None that TOML can't say, or the file of an exported member lies
            neither beside the new one nor below.
        RegistryError: a component that no installed plugin provides.
    """
    path = Path(path)
    data = {"format": FORMAT, **config_to_data(config, registry=registry)}
    with errors_in_file(path):
        data = with_paths(data, lambda where, file: _seen_from(path.parent, where, file))
    if path.suffix == ".toml":
        import tomli_w

        # on the config, not on the data: only the fields know their defaults
        _check_nulls(config, str(path), "")
        text = tomli_w.dumps(_without_none(data))
    elif path.suffix == ".json":
        import json

        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        raise ConfigError(f"ending {path.suffix!r}", "write a .toml or .json file", path=str(path))
    if not path.parent.is_dir():
        raise ConfigError(f"no folder {str(path.parent)!r}", "make it first", path=str(path))
    write_text(path, text)


def config_to_data(config: ModelConfig, *, registry: Registry | None = None) -> Data:
    """A pipeline or ensemble as plain data."""
    return encode(config, registry if registry is not None else default_registry())


def config_from_data(
    data: Mapping[str, Any], *, registry: Registry | None = None, folder: Path | None = None
) -> PipelineConfig | EnsembleConfig:
    """The pipeline or ensemble that plain data describe; `kind` says which, `pipeline` unless written.

    Arguments:
        data: as `config_to_data` gives it, or as a file holds it.
        registry: where components are looked up.
        folder: of the file that held the data, from which files of exported members are seen and which they can't
            leave; None where there was no file, and paths are taken as they are.

    Raises:
        ConfigError: something in it is wrong; names path and remedy.
        ArtifactError: the file of an exported member is missing, or another one than its hash says.
        RegistryError: a component that no installed plugin provides.
    """
    rest = {key: value for key, value in data.items() if key not in ("format", "kind")}
    found = data.get("format", FORMAT)
    # True would pass for format 1
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= FORMAT:
        is_newer = isinstance(found, int) and found > FORMAT
        hint = f"this affectkit reads up to {FORMAT}: update it" if is_newer else f"write {FORMAT}"
        raise ConfigError(f"format {found!r}", hint, path="format")
    kind = data.get("kind", "pipeline")
    if not isinstance(kind, str) or kind not in _TAGS:
        raise ConfigError(f"unknown kind {kind!r}", f"kinds: {listed(_TAGS)}", path="kind")
    names = registry if registry is not None else default_registry()
    if folder is not None:
        rest = with_paths(rest, lambda where, path: str(folder / check_below(where, path)))
    config = decode(_TAGS[kind], rest, names)
    assert isinstance(config, PipelineConfig | EnsembleConfig)
    return config


def _seen_from(folder: Path, where: str, file: str) -> str:
    path = Path(os.path.abspath(file))
    if not path.is_relative_to(os.path.abspath(folder)):
        hint = "copy the .onnx file beside the pipeline file or below"
        raise ConfigError(f"{file!r} lies outside of its folder", hint, path=join(where, "path"))
    return path.relative_to(os.path.abspath(folder)).as_posix()


def parse_text(text: str, ending: str, where: str) -> dict[str, Any]:
    """TOML or JSON text, by ending, as a dict.

    Raises:
        ConfigError: malformed, or the ending is another.
    """
    parsers = {".toml": _parse_toml, ".json": _parse_json}
    if ending not in parsers:
        raise ConfigError(f"ending {ending!r}", "give a .toml or .json file", path=where)
    try:
        return parsers[ending](text, where)
    # is a ValueError too, and says more than the line below
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits, thousands of nested brackets.
        raise ConfigError(f"can't be read ({error})", "give a pipeline", path=where) from None


def _parse_toml(text: str, where: str) -> dict[str, Any]:
    import tomllib  # here and below: a program needs one of the two parsers, and starts sooner without the other

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML ({error})", "mend the line", path=where) from None


def _parse_json(text: str, where: str) -> dict[str, Any]:
    import json

    try:
        # by default json keeps the last of two equal keys, and reads NaN and Infinity, which are no JSON
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON ({error})", "mend the line", path=where) from None
    except _JSONContentError as error:
        raise ConfigError(str(error), "JSON here has unique keys and finite numbers", path=where) from None
    if not isinstance(data, dict):
        raise ConfigError(f"holds {type(data).__name__}", "write an object", path=where)
    return data


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it into place."""
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp's files are for the user alone
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class _JSONContentError(Exception):
    """Valid JSON syntax that would lose something when read."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _JSONContentError(f"key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return data


def _no_constant(name: str) -> Any:
    raise _JSONContentError(f"number {name}")


def _check_nulls(value: Any, file: str, path: str) -> None:
    """TOML has no null: a None may be left out where it is the field's default, and nowhere else."""
    if dataclasses.is_dataclass(value):
        items = [(join(path, f.name), getattr(value, f.name), f.default is None) for f in dataclasses.fields(value)]
    elif isinstance(value, Mapping):
        items = [(join(path, key), item, False) for key, item in value.items()]
    else:
        items = [(f"{path}[{i}]", item, False) for i, item in enumerate(value)] if isinstance(value, tuple) else []
    for where, item, may_be_none in items:
        if item is None and not may_be_none:
            raise ConfigError("None can't be said in TOML", "write a .json file", path=f"{file}: {where}")
        _check_nulls(item, file, where)


def _without_none(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_none(value) for key, value in data.items() if value is not None}
    return [_without_none(value) for value in data] if isinstance(data, list) else data
