"""What lies in padding, set to 0."""

from __future__ import annotations

from torch import Tensor

from affectkit.ops.exporting import is_watched


def clear_padding(values: Tensor, mask: Tensor) -> Tensor:
    """`values` `(B, T, ...)` with 0 where `mask` `(B, T)` is False, NaN there too; they themselves where nothing is."""
    if is_all_real(mask):
        return values
    # not a product: NaN times 0 is NaN
    return values.masked_fill(~mask.reshape(*mask.shape, *(1,) * (values.ndim - mask.ndim)), 0.0)


def is_all_real(mask: Tensor) -> bool:
    """Whether nothing is padding; False where asking makes the host wait, or fixes one case in a compiled program."""
    # a batch of `torch.func` has no one answer
    return not is_watched() and type(mask) is Tensor and mask.device.type == "cpu" and bool(mask.all())
