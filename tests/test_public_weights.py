"""Maps of names between published state dicts and our networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from affectkit.errors import WeightsError
from affectkit.features.public_weights import PublicNames, load_public_weights, read_state

NAMES = PublicNames({"a": "0", "first": "0", "b.scale": "1.weight", "b.shift": "1.bias"}, unused=("head", "table"))


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))


@pytest.mark.parametrize(
    ("public", "own"),
    [("a.weight", "0.weight"), ("first.bias", "0.bias"), ("b.scale", "1.weight"), ("b.weight", None), ("a", "0")],
)
def test_modules_and_tensors_have_names(public: str, own: str | None) -> None:
    assert NAMES.own(public) == own


def test_of_several_names_the_first_is_said() -> None:
    assert [NAMES.theirs(key) for key in network().state_dict()] == ["a.weight", "a.bias", "b.scale", "b.shift"]
    assert NAMES.theirs("2.weight") == "2.weight"


def test_what_is_below_an_unused_name_is_left_out_and_no_more() -> None:
    assert [NAMES.is_unused(key) for key in ("head.0.weight", "table", "heads.weight", "a.table")] == [
        True, True, False, False
    ]  # fmt: skip


def test_either_name_loads_and_both_do_not(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    state = {"b.scale": torch.ones(2), "b.shift": torch.ones(2), "head.weight": torch.ones(1)}
    module = network()
    linear, norm = module.get_parameter("0.weight"), module.get_parameter("1.bias")
    for name in ("a", "first"):
        save_file({**state, f"{name}.weight": torch.eye(2), f"{name}.bias": torch.ones(2)}, path)
        load_public_weights(module, path, NAMES, "net")
        assert torch.equal(linear, torch.eye(2))
        assert norm.sum() == 2
    both = {f"{name}.{part}": torch.ones(2, 2)[i] for name in ("a", "first") for i, part in enumerate(("bias", "x"))}
    save_file({**state, **both, "a.weight": torch.eye(2)}, path)
    with pytest.raises(WeightsError) as caught:
        load_public_weights(network(), path, NAMES, "net")
    assert str(caught.value) == f"{path}: does not fit 'net': unexpected 'a.x', 'first.bias', 'first.x'"


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        read_state(tmp_path / "x.pth", "net")
    assert str(caught.value) == f"{tmp_path / 'x.pth'}: no such file; give a safetensors file of 'net'"
