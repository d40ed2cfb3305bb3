"""How well anyone could do on `BENCH_V1`, frame by frame: run `python benchmarks/abaw7_oracle.py`. No picture is drawn.

The true displacement of every action unit, with noise of some size in pixels on each (50 between the pupils), is
explained by the nearest prototype: the expression whose units, all moved by the same, leave the least of it. What is
within three standard deviations of rest is neutral. Valence and arousal follow from the prototype and its size; a unit
is present from the intensity on that labels count from. So this reads single frames, without time, and full labels;
AU24, which that world never moves, counts 0 in the mean F1.
"""

from __future__ import annotations

import sys

import numpy as np
from affectkit_abaw7.synthetic_labels import PRESENT
from numpy.typing import NDArray

from affectkit.data.labels import ABAW_8, ABAW_AUS, COMPOUND_BASICS
from affectkit.data.synthetic import AUS, BASIC_UNITS, BENCH_V1, COMPOUND_UNITS, FULL, SPLITS, place_of, units_of
from affectkit.data.synthetic.schedule import make_schedule
from affectkit.data.synthetic.truth import displacements
from affectkit.data.synthetic.units import MAX_INTENSITY
from affectkit.metrics.affect import au_f1, concordance, macro_f1, score_mtl

VIDEOS, FPS = 300, 30
# Pixels, standard deviations.
NOISE = (0.0, 0.03, 0.06, 0.1, 0.15)
_EXPRESSIONS = (*BASIC_UNITS, *COMPOUND_UNITS)
# Pixels per step of intensity, and which units are no blinks.
_SCALE = np.array([FULL[unit] for unit in AUS]) / MAX_INTENSITY
_LIDS = np.array([unit in ("AU43", "AU45") for unit in AUS])
Array = NDArray[np.float64]


def main() -> int:
    """Print a line for each size of noise."""
    pixels, classes, affect = _read_truth()
    seen = [AUS.index(unit) for unit in ABAW_AUS]
    truth = (pixels / _SCALE)[:, seen] >= PRESENT
    print(f"{VIDEOS} choice videos\n\n{'noise, px':>10}{'va':>8}{'expr':>8}{'au':>8}{'P':>8}")
    for size in NOISE:
        noise = np.random.default_rng(0).normal(size=pixels.shape) * size
        measured = np.where(_LIDS, 0.0, pixels + noise)
        guessed, value = _explain(measured, size)
        scores = (
            concordance(value, affect),
            macro_f1(classes, guessed, len(ABAW_8)),
            au_f1(truth, (measured / _SCALE)[:, seen] >= PRESENT),
        )
        cells = (scores[0].mean(), *scores[1:], score_mtl(*scores))
        print(f"{size:10.2f}" + "".join(f"{float(cell):8.3f}" for cell in cells))
    return 0


def _read_truth() -> tuple[Array, NDArray[np.int64], Array]:
    """Displacement `(N, units)` in pixels, class `(N,)`, and valence and arousal `(N, 2)` of every frame."""
    pixels, classes, affect = [], [], []
    for seed in SPLITS["choice"][:VIDEOS]:
        movements = make_schedule(np.random.default_rng([seed, 1]), BENCH_V1)
        for frame in range(round(BENCH_V1.seconds * FPS)):
            time = frame / FPS
            moved = displacements(movements, time)
            pixels.append([moved.get(unit, 0.0) for unit in AUS])
            shown = next((one.label for one in movements if one.label is not None and one.level(time) > 0.0), None)
            name = "neutral" if shown is None else "other" if shown in COMPOUND_BASICS else shown
            classes.append(ABAW_8.index(name))
            units = units_of(shown or "neutral")
            size = np.mean([moved[unit] / FULL[unit] for unit in units]) if units else 0.0
            affect.append(size * np.array(place_of(shown or "neutral")))
    return np.array(pixels), np.array(classes), np.array(affect)


def _explain(measured: Array, noise: float) -> tuple[NDArray[np.int64], Array]:
    """Class `(N,)`, and valence and arousal `(N, 2)`, of the prototype that leaves the least unexplained."""
    prototypes = np.array([[unit in units_of(name) for unit in AUS] for name in _EXPRESSIONS], np.float64)
    power = (prototypes**2).sum(axis=1)
    sizes = np.maximum(measured @ prototypes.T / power, 0.0)
    explained = sizes**2 * power
    best = explained.argmax(axis=1)
    at = np.arange(len(best))
    is_moving = explained[at, best] > max(9 * noise**2, 1e-6)
    kinds = np.array([ABAW_8.index("other" if name in COMPOUND_UNITS else name) for name in _EXPRESSIONS])
    places = np.array([place_of(name) for name in _EXPRESSIONS])
    # units of one event move by about as many pixels, which are other shares of their largest displacement
    per_pixel = np.array([np.mean([1.0 / FULL[unit] for unit in units_of(name)]) for name in _EXPRESSIONS])
    share = np.where(is_moving, sizes[at, best] * per_pixel[best], 0.0)
    return np.where(is_moving, kinds[best], 0), places[best] * share[:, None]


if __name__ == "__main__":
    sys.exit(main())
