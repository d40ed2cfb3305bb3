"""`OnnxConfig`: an exported pipeline as a member of an ensemble, named by its file and that file's hash. No torch.

What it takes and gives is read from the file's metadata; nothing in the file runs before the ensemble is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from affectkit.configs import ModelConfig, Tracking
from affectkit.errors import ArtifactError, ConfigError, InputError, RegistryError, join
from affectkit.registry import Registry, default_registry
from affectkit.streams import FeatureStream, FrameStream, InputStream, PredictionStream
from affectkit.tracing import Trace

if TYPE_CHECKING:
    from affectkit.ensemble import EnsembleConfig
    from affectkit.export.onnx_file import OnnxFacts
    from affectkit.model import Model
    from affectkit.pipeline import PipelineConfig

ENDING = ".onnx"
S = TypeVar("S", FrameStream | FeatureStream, PredictionStream)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INPUTS: Mapping[str, type[InputStream]] = {"frames": FrameStream, "features": FeatureStream}


@dataclass(frozen=True, kw_only=True)
class OnnxConfig(ModelConfig):
    """An exported pipeline, as a member of an ensemble that joins scores.

    Attributes:
        path: the file that `affectkit export` wrote. In a pipeline file it is seen from that file, and lies beside or
            below it; in Python, from the current folder.
        sha256: hash of the file, 64 hex digits; another file is never run.
        engine: what runs it.
        precision: in which it computes; `bfloat16` by OpenVINO, on a CPU that computes in it.

    Raises:
        ConfigError: no hash, the engine can't compute in that precision, or what an ensemble says is given here.
    """

    tag: ClassVar[str] = "onnx"
    path: str
    sha256: str
    engine: Literal["onnxruntime", "openvino"] = "onnxruntime"
    precision: Literal["float32", "bfloat16"] = "float32"

    @classmethod
    def of(
        cls,
        path: str | Path,
        *,
        engine: Literal["onnxruntime", "openvino"] = "onnxruntime",
        precision: Literal["float32", "bfloat16"] = "float32",
    ) -> Self:
        """The config of a file as it is now, with its hash.

        Raises:
            ArtifactError: it isn't there.
        """
        if not Path(path).is_file():
            raise ArtifactError(f"{path}: no such file; give a file that affectkit export wrote")
        # here, because it imports what fetches weights
        from affectkit.weights import sha256

        return cls(path=str(path), sha256=sha256(Path(path)), engine=engine, precision=precision)

    def validate(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            hint = "write the 64 lower-case hex digits that affectkit export says"
            raise ConfigError(f"{self.sha256!r} is no sha256", hint, path="sha256")
        if self.precision != "float32" and self.engine != "openvino":
            hint = "write engine='openvino', which computes in it"
            raise ConfigError(f"{self.engine} computes in float32", hint, path="precision")
        for name, default in (("sampling", None), ("faces", None), ("tracking", Tracking())):
            if getattr(self, name) != default:
                raise ConfigError("has no effect on an exported member", "write it in the ensemble", path=name)

    @cached_property
    def facts(self) -> OnnxFacts:
        """What the file says about itself; read once.

        Raises:
            ArtifactError: the file is missing, not ours, or another one than its hash says.
        """
        # here: what reads the file reads pipeline files too
        from affectkit.export.onnx_file import read_onnx

        return read_onnx(Path(self.path), self.sha256)[1]

    def pipeline(self, *, registry: Registry | None = None) -> PipelineConfig | EnsembleConfig:
        """The config of the pipeline that was exported.

        Raises:
            ArtifactError: as `facts`; or the config doesn't hold here, or has other inputs than the metadata say.
            RegistryError: a plugin is missing; the message has the `pip install`.
        """
        from affectkit.files import config_from_data
        from affectkit.lookup import saved_with

        made_with = saved_with({"requires": self.facts.requires})
        try:
            config = config_from_data(self.facts.config, registry=registry, folder=Path(self.path).parent)
        except ConfigError as error:
            raise ArtifactError(f"{self.path}: {error}{made_with}") from error
        except RegistryError as error:
            raise type(error)(f"path: {self.path}: {error}{made_with}") from None
        if dict(config.input_streams()) != dict(self.input_streams()):
            fact = "its metadata and its config name other inputs"
            raise ArtifactError(f"{self.path}: {fact}; export the pipeline again")
        return config

    def input_streams(self) -> Mapping[str, InputStream]:
        return read_inputs(self.path, self.facts)

    def trace(self, *, registry: Registry | None = None) -> Trace:
        names = registry if registry is not None else default_registry()
        inner = self.pipeline(registry=names).trace(registry=names)
        note = f"in {Path(self.path).name}, by {self.engine}"
        # no features: a graph gives scores alone
        return Trace(steps=tuple(replace(step, note=note) for step in inner), features=None, outputs=inner.outputs)

    def build(self, *, registry: Registry | None = None) -> Model:
        # here, because it imports torch
        from affectkit.export.onnx_model import load_member

        return load_member(self, registry=registry)


def read_inputs(path: str | Path, facts: OnnxFacts) -> dict[str, InputStream]:
    """Inputs by name, as the metadata of the file `path` describe them; an ArtifactError where there can't be such."""
    return _read_streams(path, "an input", facts.inputs, _INPUTS)


