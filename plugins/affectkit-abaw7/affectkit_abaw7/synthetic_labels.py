"""Labels of synthetic faces as the in-the-wild lists have them: any frame may have any subset. No torch.

Tasks are drawn in blocks of a video, at the rates of the ABAW7 training list (142,333 lines:
VA in 73 %, Expr in 64 %, AU in 73 %, all three in 37 %); the remaining subsets are shared out to give these sums.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from affectkit.data.labels import ABAW_8, ABAW_AUS
from affectkit.data.synthetic import Truth
from affectkit.records import Labels

VA, EXPRESSION, UNITS = "va", "expr", "au"
TASKS = (VA, EXPRESSION, UNITS)
# Intensity, 0 to 5, from which on a unit counts as present; a tenth of a trace is seen by nobody.
PRESENT = 0.25
# Share of frames by the tasks that they are labeled for.
SHARES: Mapping[tuple[str, ...], float] = {
    TASKS: 0.366,
    (VA, UNITS): 0.181,
    (VA, EXPRESSION): 0.09,
    (EXPRESSION, UNITS): 0.09,
    (VA,): 0.093,
    (UNITS,): 0.089,
    (EXPRESSION,): 0.091,
}
# Blocks of one video, at the most.
BLOCKS = 3


def list_frames(count: int, generator: np.random.Generator, *, most: int = 5) -> NDArray[np.int64]:
    """Positions of the listed frames of a video of `count`, from 0: gaps of 1 to `most` frames, each as likely."""
    steps = generator.integers(1, most + 1, size=count)
    places = np.concatenate([[0], np.cumsum(steps)])
    return np.asarray(places[places < count], np.int64)


def make_labels(truth: Truth, at: NDArray[np.int64], *, present: float = PRESENT) -> dict[str, Labels]:
    """Full labels of the listed frames: valence and arousal, class numbers of `ABAW_8`, occurrence of `ABAW_AUS`.

    A compound expression is `other`. No expression of the synthetic world has AU24: it is absent from every frame.
    """
    affect = np.stack([truth.valence[at], truth.arousal[at]], axis=1).astype(np.float32)
    classes = np.array([ABAW_8.index(truth.expression[t]) for t in at], np.int64)
    units = truth.au[at][:, [truth.aus.index(name) for name in ABAW_AUS]] >= present
    return {
        VA: Labels(affect, np.ones(affect.shape, np.bool_)),
        EXPRESSION: Labels(classes, np.ones(classes.shape, np.bool_)),
        UNITS: Labels(units.astype(np.float32), np.ones(units.shape, np.bool_)),
    }


def hide_labels(labels: Mapping[str, Labels], generator: np.random.Generator) -> dict[str, Labels]:
    """The same with what a list would leave out marked as not valid: one draw of tasks per block of the video."""
    count = len(labels[EXPRESSION].values)
    cuts = np.sort(generator.integers(0, count + 1, size=int(generator.integers(0, BLOCKS))))
    drawn = generator.choice(len(SHARES), size=len(cuts) + 1, p=np.array([*SHARES.values()]))
    block = np.searchsorted(cuts, np.arange(count), side="right")
    kinds = [*SHARES]
    found = {}
    for name, one in labels.items():
        shown = np.array([name in kinds[drawn[number]] for number in block])
        found[name] = Labels(one.values, one.valid & shown.reshape(-1, *[1] * (one.valid.ndim - 1)))
    return found
