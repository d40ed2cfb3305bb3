"""Answers to the challenges on compound expressions: from the owners' sample to a file, checked, and read again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from affectkit.data.labels import COMPOUND_7, COMPOUND_11
from affectkit.datasets import make_tree
from affectkit.datasets.trees.c_expr_db_tree import LIST, VIDEOS
from affectkit.errors import InputError
from affectkit.protocols.abaw_answers import check_answer, write_answer
from affectkit.protocols.abaw_video_answers import Answer
from tests.cli_runs import run
from tests.datasets import scan

FRAMES = [(video, frame) for video, count, _ in VIDEOS for frame in range(1, count + 1)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("c-expr-db", tmp_path / "C-EXPR-DB", pictures=False).root


def write_table(
    path: Path, classes: tuple[str, ...] = COMPOUND_7, without: tuple[tuple[str, int], ...] = ()
) -> dict[tuple[str, int], str]:
    """Predictions in mixed order, and the most probable of the seven classes of each frame."""
    rng = np.random.default_rng(2)
    rows, best = [], {}
    for at in rng.permutation(len(FRAMES)).tolist():
        video, frame = FRAMES[at]
        shares = dict(zip(classes, rng.dirichlet(np.ones(len(classes))), strict=True))
        best[video, frame] = max(COMPOUND_7, key=lambda name: shares[name])
        if (video, frame) not in without:
            rows.append({"video": video, "frame": frame} | {f"compound.{name}": one for name, one in shares.items()})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return best


@pytest.mark.parametrize("track", ["abaw6-ce", "abaw7-ce"])
@pytest.mark.parametrize("classes", [COMPOUND_7, COMPOUND_11])
def test_an_answer_is_what_was_predicted_and_reads_back(root: Path, track: str, classes: tuple[str, ...]) -> None:
    # of eleven classes, the four that nobody asks for are no answer
    best = write_table(root / "predictions.csv", classes)
    # a sample with Windows line ends and a byte order mark; the last line has no end either way
    sample = root / LIST
    sample.write_bytes(b"\xef\xbb\xbf" + sample.read_bytes().replace(b"\n", b"\r\n"))
    out = root / "answer.txt"
    assert write_answer(track, root / "predictions.csv", sample, out) == Answer(12, 3, 0)
    assert check_answer(track, out, sample) == Answer(12, 3, 0)
    index = scan("c-expr-db", root, table="answer.txt", has_labels=True)
    found = {
        (one.key, number): COMPOUND_7[label]
        for one in index
        for (number, _), label in zip(one.source.frames, one.targets["compound"].values, strict=True)  # type: ignore[union-attr]
    }
    assert found == best
    assert all(one.targets["compound"].valid.all() for one in index)


def test_a_frame_that_nobody_predicted(root: Path) -> None:
    best = write_table(root / "predictions.csv", without=(("10", 3),))
    sample, out = root / LIST, root / "answer.txt"
    with pytest.raises(InputError) as caught:
        write_answer("abaw7-ce", root / "predictions.csv", sample, out)
    assert str(caught.value) == (
        f"{sample}, line 11: no prediction of '10/00003.jpg'; predict it, or take the nearest frame's with --missing "
        "nearest"
    )
    assert not out.exists()
    assert write_answer("abaw7-ce", root / "predictions.csv", sample, out, missing="nearest") == Answer(12, 3, 1)
    line = out.read_text().splitlines()[10]
    assert line == f"10/00003.jpg,{COMPOUND_7.index(best['10', 2])}"


@pytest.mark.parametrize(
    ("line", "text", "fact"),
    [
        (1, "image_location,Sadly_Angry", None),
        (3, "01/00002.jpg,7", "line 3: the class is '7'; write one index from 0 to 6"),
        (3, "01/00002.jpg,-1", "line 3: the class is '-1'; write one index from 0 to 6"),
        (3, "01/00002.jpg,Sadly_Angry", "line 3: the class is 'Sadly_Angry'; write one index from 0 to 6"),
        (3, "01/00002.jpg,0,0,0,1,0,0,0", "line 3: number of fields behind the picture is 7; write 1"),
    ],
)
def test_a_wrong_line(root: Path, line: int, text: str, fact: str | None) -> None:
    write_table(root / "predictions.csv")
    sample, out = root / LIST, root / "answer.txt"
    write_answer("abaw7-ce", root / "predictions.csv", sample, out)
    lines = out.read_text().splitlines()
    header = lines[0]
    lines[line - 1] = text
    out.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        check_answer("abaw7-ce", out, sample)
    assert str(caught.value) == (
        f"{out}, line 1: header {text!r}, and {sample} has {header!r}; keep it" if fact is None else f"{out}, {fact}"
    )


def test_a_sample_without_lines(root: Path) -> None:
    write_table(root / "predictions.csv")
    sample, out = root / LIST, root / "answer.txt"
    sample.write_text(f"{sample.read_text().splitlines()[0]}\n")
    fact = f"{sample}: no line below its header; give the owners' file"
    with pytest.raises(InputError) as caught:
        write_answer("abaw7-ce", root / "predictions.csv", sample, out)
    assert str(caught.value) == fact
    assert not out.exists()
    out.write_text(sample.read_text())
    with pytest.raises(InputError) as caught:
        check_answer("abaw7-ce", out, sample)
    assert str(caught.value) == fact


def test_the_command(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table(root / "predictions.csv")
    sample, out = root / LIST, root / "answer.txt"
    code, text, _ = run(capsys, "submit", "abaw7-ce", root / "predictions.csv", sample, "--out", out)
    assert (code, text) == (0, f"{out}: 12 lines of 3 videos\n")
    code, text, _ = run(capsys, "submit", "abaw7-ce", out, sample, "--check")
    assert (code, text) == (0, f"{out}: 12 lines of 3 videos, as {sample} asks for\n")
