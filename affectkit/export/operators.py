"""What stages compute with and `torch.onnx` does not translate, in operators of ONNX.

Imported only where a graph is written: it needs onnxscript.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18 as op
from onnxscript.function_libs.torch_lib.ops.nn import aten_scaled_dot_product_attention


def _sort_stable(
    values: Any, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[Any, Any]:
    """Sorted values and their places; of equal ones, the first comes first.

    ONNX promises that of TopK, but not every engine keeps it (OpenVINO does not). So places are sorted once more,
    within each run of equal values, by numbers of which no two are equal.
    """
    axis = op.Constant(value_ints=[dim])
    size = op.Gather(op.Shape(values), axis)
    found, places = op.TopK(values, size, axis=dim, largest=int(descending), sorted=1)
    zero, one = op.Constant(value_ints=[0]), op.Constant(value_ints=[1])
    before = op.Concat(op.Slice(found, zero, one, axis), op.Slice(found, zero, op.Sub(size, one), axis), axis=dim)
    run = op.CumSum(op.Cast(op.Not(op.Equal(found, before)), to=7), op.Squeeze(axis))
    _, order = op.TopK(op.Add(op.Mul(run, size), places), size, axis=dim, largest=0, sorted=1)
    return found, op.GatherElements(places, order, axis=dim)


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Attention without a mask, as engines know it: queries are scaled, and keys transposed at once.

    The translation of `torch.onnx` scales both, and transposes keys by way of a shape that it computes: of that
    OpenVINO and onnxruntime make a graph that is some percent slower.
    """
    size = query.shape[-1] if len(query.shape) == len(key.shape) == len(value.shape) == 4 else None
    if attn_mask is not None or is_causal or enable_gqa or dropout_p or not isinstance(size, int):
        return aten_scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    factor = op.CastLike(op.Constant(value_float=size**-0.5 if scale is None else scale), query)
    weights = op.Softmax(op.MatMul(op.Mul(query, factor), op.Transpose(key, perm=[0, 1, 3, 2])), axis=-1)
    return op.MatMul(weights, value)


# By the operation of torch, as `torch.onnx.export` takes them.
TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.sort.stable: _sort_stable,
    torch.ops.aten.scaled_dot_product_attention.default: _attention,
}
