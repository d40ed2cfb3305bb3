"""From a dataset's folder to examples: which frames are cut, whose they are, and what can't be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affectkit import Branch, FrameStream, Index, InputError, MicroExpressionConfig, PipelineConfig
from affectkit.configs import DatasetConfig
from affectkit.datasets import make_tree
from affectkit.datasets.casme2 import Casme2Config
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.records import FramesSource, Sample
from affectkit.registry import default_registry
from affectkit.training.reading import gather_examples
from affectkit.training.sources import open_data
from affectkit.video.frames import VideoFrame
from affectkit.video.reader import read_frames

FRAMES = PipelineConfig(
    input=FrameStream(height=16, width=16, steps=("onset", "apex", "offset")),
    branches={"face": Branch(features=ConvStemConfig(dim=8))},
    heads={"micro": MicroExpressionConfig()},
)


def scan(root: Path, config: DatasetConfig) -> Index:
    reader: Any = default_registry().of_config(type(config)).spec.factory(config)
    index: Index = reader.scan(root)
    return index


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    make_tree("casme2", tmp_path / "casme2")
    return tmp_path / "casme2"


def labeled(sample: Sample) -> bool:
    return all(bool(labels.valid.all()) for labels in sample.targets.values())


def test_the_keyframes_of_every_labeled_clip_are_cut(tree: Path) -> None:
    index = scan(tree, Casme2Config(apex="middle"))
    usable = [sample for sample in index if labeled(sample)]
    found = gather_examples(index, FRAMES, faces="whole-frame")
    assert found.examples.keys == tuple(sample.key for sample in usable)
    assert found.examples.subjects == tuple(sample.subject for sample in usable)
    assert found.examples.targets["micro"].values.tolist() == [
        int(sample.targets["emotion"].values) for sample in usable
    ]
    values = found.examples.inputs["clip"].values
    assert values.shape == (len(usable), 3, 3, 16, 16)
    sample = usable[0]
    assert isinstance(sample.source, FramesSource)
    by_number = dict(sample.source.frames)
    for step, number in enumerate((sample.events[0].onset_frame, sample.events[0].apex_frame)):
        assert number is not None
        picture = next(frame for frame in read_frames(by_number[number]) if isinstance(frame, VideoFrame))
        assert abs(float(values[0, step].mean()) - float(picture.image.mean() / 255)) < 0.02
    times = found.examples.inputs["clip"].times[0].tolist()
    assert times == [sample.events[0].onset, sample.events[0].apex, sample.events[0].offset]
    unlabeled = [issue for issue in found.issues if issue.fact == "has no label"]
    assert len(unlabeled) == len(index) - len(usable)


def test_what_is_not_used_is_an_issue(tree: Path) -> None:
    index = scan(tree, Casme2Config())
    one = next(sample for sample in index if labeled(sample))
    without = replace(one, events=(replace(one.events[0], apex=None, apex_frame=None),))
    others = tuple(sample for sample in index if labeled(sample) and sample is not one)
    found = gather_examples(Index(samples=(without, *others)), FRAMES, faces="whole-frame")
    assert len(found.examples) == len(others)
    assert [str(issue) for issue in found.issues] == [
        f"casme2/{one.key}: has no apex; read the dataset with apex='middle', or leave the clip out"
    ]
    twice = replace(one, events=one.events * 2)
    with pytest.raises(InputError) as caught:
        gather_examples(Index(samples=(twice,)), FRAMES, faces="whole-frame")
    assert str(caught.value) == (
        f"examples: none of 1 samples can be used; the first: casme2/{one.key}: has 2 events; an example has one"
    )


def test_pictures_without_a_face_are_said(tree: Path) -> None:
    with pytest.raises(InputError) as caught:
        gather_examples(scan(tree, Casme2Config(dropped="omit")), FRAMES, faces="haar")
    assert str(caught.value).endswith(
        ": no face on the frame of its onset; where pictures are faces already, use whole-frame"
    )


def test_inputs_and_heads_that_no_dataset_fits(tree: Path) -> None:
    index = scan(tree, Casme2Config())
    window = replace(FRAMES, inputs={"clip": FrameStream(height=16, width=16)})
    with pytest.raises(InputError, match=r"examples of a dataset have the steps 'onset', 'apex', 'offset'$"):
        gather_examples(index, window)
    two = replace(FRAMES, heads={"micro": MicroExpressionConfig(), "other": MicroExpressionConfig()})
    with pytest.raises(InputError) as caught:
        gather_examples(index, two)
    assert str(caught.value) == ("examples: labels of 'emotion' for the heads 'micro', 'other'; give one of each")


def test_data_by_name_and_by_file(tree: Path, tmp_path: Path) -> None:
    by_name = open_data(f"casme2={tree}", FRAMES, faces="whole-frame").examples
    path = tmp_path / "data.toml"
    path.write_text('use = "casme2"\nroot = "casme2"\napex = "middle"\n', encoding="utf-8")
    by_file = open_data(str(path), FRAMES, faces="whole-frame").examples
    assert set(by_name.keys) <= set(by_file.keys)
    path.write_text('use = "casme2"\nroot = "casme2"\nclasses = "five"\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        open_data(str(path), FRAMES, faces="whole-frame")
    assert str(caught.value).startswith("heads.micro: scores 'negative', 'positive', 'surprise', the dataset has ")
    assert str(caught.value).endswith("; set the dataset's 'classes' or the head's 'targets'")
