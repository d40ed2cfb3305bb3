"""Head compensation: what is left of a head that moves and a face that moves too, regions, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.motion.flow_maps_net import flow_maps
from affectkit.motion.head_compensation import SPEC, HeadCompensationConfig
from affectkit.motion.head_compensation_net import HeadCompensation
from affectkit.ops.rigid_flow import rigid_flow_ref
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream
from tests.test_rigid_flow import AFFINE, SIMILARITY, bump, moved

SIZE = 64
METHODS = ["median", "nose", "similarity", "affine"]
SHIFT = moved(SIZE, (0.0, 0.0, 0.0, 0.0), (1.7, -0.9))
# apart from the nose
MOUTH = bump(SIZE, 5.0, 0.5)


def stream(*channels: str, alignment: str = "steady", height: int = SIZE, width: int = SIZE) -> FrameStream:
    names = channels or ("u", "v")
    return FrameStream(channels=names, unit="pixel", height=height, width=width, alignment=alignment)


def compensated(flow: Tensor, given: FrameStream | None = None, **options: Any) -> Tensor:
    """Of flow `(T, C, H, W)`."""
    left: Sequence = HeadCompensation(HeadCompensationConfig(**options), given or stream())(Sequence.of(flow[None]))
    return left.values[0]


@pytest.mark.parametrize(
    ("method", "rigid", "error"),
    [
        ("median", SHIFT, 0.01),
        ("nose", SHIFT, 0.01),
        ("similarity", SHIFT, 0.001),
        ("similarity", SIMILARITY, 0.001),
        ("affine", SHIFT, 0.001),
        ("affine", SIMILARITY, 0.001),
        ("affine", AFFINE, 0.001),
    ],
)
def test_the_head_goes_and_the_expression_stays(method: str, rigid: Tensor, error: float) -> None:
    left = compensated((rigid + MOUTH).float(), method=method)
    moves = MOUTH.norm(dim=1)[0]
    outside, inside = moves < 0.005, moves > 0.25
    assert rigid.norm(dim=1).mean() > 0.9
    assert left[0].norm(dim=0)[outside].max() < error + 0.005
    assert (left - MOUTH)[0].norm(dim=0).max() < error
    assert left[0].norm(dim=0)[inside].mean() > 0.97 * moves[inside].mean()


def test_a_shift_is_too_little_for_a_head_that_turns() -> None:
    left = {method: compensated(SIMILARITY, method=method).norm(dim=1).mean() for method in METHODS}
    assert left["similarity"] < left["affine"] + 1e-6 < 1e-5
    assert left["median"] > 0.2
    assert left["nose"] > 0.2


@pytest.mark.parametrize("method", ["similarity", "affine"])
def test_fits_are_those_of_the_slow_twin(method: Any) -> None:
    flow = torch.cat([SIMILARITY, AFFINE]) + MOUTH
    torch.testing.assert_close(compensated(flow, method=method), flow - rigid_flow_ref(flow, method))


def test_shifts_by_hand() -> None:
    flow = torch.arange(50.0).reshape(1, 2, 5, 5)
    median = compensated(flow, stream(height=5, width=5), method="median")
    assert torch.equal(median, flow - torch.tensor([12.0, 37.0])[:, None, None])
    given = stream(height=5, width=5, alignment="none")
    # rows 1 to 3 and columns 0 to 1, whose mean is that of rows 2 and columns 0 and 1
    nose = compensated(flow, given, method="nose", center=(0.0, 0.4), size=0.6)
    assert torch.equal(nose, flow - torch.tensor([10.5, 35.5])[:, None, None])


@pytest.mark.parametrize(
    ("alignment", "center"), [("arcface", (0.5, 0.5213)), ("dlib", (0.5, 0.3618)), ("steady", (0.5, 0.4517))]
)
def test_the_nose_is_where_the_alignment_has_it(alignment: str, center: tuple[float, float]) -> None:
    config = HeadCompensationConfig(method="nose")
    rows, columns = config.region(stream(alignment=alignment, height=128, width=128))
    assert (rows.stop - rows.start, columns.stop - columns.start) in {(11, 11), (10, 11), (11, 10), (10, 10)}
    for span, share in ((columns, center[0]), (rows, center[1])):
        assert (span.start + span.stop - 1) / 2 == pytest.approx(128 * share, abs=0.51)


def test_the_region_lies_in_the_middle_square_and_has_a_pixel() -> None:
    config = HeadCompensationConfig(method="nose", center=(0.5, 0.25), size=0.1)
    assert config.region(stream(height=20, width=60)) == (slice(4, 7), slice(29, 32))
    assert config.region(stream(height=60, width=20)) == (slice(24, 27), slice(9, 12))
    corner = HeadCompensationConfig(method="nose", center=(1.0, 0.0), size=0.001)
    assert corner.region(stream(height=20, width=20)) == (slice(0, 1), slice(19, 20))


@pytest.mark.parametrize("channels", [("u", "v", "strain"), ("u", "v", "magnitude"), ("u", "v", "strain", "magnitude")])
def test_what_follows_from_the_flow_is_made_anew(channels: tuple[str, ...]) -> None:
    given = flow_maps(SIMILARITY + MOUTH, channels)
    left = compensated(given, stream(*channels), method="affine")
    assert HeadCompensationConfig().output(stream(*channels)) == stream(*channels)
    torch.testing.assert_close(left, flow_maps(left[:, :2], channels))
    # what is left is the mouth's own
    torch.testing.assert_close(left, flow_maps(MOUTH, channels), rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_no_flow_stays_none(method: str) -> None:
    flow = torch.zeros(3, 4, SIZE, SIZE, requires_grad=True)
    left = compensated(flow, stream("u", "v", "strain", "magnitude"), method=method)
    assert not left.any()
    (slope,) = torch.autograd.grad(left.sum(), flow)
    assert slope.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_gradients_are_those_of_small_changes(method: str) -> None:
    flow = torch.rand(1, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    given = stream(height=4, width=5)
    assert torch.autograd.gradcheck(lambda values: compensated(values, given, method=method), flow)


def test_padding_becomes_zeros_whatever_it_holds() -> None:
    flow = torch.cat([SHIFT, SIMILARITY, SHIFT])[None].float()
    flow[0, 1] = float("nan")
    mask = torch.tensor([[True, False, True]])
    module = HeadCompensation(HeadCompensationConfig(), stream())
    left = module(Sequence.of(flow, mask=mask))
    assert torch.equal(left.mask, mask)
    assert not left.values[0, 1].any()
    assert left.values.abs().max() < 1e-4


def test_it_is_a_front_end_of_single_frames() -> None:
    assert (SPEC.name, SPEC.config.context, HeadCompensationConfig().is_frozen) == ("head-compensation", 1, True)
    assert HeadCompensation(HeadCompensationConfig(), stream()).can_stream
    half = compensated(SIMILARITY.bfloat16())
    assert half.dtype == torch.bfloat16
    assert half.abs().max() < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"center": (0.5, 0.4)},
            "center: (0.5, 0.4) with method 'similarity', which looks at the whole frame; "
            "leave it out, or use method='nose'",
        ),
        (
            {"method": "median", "size": 0.1},
            "size: 0.1 with method 'median', which looks at the whole frame; leave it out, or use method='nose'",
        ),
        (
            {"method": "nose", "center": (0.5, 40.0)},
            "center: (0.5, 40.0) is outside the frame; write x and y from 0 to 1",
        ),
        ({"method": "nose", "size": 0.0}, "size: 0.0 is no share; write more than 0, up to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HeadCompensationConfig(**options)
    assert str(caught.value) == message


def refusal(given: FrameStream, **options: Any) -> str:
    with pytest.raises(StreamError) as caught:
        HeadCompensationConfig(**options).output(given)
    return str(caught.value)


def test_streams_that_are_no_flow_are_refused() -> None:
    assert refusal(FrameStream(height=8, width=8)) == (
        "channels ('r', 'g', 'b') are not accepted; accepts ('u', 'v'), ('u', 'v', 'strain'), ('u', 'v', 'magnitude'), "
        "('u', 'v', 'strain', 'magnitude')"
    )
    scaled = FrameStream(channels=("u", "v"), unit="relative", height=8, width=8)
    assert refusal(scaled) == "unit 'relative' is not accepted; accepts 'pixel', 'iod'"
    assert refusal(stream(height=2, width=8)) == "height 2 is too small; give frames of at least 3 pixels"


def test_without_alignment_the_nose_has_to_be_given() -> None:
    assert refusal(stream(alignment="none"), method="nose") == (
        "alignment 'none' does not say where the nose is; "
        "align faces to one of 'arcface', 'dlib', 'steady', or write center=(x, y)"
    )
    given = HeadCompensationConfig(method="nose", center=(0.5, 0.5))
    assert given.output(stream(alignment="none")) == stream(alignment="none")


def test_what_is_not_finite_is_refused() -> None:
    flow = SHIFT.repeat(2, 1, 1, 1)
    flow[1, 0, 3, 3] = float("nan")
    with pytest.raises(InputError) as caught:
        compensated(flow)
    assert str(caught.value) == (
        "head-compensation: nan in item 0 of the batch, frame 1; "
        "give finite values, or mask False for what is no real frame"
    )
