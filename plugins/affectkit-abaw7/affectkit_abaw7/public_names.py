"""What the public code of POSTER (zczcwh/POSTER) and POSTER2 (Talented-Q/POSTER_V2) calls the parts of the networks.

Both branches, `ir_back` and `face_landback` there, `image` and `landmarks` here:

| stored | here |
|---|---|
| `input_layer` | `stem` |
| `body.0` to `body.20`; in POSTER2 `body1.0` to `body3.13` | `stages.0.0` to `stages.2.13` |
| in blocks, `res_layer`; `shortcut_layer.0`, `shortcut_layer.1` | `residual`; `shortcut.convolution`, `shortcut.norm` |
| `conv1`, `conv2_dw`, `conv_6_sep` | `stem.0`, `stem.1`, `last` |
| `conv_23`, `conv_34`, `conv_45` | `stages.0.0`, `stages.1.0`, `stages.2.0` |
| `conv_3.model.0`, `conv_4.model.0`, `conv_5.model.0` and on | `stages.0.1`, `stages.1.1`, `stages.2.1` and on |
| in bottlenecks, `conv`, `conv_dw`, `project` | `expand`, `depthwise`, `project` |
| in units, `conv`, `bn`, `prelu` | `0`, `1`, `2` |

POSTER2:

| stored | here |
|---|---|
| `last_face_conv` | `narrow` |
| `conv1`, `window1.norm`; likewise 2 and 3 | `scales.0.halve`, `scales.0.norm` |
| `attn1.qkv`, `proj`, `relative_position_bias_table` | `scales.0.attention.keys_values`, `leave`, `bias` |
| `ffn1.gamma1`, `gamma2`, `norm`, `mlp` | `scales.0.gain1`, `gain2`, `feedforward_norm`, `feedforward` |
| `embed_q.0`, `embed_q.1`, `embed_k.0`, `embed_v.proj` | `embed.0.0`, `embed.0.1`, `embed.1`, `embed.2` |
| `VIT.cls_token`, `VIT.pos_embed`, `VIT.norm` | `summary`, `positions`, `norm` |
| `VIT.blocks.0.norm1`, `attn.qkv`, `attn.proj` | `blocks.0.attention_norm`, `enter`, `leave` |
| `VIT.blocks.0.norm2`, `mlp` | `blocks.0.feedforward_norm`, `feedforward` |
| `VIT.se_block.linear1`, `linear2` | `gate.first`, `gate.second` |

POSTER:

| stored | here |
|---|---|
| `ir_layer` | `project` |
| `pyramid_fuse.pos_embed`, `norm`, `downsample_m`, `downsample_s` | `positions`, `norm`, `narrow.0`, `narrow.1` |
| `pyramid_fuse.blocks.0.block_l`, `block_m`, `block_s` | `blocks.0.levels.0`, `levels.1`, `levels.2` |
| in these, `norm1`, `attn_img.kv`, `attn_img.proj` | `sides.0.norm`, `sides.0.keys_values`, `sides.0.leave` |
| in these, `norm2`, `mlp1` | `sides.0.feedforward_norm`, `sides.0.feedforward` |
| in these, `norm3`, `attn_lm`, `norm4`, `mlp2`; `conv` | the same of `sides.1`; `mix` |
| `pyramid_fuse.blocks.0.upsample_m`, `upsample_s` | `blocks.0.widen.0`, `widen.1` |
| `se_block.linear1`, `linear2` | `gate.first`, `gate.second` |

In feed-forward blocks, `fc1` and `fc2` are `0` and `2`. Left out are the classifiers, and what the public code
builds and never uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from affectkit_abaw7 import poster, poster2

Parts = dict[str, str]
_UNIT = {"conv": "0", "bn": "1", "prelu": "2"}
_BOTTLENECK = {"conv": "expand", "conv_dw": "depthwise", "project": "project"}
_HIDDEN = {"fc1": "0", "fc2": "2"}

# modules that features do not need, by network
UNUSED_IN_IMAGE = ("output_layer",)
UNUSED_IN_LANDMARKS = ("output_layer",)
UNUSED_IN_POSTER2 = (
    "ir_back.output_layer", "face_landback.output_layer",
    "attn1.relative_position_index", "attn2.relative_position_index", "attn3.relative_position_index",
    "VIT.patch_embed", "VIT.head", "VIT.eca_block", "VIT.CON1", "VIT.IRLinear1", "VIT.IRLinear2",
)  # fmt: skip
UNUSED_IN_POSTER = ("ir_back.output_layer", "face_landback.output_layer", "pyramid_fuse.cls_token", "head")
CLASSIFIERS = ("VIT.head.linear", "head.linear")


def poster2_parts(size: poster2.Size) -> Parts:
    """Public names of POSTER2, theirs to ours."""
    parts = {
        **_below(image_parts(size.depths, in_one_body=False), "ir_back", "image"),
        **_below(landmark_parts(size.landmark_depths), "face_landback", "landmarks"),
        "last_face_conv": "narrow",
        "embed_q.0": "embed.0.0", "embed_q.1": "embed.0.1", "embed_k.0": "embed.1", "embed_v.proj": "embed.2",
        "VIT.cls_token": "summary", "VIT.pos_embed": "positions", "VIT.norm": "norm",
        "VIT.se_block.linear1": "gate.first", "VIT.se_block.linear2": "gate.second",
    }  # fmt: skip
    for i in range(3):
        scale = {
            f"conv{i + 1}": "halve", f"window{i + 1}.norm": "norm",
            f"attn{i + 1}.qkv": "attention.keys_values", f"attn{i + 1}.proj": "attention.leave",
            f"attn{i + 1}.relative_position_bias_table": "attention.bias",
            f"ffn{i + 1}.gamma1": "gain1", f"ffn{i + 1}.gamma2": "gain2", f"ffn{i + 1}.norm": "feedforward_norm",
            **_below(_HIDDEN, f"ffn{i + 1}.mlp", "feedforward"),
        }  # fmt: skip
        parts |= {public: f"scales.{i}.{own}" for public, own in scale.items()}
    block = {
        "norm1": "attention_norm", "attn.qkv": "enter", "attn.proj": "leave", "norm2": "feedforward_norm",
        **_below(_HIDDEN, "mlp", "feedforward"),
    }  # fmt: skip
    for i in range(size.token_depth):
        parts |= _below(block, f"VIT.blocks.{i}", f"blocks.{i}")
    return parts


def unused_in_poster2(size: poster2.Size) -> tuple[str, ...]:
    """What a file of POSTER2 holds beside the feature's network."""
    return (*UNUSED_IN_POSTER2, *(f"VIT.blocks.{i}.conv" for i in range(size.token_depth)))


