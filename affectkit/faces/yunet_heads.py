"""YuNet's network with one head per grid in place of four, which takes a tenth of the time from it.

As published, each of the three grids has the heads cls, obj, bbox and kps (see `yunet_detector`): a 1x1 convolution,
then a 3x3 convolution of each channel. onnxruntime computes sixteen channels at a time, so that each head costs as much
as all of them, which have 1, 1, 4 and 10. A convolution's weights begin with the channels that it puts out; those of
the four heads, one behind the other, are those of the joined one.

What the file does after that, changing shapes and taking sigmoids, is only needed for the few cells with a face, and
left to who decodes them.
"""

from __future__ import annotations

from affectkit.faces.onnx_message import (
    ATTRIBUTE_NAME,
    ATTRIBUTE_NUMBER,
    FLOAT,
    GRAPH_NODE,
    GRAPH_OUTPUT,
    GRAPH_TENSOR,
    GRAPH_VALUE,
    MODEL_GRAPH,
    NODE_ATTRIBUTE,
    NODE_INPUT,
    NODE_OPERATOR,
    NODE_OUTPUT,
    TENSOR_DATA,
    TENSOR_DIM,
    TENSOR_ELEMENT,
    TENSOR_NAME,
    bytes_field,
    contents,
    float_value,
    number_field,
    numbers,
    rewritten,
    texts,
)

HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
CHANNELS = sum(HEADS.values())
# The head that becomes the joined one.
_KEPT = "kps"
_AFTERWARDS = ("Transpose", "Reshape", "Sigmoid")


def with_joined_heads(model: bytes) -> bytes:
    """The model with one output per grid, from fine to coarse: `(1, 16, rows, columns)`, the heads' channels in order.

    Sigmoids of cls and obj are not taken.
    """
    return rewritten(model, {MODEL_GRAPH: _joined})


def _joined(graph: bytes) -> bytes:
    tensors = {texts(tensor, TENSOR_NAME)[0]: tensor for tensor in contents(graph, GRAPH_TENSOR)}
    nodes = [_node(node) for node in contents(graph, GRAPH_NODE) if _is_needed(node)]
    used = {name for node in nodes for name in texts(node, NODE_INPUT)}
    outputs = [name for node in nodes for name in texts(node, NODE_OUTPUT) if name not in used]
    parts = [bytes_field(GRAPH_NODE, node) for node in nodes]
    parts += [bytes_field(GRAPH_TENSOR, _tensor(name, tensors)) for name in tensors if name in used]
    parts += [bytes_field(GRAPH_OUTPUT, float_value(name)) for name in outputs]
    changed = (GRAPH_NODE, GRAPH_TENSOR, GRAPH_OUTPUT, GRAPH_VALUE)
    return rewritten(graph, dict.fromkeys(changed)) + b"".join(parts)


def _is_needed(node: bytes) -> bool:
    is_other_head = any(head not in ("", _KEPT) for head in map(_head, texts(node, NODE_INPUT)))
    return not is_other_head and texts(node, NODE_OPERATOR)[0] not in _AFTERWARDS


def _node(node: bytes) -> bytes:
    """The node; of the kept head, with as many groups as it now has channels where each had its own."""
    if _KEPT not in map(_head, texts(node, NODE_INPUT)):
        return node
    return rewritten(node, {NODE_ATTRIBUTE: _attribute})


def _attribute(attribute: bytes) -> bytes:
    if texts(attribute, ATTRIBUTE_NAME) != ["group"] or numbers(attribute, ATTRIBUTE_NUMBER) != [HEADS[_KEPT]]:
        return attribute
    return rewritten(attribute, {ATTRIBUTE_NUMBER: None}) + number_field(ATTRIBUTE_NUMBER, CHANNELS)


def _tensor(name: str, tensors: dict[str, bytes]) -> bytes:
    """The weights or biases of that name; of the kept head, those of all heads."""
    if _head(name) != _KEPT:
        return tensors[name]
    data = [contents(tensors[name.replace(_KEPT, head)], TENSOR_DATA)[0] for head in HEADS]
    dims = [CHANNELS, *numbers(tensors[name], TENSOR_DIM)[1:]]
    return b"".join(
        [
            *(number_field(TENSOR_DIM, dim) for dim in dims),
            number_field(TENSOR_ELEMENT, FLOAT),
            bytes_field(TENSOR_NAME, name.encode()),
            bytes_field(TENSOR_DATA, b"".join(data)),
        ]
    )


def _head(name: str) -> str:
    """`kps` for `bbox_head.multi_level_kps.0.conv1.weight`; empty for a tensor of no head."""
    where, _, rest = name.partition(".multi_level_")
    return rest.partition(".")[0] if where == "bbox_head" else ""
