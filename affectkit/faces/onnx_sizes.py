"""Let an ONNX model whose layers suit any picture take any picture, without the `onnx` package.

A file may name the one size that it was exported with, although no layer depends on it, and onnxruntime then refuses
others. The sizes stand in the descriptions of input, outputs and values between the layers; these are rewritten here.
ONNX is a protobuf message, so a file is a chain of fields: a key (number and wire type), then the content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

# Field numbers in onnx.proto, and protobuf's wire types.
_MODEL_GRAPH = 7
_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUES = 11, 12, 13
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR = 1
_TENSOR_ELEMENT, _TENSOR_SHAPE = 1, 2
_SHAPE_DIM = 1
_DIM_VALUE, _DIM_NAME = 1, 2
_FLOAT = 1
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
Change = Callable[[bytes], bytes]


def with_free_size(model: bytes) -> bytes:
    """The model with `(1, 3, height, width)` for its one input, float32, and no shapes written for what follows."""
    return _rewritten(model, {_MODEL_GRAPH: _graph})


def _graph(graph: bytes) -> bytes:
    shape = b"".join(_bytes(_SHAPE_DIM, dim) for dim in (_number(1), _number(3), _name("height"), _name("width")))
    return _rewritten(
        graph,
        {
            _GRAPH_INPUT: lambda value: _value(value, _bytes(_TENSOR_SHAPE, shape)),
            _GRAPH_OUTPUT: lambda value: _value(value, b""),
            _GRAPH_VALUES: None,
        },
    )


def _value(value: bytes, shape: bytes) -> bytes:
    (name,) = [content for number, _, content in _fields(value) if number == _VALUE_NAME]
    tensor = _varint(_TENSOR_ELEMENT << 3 | _VARINT) + _varint(_FLOAT) + shape
    return _bytes(_VALUE_NAME, name) + _bytes(_VALUE_TYPE, _bytes(_TYPE_TENSOR, tensor))


def _number(size: int) -> bytes:
    return _varint(_DIM_VALUE << 3 | _VARINT) + _varint(size)


def _name(size: str) -> bytes:
    return _bytes(_DIM_NAME, size.encode())


def _rewritten(message: bytes, changes: Mapping[int, Change | None]) -> bytes:
    """The message with the content of some fields changed, by their number, or the field left out for None."""
    parts = []
    for number, raw, content in _fields(message):
        if number not in changes:
            parts.append(raw)
        elif change := changes[number]:
            parts.append(_bytes(number, change(content)))
    return b"".join(parts)


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number of each field, the field as it is, and its content where that is a message or text."""
    at = 0
    while at < len(message):
        start = at
        key, at = _read_varint(message, at)
        content = b""
        if key & 7 == _VARINT:
            _, at = _read_varint(message, at)
        elif key & 7 == _BYTES:
            size, at = _read_varint(message, at)
            content, at = message[at : at + size], at + size
        else:
            at += _FIXED[key & 7]
        yield key >> 3, message[start:at], content


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content
