"""What candidates are scored by, classes of clips or frames of videos: found and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, InputError, did_you_mean
from affectkit.metrics.recognition import confusion_matrix
from affectkit.model import Model
from affectkit.protocols.frame_report import find_roles, score_frames
from affectkit.protocols.report import SCORES
from affectkit.registry import Registry
from affectkit.streams import PredictionStream
from affectkit.training.evaluation import check_truth, find_class_head
from affectkit.training.examples import Examples
from affectkit.training.folds import probabilities
from affectkit.training.frame_tables import KINDS, labels_among, predict_segments
from affectkit.training.scoring import flat_labels


@dataclass(frozen=True)
class Metric:
    """A score of a pipeline on examples.

    Attributes:
        name: `UF1`, `UAR` or `accuracy` of one head, or as `score_frames` has it.
        outputs: whose predictions it is of.
        is_of_frames: whether it is of frames of videos.
    """

    name: str
    outputs: tuple[str, ...]
    is_of_frames: bool

    def score(self, model: Model, examples: Examples) -> float:
        """Of a model on all examples, pooled.

        Raises:
            InputError: a prediction is NaN or infinite.
        """
        if self.is_of_frames:
            return score_frames(predict_segments(model, examples, outputs=self.outputs))[self.name]
        (head,) = self.outputs
        found = probabilities(model, examples, head)
        if not found.isfinite().all():
            raise InputError(f"{head}: scores that are NaN or infinite; leave these values out")
        truth = examples.targets[head].values.flatten().tolist()
        counts = confusion_matrix(truth, found.argmax(dim=1).tolist(), found.shape[1])
        return float(SCORES[self.name](counts))


def find_metric(name: str, config: ModelConfig, examples: Examples, head: str | None, registry: Registry) -> Metric:
    """The score of that name.

    Arguments:
        name: `UF1`, `UAR` or `accuracy`, of classes of clips or single pictures; or for segments of videos and single
            pictures the name of an output that scores frames, or `P` of the multi-task challenge.
        config: of what is scored.
        examples: by which it is.
        head: whose classes are scored; None where there is one such head, or for a score of frames.
        registry: where components are looked up.

    Raises:
        ConfigError: this pipeline has no such score on such examples; says which it has.
        InputError: the examples have too few labels for it.
    """
    outputs = config.trace(registry=registry).outputs
    of_frames = _frame_scores(config, examples, outputs, registry)
    has_classes = _has_classes(examples, outputs)
    if has_classes and name in SCORES:
        found, output = find_class_head(config, head, registry, frames=examples.are_pictures)
        check_truth(examples, found, len(output.targets))
        return Metric(name, (found,), is_of_frames=False)
    if name not in of_frames:
        known = [*(SCORES if has_classes else ()), *of_frames]
        raise _unknown(name, known, config, examples, outputs)
    if head is not None:
        raise ConfigError(
            f"{head!r} beside a score of frames", "leave it out: objectives.score says whose", path="head"
        )
    for one in of_frames[name]:
        _check_labels(outputs[one], labels_among(config, outputs, one, registry=registry), examples)
    return Metric(name, of_frames[name], is_of_frames=True)


def _has_classes(examples: Examples, outputs: Mapping[str, PredictionStream]) -> bool:
    """Whether there is one class per example to score."""
    if examples.frames is not None and not examples.are_pictures:
        return False
    return any(
        one.problem == "multiclass" and (examples.are_pictures or one.resolution == "clip") for one in outputs.values()
    )


def _frame_scores(
    config: ModelConfig, examples: Examples, outputs: Mapping[str, PredictionStream], registry: Registry
) -> dict[str, tuple[str, ...]]:
    """By name of each score of frames that the examples have labels for: the outputs that it is of."""
    if examples.frames is None:
        return {}
    labels = {
        name: labels_among(config, outputs, name, registry=registry)
        for name, one in outputs.items()
        if one.resolution == "frame"
    }
    labels = {name: of for name, of in labels.items() if of in examples.targets}
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in labels}
    # a map comes behind what it maps, and stands for it
    last = {of: name for name, of in labels.items()}.values()
    roles = find_roles({name: (KINDS[outputs[name].problem], outputs[name].targets) for name in last})
    return found if roles is None else found | {"P": roles}


def _unknown(
    name: str,
    known: list[str],
    config: ModelConfig,
    examples: Examples,
    outputs: Mapping[str, PredictionStream],
) -> ConfigError:
    """What is in the way of the output that is named, or of the first one where none can be scored; or what can be."""
    if name in outputs or (outputs and not known):
        which = name if name in outputs else next(iter(outputs))
        reason = _obstacle(outputs[which], examples)
        if reason is not None:
            is_joined = isinstance(config, EnsembleConfig) and config.level == "scores"
            place = "maps" if which in getattr(config, "maps", {}) else "fusion" if is_joined else "heads"
            return ConfigError(*reason, path=f"{place}.{which}")
    kind = "clips" if examples.frames is None else "pictures" if examples.are_pictures else "frames"
    return ConfigError(
        f"no score {name!r} of {kind}", did_you_mean(name, known, noun="scores"), path="objectives.score"
    )


def _obstacle(output: PredictionStream, examples: Examples) -> tuple[str, str] | None:
    """Fact and suggestion; None for classes of clips, which have scores of other names."""
    segments = "give segments of videos"
    if output.resolution == "frame":
        if examples.frames is None:
            return "scores frames, and the examples are clips", segments
        return "has no labels in the examples", "give them, or name another score"
    if output.problem == "multiclass" and (examples.frames is None or examples.are_pictures):
        return None
    if examples.frames is not None:
        return "scores clips, and the examples have labels of frames", "write resolution='frame'"
    return "scores clips, for which there are scores of classes only", f"write resolution='frame', and {segments}"


def _check_labels(output: PredictionStream, labels: str, examples: Examples) -> None:
    """Raise InputError where labels are none of this output, or so few that nothing has a score."""
    assert examples.frames is not None
    given, place = examples.targets[labels], f"examples: {labels}"
    shape, hint = (*examples.mask.shape, len(output.targets)), "search by more people, or by another score"
    if KINDS[output.problem] != "values":
        if not flat_labels(given, shape, examples.mask, output.problem, place)[1].any():
            raise InputError(f"{place}: no frame with a valid label; {hint}")
        return
    if tuple(given.values.shape) != shape:
        raise InputError(f"{place}: labels {tuple(given.values.shape)} for scores {shape}; give {shape}")
    for k, target in enumerate(output.targets):
        row, step = (given.valid[..., k] & examples.mask).nonzero(as_tuple=True)
        frames = examples.frames[row, step].tolist()
        # segments overlap: one frame may be there twice
        if len({(examples.videos[at], frame) for at, frame in zip(row.tolist(), frames, strict=True)}) < 2:
            raise InputError(f"{place}: less than 2 frames with a valid {target!r}; {hint}")
