"""What `selective_scan` accepts: ranks, shapes, types, and values that are finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.ops.exporting import is_watched

_WIDE = (torch.float32, torch.float64)
FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
# Arguments by the layout that they have; B and C may come in groups.
_LAYOUTS = {
    "u": ("B", "D", "L"), "delta": ("B", "D", "L"), "A": ("D", "N"), "B": ("B", "N", "L"), "C": ("B", "N", "L"),
    "D": ("D",), "z": ("B", "D", "L"), "delta_bias": ("D",),
}  # fmt: skip
_GROUPED = ("B", "G", "N", "L")


def check_arguments(tensors: Mapping[str, Tensor | None]) -> None:
    """Raise InputError for what has a wrong type, place, number of axes or size; u and A say what is right.

    Arguments:
        tensors: by their names in `selective_scan`; `u`, `delta`, `A`, `B` and `C` are there.
    """
    u, a = tensors["u"], tensors["A"]
    assert u is not None
    assert a is not None
    kinds, device = FLOATS, u.device
    for name, tensor in tensors.items():
        if tensor is not None:
            if tensor.dtype not in kinds:
                if not isinstance(tensor, Tensor):
                    raise InputError(f"{name}: {type(tensor).__name__}; give a tensor, as torch.as_tensor makes")
                raise InputError(
                    f"{name}: {_name(tensor.dtype)} can't be scanned; give one of {', '.join(map(_name, kinds))}"
                )
            if tensor.device != device:
                raise InputError(f"{name}: is on {tensor.device}, but u is on {device}; move one of them")
    _check_rank("u", u)
    _check_rank("A", a)
    (batch, channels, length), states = u.shape, a.shape[1]
    for axis, size, source, tensor in (("D", channels, "u", u), ("N", states, "A", a)):
        if size == 0:
            raise InputError(f"{source}: {axis} is 0 in {_shape(tensor)}; give 1 or more")
    shapes = {"B": (batch, states, length), "A": (channels, states), "D": (channels,)}
    shapes |= {"C": shapes["B"], "delta_bias": shapes["D"]}
    for name, tensor in tensors.items():
        # one look at each, since a small scan takes no longer than such checks
        if tensor is not None and tensor.shape != shapes.get(name, u.shape):
            _check_rank(name, tensor)
            _check_sizes(name, tensor, {"B": batch, "D": channels, "L": length, "N": states})


def check_finite(tensors: Mapping[str, Tensor | None]) -> None:
    """Raise InputError that names the first tensor with a value that is NaN or infinite, and where it is."""
    for name, tensor in tensors.items():
        if tensor is not None and not (is_finite := tensor.isfinite()).all():
            place = (~is_finite).nonzero()[0].tolist()
            raise InputError(
                f"{name}: {tensor[tuple(place)].item()} at {place}, and {int((~is_finite).sum())} such values in all; "
                "a scan carries them into every later step, so find where they come from"
            )


def check_outcome(out: Tensor, tensors: Mapping[str, Tensor | None]) -> None:
    """`check_finite` of inputs, if what came of them is not finite; nothing where nobody may look."""
    if not is_watched() and can_look(out) and not _is_finite(out):
        check_finite(tensors)


def is_outcome_finite(out: Tensor) -> bool:
    """Whether all values are finite; True where nobody may look."""
    return not can_look(out) or _is_finite(out)


def can_look(out: Tensor) -> bool:
    """Whether a tensor's values are there to be looked at.

    Elsewhere than on the CPU the host waits for them; while a CUDA graph is recorded it must not, and then there is no
    check.
    """
    kind = out.device.type
    return kind == "cpu" or (kind != "meta" and not (kind == "cuda" and torch.cuda.is_current_stream_capturing()))


def _is_finite(out: Tensor) -> bool:
    # a sum is the fastest look at all values; that of half precision would overflow
    kind = out.dtype if out.dtype in _WIDE else torch.float32
    return math.isfinite(out.detach().sum(dtype=kind).item())


def _check_rank(name: str, tensor: Tensor) -> None:
    layout = _LAYOUTS[name]
    is_grouped = name in ("B", "C") and tensor.dim() == len(_GROUPED)
    if tensor.dim() != len(layout) and not is_grouped:
        takes = _written(layout) + (f" or {_written(_GROUPED)}" if name in ("B", "C") else "")
        raise InputError(f"{name}: {tensor.dim()} axes, {_shape(tensor)}; give {takes}")


def _check_sizes(name: str, tensor: Tensor, sizes: Mapping[str, int]) -> None:
    layout = _GROUPED if tensor.dim() == len(_GROUPED) else _LAYOUTS[name]
    for i, (axis, found) in enumerate(zip(layout, tensor.shape, strict=True)):
        if axis == "G":
            if found == 0 or sizes["D"] % found:
                raise InputError(
                    f"{name}: axis {i} has {found} groups, which do not divide the {sizes['D']} channels of u; "
                    "give a number of groups that does"
                )
        elif found != sizes[axis]:
            source = "A" if axis == "N" else "u"
            raise InputError(
                f"{name}: axis {i} ({axis}) has {found} entries in {_shape(tensor)}, "
                f"but {axis} of {source} is {sizes[axis]}; give {_written(layout)}"
            )


def _written(layout: tuple[str, ...]) -> str:
    return f"({layout[0]},)" if len(layout) == 1 else f"({', '.join(layout)})"


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _name(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
