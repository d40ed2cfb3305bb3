"""Seeds: whoever takes one refuses those that are out of range, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affectkit import ConfigError
from affectkit.datasets import make_tree
from affectkit.metrics.bootstrap import bootstrap_score
from affectkit.metrics.recognition import uf1
from affectkit.protocols.splits import Fold, split_inner, split_subjects
from affectkit.seeds import check_seed
from affectkit.training import evaluate, fit
from affectkit.training.frame_evaluation import evaluate_frames
from tests.cli_runs import run
from tests.frame_examples import CONFIG as FRAMES, make_segments
from tests.test_training import FEATURES, make_examples

REMEDY = "write a whole number from 0 to 2**63 - 1"
EXAMPLES = make_examples(12, subjects=4)
FOLD = Fold("mine", tuple(range(12)), ())
COUNTS = np.ones((3, 2, 2), dtype=np.int64)


def test_the_range() -> None:
    check_seed(0)
    check_seed(2**63 - 1)


@pytest.mark.parametrize("seed", [-1, 2**63])
@pytest.mark.parametrize(
    ("take", "path"),
    [
        (lambda seed, out: check_seed(seed, path="search.seed"), "search.seed"),
        (lambda seed, out: split_subjects(EXAMPLES.subjects, 2, seed=seed), "seed"),
        (lambda seed, out: split_inner(FOLD, EXAMPLES.subjects, seed=seed), "seed"),
        (lambda seed, out: bootstrap_score(COUNTS, uf1, seed=seed), "seed"),
        (lambda seed, out: fit(FEATURES, EXAMPLES, seed=seed, folder=out), "seed"),
        (lambda seed, out: evaluate(FEATURES, EXAMPLES, seeds=[0, seed], folder=out), "seeds"),
        (lambda seed, out: evaluate_frames(FRAMES, make_segments(4), seed=seed, folder=out), "seed"),
        (lambda seed, out: make_tree("casme2", out, seed=seed), "seed"),
    ],
    ids=["check", "subjects", "inner", "bootstrap", "fit", "evaluate", "frames", "tree"],
)
def test_seeds_out_of_range(take: Callable[[int, Path], object], path: str, seed: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        take(seed, tmp_path / "out")
    assert str(caught.value) == f"{path}: {seed} is not accepted; {REMEDY}"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [("data", "make", "casme2", "{out}"), ("export", "motion-events", "{out}")],
    ids=["data make", "export"],
)
def test_commands(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code, _, err = run(capsys, *(word.format(out=out) for word in words), "--seed", "-1")
    assert (code, err, out.exists()) == (1, f"error: seed: -1 is not accepted; {REMEDY}\n", False)
