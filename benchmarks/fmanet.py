"""What FMANet reaches on real micro-expression flow: run `python benchmarks/fmanet.py [--time]` (needs ../shared).

The reported setup, leave-one-subject-out over 40 subjects of CASME II and SMIC, 5 seeds, pooled, with 95 % intervals
over subjects; less an SVM with a Gaussian kernel on the same arrays, and on `flow` alone. The setup is fixed in this
file and was chosen by `fmanet_choice.py`, on inner splits; the run is entered in `ledger.csv`. Beside the result stands
what the rule of many published tables gives from the same runs, marked as inflated. Goal: UF1 0.80, and a difference to
the SVM on the same arrays whose interval is above 0.

With `--time` no score is computed; the bar is that 40 folds of one seed take 3 minutes at the most on two cores.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from affectkit_mer_baselines.svm import predict_left_out
from fmanet_choice import CANDIDATES
from mer_maps import commit, enter, named, of_setup, read_maps
from numpy.typing import NDArray

from affectkit.data.labels import MICRO_3
from affectkit.protocols.report import compare_predictions, score_predictions
from affectkit.protocols.splits import leave_one_out
from affectkit.training import evaluate

REPORTED = "flow + both phases, plain, mirrored"
SEEDS = 5
WORKERS = 2
GOAL, MINUTES = 0.80, 3.0


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    data = read_maps()
    if data is None:
        return 1
    examples, arrays = data
    at = commit()
    config, recipe = CANDIDATES[REPORTED]
    mine = of_setup(examples, config)
    if sys.argv[1:] == ["--time"]:
        started = time.perf_counter()
        evaluate(config, mine, recipe, workers=WORKERS)
        minutes = (time.perf_counter() - started) / 60
        is_held = minutes <= MINUTES
        print(f"40 folds, one seed, {WORKERS} processes: {minutes:.2f} min; bar {'held' if is_held else 'MISSED'}")
        return int(not is_held)
    found = evaluate(config, mine, recipe, seeds=SEEDS, workers=WORKERS, peer_rule=True)
    report = score_predictions(found.predictions, classes=MICRO_3, by="dataset")
    runs = enter(at, REPORTED, config, recipe, SEEDS, (report.scores["UF1"].value, report.scores["UAR"].value))
    print(f"\n{REPORTED}, {SEEDS} seeds, leave one out, pooled; {runs} such runs in the ledger\n")
    print(f"{'':34}{'UF1':>24}{'UAR':>24}")
    print(f"{'FMANet':34}{report.scores['UF1']!s:>24}{report.scores['UAR']!s:>24}")
    for name, part in report.slices.items():
        print(f"{f'  {name}':34}{part.scores['UF1']:24.3f}{part.scores['UAR']:24.3f}")
    folds = leave_one_out(examples.subjects)
    lows = []
    for name, maps in (("the same arrays", _flat(arrays["flow"], arrays["phases"])), ("flow", arrays["flow"])):
        other = named(examples, predict_left_out(maps, arrays["label"], folds).tolist())
        scored = score_predictions(other, classes=MICRO_3)
        less = compare_predictions(found.predictions, other, classes=MICRO_3)
        print(f"{f'SVM on {name}':34}{scored.scores['UF1']!s:>24}{scored.scores['UAR']!s:>24}")
        print(f"{f'FMANet less SVM on {name}':34}{less['UF1']!s:>24}{less['UAR']!s:>24}")
        lows.append(less["UF1"].low)
    assert found.inflated is not None
    inflated = score_predictions(found.inflated, classes=MICRO_3)
    peer = f"{inflated.scores['UF1'].value:.3f} and {inflated.scores['UAR'].value:.3f}"
    print(f"\nINFLATED, no result: {peer}, by the best test epoch of each subject")
    reached = report.scores["UF1"].value >= GOAL and lows[0] > 0
    print(f"goal: UF1 {GOAL:.2f}, and above the SVM on the same arrays: {'reached' if reached else 'MISSED'}")
    return int(not reached)


def _flat(*maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([one.reshape(len(one), -1) for one in maps], axis=1)


if __name__ == "__main__":
    sys.exit(main())
