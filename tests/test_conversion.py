"""Checkpoints to safetensors: nesting and prefixes taken off, nothing executed, every refusal in whole."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from affectkit.conversion import convert_checkpoint
from affectkit.errors import WeightsError
from affectkit.weights import sha256
from tests.cli_runs import run, run_json

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.zeros(2), "count": torch.tensor(3)}


class Meter:
    """What training code keeps beside its weights."""

    def __init__(self) -> None:
        self.best = 0.5


class Trap:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "executed")


def saved(tmp_path: Path, stored: object, name: str = "in.pth") -> Path:
    torch.save(stored, tmp_path / name)
    return tmp_path / name


def refusal(source: Path, out: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        convert_checkpoint(source, out)
    return str(caught.value)


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model", "net"])
def test_nesting_and_prefixes_are_taken_off(name: str, tmp_path: Path) -> None:
    inner = {f"module.{key}": value for key, value in STATE.items()}
    source = saved(tmp_path, {"epoch": 3, name: inner, "optimizer": {"lr": 0.1}})
    done = convert_checkpoint(source, tmp_path / "out.safetensors")
    assert (done.nesting, done.left_out, done.has_prefix) == ((name,), ("epoch", "optimizer"), True)
    assert (done.tensors, done.parameters) == (3, 9)
    found = load_file(done.out)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], value) for key, value in STATE.items())
    with safe_open(done.out, framework="pt") as file:
        assert file.metadata() == {
            "format": "pt",
            "converted_from": "in.pth",
            "converted_from_sha256": sha256(source),
        }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pth", "out.safetensors"]


def test_a_plain_state_dict_stays_as_it_is(tmp_path: Path) -> None:
    shared = torch.rand(4, 4)
    # one key alone has the prefix, so it belongs to the name; and views share memory
    stored = {"module.a": shared, "b": shared.T, "c": shared[1]}
    done = convert_checkpoint(saved(tmp_path, stored), tmp_path / "out.safetensors")
    assert (done.nesting, done.left_out, done.has_prefix) == ((), (), False)
    found = load_file(done.out)
    assert all(torch.equal(found[key], value) for key, value in stored.items())


def test_nesting_may_be_deeper(tmp_path: Path) -> None:
    done = convert_checkpoint(
        saved(tmp_path, {"model": {"state_dict": STATE, "a": 1}, "b": 2}), tmp_path / "out.safetensors"
    )
    assert (done.nesting, done.left_out) == (("model", "state_dict"), ("b", "a"))


def test_nothing_is_executed(tmp_path: Path) -> None:
    for zipped in (True, False):
        torch.save(
            {"state_dict": STATE, "trap": Trap(tmp_path / "proof")},
            tmp_path / "in.pth",
            _use_new_zipfile_serialization=zipped,
        )
        text = refusal(tmp_path / "in.pth", tmp_path / "out.safetensors")
        assert text.endswith("or save that where you trust the file")
    assert [path.name for path in tmp_path.iterdir()] == ["in.pth"]


class Recorder(dict[str, int]):
    """A class of a script whose objects are filled, not made at once."""


def of_a_script(kind: type, monkeypatch: pytest.MonkeyPatch) -> type:
    """A class as a file has it that the script which defines it wrote."""
    monkeypatch.setattr(kind, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], kind.__name__, kind, raising=False)
    return kind


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_of_the_training_script_are_left_out(
    zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = of_a_script(Meter, monkeypatch)()
    stored = {"state_dict": STATE, "recorder": meter, "recorder1": [meter], "best_acc": torch.tensor(92.0)}
    torch.save(stored, tmp_path / "in.pth", _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(Meter, "__init__", lambda self: pytest.fail("executed"))
    before = set(torch.serialization.get_safe_globals())
    done = convert_checkpoint(tmp_path / "in.pth", tmp_path / "out.safetensors")
    assert (done.nesting, done.left_out) == (("state_dict",), ("recorder", "recorder1", "best_acc"))
    assert done.classes == ("__main__.Meter",)
    assert load_file(done.out).keys() == STATE.keys()
    # for this file alone
    assert set(torch.serialization.get_safe_globals()) == before


def test_the_script_that_reads_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of `__main__` is a placeholder's, even where the reading script has a function of that name."""
    trap = of_a_script(Trap, monkeypatch)
    monkeypatch.setattr(Trap, "__reduce__", lambda self: (trap, (str(self.path),)))
    made: list[Path] = []
    source = saved(tmp_path, {"state_dict": STATE, "trap": Trap(tmp_path)})
    monkeypatch.setattr(Trap, "__init__", lambda self, path: made.append(path))
    assert convert_checkpoint(source, tmp_path / "out.safetensors").classes == ("__main__.Trap",)
    assert made == []
    source = saved(tmp_path, {"state_dict": STATE, "recorder": of_a_script(Recorder, monkeypatch)(epoch=1)})
    assert refusal(source, tmp_path / "second.safetensors") == (
        f"{source}: holds a '__main__.Recorder', and reading that would execute code; "
        "ask its publishers for the state dict alone, or save that where you trust the file"
    )


