"""Slow twins of the encoders: what the public code computes in evaluation, from a state dict with its own names.

Faces are `(N, 3, S, S)` in [0, 1], of the inner side.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from affectkit_abaw7.face_encoder import MEAN, STD
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]


def poster2_ref(state: State, faces: Tensor) -> Tensor:
    """Features of POSTER2."""
    x = normalized(faces)
    image, landmarks = image_maps(state, x, by_stage=True), landmark_maps(state, x)
    landmarks[2] = conv(state, "last_face_conv", landmarks[2], padding=1)
    tokens = []
    for i in (1, 2, 3):
        maps = conv(state, f"conv{i}", image[i - 1], stride=2, padding=1)
        rows = layer_norm(state, f"window{i}.norm", maps.permute(0, 2, 3, 1), 1e-5).flatten(1, 2)
        heads = state[f"attn{i}.relative_position_bias_table"].shape[1]
        bias = bias_ref(state[f"attn{i}.relative_position_bias_table"], maps.shape[-1])
        key, value = linear(state, f"attn{i}.qkv", rows).chunk(2, dim=-1)
        query = landmarks[i - 1].permute(0, 2, 3, 1).flatten(1, 2)
        mixed = linear(state, f"attn{i}.proj", attention(query, key, value, heads, bias))
        rows = rows + state[f"ffn{i}.gamma1"] * mixed
        inner = layer_norm(state, f"ffn{i}.norm", rows, 1e-5)
        rows = rows + state[f"ffn{i}.gamma2"] * mlp(state, f"ffn{i}.mlp", inner)
        maps = rows.transpose(1, 2).reshape(maps.shape)
        if i == 1:
            maps = conv(state, "embed_q.0", maps, stride=2, padding=1)
            maps = conv(state, "embed_q.1", maps, stride=2, padding=1)
        elif i == 2:
            maps = conv(state, "embed_k.0", maps, stride=2, padding=1)
        else:
            maps = conv(state, "embed_v.proj", maps)
        tokens.append(maps.flatten(2).transpose(1, 2))
    x = torch.cat([state["VIT.cls_token"].expand(len(faces), -1, -1), *tokens], dim=1) + state["VIT.pos_embed"]
    i = 0
    while f"VIT.blocks.{i}.norm1.weight" in state:
        name = f"VIT.blocks.{i}"
        query, key, value = linear(state, f"{name}.attn.qkv", layer_norm(state, f"{name}.norm1", x)).chunk(3, dim=-1)
        x = x + linear(state, f"{name}.attn.proj", attention(query, key, value, 8))
        x = x + mlp(state, f"{name}.mlp", layer_norm(state, f"{name}.norm2", x))
        i += 1
    return gate(state, "VIT.se_block", layer_norm(state, "VIT.norm", x)[:, 0])


def poster_ref(state: State, faces: Tensor, heads: int) -> Tensor:
    """Features of POSTER."""
    x = normalized(faces)
    marks = landmark_maps(state, x)[-1].flatten(2).transpose(1, 2)
    # in the order of memory
    runs = image_maps(state, x, by_stage=False)[-1].contiguous().view(len(faces), marks.shape[1], -1)
    image = linear(state, "ir_layer", runs)
    image = torch.cat([image.mean(1, keepdim=True), image], dim=1) + state["pyramid_fuse.pos_embed"]
    x = torch.cat([image, marks.mean(1, keepdim=True), marks], dim=1)
    levels = {"l": x}
    for letter, stride in (("m", 2), ("s", 4)):
        weight, bias = (state[f"pyramid_fuse.downsample_{letter}.{part}"] for part in ("weight", "bias"))
        levels[letter] = functional.conv1d(x, weight, bias, stride=stride)
    i = 0
    while f"pyramid_fuse.blocks.{i}.upsample_m.weight" in state:
        name = f"pyramid_fuse.blocks.{i}"
        levels = {letter: cross(state, f"{name}.block_{letter}", x, heads) for letter, x in levels.items()}
        for wide, narrow, up in (("m", "s", "upsample_s"), ("l", "m", "upsample_m")):
            weight, bias = (state[f"{name}.{up}.{part}"] for part in ("weight", "bias"))
            levels[wide] = levels[wide] + functional.conv_transpose1d(levels[narrow], weight, bias, stride=2)
        i += 1
    return gate(state, "se_block", layer_norm(state, "pyramid_fuse.norm", levels["l"])[:, 0])


def cross(state: State, name: str, x: Tensor, heads: int) -> Tensor:
    """A block of POSTER: one set of tokens asks the other, both ways."""
    half = x.shape[1] // 2
    sides = []
    for own, other, kind, norms, ffn in (
        (slice(None, half), slice(half, None), "img", ("norm1", "norm2"), "mlp1"),
        (slice(half, None), slice(None, half), "lm", ("norm3", "norm4"), "mlp2"),
    ):
        normed = layer_norm(state, f"{name}.{norms[0]}", x)
        key, value = linear(state, f"{name}.attn_{kind}.kv", normed[:, own]).chunk(2, dim=-1)
        mixed = attention(normed[:, other], key, value, heads)
        y = x[:, own] + linear(state, f"{name}.attn_{kind}.proj", mixed)
        sides.append(y + mlp(state, f"{name}.{ffn}", layer_norm(state, f"{name}.{norms[1]}", y)))
    weight, bias = state[f"{name}.conv.weight"][..., 0], state[f"{name}.conv.bias"]
    return torch.einsum("ij,njd->nid", weight, torch.cat(sides, dim=1)) + bias[:, None]


def image_maps(state: State, x: Tensor, *, by_stage: bool) -> list[Tensor]:
    """Maps of the image branch after each halving."""
    x = prelu(state, "ir_back.input_layer.2", norm(state, "ir_back.input_layer.1", conv(
        state, "ir_back.input_layer.0", x, padding=1
    )))  # fmt: skip
    bodies = [f"ir_back.body{i}" for i in (1, 2, 3)] if by_stage else ["ir_back.body"]
    maps = [x]
    width = -1
    for body in bodies:
        i = 0
        while f"{body}.{i}.res_layer.0.weight" in state:
            name = f"{body}.{i}"
            wide = len(state[f"{name}.res_layer.4.weight"])
            stride = 2 if wide != width else 1
            y = conv(state, f"{name}.res_layer.1", norm(state, f"{name}.res_layer.0", maps[-1]), padding=1)
            y = conv(state, f"{name}.res_layer.3", prelu(state, f"{name}.res_layer.2", y), stride=stride, padding=1)
            same = functional.max_pool2d(maps[-1], 1, stride)
            if f"{name}.shortcut_layer.0.weight" in state:
                same = norm(state, f"{name}.shortcut_layer.1", conv(state, f"{name}.shortcut_layer.0", same))
            found = norm(state, f"{name}.res_layer.4", y) + same
            maps = [*maps, found] if stride == 2 else [*maps[:-1], found]
            width, i = wide, i + 1
    return maps[1:]


def landmark_maps(state: State, x: Tensor) -> list[Tensor]:
    """The three maps that the landmark branch gives."""

    def unit(name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        weight = state[f"face_landback.{name}.conv.weight"]
        groups = x.shape[1] // weight.shape[1]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)
        x = norm(state, f"face_landback.{name}.bn", x)
        return prelu(state, f"face_landback.{name}.prelu", x) if f"face_landback.{name}.prelu.weight" in state else x

    def bottleneck(name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        y = unit(f"{name}.project", unit(f"{name}.conv_dw", unit(f"{name}.conv", x), stride=stride))
        return x + y if stride == 1 else y

    x = unit("conv2_dw", unit("conv1", x, stride=2))
    maps = []
    for first, rest in (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5")):
        x = bottleneck(first, x, stride=2)
        i = 0
        while f"face_landback.{rest}.model.{i}.conv.conv.weight" in state:
            x = bottleneck(f"{rest}.model.{i}", x)
            i += 1
        maps.append(x)
    return [*maps[:2], unit("conv_6_sep", x)]


def bias_ref(table: Tensor, side: int) -> Tensor:
    """The bias of each pair of places `(heads, S * S, S * S)`, pair by pair."""
    places = [(y, x) for y in range(side) for x in range(side)]
    rows = [[(y - b + side - 1) * (2 * side - 1) + x - a + side - 1 for b, a in places] for y, x in places]
    return table[torch.tensor(rows)].permute(2, 0, 1)


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | float = 0.0) -> Tensor:
    """Softmax attention of tokens `(N, K, D)`, written out."""
    query, key, value = (x.reshape(*x.shape[:2], heads, -1) for x in (query, key, value))
    scores = torch.einsum("nqhd,nkhd->nhqk", query, key) / query.shape[-1] ** 0.5 + bias
    return torch.einsum("nhqk,nkhd->nqhd", scores.softmax(dim=-1), value).flatten(2)


def gate(state: State, name: str, x: Tensor) -> Tensor:
    """Features times what their two layers decide."""
    return x * torch.sigmoid(linear(state, f"{name}.linear2", linear(state, f"{name}.linear1", x).relu()))


def mlp(state: State, name: str, x: Tensor) -> Tensor:
    """The feed-forward block."""
    return linear(state, f"{name}.fc2", functional.gelu(linear(state, f"{name}.fc1", x)))


def normalized(faces: Tensor) -> Tensor:
    """Faces as the public code hands them to its networks."""
    return (faces - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def conv(state: State, name: str, x: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
    """A convolution."""
    return functional.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride=stride, padding=padding)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    """A linear layer."""
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def prelu(state: State, name: str, x: Tensor) -> Tensor:
    """A slope per channel below zero."""
    return torch.where(x > 0, x, x * state[f"{name}.weight"].reshape(-1, 1, 1))


def norm(state: State, name: str, x: Tensor) -> Tensor:
    """Batch normalization in evaluation."""
    mean, variance, weight, bias = (
        state[f"{name}.{part}"].reshape(-1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


def layer_norm(state: State, name: str, x: Tensor, eps: float = 1e-6) -> Tensor:
    """Layer normalization over the last axis."""
    centered = x - x.mean(dim=-1, keepdim=True)
    scale = (centered.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    return centered / scale * state[f"{name}.weight"] + state[f"{name}.bias"]
