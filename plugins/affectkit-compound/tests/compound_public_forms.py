"""Slow twin of MA-Net: what the public code computes in evaluation, from a state dict with its own names.

Faces are `(N, 3, S, S)` in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]


def manet_ref(state: State, faces: Tensor) -> Tensor:
    """Features of MA-Net, `(N, 2 D)`: of the four quadrants, then of the whole."""
    x = functional.max_pool2d(conv_norm(state, "conv1", "bn1", faces, stride=2).relu(), 3, 2, 1)
    x = layer(state, "layer2", layer(state, "layer1", x, 1), 2)
    half = x.shape[-1] // 2
    low, high = slice(0, half), slice(half, None)
    found = []
    for i, (rows, columns) in enumerate([(low, low), (low, high), (high, low), (high, high)], 1):
        part = layer(state, f"layer3_1_p{i}", x[:, :, rows, columns], 2)
        found.append(layer(state, f"layer4_1_p{i}", part, 1))
    face = torch.cat([torch.cat(found[:2], dim=3), torch.cat(found[2:], dim=3)], dim=2)
    whole = layer(state, "layer4_2", layer(state, "layer3_2", x, 2), 2)
    return torch.cat([face.flatten(2).mean(-1), whole.flatten(2).mean(-1)], dim=1)


def logits_ref(state: State, features: Tensor, *, local_share: float = 0.6) -> Tensor:
    """Logits of the public code: both classifiers' by their shares."""
    local, whole = features.chunk(2, dim=1)
    one, two = (
        part @ state[f"{name}.weight"].T + state[f"{name}.bias"] for name, part in (("fc_1", local), ("fc_2", whole))
    )
    return local_share * one + (1 - local_share) * two


def layer(state: State, name: str, x: Tensor, stride: int) -> Tensor:
    """A stage of blocks, of the kind that its names show."""
    i = 0
    while f"{name}.{i}.conv1.weight" in state:
        x = block(state, f"{name}.{i}", x, stride if i == 0 else 1)
        i += 1
    assert i
    return x


def block(state: State, name: str, x: Tensor, stride: int) -> Tensor:
    """One block."""
    y = conv_norm(state, f"{name}.conv1", f"{name}.bn1", x, stride=stride).relu()
    if f"{name}.conv1_2_1.weight" in state:
        y = scales(state, name, y)
    else:
        y = conv_norm(state, f"{name}.conv2", f"{name}.bn2", y)
    if f"{name}.cbam.ChannelGate.mlp.1.weight" in state:
        y = gates(state, f"{name}.cbam", y)
    if f"{name}.downsample.0.weight" in state:
        x = conv_norm(state, f"{name}.downsample.0", f"{name}.downsample.1", x, stride=stride)
    return (y + x).relu()


def scales(state: State, name: str, x: Tensor) -> Tensor:
    """The two chains, group by group."""
    width = x.shape[1] // 4
    groups = {i + 1: x[:, i * width : (i + 1) * width] for i in range(4)}
    total = torch.zeros_like(x)
    for chain, order in ((1, (1, 2, 3, 4)), (2, (4, 3, 2, 1))):
        before = torch.zeros_like(groups[1])
        for i in order:
            found = conv_norm(state, f"{name}.conv{chain}_2_{i}", f"{name}.bn{chain}_2_{i}", before + groups[i])
            total[:, (i - 1) * width : i * width] += found
            before = found.relu()
    return total


def gates(state: State, name: str, x: Tensor) -> Tensor:
    """The gate by channel, then the one by place."""
    logits = torch.zeros(x.shape[:2])
    for pooled in (x.flatten(2).mean(-1), x.flatten(2).max(-1).values):
        first, second = (f"{name}.ChannelGate.mlp.{i}" for i in (1, 3))
        hidden = (pooled @ state[f"{first}.weight"].T + state[f"{first}.bias"]).relu()
        logits = logits + hidden @ state[f"{second}.weight"].T + state[f"{second}.bias"]
    x = x * logits.sigmoid().reshape(*logits.shape, 1, 1)
    seen = torch.cat([x.max(1, keepdim=True).values, x.mean(1, keepdim=True)], dim=1)
    where = f"{name}.SpatialGate.spatial"
    return x * conv_norm(state, f"{where}.conv", f"{where}.bn", seen).sigmoid()


def conv_norm(state: State, conv: str, norm: str, x: Tensor, *, stride: int = 1) -> Tensor:
    """A convolution without bias, and its batch normalization in evaluation."""
    weight = state[f"{conv}.weight"]
    x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    mean, variance, scale, shift = (
        state[f"{norm}.{part}"].reshape(-1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def manet_shapes(
    widths: tuple[int, ...], depths: tuple[int, ...], *, reduction: int, classes: int
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a public checkpoint, counters left out."""
    found: dict[str, tuple[int, ...]] = {}

    def unit(conv: str, norm: str, before: int, after: int, kernel: int) -> None:
        found[f"{conv}.weight"] = (after, before, kernel, kernel)
        found.update({f"{norm}.{part}": (after,) for part in ("weight", "bias", "running_mean", "running_var")})

    def linear(name: str, before: int, after: int) -> None:
        found.update({f"{name}.weight": (after, before), f"{name}.bias": (after,)})

    unit("conv1", "bn1", 3, widths[0], 7)
    stages = {"layer1": (0, 1), "layer2": (1, 2), "layer3_2": (2, 2), "layer4_2": (3, 2)}
    for part in "1234":
        stages |= {f"layer3_1_p{part}": (2, 2), f"layer4_1_p{part}": (3, 1)}
    for name, (n, stride) in stages.items():
        after = widths[n]
        for i in range(depths[n]):
            before = after if i or not n else widths[n - 1]
            inside = f"{name}.{i}"
            unit(f"{inside}.conv1", f"{inside}.bn1", before, after, 3)
            if i == 0 and (stride > 1 or before != after):
                unit(f"{inside}.downsample.0", f"{inside}.downsample.1", before, after, 1)
            if name.endswith("_2"):
                for j in (f"{chain}_2_{group}" for chain in "12" for group in "1234"):
                    unit(f"{inside}.conv{j}", f"{inside}.bn{j}", after // 4, after // 4, 3)
                continue
            unit(f"{inside}.conv2", f"{inside}.bn2", after, after, 3)
            if "_1_" in name:
                linear(f"{inside}.cbam.ChannelGate.mlp.1", after, after // reduction)
                linear(f"{inside}.cbam.ChannelGate.mlp.3", after // reduction, after)
                unit(f"{inside}.cbam.SpatialGate.spatial.conv", f"{inside}.cbam.SpatialGate.spatial.bn", 2, 1, 7)
    linear("fc_1", widths[-1], classes)
    linear("fc_2", widths[-1], classes)
    return found
