"""What AMMSM's setup can be chosen by: run `python benchmarks/ammsm_choice.py [SETUP ...]` (needs ../shared).

The setup that `ammsm.py` reports was not: see there. The 40 subjects are cut into 8 groups, and a setup, trained
jointly alone, is scored as `mer_maps.inner_scores` says. Nothing here is a result; it is a choice among setups, and all
of them are printed.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from ammsm_setups import CANDIDATES
from mer_maps import GROUPS, inner_scores, read_maps


def main() -> int:
    """Print a line per setup."""
    wanted = sys.argv[1:] or list(CANDIDATES)
    if unknown := [name for name in wanted if name not in CANDIDATES]:
        print(f"no setup {unknown[0]!r}; setups: {', '.join(CANDIDATES)}")
        return 2
    found = read_maps()
    if found is None:
        return 1
    print(f"{'setup':44}{'mean':>7}{'least':>7}{'s':>6}  UF1 that each of {GROUPS} groups of subjects chooses by")
    for name in wanted:
        started = time.perf_counter()
        scores = inner_scores(*CANDIDATES[name], found[0])
        each = " ".join(f"{score:.3f}" for score in scores)
        seconds = time.perf_counter() - started
        print(f"{name:44}{np.mean(scores):7.3f}{min(scores):7.3f}{seconds:6.0f}  {each}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
