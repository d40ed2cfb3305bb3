"""Whether a graph is being recorded that has to serve every input, so that no branch may look at values."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def is_exporting() -> bool:
    """Whether `torch.export`, the ONNX exporter or a trace is recording what runs.

    What a check of values would refuse has to be refused by whoever runs the recorded graph; and what is otherwise
    computed for real steps alone is computed for all, and set to zero at padding.
    """
    # `is_exporting` came with torch 2.7
    is_recording = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    return bool(is_recording()) or torch._C._get_tracing_state() is not None or torch.onnx.is_in_onnx_export()


def is_watched() -> bool:
    """Whether the operations themselves matter to somebody, or tensors may hold no values of their own."""
    return (
        # exporters and compilers
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        # such as what counts operations, or knows shapes alone
        or torch._C._len_torch_dispatch_stack() > 0
        # `torch.func`, and gradients forward
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )
