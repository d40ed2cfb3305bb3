"""Scores of predictions of frames: pooled over all valid frames, with intervals over videos or subjects; in pairs.

Values have the CCC of each and their mean, classes macro F1, units mean F1; all by `affectkit.metrics.affect`. `P` is
there where they are those of the multi-task challenge: valence and arousal, classes, and units. Of several outputs that
score the same, it is of the last, since a map of scores comes behind what it maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.metrics.affect import (
    class_counts,
    concordance_of,
    concordance_sums,
    mean_unit_f1,
    score_mtl,
    unit_counts,
    unit_f1,
)
from affectkit.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_score
from affectkit.metrics.recognition import f1_per_class, uf1
from affectkit.protocols.frame_predictions import FrameOutput, FramePredictions, Kind

Groups = Literal["video", "subject"]
Sums = NDArray[Any]
Score = Callable[[Sums], NDArray[np.float64]]
VALENCE_AROUSAL = ("valence", "arousal")
# From this probability on, a unit counts as active; maps of thresholds move scores so that it is theirs.
ACTIVE = 0.5


@dataclass(frozen=True)
class FrameReport:
    """What `report_frames` found.

    Attributes:
        frames, videos, subjects: how many.
        scores: by output name the CCC (mean of its targets), macro F1 or mean F1; `P` where it is defined.
        targets: of every target its CCC or F1, by `output.target`. Here and in `scores` NaN where there is nothing to
            score: a label of the output in no frame, and of values in less than two.
        p_of: the three outputs of which `P` is, or none.
        valid: how many frames each output has a label in, whole or in part.
        absent: targets of classes and units that no valid frame shows, of outputs that have any: they count 0 in F1.
    """

    frames: int
    videos: int
    subjects: int
    scores: Mapping[str, Interval]
    targets: Mapping[str, Interval]
    p_of: tuple[str, ...]
    valid: Mapping[str, int]
    absent: tuple[str, ...]


def report_frames(predictions: FramePredictions, *, groups: Groups = "video") -> FrameReport:
    """Pool all frames and score them.

    Arguments:
        predictions: of every frame once.
        groups: what is drawn for the intervals. Frames of one video, and videos of one person, are alike.

    Raises:
        InputError: there are fewer than two groups.
    """
    sums = _group_sums(predictions, groups)
    scorers = _scorers(predictions.outputs)
    return FrameReport(
        frames=len(predictions),
        videos=len(set(predictions.videos)),
        subjects=len(set(predictions.subjects)),
        scores={name: bootstrap_score(sums, score) for name, score in scorers.items() if "." not in name},
        targets={name: bootstrap_score(sums, score) for name, score in scorers.items() if "." in name},
        p_of=_roles(predictions.outputs) or (),
        valid={name: int(_any_valid(one).sum()) for name, one in predictions.outputs.items()},
        absent=tuple(
            f"{name}.{target}"
            for name, one in predictions.outputs.items()
            if one.kind != "values" and one.valid.any()
            for k, target in enumerate(one.targets)
            if not _shown(one, k)
        ),
    )


def score_frames(predictions: FramePredictions) -> dict[str, float]:
    """The scores of a report alone, without intervals."""
    sums = _sums(predictions, "video").sum(axis=0)
    return {name: float(score(sums)) for name, score in _scorers(predictions.outputs).items() if "." not in name}


def find_roles(outputs: Mapping[str, tuple[Kind, tuple[str, ...]]]) -> tuple[str, str, str] | None:
    """The outputs that `P` is of, given kind and targets of each: the last values, classes and units of several.

    None if those of one kind have not the same targets, or values are not valence and arousal.
    """
    by_kind: dict[Kind, list[str]] = {"values": [], "classes": [], "units": []}
    for name, (kind, _) in outputs.items():
        by_kind[kind].append(name)
    if any(len({outputs[name][1] for name in names}) != 1 for names in by_kind.values()):
        return None
    va, expr, au = (names[-1] for names in by_kind.values())
    return (va, expr, au) if set(outputs[va][1]) == set(VALENCE_AROUSAL) else None


def compare_frames(
    ours: FramePredictions, theirs: FramePredictions, *, groups: Groups = "video"
) -> dict[str, Interval]:
    """Scores of `ours` less those of `theirs` for the outputs of both, by the paired bootstrap over videos.

    A net for all tasks is so compared with nets for one each. `P` is compared where it is of the same outputs in both.

    Raises:
        InputError: as `report_frames`; or the two have no output in common, or are not of the same frames and truth.
    """
    common = [name for name in ours.outputs if name in theirs.outputs]
    if not common:
        names = [", ".join(one.outputs) for one in (ours, theirs)]
        raise InputError(f"{theirs.source}: has {names[1]}, and {ours.source} {names[0]}; compare the same outputs")
    one, other = (_only(predictions, common) for predictions in (ours, theirs))
    _check_same(one, other)
    mine, others = _group_sums(one, groups), _group_sums(other, groups)
    is_same_p = _roles(ours.outputs) == _roles(theirs.outputs) == _roles(one.outputs)
    return {
        name: bootstrap_difference(mine, others, score, same_rows=False)
        for name, score in _scorers(one.outputs).items()
        if name != "P" or is_same_p
    }


def _group_sums(predictions: FramePredictions, groups: Groups) -> Sums:
    sums = _sums(predictions, groups)
    if len(sums) < 2:
        raise InputError(f"{predictions.source}: {len(sums)} {groups}; intervals over {groups}s need at least 2")
    return sums


def _sums(predictions: FramePredictions, groups: Groups) -> Sums:
    """Of each group the sums of all outputs, in one row: `(G, 1, n)`."""
    names = predictions.videos if groups == "video" else predictions.subjects
    parts = [_output_sums(one, names) for one in predictions.outputs.values()]
    return np.concatenate([part.reshape(len(part), 1, -1) for part in parts], axis=-1)


def _output_sums(one: FrameOutput, groups: tuple[str, ...]) -> Sums:
    if one.kind == "values":
        return concordance_sums(one.scores, one.truth, one.valid, groups)
    if one.kind == "classes":
        return class_counts(one.truth, one.scores.argmax(axis=1), one.valid, groups, len(one.targets))
    return unit_counts(one.truth, one.scores >= ACTIVE, one.valid, groups)


def _scorers(outputs: Mapping[str, FrameOutput]) -> dict[str, Score]:
    """By name of an output, of a target as `output.target`, and `P`: a function of pooled sums `(..., 1, n)`."""
    found: dict[str, Score] = {}
    begin = 0
    for name, one in outputs.items():
        targets, whole, shape = _of_kind(one)
        end = begin + int(np.prod(shape))

        def of(score: Score, at: slice = slice(begin, end), shape: tuple[int, ...] = shape) -> Score:
            return lambda sums: score(sums[..., 0, at].reshape(*sums.shape[:-2], *shape))

        found[name] = of(whole)
        for k, target in enumerate(one.targets):
            found[f"{name}.{target}"] = of(lambda sums, k=k, targets=targets: targets(sums)[..., k])  # type: ignore[misc]
        begin = end
    roles = _roles(outputs)
    if roles is not None:
        va, expr, au = roles

        def p(sums: Sums) -> NDArray[np.float64]:
            pair = np.stack([found[f"{va}.{target}"](sums) for target in VALENCE_AROUSAL], axis=-1)
            return score_mtl(pair, found[expr](sums), found[au](sums))

        found["P"] = p
    return found


def _of_kind(one: FrameOutput) -> tuple[Score, Score, tuple[int, ...]]:
    """Scores of the targets, the score of all, and the shape of the sums that they are of."""
    count = len(one.targets)
    if one.kind == "values":
        return concordance_of, lambda sums: concordance_of(sums).mean(axis=-1), (count, 6)
    if one.kind == "classes":
        return f1_per_class, uf1, (count, count)
    return unit_f1, mean_unit_f1, (count, 4)


def _roles(outputs: Mapping[str, FrameOutput]) -> tuple[str, str, str] | None:
    return find_roles({name: (one.kind, one.targets) for name, one in outputs.items()})


def _only(predictions: FramePredictions, names: list[str]) -> FramePredictions:
    kept = predictions.take(predictions.order())
    return FramePredictions(
        dataset=kept.dataset,
        subject=kept.subject,
        video=kept.video,
        frame=kept.frame,
        outputs={name: kept.outputs[name] for name in names},
        source=kept.source,
    )


def _check_same(ours: FramePredictions, theirs: FramePredictions) -> None:
    hint = "compare on the same"
    if ours.videos != theirs.videos or not np.array_equal(ours.frame, theirs.frame):
        raise InputError(f"{theirs.source}: not the frames of {ours.source}; {hint}")
    for name, one in ours.outputs.items():
        other = theirs.outputs[name]
        is_same = (one.kind, one.targets) == (other.kind, other.targets) and np.array_equal(one.valid, other.valid)
        # a table has float64 of what was float32
        if not is_same or not np.allclose(one.truth[one.valid], other.truth[one.valid], atol=1e-6):
            raise InputError(f"{theirs.source}: not the truth of {ours.source} for {name!r}; {hint}")


def _any_valid(one: FrameOutput) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.any(one.valid.reshape(len(one.valid), -1), axis=1)
    return found


def _shown(one: FrameOutput, k: int) -> bool:
    if one.kind == "classes":
        return bool((one.truth[one.valid] == k).any())
    return bool((one.truth[:, k][one.valid[:, k]] > 0).any())
