"""The cache of results: what is the same entry and what is another, damage, and several processes at once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit.caching import CacheSize, cached, clear_cache, default_folder, measure_cache
from affectkit.errors import CacheWarning, InputError

RESULT = {"maps": torch.arange(6.0).reshape(2, 3), "mask": torch.tensor([True, False]), "none": torch.zeros(0, 3)}


class Counter:
    """Computes `RESULT`, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> dict[str, Tensor]:
        self.count += 1
        return RESULT


def computed(folder: Path, *parts: Any) -> int:
    """How often a result was computed for these parts: 1, or 0 where it was read."""
    counter = Counter()
    found = cached(counter, parts=parts, folder=folder)
    assert found.keys() == RESULT.keys()
    assert all(torch.equal(found[name], RESULT[name]) for name in RESULT)
    return counter.count


def entry(folder: Path) -> Path:
    (path,) = folder.glob("*/*.safetensors")
    return path


def warned(call: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(item.category is CacheWarning and item.filename == __file__ for item in caught)
    return [str(item.message) for item in caught]


def test_the_second_time_it_is_read(tmp_path: Path) -> None:
    parts = ("flow", {"window": 6.0, "first": None}, torch.rand(2, 3))
    assert [computed(tmp_path, *parts) for _ in range(3)] == [1, 0, 0]
    assert len(list(tmp_path.rglob("*.*"))) == 1


PARTS: list[Any] = [
    None, True, 1, 1.0, 0.1, "1", "", float("nan"), float("inf"), [], [1], [[1]], [1, 2], [2, 1], {}, {"a": 1},
    {"b": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"map": {"a": 1}}, {"float": "nan"}, {"file": "x"},
    torch.zeros(2, 3), torch.zeros(3, 2), torch.zeros(6), torch.zeros(6, dtype=torch.float64), torch.zeros(0),
    torch.zeros(6, dtype=torch.bfloat16), torch.zeros(()), torch.ones(6), torch.tensor([0.0, 1.0, 0.0]),
    np.zeros(6, np.uint8), np.zeros(6, bool), np.array([0.0, 0.0, 1.0]),
]  # fmt: skip


def test_whatever_differs_is_another_entry(tmp_path: Path) -> None:
    assert [computed(tmp_path, part) for part in PARTS] == [1] * len(PARTS)
    assert [computed(tmp_path, part) for part in PARTS] == [0] * len(PARTS)
    assert computed(tmp_path, 1, 2) == computed(tmp_path, [1], 2) == computed(tmp_path) == 1
    assert measure_cache(tmp_path).entries == len(PARTS) + 3


def test_equal_content_is_the_same_entry_however_it_is_held(tmp_path: Path) -> None:
    values = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    assert computed(tmp_path, values) == 1
    apart = np.zeros((3, 8), np.float32)[:, ::2]
    apart[:] = values
    for same in (torch.from_numpy(values), apart, values.astype(">f4"), torch.from_numpy(values.T.copy()).t()):
        assert computed(tmp_path, same) == 0
    assert computed(tmp_path, (1, 2)) == 1
    assert computed(tmp_path, [1, 2]) == 0


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    one, other = tmp_path / "one.bin", tmp_path / "other.bin"
    one.write_bytes(b"content")
    assert computed(tmp_path / "cache", one) == 1
    other.write_bytes(b"content")
    os.utime(other, (1, 1))
    assert computed(tmp_path / "cache", other) == 0
    other.write_bytes(b"c0ntent")
    os.utime(other, (1, 1))
    assert computed(tmp_path / "cache", other) == 1
    assert computed(tmp_path / "cache", str(one)) == 1


def test_what_is_kept_has_neither_gradient_nor_shared_memory(tmp_path: Path) -> None:
    weight = torch.ones(3, requires_grad=True)
    both = torch.arange(6.0)
    for _ in range(2):
        found = cached(
            lambda: {"a": 2 * weight, "b": both[:4], "c": both[2:], "d": both[:1].expand(5)}, parts=[], folder=tmp_path
        )
        assert not found["a"].requires_grad
        assert [found[name].tolist() for name in "bcd"] == [[0, 1, 2, 3], [2, 3, 4, 5], [0] * 5]


@pytest.mark.parametrize("length", [0, 5, -1])
def test_a_cut_entry_is_computed_again(tmp_path: Path, length: int) -> None:
    assert computed(tmp_path, "x") == 1
    path = entry(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    (message,) = warned(lambda: cached(Counter(), parts=["x"], folder=tmp_path))
    assert message.startswith(f"{path}: can't be read (")
    assert message.endswith("); it is computed again")
    assert computed(tmp_path, "x") == 0


def test_a_changed_entry_and_one_of_other_parts_are_computed_again(tmp_path: Path) -> None:
    assert computed(tmp_path, "x") == 1
    path = entry(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    text = f"{path}: is not what was written; it is computed again"
    assert warned(lambda: cached(Counter(), parts=["x"], folder=tmp_path)) == [text]
    assert computed(tmp_path, "x") == 0
    cached(Counter(), parts=["y"], folder=tmp_path / "other")
    path.write_bytes(entry(tmp_path / "other").read_bytes())
    assert warned(lambda: cached(Counter(), parts=["x"], folder=tmp_path)) == [text]


def test_a_folder_that_takes_nothing_costs_no_result(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    counter = Counter()
    texts = warned(lambda: cached(counter, parts=[], folder=tmp_path / "file" / "cache"))
    assert counter.count == 1
    path = tmp_path / "file" / "cache"
    assert all(text.startswith(f"{path}{os.sep}") for text in texts)
    assert (
        texts[-1].endswith("Not a directory: '" + str(path) + "'); the result is not kept") or "can't be" in texts[-1]
    )


def test_an_interrupted_computation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> dict[str, Tensor]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(stop, parts=[], folder=tmp_path)

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cached(Counter(), parts=[], folder=tmp_path)
    assert measure_cache(tmp_path) == CacheSize(0, 0)


def test_the_size_is_told_and_only_entries_are_removed(tmp_path: Path) -> None:
    assert measure_cache(tmp_path / "none") == clear_cache(tmp_path / "none") == CacheSize(0, 0)
    assert [computed(tmp_path, i) for i in range(3)] == [1, 1, 1]
    others = [tmp_path / "00" / "notes.txt", tmp_path / "weights" / f"{'0' * 64}.safetensors"]
    # one that died, and one that is still at work
    half, fresh = (tmp_path / "00" / f".{'0' * 64}.{name}" for name in ("abc", "def"))
    others.append(fresh)
    for path in (*others, half):
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    os.utime(half, (1, 1))
    size = measure_cache(tmp_path)
    assert size.entries == 4
    assert size.bytes == sum(path.stat().st_size for path in tmp_path.glob("*/*") if path not in others)
    assert clear_cache(tmp_path) == size
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(others)
    assert computed(tmp_path, 0) == 1


def test_without_a_folder_it_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "computed"
    cached(Counter(), parts=[])
    assert entry(tmp_path / "computed").is_file()
    assert measure_cache() == clear_cache()
    assert measure_cache().entries == 0


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({1, 2}, "parts[1]: set can't be compared by content; "),
        ([0, {"a": (b"x",)}], "parts[1][1].a[0]: bytes can't be compared by content; "),
        ({1: 2}, "parts[1]: dict can't be compared by content; "),
        (np.array(["a", None], object), "parts[1]: ndarray can't be compared by content; "),
    ],
)
def test_what_has_no_content_is_refused(tmp_path: Path, part: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        cached(Counter(), parts=["x", part], folder=tmp_path)
    assert str(caught.value) == message + (
        "give tensors, arrays of numbers, paths, or plain data, and a config as codec.encode makes it"
    )


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.mp4", errno.ENOENT), (tmp_path, errno.EISDIR)):
        with pytest.raises(InputError) as caught:
            cached(Counter(), parts=[path], folder=tmp_path)
        assert str(caught.value) == f"parts[0]: {str(path)!r} can't be read ({os.strerror(reason)}); name a file"


def test_several_processes_share_a_cache(tmp_path: Path) -> None:
    """Each reads or writes the same entries over and over, while another one removes them."""
    script = (
        "import sys, warnings, torch\n"
        "from affectkit.caching import cached, clear_cache\n"
        "warnings.simplefilter('error')\n"
        "for turn in range(30):\n"
        "    for i in range(3):\n"
        "        found = cached(lambda: {'x': torch.full((300,), float(i))}, parts=[i], folder=sys.argv[1])\n"
        "        assert found['x'].tolist() == [float(i)] * 300\n"
        "    if sys.argv[2] == 'clears' and turn % 5 == 4:\n"
        "        clear_cache(sys.argv[1])\n"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), role], stderr=subprocess.PIPE, text=True)
        for role in ("clears", "writes")
    ]
    assert [run.communicate()[1] for run in runs] == [""] * 2
    assert [run.returncode for run in runs] == [0] * 2
