"""What stages compute with and `torch.onnx` does not translate, in operators of ONNX.

Imported only where a graph is written: it needs onnxscript.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18 as op


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


# By the operation of torch, as `torch.onnx.export` takes them.
TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {torch.ops.aten.sort.stable: _sort_stable}
