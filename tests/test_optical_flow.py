"""Optical flow as a component: pairs, phases, strain, padding, streaming, accuracy, and what it refuses."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from affectkit.errors import ConfigError, InputError, MissingDependencyError, StreamError
from affectkit.motion.flow_maps_net import flow_maps, magnitude, optical_strain
from affectkit.motion.optical_flow import SPEC, OpticalFlowConfig
from affectkit.motion.optical_flow_net import OpticalFlow
from affectkit.ops.clg import clg
from affectkit.ops.lucas_kanade import lucas_kanade
from affectkit.ops.rigid_flow import rigid_flow
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream
from tests.test_lucas_kanade import endpoint_error, warped_pair

SIZE = 24
RGB = FrameStream(height=SIZE, width=SIZE)
GRAY = FrameStream(channels=("gray",), height=SIZE, width=SIZE)
KEYFRAMES = FrameStream(height=SIZE, width=SIZE, steps=("onset", "apex", "offset"))
Method = Literal["lucas-kanade", "combined-local-global", "tv-l1", "dual-tv-l1", "farneback"]
METHODS: list[Method] = ["lucas-kanade", "combined-local-global", "tv-l1", "dual-tv-l1", "farneback"]


def clip(batch: int = 2, steps: int = 4, channels: int = 3) -> Tensor:
    """A random texture that moves, so that there is flow in every step."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(batch, 1, channels, SIZE + 2 * steps, SIZE + 2 * steps, generator=generator)
    values = torch.nn.functional.avg_pool3d(values, (1, 5, 5), stride=1, padding=(0, 2, 2))
    return torch.cat([values[..., t : t + SIZE, 2 * t : 2 * t + SIZE] for t in range(steps)], dim=1).contiguous()


def flow(stream: FrameStream = RGB, **options: object) -> OpticalFlow:
    return OpticalFlow(OpticalFlowConfig(**options), stream)  # type: ignore[arg-type]


def test_the_output_is_a_displacement_in_pixels() -> None:
    assert OpticalFlowConfig().output(RGB) == FrameStream(channels=("u", "v"), unit="pixel", height=SIZE, width=SIZE)
    assert OpticalFlowConfig(strain=True).output(GRAY).channels == ("u", "v", "strain")
    assert OpticalFlowConfig(magnitude=True).output(GRAY).channels == ("u", "v", "magnitude")
    both = OpticalFlowConfig(strain=True, magnitude=True).output(GRAY)
    assert (both.channels, both.unit) == (("u", "v", "strain", "magnitude"), "pixel")
    assert OpticalFlowConfig(pairs="first").output(KEYFRAMES).steps == ("onset", "apex", "offset")
    assert OpticalFlowConfig(pairs="phases").output(KEYFRAMES).steps == ("contraction", "relaxation")


def test_it_is_a_frozen_front_end_that_needs_two_frames() -> None:
    assert OpticalFlowConfig.context == 2
    assert OpticalFlowConfig().is_frozen
    assert SPEC.name == "optical-flow"
    assert isinstance(SPEC.factory(OpticalFlowConfig(), RGB), OpticalFlow)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("largest", [0.25, 1.0])
