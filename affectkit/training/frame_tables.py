"""From a model and segments of videos to a table of frames."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError
from affectkit.model import Model
from affectkit.protocols.frame_predictions import FrameOutput, FramePredictions, Kind
from affectkit.registry import Registry
from affectkit.sequences import Targets
from affectkit.streams import PredictionStream, Problem
from affectkit.training.examples import Examples
from affectkit.training.labeled_outputs import origins_of

# Segments that are scored at once.
_AT_ONCE = 8
KINDS: Mapping[Problem, Kind] = {
    "regression": "values", "ordinal": "values", "multiclass": "classes", "multilabel": "units"
}  # fmt: skip


def predict_segments(model: Model, examples: Examples, *, outputs: Collection[str] | None = None) -> FramePredictions:
    """Every real frame of segments of videos once; where they overlap, the mean of the decoded scores.

    Outputs without labels are left out, and so are those not in `outputs`, if any are named; a map of scores to the
    same targets, such as one that smooths, is compared with the labels of its source.

    Raises:
        InputError: the examples are no segments of videos.
    """
    if examples.frames is None:
        raise InputError("examples: no segments of videos; make them by segment_examples")
    mask = examples.mask
    row, step = (part.numpy() for part in mask.nonzero(as_tuple=True))
    names = [np.array(column, np.str_)[row] for column in (examples.datasets, examples.subjects, examples.videos)]
    frame = examples.frames[mask].numpy()
    first, where = _distinct([*names, frame])
    count = np.bincount(where)[:, None]
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    traced = model.traced.outputs
    wanted = {
        name: labels
        for name in traced
        if (labels := labels_of(model, name)) in examples.targets and (outputs is None or name in outputs)
    }
    scores = {name: np.zeros((len(count), len(traced[name].targets))) for name in wanted}
    at = 0
    for rows in torch.split(torch.arange(len(examples)), _AT_ONCE):
        inputs, _ = examples.batch(rows)
        found = model.predict({name: one.to(device) for name, one in inputs.items()})
        number = int(mask[rows].sum())
        for name, total in scores.items():
            np.add.at(total, where[at : at + number], found[name].double().cpu()[mask[rows]].numpy())
        at += number
    dataset, subject, video = (column[first] for column in names)
    return FramePredictions(
        dataset=dataset,
        subject=np.array([s.removeprefix(f"{d}/") for d, s in zip(dataset.tolist(), subject.tolist(), strict=True)]),
        video=video,
        frame=frame[first],
        outputs={
            name: _output(traced[name], scores[name] / count, examples.targets[labels], (row[first], step[first]))
            for name, labels in wanted.items()
        },
        source="evaluation",
    )


def join_frames(parts: Iterable[FramePredictions]) -> FramePredictions:
    """Tables of several folds as one, by dataset, subject, video and frame."""
    tables = list(parts)
    outputs = {
        name: replace(
            one,
            scores=np.concatenate([table.outputs[name].scores for table in tables]),
            truth=np.concatenate([table.outputs[name].truth for table in tables]),
            valid=np.concatenate([table.outputs[name].valid for table in tables]),
        )
        for name, one in tables[0].outputs.items()
    }
    folds = [table.fold for table in tables if table.fold is not None]
    joined = FramePredictions(
        dataset=np.concatenate([table.dataset for table in tables]),
        subject=np.concatenate([table.subject for table in tables]),
        video=np.concatenate([table.video for table in tables]),
        frame=np.concatenate([table.frame for table in tables]),
        outputs=outputs,
        fold=np.concatenate(folds) if len(folds) == len(tables) else None,
        source="evaluation",
    )
    return joined.take(joined.order())


def labels_of(model: Model, output: str) -> str:
    """The head with whose labels an output is compared: itself, or what its map of scores starts from."""
    return labels_among(model.config, model.traced.outputs, output, registry=model.registry)


def labels_among(
    config: ModelConfig, outputs: Mapping[str, PredictionStream], output: str, *, registry: Registry | None = None
) -> str:
    """As `labels_of`, of a config and its outputs; what members map counts as they do."""
    maps = getattr(config, "maps", {})
    while output in maps and outputs[maps[output].source].targets == outputs[output].targets:
        output = maps[output].source
    if isinstance(config, EnsembleConfig):
        return [one for one in origins_of(config, output, registry=registry) if one in outputs][-1]
    return output


def _distinct(columns: list[NDArray[np.generic]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each distinct row of some columns the first place, and of every row the number of the distinct one."""
    order = np.lexsort(columns[::-1])
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    where = np.empty(len(order), np.int64)
    where[order] = np.cumsum(is_new) - 1
    return order[is_new], where


def _output(
    output: PredictionStream,
    scores: NDArray[np.float64],
    labels: Targets,
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> FrameOutput:
    values, valid = (part.numpy()[at] for part in labels)
    return FrameOutput(
        kind=KINDS[output.problem], targets=output.targets, scores=scores, truth=values, valid=valid.astype(np.bool_)
    )
