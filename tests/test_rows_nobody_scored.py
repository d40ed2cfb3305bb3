"""A row that no member of an ensemble scores: empty cells in the table, and no class, mean or frame of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from affectkit import (
    Branch,
    ConvStemConfig,
    EnsembleConfig,
    ExpressionConfig,
    Frames,
    FrameStream,
    MeanFusionConfig,
    PipelineConfig,
    analyze,
    read_results,
)
from affectkit.cli import main
from affectkit.errors import LeftOutWarning
from affectkit.results.findings import findings_of
from affectkit.video.event_scoring import _label
from tests.clips import write_levels

TARGETS = ("joy", "fear")


def make(*broken: str) -> Any:
    """Two members, of which some score nothing but NaN."""
    member = PipelineConfig(
        input=FrameStream(height=16, width=16),
        sampling=Frames(),
        branches={"face": Branch(features=ConvStemConfig(dim=4, width=4))},
        heads={"expression": ExpressionConfig(targets=TARGETS)},
    )
    torch.manual_seed(0)
    model: Any = EnsembleConfig(
        members={"a": member, "b": member}, fusion=MeanFusionConfig(), on_nan="drop", sampling=Frames()
    ).build()
    for name in broken:
        torch.nn.init.constant_(model.members[name].heads["expression"].linear.bias, float("nan"))
    return model.eval()


@pytest.mark.filterwarnings("ignore::affectkit.errors.UntrainedWarning")
def test_cells_are_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video, out = write_levels(tmp_path / "clip.mp4", [60, 90, 120]), tmp_path / "rows.csv"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = analyze(video, make("a", "b"), faces="whole-frame", out=out)
    texts = [str(one.message) for one in told if one.category is LeftOutWarning]
    assert texts.count("expression: is NaN for some faces; their cells are empty") == 1
    assert [text.partition(":")[0] for text in texts] == ["members.a", "members.b", "expression"]
    columns = [f"expression.{name}" for name in TARGETS]
    rows = list(results)
    assert [row.status for row in rows] == ["ok"] * 3
    assert [dict(row.predictions) for row in rows] == [{"expression_agreement.members": 0.0}] * 3
    assert "nan" not in out.read_text()
    assert {*columns} <= {*read_results(out).columns}
    assert [one.output for one in findings_of(rows[0], results.targets)] == ["expression_agreement"]
    assert main(["aggregate", str(out), "--output", "expression"]) == 1
    assert "nan" not in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::affectkit.errors.UntrainedWarning")
def test_one_member_is_enough(tmp_path: Path) -> None:
    video = write_levels(tmp_path / "clip.mp4", [60, 90])
    with pytest.warns(LeftOutWarning):
        rows = list(analyze(video, make("a"), faces="whole-frame"))
    assert [row.predictions["expression_agreement.members"] for row in rows] == [1.0, 1.0]
    assert rows[0].predictions["expression.joy"] + rows[0].predictions["expression.fear"] == pytest.approx(1)


def test_an_event_that_nobody_scored_has_no_label() -> None:
    """By hand: an event's label is the most probable class of what was scored."""
    model = make()
    scorer: Any = SimpleNamespace(outputs=model.traced.outputs)
    assert _label({"expression.joy": 0.3, "expression.fear": 0.7}, scorer) == "fear"
    assert _label({}, scorer) is None
