"""Readers of clips with one expression each: folds, where labels begin, and every way in which a line can be wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from affectkit.data.labels import BASIC_7, BASIC_8
from affectkit.datasets import make_tree
from affectkit.datasets.checking import check_index
from affectkit.datasets.dfew import DfewConfig
from affectkit.datasets.ferv39k import Ferv39kConfig
from affectkit.datasets.mafw import MafwConfig
from affectkit.errors import ConfigError, InputError
from affectkit.records import FramesSource, Index, VideoSource
from tests.datasets import issue_lines, scan, valid_labels

MAFW_11 = (*BASIC_8, "anxiety", "helplessness", "disappointment")
SPELLED = ("angry", "disgusted", "fearful", "happy", "sad", "surprised")
KNOWN = f"known: {', '.join((*BASIC_7, *SPELLED))}"


def tree(tmp_path: Path, name: str) -> Path:
    return make_tree(name, tmp_path / name, pictures=False).root


def refusal(name: str, root: Path, **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        scan(name, root, **fields)
    return str(caught.value)


def published(config: Any) -> int | None:
    return check_index(Index(samples=()), config).rows[0].published


def words(index: Index, names: tuple[str, ...] = BASIC_7) -> dict[str, str]:
    return {key: names[label] for key, label in valid_labels(index, "expression").items()}


def test_dfew(tmp_path: Path) -> None:
    root = tree(tmp_path, "dfew")
    index = scan("dfew", root)
    assert issue_lines(index) == []
    # labels of the tables begin at 1
    assert words(index) == {
        "00001": "happiness", "00002": "fear", "00017": "neutral", "00104": "anger", "02345": "surprise",
        "16372": "disgust",
    }  # fmt: skip
    sample = index.samples[2]
    assert isinstance(sample.source, FramesSource)
    assert ([number for number, _ in sample.source.frames], sample.source.fps) == (list(range(1, 17)), None)
    assert (sample.subject, sample.subject_is_known, sample.events) == ("dfew/00017", False, ())
    assert sample.raw == {"video_name": "17", "label": "3", "split": "train"}
    tested = [[one.key for one in scan("dfew", root, fold=fold, split="test")] for fold in (1, 2, 3, 4, 5)]
    assert tested == [["00001"], ["00002"], ["00017"], ["00104"], ["02345", "16372"]]
    assert len(scan("dfew", root, fold=5, split="train")) == 4


def test_the_other_layout_of_dfew(tmp_path: Path) -> None:
    root = tree(tmp_path, "dfew")
    index = scan("dfew", root)
    (root / "data_affine/single_label/label").mkdir(parents=True)
    for half in ("train", "test"):
        table = root / f"EmoLabel_DataSplit/{half}(single-labeled)/set_1.csv"
        table.rename(root / f"data_affine/single_label/label/single_{half}set_1.csv")
    assert refusal("dfew", root) == (
        f"{root / 'data_affine/single_label/data'}: no such folder; unpack the clips there, or say clips="
    )
    assert words(scan("dfew", root, clips="Clip/clip_224x224")) == words(index)
    (root / "Clip/clip_224x224").rename(root / "data_affine/single_label/data")
    assert words(scan("dfew", root)) == words(index)


def test_rows_of_dfew(tmp_path: Path) -> None:
    root = tree(tmp_path, "dfew")
    table = root / "EmoLabel_DataSplit/test(single-labeled)/set_1.csv"
    table.write_text("video_name,label\n00001,0\nx,1\n3,2\n17,3\n")
    clips = root / "Clip/clip_224x224"
    (clips / "00001/cover.jpg").touch()
    for path in (clips / "00017").iterdir():
        path.unlink()
    index = scan("dfew", root, split="test")
    where = "test(single-labeled)/set_1.csv"
    assert issue_lines(index) == [
        f"warning: {where} row 2: 1 picture without a number in its name; left out: cover.jpg",
        f"error: {where} row 3: 'x' is no number of a clip; mend the row",
        f"warning: {where} row 2: label '0' is unknown, so it is not valid; {KNOWN}",
        f"error: {where} row 4: no frames of clip 00003 below clip_224x224; unpack it, or remove the line",
        f"error: {where} row 5: no frames of clip 00017 below clip_224x224; unpack it, or remove the line",
    ]
    assert [issue.sample for issue in index.samples[0].issues] == ["00001", "00001"]
    table.unlink()
    assert (
        refusal("dfew", root, split="test") == f"{table}: no such file; unpack it there, or say other fold= or split="
    )
    # a clip in both halves
    table.write_text("video_name,label\n2,7\n")
    assert issue_lines(scan("dfew", root))[-1] == (
        f"error: {where} row 2: clip 00002 is in train(single-labeled)/set_1.csv row 2 already; keep one of them"
    )


def test_ferv39k(tmp_path: Path) -> None:
    root = tree(tmp_path, "ferv39k")
    index = scan("ferv39k", root)
    assert issue_lines(index) == []
    # labels of the lists begin at 0
    assert words(index) == {
        "Action/Happy/0267": "happiness", "Action/Sad/0267": "sadness", "War/Happy/0267": "happiness",
        "DailyLife/Angry/0003": "anger", "War/Fear/0012": "fear", "Scenery/Neutral/0100": "neutral",
    }  # fmt: skip
    assert index.samples[0].raw == {"clip": "Action/Happy/0267", "label": "0", "split": "train"}
    assert [one.key for one in scan("ferv39k", root, split="test")] == ["Scenery/Neutral/0100", "War/Fear/0012"]


def test_lines_of_ferv39k(tmp_path: Path) -> None:
    root = tree(tmp_path, "ferv39k")
    table = root / "4_setups/All_scenes/train_All.csv"
    table.write_text("Action/Happy/0267 1\nAction/Sad/0267 Sad\nWar/Happy/0267 7\nWar/Happy/0268 0\nWar/Happy/0269\n")
    index = scan("ferv39k", root, split="train")
    assert words(index) == {"Action/Happy/0267": "sadness", "Action/Sad/0267": "sadness"}
    assert issue_lines(index) == [
        "warning: train_All.csv line 1: label '1', sadness, of a clip in 'Action/Happy/0267'; the list counts, "
        "but check where it begins",
        "error: train_All.csv line 5: 'War/Happy/0269' is no name and label; take the list as it was released",
        f"warning: train_All.csv line 3: label '7' is unknown, so it is not valid; {KNOWN}",
        "error: train_All.csv line 4: no frames of clip War/Happy/0268 below 2_ClipsforFaceCrop; unpack it, or remove "
        "the line",
    ]
    assert len(index.samples[0].issues) == 1
    shutil.rmtree(root / "2_ClipsforFaceCrop")
    assert refusal("ferv39k", root) == f"{root / '2_ClipsforFaceCrop'}: no such folder; unpack the clips there"
    table.unlink()
    assert refusal("ferv39k", root) == f"{table}: no such file; unpack it there"


def test_mafw(tmp_path: Path) -> None:
    root = tree(tmp_path, "mafw")
    index = scan("mafw", root)
    assert issue_lines(index) == [
        f"info: set_1: 1 clip in no class of {', '.join(MAFW_11)} (sadness+surprise 1): samples without a valid label"
    ]
    assert words(index, MAFW_11) == {
        "00151": "anger", "00152": "helplessness", "00200": "contempt", "09999": "happiness", "10001": "neutral",
    }  # fmt: skip
    assert index.samples[0].source == VideoSource(path=root / "data/clips/00151.mp4")
    seven = scan("mafw", root, classes="seven", dropped="omit", fold=5, split="train")
    assert words(seven) == {"00151": "anger", "10001": "neutral"}
    (root / "split").rename(root / "Train & Test Set")
    assert words(scan("mafw", root), MAFW_11) == words(index, MAFW_11)


def test_lines_of_mafw(tmp_path: Path) -> None:
    root = tree(tmp_path, "mafw")
    table = root / "split/single/no_caption/set_2/test.txt"
    table.write_text("00151.mp4 0\n00153.mp4 anger\n00200.mp4 joy_anger\n00152.mp4 Happy")
    index = scan("mafw", root, fold=2, split="test")
    assert words(index, MAFW_11) == {"00152": "happiness"}
    known = "known: " + ", ".join((*MAFW_11, *SPELLED))
    assert issue_lines(index) == [
        f"warning: test.txt line 1: label '0' is unknown, so it is not valid; {known}",
        "error: test.txt line 2: no clip 00153.mp4 below data/clips; unpack it, or remove the line",
        f"warning: test.txt line 3: label 'joy+anger' is unknown, so it is not valid; {known}",
    ]
    shutil.rmtree(root / "data")
    assert refusal("mafw", root) == f"{root / 'data/clips'}: no such folder; unpack the clips there"
    shutil.rmtree(root / "split")
    assert refusal("mafw", root) == (
        f"{root / 'split/single/no_caption/set_1/train.txt'}: no such file; unpack it there"
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DfewConfig, "table: 'a': there are two tables per fold; leave it out"),
        (Ferv39kConfig, "table: 'a': there are two lists; leave it out"),
        (MafwConfig, "table: 'a': there are two lists per fold; leave it out"),
    ],
)
def test_configs_that_can_not_be(config: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(table="a")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (DfewConfig(), 11_697), (DfewConfig(split="test"), 2_341), (DfewConfig(split="test", fold=2), None),
        (DfewConfig(fold=3), 11_697), (Ferv39kConfig(), 38_935), (Ferv39kConfig(split="train"), 31_088),
        (MafwConfig(), 9_172), (MafwConfig(split="train"), 7_333), (MafwConfig(split="train", fold=4), None),
        (MafwConfig(classes="seven", dropped="omit"), None), (MafwConfig(classes="seven"), 9_172),
    ],
)  # fmt: skip
def test_published_counts(config: Any, count: int | None) -> None:
    assert published(config) == count