def poster_parts(size: poster.Size) -> Parts:
    """Public names of POSTER, theirs to ours."""
    parts = {
        **_below(image_parts(size.depths), "ir_back", "image"),
        **_below(landmark_parts(size.landmark_depths), "face_landback", "landmarks"),
        "ir_layer": "project",
        "pyramid_fuse.pos_embed": "positions", "pyramid_fuse.norm": "norm",
        "pyramid_fuse.downsample_m": "narrow.0", "pyramid_fuse.downsample_s": "narrow.1",
        "se_block.linear1": "gate.first", "se_block.linear2": "gate.second",
    }  # fmt: skip
    level = {"conv": "mix", **_side(0, "img", norms=(1, 2)), **_side(1, "lm", norms=(3, 4))}
    for i in range(size.depth):
        public, own = f"pyramid_fuse.blocks.{i}", f"blocks.{i}"
        for j, letter in enumerate("lms"):
            parts |= _below(level, f"{public}.block_{letter}", f"{own}.levels.{j}")
        parts |= {f"{public}.upsample_m": f"{own}.widen.0", f"{public}.upsample_s": f"{own}.widen.1"}
    return parts


def image_parts(depths: tuple[int, ...], *, in_one_body: bool = True) -> Parts:
    """Public names of IR50, whose blocks are counted through in one body, or by stage, as POSTER2's are."""
    parts = {f"input_layer.{i}": f"stem.{i}" for i in range(3)}
    block = {
        **{f"res_layer.{i}": f"residual.{i}" for i in range(5)},
        "shortcut_layer.0": "shortcut.convolution",
        "shortcut_layer.1": "shortcut.norm",
    }
    for n, (stage, i) in enumerate(_blocks(depths)):
        public = f"body.{n}" if in_one_body else f"body{stage + 1}.{i}"
        parts |= _below(block, public, f"stages.{stage}.{i}")
    return parts


def landmark_parts(depths: tuple[int, ...]) -> Parts:
    """Public names of MobileFaceNet."""
    parts = {
        **_below(_UNIT, "conv1", "stem.0"), **_below(_UNIT, "conv2_dw", "stem.1"), **_below(_UNIT, "conv_6_sep", "last")
    }  # fmt: skip
    for stage, depth in enumerate(depths):
        names = [("conv_23", "conv_34", "conv_45")[stage], *(f"conv_{stage + 3}.model.{i}" for i in range(depth))]
        for i, name in enumerate(names):
            for public, own in _BOTTLENECK.items():
                parts |= _below(_UNIT, f"{name}.{public}", f"stages.{stage}.{i}.{own}")
    return parts


def _side(index: int, name: str, *, norms: tuple[int, int]) -> Parts:
    return {
        f"norm{norms[0]}": f"sides.{index}.norm", f"norm{norms[1]}": f"sides.{index}.feedforward_norm",
        f"attn_{name}.kv": f"sides.{index}.keys_values", f"attn_{name}.proj": f"sides.{index}.leave",
        **_below(_HIDDEN, f"mlp{index + 1}", f"sides.{index}.feedforward"),
    }  # fmt: skip


def _blocks(depths: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return ((stage, i) for stage, depth in enumerate(depths) for i in range(depth))


def _below(parts: Mapping[str, str], public: str, own: str) -> Parts:
    return {f"{public}.{theirs}": f"{own}.{ours}" for theirs, ours in parts.items()}
