"""Readers of labeled pictures: what each has of its own, and every way in which a line can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.data.labels import BASIC_7, BASIC_8
from affectkit.datasets import make_tree
from affectkit.datasets.affectnet import AffectNetConfig
from affectkit.datasets.affectnet_annotations import COLUMNS, read_text, read_text_ref
from affectkit.datasets.checking import check_index
from affectkit.datasets.fer2013 import Fer2013Config
from affectkit.datasets.fer2013_pixels import unpack_pixels
from affectkit.datasets.fer_plus import FerPlusConfig
from affectkit.datasets.fer_plus_votes import NAMES, share_votes
from affectkit.datasets.raf_db import RafDbConfig
from affectkit.errors import ConfigError, InputError
from affectkit.records import ArraySource, ImageSource, Index
from tests.cli_runs import run
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
    assert {row.what: row.found for row in check_index(index, RafDbConfig()).rows}["samples of unknown subjects"] == 7
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


def test_affectnet(tmp_path: Path) -> None:
    root = tree(tmp_path, "affectnet")
    index = scan("affectnet", root)
    assert issue_lines(index) == ["info: train_set/images: 1 file without an annotation: 5.jpg; left out"]
    assert {key: BASIC_8[label] for key, label in valid_labels(index, "expression").items()} == {
        "train/0": "neutral", "train/2": "happiness", "train/13": "contempt", "train/107": "surprise",
        "validation/0": "disgust", "validation/3": "anger",
    }  # fmt: skip
    sample = {one.key: one for one in index}["train/2"]
    assert sample.targets["va"].values.tolist() == pytest.approx([0.71, -0.02])
    assert sample.raw == {"expression": "1", "valence": "0.71", "arousal": "-0.02", "split": "train"}
    assert (sample.subject, sample.subject_is_known) == ("affectnet/train/2", False)
    seven = scan("affectnet", root, classes="seven", split="train", dropped="omit", va="affect")
    assert [one.key for one in seven] == ["train/0", "train/107", "train/2"]
    assert set(seven.samples[0].targets) == {"expression", "affect"}
    assert issue_lines(seven)[1:] == [
        "info: affectnet: 1 picture in no class of neutral, anger, disgust, fear, happiness, sadness, surprise "
        "(contempt 1): left out"
    ]


def test_the_original_release_of_affectnet(tmp_path: Path) -> None:
    root = tree(tmp_path, "affectnet")
    index = scan("affectnet", root, release="original")
    assert issue_lines(index) == [
        "info: affectnet: 3 pictures in no class of neutral, anger, disgust, fear, happiness, sadness, surprise, "
        "contempt (no face 1, none 1, uncertain 1): samples without a valid label"
    ]
    assert {key: BASIC_8[label] for key, label in valid_labels(index, "expression").items()} == {
        "train/689/0a3e": "fear", "train/689/c21f": "happiness", "validation/12/beef": "sadness",
        "validation/12/babe": "contempt",
    }  # fmt: skip
    samples = {one.key: one for one in index}
    assert samples["train/7/ab12"].targets["va"].valid.tolist() == [False, False]
    assert samples["validation/12/beef"].targets["va"].values.tolist() == pytest.approx([-0.7, -0.3])
    assert samples["train/689/c21f"].raw == {
        "subDirectory_filePath": "689/c21f.jpg", "face_x": "3", "face_y": "4", "face_width": "5", "face_height": "6",
        "expression": "1", "valence": "0.785714", "arousal": "-0.055556", "split": "train",
    }  # fmt: skip
    # a copy of the second table without its header
    table = root / "Manually_Annotated_file_lists/validation.csv"
    table.write_text(
        "12/beef.jpg,3,4,5,6,1;2,2,-0.7,-0.3\n12/babe.jpg,3,4,5,6,1;2,7,1.5,x\n12/ba\n12/c.jpg,3,4,5,6,1,0,0,0\n"
    )
    bare = scan("affectnet", root, release="original", split="validation")
    assert issue_lines(bare) == [
        "info: validation.csv: has no header; its columns are taken in the order of the release",
        "warning: validation.csv row 2: valence '1.5' and arousal 'x' are not in [-1, 1], and not -2; "
        "they are not valid",
        "error: validation.csv row 3: 1 cell for 9 columns; mend the row",
        "error: validation.csv row 4: no picture 12/c.jpg; unpack it, or remove the line",
    ]
    assert {one.key: one.raw["expression"] for one in bare} == {"validation/12/beef": "2", "validation/12/babe": "7"}


def test_arrays_of_affectnet_that_are_none(tmp_path: Path) -> None:
    root = tree(tmp_path, "affectnet")
    folder = root / "train_set/annotations"
    (folder / "0_exp.npy").write_bytes(b"")
    (folder / "2_val.npy").unlink()
    data = (folder / "13_aro.npy").read_bytes()
    (folder / "13_aro.npy").write_bytes(data[:-4])
    np.save(folder / "107_aro.npy", np.array(0.25))
    index = scan("affectnet", root, split="train")
    assert issue_lines(index) == [
        "error: train_set/annotations/0_exp.npy: 0_exp.npy is not there, or no array of one value; unpack it again",
        "warning: train_set/annotations/13_exp.npy: 13_aro.npy is not there, or no array of one value; unpack it again",
        "warning: train_set/annotations/2_exp.npy: 2_val.npy is not there, or no array of one value; unpack it again",
        "info: train_set/images: 1 file without an annotation: 5.jpg; left out",
    ]
    samples = {one.key: one for one in index}
    assert {key: one.targets["va"].valid.tolist() for key, one in samples.items()} == {
        "train/107": [True, True], "train/13": [False, False], "train/2": [False, False],
    }  # fmt: skip
    assert samples["train/107"].targets["va"].values[1] == 0.25


@pytest.mark.parametrize("code", ["11", "-1", "3.0"])
def test_a_code_of_affectnet_that_is_none(tmp_path: Path, code: str) -> None:
    root = tree(tmp_path, "affectnet")
    table = root / "Manually_Annotated_file_lists/validation.csv"
    header = ",".join(COLUMNS)
    table.write_text(f"{header}\n12/beef.jpg,3,4,5,6,1;2,{code},-0.7,-0.3\n12/babe.jpg,3,4,5,6,1;2,7,0.1,0.2\n")
    index = scan("affectnet", root, release="original", split="validation")
    assert issue_lines(index) == [
        f"warning: validation.csv row 2: label {code!r} is unknown, so it is not valid; known: neutral, anger, "
        "disgust, fear, happiness, sadness, surprise, contempt, angry, disgusted, fearful, happy, sad, surprised, "
        "none, uncertain, no face"
    ]
    assert {key: BASIC_8[label] for key, label in valid_labels(index, "expression").items()} == {
        "validation/12/babe": "contempt"
    }


@pytest.mark.parametrize(
    "value",
    ["3", " -0.17", "", np.float32(0.5), 4, np.array(["7"]), np.array("-0.5", dtype=">U6"), np.bytes_("6"), "\u00e9"],
)
def test_a_stored_text_is_that_of_the_slow_twin(tmp_path: Path, value: Any) -> None:
    np.save(tmp_path / "x.npy", np.array(value))
    assert read_text(tmp_path / "x.npy") == read_text_ref(tmp_path / "x.npy")


@pytest.mark.parametrize("value", [np.array(["7", "8"]), np.array([None], dtype=object)])
def test_what_is_no_one_value(tmp_path: Path, value: Any) -> None:
    np.save(tmp_path / "x.npy", value)
    for read in (read_text, read_text_ref):
        with pytest.raises(ValueError, match=r".+"):
            read(tmp_path / "x.npy")


def test_no_affectnet(tmp_path: Path) -> None:
    root = tree(tmp_path, "affectnet")
    (root / "val_set/images").rename(root / "val_set/pictures")
    assert refusal("affectnet", root) == (
        f"{root / 'val_set/images'}: no such folder; unpack it there, or say other release= or split="
    )
    table = root / "Manually_Annotated_file_lists/training.csv"
    table.write_text("subDirectory_filePath,expression,valence\n")
    assert refusal("affectnet", root, release="original") == (
        f"{table} row 1: no column 'arousal'; take the table as it was released"
    )
    table.unlink()
    assert refusal("affectnet", root, release="original") == (
        f"{table}: no such file; unpack it there, or say other release= or split="
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"va": "expression"}, "va: 'expression' is no head of its own; write another name, such as 'va'"),
        ({"va": ""}, "va: '' is no head of its own; write another name, such as 'va'"),
        ({"table": "a.csv"}, "table: 'a.csv': there are two tables, or none; leave it out"),
    ],
)
def test_configs_of_affectnet_that_can_not_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AffectNetConfig(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 291_650), ({"split": "train"}, 287_651), ({"split": "validation", "classes": "seven"}, 3_999),
        ({"split": "validation", "classes": "seven", "dropped": "omit"}, 3_500), ({"release": "original"}, None),
        ({"release": "original", "dropped": "omit", "split": "train"}, 287_651),
    ],
)  # fmt: skip
def test_published_counts_of_affectnet(fields: dict[str, Any], count: int | None) -> None:
    assert published(AffectNetConfig(**fields))["samples"] == count


def test_fer2013(tmp_path: Path) -> None:
    root = tree(tmp_path, "fer2013")
    index = scan("fer2013", root)
    assert issue_lines(index) == []
    assert [BASIC_7[label] for label in valid_labels(index, "expression").values()] == [
        "anger", "happiness", "neutral", "disgust", "fear", "sadness", "surprise", "happiness", "neutral", "anger",
    ]  # fmt: skip
    source = index.samples[9].source
    assert source == ArraySource(path=root / "fer2013.npy", index=9)
    pictures = np.load(root / "fer2013.npy")
    assert (pictures.shape, pictures.dtype) == ((10, 48, 48), np.uint8)
    words = (root / "fer2013.csv").read_text().splitlines()[10].split(",")[1].split()
    assert pictures[9].ravel().tolist() == [int(word) for word in words]
    # the picture that is there twice
    assert (pictures[9] == pictures[0]).all()
    splits = {split: [one.key for one in scan("fer2013", root, split=split)] for split in ("validation", "test")}
    assert splits == {"validation": ["00006", "00007"], "test": ["00008", "00009"]}
    assert index.samples[6].raw == {"emotion": "5", "Usage": "PublicTest", "split": "validation"}


def test_rows_of_fer2013(tmp_path: Path) -> None:
    root = tree(tmp_path, "fer2013")
    table = root / "fer2013.csv"
    lines = table.read_text().splitlines()[:6]
    picture = lines[1].split(",")[1]
    lines[2:] = [
        f"9,{picture},Training",
        "3,1 2 3,Training",
        f"3,{picture},Test",
        f'"3","{picture} 256","Training"',
        "",
    ]
    table.write_text("\n".join(lines))
    issues = unpack_pixels(table, root / "fer2013.npy")
    assert [f"{issue.level}: {issue}" for issue in issues] == [
        "error: fer2013.csv row 4: no 2304 numbers from 0 to 255; take the table as it was released",
        "error: fer2013.csv row 6: no 2304 numbers from 0 to 255; take the table as it was released",
    ]
    assert not np.load(root / "fer2013.npy")[[2, 4]].any()
    index = scan("fer2013", root)
    assert [one.key for one in index] == ["00000", "00001"]
    expected = "expected one of Training, PublicTest, PrivateTest, and 2304"
    assert issue_lines(index) == [
        f"error: fer2013.csv row 4: usage 'Training' and 3 pixels; {expected}",
        f"error: fer2013.csv row 5: usage 'Test' and 2304 pixels; {expected}",
        f"error: fer2013.csv row 6: usage 'Training' and 2305 pixels; {expected}",
        "warning: fer2013.csv row 3: label '9' is unknown, so it is not valid; known: neutral, anger, disgust, fear, "
        "happiness, sadness, surprise",
    ]


def test_a_picture_that_could_not_be_unpacked(tmp_path: Path) -> None:
    """It is black in the array, and no sample; a picture that is black is one."""
    root = tree(tmp_path, "fer-plus")
    table = root / "fer2013.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[2][1] = " ".join(["300", *lines[2][1].split()[1:]])
    lines[4][1] = " ".join(["0"] * 2304)
    table.write_text("\n".join(",".join(line) for line in lines))
    assert [str(issue) for issue in unpack_pixels(table, root / "fer2013.npy")] == [
        "fer2013.csv row 3: no 2304 numbers from 0 to 255; take the table as it was released"
    ]
    assert not np.load(root / "fer2013.npy", mmap_mode="r")[[1, 3]].any()
    fact = "its row of fer2013.csv could not be unpacked; take the table as it was released, and unpack it again"
    index = scan("fer2013", root)
    assert "00001" not in [one.key for one in index]
    assert "00003" in [one.key for one in index]
    assert [line for line in issue_lines(index) if line.startswith("error")] == [f"error: fer2013.csv row 3: {fact}"]
    index = scan("fer-plus", root)
    assert "00001" not in [one.key for one in index]
    assert "00003" in [one.key for one in index]
    assert [line for line in issue_lines(index) if line.startswith("error")] == [f"error: fer2013new.csv row 3: {fact}"]
    # of an array that was made before it said which rows are no pictures, nobody knows
    np.save(root / "fer2013.npy", np.load(root / "fer2013.npy"))
    assert "00001" in [one.key for one in scan("fer-plus", root)]
    with (root / "fer2013.npy").open("ab") as file:
        file.write(b"cut")
    assert refusal("fer-plus", root) == f"{root / 'fer2013.npy'}: no array; run affectkit data unpack {root}"


def test_the_array_of_fer2013(tmp_path: Path) -> None:
    root = tree(tmp_path, "fer2013")
    array = root / "fer2013.npy"
    np.save(array, np.zeros((9, 48, 48), dtype=np.uint8))
    assert refusal("fer2013", root) == (
        f"{array}: uint8 (9, 48, 48) for a table of 10 rows; run affectkit data unpack {root}"
    )
    array.write_bytes(b"x")
    assert refusal("fer2013", root) == f"{array}: no array; run affectkit data unpack {root}"
    array.unlink()
    index = scan("fer2013", root)
    assert len(index) == 10
    assert issue_lines(index) == [
        "warning: fer2013.npy: is not there, so no picture can be read; make it once with `affectkit data unpack`"
    ]
    table = root / "fer2013.csv"
    table.write_text("emotion,Usage,pixels\n")
    assert refusal("fer2013", root) == (
        f"{table} row 1: 'emotion,Usage,pixels' is not 'emotion,pixels,Usage'; give fer2013.csv"
    )
    table.write_text("emotion,pixels,Usage\n")
    assert unpack_pixels(table, array) == ()
    assert len(scan("fer2013", root)) == 0


@pytest.mark.parametrize(
    ("name", "table", "fields"),
    [
        ("affectnet", "Manually_Annotated_file_lists/training.csv", {"release": "original"}),
        ("fer-plus", "fer2013new.csv", {}),
        ("fer-plus", "data/FER2013Train/label.csv", {"pictures": "files"}),
        ("emotionet", "EmotioNet_FACS_aws_2020_24600.csv", {}),
        ("emotionet", "lists/dataFile_0001.txt", {"table": "lists/dataFile_0001.txt"}),
    ],
)
def test_tables_that_are_damaged(tmp_path: Path, name: str, table: str, fields: dict[str, Any]) -> None:
    path = tree(tmp_path, name) / table
    root, text = path.parents[len(Path(table).parts) - 1], path.read_bytes()
    path.write_bytes(text + b"\n\xe9\xff,1\n")
    assert refusal(name, root, **fields) == (
        f"{path}: is no text in UTF-8 (invalid continuation byte); unpack it again"
    )
    path.write_bytes(b"")
    assert refusal(name, root, **fields) == f"{path}: is empty; unpack it again"
    path.write_bytes(text + b"x" * 200_000)
    found = refusal(name, root, **fields)
    assert found.startswith(f"{path} row ")
    assert found.endswith(": field larger than field limit (131072); unpack it again")


@pytest.mark.parametrize(
    ("votes", "mode", "shares"),
    [
        # a single vote does not count
        ((6, 1, 1, 1, 1, 0, 0, 0, 0, 0), "majority", {"neutral": 1.0}),
        ((5, 5, 0, 0, 0, 0, 0, 0, 0, 0), "majority", {"unknown": 1.0}),
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "majority", {"unknown": 1.0}),
        ((0, 0, 0, 0, 0, 0, 0, 3, 0, 7), "majority", {"nf": 1.0}),
        ((6, 2, 2, 0, 0, 0, 0, 0, 0, 0), "probability", {"neutral": 0.6, "happiness": 0.2, "surprise": 0.2}),
        ((8, 2, 0, 0, 0, 0, 0, 0, 0, 0), "probability", {"neutral": 1.0}),
        # equal votes are taken together, and four are too many
        ((4, 2, 2, 2, 0, 0, 0, 0, 0, 0), "probability", {"unknown": 1.0}),
        # it ends at unknown, which is not taken behind an expression
        ((6, 0, 0, 0, 0, 0, 0, 0, 3, 0), "probability", {"neutral": 1.0}),
        ((4, 0, 0, 0, 0, 0, 0, 0, 6, 0), "probability", {"unknown": 1.0}),
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "probability", {"unknown": 1.0}),
        ((5, 3, 2, 0, 0, 0, 0, 0, 0, 0), "multi-target", {"neutral": 0.625, "happiness": 0.375}),
        ((3, 2, 2, 2, 0, 0, 0, 0, 0, 0), "multi-target", {"unknown": 1.0}),
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), "multi-target", {"unknown": 1.0}),
    ],
)
def test_votes(votes: tuple[int, ...], mode: str, shares: dict[str, float]) -> None:
    found = {name: share for name, share in zip(NAMES, share_votes(votes, mode), strict=True) if share}
    assert found == pytest.approx(shares)


def test_fer_plus(tmp_path: Path) -> None:
    root = tree(tmp_path, "fer-plus")
    index = scan("fer-plus", root)
    assert issue_lines(index) == [
        "info: fer2013new.csv: 1 row without an image name: fer2013new.csv row 4; no face, left out",
        "info: fer2013new.csv: 4 pictures in no class of neutral, anger, disgust, fear, happiness, sadness, surprise, "
        "contempt (nf 1, unknown 3): samples without a valid label",
    ]
    assert {key: BASIC_8[label] for key, label in valid_labels(index, "expression").items()} == {
        "00001": "happiness", "00003": "disgust", "00004": "fear", "00006": "surprise", "00007": "contempt",
    }  # fmt: skip
    sample = index.samples[1]
    assert (sample.subject, sample.subject_is_known) == ("fer2013/00001", False)
    assert (sample.raw["Image name"], sample.raw["happiness"], sample.raw["NF"]) == ("fer0000001.png", "10", "0")
    seven = scan("fer-plus", root, classes="seven", dropped="omit", split="validation")
    assert [one.key for one in seven] == ["00006"]
    files = scan("fer-plus", root, pictures="files")
    assert [one.key for one in files][:3] == ["fer0000000", "fer0000001", "fer0000002"]
    # the third row has no name
    assert files.samples[2].source == ImageSource(path=root / "data/FER2013Train/fer0000002.png")
    assert list(valid_labels(files, "expression").values()) == list(valid_labels(index, "expression").values())
    assert [one.raw["split"] for one in files] == [one.raw["split"] for one in index]


def test_shares_of_fer_plus(tmp_path: Path) -> None:
    root = tree(tmp_path, "fer-plus")
    shares = {one.key: one.targets["expression"] for one in scan("fer-plus", root, votes="probability")}
    # seven of nine votes are enough
    names = ("neutral", "anger", "disgust")
    found = dict(zip(BASIC_8, shares["00000"].values.tolist(), strict=True))
    assert [found[name] for name in names] == pytest.approx([4 / 7, 3 / 7, 0])
    assert shares["00000"].valid.all()
    assert not shares["00005"].valid.any()
    many = {one.key: one.targets["expression"] for one in scan("fer-plus", root, votes="multi-target")}
    # neutral and sadness
    assert many["00008"].values.tolist() == [1, 0, 0, 0, 0, 1, 0, 0]
    rows = check_index(scan("fer-plus", root, votes="multi-target"), FerPlusConfig(votes="multi-target")).rows
    counts = {row.what: row.found for row in rows}
    assert (counts["of class neutral"], counts["of class contempt"]) == (2, 1)


def test_rows_of_fer_plus(tmp_path: Path) -> None:
    root = tree(tmp_path, "fer-plus")
    table = root / "fer2013new.csv"
    lines = table.read_text().splitlines()
    lines[1], lines[2] = "Training,fer0000000.png,1,2", "Learning,fer0000001.png,0,10,0,0,0,0,0,0,0,0"
    table.write_text("\n".join(lines))
    expected = "expected one of Training, PublicTest, PrivateTest, and 10 counts"
    assert issue_lines(scan("fer-plus", root))[1:3] == [
        f"error: fer2013new.csv row 2: usage 'Training' and votes '1,2'; {expected}",
        f"error: fer2013new.csv row 3: usage 'Learning' and votes '0,10,0,0,0,0,0,0,0,0'; {expected}",
    ]
    table.write_text("emotion,pixels\n")
    assert refusal("fer-plus", root) == (
        f"{table} row 1: 'emotion,pixels' is not 'Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,"
        "fear,contempt,unknown,NF'; take it as released"
    )
    labels = root / "data/FER2013Train/label.csv"
    labels.write_text(
        'fer0000001.png,"(0, 0, 48, 48)",0,x,0,0,0,0,0,0,0,0\nfer0000009.png,"(0, 0, 48, 48)",10' + ",0" * 9
    )
    assert issue_lines(scan("fer-plus", root, pictures="files", split="train")) == [
        f"error: FER2013Train/label.csv row 1: usage 'Training' and votes '0,x,0,0,0,0,0,0,0,0'; {expected}",
        "error: FER2013Train/label.csv row 2: no picture fer0000009.png; unpack it, or remove the line",
    ]
    labels.unlink()
    assert refusal("fer-plus", root, pictures="files") == (
        f"{labels}: no such file; unpack it there, or say other pictures="
    )


def test_classes_of_fer_plus() -> None:
    with pytest.raises(ConfigError) as caught:
        FerPlusConfig(votes="probability", classes="seven")
    assert str(caught.value) == (
        "classes: 'seven' does not go with votes='probability'; write 'eight', or votes='majority'"
    )
    assert published(FerPlusConfig())["samples"] == 35_714
    assert published(FerPlusConfig(dropped="omit"))["samples"] is None
    assert published(Fer2013Config())["samples"] == 35_887
    assert published(Fer2013Config(split="test"))["samples"] == 3_589


def test_the_command_that_unpacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path, "fer2013")
    (root / "fer2013.npy").unlink()
    code, out, err = run(capsys, "data", "unpack", root)
    assert (code, out, err) == (0, f"{root / 'fer2013.npy'}: the pictures of fer2013.csv\n", "")
    assert issue_lines(scan("fer2013", root)) == []
    table = root / "fer2013.csv"
    table.write_text("emotion,pixels,Usage\n0,1 2,Training\n")
    code, out, _ = run(capsys, "data", "unpack", root)
    assert (code, out.splitlines()[1:]) == (
        1, ["  error: fer2013.csv row 2: no 2304 numbers from 0 to 255; take the table as it was released"]
    )  # fmt: skip
    table.unlink()
    code, _, err = run(capsys, "data", "unpack", root)
    assert (code, err) == (1, f"error: {root}: no table 'fer2013.csv'; put it there, or say table=\n")
