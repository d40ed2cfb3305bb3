"""`export_onnx`: a built pipeline as one ONNX file that is known to compute the same, or no file at all."""

from __future__ import annotations

import importlib.metadata
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from affectkit.artifact import requirements
from affectkit.batch_checks import check_batch
from affectkit.errors import ArtifactError, ConfigError, InputError
from affectkit.export.comparing import TOLERANCE, check_difference, largest_difference, random_batches
from affectkit.export.describing import described
from affectkit.export.engines import start_engine
from affectkit.export.fitting import fitted
from affectkit.export.graph import OPSET, check_exportable, check_packages, fixed_steps, record
from affectkit.export.int8 import Int8, pass_gate, to_int8
from affectkit.export.onnx_file import OnnxFacts, signed
from affectkit.files import config_to_data
from affectkit.graphs import ENDING
from affectkit.model import Model, check_has_weights
from affectkit.sequences import Batch, Sequence
from affectkit.streams import InputStream


def export_onnx(
    model: Model,
    path: str | Path,
    *,
    steps: int | None = None,
    check_on: Iterable[Batch | Sequence | Tensor] = (),
    tolerance: float = TOLERANCE,
    int8: Int8 | None = None,
    overwrite: bool = False,
) -> OnnxFacts:
    """Write a pipeline or ensemble as an ONNX file, after it was compared with PyTorch through onnxruntime.

    The graph takes `inputs.NAME` `(clips, steps, ...)`, `mask` and `times`, of these only what it needs; it gives every
    output decoded by its name, and raw as `scores.NAME`. The metadata hold the pipeline, its inputs, labels, versions,
    and where the weights come from.

    Arguments:
        model: a built one, on the CPU, in float32.
        path: a `.onnx` file.
        steps: a fixed number of steps, for stages that need one; shorter clips are padded to it when it runs.
        check_on: batches of real input on which it is compared too, besides random ones.
        tolerance: largest difference of any output, raw or decoded, that is allowed in float32; in the output's unit.
        int8: calibration and gate of an eight-bit graph; None for float32.
        overwrite: replace a file that is there.

    Returns:
        What the file says about itself, with the largest differences that were found.

    Raises:
        InputError: the model can't be exported, and the message names the stage; or the graph differs by more than
            `tolerance`, or int8 changes too many decisions. No file is left then.
        ArtifactError: the file is there, or its folder is not.
        ConfigError: the ending is another, `steps` is no number of steps, or `tolerance` none that could be allowed.
        MissingDependencyError: the extra `export` is not installed.
    """
    path = Path(path)
    _check_arguments(model, path, steps, tolerance, overwrite)
    check_packages()
    with _evaluating(model):
        check_exportable(model)
        # before the graph is made, which takes a while: this raises if a component has no id
        config = config_to_data(model.config, registry=model.registry)
        streams = model.config.input_streams()
        fixed = steps or fixed_steps(streams)
        real = tuple(_checked(batch, streams, fixed) for batch in check_on)
        if int8 is not None:
            calibrate = tuple(_checked(batch, streams, fixed) for batch in int8.calibrate)
            held_out = tuple(_checked(batch, streams, fixed) for batch in int8.held_out)
            int8 = replace(int8, calibrate=calibrate, held_out=held_out)
        graph, takes = record(model, steps=steps)
        engine = start_engine(graph)
        found = {"random": largest_difference(model, engine, takes, random_batches(model, fixed))}
        if real:
            found["real"] = largest_difference(model, engine, takes, real, fixed)
        for what, difference in found.items():
            check_difference(what, difference, tolerance)
        gate = {}
        if int8 is not None:
            exact, graph = graph, to_int8(graph, takes, streams, int8.calibrate, fixed)
            gate = pass_gate(model, exact, graph, takes, int8, fixed)
    facts = OnnxFacts(
        config=config,
        requires=requirements(config, model.registry),
        provenance=[dict(item) for item in model.provenance],
        inputs={name: described(stream) for name, stream in model.config.input_streams().items()},
        outputs={name: described(stream) for name, stream in model.traced.outputs.items()},
        takes=takes,
        steps=fixed,
        numbers="float32" if int8 is None else "int8",
        versions={
            "affectkit": importlib.metadata.version("affectkit"),
            "torch": torch.__version__,
            "opset": str(OPSET),
        },
        differences=found,
        gate=gate,
    )
    _write(path, signed(graph, facts))
    return facts


def _checked(batch: Batch | Sequence | Tensor, streams: Mapping[str, InputStream], steps: int | None) -> Batch:
    """A batch with its inputs by name in the order of the streams, which the graph can be given."""
    fitted(batch, streams, steps)
    checked = check_batch(batch, streams)
    return {name: checked[name] for name in streams}


def _check_arguments(model: Model, path: Path, steps: int | None, tolerance: float, overwrite: bool) -> None:
    if not isinstance(model, Model):
        raise InputError(f"export: {type(model).__name__} is no built model; call build(), or load a saved one")
    check_has_weights(model, "export", "take the pipeline that it was made of")
    if path.suffix != ENDING:
        raise ConfigError(f"ending {path.suffix!r}", f"write a {ENDING} file", path=str(path))
    if path.exists() and not (overwrite and path.is_file()):
        raise ArtifactError(f"{path}: already there; pass overwrite=True (--overwrite) to replace a file")
    if not path.parent.is_dir():
        raise ArtifactError(f"{path}: no folder {str(path.parent)!r}; make it first")
    if not 0 < tolerance < math.inf:
        raise ConfigError(f"{tolerance!r} is no difference", "write more than 0, such as 0.0001", path="tolerance")
    if steps is None:
        return
    if steps < 1:
        raise ConfigError(f"{steps!r} steps", "write 1 or more", path="steps")
    if (named := fixed_steps(model.config.input_streams())) is not None and steps != named:
        raise ConfigError(f"{steps!r} steps, and the inputs name {named}", "leave it out", path="steps")


@contextmanager
def _evaluating(model: Model) -> Iterator[None]:
    """The model in evaluation mode; afterwards every part is in the mode in which it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _write(path: Path, content: bytes) -> None:
    """Under a temporary name, then renamed: the file is whole or not there."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    # an interrupt too must leave nothing behind
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
