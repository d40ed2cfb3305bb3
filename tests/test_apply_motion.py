"""Motion front-ends on clips: the same as in a pipeline, and with a cache computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affectkit import (
    FrameDifferenceConfig,
    FrameStream,
    HeadCompensationConfig,
    MMCOFConfig,
    MotionConfig,
    MotionFrontEnd,
    MotionSpec,
    OpticalFlowConfig,
    Registry,
    Sequence,
    apply_motion,
    default_registry,
)
from affectkit.caching import measure_cache
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.motion.optical_flow_net import OpticalFlow
from affectkit.specs import lazy
from affectkit.streams import with_changes

STREAM = FrameStream(height=16, width=16, fps=50.0)
FLOW = (OpticalFlowConfig(magnitude=True), HeadCompensationConfig())


@dataclass(frozen=True, kw_only=True)
class HalfConfig(MotionConfig):
    """Half of the frames' values.

    Attributes:
        is_learned: whether the half is a weight.
    """

    is_learned: bool = False

    def output(self, stream: FrameStream) -> FrameStream:
        return with_changes(stream, unit="relative")


class Half(MotionFrontEnd[HalfConfig]):
    """Counts the clips that it sees, and the most at once."""

    seen = 0
    most = 0

    def __init__(self, config: HalfConfig, stream: FrameStream) -> None:
        super().__init__(config)
        if config.is_learned:
            self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, inputs: Sequence) -> Sequence:
        Half.seen += len(inputs.values)
        Half.most = max(Half.most, len(inputs.values))
        return inputs.with_values(inputs.values / 2)


def provided(version: str = "") -> Registry:
    spec = MotionSpec(name="half", config=HalfConfig, factory=lazy(f"{__name__}:Half"), summary="Half.")
    registry = default_registry().with_components(spec)
    if version:
        plugins = [replace(plugin, report=replace(plugin.report, version=version)) for plugin in registry._plugins]
        return Registry(plugins)
    return registry


REGISTRY = provided()


@pytest.fixture(autouse=True)
def _forget() -> None:
    Half.seen = Half.most = 0


def clips(batch: int = 2, steps: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(batch, steps, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def seen(frames: Any, folder: Path, **options: Any) -> int:
    """How many clips were computed."""
    before = Half.seen
    given: dict[str, Any] = {"registry": REGISTRY, "stream": STREAM, "motion": HalfConfig()} | options
    apply_motion(frames=frames, cache=folder, **given)
    return Half.seen - before


@pytest.mark.parametrize("cache", [False, True])
def test_the_maps_are_those_of_the_front_ends_in_order(tmp_path: Path, cache: bool) -> None:
    folder = tmp_path if cache else False
    given = Sequence.of(clips(), mask=torch.tensor([[True, True, True], [True, True, False]]), fps=10.0)
    flow = OpticalFlow(FLOW[0], STREAM)(given)
    alone = apply_motion(FLOW[0], given, STREAM, cache=folder)
    torch.testing.assert_close(alone, flow, rtol=1e-4, atol=1e-5)
    for _ in range(2):
        both = apply_motion(FLOW, given, STREAM, cache=folder)
        assert both.values.shape == (2, 3, 3, 16, 16)
        assert torch.equal(both.mask, given.mask)
        assert torch.equal(both.times, given.times)
        expected = apply_motion(FLOW[1:], flow, FLOW[0].output(STREAM))
        torch.testing.assert_close(both.values, expected.values, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "motion", [[MMCOFConfig()], [OpticalFlowConfig(pairs="phases"), HeadCompensationConfig(), MMCOFConfig()]]
)
def test_an_event_becomes_one_map(tmp_path: Path, motion: list[MotionConfig]) -> None:
    event = replace(STREAM, steps=("onset", "apex", "offset"))
    for _ in range(2):
        found = apply_motion(motion, clips(), event, cache=tmp_path)
        assert found.values.shape == (2, 1, 3, 16, 16)
        assert torch.equal(found.times, torch.full((2, 1), 0.02, dtype=torch.float64))


def test_the_second_time_nothing_is_computed(tmp_path: Path) -> None:
    assert [seen(clips(), tmp_path) for _ in range(3)] == [2, 0, 0]
    assert measure_cache(tmp_path).entries == 2
    # clips on their own, in another order, and as arrays
    assert seen(clips()[1], tmp_path) == 0
    assert seen(clips().flip(0).numpy(), tmp_path) == 0
    assert seen(torch.cat([clips(), clips(1, seed=1)]), tmp_path) == 1
    assert Half.seen == 3


def test_without_a_cache_it_is_computed_every_time() -> None:
    for _ in range(2):
        apply_motion(HalfConfig(), clips(), STREAM, registry=REGISTRY)
    assert Half.seen == 4


def test_of_many_clips_a_few_are_computed_at_a_time() -> None:
    many = clips(40)
    found = apply_motion(HalfConfig(), many, STREAM, registry=REGISTRY)
    assert torch.equal(found.values, many / 2)
    assert Half.seen == 40
    assert Half.most <= 16


def test_what_decides_the_result_decides_the_entry(tmp_path: Path) -> None:
    values = clips(1)
    assert seen(values, tmp_path) == 1
    darker = values.clone()
    darker[0, 2, 1, 7, 7] -= 1e-3
    assert seen(darker, tmp_path) == 1
    assert seen(values.double(), tmp_path) == 1
    assert seen(Sequence.of(values, fps=49.0), tmp_path) == 1
    assert seen(values, tmp_path, stream=replace(STREAM, alignment="steady")) == 1
    assert seen(values, tmp_path, motion=[HalfConfig(), HalfConfig()]) == 2
    assert seen(values, tmp_path, motion=[FrameDifferenceConfig(), HalfConfig()]) == 1
    assert seen(values, tmp_path, motion=[FrameDifferenceConfig(reference="first"), HalfConfig()]) == 1
    assert seen(values, tmp_path, registry=provided("1.2")) == 1
    assert seen(values, tmp_path) == 0


def test_what_padding_holds_does_not(tmp_path: Path) -> None:
    values, mask = clips(1), torch.tensor([[True, True, False]])
    assert seen(Sequence.of(values, mask=mask), tmp_path) == 1
    values[0, 2] = float("nan")
    assert seen(Sequence.of(values, mask=mask), tmp_path) == 0
    assert seen(Sequence.of(values.nan_to_num()), tmp_path) == 1


def test_a_stored_flow_is_read_without_building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = apply_motion(FLOW, clips(), STREAM, cache=tmp_path)

    def build(*args: object) -> None:
        raise AssertionError("built")

    monkeypatch.setattr("affectkit.motion.apply.build_stage", build)
    again = apply_motion(FLOW, clips(), STREAM, cache=str(tmp_path))
    for one, other in zip(first[:3], again[:3], strict=True):
        assert torch.equal(one, other)


def test_true_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path))
    apply_motion(FLOW, clips(), STREAM, cache=True)
    assert measure_cache().entries == 2
    assert measure_cache(tmp_path / "computed").entries == 2


def test_no_gradient_is_kept(tmp_path: Path) -> None:
    for cache in (False, tmp_path):
        assert not apply_motion(FLOW, clips().requires_grad_(), STREAM, cache=cache).values.requires_grad


def test_weights_are_refused(tmp_path: Path) -> None:
    for cache in (False, tmp_path):
        with pytest.raises(InputError) as caught:
            apply_motion([HalfConfig(), HalfConfig(is_learned=True)], clips(), STREAM, cache=cache, registry=REGISTRY)
        assert str(caught.value) == (
            "motion[1]: local/half has weights, which a config does not hold; "
            "put it into a pipeline, build that and load them"
        )
    assert measure_cache(tmp_path).entries == 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(StreamError) as stream:
        apply_motion([FLOW[0], FLOW[0]], clips(), STREAM)
    assert str(stream.value) == (
        "motion[1]: channels ('u', 'v', 'magnitude') are not accepted; accepts ('r', 'g', 'b'), ('gray',)"
    )
    with pytest.raises(ConfigError) as config:
        apply_motion([], clips(), STREAM)
    assert str(config.value) == "motion: no front-end; give at least one"
    for values, message in (
        (clips()[..., :9], "shape (2, 3, 3, 16, 9); the input 'frames' is (B, T, 3, 16, 16)"),
        (clips().byte(), "dtype torch.uint8; give floats (images as intensities in [0, 1])"),
        (clips()[:0], "shape (0, 3, 3, 16, 16) is empty; give one clip and step at the least"),
    ):
        with pytest.raises(InputError) as caught:
            apply_motion(FLOW, values, STREAM)
        assert str(caught.value) == f"batch.frames: {message}"
