"""Other people's selective scans, written or set up again for `selective_scan.py`; arguments as of `selective_scan`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Pair = tuple[Tensor, Tensor]


def find_peers() -> dict[str, Callable[..., Tensor]]:
    """Those that need torch only, by name, as far as they are installed."""
    found: dict[str, Callable[..., Tensor]] = {"associative": associated}
    if importlib.util.find_spec("mambapy") is not None:
        found["mambapy"] = parallel
    return found


def loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, delta_bias: Tensor) -> Tensor:
    """The scan as mamba-ssm's reference computes it: decays of all steps at once, then a slice per step."""
    delta = functional.softplus(delta + delta_bias[:, None])
    deltaA = torch.exp(torch.einsum("bdl,dn->bdln", delta, A))
    deltaB_u = torch.einsum("bdl,bnl,bdl->bdln", delta, B, u)
    x = u.new_zeros(u.shape[0], u.shape[1], A.shape[1])
    ys = []
    for i in range(u.shape[2]):
        x = deltaA[:, :, i] * x + deltaB_u[:, :, i]
        ys.append(torch.einsum("bdn,bn->bd", x, C[:, :, i]))
    return (torch.stack(ys, dim=2) + u * D[:, None]) * functional.silu(z)


def parallel(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, delta_bias: Tensor
) -> Tensor:
    """The scan by mambapy's `pscan`, set up as its Mamba block does."""
    from mambapy.pscan import pscan

    delta = functional.softplus(delta + delta_bias[:, None]).transpose(1, 2)
    inputs = (delta * u.transpose(1, 2))[..., None] * B.transpose(1, 2)[:, :, None]
    x = pscan(torch.exp(delta[..., None] * A), inputs)
    y: Tensor = (x @ C.transpose(1, 2)[..., None])[..., 0].transpose(1, 2)
    return (y + D[:, None] * u) * functional.silu(z)


def associated(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, delta_bias: Tensor
) -> Tensor:
    """The scan by torch's own `associative_scan`, not compiled: pairs of decay and state are joined."""
    from torch._higher_order_ops.associative_scan import associative_scan

    delta = functional.softplus(delta + delta_bias[:, None])
    decays = torch.exp(delta[..., None] * A[:, None])
    inputs = (delta * u)[..., None] * B.transpose(1, 2)[:, None]
    _, x = associative_scan(_joined, (decays, inputs), dim=2, combine_mode="generic")
    y = torch.einsum("bdln,bnl->bdl", x, C)
    return (y + D[:, None] * u) * functional.silu(z)


def _joined(first: Pair, second: Pair) -> Pair:
    return first[0] * second[0], second[0] * first[1] + second[1]
