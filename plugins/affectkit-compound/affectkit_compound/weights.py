"""Loads checkpoints of MA-Net's public code and of timm into built members: safetensors, by a map of names.

`affectkit weights convert` makes a safetensors file of a `.pth`. Which class a row of a classifier stands for is not in
any file: whoever loads one says it.
"""

from __future__ import annotations

import os
from typing import Any

import torch

from affectkit import ConfigError, WeightsError
from affectkit.errors import listed
from affectkit.features.public_weights import PublicNames, load_public_weights, read_state
from affectkit_compound.manet import SIZES
from affectkit_compound.manet_heads_net import MANetHeads
from affectkit_compound.manet_net import MANet
from affectkit_compound.public_names import CLASSIFIERS, manet_parts
from affectkit_compound.timm_member_net import TimmMember

# the numbers 0 to 6 of RAF-DB's folders in the public code of MA-Net; RAF-DB itself counts otherwise
MANET_7 = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")


def load_manet(encoder: MANet, path: str | os.PathLike[str]) -> None:
    """Copy a local checkpoint of MA-Net into a built encoder; its classifiers are left out, see `load_manet_heads`.

    Raises:
        WeightsError: no such file, not safetensors, names that are unknown or missing, or other shapes; nothing was
            copied then.
    """
    names = PublicNames(manet_parts(SIZES[encoder.config.size]), CLASSIFIERS)
    load_public_weights(encoder.network, path, names, f"manet {encoder.config.size}")


def load_manet_heads(head: MANetHeads, path: str | os.PathLike[str], classes: tuple[str, ...]) -> None:
    """Copy both classifiers of a MA-Net checkpoint into a `manet-heads` head without hidden layers.

    Arguments:
        head: to load into; its targets are `classes` in the same order.
        path: the checkpoint, a safetensors file.
        classes: what the rows of its classifiers stand for, such as `MANET_7`.

    Raises:
        WeightsError: no such file, not safetensors, not both classifiers in it, or some of another number of classes or
            features; nothing was copied then.
        ConfigError: the head has other targets, another order of them, or hidden layers.
    """
    state = read_state(path, "manet")
    wanted = [f"{name}.{tensor}" for name in CLASSIFIERS for tensor in ("weight", "bias")]
    missing = [key for key in wanted if key not in state]
    if missing:
        raise WeightsError(f"{path}: has no {listed(missing)}; give a checkpoint with both classifiers of MA-Net")
    targets = tuple(head.config.targets)
    layers = [head.local_part.linear, head.global_part.linear]
    for name, layer in zip(CLASSIFIERS, layers, strict=True):
        weight, bias = (tuple(state[f"{name}.{tensor}"].shape) for tensor in ("weight", "bias"))
        if len(weight) != 2 or bias != weight[:1]:
            fact = f"{name} is no linear layer: weight {weight}, bias {bias}"
            raise WeightsError(f"{path}: {fact}; give a checkpoint of MA-Net")
        rows, columns = weight
        if rows != len(classes):
            raise WeightsError(f"{path}: {name} has {rows} classes, not {len(classes)}; name its own")
        if not head.config.hidden and columns != layer.in_features:
            suggestion = "put the head behind manet of the checkpoint's size, alone"
            raise WeightsError(f"{path}: {name} takes {columns} features, the head's {layer.in_features}; {suggestion}")
    if targets != tuple(classes):
        raise ConfigError(f"{targets!r} are not the classes of {path}", f"write {tuple(classes)!r}", path="targets")
    if head.config.hidden:
        raise ConfigError(f"{head.config.hidden!r} stand before the classifiers", "write ()", path="hidden")
    with torch.no_grad():
        for name, layer in zip(CLASSIFIERS, layers, strict=True):
            layer.weight.copy_(state[f"{name}.weight"])
            layer.bias.copy_(state[f"{name}.bias"])


def load_timm(member: TimmMember, path: str | os.PathLike[str]) -> None:
    """Copy a local safetensors state dict of timm into a built `resnet` or `vit`; its classifier is left out.

    Raises:
        WeightsError: as `load_manet`.
    """
    network: Any = member.network
    classifier = network.pretrained_cfg["classifier"]
    # timm's names are ours
    names = PublicNames({key: key for key in network.state_dict()}, (classifier,))
    load_public_weights(network, path, names, f"{member.config.network} {member.config.size}")
