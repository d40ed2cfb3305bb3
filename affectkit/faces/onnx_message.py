"""Reading and rewriting ONNX models without the `onnx` package.

A model is a message of protobuf, a chain of fields: a key (number and wire type), then the content. Content of fields
that hold bytes, text or further messages comes with its length; field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_TENSOR, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE = 1, 5, 11, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR, NODE_ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_NUMBER = 1, 3
TENSOR_DIM, TENSOR_ELEMENT, TENSOR_NAME, TENSOR_DATA = 1, 2, 8, 9
VALUE_NAME, VALUE_TYPE = 1, 2
FLOAT = 1
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
Change = Callable[[bytes], bytes]


def rewritten(message: bytes, changes: Mapping[int, Change | None]) -> bytes:
    """The message with the content of some fields changed, by their number, or the field left out for None."""
    parts = []
    for number, raw, content in fields(message):
        if number not in changes:
            parts.append(raw)
        elif change := changes[number]:
            parts.append(bytes_field(number, change(content)))
    return b"".join(parts)


def contents(message: bytes, number: int) -> list[bytes]:
    """What the fields of that number hold, of those that hold bytes, text or messages."""
    return [content for found, _, content in fields(message) if found == number]


def texts(message: bytes, number: int) -> list[str]:
    """What the fields of that number hold, of those that hold text."""
    return [content.decode() for content in contents(message, number)]


def numbers(message: bytes, number: int) -> list[int]:
    """What the fields of that number hold, of those that hold a whole number."""
    return [_read_varint(raw, _read_varint(raw, 0)[1])[0] for found, raw, _ in fields(message) if found == number]


def bytes_field(number: int, content: bytes) -> bytes:
    """A field that holds bytes, text or a message."""
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """A field that holds a whole number, not negative."""
    return _varint(number << 3 | _VARINT) + _varint(value)


def float_value(name: str, shape: bytes = b"") -> bytes:
    """A `ValueInfoProto`, which describes an input or output: a float tensor, of which nothing else need be said."""
    return bytes_field(VALUE_NAME, name.encode()) + bytes_field(
        VALUE_TYPE, bytes_field(1, number_field(1, FLOAT) + shape)
    )


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number of each field, the field as it is, and its content where that is bytes, text or a message."""
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
