"""Let an ONNX model whose layers suit any picture take any picture.

A file may name the one size that it was exported with, although no layer depends on it, and onnxruntime then refuses
others. The sizes stand in the descriptions of input, outputs and values between the layers; these are rewritten here.
"""

from __future__ import annotations

from affectkit.faces.onnx_message import (
    GRAPH_INPUT,
    GRAPH_OUTPUT,
    GRAPH_VALUE,
    MODEL_GRAPH,
    VALUE_NAME,
    bytes_field,
    float_value,
    number_field,
    rewritten,
    texts,
)

_TENSOR_SHAPE = 2
_SHAPE_DIM = 1
_DIM_VALUE, _DIM_NAME = 1, 2


def with_free_size(model: bytes) -> bytes:
    """The model with `(1, 3, height, width)` for its one input, float32, and no shapes written for what follows."""
    return rewritten(model, {MODEL_GRAPH: _graph})


def _graph(graph: bytes) -> bytes:
    sizes = (number_field(_DIM_VALUE, 1), number_field(_DIM_VALUE, 3), _named("height"), _named("width"))
    shape = bytes_field(_TENSOR_SHAPE, b"".join(bytes_field(_SHAPE_DIM, size) for size in sizes))
    return rewritten(
        graph,
        {
            GRAPH_INPUT: lambda value: _value(value, shape),
            GRAPH_OUTPUT: lambda value: _value(value, b""),
            GRAPH_VALUE: None,
        },
    )


def _value(value: bytes, shape: bytes) -> bytes:
    (name,) = texts(value, VALUE_NAME)
    return float_value(name, shape)


def _named(size: str) -> bytes:
    return bytes_field(_DIM_NAME, size.encode())
