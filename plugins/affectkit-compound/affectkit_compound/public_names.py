"""What the public code of MA-Net (zengqunzhao/MA-Net) calls the parts of the network.

| stored | here |
|---|---|
| `conv1`, `bn1` | `stem.0`, `stem.1` |
| `layer1`, `layer2` | `shared.0`, `shared.1` |
| `layer3_1_p1`, `layer4_1_p1`; likewise to `p4` | `quadrants.0.0`, `quadrants.0.1`; likewise to `quadrants.3` |
| `layer3_2`, `layer4_2` | `whole.0`, `whole.1` |
| in blocks, `conv1`, `bn1` | `enter.convolution`, `enter.norm` |
| in blocks, `downsample.0`, `downsample.1` | `shortcut.convolution`, `shortcut.norm` |
| in shared blocks, `conv2`, `bn2` | `inner.convolution`, `inner.norm` |
| in blocks of quadrants, `conv2`, `bn2` | the same of `inner.0` |
| in these, `cbam.ChannelGate.mlp.1`, `mlp.3` | `inner.1.first`, `inner.1.second` |
| in these, `cbam.SpatialGate.spatial.conv`, `spatial.bn` | `inner.2.unit.convolution`, `inner.2.unit.norm` |
| in blocks of the whole, `conv1_2_1`, `bn1_2_1` to `4` | the same of `inner.there.0` to `inner.there.3` |
| in these, `conv2_2_1`, `bn2_2_1` to `4` | the same of `inner.back.0` to `inner.back.3` |
| `fc_1`, `fc_2` | not the network's: `local_part.linear`, `global_part.linear` of `manet-heads` |

The file with the gates was not at hand. Their names are those of the code of CBAM (Jongchan/attention-module), which
copies of MA-Net's blocks in other repositories have too: inferred.
"""

from __future__ import annotations

from collections.abc import Mapping

from affectkit_compound import manet

Parts = dict[str, str]
# of the local and the global half
CLASSIFIERS = ("fc_1", "fc_2")

_FRAME = {
    "conv1": "enter.convolution", "bn1": "enter.norm",
    "downsample.0": "shortcut.convolution", "downsample.1": "shortcut.norm",
}  # fmt: skip
_BASIC = {**_FRAME, "conv2": "inner.convolution", "bn2": "inner.norm"}
_ATTENTION = {
    **_FRAME, "conv2": "inner.0.convolution", "bn2": "inner.0.norm",
    "cbam.ChannelGate.mlp.1": "inner.1.first", "cbam.ChannelGate.mlp.3": "inner.1.second",
    "cbam.SpatialGate.spatial.conv": "inner.2.unit.convolution", "cbam.SpatialGate.spatial.bn": "inner.2.unit.norm",
}  # fmt: skip
_MULTI_SCALE = _FRAME | {
    f"{part}{chain}_2_{i + 1}": f"inner.{own}.{i}.{ours}"
    for chain, own in ((1, "there"), (2, "back"))
    for i in range(4)
    for part, ours in (("conv", "convolution"), ("bn", "norm"))
}


def manet_parts(size: manet.Size) -> Parts:
    """Public names of MA-Net, theirs to ours."""
    parts = {"conv1": "stem.0", "bn1": "stem.1"}
    for n in (1, 2):
        parts |= _stage(_BASIC, f"layer{n}", f"shared.{n - 1}", size.depths[n - 1])
    for n in (3, 4):
        for i in range(4):
            parts |= _stage(_ATTENTION, f"layer{n}_1_p{i + 1}", f"quadrants.{i}.{n - 3}", size.depths[n - 1])
        parts |= _stage(_MULTI_SCALE, f"layer{n}_2", f"whole.{n - 3}", size.depths[n - 1])
    return parts


def _stage(block: Mapping[str, str], public: str, own: str, depth: int) -> Parts:
    return {f"{public}.{i}.{theirs}": f"{own}.{i}.{ours}" for i in range(depth) for theirs, ours in block.items()}
