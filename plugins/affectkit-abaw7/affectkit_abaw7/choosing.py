"""What is chosen after training, by people who were neither trained on nor will be reported on: smoothing, and cuts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from affectkit.model import Model
from affectkit.training import Examples
from affectkit.training.smoothing import SIGMAS, set_smoothing
from affectkit.training.thresholds import set_thresholds

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
    smooths = any(f"{task}_smooth" in model.traced.outputs for task in OPEN)
    found = set_smoothing(model, choice, used_elsewhere=used_elsewhere) if smooths else {}
    if PRESENT in model.traced.outputs:
        set_thresholds(model, PRESENT, choice, used_elsewhere=used_elsewhere)
    return found


def chosen_smoothing(model: Model) -> dict[str, tuple[float, int]]:
    """Sigma and delta of the tasks that a model smooths; of those alone whose delta is not 0."""
    maps: Mapping[str, Any] = getattr(model.config, "maps", {})
    dials = {task: (maps[f"{task}_smooth"].sigma, maps[f"{task}_smooth"].delta) for task in OPEN}
    return {task: (sigma, delta) for task, (sigma, delta) in dials.items() if delta}
