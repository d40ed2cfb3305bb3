"""The selective scan as one operation with a gradient: for autograd, `torch.compile` and `torch.export`.

Called as usual, it is an `autograd.Function`, since the dispatcher of a custom operation costs as much time as a small
scan. Under `torch.compile`, and for tensors that hold no values of their own, it is the custom operation
`affectkit::selective_scan`, which compilers pass on unseen, and of which torch knows the shapes of the result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.ops.exporting import is_watched
from affectkit.ops.scan_checks import check_finite, is_outcome_finite
from affectkit.ops.scan_inputs import ScanGradients, ScanInputs, Scanned
from affectkit.ops.scan_kernels import kernels

_TENSORS = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")
_PLAIN = (Tensor, torch.nn.Parameter, type(None))
_MODES = torch._C._TorchDispatchModeKey
_UNREAL = (_MODES.FAKE, _MODES.FUNCTIONAL, _MODES.PROXY)
_ARGUMENTS = "Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? z, Tensor? delta_bias"


def scan(inputs: ScanInputs, path: str) -> tuple[Tensor, Tensor]:
    """Output `(B, D, L)` and last state `(B, D, N)` by the kernels of that path.

    Raises:
        InputError: an input is not finite and so neither is the output; or the gradient itself is differentiated.
    """
    learns = torch.is_grad_enabled() and any(isinstance(one, Tensor) and one.requires_grad for one in inputs)
    if torch.compiler.is_compiling() or not _is_plain(inputs):
        out, last, _ = _scan_op(*inputs.grouped(), learns, path)
        return out, last
    # for a small scan, what autograd does around it takes a tenth of the time
    if not learns and not is_watched():
        out, last, _ = _forward(*inputs, False, path)
        return out, last
    found: tuple[Tensor, Tensor] = _Scan.apply(path, torch.is_grad_enabled(), *inputs)  # type: ignore[no-untyped-call]
    return found


def _is_plain(inputs: ScanInputs) -> bool:
    """Whether kernels may read and write by address: all are real tensors, and new ones will be."""
    is_real = all(type(one) in _PLAIN for one in inputs[:-1])
    return is_real and all(torch._C._get_dispatch_mode(mode) is None for mode in _UNREAL)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, path: str, learns: bool, *values: Any) -> tuple[Tensor, Tensor]:
        out, last, checkpoints = _forward(*values, learns and any(ctx.needs_input_grad), path)
        ctx.path, ctx.softplus = path, values[-1]
        ctx.save_for_backward(*values[:-1], checkpoints)
        ctx.set_materialize_grads(False)
        return out, last

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, checkpoints = ctx.saved_tensors
        # with create_graph, somebody may want to differentiate the gradient
        compute = _Gradient.apply if torch.is_grad_enabled() else _backward
        return None, None, *compute(*tensors, ctx.softplus, checkpoints, *gradients, ctx.path), None


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor | None, ...]:
        return tuple(_backward(*arguments))

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise InputError(
            "selective_scan: its gradient has none of its own; "
            "call selective_scan_ref for second derivatives, which is slow"
        )


def _forward(*arguments: Any) -> Scanned:
    *values, keep, path = arguments
    inputs = ScanInputs(*values)
    found, is_finite = kernels(path).forward(inputs, keep)
    # a look at the output from here takes a tenth of the time of a small scan
    if not (is_outcome_finite(found.out) if is_finite is None else is_finite):
        given = dict(zip(_TENSORS, inputs[:-1], strict=True))
        if inputs.B.dim() == 4 and inputs.sizes.groups == 1:
            given |= {"B": inputs.B[:, 0], "C": inputs.C[:, 0]}
        check_finite(given)
    return found


def _backward(*arguments: Any) -> ScanGradients:
    *values, checkpoints, d_out, d_last, path = arguments
    inputs = ScanInputs(*values)
    d_out = torch.zeros_like(inputs.u) if d_out is None else d_out.contiguous()
    return kernels(path).backward(inputs, checkpoints, d_out, None if d_last is None else d_last.contiguous())


def _present_gradients(*arguments: Any) -> list[Tensor]:
    return [one for one in _backward(*arguments) if one is not None]


_scan_op = torch.library.custom_op(
    "affectkit::selective_scan",
    _forward,
    mutates_args=(),
    schema=f"({_ARGUMENTS}, bool softplus, bool keep, str path) -> (Tensor, Tensor, Tensor)",
)
_gradient_op = torch.library.custom_op(
    "affectkit::selective_scan_gradients",
    _present_gradients,
    mutates_args=(),
    schema=f"({_ARGUMENTS}, bool softplus, Tensor checkpoints, Tensor? d_out, Tensor? d_last, str path) -> Tensor[]",
)


@_scan_op.register_fake
def _describe_scan(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    *values, keep, path = arguments
    inputs = ScanInputs(*values)
    sizes = inputs.sizes
    last = inputs.u.new_empty(sizes.batch, sizes.groups * sizes.per_group, sizes.states)
    shape = kernels(path).checkpoint_shape(sizes) if keep else (0,)
    return torch.empty_like(inputs.u), last, inputs.u.new_empty(shape)


@_gradient_op.register_fake
def _describe_gradients(*arguments: Any) -> list[Tensor]:
    return [torch.empty_like(one) for one in arguments[: len(_TENSORS)] if one is not None]


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *values, _, ctx.path = inputs
    ctx.softplus = values[-1]
    ctx.save_for_backward(*values[:-1], output[-1])


def _differentiate(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
    *tensors, checkpoints = ctx.saved_tensors
    found = iter(_gradient_op(*tensors, ctx.softplus, checkpoints, *gradients[:2], ctx.path))
    return *(None if one is None else next(found) for one in tensors), None, None, None


_scan_op.register_autograd(_differentiate, setup_context=_remember)
