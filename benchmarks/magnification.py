"""How much larger motion comes out of each magnifier: run `python benchmarks/magnification.py [magnet] [frame]`.

A texture of 24 waves, the shortest of WAVE pixels and the longest twice that, in all directions, swings from left to
right by a known amount. The gain is measured by CLG flow, which knows nothing of magnifiers, from the picture at rest
to those of the last period: half the way between the farthest ones, over half the way of the input, over alpha.
`flow alone` is the same measurement on the texture moved by alpha times the motion itself: what the flow makes of
perfect magnification.

Bars, for alpha from 2 to 16: within 15 % of alpha while alpha times the motion is up to an eighth of the shortest wave
(eulerian), up to a quarter of it (phase). Then: gain over the band, and the noise that comes out over the noise that
goes in. MagNet's curves, on a photograph and on a video of a sleeping baby, need ../shared, and have no bar.

The frame magnifier has to learn: `frame` trains a small one for about a minute, by its own losses, on other textures of
SMALL pixels that move by up to two pixels over alpha in any direction. Its curve has no bar either.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from affectkit.configs import MotionConfig
from affectkit.motion.band_magnifier import BandMagnifierConfig
from affectkit.motion.eulerian import EulerianConfig
from affectkit.motion.frame_magnifier import FrameMagnifierConfig
from affectkit.motion.frame_magnifier_net import FrameMagnifier
from affectkit.motion.magnet import WEIGHTS, MagNetConfig
from affectkit.motion.phase import PhaseConfig
from affectkit.ops.clg import clg
from affectkit.published import load_published
from affectkit.registry import default_registry
from affectkit.sequences import Sequence
from affectkit.stage_building import build_stage
from affectkit.streams import FrameStream
from affectkit.video.reader import VideoFrame, read_frames

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
SIZE, WAVE, FPS, PERIODS, EDGE = 96, 12.0, 30.0, 6, 12
ALPHAS, SHARES = (2.0, 4.0, 8.0, 16.0), (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
WITHIN, NOISE = 0.15, 1.0
# Of a wave, up to which alpha times the motion has to come out right.
BARS: dict[str, tuple[Callable[[float], BandMagnifierConfig], float]] = {
    "eulerian": (lambda alpha: EulerianConfig(alpha=alpha), 1 / 8),
    "phase": (lambda alpha: PhaseConfig(alpha=alpha), 1 / 4),
}
SMALL, STEPS, BATCH, RATE = 32, 1200, 6, 3e-3
# Factors of the frame magnifier's training, beyond those that are measured, and how far alpha times the motion goes.
TRAINED, GOALS = (1.0, 24.0), (0.2, 2.0)
BAND = EulerianConfig().band
MIDDLE = math.sqrt(BAND[0] * BAND[1])


def main() -> int:
    """Print every curve; 1 if a bar is missed."""
    torch.set_num_threads(1)
    held = [_table(name) for name in BARS]
    _band()
    _noise()
    if "magnet" in sys.argv[1:]:
        _magnet()
    if "frame" in sys.argv[1:]:
        _frame()
    print(f"\nbars: within {WITHIN:.0%}; {'held' if all(held) else 'MISSED'}")
    return int(not all(held))


def _table(name: str) -> bool:
    make, limit = BARS[name]
    print(f"\n{name}: gain over alpha; alpha times motion as a share of the shortest wave ({WAVE:g} px)\n")
    print(f"{'alpha':>10}" + "".join(f"{f'1/{1 / share:.0f}':>9}" for share in SHARES))
    is_good = True
    for alpha in ALPHAS:
        row = []
        for share in SHARES:
            amount = share * WAVE / alpha
            row.append(_gain(make(alpha), amount, MIDDLE) / alpha)
            is_good = is_good and (share > limit or abs(row[-1] - 1) <= WITHIN)
        print(f"{alpha:10g}" + "".join(f"{value:9.2f}" for value in row))
    alone = [_alone(share * WAVE) for share in SHARES]
    print(f"{'flow alone':>10}" + "".join(f"{value:9.2f}" for value in alone))
    print(f"{'':10} bar up to 1/{1 / limit:.0f}: {'held' if is_good else 'MISSED'}")
    return is_good


def _band() -> None:
    rates = (BAND[0] / 2, BAND[0], MIDDLE, BAND[1], 2 * BAND[1])
    print(f"\ngain at alpha 8 of motion at other frequencies, band {BAND[0]:g} to {BAND[1]:g} Hz, 1/16 of a wave\n")
    print(f"{'':10}" + "".join(f"{f'{rate:.2g} Hz':>9}" for rate in rates))
    for name, (make, _) in BARS.items():
        row = [_gain(make(8.0), WAVE / 16 / 8, rate) for rate in rates]
        print(f"{name:>10}" + "".join(f"{value:9.2f}" for value in row))


def _noise() -> None:
    print(f"\nnoise out over noise in, standard deviations; a still texture, noise of {NOISE:g} gray level\n")
    print(f"{'':10}" + "".join(f"{f'alpha {alpha:g}':>10}" for alpha in ALPHAS))
    clip = _clip(0.0, MIDDLE, noise=NOISE)
    still = _texture(0.0)
    for name, (make, _) in BARS.items():
        row = [float((_run(make(alpha), clip)[-60:] - still).std() / (clip[-60:] - still).std()) for alpha in ALPHAS]
        print(f"{name:>10}" + "".join(f"{value:10.2f}" for value in row))


def _magnet() -> None:
    photograph = cv2.imread(str(SHARED / "media" / "multi_face.jpg"))
    if photograph is None:
        print(f"\nno {SHARED}: without MagNet")
        return
    amounts = (0.05, 0.1, 0.2, 0.4)
    print("\nmagnet: gain over alpha; a photograph moved by so many pixels, 8 bits\n")
    print(f"{'alpha':>10}" + "".join(f"{f'{amount:g} px':>9}" for amount in amounts))
    fine = cv2.GaussianBlur(cv2.resize(photograph[60:508, 380:828], (1280, 1280)), (0, 0), 4).astype(np.float32)
    for alpha in ALPHAS:
        row = []
        for amount in amounts:
            pair = torch.stack([_view(fine, 0.0), _view(fine, amount)])
            made = _run(MagNetConfig(alpha=alpha), pair).mean(dim=1)
            flow = clg(made[:1], made[1:], window=5.0)[0, 0, 16:-16, 16:-16]
            # the sky has no texture to follow: the median pixel
            row.append(float(flow.median()) / amount / alpha)
        print(f"{alpha:10g}" + "".join(f"{value:9.2f}" for value in row))
    _baby(SHARED / "media" / "baby-monitor-input.mp4")


def _baby(path: Path) -> None:
    """The slope of the flow that comes out over the flow that goes in, from the first frame to some later ones."""
    frames = [frame.image for frame in read_frames(path, stop=6.0) if isinstance(frame, VideoFrame)][::8]
    small = np.stack([cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA) for frame in frames])
    clip = torch.from_numpy(small).movedim(-1, 1) / 255
    given = _flows_from_first(clip)
    size = given.norm(dim=1)
    print(f"\nmagnet: gain over alpha; {path.name}, where a pixel has moved by so much\n")
    spans = ((0.05, 0.1), (0.1, 0.2), (0.2, 0.4))
    print(f"{'alpha':>10}" + "".join(f"{f'{low:g}-{high:g} px':>14}" for low, high in spans))
    for alpha in ALPHAS:
        made = _flows_from_first(_run(MagNetConfig(alpha=alpha), clip))
        row = []
        for low, high in spans:
            chosen = ((size >= low) & (size < high)).unsqueeze(1).expand_as(given)
            row.append(float((made * given)[chosen].sum() / given[chosen].square().sum()) / alpha)
        print(f"{alpha:10g}" + "".join(f"{value:14.2f}" for value in row))


def _frame() -> None:
    module = _train_frame()
    print(f"\nframe-magnifier: gain over alpha, as above, of a small one after {STEPS} steps on other textures\n")
    print(f"{'alpha':>10}" + "".join(f"{f'1/{1 / share:.0f}':>9}" for share in SHARES))
    for alpha in ALPHAS:
        module.config = replace(module.config, alpha=alpha)
        row = []
        for share in SHARES:
            amount = share * WAVE / alpha
            pair = torch.stack([_texture(0.0), _texture(amount)])[None, :, None]
            with torch.no_grad():
                made = module(Sequence.of(pair)).values[0, :, 0]
            row.append(float(_flow(made[:1], made[1:])) / amount / alpha)
        print(f"{alpha:10g}" + "".join(f"{value:9.2f}" for value in row))


def _train_frame() -> FrameMagnifier:
    """One that has learned from pairs of pictures without labels, by flow."""
    torch.manual_seed(0)
    config = FrameMagnifierConfig(sample_alpha=False, width=12, levels=2)
    module = FrameMagnifier(config, FrameStream(channels=("gray",), height=SMALL, width=SMALL))
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    make = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        shares = torch.rand(2 * BATCH + 1, generator=make).tolist()
        alpha = TRAINED[0] * (TRAINED[1] / TRAINED[0]) ** shares.pop()
        module.config = replace(module.config, alpha=alpha)
        pairs = []
        for i, (far, angle) in enumerate(zip(shares[::2], shares[1::2], strict=True)):
            amount = (GOALS[0] + (GOALS[1] - GOALS[0]) * far) / alpha
            # the texture that is measured is the one of seed 0
            seed, turn = 1 + step * BATCH + i, 2 * math.pi * angle
            pair = [_texture(moved, seed=seed, size=SMALL, angle=turn) for moved in (0.0, amount)]
            pairs.append(torch.stack(pair))
        clips = Sequence.of(torch.stack(pairs).unsqueeze(2))
        loss = torch.stack(list(module.auxiliary(clips, module(clips), {}).values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return module.eval()


def _flows_from_first(clip: Tensor) -> Tensor:
    gray = clip.mean(dim=1)
    return clg(gray[:1].expand_as(gray[1:]), gray[1:], window=5.0)


def _view(fine: np.ndarray[tuple[int, ...], np.dtype[np.float32]], amount: float) -> Tensor:
    """The photograph at an eighth of its size, moved to the right, `(3, H, W)`."""
    moved = cv2.warpAffine(
        fine, np.array([[1, 0, 8 * amount], [0, 1, 0]]), fine.shape[1::-1], borderMode=cv2.BORDER_REPLICATE
    )
    small = cv2.resize(moved, (160, 160), interpolation=cv2.INTER_AREA)[..., ::-1].round()
    return torch.from_numpy(small.copy()).movedim(-1, 0) / 255


def _texture(moved: float, *, seed: int = 0, size: int = SIZE, angle: float = 0.0) -> Tensor:
    """`(size, size)` in [0, 1], moved to the right, or by `angle` radians from there; drawn without interpolation."""
    make = torch.Generator().manual_seed(seed)
    length, turn, phase = (torch.rand(24, generator=make, dtype=torch.float64) for _ in range(3))
    number, turn = 2 * math.pi / (WAVE * (1 + length)), 2 * math.pi * turn
    places = torch.arange(size, dtype=torch.float64)
    across = (number * turn.cos())[:, None, None] * (places - moved * math.cos(angle))
    down = (number * turn.sin())[:, None, None] * (places[:, None] - moved * math.sin(angle))
    waves = torch.cos(across + down + 2 * math.pi * phase[:, None, None]).sum(dim=0)
    return (0.5 + 0.12 * waves / math.sqrt(12)).float()


def _clip(amount: float, rate: float, *, noise: float = 0.0) -> Tensor:
    """`(T, SIZE, SIZE)` in 8 bits: at rest, then swinging by `amount` pixels to either side."""
    make = torch.Generator().manual_seed(1)
    count = math.ceil(max(PERIODS / rate, 4.0) * FPS)
    frames = torch.stack([_texture(amount * math.sin(2 * math.pi * rate * t / FPS)) for t in range(count)])
    noisy = 255 * frames + noise * torch.randn(frames.shape, generator=make)
    # without noise not rounded: rounding is noise, and of motions this small it decides
    return noisy.round() / 255 if noise else frames


def _run(motion: MotionConfig, frames: Tensor) -> Tensor:
    """Frames `(T, H, W)` or `(T, 3, H, W)` magnified."""
    values = frames if frames.ndim == 4 else frames.unsqueeze(1)
    channels = ("r", "g", "b") if frames.ndim == 4 else ("gray",)
    stream = FrameStream(channels=channels, height=frames.shape[-2], width=frames.shape[-1], fps=FPS)
    module = build_stage(motion, stream, "motion", default_registry()).eval()
    if module.state_dict():
        load_published(module, default_registry().of_config(type(motion)), WEIGHTS, "motion")
    with torch.no_grad():
        made: Tensor = module(Sequence.of(values[None], fps=FPS)).values[0]
    return made if frames.ndim == 4 else made[:, 0]


def _gain(motion: BandMagnifierConfig, amount: float, rate: float) -> float:
    made = _run(motion, _clip(amount, rate))
    last = made[-math.ceil(FPS / rate) - 1 :]
    moved = _flow(made[:1].expand_as(last), last)
    return float(moved.max() - moved.min()) / 2 / amount


def _alone(amount: float) -> float:
    return float(_flow(_texture(0.0)[None], _texture(amount)[None])) / amount


def _flow(first: Tensor, second: Tensor) -> Tensor:
    """Mean motion to the right of each pair, pixels, away from the border."""
    return clg(first, second)[:, 0, EDGE:-EDGE, EDGE:-EDGE].mean(dim=(1, 2))


if __name__ == "__main__":
    sys.exit(main())
