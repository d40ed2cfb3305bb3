"""MM-COF: each step by hand, the soft rule's limit, gradients, missing phases, and what it refuses."""

from __future__ import annotations

import colorsys
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from affectkit import FrameStream, MMCOFConfig, OpticalFlowConfig, Sequence
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.motion.flow_maps_net import magnitude
from affectkit.motion.mm_cof_net import MMCOF, colored, modulate, scaled
from affectkit.motion.optical_flow_net import OpticalFlow

FLOW = FrameStream(
    channels=("u", "v"), unit="pixel", height=2, width=2, steps=("contraction", "relaxation"), alignment="steady"
)
FRAMES = FrameStream(height=16, width=16, steps=("onset", "apex", "offset"))
# By hand: lengths 0, 5, 10, 5 and 0, 2, 0, 4.
EVENT = torch.tensor(
    [[[[0.0, 3.0], [6.0, -5.0]], [[0.0, 4.0], [-8.0, 0.0]]], [[[0.0, 0.0], [0.0, 4.0]], [[0.0, -2.0], [0.0, 0.0]]]]
)
SUM = torch.tensor([[0.0, 0.5], [0.5, 0.75]])


def mm_cof(stream: FrameStream = FLOW, **options: Any) -> MMCOF:
    return MMCOF(MMCOFConfig(**options), stream)


def maps(values: Tensor = EVENT, mask: Tensor | None = None, **options: Any) -> Tensor:
    found: Sequence = mm_cof(**options)(Sequence.of(values[None], mask=mask))
    return found.values[0, 0]


def test_the_map_is_what_it_is_by_hand() -> None:
    # The mean is 0.4375: all but the first pixel are above.
    expected = torch.tensor([[0.0, 0.75], [0.75, 1.0]])
    torch.testing.assert_close(maps(encoding="magnitude")[0], expected)
    found = maps()
    torch.testing.assert_close(found[2], expected)
    torch.testing.assert_close(found[0], expected * torch.tensor([[0.0, 0.6], [0.6, -1.0]]))
    torch.testing.assert_close(found[1], expected * torch.tensor([[0.0, 0.8], [-0.8, 0.0]]))


def test_every_choice_has_the_effect_that_it_says() -> None:
    def of(**options: Any) -> list[float]:
        return [round(value, 4) for value in maps(encoding="magnitude", **options).flatten().tolist()]

    assert of(gains=(1.0, 1.0)) == SUM.flatten().tolist()
    assert of(gains=(1.0, 1.0), theta=(1.0, 0.0)) == [0.0, 0.5, 1.0, 0.5]
    assert of(gains=(1.0, 1.0), theta=(0.0, 1.0)) == [0.0, 0.5, 0.0, 1.0]
    assert of(gains=(0.1, 1.0), spread=1.0) == [0.0, 0.05, 0.05, 0.75]
    assert of(gains=(0.1, 1.0), threshold="percentile", percentile=100) == [0.0, 0.05, 0.05, 0.75]
    assert of(gains=(0.1, 1.0), threshold="percentile", percentile=50) == [0.0, 0.5, 0.5, 0.75]
    # The second phase's lengths differ by less, so it is still.
    assert of(gains=(1.0, 1.0), least_motion=4.5) == [0.0, 0.25, 0.5, 0.25]


