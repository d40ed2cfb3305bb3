"""Predictions of the three tasks per frame: of each output the last map's, such as units with their cuts."""

from __future__ import annotations

from dataclasses import replace

from affectkit.model import Model
from affectkit.protocols.frame_predictions import FramePredictions
from affectkit.protocols.frame_report import score_frames
from affectkit.training import Examples
from affectkit.training.frame_tables import labels_of, predict_segments


def predict_tasks(model: Model, examples: Examples) -> FramePredictions:
    """Every real frame of whole videos once; scores of a map stand in the place of those of its head."""
    found = predict_segments(model, examples)
    # in the order of the model: a map comes behind what it maps
    return replace(found, outputs={labels_of(model, name): one for name, one in found.outputs.items()})


def describe_scores(model: Model, examples: Examples) -> str:
    """One line: mean CCC, macro F1 and mean F1 of the tasks that the model scores, and P where these are all."""
    scores = score_frames(predict_tasks(model, examples))
    return ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
