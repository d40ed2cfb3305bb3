"""What an ensemble costs beside its members: run `python benchmarks/ensemble_overhead.py` on an idle machine.

Random weights, on which speed does not depend. Three members of published size: ResNet-50 and ViT-B/16 at 224 pixels,
and a residual network for faces at 112. And the three small ones of affectkit-compound, with its two heads each, at 112
pixels: joined by scores; by features; and as the preset `compound` joins them, mirror images too. Bars: what the
ensemble adds to its members' sum is at most 5 % of it; members that share a frozen backbone run it once. Times are
medians of rounds, in which ensemble and members take turns. Without a bar, eight frames a time, as `analyze` on a video
has them, and members of less than a millisecond, which nobody ships. Shares of the members' sum:

- `beside`: time of the ensemble less what its members took within it, by a clock around each member. What is trained
  on joined features, a fusion and heads, is outside of the members. Their own heads are in it, where they are asked.
  The bar of the large members.
- `added`: less also what the same members, called alone in the same round, took around what that clock sees: their
  checks of the batch, modes and decoding, once for each run. The bar of the small members.
- `against`: time of the ensemble less that of its members called alone: the same without clocks, and noisy, since the
  networks' own times are in it twice. Of members that are joined by features it may be below 0: alone they run heads,
  and there only if they are asked how far they agree. The bar of the preset, whose faces and mirror images share a
  batch: three runs do the work of six networks, in less time, of which the other two columns know nothing.

With ../shared there is a third part, `analyze` on a video: faces are found once for all members.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from affectkit_compound.system import WAYS, make_compound, make_ensemble

from affectkit import analyze
from affectkit.configs import FeaturesConfig, Frames, HeadConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import UntrainedWarning
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.features.iresnet import IResNetConfig
from affectkit.features.timm_backbone import TimmConfig
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.compound_expression import CompoundExpressionConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.model import Model
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Batch, Sequence
from affectkit.streams import FrameStream

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
BAR, THREADS = 0.05, 2
# Of members that take a tenth of a second, or milliseconds.
ROUNDS, SMALL_ROUNDS = 9, 99
HEADS: dict[str, HeadConfig] = {"compound": CompoundExpressionConfig()}


@dataclass(frozen=True)
class Costs:
    """Seconds: of the ensemble, of its members within it and around that alone, and of the slowest member alone.

    Attributes:
        against: the median over rounds of what the ensemble took more than its members called alone, as a share.
    """

    whole: float
    inside: float
    around: float
    slowest: float
    against: float

    @property
    def beside(self) -> float:
        """Share of the members' time that is spent outside of them."""
        return (self.whole - self.inside) / self.inside

    @property
    def added(self) -> float:
        """Share of the members' time that comes on top of it."""
        return self.whole / (self.inside + self.around) - 1


