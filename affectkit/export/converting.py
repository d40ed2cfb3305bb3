"""From a recorded graph to operators of ONNX; what has none there is refused by the stage that it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.model import Model


def convert(
    recorded: torch.export.ExportedProgram, model: Model, inputs: tuple[str, ...], outputs: tuple[str, ...], opset: int
) -> torch.onnx.ONNXProgram:
    """The program in operators of ONNX.

    Arguments:
        recorded: of a module that has the model as its attribute `model`.
        model: whose stages are named.
        inputs: what the graph's inputs are to be called.
        outputs: and its outputs.
        opset: version of the operators.

    Raises:
        InputError: a stage computes with complex numbers, or by an operator that ONNX does not have.
    """
    for node in _nodes(recorded):
        if any(isinstance(one, Tensor) and one.is_complex() for one in _values(node)):
            path = _stage_of(node, model)
            fact = "computes with complex numbers, for which ONNX has no operators"
            raise InputError(f"export: {path} {fact}; {instead(path)}")
    # needs onnxscript, which nothing else does
    from affectkit.export.operators import TRANSLATIONS

    try:
        program = torch.onnx.export(
            recorded,
            input_names=inputs,
            output_names=outputs,
            opset_version=opset,
            custom_translation_table=TRANSLATIONS,
            dynamo=True,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).partition("\n")[0]
        # the reason quotes an operator, `op='prims.bessel_j0'`, which was recorded as `aten.special_bessel_j0`
        operator = re.search(r"op='\w+\.(\w+)'", reason)
        named = re.compile(rf"\.(\w+_)?{operator[1] if operator else '$'}\b")
        paths = (_stage_of(node, model) for node in _nodes(recorded) if named.search(str(node.target)))
        path = next(paths, type(model).__name__)
        raise InputError(f"export: {path} can't be converted to ONNX ({reason}); {instead(path)}") from error
    assert program is not None
    return program


def instead(path: str) -> str:
    """What to do about a stage of which no graph can be made."""
    stored = "maps" if ".motion[" in path else "features"
    return f"run it with PyTorch, or export a pipeline that begins behind it, on stored {stored}"


def _nodes(recorded: torch.export.ExportedProgram) -> Iterator[torch.fx.Node]:
    """Every step that is an operation; what runs without autocast is a graph within the graph."""
    for module in recorded.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            yield from (node for node in module.graph.nodes if node.op == "call_function")


def _values(node: torch.fx.Node) -> tuple[Any, ...]:
    value = node.meta.get("val")
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _stage_of(node: torch.fx.Node, model: Model) -> str:
    """Path of the stage that an operation comes from; the model's class where it is of none."""
    names = {id(module): f"model.{name}" for name, module in model.named_modules()}
    stages = {names[id(stage)]: path for path, stage in model.stages().items()}
    # from the outermost module to the innermost
    owners = [stages[name] for name, _ in node.meta.get("nn_module_stack", {}).values() if name in stages]
    return owners[-1] if owners else type(model).__name__
