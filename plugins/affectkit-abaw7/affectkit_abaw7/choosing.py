"""What is chosen after training, by people who were neither trained on nor will be reported on: smoothing, and cuts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from affectkit.model import Model
from affectkit.protocols.frame_report import score_frames
from affectkit.training import Examples
from affectkit.training.thresholds import set_thresholds
from affectkit_abaw7.scores import predict_tasks

# Squared frames, and neighbors to each side: from next to nothing to what helped on real lists.
SIGMAS = (1.0, 4.0, 16.0, 64.0, 1e5)
DELTAS = (1, 2, 5, 10)
# No smoothing, of what may be smoothed: where choosing begins.
OPEN: Mapping[str, tuple[float, int]] = {"va": (SIGMAS[0], 0), "expr": (SIGMAS[0], 0)}
PRESENT = "au_present"


def choose_maps(model: Model, choice: Examples, *, used_elsewhere: Iterable[str] = ()) -> dict[str, Any]:
    """Set what a trained model's maps leave open to what scores best on these people; weights stay as they are.

    Smoothing of a task is off (`delta` 0) unless it scores higher than none. Units are never smoothed.

    Arguments:
        model: with maps `va_smooth`, `expr_smooth` and `au_present`, or some of them.
        choice: these people, with labels.
        used_elsewhere: people that the model was trained on or will be judged by; none may be among them.

    Returns:
        The dials that were set, by path.

    Raises:
        InputError: somebody is used elsewhere.
    """
    found = choose_smoothing(model, choice)
    model.set_dials(found)
    if PRESENT in model.traced.outputs:
        set_thresholds(model, PRESENT, choice, used_elsewhere=used_elsewhere)
    return found


def choose_smoothing(model: Model, choice: Examples) -> dict[str, Any]:
    """Dials of the smoothing maps, by path, with the highest mean CCC and macro F1; the model stays as it is."""
    tasks = [task for task in OPEN if f"{task}_smooth" in model.traced.outputs]
    if not tasks:
        return {}
    best: dict[str, tuple[float, float, int]] = {}
    # delta 0, none, comes first: something else has to be better
    for sigma, delta in [(SIGMAS[0], 0), *product(SIGMAS, DELTAS)]:
        with model.dialed(_dials(dict.fromkeys(tasks, (sigma, delta)))):
            scores = score_frames(predict_tasks(model, choice))
        for task in tasks:
            if task not in best or scores[task] > best[task][0]:
                best[task] = scores[task], sigma, delta
    return _dials({task: best[task][1:] for task in tasks})


def chosen_smoothing(model: Model) -> dict[str, tuple[float, int]]:
    """Sigma and delta of the tasks that a model smooths; of those alone whose delta is not 0."""
    maps: Mapping[str, Any] = getattr(model.config, "maps", {})
    dials = {task: (maps[f"{task}_smooth"].sigma, maps[f"{task}_smooth"].delta) for task in OPEN}
    return {task: (sigma, delta) for task, (sigma, delta) in dials.items() if delta}


def _dials(chosen: Mapping[str, tuple[float, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for task, (sigma, delta) in chosen.items():
        found |= {f"maps.{task}_smooth.sigma": sigma, f"maps.{task}_smooth.delta": delta}
    return found
