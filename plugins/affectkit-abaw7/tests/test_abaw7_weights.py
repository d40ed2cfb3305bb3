"""Checkpoints of the public code: whole ones, branches, classifiers, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from affectkit_abaw7.weights import (
    AFFECTNET_7,
    AFFECTNET_8,
    RAF_DB_7,
    load_classifier,
    load_ir50,
    load_mobilefacenet,
    load_poster,
    load_poster2,
)
from safetensors.torch import save_file
from test_abaw7_encoders import Encoder, clip, encoder, public_state, scattered
from torch import Tensor

from affectkit import ConfigError, ExpressionConfig, FeatureStream, Sequence, WeightsError
from affectkit.data.labels import BASIC_7, BASIC_8
from affectkit.heads.expression_net import ExpressionHead

LOADERS: dict[str, Any] = {"poster": load_poster, "poster2": load_poster2}
# what files of the public code hold beside the features' network; values and most shapes do not matter
BESIDE = {
    "poster": (
        "ir_back.output_layer.3.weight", "face_landback.output_layer.conv_6_dw.bn.bias", "pyramid_fuse.cls_token",
        "head.linear.weight", "head.linear.bias",
    ),
    "poster2": (
        "ir_back.output_layer.3.weight", "face_landback.output_layer.linear.weight", "attn1.relative_position_index",
        "VIT.patch_embed.proj.weight", "VIT.eca_block.conv.weight", "VIT.CON1.weight", "VIT.IRLinear1.bias",
        "VIT.IRLinear2.bias", "VIT.blocks.0.conv.weight", "VIT.blocks.1.conv.bias", "VIT.head.linear.weight",
        "VIT.head.linear.bias",
    ),
}  # fmt: skip


def stored(module: Encoder, name: str) -> dict[str, Tensor]:
    return {**public_state(module), **{key: torch.zeros(7, 3) for key in BESIDE[name]}}


def message(work: Any, error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


@pytest.mark.parametrize("name", ["poster", "poster2"])
def test_a_public_checkpoint_is_loaded_whole(name: str, tmp_path: Path) -> None:
    source, other = scattered(name), encoder(name).eval()
    save_file(stored(source, name), tmp_path / "p.safetensors")
    LOADERS[name](other, tmp_path / "p.safetensors")
    assert torch.equal(other(Sequence.of(clip())).values, source(Sequence.of(clip())).values)


@pytest.mark.parametrize(
    ("name", "gone"), [("poster", "pyramid_fuse.blocks.1.block_s.attn_lm.kv.bias"), ("poster2", "ffn2.gamma1")]
)
def test_names_that_do_not_fit_are_named(name: str, gone: str, tmp_path: Path) -> None:
    module, path = encoder(name), tmp_path / "p.safetensors"
    state = stored(module, name)
    del state[gone]
    save_file({**state, "other.weight": torch.zeros(2)}, path)
    assert message(lambda: LOADERS[name](module, path), WeightsError) == (
        f"{path}: does not fit '{name} small': missing {gone!r}; unexpected 'other.weight'"
    )


def test_a_checkpoint_of_the_other_network_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    save_file(stored(encoder("poster"), "poster"), path)
    text = message(lambda: LOADERS["poster2"](encoder("poster2"), path), WeightsError)
    assert text.startswith(f"{path}: does not fit 'poster2 small': missing 'VIT.cls_token', 'VIT.pos_embed', ")
    assert "; unexpected 'head.linear.bias', 'head.linear.weight', " in text


@pytest.mark.parametrize("name", ["poster", "poster2"])
@pytest.mark.parametrize("by_stage", [False, True])
def test_branches_are_loaded_from_files_of_their_own(name: str, by_stage: bool, tmp_path: Path) -> None:
    source, other = scattered(name), encoder(name).eval()
    state = public_state(source)
    image = {key.removeprefix("ir_back."): value for key, value in state.items() if key.startswith("ir_back.")}
    marks = {key.removeprefix("face_landback."): value for key, value in state.items() if key.startswith("face_")}
    # body.0 and body1.0 are one block; small has 1, 1 and 2 of them
    places = [("body.0.", "body1.0."), ("body.1.", "body2.0."), ("body.2.", "body3.0."), ("body.3.", "body3.1.")]
    for joined, staged in places:
        old, new = (joined, staged) if by_stage else (staged, joined)
        image = {key.replace(old, new) if key.startswith(old) else key: value for key, value in image.items()}
    beside = {"output_layer.3.weight": torch.zeros(2), "body.4.res_layer.0.bias": torch.zeros(2)}
    save_file({**image, **beside}, tmp_path / "ir50.safetensors")
    save_file({**marks, "output_layer.linear.weight": torch.zeros(2)}, tmp_path / "marks.safetensors")
    load_ir50(other, tmp_path / "ir50.safetensors")
    load_mobilefacenet(other, tmp_path / "marks.safetensors")
    found, wanted = other.network.state_dict(), source.network.state_dict()
    same = {key.partition(".")[0] for key in found if torch.equal(found[key], wanted[key])}
    assert {"image", "landmarks"} <= same
    branches = [key for key in found if key.startswith(("image.", "landmarks."))]
    assert all(torch.equal(found[key], wanted[key]) for key in branches)
    assert not torch.equal(found["norm.weight"], wanted["norm.weight"])


def test_a_branch_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"conv1.conv.weight": torch.zeros(2)}, path)
    text = message(lambda: load_mobilefacenet(encoder("poster"), path), WeightsError)
    assert text.startswith(f"{path}: does not fit 'MobileFaceNet of small': missing 'conv1.bn.weight', ")
    assert text.endswith("; conv1.conv.weight is (2,), the network's is (16, 3, 3, 3)")
    text = message(lambda: load_ir50(encoder("poster2"), path), WeightsError)
    assert text.startswith(f"{path}: does not fit 'IR50 of small': missing 'input_layer.0.weight', ")
    assert text.endswith("; unexpected 'conv1.conv.weight'")


def head(targets: tuple[str, ...] = RAF_DB_7, **options: Any) -> ExpressionHead:
    return ExpressionHead(ExpressionConfig(targets=targets, **options), FeatureStream(dim=3))


@pytest.mark.parametrize("key", ["head.linear", "VIT.head.linear"])
def test_a_classifier_is_loaded_into_a_head(key: str, tmp_path: Path) -> None:
    weight, bias = torch.randn(7, 3), torch.randn(7)
    save_file({f"{key}.weight": weight, f"{key}.bias": bias}, tmp_path / "p.safetensors")
    module = head()
    load_classifier(module, tmp_path / "p.safetensors", RAF_DB_7)
    values = torch.randn(1, 2, 3)
    torch.testing.assert_close(module(Sequence.of(values)), values @ weight.T + bias)


def test_the_classes_are_those_of_the_datasets() -> None:
    assert set(RAF_DB_7) == set(AFFECTNET_7) == set(BASIC_7)
    assert set(AFFECTNET_8) == set(BASIC_8)


def test_a_classifier_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    save_file({"head.linear.weight": torch.zeros(8, 3), "head.linear.bias": torch.zeros(8)}, path)
    assert message(lambda: load_classifier(head(), path, RAF_DB_7), WeightsError) == (
        f"{path}: its classifier has 8 classes, not 7; name its own"
    )
    assert message(lambda: load_classifier(head(BASIC_8), path, AFFECTNET_8), ConfigError) == (
        f"targets: {BASIC_8!r} are not the classes of {path}; write {AFFECTNET_8!r}"
    )
    assert message(lambda: load_classifier(head(AFFECTNET_8, hidden=(4,)), path, AFFECTNET_8), ConfigError) == (
        "hidden: (4,) stand before the classifier; write ()"
    )
    wide = ExpressionHead(ExpressionConfig(targets=AFFECTNET_8), FeatureStream(dim=5))
    assert message(lambda: load_classifier(wide, path, AFFECTNET_8), WeightsError) == (
        f"{path}: its classifier takes 3 features, the head's 5; put the head behind the encoder alone"
    )
    save_file({"weight": torch.zeros(8)}, path)
    assert message(lambda: load_classifier(head(), path, RAF_DB_7), WeightsError) == (
        f"{path}: has no classifier; its key would be one of 'VIT.head.linear', 'head.linear'"
    )
    gone = tmp_path / "gone.safetensors"
    assert message(lambda: load_classifier(head(), gone, RAF_DB_7), WeightsError) == (
        f"{gone}: no such file; give a safetensors file of 'poster or poster2'"
    )
