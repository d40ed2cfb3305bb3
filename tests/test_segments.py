"""`segment_examples`: what is joined with what, what is padded, and what is refused or counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectkit import InputError
from affectkit.records import FramesSource, Index, Labels, Sample, VideoSource
from affectkit.tracks.cutting import check_clock, segment_starts
from affectkit.tracks.reading import read_track
from affectkit.tracks.track import FeatureTrack
from affectkit.training import Examples
from affectkit.training.examples import join_examples, read_examples, write_examples
from affectkit.training.segments import FrameLabels, segment_examples


def track(video: str, frames: list[int], dim: int = 3, **changes: Any) -> FeatureTrack:
    numbers = np.array(frames, np.int64)
    values = np.stack([numbers + 1000.0 * i for i in range(dim)], axis=1).astype(np.float32)
    return FeatureTrack(**({"video": video, "frames": numbers, "times": numbers / 30, "values": values} | changes))


def classes(frames: list[int]) -> Labels:
    values = np.array(frames, np.int64) % 8
    return Labels(values, np.ones(len(frames), np.bool_))


def values(frames: list[int], wide: int = 2) -> Labels:
    numbers = np.array(frames, np.float32)[:, None] + np.arange(wide) / 10
    valid = np.ones(numbers.shape, np.bool_)
    # the mark of Aff-Wild2 for no label, in the last target of the first frame
    numbers[0, -1], valid[0, -1] = -5, False
    return Labels(numbers, valid)


LISTED = [1, 8, 17, 21, 30, 31, 40]


def made(length: int = 3, overlap: int = 0) -> Examples:
    tracks = {
        name: {"a": track("a", LISTED, dim), "b": track("b", [2, 4], dim)} for name, dim in (("face", 3), ("fau", 5))
    }
    labels = [
        FrameLabels(video="a", frames=np.array([40, 8, 9, 17]), targets={"expr": classes([40, 8, 9, 17])}),
        FrameLabels(video="b", frames=np.array([2, 4]), targets={"va": values([2, 4])}, subject="wild/eve"),
    ]
    return segment_examples(tracks, labels, length, overlap).examples


def test_labels_are_joined_by_frame_number() -> None:
    found = made()
    assert found.frames is not None
    assert found.videos == ("a", "a", "a", "b")
    assert found.frames.tolist() == [[1, 8, 17], [21, 30, 31], [40, 0, 0], [2, 4, 0]]
    assert found.keys == ("a:1", "a:21", "a:40", "b:2")
    assert found.subjects == ("a", "a", "a", "wild/eve")
    expr, va = found.targets["expr"], found.targets["va"]
    assert expr.values.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert expr.valid.tolist() == [[False, True, True], [False] * 3, [True, False, False], [False] * 3]
    assert expr.values.dtype == torch.int64
    assert va.values[3].tolist() == [[2.0, 0.0], [4.0, pytest.approx(4.1)], [0.0, 0.0]]
    assert va.valid[3].tolist() == [[True, False], [True, True], [False, False]]
    assert not va.valid[:3].any()


def test_features_are_padded_with_the_mask_and_their_times_go_along() -> None:
    found = made()
    for name, dim in (("face", 3), ("fau", 5)):
        one = found.inputs[name]
        assert one.values.shape == (4, 3, dim)
        assert one.mask.tolist() == [[True] * 3, [True] * 3, [True, False, False], [True, True, False]]
        assert found.frames is not None
        assert torch.equal(one.values[..., 0], found.frames.float())
    times = found.inputs["face"].times
    assert times.dtype == torch.float64
    assert torch.allclose(times * 30, torch.tensor([[1, 8, 17], [21, 30, 31], [40, 40, 40], [2, 4, 4]]).double())


@pytest.mark.parametrize(("length", "overlap"), [(3, 0), (3, 1), (3, 2), (4, 3), (7, 0), (9, 5), (1, 0)])
@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8])
def test_segments_cover_every_frame_and_none_is_for_nothing(count: int, length: int, overlap: int) -> None:
    covered: set[int] = set()
    for begin in segment_starts(count, length, overlap):
        added = set(range(begin, min(begin + length, count))) - covered
        assert added
        covered |= added
    assert covered == set(range(count))


def test_overlapping_segments_hold_the_same_frames_twice() -> None:
    found = made(4, 2)
    assert found.frames is not None
    assert found.frames[:3].tolist() == [[1, 8, 17, 21], [17, 21, 30, 31], [30, 31, 40, 0]]


def sample(key: str, source: Any, **targets: Labels) -> Sample:
    return Sample(dataset="wild", subject=f"wild/{key}", key=key, source=source, targets=targets)


def test_an_index_says_the_frames_by_its_listed_pictures() -> None:
    pictures = FramesSource(frames=tuple((number, Path(f"{number:05}.jpg")) for number in (1, 8, 9)))
    index = Index(samples=(sample("a", pictures, expr=classes([1, 8, 9])),))
    found = segment_examples({"face": {"a": track("a", LISTED)}}, index, 4)
    assert found.examples.subjects == ("wild/a", "wild/a")
    assert found.examples.datasets == ("wild", "wild")
    assert found.examples.targets["expr"].valid.sum() == 2
    assert [str(issue) for issue in found.issues] == ["wild/a: 1 of 3 labeled frames have no features"]


def test_rows_of_listed_frames_that_lost_their_numbers_are_refused(tmp_path: Path) -> None:
    labels = [FrameLabels(video="a", frames=np.array([1, 3, 9]), targets={"expr": classes([1, 3, 9])})]
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((3, 2), np.float32))
    with pytest.raises(InputError) as caught:
        segment_examples({"face": {"a": read_track(path, fps=30)}}, labels, 4)
    fact = "frames 1 to 3, as many rows as a has labeled frames, which go to 9"
    hint = "give each row the number of its frame, as 'frames' beside 'values' in .npz"
    assert str(caught.value) == f"{path}: {fact}; {hint}"
    with pytest.raises(InputError) as caught:
        segment_examples({"face": {"a": track("a", [1, 2, 3])}}, labels, 4)
    assert str(caught.value) == f"a: {fact}; {hint}"
    # more rows than labels are frames of the video, of which some are labeled
    found = segment_examples({"face": {"a": track("a", [1, 2, 3, 4])}}, labels, 4)
    assert [str(issue) for issue in found.issues] == ["a: 1 of 3 labeled frames have no features"]
    right = segment_examples({"face": {"a": read_track(path, fps=30, frames=[1, 3, 9])}}, labels, 4)
    assert not right.issues


def test_videos_that_teach_nothing_are_counted_by_name() -> None:
    silent = Labels(np.full(2, -1), np.zeros(2, np.bool_))
    labels = [
        FrameLabels(video="a", frames=np.array([1, 8]), targets={"expr": classes([1, 8])}),
        FrameLabels(video="b", frames=np.array([2, 4]), targets={"expr": silent}),
        FrameLabels(video="c", frames=np.array([2, 4]), targets={"expr": classes([2, 4])}),
        FrameLabels(video="d", frames=np.array([5, 6]), targets={"expr": classes([5, 6])}),
    ]
    tracks = {"face": {name: track(name, [1, 2, 4, 8]) for name in "abd"}}
    found = segment_examples(tracks, labels, 4)
    assert found.examples.videos == ("a",)
    assert [(issue.level, str(issue)) for issue in found.issues] == [
        ("error", "b: not a single valid label of a frame with features; it is no example"),
        ("error", "c: no features of 'face'; it is no example"),
        ("warning", "d: 2 of 2 labeled frames have no features"),
        ("error", "d: not a single valid label of a frame with features; it is no example"),
    ]


def test_segments_are_kept_on_the_disk_and_joined(tmp_path: Path) -> None:
    found = made()
    write_examples(found, tmp_path / "segments.safetensors")
    again = read_examples(tmp_path / "segments.safetensors")
    assert again.digest() == found.digest()
    assert again.videos == found.videos
    part = again.take([3, 0])
    assert part.videos == ("b", "a")
    assert part.frames is not None
    both = join_examples([part, found.take([1, 2])])
    assert both.videos == ("b", "a", "a", "a")
    assert both.frames is not None
    assert both.frames[:, 0].tolist() == [2, 1, 21, 40]
    assert part.digest() != found.digest()


def test_the_encoder_of_features(tmp_path: Path) -> None:
    def given(*encoders: str) -> dict[str, dict[str, FeatureTrack]]:
        videos = zip("ab", encoders, strict=False)
        return {"face": {video: replace(track(video, [1, 2, 4, 8]), encoder=one) for video, one in videos}}

    labels = [FrameLabels(video=video, frames=np.array([1, 4]), targets={"expr": classes([5, 6])}) for video in "ab"]
    found = segment_examples(given("x", "x"), labels, 4).examples
    assert found.encoders == {"face": "x"}
    # of which it is, the values tell all
    assert found.digest() == segment_examples(given("", ""), labels, 4).examples.digest()
    write_examples(found, tmp_path / "segments.safetensors")
    assert read_examples(tmp_path / "segments.safetensors").encoders == {"face": "x"}
    for one in (("x", ""), ("", "")):
        assert segment_examples(given(*one), labels, 4).examples.encoders == {}
    mixed = "examples: features of 'face' were computed by several encoders, 'x', 'y'; compute all of them by one"
    refused(mixed, lambda: segment_examples(given("y", "x"), labels, 4))
    alone = [segment_examples(given(one), labels[:1], 4).examples for one in ("x", "y", "")]
    second = replace(alone[0], keys=("b:1",), videos=("b",))
    assert join_examples([alone[0], second]).encoders == {"face": "x"}
    refused(mixed, lambda: join_examples([alone[1], second]))
    assert join_examples([alone[2], second]).encoders == {}


def test_a_hash_copies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made()
    expected = found.digest()

    def refuse(*arguments: object) -> None:
        raise AssertionError("a copy of all examples")

    monkeypatch.setattr(torch.Tensor, "clone", refuse)
    assert found.digest() == expected


def refused(message: str, call: Any) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == message


def test_what_does_not_fit_is_refused() -> None:
    one = {"face": {"a": track("a", LISTED)}}
    labels = [FrameLabels(video="a", frames=np.array([1, 8]), targets={"expr": classes([1, 8])})]
    fit = "give 0 <= overlap < length"
    refused(f"segments: length 0, overlap 0; {fit}", lambda: segment_examples(one, labels, 0))
    refused(f"segments: length 4, overlap 4; {fit}", lambda: segment_examples(one, labels, 4, 4))
    refused("segments: no features; give tracks by input name and video", lambda: segment_examples({}, labels))
    refused("segments: none of 0 videos can be used", lambda: segment_examples(one, []))
    refused(
        "segments: none of 1 videos can be used: a: no features of 'face'; it is no example",
        lambda: segment_examples({"face": {}}, labels),
    )
    refused(
        "labels of 'expr': a class per frame in a, 2 values in b; give all videos the same targets",
        lambda: segment_examples(
            one, [*labels, FrameLabels(video="b", frames=np.array([1]), targets={"expr": values([1])})]
        ),
    )
    film = Index(samples=(sample("a", VideoSource(path=Path("a.mp4")), expr=classes([1])),))
    refused(
        "wild/a: VideoSource says no frame numbers; labels are joined by them, give a FramesSource",
        lambda: segment_examples(one, film),
    )
    wide = {"face": {"a": track("a", LISTED), "b": track("b", LISTED, 4)}}
    refused(
        "tracks of 'face': 3 features per frame in a, 4 in b; give features of one extractor",
        lambda: segment_examples(
            wide, [*labels, FrameLabels(video="b", frames=np.array([1]), targets={"expr": classes([1])})]
        ),
    )


def test_labels_of_other_lengths_are_refused() -> None:
    refused(
        "a: expr: values (2,), valid (2,) for 3 frames; give both as (T,) classes or (T, K) values",
        lambda: FrameLabels(video="a", frames=np.array([1, 2, 3]), targets={"expr": classes([1, 8])}),
    )
    refused(
        "a: frame 2 is labeled 2 times; keep one of each",
        lambda: FrameLabels(video="a", frames=np.array([1, 2, 2]), targets={}),
    )


def test_values_are_no_classes() -> None:
    found = Labels(np.linspace(-0.9, 0.9, 10, dtype=np.float32), np.ones(10, np.bool_))
    refused(
        "a: valence: float32 (10,); give classes as whole numbers, or values as (T, 1)",
        lambda: FrameLabels(video="a", frames=np.arange(10), targets={"valence": found}),
    )


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"dataset": "B"}, "'A/1 of subject 1', 'B/1 of subject 1'"),
        ({"dataset": "A", "subject": "eve"}, "'A/1 of subject 1', 'A/1 of subject eve'"),
        ({"dataset": "A"}, "'A/1 of subject 1', 'A/1 of subject 1'"),
    ],
)
def test_a_video_that_is_labeled_twice_is_refused(other: dict[str, str], named: str) -> None:
    def one(**given: str) -> FrameLabels:
        return FrameLabels(video="1", frames=np.array([1, 8]), targets={"expr": classes([1, 8])}, **given)

    refused(
        f"1: is labeled twice, as {named}; join the targets of one video, and call two by two names",
        lambda: segment_examples({"face": {"1": track("1", LISTED)}}, [one(dataset="A"), one(**other)], 4),
    )


def test_a_dataset_that_is_not_given_stays_empty() -> None:
    labels = [
        FrameLabels(video=video, frames=np.array([1, 8]), targets={"expr": classes([1, 8])}, dataset=dataset)
        for video, dataset in (("trial/12", ""), ("x", "made"))
    ]
    found = segment_examples({"face": {name: track(name, [1, 8]) for name in ("trial/12", "x")}}, labels, 4).examples
    assert found.datasets == ("", "made")
    assert found.subjects == ("trial/12", "made/x")


def test_tracks_of_one_video_are_on_one_clock() -> None:
    first = track("a", LISTED)
    refused("tracks: none; give one per input", lambda: check_clock({}))
    refused(
        "a: 'face' has 7 frames and 'fau' 6, frame 40 is in one alone; "
        "bring them to the same frames, as align_tracks of affectkit.tracks.aligning does",
        lambda: check_clock({"face": first, "fau": track("a", LISTED[:-1])}),
    )
    later = track("a", LISTED, times=np.array(LISTED) / 30 + np.array([0, 0, 0, 0, 0.5, 0.5, 1.0]))
    refused(
        "a: frame 40 is at 1.3333 s in 'face', 2.3333 s in 'fau'; bring them to one clock",
        lambda: check_clock({"face": first, "fau": later}),
    )
    assert check_clock({"face": first, "fau": track("a", LISTED, 5)}) is first


def test_times_of_half_the_digits_are_the_same_times() -> None:
    frames = list(range(1, 20001))
    exact = track("a", frames, 1)
    rounded = track("a", frames, 1, times=exact.times.astype(np.float32).astype(np.float64))
    assert check_clock({"face": exact, "fau": rounded}) is exact
    later = track("a", frames, 1, times=exact.times + np.array([*[0.0] * 19999, 0.0015]))
    refused(
        "a: frame 20000 is at 666.6667 s in 'face', 666.6682 s in 'fau'; bring them to one clock",
        lambda: check_clock({"face": exact, "fau": later}),
    )


def test_videos_and_frames_go_together() -> None:
    found = made()
    refused(
        "examples: videos go with frames; give both for segments of videos, or neither",
        lambda: Examples(inputs=found.inputs, targets=found.targets, subjects=found.subjects, videos=found.videos),
    )
    clips = Examples(inputs=found.inputs, targets=found.targets, subjects=found.subjects, keys=found.keys)
    refused(
        "examples: one set is of segments of videos, another of clips; give sets of one kind",
        lambda: join_examples([found, clips]),
    )
