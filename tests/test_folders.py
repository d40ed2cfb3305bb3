"""Folders that are written to: made, or refused with the reason, by all that takes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affectkit import InputError
from affectkit.folders import make_folder
from affectkit.training import evaluate, fit
from tests.test_training import FEATURES, make_examples

EXAMPLES = make_examples(12, subjects=4)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_a_folder_is_made_or_found(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert make_folder(folder, "the run") == make_folder(folder, "the run") == folder
    assert folder.is_dir()


def test_what_can_not_be_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine", encoding="utf-8")
    assert refusal(lambda: make_folder(file, "the run")) == f"{file}: is a file; name a folder for the run"
    below = file / "run"
    assert refusal(lambda: make_folder(below, "the run")) == (
        f"{below}: can't be made (Not a directory); choose another folder"
    )
    long = tmp_path / ("x" * 300)
    assert refusal(lambda: make_folder(long, "the run")) == (
        f"{long}: can't be made (File name too long); choose another folder"
    )
    lost = tmp_path / "no" / "run"
    assert refusal(lambda: make_folder(lost, "the run", parents=False)) == (
        f"{lost}: no folder {str(tmp_path / 'no')!r}; create it"
    )
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "take",
    [lambda path: fit(FEATURES, EXAMPLES, folder=path), lambda path: evaluate(FEATURES, EXAMPLES, folder=path)],
    ids=["fit", "evaluate"],
)
def test_who_takes_a_folder_says_that_it_is_a_file(take: Callable[[Path], object], tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_text("mine", encoding="utf-8")
    assert refusal(lambda: take(file)) == f"{file}: is a file; name a folder for the run"