def main() -> int:
    """Print the tables; 1 if a bar is missed."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    warnings.simplefilter("ignore", UntrainedWarning)
    members = {
        "resnet50": _member(TimmConfig(model="resnet50"), 224),
        "vit_b": _member(TimmConfig(model="vit_base_patch16_224"), 224),
        "iresnet50": _member(IResNetConfig(size="50"), 112),
    }
    scores: dict[str, Any] = {"fusion": MeanFusionConfig()}
    told: dict[str, Any] = {"fusion": MeanFusionConfig(), "on_nan": "drop", "agreement": True}
    features: dict[str, Any] = {"fusion": ConcatFusionConfig(hidden=(256,)), "heads": HEADS}
    print(f"{os.cpu_count()} processors, {THREADS} threads, one face a time; {ROUNDS} or {SMALL_ROUNDS} rounds\n")
    print(f"{'ensemble of three':<44}{'ms':>8}{'members':>9}{'slowest':>9}{'beside':>9}{'added':>9}{'against':>9}")
    missed = 0
    for name, fields in (("scores", scores), ("scores, with agreement", told), ("features", features)):
        costs = _costs(_build(members, fields), ROUNDS)
        _line(f"{name} (bar {BAR:.0%})", costs)
        # the stricter one, which they hold too
        missed += costs.beside > BAR
    for name, config in _small().items():
        costs = _costs(config.build().eval(), SMALL_ROUNDS)
        _line(f"small, {name} (bar {BAR:.0%})", costs)
        missed += (costs.against if name == "preset" else costs.added) > BAR
    for name, config in _small().items():
        _line(f"small, {name}, 8 frames", _costs(config.build().eval(), SMALL_ROUNDS, frames=8))
    tiny = {name: _member(ConvStemConfig(dim=64, width=16), 48) for name in ("a", "b", "c")}
    _line("tiny, scores", _costs(_build(tiny, scores), SMALL_ROUNDS))
    _line("tiny, with agreement", _costs(_build(tiny, told), SMALL_ROUNDS))
    missed += _shared()
    if SHARED.is_dir():
        _video(members, told)
    return int(missed > 0)


def _member(features: FeaturesConfig, size: int) -> PipelineConfig:
    stream = FrameStream(height=size, width=size)
    return PipelineConfig(input=stream, branches={"face": Branch(features=features)}, heads=HEADS, sampling=Frames())


def _small() -> dict[str, EnsembleConfig]:
    """What affectkit-compound makes of its small members; the last one is what it ships."""
    mean = make_ensemble(WAYS["mean"])
    return {
        "scores": mean,
        "with agreement": replace(mean, agreement=True, on_nan="drop"),
        "features": make_ensemble(WAYS["features"]),
        "preset": make_compound(),
    }


def _build(members: dict[str, PipelineConfig], fields: dict[str, Any]) -> Ensemble:
    return EnsembleConfig(members=members, sampling=Frames(), **fields).build().eval()


def _batch(model: Ensemble, frames: int = 1) -> dict[str, Sequence]:
    return {
        name: Sequence.of(torch.rand(frames, 1, 3, stream.height, stream.width))
        for name, stream in model.config.input_streams().items()
        if isinstance(stream, FrameStream)
    }


def _networks(model: Ensemble, batch: Batch) -> dict[str, tuple[Model, Batch]]:
    """Members that are no ensembles themselves, and what they are given."""
    found: dict[str, tuple[Model, Batch]] = {}
    for name, own in model.member_batches(batch).items():
        member = model.members[name]
        inner = _networks(member, own) if isinstance(member, Ensemble) else {"": (member, own)}
        found |= {f"{name}.{path}": one for path, one in inner.items()}
    return found


def _costs(model: Ensemble, rounds: int, frames: int = 1) -> Costs:
    """Members and ensemble in turns, so that what else the machine does meets them alike."""
    batch = _batch(model, frames)
    networks = _networks(model, batch)
    rounds_of: list[tuple[float, float, float]] = []
    alone: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(rounds + 1):
        beside: list[float] = []
        for name, (network, own) in networks.items():
            seconds, inner = _clocked(lambda network=network, own=own: network.predict(own), [network])  # type: ignore[misc]
            alone[name] += [seconds] if turn else []
            beside.append(seconds - sum(inner))
        whole, runs = _clocked(lambda: model.predict(batch), [network for network, _ in networks.values()])
        # looks that share a batch are one run of each network
        inside, around = sum(runs), sum(beside) / len(beside) * len(runs)
        # the first turn warms up
        rounds_of += [(whole, inside, around)] if turn else []
    # all from one round: medians might be of different ones
    middle = sorted(rounds_of, key=lambda one: (one[0] - one[1] - one[2]) / one[1])[rounds // 2]
    sums = map(sum, zip(*alone.values(), strict=True))
    against = [whole / each - 1 for (whole, _, _), each in zip(rounds_of, sums, strict=True)]
    return Costs(*middle, max(map(statistics.median, alone.values())), statistics.median(against))


def _clocked(work: Callable[[], object], members: list[Model]) -> tuple[float, list[float]]:
    """Seconds of the work, and of it those within the members, run by run."""
    inside: list[float] = []
    with _Clocks(members, inside):
        whole = _seconds(work)
    return whole, inside


_METHODS = ("run", "encode", "encode_and_score")


class _Clocks:
    """Measures what each member takes, wherever an ensemble calls it."""

    def __init__(self, members: list[Model], seconds: list[float]) -> None:
        self.members = members
        self.seconds = seconds

    def __enter__(self) -> None:
        for member in self.members:
            for method in _METHODS:
                setattr(member, method, self._timed(getattr(member, method)))

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            for method in _METHODS:
                member.__dict__.pop(method, None)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            before, started = len(self.seconds), time.perf_counter()
            try:
                return method(*arguments)
            finally:
                # the others call `encode`, whose time is in theirs
                del self.seconds[before:]
                self.seconds.append(time.perf_counter() - started)

        return call


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _line(name: str, costs: Costs) -> None:
    values = f"{1e3 * costs.whole:>8.1f}{1e3 * costs.inside:>9.1f}{1e3 * costs.slowest:>9.1f}"
    print(f"{name:<44}{values}{costs.beside:>9.1%}{costs.added:>9.1%}{costs.against:>9.1%}", flush=True)


def _shared() -> int:
    """Three members on one frozen backbone: how often it runs, and how long that takes; 1 if it runs more than once."""
    frozen = _member(TimmConfig(model="resnet50", frozen=True), 224)
    model = _build({"one": frozen, "two": frozen, "three": frozen}, {"fusion": MeanFusionConfig()})
    state = model.members["one"].branches["face"].state_dict()
    for name in ("two", "three"):
        model.members[name].branches["face"].load_state_dict(state)
    runs = 0

    def count(*_: object) -> None:
        nonlocal runs
        runs += 1

    handles = [model.members[name].branches["face"].features.register_forward_hook(count) for name in model.members]
    model.predict(_batch(model))
    for handle in handles:
        handle.remove()
    batch = _batch(model)
    both = [
        (_seconds(lambda: model.predict(batch)), _seconds(lambda: model.members["one"].predict(batch)))
        for _ in range(ROUNDS)
    ]
    whole, one = (statistics.median(times) for times in zip(*both, strict=True))
    print(f"\nthree members on one frozen ResNet-50: it ran {runs} time(s) (bar 1); {whole / one:.2f} x one member")
    return int(runs != 1)


def _video(members: dict[str, PipelineConfig], fields: dict[str, Any]) -> None:
    """One second of video at 10 frames per second: the ensemble, and each member with faces of its own."""
    os.environ.setdefault("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    video = SHARED / "media" / "single_face.mp4"

    def seconds(model: Any) -> float:
        return _seconds(lambda: rows.append(len(analyze(video, model, faces="yunet", fps=10.0, stop=1.0))))

    rows: list[int] = []
    alone = {name: replace(config).build().eval() for name, config in members.items()}
    models = {**alone, "all": _build(members, fields)}
    rounds = [{name: seconds(model) for name, model in models.items()} for _ in range(3)]
    assert all(rows)
    print(f"\n{'analyze, one second at 10 frames per second':<44}{'s':>8}")
    for name in models:
        title = "ensemble, scores, with agreement" if name == "all" else f"{name} alone"
        print(f"{title:<44}{statistics.median(one[name] for one in rounds):>8.2f}")
    of_sum = statistics.median(one["all"] / sum(one[name] for name in alone) for one in rounds)
    of_slowest = statistics.median(one["all"] / max(one[name] for name in alone) for one in rounds)
    print(f"{'of the sum of the members':<44}{of_sum:>8.0%}")
    print(f"{'of the slowest member':<44}{of_slowest:>8.0%}")


if __name__ == "__main__":
    sys.exit(main())
