"""What dropping steps saves: `python benchmarks/sparse_mamba.py [device]`.

Times one forward pass of `sparse-mamba`, both ways and in one direction, at several ratios, and of a Transformer
encoder of the same width and depth, on four clips of 64 to 4096 steps without padding. They take turns; printed is
the least time of each. On a CPU one thread is used. The first line says which code runs the scan.

Bar: from 256 steps on, at a ratio of 0.8 the form with both directions takes at most two thirds of its time at 0.
"""

from __future__ import annotations

import sys
import time

import torch

from affectkit import FeatureStream, Sequence, SparseMambaConfig, TransformerConfig
from affectkit.ops.selective_scan import describe_scan
from affectkit.temporal.sparse_mamba_net import SparseMamba
from affectkit.temporal.transformer_net import Transformer

Encoder = SparseMamba | Transformer
STREAM, DEPTH, BATCH = FeatureStream(dim=128), 2, 4
STEPS, RATIOS, ROUNDS = (64, 256, 1024, 4096), (0.0, 0.5, 0.8), 5
SHARE, FROM = 2 / 3, 256


@torch.no_grad()
def main(device: str = "cpu") -> int:
    """Print a line per length of the clip; 1 if the bar is missed."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoders = {name: encoder.to(device).eval() for name, encoder in _encoders().items()}
    print(f"scan: {describe_scan()}")
    print(f"milliseconds at width {STREAM.dim}, {DEPTH} layers, {BATCH} clips; ratios in the names\n")
    print(f"{'steps':>6}" + "".join(f"{name:>14}" for name in encoders))
    shares = []
    for steps in STEPS:
        clip = Sequence.of(torch.randn(BATCH, steps, STREAM.dim)).to(device)
        rounds = [{name: _time(encoder, clip) for name, encoder in encoders.items()} for _ in range(ROUNDS)]
        least = {name: min(taken[name] for taken in rounds) for name in encoders}
        print(f"{steps:>6}" + "".join(f"{1000 * taken:14.1f}" for taken in least.values()), flush=True)
        if steps >= FROM:
            shares.append(least["both 0.8"] / least["both 0.0"])
    held = max(shares) <= SHARE
    listed = ", ".join(f"{share:.2f}" for share in shares)
    print(f"\nat ratio 0.8, of the time at 0: {listed} (bar {SHARE:.2f}); {'held' if held else 'MISSED'}")
    return int(not held)


def _encoders() -> dict[str, Encoder]:
    encoders: dict[str, Encoder] = {}
    for name, bidirectional in (("both", True), ("forward", False)):
        for ratio in RATIOS:
            config = SparseMambaConfig(depth=DEPTH, ratios=(ratio,) * DEPTH, bidirectional=bidirectional)
            encoders[f"{name} {ratio}"] = SparseMamba(config, STREAM)
    encoders["transformer"] = Transformer(TransformerConfig(depth=DEPTH), STREAM)
    return encoders


def _time(encoder: Encoder, clip: Sequence) -> float:
    if clip.values.is_cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    encoder(clip)
    if clip.values.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
