"""`predict_track`: equal to a plain twin, whatever the batch size, in constant memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    Branch,
    ExpressionConfig,
    FeatureStream,
    InputError,
    MicroExpressionConfig,
    PipelineConfig,
    TransformerConfig,
    ValenceArousalConfig,
)
from affectkit.model import Model
from affectkit.sequences import Sequence
from affectkit.tracks.predicting import predict_track
from affectkit.tracks.track import FeatureTrack

WIDTHS = {"face": 6, "fau": 4}


def make_model(clip: bool = False) -> Model:
    config = PipelineConfig(
        inputs={name: FeatureStream(dim=dim) for name, dim in WIDTHS.items()},
        branches={name: Branch(source=name) for name in WIDTHS},
        fusion=AffineFusionConfig(dim=8, positions="time"),
        temporal=TransformerConfig(depth=2, heads=2, positions="none"),
        heads={"micro": MicroExpressionConfig()}
        if clip
        else {"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
    )
    torch.manual_seed(0)
    return config.build()


def make_tracks(count: int) -> dict[str, FeatureTrack]:
    rng = np.random.default_rng(0)
    frames = np.cumsum(rng.integers(1, 9, count))
    return {
        name: FeatureTrack(
            video="a", frames=frames, times=frames / 30, values=rng.normal(size=(count, dim)).astype(np.float32)
        )
        for name, dim in WIDTHS.items()
    }


def joined(
    model: Model, tracks: dict[str, FeatureTrack], segment: int, overlap: int, batch_size: int
) -> dict[str, NDArray[np.float64]]:
    parts = list(predict_track(model, tracks, segment=segment, overlap=overlap, batch_size=batch_size))
    clock = tracks["face"]
    assert np.array_equal(np.concatenate([part.frames for part in parts]), clock.frames)
    assert np.array_equal(np.concatenate([part.times for part in parts]), clock.times)
    return {name: np.concatenate([part.scores[name] for part in parts]) for name in model.traced.outputs}


def twin(model: Model, tracks: dict[str, FeatureTrack], segment: int, overlap: int) -> dict[str, NDArray[np.float64]]:
    """Slow: each segment alone; then for every frame the list of what the segments say of it, and its mean."""
    count = len(tracks["face"])
    said: dict[str, list[list[NDArray[np.float64]]]] = {
        name: [[] for _ in range(count)] for name in model.traced.outputs
    }
    begin = 0
    while True:
        steps = range(begin, min(begin + segment, count))
        batch = {
            name: Sequence.of(
                torch.from_numpy(track.values[steps.start : steps.stop])[None],
                times=torch.from_numpy(track.times[steps.start : steps.stop])[None],
            )
            for name, track in tracks.items()
        }
        for name, scores in model.predict(batch).items():
            for step in steps:
                one = scores[0] if scores.ndim == 2 else scores[0, step - begin]
                said[name][step].append(one.double().numpy())
        if steps.stop == count:
            return {name: np.stack([np.mean(one, axis=0) for one in each]) for name, each in said.items()}
        begin += segment - overlap


@pytest.mark.parametrize(("segment", "overlap"), [(10, 5), (10, 0), (10, 7), (64, 32), (1, 0)])
@pytest.mark.parametrize("count", [1, 10, 47])
def test_equal_to_the_plain_twin_for_any_batch_size(count: int, segment: int, overlap: int) -> None:
    model, tracks = make_model(), make_tracks(count)
    expected = twin(model, tracks, segment, overlap)
    for batch_size in (1, 2, 3, 100):
        found = joined(model, tracks, segment, overlap, batch_size)
        for name, scores in expected.items():
            assert np.abs(found[name] - scores).max() <= 1e-5


def test_scores_are_decoded() -> None:
    found = joined(make_model(), make_tracks(30), 10, 5, 2)
    assert np.allclose(found["expr"].sum(axis=1), 1)
    assert np.abs(found["va"]).max() <= 1
    assert found["au"].min() >= 0
    assert found["au"].shape == (30, 12)


def test_scores_of_clips_hold_for_their_frames() -> None:
    model, tracks = make_model(clip=True), make_tracks(23)
    found, expected = joined(model, tracks, 10, 5, 2), twin(model, tracks, 10, 5)
    assert np.abs(found["micro"] - expected["micro"]).max() <= 1e-5


def test_memory_does_not_grow_with_the_video() -> None:
    model = make_model()

    def peak(count: int) -> int:
        tracks = make_tracks(count)
        tracemalloc.start()
        for part in predict_track(model, tracks, segment=20, overlap=10, batch_size=2):
            assert len(part) <= 60
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(40)
    # the check of the clock looks at whole columns of frame numbers and times: bytes per frame, not features
    assert peak(8000) - peak(400) < 8000 * 60


def test_features_of_another_encoder_are_refused() -> None:
    model, tracks = make_model(), make_tracks(3)
    model.encoders = {"face": "ab" * 32}
    # of one of the two nothing is known
    assert len(list(predict_track(model, tracks, segment=3, overlap=0))) == 1
    tracks["face"] = replace(tracks["face"], encoder="ab" * 32)
    tracks["fau"] = replace(tracks["fau"], encoder="ef" * 32)
    assert len(list(predict_track(model, tracks, segment=3, overlap=0))) == 1
    tracks["face"] = replace(tracks["face"], encoder="cd" * 32)
    with pytest.raises(InputError) as caught:
        predict_track(model, tracks, segment=3, overlap=0)
    fact = "features 'face' are of encoder cdcdcdcdcdcd, and the model learned from those of abababababab"
    assert str(caught.value) == f"video a: {fact}; compute them by that one"


def test_the_model_stays_as_it_is() -> None:
    model = make_model().train()
    list(predict_track(model, make_tracks(5)))
    assert model.training


def test_a_track_without_frames_has_no_scores() -> None:
    assert list(predict_track(make_model(), make_tracks(0))) == []


def test_what_does_not_fit_is_refused_at_once() -> None:
    model, tracks = make_model(), make_tracks(5)
    for fields, message in (
        ({"segment": 0}, "segments: length 0, overlap 125; give 0 <= overlap < length"),
        ({"overlap": 250}, "segments: length 250, overlap 250; give 0 <= overlap < length"),
        ({"batch_size": 0}, "batch_size: 0 is too few; give 1 or more"),
    ):
        with pytest.raises(InputError) as caught:
            predict_track(model, tracks, **fields)
        assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        list(predict_track(model, {"face": tracks["face"]}))
    assert str(caught.value) == "batch: no 'fau'; inputs: 'face', 'fau'"
