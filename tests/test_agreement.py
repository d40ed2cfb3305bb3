"""How far members agree: by hand on small rows, and as outputs of ensembles and columns of tables."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit import analyze, read_results
from affectkit.agreement import divergence, measure_agreement
from affectkit.artifact import load, save
from affectkit.configs import Frames
from affectkit.ensemble import EnsembleConfig
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.vote import VoteFusionConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream, Problem

HEADS = {"expr": ExpressionConfig(targets=("a", "b", "c")), "va": ValenceArousalConfig()}


def looking(width: int = 4, **fields: Any) -> PipelineConfig:
    return PipelineConfig(
        **{
            "input": FrameStream(height=16, width=16),
            "branches": {"face": Branch(features=ConvStemConfig(dim=6, width=width, depth=1))},
            "heads": HEADS,
            **fields,
        }
    )


def ensemble(**fields: Any) -> EnsembleConfig:
    members = {"one": looking(), "two": looking(), "three": looking(6)}
    return EnsembleConfig(**{"members": members, "fusion": MeanFusionConfig(), "agreement": True, **fields})


def measure(members: list[list[float]], joined: list[float], problem: Problem, usable: list[bool] | None = None) -> Any:
    there = torch.tensor(usable if usable is not None else [True] * len(members))
    return measure_agreement(torch.tensor(members), there, torch.tensor(joined), problem).tolist()


def slow_divergence(p: list[float], q: list[float]) -> float:
    """As it is written: the mean of both Kullback-Leibler divergences to the middle."""
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    parts = [sum(a * math.log2(a / m) for a, m in zip(x, middle, strict=True) if a) for x in (p, q)]
    return sum(parts) / 2


def test_classes() -> None:
    members = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.0, 0.4]]
    joined = [0.5, 0.3, 0.2]
    wanted = sum(slow_divergence(one, joined) for one in members) / 3
    assert measure(members, joined, "multiclass") == pytest.approx([2 / 3, wanted, 3.0], abs=1e-6)
    assert measure([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], "multiclass") == pytest.approx([0.5, 0.5, 2.0], abs=1e-6)


def test_labels_are_counted_one_by_one() -> None:
    members = [[0.9, 0.2], [0.4, 0.3]]
    joined = [0.65, 0.25]
    terms = [slow_divergence([p, 1 - p], [q, 1 - q]) for one in members for p, q in zip(one, joined, strict=True)]
    assert measure(members, joined, "multilabel") == pytest.approx([0.75, sum(terms) / 4, 2.0], abs=1e-6)


def test_values() -> None:
    found = measure([[0.1, -0.5], [0.3, 0.5]], [0.2, 0.0], "regression")
    assert found == pytest.approx([(0.1 + 0.5) / 2, 2.0], abs=1e-6)


@pytest.mark.parametrize("problem", ["multiclass", "multilabel", "regression"])
def test_who_did_not_score_a_row_is_not_asked(problem: Problem) -> None:
    nan = float("nan")
    members, joined = [[0.7, 0.3], [nan, nan], [0.4, 0.6]], [0.55, 0.45]
    others = measure([members[0], members[2]], joined, problem)
    assert measure(members, joined, problem, [True, False, True]) == pytest.approx(others)
    *nothing, count = measure(members, [nan, nan], problem, [False] * 3)
    assert count == 0
    assert all(math.isnan(value) for value in nothing)


@pytest.mark.parametrize("problem", ["multiclass", "multilabel", "regression"])
def test_that_all_scored_all_may_be_said_in_short(problem: Problem) -> None:
    members = torch.softmax(torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0)), dim=-1)
    joined, everyone = members.mean(0), torch.ones(3, 5, dtype=torch.bool)
    short = measure_agreement(members, None, joined, problem)
    assert torch.equal(short, measure_agreement(members, everyone, joined, problem))
    assert (short[..., -1] == 3).all()


def test_the_divergence_is_0_to_1() -> None:
    p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert divergence(p, q).sum().item() == pytest.approx(1.0)
    assert divergence(p, p).abs().sum().item() == pytest.approx(0.0)


def batch() -> Sequence:
    return Sequence.of(torch.rand(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(1)))


def built(config: EnsembleConfig) -> Any:
    torch.manual_seed(0)
    return config.build().eval()


def test_an_ensemble_says_how_far_its_members_agree() -> None:
    model = built(ensemble())
    assert list(model.traced.outputs) == ["expr", "va", "expr_agreement", "va_agreement"]
    assert model.traced.outputs["expr_agreement"].targets == ("share", "divergence", "members")
    assert model.traced.outputs["va_agreement"].targets == ("spread", "members")
    with torch.no_grad():
        for name in model.members:
            # so that the members decide differently from frame to frame
            head = model.members[name].heads["expr"].linear
            head.weight.mul_(300)
            head.bias.copy_(-head.weight @ model.members[name].features(batch()).values.mean((0, 1)))
    found = model.predict(batch())
    alone = torch.stack([model.members[name].predict(batch())["expr"] for name in model.members])
    share = (alone.argmax(-1) == found["expr"].argmax(-1)).float().mean(0)
    assert len(share.unique()) > 1  # or this would show little
    torch.testing.assert_close(found["expr_agreement"][..., 0], share)
    spread = torch.stack([model.members[name].predict(batch())["va"] for name in model.members])
    torch.testing.assert_close(found["va_agreement"][..., 0], spread.std(0, correction=0).mean(-1))
    assert (found["va_agreement"][..., 1] == 3).all()


def test_it_changes_no_score_and_has_no_gradient() -> None:
    with_it, without = built(ensemble()), built(ensemble(agreement=False))
    assert torch.equal(with_it(batch())["expr"], without(batch())["expr"])
    assert not with_it(batch())["expr_agreement"].requires_grad
    assert list(without.traced.outputs) == ["expr", "va"]


def test_clips_streams_and_saved_models(tmp_path: Path) -> None:
    heads = {"expr": ExpressionConfig(resolution="clip")}
    members = {"one": looking(heads=heads), "two": looking(heads=heads)}
    clips = built(ensemble(members=members, fusion=VoteFusionConfig()))
    assert clips.predict(batch())["expr_agreement"].shape == (2, 3)
    model = built(ensemble())
    session = model.stream(batch=2)
    steps = [session.step(batch().step(t))["expr_agreement"] for t in range(5)]
    torch.testing.assert_close(torch.cat(steps, dim=1), model(batch())["expr_agreement"])
    again = load(save(model, tmp_path / "model"))
    assert torch.equal(again(batch())["va_agreement"], model(batch())["va_agreement"])


def test_agreement_of_an_inner_ensemble_is_not_joined() -> None:
    outer = built(ensemble(members={"in": ensemble(), "alone": looking()}))
    assert list(outer.traced.outputs) == ["expr", "va", "expr_agreement", "va_agreement"]
    assert (outer.predict(batch())["va_agreement"][..., 1] == 2).all()
    # an output of a pipeline that is merely called so is joined as any other
    heads = {"expr": HEADS["expr"], "expr_agreement": ActionUnitsConfig(targets=("x",))}
    members = {"one": looking(heads=heads), "two": looking(heads=heads)}
    assert "fusion.expr_agreement" in {step.path for step in ensemble(members=members, agreement=False).trace()}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_rows_of_a_table_have_it(ending: str, tmp_path: Path) -> None:
    config = replace(ensemble(), sampling=Frames(), faces=WholeFrameConfig())
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    results = analyze(frames=frames, pipeline=built(config), fps=25.0, out=tmp_path / f"rows{ending}")
    assert results.columns[-5:] == (
        "expr_agreement.share",
        "expr_agreement.divergence",
        "expr_agreement.members",
        "va_agreement.spread",
        "va_agreement.members",
    )
    rows = list(read_results(tmp_path / f"rows{ending}"))
    assert len(rows) == 4
    for row in rows:
        assert row.predictions["expr_agreement.members"] == 3.0
        assert 0 < row.predictions["expr_agreement.share"] <= 1
        assert 0 < row.predictions["expr_agreement.divergence"] < 1
        assert row.predictions["va_agreement.spread"] > 0


def test_nothing_of_it_is_written_at_a_face() -> None:
    from affectkit.results.overlay import describe
    from affectkit.results.rows import Row

    scores = {"expr.a": 0.7, "expr.b": 0.3, "expr_agreement.share": 1.0, "expr_agreement.members": 3.0}
    row = Row(frame=0, pts=0.0, track=1, status="ok", predictions=scores)
    assert describe(row, tuple(scores)) == ["track 1", "a 0.70"]
    # what is merely called so is an output as any other
    named = {"expr_agreement.a": 0.7, "expr_agreement.b": 0.3}
    assert describe(replace(row, predictions=named), tuple(named)) == ["track 1", "a 0.70"]


def test_mean_over_members_is_linear_in_them() -> None:
    """The slow way, row by row, against the fast one."""
    make = torch.Generator().manual_seed(0)
    members = torch.softmax(torch.randn(3, 7, 4, generator=make), dim=-1)
    joined: Tensor = members.mean(0)
    fast = measure_agreement(members, torch.ones(3, 7, dtype=torch.bool), joined, "multiclass")
    for row in range(7):
        slow = [slow_divergence(members[m, row].tolist(), joined[row].tolist()) for m in range(3)]
        assert fast[row, 1].item() == pytest.approx(sum(slow) / 3, abs=1e-6)
