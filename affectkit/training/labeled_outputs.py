"""Which outputs of a model labels are for: the heads of a pipeline, and what an ensemble joins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError, listed
from affectkit.graphs import OnnxConfig
from affectkit.records import Issue
from affectkit.registry import Registry
from affectkit.score_streams import own_outputs
from affectkit.streams import PredictionStream

Unlabeled = Literal["refuse", "leave"]


@dataclass(frozen=True)
class LabeledOutput:
    """An output that a loss compares with labels.

    Attributes:
        name: of the output, and of its labels in examples.
        path: where errors say it is: `heads.expression`, or of joined scores `fusion.expression`.
        stream: what is scored.
        known_as: what a dataset may call its labels, the first that it has: its own name; where members map scores to
            the same targets, as a temperature does, also what they map.
    """

    name: str
    path: str
    stream: PredictionStream
    known_as: tuple[str, ...]


def labeled_outputs(
    config: ModelConfig, *, maps: Collection[str] = (), registry: Registry | None = None
) -> dict[str, LabeledOutput]:
    """By name the heads of a pipeline, or of an ensemble that joins features; of one that joins scores, these.

    Behind them come the `maps`, score maps that have labels of their own, since no head scores their targets.
    """
    trace = config.trace(registry=registry)
    mapped = {name: LabeledOutput(name, f"maps.{name}", trace.outputs[name], (name,)) for name in maps}
    if isinstance(config, EnsembleConfig) and config.level == "scores":
        joined = {step.path.removeprefix("fusion.") for step in trace if step.path.startswith("fusion.")}
        origins = {name: origins_of(config, name, registry=registry) for name in trace.outputs if name in joined}
        return {
            name: LabeledOutput(name, f"fusion.{name}", trace.outputs[name], found)
            for name, found in origins.items()
            # what maps of members make of another one would count its labels twice
            if not joined.intersection(found[1:])
        } | mapped
    heads: Iterable[str] = getattr(config, "heads", ())
    return {name: LabeledOutput(name, f"heads.{name}", trace.outputs[name], (name,)) for name in heads} | mapped


def scored_outputs(config: ModelConfig, *, registry: Registry | None = None) -> dict[str, PredictionStream]:
    """All outputs that say something of a face, maps too; without what an ensemble says of its members."""
    trace = config.trace(registry=registry)
    return {name: trace.outputs[name] for name in own_outputs(trace)}


def check_labeled(
    lacking: Collection[LabeledOutput], targets: Collection[str], unlabeled: Unlabeled, *, is_any: bool
) -> None:
    """Raise InputError for outputs that a dataset has no labels of, unless they are to be left as they are.

    Arguments:
        lacking: these outputs.
        targets: what the dataset has labels of.
        unlabeled: what becomes of them.
        is_any: whether there are labels of another output.
    """
    if not lacking or (unlabeled == "leave" and is_any):
        return
    first = next(iter(lacking))
    remedy = "give it the name of its labels" if targets else "give a dataset with labels"
    if is_any:
        remedy += ", or leave it untrained by unlabeled='leave' (--unlabeled-heads leave)"
    raise InputError(f"{first.path}: no labels of it; the dataset has {listed(sorted(targets)) or 'none'}; {remedy}")


def check_frames(outputs: Iterable[LabeledOutput]) -> None:
    """Raise InputError for an output that scores clips, where labels are of the frames of segments."""
    for one in outputs:
        if one.stream.resolution != "frame":
            raise InputError(f"{one.path}: scores clips, and segments have labels of frames; write resolution='frame'")


def left_untrained(lacking: Iterable[LabeledOutput]) -> Iterator[Issue]:
    """A warning for each output that is left without labels."""
    for one in lacking:
        fact = "no labels of it; it is neither trained nor scored, though what is before it may change"
        yield Issue(level="warning", where=one.path, fact=fact)


def origins_of(config: ModelConfig, name: str, *, registry: Registry | None = None) -> tuple[str, ...]:
    """The output's name, and of what maps of members make it, as long as targets stay the same."""
    found = [name]
    while isinstance(config, EnsembleConfig) and config.level == "scores":
        config = next(iter(config.members.values()))
        # what was exported names its maps in its file
        config = config.pipeline(registry=registry) if isinstance(config, OnnxConfig) else config
        outputs, maps = config.trace(registry=registry).outputs, getattr(config, "maps", {})
        while name in maps and outputs[maps[name].source].targets == outputs[name].targets:
            name = maps[name].source
            found.append(name)
    return tuple(found)