def test_sub_pixel_motion_is_found(method: Method, largest: float) -> None:
    a, b, truth = warped_pair(64, largest)
    module = flow(FrameStream(channels=("gray",), height=64, width=64), method=method)
    found = module(Sequence.of(torch.stack([a, b], dim=1).unsqueeze(2))).values[0, 1]
    assert endpoint_error(found, truth[0]) < 0.5 * endpoint_error(torch.zeros_like(truth[0]), truth[0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pairs", ["previous", "first", "phases"])
def test_a_still_clip_has_exactly_no_flow(method: Method, pairs: str) -> None:
    still = clip(steps=1).expand(-1, 3, -1, -1, -1)
    output = flow(KEYFRAMES, method=method, pairs=pairs, strain=True)(Sequence.of(still)).values
    assert torch.equal(output, torch.zeros(2, 2 if pairs == "phases" else 3, 3, SIZE, SIZE))


def test_previous_compares_with_the_frame_before_and_first_with_the_first() -> None:
    values = clip(channels=1)
    sequence = Sequence.of(values)
    gray = values[:, :, 0]
    previous, first = flow(GRAY)(sequence), flow(GRAY, pairs="first")(sequence)
    assert not previous.values[:, 0].any()
    assert not first.values[:, 0].any()
    torch.testing.assert_close(previous.values[:, 3], lucas_kanade(gray[:, 2], gray[:, 3]))
    torch.testing.assert_close(first.values[:, 3], lucas_kanade(gray[:, 0], gray[:, 3]))
    for output in (previous, first):
        assert torch.equal(output.mask, sequence.mask)
        assert torch.equal(output.times, sequence.times)


def test_phases_are_contraction_and_relaxation() -> None:
    values = clip(steps=3, channels=1)
    times = torch.tensor([[0.0, 0.12, 0.31], [1.0, 1.2, 1.5]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    stream = FrameStream(channels=("gray",), height=SIZE, width=SIZE, steps=("onset", "apex", "offset"))
    output = flow(stream, pairs="phases")(Sequence.of(values, mask=mask, times=times))
    assert output.values.shape == (2, 2, 2, SIZE, SIZE)
    assert torch.equal(output.mask, torch.tensor([[True, True], [True, False]]))
    assert torch.equal(output.times, times[:, 1:])
    torch.testing.assert_close(output.values[0, 0], lucas_kanade(values[:1, 0, 0], values[:1, 1, 0])[0])
    torch.testing.assert_close(output.values[0, 1], lucas_kanade(values[:1, 1, 0], values[:1, 2, 0])[0])
    assert not output.values[1, 1].any()


def test_color_is_weighed_as_luma() -> None:
    values = clip()
    weights = torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)
    gray = (values * weights).sum(dim=2, keepdim=True)
    torch.testing.assert_close(
        flow()(Sequence.of(values)).values, flow(GRAY)(Sequence.of(gray)).values, rtol=1e-3, atol=1e-4
    )


def test_the_window_reaches_the_method() -> None:
    values = clip(channels=1, steps=2)
    found = flow(GRAY, window=2.5)(Sequence.of(values)).values[:, 1]
    torch.testing.assert_close(found, lucas_kanade(values[:, 0, 0], values[:, 1, 0], window=2.5))
    for window in (None, 2.5):
        module = flow(GRAY, method="combined-local-global", window=window)
        expected = clg(values[:, 0, 0], values[:, 1, 0], window=window or 3.0)
        torch.testing.assert_close(module(Sequence.of(values)).values[:, 1], expected)


@pytest.mark.parametrize("method", METHODS)
def test_padding_never_shows(method: Method) -> None:
    values = clip(steps=5)
    mask = torch.tensor([[True, True, True, False, False], [False, False, True, True, True]])
    values[~mask] = float("nan")
    output = flow(method=method)(Sequence.of(values, mask=mask))
    assert torch.equal(output.mask, mask)
    assert not output.values[~mask].any()
    assert not output.values[1, 2].any()  # its neighbor is padding
    alone = flow(method=method)(Sequence.of(values[1:, 2:])).values
    torch.testing.assert_close(output.values[1:, 2:], alone)


def test_first_means_the_first_real_frame() -> None:
    values = clip(batch=1, channels=1)
    mask = torch.tensor([[False, True, False, True]])
    values[~mask] = float("nan")
    output = flow(GRAY, pairs="first")(Sequence.of(values, mask=mask)).values
    assert not output[0, :3].any()
    torch.testing.assert_close(output[:, 3], lucas_kanade(values[:, 1, 0], values[:, 3, 0]))


def test_clips_that_are_all_padding_and_single_frames_work() -> None:
    values = clip(steps=2)
    empty = Sequence.of(values * float("nan"), mask=torch.zeros(2, 2, dtype=torch.bool))
    assert torch.equal(flow()(empty).values, torch.zeros(2, 2, 2, SIZE, SIZE))
    assert torch.equal(flow()(Sequence.of(values[:, :1])).values, torch.zeros(2, 1, 2, SIZE, SIZE))


@pytest.mark.parametrize("pairs", ["previous", "first"])
@pytest.mark.parametrize("strain", [False, True])
def test_steps_equal_the_whole(pairs: str, strain: bool) -> None:
    mask = torch.tensor([[False, True, True, True], [True, True, False, True]])
    sequence = Sequence.of(clip(), mask=mask)
    module = flow(pairs=pairs, strain=strain, magnitude=not strain)
    assert module.can_stream
    whole, state = module(sequence).values, module.initial_state(2)
    for t in range(4):
        output, state = module.step(sequence.step(t), state)
        torch.testing.assert_close(output.values, whole[:, t : t + 1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["lucas-kanade", "combined-local-global"])
def test_gradients_reach_the_frames_through_flow_and_strain(method: Method) -> None:
    values = clip(steps=3).requires_grad_()
    mask = torch.tensor([[True, True, False], [True, True, True]])
    flow(method=method, strain=True, magnitude=True)(Sequence.of(values, mask=mask)).values.square().sum().backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert values.grad[1].abs().sum(dim=(1, 2, 3)).gt(0).all()
    assert not values.grad[0, 2].any()


@pytest.mark.parametrize("method", ["tv-l1", "dual-tv-l1", "farneback"])
def test_other_methods_pass_no_gradient(method: Method) -> None:
    values = clip(steps=2).requires_grad_()
    assert not flow(method=method)(Sequence.of(values)).values.requires_grad


def test_bfloat16_frames_and_autocast_work() -> None:
    values = clip(steps=2)
    exact = flow()(Sequence.of(values)).values
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(flow()(Sequence.of(values)).values, exact)
    half = flow()(Sequence.of(values.bfloat16())).values
    assert half.dtype == torch.bfloat16
    # only what goes in and what comes out is rounded
    assert torch.equal(half, flow()(Sequence.of(values.bfloat16().float())).values.bfloat16())


def test_the_input_is_not_changed() -> None:
    values = clip()
    before = values.clone()
    for method in METHODS:
        flow(method=method)(Sequence.of(values))
    assert torch.equal(values, before)


def test_a_head_that_moves_can_be_at_rest() -> None:
    moving = Sequence.of(clip(steps=3))
    kept, still = (flow(KEYFRAMES, pairs="phases", rigid=rigid)(moving).values for rigid in ("keep", "subtract"))
    assert kept.median().abs() > 0.5
    torch.testing.assert_close(still, torch.stack([flows - rigid_flow(flows, "similarity") for flows in kept]))
    assert still.abs().median() < kept.abs().median()


def test_strain_is_that_of_the_formula() -> None:
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    sheared = torch.stack([0.3 * x + 0.1 * y, 0.2 * x - 0.4 * y])[None]
    strain = optical_strain(sheared)
    expected = (0.3**2 + 0.4**2 + 0.5 * (0.1 + 0.2) ** 2) ** 0.5
    torch.testing.assert_close(strain[..., :-1, :-1], torch.full((1, 1, 5, 6), expected))
    assert strain.shape == (1, 1, 6, 7)


def test_the_maps_of_a_flow_come_in_the_order_of_their_names() -> None:
    found = clip(channels=2)[0]
    maps = flow_maps(found, ("u", "v", "strain", "magnitude"))
    assert torch.equal(maps[:, :2], found)
    assert torch.equal(maps[:, 2:3], optical_strain(found))
    torch.testing.assert_close(maps[:, 3], torch.hypot(found[:, 0], found[:, 1]))
    assert torch.equal(flow_maps(found, ("u", "v", "magnitude")), maps[:, [0, 1, 3]])


def test_the_slope_of_a_length_is_zero_where_nothing_moves() -> None:
    still = torch.zeros(1, 2, 3, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(magnitude(still).sum() + optical_strain(still).sum(), still)
    assert not slope.any()


@pytest.mark.parametrize("method", METHODS)
def test_black_frames_give_zeros(method: Method) -> None:
    black = Sequence.of(torch.zeros(2, 3, 3, SIZE, SIZE))
    found = flow(KEYFRAMES, method=method, strain=True, magnitude=True)(black).values
    assert torch.equal(found, torch.zeros(2, 3, 4, SIZE, SIZE))


@pytest.mark.parametrize("pairs", ["previous", "first", "phases"])
@pytest.mark.parametrize(("bad", "shown"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_what_is_not_finite_is_refused(pairs: str, bad: float, shown: str) -> None:
    values = clip(batch=3, steps=3)
    values[1, 2, 0, 4, 5] = bad
    with pytest.raises(InputError) as caught:
        flow(KEYFRAMES, pairs=pairs)(Sequence.of(values))
    assert str(caught.value) == (
        f"optical-flow: {shown} in item 1 of the batch, frame 2; "
        "give finite values, or mask False for what is no real frame"
    )


def test_a_rotation_has_no_strain_to_first_order() -> None:
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")
    torch.testing.assert_close(optical_strain(torch.stack([-y, x])[None])[..., :-1, :-1], torch.zeros(1, 1, 5, 5))


def test_strain_of_no_flow_has_a_finite_gradient() -> None:
    still = torch.zeros(1, 2, 5, 5, requires_grad=True)
    optical_strain(still).sum().backward()  # type: ignore[no-untyped-call]
    assert still.grad is not None
    assert torch.equal(still.grad, torch.zeros(1, 2, 5, 5))


def test_onset_and_apex_alone_are_the_contraction() -> None:
    pair = replace(KEYFRAMES, steps=("onset", "apex"))
    assert OpticalFlowConfig(pairs="phases").output(pair).steps == ("contraction",)
    values = clip(steps=3)
    both = flow(KEYFRAMES, pairs="phases")(Sequence.of(values))
    one = flow(pair, pairs="phases")(Sequence.of(values[:, :2]))
    torch.testing.assert_close(one.values, both.values[:, :1])
    with pytest.raises(InputError) as caught:
        flow(pair, pairs="phases")(Sequence.of(values))
    assert str(caught.value) == "optical-flow: 3 frames; pairs='phases' needs 2: onset and apex"


def test_phases_need_three_frames() -> None:
    with pytest.raises(InputError) as caught:
        flow(KEYFRAMES, pairs="phases")(Sequence.of(clip(steps=2)))
    assert str(caught.value) == "optical-flow: 2 frames; pairs='phases' needs 3: onset, apex and offset"


def test_phases_can_not_stream() -> None:
    module = flow(KEYFRAMES, pairs="phases")
    assert not module.can_stream
    with pytest.raises(InputError) as caught:
        module.step(Sequence.of(clip(steps=1)), None)
    assert str(caught.value) == "optical-flow: pairs='phases' can't stream; use pairs='previous' or 'first'"


def test_phases_need_the_steps_by_name() -> None:
    with pytest.raises(StreamError) as caught:
        OpticalFlowConfig(pairs="phases").output(RGB)
    assert str(caught.value) == "steps () are not accepted; accepts ('onset', 'apex', 'offset'), ('onset', 'apex')"


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(StreamError) as caught:
        OpticalFlowConfig().output(FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8))
    assert str(caught.value) == "channels ('u', 'v') are not accepted; accepts ('r', 'g', 'b'), ('gray',)"
    with pytest.raises(StreamError) as caught:
        OpticalFlowConfig().output(FrameStream(unit="relative", height=8, width=8))
    assert str(caught.value) == "unit 'relative' is not accepted; accepts 'intensity'"


def test_dis_is_not_offered() -> None:
    with pytest.raises(ConfigError) as caught:
        OpticalFlowConfig(method="dis")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "method: 'dis' is not accepted; values: 'lucas-kanade', 'combined-local-global', 'tv-l1', 'dual-tv-l1', "
        "'farneback' (OpticalFlowConfig)"
    )


def test_a_window_belongs_to_methods_that_have_one_and_is_positive() -> None:
    with pytest.raises(ConfigError) as caught:
        OpticalFlowConfig(method="farneback", window=4.0)
    assert str(caught.value) == (
        "window: 4.0 with method 'farneback', which has no window; "
        "leave it out, or use method='lucas-kanade' or 'combined-local-global'"
    )
    with pytest.raises(ConfigError) as caught:
        OpticalFlowConfig(window=0.0)
    assert str(caught.value) == "window: 0.0 is no width; write more than 0 pixels"


def test_an_opencv_without_dual_tv_l1_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", types.ModuleType("cv2"))
    with pytest.raises(MissingDependencyError) as caught:
        flow(method="dual-tv-l1")
    assert str(caught.value) == (
        "optical-flow: method 'dual-tv-l1' needs 'cv2.optflow', which this OpenCV does not have; "
        "run pip uninstall opencv-python && pip install --force-reinstall opencv-contrib-python-headless"
    )


def test_tv_l1_without_numba_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingDependencyError) as caught:
        flow(method="tv-l1")
    assert str(caught.value) == "tv-l1: needs numba, which is not installed; run pip install 'affectkit[fast]'"
