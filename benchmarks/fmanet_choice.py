"""What FMANet's setup is chosen by: run `python benchmarks/fmanet_choice.py [SETUP ...]` (needs ../shared).

The 40 subjects are cut into 8 groups, and a setup is scored as `mer_maps.inner_scores` says. Nothing here is a result;
it is the choice among setups, and all of them are printed. They differ by less than the groups do: of those within
0.005 of the best, the fastest was taken, with as many epochs as the bar of `fmanet.py --time` allows.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
from affectkit_fmanet import FMANetConfig
from fmanet_setups import FULL, PLAIN, RECIPE, SINGLE, make_setup, mirrored
from mer_maps import GROUPS, inner_scores, read_maps

from affectkit import PipelineConfig
from affectkit.recipes import Recipe

SHARED = FMANetConfig(is_shared=True)
BESIDE = replace(PLAIN, fusion="concat")
SHORT, LONG = replace(RECIPE, epochs=25), replace(RECIPE, epochs=40)
CANDIDATES: dict[str, tuple[PipelineConfig, Recipe]] = {
    "flow": (make_setup(SINGLE, None), RECIPE),
    "phases": (make_setup(None, FULL), RECIPE),
    "flow + contraction, plain": (make_setup(SINGLE, SINGLE), RECIPE),
    "flow + both phases, plain": (make_setup(SINGLE, PLAIN), RECIPE),
    "flow + both phases, full": (make_setup(SINGLE, FULL), RECIPE),
    "flow + both phases, side by side, 25 epochs": (make_setup(SINGLE, BESIDE), SHORT),
    "flow + both phases, plain, mirrored": (make_setup(mirrored(SINGLE), mirrored(PLAIN)), RECIPE),
    "flow + both phases, side by side, mirrored": (make_setup(mirrored(SINGLE), mirrored(BESIDE)), RECIPE),
    "flow + both phases, full, mirrored": (make_setup(mirrored(SINGLE), mirrored(FULL)), RECIPE),
    "flow + both phases, full, shared streams": (make_setup(SINGLE, SHARED), RECIPE),
    "flow + both phases, full, 40 epochs": (make_setup(SINGLE, FULL), LONG),
    "flow + both phases, full, 25 epochs": (make_setup(SINGLE, FULL), SHORT),
    "flow + both phases, plain, 40 epochs": (make_setup(SINGLE, PLAIN), LONG),
    "flow + both phases, plain, mirrored, 40 epochs": (make_setup(mirrored(SINGLE), mirrored(PLAIN)), LONG),
    "flow + both phases, side by side, mirrored, 40 epochs": (make_setup(mirrored(SINGLE), mirrored(BESIDE)), LONG),
    "flow + both phases, full, half the rate": (make_setup(SINGLE, FULL), replace(RECIPE, learning_rate=1e-3)),
}


def main() -> int:
    """Print a line per setup."""
    wanted = sys.argv[1:] or list(CANDIDATES)
    if unknown := [name for name in wanted if name not in CANDIDATES]:
        print(f"no setup {unknown[0]!r}; setups: {', '.join(CANDIDATES)}")
        return 2
    found = read_maps()
    if found is None:
        return 1
    examples, _ = found
    print(f"{'setup':44}{'mean':>7}{'least':>7}{'s':>6}  UF1 that each of {GROUPS} groups of subjects chooses by")
    for name in wanted:
        started = time.perf_counter()
        scores = inner_scores(*CANDIDATES[name], examples)
        each = " ".join(f"{score:.3f}" for score in scores)
        print(
            f"{name:44}{np.mean(scores):7.3f}{min(scores):7.3f}{time.perf_counter() - started:6.0f}  {each}", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
