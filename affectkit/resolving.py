"""What the arguments of `analyze` mean: a model from a name, path or config, and a face detector."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from affectkit.configs import FaceDetectorConfig, ModelConfig
from affectkit.errors import ConfigError, UntrainedWarning
from affectkit.export.engines import ENGINES
from affectkit.export.onnx_model import OnnxModel, load_onnx
from affectkit.faces.auto import AutoFacesConfig
from affectkit.faces.given_boxes import GivenBoxesConfig
from affectkit.files import errors_in_file, read_config
from affectkit.graphs import OnnxConfig, is_graph_file
from affectkit.lookup import find_preset, is_config_file
from affectkit.model import Model
from affectkit.published import from_pretrained
from affectkit.registry import Registry
from affectkit.results.info import RANDOM_WEIGHTS
from affectkit.seeds import check_seed
from affectkit.tensor_files import load_state
from affectkit.weights import sha256

# What `torch.save` writes, by the endings in use.
CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin")
_WEIGHTS = (*CHECKPOINTS, ".safetensors")
# What is run where nothing is said: the first of these presets that an installed plugin has. The last is the core's.
DEFAULT_PIPELINES = ("affectkit-faceapi/expression", "affectkit/motion-events")


def default_pipeline(registry: Registry) -> str:
    """Id of the preset that is run where none is named."""
    known = {preset.id for preset in registry.presets()}
    return next((name for name in DEFAULT_PIPELINES if name in known), DEFAULT_PIPELINES[-1])


def resolve_model(
    pipeline: Model | ModelConfig | str | Path,
    *,
    device: str | None,
    seed: int,
    registry: Registry,
    engine: str | None = None,
    precision: str = "float32",
    weights: str | Path | None = None,
) -> Model:
    """The built model that `pipeline` means; a warning says if its weights are random. Arguments as of `analyze`."""
    if weights is not None:
        if engine is not None:
            raise ConfigError(f"{engine!r} beside weights, which PyTorch runs", "leave one out", path="engine")
        return _weighted(pipeline, Path(weights), device, registry)
    # a saved model is a folder, whatever it is called
    if isinstance(pipeline, str | Path) and Path(pipeline).suffix in _WEIGHTS and Path(pipeline).is_file():
        hint = f"name the pipeline that they are of, and add --weights {pipeline} (in Python weights=)"
        raise ConfigError(f"{pipeline} has weights alone", hint, path="pipeline")
    if isinstance(pipeline, str | Path) and is_graph_file(pipeline):
        if device not in (None, "cpu"):
            raise ConfigError(f"{device!r}, and {pipeline} runs on the CPU", "leave it out", path="device")
        return load_onnx(pipeline, engine=engine or ENGINES[0], precision=precision, registry=registry)
    if engine is not None:
        fact = f"{engine!r}, and PyTorch runs this pipeline"
        raise ConfigError(fact, "export it, and give the .onnx file", path="engine")
    if isinstance(pipeline, OnnxConfig) or isinstance(getattr(pipeline, "config", None), OnnxConfig):
        # it doesn't say how a video is sampled, as its file does
        raise ConfigError("an OnnxConfig is of a member", "give the .onnx file, or an ensemble of it", path="pipeline")
    if isinstance(pipeline, OnnxModel):
        if device not in (None, "cpu"):
            raise ConfigError(f"{device!r}, and an exported pipeline runs on the CPU", "leave it out", path="device")
        return pipeline
    if isinstance(pipeline, Model):
        return pipeline if device is None else pipeline.to(device)
    if isinstance(pipeline, ModelConfig):
        return _untrained(pipeline, device, seed, registry)
    if is_config_file(pipeline):
        config = read_config(pipeline, registry=registry)
        with errors_in_file(pipeline):
            return _untrained(config, device, seed, registry)
    preset = find_preset(pipeline, registry)
    if preset is not None and not preset.spec.weights:
        return _untrained(preset.spec.make(), device, seed, registry)
    return from_pretrained(pipeline, device=device or "cpu", registry=registry)


def _weighted(pipeline: object, weights: Path, device: str | None, registry: Registry) -> Model:
    """A preset's or config's model with weights of the user's."""
    preset = find_preset(pipeline, registry) if isinstance(pipeline, str | Path) else None
    if isinstance(pipeline, ModelConfig):
        config = pipeline
    elif isinstance(pipeline, str | Path) and is_config_file(pipeline):
        config = read_config(pipeline, registry=registry)
    elif preset is not None:
        config = preset.spec.make()
    else:
        what = pipeline if isinstance(pipeline, str | Path) else "a built model"
        hint = "leave it out, or name a preset or pipeline file"
        raise ConfigError(f"given with {what}, which brings its own", hint, path="weights")
    if weights.suffix in CHECKPOINTS:
        made = weights.with_suffix(".safetensors")
        raise ConfigError(
            f"{weights} is no .safetensors file", f"run affectkit weights convert {weights} {made}", path="weights"
        )
    if not weights.is_file():
        raise ConfigError(f"{weights}: no such file", "check the path", path="weights")
    with torch.random.fork_rng(devices=[]):
        model = config.build(registry=registry)
    load_state(model, weights)
    # beside what exported members know of theirs
    model.provenance = (*model.provenance, {"name": weights.name, "sha256": sha256(weights)})
    return model.to(device or "cpu").eval()


def _untrained(config: ModelConfig, device: str | None, seed: int, registry: Registry) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = config.build(registry=registry)
    # A spotter alone has nothing to train.
    if any(True for _ in model.parameters()):
        text = f"the pipeline is untrained: its scores come from random weights (seed {seed})"
        warnings.warn(text, UntrainedWarning, stacklevel=4)
        # beside what exported members know of theirs
        model.provenance = (*model.provenance, {"name": RANDOM_WEIGHTS.name})
    return model.to(device or "cpu").eval()


def check_options(precision: str, batch_size: int, seed: int, fps: float | None) -> None:
    """Raise ConfigError unless the options of `analyze` are within their ranges."""
    if precision not in ("float32", "bfloat16"):
        raise ConfigError(f"{precision!r} is not accepted", "write 'float32' or 'bfloat16'", path="precision")
    if batch_size < 1:
        raise ConfigError(f"{batch_size!r} frames", "write 1 or more", path="batch_size")
    check_seed(seed)
    if fps is not None and not 0 < fps < float("inf"):
        raise ConfigError(f"{fps!r} is not a frame rate", "write frames per second, or leave it out", path="fps")


def resolve_detector(faces: FaceDetectorConfig | str | None, config: ModelConfig, registry: Registry) -> Any:
    """Config of the detector: what is asked for (a name ending in .csv is a table of boxes), the pipeline's, or `auto`.

    Raises:
        RegistryError: no such detector.
        ConfigError: it can't be had by its name alone.
    """
    if isinstance(faces, str):
        if faces.endswith(".csv"):
            return GivenBoxesConfig(path=faces)
        component = registry.component("faces", faces)
        try:
            return component.spec.config()
        except (TypeError, ConfigError) as error:
            remedy = "write its config into the pipeline's file, or name a .csv of boxes"
            raise ConfigError(f"{component.id} needs more than its name ({error})", remedy, path="faces") from error
    return faces or config.faces or AutoFacesConfig()


def device_of(model: Model) -> str:
    """Where the model's tensors are."""
    tensor = next(iter(model.state_dict().values()), None)
    return "cpu" if tensor is None else str(tensor.device)