def test_what_it_refuses_to_read(tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    source = saved(tmp_path, {"state_dict": STATE, "recorder": Meter()})
    assert refusal(source, out) == (
        f"{source}: holds a 'tests.test_conversion.Meter', and reading that would execute code; "
        "ask its publishers for the state dict alone, or save that where you trust the file"
    )
    source = saved(tmp_path, {"state_dict": {**STATE, "epoch": 3, "lr": 0.1}})
    assert refusal(source, out) == (
        f"{source}: state_dict: no tensors: 'epoch (int)', 'lr (float)'; "
        "give a file that holds tensors by name, alone or as 'state_dict', 'model_state_dict', 'model', 'net'"
    )
    source = saved(tmp_path, {1: torch.zeros(1)})
    assert refusal(source, out) == (
        f"{source}: no tensors: '1 (Tensor)'; "
        "give a file that holds tensors by name, alone or as 'state_dict', 'model_state_dict', 'model', 'net'"
    )
    source = saved(tmp_path, [torch.zeros(1)])
    assert refusal(source, out) == f"{source}: holds a list; give a file that holds tensors by name"
    source = saved(tmp_path, {"net": {}})
    assert refusal(source, out) == f"{source}: net: holds no tensor; give a file that holds tensors by name"
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"hello", pickle.dumps("hello")[:-3], b"\x80\x02."])
def test_files_that_are_no_checkpoints(content: bytes, tmp_path: Path) -> None:
    source = tmp_path / "in.pth"
    source.write_bytes(content)
    assert refusal(source, tmp_path / "out.safetensors") == (
        f"{source}: is no checkpoint of torch; give a file that torch.save wrote"
    )


def test_places_that_it_refuses(tmp_path: Path) -> None:
    source = saved(tmp_path, STATE)
    out = tmp_path / "out.safetensors"
    gone = tmp_path / "gone.pth"
    assert refusal(gone, out) == f"{gone}: no such file; give a checkpoint that torch.save wrote"
    assert refusal(source, source) == f"{source}: ends with '.pth'; name a .safetensors file"
    inside = tmp_path / "a" / "out.safetensors"
    assert refusal(source, inside) == f"{inside}: no folder {str(tmp_path / 'a')!r}; make it first"
    out.write_text("mine")
    assert refusal(source, out) == f"{out}: already there; choose another name, or overwrite it"
    assert out.read_text() == "mine"
    assert convert_checkpoint(source, out, overwrite=True).tensors == 3


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = saved(tmp_path, {"state_dict": {f"module.{key}": value for key, value in STATE.items()}, "epoch": 3})
    out = tmp_path / "out.safetensors"
    assert run(capsys, "weights", "convert", source, out) == (
        0,
        f"{out}: 3 tensors, 9 numbers\n"
        "taken from below: 'state_dict'\n"
        "left out beside it: 'epoch'\n"
        "taken off all names: 'module.'\n",
        "",
    )
    code, text, error = run(capsys, "weights", "convert", source, out)
    assert (code, text) == (1, "")
    assert error == f"error: {out}: already there; choose another name, or overwrite it\n"
    assert run_json(capsys, "weights", "convert", source, out, "--overwrite") == {
        "out": str(out),
        "tensors": 3,
        "parameters": 9,
        "nesting": ["state_dict"],
        "left_out": ["epoch"],
        "classes": [],
        "has_prefix": True,
    }


def test_the_command_names_what_it_did_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = saved(tmp_path, {"state_dict": STATE, "recorder": of_a_script(Meter, monkeypatch)()})
    out = tmp_path / "out.safetensors"
    assert run(capsys, "weights", "convert", source, out) == (
        0,
        f"{out}: 3 tensors, 9 numbers\n"
        "taken from below: 'state_dict'\n"
        "left out beside it: 'recorder'\n"
        "not read, only left out: objects of '__main__.Meter'\n",
        "",
    )
