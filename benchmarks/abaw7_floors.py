"""What answers that look at no face score in the multi-task challenge of ABAW7: `python benchmarks/abaw7_floors.py`.

By the counts of the official validation list of s-Aff-Wild2: frames of each expression, and share of frames in which
each action unit is active. Labels are made from the counts, and scored by affectkit's own metrics. Bars: the published
floors, mean F1 0.359 of all units active, and 0.057 of all frames `other`, to the third digit.
"""

from __future__ import annotations

import sys

import numpy as np

from affectkit.data.labels import ABAW_8, ABAW_AUS
from affectkit.metrics.affect import au_f1, concordance, macro_f1, score_mtl

FRAMES = 26_876
EXPRESSIONS = (1886, 487, 565, 1254, 3751, 1893, 1003, 4601)
ACTIVE = (0.206, 0.095, 0.202, 0.328, 0.492, 0.425, 0.310, 0.029, 0.028, 0.030, 0.760, 0.109)
FLOORS = {"all units active": 0.359, "all frames other": 0.057}


def main() -> int:
    """Print the table; 1 if a floor is another one."""
    units = np.arange(FRAMES)[:, None] < np.rint(np.array(ACTIVE) * FRAMES)
    truth = np.repeat(np.arange(len(ABAW_8)), EXPRESSIONS)
    found = {
        "all units active": au_f1(units, np.ones_like(units)),
        "all frames other": macro_f1(truth, np.full_like(truth, ABAW_8.index("other")), len(ABAW_8)),
    }
    met = True
    print(f"{FRAMES} frames, {len(truth)} with an expression, {len(ABAW_AUS)} units")
    for name, score in found.items():
        is_same = round(score, 3) == FLOORS[name]
        met &= is_same
        print(f"{name:<20}{score:.4f}   published {FLOORS[name]:.3f}: {'reproduced' if is_same else 'ANOTHER'}")
    # any labels will do: a constant follows none of them
    labels = np.stack([np.linspace(-1, 1, FRAMES), np.linspace(-0.2, 0.9, FRAMES)], axis=1)
    still = concordance(np.zeros_like(labels), labels)
    total = score_mtl(still, found["all frames other"], found["all units active"])
    print(f"with a constant valence and arousal, whose CCC is 0: P {float(total):.3f}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
