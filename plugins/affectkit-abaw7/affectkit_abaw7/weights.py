"""Loads checkpoints of the public code into encoders, a branch of them, and a head: safetensors, by a map of names.

`affectkit weights convert` makes a safetensors file of a `.pth`. Which class a row of a classifier stands for is not in
any file: whoever loads one says it.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from affectkit import ConfigError, WeightsError
from affectkit.errors import listed
from affectkit.features.public_weights import PublicNames, load_public_weights, read_state
from affectkit.heads.linear_head_net import ClassHead
from affectkit_abaw7 import poster, poster2
from affectkit_abaw7.poster2_net import POSTER2
from affectkit_abaw7.poster_net import POSTER
from affectkit_abaw7.public_names import (
    CLASSIFIERS,
    UNUSED_IN_IMAGE,
    UNUSED_IN_LANDMARKS,
    UNUSED_IN_POSTER,
    image_parts,
    landmark_parts,
    poster2_parts,
    poster_parts,
    unused_in_poster2,
)

# RAF-DB's numbers 1 to 7, and AffectNet's 0 to 6 and 0 to 7, by which folders of pictures are sorted in training
RAF_DB_7 = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
AFFECTNET_7 = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
AFFECTNET_8 = (*AFFECTNET_7, "contempt")


def load_poster2(encoder: POSTER2, path: str | os.PathLike[str]) -> None:
    """Copy a local checkpoint of POSTER2 into a built encoder; its classifier is left out, see `load_classifier`.

    Raises:
        WeightsError: no such file, not safetensors, names that are unknown or missing, or other shapes; nothing was
            copied then.
    """
    size = poster2.SIZES[encoder.config.size]
    names = PublicNames(poster2_parts(size), unused_in_poster2(size))
    load_public_weights(encoder.network, path, names, f"poster2 {encoder.config.size}")


def load_poster(encoder: POSTER, path: str | os.PathLike[str]) -> None:
    """Copy a local checkpoint of POSTER into a built encoder; its classifier is left out, see `load_classifier`.

    Raises:
        WeightsError: as `load_poster2`.
    """
    names = PublicNames(poster_parts(poster.SIZES[encoder.config.size]), UNUSED_IN_POSTER)
    load_public_weights(encoder.network, path, names, f"poster {encoder.config.size}")


def load_ir50(encoder: POSTER | POSTER2, path: str | os.PathLike[str]) -> None:
    """Copy a local checkpoint of IR50, trained on identities, into the image branch; its fourth stage is left out.

    Blocks may be counted through (`body.0` to `body.23`) or by stage (`body1.0` to `body3.13`).

    Raises:
        WeightsError: as `load_poster2`.
    """
    depths = (poster2 if isinstance(encoder, POSTER2) else poster).SIZES[encoder.config.size].depths
    parts = {**image_parts(depths), **image_parts(depths, in_one_body=False)}
    last = tuple(f"body.{sum(depths) + i}" for i in range(3))
    names = PublicNames(parts, (*UNUSED_IN_IMAGE, *last))
    load_public_weights(_part(encoder, "image"), path, names, f"IR50 of {encoder.config.size}")


def load_mobilefacenet(encoder: POSTER | POSTER2, path: str | os.PathLike[str]) -> None:
    """Copy a local checkpoint of MobileFaceNet, trained on landmarks, into the landmark branch, less its last layers.

    Raises:
        WeightsError: as `load_poster2`.
    """
    depths = (poster2 if isinstance(encoder, POSTER2) else poster).SIZES[encoder.config.size].landmark_depths
    names = PublicNames(landmark_parts(depths), UNUSED_IN_LANDMARKS)
    load_public_weights(_part(encoder, "landmarks"), path, names, f"MobileFaceNet of {encoder.config.size}")


def load_classifier(head: ClassHead[Any], path: str | os.PathLike[str], classes: tuple[str, ...]) -> None:
    """Copy the classifier of a POSTER or POSTER2 checkpoint into an `expression` head without hidden layers.

    Arguments:
        head: to load into; its targets are `classes` in the same order.
        path: the checkpoint, a safetensors file.
        classes: what the rows of its classifier stand for, such as `RAF_DB_7`.

    Raises:
        WeightsError: no such file, not safetensors, no classifier in it, or one of another number of classes or
            features.
        ConfigError: the head has other targets, another order of them, or hidden layers.
    """
    state = read_state(path, "poster or poster2")
    key = next((name for name in CLASSIFIERS if f"{name}.weight" in state and f"{name}.bias" in state), None)
    if key is None:
        raise WeightsError(f"{path}: has no classifier; its key would be one of {listed(CLASSIFIERS)}")
    weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
    if len(weight) != len(classes):
        raise WeightsError(f"{path}: its classifier has {len(weight)} classes, not {len(classes)}; name its own")
    targets = tuple(head.config.targets)
    if targets != tuple(classes):
        raise ConfigError(f"{targets!r} are not the classes of {path}", f"write {tuple(classes)!r}", path="targets")
    layer = head.linear
    if head.config.hidden:
        raise ConfigError(f"{head.config.hidden!r} stand before the classifier", "write ()", path="hidden")
    if layer.weight.shape != weight.shape:
        raise WeightsError(
            f"{path}: its classifier takes {weight.shape[1]} features, the head's {layer.weight.shape[1]}; "
            "put the head behind the encoder alone"
        )
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def _part(encoder: POSTER | POSTER2, name: str) -> nn.Module:
    return encoder.network.get_submodule(name)
