"""An exported pipeline as a model again: `predict` and `analyze` take it where they take a built one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from affectkit.configs import ModelConfig
from affectkit.dials import Dial
from affectkit.errors import (
    ArtifactError,
    ConfigError,
    InputError,
    MissingDependencyError,
    RegistryError,
    did_you_mean,
)
from affectkit.export.describing import described
from affectkit.export.engines import Engine, start_engine
from affectkit.export.fitting import fitted
from affectkit.export.onnx_file import OnnxFacts, read_onnx
from affectkit.files import config_from_data
from affectkit.graphs import OnnxConfig
from affectkit.interfaces import Stage, decode
from affectkit.lookup import saved_with
from affectkit.model import Memo, Model
from affectkit.outputs import Clocks
from affectkit.registry import Registry, default_registry
from affectkit.score_joining import to_scores
from affectkit.sequences import Batch, Losses, Scores, Sequence, Targets
from affectkit.streams import InputStream, PredictionStream


class OnnxModel(Model):
    """A graph with the description of the pipeline that it was made of. It can't be trained, and has no dials.

    It can be a member of an ensemble that joins scores; named there by an `OnnxConfig`, it is saved with it.

    Attributes:
        config: of the pipeline that it was made of; the `OnnxConfig` where an ensemble's config names the file.
        facts: what the file says about itself.
        engine: what runs it.
        precision: in which it computes.
    """

    has_weights: ClassVar[bool] = False

    def __init__(
        self, facts: OnnxFacts, config: ModelConfig, engine: Engine, precision: str, registry: Registry
    ) -> None:
        super().__init__()
        self.facts, self.engine, self.precision, self.registry = facts, engine, precision, registry
        self._config, self.traced = config, config.trace(registry=registry)
        # looked up in every forward
        self._inputs = config.input_streams()
        self.provenance = tuple(facts.provenance)
        self.eval()

    def forward(self, batch: Batch | Sequence | Tensor, targets: Mapping[str, Targets] | None = None) -> Any:
        """Raw scores by output; as a pipeline's, but without losses."""
        if targets is not None:
            raise InputError("targets: given to an exported pipeline, which can't be trained; train, then export it")
        return self._run(batch, "scores.")

    def predict(self, batch: Batch | Sequence | Tensor) -> Scores:
        return self._run(batch, "")

    def run(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> tuple[Scores, Clocks]:
        """As a member of an ensemble: scores that `decode` turns into what the graph decodes, and their clocks."""
        found = self.predict(batch)
        mask, times = (tensor.cpu() for tensor in next(iter(batch.values()))[1:3])
        for name, values in found.items():
            if self.traced.outputs[name].resolution == "frame" and values.shape[:2] != mask.shape:
                fact = f"output {name!r} has {values.shape[1]} steps for {mask.shape[1]}, and a graph gives no clock"
                raise InputError(f"fusion.{name}: {fact}; take the pipeline that it was made of")
        scores = {name: to_scores(values, self.traced.outputs[name].problem) for name, values in found.items()}
        return scores, dict.fromkeys(scores, (mask, times))

    def features(self, batch: Batch | Sequence | Tensor) -> NoReturn:
        raise InputError("features: an exported pipeline gives scores alone; ask the pipeline that it was made of")

    def encode(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> NoReturn:
        self.features(batch)

    encode_and_score = encode

    def decode(self, name: str, scores: Tensor) -> Tensor:
        """Raw scores by their problem, within their bounds, as our heads decode them; `predict` is the graph's own."""
        if name not in self.traced.outputs:
            hint = did_you_mean(name, self.traced.outputs, noun="outputs")
            raise InputError(f"decode: no output {name!r}; {hint}")
        stream = self.traced.outputs[name]
        values = decode(scores, stream.problem)
        return values if stream.bounds is None else values.clamp(*stream.bounds)

    def stages(self) -> dict[str, Stage[Any]]:
        return {}

    def stream(self, batch: int = 1) -> NoReturn:
        raise InputError("stream: an exported pipeline scores whole clips; stream the pipeline that it was made of")

    @property
    def dials(self) -> tuple[Dial, ...]:
        """None."""
        return ()

    def set_dials(self, changes: Mapping[str, Any]) -> NoReturn:
        raise ConfigError("dials are fixed in an exported pipeline", "turn them, then export", path="dials")

    def _run(self, batch: Batch | Sequence | Tensor, prefix: str) -> Scores:
        """What the graph gives by names with that prefix, by output."""
        if torch.is_autocast_enabled("cpu") and self.precision == "float32":
            hint = "write engine='openvino' (--engine openvino), which computes in it"
            raise ConfigError("an exported pipeline is not under autocast", hint, path="precision")
        tensors, clips, steps = fitted(batch, self._inputs, self.facts.steps)
        feeds = {name: tensors[name].detach().cpu().contiguous().numpy() for name in self.facts.takes}
        try:
            found = self.engine.run(feeds)
        # engines raise classes of their own
        except Exception as error:
            raise _unusable(self.engine.name, error) from error
        results: Scores = {}
        for name, stream in self.traced.outputs.items():
            scores = torch.from_numpy(found[prefix + name])
            is_right = scores.ndim == (3 if stream.resolution == "frame" else 2)
            if not is_right or (scores.shape[0], scores.shape[-1]) != (clips, len(stream.targets)):
                fact = f"output {prefix + name!r} has shape {tuple(scores.shape)} for {clips} clips"
                raise ArtifactError(f"{fact} and {len(stream.targets)} targets; export the pipeline again")
            results[name] = scores[:, :steps] if stream.resolution == "frame" else scores
        return results


def load_onnx(
    path: str | Path,
    *,
    engine: str = "onnxruntime",
    precision: str = "float32",
    sha256: str | None = None,
    registry: Registry | None = None,
) -> OnnxModel:
    """Load what `export_onnx` wrote. Nothing in the file is executed but the operators of the graph.

    Arguments:
        path: the file.
        engine: `onnxruntime` or, with the extra `openvino`, `openvino`.
        precision: `float32`; or `bfloat16`, by OpenVINO on a CPU that computes in it.
        sha256: hash that the file has to have; None for any.
        registry: where components are looked up.

    Raises:
        ArtifactError: missing, foreign, changed, of a newer format, or its graph, metadata and config do not agree.
        RegistryError: a plugin is missing; the message has the `pip install`.
        ConfigError, MissingDependencyError: the engine can't be had, or can't compute in that precision.
    """
    names = registry if registry is not None else default_registry()
    model, facts = read_onnx(Path(path), sha256)
    made_with = saved_with({"requires": facts.requires})
    try:
        config = config_from_data(facts.config, registry=names, folder=Path(path).parent)
        outputs = config.trace(registry=names).outputs
    except ConfigError as error:
        raise ArtifactError(f"{path}: {error}{made_with}") from error
    except RegistryError as error:
        raise type(error)(f"{path}: {error}{made_with}") from None
    try:
        _check_facts(facts, config.input_streams(), outputs)
        started = start_engine(model, engine, precision)
        _check_graph(facts, started)
    except (ConfigError, MissingDependencyError):
        raise
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}{made_with}") from error
    # engines raise classes of their own
    except Exception as error:
        raise ArtifactError(f"{path}: {_unusable(engine, error)}") from error
    return OnnxModel(facts, config, started, precision, names)


def load_member(config: OnnxConfig, *, registry: Registry | None = None) -> OnnxModel:
    """The model of an exported member; raises as `load_onnx`, also for a file with another hash."""
    names = registry if registry is not None else default_registry()
    found = load_onnx(
        config.path, engine=config.engine, precision=config.precision, sha256=config.sha256, registry=names
    )
    return OnnxModel(found.facts, config, found.engine, config.precision, names)


def _check_facts(facts: OnnxFacts, inputs: Mapping[str, InputStream], outputs: Mapping[str, PredictionStream]) -> None:
    """Refuse a file that calls its inputs or labels otherwise than the installed components do."""
    for what, said, streams in (("inputs", facts.inputs, inputs), ("outputs", facts.outputs, outputs)):
        if list(said) != list(streams):
            fact = f"its metadata name the {what} {', '.join(said)}, and its config {', '.join(streams)}"
            raise ArtifactError(f"{fact}; export the pipeline again")
        for name, stream in streams.items():
            for key, value in described(stream).items():
                # a key that is not there is one of a later release
                if key in said[name] and (found := said[name][key]) != json.loads(json.dumps(value)):
                    fact = f"its metadata say {what}.{name}.{key} is {found!r}, and its config makes it {value!r}"
                    raise ArtifactError(f"{fact}; export the pipeline again")


def _check_graph(facts: OnnxFacts, engine: Engine) -> None:
    takes = {*(f"inputs.{name}" for name in facts.inputs), "mask", "times"} & set(facts.takes)
    gives = {name for target in facts.outputs for name in (target, f"scores.{target}")}
    for verb, wanted, found in (("takes", takes, engine.takes), ("gives", gives, engine.gives)):
        if wanted != found:
            fact = f"its graph {verb} {', '.join(sorted(found))}, and its metadata say {', '.join(sorted(wanted))}"
            raise ArtifactError(f"{fact}; export the pipeline again")


def _unusable(engine: str, error: Exception) -> ArtifactError:
    reason = str(error).strip().partition("\n")[0]
    return ArtifactError(f"{engine} can't run the graph ({reason}); export the pipeline again")
