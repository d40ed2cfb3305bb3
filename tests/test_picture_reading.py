"""From datasets of pictures to examples: what is cut and labeled, what is kept, and what is an issue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    Branch,
    ConvStemConfig,
    ExpressionConfig,
    FeatureStream,
    FrameStream,
    Index,
    InputError,
    PipelineConfig,
    ValenceArousalConfig,
)
from affectkit.configs import HeadConfig
from affectkit.data.labels import BASIC_7, BASIC_8
from affectkit.datasets import make_tree
from affectkit.faces.given_boxes import GivenBoxesConfig
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.records import ArraySource, FramesSource, ImageSource, Issue, Labels, Sample, Source, VideoSource
from affectkit.training import picture_cutting, picture_files
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.reading import Gathered
from affectkit.training.sources import open_data
from affectkit.video.frames import SkippedFrame
from tests.picture_examples import CLASSES, STILLS, make_index


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pipeline(**heads: HeadConfig) -> PipelineConfig:
    stream = FrameStream(height=16, width=16)
    return PipelineConfig(input=stream, branches={"face": Branch(features=ConvStemConfig(dim=8))}, heads=heads)


def open_tree(name: str, root: Path, config: PipelineConfig, **options: Any) -> Gathered:
    folder = root / name
    if not folder.is_dir():
        make_tree(name, folder)
    return open_data(f"{name}={folder}", config, faces="whole-frame", **options)


def sample_of(source: Source, labels: Labels, key: str = "one", target: str = "expression") -> Sample:
    return Sample(dataset="made", subject=f"made/{key}", key=key, source=source, targets={target: labels})


def facts(issues: tuple[Issue, ...]) -> list[str]:
    return [str(issue) for issue in issues]


def test_stills_with_their_split(tmp_path: Path) -> None:
    found = open_tree("raf-db", tmp_path, pipeline(expression=ExpressionConfig(targets=BASIC_7[::-1])))
    examples = found.examples
    assert examples.keys[:2] == ("test_0001", "test_0002")
    assert examples.halves == ("test",) * 3 + ("train",) * 4
    assert examples.subjects[0] == "raf-db/test_0001"
    # by name: the head has the classes the other way around
    words = [BASIC_7[::-1][value] for value in examples.targets["expression"].values.flatten().tolist()]
    assert words == ["fear", "disgust", "happiness", "sadness", "surprise", "anger", "neutral"]
    path = tmp_path / "raf-db/basic/Image/aligned/train_00001_aligned.jpg"
    picture = cv2.imread(str(path))
    values = examples.batch(torch.tensor([3]))[0]["clip"].values[0, 0]
    assert picture is not None
    assert abs(float(values.mean()) - float(picture.mean()) / 255) < 0.01


def test_rows_of_an_array(tmp_path: Path) -> None:
    found = open_tree("fer2013", tmp_path, pipeline(expression=ExpressionConfig(targets=BASIC_7)))
    assert len(found.examples) == 10
    assert found.examples.halves.count("validation") == 2
    values = found.examples.batch(torch.arange(10))[0]["clip"].values
    assert torch.equal(values[0], values[9])
    assert torch.equal(values[:, :, 0], values[:, :, 2])


def test_several_heads_with_partial_labels(tmp_path: Path) -> None:
    heads = {"va": ValenceArousalConfig(), "expression": ExpressionConfig(targets=BASIC_8, resolution="clip")}
    found = open_tree("affectnet", tmp_path, pipeline(**heads)).examples
    assert found.targets["expression"].values.shape == (len(found),)
    assert found.targets["va"].values.shape == (len(found), 1, 2)
    assert found.targets["va"].valid.any()
    # labels of a head that is not there are said
    alone = open_tree("affectnet", tmp_path, pipeline(expression=ExpressionConfig(targets=BASIC_8)))
    assert "examples: labels of 'va' are for no head" in facts(alone.issues)


def test_labeled_frames_of_pictures(tmp_path: Path) -> None:
    heads = {"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()}
    found = open_tree("aff-wild2", tmp_path, pipeline(**heads)).examples
    assert found.frames is not None
    assert all(
        key == f"{video}:{number}"
        for key, video, number in zip(found.keys, found.videos, found.frames.flatten().tolist(), strict=True)
    )
    assert all(
        bool(torch.stack([one.valid[at].any() for one in found.targets.values()]).any()) for at in range(len(found))
    )
    assert 0 < int(found.targets["expr"].valid.sum()) < len(found)


def test_classes_that_a_head_lacks(tmp_path: Path) -> None:
    config = pipeline(expression=ExpressionConfig(targets=BASIC_7))
    with pytest.raises(InputError) as caught:
        open_tree("affectnet", tmp_path, config)
    assert str(caught.value) == (
        "heads.expression: scores 'neutral', 'anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', "
        "and the dataset has 'contempt' too; set the head's 'targets' or what the dataset reads, "
        "or leave them out by extra='invalid'"
    )
    whole = open_tree("affectnet", tmp_path, pipeline(expression=ExpressionConfig(targets=BASIC_8)))
    contempt = int((whole.examples.targets["expression"].values == 7).sum())
    assert contempt
    found = open_tree("affectnet", tmp_path, config, extra="invalid")
    assert len(found.examples) == len(whole.examples) - contempt
    said = f"heads.expression: {contempt} label{'s' if contempt > 1 else ''} of 'contempt', which it does not score"
    assert f"{said}; not valid" in facts(found.issues)
    index = make_index(tmp_path, 3)
    glad = Index(samples=(replace(index.samples[0], targets={"expression": Labels(np.array(1), np.array(True))}),))
    with pytest.raises(InputError) as caught:
        gather_pictures(glad, STILLS, names={"expression": ("calm", "merry")}, extra="invalid", faces="whole-frame")
    assert str(caught.value) == (
        "examples: none of 1 samples has a picture with a label; "
        "the first issue: heads.expression: 1 label of 'merry', which it does not score; not valid"
    )
    # a head may have more classes than the dataset
    more = open_tree("raf-db", tmp_path, pipeline(expression=ExpressionConfig(targets=BASIC_8)))
    assert int(more.examples.targets["expression"].valid.sum()) == 7


def video(path: Path, count: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (32, 32))
    for number in range(count):
        writer.write(np.full((32, 32, 3), 20 * number + 5, np.uint8))
    writer.release()


def test_labeled_frames_of_a_video(tmp_path: Path) -> None:
    video(tmp_path / "clip.avi", 10)
    classes = np.array([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2])
    valid = np.array([True, False] * 5 + [True])
    index = Index(samples=(sample_of(VideoSource(path=tmp_path / "clip.avi"), Labels(classes, valid)),))
    found = gather_pictures(index, STILLS, names={"expression": CLASSES}, faces="whole-frame")
    assert found.examples.keys == ("one:1", "one:3", "one:5", "one:7", "one:9")
    assert found.examples.targets["expression"].values.flatten().tolist() == [0, 1, 2, 0, 1]
    light = found.examples.batch(torch.arange(5))[0]["clip"].values.mean(dim=(1, 2, 3, 4)) * 255
    assert torch.allclose(light, torch.tensor([5.0, 45, 85, 125, 165]), atol=4)
    assert facts(found.issues) == ["made/one: 1 of 6 frames (11): the video ends before it"]


def test_pictures_that_can_not_be_used(tmp_path: Path) -> None:
    good, bad, lost = (tmp_path / name for name in ("1.png", "2.png", "3.png"))
    cv2.imwrite(str(good), np.full((20, 20, 3), 90, np.uint8))
    bad.write_bytes(good.read_bytes()[:40])
    frames = FramesSource(frames=((1, good), (2, bad), (3, lost)))
    index = Index(
        samples=(
            sample_of(ImageSource(path=bad), Labels(np.array(1), np.array(True)), "bad"),
            sample_of(ImageSource(path=good), Labels(np.array(1), np.array(True)), "good"),
            sample_of(ImageSource(path=good), Labels(np.array(1), np.array(False)), "unlabeled"),
            sample_of(frames, Labels(np.array([0, 1, 2]), np.array([True] * 3)), "frames"),
            sample_of(frames, Labels(np.array(1), np.array(True)), "clip"),
            sample_of(VideoSource(path=good, start=1.0), Labels(np.array([1]), np.array([True])), "part"),
            sample_of(ArraySource(path=good), Labels(np.array([1]), np.array([True])), "array"),
            sample_of(ArraySource(path=lost, index=0), Labels(np.array(1), np.array(True)), "row"),
        )
    )
    found = gather_pictures(index, STILLS, names={"expression": CLASSES}, faces="whole-frame")
    assert found.examples.keys == ("good", "frames:1")
    said = facts(found.issues)
    assert said[:4] == [
        "made/clip: has labels of shape (); pictures need one per frame, and clips other inputs",
        "made/part: is a part of a video; labels are of the frames of a whole one",
        "made/array: is a whole array; a picture is a row of one, by its index",
        "examples: 1 of 8 samples have no label; they are no examples",
    ]
    fault = "its only frame can't be decoded (Invalid data found when processing input); it is damaged, copy it again"
    assert said[4:6] == [f"made/bad: {fault}", f"made/frames: 1 of 3 frames (2): {fault}"]
    assert said[6:] == [
        "made/frames: 1 of 3 frames (3): no such file; check the path",
        "made/row: no such file; make it once with affectkit data unpack",
    ]


def test_a_file_whose_only_frame_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped = SkippedFrame(index=0, pts=0.0, reason="guessed")
    monkeypatch.setattr(picture_files, "read_frames", lambda path: iter([skipped]))
    with pytest.raises(InputError) as caught:
        picture_files.read_picture(Path("one.gif"))
    assert str(caught.value) == "one.gif: can't be decoded (guessed); unpack it again, or leave it out"


def test_arrays_that_hold_no_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", np.zeros((3, 4), np.float32))
    np.savez(tmp_path / "named.npz", color=np.full((2, 5, 5, 3), 255, np.uint8))
    (tmp_path / "none.npy").write_text("no array")
    label = Labels(np.array(1), np.array(True))
    index = Index(
        samples=(
            sample_of(ArraySource(path=tmp_path / "features.npy", index=0), label, "features"),
            sample_of(ArraySource(path=tmp_path / "named.npz", array="color", index=1), label, "right"),
            sample_of(ArraySource(path=tmp_path / "named.npz", array="color", index=2), label, "beyond"),
            sample_of(ArraySource(path=tmp_path / "none.npy", index=0), label, "none"),
        )
    )
    found = gather_pictures(index, STILLS, names={"expression": CLASSES}, faces="whole-frame")
    assert found.examples.keys == ("right",)
    assert float(found.examples.batch(torch.tensor([0]))[0]["clip"].values.min()) == 1.0
    said = facts(found.issues)
    assert said[0] == "made/features: holds float32 (3, 4); pictures are uint8 (N, H, W) or (N, H, W, 3)"
    assert said[1] == "made/beyond: no row 2; it has 2"
    assert said[2].startswith("made/none: can't be read (")
    assert said[2].endswith("); write plain arrays with numpy.save")


def test_no_face_and_no_points(tmp_path: Path) -> None:
    index = make_index(tmp_path, 6)
    with pytest.raises(InputError) as caught:
        gather_pictures(index, STILLS, names={"expression": CLASSES}, faces="haar")
    assert str(caught.value) == (
        "examples: none of 6 pictures can be used; the first issue: "
        "made/000: no face; where pictures are faces already, use whole-frame"
    )
    aligned = replace(STILLS, inputs={"clip": FrameStream(height=16, width=16, alignment="arcface")})
    found = gather_pictures(index, aligned, names={"expression": CLASSES}, faces="whole-frame")
    assert facts(found.issues) == [
        "examples: 6 of 6 pictures show no points to align by, so that the face's box stands in"
    ]


def test_a_second_run_cuts_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_cutting, "PER_FILE", 2)
    pictures = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((20, 20, 3), 30 * number, np.uint8))
        pictures.append(sample_of(ImageSource(path=path), Labels(np.array(number % 3), np.array(True)), str(number)))
    index = Index(samples=tuple(pictures))
    seen: list[tuple[int, int]] = []

    def run(**options: Any) -> Gathered:
        seen.clear()
        return gather_pictures(
            index,
            STILLS,
            names={"expression": CLASSES},
            faces="whole-frame",
            folder=tmp_path / "cut",
            progress=lambda *done: seen.append(done),
            **options,
        )

    first = run()
    assert seen == [(2, 6), (4, 6), (6, 6)]
    assert run().examples.digest() == first.examples.digest()
    assert seen == []
    # another picture in the place of one: its file alone is made anew
    cv2.imwrite(str(tmp_path / "3.png"), np.full((20, 20, 3), 255, np.uint8))
    with ThreadPoolExecutor(2) as pool:
        third = run(executor=pool)
    assert seen == [(6, 6)]
    assert third.examples.digest() != first.examples.digest()
    light = third.examples.batch(torch.arange(6))[0]["clip"].values.mean(dim=(1, 2, 3, 4)) * 255
    assert light.round().int().tolist() == [0, 30, 60, 255, 120, 150]
    assert not [path for path in (tmp_path / "cut").rglob("*") if path.is_file() and path.suffix != ".pictures"]


def test_pipelines_that_pictures_do_not_fit(tmp_path: Path) -> None:
    index = make_index(tmp_path, 6)
    moving = replace(STILLS.branches["face"], motion=(FrameDifferenceConfig(),))
    stored = PipelineConfig(
        input=FeatureStream(dim=4), branches={"face": Branch()}, heads={"expression": ExpressionConfig(targets=CLASSES)}
    )
    two = replace(STILLS, heads={"expr": ExpressionConfig(targets=CLASSES), "va": ValenceArousalConfig()})
    none = Index(samples=())
    for config, given, faces, message in (
        (
            replace(STILLS, branches={"face": moving}),
            index,
            None,
            "branches.face: has motion, which a single picture has not; train it on clips",
        ),
        (
            stored,
            index,
            None,
            "inputs.clip: takes stored features, and a video gives frames; put their encoders before "
            "the model (affectkit join), or call it on them",
        ),
        (
            two,
            index,
            None,
            "heads.expr: no labels of it; the dataset has 'expression'; give it the name of its labels",
        ),
        (
            STILLS,
            none,
            None,
            "heads.expression: no labels of it; the dataset has none; give a dataset with labels",
        ),
        (
            STILLS,
            index,
            GivenBoxesConfig(path="boxes.csv"),
            "faces: a table of boxes is of one video; for a dataset give a detector, or one box",
        ),
    ):
        with pytest.raises(InputError) as caught:
            gather_pictures(given, config, faces=faces)
        assert str(caught.value) == message
    sample = replace(index.samples[0], targets={"expression": Labels(np.array(0), np.array(False))})
    with pytest.raises(InputError) as caught:
        gather_pictures(Index(samples=(sample,)), STILLS)
    assert str(caught.value) == (
        "examples: none of 1 samples has a picture with a label; "
        "the first issue: examples: 1 of 1 samples have no label; they are no examples"
    )


def test_labels_of_another_kind(tmp_path: Path) -> None:
    source = make_index(tmp_path, 3).samples[0].source
    units = ActionUnitsConfig(targets=("AU1", "AU2"))

    def gather(head: HeadConfig, labels: Labels, names: tuple[str, ...] | None) -> Gathered:
        index = Index(samples=(sample_of(source, labels, target="made"),))
        given = {} if names is None else {"made": names}
        return gather_pictures(index, pipeline(made=head), names=given, faces="whole-frame")

    votes = Labels(np.full(3, 0.3, np.float32), np.full(3, True))
    strong = Labels(np.array([0, 3], np.float32), np.array([True, True]))
    half = Labels(np.array([0, 0.5], np.float32), np.array([True, True]))
    for head, labels, names, message in (
        (
            ExpressionConfig(targets=CLASSES),
            votes,
            CLASSES,
            "made/one: labels 'made' of shape (3,) per picture; the head 'made' takes one class number",
        ),
        (
            units,
            Labels(np.array(1), np.array(True)),
            ("AU1",),
            "made/one: labels 'made' of shape () per picture; the head 'made' takes 1 values",
        ),
        (
            units,
            strong,
            ("AU1", "AU2"),
            "heads.made: a label 3, which is neither 0 nor 1; read the dataset's 'made' as the head scores it",
        ),
        (
            units,
            half,
            None,
            "heads.made: a label 0.5, which is neither 0 nor 1; read the dataset's 'made' as the head scores it",
        ),
        (
            replace(units, intensity=True),
            Labels(strong.values * 2, strong.valid),
            None,
            "heads.made: a label 6, which is not in 0 to 5; read the dataset's 'made' as the head scores it",
        ),
        (
            ExpressionConfig(targets=CLASSES),
            Labels(np.array(3), np.array(True)),
            None,
            "heads.made: a label 3, which is not in 0 to 2; read the dataset's 'made' as the head scores it",
        ),
    ):
        with pytest.raises(InputError) as caught:
            gather(head, labels, names)
        assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        gather(units, half, ("AU3", "AU4"))
    assert str(caught.value) == (
        "heads.made: scores 'AU1', 'AU2', and the dataset has 'AU3', 'AU4'; "
        "set the head's 'targets' or what the dataset reads"
    )
    # columns go by name, and one that the dataset lacks is not valid
    found = gather(units, Labels(np.array([1], np.float32), np.array([True])), ("AU2",)).examples.targets["made"]
    assert found.values.tolist() == [[[0.0, 1.0]]]
    assert found.valid.tolist() == [[[False, True]]]
