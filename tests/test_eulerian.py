"""`eulerian`, and what it has in common with `phase`: gains, streams, times of any kind, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit import (
    Branch,
    ConvStemConfig,
    EnsembleConfig,
    EulerianConfig,
    ExpressionConfig,
    FrameStream,
    MeanFusionConfig,
    PhaseConfig,
    PipelineConfig,
    Sequence,
    WholeFrameConfig,
    Windows,
    analyze,
    apply_motion,
    default_registry,
)
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.motion.band_magnifier import BandMagnifierConfig
from affectkit.motion.eulerian_net import octave_gains
from affectkit.ops.band_pass import band_pass
from affectkit.ops.clg import clg
from affectkit.ops.laplacian import join_octaves, split_octaves_ref
from affectkit.sequences import Targets
from affectkit.stage_building import build_stage
from affectkit.testing.examples import span
from affectkit.training import fit
from affectkit.training.examples import Examples
from tests.swinging import FPS, SIZE, swing, swinging, texture

BOTH = [EulerianConfig, PhaseConfig]
STREAM = FrameStream(channels=("gray",), height=SIZE, width=SIZE)
MIDDLE = math.sqrt(0.5 * 4.0)


def magnified(config: BandMagnifierConfig, frames: Tensor, times: Tensor | None = None) -> Tensor:
    """Of one clip `(T, C, H, W)`."""
    times = torch.arange(len(frames)) / FPS if times is None else times
    channels = STREAM.channels if frames.shape[1] == 1 else ("r", "g", "b")
    stream = replace(STREAM, channels=channels, height=frames.shape[2], width=frames.shape[3])
    module = build_stage(config, stream, "motion", default_registry()).eval()
    with torch.no_grad():
        made: Sequence = module(Sequence.of(frames[None], times=times.double()[None]))
    return made.values[0]


def still(config: type[BandMagnifierConfig], *, count: int = 6, channels: int = 3) -> tuple[Tensor, Tensor]:
    make = torch.Generator().manual_seed(0)
    frames = torch.rand(1, channels, 24, 20, generator=make).expand(count, -1, -1, -1).clone()
    return frames, magnified(config(alpha=20.0), frames)


@pytest.mark.parametrize("alpha", [0.25, 1.0, 3.0, 12.0])
@pytest.mark.parametrize("config", BOTH)
def test_motion_comes_out_alpha_times_as_large(config: type[BandMagnifierConfig], alpha: float) -> None:
    amount = 0.8 / max(alpha, 2.0)
    times = torch.arange(75) / FPS
    frames = swinging(amount, times, MIDDLE)
    gain = swing(magnified(config(alpha=alpha), frames, times)) / swing(frames)
    # what damping leaves is the small difference of two motions
    assert gain == pytest.approx(alpha, rel=0.15 if alpha > 1 else 0.6)
    if alpha == 1:
        assert gain == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("config", BOTH)
def test_gaps_of_any_length_are_filtered_as_they_are(config: type[BandMagnifierConfig]) -> None:
    gaps = 0.015 + 0.05 * torch.rand(70, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    times = gaps.cumsum(dim=0) - gaps[0]
    frames = swinging(0.1, times, MIDDLE)
    by_times = magnified(config(alpha=6.0), frames, times)
    assert swing(by_times) / swing(frames) == pytest.approx(6.0, rel=0.15)
    by_number = magnified(config(alpha=6.0), frames[:20], torch.arange(20) / 30)
    assert not torch.allclose(by_times[:20], by_number, atol=0.01)


@pytest.mark.parametrize("config", BOTH)
def test_what_stands_still_stays(config: type[BandMagnifierConfig]) -> None:
    frames, made = still(config)
    torch.testing.assert_close(made, frames, rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", BOTH)
def test_pieces_of_a_clip_are_the_clip(config: type[BandMagnifierConfig]) -> None:
    frames = swinging(0.3, torch.arange(12) / FPS, 2.0)[None]
    clip = Sequence.of(frames, fps=FPS, mask=torch.arange(12)[None] != 4)
    module = build_stage(config(), STREAM, "motion", default_registry()).eval()
    state, made = None, []
    for start, stop in ((0, 1), (1, 6), (6, 12)):
        piece, state = module.step(span(clip, start, stop), state)
        made.append(piece.values)
    torch.testing.assert_close(torch.cat(made, dim=1), module(clip).values)


def test_gradients_are_those_of_small_changes() -> None:
    make = torch.Generator().manual_seed(0)
    frames = 0.4 + 0.2 * torch.rand(1, 3, 1, 6, 5, dtype=torch.float64, generator=make)
    stream = FrameStream(channels=("gray",), height=6, width=5)
    config = EulerianConfig(alpha=2.0, cutoff=8.0)
    module = build_stage(config, stream, "motion", default_registry()).double()
    assert torch.autograd.gradcheck(lambda given: module(Sequence.of(given)).values, frames.requires_grad_())


def test_octaves_by_hand() -> None:
    frames = swinging(0.3, torch.arange(10) / FPS, 2.0)
    times, mask = torch.arange(10, dtype=torch.float64)[None] / FPS, torch.ones(1, 10, dtype=torch.bool)
    band = band_pass(frames[None, :, 0], times, mask, (0.5, 4.0))[0, 9].double()
    whole = magnified(EulerianConfig(alpha=6.0), frames)[9, 0] - frames[9, 0]
    torch.testing.assert_close(whole.double(), 5 * band, atol=1e-5, rtol=0)
    # the cutoff, 12 pixels, is 3 and 1.5 times the wavelengths of the two octaves below it: 6/3 - 1 and 6/1.5 - 1
    finest, finer, rest = (level[None, None] for level in split_octaves_ref(band, 2))
    expected = join_octaves([1.0 * finest, 3.0 * finer, 5.0 * rest])[0, 0]
    changed = magnified(EulerianConfig(alpha=6.0, cutoff=12.0), frames)[9, 0] - frames[9, 0]
    torch.testing.assert_close(changed.double(), expected, atol=1e-5, rtol=0)
    assert (expected - 5 * band).abs().max() > 0.01


@pytest.mark.parametrize(
    ("alpha", "cutoff", "side", "gains"),
    [
        (8.0, 0.0, 64, []),
        (8.0, 4.0, 64, []),
        (0.5, 64.0, 64, []),
        (8.0, 8.0, 64, [3.0]),
        # no less than the motion that is there
        (2.0, 32.0, 64, [0.0, 0.0, 0.0]),
        # no more octaves than the picture has
        (64.0, 4096.0, 4, [0.0, 0.0]),
    ],
)
def test_gains_of_octaves(alpha: float, cutoff: float, side: int, gains: list[float]) -> None:
    assert octave_gains(alpha, cutoff, side) == gains


@pytest.mark.parametrize("config", BOTH)
def test_they_are_found_and_run_by_name(config: type[BandMagnifierConfig]) -> None:
    name = "eulerian" if config is EulerianConfig else "phase"
    component = default_registry().component("motion", name)
    assert (component.id, component.spec.config) == (f"affectkit/{name}", config)
    frames = swinging(0.2, torch.arange(8) / FPS, 6.0)
    fast = config(band=(4.0, 9.0))
    made = apply_motion(fast, frames, replace(STREAM, fps=FPS))
    torch.testing.assert_close(made.values[0], magnified(fast, frames))
    half = build_stage(config(), STREAM, "motion", default_registry())(Sequence.of(frames[None].bfloat16()))
    assert half.values.dtype == torch.bfloat16


def refused(call: Any, error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("config", BOTH)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.0}, "alpha: 0.0 is no magnification factor; write more than 0; 1 changes nothing"),
        ({"alpha": -2}, "alpha: -2.0 is no magnification factor; write more than 0; 1 changes nothing"),
        ({"band": (0.0, 4.0)}, "band: (0.0, 4.0) is no band; write two frequencies in Hz, 0 < LO < HI"),
        ({"band": (4.0, 0.5)}, "band: (4.0, 0.5) is no band; write two frequencies in Hz, 0 < LO < HI"),
        ({"band": (2, 2)}, "band: (2.0, 2.0) is no band; write two frequencies in Hz, 0 < LO < HI"),
    ],
)
def test_what_makes_no_sense_is_refused(
    config: type[BandMagnifierConfig], options: dict[str, Any], message: str
) -> None:
    assert refused(lambda: config(**options), ConfigError) == message


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (EulerianConfig, {"cutoff": -1.0}, "cutoff: -1.0 is no wavelength; write pixels, or 0 for none"),
        (PhaseConfig, {"directions": 1}, "directions: 1 directions; write 2 to 8"),
        (PhaseConfig, {"directions": 9}, "directions: 9 directions; write 2 to 8"),
        (PhaseConfig, {"smooth": -0.5}, "smooth: -0.5 is no width; write pixels, or 0 for none"),
    ],
)
def test_fields_of_one(config: type[BandMagnifierConfig], options: dict[str, Any], message: str) -> None:
    assert refused(lambda: config(**options), ConfigError) == message


@pytest.mark.parametrize("config", BOTH)
def test_streams_that_do_not_fit(config: type[BandMagnifierConfig]) -> None:
    def message(stream: FrameStream) -> str:
        return refused(lambda: config().output(stream), StreamError)

    assert config().output(STREAM) == STREAM
    flow = FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8)
    assert message(flow) == "channels ('u', 'v') are not accepted; accepts ('r', 'g', 'b'), ('gray',)"
    assert message(replace(STREAM, unit="relative")) == "unit 'relative' is not accepted; accepts 'intensity'"
    assert message(replace(STREAM, steps=("onset", "apex"))) == "steps ('onset', 'apex') are not accepted; accepts ()"
    assert message(replace(STREAM, fps=8.0)) == (
        "band (0.5, 4.0) goes beyond half of 8 frames per second; write an upper end below 4 Hz"
    )
    assert config().output(replace(STREAM, fps=8.1)).fps == 8.1


@pytest.mark.parametrize("config", BOTH)
def test_clips_that_do_not_fit(config: type[BandMagnifierConfig]) -> None:
    name = "eulerian" if config is EulerianConfig else "phase"
    frames = torch.rand(5, 1, 8, 8)
    slow = torch.arange(5) / 6.0
    assert refused(lambda: magnified(config(), frames, slow), InputError) == (
        f"{name}: item 0 of the batch has 6 frames per second, of which band (0.5, 4.0) goes beyond half; "
        "write an upper end below 3 Hz"
    )
    # one dropped frame among others is none of that
    slow = torch.tensor([0.0, 0.04, 0.08, 0.5, 0.54])
    assert magnified(config(), frames, slow).isfinite().all()
    frames[2, 0, 3, 3] = float("nan")
    assert refused(lambda: magnified(config(), frames), InputError) == (
        f"{name}: nan in item 0 of the batch, frame 2; give finite values, or mask False for what is no real frame"
    )


@pytest.mark.parametrize("config", BOTH)
def test_clips_shorter_than_the_filter(config: type[BandMagnifierConfig]) -> None:
    stream = replace(STREAM, height=8, width=8, fps=FPS)
    assert (config().least_seconds, config(band=(4.0, 8.0)).least_seconds) == (2.0, 0.25)
    mask = torch.arange(66) < torch.tensor([[60], [0], [59]])
    clips = Sequence.of(torch.zeros(3, 66, 1, 8, 8), fps=FPS, mask=mask)
    remedy = "give longer clips, or raise the lowest frequency of its filter"
    assert refused(lambda: apply_motion(config(), clips, stream), InputError) == (
        f"motion[0]: needs 2 s, and clip 2 lasts 1.97 s; {remedy}"
    )
    one = Sequence.of(torch.zeros(1, 1, 1, 8, 8))
    assert refused(lambda: apply_motion([config(band=(4.0, 8.0))], one, stream), InputError) == (
        f"motion[0]: needs 0.25 s, and clip 0 lasts 0 s; {remedy}"
    )
    # a clip without real steps is none, and sixty frames are two seconds however times are rounded
    even = Sequence(clips.values[:2, :60], clips.mask[:2, :60], clips.times[:2, :60])
    apply_motion(config(), even, stream)
    apply_motion(config(), even._replace(times=(even.times * 0.9999)), stream)


@pytest.mark.parametrize("rise", [0.1, 0.3])
@pytest.mark.parametrize("config", BOTH)
def test_an_onset_in_a_short_window_is_magnified(config: type[BandMagnifierConfig], rise: float) -> None:
    # half a second at rest but for one move, as at the end of a track
    times = torch.arange(15) / 30
    share = (1 - torch.cos(math.pi * ((times - 0.1) / rise).clamp(0, 1))) / 2
    frames = torch.stack([texture(0.1 * float(one)) for one in share]).unsqueeze(1)
    made = magnified(config(alpha=6.0), frames, times)
    moved = clg(made[:1, 0].expand(15, -1, -1), made[:, 0])[:, 0, 8:-8, 8:-8].mean(dim=(1, 2))
    assert 0.65 < float(moved.max()) / 0.1 / 6.0 < 0.85


@pytest.mark.parametrize("config", BOTH)
def test_windows_shorter_than_the_filter(config: type[BandMagnifierConfig]) -> None:
    def pipeline(low: float, **options: Any) -> PipelineConfig:
        branch = Branch(motion=(config(band=(low, 5.0)),), features=ConvStemConfig(dim=8))
        return PipelineConfig(
            input=FrameStream(height=32, width=32),
            branches={"face": branch},
            heads={"expression": ExpressionConfig()},
            faces=WholeFrameConfig(),
            **options,
        )

    remedy = "or raise the lowest frequency of its filter"
    assert refused(lambda: pipeline(0.3, sampling=Windows()), ConfigError) == (
        f"branches.face.motion[0]: needs 3.33 s, and Windows sampling gives 2 s; sample Windows(seconds=3.34), {remedy}"
    )
    assert pipeline(0.3, sampling=Windows(seconds=3.34)).sampling == Windows(seconds=3.34)
    joined = EnsembleConfig(members={"a": pipeline(0.6), "b": pipeline(1.0)}, fusion=MeanFusionConfig())
    assert refused(lambda: replace(joined, sampling=Windows(seconds=1.2, hop_seconds=0.5)), ConfigError) == (
        "members.a.branches.face.motion[0]: needs 1.67 s, and Windows sampling gives 1.2 s; "
        f"sample Windows(seconds=1.67), {remedy}"
    )
    frames = np.full((20, 32, 32, 3), 90, np.uint8)
    # the default is windows of two seconds
    assert refused(lambda: analyze(frames=frames, fps=25.0, pipeline=pipeline(0.4).build()), ConfigError) == (
        f"branches.face.motion[0]: needs 2.5 s, and Windows sampling gives 2 s; sample Windows(seconds=2.5), {remedy}"
    )
    assert refused(lambda: analyze(frames=frames, fps=25.0, pipeline=pipeline(1.0).build()), InputError) == (
        "array: 0.8 s of video, and branches.face.motion[0] needs 1 s; raise the lowest frequency of its filter"
    )
    # how many frames a rate leaves is not known before, and twenty are a second at 20.0003 Hz too
    for options in ({"times": np.arange(20) / 10, "fps": 30.0}, {"fps": 20.0003}):
        assert len(analyze(frames=frames, pipeline=pipeline(1.0).build(), **options)) == 20
    clips = Sequence.of(torch.zeros(2, 5, 3, 32, 32), fps=25.0)
    labels = Targets.of(torch.zeros(2, 5, dtype=torch.int64))
    short = Examples(inputs={"clip": clips}, targets={"expression": labels}, subjects=("a", "b"))
    assert refused(lambda: fit(joined, short), InputError) == (
        "members.a.branches.face.motion[0]: needs 1.67 s, and clip 0 lasts 0.2 s; "
        "give longer clips, or raise the lowest frequency of its filter"
    )
    # the second window is a mere remainder
    table = analyze(frames=frames, fps=25.0, pipeline=pipeline(
        2.0, sampling=Windows(seconds=0.5, hop_seconds=0.5)).build())  # fmt: skip
    assert len(table) == 20
