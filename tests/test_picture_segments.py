"""Segments of frames that lie on the disk as cut pictures: what they are made of, and what takes them."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from affectkit import (
    ActionUnitsConfig,
    ConfigError,
    EnsembleConfig,
    ExpressionConfig,
    FrameStream,
    GRUConfig,
    Index,
    InputError,
    MeanFusionConfig,
    Mixing,
    PipelineConfig,
    TemperatureConfig,
    ValenceArousalConfig,
    load,
    write_config,
)
from affectkit.cli import main
from affectkit.datasets import make_tree
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.protocols.frame_predictions import read_frame_predictions
from affectkit.recipes import Augmentation, Recipe
from affectkit.records import FramesSource, ImageSource, Labels, Sample, Source, VideoSource
from affectkit.registry import default_registry
from affectkit.search.scoring import find_metric
from affectkit.sequences import Sequence
from affectkit.training import Examples, evaluate, fit
from affectkit.training.augmentation import augment
from affectkit.training.calibrating import calibrate
from affectkit.training.examples import join_examples, read_examples, write_examples
from affectkit.training.frame_evaluation import evaluate_frames
from affectkit.training.frame_tables import predict_segments
from affectkit.training.learner import make_loader
from affectkit.training.mixing import mix
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.picture_segments import segment_pictures
from affectkit.training.sampling import Shuffled
from affectkit.training.sources import open_data
from affectkit.training.tails import cut_tail
from tests.clips import encode_with
from tests.picture_examples import CLASSES, RECIPE, STILLS, gather

OVER_TIME = replace(STILLS, temporal=GRUConfig(dim=8))
NAMES = {"expression": CLASSES}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_videos(folder: Path, videos: int = 6, count: int = 12) -> Examples:
    """Pictures as frames 1, 3, 5, ... of videos, each of one person."""
    singles = gather(folder, videos * count).examples
    whose = [f"v{row // count}" for row in range(len(singles))]
    numbers = [1 + 2 * (row % count) for row in range(len(singles))]
    return replace(
        singles,
        videos=tuple(whose),
        subjects=tuple(f"made/{video}" for video in whose),
        keys=tuple(f"{video}:{number}" for video, number in zip(whose, numbers, strict=True)),
        frames=torch.tensor(numbers).unsqueeze(1),
        halves=(),
    )


def make_segments(folder: Path, length: int = 5, overlap: int = 0, **options: int) -> Examples:
    singles = make_videos(folder, **options)
    assert singles.frames is not None
    return segment_pictures(singles, singles.frames.squeeze(1).numpy() / 10, length, overlap)


def in_memory(examples: Examples) -> Examples:
    return replace(examples, inputs=examples.batch(torch.arange(len(examples)))[0], pictures=None)


def sample_of(source: Source, values: list[int], valid: list[bool], key: str = "one") -> Sample:
    labels = Labels(np.array(values), np.array(valid))
    return Sample(dataset="made", subject=f"made/{key}", key=key, source=source, targets={"expression": labels})


def write_pictures(folder: Path, numbers: tuple[int, ...]) -> FramesSource:
    """Frames whose level of gray is ten times their number."""
    for number in numbers:
        cv2.imwrite(str(folder / f"{number:05}.png"), np.full((20, 20, 3), 10 * number, np.uint8))
    return FramesSource(frames=tuple((number, folder / f"{number:05}.png") for number in numbers))


def refusal(index: Index, config: PipelineConfig = OVER_TIME, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        gather_pictures(index, config, faces="whole-frame", **({"length": 2} | options))
    return str(caught.value)


def test_frames_that_follow_each_other_are_rows(tmp_path: Path) -> None:
    singles = make_videos(tmp_path, videos=2)
    found = make_segments(tmp_path, videos=2, overlap=2)
    assert found.keys == ("v0:1", "v0:7", "v0:13", "v0:19", "v1:1", "v1:7", "v1:13", "v1:19")
    assert (found.noun, found.videos[3], found.subjects[4]) == ("segments", "v0", "made/v1")
    assert found.frames is not None
    assert found.frames[2:4].tolist() == [[13, 15, 17, 19, 21], [19, 21, 23, 0, 0]]
    assert found.mask[3].tolist() == [True, True, True, False, False]
    inputs, targets = found.batch(torch.tensor([3, 4]))
    values, mask, times = inputs["clip"][:3]
    assert values.shape == (2, 5, 3, 16, 16)
    assert torch.equal(mask, found.mask[3:5])
    # behind the end the last time again, so that nobody sees a gap
    assert times.tolist() == [[1.9, 2.1, 2.3, 2.3, 2.3], [0.1, 0.3, 0.5, 0.7, 0.9]]
    assert not values[0, 3:].any()
    # to the bit what each picture is by itself
    one_by_one = singles.batch(torch.tensor([9, 10, 11, 12, 13, 14, 15, 16]))[0]["clip"].values
    assert torch.equal(torch.cat([values[0, :3], values[1]]), one_by_one.squeeze(1))
    labels = singles.targets["expression"].values.flatten()
    assert targets["expression"].values.tolist() == [[*labels[9:12].tolist(), 0, 0], labels[12:17].tolist()]
    assert torch.equal(targets["expression"].valid, found.mask[3:5])


def test_some_of_them_joined_and_over_the_disk(tmp_path: Path) -> None:
    found = make_segments(tmp_path)
    some = found.take([5, 2])
    both = found.batch(torch.tensor([5, 2]))[0]["clip"]
    write_examples(some, tmp_path / "some.safetensors")
    back = read_examples(tmp_path / "some.safetensors")
    assert back.digest() == some.digest() != found.digest()
    for one, other in zip(back.batch(torch.arange(2))[0]["clip"][:3], both[:3], strict=True):
        assert torch.equal(one, other)
    joined = join_examples([found.take(range(3)), found.take(range(3, len(found)))])
    for one, other in zip(
        joined.batch(torch.tensor([2, 5]))[0]["clip"][:3],
        found.batch(torch.tensor([2, 5]))[0]["clip"][:3],
        strict=True,
    ):
        assert torch.equal(one, other)
    assert torch.equal(joined.mask, found.mask)
    assert found.pictures is not None
    # which other files there are says nothing
    more = replace(found.pictures, files=(*found.pictures.files, Path("more.pictures")))
    assert replace(found, pictures=more).digest() == found.digest()
    # the same pictures at other times are other examples
    later = replace(found, pictures=replace(found.pictures, times=found.pictures.times + 1))
    assert later.digest() != found.digest()
    shorter = make_segments(tmp_path, length=4)
    with pytest.raises(InputError) as caught:
        join_examples([found, replace(shorter, subjects=tuple(f"{one}x" for one in shorter.subjects))])
    assert str(caught.value) == "examples: of 4 and of 5 pictures each; give sets of one length"


def test_files_of_examples_from_before_segments(tmp_path: Path) -> None:
    singles = gather(tmp_path).examples
    path = tmp_path / "some.safetensors"
    write_examples(singles, path)
    tensors = load_file(path)
    assert not tensors.pop("pictures.times").any()
    tensors |= {name: tensors[name].squeeze(1) for name in ("pictures.file", "pictures.row")}
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        about = file.metadata()
    save_file(tensors, tmp_path / "old.safetensors", metadata=about)
    old = read_examples(tmp_path / "old.safetensors")
    assert old.digest() == singles.digest()
    assert torch.equal(
        old.batch(torch.tensor([4]))[0]["clip"].values, singles.batch(torch.tensor([4]))[0]["clip"].values
    )


def test_training_equals_that_in_memory(tmp_path: Path) -> None:
    found = make_segments(tmp_path)
    recipe = replace(RECIPE, epochs=40, learning_rate=0.02, augmentation=Augmentation(flip=0.5, gain=0.02))
    lazy = fit(OVER_TIME, found, recipe, seed=1)
    whole = fit(OVER_TIME, in_memory(found), recipe, seed=1)
    for one, other in zip(lazy.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)
    table = predict_segments(lazy, found)
    assert len(table) == 72
    right = table.outputs["expression"].scores.argmax(axis=1) == table.outputs["expression"].truth
    assert right.mean() > 0.8


def test_a_batch_counts_segments(tmp_path: Path) -> None:
    sizes = [
        tuple(inputs["clip"].values.shape[:2]) for inputs, _ in make_loader(make_segments(tmp_path), 4, Shuffled(18, 0))
    ]
    assert sizes == [(4, 5)] * 4 + [(2, 5)]


def test_all_frames_of_a_segment_are_augmented_alike() -> None:
    values = torch.rand(6, 1, 3, 16, 16).expand(-1, 4, -1, -1, -1)
    asked = Augmentation(flip=0.5, shift=3, gain=0.2)
    batch = {"clip": Sequence.of(values)}
    found = augment(batch, OVER_TIME.inputs, asked, torch.Generator().manual_seed(0))["clip"].values
    assert all(torch.equal(found[:, step], found[:, 0]) for step in range(4))
    assert all(not torch.equal(found[row], values[row]) for row in range(6))


def test_two_segments_are_mixed_frame_by_frame_with_one_share(tmp_path: Path) -> None:
    found = make_segments(tmp_path, length=6)
    inputs, targets = found.batch(torch.arange(4))
    outputs = OVER_TIME.trace().outputs
    mixed, labels = mix(inputs, targets, Mixing(share=1.0), outputs, torch.Generator().manual_seed(0))
    assert labels["expression"].values.shape == (4, 6, 3)
    for row in range(4):
        # 1 where both frames have the class; elsewhere the same two shares in every frame of the segment
        shares = {round(share, 4) for share in labels["expression"].values[row].flatten().tolist()} - {0.0, 1.0}
        assert len(shares) in (0, 2)
    assert not torch.equal(mixed["clip"].values, inputs["clip"].values)


def test_what_is_of_single_pictures_is_refused(tmp_path: Path) -> None:
    found = make_segments(tmp_path)
    with pytest.raises(InputError) as caught:
        fit(OVER_TIME, found, replace(RECIPE, sampling="balanced"))
    assert str(caught.value) == (
        "examples: 'expression' has several labels per example; sampling by class needs one each, so leave it out"
    )
    basics = ExpressionConfig(targets=("happiness", "surprise", "fear"))
    compound = ExpressionConfig(targets=("happily_surprised", "fearfully_surprised"))
    both = replace(OVER_TIME, heads={"expression": basics, "compound": compound})
    mixing = Mixing(compound="compound", basics="expression")
    with pytest.raises(InputError) as caught:
        fit(both, found, replace(RECIPE, mixing=mixing))
    assert str(caught.value) == (
        "examples: 'expression' has several labels per example; compounds are made of single pictures, so leave mixing "
        "out"
    )
    index = Index(samples=(sample_of(write_pictures(tmp_path, (1, 2)), [0, 1], [True, True]),))
    assert refusal(index, both, made=mixing.made, fps=10.0) == (
        "mixing: makes labels of 'compound' of single pictures, and these are segments of frames; leave compound out, "
        "or train on single pictures"
    )
    with pytest.raises(ConfigError) as wrong:
        evaluate(OVER_TIME, found, RECIPE)
    assert str(wrong.value) == "heads: no head tells classes of clips apart; evaluate needs one"
    moving = {"face": replace(STILLS.branches["face"], motion=(FrameDifferenceConfig(),))}
    with pytest.raises(InputError) as caught:
        cut_tail(replace(OVER_TIME, branches=moving), found)
    assert str(caught.value) == "examples: labeled frames, which show no motion; train branches with motion on clips"


def test_scores_of_frames_are_what_segments_have(tmp_path: Path) -> None:
    found, registry = make_segments(tmp_path, overlap=2), default_registry()
    metric = find_metric("expression", OVER_TIME, found, None, registry)
    assert metric.is_of_frames
    with pytest.raises(ConfigError) as wrong:
        find_metric("UF1", OVER_TIME, found, None, registry)
    assert str(wrong.value) == "objectives.score: no score 'UF1' of frames; scores: 'expression'"
    config = replace(OVER_TIME, maps={"calm": TemperatureConfig(source="expression")})
    model = fit(config, found, replace(RECIPE, epochs=2), seed=0)
    assert metric.score(model, found) == pytest.approx(metric.score(model, in_memory(found)))
    fitted = [calibrate(model, one).fitted[0].values["T"] for one in (found, in_memory(found))]
    assert fitted[0] == fitted[1] != 1.0
    table = evaluate_frames(OVER_TIME, found, replace(RECIPE, epochs=1, epoch="inner"), folds=2)
    # where segments overlap, a frame is one row
    assert len(table) == 72


def test_frames_of_a_video_have_its_own_times(tmp_path: Path, cache: Path) -> None:
    pictures = np.stack([np.full((32, 32, 3), 20 * number + 20, np.uint8) for number in range(6)])
    path = encode_with(tmp_path / "clip.mp4", pictures, ticks=[0, 1, 5, 6, 12, 20])
    sample = sample_of(VideoSource(path=path), [0, 1, 2, 0, 1, 2, 0], [True, True, False, True, True, True, True])
    seen: list[tuple[int, int]] = []

    def run(**options: Any) -> Examples:
        seen.clear()
        gathered = gather_pictures(
            Index(samples=(sample,)),
            OVER_TIME,
            names=NAMES,
            faces="whole-frame",
            progress=lambda *done: seen.append(done),
            **options,
        )
        # the seventh has a label and no picture, and the third no label: neither is in a segment
        assert [str(issue) for issue in gathered.issues] == ["made/one: 1 of 6 frames (7): the video ends before it"]
        return gathered.examples

    found = run(length=3)
    assert seen == [(6, 6)]
    assert found.keys == ("one:1", "one:5")
    assert found.batch(torch.arange(2))[0]["clip"].times.tolist() == [
        pytest.approx([0.0, 0.04, 0.24]),
        pytest.approx([0.48, 0.8, 0.8]),
    ]
    # what is cut serves every length, and single pictures, which stay at time 0
    again, singles = run(length=2), run()
    assert seen == []
    assert again.mask.tolist() == [[True, True], [True, True], [True, False]]
    assert not singles.batch(torch.arange(5))[0]["clip"].times.any()
    assert run(length=3).digest() == found.digest()


def test_listed_frames_have_the_times_of_their_sample_or_of_their_numbers(tmp_path: Path) -> None:
    source = write_pictures(tmp_path, (1, 4, 11, 16))
    sample = sample_of(source, [0, 1, 2, 0], [True, True, False, True])

    def times(sample: Sample, **options: Any) -> list[float]:
        index = Index(samples=(sample,))
        found = gather_pictures(index, OVER_TIME, names=NAMES, faces="whole-frame", length=3, **options).examples
        return list(found.batch(torch.tensor([0]))[0]["clip"].times[0].tolist())

    assert times(sample, fps=10.0) == pytest.approx([0.0, 0.3, 1.5])
    assert times(replace(sample, source=replace(source, fps=5.0)), fps=10.0) == pytest.approx([0.0, 0.6, 3.0])
    assert times(replace(sample, times=np.array([7.0, 8.0, 9.0, 9.5]))) == [7.0, 8.0, 9.5]
    assert refusal(Index(samples=(sample,))) == "one: frames without times; give frames per second, such as fps=30"


def test_frames_that_can_not_be_used_leave_their_segment(tmp_path: Path) -> None:
    source = write_pictures(tmp_path, (1, 2, 3, 4))
    whole = (tmp_path / "00002.png").read_bytes()
    (tmp_path / "00002.png").write_bytes(whole[:40])
    still = Sample(
        dataset="made",
        subject="made/still",
        key="still",
        source=ImageSource(path=tmp_path / "00001.png"),
        targets={"expression": Labels(np.array(1), np.array(True))},
    )
    index = Index(samples=(still, sample_of(source, [0, 1, 2, 0], [True] * 4)))
    found = gather_pictures(index, OVER_TIME, names=NAMES, faces="whole-frame", length=2, fps=10.0)
    assert found.examples.keys == ("one:1", "one:4")
    assert found.examples.frames is not None
    assert found.examples.frames.tolist() == [[1, 3], [4, 0]]
    light = found.examples.batch(torch.arange(2))[0]["clip"].values.mean(dim=(2, 3, 4)) * 255
    assert light.round().tolist() == [[10, 30], [40, 0]]
    said = [str(issue) for issue in found.issues]
    assert said[0] == "made/still: is a single picture, and segments are of frames of videos"
    assert said[1].startswith("made/one: 1 of 4 frames (2): its only frame can't be decoded")
    assert len(said) == 2
    assert refusal(Index(samples=(still,))) == (
        "examples: none of 1 samples has a picture with a label; "
        "the first issue: made/still: is a single picture, and segments are of frames of videos"
    )


def test_pipelines_that_segments_do_not_fit(tmp_path: Path) -> None:
    index = Index(samples=(sample_of(write_pictures(tmp_path, (1, 2)), [0, 1], [True, True]),))
    clip = replace(OVER_TIME, heads={"expression": ExpressionConfig(targets=CLASSES, resolution="clip")})
    assert refusal(index, clip, fps=10.0) == (
        "heads.expression: scores clips, and segments have labels of frames; write resolution='frame'"
    )
    moving = {"face": replace(STILLS.branches["face"], motion=(FrameDifferenceConfig(),))}
    assert refusal(index, replace(OVER_TIME, branches=moving), fps=10.0) == (
        "branches.face: has motion, which labeled frames, which may be far apart, don't show; train it on clips"
    )
    assert refusal(index, overlap=2, fps=10.0) == "segments: length 2, overlap 2; give 0 <= overlap < length"
    assert refusal(index, length=1, fps=10.0) == (
        "segments: length 1 of frames; give 2 or more, or leave segments out for single pictures"
    )


# From a file, and on the command line

WILD = replace(
    OVER_TIME,
    heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that names a synthetic s-Aff-Wild2 with its pictures."""
    make_tree("s-aff-wild2", tmp_path / "s-Aff-Wild2")
    return write(tmp_path)


