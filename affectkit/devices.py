"""Where a model can run."""

from __future__ import annotations

import torch
from torch import nn

from affectkit.errors import ConfigError, listed


def check_device(device: str) -> str:
    """`device`, if there is such a one. Not `mps`: it has no float64, which times need.

    Raises:
        ConfigError: there is not; lists what there is.
    """
    known = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if device not in known and f"{device}:0" not in known:
        raise ConfigError(f"no device {device!r}", f"devices: {listed(known)}", path="device")
    return device


def device_of(*modules: nn.Module) -> torch.device | None:
    """Where the first tensor of the modules is; None where they have none."""
    # not parameters(), which takes four times as long and is called in every forward
    waiting: list[nn.Module | None] = [*reversed(modules)]
    while waiting:
        module = waiting.pop()
        if module is not None:
            for tensor in (*module._parameters.values(), *module._buffers.values()):
                if tensor is not None:
                    return tensor.device
            waiting += reversed(module._modules.values())
    return None
