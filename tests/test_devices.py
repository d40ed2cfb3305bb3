"""Where a model can run."""

from __future__ import annotations

import pytest
import torch

from affectkit.devices import check_device, device_of
from affectkit.errors import ConfigError


def devices() -> list[str]:
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]


def test_what_there_is() -> None:
    assert [check_device(name) for name in devices()] == devices()


def test_the_first_gpu_needs_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert check_device("cuda") == "cuda"
    assert check_device("cuda:1") == "cuda:1"


@pytest.mark.parametrize("name", ["tpu", "mps", "cuda:9"])
def test_an_unknown_device(name: str) -> None:
    known = ", ".join(repr(name) for name in devices())
    with pytest.raises(ConfigError) as caught:
        check_device(name)
    assert str(caught.value) == f"device: no device {name!r}; devices: {known}"


def test_where_modules_are() -> None:
    bare = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(2, 2, bias=False, device="meta"))
    assert device_of(bare) == torch.device("meta")
    # an affine-free batch normalization has buffers alone
    assert device_of(torch.nn.ReLU(), torch.nn.BatchNorm1d(2, affine=False), bare) == torch.device("cpu")
    assert device_of(torch.nn.ReLU()) is None
    assert device_of() is None
