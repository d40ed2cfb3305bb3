"""The zero-shot preset: the same network, and what a rule makes of it on real faces and a real video."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from affectkit_faceapi.compound import PRESET, make_compound
from affectkit_faceapi.expression import MANIFEST, SHARD

import affectkit
from affectkit import Frames
from affectkit.data.labels import COMPOUND_7
from affectkit.datasets import make_tree
from affectkit.datasets.trees.c_expr_db_tree import LIST
from affectkit.protocols.abaw_answers import check_answer, write_answer
from affectkit.protocols.abaw_video_answers import Answer
from affectkit.protocols.video_predictions import aggregate_results, aggregate_tables


def test_it_adds_a_map_and_no_weights() -> None:
    config = make_compound()
    assert config.trace().outputs["compound"].targets == COMPOUND_7
    assert config.sampling == Frames()
    assert PRESET.weights == (SHARD, MANIFEST)


def test_compounds_follow_from_the_expressions(shared: Path) -> None:
    model = affectkit.from_pretrained("compound-zero-shot")
    plain = affectkit.from_pretrained("expression")
    torch.manual_seed(0)
    faces = torch.rand(2, 3, 3, 112, 112)
    found = model.predict(faces)
    torch.testing.assert_close(found["expression"], plain.predict(faces)["expression"])
    torch.testing.assert_close(found["compound"].sum(dim=-1), torch.ones(2, 3))


def test_a_real_video_to_one_label(shared: Path, tmp_path: Path) -> None:
    results = affectkit.analyze(
        shared / "media" / "single_face.mp4", "compound-zero-shot", faces="yunet", out=tmp_path / "rows.parquet", fps=5
    )
    (found,) = aggregate_results(results, "compound")
    assert (found.video, found.track) == ("single_face", 0)
    assert found.frames == found.used == len(results)
    # a smile is no compound: of the seven, one has happiness in it, and no map can say "none of these"
    assert found.label == "happily_surprised"
    assert sum(found.probabilities.values()) == pytest.approx(1)


def test_crops_to_an_answer(shared: Path, tmp_path: Path) -> None:
    root = make_tree("c-expr-db", tmp_path / "C-EXPR-DB").root
    table, sample, out = tmp_path / "pictures.csv", root / LIST, tmp_path / "answer.txt"
    affectkit.analyze_pictures(root / "cropped_aligned", "compound-zero-shot", faces="whole-frame", out=table)
    assert write_answer("abaw7-ce", table, sample, out, missing="nearest") == Answer(12, 3, 1)
    assert check_answer("abaw7-ce", out, sample) == Answer(12, 3, 0)
    assert [one.video for one in aggregate_tables(table, "compound")] == ["01", "02", "10"]
