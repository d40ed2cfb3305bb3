"""Score map `smooth`: means of probabilities and values by the clip's own times."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from affectkit import Branch, ExpressionConfig, FeatureStream, PipelineConfig, SmoothConfig, ValenceArousalConfig
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.interfaces import decode
from affectkit.maps.smooth_net import Smooth
from affectkit.ops.smoothing import smooth_steps_ref
from affectkit.sequences import Sequence
from affectkit.streams import PredictionStream, Problem

CONFIG = SmoothConfig(source="x", sigma=30.0, delta=2)


def stream(problem: Problem, bounds: tuple[float, float] | None = None) -> PredictionStream:
    return PredictionStream(problem=problem, resolution="frame", targets=("a", "b", "c"), bounds=bounds)


def scores() -> Sequence:
    make = torch.Generator().manual_seed(0)
    times = (0.04 * torch.randint(1, 9, (2, 12), generator=make).cumsum(dim=1)).double()
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, 7:] = False
    return Sequence(3 * torch.randn(2, 12, 3, generator=make), mask, times)


@pytest.mark.parametrize("problem", ["multiclass", "multilabel", "regression"])
def test_what_is_decoded_is_the_mean_of_what_was_decoded(problem: Problem) -> None:
    given = scores()
    found = decode(Smooth(CONFIG, stream(problem))(given).values, problem)
    before = decode(given.values, problem)
    wanted = smooth_steps_ref(before, given.times / 0.04, given.mask, sigma=30.0, delta=2)
    torch.testing.assert_close(found.double()[given.mask], wanted[given.mask], rtol=0, atol=1e-6)


def test_values_are_brought_within_their_bounds_first() -> None:
    given = Sequence.of(torch.tensor([[[9.0], [0.0]]]), fps=25.0)
    one = PredictionStream(problem="regression", resolution="frame", targets=("valence",), bounds=(-1.0, 1.0))
    found = Smooth(SmoothConfig(source="x", sigma=1e6), one)(given).values
    torch.testing.assert_close(found.flatten(), torch.tensor([0.5, 0.5]), rtol=0, atol=1e-5)


def test_certain_labels_stay_certain_to_their_last_digits() -> None:
    given = Sequence.of(torch.full((1, 4, 3), 30.0), fps=25.0)
    found = Smooth(CONFIG, stream("multilabel"))(given).values
    torch.testing.assert_close(found, given.values)


def test_longer_frames_are_nearer_to_each_other() -> None:
    given, near = scores(), SmoothConfig(source="x", sigma=30.0, delta=2, time_unit=0.4)
    rough = Smooth(CONFIG, stream("regression"))(given).values
    assert Smooth(near, stream("regression"))(given).values[0].std() < rough[0].std()


def test_in_a_pipeline_it_is_a_map_with_dials_that_does_not_stream() -> None:
    config = PipelineConfig(
        input=FeatureStream(dim=4),
        branches={"face": Branch()},
        heads={"expression": ExpressionConfig(), "va": ValenceArousalConfig()},
        maps={"steady": SmoothConfig(source="va"), "calm": SmoothConfig(source="expression", delta=50)},
    )
    torch.manual_seed(0)
    model = config.build().eval()
    features = torch.randn(1, 40, 4)
    found = model.predict(features)
    assert found["steady"][0].std(dim=0).max() < found["va"][0].std(dim=0).min()
    torch.testing.assert_close(found["calm"].sum(-1), torch.ones(1, 40))
    with model.dialed({"maps.steady.delta": 0}):
        torch.testing.assert_close(model.predict(features)["steady"], found["va"])
    with pytest.raises(InputError) as caught:
        model.stream()
    assert str(caught.value) == "maps.steady: affectkit/smooth can't stream; use a causal stage there"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sigma": 0.0}, "sigma: 0.0 is no spread; write more than 0 squared frames"),
        ({"delta": -1}, "delta: -1 neighbors; write 0 or more"),
        ({"time_unit": 0.0}, "time_unit: 0.0 is no duration; write more than 0 seconds"),
    ],
)
def test_settings_that_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SmoothConfig(source="x", **fields)
    assert str(caught.value) == message


def test_scores_of_clips_are_refused() -> None:
    with pytest.raises(StreamError) as caught:
        CONFIG.output(PredictionStream(problem="regression", resolution="clip", targets=("a",)))
    assert str(caught.value) == (
        "one score for a whole clip has no neighbors; leave the map out, or give the head resolution='frame'"
    )