def test_soft_tends_to_hard() -> None:
    values = torch.linspace(0, 1, 101)
    tau = torch.tensor(0.405)
    hard = modulate(values, tau, 0.5, 1.5, None)
    distances = [float((modulate(values, tau, 0.5, 1.5, k) - hard).abs().max()) for k in (1e1, 1e2, 1e3, 1e4)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.1
    assert distances[-1] < 1e-6
    torch.testing.assert_close(maps(steepness=1e6), maps())


@pytest.mark.parametrize("encoding", ["direction", "color", "magnitude"])
def test_gradients_of_the_soft_rule_are_those_of_differences(encoding: str) -> None:
    values = torch.randn(1, 2, 2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    stream = FrameStream(channels=("u", "v"), unit="pixel", height=3, width=4, steps=("contraction", "relaxation"))
    module = mm_cof(stream, steepness=5.0, encoding=encoding, gains=(0.2, 1.0))
    assert torch.autograd.gradcheck(lambda x: module(Sequence.of(x)).values, values.requires_grad_())


def test_a_still_event_is_zero_and_so_is_its_gradient() -> None:
    for encoding in ("direction", "color", "magnitude"):
        still = torch.zeros(1, 2, 2, 2, 2, requires_grad=True)
        found = mm_cof(encoding=encoding, steepness=5.0)(Sequence.of(still)).values
        assert not found.any()
        found.sum().backward()
        assert still.grad is not None
        assert not still.grad.any()


def test_a_missing_offset_leaves_its_weight_to_the_first_phase() -> None:
    mask = torch.tensor([[True, False]])
    values = EVENT.clone()
    values[1] = float("nan")
    torch.testing.assert_close(maps(values, mask), maps(theta=(1.0, 0.0)))
    missing = mm_cof()(Sequence.of(EVENT[None], mask=torch.tensor([[False, True]])))
    assert not missing.mask.any()
    assert not missing.values.any()


def test_frames_go_through_the_flow_of_the_config() -> None:
    frames = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([[0.0, 0.15, 0.4]] * 2, dtype=torch.float64)
    flow = OpticalFlowConfig(pairs="phases", window=3.0)
    of_frames = mm_cof(FRAMES, flow=flow)(Sequence.of(frames, times=times))
    flows = OpticalFlow(flow, FRAMES)(Sequence.of(frames, times=times))
    stream = FrameStream(channels=("u", "v"), unit="pixel", height=16, width=16, steps=("contraction", "relaxation"))
    assert torch.equal(of_frames.values, mm_cof(stream)(flows).values)
    assert of_frames.values.shape == (2, 1, 3, 16, 16)
    assert of_frames.times.tolist() == [[0.15], [0.15]]


def test_a_color_is_that_of_the_standard_library() -> None:
    angles = [0.0, 0.3, 1.0, 2.2, 3.1, -0.5, -1.7, -3.0]
    flow = 3 * torch.tensor([[math.cos(a) for a in angles], [math.sin(a) for a in angles]])[None, :, None]
    value = torch.linspace(0.1, 1, len(angles))[None, None]
    expected = [colorsys.hsv_to_rgb(a / math.tau % 1, 1.0, float(v)) for a, v in zip(angles, value[0, 0], strict=True)]
    torch.testing.assert_close(colored(flow, value)[0, :, 0].T, torch.tensor(expected), atol=1e-5, rtol=0)


def test_the_steps_alone() -> None:
    assert magnitude(EVENT).tolist() == [[[0.0, 5.0], [10.0, 5.0]], [[0.0, 2.0], [0.0, 4.0]]]
    assert scaled(torch.tensor([[2.0, 4.0], [3.0, 2.0]]), 0.1).tolist() == [[0.0, 1.0], [0.5, 0.0]]
    assert scaled(torch.full((2, 2), 7.0), 0.0).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"flow": OpticalFlowConfig()},
            "flow: pairs='previous', strain=False, magnitude=False; "
            "write OpticalFlowConfig(pairs='phases', ...) without strain and magnitude",
        ),
        (
            {"flow": OpticalFlowConfig(pairs="phases", magnitude=True)},
            "flow: pairs='phases', strain=False, magnitude=True; "
            "write OpticalFlowConfig(pairs='phases', ...) without strain and magnitude",
        ),
        ({"theta": (0.0, 0.0)}, "theta: (0.0, 0.0); write two numbers of at least 0, not both 0"),
        ({"theta": (1.0, -0.1)}, "theta: (1.0, -0.1); write two numbers of at least 0, not both 0"),
        ({"percentile": 101.0}, "percentile: 101.0; write 0 to 100"),
        ({"gains": (1.0, 0.5)}, "gains: (1.0, 0.5); write low and high with 0 <= low <= high"),
        ({"steepness": 0.0}, "steepness: 0.0; write more than 0, or None for the hard rule"),
        ({"least_motion": -1.0}, "least_motion: -1.0; write 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MMCOFConfig(**options)
    assert str(caught.value) == message


def test_what_has_no_two_phases_is_refused() -> None:
    with pytest.raises(StreamError) as caught:
        MMCOFConfig().output(FrameStream(height=8, width=8))
    assert str(caught.value) == "steps () are not accepted; accepts ('onset', 'apex', 'offset'), ('onset', 'apex')"
    with pytest.raises(StreamError) as caught:
        MMCOFConfig().output(FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8))
    assert str(caught.value) == "steps () are not accepted; accepts ('contraction', 'relaxation')"
    with pytest.raises(InputError) as raised:
        mm_cof()(Sequence.of(EVENT[None, :1]))
    assert str(raised.value) == "mm-cof: 1 flows; needs 2: contraction and relaxation"


def test_no_motion_at_all_gives_zeros() -> None:
    for encoding in ("direction", "color", "magnitude"):
        for stream, shape in ((FLOW, (2, 2, 2, 2, 2)), (FRAMES, (2, 3, 3, 16, 16))):
            zeros = torch.zeros(shape, requires_grad=True)
            found = mm_cof(stream, encoding=encoding, steepness=20.0)(Sequence.of(zeros)).values
            assert not found.any()
            found.sum().backward()
            assert zeros.grad is not None
            assert zeros.grad.isfinite().all()


@pytest.mark.parametrize(("bad", "shown"), [(math.nan, "nan"), (-math.inf, "-inf")])
def test_what_is_not_finite_is_refused(bad: float, shown: str) -> None:
    values = EVENT.repeat(3, 1, 1, 1, 1)
    values[2, 1, 0, 1, 1] = bad
    with pytest.raises(InputError) as raised:
        mm_cof()(Sequence.of(values))
    assert str(raised.value) == (
        f"mm-cof: {shown} in item 2 of the batch, frame 1; give finite values, or mask False for what is no real frame"
    )
    mask = torch.ones(3, 2, dtype=torch.bool)
    mask[2, 1] = False
    assert mm_cof()(Sequence.of(values, mask=mask)).values.isfinite().all()
