"""Readers of labeled pictures: what each has of its own, and every way in which a line can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affectkit.data.labels import BASIC_7
from affectkit.datasets import make_tree
from affectkit.datasets.checking import check_index
from affectkit.datasets.raf_db import RafDbConfig
from affectkit.errors import ConfigError, InputError
from affectkit.records import ImageSource, Index
from tests.datasets import issue_lines, scan, valid_labels


def tree(tmp_path: Path, name: str) -> Path:
    return make_tree(name, tmp_path / name, pictures=False).root


def refusal(name: str, root: Path, **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        scan(name, root, **fields)
    return str(caught.value)


def published(config: Any) -> dict[str, int | None]:
    return {row.what: row.published for row in check_index(Index(samples=()), config).rows}


def test_raf_db(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-db")
    index = scan("raf-db", root)
    assert issue_lines(index) == []
    assert {key: BASIC_7[label] for key, label in valid_labels(index, "expression").items()} == {
        "train_00001": "sadness", "train_00002": "surprise", "train_00010": "neutral", "train_00003": "anger",
        "test_0001": "fear", "test_0002": "disgust", "test_0010": "happiness",
    }  # fmt: skip
    sample = index.samples[-1]
    assert (sample.subject, sample.subject_is_known) == ("raf-db/train_00010", False)
    assert sample.raw == {"name": "train_00010.jpg", "label": "7", "split": "train"}
    test = scan("raf-db", root, split="test", pictures="original", target="face")
    assert [one.key for one in test] == ["test_0001", "test_0002", "test_0010"]
    assert test.samples[0].source == ImageSource(path=root / "basic/Image/original/test_0001.jpg")
    assert valid_labels(test, "face") == {"test_0001": 3, "test_0002": 2, "test_0010": 4}
    # the folder itself, as well as the one above it
    assert [one.source for one in scan("raf-db", root / "basic")] == [one.source for one in index]


def test_lines_of_raf_db(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-db")
    lines = ("train_00001.jpg 5", "train_00002.jpg", "", "valid_1.jpg 3", "test_0001.jpg 8", "train_00001.jpg 4",
             "test_0009.jpg 1")  # fmt: skip
    (root / "basic/EmoLabel/list_patition_label.txt").write_text("\n".join(lines))
    index = scan("raf-db", root)
    assert valid_labels(index, "expression") == {"train_00001": 5}
    name = "list_patition_label.txt"
    assert issue_lines(index) == [
        f"error: {name} line 2: 'train_00002.jpg' is no name and label; take the list as it was released",
        f"error: {name} line 4: 'valid_1.jpg' is no picture of train or test; take the list as it was released",
        f"warning: {name} line 5: label '8' is unknown, so it is not valid; known: neutral, anger, disgust, fear, "
        "happiness, sadness, surprise",
        f"error: {name} line 6: picture train_00001 is in {name} line 1 already; keep one of them",
        f"error: {name} line 7: no picture test_0009_aligned.jpg; unpack it, or remove the line",
    ]


def test_no_raf_db(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-db")
    table = root / "basic/EmoLabel/list_patition_label.txt"
    assert refusal("raf-db", root, table="x.txt") == f"{root / 'basic/x.txt'}: no such file; unpack it there"
    (root / "basic/Image/original").rename(root / "basic/Image/others")
    assert refusal("raf-db", root, pictures="original") == (
        f"{root / 'basic/Image/original'}: no such folder; unpack it there, or say other pictures="
    )
    table.write_bytes(b"train_00001.jpg \xff")
    assert refusal("raf-db", root) == f"{table}: no UTF-8 text from byte 16 on; unpack it again"


def test_published_counts_of_raf_db() -> None:
    counts = [published(RafDbConfig(split=split))["samples"] for split in ("all", "train", "test")]
    assert counts == [15339, 12271, 3068]
    assert published(RafDbConfig(split="test"))["of class happiness"] == 1185


def test_a_head_without_a_name() -> None:
    with pytest.raises(ConfigError) as caught:
        RafDbConfig(target="")
    assert str(caught.value) == "target: '' names no head; write one, such as 'expression'"