def read_outputs(path: str | Path, facts: OnnxFacts) -> dict[str, PredictionStream]:
    """The same of outputs."""
    return _read_streams(path, "an output", facts.outputs, {"predictions": PredictionStream})


def _read_streams(
    path: str | Path, what: str, described: Mapping[str, Any], kinds: Mapping[str, type[S]]
) -> dict[str, S]:
    found = {}
    try:
        for name, said in described.items():
            kind = kinds[said["kind"]]
            # other keys are for other programs, or of a later release
            names = [item.name for item in fields(kind) if item.name in said]
            found[name] = kind(**{field: said[field] for field in names})
    except (ConfigError, IndexError, KeyError, TypeError) as error:
        fact = f"its metadata describe {what} that can't be ({error})"
        raise ArtifactError(f"{path}: {fact}; export the pipeline again") from error
    return found


def is_graph_file(name: str | Path) -> bool:
    """Whether `name` is, or would be by its ending, an exported pipeline; a folder is a saved model, as always."""
    return Path(name).suffix == ENDING and not Path(name).is_dir()


def graphs_of(config: ModelConfig, path: str = "") -> dict[str, OnnxConfig]:
    """Exported members of an ensemble and of those within it, by their path."""
    if isinstance(config, OnnxConfig):
        return {path: config}
    found: dict[str, OnnxConfig] = {}
    for name, member in getattr(config, "members", {}).items():
        found |= graphs_of(member, join(path, "members", name))
    return found


def check_no_graphs(config: ModelConfig, fact: str) -> None:
    """Raise InputError if a member is an exported pipeline; `fact` says what can't be done then."""
    for path in graphs_of(config):
        raise InputError(f"{path}: is an exported pipeline, {fact}")


def with_paths(data: Any, change: Callable[[str, str], str], path: str = "") -> Any:
    """A config as data, in which files of exported members have other paths; all else is as it was.

    Arguments:
        data: as in a file, not checked yet.
        change: gets where in the config the member is, and the path that is written there.
        path: where `data` is.
    """
    if not isinstance(data, Mapping):
        return data
    if data.get("kind") == OnnxConfig.tag and isinstance(data.get("path"), str):
        return {**data, "path": change(path, data["path"])}
    members = data.get("members")
    if not isinstance(members, Mapping):
        return data
    moved = {name: with_paths(member, change, join(path, "members", str(name))) for name, member in members.items()}
    return {**data, "members": moved}


def check_below(where: str, path: str) -> str:
    """`path`, if it stays in the folder from which it is seen; `where` is the member that names it.

    Raises:
        ConfigError: it doesn't.
    """
    # takes both slashes and drives, whatever the system. Links are followed: the hub's cache is made of them, and of
    # what lies there only what has the hash is run
    pure = PureWindowsPath(path)
    if not path or pure.anchor or ".." in pure.parts:
        hint = "put the .onnx file beside the pipeline file or below, and write its path from there"
        raise ConfigError(f"{path!r} leaves the folder of the file that names it", hint, path=join(where, "path"))
    return path
