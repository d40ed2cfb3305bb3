"""An exported pipeline as a model again: `predict` and `analyze` take it where they take a built one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.nn.functional import pad

from affectkit.configs import ModelConfig
from affectkit.errors import ArtifactError, ConfigError, InputError, RegistryError
from affectkit.export.engines import Engine, start_engine
from affectkit.export.onnx_file import OnnxFacts, read_onnx
from affectkit.files import config_from_data
from affectkit.interfaces import Stage
from affectkit.lookup import saved_with
from affectkit.model import Model, check_batch
from affectkit.registry import Registry, default_registry
from affectkit.sequences import Batch, Scores, Sequence, Targets

# Seconds within which two times are the same, as in fusions.
_SAME_TIME = 1e-6


class OnnxModel(Model):
    """A graph with the description of the pipeline that it was made of. It can't be trained, and has no dials.

    Attributes:
        facts: what the file says about itself.
        engine: what runs it.
        precision: in which it computes.
    """

    def __init__(
        self, facts: OnnxFacts, config: ModelConfig, engine: Engine, precision: str, registry: Registry
    ) -> None:
        super().__init__()
        self.facts, self.engine, self.precision, self.registry = facts, engine, precision, registry
        self.config, self.traced = config, config.trace(registry=registry)
        self.provenance = tuple(facts.provenance)
        self.eval()

    def forward(self, batch: Batch | Sequence | Tensor, targets: Mapping[str, Targets] | None = None) -> Any:
        """Raw scores by output; as a pipeline's, but without losses."""
        if targets is not None:
            raise InputError("targets: given to an exported pipeline, which can't be trained; train, then export it")
        found = self._run(batch)
        return {name: found[f"scores.{name}"] for name in self.traced.outputs}

    def predict(self, batch: Batch | Sequence | Tensor) -> Scores:
        found = self._run(batch)
        return {name: found[name] for name in self.traced.outputs}

    def features(self, batch: Batch | Sequence | Tensor) -> NoReturn:
        raise InputError("features: an exported pipeline gives scores alone; ask the pipeline that it was made of")

    def decode(self, name: str, scores: Tensor) -> NoReturn:
        raise InputError("decode: an exported pipeline decodes inside; call predict")

    def stages(self) -> dict[str, Stage[Any]]:
        return {}

    def stream(self, batch: int = 1) -> NoReturn:
        raise InputError("stream: an exported pipeline scores whole clips; stream the pipeline that it was made of")

    def set_dials(self, changes: Mapping[str, Any]) -> NoReturn:
        raise ConfigError("dials are fixed in an exported pipeline", "turn them, then export", path="dials")

    def _run(self, batch: Batch | Sequence | Tensor) -> dict[str, Tensor]:
        if torch.is_autocast_enabled("cpu") and self.precision == "float32":
            hint = "write engine='openvino' (--engine openvino), which computes in it"
            raise ConfigError("an exported pipeline is not under autocast", hint, path="precision")
        streams = self.config.input_streams()
        checked = check_batch(batch, streams)
        first = checked[next(iter(streams))]
        for name in streams:
            _check(name, checked[name], first)
        steps = first.mask.shape[1]
        missing = 0 if self.facts.steps is None else self.facts.steps - steps
        if missing < 0:
            fact = f"{steps} steps, and the file takes up to {self.facts.steps}"
            raise InputError(f"batch: {fact}; export it again with more (--steps), or give shorter clips")
        tensors = {f"inputs.{name}": _padded(checked[name].values, missing) for name in streams}
        tensors |= {"mask": _padded(first.mask, missing), "times": _padded(first.times, missing)}
        found = self.engine.run({name: tensors[name].contiguous().numpy() for name in self.facts.takes})
        results = {}
        for name, values in found.items():
            stream = self.traced.outputs[name.removeprefix("scores.")]
            scores = torch.from_numpy(values)
            results[name] = scores[:, :steps] if stream.resolution == "frame" else scores
        return results


def load_onnx(
    path: str | Path, *, engine: str = "onnxruntime", precision: str = "float32", registry: Registry | None = None
) -> OnnxModel:
    """Load what `export_onnx` wrote. Nothing in the file is executed but the operators of the graph.

    Arguments:
        path: the file.
        engine: `onnxruntime` or, with the extra `openvino`, `openvino`.
        precision: `float32`; or `bfloat16`, by OpenVINO on a CPU that computes in it.
        registry: where components are looked up.

    Raises:
        ArtifactError: missing, foreign, changed, or of a newer format.
        RegistryError: a plugin is missing; the message has the `pip install`.
        ConfigError, MissingDependencyError: the engine can't be had, or can't compute in that precision.
    """
    names = registry if registry is not None else default_registry()
    model, facts = read_onnx(Path(path))
    made_with = saved_with({"requires": facts.requires})
    try:
        config = config_from_data(facts.config, registry=names)
    except ConfigError as error:
        raise ArtifactError(f"{path}: {error}{made_with}") from error
    except RegistryError as error:
        raise type(error)(f"{path}: {error}{made_with}") from None
    return OnnxModel(facts, config, start_engine(model, engine, precision), precision, names)


def _check(name: str, sequence: Sequence, first: Sequence) -> None:
    """Refuse what the stages themselves refuse in PyTorch, which a graph can't."""
    if sequence.values.dtype != torch.float32:
        raise InputError(f"batch.{name}: dtype {sequence.values.dtype}; the file takes float32")
    real = sequence.values.flatten(2).isfinite().all(dim=2)
    if (faulty := (sequence.mask & ~real).nonzero()).numel():
        clip, step = faulty[0].tolist()
        fact = f"NaN or infinity in clip {clip}, step {step}"
        raise InputError(f"batch.{name}: {fact}; give finite values, or mask False for what is not real")
    same = sequence.mask.shape == first.mask.shape and torch.equal(sequence.mask, first.mask)
    # written so that a NaN time counts as different
    if not same or not bool(((sequence.times - first.times).abs().masked_fill(~first.mask, 0) <= _SAME_TIME).all()):
        raise InputError(f"batch.{name}: another clock than the first input's; resample them to one in the loader")


def _padded(tensor: Tensor, missing: int) -> Tensor:
    """With so many steps more, which are zero, and False in the mask."""
    return tensor if not missing else pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing))
