"""Choosing the dials of score maps `smooth` of a trained model: on a part of the data for choosing, and on no other.

Sums over frames are what CCC and F1 need, so every setting is scored on all frames of that part together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence as Items
from dataclasses import replace
from itertools import product
from typing import Any

from affectkit.errors import InputError, listed
from affectkit.maps.smooth import SmoothConfig
from affectkit.model import Model
from affectkit.protocols.frame_report import score_frames
from affectkit.training.examples import Examples
from affectkit.training.frame_tables import predict_segments
from affectkit.training.scoring import check_others

# Squared frames, and neighbors to each side: from next to nothing to what helped on real lists.
SIGMAS = (1.0, 4.0, 16.0, 64.0, 1e5)
DELTAS = (1, 2, 5, 10, 20, 50)


def set_smoothing(
    model: Model,
    examples: Examples,
    *,
    used_elsewhere: Iterable[str] = (),
    sigmas: Items[float] = SIGMAS,
    deltas: Items[int] = DELTAS,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Set each map `smooth` to what scores best on the examples: CCC, macro F1 or mean F1 of its output.

    A map is off (`delta` 0) unless some smoothing scores higher than none. Weights stay as they are.

    Arguments:
        model: with at least one such map.
        examples: the validation part, segments of videos with labels, and nothing else.
        used_elsewhere: subjects that the model was trained on or will be judged by; none may be in `examples`.
        sigmas: squared frames to try.
        deltas: neighbors to each side to try.
        names: of these maps, those that are set; None for all.

    Returns:
        The dials that were set, by path.

    Raises:
        InputError: no such map, or one that smooths another's scores; the examples are no segments of videos, or have
            no labels for one; or a subject is used elsewhere.
    """
    check_others(examples, used_elsewhere)
    found = find_smoothing(model, examples, sigmas=sigmas, deltas=deltas, names=names)
    model.set_dials(found)
    return found


def find_smoothing(
    model: Model,
    examples: Examples,
    *,
    sigmas: Items[float] = SIGMAS,
    deltas: Items[int] = DELTAS,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """What `set_smoothing` would set; the model stays as it is."""
    maps: Mapping[str, Any] = getattr(model.config, "maps", {})
    smoothing = [name for name, config in maps.items() if isinstance(config, SmoothConfig)]
    if not smoothing:
        raise InputError("maps: none smooths; give the pipeline one, such as SmoothConfig(source='va')")
    if chained := [name for name in smoothing if maps[name].source in smoothing]:
        source = maps[chained[0]].source
        raise InputError(f"maps.{chained[0]}: smooths {source!r}, which is smoothed already; leave one of them out")
    chosen = smoothing if names is None else list(names)
    if wrong := [name for name in chosen if name not in smoothing]:
        raise InputError(f"maps: none that smooths is {wrong[0]!r}; give those that do: {listed(smoothing)}")
    best: dict[str, tuple[float, float, int]] = {}
    # none comes first: something else has to be better
    for sigma, delta in [(sigmas[0], 0), *product(sigmas, deltas)]:
        with model.dialed(_dials(dict.fromkeys(chosen, (sigma, delta)))):
            predictions = predict_segments(model, examples)
        if lost := [name for name in chosen if name not in predictions.outputs]:
            raise InputError(f"examples: no labels for the map {lost[0]!r}; give those of its head")
        smoothed = replace(predictions, outputs={name: predictions.outputs[name] for name in chosen})
        for name, score in score_frames(smoothed).items():
            if name in chosen and (name not in best or score > best[name][0]):
                best[name] = score, sigma, delta
    return _dials({name: (sigma, delta) for name, (_, sigma, delta) in best.items()})


def _dials(chosen: Mapping[str, tuple[float, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (sigma, delta) in chosen.items():
        found |= {f"maps.{name}.sigma": sigma, f"maps.{name}.delta": delta}
    return found
