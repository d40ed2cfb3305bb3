"""The CUDA kernels of mamba-ssm, where it is installed and works; on machines without CUDA even its import fails."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from affectkit.errors import FallbackWarning
from affectkit.ops.scan_inputs import ScanInputs

# of its kernels, `MAX_DSTATE`
MOST_STATES = 256


def explain_absence(device: torch.device) -> str:
    """Why mamba-ssm's kernels can't be used there; empty if they can. A broken one costs a warning, once."""
    if find_spec("mamba_ssm") is None:
        return "mamba-ssm is not installed"
    return _try(device)[1]


def scan_mamba_ssm(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Output `(B, D, L)` in the type of `u`, and last state `(B, D, N)`, which has no gradient."""
    function, reason = _try(inputs.u.device)
    *tensors, softplus = inputs
    if function is None:
        raise OSError(reason)
    found: tuple[Tensor, Tensor] = function(*tensors, delta_softplus=softplus, return_last_state=True)
    return found


@functools.cache
def _try(device: torch.device) -> tuple[Callable[..., Any] | None, str]:
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

        # a build for another GPU is imported without complaint, and fails at its first kernel
        ones = torch.ones(1, 1, 2, device=device)
        found = selective_scan_fn(ones, ones, -ones[0, :, :1], ones, ones)
        if not torch.allclose(found, torch.tensor([1.0, 1.3679], device=device), atol=1e-2):
            raise RuntimeError(f"1 + exp(-1) came out as {found[0, 0, 1].item():.3f}")
    # whatever a foreign package's import or kernel raises
    except Exception as error:
        reason = f"mamba-ssm is installed, but fails ({type(error).__name__}: {error})"
        warnings.warn(f"selective_scan: {reason}; the torch path is used", FallbackWarning, stacklevel=2)
        return None, reason
    return selective_scan_fn, ""
