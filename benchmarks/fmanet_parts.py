"""What FMANet's parts bring: run `python benchmarks/fmanet_parts.py [SEEDS [WORKERS]]` (needs ../shared).

Leave-one-subject-out on the same samples as `fmanet.py`, of `phases` alone, pooled, with 95 % intervals over subjects,
and each variant less the full network on the same subjects. Every line is a run on the reported subjects, and in
`ledger.csv`: this table explains, and nothing is chosen by it.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from fmanet_setups import FULL, RECIPE, make_setup
from mer_maps import commit, enter, of_setup, read_maps

from affectkit.data.labels import MICRO_3
from affectkit.protocols.report import compare_predictions, score_predictions
from affectkit.training import evaluate

VARIANTS = {
    "full": FULL,
    "contraction alone": replace(FULL, phases="contraction"),
    "hard modulation": replace(FULL, modulation="hard"),
    "no modulation": replace(FULL, modulation="none"),
    "mean in place of fusion attention": replace(FULL, fusion="mean"),
    "no motion attention": replace(FULL, has_motion_attention=False),
    "mean over the picture": replace(FULL, cells=1),
}


def main() -> int:
    """Print a line per variant."""
    data = read_maps()
    if data is None:
        return 1
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    full, at = None, commit()
    print(f"phases, {seeds} seeds\n\n{'':36}{'UF1':>22}{'less the full one':>26}")
    for name, backbone in VARIANTS.items():
        config = make_setup(None, backbone)
        found = evaluate(config, of_setup(data[0], config), RECIPE, seeds=seeds, workers=workers).predictions
        full = found if full is None else full
        scores = score_predictions(found, classes=MICRO_3).scores
        runs = enter(at, f"parts: {name}", config, RECIPE, seeds, (scores["UF1"].value, scores["UAR"].value))
        less = "" if full is found else compare_predictions(found, full, classes=MICRO_3)["UF1"]
        print(f"{name:36}{scores['UF1']!s:>22}{less!s:>26}", flush=True)
    print(f"\n{runs} runs in the ledger")
    return 0


if __name__ == "__main__":
    sys.exit(main())
