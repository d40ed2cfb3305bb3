"""Reader of Aff-Wild2: labels by name, frames by line, and what is odd."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.abaw import movie_of, named_fps
from affectkit.datasets.aff_wild2 import AffWild2Config
from affectkit.datasets.checking import check_index
from affectkit.datasets.trees.aff_wild2_tree import ADDED, ANNOTATIONS, AU, EXPR, TRAIN, VA
from affectkit.errors import ConfigError, InputError
from affectkit.records import FramesSource, Index, Sample
from tests.datasets import issue_lines, scan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("aff-wild2", tmp_path / "x", pictures=False).root


def of(index: Index, key: str) -> Sample:
    return next(sample for sample in index if sample.key == key)


def names(sample: Sample) -> list[str]:
    assert isinstance(sample.source, FramesSource)
    return [path.name for _, path in sample.source.frames]


def test_labels_of_every_frame(root: Path) -> None:
    index = scan("aff-wild2", root)
    assert issue_lines(index) == [
        f"warning: {VA}/{TRAIN}/1-30-1280x720.txt: 1 line with valence or arousal outside [-1, 1], and not -5: 5; "
        "not valid",
        "info: 1-30-1280x720: 1 of 8 frames without a picture: 8; the nearest stands in "
        f"(no face was found in the last, or {VA}/{TRAIN}/1-30-1280x720.txt has lines too many)",
        "info: 46-30-484x360_left: 1 of 6 frames without a picture: 3; the nearest stands in",
        f"warning: video45_1: files with unlike numbers of lines: {EXPR}/{TRAIN}/video45_1.txt 6, "
        f"{AU}/{TRAIN}/video45_1.txt 5; the shorter say nothing there",
        f"warning: {ANNOTATIONS}: 2 videos of this split from movies of the validation split of va: "
        "46-30-484x360_left, video45_1; train on all challenges without them",
    ]
    left = of(index, "46-30-484x360_left")
    assert (left.subject, left.subject_is_known) == ("aff-wild2/46-30-484x360", False)
    assert left.raw == {
        "va": f"{VA}/{TRAIN}/46-30-484x360_left.txt",
        "expr": f"{EXPR}/{TRAIN}/46-30-484x360_left.txt",
        "movie": "batch1/46-30-484x360.mp4",
        "split": "train",
    }
    assert sorted(left.targets) == ["expr", "va"]
    assert left.targets["va"].valid[:, 0].tolist() == [True, False, True, True, True, True]
    np.testing.assert_allclose(left.targets["va"].values[2], [0.7, 0.7], rtol=1e-6)
    assert left.targets["expr"].values.tolist() == [0, 0, 4, 4, 7, 3]
    assert left.targets["expr"].valid.tolist() == [True, False, True, True, True, True]
    assert left.times is not None
    assert left.times.tolist() == [at / 30 for at in range(6)]
    assert names(left)[1:4] == ["00002.jpg", "00002.jpg", "00004.jpg"]
    # the last line of one file is behind the end of the other
    added = of(index, "video45_1")
    assert added.targets["au"].valid.any(axis=1).tolist() == [True, True, False, True, True, False]
    assert added.targets["au"].valid[0].tolist() == [True] * 10 + [False] * 2
    assert isinstance(added.source, FramesSource)
    assert added.source.frames[0][1].parent == root / ADDED


def test_frames_without_a_picture_may_be_dropped(root: Path) -> None:
    index = scan("aff-wild2", root, missing="drop")
    assert "info: 46-30-484x360_left: 1 of 6 frames without a picture: 3; left out" in issue_lines(index)
    left = of(index, "46-30-484x360_left")
    assert [number for number, _ in left.source.frames] == [1, 2, 4, 5, 6]  # type: ignore[union-attr]
    assert left.targets["expr"].values.tolist() == [0, 0, 4, 7, 3]
    assert left.times is not None
    assert len(left.times) == len(left.targets["va"].valid) == 5
    assert left.times[2] == 3 / 30


def test_one_challenge_and_the_other_half(root: Path) -> None:
    index = scan("aff-wild2", root, challenge="au", au="units", units=("AU12", "AU1"))
    assert [one.key for one in index] == ["1-30-1280x720", "video45_1"]
    assert index.samples[0].targets["units"].values[:2].tolist() == [[1, 0], [1, 0]]
    index = scan("aff-wild2", root, split="validation")
    assert [one.key for one in index] == ["360", "46-30-484x360_right", "video45_1"]
    assert sorted(index.samples[0].targets) == ["au", "expr"]
    assert index.samples[1].subject == "aff-wild2/46-30-484x360"
    report = check_index(index, AffWild2Config(split="validation"))
    counts = {row.what: row.found for row in report.rows}
    assert (counts["frames with va"], counts["frames with au"], counts["frames of class neutral"]) == (8, 3, 2)
    # a class that nobody shows is counted as such
    assert counts["frames of class fear"] == 0
    published = AffWild2Config(split="validation", expr="face", missing="drop").published
    assert dict(published.frames) == {"va": 376_332, "face": 280_532, "au": 445_836}
    assert dict(AffWild2Config().published.frames) == {"expr": 597_361}


def test_classes_that_were_not_asked_for(root: Path) -> None:
    index = scan("aff-wild2", root, challenge="expr", classes=("happiness", "neutral"))
    assert issue_lines(index)[-1] == (
        f"info: {ANNOTATIONS}: 7 frames in no class of happiness, neutral "
        "(anger 1, disgust 1, fear 1, other 1, sadness 1 and 1 more): not valid"
    )
    assert of(index, "46-30-484x360_left").targets["expr"].values.tolist() == [1, 0, 0, 0, 0, 0]


def test_the_first_challenges(tmp_path: Path) -> None:
    files = {
        "VA_Set/Training_Set/a.txt": "arousal,valence\r\n0.5,-0.25\r\n",
        "EXPR_Set/Training_Set/a.txt": "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise\n6\n",
        "AU_Set/Training_Set/a.txt": "AU1,AU2,AU4,AU6,AU12,AU15,AU20,AU25\n1,0,0,0,0,0,1,1",
        "cropped/a/00001.jpg": "",
        ".hidden/x": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, newline="")
    index = scan("aff-wild2", tmp_path, frames="cropped", fps=25.0)
    assert issue_lines(index) == []
    (sample,) = index
    assert sample.targets["va"].values.tolist() == [[-0.25, 0.5]]
    assert sample.targets["expr"].values.tolist() == [6]
    config = AffWild2Config()
    shown = dict(zip(config.units, sample.targets["au"].valid[0].tolist(), strict=True))
    assert [unit for unit, valid in shown.items() if not valid] == ["AU7", "AU10", "AU23", "AU24", "AU26"]
    assert sample.targets["au"].values[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert isinstance(sample.source, FramesSource)
    assert sample.source.fps == 25.0


def test_files_that_are_odd(root: Path) -> None:
    def lines(text: str) -> list[str]:
        (root / ANNOTATIONS / VA / TRAIN / "46-30-484x360_left.txt").write_text(text)
        found = issue_lines(scan("aff-wild2", root, challenge="va"))
        return [
            line for line in found if "46-30" in line and "frames without" not in line and "from movies" not in line
        ]

    where = f"{VA}/{TRAIN}/46-30-484x360_left.txt"
    assert lines("0.1,0.2\n0.1,0.2\n") == [
        f"error: {where}: line 1: '0.1,0.2' is no header of va; expected 'valence,arousal'"
    ]
    assert lines("") == [f"error: {where}: line 1: '' is no header of va; expected 'valence,arousal'"]
    assert lines("valence,arousal\n") == [f"error: {where}: no line below its header; unpack it again"]
    # one line too few, and others that hold no two numbers
    assert lines("valence,arousal\n0,0\n0\n0,0,0\nx,y\n0.5,0.5\n") == [
        f"warning: {where}: 3 lines without 2 numbers: 3, 4, 5; not valid",
        f"warning: 46-30-484x360_left: 1 picture without a line: 6, of 5 lines of {where}; left out",
    ]
    index = scan("aff-wild2", root, challenge="va")
    assert of(index, "46-30-484x360_left").targets["va"].valid[:, 0].tolist() == [True, False, False, False, True]
    # one too many
    (root / ANNOTATIONS / where).write_text("valence,arousal\n" + 7 * "0,0\n")
    assert (
        "info: 46-30-484x360_left: 2 of 7 frames without a picture: 3, 7; the nearest stands in "
        f"(no face was found in the last, or {where} has lines too many)"
    ) in issue_lines(scan("aff-wild2", root, challenge="va"))
    (root / ANNOTATIONS / VA / TRAIN / "46-30-484x360_left.txt").write_bytes(b"\xff\xfe")
    assert issue_lines(scan("aff-wild2", root, challenge="va"))[-2] == (
        f"error: {where}: can't be read ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); "
        "unpack it again"
    )


def test_two_people_of_one_movie_in_two_splits(root: Path) -> None:
    """The one on the right is another video, in the same pictures."""
    validation = root / f"{ANNOTATIONS}/{AU}/Validation_Set"
    validation.mkdir(exist_ok=True)
    shutil.copy(next((root / f"{ANNOTATIONS}/{AU}/{TRAIN}").glob("*.txt")), validation / "46-30-484x360_right.txt")
    index = scan("aff-wild2", root)
    assert issue_lines(index)[-1] == (
        f"warning: {ANNOTATIONS}: 1 video of this split from movies of the validation split of au: "
        "46-30-484x360_left; train on all challenges without them"
    )
    assert "46-30-484x360_left" in {sample.key for sample in index}


def test_both_halves_at_once(root: Path) -> None:
    index = scan("aff-wild2", root, split="all")
    assert [(one.key, one.raw["split"], sorted(one.targets)) for one in index] == [
        ("1-30-1280x720", "train", ["au", "va"]),
        ("360", "validation", ["au", "expr"]),
        ("46-30-484x360_left", "train", ["expr", "va"]),
        ("46-30-484x360_right", "validation", ["va"]),
        # its labels of train, which are of other challenges, stay out
        ("video45_1", "validation", ["va"]),
    ]
    assert issue_lines(index)[:2] == [
        f"warning: {ANNOTATIONS}: 1 video in both halves: video45_1; of train their labels are left out",
        f"warning: {ANNOTATIONS}: 1 video of train from movies of validation: 46-30-484x360_left; "
        "write shared='drop' to leave them out of train",
    ]
    apart = scan("aff-wild2", root, split="all", shared="drop")
    assert [one.key for one in apart if one.raw["split"] == "train"] == ["1-30-1280x720"]
    assert f"{ANNOTATIONS}: 1 video of train from movies of validation: 46-30-484x360_left; left out" in [
        str(issue) for issue in apart.issues
    ]
    # of one challenge nothing is in both
    alone = scan("aff-wild2", root, split="all", challenge="expr")
    assert {one.key: one.raw["split"] for one in alone} == {
        "360": "validation", "46-30-484x360_left": "train", "video45_1": "train",
    }  # fmt: skip
    assert not [line for line in issue_lines(alone) if "halves" in line or "movies" in line]
    # of videos in halves of two challenges only one is read, and nobody says how many these are
    assert not AffWild2Config(split="all", missing="drop").published.frames
    assert dict(AffWild2Config(split="all", challenge="au", missing="drop").published.frames) == {
        "va": 2_030_262, "expr": 865_849, "au": 1_805_355,
    }  # fmt: skip
    assert dict(AffWild2Config(split="all", challenge="expr").published.frames) == {"expr": 881_591}
    assert not AffWild2Config(split="all", shared="drop").published.frames


def test_blank_lines(root: Path) -> None:
    """At the end they are nothing; within, they are of frames."""
    path = root / f"{ANNOTATIONS}/{VA}/{TRAIN}/1-30-1280x720.txt"
    before = of(scan("aff-wild2", root), "1-30-1280x720")
    text = path.read_text().rstrip("\n")
    path.write_text(f"{text}\n\n \n")
    after = of(scan("aff-wild2", root), "1-30-1280x720")
    assert after.times is not None
    assert before.times is not None
    assert after.times.tolist() == before.times.tolist()
    path.write_text(text.replace("\n", "\n\n", 1) + "\n")
    index = scan("aff-wild2", root)
    within = of(index, "1-30-1280x720")
    assert within.times is not None
    assert len(within.times) == len(before.times) + 1
    assert f"warning: {VA}/{TRAIN}/1-30-1280x720.txt: 1 line without 2 numbers: 2; not valid" in issue_lines(index)


def test_another_person_of_the_movie_is_no_stand_in(root: Path) -> None:
    shutil.rmtree(root / "cropped_aligned/46-30-484x360_left")
    (root / "cropped_aligned/46-30-484x360").mkdir()
    index = scan("aff-wild2", root)
    assert "46-30-484x360_left" not in {one.key for one in index}
    assert issue_lines(index)[2] == (
        f"error: {VA}/{TRAIN}/46-30-484x360_left.txt: no folder of pictures '46-30-484x360_left' "
        "(46-30-484x360, 46-30-484x360_right: another person); unpack it, or remove its labels"
    )
    (root / "cropped_aligned/46-30-484x360").rename(root / "cropped_aligned/46-30-484x360_left")
    index = scan("aff-wild2", root)
    assert "error: 46-30-484x360_left: no picture in the folder of this video; unpack it again" in issue_lines(index)


def test_folders_that_are_refused(root: Path, tmp_path: Path) -> None:
    def refusal(folder: Path, **fields: str) -> str:
        with pytest.raises(InputError) as caught:
            scan("aff-wild2", folder, **fields)
        return str(caught.value)

    empty = tmp_path / "empty"
    assert refusal(empty) == f"{empty}: no such folder; give the folder that holds the dataset"
    empty.mkdir()
    assert refusal(empty) == (
        f"{empty}: no annotations, such as '6th ABAW Annotations'; unpack them there, or say table="
    )
    assert refusal(root, table="x") == f"{root / 'x'}: no such folder; give table as seen from {root}"
    (root / "Third ABAW Annotations").mkdir()
    assert refusal(root) == (
        f"{root}: annotations '6th ABAW Annotations', 'Third ABAW Annotations'; say which with table="
    )
    assert refusal(root, table="Third ABAW Annotations", challenge="va") == (
        f"{root / 'Third ABAW Annotations'}: no labels in 'VA_Estimation_Challenge/Train_Set'; "
        "unpack them there, or say other split="
    )
    assert refusal(root, table="Third ABAW Annotations", split="validation") == (
        f"{root / 'Third ABAW Annotations'}: no labels in 'VA_Estimation_Challenge/Validation_Set' or "
        "'EXPR_Classification_Challenge/Validation_Set' or 'AU_Detection_Challenge/Validation_Set'; "
        "unpack them there, or say other split="
    )
    assert len(scan("aff-wild2", root, table=ANNOTATIONS)) == 3
    assert refusal(root, table=ANNOTATIONS, frames="cropped") == (
        f"{root}: no folder 'cropped'; unpack it there, or say other frames="
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fps": 0.0}, "fps: 0.0 is no rate; write more than 0"),
        ({"va": "au"}, "va: va, expr and au are 'au', 'expr', 'au'; write three names of heads, each its own"),
        ({"classes": ()}, "classes: () is empty, or has a name twice; write each name once, in order"),
        ({"units": ("AU1", "AU1")},
         "units: ('AU1', 'AU1') is empty, or has a name twice; write each name once, in order"),
    ],
)  # fmt: skip
def test_configs_that_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AffWild2Config(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_names_of_videos() -> None:
    assert [movie_of(name) for name in ("a_left", "a_right", "a_left_b", "video45_1")] == [
        "a", "a", "a_left_b", "video45_1",
    ]  # fmt: skip
    assert [named_fps(name) for name in ("46-30-484x360_left", "video45_1", "360", "1-0-2x2", "7-24-1x1")] == [
        30.0, None, None, None, 24.0,
    ]  # fmt: skip
