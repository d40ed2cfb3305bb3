"""Valence, arousal, expressions and units per frame, from stored features and partial labels. Both are made up here."""

from __future__ import annotations

import numpy as np

from affectkit import (
    ActionUnitsConfig,
    Branch,
    ExpressionConfig,
    FeatureStream,
    PipelineConfig,
    Recipe,
    TransformerConfig,
    ValenceArousalConfig,
)
from affectkit.protocols.frame_report import report_frames
from affectkit.records import Labels
from affectkit.tracks.track import FeatureTrack
from affectkit.training import fit
from affectkit.training.frame_tables import predict_segments
from affectkit.training.segments import FrameLabels, segment_examples

MIX = np.random.default_rng(0).normal(size=(22, 32))
CONFIG = PipelineConfig(
    input=FeatureStream(dim=32),
    branches={"face": Branch()},
    temporal=TransformerConfig(dim=32, depth=1, heads=2, dropout=0.0, positions="time"),
    heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
)


def make_video(number: int) -> tuple[FrameLabels, FeatureTrack]:
    rng, name = np.random.default_rng(number), f"v{number:02}"
    # listed frames are irregular, and each is labeled for any subset of the tasks
    frames, valid = np.cumsum(rng.integers(1, 9, 60)), rng.random((3, 60)) < 0.7
    va, expr = rng.uniform(-1, 1, (60, 2)).astype(np.float32), rng.integers(0, 8, 60)
    au = (rng.random((60, 12)) < 0.3).astype(np.float32)
    labels = {
        "va": Labels(va, np.repeat(valid[0][:, None], 2, axis=1)),
        "expr": Labels(expr, valid[1]),
        "au": Labels(au, np.repeat(valid[2][:, None], 12, axis=1)),
    }
    values = (np.concatenate([va, np.eye(8)[expr], au], axis=1) @ MIX).astype(np.float32)
    track = FeatureTrack(video=name, frames=frames, times=frames / 30, values=values)
    return FrameLabels(video=name, frames=frames, targets=labels, dataset="made"), track


def main() -> None:
    labels, tracks = zip(*map(make_video, range(24)), strict=True)
    (name,) = CONFIG.inputs
    examples = segment_examples({name: {track.video: track for track in tracks}}, labels, length=60).examples
    model = fit(CONFIG, examples.take(range(16)), Recipe(epochs=60, batch_size=4, learning_rate=0.01))
    report = report_frames(predict_segments(model, examples.take(range(16, 24))))
    print(", ".join(f"{score} {interval}" for score, interval in report.scores.items()))


if __name__ == "__main__":
    main()