def write(folder: Path, segments: str = "length = 3\noverlap = 1\n", fields: str = "") -> Path:
    path = folder / "data.toml"
    path.write_text(f'root = "s-Aff-Wild2"\nuse = "s-aff-wild2"\n{fields}[segments]\n{segments}', encoding="utf-8")
    return path


def test_a_file_says_how_long_segments_are(source: Path) -> None:
    found = open_data(str(source), WILD, faces="whole-frame").examples
    assert found.keys == (
        "demo-30-640x360_left:1", "demo-30-640x360_left:17", "demo-30-640x360_right:2", "video9:3",
    )  # fmt: skip
    assert found.halves == ("train",) * 4
    assert found.frames is not None
    assert found.frames.tolist() == [[1, 8, 17], [17, 21, 0], [2, 0, 0], [3, 10, 14]]
    # of frames 1, 8 and 17 the list says neutral, nothing and fear
    assert found.targets["expr"].values[0].tolist() == [0, 0, 3]
    assert found.targets["expr"].valid[0].tolist() == [True, False, True]
    assert found.targets["va"].values[0, :2].tolist() == [pytest.approx([0.25, -0.5]), pytest.approx([0.3, -0.4])]
    clip = found.batch(torch.arange(4))[0]["clip"]
    assert clip.times[0].tolist() == pytest.approx([0.0, 7 / 30, 16 / 30])
    singles = open_data(f"s-aff-wild2={source.parent / 's-Aff-Wild2'}", WILD, faces="whole-frame").examples
    values = singles.batch(torch.arange(len(singles)))[0]["clip"].values.squeeze(1)
    assert torch.equal(clip.values[clip.mask], values[[0, 1, 2, 2, 3, 4, 5, 6, 7]])
    # an ensemble has every frame cut for each of its members
    large = replace(WILD, inputs={"clip": FrameStream(height=24, width=24)})
    joined = EnsembleConfig(members={"small": WILD, "large": large}, fusion=MeanFusionConfig())
    inputs = open_data(str(source), joined, faces="whole-frame").examples.batch(torch.tensor([3]))[0]
    assert {tuple(one.values.shape) for one in inputs.values()} == {(1, 3, 3, 16, 16), (1, 3, 3, 24, 24)}


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_the_command_line_trains_and_evaluates(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(WILD, tmp_path / "mine.toml")
    (tmp_path / "recipe.toml").write_text('epochs = 1\nbatch_size = 2\n[rates]\n"branches.face" = 0.1\n')
    words = [str(tmp_path / "mine.toml"), str(source), "--recipe", str(tmp_path / "recipe.toml"), "--workers", "1"]
    words += ["--faces", "whole-frame"]
    assert main(["train", *words, "--out", str(tmp_path / "model")]) == 0
    assert "trained on 4 segments of 2 subjects, 1 epochs" in capsys.readouterr().out
    found = open_data(str(source), WILD, faces="whole-frame").examples
    trained = load(tmp_path / "model")
    again = fit(WILD, found, Recipe(epochs=1, batch_size=2, rates={"branches.face": 0.1}), seed=0)
    for one, other in zip(trained.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = WILD.build().state_dict()
    # the encoder has learned, and what relates its features over time
    changed = {
        name.partition(".")[0] for name, tensor in trained.state_dict().items() if not tensor.equal(before[name])
    }
    assert changed >= {"branches", "temporal", "heads"}
    out = tmp_path / "run"
    assert main(["evaluate", *words, "--protocol", "folds", "--folds", "2", "--out", str(out), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["scores"]) >= {"va", "expr", "au"}
    # each of the 8 labeled frames once, though segments overlap
    assert len(read_frame_predictions(out / "frames.parquet")) == 8


@pytest.mark.parametrize(
    ("segments", "stream", "message"),
    [
        (
            "length = 3\n",
            FrameStream(height=16, width=16, steps=("onset", "apex")),
            "segments: are of frames, and the input 'clip' takes the keyframes 'onset', 'apex'; leave the table out",
        ),
        (
            "length = 3\nfps = 0.0\n",
            FrameStream(height=16, width=16),
            "segments.fps: 0.0 is not a frame rate; write frames per second, or leave it out",
        ),
    ],
)
def test_a_file_that_can_not_be_is_refused(tmp_path: Path, segments: str, stream: FrameStream, message: str) -> None:
    path = write(tmp_path, segments)
    with pytest.raises(ConfigError) as caught:
        open_data(str(path), replace(STILLS, inputs={"clip": stream}))
    assert str(caught.value) == f"{path}: {message}"


# 6000 pictures of 96 x 96 in color are 166 MB as bytes and 664 MB as floats.
CONSTANT = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from affectkit import FrameStream
from affectkit.training.learner import make_loader
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.picture_segments import segment_pictures
from affectkit.training.sampling import Shuffled
from tests.picture_examples import CLASSES, STILLS, make_index

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def run(count):
    folder = Path(sys.argv[1]) / str(count)
    folder.mkdir()
    config = replace(STILLS, inputs={"clip": FrameStream(height=96, width=96)})
    index = make_index(folder, count)
    found = gather_pictures(index, config, names={"expression": CLASSES}, faces="whole-frame", folder=folder).examples
    whole = replace(found, videos=("one",) * count)
    segments = segment_pictures(whole, whole.frames.squeeze(1).double().numpy(), 8)
    for inputs, targets in make_loader(segments, 4, Shuffled(len(segments), 0)):
        assert inputs["clip"].values.shape[1:] == (8, 3, 96, 96)
    return sum(path.stat().st_size for path in found.pictures.files) / 2**20

run(600)
before = peak()
size = run(6000)
print(size, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_memory_stays_constant(tmp_path: Path) -> None:
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = subprocess.run([sys.executable, "-c", CONSTANT, str(tmp_path)], check=True, capture_output=True, text=True)
    size, more = map(float, done.stdout.split())
    assert size > 155
    # what an index and its labels take, and nothing that grows with the pictures
    assert more < 40
